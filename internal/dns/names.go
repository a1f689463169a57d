package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hien-wifi/hien/internal/probes"
)

// Names are the names that are treated apart in a zone.
type Names struct {
	// Garden is what is reached without a pass, as in hien.Zone: names with
	// all below them ("zalo.me", "*.zalo.me" is the same), addresses and
	// networks. Of the last two no name is filled in: they only say which
	// private addresses may be in an answer.
	Garden []string
	// CodeGarden is the same for guests who wait for a code.
	CodeGarden []string
	// Local are the hosts that the portal itself answers for, exactly so,
	// with the zone's own addresses.
	Local map[string][]netip.Addr
}

// names is Names, ready to be looked up.
type names struct {
	garden, code map[string]bool
	networks     []netip.Prefix
	local        map[string][]netip.Addr
}

// parse checks the names, all of them at once.
func (n Names) parse() (*names, error) {
	parsed := &names{garden: make(map[string]bool), code: make(map[string]bool), local: make(map[string][]netip.Addr)}
	var errs []error
	for _, list := range []struct {
		entries []string
		into    map[string]bool
	}{{n.Garden, parsed.garden}, {n.CodeGarden, parsed.code}} {
		for _, entry := range list.entries {
			if network, ok := parseNetwork(entry); ok {
				parsed.networks = append(parsed.networks, network)
				continue
			}
			pattern, err := Pattern(entry)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			if host, bad := ProbeInGarden(pattern); bad {
				errs = append(errs, fmt.Errorf("%q in the garden would let %s through, by which phones find the portal: no portal would open; name the hosts that are needed instead", entry, host))
				continue
			}
			list.into[pattern] = true
		}
	}
	for host, addrs := range n.Local {
		name, err := Pattern(host)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		parsed.local[name] = slices.Clone(addrs)
	}
	return parsed, errors.Join(errs...)
}

// parseNetwork reads an address or a network.
func parseNetwork(s string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil
}

// Pattern is a name of the garden in the form in which names are compared: in
// lower case, without the final dot or the "*." before it. It stands for
// itself and all names below. The error says what is wrong with it.
func Pattern(s string) (string, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(s), "*."), ".")
	if err := hostName(name, 253, 127); err != nil {
		return "", fmt.Errorf("%q is no host name: %w", s, err)
	}
	return name, nil
}

// hostName reports why a name in lower case is no host name (RFC 952, RFC
// 1123 §2.1), with the underscore that some hosts have besides. Anything else
// is not asked for by a phone that looks for a host.
func hostName(name string, length, labels int) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case len(name) > length:
		return fmt.Errorf("it is longer than %d characters", length)
	case strings.Count(name, ".")+1 > labels:
		return fmt.Errorf("it has more than %d labels", labels)
	}
	label := 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 {
				return errors.New("a label is empty")
			}
			label = 0
			continue
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return errors.New("want letters, digits and hyphens")
		}
		if label++; label > 63 {
			return errors.New("a label is longer than 63 characters")
		}
	}
	if label == 0 {
		return errors.New("a label is empty")
	}
	return nil
}

// ProbeInGarden reports whether a name of the garden, with all below it, holds
// a host by which an operating system asks whether it is behind a portal, and
// which. Such a question would be answered by the real host, and the portal
// never open (RFC 8952 §2.1).
func ProbeInGarden(pattern string) (host string, bad bool) {
	pattern, err := Pattern(pattern)
	if err != nil {
		return "", false
	}
	for _, host := range probeHosts {
		if host == pattern || strings.HasSuffix(host, "."+pattern) {
			return host, true
		}
	}
	return "", false
}

var probeHosts = probes.Hosts()

// within reports whether a name is one of the patterns or below one.
func within(patterns map[string]bool, name string) bool {
	for len(patterns) > 0 {
		if patterns[name] {
			return true
		}
		_, above, ok := strings.Cut(name, ".")
		if !ok {
			return false
		}
		name = above
	}
	return false
}

// reachable reports whether an address may stand in an answer: a public one,
// or one of a network that is reached without a pass.
func (n *names) reachable(addr netip.Addr) bool {
	return public(addr) || slices.ContainsFunc(n.networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// public reports whether an address can be a host of the internet. It is the
// same list as the packet filter's, which refuses all others.
func public(addr netip.Addr) bool {
	return addr.IsValid() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// special are the networks of the registries of special-purpose addresses
// (RFC 6890) that can name a machine of the shop or of its provider. IPv4
// addresses within IPv6 are left out whole: no host has one.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), // unspecified, loopback, IPv4-compatible
	netip.MustParsePrefix("::ffff:0:0/96"),
	netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fec0::/10"), // site-local, deprecated by RFC 3879
	netip.MustParsePrefix("ff00::/8"),
}

// registered is the domain that somebody has registered, near enough: the
// last two labels, or three where the second is one of those under which the
// registries of countries sell names (com.vn, co.uk). A domain that sells
// names below itself counts as one owner.
func registered(name string) string {
	labels := 2
	if last := strings.LastIndexByte(name, '.'); last >= 0 && len(name)-last-1 == 2 {
		second := name[strings.LastIndexByte(name[:last], '.')+1 : last]
		if slices.Contains(secondLevel, second) {
			labels = 3
		}
	}
	from := len(name)
	for range labels {
		dot := strings.LastIndexByte(name[:from], '.')
		if dot < 0 {
			return name
		}
		from = dot
	}
	return name[from+1:]
}

// secondLevel are the labels that registries of countries commonly use.
var secondLevel = []string{"ac", "biz", "co", "com", "edu", "go", "gov", "health", "id", "info", "int", "io", "mil", "name", "ne", "net", "nom", "or", "org", "pro", "sch"}
