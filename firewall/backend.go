package firewall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/hien-wifi/hien"
)

// A Backend is a packet filter of the kernel.
type Backend string

// The back ends. Auto is the choice of Choose.
const (
	Auto     Backend = "auto"
	NFTables Backend = "nftables"
	IPTables Backend = "iptables"
)

// A backend makes one packet filter hold a ruleset, all of it in sets, chains
// and tables of its own. Firewall calls its methods one at a time, but for
// change and members, which may meet apply once that has called ready.
type backend interface {
	kernel() Kernel

	// apply makes the kernel hold the ruleset. Nobody gets in meanwhile, and
	// members of sets that stay are kept with their time and counts.
	//
	// ready is called once every set is in place, and before any rule is put
	// in place that was not there and refuses: anew says that a set of passes
	// was missing and is empty now, and while ready runs everybody with a pass
	// is put into it, by change. (So after a foreign flush there are two
	// steps, first the sets and then the rules; the second gate keeps the door
	// shut meanwhile. A rule over an empty set would reset the connections of
	// guests with a pass.)
	apply(ctx context.Context, r Ruleset, ready func(anew bool)) error
	// differences are what in the kernel is not as wanted, in words.
	differences(ctx context.Context, r Ruleset) ([]string, error)
	// cleanup takes everything of this back end's out of the kernel, whoever
	// left it there.
	cleanup(ctx context.Context) error

	// change takes members out of a zone's sets and puts others in, in one
	// step where the kernel can. A member that is there gets the new time and
	// keeps its count; one that is not there is no error when it is taken out.
	change(ctx context.Context, z Zone, del, add []entry) error
	// members are the members of a zone's set. errNoSet if it is not there.
	members(ctx context.Context, z Zone, set setID) ([]member, error)

	close() error
}

// A setID is one of a zone's sets, as the rules mean it.
type setID string

// The sets of a zone. Each has the zone's guests or hosts as members, with a
// time after which the kernel forgets them.
const (
	passes4 setID = "pass4" // guests with a pass: address and hardware address
	passes6 setID = "pass6" // guests with a pass: hardware address, or address
	down4   setID = "down4" // addresses of guests with a pass: counts what comes to them
	down6   setID = "down6"
	garden4 setID = "garden4" // hosts that everybody reaches
	garden6 setID = "garden6"
	codes4  setID = "codes4" // hosts that guests reach to whom that was lent
	codes6  setID = "codes6"
	lent4   setID = "lent4" // those guests, as in passes4
	lent6   setID = "lent6"
)

// setIDs are all sets of a zone, IPv4 and IPv6.
var setIDs = []setID{passes4, passes6, down4, down6, garden4, garden6, codes4, codes6, lent4, lent6}

func (s setID) six() bool { return s[len(s)-1] == '6' }

// hosts reports whether the members are hosts of the internet and not guests.
func (s setID) hosts() bool { return s == garden4 || s == garden6 || s == codes4 || s == codes6 }

// guests reports whether the members are guests as passes know them.
func (s setID) guests() bool { return s == passes4 || s == passes6 || s == lent4 || s == lent6 }

// A member of a set.
type member struct {
	addr  netip.Addr    // the zero Addr where the set knows hardware addresses alone
	mac   hien.MAC      // zero where it knows addresses alone
	left  time.Duration // until the kernel forgets it, in whole seconds
	bytes uint64        // counted by the kernel; 0 where it counts nothing
}

// An entry is a member and its set.
type entry struct {
	set setID
	member
}

// maxMembers bounds a set. The kernel's own default for ipset, said aloud.
const maxMembers = 65536

// maxLeft is the longest time of a member: ipset's IPSET_MAX_TIMEOUT is
// (2^32-1)/2 milliseconds, in whole seconds.
const maxLeft = 2147483 * time.Second

// seconds rounds a member's time up to whole seconds that the kernel takes,
// and never to 0, which would be for ever.
func seconds(left time.Duration) uint32 {
	left = min(max(left, time.Second), maxLeft)
	return uint32((left + time.Second - 1) / time.Second)
}

// errNoSet says that there is no such set.
var errNoSet = errors.New("no such set")

// A SetType says by what a set knows its members, in ipset's words. The sets
// of nftables hold the same.
type SetType string

// The types in which passes are kept.
const (
	HashIPMAC   SetType = "hash:ip,mac"   // IPv4: address and hardware address
	BitmapIPMAC SetType = "bitmap:ip,mac" // IPv4: the same, within one network
	HashMAC     SetType = "hash:mac"      // IPv6: the hardware address
	HashIP      SetType = "hash:ip"       // IPv6: each address by itself
)

// A Kernel is what the kernel offers for passes. It is asked, not guessed
// from a version: distributions build what they like.
type Kernel struct {
	Backend Backend
	V4      SetType // HashIPMAC or BitmapIPMAC
	V6      SetType // HashMAC or HashIP
	IPv6    bool    // false only where the kernel knows no IPv6 at all
}

// A Machine is what a router has for a door.
type Machine struct {
	NFTables error // why nf_tables cannot be used; nil when it can
	IPTables error // why iptables and ipset cannot be used; nil when they can
}

// Choose picks the back end: nftables where the kernel has it, as it lets a
// guest in without a fork and changes everything in one step; else iptables.
// What the owner has set is taken or refused with the reason.
func Choose(want Backend, m Machine) (Backend, error) {
	switch want {
	case Auto, "":
		switch {
		case m.NFTables == nil:
			return NFTables, nil
		case m.IPTables == nil:
			return IPTables, nil
		}
		return "", fmt.Errorf("this router has no packet filter that Hiên can use: nftables: %w; iptables: %w", m.NFTables, m.IPTables)
	case NFTables:
		return want, m.NFTables
	case IPTables:
		return want, m.IPTables
	}
	return "", fmt.Errorf("%q is no firewall: want %s, %s or %s", want, Auto, NFTables, IPTables)
}
