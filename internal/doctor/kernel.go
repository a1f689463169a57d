package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// askKernel reads links, addresses, rules, routes and tables over netlink.
func (s *System) askKernel() error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("ask for the interfaces: %w", err)
	}
	s.Links = make(map[string]Link)
	for _, l := range links {
		a := l.Attrs()
		link := Link{Index: a.Index, Kind: l.Type(), Up: a.Flags&net.FlagUp != 0}
		addrs, err := netlink.AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			return fmt.Errorf("ask for the addresses of %s: %w", a.Name, err)
		}
		for _, one := range addrs {
			p, ok := prefixOf(one.IPNet)
			if !ok || p.Addr().IsLinkLocalUnicast() {
				continue
			}
			link.Prefixes = append(link.Prefixes, p)
			if !p.Addr().IsLoopback() {
				s.Addrs = append(s.Addrs, p.Addr())
			}
		}
		s.Links[a.Name] = link
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
		s.IPv6 = true
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		if family == unix.AF_INET6 && !s.IPv6 {
			continue
		}
		rules, err := rulesOf(family)
		if err != nil {
			return fmt.Errorf("ask for the policy rules: %w", err)
		}
		s.Rules = append(s.Rules, rules...)
		if err := s.askRoutes(family); err != nil {
			return err
		}
	}
	return s.askTables()
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(a.Unmap(), ones), ok
}

// askRoutes finds the default routes of every table: mwan3 and pbr keep
// theirs in tables of their own.
func (s *System) askRoutes(family int) error {
	err := netlink.RouteListFilteredIter(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		if r.Type != unix.RTN_UNICAST {
			return true
		}
		if ones, _ := maskSize(r.Dst); ones != 0 {
			return true
		}
		if link := s.linkByIndex(r.LinkIndex); link == "lo" {
			return true
		}
		gw, ok := netip.AddrFromSlice(r.Gw)
		switch {
		case ok:
			gw = gw.Unmap()
		case family == unix.AF_INET:
			gw = netip.IPv4Unspecified()
		default:
			gw = netip.IPv6Unspecified()
		}
		s.Routes = append(s.Routes, gw)
		return true
	})
	if err != nil {
		return fmt.Errorf("ask for the routes: %w", err)
	}
	return nil
}

func maskSize(n *net.IPNet) (ones, bits int) {
	if n == nil {
		return 0, 0
	}
	return n.Mask.Size()
}

func (s *System) linkByIndex(index int) string {
	for name, l := range s.Links {
		if l.Index == index {
			return name
		}
	}
	return ""
}

// rulesOf reads policy rules. The library's own reader leaves out what a rule
// does.
func rulesOf(family int) (rules []Rule, err error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETRULE, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfInfomsg(family))
	messages, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWRULE)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		if r, ok := readRule(m); ok {
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// readRule reads one message of a dump: struct fib_rule_hdr and attributes
// (linux/fib_rules.h).
func readRule(m []byte) (r Rule, ok bool) {
	if len(m) < unix.SizeofRtMsg {
		return r, false
	}
	const actUnreachable, actProhibit, actBlackhole = 7, 8, 6 // FR_ACT_*
	r.IPv6 = m[0] == unix.AF_INET6
	action := m[7]
	r.Refuses = action == actUnreachable || action == actProhibit || action == actBlackhole
	r.Narrow = m[1] != 0 || m[2] != 0 || m[3] != 0 // of a destination, a source or a TOS alone
	word := func(b []byte) uint32 {
		if len(b) < 4 {
			return 0
		}
		return binary.NativeEndian.Uint32(b)
	}
	for kind, value := range attributes(m[unix.SizeofRtMsg:]) {
		switch kind {
		case nl.FRA_IIFNAME:
			r.Iif = text(value)
		case nl.FRA_PRIORITY:
			r.Priority = int(word(value))
		case nl.FRA_FWMARK:
			r.Mark = word(value)
		case nl.FRA_FWMASK:
			r.Mask = word(value)
		case unix.RTA_TABLE:
			r.Table = int(word(value))
		case nl.FRA_IP_PROTO, nl.FRA_DPORT_RANGE, nl.FRA_SPORT_RANGE, nl.FRA_OIFNAME, nl.FRA_UID_RANGE, nl.FRA_TUN_ID:
			r.Narrow = true
		}
	}
	return r, true
}

func text(b []byte) string { return strings.TrimRight(string(b), "\x00") }

// The attributes of nf_tables that are read (linux/netfilter/nf_tables.h).
const (
	nftaTableName      = 1
	nftaChainTable     = 1
	nftaChainName      = 3
	nftaChainHook      = 4
	nftaChainType      = 7
	nftaHookNum        = 1
	nftaFlowtableTable = 1
	nftaFlowtableName  = 2
)

// askTables reads the tables, base chains and flow tables of nftables. A
// kernel without nf_tables has none, and one without flow tables none of
// those.
func (s *System) askTables() error {
	err := dumpNFT(unix.NFT_MSG_GETTABLE, func(family uint8, attrs map[uint16][]byte) {
		s.Tables = append(s.Tables, Table{Family: familyName(family), Name: text(attrs[nftaTableName])})
	})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EPERM) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask for the tables of nftables: %w", err)
	}
	err = dumpNFT(unix.NFT_MSG_GETCHAIN, func(family uint8, attrs map[uint16][]byte) {
		hook := attributes(attrs[nftaChainHook])[nftaHookNum]
		if len(hook) < 4 {
			return // no base chain
		}
		for i, t := range s.Tables {
			if t.Name == text(attrs[nftaChainTable]) && t.Family == familyName(family) {
				s.Tables[i].Chains = append(t.Chains, Chain{text(attrs[nftaChainName]), int(binary.BigEndian.Uint32(hook)), text(attrs[nftaChainType])})
			}
		}
	})
	if err != nil {
		return fmt.Errorf("ask for the chains of nftables: %w", err)
	}
	dumpNFT(unix.NFT_MSG_GETFLOWTABLE, func(_ uint8, attrs map[uint16][]byte) { // an older kernel does not know the question
		s.Flowtables = append(s.Flowtables, text(attrs[nftaFlowtableTable])+" "+text(attrs[nftaFlowtableName]))
	})
	return nil
}

func dumpNFT(message int, each func(family uint8, attrs map[uint16][]byte)) error {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|message, unix.NLM_F_DUMP)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC})
	return req.ExecuteIter(unix.NETLINK_NETFILTER, 0, func(m []byte) bool {
		if len(m) >= nl.SizeofNfgenmsg {
			each(m[0], attributes(m[nl.SizeofNfgenmsg:]))
		}
		return true
	})
}

// attributes reads a chain of netlink attributes (linux/netlink.h, struct
// nlattr); of one type the last counts.
func attributes(b []byte) map[uint16][]byte {
	const header, align, typeMask = 4, 4, 0x3fff
	found := make(map[uint16][]byte)
	for len(b) >= header {
		size := int(binary.NativeEndian.Uint16(b))
		if size < header || size > len(b) {
			break
		}
		found[binary.NativeEndian.Uint16(b[2:])&typeMask] = b[header:size]
		b = b[min(len(b), (size+align-1)&^(align-1)):]
	}
	return found
}

func familyName(f uint8) string {
	names := map[uint8]string{unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev", unix.NFPROTO_ARP: "arp"}
	if n, ok := names[f]; ok {
		return n
	}
	return fmt.Sprint("family ", f)
}
