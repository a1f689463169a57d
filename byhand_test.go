package hien_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
)

func TestTheOwnerAdmitsADevice(t *testing.T) {
	p := newPorch(t)
	d, unseen := device(1), device(2)
	p.saw(d)
	six := hien.Device{Guest: d.Guest, Addr: netip.MustParseAddr("2001:db8:77::9")}
	p.saw(six)
	for _, one := range []hien.Device{d, unseen} {
		if err := p.AdmitGuest(t.Context(), one.Guest, "lan", p.now); err != nil {
			t.Fatal(err)
		}
	}
	p.wantIn("at its address", d, 4*time.Hour)
	p.wantIn("at its other address", six, 4*time.Hour)
	p.later(time.Hour)
	p.tick()
	p.saw(unseen)
	p.wantIn("seen later", unseen, 3*time.Hour)
	if err := p.AdmitGuest(t.Context(), d.Guest, "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("again, a whole pass", d, 4*time.Hour)
	p.open(24 * time.Hour)
	late := device(3)
	p.saw(late)
	if err := p.AdmitGuest(t.Context(), late.Guest, "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("a pass is never made shorter", late, 24*time.Hour)
	if err := p.EndOpen(t.Context(), "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("and is its own", late, 24*time.Hour)
	if err := p.AdmitGuest(t.Context(), hien.GuestID{Zone: "nowhere", MAC: d.Guest.MAC}, "lan", p.now); !errors.Is(err, hien.ErrNoZone) {
		t.Errorf("in no zone: %v; want ErrNoZone", err)
	}
	want := "admit by lan: 02:00:5e:··:··:·· in zone guest"
	if got := p.audit.says(); !slices.Equal(got, []string{want, want, want, "open by lan: 24h", want, "open ended by lan: "}) {
		t.Errorf("audit %q; want %q, four times", got, want)
	}
}

func TestTheOwnerAdmitsWhoHasSpentItsVolume(t *testing.T) {
	p := newPorch(t)
	p.zone(volume(1000))
	d := device(1)
	p.reading()
	p.admit(d)
	p.reading(carried(d, 1000))
	p.wantIn("spent", d, 0)
	if err := p.AdmitGuest(t.Context(), d.Guest, "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("admitted", d, 4*time.Hour)
	p.reading(carried(d, 100))
	if g := p.greet(d); g.Step != hien.Inside || g.BytesLeft != 900 {
		t.Errorf("greeting = %+v; want inside with 900 bytes left", g)
	}
	p.reading(carried(d, 1100))
	p.wantIn("spent again", d, 0)
}

func TestTheOwnerRevokesAPass(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.admit(d)
	if err := p.Revoke(t.Context(), d.Guest, "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("revoked", d, 0)
	if g := p.greet(d); g.Step != hien.AtDoor {
		t.Errorf("greeting = %+v; want the door", g)
	}
	if inside, err := p.Inside(t.Context(), d, p.now); err != nil || inside {
		t.Errorf("its probe: inside %v, %v; want that the portal opens", inside, err)
	}
	if err := p.Revoke(t.Context(), d.Guest, "lan", p.now); !errors.Is(err, hien.ErrNoPass) {
		t.Errorf("again: %v; want ErrNoPass", err)
	}
	if err := p.Revoke(t.Context(), device(9).Guest, "lan", p.now); !errors.Is(err, hien.ErrNoGuest) {
		t.Errorf("a stranger: %v; want ErrNoGuest", err)
	}
	if got, want := p.audit.says(), []string{"revoke by lan: 02:00:5e:··:··:·· in zone guest"}; !slices.Equal(got, want) {
		t.Errorf("audit %q; want %q", got, want)
	}
	p.admit(d)
	p.wantIn("asks again", d, 4*time.Hour)
}

func TestARevokedPassIsTakenUntilTheDoorWorks(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.admit(d)
	p.door.stuck = errors.New("netlink: no buffer")
	if err := p.Revoke(t.Context(), d.Guest, "lan", p.now); err == nil {
		t.Error("no error from a door that failed")
	}
	p.door.stuck = nil
	if err := p.Resume(t.Context(), p.now); err != nil {
		t.Fatal(err)
	}
	p.tick()
	p.wantIn("at the next tick", d, 0)
}

func TestWhoWouldComeInAgainIsNotRevoked(t *testing.T) {
	p := newPorch(t)
	till, d := device(1), device(2)
	p.zone(trust(till))
	p.saw(till)
	if err := p.Revoke(t.Context(), till.Guest, "lan", p.now); !errors.Is(err, hien.ErrComesBack) || p.door.left(till) == 0 {
		t.Errorf("a trusted device: %v, in for %v; want ErrComesBack", err, p.door.left(till))
	}
	p.open(time.Hour)
	p.saw(d)
	if err := p.Revoke(t.Context(), d.Guest, "lan", p.now); !errors.Is(err, hien.ErrComesBack) || p.door.left(d) == 0 {
		t.Errorf("while the door is open: %v, in for %v; want ErrComesBack", err, p.door.left(d))
	}
	if got := len(p.audit.says()); got != 1 {
		t.Errorf("%d deeds; want that of the open door alone", got)
	}
}

func TestFind(t *testing.T) {
	p := newPorch(t)
	p.settings.Zones = append(p.settings.Zones, hien.Zone{Name: "terrace", Pass: time.Hour, VisitGap: time.Hour})
	p.Reload(p.settings)
	d := device(1)
	there := d
	there.Guest.Zone, there.Addr = "terrace", netip.MustParseAddr("10.78.0.1")
	p.saw(d)
	p.saw(there)
	p.saw(device(2))
	for _, c := range []struct {
		name string
		zone string
		mac  hien.MAC
		addr string
		want []hien.GuestID
	}{
		{"by hardware address, in any zone", "", d.Guest.MAC, "", []hien.GuestID{d.Guest, there.Guest}},
		{"by hardware address, in one", "terrace", d.Guest.MAC, "", []hien.GuestID{there.Guest}},
		{"by address", "", hien.MAC{}, "10.77.0.1", []hien.GuestID{d.Guest}},
		{"by address, as IPv6 maps it", "", hien.MAC{}, "::ffff:10.77.0.1", []hien.GuestID{d.Guest}},
		{"by address, in another zone", "terrace", hien.MAC{}, "10.77.0.1", nil},
		{"by an address of nobody", "", hien.MAC{}, "10.77.0.9", nil},
		{"by nothing", "", hien.MAC{}, "", nil},
	} {
		var addr netip.Addr
		if c.addr != "" {
			addr = netip.MustParseAddr(c.addr)
		}
		got, err := p.Find(c.zone, c.mac, addr)
		slices.SortFunc(got, func(a, b hien.GuestID) int { return len(a.Zone) - len(b.Zone) })
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}
