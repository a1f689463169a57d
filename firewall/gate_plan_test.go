package firewall

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// A packet is what policy rules see of one.
type packet struct {
	iif   string
	mark  uint32
	proto uint8 // 0 for ARP
	dport uint16
	ours  bool // to one of the router's own addresses
}

// What becomes of a packet.
const (
	lost    = "lost" // no rule knows where to
	found   = "delivered to the router"
	routed  = "routed on"
	refused = "refused"
)

// verdict is what fib_rules_lookup makes of a packet.
func verdict(rules []policy, p packet) string {
	for _, r := range rules {
		if r.iif != "" && r.iif != p.iif || (r.mark^p.mark)&r.mask != 0 ||
			r.ipproto != 0 && r.ipproto != p.proto || r.dport != 0 && r.dport != p.dport || r.more {
			continue
		}
		switch {
		case r.action == nl.FR_ACT_UNREACHABLE:
			return refused
		case r.table == unix.RT_TABLE_LOCAL && p.ours:
			return found
		case r.table == unix.RT_TABLE_MAIN && !p.ours:
			return routed
		}
	}
	return lost
}

var mainRule = policy{pref: 32766, action: nl.FR_ACT_TO_TBL, table: unix.RT_TABLE_MAIN, proto: unix.RTPROT_KERNEL, told: true}

// untold is a list as a kernel before 4.17 tells it.
func untold(all []policy) []policy {
	all = slices.Clone(all)
	for i := range all {
		all[i].proto, all[i].told = 0, false
	}
	return all
}

// obey does one step as the kernel would.
func obey(t interface{ Fatalf(string, ...any) }, have []policy, s gateStep) []policy {
	if s.add {
		at := slices.IndexFunc(have, func(r policy) bool { return r.pref > s.rule.pref })
		if at < 0 {
			at = len(have)
		}
		return slices.Insert(slices.Clone(have), at, s.rule)
	}
	at := slices.IndexFunc(have, s.rule.fits)
	if at < 0 {
		t.Fatalf("%+v is to be deleted and is not there", s.rule)
	}
	return slices.Delete(slices.Clone(have), at, at+1)
}

const bit = DefaultMark

func TestWhatTheGateLets(t *testing.T) {
	for _, six := range []bool{false, true} {
		for _, old := range []bool{false, true} {
			have := []policy{local, mainRule}
			if old {
				have = untold(have)
			}
			w := gateWish{six, []string{"br-guest"}, bit}
			steps, err := w.steps(have)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range steps {
				have = obey(t, have, s)
			}
			if f := w.faults(have, "IP"); len(f) > 0 {
				t.Errorf("IPv6 %t, old %t: %q", six, old, f)
			}
			icmp, dhcp, rest := uint8(unix.IPPROTO_ICMP), uint16(67), found
			if six {
				icmp, dhcp, rest = unix.IPPROTO_ICMPV6, 547, refused
			}
			router := refused // the router's own ports
			if old {
				router, rest = found, found
			}
			for _, c := range []struct {
				name string
				p    packet
				want string
			}{
				{"a guest's HTTPS", packet{"br-guest", 0, unix.IPPROTO_TCP, 443, false}, refused},
				{"a guest's QUIC", packet{"br-guest", 0, unix.IPPROTO_UDP, 443, false}, refused},
				{"a guest's DNS elsewhere", packet{"br-guest", 0, unix.IPPROTO_UDP, 53, false}, refused},
				{"a guest's ping elsewhere", packet{"br-guest", 0, icmp, 0, false}, refused},
				{"a guest's GRE", packet{"br-guest", 0, unix.IPPROTO_GRE, 0, false}, refused},
				{"a guest's SSH to the router", packet{"br-guest", 0, unix.IPPROTO_TCP, 22, true}, router},
				{"a guest's SNMP to the router", packet{"br-guest", 0, unix.IPPROTO_UDP, 161, true}, router},
				{"another program's mark is none", packet{"br-guest", 0x3f00, unix.IPPROTO_TCP, 443, false}, refused},
				{"a guest asks the router's DNS", packet{"br-guest", 0, unix.IPPROTO_UDP, 53, true}, found},
				{"a guest asks the router's DHCP", packet{"br-guest", 0, unix.IPPROTO_UDP, dhcp, true}, found},
				{"a guest pings the router", packet{"br-guest", 0, icmp, 0, true}, found},
				{"a guest asks for the router's hardware address", packet{"br-guest", 0, 0, 0, true}, rest},
				{"TCP to the router behind another header", packet{"br-guest", 0, 60, 0, true}, rest}, // IPv6: RFC 8200 §4.6
				{"a marked packet", packet{"br-guest", bit, unix.IPPROTO_TCP, 443, false}, routed},
				{"a marked packet with another program's mark", packet{"br-guest", bit | 0x100, unix.IPPROTO_TCP, 443, false}, routed},
				{"a marked packet to the portal", packet{"br-guest", bit, unix.IPPROTO_TCP, 2050, true}, found},
				{"the shop's own network", packet{"br-lan", 0, unix.IPPROTO_TCP, 443, false}, routed},
				{"the shop's own admin page", packet{"br-lan", 0, unix.IPPROTO_TCP, 80, true}, found},
			} {
				if got := verdict(have, c.p); got != c.want {
					t.Errorf("IPv6 %t, old %t, %s: got %s, want %s", six, old, c.name, got, c.want)
				}
			}
		}
	}
}

func TestFaultsOfTheGate(t *testing.T) {
	w := gateWish{false, []string{"br-guest"}, bit}
	g := w.group("br-guest", false)
	whole := append(slices.Clone(g), local, mainRule)
	swapped := slices.Clone(whole)
	swapped[4], swapped[5] = swapped[5], swapped[4]
	elsewhere := local
	elsewhere.pref = 32765
	for _, c := range []struct {
		name string
		have []policy
		want string
	}{
		{"all of it", whole, ""},
		{"the kernel's own rule moved behind, as for VRF", append(slices.Clone(g), elsewhere, mainRule), ""},
		{"nothing", []policy{local, mainRule}, "it is open for br-guest"},
		{"a rule less", slices.Delete(slices.Clone(whole), 2, 3), "5 of its 6 rules are there"},
		{"two rules the wrong way round", swapped, "in another order"},
		{"a rule twice", append([]policy{g[0]}, whole...), "its rules are others"},
		{"another mark", append(gateWish{false, nil, 0x2}.group("br-guest", false), local), "lets the mark 0x2 through"},
		{"another zone's rules", append(w.group("br-two", false), whole...), "br-two: rules are left over"},
		{"the router found first", append([]policy{local}, whole...), "found before it is asked"},
		{"no rule that finds the router", append(slices.Clone(g), mainRule), "no rule finds the router's own addresses"},
	} {
		got := strings.Join(w.faults(c.have, "IPv4"), "; ")
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		steps, err := w.steps(c.have)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, s := range steps {
			c.have = obey(t, c.have, s)
		}
		if left := w.faults(c.have, "IPv4"); len(left) > 0 || c.want == "" && len(steps) > 0 {
			t.Errorf("%s: after %d steps there are faults %q", c.name, len(steps), left)
		}
	}
}

// TestAnotherProgramsRuleIsNotTaken holds that a rule is deleted only when the
// kernel cannot take it for another one.
func TestAnotherProgramsRuleIsNotTaken(t *testing.T) {
	theirs := policy{action: nl.FR_ACT_TO_TBL, table: unix.RT_TABLE_LOCAL, iif: "tun0", proto: unix.RTPROT_KERNEL, told: true}
	w := gateWish{false, []string{"br-guest"}, bit}
	have := []policy{theirs, local, mainRule}
	steps, err := w.steps(have)
	if err == nil || !strings.Contains(err.Error(), `interface "tun0"`) {
		t.Errorf("got %v, want an error that names tun0", err)
	}
	for _, s := range steps {
		have = obey(t, have, s)
	}
	if have[0] != theirs {
		t.Errorf("the other program's rule is gone: %+v", have)
	}
	if got := verdict(have, packet{"br-guest", 0, unix.IPPROTO_TCP, 443, false}); got != refused {
		t.Errorf("a guest's HTTPS: %s, want it refused all the same", got)
	}
}

// TestTheGateIsNeverHalfOpen lets every way from any state to any wish be cut
// off after any step.
func TestTheGateIsNeverHalfOpen(t *testing.T) {
	names := []string{"br-a", "br-b", "br-c"}
	rapid.Check(t, func(t *rapid.T) {
		six, kernelIsOld := rapid.Bool().Draw(t, "six"), rapid.Bool().Draw(t, "old")
		wish := func(label string) gateWish {
			return gateWish{six, rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, label), rapid.SampledFrom([]uint32{bit, 0x2}).Draw(t, label)}
		}
		theirs := policy{pref: 100, action: nl.FR_ACT_UNREACHABLE, iif: "br-a", mask: bit, proto: unix.RTPROT_STATIC, told: true}
		have := []policy{local, theirs, mainRule}
		if kernelIsOld {
			have = untold(have)
		}
		for range rapid.IntRange(1, 4).Draw(t, "wishes") {
			before, w := slices.Clone(have), wish("wish")
			cut := rapid.IntRange(0, 40).Draw(t, "cut")
			steps, err := w.steps(have)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range steps {
				if i == cut {
					break
				}
				have = obey(t, have, s)
				if !slices.ContainsFunc(have, policy.isLocal) {
					t.Fatalf("after step %d of %d no rule finds the router: %+v", i, len(steps), have)
				}
				for _, iface := range w.interfaces {
					for _, p := range []packet{{iface, 0, unix.IPPROTO_TCP, 443, false}, {iface, 0, unix.IPPROTO_TCP, 22, true}} {
						if verdict(before, p) == refused && verdict(have, p) != refused {
							t.Fatalf("after step %d of %d %+v is %s: %+v", i, len(steps), p, verdict(have, p), have)
						}
					}
				}
				if got := verdict(have, packet{"br-lan", 0, unix.IPPROTO_TCP, 80, true}); got != found {
					t.Fatalf("the shop's own admin page is %s", got)
				}
			}
			if len(steps) > 0 && cut < len(steps) {
				continue
			}
			if f := w.faults(have, "IP"); len(f) > 0 {
				t.Fatalf("after all steps: %q", f)
			}
			if again, _ := w.steps(have); len(again) > 0 {
				t.Fatalf("the same wish again asks for %+v", again)
			}
			if !slices.ContainsFunc(have, func(p policy) bool { return p.pref == theirs.pref && p.iif == theirs.iif }) {
				t.Fatal("the other program's rule is gone")
			}
			for _, s := range steps {
				if s.rule.iif != "" && w.keeps(before, s.rule.iif, kernelIsOld) {
					t.Fatalf("%+v touches a zone that was as it shall be", s)
				}
			}
		}
		open := gateWish{six: six}
		steps, err := open.steps(have)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			have = obey(t, have, s)
		}
		want := []policy{local, theirs, mainRule}
		if kernelIsOld {
			want = untold(want)
		}
		if !slices.Equal(have, want) {
			t.Fatalf("open: got %+v, want %+v", have, want)
		}
	})
}

// ruleMessage is a rule as the kernel tells it.
func ruleMessage(p policy, more ...[]byte) []byte {
	b := []byte{unix.AF_INET, 0, 0, 0, byte(p.table), 0, 0, p.action}
	b = binary.NativeEndian.AppendUint32(b, 0x8) // detached
	for _, a := range p.attributes() {
		b = append(b, a.Serialize()...)
	}
	b = append(b, attr(nl.FRA_SUPPRESS_PREFIXLEN, 255, 255, 255, 255)...)
	b = append(b, attr(nl.FRA_TABLE, binary.NativeEndian.AppendUint32(nil, p.table)...)...)
	return append(b, join(more...)...)
}

func TestReadPolicy(t *testing.T) {
	all := append(gateWish{true, nil, bit}.group("br-guest", false), local, mainRule)
	for _, want := range append(all, gateWish{false, nil, bit}.group("br-guest", false)...) {
		if got := readPolicy(ruleMessage(want)); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	all = gateWish{true, nil, bit}.group("br-guest", false)
	whole := attr(fraDportMask, 255, 255)
	if got := readPolicy(ruleMessage(all[0], whole, attr(200, 1, 2, 3, 4))); got != all[0] {
		t.Errorf("a newer kernel: got %+v, want %+v", got, all[0])
	}
	for name, msg := range map[string][]byte{
		"a rule of a newer kernel": ruleMessage(local, attr(200, 1)),
		"some ports' rule":         ruleMessage(local, attr(fraDportMask, 255, 0)),
		"one user's rule":          ruleMessage(local, attr(nl.FRA_UID_RANGE, 0, 0, 0, 0, 0, 0, 0, 0)),
		"one source's rule":        ruleMessage(local, attr(nl.FRA_SRC, 10, 0, 0, 0)),
		"a suppressing rule":       ruleMessage(local, attr(nl.FRA_SUPPRESS_PREFIXLEN, 0, 0, 0, 0)),
		"a range of ports":         ruleMessage(local, attr(nl.FRA_DPORT_RANGE, 1, 0, 255, 255)),
		"a mark that is cut off":   ruleMessage(local, attr(nl.FRA_FWMARK, 1)),
		"nothing":                  nil,
	} {
		if got := readPolicy(msg); got.isLocal() {
			t.Errorf("%s passes for the kernel's own: %+v", name, got)
		}
	}
	inverted := ruleMessage(local)
	inverted[8] |= fibRuleInvert
	if got := readPolicy(inverted); got.isLocal() {
		t.Errorf("an inverted rule passes for the kernel's own: %+v", got)
	}
}

func FuzzReadPolicy(f *testing.F) {
	for i, p := range append(gateWish{false, nil, bit}.group("br-guest", false), local, mainRule) {
		f.Add(ruleMessage(p), fmt.Sprint("br-", i))
	}
	f.Add([]byte{2, 0, 0, 0, 255, 0, 0, 1, 0, 0, 0, 0, 3, 0, 1, 0}, "")
	f.Fuzz(func(t *testing.T, msg []byte, iface string) {
		p := readPolicy(msg)
		w := gateWish{false, slices.Compact([]string{"br-guest", p.iif}), bit}
		have := []policy{p, local}
		steps, err := w.steps(have)
		for _, s := range steps {
			have = obey(t, have, s)
		}
		if left := w.faults(have, "IPv4"); err == nil && len(left) > 0 && p.iif != "" {
			t.Errorf("%+v: %q", p, left)
		}
	})
}
