package hien_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// lending is a porch whose zone has a garden for codes.
func lending(t *testing.T) *porch {
	t.Helper()
	p := newPorch(t)
	p.zone(func(z *hien.Zone) { z.CodeGarden = []string{"zalo.me"} })
	return p
}

func (p *porch) wantLent(what string, d hien.Device, want time.Duration) {
	p.Helper()
	if got := p.lender.left(d); got != want {
		p.Errorf("%s: lent for %v; want %v", what, got, want)
	}
}

func TestTheGardenForCodesIsLentWhileACodeIsOnItsWay(t *testing.T) {
	p := lending(t)
	d, other := device(1), device(2)
	p.saw(other)
	p.ask(d, "0987654321")
	p.wantLent("asked", d, hien.CodeLife)
	p.wantLent("another guest", other, 0)
	p.wantIn("asked", d, 0)
	p.later(time.Minute)
	six := hien.Device{Guest: d.Guest, Addr: netip.MustParseAddr("2001:db8:77::9")}
	p.saw(six)
	p.wantLent("at another address", six, hien.CodeLife-time.Minute)
	p.saw(hien.Device{Guest: other.Guest, Addr: six.Addr})
	p.wantLent("when that is another guest's", six, 0)
	p.lender.lent = make(map[hien.GuestID]map[netip.Addr]time.Duration)
	if err := p.Resume(t.Context(), p.now); err != nil {
		t.Fatal(err)
	}
	p.wantLent("after a repair", d, hien.CodeLife-time.Minute)
}

func TestWhatWasLentIsTakenBack(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *porch, d hien.Device)
	}{
		{"when another number is to be given", func(p *porch, d hien.Device) {
			if err := p.Forget(p.Context(), d, p.now); err != nil {
				p.Fatal(err)
			}
		}},
		{"when the code is guessed out", func(p *porch, d hien.Device) {
			for range hien.CodeTries {
				p.Prove(p.Context(), d, p.codes.wrong(d), p.now)
			}
		}},
		{"when it has carried 5 MB", func(p *porch, d hien.Device) {
			p.meter.shows(
				hien.Usage{Zone: "guest", MAC: d.Guest.MAC, Addr: d.Addr, Bytes: 4 << 20, Lent: true},
				hien.Usage{Zone: "guest", MAC: d.Guest.MAC, Bytes: 1 << 20, Lent: true})
		}},
		{"when a pass that came meanwhile is revoked", func(p *porch, d hien.Device) {
			if err := p.AdmitGuest(p.Context(), d.Guest, "lan", p.now); err != nil {
				p.Fatal(err)
			}
			if err := p.Forget(p.Context(), d, p.now); err != nil {
				p.Fatal(err)
			}
			p.tick()
			if err := p.Revoke(p.Context(), d.Guest, "lan", p.now); err != nil {
				p.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := lending(t)
			d := device(1)
			p.meter.shows(hien.Usage{Zone: "guest", MAC: d.Guest.MAC, Bytes: 5<<20 - 1, Lent: true})
			p.ask(d, "0987654321")
			p.tick()
			p.wantLent("before", d, hien.CodeLife)
			c.do(p, d)
			p.later(10 * time.Second)
			p.tick()
			p.wantLent("after", d, 0)
			six := hien.Device{Guest: d.Guest, Addr: netip.MustParseAddr("2001:db8:77::9")}
			p.saw(six)
			p.wantLent("at an address of after", six, 0)
		})
	}
}

// The door ends a guest's connections when it takes back: on one of them the
// portal answers, and on others the guest is online by now.
func TestAPassEndsNoConnectionThatWasLent(t *testing.T) {
	p := lending(t)
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency)
	p.tick()
	p.wantIn("inside", d, 4*time.Hour)
	p.wantLent("left to end by itself", d, hien.CodeLife)
	p.later(hien.CodeLife)
	p.tick()
	if err := p.Resume(t.Context(), p.now); err != nil {
		t.Fatal(err)
	}
	p.wantLent("not lent again", d, hien.CodeLife) // as the world of tests has no clock
}

func TestNothingIsLentWhereNothingIsNeeded(t *testing.T) {
	t.Run("in a zone without such a garden", func(t *testing.T) {
		p := newPorch(t)
		p.ask(device(1), "0987654321")
		p.wantLent("asked", device(1), 0)
	})
	t.Run("to a guest that has a pass", func(t *testing.T) {
		p := lending(t)
		p.offline.Store(true)
		p.ask(device(1), "0987654321")
		p.offline.Store(false)
		p.tick()
		if p.codes.sent != 1 {
			t.Fatalf("%d codes were sent; want 1", p.codes.sent)
		}
		p.wantLent("code sent later", device(1), 0)
	})
	t.Run("when no code could be sent", func(t *testing.T) {
		p := lending(t)
		p.codes.fail = errors.New("no route")
		if err := p.Ask(t.Context(), device(1), p.application("0987654321", consent.VisitFrequency), p.now); !errors.Is(err, hien.ErrNotSent) {
			t.Fatal(err)
		}
		p.wantLent("not sent", device(1), 0)
	})
	t.Run("without a lender", func(t *testing.T) {
		p := lending(t)
		p.parts.Lender = nil
		p.Gateway = hien.NewGateway(p.parts, p.settings)
		p.ask(device(1), "0987654321")
		p.saw(hien.Device{Guest: device(1).Guest, Addr: netip.MustParseAddr("2001:db8:77::9")})
		p.tick()
	})
}

func TestALenderThatFailsKeepsNoCodeBack(t *testing.T) {
	p := lending(t)
	p.lender.fail = errors.New("netlink: no buffer")
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency)
	p.wantIn("proved", d, 4*time.Hour)
}
