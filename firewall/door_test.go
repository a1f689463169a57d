package firewall_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

func TestRemoveCutsWhatRuns(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p := h.join("phone")
		h.apply()
		h.admit(p, time.Hour)
		for _, to := range p.Target.Addrs() {
			h.admit(p, time.Hour)
			c := h.dial(p, to)
			if err := echo(c); err != nil {
				t.Fatal(err)
			}
			resp, err := p.HTTPClient().Get("http://" + netip.AddrPortFrom(to, 80).String() + "/bytes?n=1000000000000")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
				t.Fatal(err)
			}
			if n := len(h.flows(p, to)); n != 2 {
				t.Fatalf("%s: %d connections before Remove, want 2", to, n)
			}
			h.remove(p)
			if err := echo(c); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: a connection after Remove: got %v, want a reset", to, err)
			}
			// The phone's next acknowledgement is answered with a reset. A packet
			// from the internet that comes before it is taken for the first of a
			// connection of its own, where the system lets such in; what the phone
			// says to that is refused without one, and the download stands still.
			ended := make(chan error, 1)
			var more atomic.Int64
			go func() { _, err := io.Copy(counting{&more}, resp.Body); ended <- err }()
			select {
			case err := <-ended:
				if err == nil {
					t.Errorf("%s: the download has come to its end", to)
				}
			case <-soon(t).Done():
			}
			if more := more.Load(); more > 64<<20 { // more than sockets hold
				t.Errorf("%s: the download still runs, by %d bytes", to, more)
			}
			resp.Body.Close()
			if left := h.flows(p, to); len(left) > 0 {
				t.Errorf("%s: connections are left:\n%s", to, strings.Join(left, "\n"))
			}
		}
	})
}

// flows are the connections of a phone to an address.
func (h *house) flows(p *world.Phone, to netip.Addr) (found []string) {
	family := "ipv4"
	if to.Is6() {
		family = "ipv6"
	}
	for line := range strings.Lines(h.run("conntrack", "-L", "-f", family)) {
		if _, first, _ := strings.Cut(line, " dst="); strings.HasPrefix(first, to.String()+" ") { // its own direction comes first
			found = append(found, line)
		}
	}
	return found
}

func TestThePassEndsInTheKernel(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p := h.join("phone")
		h.apply()
		h.admit(p, time.Second)
		began := time.Now()
		h.door.Close() // nobody is left to end it
		var all sync.WaitGroup
		for _, to := range p.Target.Addrs() {
			c := h.dial(p, to)
			c.SetDeadline(time.Now().Add(3 * time.Second))
			all.Go(func() {
				for {
					if err := echo(c); err != nil {
						// With iptables the second gate stops what goes on,
						// and it has no reset.
						told := errors.Is(err, syscall.ECONNRESET)
						silent := e.Backend == firewall.IPTables && errors.Is(err, os.ErrDeadlineExceeded) && time.Since(began) > time.Second
						if !told && !silent {
							t.Errorf("%s: got %v after %s, want a reset when the pass ends", to, err, time.Since(began))
						}
						return
					}
				}
			})
		}
		all.Wait()
		if got := leaks(h, p); len(got) > 0 {
			t.Errorf("after the end:\n%s", strings.Join(got, "\n"))
		}
	})
}

func TestANeighboursAddressOpensNothing(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		a, b := h.join("a"), h.join("b")
		h.apply()
		h.admit(a, time.Hour)

		stolen := a.IPv4()
		out, err := b.Run(soon(t), "ip", "addr", "add", stolen.String()+"/32", "dev", "wlan0")
		if err != nil {
			t.Fatal(out, err)
		}
		c, err := b.ListenPacket("udp4", netip.AddrPortFrom(stolen, 5000).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		send := func() int {
			t.Helper()
			before := h.Internet.Seen(b.Target.V4).UDP
			to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(b.Target.V4, 9999))
			if _, err := c.WriteTo([]byte("it is me"), to); err != nil {
				t.Fatal(err)
			}
			h.flush()
			return h.Internet.Seen(b.Target.V4).UDP - before
		}
		if n := send(); n != 0 {
			t.Errorf("with another's address %d packets reached the internet", n)
		}
		// When the address is really b's, it counts.
		id := hien.GuestID{Zone: "guest", MAC: hien.MAC(b.MAC)}
		if err := h.door.Admit(soon(t), id, []netip.Addr{stolen}, time.Hour); err != nil {
			t.Fatal(err)
		}
		if n := send(); n != 1 {
			t.Errorf("with its own pass %d packets reached the internet, want 1", n)
		}
		// And a's end does not take it from b.
		h.remove(a)
		if n := send(); n != 1 {
			t.Errorf("after the end of the address's former owner %d packets reached the internet, want 1", n)
		}
	})
}

func TestAnotherAddressIsLetThroughToo(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p := h.join("phone")
		h.apply()
		h.admit(p, time.Hour)
		id, _ := guest(p)
		for _, cidr := range []string{"10.77.0.40/24", "2001:db8:77::4040/64"} {
			if _, err := p.Run(soon(t), "ip", "addr", "add", cidr, "dev", "wlan0", "nodad"); err != nil {
				t.Fatal(err)
			}
			addr := netip.MustParsePrefix(cidr).Addr()
			to := p.Target.V4
			if addr.Is6() {
				to = p.Target.V6
			}
			dial := func() (err error) {
				return p.Do(func() error {
					d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)), Timeout: 5 * time.Second}
					c, err := d.Dial("tcp", netip.AddrPortFrom(to, 443).String())
					if err == nil {
						c.Close()
					}
					return err
				})
			}
			// Where passes are kept by hardware address nothing is asked of IPv6.
			known := addr.Is6() && h.door.Kernel().V6 == firewall.HashMAC
			if err := dial(); !known && !errors.Is(err, syscall.ECONNREFUSED) || known && err != nil {
				t.Errorf("%s before it is admitted: got %v, want a reset, or nothing where it is known: %v", addr, err, known)
			}
			if err := h.door.Admit(soon(t), id, []netip.Addr{addr}, time.Hour); err != nil {
				t.Fatal(err)
			}
			if err := dial(); err != nil {
				t.Errorf("%s after it is admitted: %v", addr, err)
			}
		}
	})
}

func TestPassesTellWhatTheKernelHas(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		h.apply()
		mac := hien.MAC{2, 0, 0x5e, 0x10, 0, 1}
		id := hien.GuestID{Zone: "guest", MAC: mac}
		v4, v6, elsewhere := netip.MustParseAddr("10.77.0.9"), netip.MustParseAddr("2001:db8:77::9"), netip.MustParseAddr("192.0.2.1")
		addrs := []netip.Addr{
			v4, v6,
			netip.MustParseAddr("::ffff:10.77.0.9"), // the same again
			netip.MustParseAddr("fe80::1%wlan0"),    // never forwarded
			elsewhere,                               // not of the zone
		}
		want := map[netip.Addr]hien.MAC{v4: mac}
		if h.door.Kernel().V4 == firewall.HashIPMAC {
			want[elsewhere] = mac
		}
		if h.door.Kernel().V6 == firewall.HashMAC {
			want[netip.Addr{}] = mac
		} else {
			want[v6] = hien.MAC{}
		}
		passes := func() map[netip.Addr]firewall.Element {
			t.Helper()
			all, err := h.door.Passes(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			found := map[netip.Addr]firewall.Element{}
			for _, e := range all {
				found[e.Addr] = e
			}
			if len(found) != len(all) {
				t.Errorf("an address is there twice: %v", all)
			}
			return found
		}
		for _, c := range []struct {
			what            string
			left, low, high time.Duration
		}{
			{"a pass", time.Hour, 59 * time.Minute, time.Hour},
			{"the same again", time.Hour, 59 * time.Minute, time.Hour},
			{"a longer pass", 4 * time.Hour, 239 * time.Minute, 4 * time.Hour},
			{"a shorter pass", time.Minute, 55 * time.Second, time.Minute},
			{"a part of a second is a whole one, not for ever", time.Millisecond, time.Millisecond, time.Second},
			{"a pass of years is what the kernel can", 10000 * time.Hour, 590 * time.Hour, 597 * time.Hour},
		} {
			if err := h.door.Admit(soon(t), id, addrs, c.left); err != nil {
				t.Fatal(err)
			}
			got := passes()
			if len(got) != len(want) {
				t.Fatalf("%s: got %v, want %v", c.what, got, want)
			}
			for a, mac := range want {
				if g := got[a]; g.Zone != "guest" || g.MAC != mac || g.Left < c.low || g.Left > c.high {
					t.Errorf("%s: got %v left %s, want %s to %s", c.what, g, g.Left, c.low, c.high)
				}
			}
		}
		if err := h.door.Admit(soon(t), id, addrs, 0); err != nil {
			t.Fatal(err)
		}
		if got := passes(); len(got) != 0 {
			t.Errorf("a pass of no length: got %v, want none", got)
		}
		for range 2 {
			if err := h.door.Remove(soon(t), id, addrs); err != nil {
				t.Errorf("remove a guest that is not there: %v", err)
			}
		}
		if err := h.door.Admit(soon(t), hien.GuestID{Zone: "no such", MAC: mac}, addrs, time.Hour); !errors.Is(err, hien.ErrNoZone) {
			t.Errorf("a zone that is not there: got %v, want ErrNoZone", err)
		}
		if err := h.door.Admit(soon(t), hien.GuestID{Zone: "guest"}, addrs, time.Hour); err == nil {
			t.Error("a guest without a hardware address was let in")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.door.Admit(ended, id, addrs, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: got %v", err)
		}
		if got := passes(); len(got) != 0 {
			t.Errorf("got %v, want none", got)
		}
	})
}

func TestAnAddressGivenUpDoesNotEndIPv6(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		h.apply()
		byMAC := h.door.Kernel().V6 == firewall.HashMAC
		id := hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0x10, 0, 1}}
		old, next := netip.MustParseAddr("10.77.0.9"), netip.MustParseAddr("10.77.0.10")
		six, another := netip.MustParseAddr("2001:db8:77::9"), netip.MustParseAddr("2001:db8:77::a")
		if err := h.door.Admit(soon(t), id, []netip.Addr{old, next, six, another}, time.Hour); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			what string
			addr netip.Addr
			open bool // IPv6, afterwards
		}{
			{"an IPv6 address", six, true},
			{"the first IPv4 address", old, true},
			{"the last IPv4 address", next, !byMAC},
			{"the last address", another, false},
		} {
			if err := h.door.Remove(soon(t), id, []netip.Addr{c.addr}); err != nil {
				t.Fatal(err)
			}
			all, err := h.door.Passes(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			if open := slices.ContainsFunc(all, func(e firewall.Element) bool { return !e.Addr.Is4() }); open != c.open {
				t.Errorf("%s is removed: IPv6 is open: %v, want %v: %v", c.what, open, c.open, all)
			}
		}
	})
}

func TestGuestsComeWhileRulesAreApplied(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		h.apply()
		const guests = 200
		var all sync.WaitGroup
		all.Go(func() {
			for i := range 10 {
				rules := h.rules
				rules.Zones = slices.Clone(rules.Zones)
				// The network's size goes to and fro, so that the set is replaced.
				rules.Zones[0].Prefix = netip.PrefixFrom(rules.Zones[0].Prefix.Addr(), 24-i%2)
				if err := h.Router.Do(func() error { return h.door.Apply(soon(t), rules) }); err != nil {
					t.Error(err)
				}
			}
		})
		for worker := range 4 {
			all.Go(func() {
				for i := worker; i < guests; i += 4 {
					id := hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 1, 1, 1, 1, byte(i)}}
					addrs := []netip.Addr{netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 2)})}
					if err := h.door.Admit(soon(t), id, addrs, time.Hour); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		all4, err := h.door.Passes(soon(t))
		got := slices.DeleteFunc(all4, func(e firewall.Element) bool { return !e.Addr.Is4() })
		if err != nil || len(got) != guests {
			t.Errorf("got %d passes (%v), want %d", len(got), err, guests)
		}
	})
}
