package firewall_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/world"
)

// strangeProtocols are what the internet is tried by beside TCP, UDP and
// ICMP: IPv4 and IPv6 in IP, GRE, ESP, AH, SCTP, UDP-Lite, and one that is
// nobody's (RFC 3692).
var strangeProtocols = []int{4, 41, 47, 50, 51, 132, 136, 253}

// leaks tries everything from a phone that has no pass and tells what was
// not as it must be: what has reached the internet or the shop, what was
// answered, what was not refused at once.
func leaks(h *house, p *world.Phone) []string {
	h.t.Helper()
	h.flush()
	before := h.Internet.SeenAt(p.Target)
	var found []string
	for _, a := range p.Attempts(soon(h.t), p.Target) {
		switch {
		case a.Name == "tcp/80":
			if !a.Answered() {
				found = append(found, a.String()+"; want the portal")
			}
		case a.Answered():
			found = append(found, a.String()+"; want a refusal")
		case a.TimedOut():
			found = append(found, a.String()+"; want a refusal at once")
		case strings.HasPrefix(a.Name, "tcp") && !errors.Is(a.Err, syscall.ECONNREFUSED):
			found = append(found, a.String()+"; want a reset")
		case strings.HasPrefix(a.Name, "udp") && !errors.Is(a.Err, syscall.ECONNREFUSED):
			found = append(found, a.String()+"; want port unreachable")
		}
	}
	for _, to := range p.Target.Addrs() {
		for _, proto := range strangeProtocols {
			if err := raw(p.Node, proto, to); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	h.flush()
	after := h.Internet.SeenAt(p.Target)
	if after != before {
		found = append(found, fmt.Sprintf("the internet has seen %+v, before %+v", after, before))
	}
	return found
}

// raw sends one packet of a protocol.
func raw(n *world.Node, proto int, to netip.Addr) error {
	network, any := fmt.Sprint("ip4:", proto), "0.0.0.0"
	if to.Is6() {
		network, any = fmt.Sprint("ip6:", proto), "::"
	}
	c, err := n.ListenPacket(network, any)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.WriteTo(make([]byte, 64), &net.IPAddr{IP: to.AsSlice()})
	var refused syscall.Errno
	if errors.As(err, &refused) { // an earlier packet's refusal is told now
		return nil
	}
	return err
}

func TestNothingPassesWithoutAPass(t *testing.T) {
	variants(t, func(t *testing.T) {
		h := newHouse(t, world.Options{IPTables: "iptables"})
		p := h.join("phone")
		if got := leaks(h, p); len(got) == 0 {
			t.Fatal("before the rules are applied the matrix finds no leak: it proves nothing")
		}
		h.apply()
		if got := leaks(h, p); len(got) > 0 {
			t.Errorf("without a pass:\n%s", strings.Join(got, "\n"))
		}
		h.admit(p, time.Hour)
		h.remove(p)
		if got := leaks(h, p); len(got) > 0 {
			t.Errorf("after the pass has ended:\n%s", strings.Join(got, "\n"))
		}
	})
}

// TestMatrixSeesALeak is the negative control: with one family or one part
// left out the matrix must say so.
func TestMatrixSeesALeak(t *testing.T) {
	h := newHouse(t, world.Options{})
	p := h.join("phone")
	for name, c := range map[string]struct{ leave, want string }{
		"without the IPv6 half":     {"ip6tables -D FORWARD -j HIEN-FORWARD", "udp/443 to 2001:db8:"},
		"without the IPv4 half":     {"iptables -D FORWARD -j HIEN-FORWARD", "tcp/443 to 198.18."},
		"without the IPv6 redirect": {"ip6tables -t nat -D PREROUTING -j HIEN-PREROUTING", "want the portal"},
		"with a drop":               {"iptables -I HIEN-REJECT -p udp -j DROP", "want a refusal at once"},
	} {
		t.Run(name, func(t *testing.T) {
			h.apply()
			h.run(strings.Fields(c.leave)...)
			if got := leaks(h, p); !contains(got, c.want) {
				t.Errorf("the matrix found %q, want one with %q", got, c.want)
			}
		})
	}
}

func TestWithAPassEverythingGoes(t *testing.T) {
	variants(t, func(t *testing.T) {
		h := newHouse(t, world.Options{IPTables: "iptables"})
		p := h.join("phone")
		h.apply()
		h.admit(p, time.Hour)
		for _, a := range p.Attempts(soon(t), p.Target) {
			if !a.Answered() {
				t.Errorf("with a pass: %s", a)
			}
		}
		a, err := p.Get(soon(t), "http://example.vn/")
		if err != nil || !strings.Contains(string(a.Body), "This is the internet") {
			t.Errorf("http://example.vn/ with a pass: %v %d %s", err, a.Status, a.Body)
		}
	})
}

func TestTheRoutersOwnServicesStayShut(t *testing.T) {
	h := newHouse(t, world.Options{LAN: true})
	p := h.join("phone")
	h.apply()
	local, err := netip.ParseAddr("fe80::48:69ff:feea:1%wlan0") // of br-guest's MAC
	if err != nil {
		t.Fatal(err)
	}
	addrs := []netip.Addr{
		h.Router.GuestV4(), h.Router.GuestV6(), h.Router.WANV4(), h.Router.WANV6(),
		netip.MustParseAddr("192.168.1.1"), local,
	}
	reaches := func(to netip.Addr, port int) error {
		c, err := p.Dial(soon(t), "tcp", netip.AddrPortFrom(to, uint16(port)).String())
		if err == nil {
			c.Close()
		}
		return err
	}
	check := func(t *testing.T, pass bool) {
		for _, a := range addrs {
			for _, port := range routerPorts {
				err := reaches(a, port)
				// Where passes are kept by address, a link-local one has none.
				if port == 80 && (!pass || a.Is6() && a.IsLinkLocalUnicast()) {
					if got := status(p, a); got != http.StatusFound {
						t.Errorf("%s port 80: got %d, want the portal's 302", a, got)
					}
					continue
				}
				if !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("%s port %d: got %v, want a reset", a, port, err)
				}
			}
		}
		for _, a := range []netip.Addr{h.Router.GuestV4(), h.Router.GuestV6(), local} {
			if err := reaches(a, portalPort); err != nil {
				t.Errorf("the portal on %s: %v", a, err)
			}
		}
		for _, a := range []netip.Addr{h.Router.GuestV4(), h.Router.GuestV6()} {
			if err := p.Ping(soon(t), a); err != nil {
				t.Errorf("ping: %v", err)
			}
		}
		for _, network := range []string{"ip4", "ip6"} {
			if _, err := p.Lookup(soon(t), network, "example.vn"); err != nil {
				t.Errorf("DNS by the router: %v", err)
			}
		}
	}
	t.Run("without a pass", func(t *testing.T) {
		check(t, false)
		_, err := p.Dial(soon(t), "tcp", "192.168.1.10:8000")
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("the shop's computer: got %v, want a reset", err)
		}
	})
	h.admit(p, time.Hour)
	t.Run("with a pass", func(t *testing.T) { check(t, true) })
	t.Run("the router still reaches a guest", func(t *testing.T) {
		l, err := p.Listen("tcp", ":9000")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for _, a := range []netip.Addr{p.IPv4(), p.IPv6()} {
			c, err := h.Router.Dial(soon(t), "tcp", netip.AddrPortFrom(a, 9000).String())
			if err != nil {
				t.Errorf("router to %s: %v", a, err)
				continue
			}
			c.Close()
			if err := h.Router.Ping(soon(t), a); err != nil {
				t.Errorf("router pings %s: %v", a, err)
			}
		}
	})
	t.Run("a connection from before the rules ends", func(t *testing.T) {
		h.do(func() error { return h.door.Cleanup(soon(t)) })
		c, err := p.Dial(soon(t), "tcp", netip.AddrPortFrom(h.Router.GuestV4(), 22).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		h.apply()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		c.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want a reset", err)
		}
	})
}

// status is what port 80 of an address answers.
func status(p *world.Phone, to netip.Addr) int {
	host := to.String()
	if to.Is6() {
		host = "[" + strings.Replace(host, "%", "%25", 1) + "]"
	}
	resp, err := p.HTTPClient().Get("http://" + host + "/")
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestGuestsDoNotReachEachOtherByTheRouter(t *testing.T) {
	h := newHouse(t, world.Options{})
	// A second guest network, with a phone that listens.
	q := h.join("other")
	h.run("ip", "link", "add", "br-two", "type", "bridge")
	h.run("ip", "addr", "add", "10.78.0.1/24", "dev", "br-two")
	h.run("ip", "link", "set", "br-two", "up")
	h.rules.Zones = append(h.rules.Zones, h.rules.Zones[0])
	z := &h.rules.Zones[1]
	z.Name, z.Interface, z.Prefix = "two", "br-two", netip.MustParsePrefix("10.78.0.0/24")
	h.apply()
	h.admit(q, time.Hour)
	c, err := q.Dial(soon(t), "tcp", "10.78.0.9:443")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		if c != nil {
			c.Close()
		}
		t.Errorf("a guest with a pass to another guest network: got %v, want a reset", err)
	}
}
