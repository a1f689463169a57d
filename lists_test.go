package hien_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func trust(devices ...hien.Device) func(*hien.Zone) {
	return func(z *hien.Zone) {
		z.Trusted = nil
		for _, d := range devices {
			z.Trusted = append(z.Trusted, d.Guest.MAC)
		}
	}
}

func block(devices ...hien.Device) func(*hien.Zone) {
	return func(z *hien.Zone) {
		z.Blocked = nil
		for _, d := range devices {
			z.Blocked = append(z.Blocked, d.Guest.MAC)
		}
	}
}

func TestATrustedDeviceNeedsNoPage(t *testing.T) {
	p := newPorch(t)
	till, other := device(1), device(2)
	p.zone(trust(till))
	if err := p.Saw(t.Context(), hien.Sighting{Guest: till.Guest, Source: "dhcp"}, p.now); err != nil {
		t.Fatal(err)
	}
	if p.pass(till).Left(p.now) != 0 {
		t.Error("a frame that anybody can forge has given a pass")
	}
	p.saw(till)
	p.saw(other)
	p.wantIn("seen first", till, 4*time.Hour)
	p.wantIn("another device", other, 0)
	six := hien.Device{Guest: till.Guest, Addr: netip.MustParseAddr("2001:db8:77::9")}
	p.saw(six)
	p.wantIn("at another address", six, 4*time.Hour)
	if g := p.greet(till); g.Step != hien.Inside {
		t.Errorf("greeting = %+v; want inside", g)
	}
}

func TestATrustedDeviceThatAsksTheProbeFirst(t *testing.T) {
	p := newPorch(t)
	till := device(1)
	p.zone(trust(till))
	if inside, err := p.Inside(t.Context(), till, p.now); err != nil || !inside {
		t.Errorf("inside %v, %v; want that it is", inside, err)
	}
	p.wantIn("after its probe", till, 4*time.Hour)
}

func TestATrustedPassIsRenewedBeforeItEnds(t *testing.T) {
	p := newPorch(t)
	till := device(1)
	p.zone(trust(till))
	p.saw(till)
	for range 100 { // seen by nobody: a till that only listens
		p.later(7 * time.Minute)
		p.tick()
		if left := p.pass(till).Left(p.now); left < 2*time.Hour-7*time.Minute || p.door.left(till) == 0 {
			t.Fatalf("%v are left in the book and %v in the kernel; want at least half a pass", left, p.door.left(till))
		}
	}
	p.zone(trust())
	p.later(4 * time.Hour)
	p.tick()
	p.wantIn("trusted no more, after its pass", till, 0)
}

func TestATrustedDeviceHasNoLimits(t *testing.T) {
	p := newPorch(t)
	till := device(1)
	p.zone(func(z *hien.Zone) { z.Trusted, z.Volume, z.Idle = []hien.MAC{till.Guest.MAC}, 1000, time.Minute })
	p.saw(till)
	p.meter.shows()
	p.tick()
	p.meter.shows(carried(till, 5000))
	p.later(time.Hour)
	p.tick()
	p.wantIn("far over the limits", till, 4*time.Hour)
	if g := p.greet(till); g.BytesLeft != 0 {
		t.Errorf("%d bytes are left; want that there is no limit", g.BytesLeft)
	}
}

func TestADeviceThatIsTrustedWhileItIsHere(t *testing.T) {
	p := newPorch(t)
	here, gone := device(1), device(2)
	p.saw(gone)
	p.later(time.Hour)
	p.saw(here)
	p.zone(trust(here, gone))
	p.tick()
	p.wantIn("here", here, 4*time.Hour)
	p.wantIn("gone", gone, 0)
}

func TestABlockedDeviceStaysOutside(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.admit(d)
	p.zone(block(d))
	if err := p.Resume(t.Context(), p.now); err != nil {
		t.Fatal(err)
	}
	p.tick()
	p.wantIn("at the next tick", d, 0)
	p.wantOutside("blocked", d, hien.WhyBlocked, 0)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); !errors.Is(err, hien.ErrBlocked) || p.codes.sent != 0 {
		t.Errorf("Ask = %v, %d codes sent; want ErrBlocked and none", err, p.codes.sent)
	}
	if err := p.AdmitGuest(t.Context(), d.Guest, "lan", p.now); !errors.Is(err, hien.ErrBlocked) {
		t.Errorf("AdmitGuest = %v; want ErrBlocked", err)
	}
	if err := p.OpenFor(t.Context(), time.Hour, "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.saw(d)
	p.tick()
	p.wantOutside("while the door is open", d, hien.WhyBlocked, 0)
	p.zone(trust(d)) // as a mistake may have it
	p.tick()
	p.wantOutside("trusted too", d, hien.WhyBlocked, 0)
	p.zone(block())
	p.saw(d)
	if p.door.left(d) == 0 {
		t.Error("no longer blocked, and not let in")
	}
}

func TestABlockedDeviceGetsNoOtherAddress(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.admit(d)
	p.zone(block(d))
	six := hien.Device{Guest: d.Guest, Addr: netip.MustParseAddr("2001:db8:77::9")}
	p.saw(six) // before any tick
	p.wantIn("at a new address", six, 0)
	if inside, err := p.Inside(t.Context(), six, p.now); err != nil || inside || p.door.left(six) != 0 {
		t.Errorf("its probe: inside %v, %v, in for %v", inside, err, p.door.left(six))
	}
}

func TestABlockedDevicesPassIsTakenUntilTheDoorWorks(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.admit(d)
	p.zone(block(d))
	p.door.stuck = errors.New("netlink: no buffer")
	if err := p.Tick(t.Context(), p.now); err == nil {
		t.Error("no error from a door that failed")
	}
	p.door.stuck = nil
	p.tick()
	p.wantIn("at the tick after", d, 0)
}

func TestABlockedDevicesAnswerIsKept(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	p.zone(block(d))
	if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); !errors.Is(err, hien.ErrBlocked) {
		t.Errorf("Prove = %v; want ErrBlocked", err)
	}
	if n := p.ledger(); n != 1 {
		t.Errorf("%d ledger entries; want the answer", n)
	}
	g := p.greet(d)
	if g.Step != hien.Outside || g.Receipt == "" {
		t.Errorf("greeting = %+v; want outside, with the receipt", g)
	}
	p.wantIn("blocked", d, 0)
	if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); err != nil {
		t.Errorf("posted again: %v; want nil, as all is done", err)
	}
}

// Without the book the owner's list still holds.
func TestABlockedDeviceStaysOutsideWithoutALivebook(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.zone(block(d))
	p.parts.Book = lostBook{Livebook: p.book, read: errors.New("input/output error")}
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	if g := p.greet(d); g.Step != hien.Outside || g.Why != hien.WhyBlocked {
		t.Errorf("greeting = %+v; want outside", g)
	}
	if err := p.Admit(t.Context(), d, p.now); !errors.Is(err, hien.ErrBlocked) || p.door.left(d) != 0 {
		t.Errorf("Admit = %v, in for %v; want ErrBlocked", err, p.door.left(d))
	}
}
