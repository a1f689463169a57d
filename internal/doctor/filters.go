package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hien-wifi/hien/internal/uci"
)

// firewalls names the packet filters in force, as people know them.
func (s *System) firewalls() (names []string) {
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, t := range s.Tables {
		switch {
		case t.Name == "fw4" && t.Family == "inet":
			add("fw4 (nftables)")
		case isIPTables(t):
			add("iptables (nf_tables)")
		default:
			add(fmt.Sprintf("nftables table %s %s", t.Family, t.Name))
		}
	}
	if len(s.Legacy) > 0 {
		add("iptables (legacy): " + strings.Join(s.Legacy, ", "))
	}
	return names
}

// isIPTables reports whether iptables-nft keeps a table.
func isIPTables(t Table) bool {
	return (t.Family == "ip" || t.Family == "ip6") && slices.Contains([]string{"filter", "nat", "mangle", "raw", "security"}, t.Name)
}

// ourTable is the name of Hiên's own table of nftables.
const ourTable = "hien"

// filters looks at what other packet filters do to the portal.
func (s *System) filters(d *diagnosis) {
	if len(s.Legacy) > 0 && slices.ContainsFunc(s.Tables, func(t Table) bool { return t.Name != ourTable }) {
		d.say(TwoFirewalls, Note, "", "iptables-legacy-save && nft list ruleset", strings.Join(s.firewalls(), "; "))
	}
	s.offloading(d)
	if s.Firewall == nil {
		return
	}
	for _, z := range s.Zones {
		s.openWrtZone(z, d)
	}
}

// offloading: a flow that the kernel has learnt to forward by itself is seen
// by no rule any more. It is not counted and not slowed down, and how long it
// was idle is not known.
func (s *System) offloading(d *diagnosis) {
	on := len(s.Flowtables) > 0
	for _, sec := range sections(s.Firewall, "defaults") {
		on = on || option(sec, "flow_offloading") == "1" || option(sec, "flow_offloading_hw") == "1"
	}
	if !on {
		return
	}
	severity := Note
	if slices.ContainsFunc(s.Zones, func(z Zone) bool { return z.Limited }) {
		severity = Warn
	}
	command := "nft list flowtables"
	if s.Firewall != nil {
		command = "uci set firewall.@defaults[0].flow_offloading=0 && uci set firewall.@defaults[0].flow_offloading_hw=0 && uci commit firewall && " + s.service("reload", "firewall")
	}
	d.say(Offload, severity, "", command)
}

func sections(f *uci.File, kind string) (found []uci.Section) {
	if f == nil {
		return nil
	}
	for _, sec := range f.Sections {
		if sec.Type.Text == kind && option(sec, "enabled") != "0" {
			found = append(found, sec)
		}
	}
	return found
}

// firewallZone is the zone of fw4 or fw3 that a guest interface is in, by its
// networks or devices.
func (s *System) firewallZone(z Zone) (uci.Section, bool) {
	for _, sec := range sections(s.Firewall, "zone") {
		if slices.Contains(list(sec, "device"), z.Interface) ||
			slices.ContainsFunc(list(sec, "network"), func(n string) bool { return s.device(n) == z.Interface }) {
			return sec, true
		}
	}
	return uci.Section{}, false
}

// A service is something of the router's that guests need.
type service struct {
	proto string
	port  uint16
}

func (s service) String() string { return fmt.Sprintf("%s %d", s.proto, s.port) }

// services are what a zone's guests need of the router. The system's rules see
// them after redirection, at Hiên's own ports.
func (z Zone) services() []service {
	all := []service{{"tcp", z.PortalPort}, {"udp", 53}, {"tcp", 53}, {"udp", 67}}
	if z.DNSPort != 0 {
		all = append(all, service{"udp", z.DNSPort}, service{"tcp", z.DNSPort})
	}
	if z.APIPort != 0 {
		all = append(all, service{"tcp", z.APIPort})
	}
	return all
}

// openWrtZone compares the system's settings with what guests need. Nothing
// of Hiên's can open what the system refuses: a packet that one table accepts
// is still looked at by the next.
func (s *System) openWrtZone(z Zone, d *diagnosis) {
	sec, ok := s.firewallZone(z)
	if !ok {
		if s.defaultPolicy("input") != "ACCEPT" {
			d.say(NoFirewall, Warn, z.Name, "uci show firewall", z.Interface).Unproven = true
		}
		return
	}
	name := option(sec, "name")
	if policy(option(sec, "input"), s.defaultPolicy("input")) != "ACCEPT" {
		var missing []string
		for _, need := range z.services() {
			if !s.accepts(name, need) {
				missing = append(missing, need.String())
			}
		}
		if len(missing) > 0 {
			d.say(NoInputRule, Bad, z.Name, s.allowByUCI(z, name), name, strings.Join(missing, ", ")).Unproven = true
		}
	}
	forwards := slices.ContainsFunc(sections(s.Firewall, "forwarding"), func(f uci.Section) bool { return option(f, "src") == name })
	if !forwards {
		command := fmt.Sprintf("uci set firewall.hien_forward=forwarding && uci set firewall.hien_forward.src=%s && uci set firewall.hien_forward.dest=wan && uci commit firewall && %s", name, s.service("reload", "firewall"))
		d.say(NoForwarding, Bad, z.Name, command, name).Unproven = true
	}
}

func (s *System) defaultPolicy(which string) string {
	p := "REJECT" // fw4's own default
	for _, sec := range sections(s.Firewall, "defaults") {
		p = policy(option(sec, which), p)
	}
	return p
}

func policy(set, otherwise string) string {
	if set == "" {
		return otherwise
	}
	return strings.ToUpper(set)
}

// accepts reports whether a rule lets a service in from a zone. Rules that
// ask for more than zone, protocol and port are not counted on.
func (s *System) accepts(zone string, need service) bool {
	for _, r := range sections(s.Firewall, "rule") {
		if option(r, "src") != zone && option(r, "src") != "*" || option(r, "dest") != "" || strings.ToUpper(option(r, "target")) != "ACCEPT" {
			continue
		}
		if len(list(r, "src_ip"))+len(list(r, "src_mac"))+len(list(r, "dest_ip"))+len(list(r, "src_port")) > 0 || option(r, "family") == "ipv6" {
			continue
		}
		protos, ports := list(r, "proto"), list(r, "dest_port")
		if len(protos) == 0 {
			protos = []string{"tcp", "udp"} // fw4's own default
		}
		proto := slices.ContainsFunc(protos, func(p string) bool {
			return p == need.proto || p == "all" || p == "any" || p == "*" || p == "tcpudp"
		})
		port := len(ports) == 0 || slices.ContainsFunc(ports, func(p string) bool { return holdsPort(p, need.port) })
		if proto && port {
			return true
		}
	}
	return false
}

// holdsPort reads "53" and "50-60" and "50:60".
func holdsPort(text string, port uint16) bool {
	first, last, isRange := strings.Cut(strings.ReplaceAll(text, ":", "-"), "-")
	if !isRange {
		last = first
	}
	a, err := strconv.ParseUint(first, 10, 16)
	b, err2 := strconv.ParseUint(last, 10, 16)
	return err == nil && err2 == nil && a <= uint64(port) && uint64(port) <= b
}

// allowByUCI is the command that gives a zone's guests what they need of the
// router.
func (s *System) allowByUCI(z Zone, zone string) string {
	var ports []string
	for _, need := range z.services() {
		if p := strconv.Itoa(int(need.port)); !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	rule := "uci set firewall.hien_" + z.Name
	return fmt.Sprintf("%[1]s=rule && %[1]s.src=%[2]s && %[1]s.proto='tcp udp' && %[1]s.dest_port='%[3]s' && %[1]s.target=ACCEPT && uci commit firewall && %[4]s",
		rule, zone, strings.Join(ports, " "), s.service("reload", "firewall"))
}

// allow is the command that lets a service in from a zone's guests, in the
// words of the packet filter that is most likely to refuse it.
func (s *System) allow(z Zone, need service) string {
	if sec, ok := s.firewallZone(z); ok {
		return s.allowByUCI(z, option(sec, "name"))
	}
	for _, t := range s.Tables {
		if t.Name == ourTable || isIPTables(t) || t.Family != "inet" && t.Family != "ip" {
			continue
		}
		for _, c := range t.Chains {
			if c.Hook == hookInput && c.Type == "filter" {
				return fmt.Sprintf("nft insert rule %s %s %s iifname %s %s dport %d accept", t.Family, t.Name, c.Name, z.Interface, need.proto, need.port)
			}
		}
	}
	return fmt.Sprintf("iptables -I INPUT -i %s -p %s --dport %d -j ACCEPT", z.Interface, need.proto, need.port)
}
