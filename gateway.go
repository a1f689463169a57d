package hien

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// A Gateway is the house: the rules by which a guest comes in, whatever is
// asked or answered on the way. It is safe for concurrent use.
//
// Three rules hold in every method. Access never depends on consent, nor on
// the record: where that fails, nothing is asked and the door still opens. What
// is acknowledged is durable first: record, door, queue, in this order. And a
// purpose is looked at when an event is made and again when it is sent
// (R-CON-7).
type Gateway struct {
	parts      Parts
	memory     memoryKey
	settings   atomic.Pointer[Settings]
	owners     owners
	meter      meter
	loans      loans
	waiting    waiting
	outgoing   outgoing
	counting   counting
	retention  retention
	refusals   refusals
	disclosing chan struct{} // holds one who has a person looked for under each name
	young      atomic.Int64  // guests who said to be too young to be asked, since the start
	opened     atomic.Int64  // Moment.Up until which the door is open to everybody; 0: it is not
	complained atomic.Int64  // Moment.Up of the last complaint
	resumed    atomic.Bool   // the visits of an earlier boot were closed
}

// Parts are what the gateway works with. Record is nil when the record could
// not be opened: then nothing is asked.
type Parts struct {
	Record   Record
	Keeper   Keeper   // nil: nothing is deleted for its age
	Eraser   Eraser   // nil without a Record
	Reissuer Reissuer // nil: nobody gets another receipt
	Refusals Refusals // nil: what devices said no to is not remembered, as without Shelf
	Shelf    Shelf
	Requests Requests // nil: none are kept
	Book     Livebook
	Door     Door
	Meter    Meter    // nil: nothing is counted
	Lender   Lender   // nil: nothing is lent
	Sessions Sessions // nil: no access log
	Audit    Audit    // nil: what the owner does is only logged
	Router   RouterKey
	Online   func() bool                             // whether the shop has internet; nil: it has
	Within   func(zone string, addr netip.Addr) bool // a guest of the zone can have the address; nil: any can
	Wake     func()                                  // tells the courier that an event was queued
	Log      *slog.Logger
}

// Settings are what the owner sets; Reload changes them.
type Settings struct {
	StoreID   string
	StoreName string
	Zones     []Zone
	Asker     consent.Asker // one that is not ready asks nothing (R-CON-4)
	Today     consent.Asker // by whose policy things are kept, and whose notice today's is, also where nobody is asked; without a policy nothing is deleted for its age
	Brand     BrandKey      // none: no number is asked
	Earlier   []BrandKey    // by which people may still be known
	Seal      SealKey       // none: no purpose that reaches the person
	Sender    Sender        // nil: no code is sent

	// OneTime keeps a number and one time, no history of a person: whoever
	// answers as before leaves nothing more behind.
	OneTime bool

	// StaffCode takes the code that the shop's till shows where none can be
	// sent: without a Sender always, and with one where it fails. It proves no
	// number, so purposes that reach the person are not asked for by it.
	StaffCode bool

	CodesPerDay    int  // sent in the shop within 24 hours; 0 is DefaultCodesPerDay
	ForeignNumbers bool // whether codes go to numbers outside of Vietnam
}

// NewGateway makes the house of its parts.
func NewGateway(p Parts, s Settings) *Gateway {
	g := &Gateway{parts: p, memory: newMemoryKey(), disclosing: make(chan struct{}, 1)}
	if g.parts.Wake == nil {
		g.parts.Wake = func() {}
	}
	g.Reload(s)
	if err := errors.Join(g.owners.load(p.Book), g.outgoing.load(p.Book)); err != nil {
		p.Log.Warn("the livebook cannot be read", "err", err)
	}
	if until, err := p.Book.Open(); err == nil {
		g.opened.Store(int64(until))
	}
	return g
}

// Reload puts other settings in force. Passes and forms stay as they are, but
// for the pass of a device that is blocked now: the next Tick takes it away,
// as it lets in a device that is trusted now and is here.
func (g *Gateway) Reload(s Settings) { g.settings.Store(&s) }

func (s *Settings) zone(name string) (Zone, bool) {
	i := slices.IndexFunc(s.Zones, func(z Zone) bool { return z.Name == name })
	if i < 0 {
		return Zone{}, false
	}
	return s.Zones[i], true
}

func (g *Gateway) zone(name string) (Zone, error) {
	z, ok := g.settings.Load().zone(name)
	if !ok {
		return Zone{}, fmt.Errorf("%w: %q", ErrNoZone, name)
	}
	return z, nil
}

// online reports whether the shop has internet, as far as is known.
func (g *Gateway) online() bool { return g.parts.Online == nil || g.parts.Online() }

// Internet reports whether the shop has internet, and whether that is known.
func (g *Gateway) Internet() (up, known bool) { return g.online(), g.parts.Online != nil }

// Greet tells the portal how to speak to the guest at the door. It is a
// sighting too.
func (g *Gateway) Greet(ctx context.Context, d Device, now Moment) (Greeting, error) {
	zone, err := g.zone(d.Guest.Zone)
	if err != nil {
		return Greeting{}, err
	}
	s := g.settings.Load()
	gr := Greeting{StoreName: s.StoreName, Zone: zone, Asker: s.Asker, NoInternet: !g.online(),
		NoNumber: s.StaffCode && !g.sends(now)}
	gr.Asker.NoNumber = gr.NoNumber // its notice speaks of none
	if zone.blocks(d.Guest.MAC) {
		gr.Step, gr.Why = Outside, WhyBlocked
	}
	err = g.Saw(ctx, Sighting{Guest: d.Guest, Addr: d.Addr, Source: "portal"}, now)
	guest := Guest{ID: d.Guest}
	if err == nil {
		guest, _, err = g.parts.Book.Guest(d.Guest)
	}
	if err != nil {
		// Without the book a form could not wait for its code: nothing is
		// asked, and the door opens all the same.
		g.complain(now, "the livebook fails; nothing is asked, and guests come in all the same", err)
		return gr, nil
	}
	guest.ID = d.Guest
	gr.Receipt = guest.shownReceipt(now)
	member := g.member(ctx, d.Guest)
	if member.Known() {
		if !guest.Gave && !zone.trusts(d.Guest.MAC) {
			g.counting.note(d.Guest.MAC, countReturning, now)
		}
		gr.Visit = member.Visits
		if guest.Stay.Visit == "" {
			gr.Visit++ // this stay is not in the record yet
			gr.SinceLast = between(member.LastVisit, now)
		}
	}
	if gr.PassLeft = g.left(&guest, now); gr.PassLeft > 0 {
		gr.Grace = guest.Pass.Grace
		gr.BytesLeft = g.bytesLeft(zone, &guest, now)
		err = g.readmit(ctx, d, gr.PassLeft)
	}
	codeLeft, tries := time.Duration(0), 0
	form := guest.Form
	if form != nil && !g.opens(form) {
		form = nil
	}
	if form != nil {
		if tries = max(0, CodeTries-form.Challenge.Tries); tries > 0 {
			codeLeft = form.Challenge.Left(now)
		}
	}
	switch {
	case gr.Step == Outside:
	case zone.spent(&guest, now):
		gr.Step, gr.Why, gr.BackIn = Outside, WhySpent, guest.Pass.Until-now.Up
	// A code that can still be typed comes before the pass: whoever was let
	// in while the shop had no internet finishes what it began. By a grace
	// pass nobody is inside.
	case form != nil && (gr.PassLeft == 0 || gr.Grace || form.Waiting || codeLeft > 0):
		gr.Step = AtCode
		gr.LastTwo, gr.TriesLeft, gr.CodeLeft, gr.Waiting = form.LastTwo, tries, codeLeft, form.Waiting
		gr.StaffCode = form.Challenge.By == ProofStaff
	case gr.PassLeft > 0 && !gr.Grace:
		gr.Step = Inside
	case !guest.Asked && !guest.Gave:
		due, settled, again := s.due(g.askable(zone, now), member, now)
		gr.Ask, gr.Refused = g.unrefused(ctx, d.Guest.MAC, due, now)
		gr.Refused = append(gr.Refused, settled...)
		gr.Again = slices.ContainsFunc(gr.Ask, func(p consent.Purpose) bool { return slices.Contains(again, p) })
	}
	return gr, err
}

// Inside reports whether the guest has a pass. It is for a probe that reaches
// the portal all the same: then the kernel lost the pass, or never had it for
// that address, and gets it again. Of a guest without a pass, and who is due
// none without asking, nothing is written and nothing looked up.
func (g *Gateway) Inside(ctx context.Context, d Device, now Moment) (bool, error) {
	guest, _, err := g.parts.Book.Guest(d.Guest)
	if err != nil {
		return false, err
	}
	guest.ID = d.Guest
	left := g.left(&guest, now)
	if left == 0 {
		zone, ok := g.settings.Load().zone(d.Guest.Zone)
		if _, due := g.freely(zone, &guest, now); !ok || !due {
			return false, nil
		}
	}
	if err := g.Saw(ctx, Sighting{Guest: d.Guest, Addr: d.Addr, Source: "portal"}, now); err != nil {
		return false, err
	}
	if left == 0 { // it may just have come in
		if guest, _, err = g.parts.Book.Guest(d.Guest); err != nil {
			return false, err
		}
		if left = g.left(&guest, now); left == 0 {
			return false, nil
		}
	}
	return true, g.readmit(ctx, d, left)
}

// complain logs a trouble that every guest would meet, once a minute: a
// router's log is small.
func (g *Gateway) complain(now Moment, what string, err error) {
	last := g.complained.Load()
	if (last == 0 || now.Up-time.Duration(last) >= time.Minute) && g.complained.CompareAndSwap(last, int64(max(now.Up, 1))) {
		g.parts.Log.Error(what, "err", err)
	}
}

// between is the time from one moment to another, 0 when no clock can tell.
func between(from, to Moment) time.Duration {
	switch {
	case from.Boot == "":
		return 0
	case from.Boot == to.Boot:
		return to.Up - from.Up
	case from.InStep && to.InStep:
		return max(0, to.Wall.Sub(from.Wall))
	}
	return 0
}

// keeps reports whether people are known by their numbers.
func (g *Gateway) keeps() bool {
	return g.parts.Record != nil && !g.settings.Load().Brand.IsZero()
}

// takes reports whether an answer would be taken, and could be kept. A shop that
// has stopped asking takes none, not of a form that waits either.
func (g *Gateway) takes() bool { return g.keeps() && g.settings.Load().Asker.Policy != nil }

// askable are the purposes of a zone that may be asked for, and for which an
// answer could be proved and kept now. Half a notice asks nobody (R-CON-4), and
// children are not asked (R-CHILD-2).
func (g *Gateway) askable(z Zone, now Moment) []consent.Purpose {
	switch {
	case !g.takes() || !g.settings.Load().Asker.Ready():
		return nil
	case g.sends(now):
		return z.Asks()
	case g.settings.Load().StaffCode:
		return slices.DeleteFunc(z.Asks(), consent.Purpose.Reaches)
	}
	return nil
}

// member is the person behind a device, if it is a member's. A record that
// cannot be read makes a stranger of everybody.
func (g *Gateway) member(ctx context.Context, id GuestID) Member {
	if g.parts.Record == nil {
		return Member{}
	}
	m, err := g.parts.Record.Member(ctx, g.parts.Router.MemberMark(id.MAC))
	if err != nil {
		g.parts.Log.Warn("a returning guest could not be looked up", "err", err)
		return Member{}
	}
	return m
}
