package hien_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// keeps puts the law's terms in force.
func (p *porch) keeps() *consent.Policy {
	p.Helper()
	policy, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		p.Fatal(err)
	}
	p.settings.Today.Policy, p.parts.Keeper = policy, p.record
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	return policy
}

// day lets the gateway tick through the run that a day brings.
func (p *porch) day() {
	p.Helper()
	for range 8 {
		p.tick()
		p.now.Wall, p.now.Up = p.now.Wall.Add(2*time.Second), p.now.Up+2*time.Second
	}
}

func (p *porch) leads() int {
	p.Helper()
	c, err := p.record.Counts(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	return c.Leads
}

func TestOnceADayWhatIsTooOldGoes(t *testing.T) {
	p := newPorch(t)
	p.keeps()
	p.tick()
	p.give(device(1), "0987654321", consent.VisitFrequency, consent.ContactZalo)
	for p.now.Wall.Before(start.Wall.AddDate(2, 0, 1)) { // the router runs for two years, and nobody comes
		p.later(30 * 24 * time.Hour)
		p.day()
	}
	if n := p.leads(); n != 0 {
		t.Errorf("%d leads after two years without a visit; want none", n)
	}
	b, err := p.record.Batch(t.Context(), 10, p.now)
	if err != nil || len(b) != 1 || b[0].Kind() != hien.Withdrawn {
		t.Errorf("what the CDP hears: %d events, %v; want the withdrawal", len(b), err)
	}
	kept, err := p.record.Deletions(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(kept, func(d hien.Deletion) bool {
		return d.What == hien.GoneLeads && d.Rule == "idle_months=24" && d.Policy == "vn-2026.1" && d.Count == 1
	}) {
		t.Errorf("what was deleted and why: %v; want the lead, idle for 24 months", kept)
	}
}

// TestTheRunIsDaily by the boot clock, and not before the daemon has stood for
// a while.
func TestTheRunIsDaily(t *testing.T) {
	p := newPorch(t)
	p.keeps()
	k := &keeper{Keeper: p.record}
	p.parts.Keeper = k
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	p.day()
	if k.runs != 0 {
		t.Errorf("%d runs at the start; want none yet", k.runs)
	}
	p.later(11 * time.Minute)
	p.day()
	p.later(23 * time.Hour)
	p.day()
	if k.runs != 1 {
		t.Errorf("%d runs within a day; want 1", k.runs)
	}
	p.later(time.Hour)
	p.day()
	if k.runs != 2 {
		t.Errorf("%d runs after a day; want 2", k.runs)
	}
	k.fail = errors.New("a full disk")
	p.later(25 * time.Hour)
	if err := p.Tick(t.Context(), p.now); !errors.Is(err, k.fail) {
		t.Errorf("Tick = %v; want the disk's error", err)
	}
	if err := p.Tick(t.Context(), p.now); err != nil {
		t.Errorf("the next Tick = %v; want that it waits", err)
	}
	k.fail = nil
	p.later(11 * time.Minute)
	p.day()
	if k.runs != 3 {
		t.Errorf("%d runs after one that failed; want 3", k.runs)
	}
}

// A keeper counts the runs that come to their end.
type keeper struct {
	hien.Keeper
	runs int
	fail error
}

func (k *keeper) Sweep(ctx context.Context, s hien.Sweep, lapse func(hien.Member, []consent.Purpose, string) (hien.Withdrawal, error)) (hien.Swept, error) {
	if k.fail != nil {
		return hien.Swept{}, k.fail
	}
	swept, err := k.Keeper.Sweep(ctx, s, lapse)
	if swept.Done {
		k.runs++
	}
	return swept, err
}

func TestAGuessedDateDeletesNothing(t *testing.T) {
	p := newPorch(t)
	p.keeps()
	p.tick()
	p.give(device(1), "0987654321", consent.ContactZalo)
	p.later(time.Hour)
	p.now.Wall, p.now.InStep = p.now.Wall.AddDate(10, 0, 0), false
	p.day()
	if p.leads() != 1 {
		t.Error("a lead went by a clock that was never set")
	}
	if _, err := p.RetainNow(t.Context(), p.now); !errors.Is(err, hien.ErrClockUnset) {
		t.Errorf("RetainNow = %v; want ErrClockUnset", err)
	}
}

// TestADateFarAheadWaits: a time server that is wrong for a day must not cost
// the shop its record; after three days the date is believed, and the owner
// can vouch for it before.
func TestADateFarAheadWaits(t *testing.T) {
	for _, vouch := range []bool{false, true} {
		p := newPorch(t)
		p.keeps()
		p.tick()
		p.give(device(1), "0987654321", consent.ContactZalo)
		p.later(time.Hour)
		p.day()
		p.now.Wall = p.now.Wall.AddDate(5, 0, 0) // the boot clock goes on as it did
		for range 2 {
			p.later(24*time.Hour + time.Minute)
			p.day()
		}
		if p.leads() != 1 {
			t.Error("a lead went by a date that jumped by five years")
		}
		if vouch {
			if gone, err := p.RetainNow(t.Context(), p.now); err != nil || p.leads() != 0 {
				t.Errorf("the owner vouches: %v, %v; want that the lead goes", gone, err)
			}
			continue
		}
		for range 2 {
			p.later(24*time.Hour + time.Minute)
			p.day()
		}
		if p.leads() != 0 {
			t.Error("the date has held for three days, and nothing went")
		}
	}
}

func TestWhichDateIsBelieved(t *testing.T) {
	const day = 24 * time.Hour
	at := func(wall time.Duration, boot string, up time.Duration) hien.Moment {
		return hien.Moment{Wall: start.Wall.Add(wall), Boot: boot, Up: up, InStep: true}
	}
	known := at(0, "a", day)
	for _, c := range []struct {
		name  string
		clock hien.WallClock
		now   hien.Moment
		want  bool
		doubt bool
	}{
		{"nothing is known yet", hien.WallClock{}, at(0, "a", 0), true, false},
		{"the next day", hien.WallClock{Last: known}, at(day, "a", 2*day), true, false},
		{"a clock that is not set", hien.WallClock{Last: known}, hien.Moment{Wall: start.Wall.Add(day), Boot: "a", Up: 2 * day}, false, false},
		{"the shop was shut for a month", hien.WallClock{Last: known}, at(31*day, "b", time.Hour), true, false},
		{"it was shut for two", hien.WallClock{Last: known}, at(62*day, "b", time.Hour), false, true},
		{"the router ran for two months", hien.WallClock{Last: known}, at(62*day, "a", 63*day), true, false},
		{"the date jumped while it ran", hien.WallClock{Last: known}, at(62*day, "a", 2*day), false, true},
		{"the clock was set back by some hours", hien.WallClock{Last: known}, at(-8*time.Hour, "a", 2*day), true, false},
		{"the date went back", hien.WallClock{Last: known}, at(-400*day, "b", 0), false, true},
		{"it was wrong before, and has been right for three days", hien.WallClock{Last: known, Doubt: at(-400*day, "b", 0)}, at(-397*day, "b", 3*day), true, false},
		{"doubted for a day", hien.WallClock{Last: known, Doubt: at(62*day, "b", 0)}, at(63*day, "b", day), false, true},
		{"for three days", hien.WallClock{Last: known, Doubt: at(62*day, "b", 0)}, at(65*day, "b", 3*day), true, false},
		{"for three days over a night's boot", hien.WallClock{Last: known, Doubt: at(62*day, "b", 0)}, at(65*day, "c", day), true, false},
		{"it jumped again meanwhile", hien.WallClock{Last: known, Doubt: at(62*day, "b", 0)}, at(80*day, "b", 3*day), false, true},
		{"and far", hien.WallClock{Last: known, Doubt: at(62*day, "b", 0)}, at(900*day, "c", 0), false, true},
		{"it came back before it was believed", hien.WallClock{Last: known, Doubt: at(900*day, "b", 0)}, at(4*day, "b", 4*day), true, false},
	} {
		got, believed := c.clock.Believes(c.now)
		if believed != c.want || got.Doubt != (hien.Moment{}) != c.doubt {
			t.Errorf("%s: believed %v, doubted since %v; want %v, doubt %v", c.name, believed, got.Doubt.Wall, c.want, c.doubt)
		}
		if believed && got.Last != c.now {
			t.Errorf("%s: the last date is %v; want now", c.name, got.Last.Wall)
		}
	}
}

// TestUnprovenNumbersAreCounted, which the livebook alone holds.
func TestUnprovenNumbersAreCounted(t *testing.T) {
	p := newPorch(t)
	policy := p.keeps()
	policy.Retention.UnprovenHours = 2
	p.tick()
	p.greet(device(1))
	if err := p.try(device(1), "0987654321"); err != nil {
		t.Fatal(err)
	}
	for range 13 { // it stays in the shop and does not type the code
		p.later(10 * time.Minute)
		p.saw(device(1))
		p.tick()
	}
	if guest, _, _ := p.book.Guest(device(1).Guest); guest.Form != nil {
		t.Error("the number is kept after two hours")
	}
	p.later(24 * time.Hour)
	p.day()
	kept, err := p.record.Deletions(t.Context(), 10)
	want := hien.Deletion{Day: consent.Day(p.now.Wall), What: hien.GoneNumbers, Rule: "unproven_hours=2", Policy: "vn-2026.1", Count: 1}
	if err != nil || !slices.Contains(kept, want) {
		t.Errorf("deleted: %v, %v; want %v", kept, err, want)
	}
	p.later(24 * time.Hour)
	p.day()
	if again, _ := p.record.Deletions(t.Context(), 10); fmt.Sprint(again) != fmt.Sprint(kept) {
		t.Errorf("a day later: %v; want that it is counted once", again)
	}
}

func TestWhatWillBeDue(t *testing.T) {
	p := newPorch(t)
	p.keeps()
	p.give(device(1), "0987654321", consent.ContactZalo)
	p.now.Wall = p.now.Wall.AddDate(2, 0, -20)
	due := func(within time.Duration) string {
		t.Helper()
		gone, err := p.RetentionDue(t.Context(), within, p.now)
		if err != nil {
			t.Fatal(err)
		}
		s := ""
		for _, d := range gone {
			if d.What == hien.GoneLeads {
				s += fmt.Sprintf("%d %s ", d.Count, d.Rule)
			}
		}
		return s
	}
	if got := due(0); got != "" {
		t.Errorf("due now: %s; want no lead", got)
	}
	if got := due(30 * 24 * time.Hour); got != "1 idle_months=24 " {
		t.Errorf("due within 30 days: %q; want the lead", got)
	}
	if p.leads() != 1 {
		t.Error("asking what is due has deleted it")
	}
}
