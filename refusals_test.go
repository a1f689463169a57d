package hien_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

var both = []consent.Purpose{consent.VisitFrequency, consent.ContactZalo}

// nextStay lets the guest leave, and come back so much later.
func (p *porch) nextStay(after time.Duration) {
	p.Helper()
	p.later(5 * time.Hour)
	p.tick()
	p.later(after - 5*time.Hour)
	p.tick()
}

func TestANoHoldsForThirtyDaysOnThatDevice(t *testing.T) {
	p := newPorch(t)
	d, other := device(1), device(2)
	p.tick()
	p.greet(d)
	if err := p.Refuse(t.Context(), d, both, p.now); err != nil || p.door.left(d) != 4*time.Hour {
		t.Fatalf("going on without: %v, in for %v", err, p.door.left(d))
	}
	if p.ledger() != 0 || len(p.queue()) != 0 {
		t.Error("a no is in the ledger or the queue")
	}
	p.nextStay(6 * time.Hour)
	for day := range 31 {
		if g := p.greet(d); len(g.Ask) != 0 || !slices.Equal(g.Refused, both) {
			t.Fatalf("after %d days: asked for %v, refused %v", day, g.Ask, g.Refused)
		}
		p.nextStay(24 * time.Hour)
	}
	if g := p.greet(d); !slices.Equal(g.Ask, both) || len(g.Refused) != 0 {
		t.Errorf("after 31 days: asked for %v, refused %v; want it asked", g.Ask, g.Refused)
	}
	if g := p.greet(other); !slices.Equal(g.Ask, both) {
		t.Errorf("another device is asked for %v", g.Ask)
	}
	if no, err := p.record.Refused(t.Context(), p.parts.Router.RefusalMark(d.Guest.MAC), ""); err != nil || len(no) != 0 {
		t.Errorf("the record still has %v, %v", no, err)
	}
}

func TestWhatIsNewIsAskedAllTheSame(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	if err := p.Refuse(t.Context(), d, both[:1], p.now); err != nil {
		t.Fatal(err)
	}
	p.nextStay(24 * time.Hour)
	if g := p.greet(d); !slices.Equal(g.Ask, both[1:]) || !slices.Equal(g.Refused, both[:1]) {
		t.Errorf("asked for %v, refused %v; want the new one asked", g.Ask, g.Refused)
	}
}

// TestWhatIsNotTickedIsANo: who agrees to one thing is not asked for the other
// again either.
func TestWhatIsNotTickedIsANo(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.giveAs(d, "0987654321", consent.ContactZalo) // and no visits, so that the device is not known again
	p.nextStay(24 * time.Hour)
	if g := p.greet(d); !slices.Equal(g.Refused, both[:1]) {
		t.Errorf("refused %v; want what was not ticked", g.Refused)
	}
}

func TestWhoChangesTheirMindIsTaken(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	if err := p.Refuse(t.Context(), d, both, p.now); err != nil {
		t.Fatal(err)
	}
	p.nextStay(24 * time.Hour)
	p.give(d, "0987654321", both...)
	if p.ledger() != 1 {
		t.Error("who changed their mind was not taken")
	}
}

// TestManyRefusalsAreOneCommit: a guest who goes on without costs no flash.
func TestManyRefusalsAreOneCommit(t *testing.T) {
	p := newPorch(t)
	p.tick()
	kept := &keptRefusals{Refusals: p.record}
	p.parts.Refusals = kept
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	p.tick()
	for i := range 200 {
		p.greet(device(i))
		if err := p.Refuse(t.Context(), device(i), both, p.now); err != nil {
			t.Fatal(err)
		}
	}
	p.later(5 * time.Minute)
	p.tick()
	if len(kept.calls) != 0 {
		t.Errorf("%v recorded at once; want them to wait", kept.calls)
	}
	p.later(time.Hour)
	kept.fail = errors.New("full")
	if err := p.Tick(t.Context(), p.now); err == nil {
		t.Error("a record that fails is not told")
	}
	kept.fail = nil
	p.later(11 * time.Minute)
	p.tick()
	p.later(61 * time.Minute)
	p.tick()
	if !slices.Equal(kept.calls, []int{200, 0}) {
		t.Errorf("recorded %v; want 200 together, and nothing twice", kept.calls)
	}
}

// TestRefusalsGoWhenNothingIsAskedAnyMore: the shop stops asking, and the marks
// go in their time.
func TestRefusalsGoWhenNothingIsAskedAnyMore(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.tick()
	p.greet(d)
	if err := p.Refuse(t.Context(), d, both, p.now); err != nil {
		t.Fatal(err)
	}
	p.nextStay(24 * time.Hour)
	p.settings.Asker, p.settings.Today = consent.Asker{}, p.settings.Asker
	p.Reload(p.settings)
	mark := p.parts.Router.RefusalMark(d.Guest.MAC)
	if no, err := p.record.Refused(t.Context(), mark, ""); err != nil || !slices.Equal(no, both) {
		t.Errorf("the record has %v, %v", no, err)
	}
	p.nextStay(31 * 24 * time.Hour)
	if no, err := p.record.Refused(t.Context(), mark, ""); err != nil || len(no) != 0 {
		t.Errorf("the record still has %v, %v", no, err)
	}
}

// TestAWrongDateEndsNoRefusal: a time server that is wrong by months deletes no
// no, and what was said meanwhile waits for a date that is believed.
func TestAWrongDateEndsNoRefusal(t *testing.T) {
	p := newPorch(t)
	p.keeps()
	if _, err := p.RetainNow(t.Context(), p.now); err != nil { // the date is believed
		t.Fatal(err)
	}
	refuse := func(d hien.Device) hien.Mark {
		p.greet(d)
		if err := p.Refuse(t.Context(), d, both, p.now); err != nil {
			t.Fatal(err)
		}
		return p.parts.Router.RefusalMark(d.Guest.MAC)
	}
	first := refuse(device(1))
	for range 3 {
		p.tick()
		p.later(61 * time.Minute)
	}
	right := p.now
	p.now.Wall = p.now.Wall.AddDate(0, 6, 0)
	second := refuse(device(2))
	p.tick()
	p.later(61 * time.Minute)
	p.tick()
	if no, err := p.record.Refused(t.Context(), first, ""); err != nil || !slices.Equal(no, both) {
		t.Errorf("by a wrong date what was refused is %v, %v; want it kept", no, err)
	}
	if no, err := p.record.Refused(t.Context(), second, ""); err != nil || len(no) != 0 {
		t.Errorf("%v was recorded with a wrong date, %v", no, err)
	}
	p.now.Wall = right.Wall.Add(p.now.Up - right.Up)
	p.later(61 * time.Minute)
	p.tick()
	if no, err := p.record.Refused(t.Context(), second, consent.Day(right.Wall)); err != nil || !slices.Equal(no, both) {
		t.Errorf("with the right date again: %v, %v", no, err)
	}
}

// keptRefusals counts what is recorded, and fails when told to.
type keptRefusals struct {
	hien.Refusals
	calls []int
	fail  error
}

func (k *keptRefusals) KeepRefusals(ctx context.Context, day string, all []hien.Refusal, since string) error {
	if k.fail != nil {
		return k.fail
	}
	k.calls = append(k.calls, len(all))
	return k.Refusals.KeepRefusals(ctx, day, all, since)
}

func TestAFaultAsksNobodyTwice(t *testing.T) {
	p := newPorch(t)
	p.record.Close()
	if g := p.greet(device(1)); len(g.Ask) != 0 {
		t.Errorf("asked for %v without knowing what was refused", g.Ask)
	}
}

func TestARefusalMarkJoinsNothing(t *testing.T) {
	key := hien.NewRouterKey()
	same, err := hien.ParseRouterKey(key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	mac := hien.MAC{2, 0, 0x5e, 0, 0, 1}
	if key.RefusalMark(mac) == key.MemberMark(mac) || key.RefusalMark(mac) != same.RefusalMark(mac) || key.RefusalMark(mac) == hien.NewRouterKey().RefusalMark(mac) {
		t.Error("a refusal mark is not one of its own")
	}
}
