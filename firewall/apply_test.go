package firewall_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// foreign puts other people's rules around ours: one before the jump's place,
// one behind, with quotes, and a set and chains of their own.
func (h *house) foreign() {
	h.t.Helper()
	h.run("ipset", "create", "theirs", "hash:ip", "timeout", "600")
	h.run("ipset", "add", "theirs", "192.0.2.7")
	for _, t := range []string{"iptables", "ip6tables"} {
		h.run(t, "-N", "HIENOS") // almost our name
		h.run(t, "-A", "HIENOS", "-j", "RETURN")
		h.run(t, "-A", "INPUT", "-i", "lo", "-m", "comment", "--comment", `the "machine" itself`, "-j", "ACCEPT")
		h.run(t, "-A", "FORWARD", "-j", "HIENOS")
		h.run(t, "-A", "FORWARD", "-i", "wan", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT")
		h.run(t, "-t", "nat", "-A", "PREROUTING", "-i", "lan", "-p", "tcp", "--dport", "99", "-j", "REDIRECT", "--to-ports", "9")
		h.run(t, "-t", "mangle", "-A", "FORWARD", "-p", "tcp", "--tcp-flags", "SYN,RST", "SYN", "-j", "TCPMSS", "--clamp-mss-to-pmtu")
	}
	h.run("iptables", "-A", "FORWARD", "-m", "set", "--match-set", "theirs", "src", "-j", "DROP")
}

func TestApplyTwiceChangesNothing(t *testing.T) {
	variants(t, func(t *testing.T) {
		h := newHouse(t, world.Options{IPTables: "iptables"})
		h.foreign()
		p := h.join("phone")
		h.apply()
		if got := h.differences(); len(got) > 0 {
			t.Fatalf("after Apply: got %q, want no difference", got)
		}
		p.Attempts(soon(t), p.Target) // so that rules have counted something
		before, refused := h.kernel(), h.refused()
		if refused == 0 {
			t.Fatal("nothing was refused: the counters prove nothing")
		}
		h.apply()
		if diff := cmp.Diff(before, h.kernel()); diff != "" {
			t.Errorf("the second Apply: -before +after:\n%s", diff)
		}
		if again := h.refused(); again < refused {
			t.Errorf("the second Apply has put the rules in anew: %d refused after it, %d before", again, refused)
		}
	})
}

var refusals = regexp.MustCompile(`(?m)^\[(\d+):\d+\] -A HIEN-REJECT`)

// refused is how many packets have met the rules that refuse.
func (h *house) refused() (n int) {
	h.t.Helper()
	for _, m := range refusals.FindAllStringSubmatch(h.run("iptables-save", "-c"), -1) {
		packets, err := strconv.Atoi(m[1])
		if err != nil {
			h.t.Fatal(err)
		}
		n += packets
	}
	return n
}

func TestCleanupLeavesTheKernelAsItWas(t *testing.T) {
	variants(t, func(t *testing.T) {
		h := newHouse(t, world.Options{IPTables: "iptables"})
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
		if diff := cmp.Diff(before, h.kernel()); diff != "" {
			t.Errorf("-before +after:\n%s", diff)
		}
		h.do(func() error { return next.Cleanup(soon(t)) }) // once more, with nothing there
		if diff := cmp.Diff(before, h.kernel()); diff != "" {
			t.Errorf("the second time: -before +after:\n%s", diff)
		}
	})
}

func TestCleanupFindsLeftovers(t *testing.T) {
	h := newHouse(t, world.Options{})
	before := h.kernel()
	for _, name := range []string{"one", "quán cà phê"} {
		h.rules.Zones[0].Name = name
		h.apply()
		h.do(func() error { return h.door.Apply(soon(t), firewall.Ruleset{}) })
	}
	// What a killed run or a stranger may leave: a passing set, a second
	// jump, a jump with a condition and a comment, a chain that another one
	// of ours uses.
	h.rules.Zones[0].Name = "guest"
	h.apply()
	h.run("ipset", "create", "HIEN-4b-guest-new", "bitmap:ip,mac", "range", "10.0.0.0/24")
	h.run("iptables", "-A", "FORWARD", "-j", "HIEN-FORWARD")
	h.run("iptables", "-A", "INPUT", "-i", "eth9", "-m", "comment", "--comment", "a \"b\" c", "-j", "HIEN-INPUT")
	h.run("ip6tables", "-N", "HIEN-OLD")
	h.run("ip6tables", "-A", "HIEN-REJECT", "-j", "HIEN-OLD")
	h.do(func() error { return h.door.Cleanup(soon(t)) })
	after := emptyTables.ReplaceAllString(h.kernel(), "")
	if diff := cmp.Diff(emptyTables.ReplaceAllString(before, ""), after); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

// emptyTables are tables without a rule, which the tools make and keep.
var emptyTables = regexp.MustCompile(`\*\w+\n(:\w+ ACCEPT\n)*COMMIT\n`)

func TestCheckFindsAndApplyMends(t *testing.T) {
	variants(t, func(t *testing.T) {
		h := newHouse(t, world.Options{IPTables: "iptables"})
		h.foreign()
		p := h.join("phone")
		h.apply()
		h.admit(p, time.Hour)
		want := h.kernel()
		for name, c := range map[string]struct {
			deeds  []string
			want   string
			passes int // that survive, of two
		}{
			"a rule of ours deleted":         {[]string{"iptables -D HIEN-F-guest -j HIEN-REJECT"}, "IPv4 filter HIEN-F-guest: the rules were changed", 2},
			"a rule added to our chain":      {[]string{"ip6tables -I HIEN-F-guest -j RETURN"}, "IPv6 filter HIEN-F-guest: the rules were changed", 2},
			"a rule of ours replaced":        {[]string{"iptables -t nat -R HIEN-N-guest 2 -p tcp --dport 81 -j REDIRECT --to-ports 2050"}, "IPv4 nat HIEN-N-guest: the rules were changed", 2},
			"a rule before the jump":         {[]string{"iptables -I FORWARD -p icmp -j ACCEPT", "iptables -D FORWARD -j HIEN-FORWARD", "iptables -A FORWARD -j HIEN-FORWARD", "iptables -D FORWARD -p icmp -j ACCEPT"}, "the jump to HIEN-FORWARD is in place", 2},
			"the jump twice, at the end too": {[]string{"ip6tables -A INPUT -j HIEN-INPUT"}, "IPv6 filter INPUT: the jump to HIEN-INPUT is there 2 times", 2},
			"the jump is gone":               {[]string{"iptables -D INPUT -j HIEN-INPUT"}, "IPv4 filter INPUT: the jump to HIEN-INPUT is missing", 2},
			"the redirect's jump is gone":    {[]string{"ip6tables -t nat -D PREROUTING -j HIEN-PREROUTING"}, "IPv6 nat PREROUTING: the jump to HIEN-PREROUTING is missing", 2},
			"a chain emptied":                {[]string{"iptables -F HIEN-I-guest"}, "IPv4 filter HIEN-I-guest: the chain was emptied", 2},
			"a chain deleted":                {[]string{"iptables -F HIEN-FORWARD", "iptables -F HIEN-F-guest", "iptables -X HIEN-F-guest"}, "IPv4 filter HIEN-F-guest: the chain is missing", 2},
			"a chain of a zone that is gone": {[]string{"iptables -t nat -N HIEN-N-old"}, "IPv4 nat HIEN-N-old: the chain is left over", 2},
			"a set is gone":                  {[]string{"iptables -F HIEN-F-guest", "iptables -t nat -F HIEN-N-guest", "ipset destroy HIEN-4b-guest"}, "set HIEN-4b-guest: it is missing", 1},
			"a set of another kind":          {[]string{"ipset create x bitmap:ip,mac range 10.9.0.0/24 timeout 0", "ipset swap x HIEN-4b-guest", "ipset destroy x"}, "set HIEN-4b-guest: it is another kind of set", 1},
			"a set of a zone that is gone":   {[]string{"ipset create HIEN-6a-old hash:ip family inet6"}, "set HIEN-6a-old: it is left over", 2},
		} {
			t.Run(name, func(t *testing.T) {
				for _, deed := range c.deeds {
					h.run(strings.Fields(deed)...)
				}
				if got := h.differences(); !contains(got, c.want) {
					t.Errorf("Check: got %q, want one with %q", got, c.want)
				}
				h.apply()
				if got := h.differences(); len(got) > 0 {
					t.Errorf("after Apply: got %q, want none", got)
				}
				passes, err := h.door.Passes(soon(t))
				if err != nil || len(passes) != c.passes {
					t.Errorf("got %d passes (%v), want %d", len(passes), err, c.passes)
				}
				h.admit(p, time.Hour)
				if diff := cmp.Diff(blocks(want), blocks(h.kernel())); diff != "" {
					t.Errorf("-before +after:\n%s", diff)
				}
			})
		}
	})
}

// blocks are the lines, sorted: tools print chains and sets in the order in
// which they were made.
func blocks(text string) []string {
	return slices.Sorted(strings.Lines(text))
}

func TestOthersFlushIsRepairedAndRunningConnectionsLive(t *testing.T) {
	h := newHouse(t, world.Options{})
	p, q := h.join("in"), h.join("out")
	h.apply()
	h.admit(p, time.Hour)
	four, six := h.dial(p, p.Target.V4), h.dial(p, p.Target.V6)

	ctx, cancel := context.WithCancel(t.Context())
	repaired := make(chan struct{}, 100)
	ended := h.inRouter(func() error {
		return h.door.Keep(ctx, 20*time.Millisecond, func() { repaired <- struct{}{} })
	})
	for i, flush := range []string{"iptables -F FORWARD", "ip6tables -F", "iptables -t nat -D PREROUTING -j HIEN-PREROUTING", "ip6tables -F HIEN-FORWARD"} {
		h.run(strings.Fields(flush)...)
		select {
		case <-repaired:
		case <-soon(t).Done():
			t.Fatalf("%s was not repaired", flush)
		}
		if got := h.differences(); len(got) > 0 {
			t.Errorf("after %s: got %q", flush, got)
		}
		if got := h.door.Repairs(); got < uint64(i+1) {
			t.Errorf("got %d repairs, want at least %d", got, i+1)
		}
		if err := echo(four); err != nil {
			t.Errorf("IPv4 after %s: %v", flush, err)
		}
		if err := echo(six); err != nil {
			t.Errorf("IPv6 after %s: %v", flush, err)
		}
	}
	if got := leaks(h, q); len(got) > 0 {
		t.Errorf("after the repairs:\n%s", strings.Join(got, "\n"))
	}
	// A released door stays as it is; a new Apply keeps it again.
	h.door.Release()
	n := h.door.Repairs()
	h.run("iptables", "-D", "FORWARD", "-j", "HIEN-FORWARD")
	if got := h.differences(); got != nil {
		t.Errorf("after Release Check finds %q", got)
	}
	h.apply()
	h.run("iptables", "-D", "FORWARD", "-j", "HIEN-FORWARD")
	select {
	case <-repaired:
	case <-soon(t).Done():
		t.Fatal("not kept after a new Apply")
	}
	if got := h.door.Repairs(); got != n+1 {
		t.Errorf("got %d repairs, want %d: none while released, one after", got, n+1)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Keep: got %v, want nil when its context ends", err)
	}
}

func TestARestartCutsNobody(t *testing.T) {
	h := newHouse(t, world.Options{})
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
	// A wider network: the set is another one, its members are the same.
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
	got, err := h.door.Passes(soon(t))
	if err != nil || len(got) != 2 {
		t.Fatalf("got %v %v, want two passes", got, err)
	}
	for i := range got {
		if w := want[i]; got[i].Addr != w.Addr || got[i].MAC != w.MAC || got[i].Left > w.Left || got[i].Left < w.Left-time.Minute {
			t.Errorf("got %v, want %v with little less time", got[i], w)
		}
	}
}

func TestAZoneThatIsNotThereYetIsShutFromItsFirstPacket(t *testing.T) {
	h := newHouse(t, world.Options{NoGuestBridge: true})
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
	if v4, v6 := reached(); v4 || !v6 {
		t.Errorf("before the network is known: IPv4 %v, IPv6 %v; want false, true", v4, v6)
	}
	h.rules.Zones[0].Prefix = prefix
	h.apply()
	h.admit(p, time.Hour)
	if v4, v6 := reached(); !v4 || !v6 {
		t.Errorf("after it is: IPv4 %v, IPv6 %v; want both", v4, v6)
	}
}

func TestAdmitAfterCleanup(t *testing.T) {
	h := newHouse(t, world.Options{})
	h.apply()
	h.do(func() error { return h.door.Cleanup(soon(t)) })
	id := hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0x10, 0, 1}}
	if err := h.door.Admit(soon(t), id, []netip.Addr{netip.MustParseAddr("10.77.0.9")}, time.Hour); err != nil {
		t.Errorf("nobody is kept out, and yet: %v", err)
	}
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	world.Need(t)
	has := func(names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Fatal(err)
			}
			if path, err = filepath.EvalSymlinks(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	four := []string{"iptables", "iptables-save", "iptables-restore"}
	for name, c := range map[string]struct {
		path string
		want []string
	}{
		"nothing is there": {has(), []string{
			"iptables is missing: install the package iptables (Debian, Ubuntu) or iptables-nft (OpenWrt)",
			"iptables-save is missing", "iptables-restore is missing",
			"ip6tables is missing: install the package iptables (Debian, Ubuntu) or ip6tables-nft (OpenWrt)",
			"ipset is missing: install the package ipset (Debian, Ubuntu) or ipset and kmod-ipt-ipset (OpenWrt)",
		}},
		"only IPv6 is missing": {has(append(four, "ipset")...), []string{"ip6tables is missing", "ip6tables-save is missing", "ip6tables-restore is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", c.path)
			f, err := firewall.Open(soon(t), firewall.Options{})
			if err == nil {
				f.Close()
				t.Fatal("Open has found what is not there")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
		})
	}
}
