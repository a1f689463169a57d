package firewall_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// A maze is a house with a matrix of all that guests may try.
type maze struct {
	*house
	*world.Matrix
	cells int // looked at so far

	untold func(world.Cell) bool // what the kernel cannot tell a guest; nil: nothing
}

func newMaze(t *testing.T, e backEnd, o world.Options) *maze {
	t.Helper()
	o.LAN = true
	h := newHouse(t, e, o)
	m, err := h.NewMatrix(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	h.bridgesMeetRules(false)
	z := &maze{house: h, Matrix: m}
	t.Cleanup(func() { t.Logf("%d cells", z.cells) })
	return z
}

// bridgesMeetRules sets whether a bridge hands its packets to the rules as
// well: so it is where br_netfilter is loaded, as for Docker, and not on
// OpenWrt. What refuses then does so before there is a route.
func (h *house) bridgesMeetRules(yes bool) {
	h.t.Helper()
	value := "0"
	if yes {
		value = "1"
	}
	err := h.Router.Sysctl("net/bridge/bridge-nf-call-iptables", value, "net/bridge/bridge-nf-call-ip6tables", value)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
}

// The patience of a guest: where everything is refused aloud each cell ends in
// milliseconds, and where the second gate alone stands few are told so.
const (
	patient   = time.Second
	impatient = 100 * time.Millisecond
)

func (m *maze) try(p *world.Phone, patience time.Duration) []world.Cell {
	m.t.Helper()
	cells, err := m.Try(soon(m.t), p, patience)
	if err != nil {
		m.t.Fatal(err)
	}
	m.cells += len(cells)
	return cells
}

// shut holds that nothing of a guest without a pass gets through, and that it
// is told so at once.
func (m *maze) shut(when string, p *world.Phone) {
	m.t.Helper()
	cells := m.try(p, patient)
	if bad := world.Leaks(cells); len(bad) > 0 {
		m.t.Errorf("%s, without a pass, these got through:\n%s", when, world.Lines(bad))
	}
	bad := world.Waits(cells)
	if m.untold != nil {
		bad = slices.DeleteFunc(bad, m.untold)
	}
	if len(bad) > 0 {
		m.t.Errorf("%s, without a pass, these were not refused at once:\n%s", when, world.Lines(bad))
	}
	for _, c := range cells {
		if c.Name == "tcp/80" && !c.Answered() {
			m.t.Errorf("%s, without a pass, the portal does not answer: %s", when, c)
		}
	}
}

// silent holds that nothing gets through, told or not.
func (m *maze) silent(when string, p *world.Phone) {
	m.t.Helper()
	if bad := world.Leaks(m.try(p, impatient)); len(bad) > 0 {
		m.t.Errorf("%s, without a pass, these got through:\n%s", when, world.Lines(bad))
	}
}

// online holds that a guest with a pass reaches the internet and nothing else.
func (m *maze) online(when string, p *world.Phone) {
	m.t.Helper()
	cells := m.try(p, impatient)
	if bad := world.Strays(cells); len(bad) > 0 {
		m.t.Errorf("%s, with a pass, these are not as they should be:\n%s", when, world.Lines(bad))
	}
}

func TestNothingPassesWithoutAPass(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		m := newMaze(t, e, world.Options{})
		p, q := m.join("without"), m.join("with")
		if open := world.Leaks(m.try(p, patient)); len(open) < 100 {
			t.Fatalf("before the rules are applied the matrix finds %d leaks only: it proves nothing:\n%s", len(open), world.Lines(open))
		}
		m.apply()
		m.shut("applied", p)
		m.admit(q, time.Hour)
		m.shut("while another guest has a pass", p)
		m.online("applied", q)
		m.admit(p, time.Hour)
		m.online("admitted", p)
		m.remove(p)
		m.shut("after the pass has ended", p)

		m.bridgesMeetRules(true)
		m.shut("where bridges meet the rules", p)
		m.online("where bridges meet the rules", q)
		m.bridgesMeetRules(false)

		// The second network becomes a zone of its own.
		m.rules.Zones = append(m.rules.Zones, firewall.Zone{
			Name: "two", Interface: world.SecondGuests, PortalPort: 2051, Prefix: netip.MustParsePrefix("10.78.0.1/24"),
		})
		m.apply()
		m.shut("with a second zone", p)
		m.online("with a second zone", q)
	})
}

// flushes are what other programs do to all rules at once.
func (e backEnd) flushes() [][]string {
	all := [][]string{
		{"nft flush ruleset"},
		{"iptables -F"},
		{"iptables -F", "iptables -t nat -F", "iptables -t mangle -F"},
		{"iptables -t mangle -F"},
		{"iptables -t nat -F"},
	}
	return all
}

// breaks are what takes away a part of ours alone.
func (h *house) breaks() (all [][]string) {
	h.t.Helper()
	if h.back.Backend == firewall.NFTables {
		for line := range strings.Lines(h.run("nft", "list", "table", "inet", "hien")) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "chain" {
				all = append(all, []string{"nft flush chain inet hien " + f[1]})
			}
		}
		return append(all, []string{"nft delete table inet hien"}, []string{"nft add table inet hien { flags dormant; }"})
	}
	table := ""
	for line := range strings.Lines(h.run("iptables-save")) {
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table = strings.TrimSpace(line[1:])
		case strings.HasPrefix(line, ":HIEN-"):
			all = append(all, []string{fmt.Sprintf("iptables -t %s -F %s", table, f[0][1:])})
		case len(f) == 4 && f[0] == "-A" && f[2] == "-j" && strings.HasPrefix(f[3], "HIEN-") && !strings.HasPrefix(f[1], "HIEN-"):
			all = append(all, []string{fmt.Sprintf("iptables -t %s -D %s -j %s", table, f[1], f[3])})
		}
	}
	return all
}

func TestNothingPassesWhenTheRulesAreGone(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		m := newMaze(t, e, world.Options{})
		p := m.join("phone")
		m.apply()
		for _, deeds := range append(e.flushes(), m.breaks()...) {
			for _, deed := range deeds {
				m.line(deed)
			}
			m.silent("after "+strings.Join(deeds, ", "), p)
			m.apply()
			if left := m.differences(); len(left) > 0 {
				t.Errorf("after %v and Apply: %q", deeds, left)
			}
		}
		m.shut("when all is mended", p)
	})
}

// TestTheMatrixSeesTheGateMissing is the control of the test before: without
// the second gate it would have failed.
func TestTheMatrixSeesTheGateMissing(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		m := newMaze(t, e, world.Options{})
		p := m.join("phone")
		m.apply()
		m.do(func() error { return firewall.OpenGate(soon(t)) })
		m.shut("without the second gate, as long as the rules stand", p)
		m.line("nft flush ruleset")
		if e.variant == "legacy" {
			for _, deed := range e.flushes()[2] {
				m.line(deed)
			}
		}
		if bad := world.Leaks(m.try(p, impatient)); len(bad) < 50 {
			t.Errorf("without the second gate and without rules the matrix finds %d leaks, want many:\n%s", len(bad), world.Lines(bad))
		}
	})
}

// TestTheMatrixSeesAFamilyMissing is a control too: with IPv6 left out of the
// rules the matrix must say so, and with IPv4 left out.
func TestTheMatrixSeesAFamilyMissing(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		for _, six := range []bool{true, false} {
			m := newMaze(t, e, world.Options{})
			p := m.join("phone")
			m.apply()
			m.leaveOut(six)
			bad := world.Leaks(m.try(p, impatient))
			if len(bad) < 15 || slices.ContainsFunc(bad, func(c world.Cell) bool { return c.To.Is6() != six }) {
				t.Errorf("with one family left out (IPv6: %v) the matrix finds, want leaks of that family alone:\n%s", six, world.Lines(bad))
			}
		}
	})
}

// leaveOut opens the door for one family, as a gateway would that does not
// know it: everything of the family has the mark and is let through.
func (m *maze) leaveOut(six bool) {
	m.t.Helper()
	if m.back.Backend == firewall.NFTables {
		family := "ipv4"
		if six {
			family = "ipv6"
		}
		m.line("nft insert rule inet hien prerouting meta nfproto " + family + " meta mark set meta mark or 0x1000000 accept")
		m.line("nft insert rule inet hien forward meta nfproto " + family + " accept")
		m.line("nft insert rule inet hien portal meta nfproto " + family + " accept")
		return
	}
	tool := "iptables"
	if six {
		tool = "ip6tables"
	}
	for _, rule := range []string{
		"-t mangle -I PREROUTING -j MARK --set-xmark 0x1000000/0x1000000", "-t mangle -D PREROUTING -j HIEN-PREROUTING",
		"-t mangle -D POSTROUTING -j HIEN-POSTROUTING", "-D FORWARD -j HIEN-FORWARD", "-t nat -D PREROUTING -j HIEN-PREROUTING",
	} {
		m.run(append([]string{tool}, strings.Fields(rule)...)...)
	}
}

func TestNothingPassesWhileRulesAreReplaced(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		m := newMaze(t, e, world.Options{})
		p := m.join("phone")
		m.apply()
		var stop atomic.Bool
		applied := 0
		ended := m.inRouter(func() error {
			for i := 0; !stop.Load(); i++ {
				if err := m.door.Apply(soon(t), m.another(i)); err != nil {
					return err
				}
				applied++
			}
			return nil
		})
		for range 8 {
			m.silent("while rules are replaced", p)
		}
		stop.Store(true)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		t.Logf("%d rulesets meanwhile", applied)
	})
}

// another is one of several rulesets that differ in everything.
func (m *maze) another(i int) firewall.Ruleset {
	r := m.rules
	r.Zones = slices.Clone(r.Zones)
	z := &r.Zones[0]
	switch i % 4 {
	case 1:
		z.Speed, z.AllSpeed = firewall.Speed{Down: 1 << 20, Up: 1 << 19}, firewall.Speed{Down: 1 << 22, Up: 1 << 22}
		z.DNSPort, z.APIPort = 2053, 2443
	case 2:
		r.Zones = append(r.Zones, firewall.Zone{
			Name: "two", Interface: world.SecondGuests, PortalPort: 2051, Prefix: netip.MustParsePrefix("10.78.0.1/24"),
		})
	case 3:
		z.Garden = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:f00d::/64")}
		r.Masquerade, r.Uplinks = true, []string{"wan2", world.WAN}
	}
	return r
}

// TestBesideTheSystemsFirewall puts the door beside what fw4 makes, which has
// rules, a policy and a translation of addresses of its own.
func TestBesideTheSystemsFirewall(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		m := newMaze(t, e, world.Options{NoMasquerade: true})
		if e.Backend == firewall.IPTables {
			// There a connection to the router's own ports is sent to a closed
			// one, and it is fw4 that refuses it: by a reset, for which the
			// kernel finds no way back to a link-local address.
			m.untold = func(c world.Cell) bool { return c.To.IsLinkLocalUnicast() }
		}
		p, q := m.join("without"), m.join("with")
		fw4 := func() { m.run("nft", "-f", "testdata/fw4.nft") }
		fw4()
		m.apply()
		m.admit(q, time.Hour)
		m.shut("beside fw4", p)
		m.online("beside fw4", q)
		fw4() // its reload: one transaction
		m.shut("after its reload", p)
		m.online("after its reload", q)
		if left := m.differences(); len(left) > 0 {
			t.Errorf("its reload has changed ours: %q", left)
		}
		m.line("nft flush ruleset")
		m.silent("after everything is flushed", p)
		fw4()
		m.silent("after it is back without ours", p)
		m.apply()
		m.shut("after ours is back", p)
	})
}

// strangeProtocols are what the internet is tried by beside TCP, UDP and
// ICMP: IPv4 and IPv6 in IP, GRE, ESP, AH, SCTP, UDP-Lite, and one that is
// nobody's (RFC 3692).
var strangeProtocols = []int{4, 41, 47, 50, 51, 132, 136, 253}

// leaks tries the internet from a phone that has no pass and tells what was
// not as it must be: what has reached it, what was answered, what was not
// refused at once. It is the quick part of the matrix.
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
