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

var _ hien.Door = (*Firewall)(nil)

// An Element is a pass as the kernel has it.
type Element struct {
	Zone string
	MAC  hien.MAC      // zero where the kernel keeps passes by address alone
	Addr netip.Addr    // the zero Addr where it keeps them by MAC alone
	Left time.Duration // until the kernel forgets it, in whole seconds
}

// passes are the members of both sets that let a guest through. IPv6
// link-local addresses are left out: they are never forwarded.
func (f *Firewall) passes(z Zone, mac hien.MAC, addrs []netip.Addr, left time.Duration) map[setDef][]member {
	four, six := z.set4(f.kernel), z.set6(f.kernel)
	found := map[setDef][]member{}
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		switch {
		case a.Is4() && four.holds(a):
			found[four] = append(found[four], member{a, mac, left})
		case a.Is6() && !a.IsLinkLocalUnicast() && f.kernel.IPv6 && six.kind == HashIP:
			found[six] = append(found[six], member{addr: a, left: left})
		}
	}
	if f.kernel.IPv6 && six.kind == HashMAC {
		found[six] = []member{{mac: mac, left: left}}
	}
	return found
}

// Admit lets a guest at these addresses through for left, on IPv4 and IPv6 in
// the same step; a pass that is there gets the new length. left is rounded up
// to whole seconds; at 0 or less the guest is removed. Addresses outside of
// the zone's network are passed over.
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
		var errs []error // a set that is full keeps nobody out of the others
		for set, members := range f.passes(z, id.MAC, addrs, left) {
			for _, m := range members {
				errs = append(errs, f.sets.add(set.name, m))
			}
		}
		return errors.Join(errs...)
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
		var errs []error
		byMAC := setDef{}
		for set, members := range f.passes(z, id.MAC, addrs, 0) {
			if set.kind == HashMAC {
				byMAC = set
				continue
			}
			for _, m := range members {
				errs = append(errs, f.shut(set, m))
			}
		}
		if byMAC.name != "" {
			errs = append(errs, f.shutLast(z.set4(f.kernel), byMAC, id.MAC))
		}
		return errors.Join(errs...)
	})
	if err == nil {
		err = f.disconnect(addrs)
	}
	if err != nil {
		return fmt.Errorf("remove %s from zone %s: %w", id.MAC, id.Zone, err)
	}
	return nil
}

// shutLast takes a hardware address out of a set unless it is left in the set
// of IPv4 passes.
func (f *Firewall) shutLast(four, byMAC setDef, mac hien.MAC) error {
	set, err := f.sets.list(four.name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(set.members, func(m member) bool { return m.mac == mac }) {
		return nil
	}
	return f.sets.del(byMAC.name, member{mac: mac})
}

// shut takes one member out of a set. A bitmap's member is found by address
// alone when it is deleted, so one that belongs to another device by now is
// looked at first and kept.
func (f *Firewall) shut(set setDef, m member) error {
	if set.kind == BitmapIPMAC {
		if in, err := f.sets.test(set.name, m); err != nil || !in {
			return err
		}
	}
	return f.sets.del(set.name, m)
}

// change runs do on the guest's zone while no set is being replaced. After
// Release a set that is gone is no error: then nobody is kept out.
func (f *Firewall) change(ctx context.Context, id hien.GuestID, do func(Zone) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if id.MAC.IsZero() {
		return errors.New("no hardware address")
	}
	f.members.Lock()
	defer f.members.Unlock()
	f.state.Lock()
	z, ok := f.wish.zone(id.Zone)
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

// disconnect ends the connections that began at the addresses.
func (f *Firewall) disconnect(addrs []netip.Addr) error {
	var plain []netip.Addr
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		if a.Is4() || a.Is6() && f.kernel.IPv6 && !a.IsLinkLocalUnicast() {
			plain = append(plain, a)
		}
	}
	return f.flows.delete(plain)
}

// Passes are the passes that the kernel has now.
func (f *Firewall) Passes(ctx context.Context) ([]Element, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.state.Lock()
	wish := f.wish.clone()
	f.state.Unlock()
	var all []Element
	for _, z := range wish.Zones {
		for _, d := range (Ruleset{[]Zone{z}}).sets(f.kernel) {
			set, err := f.sets.list(d.name)
			if err != nil {
				return nil, fmt.Errorf("passes of zone %s: %w", z.Name, err)
			}
			for _, m := range set.members {
				all = append(all, Element{z.Name, m.mac, m.addr, m.left})
			}
		}
	}
	return all, nil
}
