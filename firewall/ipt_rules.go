package firewall

import (
	"fmt"
	"slices"
)

// prefix begins the name of every chain and set of ours, and of no other's.
const prefix = "HIEN-"

// A family is IPv4 or IPv6 as the rules see it.
type family struct {
	name string // for people
	six  bool
}

var (
	ipv4 = family{"IPv4", false}
	ipv6 = family{"IPv6", true}
)

// A tableDef is our part of a table.
type tableDef struct {
	name   string
	chains []chainDef
}

// A chainDef is a chain of ours as it shall be. Its rules are written as
// iptables-save prints them, without "-A name".
type chainDef struct {
	name  string
	hook  string // the built-in chain that jumps to it first of all; else empty
	rules []string
}

// The chains that stand for the built-in ones, the one that marks and the one
// that refuses.
const (
	chainPrerouting  = prefix + "PREROUTING"
	chainForward     = prefix + "FORWARD"
	chainInput       = prefix + "INPUT"
	chainPostrouting = prefix + "POSTROUTING"
	chainMark        = prefix + "MARK"
	chainReject      = prefix + "REJECT"
)

// The second gate lets no packet without the mark as far as the rules that
// could refuse it aloud; its own ICMP errors are few, and end no connection.
// So what begins something that nobody may do is brought before those rules:
//
//   - What is new and would be forwarded is marked, refused in FORWARD, and
//     dropped in POSTROUTING should FORWARD be flushed.
//   - What is new and for the router itself would be let in by such a flush.
//     It is sent to closedPort, where nobody listens (tcpmux, RFC 1078, which
//     RFC 7805 has made history), for the kernel to refuse it. The target
//     REJECT would do it too, but for bridges that hand their packets to the
//     rules (net.bridge.bridge-nf-call-iptables): there it sends its reset
//     past the translation of addresses.
const (
	closedPort = 1
	isNew      = "-m conntrack --ctstate NEW"
)

// A zonePlan is a zone with what its rules name.
type zonePlan struct {
	Zone
	family
	all   Ruleset
	k     Kernel
	pass  setDef
	chain func(letter string) string
}

// tables are our part of the family's tables, in the order in which they are
// put in place. The marks come first: rules that refuse what has no mark
// would else cut guests with a pass. Nobody gets in meanwhile, as a mark is
// given to nothing that may not pass.
func (r Ruleset) tables(fam family, k Kernel) []tableDef {
	var zones []zonePlan
	for _, z := range r.Zones {
		id := passes4
		if fam.six {
			id = passes6
		}
		zones = append(zones, zonePlan{z, fam, r, k, z.set(id, k), func(letter string) string {
			return prefix + letter + "-" + z.tag()
		}})
	}
	return []tableDef{r.mangle(fam, zones), r.filter(fam, zones), r.nat(fam, zones)}
}

// set is the zone's set for this family.
func (z zonePlan) set(four, six setID) setDef {
	if z.six {
		four = six
	}
	return z.Zone.set(four, z.k)
}

// setMark gives a packet our bit.
func (r Ruleset) setMark() string {
	return fmt.Sprintf("-j MARK --set-xmark %#x/%#x", r.mark(), r.mark())
}

// marked finds packets with our bit.
func (r Ruleset) marked(not string) string {
	return fmt.Sprintf("-m mark %s--mark %#x/%#x", not, r.mark(), r.mark())
}

// mangle marks what may be routed. It must say all that the second gate is to
// hold when the other tables are gone, so a packet to the router itself is
// marked for the services alone that guests may use, and one that another
// table redirects only when that has happened.
func (r Ruleset) mangle(fam family, zones []zonePlan) tableDef {
	pre := chainDef{name: chainPrerouting, hook: "PREROUTING"}
	chains := []chainDef{{name: chainMark, rules: []string{r.setMark()}}}
	for _, z := range zones {
		pre.rules = append(pre.rules, "-i "+z.Interface+" -g "+z.chain("M"))
		chains = append(chains,
			chainDef{name: z.chain("M"), rules: []string{z.pass.from() + " -g " + z.chain("P"), "-g " + z.chain("C")}},
			chainDef{name: z.chain("P"), rules: z.passRules()},
			chainDef{name: z.chain("C"), rules: z.captiveRules()},
			chainDef{name: z.chain("R"), rules: z.services("-g " + chainMark)})
	}
	return tableDef{"mangle", slices.Concat([]chainDef{pre}, r.belt(fam, zones), chains)}
}

// passRules mark what a guest with a pass may send. What goes to the router
// itself or to a private network is looked at as without a pass.
func (z zonePlan) passRules() []string {
	// The first packet of a connection tells it. A lookup for each would cost
	// as much as all the rest.
	rules := []string{isNew + " -m addrtype --dst-type LOCAL -g " + z.chain("C")}
	if z.six { // all that is routed today (RFC 4291 §2.4), said first
		rules = append(rules, "-d 2000::/3 -g "+chainMark)
	}
	return append(append(rules, z.private("-g "+z.chain("C"))...), z.all.setMark())
}

// private finds what goes to a network where no guest goes. They are rules and
// no set: nine of them cost a packet less than a look into a hash:net, which
// tries each length of prefix (by 0.1 µs, measured with both variants).
func (fam family) private(then string) (rules []string) {
	networks := private4
	if fam.six {
		networks = private6
	}
	for _, p := range networks {
		rules = append(rules, "-d "+p.String()+" "+then)
	}
	return rules
}

// captiveRules mark what a guest may send without a pass.
func (z zonePlan) captiveRules() []string {
	rules := []string{
		fmt.Sprintf("-j MARK --set-xmark 0x0/%#x", z.all.mark()),
		// What was redirected goes on where its first packet was sent.
		fmt.Sprintf("-p tcp -m conntrack --ctstate DNAT --ctreplsrcport %d -g %s", z.PortalPort, chainMark),
		fmt.Sprintf("-p udp -m conntrack --ctstate DNAT --ctreplsrcport %d -g %s", closedPort, chainMark),
	}
	if z.six {
		// Of several IPv6 kinds the kernel wants all that are told by the
		// address alone (match_type6 in xt_addrtype.c): one rule for each.
		rules = append(rules,
			"-d ff00::/8 -g "+z.chain("R"),
			"-m addrtype --dst-type LOCAL -g "+z.chain("R"),
			"-m addrtype --dst-type ANYCAST -g "+z.chain("R"))
	} else {
		rules = append(rules, "-m addrtype --dst-type LOCAL,BROADCAST,MULTICAST -g "+z.chain("R"))
	}
	rules = append(rules, z.garden(setDef.from, "-g "+chainMark)...)
	return append(rules,
		"-p tcp -m tcp --dport 80 "+z.pass.notFrom()+" -j RETURN", // marked when it is redirected
		isNew+" -g "+chainMark)
}

// garden finds what guests reach without a pass. The one to whom the garden
// for codes was lent is looked for last, as that counts the packet.
func (z zonePlan) garden(from func(setDef) string, then string) []string {
	rules := []string{
		z.set(garden4, garden6).to() + " " + then,
		z.set(codes4, codes6).to() + " " + from(z.set(lent4, lent6)) + " " + then,
	}
	for _, p := range z.Garden { // few, and none for a guest with a pass
		if p.Addr().Is6() == z.six {
			rules = append(rules, "-d "+p.Masked().String()+" "+then)
		}
	}
	return rules
}

// services find what a guest may send to the router itself, with a pass or
// without.
func (z zonePlan) services(then string) []string {
	tcp, udp := []uint16{z.PortalPort, z.APIPort, 53, z.DNSPort}, []uint16{53, z.DNSPort}
	var rules []string
	for _, port := range tcp {
		if port != 0 {
			rules = append(rules, fmt.Sprintf("-p tcp -m tcp --dport %d %s", port, then))
		}
	}
	for _, port := range udp {
		if port != 0 {
			rules = append(rules, fmt.Sprintf("-p udp -m udp --dport %d %s", port, then))
		}
	}
	// Answers to what the router began. Without the direction a guest's
	// connection to a service, made before the rules stood, would go on.
	rules = append(rules, "-m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY "+then)
	if !z.six {
		return append(rules,
			"-p udp -m udp --dport 67 "+then,      // DHCP, RFC 2131 §4.1
			"-p icmp -m icmp --icmp-type 8 "+then, // echo request
			// Errors about packets of a known connection, the portal's pages
			// for instance: path MTU discovery needs them (RFC 1191).
			"-p icmp -m conntrack --ctstate RELATED "+then,
		)
	}
	rules = append(rules, "-p udp -m udp --dport 547 "+then) // DHCPv6, RFC 8415 §7.2
	for _, kind := range icmp6Needed {
		rules = append(rules, fmt.Sprintf("-p ipv6-icmp -m icmp6 --icmpv6-type %d %s", kind, then))
	}
	return rules
}

// icmp6Needed are the ICMPv6 messages that a router must hear from hosts on a
// link of its own (RFC 4890 §4.4). Router advertisements and redirects are
// not among them: a guest is no router.
var icmp6Needed = []int{
	1, 2, 3, 4, // errors: unreachable, too big, time exceeded, parameter problem
	128,      // echo request
	133,      // router solicitation
	135, 136, // neighbour solicitation and advertisement
	130, 131, 132, 143, // multicast listener discovery, versions 1 and 2
}

// belt drops what FORWARD refuses aloud, should the filter table be flushed
// alone: what leaves by no uplink, as that is not known yet when a packet is
// marked, and what was marked to be refused.
func (r Ruleset) belt(fam family, zones []zonePlan) []chainDef {
	post := chainDef{name: chainPostrouting, hook: "POSTROUTING"}
	out := chainDef{name: prefix + "OUT"}
	begin := chainDef{name: prefix + "NEW"}
	if len(zones) > 0 {
		post.rules = []string{r.marked("") + " -g " + out.name}
	}
	out.rules = []string{isNew + " -j " + begin.name}
	for _, name := range r.Uplinks {
		out.rules = append(out.rules, "-o "+name+" -j RETURN")
	}
	// The kernel's own answers carry the mark of what they answer, where that
	// is asked for (net.ipv4.fwmark_reflect).
	out.rules = append(out.rules, "-m conntrack --ctdir REPLY -j RETURN")
	for _, z := range zones {
		garden := z.garden(setDef.quietlyFrom, "-j RETURN")
		out.rules = append(out.rules, garden...)
		begin.rules = append(begin.rules, garden...)
	}
	begin.rules = append(begin.rules, fam.private("-j DROP")...)
	for _, z := range zones { // where it came from is not known any more
		begin.rules = append(begin.rules, z.pass.quietlyFrom()+" -j RETURN")
	}
	begin.rules = append(begin.rules, "-j DROP")
	out.rules = append(out.rules, "-j DROP")
	return []chainDef{post, out, begin}
}
