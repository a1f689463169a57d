package hien

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// When the gateway looks for what is too old, on the boot clock: some minutes
// after the daemon's start, so that a router that is switched off each night
// gets round to it, then once a day. A part that failed is tried again later.
const (
	retainFirst = 10 * time.Minute
	retainEvery = 24 * time.Hour
	retainAgain = 10 * time.Minute
)

// The channels of a withdrawal that nobody asked for: the lead was idle, or
// the consent too old (R-CON-9).
const (
	ChannelRetention = "retention"
	ChannelExpired   = "expired"
)

// retention is the run that is under way, and when the next one begins.
type retention struct {
	unproven atomic.Int64 // numbers that were dropped unproven, and not told to the record yet

	mu      sync.Mutex
	next    time.Duration // Moment.Up; 0: not planned yet
	sweep   *Sweep        // nil: none is under way
	doubted bool          // the log was told that the clock is doubted
}

// A Sweep is one run through the record for what is too old. It is carried out
// in parts, each a transaction of its own that looks at no more rows than are
// soon read: between them others get at the record.
type Sweep struct {
	Terms  consent.Terms
	Now    Moment
	Dry    bool          // only count what the terms, which are of a later day, will have gone
	Within time.Duration // Dry: how much later
	From   Place
	Clock  WallClock  // to be kept with the last part
	Gone   []Deletion // from elsewhere than the record, to be noted with the first part
}

// A Place is where a part of a sweep begins. The zero Place is the beginning.
type Place struct {
	Part  int
	After [2]int64
}

// A Deletion is a number of things that were deleted on one day, and why.
type Deletion struct {
	Day    string // in Vietnam, "2027-11-23"
	What   string // see the Gone constants
	Rule   string // "visit_months=12"
	Policy string // the version: "vn-2026.1"
	Count  int
}

// What a Deletion says that is gone.
const (
	GoneVisits   = "visits"
	GoneLeads    = "leads"    // people whose last purpose ended
	GonePurposes = "purposes" // that ended, of people who stay
	GonePeople   = "people"   // of whom only proofs were left
	GoneProofs   = "proofs"   // address, device, browser and number beside a ledger entry
	GoneNumbers  = "numbers"  // that no code had proven
	GoneRequests = "requests"
	GoneEvents   = "events" // that were never delivered
	GoneAudit    = "audit"  // lines of the audit
)

// Swept is what a part of a sweep has come to.
type Swept struct {
	Next  Place
	Done  bool
	Gone  []Deletion // or due, in a dry run
	Woken bool       // something is to be told upstream
}

// A WallClock is what is remembered of the wall clock from run to run, so that
// nothing is deleted by a wrong date.
type WallClock struct {
	Last  Moment // when the date was last believed
	Doubt Moment // since when it has been doubted; the zero Moment when it is not
}

const (
	// clockLeap is how far the date may be ahead of the one that was believed
	// last: a router can have been off for a month.
	clockLeap = 35 * 24 * time.Hour
	// clockBack is how far it may be behind.
	clockBack = 24 * time.Hour
	// clockProof is how long a date that is further away has to go on as
	// clocks do before it is believed: by then somebody has seen it, or the
	// time server was mended.
	clockProof = 3 * 24 * time.Hour
	// clockSlip is how far wall clock and boot clock may differ meanwhile.
	clockSlip = time.Hour
	// clockKept is how old the date in the record may get before it is written
	// anew, though nothing was deleted: flash is spared.
	clockKept = 7 * 24 * time.Hour
)

// Believes reports whether things may be deleted by the date, and what is
// remembered then. A router has no battery clock, and a time server can be
// wrong: deleting by a date far in the future would lose everything for good.
// One in the past would make what is recorded by it seem older than it is.
func (w WallClock) Believes(now Moment) (WallClock, bool) {
	if !now.InStep {
		return w, false
	}
	believed := WallClock{Last: now}
	ahead := now.Wall.Sub(w.Last.Wall)
	if w.Last.Wall.IsZero() || -clockBack <= ahead && ahead <= clockLeap || asClocksGo(w.Last, now) {
		return believed, true
	}
	passed := now.Wall.Sub(w.Doubt.Wall)
	switch {
	case w.Doubt.Wall.IsZero(), passed < 0, w.Doubt.Boot == now.Boot && !asClocksGo(w.Doubt, now), passed > clockLeap:
		return WallClock{Last: w.Last, Doubt: now}, false
	case passed < clockProof:
		return w, false
	}
	return believed, true
}

// asClocksGo reports whether between two moments of one boot the wall clock
// went as far as the boot clock.
func asClocksGo(from, to Moment) bool {
	return from.Boot != "" && from.Boot == to.Boot && (to.Wall.Sub(from.Wall)-(to.Up-from.Up)).Abs() <= clockSlip
}

// retain does one part of the daily run, when one is due.
func (g *Gateway) retain(ctx context.Context, now Moment) error {
	policy, r := g.settings.Load().Today.Policy, &g.retention
	if policy == nil || g.parts.Keeper == nil {
		return nil
	}
	if !r.mu.TryLock() {
		return nil // the owner has asked for a run, and it is under way
	}
	defer r.mu.Unlock()
	if r.next == 0 {
		r.next = now.Up + retainFirst
	}
	if r.sweep == nil && now.Up < r.next || !now.InStep {
		return nil
	}
	if r.sweep == nil {
		if err := g.beginSweep(ctx, policy, now); err != nil || r.sweep == nil {
			r.next = now.Up + retainAgain
			return err
		}
	}
	swept, err := g.sweep(ctx, r.sweep)
	if err != nil {
		r.sweep, r.next = nil, now.Up+retainAgain
		return err
	}
	if r.sweep.From = swept.Next; swept.Done {
		r.sweep, r.next = nil, now.Up+retainEvery
	}
	return nil
}

// beginSweep plans a run, unless the date is doubted.
func (g *Gateway) beginSweep(ctx context.Context, policy *consent.Policy, now Moment) error {
	r := &g.retention
	before, err := g.parts.Keeper.WallClock(ctx)
	if err != nil {
		return err
	}
	clock, believed := before.Believes(now)
	if !believed {
		if !r.doubted {
			g.parts.Log.Warn("the date is far from the one that was known: nothing is deleted until it has held for three days; mend the clock, or say `hien retention --now` if the date is right",
				"date", consent.Day(now.Wall), "known", consent.Day(before.Last.Wall))
			r.doubted = true
		}
		if clock != before {
			return g.parts.Keeper.KeepWallClock(ctx, clock)
		}
		return nil
	}
	r.doubted = false
	if now.Wall.Sub(before.Last.Wall).Abs() < clockKept && before.Doubt.Wall.IsZero() {
		clock = before
	}
	r.sweep = &Sweep{Terms: policy.Terms(now.Wall), Now: now, Clock: clock, Gone: g.unproven(policy, now)}
	return nil
}

// keepsUnproven is how long a number that nobody has proved is kept, sealed
// under a key that never leaves the daemon's memory (R-CON-11).
func (g *Gateway) keepsUnproven() time.Duration {
	if p := g.settings.Load().Today.Policy; p != nil {
		return p.Unproven()
	}
	return consent.MaxUnproven
}

// unproven is what has gone from the livebook.
func (g *Gateway) unproven(policy *consent.Policy, now Moment) []Deletion {
	n := int(g.retention.unproven.Load())
	if n == 0 {
		return nil
	}
	t := policy.Terms(now.Wall)
	return []Deletion{{Day: consent.Day(now.Wall), What: GoneNumbers, Rule: t.Says(consent.RuleUnproven), Policy: t.Policy, Count: n}}
}

// sweep does one part.
func (g *Gateway) sweep(ctx context.Context, s *Sweep) (Swept, error) {
	swept, err := g.parts.Keeper.Sweep(ctx, *s, func(m Member, purposes []consent.Purpose, channel string) (Withdrawal, error) {
		return g.withdrawal(m, purposes, channel, s.Now)
	})
	if err != nil {
		return swept, err
	}
	for _, d := range s.Gone { // they are noted
		g.retention.unproven.Add(-int64(d.Count))
	}
	s.Gone = nil
	for _, d := range swept.Gone {
		if !s.Dry {
			g.parts.Log.Info("too old to be kept", "what", d.What, "count", d.Count, "rule", d.Rule, "policy", d.Policy)
		}
	}
	if swept.Woken {
		g.parts.Wake()
	}
	return swept, nil
}

// Policy is by which things are kept and deleted; nil: by none.
func (g *Gateway) Policy() *consent.Policy { return g.settings.Load().Today.Policy }

// ErrNoRetention says that there is no policy by which things are kept, or no
// record.
var ErrNoRetention = errors.New("there is no policy by which anything is kept or deleted")

// ErrClockUnset says that nothing can be deleted, or said to be due, and no
// request's legal clock begun, as the router's clock is not set.
var ErrClockUnset = errors.New("the clock is not set: by a date that is a guess nothing is deleted and no legal clock begun; set it, or wait for the internet")

// RetainNow carries out at once what is due. The owner vouches for the date by
// asking for it.
func (g *Gateway) RetainNow(ctx context.Context, now Moment) ([]Deletion, error) {
	return g.sweepAll(ctx, now, 0, false)
}

// RetentionDue is what will be due within a time from now.
func (g *Gateway) RetentionDue(ctx context.Context, within time.Duration, now Moment) ([]Deletion, error) {
	return g.sweepAll(ctx, now, within, true)
}

func (g *Gateway) sweepAll(ctx context.Context, now Moment, within time.Duration, dry bool) ([]Deletion, error) {
	policy := g.settings.Load().Today.Policy
	switch {
	case policy == nil || g.parts.Keeper == nil:
		return nil, ErrNoRetention
	case !now.InStep:
		return nil, ErrClockUnset
	}
	g.retention.mu.Lock()
	defer g.retention.mu.Unlock()
	s := &Sweep{Terms: policy.Terms(now.Wall.Add(within)), Now: now, Dry: dry, Within: within, Clock: WallClock{Last: now}}
	if !dry {
		s.Gone = g.unproven(policy, now)
	}
	var all []Deletion
	for {
		swept, err := g.sweep(ctx, s)
		all = addDeletions(all, swept.Gone)
		if err != nil || swept.Done {
			return all, err
		}
		s.From = swept.Next
	}
}

// addDeletions adds up what was deleted for the same reason.
func addDeletions(all, more []Deletion) []Deletion {
next:
	for _, d := range more {
		for i, have := range all {
			if have.What == d.What && have.Rule == d.Rule && have.Day == d.Day && have.Policy == d.Policy {
				all[i].Count += d.Count
				continue next
			}
		}
		all = append(all, d)
	}
	return all
}
