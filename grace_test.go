package hien_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

const grace = 5 * time.Minute

// graceful is a porch whose zone gives a grace pass, and lends a garden for
// codes to whom it gives none.
func graceful(t *testing.T) *porch {
	t.Helper()
	p := lending(t)
	p.zone(func(z *hien.Zone) { z.Grace = grace })
	return p
}

func TestAGuestIsOnlineWhileItsCodeTravels(t *testing.T) {
	p := graceful(t)
	d := device(1)
	p.ask(d, "0987654321")
	p.wantIn("asked", d, grace)
	p.wantLent("with a grace pass nothing is lent", d, 0)
	if inside, err := p.Inside(t.Context(), d, p.now); err != nil || !inside {
		t.Errorf("its probe: inside %v, %v; want that it is online", inside, err)
	}
	six := hien.Device{Guest: d.Guest, Addr: netip.MustParseAddr("2001:db8:77::9")}
	p.saw(six)
	p.wantIn("at another address", six, grace)

	p.later(4 * time.Minute) // the sheet was closed, and is opened again
	if g := p.greet(d); g.Step != hien.AtCode || !g.Grace || g.PassLeft != time.Minute || g.LastTwo != "21" || g.CodeLeft != hien.CodeLife+time.Minute {
		t.Errorf("greeting = %+v; want the code asked for, and a minute online", g)
	}
	p.prove(d)
	p.wantIn("proved", d, 4*time.Hour)
	if g := p.greet(d); g.Step != hien.Inside || g.Grace || g.Receipt == "" || p.ledger() != 1 {
		t.Errorf("greeting = %+v; want inside with a whole pass", g)
	}
}

func TestAGracePassEndsByItself(t *testing.T) {
	p := graceful(t)
	d := device(1)
	p.ask(d, "0987654321")
	p.later(grace)
	p.tick()
	p.wantIn("at its end", d, 0)
	if inside, err := p.Inside(t.Context(), d, p.now); err != nil || inside {
		t.Errorf("its probe: inside %v, %v; want that it meets the portal", inside, err)
	}
	if g := p.greet(d); g.Step != hien.AtCode || g.LastTwo != "21" || g.PassLeft != 0 || g.CodeLeft != hien.CodeLife || g.TriesLeft != hien.CodeTries {
		t.Errorf("greeting = %+v; want the code asked for, which still can be typed", g)
	}
	p.prove(d)
	p.wantIn("proved late", d, 4*time.Hour)
}

func TestAFormHasOneGracePass(t *testing.T) {
	p := graceful(t)
	d := device(1)
	p.ask(d, "0987654321")
	p.later(3 * time.Minute)
	if err := p.AskAgain(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	p.tick()
	if left := p.pass(d).Left(p.now); left != 2*time.Minute {
		t.Errorf("another code left a grace pass of %v; want the 2m that were left", left)
	}
	p.later(2 * time.Minute)
	p.tick()
	if err := p.AskAgain(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("after another code", d, 0)
	p.wantLent("after another code", d, hien.CodeLife)
	// Another form has its own, within the limits of the device's codes.
	p.later(16 * time.Minute)
	var online time.Duration
	for range 2 * hien.CodesPerDay {
		if err := p.Forget(t.Context(), d, p.now); err != nil {
			t.Fatal(err)
		}
		err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now)
		if err != nil && !errors.Is(err, hien.ErrTooMany) {
			t.Fatal(err)
		}
		online += p.pass(d).Left(p.now)
		p.later(6 * time.Minute)
		p.tick()
	}
	if want := (hien.CodesPerDay - 3) * grace; online != want {
		t.Errorf("online for %v by three more forms; want %v", online, want)
	}
}

func TestGivingAnotherNumberGoesOnOnline(t *testing.T) {
	p := graceful(t)
	d := device(1)
	p.ask(d, "0987654321")
	p.later(time.Minute)
	if err := p.Forget(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	if g := p.greet(d); g.Step != hien.AtDoor || len(g.Ask) != 2 || !g.Grace || g.PassLeft != grace-time.Minute {
		t.Errorf("greeting = %+v; want the question again, online meanwhile", g)
	}
	p.ask(d, "0987654322")
	p.wantIn("asked with another number", d, grace)
}

func TestGoingOnWithoutEndsTheGrace(t *testing.T) {
	p := graceful(t)
	d := device(1)
	p.ask(d, "0987654321")
	p.later(time.Minute)
	p.admit(d)
	p.wantIn("gone on without", d, 4*time.Hour)
	if g := p.greet(d); g.Step != hien.Inside || g.Grace {
		t.Errorf("greeting = %+v; want inside", g)
	}
}

// A daemon that is started again has lost the number and not the pass.
func TestAGracePassOutlivesARestart(t *testing.T) {
	p := graceful(t)
	d := device(1)
	p.ask(d, "0987654321")
	p.later(time.Minute)
	p.door.in = make(map[hien.GuestID]map[netip.Addr]time.Duration)
	p.restart()
	p.wantIn("after a restart", d, grace-time.Minute)
	if g := p.greet(d); g.Step != hien.AtDoor || len(g.Ask) != 2 {
		t.Errorf("greeting = %+v; want the question again", g)
	}
	p.later(grace)
	p.tick()
	p.wantIn("at its end", d, 0)
}

func TestWhatAGracePassCarriedCounts(t *testing.T) {
	p := graceful(t)
	p.zone(func(z *hien.Zone) { z.Volume, z.Idle = 1000, time.Minute })
	d := device(1)
	p.meter.shows(carried(d, 0))
	p.tick()
	p.ask(d, "0987654321")
	for _, bytes := range []uint64{300, 600} {
		p.later(meterPause)
		p.meter.shows(carried(d, bytes))
		p.tick()
	}
	p.later(2 * time.Minute)
	p.tick()
	p.wantIn("idle", d, grace) // a grace pass is too short to be idle
	p.prove(d)
	if g := p.greet(d); g.Step != hien.Inside || g.BytesLeft != 400 {
		t.Errorf("greeting = %+v; want 400 bytes left of the whole pass", g)
	}
}

const meterPause = 10 * time.Second

func TestWhoGetsNoGracePass(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *porch)
		in   time.Duration
	}{
		{"a zone without", func(p *porch) { p.zone(func(z *hien.Zone) { z.Grace = 0 }) }, 0},
		{"a sender that fails", func(p *porch) { p.codes.fail = errors.New("no route") }, 0},
		{"a door that fails", func(p *porch) { p.door.fail = errors.New("netlink: no buffer") }, 0},
		{"the till's code", func(p *porch) { p.settings.Sender, p.settings.StaffCode = nil, true; p.Reload(p.settings) }, 0},
		{"a pass that is shorter", func(p *porch) { p.zone(func(z *hien.Zone) { z.Pass = time.Minute }) }, time.Minute},
		{"a whole pass", func(p *porch) { p.admit(device(1)) }, 4 * time.Hour},
		{"no internet", func(p *porch) { p.offline.Store(true) }, 4 * time.Hour},
		{"the door open to everybody", func(p *porch) {
			if err := p.OpenFor(p.Context(), time.Hour, "lan", p.now); err != nil {
				p.Fatal(err)
			}
		}, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := graceful(t)
			d := device(1)
			p.saw(d)
			c.do(p)
			p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now)
			p.wantIn("asked", d, c.in)
			if pass := p.pass(d); pass.Grace != (c.in == time.Minute) {
				t.Errorf("pass = %+v", pass)
			}
		})
	}
	t.Run("a phone that would close the page", func(t *testing.T) {
		p := graceful(t)
		a := p.application("0987654321", consent.VisitFrequency)
		a.Stays = true
		p.greet(device(1))
		if err := p.Ask(t.Context(), device(1), a, p.now); err != nil {
			t.Fatal(err)
		}
		p.wantIn("asked", device(1), 0)
		p.wantLent("asked", device(1), hien.CodeLife)
	})
}

// An address that was another's comes with the guest that asks from it.
func TestAGracePassTakesItsAddressFromNobodyElse(t *testing.T) {
	p := graceful(t)
	d, other := device(1), device(2)
	p.admit(other)
	p.ask(d, "0987654321")
	p.later(time.Minute)
	moved := hien.Device{Guest: d.Guest, Addr: other.Addr}
	if err := p.AskAgain(t.Context(), moved, p.now); err != nil {
		t.Fatal(err)
	}
	if err := p.Forget(t.Context(), moved, p.now); err != nil {
		t.Fatal(err)
	}
	if err := p.Ask(t.Context(), moved, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("at the address that it took over", moved, grace)
	p.wantIn("whose it was", other, 0)
}
