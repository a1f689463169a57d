package firewall_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

func TestOthersFlushIsRepairedAndRunningConnectionsLive(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p, q := h.join("in"), h.join("out")
		h.refill = func(context.Context) { h.admit(p, time.Hour) }
		h.apply()
		h.admit(p, time.Hour)
		four, six := h.dial(p, p.Target.V4), h.dial(p, p.Target.V6)

		ctx, cancel := context.WithCancel(t.Context())
		repaired := make(chan struct{}, 100)
		ended := h.inRouter(func() error {
			return h.door.Keep(ctx, 20*time.Millisecond, func() { repaired <- struct{}{} })
		})
		await := func(what string) {
			t.Helper()
			select {
			case <-repaired:
			case <-soon(t).Done():
				t.Fatalf("%s was not repaired", what)
			}
		}
		deeds := []string{"iptables -F FORWARD", "iptables -t mangle -F", "iptables -t nat -D PREROUTING -j HIEN-PREROUTING", "iptables -F HIEN-FORWARD"}
		one := "iptables -D FORWARD -j HIEN-FORWARD"
		if e.Backend == firewall.NFTables {
			deeds = []string{"nft flush table inet hien", "nft delete table inet hien", "nft flush chain inet hien prerouting", "nft delete chain inet hien portal"}
			one = "nft flush chain inet hien forward"
		}
		for i, deed := range deeds {
			h.line(deed)
			await(deed)
			for len(h.differences()) > 0 { // iptables is flushed family by family
				await("the second half of " + deed)
			}
			if got := h.door.Repairs(); got < uint64(i+1) {
				t.Errorf("got %d repairs, want at least %d", got, i+1)
			}
			if err := echo(four); err != nil {
				t.Errorf("IPv4 after %s: %v", deed, err)
			}
			if err := echo(six); err != nil {
				t.Errorf("IPv6 after %s: %v", deed, err)
			}
		}
		if got := leaks(h, q); len(got) > 0 {
			t.Errorf("after the repairs:\n%s", strings.Join(got, "\n"))
		}
		// A released door stays as it is; a new Apply keeps it again.
		h.door.Release()
		n := h.door.Repairs()
		h.line(one)
		if got := h.differences(); got != nil {
			t.Errorf("after Release Check finds %q", got)
		}
		h.apply()
		for len(repaired) > 0 {
			<-repaired
		}
		h.line(one)
		await("what came after a new Apply")
		if got := h.door.Repairs(); got <= n {
			t.Errorf("got %d repairs, want more than %d", got, n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Keep: got %v, want nil when its context ends", err)
		}
	})
}

func TestARestartCutsNobody(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p := h.join("phone")
		h.apply()
		h.admit(p, time.Hour)
		four, six := h.dial(p, p.Target.V4), h.dial(p, p.Target.V6)
		want, err := h.door.Passes(soon(t))
		if err != nil || len(want) != 2 {
			t.Fatalf("got %v %v, want two passes", want, err)
		}
		both := func(when string) {
			t.Helper()
			if err := echo(four); err != nil {
				t.Errorf("IPv4 %s: %v", when, err)
			}
			if err := echo(six); err != nil {
				t.Errorf("IPv6 %s: %v", when, err)
			}
		}
		both("before")
		for range 3 {
			h.door.Close()
			h.door = h.open()
			h.apply()
			both("after a restart")
		}
		// A wider network: with some kernels the set is another one, its
		// members are the same.
		h.rules.Zones[0].Prefix = netip.MustParsePrefix("10.77.0.1/20")
		h.apply()
		both("after the network was made wider")
		// Another zone comes and goes.
		h.rules.Zones = append(h.rules.Zones, firewall.Zone{Name: "two", Interface: "br-two", PortalPort: 2051})
		h.apply()
		both("with a second zone")
		h.rules.Zones = h.rules.Zones[:1]
		h.apply()
		both("without it")
		if got := h.kernel(); strings.Contains(got, "two") {
			t.Errorf("the second zone has left something:\n%s", got)
		}
		// What guests may is changed, and changed back.
		h.rules.Zones[0].Speed, h.rules.Zones[0].DNSPort = firewall.Speed{Down: 1 << 24, Up: 1 << 24}, 2053
		h.apply()
		both("with a speed")
		h.rules.Zones[0].Speed.Down = 1 << 25
		h.apply()
		both("with another speed")
		got, err := h.door.Passes(soon(t))
		if err != nil || len(got) != 2 {
			t.Fatalf("got %v %v, want two passes", got, err)
		}
		for i := range got {
			if w := want[i]; got[i].Addr != w.Addr || got[i].MAC != w.MAC || got[i].Left > w.Left || got[i].Left < w.Left-time.Minute {
				t.Errorf("got %v, want %v with little less time", got[i], w)
			}
		}
	})
}

func TestAZoneThatIsNotThereYetIsShutFromItsFirstPacket(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{NoGuestBridge: true})
		prefix := h.rules.Zones[0].Prefix
		h.rules.Zones[0].Prefix = netip.Prefix{} // the interface has no address
		h.apply()
		if err := h.Router.AddGuestBridge(); err != nil {
			t.Fatal(err)
		}
		p := h.join("phone")
		if got := leaks(h, p); len(got) > 0 {
			t.Errorf("without a pass:\n%s", strings.Join(got, "\n"))
		}
		reached := func() (v4, v6 bool) {
			for _, a := range p.Attempts(soon(t), p.Target) {
				if a.Name == "tcp/443" && a.To.Is4() {
					v4 = a.Answered()
				} else if a.Name == "tcp/443" {
					v6 = a.Answered()
				}
			}
			return v4, v6
		}
		h.admit(p, time.Hour)
		known := h.door.Kernel().V4 == firewall.HashIPMAC // no network is asked for
		if v4, v6 := reached(); v4 != known || !v6 {
			t.Errorf("before the network is known: IPv4 %v, IPv6 %v; want %v, true", v4, v6, known)
		}
		h.rules.Zones[0].Prefix = prefix
		h.apply()
		h.admit(p, time.Hour)
		if v4, v6 := reached(); !v4 || !v6 {
			t.Errorf("after it is: IPv4 %v, IPv6 %v; want both", v4, v6)
		}
	})
}

func TestAdmitAfterCleanup(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		h.apply()
		h.cleanup()
		id := hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0x10, 0, 1}}
		if err := h.door.Admit(soon(t), id, []netip.Addr{netip.MustParseAddr("10.77.0.9")}, time.Hour); err != nil {
			t.Errorf("nobody is kept out, and yet: %v", err)
		}
	})
}
