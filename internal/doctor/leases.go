package doctor

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hien-wifi/hien/internal/uci"
)

// maxLeases bounds what is kept of a file of leases: a /16 is the widest
// guest network.
const maxLeases = 1 << 16

// readLeases reads dnsmasq's file of leases: one to a line, "expiry MAC
// address name client-id", where the expiry is in Unix seconds and 0 is for
// ever (dnsmasq(8), --dhcp-leasefile). What is not such a line is passed over,
// as those for IPv6 are; MAC and name are not kept.
func readLeases(text []byte) (leases []Lease) {
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 || len(leases) == maxLeases {
			continue
		}
		expiry, err := strconv.ParseInt(fields[0], 10, 64)
		addr, errAddr := netip.ParseAddr(fields[2])
		if err != nil || errAddr != nil || !addr.Is4() || expiry < 0 {
			continue
		}
		l := Lease{Addr: addr}
		if expiry > 0 {
			l.Until = time.Unix(expiry, 0)
		}
		leases = append(leases, l)
	}
	return leases
}

// readRanges reads the ranges of a dnsmasq configuration:
// dhcp-range=[tag:…,|set:…,]FIRST,LAST|static|proxy[,NETMASK…][,LEASE].
func readRanges(text []byte) (ranges []Range) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if !ok || strings.TrimSpace(key) != "dhcp-range" {
			continue
		}
		var addrs []netip.Addr
		for field := range strings.SplitSeq(value, ",") {
			a, err := netip.ParseAddr(strings.TrimSpace(field))
			if err == nil && a.Is4() {
				addrs = append(addrs, a)
			} else if len(addrs) > 0 {
				break // static, proxy, or the time
			}
		}
		if len(addrs) >= 2 && addrs[0].Compare(addrs[1]) <= 0 {
			ranges = append(ranges, Range{addrs[0], addrs[1]})
		}
	}
	return ranges
}

// uciRanges are the ranges of OpenWrt's /etc/config/dhcp: start and limit of
// each section count from the beginning of the interface's network
// (https://openwrt.org/docs/guide-user/base-system/dhcp). network tells the
// network of a logical interface.
func uciRanges(f *uci.File, network func(name string) netip.Prefix) (ranges []Range) {
	if f == nil {
		return nil
	}
	for _, s := range f.Sections {
		p := network(option(s, "interface"))
		if s.Type.Text != "dhcp" || option(s, "ignore") == "1" || option(s, "dhcpv4") == "disabled" || !p.IsValid() || !p.Addr().Is4() {
			continue
		}
		start, limit := 100, 150 // dnsmasq.init's own defaults
		if n, err := strconv.Atoi(option(s, "start")); err == nil {
			start = n
		}
		if n, err := strconv.Atoi(option(s, "limit")); err == nil {
			limit = n
		}
		hosts := 1<<(32-p.Bits()) - 2 // without network and broadcast
		if start < 1 || limit < 1 || start > hosts || p.Bits() < 8 {
			continue
		}
		last := min(start+limit-1, hosts)
		ranges = append(ranges, Range{nth(p, start), nth(p, last)})
	}
	return ranges
}

// nth is the address n steps after the beginning of an IPv4 network.
func nth(p netip.Prefix, n int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], number(p.Masked().Addr())+uint32(n))
	return netip.AddrFrom4(b)
}

// option is an option's value; the last one counts, as in libuci.
func option(s uci.Section, name string) (value string) {
	for _, o := range s.Options {
		if o.Name.Text == name && !o.List {
			value = o.Value.Text
		}
	}
	return value
}

// list is the words of an option or list: in /etc/config/firewall and network
// both ways of writing mean the same.
func list(s uci.Section, name string) (values []string) {
	for _, o := range s.Options {
		if o.Name.Text == name {
			values = append(values, strings.Fields(o.Value.Text)...)
		}
	}
	return values
}
