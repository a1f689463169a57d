package presence_test

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/presence"
	"github.com/hien-wifi/hien/internal/world"
)

func sniff(t *testing.T, w *world.World) (*presence.Sniffer, seen, <-chan error) {
	t.Helper()
	saw := make(seen, 4096)
	var s *presence.Sniffer
	do(t, w.Router.Node, func() (err error) {
		s, err = presence.Listen("guest", world.GuestBridge, false, saw.saw)
		return err
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run after its context ended: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Run does not return after its context ended")
		}
	})
	return s, saw, done
}

func TestAPhoneThatJoinsIsSighted(t *testing.T) {
	w := newWorld(t, world.Options{})
	s, saw, _ := sniff(t, w)
	p := newPhone(t, w, "mai", true)
	saw.await(t, sighting(p, netip.Addr{}, presence.SourceDHCP)) // DHCPDISCOVER
	saw.await(t, sighting(p, p.IPv4(), presence.SourceDHCP))     // DHCPREQUEST, DHCPACK
	for _, to := range []netip.Addr{w.Router.GuestV4(), w.Router.GuestV6()} {
		c, err := p.Dial(soon(t), "udp", netip.AddrPortFrom(to, 53).String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("the neighbour is asked for first")); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if to.Is4() {
			saw.await(t, sighting(p, p.IPv4(), presence.SourceARP))
		} else {
			saw.await(t, sighting(p, p.IPv6(), presence.SourceND))
		}
	}
	if c := s.Counts(); c.Panics != 0 || c.Sightings == 0 || c.Frames < c.Sightings {
		t.Errorf("counts %+v", c)
	}
	for {
		select {
		case got := <-saw:
			if got.Guest.MAC != hien.MAC(p.MAC) {
				t.Errorf("sighting of a stranger: %+v", got)
			}
			continue
		default:
		}
		return
	}
}

func TestGarbageDoesNotStopTheSniffer(t *testing.T) {
	w := newWorld(t, world.Options{})
	p := newPhone(t, w, "mai", false)
	if err := p.LinkUp(soon(t)); err != nil {
		t.Fatal(err)
	}
	s, saw, _ := sniff(t, w)
	good := samples(t)
	var garbage [][]byte
	for range 3000 {
		f := slices.Clone(good[rand.IntN(len(good)-2)].frame)
		for range 1 + rand.IntN(6) {
			f[12+rand.IntN(len(f)-12)] = byte(rand.Uint32())
		}
		garbage = append(garbage, f[:14+rand.IntN(len(f)-13)])
	}
	rawFrames(t, p, garbage...)
	marker := netip.MustParseAddr("10.77.0.99")
	rawFrames(t, p, arp(t, p.MAC, p.MAC, marker))
	saw.await(t, sighting(p, marker, presence.SourceARP))
	if c := s.Counts(); c.Panics != 0 || c.Frames < 100 {
		t.Errorf("counts %+v", c)
	}
}

func TestTheKernelFiltersOnLiveFrames(t *testing.T) {
	w := newWorld(t, world.Options{})
	p := newPhone(t, w, "mai", false)
	if err := p.Sysctl("net/ipv6/conf/all/disable_ipv6", "1"); err != nil { // or it talks by itself
		t.Fatal(err)
	}
	if err := p.LinkUp(soon(t)); err != nil {
		t.Fatal(err)
	}
	s, saw, _ := sniff(t, w)
	marker := func(n byte) []byte { return arp(t, p.MAC, p.MAC, netip.AddrFrom4([4]byte{10, 77, 0, n})) }
	for n, sample := range samples(t) {
		if len(sample.frame) < 14 || sample.frame[12] == 0x81 || sample.frame[6]&1 == 1 || sample.frame[6] == 0 {
			continue // the kernel takes tags off before the filter, and a bridge drops what nobody can have sent
		}
		before := s.Counts().Frames
		frame := slices.Clone(sample.frame)
		if frame[0]&1 == 0 {
			copy(frame, broadcast) // so that the bridge hands it up whatever its address
		}
		rawFrames(t, p, marker(100), frame, marker(byte(101+n)))
		saw.await(t, sighting(p, netip.AddrFrom4([4]byte{10, 77, 0, byte(101 + n)}), presence.SourceARP))
		got := s.Counts().Frames - before
		if sample.passes && got < 3 || !sample.passes && got != 2 { // the router may answer what passes
			t.Errorf("%s: %d frames passed with two markers, want that it passes: %v", sample.name, got, sample.passes)
		}
	}
}

func TestALostInterfaceIsToldAndCanBeListenedToAgain(t *testing.T) {
	for _, test := range []struct {
		name       string
		lose, back func(*world.World) error
	}{
		{"deleted", func(w *world.World) error { return w.Router.RemoveGuestBridge() }, func(w *world.World) error { return w.Router.AddGuestBridge() }},
		{"taken down", func(w *world.World) error { return setLink(w, netlink.LinkSetDown) }, func(w *world.World) error { return setLink(w, netlink.LinkSetUp) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, world.Options{})
			p := newPhone(t, w, "mai", false)
			if err := p.LinkUp(soon(t)); err != nil {
				t.Fatal(err)
			}
			var s *presence.Sniffer
			do(t, w.Router.Node, func() (err error) {
				s, err = presence.Listen("guest", world.GuestBridge, false, func(hien.Sighting) {})
				return err
			})
			done := make(chan error, 1)
			go func() { done <- s.Run(t.Context()) }()
			if err := test.lose(w); err != nil {
				t.Fatal(err)
			}
			if err := wait(t, done); err == nil {
				t.Fatal("Run: no error for a lost interface")
			}
			if err := test.back(w); err != nil {
				t.Fatal(err)
			}
			_, saw, _ := sniff(t, w)
			rawFrames(t, p, arp(t, p.MAC, p.MAC, netip.MustParseAddr("10.77.0.99")))
			saw.await(t, sighting(p, netip.MustParseAddr("10.77.0.99"), presence.SourceARP))
		})
	}
}

func TestListeningOnAnInterfaceThatIsNotThere(t *testing.T) {
	world.Need(t)
	if _, err := presence.Listen("guest", "br-none", false, func(hien.Sighting) {}); err == nil {
		t.Error("want an error")
	}
}
