package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/dns"
	"github.com/hien-wifi/hien/internal/probes"
)

const gardenAllowed = "a name such as example.com, an address or a network, each once"

// Gardens are what a zone's guests reach without a pass, with the presets
// written out: names (with everything beneath each), networks, and the names
// that one guest reaches while its code is on its way.
func Gardens(z hien.Zone) (names []string, networks []netip.Prefix, codeNames []string) {
	for _, v := range z.Garden {
		if network, ok := gardenNetwork(v); ok {
			networks = append(networks, network)
		} else {
			names = append(names, namesOf(v)...)
		}
	}
	for _, v := range z.CodeGarden {
		codeNames = append(codeNames, namesOf(v)...)
	}
	return once(names), networks, once(codeNames)
}

// namesOf are the names of a preset, or the name itself.
func namesOf(v string) []string {
	if names, err := dns.Preset(v); err == nil {
		return names
	}
	return []string{v}
}

func once(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// isPreset tells a preset from a host, whose name has a dot.
func isPreset(v string) bool { return slices.Contains(dns.Presets(), v) }

// addOnce adds a value that is fine and not there yet.
func addOnce(to *[]string, v string, fine bool) bool {
	if !fine || slices.Contains(*to, v) {
		return false
	}
	*to = append(*to, v)
	return true
}

func addPreset(to *[]string, v string) bool { return addOnce(to, v, isPreset(v)) }

func addCodeGarden(to *[]string, v string) bool {
	return addOnce(to, v, isPreset(v) || isHostName(v) && probeHint(v) == "")
}

func codeGardenHint(v string) string {
	if _, ok := gardenNetwork(v); ok {
		return "it is an address: want names and presets only"
	}
	return cmp.Or(nameHint(v), wildHint(v), probeHint(v))
}

// addGarden takes what is reached without a pass.
func addGarden(to *[]string, v string) bool {
	if network, ok := gardenNetwork(v); ok {
		return addOnce(to, v, networkHint(network) == "")
	}
	return addOnce(to, v, isHostName(v) && probeHint(v) == "")
}

func gardenHint(v string) string {
	if network, ok := gardenNetwork(v); ok {
		return networkHint(network)
	}
	if isPreset(v) {
		return "it is a preset: want list garden_preset '" + v + "'"
	}
	return cmp.Or(nameHint(v), wildHint(v), probeHint(v))
}

// gardenNetwork reads an address or a network.
func gardenNetwork(v string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(v); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	network, err := netip.ParsePrefix(v)
	return network, err == nil
}

// The largest networks of a garden.
const (
	minBits4 = 8
	minBits6 = 16
)

// nowhere are the networks that no router forwards to: this host, loopback,
// the link itself, groups, and IPv4 written as IPv6 (RFC 6890).
var nowhere = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
	netip.MustParsePrefix("::/127"), netip.MustParsePrefix("::ffff:0:0/96"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
}

func networkHint(n netip.Prefix) string {
	least := minBits6
	if n.Addr().Is4() {
		least = minBits4
	}
	switch {
	case n.Bits() < least:
		return fmt.Sprintf("that is the internet: want a /%d or a smaller network", least)
	case n != n.Masked():
		return fmt.Sprintf("it has bits beyond its length: want %s", n.Masked())
	case slices.ContainsFunc(nowhere, n.Overlaps):
		return "no guest reaches anything there: want addresses of the internet or of the shop"
	}
	return ""
}

// isHostName reports whether v is a host's name of two or more labels in
// lowercase ASCII (RFC 1123 §2.1), with the underscore that some hosts have
// besides: not an address, whose last label is a number.
func isHostName(v string) bool {
	labels := strings.Split(v, ".")
	if len(v) > 253 || len(labels) < 2 || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// nameHint tells how a name is written that was nearly right.
func nameHint(v string) string {
	switch {
	case strings.Contains(v, "://"):
		return "want the name alone, without https:// and path"
	case !ascii(v) && !strings.ContainsAny(v, " \t"):
		return "want the name in ASCII, in which a label with other letters begins with xn-- (punycode)"
	case isHostName(strings.ToLower(v)) && !isHostName(v):
		return "want it in lowercase: " + strings.ToLower(v)
	case isHostName(strings.TrimSuffix(v, ".")) && !isHostName(v):
		return "want it without the dot at its end"
	}
	return ""
}

// wildHint is for a name that is written as elsewhere a name with all beneath
// it.
func wildHint(v string) string {
	if bare := strings.TrimPrefix(strings.TrimPrefix(v, "*"), "."); bare != v && isHostName(bare) {
		return "want " + bare + ": a name means everything beneath it too"
	}
	return ""
}

// probeHint says which phones would never see the portal with a name in the
// garden: their probe's host would answer, and they would take that for the
// internet. A name beneath a probe's host does no harm.
func probeHint(v string) string {
	host, bad := dns.ProbeInGarden(v)
	if !bad {
		return ""
	}
	i := slices.IndexFunc(probes.List, func(p probes.Probe) bool { return p.Host() == host })
	who := cmp.Or(people[probes.List[i].OS], probes.List[i].OS)
	if host == v {
		return fmt.Sprintf("%s is how %s look for the portal: with it in the garden the portal would never open there", host, who)
	}
	return fmt.Sprintf("%s, beneath it, is how %s look for the portal: with it in the garden the portal would never open there; want the names that are needed, one by one", host, who)
}

// people is whom the owner knows by the name of an operating system.
var people = map[string]string{"iOS": "iPhones", "Android": "Android phones", "Windows": "Windows computers", "Firefox": "Firefox browsers", "Linux": "Linux computers"}

// setHostName takes the API's name. The API's URI, with port and path, must
// fit into DHCP option 114, which holds 255 bytes (RFC 8910 §2.1).
func setHostName(to *string, v string) bool {
	*to = v
	return isHostName(v) && len(v) <= 200 && !strings.Contains(v, "_")
}
