package firewall

import (
	"fmt"
	"net/netip"
	"strings"
)

// A SetType is a type of ipset set as the kernel names it.
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
	V4   SetType // HashIPMAC or BitmapIPMAC
	V6   SetType // HashMAC or HashIP
	IPv6 bool    // false only where the kernel knows no IPv6 at all
}

// maxMembers bounds a hash set. The kernel's own default, said aloud.
const maxMembers = 65536

// A setDef is a set as it shall be.
type setDef struct {
	name        string
	kind        SetType
	inet6       bool
	first, last netip.Addr // BitmapIPMAC: the range
}

// sets are the sets of the ruleset, IPv4 before IPv6 in each zone.
func (r Ruleset) sets(k Kernel) []setDef {
	var all []setDef
	for _, z := range r.Zones {
		all = append(all, z.set4(k))
		if k.IPv6 {
			all = append(all, z.set6(k))
		}
	}
	return all
}

// set4 is the set of the zone's IPv4 passes. The type is a part of the name:
// sets of different types cannot take each other's place.
func (z Zone) set4(k Kernel) setDef {
	if k.V4 == HashIPMAC {
		return setDef{name: prefix + "4h-" + z.tag(), kind: HashIPMAC}
	}
	d := setDef{name: prefix + "4b-" + z.tag(), kind: BitmapIPMAC}
	if !z.Prefix.IsValid() { // one place that no guest can have
		d.first = netip.IPv4Unspecified()
		d.last = d.first
		return d
	}
	d.first, d.last = bounds(z.Prefix)
	return d
}

func (z Zone) set6(k Kernel) setDef {
	if k.V6 == HashMAC {
		return setDef{name: prefix + "6m-" + z.tag(), kind: HashMAC}
	}
	return setDef{name: prefix + "6a-" + z.tag(), kind: HashIP, inet6: true}
}

// bounds are the first and the last address of an IPv4 network.
func bounds(p netip.Prefix) (first, last netip.Addr) {
	first = p.Masked().Addr()
	b := first.As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return first, netip.AddrFrom4(b)
}

// holds reports whether a member with this address fits into the set.
func (d setDef) holds(a netip.Addr) bool {
	return d.kind != BitmapIPMAC || d.first.Compare(a) <= 0 && a.Compare(d.last) <= 0
}

// match is the option of a rule that finds a packet's sender in the set.
func (d setDef) match() string {
	dirs := "src"
	if d.kind == HashIPMAC || d.kind == BitmapIPMAC {
		dirs = "src,src"
	}
	return "-m set --match-set " + d.name + " " + dirs
}

// create is the line of ipset restore that makes the set. Timeout 0 gives
// members time limits and the set no default one; Admit always names a limit.
func (d setDef) create() string {
	switch d.kind {
	case BitmapIPMAC:
		return fmt.Sprintf("create %s %s range %s-%s timeout 0\n", d.name, d.kind, d.first, d.last)
	case HashMAC:
		return fmt.Sprintf("create %s %s maxelem %d timeout 0\n", d.name, d.kind, maxMembers)
	}
	family := "inet"
	if d.inet6 {
		family = "inet6"
	}
	return fmt.Sprintf("create %s %s family %s maxelem %d timeout 0\n", d.name, d.kind, family, maxMembers)
}

// setsText is the input of ipset restore -exist for the given sets.
func setsText(sets []setDef) string {
	var b strings.Builder
	for _, d := range sets {
		b.WriteString(d.create())
	}
	return b.String()
}
