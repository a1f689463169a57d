package firewall

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// ShutGate shuts the second gate for these guest interfaces, and opens it for
// any other for which it was shut: their packets without the mark are refused
// whatever becomes of the packet filters, which are not asked nor needed. It
// does nothing where the gate is as it shall be. mark is one bit; 0 is
// DefaultMark. An interface need not exist.
//
// The gate is made of the kernel's policy rules (ip-rule(8)), which are a part
// of routing: nft flush ruleset, iptables -F and whatever else a packet filter
// is emptied with do not touch them. All of them have the preference 0, and
// the rule that finds the router's own addresses, with which the kernel
// starts, stands behind them:
//
//	0: iif br-guest fwmark 0/B ipproto tcp unreachable      (IPv4)
//	0: iif br-guest fwmark 0/B ipproto udp dport 53 lookup local
//	0: iif br-guest fwmark 0/B ipproto udp dport 67 lookup local
//	0: iif br-guest fwmark 0/B ipproto udp unreachable
//	0: iif br-guest fwmark 0/B lookup local
//	0: iif br-guest fwmark 0/B unreachable
//	0: lookup local
//
// A packet with the mark bit B meets none of them and goes on to the system's
// rules, mwan3's and pbr's among them. One without is refused by ICMP, but
// what a network needs before the portal opens: ARP, neighbour discovery, ping
// to the router, DHCP and the router's DNS. The router's TCP ports, the
// portal's too, want the mark, which the packet filter gives. `ip rule flush`
// leaves preference 0 alone, and so the gate.
//
// Kernels before 4.17 have no rules for one protocol. There the gate only
// keeps guests from being forwarded, and [Gate.ForwardOnly] says so.
//
// It acts on the network namespace of the calling thread, and so do OpenGate
// and GateState.
func ShutGate(ctx context.Context, interfaces []string, mark uint32) error {
	for _, name := range interfaces {
		if !validInterface(name) {
			return fmt.Errorf("shut the gate: %q is no interface name", name)
		}
	}
	return withGate(ctx, func(g *gate) error { return g.hold(interfaces, Ruleset{Mark: mark}.mark()) })
}

// OpenGate takes the second gate out, whoever has left it there. Then nothing
// but the packet filter keeps guests out.
func OpenGate(ctx context.Context) error {
	return withGate(ctx, (*gate).open)
}

// A Gate is the state of the second gate in the kernel.
type Gate struct {
	Interfaces  []string // for which there are rules of it, sorted
	Mark        uint32   // the bit that passes; 0 when it is open
	Complete    bool     // it is shut for all of Interfaces, which are not none
	ForwardOnly bool     // an old kernel: the router's own ports are not shut by it
	Faults      []string // what is not as it should be, in words
}

// GateState tells how the second gate stands.
func GateState(ctx context.Context) (state Gate, err error) {
	err = withGate(ctx, func(g *gate) error {
		state, err = g.state()
		return err
	})
	return state, err
}

func withGate(ctx context.Context, do func(*gate) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	six, err := hasIPv6()
	if err != nil {
		return err
	}
	g, err := openGate(six)
	if err != nil {
		return err
	}
	return errors.Join(do(g), g.close())
}

// A gate is the second gate of the network namespace in which it was opened.
// Its methods are called one at a time.
type gate struct {
	*wire
	namespace *os.File
	families  []rules

	between func(rules) // called after each step; for tests
}

func openGate(six bool) (*gate, error) {
	namespace, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("open gate: %w", err)
	}
	w, err := openWireTo(unix.NETLINK_ROUTE)
	if err != nil {
		namespace.Close()
		return nil, fmt.Errorf("open gate: %w", err)
	}
	g := &gate{wire: w, namespace: namespace, families: []rules{{w, unix.AF_INET}}, between: func(rules) {}}
	if six {
		g.families = append(g.families, rules{w, unix.AF_INET6})
	}
	return g, nil
}

func (g *gate) close() error {
	g.wire.close()
	return g.namespace.Close()
}

// alone does what changes the rules while no other process of ours does: two
// that each take out the rule that finds the router's own addresses, as the
// other one has put one in, would leave none. The lock is on the namespace
// itself, and goes with the process however that ends.
func (g *gate) alone(do func() error) error {
	lock := func(how int) error {
		for {
			if err := unix.Flock(int(g.namespace.Fd()), how); !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	}
	if err := lock(unix.LOCK_EX); err != nil {
		return fmt.Errorf("wait for the gate: %w", err)
	}
	return errors.Join(do(), lock(unix.LOCK_UN))
}

// shut makes the gate what a ruleset asks for.
func (g *gate) shut(r Ruleset) error { return g.hold(r.interfaces(), r.mark()) }

func (g *gate) open() error { return g.hold(nil, 0) }

// hold makes the gate shut for these interfaces and no others.
func (g *gate) hold(interfaces []string, mark uint32) error {
	if len(interfaces) > 0 && bits.OnesCount32(mark) != 1 {
		return fmt.Errorf("gate: mark %#x: want one bit", mark)
	}
	interfaces = slices.Compact(slices.Sorted(slices.Values(interfaces)))
	return g.alone(func() error {
		var errs []error // one family is no reason to leave the other one open
		for _, r := range g.families {
			errs = append(errs, g.make(r, gateWish{r.family == unix.AF_INET6, interfaces, mark}))
		}
		return errors.Join(errs...)
	})
}

// makeTries is how often the rules are looked at again, as another program
// may change them at the same time.
const makeTries = 4

func (g *gate) make(r rules, w gateWish) error {
	for range makeTries {
		have, err := r.list()
		if err != nil {
			return err
		}
		steps, cannot := w.steps(have)
		if len(steps) == 0 {
			return cannot
		}
		for _, s := range steps {
			do := r.del
			if s.add {
				do = r.add
			}
			if err := do(s.rule); err != nil {
				return err
			}
			g.between(r)
		}
	}
	return fmt.Errorf("gate: another program changes the %s policy rules all the time", r.name())
}

// differences are what is not as a ruleset asks for.
func (g *gate) differences(r Ruleset) (found []string, err error) {
	for _, family := range g.families {
		have, err := family.list()
		if err != nil {
			return nil, err
		}
		w := gateWish{family.family == unix.AF_INET6, r.interfaces(), r.mark()}
		found = append(found, w.faults(have, family.name())...)
	}
	return found, nil
}

// state judges the gate by itself: what it is for some interface and in some
// family, it should be for all.
func (g *gate) state() (s Gate, err error) {
	lists := make([][]policy, len(g.families))
	for i, r := range g.families {
		if lists[i], err = r.list(); err != nil {
			return Gate{}, err
		}
		o := old(lists[i])
		s.ForwardOnly = s.ForwardOnly || o
		s.Interfaces = append(s.Interfaces, gateInterfaces(lists[i], o)...)
		for _, p := range lists[i] {
			if ours(p, o) && s.Mark == 0 {
				s.Mark = p.mask
			}
		}
	}
	s.Interfaces = slices.Compact(slices.Sorted(slices.Values(s.Interfaces)))
	for i, r := range g.families {
		w := gateWish{r.family == unix.AF_INET6, s.Interfaces, s.Mark}
		s.Faults = append(s.Faults, w.faults(lists[i], r.name())...)
	}
	s.Complete = len(s.Interfaces) > 0 && len(s.Faults) == 0
	return s, nil
}
