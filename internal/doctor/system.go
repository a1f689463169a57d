package doctor

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hien-wifi/hien/internal/uci"
)

// A House is what Hiên is set to do, and what its daemon says of itself.
type House struct {
	Running  bool   // the daemon answers
	Broken   string // why the rules of the firewall do not hold, as the daemon says
	Released bool   // `hien cleanup` took the rules out
	Backend  string // the packet filter that Hiên uses, in words; empty: not known
	Mark     uint32 // the bit of a packet's mark that is Hiên's
	Clock    bool   // the clock is in step
	Zones    []Zone
}

// A Zone is one guest network.
type Zone struct {
	Name       string
	Interface  string
	PortalPort uint16
	DNSPort    uint16 // of Hiên's own forwarder; 0: there is none
	APIPort    uint16 // of the captive portal API; 0: there is none
	APIName    string // its host name; empty: there is none
	Limited    bool   // volume, idle time or speed of a pass are limited
	Trouble    string // why the portal is not open, as the daemon says; empty: it is
}

// A System is what was read of the router, without trying anything.
type System struct {
	House
	Now time.Time

	Links  map[string]Link // by name
	Addrs  []netip.Addr    // of the router: neither loopback nor link-local
	IPv6   bool            // the kernel has it
	Rules  []Rule
	Routes []netip.Addr // the default routes' gateways, the unspecified address where a route has none

	Tables     []Table  // of nftables
	Flowtables []string // table and name
	Legacy     []string // tables of iptables-legacy that are in use

	// Values under /proc/sys/net, by their path there. What is not there is
	// not in the map.
	Sysctl map[string]int

	// Of OpenWrt; nil where there is none.
	Firewall, Network, DHCP *uci.File
	OpenWrt                 bool
	APK                     bool // its packages are apk's, not opkg's

	UDP []uint16 // ports of UDP that somebody listens on; nil: not known

	Ranges []Range // that DHCP gives out
	Leases []Lease
}

// A Link is an interface of the router.
type Link struct {
	Index    int
	Kind     string // "bridge", "veth", …
	Up       bool
	Prefixes []netip.Prefix // its addresses, link-local ones left out
}

// prefix4 is the interface's IPv4 network, with the router's address in it.
func (l Link) prefix4() netip.Prefix { return l.prefix(true) }

// prefix6 is the interface's first IPv6 network.
func (l Link) prefix6() netip.Prefix { return l.prefix(false) }

func (l Link) prefix(four bool) netip.Prefix {
	i := slices.IndexFunc(l.Prefixes, func(p netip.Prefix) bool { return p.Addr().Is4() == four })
	if i < 0 {
		return netip.Prefix{}
	}
	return l.Prefixes[i]
}

// A Rule is a rule of policy routing.
type Rule struct {
	IPv6       bool
	Priority   int
	Iif        string
	Mark, Mask uint32
	Table      int
	Refuses    bool // unreachable, prohibit or blackhole
	Narrow     bool // it looks at more than interface and mark: protocol, port, address
}

// A Table is one of nftables, with its chains that hook into the packets' way.
type Table struct {
	Family string // inet, ip, ip6, bridge, netdev, arp
	Name   string
	Chains []Chain
}

// A Chain is a base chain.
type Chain struct {
	Name string
	Hook int // NF_INET_LOCAL_IN and so on
	Type string
}

// hookInput is NF_INET_LOCAL_IN of linux/netfilter.h.
const hookInput = 1

// A Range is addresses that DHCP gives out.
type Range struct {
	First, Last netip.Addr // IPv4
}

// size is how many addresses the range has.
func (r Range) size() int { return int(number(r.Last)-number(r.First)) + 1 }

func (r Range) holds(a netip.Addr) bool {
	return a.Is4() && r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// A Lease is an address that DHCP has given out.
type Lease struct {
	Addr  netip.Addr
	Until time.Time // the zero Time: for ever
}

// rangesOf are the ranges within a zone's network.
func (s *System) rangesOf(z Zone) (in []Range) {
	p := s.Links[z.Interface].prefix4()
	for _, r := range s.Ranges {
		if p.IsValid() && p.Masked().Contains(r.First) {
			in = append(in, r)
		}
	}
	return in
}

// pool is how many addresses DHCP has for a zone, and how many are given out.
func (s *System) pool(z Zone) (size, taken int) {
	ranges := s.rangesOf(z)
	for _, r := range ranges {
		size += r.size()
	}
	seen := make(map[netip.Addr]bool)
	for _, l := range s.Leases {
		if (l.Until.IsZero() || l.Until.After(s.Now)) && !seen[l.Addr] && slices.ContainsFunc(ranges, func(r Range) bool { return r.holds(l.Addr) }) {
			seen[l.Addr] = true
			taken++
		}
	}
	return size, taken
}

func (s *System) zone(name string) Zone {
	i := slices.IndexFunc(s.Zones, func(z Zone) bool { return z.Name == name })
	if i < 0 {
		return Zone{}
	}
	return s.Zones[i]
}
