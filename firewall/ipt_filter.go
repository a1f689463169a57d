package firewall

import "fmt"

// filter refuses aloud what is not marked, and what would leave by another
// way than an uplink.
func (r Ruleset) filter(fam family, zones []zonePlan) tableDef {
	forward := chainDef{name: chainForward, hook: "FORWARD"}
	input := chainDef{name: chainInput, hook: "INPUT"}
	var towards []string
	var chains []chainDef
	for _, z := range zones {
		// A guest's packets go on where FORWARD was left, and meet no rule
		// for those that come to a guest.
		forward.rules = append(forward.rules, "-i "+z.Interface+" -g "+z.chain("F"))
		towards = append(towards, "-o "+z.Interface+" -g "+z.chain("T"))
		input.rules = append(input.rules, "-i "+z.Interface+" -g "+z.chain("I"))
		chains = append(chains,
			chainDef{name: z.chain("F"), rules: z.forwardRules()},
			chainDef{name: z.chain("G"), rules: z.newRules()},
			chainDef{name: z.chain("T"), rules: append([]string{z.set(down4, down6).to()}, z.police("d", z.Speed.Down, z.AllSpeed.Down)...)},
			chainDef{name: z.chain("I"), rules: z.inputRules()})
		if police := z.police("u", z.Speed.Up, z.AllSpeed.Up); len(police) > 0 {
			chains = append(chains, chainDef{name: z.chain("U"), rules: police})
		}
	}
	forward.rules = append(forward.rules, towards...)
	own := []chainDef{forward, input, {name: chainReject, rules: rejectRules(fam)}}
	return tableDef{"filter", append(own, chains...)}
}

// inputRules: the services, and what was sent to the closed port.
func (z zonePlan) inputRules() []string {
	return append(z.services("-j RETURN"),
		fmt.Sprintf("-p tcp -m tcp --dport %d -j ACCEPT", closedPort),
		fmt.Sprintf("-p udp -m udp --dport %d -j ACCEPT", closedPort),
		"-g "+chainReject)
}

// forwardRules: with the mark out by an uplink and on to the system's rules;
// no guest to any guest network, its own one included (the access point
// isolates guests, and the way round by the router must not undo that).
func (z zonePlan) forwardRules() []string {
	rules := []string{
		// Another program took the marking rules out a moment ago: what a guest
		// with a pass is doing waits for them, and is not reset.
		z.all.marked("! ") + " -m conntrack --ctstate RELATED,ESTABLISHED " + z.pass.quietlyFrom() + " -j DROP",
		z.all.marked("! ") + " -g " + chainReject,
		isNew + " -j " + z.chain("G"),
	}
	then := "-j RETURN"
	if z.Speed.Up > 0 || z.AllSpeed.Up > 0 {
		then = "-g " + z.chain("U")
	}
	for _, name := range z.all.Uplinks {
		rules = append(rules, "-o "+name+" "+then)
	}
	for _, other := range z.all.Zones {
		rules = append(rules, "-o "+other.Interface+" -g "+chainReject)
	}
	return append(append(rules, z.garden(setDef.quietlyFrom, "-j RETURN")...), "-g "+chainReject)
}

// newRules refuse what was marked to be refused.
func (z zonePlan) newRules() []string {
	rules := z.garden(setDef.quietlyFrom, "-j RETURN")
	rules = append(rules, z.private("-g "+chainReject)...)
	return append(rules, z.pass.notFrom()+" -g "+chainReject)
}

// police drops what a guest, and what all guests of the zone together, send
// or get beyond their speed. What it costs does not grow with their number:
// the kernel finds a guest's bucket by a hash of its address.
//
// The speed is a part of the bucket's name: a rule with a known name takes the
// buckets that are there, with the old speed. A bucket holds what one second
// lets through, so that one which is forgotten after ten was full.
func (z zonePlan) police(way string, each, all uint64) (rules []string) {
	const limit = "-m hashlimit --hashlimit-above %db/s %s--hashlimit-name HIEN-%s%c-%s-%d --hashlimit-htable-size %d --hashlimit-htable-max %d --hashlimit-htable-expire 10000 -j DROP"
	mode := "--hashlimit-mode srcip "
	if way == "d" {
		mode = "--hashlimit-mode dstip "
	}
	digit := '4'
	if z.six {
		digit = '6'
	}
	if each > 0 {
		rate := policed(each)
		rules = append(rules, fmt.Sprintf(limit, rate, mode, way, digit, z.tag(), rate, 1024, 16384))
	}
	if all > 0 {
		rate := policed(all)
		rules = append(rules, fmt.Sprintf(limit, rate, "", "all-"+way, digit, z.tag(), rate, 1, 1))
	}
	return rules
}

// policed is the speed nearest to one in bytes per second that xt_hashlimit
// can hold.
func policed(speed uint64) uint64 { return min(max(speed, 1024), 1<<30) }

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

// nat sends guests without a pass to the portal and to the forwarder of
// names, and what nobody may ask the router itself to a closed port. It sees
// the first packet of each connection alone. Only here, and not before, does
// such a packet get the mark that lets it reach the router: were this table
// flushed, the second gate would stop it.
func (r Ruleset) nat(fam family, zones []zonePlan) tableDef {
	pre := chainDef{name: chainPrerouting, hook: "PREROUTING"}
	var chains []chainDef
	for _, z := range zones {
		pre.rules = append(pre.rules, "-i "+z.Interface+" -g "+z.chain("N"))
		chains = append(chains, chainDef{name: z.chain("N"), rules: z.natRules()})
	}
	own := []chainDef{pre}
	if !fam.six {
		post := chainDef{name: chainPostrouting, hook: "POSTROUTING"}
		for _, name := range r.Uplinks {
			if r.Masquerade && len(zones) > 0 {
				post.rules = append(post.rules, "-o "+name+" "+r.marked("")+" -j MASQUERADE")
			}
		}
		own = append(own, post)
	}
	return tableDef{"nat", append(own, chains...)}
}

func (z zonePlan) natRules() (rules []string) {
	redirect := func(match string, port uint16) {
		rules = append(rules, fmt.Sprintf("%s -j REDIRECT --to-ports %d", match, port))
	}
	for _, proto := range []string{"udp", "tcp"} {
		if z.DNSPort != 0 { // marked already, as the router's resolver is a service
			redirect(fmt.Sprintf("-p %s -m %s --dport 53 -m addrtype --dst-type LOCAL %s", proto, proto, z.pass.notFrom()), z.DNSPort)
		}
	}
	const local = "-p udp -m addrtype --dst-type LOCAL"
	rules = append(rules, z.all.marked("")+" -j RETURN", "-p tcp "+z.all.setMark(), local+" "+z.all.setMark())
	redirect("-p tcp -m tcp --dport 80 "+z.pass.notFrom(), z.PortalPort)
	redirect("-p tcp", closedPort)
	redirect(local, closedPort)
	return rules
}
