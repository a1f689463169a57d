package firewall

import (
	"fmt"
	"net/netip"
	"strings"
)

// A setDef is a set as it shall be.
type setDef struct {
	name        string
	kind        SetType
	inet6       bool
	counters    bool
	hosts       bool       // members are hosts of the internet and not guests
	first, last netip.Addr // BitmapIPMAC: the range
}

// setNames are what stands for a set in its name, before the letters of its
// type. Sets of different types cannot take each other's place, so the type
// is a part of the name.
var setNames = map[setID]string{
	passes4: "", passes6: "",
	down4: "d", down6: "d",
	garden4: "g", garden6: "g",
	codes4: "c", codes6: "c",
	lent4: "l", lent6: "l",
}

// sets are the sets of the ruleset, zone by zone.
func (r Ruleset) sets(k Kernel) []setDef {
	var all []setDef
	for _, z := range r.Zones {
		for _, id := range setIDs {
			if k.IPv6 || !id.six() {
				all = append(all, z.set(id, k))
			}
		}
	}
	return all
}

// set is one set of the zone. Those of guests count the bytes that their
// members send, those of hosts nothing.
func (z Zone) set(id setID, k Kernel) setDef {
	d := setDef{kind: HashIP, inet6: id.six(), counters: !id.hosts(), hosts: id.hosts()}
	letters := "4"
	switch {
	case id.guests() && id.six():
		if d.kind, letters = k.V6, "6a"; k.V6 == HashMAC {
			letters, d.inet6 = "6m", false // it has no family
		}
	case id.guests():
		if d.kind, letters = k.V4, "4h"; k.V4 == BitmapIPMAC {
			letters = "4b"
			d.first, d.last = z.bounds()
		}
	case id.six():
		letters = "6"
	}
	d.name = prefix + setNames[id] + letters + "-" + z.tag()
	return d
}

// bounds are the first and the last address of the zone's network. While it
// is not known they are one place that no guest can have.
func (z Zone) bounds() (first, last netip.Addr) {
	if !z.Prefix.IsValid() {
		return netip.IPv4Unspecified(), netip.IPv4Unspecified()
	}
	return bounds(z.Prefix)
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

// from is the option of a rule that finds a packet's sender in the set, and
// counts the packet there.
func (d setDef) from() string { return d.match("", "src") }

// to is the option that finds a packet's destination.
func (d setDef) to() string { return d.match("", "dst") }

// quietlyFrom finds the sender and counts nothing.
func (d setDef) quietlyFrom() string { return d.from() + " ! --update-counters" }

// notFrom finds that the sender is not in the set, and counts nothing.
func (d setDef) notFrom() string { return d.match("! ", "src") + " ! --update-counters" }

func (d setDef) match(not, dir string) string {
	if d.kind == HashIPMAC || d.kind == BitmapIPMAC {
		dir += "," + dir
	}
	return "-m set " + not + "--match-set " + d.name + " " + dir
}

// create is the line of ipset restore that makes the set. Timeout 0 gives
// members time limits and the set no default one; each member that is added
// has its own.
func (d setDef) create() string {
	var b strings.Builder
	fmt.Fprintf(&b, "create %s %s", d.name, d.kind)
	switch d.kind {
	case BitmapIPMAC:
		fmt.Fprintf(&b, " range %s-%s", d.first, d.last)
	case HashMAC:
		fmt.Fprintf(&b, " maxelem %d", maxMembers)
	default:
		family := "inet"
		if d.inet6 {
			family = "inet6"
		}
		fmt.Fprintf(&b, " family %s maxelem %d", family, maxMembers)
	}
	b.WriteString(" timeout 0")
	if d.counters {
		b.WriteString(" counters")
	}
	b.WriteByte('\n')
	return b.String()
}

// setsText is the input of ipset restore -exist for the given sets.
func setsText(sets []setDef) string {
	var b strings.Builder
	for _, d := range sets {
		b.WriteString(d.create())
	}
	return b.String()
}
