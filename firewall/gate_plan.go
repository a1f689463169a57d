package firewall

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A gateWish is what the gate shall be in one family.
type gateWish struct {
	six        bool
	interfaces []string // none: the gate is open
	mark       uint32   // one bit
}

// forwardOnlyPref is where the gate's rules stand on an old kernel: behind
// the rule that finds the router's own addresses.
const forwardOnlyPref = 1

// old reports whether the kernel knows neither who has made a rule nor rules
// for one protocol: both came with Linux 4.17. It would take such a rule all
// the same and make one for every protocol of it.
func old(have []policy) bool {
	return len(have) > 0 && !slices.ContainsFunc(have, func(p policy) bool { return p.told })
}

// group are the rules for one guest interface, in their order.
//
// The order and the difference between the families come of how the kernel
// uses rules. An ARP request is answered only if a route lookup with the
// guest's interface finds the wanted address to be the router's own
// (arp_process in net/ipv4/arp.c); that lookup has no protocol, and no rule
// can ask for none. So IPv4 refuses what shall not be, TCP and UDP, and leaves
// the rest of the router's own to be found. IPv6 has neighbour discovery,
// which is ICMP and can be asked for: there everything else is refused. (An
// IPv6 packet's protocol is what follows its first fragment header, so that
// refusing TCP by name could be got round.)
func (w gateWish) group(iface string, old bool) []policy {
	guest := policy{iif: iface, mask: w.mark, proto: gateProto, told: true} // mark 0: the bit is not set
	find, refuse := guest, guest
	find.action, find.table = nl.FR_ACT_TO_TBL, unix.RT_TABLE_LOCAL
	refuse.action = nl.FR_ACT_UNREACHABLE
	only := func(p policy, proto uint8, port uint16) policy {
		p.ipproto, p.dport = proto, port
		return p
	}
	switch {
	case old:
		refuse.pref, refuse.proto, refuse.told = forwardOnlyPref, 0, false
		return []policy{refuse}
	case w.six:
		return []policy{
			only(find, unix.IPPROTO_UDP, 53),
			only(find, unix.IPPROTO_UDP, 547), // RFC 8415 §7.2
			only(find, unix.IPPROTO_ICMPV6, 0),
			refuse,
		}
	}
	return []policy{
		only(refuse, unix.IPPROTO_TCP, 0),
		only(find, unix.IPPROTO_UDP, 53),
		only(find, unix.IPPROTO_UDP, 67), // RFC 2131 §4.1
		only(refuse, unix.IPPROTO_UDP, 0),
		find,
		refuse,
	}
}

// ours reports whether a rule is the gate's. An old kernel does not keep who
// has made it; there the place and the shape tell.
func ours(p policy, old bool) bool {
	if old {
		return p.pref == forwardOnlyPref && p.action == nl.FR_ACT_UNREACHABLE && p.iif != "" &&
			p.mark == 0 && bits.OnesCount32(p.mask) == 1 && p.ipproto == 0 && p.dport == 0 && !p.more
	}
	return p.proto == gateProto
}

// belonging are the gate's rules for one interface.
func belonging(have []policy, iface string, old bool) (all []policy) {
	for _, p := range have {
		if ours(p, old) && p.iif == iface {
			all = append(all, p)
		}
	}
	return all
}

// A gateStep adds a rule, or deletes the first that fits.
type gateStep struct {
	add  bool
	rule policy
}

// steps are what makes the rules that there are into those that are wished.
// There are none when nothing is to be done. An error says what cannot be
// done; the steps are worth doing all the same.
//
// Whatever step is the last that is done: the router's own addresses are
// found by a rule for every packet, and an interface that was shut is not
// open. New rules are therefore put in before old ones are taken out, those
// of an interface as much as the one that finds the router's own addresses;
// that one has to be put in anew, as it must stand behind the gate's and a
// rule is always put behind those of its preference.
func (w gateWish) steps(have []policy) ([]gateStep, error) {
	p := planner{now: slices.Clone(have), old: old(have)}
	var stale []policy // in their order, so that each is the first that fits
	for _, rule := range have {
		if ours(rule, p.old) && !w.keeps(have, rule.iif, p.old) {
			stale = append(stale, rule)
		}
	}
	slices.SortStableFunc(stale, func(a, b policy) int { // what finds goes before what refuses
		return cmp.Compare(a.action, b.action)
	})
	for _, iface := range w.interfaces {
		if !w.keeps(have, iface, p.old) {
			for _, rule := range w.group(iface, p.old) {
				p.add(rule)
			}
		}
	}
	last := p.last()
	if !p.localBehind(last) {
		again := local
		again.told = !p.old
		if p.old {
			again.proto = 0
		}
		p.add(again)
	}
	if !p.old {
		for range p.localsBefore(last) {
			p.del(slices.IndexFunc(p.now, policy.isLocal))
		}
	}
	for _, rule := range stale {
		p.del(slices.Index(p.now, rule))
	}
	return p.steps, errors.Join(p.errs...)
}

// keeps reports whether the rules of an interface are wished and as they
// shall be.
func (w gateWish) keeps(have []policy, iface string, old bool) bool {
	return slices.Contains(w.interfaces, iface) && slices.Equal(belonging(have, iface, old), w.group(iface, old))
}

// A planner follows what steps do to the kernel's list.
type planner struct {
	now   []policy
	old   bool
	steps []gateStep
	errs  []error
}

// add puts a rule where the kernel will: behind the last one of its
// preference.
func (p *planner) add(rule policy) {
	at := slices.IndexFunc(p.now, func(r policy) bool { return r.pref > rule.pref })
	if at < 0 {
		at = len(p.now)
	}
	p.now = slices.Insert(p.now, at, rule)
	p.steps = append(p.steps, gateStep{true, rule})
}

// del takes out one rule. The kernel is told what the rule looks like and
// takes the first that fits, so it is made sure that this is the one.
func (p *planner) del(at int) {
	rule := p.now[at]
	if first := slices.IndexFunc(p.now, rule.fits); p.now[first] != rule {
		p.errs = append(p.errs, fmt.Errorf("gate: the kernel would take another program's policy rule (preference %d, interface %q) for one that has to go; remove it", p.now[first].pref, p.now[first].iif))
		return
	}
	p.now = slices.Delete(p.now, at, at+1)
	p.steps = append(p.steps, gateStep{false, rule})
}

// last is the place of the gate's last rule, -1 without one. An old kernel's
// gate need not stand before anything.
func (p *planner) last() int {
	if p.old {
		return -1
	}
	for i, rule := range slices.Backward(p.now) {
		if ours(rule, p.old) {
			return i
		}
	}
	return -1
}

func (p *planner) localBehind(last int) bool {
	return slices.ContainsFunc(p.now[last+1:], policy.isLocal)
}

// localsBefore counts the rules that find the router's own addresses before
// the gate is asked.
func (p *planner) localsBefore(last int) (n int) {
	for _, rule := range p.now[:last+1] {
		if rule.isLocal() {
			n++
		}
	}
	return n
}

// faults are what is not as wished, in words.
func (w gateWish) faults(have []policy, family string) (faults []string) {
	old := old(have)
	fault := func(format string, args ...any) {
		faults = append(faults, "gate: "+family+": "+fmt.Sprintf(format, args...))
	}
	for _, iface := range w.interfaces {
		want, mine := w.group(iface, old), belonging(have, iface, old)
		switch {
		case slices.Equal(want, mine):
		case len(mine) == 0:
			fault("it is open for %s", iface)
		case len(mine) < len(want):
			fault("%s: %d of its %d rules are there", iface, len(mine), len(want))
		case len(mine) == len(want) && w.mark != mine[0].mask:
			fault("%s: it lets the mark %#x through and not %#x", iface, mine[0].mask, w.mark)
		default:
			fault("%s: its rules are others, or in another order", iface)
		}
	}
	for _, iface := range gateInterfaces(have, old) {
		if !slices.Contains(w.interfaces, iface) {
			fault("%s: rules are left over", iface)
		}
	}
	p := planner{now: have, old: old}
	last := p.last()
	if n := p.localsBefore(last); n > 0 {
		fault("the router's own addresses are found before it is asked")
	} else if !p.localBehind(last) {
		fault("no rule finds the router's own addresses")
	}
	return faults
}

// gateInterfaces are the interfaces for which there are rules of the gate.
func gateInterfaces(have []policy, old bool) (names []string) {
	for _, p := range have {
		if ours(p, old) && !slices.Contains(names, p.iif) {
			names = append(names, p.iif)
		}
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
