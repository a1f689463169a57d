package doctor

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
)

// What is found by reading. See words.go for what each says.
const (
	NotRunning   ID = "not-running"
	RulesBroken  ID = "rules-broken"
	Released     ID = "released"
	ZoneShut     ID = "zone-shut"
	GateOpen     ID = "gate-open"
	MarkTaken    ID = "mark-taken"
	OtherRoutes  ID = "policy-routing"
	Offload      ID = "flow-offloading"
	TwoFirewalls ID = "two-firewalls"
	NoInputRule  ID = "no-input-rule"
	NoForwarding ID = "no-forwarding"
	NoFirewall   ID = "no-firewall-zone"
	NeighTable   ID = "neighbour-table"
	ReversePath  ID = "reverse-path"
	NotRouting   ID = "not-forwarding"
	NoAddress    ID = "no-address-left"
	FewAddresses ID = "few-addresses-left"
	Conntrack    ID = "conntrack"
	BridgeFilter ID = "bridge-filter"
	NoInternet   ID = "no-internet"
	ClockWrong   ID = "clock"
)

// diagnose is what is wrong with the machine, from what was read.
func (s *System) diagnose() []Finding {
	var d diagnosis
	s.ourselves(&d)
	s.otherRules(&d)
	s.filters(&d)
	s.kernelLimits(&d)
	for _, z := range s.Zones {
		s.addresses(z, &d)
	}
	return d
}

// A diagnosis collects findings.
type diagnosis []Finding

func (d *diagnosis) say(id ID, severity Severity, zone, command string, args ...any) *Finding {
	*d = append(*d, Finding{ID: id, Severity: severity, Zone: zone, Command: command, args: args})
	return &(*d)[len(*d)-1]
}

func (d diagnosis) has(id ID, zone string) bool {
	return slices.ContainsFunc(d, func(f Finding) bool { return f.ID == id && (f.Zone == zone || f.Zone == "") })
}

// service is a command about a service of the system.
func (s *System) service(act, name string) string {
	if s.OpenWrt {
		return "/etc/init.d/" + name + " " + act
	}
	return "systemctl " + act + " " + name
}

func (s *System) ourselves(d *diagnosis) {
	switch {
	case !s.Running:
		d.say(NotRunning, Bad, "", s.service("start", "hien"))
	case s.Released:
		d.say(Released, Bad, "", s.service("restart", "hien"))
	case s.Broken != "":
		d.say(RulesBroken, Bad, "", s.service("restart", "hien"), strings.TrimRight(s.Broken, ". \n"))
	}
	for _, z := range s.Zones {
		if z.Trouble != "" {
			d.say(ZoneShut, Bad, z.Name, "hien status", strings.TrimRight(z.Trouble, ". \n"), z.Interface)
		}
		if families := s.gateless(z); families != "" && !s.Released {
			d.say(GateOpen, Bad, z.Name, "hien gate shut", families)
		}
	}
	if !s.Clock {
		command := "timedatectl set-ntp true"
		if s.OpenWrt {
			command = s.service("restart", "sysntpd")
		}
		d.say(ClockWrong, Warn, "", command)
	}
}

// gateless says for which families the second gate is not there: a rule that
// makes unreachable whatever comes from the guest interface, or all of it that
// is without our mark.
func (s *System) gateless(z Zone) string {
	shut := func(six bool) bool {
		return slices.ContainsFunc(s.Rules, func(r Rule) bool {
			return r.IPv6 == six && r.Iif == z.Interface && r.Refuses && !r.Narrow && r.Mark == 0 && (r.Mask == 0 || r.Mask == s.Mark)
		})
	}
	return families(!shut(false), s.IPv6 && !shut(true))
}

// families names IPv4, IPv6 or both; nothing for neither.
func families(four, six bool) string {
	switch {
	case four && six:
		return "IPv4, IPv6"
	case four:
		return "IPv4"
	case six:
		return "IPv6"
	}
	return ""
}

// foreignRules are the policy rules of other programs that look at marks.
func (s *System) foreignRules() (rules []Rule) {
	for _, r := range s.Rules {
		ours := slices.ContainsFunc(s.Zones, func(z Zone) bool { return z.Interface == r.Iif }) ||
			r.Iif != "" && r.Mask == s.Mark // the gate of a zone that was
		if r.Mask != 0 && !ours {
			rules = append(rules, r)
		}
	}
	return rules
}

// markNames are whose mask a mask is, by their default settings.
var markNames = map[uint32]string{0x3f00: "mwan3", 0xff0000: "pbr", 0xff00: "mwan3"}

func (s *System) otherRules(d *diagnosis) {
	var all uint32
	var whose []string
	for _, r := range s.foreignRules() {
		all |= r.Mask
		name, known := markNames[r.Mask]
		if !known {
			name = fmt.Sprintf("0x%x", r.Mask)
		}
		if !slices.Contains(whose, name) {
			whose = append(whose, name)
		}
	}
	names := strings.Join(whose, ", ")
	switch {
	case all == 0:
	case all&s.Mark != 0:
		free := freeBit(all)
		command := fmt.Sprintf("uci set hien.main.mark=0x%08x && uci commit hien && %s", free, s.service("restart", "hien"))
		if free == 0 {
			command = "ip rule"
		}
		d.say(MarkTaken, Bad, "", command, fmt.Sprintf("0x%08x", s.Mark), names)
	default:
		d.say(OtherRoutes, Note, "", "", names)
	}
	// Strict filtering looks whether the way back to the sender leads out
	// where the packet came in (RFC 3704): with two uplinks it does not.
	if all != 0 && len(s.defaultRoutes(true)) > 1 && s.Sysctl["ipv4/conf/all/rp_filter"] == 1 {
		d.say(ReversePath, Warn, "", "sysctl -w net.ipv4.conf.all.rp_filter=2")
	}
}

// freeBit is a bit of the mark that nobody uses, from the upper ones: packet
// filters that count mostly use the lower. 0: there is none.
func freeBit(taken uint32) uint32 {
	taken |= 0x003fff00 | 0x00ff0000 // whatever is in force now
	for bit := uint32(1 << 24); bit != 0; bit <<= 1 {
		if bit&taken == 0 {
			return bit
		}
	}
	if free := ^taken; free != 0 {
		return 1 << (bits.Len32(free) - 1)
	}
	return 0
}

// defaultRoutes are the gateways of one family, each once.
func (s *System) defaultRoutes(four bool) (routes []netip.Addr) {
	for _, r := range s.Routes {
		if r.Is4() == four && !slices.Contains(routes, r) {
			routes = append(routes, r)
		}
	}
	return routes
}

// kernelLimits are values of the kernel that are too small, or off.
func (s *System) kernelLimits(d *diagnosis) {
	if v, ok := s.Sysctl["ipv4/ip_forward"]; ok && v == 0 {
		d.say(NotRouting, Bad, "", "sysctl -w net.ipv4.ip_forward=1", "IPv4")
	}
	guests6 := slices.ContainsFunc(s.Zones, func(z Zone) bool { return s.Links[z.Interface].prefix6().IsValid() })
	if v, ok := s.Sysctl["ipv6/conf/all/forwarding"]; ok && v == 0 && guests6 {
		d.say(NotRouting, Warn, "", "sysctl -w net.ipv6.conf.all.forwarding=1", "IPv6")
	}
	if len(s.Routes) == 0 {
		command := "ip route"
		if s.OpenWrt {
			command = "ifup wan"
		}
		d.say(NoInternet, Bad, "", command)
	}
	guests := 0
	for _, z := range s.Zones {
		size, _ := s.pool(z)
		guests += size
	}
	s.neighbours(d, "ipv4", guests)
	if guests6 {
		s.neighbours(d, "ipv6", guests*addrsOfAPhone)
	}
	count, most := s.Sysctl["netfilter/nf_conntrack_count"], s.Sysctl["netfilter/nf_conntrack_max"]
	if most > 0 && count*10 >= most*8 {
		severity := Warn
		if count*100 >= most*95 {
			severity = Bad // new connections are being dropped, or about to be
		}
		d.say(Conntrack, severity, "", fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", 2*most), count, most)
	}
	if s.Sysctl["bridge/bridge-nf-call-iptables"] != 0 || s.Sysctl["bridge/bridge-nf-call-ip6tables"] != 0 {
		d.say(BridgeFilter, Note, "", "sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0")
	}
}

// addrsOfAPhone is how many IPv6 addresses a phone has in the neighbour table:
// the link-local one, a lasting and some temporary ones (RFC 8981).
const addrsOfAPhone = 4

// neighbours compares the neighbour table with the guests that DHCP has
// addresses for: beyond gc_thresh3 the kernel knows nobody new, and whoever
// comes last gets no packet (ip-sysctl.rst).
func (s *System) neighbours(d *diagnosis, family string, wanted int) {
	name := family + "/neigh/default/gc_thresh3"
	most, ok := s.Sysctl[name]
	if !ok || wanted <= most {
		return
	}
	room := 1024
	for room < 2*wanted {
		room *= 2
	}
	key := strings.ReplaceAll("net/"+name, "/", ".")
	d.say(NeighTable, Warn, "", fmt.Sprintf("echo %s=%d >>/etc/sysctl.conf && sysctl -p", key, room), most, wanted, map[string]string{"ipv4": "IPv4", "ipv6": "IPv6"}[family])
}

// addresses looks whether DHCP has an address left for the next guest.
func (s *System) addresses(z Zone, d *diagnosis) {
	size, taken := s.pool(z)
	if size == 0 || taken*10 < size*9 {
		return
	}
	severity, id := Warn, FewAddresses
	if taken >= size {
		severity, id = Bad, NoAddress
	}
	d.say(id, severity, z.Name, s.morePool(z), taken, size)
}

// morePool is the command that frees addresses sooner: phones draw a new
// hardware address for each visit, so that it is old leases that fill a range.
func (s *System) morePool(z Zone) string {
	if name := s.dhcpSection(z); name != "" {
		return fmt.Sprintf("uci set dhcp.%s.leasetime=30m && uci commit dhcp && %s", name, s.service("restart", "dnsmasq"))
	}
	return "grep -rn dhcp-range /etc/dnsmasq.conf /etc/dnsmasq.d"
}

// dhcpSection is the section of /etc/config/dhcp for the zone's network.
func (s *System) dhcpSection(z Zone) string {
	if s.DHCP == nil {
		return ""
	}
	for _, sec := range s.DHCP.Sections {
		if sec.Type.Text == "dhcp" && s.device(option(sec, "interface")) == z.Interface {
			return sec.Name.Text
		}
	}
	return ""
}
