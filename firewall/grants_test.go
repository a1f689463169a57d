package firewall_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// reaches tries one connection of a phone: nil when it stands.
func reaches(p *world.Phone, to netip.Addr, port uint16) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := p.Dial(ctx, "tcp", netip.AddrPortFrom(to, port).String())
	if err == nil {
		c.Close()
	}
	return err
}

// reached holds that a phone reaches a host, or that it is refused.
func reached(t *testing.T, what string, p *world.Phone, to netip.Addr, port uint16, want bool) {
	t.Helper()
	err := reaches(p, to, port)
	if want && err != nil || !want && !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s, %s port %d: got %v; want it to be reached: %v, or a reset", what, to, port, err, want)
	}
}

func TestTheGardenIsReachedWithoutAPass(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		m := newMaze(t, e, world.Options{})
		p := m.join("phone")
		fixed, planted := m.Internet.Target(2001), m.Internet.Target(2002)
		shop4, shop6 := netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("2001:db8:1a::10")
		m.rules.Zones[0].Garden = []netip.Prefix{
			netip.PrefixFrom(fixed.V4, 32), netip.PrefixFrom(fixed.V6, 128), netip.PrefixFrom(shop4, 32), netip.PrefixFrom(shop6, 128),
		}
		m.apply()
		for _, to := range append(fixed.Addrs(), shop4, shop6) {
			reached(t, "a host of the garden", p, to, 443, true)
		}
		for _, to := range planted.Addrs() {
			reached(t, "a host that was not planted", p, to, 443, false)
		}
		if a, err := p.Get(soon(t), "http://"+fixed.V4.String()+"/"); err != nil || !strings.Contains(string(a.Body), "This is the internet") {
			t.Errorf("port 80 of the garden: got %d %s %v, want the host itself and not the portal", a.Status, a.Body, err)
		}
		plant := func(left time.Duration, addrs ...netip.Addr) {
			t.Helper()
			if err := m.door.Plant(soon(t), "guest", addrs, left, false); err != nil {
				t.Fatal(err)
			}
		}
		plant(time.Hour, append(planted.Addrs(), netip.MustParseAddr("10.78.0.10"))...)
		plant(time.Second, planted.Addrs()...) // a host keeps the longer time
		for _, to := range planted.Addrs() {
			reached(t, "a host that was planted", p, to, 443, true)
		}
		reached(t, "a private host that a name led to", p, netip.MustParseAddr("10.78.0.10"), 443, false)

		passing := m.Internet.Target(2003)
		plant(time.Second, passing.Addrs()...)
		began := time.Now()
		for _, to := range passing.Addrs() {
			for reaches(p, to, 443) == nil {
				if time.Since(began) > 10*time.Second {
					t.Fatalf("%s is reached %s after its time", to, time.Since(began))
				}
			}
		}
		if time.Since(began) < 500*time.Millisecond {
			t.Errorf("a host that was planted for a second was not reached after %s", time.Since(began))
		}
		for _, to := range planted.Addrs() {
			reached(t, "a host with the longer time", p, to, 443, true)
		}
		for _, to := range p.Target.Addrs() {
			reached(t, "the rest of the internet", p, to, 443, false)
		}
	})
}

func TestWhatIsLentIsReachedByOneGuest(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p, q := h.join("one"), h.join("another")
		h.apply()
		host := h.Internet.Target(2001)
		if err := h.door.Plant(soon(t), "guest", host.Addrs(), time.Hour, true); err != nil {
			t.Fatal(err)
		}
		lend := func(left time.Duration) {
			t.Helper()
			id, addrs := guest(p)
			if err := h.door.Lend(soon(t), id, addrs, left); err != nil {
				t.Fatal(err)
			}
		}
		all := func(what string, p *world.Phone, want bool) {
			t.Helper()
			for _, to := range host.Addrs() {
				reached(t, what, p, to, 443, want)
			}
		}
		all("before it is lent", p, false)
		lend(time.Hour)
		all("to the one", p, true)
		all("to another", q, false)
		for _, to := range p.Target.Addrs() {
			reached(t, "the rest of the internet", p, to, 443, false)
		}
		if got := h.usage(p); got.lent == 0 || got.passes != 0 {
			t.Errorf("got %+v, want bytes of what was lent alone", got)
		}
		lend(0)
		all("after it", p, false)
	})
}

func TestNamesAreAskedOfTheForwarder(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p := h.join("phone")
		h.rules.Zones[0].DNSPort = 2053
		var asked atomic.Int64
		for _, network := range []string{"udp4", "udp6"} {
			c, err := h.Router.ListenPacket(network, ":2053")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				for {
					_, from, err := c.ReadFrom(make([]byte, 512))
					if err != nil {
						return
					}
					asked.Add(1)
					c.WriteTo([]byte("the forwarder"), from)
				}
			}()
		}
		h.serve(2053, nil) // over TCP a connection is enough
		h.apply()
		ask := func(to netip.Addr) string {
			t.Helper()
			c, err := p.Dial(soon(t), "udp", netip.AddrPortFrom(to, 53).String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(2 * time.Second))
			c.Write([]byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x02vn\x00\x00\x01\x00\x01"))
			b := make([]byte, 512)
			n, err := c.Read(b)
			if err != nil {
				return err.Error()
			}
			return string(b[:n])
		}
		routers := []netip.Addr{h.Router.GuestV4(), h.Router.GuestV6()}
		for _, to := range routers {
			if got := ask(to); got != "the forwarder" {
				t.Errorf("without a pass %s answers %q", to, got)
			}
			reached(t, "DNS over TCP", p, to, 53, true)
		}
		for _, to := range p.Target.Addrs() {
			if got := ask(to); !strings.Contains(got, "refused") {
				t.Errorf("another resolver, %s: got %q, want a refusal", to, got)
			}
		}
		h.admit(p, time.Hour)
		before := asked.Load()
		for _, to := range routers {
			if got := ask(to); len(got) < 30 || got == "the forwarder" {
				t.Errorf("with a pass %s answers %q, want the system's resolver", to, got)
			}
		}
		if asked.Load() != before {
			t.Error("the forwarder was asked by a guest with a pass")
		}
	})
}

func TestOnlyByAnUplink(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p := h.join("phone")
		for _, c := range []struct {
			uplinks []string
			want    bool
		}{
			{nil, false}, {[]string{"wan2"}, false}, {[]string{"wan2", world.WAN}, true}, {[]string{world.WAN}, true},
		} {
			h.rules.Uplinks = c.uplinks
			h.apply()
			h.admit(p, time.Hour)
			for _, to := range p.Target.Addrs() {
				reached(t, fmt.Sprintf("with the uplinks %q", c.uplinks), p, to, 443, c.want)
			}
		}
	})
}

func TestMasquerade(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{NoMasquerade: true})
		p := h.join("phone")
		h.rules.Masquerade = true
		h.apply()
		h.admit(p, time.Hour)
		for _, a := range p.Attempts(soon(t), p.Target) {
			if !a.Answered() {
				t.Errorf("with a pass: %s", a)
			}
		}
		c, err := p.Dial(soon(t), "tcp6", netip.AddrPortFrom(p.Target.V6, 7).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.LocalAddr().(*net.TCPAddr).IP.String(); got != p.IPv6().String() {
			t.Errorf("IPv6 is translated: %s", got)
		}
	})
}

func TestAnotherMark(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p := h.join("phone")
		for _, mark := range []uint32{1 << 25, 1, 1 << 31} {
			h.rules.Mark = mark
			h.apply()
			if got := leaks(h, p); len(got) > 0 {
				t.Errorf("with the mark %#x, without a pass:\n%s", mark, strings.Join(got, "\n"))
			}
			h.admit(p, time.Hour)
			for _, to := range p.Target.Addrs() {
				reached(t, fmt.Sprintf("with the mark %#x and a pass", mark), p, to, 443, true)
			}
			h.remove(p)
		}
	})
}

// TestRefillComesBeforeRules holds the order after a foreign flush: passes
// are back before any rule that refuses, or the first packet of a running
// connection would be answered by a reset.
func TestRefillComesBeforeRules(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p := h.join("phone")
		filled := 0
		h.refill = func(ctx context.Context) {
			filled++
			if text := h.ours(); strings.Contains(text, "reject") || strings.Contains(text, "REJECT") {
				t.Errorf("rules that refuse are there before the passes:\n%s", text)
			}
			id, addrs := guest(p)
			if err := h.door.Admit(ctx, id, addrs, time.Hour); err != nil {
				t.Error(err)
			}
		}
		h.apply()
		filled = 0
		six := h.dial(p, p.Target.V6)
		for range 3 {
			if e.Backend == firewall.NFTables {
				h.line("nft delete table inet hien")
			} else {
				for _, table := range []string{"filter", "nat", "mangle"} {
					h.line("iptables -t " + table + " -F")
					h.line("iptables -t " + table + " -X")
				}
				h.run("ipset", "destroy")
			}
			h.apply()
			if err := echo(six); err != nil {
				t.Fatal(err)
			}
		}
		if filled != 3 {
			t.Errorf("the passes were put back %d times, want 3", filled)
		}
		h.apply()
		if filled != 3 {
			t.Error("the passes were put back where nothing was lost")
		}
	})
}

// ours is what the kernel has of our rules. It may be asked during Apply,
// which has the router's own thread.
func (h *house) ours() string {
	if h.back.Backend == firewall.NFTables {
		return h.elsewhere("nft", "list", "table", "inet", "hien")
	}
	return h.elsewhere("iptables-save") + h.elsewhere("ip6tables-save")
}

// elsewhere runs a program on the router from a thread of its own.
func (h *house) elsewhere(args ...string) (out string) {
	h.t.Helper()
	err := <-h.inRouter(func() error {
		b, err := exec.Command(args[0], args[1:]...).Output()
		out = string(b)
		return err
	})
	if err != nil {
		h.t.Errorf("%s: %v", args, err)
	}
	return out
}
