package firewall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
)

var (
	_ hien.Door   = (*Firewall)(nil)
	_ hien.Meter  = (*Firewall)(nil)
	_ hien.Lender = (*Firewall)(nil)
)

// An Element is a pass as the kernel has it.
type Element struct {
	Zone string
	MAC  hien.MAC      // zero where the kernel keeps passes by address alone
	Addr netip.Addr    // the zero Addr where it keeps them by MAC alone
	Left time.Duration // until the kernel forgets it, in whole seconds
}

// guestEntries are a guest's members of the sets in which guests are known as
// passes are. IPv6 link-local addresses are left out: they are never
// forwarded.
func (f *Firewall) guestEntries(four, six setID, mac hien.MAC, addrs []netip.Addr, left time.Duration) (all []entry) {
	k := f.Kernel()
	for _, a := range f.routed(addrs) {
		switch {
		case a.Is4():
			all = append(all, entry{four, member{addr: a, mac: mac, left: left}})
		case k.V6 == HashIP:
			all = append(all, entry{six, member{addr: a, left: left}})
		}
	}
	if k.IPv6 && k.V6 == HashMAC {
		all = append(all, entry{six, member{mac: mac, left: left}})
	}
	return all
}

// downEntries count what comes to a guest.
func (f *Firewall) downEntries(addrs []netip.Addr, left time.Duration) (all []entry) {
	for _, a := range f.routed(addrs) {
		set := down4
		if a.Is6() {
			set = down6
		}
		all = append(all, entry{set, member{addr: a, left: left}})
	}
	return all
}

// routed are the addresses whose packets are routed, of the families that the
// kernel knows.
func (f *Firewall) routed(addrs []netip.Addr) (plain []netip.Addr) {
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		if a.Is4() || a.Is6() && f.Kernel().IPv6 && !a.IsLinkLocalUnicast() {
			plain = append(plain, a)
		}
	}
	return plain
}

// Admit lets a guest at these addresses through for left, on IPv4 and IPv6 in
// the same step; a pass that is there gets the new length. left is rounded up
// to whole seconds; at 0 or less the guest is removed. Addresses outside of
// the zone's network are passed over where the set's type is for one network.
//
// A connection that was redirected to the portal stays there until it ends:
// the portal must close each after its answer. To end it here would cost a
// walk through the kernel's whole table of connections for every guest.
//
// A guest that gets another address is admitted again with it.
func (f *Firewall) Admit(ctx context.Context, id hien.GuestID, addrs []netip.Addr, left time.Duration) error {
	if left <= 0 {
		return f.Remove(ctx, id, addrs)
	}
	err := f.change(ctx, id, func(z Zone) error {
		add := append(f.guestEntries(passes4, passes6, id.MAC, addrs, left), f.downEntries(addrs, left)...)
		return f.back.change(ctx, z, nil, add)
	})
	if err != nil {
		return fmt.Errorf("admit %s in zone %s: %w", id.MAC, id.Zone, err)
	}
	return nil
}

// Remove shuts a guest out at these addresses and ends the connections that
// began there. Where IPv6 passes are kept by hardware address, IPv6 is shut
// with the last of the guest's IPv4 addresses that have a pass: an address
// that a guest has given up must not end what it does from another one.
func (f *Firewall) Remove(ctx context.Context, id hien.GuestID, addrs []netip.Addr) error {
	err := f.change(ctx, id, func(z Zone) error {
		return f.take(ctx, z, id.MAC, passes4, append(f.guestEntries(passes4, passes6, id.MAC, addrs, 0), f.downEntries(addrs, 0)...))
	})
	if err == nil {
		err = f.flows.delete(f.routed(addrs))
	}
	if err != nil {
		return fmt.Errorf("remove %s from zone %s: %w", id.MAC, id.Zone, err)
	}
	return nil
}

// take takes a guest's members out. Its hardware address stays in a set of
// such while the IPv4 set still has another member of the guest's.
func (f *Firewall) take(ctx context.Context, z Zone, mac hien.MAC, four setID, del []entry) error {
	byMAC := slices.IndexFunc(del, func(e entry) bool { return !e.addr.IsValid() })
	if byMAC >= 0 {
		have, err := f.back.members(ctx, z, four)
		if err != nil {
			return err
		}
		goes := func(m member) bool {
			return slices.ContainsFunc(del, func(e entry) bool { return e.set == four && e.addr == m.addr })
		}
		if slices.ContainsFunc(have, func(m member) bool { return m.mac == mac && !goes(m) }) {
			del = slices.Delete(del, byMAC, byMAC+1)
		}
	}
	return f.back.change(ctx, z, del, nil)
}

// Lend lets a guest without a pass reach the hosts that were planted for
// codes, for left; with 0 no longer.
func (f *Firewall) Lend(ctx context.Context, id hien.GuestID, addrs []netip.Addr, left time.Duration) error {
	err := f.change(ctx, id, func(z Zone) error {
		entries := f.guestEntries(lent4, lent6, id.MAC, addrs, left)
		if left <= 0 {
			return f.take(ctx, z, id.MAC, lent4, entries)
		}
		return f.back.change(ctx, z, nil, entries)
	})
	if err == nil && left <= 0 {
		err = f.flows.delete(f.routed(addrs))
	}
	if err != nil {
		return fmt.Errorf("lend the garden to %s in zone %s: %w", id.MAC, id.Zone, err)
	}
	return nil
}

// Plant lets guests without a pass reach hosts for left: all guests of the
// zone, or with forCode those to whom that was lent. A host that is there
// keeps the longer time. Hosts that are no part of the internet are left out.
func (f *Firewall) Plant(ctx context.Context, zone string, hosts []netip.Addr, left time.Duration, forCode bool) error {
	four, six := garden4, garden6
	if forCode {
		four, six = codes4, codes6
	}
	var add []entry
	for _, a := range f.routed(hosts) {
		set, shut := four, private4
		if a.Is6() {
			set, shut = six, private6
		}
		if !slices.ContainsFunc(shut, func(p netip.Prefix) bool { return p.Contains(a) }) {
			add = append(add, entry{set, member{addr: a, left: left}})
		}
	}
	if len(add) == 0 {
		return nil
	}
	err := f.inZone(ctx, zone, func(z Zone) error { return f.back.change(ctx, z, nil, add) })
	if err != nil {
		return fmt.Errorf("plant in the garden of zone %s: %w", zone, err)
	}
	return nil
}

// change runs do on the guest's zone.
func (f *Firewall) change(ctx context.Context, id hien.GuestID, do func(Zone) error) error {
	if id.MAC.IsZero() {
		return errors.New("no hardware address")
	}
	return f.inZone(ctx, id.Zone, do)
}

// inZone runs do on a zone while no set is being replaced. After Release a
// set that is gone is no error: then nobody is kept out.
func (f *Firewall) inZone(ctx context.Context, name string, do func(Zone) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.members.Lock()
	defer f.members.Unlock()
	f.state.Lock()
	z, ok := f.wish.zone(name)
	released := f.released
	f.state.Unlock()
	if !ok {
		return hien.ErrNoZone
	}
	err := do(z)
	if released && errors.Is(err, errNoSet) {
		return nil
	}
	return err
}

// Passes are the passes that the kernel has now.
func (f *Firewall) Passes(ctx context.Context) ([]Element, error) {
	var all []Element
	err := f.each(ctx, []setID{passes4, passes6}, func(z Zone, _ setID, m member) {
		all = append(all, Element{z.Name, m.mac, m.addr, m.left})
	})
	if err != nil {
		return nil, fmt.Errorf("passes: %w", err)
	}
	return all, nil
}

// Usage is what the kernel has counted of passes and of what was lent.
func (f *Firewall) Usage(ctx context.Context) ([]hien.Usage, error) {
	var all []hien.Usage
	err := f.each(ctx, []setID{passes4, passes6, down4, down6, lent4, lent6}, func(z Zone, set setID, m member) {
		all = append(all, hien.Usage{Zone: z.Name, MAC: m.mac, Addr: m.addr, Bytes: m.bytes, Lent: set == lent4 || set == lent6})
	})
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	return all, nil
}

// each hands the members of these sets of every zone to do.
func (f *Firewall) each(ctx context.Context, sets []setID, do func(Zone, setID, member)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.state.Lock()
	zones := f.wish.clone().Zones
	f.state.Unlock()
	for _, z := range zones {
		for _, set := range sets {
			if set.six() && !f.Kernel().IPv6 {
				continue
			}
			members, err := f.back.members(ctx, z, set)
			if err != nil {
				return fmt.Errorf("%s of zone %s: %w", set, z.Name, err)
			}
			for _, m := range members {
				do(z, set, m)
			}
		}
	}
	return nil
}
