package firewall

import (
	"fmt"
	"strings"
)

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

// The chains that stand for the built-in ones, and the one that refuses.
const (
	chainForward    = prefix + "FORWARD"
	chainInput      = prefix + "INPUT"
	chainPrerouting = prefix + "PREROUTING"
	chainReject     = prefix + "REJECT"
)

// tables are our part of the family's tables: filter before nat, so that
// nobody passes while only one of them stands.
func (r Ruleset) tables(fam family, k Kernel) []tableDef {
	forward := chainDef{name: chainForward, hook: "FORWARD"}
	input := chainDef{name: chainInput, hook: "INPUT"}
	prerouting := chainDef{name: chainPrerouting, hook: "PREROUTING"}
	var zoneFilter, zoneNAT []chainDef
	for _, z := range r.Zones {
		set := z.set4(k)
		if fam.six {
			set = z.set6(k)
		}
		f := chainDef{name: prefix + "F-" + z.tag(), rules: r.forwardRules(set)}
		i := chainDef{name: prefix + "I-" + z.tag(), rules: inputRules(z, fam)}
		n := chainDef{name: prefix + "N-" + z.tag(), rules: []string{
			set.match() + " -j RETURN",
			fmt.Sprintf("-p tcp -m tcp --dport 80 -j REDIRECT --to-ports %d", z.PortalPort),
		}}
		forward.rules = append(forward.rules, "-i "+z.Interface+" -j "+f.name)
		input.rules = append(input.rules, "-i "+z.Interface+" -j "+i.name)
		prerouting.rules = append(prerouting.rules, "-i "+z.Interface+" -j "+n.name)
		zoneFilter = append(zoneFilter, f, i)
		zoneNAT = append(zoneNAT, n)
	}
	filter := append([]chainDef{forward, input, {name: chainReject, rules: rejectRules(fam)}}, zoneFilter...)
	return []tableDef{{"filter", filter}, {"nat", append([]chainDef{prerouting}, zoneNAT...)}}
}

// forwardRules: no guest to any guest network, its own one included (the
// access point isolates guests, and the way round by the router must not
// undo that); with a pass on to the system's rules; nothing else.
func (r Ruleset) forwardRules(set setDef) []string {
	var rules []string
	for _, z := range r.Zones {
		rules = append(rules, "-o "+z.Interface+" -j "+chainReject)
	}
	return append(rules, set.match()+" -j RETURN", "-j "+chainReject)
}

// inputRules are the router's own services that a guest may use, with a pass
// or without.
func inputRules(z Zone, fam family) []string {
	rules := []string{
		// What the portal sends is redirected port 80 as well as its own port.
		fmt.Sprintf("-p tcp -m tcp --dport %d -j RETURN", z.PortalPort),
		"-p udp -m udp --dport 53 -j RETURN",
		"-p tcp -m tcp --dport 53 -j RETURN",
		// Answers to what the router began. Without the direction a guest's
		// connection to a service, made before the rules stood, would go on.
		"-m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY -j RETURN",
	}
	if !fam.six {
		rules = append(rules,
			"-p udp -m udp --dport 67 -j RETURN",      // DHCP, RFC 2131 §4.1
			"-p icmp -m icmp --icmp-type 8 -j RETURN", // echo request
			// Errors about packets of a known connection, the portal's pages
			// for instance: path MTU discovery needs them (RFC 1191).
			"-p icmp -m conntrack --ctstate RELATED -j RETURN",
		)
	} else {
		rules = append(rules, "-p udp -m udp --dport 547 -j RETURN") // DHCPv6, RFC 8415 §7.2
		for _, kind := range icmp6Needed {
			rules = append(rules, fmt.Sprintf("-p ipv6-icmp -m icmp6 --icmpv6-type %d -j RETURN", kind))
		}
	}
	return append(rules, "-j "+chainReject)
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

// rejectRules refuse whatever comes to them. The last one takes all, broken
// packets too; where an answer would be wrong (to a broadcast, to an ICMP
// error, to a reset) the kernel gives none and still drops the packet.
func rejectRules(fam family) []string {
	port, admin := "icmp-port-unreachable", "icmp-admin-prohibited"
	if fam.six {
		port, admin = "icmp6-port-unreachable", "icmp6-adm-prohibited"
	}
	return []string{
		"-p tcp -j REJECT --reject-with tcp-reset",
		"-p udp -j REJECT --reject-with " + port,
		"-j REJECT --reject-with " + admin,
	}
}

// restoreText is the input of iptables-restore --noflush that fills our
// chains and removes the stale ones (table to chains), each table in one
// transaction. A chain that is declared again is emptied first.
func restoreText(tables []tableDef, stale map[string][]string) string {
	var b strings.Builder
	for _, t := range tables {
		fmt.Fprintf(&b, "*%s\n", t.name)
		for _, c := range t.chains {
			fmt.Fprintf(&b, ":%s - [0:0]\n", c.name)
		}
		for _, c := range t.chains {
			for _, rule := range c.rules {
				fmt.Fprintf(&b, "-A %s %s\n", c.name, rule)
			}
		}
		for _, name := range stale[t.name] {
			fmt.Fprintf(&b, "-F %s\n", name)
		}
		for _, name := range stale[t.name] {
			fmt.Fprintf(&b, "-X %s\n", name)
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}

// dropText is the input of iptables-restore --noflush that removes chains,
// table by table. Nothing may jump to them any more but themselves.
func dropText(chains map[string][]string) string {
	var tables []tableDef
	for _, name := range sortedKeys(chains) {
		tables = append(tables, tableDef{name: name})
	}
	return restoreText(tables, chains)
}
