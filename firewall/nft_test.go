package firewall

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables/expr"
	"github.com/hien-wifi/hien"
	"golang.org/x/sys/unix"
)

var fullRuleset = Ruleset{Uplinks: []string{"wan", "wan2"}, Masquerade: true, Zones: []Zone{
	{
		Name: "guest", Interface: "br-guest", PortalPort: 2050, DNSPort: 2053, APIPort: 2443,
		Garden: prefixes("203.0.113.0/24", "203.0.112.0/24", "192.168.5.5/32", "2001:db8::/32"),
		Speed:  Speed{Down: 1_000_000, Up: 500_000}, AllSpeed: Speed{Down: 5_000_000, Up: 2_000_000},
	},
	{Name: "sân thượng", Interface: "br-guest.30", PortalPort: 2051},
}}

func TestTheTableAsText(t *testing.T) {
	for name, r := range map[string]Ruleset{
		"nft-full":     fullRuleset,
		"nft-one-zone": {Uplinks: []string{"wan"}, Zones: []Zone{{Name: "guest", Interface: "wlan1", PortalPort: 2050}}},
		"nft-no-zones": {},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, r.nftables().String()) })
	}
}

func TestRanges(t *testing.T) {
	for name, c := range map[string]struct{ in, want []string }{
		"nothing":                    {nil, nil},
		"one":                        {[]string{"192.0.2.0/24"}, []string{"192.0.2.0", "behind 192.0.3.0"}},
		"side by side":               {[]string{"192.0.3.0/24", "192.0.2.0/24"}, []string{"192.0.2.0", "behind 192.0.4.0"}},
		"one inside of another":      {[]string{"192.0.2.0/24", "192.0.2.8/32", "192.0.4.0/32"}, []string{"192.0.2.0", "192.0.4.0", "behind 192.0.3.0", "behind 192.0.4.1"}},
		"up to the end":              {[]string{"224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32"}, []string{"224.0.0.0"}},
		"host bits do not count":     {[]string{"192.0.2.77/24"}, []string{"192.0.2.0", "behind 192.0.3.0"}},
		"IPv6, and up to its end":    {[]string{"2001:db8::/32", "ff00::/8"}, []string{"2001:db8::", "behind 2001:db9::", "ff00::"}},
		"the same twice is once":     {[]string{"192.0.2.0/24", "192.0.2.0/24"}, []string{"192.0.2.0", "behind 192.0.3.0"}},
		"from the beginning of all ": {[]string{"0.0.0.0/8"}, []string{"0.0.0.0", "behind 1.0.0.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, networks("x", false, prefixes(c.in...)).elements()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever is not ours must not read as ours.
func TestRuleTextHidesNothing(t *testing.T) {
	ours := []expr.Any{&expr.Counter{Bytes: 1, Packets: 2}, &expr.Verdict{Kind: expr.VerdictReturn}}
	plain := ruleText(expressions(ours))
	if other := ruleText(expressions([]expr.Any{&expr.Counter{Bytes: 99}, &expr.Verdict{Kind: expr.VerdictReturn}})); other != plain {
		t.Errorf("what was counted makes a difference: %q and %q", plain, other)
	}
	raw := func(name string, data ...byte) []byte {
		var m messages
		at := m.nest(unix.NFTA_LIST_ELEM)
		m.text(unix.NFTA_EXPR_NAME, name)
		m.raw(unix.NFTA_EXPR_DATA|unix.NLA_F_NESTED, data)
		m.close(at)
		return m.b
	}
	seen := map[string]string{plain: "ours"}
	for name, b := range map[string][]byte{
		"an expression that nobody knows":        append(raw("nosuch"), expressions(ours)...),
		"the same with data":                     append(raw("nosuch", 8, 0, 1, 0, 1, 2, 3, 4), expressions(ours)...),
		"an attribute that nobody knows":         append(raw("counter", 8, 0, 77, 0, 1, 2, 3, 4), expressions(ours)[16:]...),
		"another verdict":                        expressions([]expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictAccept}}),
		"a verdict without a name":               expressions([]expr.Any{&expr.Counter{}, &expr.Verdict{Kind: 77}}),
		"a jump":                                 expressions([]expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictJump, Chain: "x"}}),
		"a jump elsewhere":                       expressions([]expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictJump, Chain: "y"}}),
		"an inverted lookup":                     expressions([]expr.Any{&expr.Lookup{SourceRegister: 1, SetName: "s", Invert: true}}),
		"a lookup":                               expressions([]expr.Any{&expr.Lookup{SourceRegister: 1, SetName: "s"}}),
		"a lookup into a register":               expressions([]expr.Any{&expr.Lookup{SourceRegister: 1, SetName: "s", IsDestRegSet: true, DestRegister: 2}}),
		"a register's other name, not the first": expressions([]expr.Any{&expr.Lookup{SourceRegister: unix.NFT_REG32_01, SetName: "s"}}),
		"a limit":                                expressions(exceeds(1000)),
		"another limit":                          expressions(exceeds(1001)),
		"a limit for each":                       expressions(eachExceeds(address(sender, false), "s", 1000)),
		"another limit for each":                 expressions(eachExceeds(address(sender, false), "s", 1001)),
		"a limit for the others":                 expressions(eachExceeds(address(receiver, false), "s", 1000)),
	} {
		text := ruleText(b)
		if as, ok := seen[text]; ok {
			t.Errorf("%s reads as %s: %q", name, as, text)
		}
		seen[text] = name
	}
	one, other := expressions([]expr.Any{&expr.Lookup{SourceRegister: 1, SetName: "s"}}), expressions([]expr.Any{&expr.Lookup{SourceRegister: unix.NFT_REG32_00, SetName: "s"}})
	if ruleText(one) != ruleText(other) {
		t.Errorf("one register reads as two: %q and %q", ruleText(one), ruleText(other))
	}
}

// TestWhatIsMissingIsNamed asks the kernel for what no kernel has.
func TestWhatIsMissingIsNamed(t *testing.T) {
	w := newNamespace(t)
	if err := w.try(nftParts()); err != nil {
		t.Errorf("this kernel has everything, and yet: %v", err)
	}
	bogus := func(what, name string) nftPart {
		return nftPart{what, func(m *messages) {
			at := m.nft(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, what)
			m.ownTable(unix.NFTA_RULE_TABLE)
			m.text(unix.NFTA_RULE_CHAIN, "filter")
			list := m.nest(unix.NFTA_RULE_EXPRESSIONS)
			e := m.nest(unix.NFTA_LIST_ELEM)
			m.text(unix.NFTA_EXPR_NAME, name)
			m.close(e)
			m.close(list)
			m.shut(at)
		}}
	}
	parts := append(nftParts(), bogus("teleporting (kmod-nft-teleport)", "teleport"), bogus("mind reading", "mind"), bogus("mind reading", "mind2"))
	err := w.try(parts)
	for _, want := range []string{"the kernel lacks teleporting (kmod-nft-teleport)", "the kernel lacks mind reading"} {
		if err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("got %v, want it to say once %q", err, want)
		}
	}
	if out := runNFT(t, "list", "ruleset"); out != "" {
		t.Errorf("asking has left something:\n%s", out)
	}
}

// newNamespace is a wire into a namespace of the test's own, in whose thread
// the test goes on.
func newNamespace(t testing.TB) *nftWire {
	t.Helper()
	runtime.LockOSThread() // and never unlock: the namespace goes with the thread
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	w, err := openNFTWire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.close() })
	return w
}

func runNFT(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("nft", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %v: %v: %s", args, err, out)
	}
	return string(out)
}

func newNFT(t testing.TB) *nftables {
	t.Helper()
	newNamespace(t).close()
	b, err := openNFTables(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.close() })
	return b.(*nftables)
}

// hold applies and returns whether sets were lost.
func (b *nftables) hold(t testing.TB, r Ruleset) (lost bool) {
	t.Helper()
	ready := false
	if err := b.apply(t.Context(), r, func(anew bool) { ready, lost = true, lost || anew }); err != nil {
		t.Fatal(err)
	}
	if !ready {
		t.Error("apply has not said that it is ready")
	}
	if left, err := b.differences(t.Context(), r); err != nil || len(left) > 0 {
		t.Fatalf("after apply: %q %v", left, err)
	}
	return lost
}

func aGuest(i byte) []entry {
	mac := hien.MAC{2, 0, 0x5e, 0x10, 0, i}
	v4, v6 := netip.AddrFrom4([4]byte{10, 77, 0, i}), netip.MustParseAddr("2001:db8:77::9")
	return []entry{
		{passes4, member{addr: v4, mac: mac, left: time.Hour}}, {passes6, member{mac: mac, left: time.Hour}},
		{down4, member{addr: v4, left: time.Hour}}, {down6, member{addr: v6, left: time.Hour}},
	}
}

// TestMembersOutliveATableThatIsMadeAnew breaks what cannot be mended in
// place: the table is made anew, and the guests are in it with their counts.
func TestMembersOutliveATableThatIsMadeAnew(t *testing.T) {
	b := newNFT(t)
	if !b.hold(t, fullRuleset) {
		t.Error("the first apply has found sets of guests")
	}
	z := fullRuleset.Zones[0]
	for i := range 250 {
		es := aGuest(byte(i))
		for j := range es {
			es[j].bytes = uint64(i) * 1000
		}
		var m messages
		m.begin()
		for _, e := range es {
			m.fill(z.memberSet(e.set), []member{e.member})
		}
		if err := b.wire.commit(&m); err != nil {
			t.Fatal(err)
		}
	}
	sum := func() (all map[setID]int, bytes uint64) {
		all = map[setID]int{}
		for _, id := range setIDs {
			members, err := b.members(t.Context(), z, id)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range members {
				bytes += m.bytes
				if m.left < 59*time.Minute || m.left > time.Hour {
					t.Fatalf("%s: %s is left, want an hour", id, m.left)
				}
			}
			all[id] = len(members)
		}
		return all, bytes
	}
	want, wantBytes := sum()
	if want[passes4] != 250 || wantBytes == 0 {
		t.Fatalf("got %v with %d bytes", want, wantBytes)
	}
	for _, deeds := range [][]string{
		{"add table inet hien { flags dormant; }"},
		{"add counter inet hien theirs", "insert rule inet hien forward counter name theirs"},
		{"add map inet hien jumps { type ipv4_addr : verdict; }", "add chain inet hien theirs", "add element inet hien jumps { 192.0.2.1 : jump theirs }"},
		{"flush chain inet hien forward_guest", "flush chain inet hien elsewhere_guest", "flush chain inet hien portal_guest", "flush chain inet hien captive_guest", "delete set inet hien garden4_guest", "add set inet hien garden4_guest { type ipv4_addr; flags interval; }"},
	} {
		for _, deed := range deeds {
			runNFT(t, strings.Fields(deed)...)
		}
		found, err := b.differences(t.Context(), fullRuleset)
		if err != nil || len(found) == 0 {
			t.Errorf("after %q: found %q %v", deeds, found, err)
		}
		if b.hold(t, fullRuleset) {
			t.Errorf("after %q, found %q: guests were lost", deeds, found)
		}
		got, bytes := sum()
		if diff := cmp.Diff(want, got); diff != "" || bytes != wantBytes {
			t.Errorf("after %q: -want +got:\n%s%d bytes, want %d", deeds, diff, bytes, wantBytes)
		}
	}
	// A set of guests by another key cannot keep them.
	runNFT(t, "delete", "table", "inet", "hien")
	runNFT(t, "add table inet hien { set pass4_guest { type ipv4_addr; flags timeout; }; }")
	if !b.hold(t, fullRuleset) {
		t.Error("guests were lost, and apply has not said so")
	}
}

// TestKernelsThatDoNotRenew lets the back end believe what is true before
// Linux 6.12: a member's time is changed by taking it out and putting it in.
func TestKernelsThatDoNotRenew(t *testing.T) {
	for name, renew := range map[string]renewal{"a kernel that does not": neverRenews, "a kernel that was not asked yet": mayRenew} {
		t.Run(name, func(t *testing.T) {
			done := make(chan bool)
			go func() { // with a thread of its own
				defer close(done)
				b := newNFT(t)
				b.renew = renew
				b.hold(t, fullRuleset)
				z := fullRuleset.Zones[0]
				var m messages
				m.begin()
				m.fill(z.memberSet(passes4), []member{{addr: netip.MustParseAddr("10.77.0.1"), mac: hien.MAC{2, 0, 0x5e, 0x10, 0, 1}, left: time.Minute, bytes: 12345}})
				if err := b.wire.commit(&m); err != nil {
					t.Error(err)
				}
				for range 3 {
					if err := b.change(t.Context(), z, nil, aGuest(1)); err != nil {
						t.Error(err)
					}
				}
				got, err := b.members(t.Context(), z, passes4)
				if err != nil || len(got) != 1 || got[0].bytes != 12345 || got[0].left < 59*time.Minute {
					t.Errorf("got %d members, %v; want one with 12345 bytes and an hour", len(got), err)
				}
				if err := b.change(t.Context(), z, aGuest(1), nil); err != nil {
					t.Error(err)
				}
				if got, err := b.members(t.Context(), z, passes4); err != nil || len(got) != 0 {
					t.Errorf("got %d members %v after they were taken out", len(got), err)
				}
			}()
			<-done
		})
	}
}

func TestManyMembersAtOnce(t *testing.T) {
	b := newNFT(t)
	b.hold(t, fullRuleset)
	z := fullRuleset.Zones[0]
	var hosts []entry
	for i := range 5000 {
		hosts = append(hosts, entry{garden4, member{addr: netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), left: time.Hour}})
	}
	if err := b.change(t.Context(), z, nil, hosts); err != nil {
		t.Fatal(err)
	}
	if got, err := b.members(t.Context(), z, garden4); err != nil || len(got) != len(hosts) {
		t.Errorf("got %d members %v, want %d", len(got), err, len(hosts))
	}
	if err := b.change(t.Context(), z, hosts[:4000], hosts[4000:]); err != nil {
		t.Fatal(err)
	}
	if got, err := b.members(t.Context(), z, garden4); err != nil || len(got) != 1000 {
		t.Errorf("got %d members %v, want 1000", len(got), err)
	}
	runNFT(t, "delete", "table", "inet", "hien")
	if err := b.change(t.Context(), z, nil, hosts[:1]); !errors.Is(err, errNoSet) {
		t.Errorf("without a table: got %v, want errNoSet", err)
	}
	if _, err := b.members(t.Context(), z, garden4); !errors.Is(err, errNoSet) {
		t.Errorf("without a table: got %v, want errNoSet", err)
	}
	if err := b.change(t.Context(), z, hosts[:1], nil); err != nil {
		t.Errorf("what is not there is taken out: %v", err)
	}
	b.close()
	if err := b.change(t.Context(), z, nil, hosts[:1]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after close: got %v, want os.ErrClosed", err)
	}
	if err := b.close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// Names of chains and sets that are words of nft's language could not be
// listed and read again by it.
func TestNFTReadsWhatItLists(t *testing.T) {
	b := newNFT(t)
	b.hold(t, fullRuleset)
	listed := runNFT(t, "list", "ruleset")
	file := filepath.Join(t.TempDir(), "rules.nft")
	if err := os.WriteFile(file, []byte("flush ruleset\n"+listed), 0o600); err != nil {
		t.Fatal(err)
	}
	runNFT(t, "-c", "-f", file)
	names := map[string]bool{}
	n := fullRuleset.nftables()
	for _, d := range slices.Concat(n.members, n.others) {
		if names[d.name] {
			t.Errorf("two sets are called %s", d.name)
		}
		names[d.name] = true
	}
}

func FuzzNFTables(f *testing.F) {
	var m messages
	m.newSet(fullRuleset.Zones[0].memberSet(passes4))
	f.Add(m.b)
	m.reset()
	m.fill(fullRuleset.Zones[0].memberSet(passes4), []member{{addr: netip.MustParseAddr("10.77.0.1"), left: time.Hour, bytes: 5}})
	f.Add(m.b)
	for _, c := range fullRuleset.nftables().chains {
		m.reset()
		m.newChain(c)
		for _, rule := range c.rules {
			m.newRule(c.name, rule)
		}
		f.Add(m.b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := nftState{sets: map[string]nftSetDef{}, chains: map[string]nftChainState{}}
		eachMessage(b, func(_, _ uint16, seq uint32, body []byte) bool {
			readError(&m, seq, body)
			body = body[min(4, len(body)):]
			s.addChain(body)
			s.addRule(body)
			readSetDef(body)
			readElements(body, func(e element) {
				e.text()
				fullRuleset.Zones[0].memberSet(passes4).member(e.key)
			})
			return true
		})
		fullRuleset.nftables().compare(s)
	})
}
