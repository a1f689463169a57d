package firewall

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// nftTable is our table, of the family inet. Everything in it is ours.
const nftTable = "hien"

// A nftHook is where a base chain looks at packets.
type nftHook struct {
	kind     string // filter or nat
	hook     uint32 // unix.NF_INET_…
	priority int32
	policy   uint32 // nfAccept
	flags    uint32 // NFTA_CHAIN_FLAGS but for the bit that says base chain
	device   bool   // it is tied to a device
}

const nfAccept = 1

// A nftChain is a chain as it shall be.
type nftChain struct {
	name  string
	hook  *nftHook // nil: others jump to it
	rules [][]expr.Any
	texts []string // the rules as ruleText writes them
}

// add appends a rule made of steps.
func (c *nftChain) add(steps ...step) {
	var rule []expr.Any
	for _, s := range steps {
		rule = append(rule, s...)
	}
	c.rules = append(c.rules, rule)
}

// A nftRuleset is the table as it shall be. Without chains there is none.
type nftRuleset struct {
	members []nftSetDef // sets of guests and hosts
	others  []nftSetDef // networks and buckets, which belong to the rules
	chains  []nftChain
}

// The priorities of our chains. Redirecting to the portal comes before the
// system's own port forwarding (-100), the mark after it, so that it is given
// for where the packet really goes; refusing comes before the system's rules
// (0), and masquerading before the system's (100).
const (
	priorityRedirect   = -110
	priorityMark       = -90
	priorityFilter     = -10
	priorityMasquerade = 90
)

// The chains that are not a zone's. (A word of nft's own language, as mark,
// cannot be a name there.)
const (
	nftMark       = "prerouting"
	nftPortal     = "portal"
	nftForward    = "forward"
	nftInput      = "input"
	nftMasquerade = "postrouting"
	nftRefuse     = "refuse"
)

// The networks that no guest reaches, as sets.
const (
	setPrivate4 = "private4"
	setPrivate6 = "private6"
)

// nftables are our table's contents.
func (r Ruleset) nftables() nftRuleset {
	var n nftRuleset
	if len(r.Zones) == 0 {
		return n
	}
	base := func(name, kind string, hook uint32, priority int32) nftChain {
		return nftChain{name: name, hook: &nftHook{kind: kind, hook: hook, priority: priority, policy: nfAccept}}
	}
	portal := base(nftPortal, "nat", unix.NF_INET_PRE_ROUTING, priorityRedirect)
	mark := base(nftMark, "filter", unix.NF_INET_PRE_ROUTING, priorityMark)
	forward := base(nftForward, "filter", unix.NF_INET_FORWARD, priorityFilter)
	input := base(nftInput, "filter", unix.NF_INET_LOCAL_IN, priorityFilter)
	refuse := nftChain{name: nftRefuse}
	// The kernel finds no way back for a reset to a link-local address
	// (nf_send_reset6 names no interface). For its errors it does.
	refuse.add(fromLinkLocal(), counts, rejects(unix.NFT_REJECT_ICMPX_UNREACH, unix.NFT_REJECT_ICMPX_PORT_UNREACH))
	refuse.add(proto(unix.IPPROTO_TCP), counts, rejects(unix.NFT_REJECT_TCP_RST, 0))
	refuse.add(proto(unix.IPPROTO_UDP), counts, rejects(unix.NFT_REJECT_ICMPX_UNREACH, unix.NFT_REJECT_ICMPX_PORT_UNREACH))
	refuse.add(counts, rejects(unix.NFT_REJECT_ICMPX_UNREACH, unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED))

	n.others = []nftSetDef{networks(setPrivate4, false, private4), networks(setPrivate6, true, private6)}
	var chains []nftChain
	for _, z := range r.Zones {
		zone := nftZone{Zone: z, ruleset: r}
		portal.add(from(z.Interface), jumpTo(zone.chain(nftPortal)))
		mark.add(from(z.Interface), jumpTo(zone.chain(nftMark)))
		forward.add(from(z.Interface), jumpTo(zone.chain(nftForward)))
		input.add(from(z.Interface), jumpTo(zone.chain("services")))
		for _, id := range setIDs {
			n.members = append(n.members, z.memberSet(id))
		}
		n.others = append(n.others, zone.sets()...)
		chains = append(chains, zone.portal(), zone.mark(), zone.passed(), zone.captive(), zone.services(), zone.forward(), zone.elsewhere(), zone.up(), zone.down())
	}
	for _, z := range r.Zones { // behind the others, as a packet between guest networks meets both
		forward.add(towards(z.Interface), jumpTo(nftZone{Zone: z}.chain("down")))
	}
	n.chains = append([]nftChain{portal, mark, forward, input, refuse}, chains...)
	if r.Masquerade {
		masquerade := base(nftMasquerade, "nat", unix.NF_INET_POST_ROUTING, priorityMasquerade)
		for _, name := range r.Uplinks {
			masquerade.add(marked(r.mark(), true), of(false), towards(name), step{&expr.Masq{}})
		}
		n.chains = append(n.chains, masquerade)
	}
	n.write()
	return n
}

// write writes down the rules of all chains.
func (n *nftRuleset) write() {
	for i := range n.chains {
		c := &n.chains[i]
		for _, rule := range c.rules {
			c.texts = append(c.texts, ruleText(expressions(rule)))
		}
	}
}

// A nftZone writes the chains of one zone.
type nftZone struct {
	Zone
	ruleset Ruleset
}

func (z nftZone) chain(of string) string { return of + "_" + z.tag() }
func (z nftZone) set(id setID) string    { return z.memberSet(id).name }
func (z nftZone) static(six bool) string { return family6("net4", "net6", six) + "_" + z.tag() }

func family6(four, is6 string, six bool) string {
	if six {
		return is6
	}
	return four
}

// gardenSets are the sets of hosts and networks that everybody reaches.
func (z nftZone) gardenSets(six bool) []string {
	sets := []string{z.set(setID(family6(string(garden4), string(garden6), six)))}
	if len(z.nets(six)) > 0 {
		sets = append(sets, z.static(six))
	}
	return sets
}

// nets are the garden's networks of one family.
func (z nftZone) nets(six bool) (all []netip.Prefix) {
	for _, p := range z.Garden {
		if p.Addr().Is6() == six {
			all = append(all, p)
		}
	}
	return all
}

// sets are the sets that belong to the zone's rules. The rate is a part of a
// bucket's name: the kernel keeps in each member the limit with which it was
// made.
func (z nftZone) sets() (all []nftSetDef) {
	for _, six := range []bool{false, true} {
		if nets := z.nets(six); len(nets) > 0 {
			all = append(all, networks(z.static(six), six, nets))
		}
	}
	if z.Speed.Up > 0 {
		all = append(all, buckets(z.upBuckets(), typeEtherAddr, 6))
	}
	if z.Speed.Down > 0 {
		all = append(all, buckets(z.downBuckets(false), typeIPv4Addr, 4), buckets(z.downBuckets(true), typeIPv6Addr, 16))
	}
	return all
}

func (z nftZone) upBuckets() string {
	return fmt.Sprintf("up_%s_%d", z.tag(), z.Speed.Up)
}

func (z nftZone) downBuckets(six bool) string {
	return fmt.Sprintf("%s_%s_%d", family6("down4", "down6", six), z.tag(), z.Speed.Down)
}

// The four families of sets that the rules of both families look at.
var guestSets = []struct {
	six                 bool
	passes, lent, codes setID
	down                setID
}{
	{false, passes4, lent4, codes4, down4},
	{true, passes6, lent6, codes6, down6},
}

// mark: the bit for who may be routed. The common packet is that of a guest
// with a pass and meets few steps.
func (z nftZone) mark() nftChain {
	c := nftChain{name: z.chain(nftMark)}
	for _, s := range guestSets {
		c.add(of(s.six), isGuest(s.six, z.set(s.passes)), goTo(z.chain("passed")))
	}
	c.add(goTo(z.chain("captive")))
	return c
}

// passed: what a guest with a pass sends may be routed, but to the router
// itself and to what is private only what may without a pass. Where it goes is
// looked at until the connection has been answered: to look at each packet
// would cost as much as all the rest. (One from before the rules is stopped
// where it leaves by no uplink, or comes in.)
func (z nftZone) passed() nftChain {
	c := nftChain{name: z.chain("passed")}
	c.add(inState(expr.CtStateBitESTABLISHED), marks(z.ruleset.mark()), returns)
	c.add(toRouter(unix.RTN_LOCAL), goTo(z.chain("captive")))
	c.add(of(false), isHost(receiver, false, setPrivate4), goTo(z.chain("captive")))
	c.add(of(true), isHost(receiver, true, setPrivate6), goTo(z.chain("captive")))
	c.add(marks(z.ruleset.mark()))
	return c
}

// captive: what anybody may send. The rest is refused here already, as the
// second gate lets nothing without the mark come to the chains behind it.
func (z nftZone) captive() nftChain {
	c := nftChain{name: z.chain("captive")}
	set := marks(z.ruleset.mark())
	for _, s := range guestSets {
		for _, garden := range z.gardenSets(s.six) {
			c.add(of(s.six), isHost(receiver, s.six, garden), set, returns)
		}
		// Who it was lent to is looked for last, as that counts the packet.
		c.add(of(s.six), isHost(receiver, s.six, z.set(s.codes)), isGuest(s.six, z.set(s.lent)), set, returns)
	}
	for _, kind := range []uint32{unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_MULTICAST} {
		c.add(toRouter(kind), goTo(z.chain("services")))
	}
	c.add(unmarks(z.ruleset.mark()), goTo(nftRefuse))
	return c
}

// services: the router's own that a guest may use, with a pass or without.
// Both the mark and the input chain ask, so that none of the two opens a port
// alone.
func (z nftZone) services() nftChain {
	c := nftChain{name: z.chain("services")}
	may := append(marks(z.ruleset.mark()), returns...)
	// What the portal is sent is redirected port 80 as well as its own port.
	for _, port := range []uint16{z.PortalPort, z.APIPort, 53, z.DNSPort} {
		if port != 0 {
			c.add(to(unix.IPPROTO_TCP, port), may)
		}
	}
	for _, port := range []uint16{53, z.DNSPort} {
		if port != 0 {
			c.add(to(unix.IPPROTO_UDP, port), may)
		}
	}
	c.add(of(false), to(unix.IPPROTO_UDP, 67), may) // DHCP, RFC 2131 §4.1
	c.add(of(true), to(unix.IPPROTO_UDP, 547), may) // DHCPv6, RFC 8415 §7.2
	// Answers to what the router began. Without the direction a guest's
	// connection to a service, made before the rules stood, would go on.
	c.add(isReply(), may)
	c.add(of(false), proto(unix.IPPROTO_ICMP), icmpType(8), may) // echo request
	// Errors about packets of a known connection, the portal's pages for
	// instance: path MTU discovery needs them (RFC 1191).
	c.add(of(false), proto(unix.IPPROTO_ICMP), inState(expr.CtStateBitRELATED), may)
	for _, kind := range icmp6Needed {
		c.add(of(true), proto(unix.IPPROTO_ICMPV6), icmpType(byte(kind)), may)
	}
	c.add(unmarks(z.ruleset.mark()), goTo(nftRefuse))
	return c
}

// portal: without a pass, port 80 of any host is the portal, and the router's
// DNS is ours. Only the first packet of a connection comes here.
func (z nftZone) portal() nftChain {
	c := nftChain{name: z.chain(nftPortal)}
	for _, s := range guestSets {
		c.add(of(s.six), isGuest(s.six, z.set(s.passes)), returns)
		for _, garden := range z.gardenSets(s.six) {
			c.add(of(s.six), isHost(receiver, s.six, garden), returns)
		}
		c.add(of(s.six), isHost(receiver, s.six, z.set(s.codes)), isGuest(s.six, z.set(s.lent)), returns)
	}
	c.add(to(unix.IPPROTO_TCP, 80), redirects(z.PortalPort))
	if z.DNSPort != 0 {
		for _, p := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			c.add(to(p, 53), toRouter(unix.RTN_LOCAL), redirects(z.DNSPort))
		}
	}
	return c
}

// forward: what comes from a guest and is not for the router. With the mark
// by an uplink, else only to the garden. (Where the mark was given the
// receiver was looked at already.)
func (z nftZone) forward() nftChain {
	c := nftChain{name: z.chain(nftForward)}
	c.add(marked(z.ruleset.mark(), false), goTo(nftRefuse))
	for _, name := range z.ruleset.Uplinks {
		c.add(towards(name), goTo(z.chain("up")))
	}
	c.add(goTo(z.chain("elsewhere")))
	return c
}

// elsewhere: by no uplink only the garden is reached, wherever it is but in a
// guest network: no guest reaches another one, of its own network neither (the
// access point isolates guests, and the way round by the router must not undo
// that). Nobody comes here without the mark, so who it is was looked at before.
func (z nftZone) elsewhere() nftChain {
	c := nftChain{name: z.chain("elsewhere")}
	for _, other := range z.ruleset.Zones {
		c.add(towards(other.Interface), goTo(nftRefuse))
	}
	for _, s := range guestSets {
		for _, garden := range append(z.gardenSets(s.six), z.set(s.codes)) {
			c.add(of(s.six), isHost(receiver, s.six, garden), goTo(z.chain("up")))
		}
	}
	c.add(goTo(nftRefuse))
	return c
}

// up: not faster than the zone allows, by hardware address and then together.
func (z nftZone) up() nftChain {
	c := nftChain{name: z.chain("up")}
	if z.Speed.Up > 0 {
		c.add(byEthernet(), eachExceeds(hardware(register), z.upBuckets(), z.Speed.Up), counts, drops)
	}
	if z.AllSpeed.Up > 0 {
		c.add(exceeds(z.AllSpeed.Up), counts, drops)
	}
	return c
}

// down: what goes to a guest is counted, and not faster than the zone allows.
func (z nftZone) down() nftChain {
	c := nftChain{name: z.chain("down")}
	for _, s := range guestSets {
		c.add(of(s.six), isHost(receiver, s.six, z.set(s.down)))
		if z.Speed.Down > 0 {
			c.add(of(s.six), eachExceeds(address(receiver, s.six), z.downBuckets(s.six), z.Speed.Down), counts, drops)
		}
	}
	if z.AllSpeed.Down > 0 {
		c.add(exceeds(z.AllSpeed.Down), counts, drops)
	}
	return c
}

// String is the whole table as text.
func (n nftRuleset) String() string {
	var b strings.Builder
	for _, d := range append(n.members, n.others...) {
		fmt.Fprintf(&b, "set %s\n", d)
		for _, e := range d.elements() {
			fmt.Fprintf(&b, "\t%s\n", e)
		}
	}
	for _, c := range n.chains {
		fmt.Fprintf(&b, "chain %s", c.name)
		if c.hook != nil {
			fmt.Fprintf(&b, ": %s", c.hook)
		}
		b.WriteByte('\n')
		for _, rule := range c.texts {
			fmt.Fprintf(&b, "\t%s\n", rule)
		}
	}
	return b.String()
}

func (h nftHook) String() string {
	s := fmt.Sprintf("%s hook %d priority %d policy %d", h.kind, h.hook, h.priority, h.policy)
	if h.flags != 0 {
		s += fmt.Sprintf(" flags %#x", h.flags)
	}
	if h.device {
		s += " of a device"
	}
	return s
}

func (d nftSetDef) String() string {
	s := fmt.Sprintf("%s: type %d, key of %d, flags %#x", d.name, d.keyType, d.keyLen(), d.flags)
	if d.size > 0 {
		s += fmt.Sprintf(", at most %d", d.size)
	}
	if d.timeout > 0 {
		s += fmt.Sprintf(", for %s", d.timeout)
	}
	if d.counter {
		s += ", counter"
	}
	return s
}
