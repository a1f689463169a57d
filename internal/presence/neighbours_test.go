package presence_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/presence"
	"github.com/hien-wifi/hien/internal/world"
)

func openNeighbours(t *testing.T, w *world.World) *presence.Neighbours {
	t.Helper()
	var n *presence.Neighbours
	do(t, w.Router.Node, func() (err error) {
		n, err = presence.OpenNeighbours("guest", world.GuestBridge)
		return err
	})
	t.Cleanup(func() { n.Close() })
	return n
}

// talk makes the router know a phone's neighbour entries: the phone pings it
// over both families and gets an answer.
func talk(t *testing.T, w *world.World, p *world.Phone) (linkLocal netip.Addr) {
	t.Helper()
	for _, to := range []netip.Addr{w.Router.GuestV4(), w.Router.GuestV6()} {
		if err := p.Ping(soon(t), to); err != nil {
			t.Fatalf("ping %v: %v", to, err)
		}
	}
	do(t, p.Node, func() error {
		prefixes, err := presence.Prefixes("wlan0")
		for _, pre := range prefixes {
			if pre.Addr().IsLinkLocalUnicast() && pre.Addr().Is6() {
				linkLocal = pre.Addr().WithZone("")
			}
		}
		return err
	})
	return linkLocal
}

func TestTheNeighbourTableTellsWhoHasAnAddress(t *testing.T) {
	w := newWorld(t, world.Options{})
	a, b := newPhone(t, w, "mai", true), newPhone(t, w, "lan", true)
	n := openNeighbours(t, w)
	linkLocal := make(map[*world.Phone]netip.Addr)
	for _, p := range []*world.Phone{a, b} {
		linkLocal[p] = talk(t, w, p)
		// The phone's link-local address is known once somebody asks it.
		do(t, w.Router.Node, func() error {
			link, err := netlink.LinkByName(world.GuestBridge)
			if err != nil {
				return err
			}
			return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, Family: unix.AF_INET6, State: unix.NUD_REACHABLE,
				IP: linkLocal[p].AsSlice(), HardwareAddr: p.MAC})
		})
	}
	for _, p := range []*world.Phone{a, b} {
		for _, addr := range []netip.Addr{p.IPv4(), p.IPv6(), linkLocal[p], linkLocal[p].WithZone(world.GuestBridge), netip.AddrFrom16(p.IPv4().As16())} {
			for name, ask := range map[string]func(netip.Addr) (hien.MAC, error){"one entry": n.MAC, "by dump": n.Search} {
				if name == "by dump" {
					addr = addr.WithZone("").Unmap()
				}
				if got, err := ask(addr); err != nil || got != hien.MAC(p.MAC) {
					t.Errorf("%s: %v is %x, error %v; want %x", name, addr, got.Reveal(), err, p.MAC)
				}
			}
		}
	}
	for _, addr := range []string{"10.77.0.250", "2001:db8:77::dead", "0.0.0.0", "::", "127.0.0.1", "224.0.0.1", "10.77.0.1"} {
		if got, err := n.MAC(netip.MustParseAddr(addr)); !errors.Is(err, presence.ErrUnknown) {
			t.Errorf("%s: got %v, error %v; want ErrUnknown", addr, got, err)
		}
	}
	if _, err := n.Search(netip.MustParseAddr("10.77.0.250")); !errors.Is(err, presence.ErrUnknown) {
		t.Errorf("by dump: got %v, want ErrUnknown", err)
	}
	if got, err := n.MAC(netip.Addr{}); !errors.Is(err, presence.ErrUnknown) {
		t.Errorf("no address: got %v, error %v; want ErrUnknown", got, err)
	}
}

func TestADeadNeighbourIsUnknown(t *testing.T) {
	w := newWorld(t, world.Options{})
	n := openNeighbours(t, w)
	addr := netip.MustParseAddr("10.77.0.66")
	for state, want := range map[int]bool{
		netlink.NUD_REACHABLE: true, netlink.NUD_STALE: true, netlink.NUD_PERMANENT: true,
		netlink.NUD_FAILED: false, netlink.NUD_NOARP: false,
	} {
		do(t, w.Router.Node, func() error {
			link, err := netlink.LinkByName(world.GuestBridge)
			if err != nil {
				return err
			}
			return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: state, IP: addr.AsSlice(), HardwareAddr: phone})
		})
		got, err := n.MAC(addr)
		if known := err == nil; known != want || known && got != hien.MAC(phone) || !known && !errors.Is(err, presence.ErrUnknown) {
			t.Errorf("state %#x: got %v, error %v; want known %v", state, got, err, want)
		}
	}
}

func TestNeighboursOutliveTheirInterface(t *testing.T) {
	w := newWorld(t, world.Options{NoGuestBridge: true})
	n := openNeighbours(t, w)
	addr := netip.MustParseAddr("10.77.0.66")
	for range 3 {
		if _, err := n.MAC(addr); !errors.Is(err, presence.ErrUnknown) {
			t.Errorf("without the interface: got %v, want ErrUnknown", err)
		}
		if err := w.Router.AddGuestBridge(); err != nil {
			t.Fatal(err)
		}
		do(t, w.Router.Node, func() error {
			link, err := netlink.LinkByName(world.GuestBridge)
			if err != nil {
				return err
			}
			return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: unix.NUD_REACHABLE, IP: addr.AsSlice(), HardwareAddr: phone})
		})
		if got, err := n.MAC(addr); err != nil || got != hien.MAC(phone) {
			t.Errorf("with the interface again: got %v, error %v", got, err)
		}
		if err := w.Router.RemoveGuestBridge(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNeighboursAreWatched(t *testing.T) {
	w := newWorld(t, world.Options{})
	early := newPhone(t, w, "mai", true)
	talk(t, w, early)
	do(t, w.Router.Node, func() error { // it was confirmed just now, and may not be any more
		link, err := netlink.LinkByName(world.GuestBridge)
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: unix.NUD_REACHABLE, IP: early.IPv4().AsSlice(), HardwareAddr: early.MAC})
	})
	n := openNeighbours(t, w)
	saw := make(seen, 4096)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := on(w.Router.Node, func() error { return n.Watch(ctx, saw.saw) })
	saw.await(t, sighting(early, early.IPv4(), presence.SourceNeighbour)) // and now it is watching

	late := newPhone(t, w, "lan", true)
	talk(t, w, late)
	saw.await(t, sighting(late, late.IPv4(), presence.SourceNeighbour))
	saw.await(t, sighting(late, late.IPv6(), presence.SourceNeighbour))

	// A phone that takes another address is seen with it when it asks for us.
	another := netip.MustParseAddr("10.77.0.199")
	do(t, late.Node, func() error {
		link, err := netlink.LinkByName("wlan0")
		if err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(another.String() + "/24")
		if err != nil {
			return err
		}
		return netlink.AddrAdd(link, addr)
	})
	request := arpLayer(late.MAC, another)
	request.DstProtAddress = w.Router.GuestV4().AsSlice()
	rawFrames(t, late, frame(t, eth(late.MAC, broadcast, layers.EthernetTypeARP), request))
	saw.await(t, sighting(late, another, presence.SourceNeighbour))

	// The interface is made anew.
	if err := errors.Join(w.Router.RemoveGuestBridge(), w.Router.AddGuestBridge()); err != nil {
		t.Fatal(err)
	}
	if err := late.Ping(soon(t), w.Router.GuestV4()); err != nil {
		t.Fatal(err)
	}
	do(t, w.Router.Node, func() error {
		link, err := netlink.LinkByName(world.GuestBridge)
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: unix.NUD_REACHABLE, IP: net.IP{10, 77, 0, 200}, HardwareAddr: late.MAC})
	})
	saw.await(t, sighting(late, netip.MustParseAddr("10.77.0.200"), presence.SourceNeighbour))

	cancel()
	if err := wait(t, done); err != nil {
		t.Errorf("Watch after its context ended: %v", err)
	}
}

func TestThePrefixesOfAnInterface(t *testing.T) {
	w := newWorld(t, world.Options{})
	do(t, w.Router.Node, func() error {
		got, err := presence.Prefixes(world.GuestBridge)
		if err != nil {
			return err
		}
		for _, want := range []string{"10.77.0.1/24", "2001:db8:77::1/64"} {
			if !slices.Contains(got, netip.MustParsePrefix(want)) {
				t.Errorf("got %v, want %s in it", got, want)
			}
		}
		if _, err := presence.Prefixes("br-none"); err == nil {
			t.Error("no interface: want an error")
		}
		return nil
	})
}

func BenchmarkNeighbour(b *testing.B) {
	w, err := world.New(b.Context(), world.Options{NoCDP: true, Uncounted: true})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	var n *presence.Neighbours
	err = w.Router.Do(func() error {
		link, err := netlink.LinkByName(world.GuestBridge)
		if err != nil {
			return err
		}
		for i := range byte(200) {
			err = errors.Join(err, netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: unix.NUD_PERMANENT,
				IP: net.IP{10, 77, 0, 2 + i}, HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, i}}))
		}
		if err != nil {
			return err
		}
		n, err = presence.OpenNeighbours("guest", world.GuestBridge)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	b.Run("who has an address", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := n.MAC(netip.AddrFrom4([4]byte{10, 77, 0, 100})); err != nil {
				b.Fatal(err)
			}
		}
	})
}
