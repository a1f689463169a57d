package firewall

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
)

// A Ruleset is what the kernel shall hold. The empty Ruleset has no guest
// network: nobody is stopped.
type Ruleset struct {
	// Mark is the one bit of a packet's mark that says that a guest's packet
	// may be routed. 0 is DefaultMark.
	Mark uint32

	// Uplinks are the interfaces by which guests reach the internet. A packet
	// of a guest leaves by no other. Without any nobody gets out.
	Uplinks []string

	// Masquerade gives guests' IPv4 packets the router's own address on the
	// way out. On OpenWrt that is the wan zone's work.
	Masquerade bool

	Zones []Zone
}

// DefaultMark is the bit that neither mwan3 (0x3f00) nor pbr (0xff0000) uses.
const DefaultMark uint32 = 0x01000000

// A Zone is one guest network as the door sees it.
type Zone struct {
	Name       string // as in hien.GuestID
	Interface  string // on which its guests' packets come in
	PortalPort uint16 // tcp port of the portal on the interface's addresses

	// DNSPort is the port, udp and tcp, to which questions to the router's
	// resolver are sent of guests without a pass. 0: they are not sent away.
	DNSPort uint16

	// APIPort is the tcp port of the captive portal API (RFC 8908) and of the
	// portal over TLS. 0: there is none.
	APIPort uint16

	// Prefix is the zone's IPv4 network. Only kernels without the set type
	// hash:ip,mac ask for it; for them it is at most a /16. Where they do and
	// it is not known yet (the zero Prefix: the interface has no address so
	// far) the zone is shut for IPv4.
	Prefix netip.Prefix

	// Garden are networks that everybody reaches. Hosts come to it by Plant.
	Garden []netip.Prefix

	Speed    Speed // of each guest
	AllSpeed Speed // of all guests together
}

// A Speed is a limit in bytes per second in each direction; 0 is none.
type Speed struct {
	Down, Up uint64
}

// Neither the internet nor the portal: networks that a guest with a pass does
// not reach either, wherever they are routed to. A shop's own network often
// lies beyond the router's uplink, behind the provider's modem. (RFC 6890,
// RFC 1918, RFC 6598, RFC 4193, RFC 4291.)
var (
	private4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
	private6 = prefixes("::/127", "::ffff:0.0.0.0/96", "fc00::/7", "fe80::/10", "ff00::/8")
)

func prefixes(all ...string) (parsed []netip.Prefix) {
	for _, s := range all {
		parsed = append(parsed, netip.MustParsePrefix(s))
	}
	return parsed
}

// mark is the bit, with its default.
func (r Ruleset) mark() uint32 {
	if r.Mark == 0 {
		return DefaultMark
	}
	return r.Mark
}

// maxBitmapBits is the shortest prefix that fits into a bitmap set, which has
// at most 65,536 places (ipset(8), bitmap:ip,mac).
const maxBitmapBits = 16

// Validate reports what in the ruleset cannot be given to this kernel, all of
// it at once.
func (r Ruleset) Validate(k Kernel) error {
	var errs []error
	if bits.OnesCount32(r.mark()) != 1 {
		errs = append(errs, fmt.Errorf("mark %#x: want one bit", r.Mark))
	}
	names, interfaces := map[string]bool{}, map[string]bool{}
	for _, z := range r.Zones {
		errs = append(errs, z.faults(k)...)
		if names[z.Name] {
			errs = append(errs, fmt.Errorf("zone %q: there are two zones of this name", z.Name))
		}
		if interfaces[z.Interface] {
			errs = append(errs, fmt.Errorf("zone %q: interface %s belongs to another zone already", z.Name, z.Interface))
		}
		names[z.Name], interfaces[z.Interface] = true, true
	}
	for _, name := range r.Uplinks {
		if !validInterface(name) {
			errs = append(errs, fmt.Errorf("uplink %q: it is no interface name", name))
		}
		if interfaces[name] {
			errs = append(errs, fmt.Errorf("uplink %s: it is a guest network", name))
		}
	}
	return errors.Join(errs...)
}

func (z Zone) faults(k Kernel) (errs []error) {
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("zone %q: %s", z.Name, fmt.Sprintf(format, args...)))
	}
	if z.Name == "" {
		fault("it has no name")
	}
	if !validInterface(z.Interface) {
		fault("%q is no interface name: want 1 to 15 letters, digits, and . _ - @ inside", z.Interface)
	}
	if z.PortalPort == 0 {
		fault("it has no portal port")
	}
	if p := z.Prefix; p.IsValid() {
		switch {
		case !p.Addr().Is4():
			fault("%s is no IPv4 network", p)
		case k.V4 == BitmapIPMAC && p.Bits() < maxBitmapBits:
			fault("this kernel's set type %s holds at most a /%d and %s is larger: use a smaller guest network, or install a kernel module with the set type %s (on OpenWrt kmod-ipt-ipset)", BitmapIPMAC, maxBitmapBits, p, HashIPMAC)
		}
	}
	for _, p := range z.Garden {
		if !p.IsValid() || p.Bits() == 0 {
			fault("%s is no network for a garden", p)
		}
	}
	return errs
}

// validInterface allows what iptables takes for one interface's name and
// prints again without quotes. A + at the end would be a wildcard.
func validInterface(name string) bool {
	if len(name) == 0 || len(name) > 15 || name == "." || name == ".." {
		return false
	}
	for i, c := range []byte(name) {
		inside := i > 0 && strings.IndexByte(".-@_", c) >= 0
		if !isAlnum(c) && !inside {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (r Ruleset) clone() Ruleset {
	r.Uplinks, r.Zones = slices.Clone(r.Uplinks), slices.Clone(r.Zones)
	for i := range r.Zones {
		r.Zones[i].Garden = slices.Clone(r.Zones[i].Garden)
	}
	return r
}

// Equal reports whether two rulesets ask for the same.
func (r Ruleset) Equal(o Ruleset) bool {
	return r.mark() == o.mark() && r.Masquerade == o.Masquerade && slices.Equal(r.Uplinks, o.Uplinks) &&
		slices.EqualFunc(r.Zones, o.Zones, func(a, b Zone) bool {
			same := slices.Equal(a.Garden, b.Garden)
			return same && a.Name == b.Name && a.Interface == b.Interface && a.PortalPort == b.PortalPort &&
				a.DNSPort == b.DNSPort && a.APIPort == b.APIPort && a.Prefix == b.Prefix && a.Speed == b.Speed && a.AllSpeed == b.AllSpeed
		})
}

func (r Ruleset) interfaces() (names []string) {
	for _, z := range r.Zones {
		names = append(names, z.Interface)
	}
	return names
}

func (r Ruleset) zone(name string) (Zone, bool) {
	i := slices.IndexFunc(r.Zones, func(z Zone) bool { return z.Name == name })
	if i < 0 {
		return Zone{}, false
	}
	return r.Zones[i], true
}

// tag is the zone in the names of chains and sets, at most 16 bytes: a chain
// has at most 28 and a set 31. A name that does not fit stands there as a
// hash; the hyphen keeps the two apart.
func (z Zone) tag() string {
	plain := len(z.Name) <= 16
	for _, c := range []byte(z.Name) {
		plain = plain && (isAlnum(c) || c == '_')
	}
	if plain {
		return z.Name
	}
	sum := sha256.Sum256([]byte(z.Name))
	return "h-" + hex.EncodeToString(sum[:7])
}
