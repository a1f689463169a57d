package firewall_test

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// foreign puts other people's rules around ours, with sets, chains and tables
// of their own whose names are almost ours.
func (h *house) foreign() {
	h.t.Helper()
	h.run("ipset", "create", "theirs", "hash:ip", "timeout", "600")
	h.run("ipset", "add", "theirs", "192.0.2.7")
	for _, t := range []string{"iptables", "ip6tables"} {
		h.run(t, "-N", "HIENOS")
		h.run(t, "-A", "HIENOS", "-j", "RETURN")
		h.run(t, "-A", "INPUT", "-i", "lo", "-m", "comment", "--comment", `the "machine" itself`, "-j", "ACCEPT")
		h.run(t, "-A", "FORWARD", "-j", "HIENOS")
		h.run(t, "-A", "FORWARD", "-i", "wan", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT")
		h.run(t, "-t", "nat", "-A", "PREROUTING", "-i", "lan", "-p", "tcp", "--dport", "99", "-j", "REDIRECT", "--to-ports", "9")
		h.run(t, "-t", "mangle", "-A", "FORWARD", "-p", "tcp", "--tcp-flags", "SYN,RST", "SYN", "-j", "TCPMSS", "--clamp-mss-to-pmtu")
	}
	h.run("iptables", "-A", "FORWARD", "-m", "set", "--match-set", "theirs", "src", "-j", "DROP")
	h.run("nft", "add table inet hienos { chain forward { type filter hook forward priority 5; ip saddr 192.0.2.9 counter drop; }; }")
	h.run("nft", "add table ip hien { chain input { type filter hook input priority 5; }; }")
}

func TestApplyTwiceChangesNothing(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		h.foreign()
		p := h.join("phone")
		h.rules.Zones[0].DNSPort, h.rules.Zones[0].APIPort, h.rules.Masquerade = 2053, 2443, true
		h.rules.Zones[0].Garden = []netip.Prefix{netip.MustParsePrefix("203.0.113.7/24"), netip.MustParsePrefix("2001:db8:9::1/48")}
		h.rules.Zones[0].Speed = firewall.Speed{Up: 1 << 20, Down: 1 << 21}
		h.rules.Zones[0].AllSpeed = firewall.Speed{Up: 10 << 20, Down: 10 << 21}
		h.apply()
		if got := h.differences(); len(got) > 0 {
			t.Fatalf("after Apply: got %q, want no difference", got)
		}
		h.admit(p, time.Hour)
		p.Attempts(soon(t), p.Target) // so that rules have counted something
		before, counted := h.kernel(), h.counted()
		if counted == 0 {
			t.Fatal("nothing was counted: the counters prove nothing")
		}
		for range 2 {
			h.apply()
			if diff := cmp.Diff(before, h.kernel()); diff != "" {
				t.Errorf("Apply again: -before +after:\n%s", diff)
			}
			if again := h.counted(); again < counted {
				t.Errorf("Apply again has put the rules in anew: they have counted %d, before %d", again, counted)
			}
			h.door.Close() // and another process
			h.door = h.open()
		}
	})
}

var (
	refusals = regexp.MustCompile(`(?m)^\[(\d+):\d+\] -A HIEN-`)
	packets  = regexp.MustCompile(`counter packets (\d+)`)
)

// counted is how many packets our rules and sets have seen.
func (h *house) counted() (n int) {
	h.t.Helper()
	re, text := refusals, ""
	if h.back.Backend == firewall.NFTables {
		re, text = packets, h.run("nft", "list", "table", "inet", "hien")
	} else {
		text = h.run("iptables-save", "-c")
	}
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		packets, err := strconv.Atoi(m[1])
		if err != nil {
			h.t.Fatal(err)
		}
		n += packets
	}
	return n
}

func TestCleanupLeavesTheKernelAsItWas(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		h.foreign()
		before := h.kernel()
		h.apply()
		p := h.join("phone")
		h.admit(p, time.Hour)
		// Rules that came after ours, above and below the jump.
		h.run("iptables", "-I", "FORWARD", "-p", "tcp", "--dport", "25", "-j", "REJECT")
		h.run("iptables", "-A", "FORWARD", "-p", "udp", "-j", "ACCEPT")
		h.door.Close() // and the daemon is dead
		next := h.open()
		h.do(func() error { return next.Cleanup(soon(t)) })
		h.run("iptables", "-D", "FORWARD", "-p", "tcp", "--dport", "25", "-j", "REJECT")
		h.run("iptables", "-D", "FORWARD", "-p", "udp", "-j", "ACCEPT")
		after := h.kernel()
		if diff := cmp.Diff(withoutEmpty(before), withoutEmpty(after)); diff != "" {
			t.Errorf("-before +after:\n%s", diff)
		}
		h.do(func() error { return next.Cleanup(soon(t)) }) // once more, with nothing there
		if diff := cmp.Diff(after, h.kernel()); diff != "" {
			t.Errorf("the second time: -before +after:\n%s", diff)
		}
	})
}

// emptyTables are tables without a rule, which the tools make and keep: as
// iptables-save prints them, and as nft does.
var (
	emptyTables  = regexp.MustCompile(`\*\w+\n(:\w+ ACCEPT\n)*COMMIT\n`)
	emptyChains  = regexp.MustCompile(`\tchain [A-Z]+ \{\n\t\ttype [^\n]*\n\t\}\n`)
	blankLines   = regexp.MustCompile(`\n\s*\n`)
	emptyNFTable = regexp.MustCompile(`table ip6? \w+ \{\n\s*\}\n`)
)

// withoutEmpty is what the kernel has but for empty tables.
func withoutEmpty(text string) string {
	text = emptyChains.ReplaceAllString(emptyTables.ReplaceAllString(text, ""), "")
	return blankLines.ReplaceAllString(emptyNFTable.ReplaceAllString(text, ""), "\n")
}

// TestTheOtherBackEndIsTakenOut lets a router change from one packet filter
// to the other: nobody with a pass is asked to be cut, and nothing is left.
func TestTheOtherBackEndIsTakenOut(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		before := h.kernel()
		h.apply()
		h.back = backEnd{firewall.IPTables, e.variant}
		if e.Backend == firewall.IPTables {
			h.back.Backend = firewall.NFTables
		}
		h.door.Close()
		h.door = h.open()
		p := h.join("phone")
		h.apply()
		text := h.kernel()
		ours, theirs := strings.Contains(text, "table inet hien "), strings.Contains(text, "HIEN-")
		if want := h.back.Backend == firewall.NFTables; ours != want || theirs == want {
			t.Errorf("our nftables table is there: %v, our iptables chains: %v; want only those of %s", ours, theirs, h.back)
		}
		if got := leaks(h, p); len(got) > 0 {
			t.Errorf("without a pass:\n%s", strings.Join(got, "\n"))
		}
		h.cleanup()
		if diff := cmp.Diff(withoutEmpty(before), withoutEmpty(h.kernel())); diff != "" {
			t.Errorf("-before +after:\n%s", diff)
		}
	})
}

func TestZonesComeAndGo(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		before := h.kernel()
		for _, name := range []string{"one", "quán cà phê", "guest"} {
			h.rules.Zones[0].Name = name
			h.apply()
			if got := h.differences(); len(got) > 0 {
				t.Errorf("zone %s: %q", name, got)
			}
		}
		h.do(func() error { return h.door.Apply(soon(t), firewall.Ruleset{}) })
		if got := h.differences(); len(got) > 0 {
			t.Errorf("no zone: %q", got)
		}
		h.cleanup()
		if diff := cmp.Diff(withoutEmpty(before), withoutEmpty(h.kernel())); diff != "" {
			t.Errorf("-before +after:\n%s", diff)
		}
	})
}

// strangers are what other programs may put among ours.
func (h *house) strangers() [][]string {
	if h.back.Backend == firewall.NFTables {
		return [][]string{
			{"nft insert rule inet hien forward accept"},
			{"nft add rule inet hien refuse log"},
			{"nft insert rule inet hien services_guest tcp dport 22 accept"},
			{"nft insert rule inet hien captive_guest ip daddr { 192.0.2.0/24, 198.51.100.7 } accept"},
			{"nft insert rule inet hien forward ct state established quota over 10 mbytes accept"},
			{"nft add chain inet hien theirs", "nft add rule inet hien theirs accept", "nft insert rule inet hien input jump theirs"},
			{"nft add chain inet hien early { type filter hook prerouting priority -300; policy drop; }"},
			{"nft add chain inet hien forward { policy drop; }"},
			{"nft add set inet hien theirs { type ipv4_addr; }"},
			{"nft add counter inet hien theirs"},
			{"nft flush chain inet hien portal_guest", "nft flush chain inet hien captive_guest", "nft flush chain inet hien elsewhere_guest", "nft delete set inet hien garden4_guest"},
		}
	}
	return [][]string{
		{"iptables -I HIEN-FORWARD -j ACCEPT"},
		{"iptables -A HIEN-REJECT -j RETURN"},
		{"iptables -A FORWARD -j HIEN-FORWARD"},
		{"iptables -I FORWARD -p icmp -j ACCEPT", "iptables -D FORWARD -j HIEN-FORWARD", "iptables -A FORWARD -j HIEN-FORWARD", "iptables -D FORWARD -p icmp -j ACCEPT"},
		{"iptables -t nat -N HIEN-N-old"},
		{"ipset create HIEN-6a-old hash:ip family inet6"},
	}
}

func TestCheckFindsAndApplyMends(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		h.foreign()
		p := h.join("phone")
		h.rules.Zones[0].Speed, h.rules.Masquerade = firewall.Speed{Down: 1 << 24, Up: 1 << 24}, true // else a chain is empty
		h.apply()
		h.admit(p, time.Hour)
		want := h.kernel()
		h.refill = func(context.Context) { h.admit(p, time.Hour) }
		four, six := h.dial(p, p.Target.V4), h.dial(p, p.Target.V6)
		deeds := append(h.breaks(), h.strangers()...)
		for _, deeds := range deeds {
			name := strings.Join(deeds, ", ")
			for _, deed := range deeds {
				h.line(deed)
			}
			found := h.differences()
			if len(found) == 0 {
				t.Errorf("after %s Check finds nothing", name)
			}
			h.apply()
			if got := h.differences(); len(got) > 0 {
				t.Errorf("after %s, found %q, and Apply: got %q, want none", name, found, got)
			}
			if diff := cmp.Diff(blocks(want), blocks(h.kernel())); diff != "" {
				t.Errorf("after %s, found %q: -before +after:\n%s", name, found, diff)
			}
			if err := echo(four); err != nil {
				t.Fatalf("IPv4 after %s: %v", name, err)
			}
			if err := echo(six); err != nil {
				t.Fatalf("IPv6 after %s: %v", name, err)
			}
		}
		t.Logf("%d deeds", len(deeds))
	})
}

// blocks are the lines, sorted: tools print chains and sets in the order in
// which they were made.
func blocks(text string) []string {
	return slices.Sorted(strings.Lines(withoutEmpty(text)))
}
