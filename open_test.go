package hien_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func (p *porch) open(d time.Duration) {
	p.Helper()
	if err := p.OpenFor(p.Context(), d, "lan", p.now); err != nil {
		p.Fatalf("OpenFor: %v", err)
	}
}

func TestTheDoorIsOpenToEverybodyForAWhile(t *testing.T) {
	p := newPorch(t)
	here, later, asks := device(1), device(2), device(3)
	p.saw(here)
	p.open(2 * time.Hour)
	p.wantIn("here at once", here, 2*time.Hour)
	p.later(30 * time.Minute)
	if got := p.OpenLeft(p.now); got != 90*time.Minute {
		t.Errorf("open for %v more; want 90 minutes", got)
	}
	p.saw(later)
	p.wantIn("seen later", later, 90*time.Minute)
	if inside, err := p.Inside(t.Context(), asks, p.now); err != nil || !inside || p.door.left(asks) != 90*time.Minute {
		t.Errorf("a probe: inside %v, %v, in for %v", inside, err, p.door.left(asks))
	}
	if g := p.greet(asks); g.Step != hien.Inside || g.PassLeft != 90*time.Minute {
		t.Errorf("greeting = %+v; want inside until the end", g)
	}
	p.later(90 * time.Minute)
	p.tick()
	for _, d := range []hien.Device{here, later, asks} {
		p.wantIn("at the end", d, 0)
	}
	p.saw(later)
	if g := p.greet(later); g.Step != hien.AtDoor {
		t.Errorf("greeting = %+v; want the door", g)
	}
	p.tick()
	if got, want := p.audit.says(), []string{"open by lan: 2h", "open ended by hien: "}; !slices.Equal(got, want) {
		t.Errorf("audit %q; want %q", got, want)
	}
}

func TestTheOpenDoorEndsByHand(t *testing.T) {
	p := newPorch(t)
	free, paid := device(1), device(2)
	p.saw(free)
	p.admit(paid)
	p.open(2 * time.Hour)
	p.wantIn("a longer pass of its own", paid, 4*time.Hour)
	p.later(time.Minute)
	if err := p.EndOpen(t.Context(), "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("at once", free, 0)
	p.wantIn("a pass of its own stays", paid, 4*time.Hour)
	if err := p.EndOpen(t.Context(), "lan", p.now); !errors.Is(err, hien.ErrNotOpen) {
		t.Errorf("again: %v; want ErrNotOpen", err)
	}
	p.tick()
	if got, want := p.audit.says(), []string{"open by lan: 2h", "open ended by lan: "}; !slices.Equal(got, want) {
		t.Errorf("audit %q; want %q", got, want)
	}
	if p.OpenLeft(p.now) != 0 {
		t.Error("still open")
	}
}

func TestTheOpenDoorCanBeGivenAnotherTime(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.saw(d)
	p.open(2 * time.Hour)
	p.open(5 * time.Hour)
	p.wantIn("longer", d, 5*time.Hour)
	p.open(30 * time.Minute)
	p.wantIn("shorter", d, 30*time.Minute)
}

func TestAPassThatEndsWhileTheDoorIsOpenIsNotCut(t *testing.T) {
	p := newPorch(t)
	p.zone(func(z *hien.Zone) { z.Pass = 20 * time.Minute })
	d := device(1)
	p.admit(d)
	p.open(2 * time.Hour)
	p.wantIn("a pass of its own stays as it is", d, 20*time.Minute)
	p.door.between = func() { t.Error("the guest was cut off") }
	for range 59 {
		p.later(20 * time.Second)
		p.tick()
	}
	p.wantIn("renewed before its end", d, 2*time.Hour-19*time.Minute-20*time.Second)
}

func TestWhoAsksWhileTheDoorIsOpenGetsAPassOfItsOwn(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.open(time.Hour)
	p.give(d, "0987654321", consent.VisitFrequency)
	p.wantIn("gave its number", d, 4*time.Hour)
	p.open(24 * time.Hour)
	other := device(2)
	p.saw(other)
	if err := p.Admit(t.Context(), other, p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("a pass is never made shorter", other, 24*time.Hour)
}

func TestADeviceThatIsTrustedWhileTheDoorIsOpenStays(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.saw(d)
	p.open(10 * time.Hour)
	p.zone(trust(d))
	p.tick()
	p.door.between = func() { t.Error("a trusted device was cut off") }
	if err := p.EndOpen(t.Context(), "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("after the open door", d, 4*time.Hour)
}

func TestNoLimitHoldsWhileTheDoorIsOpen(t *testing.T) {
	p := newPorch(t)
	p.zone(func(z *hien.Zone) { z.Volume, z.Idle = 1000, 5*time.Minute })
	spent, d := device(1), device(2)
	p.reading()
	p.admit(spent)
	p.admit(d)
	p.reading(carried(spent, 1000), carried(d, 100))
	p.wantIn("spent", spent, 0)
	p.open(time.Hour)
	p.wantIn("who had spent its volume", spent, time.Hour)
	for range 60 {
		p.reading(carried(d, 50_000))
	}
	if p.door.left(d) == 0 || p.door.left(spent) == 0 {
		t.Errorf("in for %v and %v; want both in", p.door.left(d), p.door.left(spent))
	}
	if err := p.EndOpen(t.Context(), "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.reading(carried(d, 50_000))
	if g := p.greet(d); g.Step != hien.Inside || g.BytesLeft != 900 {
		t.Errorf("greeting = %+v; want 900 bytes left, as what was carried meanwhile does not count", g)
	}
}

func TestTheOpenDoorOutlivesTheDaemon(t *testing.T) {
	p := newPorch(t)
	d, fresh := device(1), device(2)
	p.saw(d)
	p.open(time.Hour)
	p.door.in = make(map[hien.GuestID]map[netip.Addr]time.Duration)
	p.restart()
	p.wantIn("resumed", d, time.Hour)
	p.saw(fresh)
	p.wantIn("seen after", fresh, time.Hour)

	p.later(2 * time.Hour) // the end passes while it is down
	p.restart()
	p.tick()
	p.wantIn("after the end", d, 0)
	if got := p.audit.says(); len(got) != 2 || got[1] != "open ended by hien: " {
		t.Errorf("audit %q; want its end too", got)
	}
	if until, err := p.book.Open(); err != nil || until != 0 {
		t.Errorf("the book says %v, %v; want that it is shut", until, err)
	}
}

func TestTheDoorOpensWithinBoundsOnly(t *testing.T) {
	p := newPorch(t)
	for _, d := range []time.Duration{-time.Hour, 0, time.Minute - 1, 24*time.Hour + 1} {
		if err := p.OpenFor(t.Context(), d, "lan", p.now); !errors.Is(err, hien.ErrOpenSpan) || p.OpenLeft(p.now) != 0 {
			t.Errorf("%v: %v, open for %v; want ErrOpenSpan", d, err, p.OpenLeft(p.now))
		}
	}
	for _, d := range []time.Duration{time.Minute, 24 * time.Hour} {
		if err := p.OpenFor(t.Context(), d, "lan", p.now); err != nil {
			t.Errorf("%v: %v", d, err)
		}
	}
	if got, want := p.audit.says(), []string{"open by lan: 1m", "open by lan: 24h"}; !slices.Equal(got, want) {
		t.Errorf("audit %q; want %q", got, want)
	}
}

func TestAnAuditThatIsFullKeepsNoDoorShut(t *testing.T) {
	p := newPorch(t)
	p.audit.fail = true
	d := device(1)
	p.saw(d)
	p.open(time.Hour)
	p.wantIn("noted or not", d, time.Hour)
	p.parts.Audit = nil
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	if err := p.EndOpen(t.Context(), "lan", p.now); err != nil {
		t.Errorf("EndOpen without an audit: %v", err)
	}
}
