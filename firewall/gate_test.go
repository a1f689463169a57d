package firewall_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
	"golang.org/x/sys/unix"
)

// bareHouse is a world whose router has services on every address and no door.
func bareHouse(t testing.TB, o world.Options) *house {
	t.Helper()
	world.Need(t)
	o.NoCDP = true
	w, err := world.New(soon(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the router's own page") })
	for _, port := range append([]int{portalPort}, routerPorts...) {
		l, err := w.Router.Listen("tcp", fmt.Sprint(":", port))
		if err != nil {
			t.Fatal(err)
		}
		w.Internet.ServeHTTP(l, page, nil, false)
	}
	return &house{t: t, World: w}
}

func (h *house) shutGate(interfaces ...string) {
	h.t.Helper()
	h.do(func() error { return firewall.ShutGate(soon(h.t), interfaces, 0) })
}

func (h *house) gateState() (g firewall.Gate) {
	h.t.Helper()
	h.do(func() (err error) {
		g, err = firewall.GateState(soon(h.t))
		return err
	})
	return g
}

// policyRules are all policy rules as ip tells them.
func (h *house) policyRules() string {
	h.t.Helper()
	return h.run("ip", "-4", "-d", "rule") + h.run("ip", "-6", "-d", "rule")
}

// opened is what a phone gets through without a mark, nothing when the gate
// is as it should be.
func opened(h *house, p *world.Phone) (found []string) {
	h.t.Helper()
	h.flush()
	before := h.Internet.SeenAt(p.Target)
	for _, a := range p.Attempts(soon(h.t), p.Target) {
		// The kernel sends few ICMP errors for unreachable routes, whatever a
		// namespace says, so that a refusal may feel like a drop.
		if a.Answered() {
			found = append(found, a.String()+"; want a refusal")
		}
	}
	for _, to := range p.Target.Addrs() {
		for _, proto := range strangeProtocols {
			if err := raw(p.Node, proto, to); err != nil && !errors.Is(err, unix.EHOSTUNREACH) {
				h.t.Fatal(err)
			}
		}
	}
	h.flush()
	if after := h.Internet.SeenAt(p.Target); after != before {
		found = append(found, fmt.Sprintf("the internet has seen %+v, before %+v", after, before))
	}
	return append(found, answering(h, p, append(routerPorts, portalPort)...)...)
}

// answering are the router's ports that answer the phone, on any address, and
// the shop's computer if it does.
func answering(h *house, p *world.Phone, ports ...int) (found []string) {
	h.t.Helper()
	local := netip.MustParseAddr("fe80::48:69ff:feea:1%wlan0") // of br-guest's MAC
	to := []netip.AddrPort{}
	for _, a := range []netip.Addr{h.Router.GuestV4(), h.Router.GuestV6(), h.Router.WANV4(), h.Router.WANV6(), local} {
		for _, port := range ports {
			to = append(to, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	if h.Shop != nil {
		to = append(to, netip.MustParseAddrPort("192.168.1.10:80"), netip.MustParseAddrPort("192.168.1.1:22"))
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, to := range to {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(soon(h.t), world.AttemptPatience)
			defer cancel()
			c, err := p.Dial(ctx, "tcp", to.String())
			if err == nil {
				c.Close()
				mu.Lock()
				found = append(found, fmt.Sprintf("tcp to %s: it answers; want a refusal", to))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return found
}

// TestTheGateAlone shuts the gate where there is no packet filter of ours, as
// an installation does before the daemon first runs.
func TestTheGateAlone(t *testing.T) {
	h := bareHouse(t, world.Options{LAN: true})
	early := h.join("early")
	if got := opened(h, early); len(got) == 0 {
		t.Fatal("before the gate is shut nothing is open: the test proves nothing")
	}
	before := h.policyRules()
	h.shutGate(world.GuestBridge)
	p := h.join("phone") // which takes ARP, neighbour discovery, DHCP and router advertisements
	for _, p := range []*world.Phone{early, p} {
		if got := opened(h, p); len(got) > 0 {
			t.Errorf("%s, with the gate shut:\n%s", p.Name, strings.Join(got, "\n"))
		}
	}
	for _, network := range []string{"ip4", "ip6"} {
		if _, err := p.Lookup(soon(t), network, "example.vn"); err != nil {
			t.Errorf("DNS by the router: %v", err)
		}
	}
	for _, a := range []netip.Addr{h.Router.GuestV4(), h.Router.GuestV6()} {
		if err := p.Ping(soon(t), a); err != nil {
			t.Errorf("ping the router: %v", err)
		}
	}
	for _, to := range []string{"192.168.1.1:22", "192.168.1.1:80"} {
		c, err := h.Shop.Dial(soon(t), "tcp", to)
		if err != nil {
			t.Errorf("the shop's computer to its router: %v", err)
			continue
		}
		c.Close()
	}
	if err := h.Shop.Ping(soon(t), p.Target.V4); err != nil {
		t.Errorf("the shop's computer to the internet: %v", err)
	}
	for _, to := range p.Target.Addrs() {
		if err := h.Router.Ping(soon(t), to); err != nil {
			t.Errorf("the router itself to the internet: %v", err)
		}
	}
	if g := h.gateState(); !g.Complete || !slices.Equal(g.Interfaces, []string{world.GuestBridge}) || g.Mark != firewall.DefaultMark || g.ForwardOnly {
		t.Errorf("got %+v, want it shut for br-guest", g)
	}

	// With the mark everything is routed on.
	h.run("nft", "add table inet test; add chain inet test c { type filter hook prerouting priority -90; }; "+
		"add rule inet test c iifname br-guest meta mark set meta mark or 0x1000000")
	for _, a := range p.Attempts(soon(t), p.Target) {
		if !a.Answered() {
			t.Errorf("with the mark: %s", a)
		}
	}
	h.run("nft", "flush", "ruleset") // takes the router's address translation too
	if got := opened(h, p); len(got) > 0 {
		t.Errorf("after nft flush ruleset:\n%s", strings.Join(got, "\n"))
	}
	for _, f := range []string{"-4", "-6"} {
		h.run("ip", f, "rule", "flush")
	}
	for _, f := range []string{"-4", "-6"} {
		h.run("ip", f, "rule", "add", "pref", "32766", "lookup", "main", "protocol", "kernel")
	}
	h.run("ip", "-4", "rule", "add", "pref", "32767", "lookup", "default", "protocol", "kernel")
	if got := opened(h, p); len(got) > 0 || !h.gateState().Complete {
		t.Errorf("after ip rule flush: %+v\n%s", h.gateState(), strings.Join(got, "\n"))
	}

	h.do(func() error { return firewall.OpenGate(soon(t)) })
	if diff := cmp.Diff(before, h.policyRules()); diff != "" {
		t.Errorf("opened, the rules are not as before (-want +got):\n%s", diff)
	}
	if g := h.gateState(); g.Complete || len(g.Interfaces) > 0 || len(g.Faults) > 0 {
		t.Errorf("got %+v, want it open", g)
	}
}

// TestTheGateIsForEachFamily is the negative control: without one family's
// half the test above would have seen it.
func TestTheGateIsForEachFamily(t *testing.T) {
	h := bareHouse(t, world.Options{})
	p := h.join("phone")
	for flag, want := range map[string]string{"-4": "to 198.18.", "-6": "to 2001:db8:"} {
		h.shutGate(world.GuestBridge)
		for strings.Contains(h.run("ip", flag, "rule"), "[detached]") || strings.Contains(h.run("ip", flag, "rule"), "iif br-guest") {
			h.run("ip", flag, "rule", "del", "pref", "0", "iif", "br-guest", "protocol", "104")
		}
		if got := opened(h, p); !contains(got, want) {
			t.Errorf("without %s: found %q, want one with %q", flag, got, want)
		}
		if g := h.gateState(); g.Complete || !contains(g.Faults, "it is open for br-guest") {
			t.Errorf("without %s: got %+v, want that it is open", flag, g)
		}
	}
}

func TestTheGateOfAnInterfaceThatComesAndGoes(t *testing.T) {
	h := bareHouse(t, world.Options{NoGuestBridge: true})
	news := ruleNews(t, h)
	h.shutGate(world.GuestBridge)
	news()
	for i := range 2 {
		if g := h.gateState(); !g.Complete {
			t.Errorf("without the interface: %+v", g)
		}
		if err := h.Router.AddGuestBridge(); err != nil {
			t.Fatal(err)
		}
		if err := h.Router.AwaitGuestBridge(soon(t)); err != nil {
			t.Fatal(err)
		}
		if g := h.gateState(); !g.Complete {
			t.Errorf("with the interface: %+v", g)
		}
		h.shutGate(world.GuestBridge)
		if got := news(); len(got) > 0 {
			t.Errorf("shut again when the interface has come: %q, want no change", got)
		}
		p := h.join(fmt.Sprint("phone", i))
		if got := opened(h, p); len(got) > 0 {
			t.Errorf("through the gate:\n%s", strings.Join(got, "\n"))
		}
		if err := p.LinkDown(); err != nil {
			t.Fatal(err)
		}
		if err := h.Router.RemoveGuestBridge(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheGateLeavesOthersRules lets the same gate stand as the system's own
// configuration may have it, at another preference.
func TestTheGateLeavesOthersRules(t *testing.T) {
	h := bareHouse(t, world.Options{})
	for _, f := range []string{"-4", "-6"} {
		h.run("ip", f, "rule", "add", "pref", "100", "iif", world.GuestBridge, "fwmark", "0x1000000/0x1000000", "goto", "102")
		h.run("ip", f, "rule", "add", "pref", "101", "iif", world.GuestBridge, "type", "unreachable")
		h.run("ip", f, "rule", "add", "pref", "102", "type", "nop")
		h.run("ip", f, "rule", "add", "pref", "1001", "fwmark", "0x100/0x3f00", "lookup", "7")
	}
	before := h.policyRules()
	if g := h.gateState(); len(g.Interfaces) > 0 || len(g.Faults) > 0 {
		t.Errorf("another gate passes for ours: %+v", g)
	}
	h.shutGate(world.GuestBridge)
	h.do(func() error { return firewall.OpenGate(soon(t)) })
	if diff := cmp.Diff(before, h.policyRules()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
