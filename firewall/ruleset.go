package firewall

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Ruleset is what the kernel shall hold. The empty Ruleset has no guest
// network: nobody is stopped.
type Ruleset struct {
	Zones []Zone
}

// A Zone is one guest network as the door sees it.
type Zone struct {
	Name       string // as in hien.GuestID
	Interface  string // on which its guests' packets come in
	PortalPort uint16 // tcp port of the portal on the interface's addresses

	// Prefix is the zone's IPv4 network. Only kernels without the set type
	// hash:ip,mac ask for it; for them it is at most a /16. Where they do and
	// it is not known yet (the zero Prefix: the interface has no address so
	// far) the zone is shut for IPv4.
	Prefix netip.Prefix
}

// maxBitmapBits is the shortest prefix that fits into a bitmap set, which has
// at most 65,536 places (ipset(8), bitmap:ip,mac).
const maxBitmapBits = 16

// Validate reports what in the ruleset cannot be given to this kernel, all of
// it at once.
func (r Ruleset) Validate(k Kernel) error {
	var errs []error
	names, interfaces := map[string]bool{}, map[string]bool{}
	for _, z := range r.Zones {
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("zone %q: %s", z.Name, fmt.Sprintf(format, args...)))
		}
		if z.Name == "" {
			fault("it has no name")
		}
		if names[z.Name] {
			fault("there are two zones of this name")
		}
		if !validInterface(z.Interface) {
			fault("%q is no interface name: want 1 to 15 letters, digits, and . _ - @ inside", z.Interface)
		}
		if interfaces[z.Interface] {
			fault("interface %s belongs to another zone already", z.Interface)
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
		names[z.Name], interfaces[z.Interface] = true, true
	}
	return errors.Join(errs...)
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

func (r Ruleset) clone() Ruleset { return Ruleset{slices.Clone(r.Zones)} }

func (r Ruleset) zone(name string) (Zone, bool) {
	i := slices.IndexFunc(r.Zones, func(z Zone) bool { return z.Name == name })
	if i < 0 {
		return Zone{}, false
	}
	return r.Zones[i], true
}

// prefix begins the name of every chain and set of ours, and of no other's.
const prefix = "HIEN-"

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
