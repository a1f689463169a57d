package hien

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// renewBefore is how long before its end a pass is renewed by the door that is
// open to everybody.
const renewBefore = time.Minute

// left is what is left of a guest's pass. A device that is blocked has none,
// whatever the book says.
func (g *Gateway) left(guest *Guest, now Moment) time.Duration {
	if z, ok := g.settings.Load().zone(guest.ID.Zone); ok && z.blocks(guest.ID.MAC) {
		return 0
	}
	return guest.Pass.Left(now)
}

// spent reports whether the guest's pass has carried what it may and holds it
// back. When the owner grants more, it does not.
func (z Zone) spent(guest *Guest, now Moment) bool {
	return guest.Pass.Spent && !guest.Pass.Over(now) && z.Volume > 0 && guest.Pass.Bytes >= uint64(z.Volume)
}

// barred is why a guest may not come in, whatever it answers.
func (z Zone) barred(guest *Guest, now Moment) error {
	switch {
	case z.blocks(guest.ID.MAC):
		return ErrBlocked
	case z.spent(guest, now):
		return ErrSpent
	}
	return nil
}

// freely is the pass of a guest that is let in without the portal, and whether
// it is to be given now: a trusted device from its first sighting on, long
// before the last one ends, so that a daemon that is down for a while cuts
// nobody; anybody while the owner has opened the door.
func (g *Gateway) freely(z Zone, guest *Guest, now Moment) (p Pass, due bool) {
	had, left := guest.Pass, guest.Pass.Left(now)
	open := g.openUntil(now)
	switch {
	case z.blocks(guest.ID.MAC):
		return Pass{}, false
	case z.trusts(guest.ID.MAC):
		return Pass{Until: now.Up + z.Pass, Bytes: had.Bytes, Moved: now.Up}, left < z.Pass/2 || had.Open || had.Grace
	case open == 0:
		return Pass{}, false
	case had.Open && had.Until != open, left == 0, left < renewBefore && had.Until < open:
		return Pass{Until: open, Moved: now.Up, Open: true}, true
	}
	return Pass{}, false
}

// welcome gives a guest that is known at an address the pass for which it need
// not ask, when it is due one. It answers whether it did.
func (g *Gateway) welcome(ctx context.Context, z Zone, guest *Guest, now Moment) (bool, error) {
	pass, due := g.freely(z, guest, now)
	if !due || len(guest.Addrs) == 0 {
		return false, nil
	}
	if err := g.parts.Door.Admit(ctx, guest.ID, guest.Addrs, pass.Left(now)); err != nil {
		return false, err
	}
	guest.Pass = pass
	return true, nil
}

// readmit lets a guest with a pass through again that stands before the portal
// all the same: the kernel has lost it. An address that cannot be a guest's
// gets no way out by asking.
func (g *Gateway) readmit(ctx context.Context, d Device, left time.Duration) error {
	if !g.reachable(d.Guest.Zone, d.Addr) {
		return nil
	}
	return g.parts.Door.Admit(ctx, d.Guest, []netip.Addr{d.Addr}, left)
}

// Admit gives the guest a pass and asks for nothing in return. A pass that
// still holds is not made longer, but for a grace pass. The errors that tell the guest something
// are ErrBlocked and ErrSpent.
func (g *Gateway) Admit(ctx context.Context, d Device, now Moment) error {
	return g.letIn(ctx, d, now, func(guest *Guest) { guest.Asked, guest.Form = true, nil })
}

// AdmitYoung is Admit for a guest who said to be too young to be asked. All that
// is kept is that there was one more (R-CHILD-1).
func (g *Gateway) AdmitYoung(ctx context.Context, d Device, now Moment) error {
	return g.letIn(ctx, d, now, func(guest *Guest) {
		if !guest.Asked {
			g.young.Add(1)
		}
		guest.Asked, guest.Form = true, nil
	})
}

// Young is how many guests said to be too young, since the daemon's start.
func (g *Gateway) Young() int64 { return g.young.Load() }

// letIn is the door: the kernel's set first, then the livebook. Once the guest
// is in the kernel's set it is in, whatever becomes of the book: a book that
// fails is for the log. A guest that may not come in is written down all
// the same, and told why by the error.
func (g *Gateway) letIn(ctx context.Context, d Device, now Moment, then func(*Guest)) error {
	zone, err := g.zone(d.Guest.Zone)
	if err != nil {
		return err
	}
	tried := false
	var barred, doorErr error
	admit := func(guest *Guest) error {
		tried = true
		if barred = zone.barred(guest, now); barred != nil {
			return nil
		}
		// Whoever came in through the door that was open to everybody, and
		// asks now, gets a pass of its own.
		until := now.Up + zone.Pass
		if guest.Pass.Left(now) == 0 || guest.Pass.Grace || guest.Pass.Open && guest.Pass.Until < until {
			guest.Pass = Pass{Until: until, Bytes: g.graceBytes(guest, now), Moved: now.Up}
		}
		doorErr = g.through(ctx, d, guest, now)
		return doorErr
	}
	g.claim(ctx, d, now)
	// Within the change, so that no sighting of another address slips in
	// between the door and the book.
	bookErr := g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		guest.see(zone, now)
		if err := admit(guest); err != nil {
			return err
		}
		then(guest)
		return nil
	})
	if !tried { // the book could not even be read
		admit(&Guest{ID: d.Guest})
	}
	if doorErr != nil {
		return doorErr
	}
	if bookErr != nil {
		g.complain(now, "the livebook fails; a guest was let in and could not be written down", bookErr)
	}
	return barred
}

// through lets a guest with a pass through at all of its addresses, and at
// that from which it asks.
func (g *Gateway) through(ctx context.Context, d Device, guest *Guest, now Moment) error {
	err := g.parts.Door.Admit(ctx, d.Guest, guest.Addrs, guest.Pass.Left(now))
	if err == nil && g.reachable(d.Guest.Zone, d.Addr) && !slices.Contains(guest.Addrs, d.Addr) {
		err = g.extend(ctx, guest, d.Addr, now) // a page is asked for at the same moment as the address is new
		g.owners.set(d.Guest, d.Addr)
	}
	return err
}

// claim takes the address from which a guest asks from another that had it.
func (g *Gateway) claim(ctx context.Context, d Device, now Moment) {
	if owner, owned := g.owners.get(d.Guest.Zone, d.Addr); owned && owner != d.Guest.MAC {
		if err := g.takeAway(ctx, GuestID{d.Guest.Zone, owner}, d.Addr, now); err != nil {
			g.complain(now, "an address that went to another guest could not be taken from the one who had it", err)
		}
	}
}

// end ends a pass before its time. It is written down first: when the door
// fails, the next Tick shuts it.
func (g *Gateway) end(ctx context.Context, id GuestID, now Moment) error {
	err := g.parts.Book.Change(id, func(guest *Guest) error {
		if guest.Pass.Left(now) == 0 {
			return ErrUnchanged
		}
		guest.Pass.Until = now.Up
		return nil
	})
	if err != nil {
		return err
	}
	return g.shut(ctx, id, now)
}

// shut takes a guest whose pass has ended out of the kernel's set, so that
// its phone asks for the portal again. The door is slow to shut (it ends the
// guest's connections), so that nobody waits for the livebook meanwhile; a
// guest who was let in again in that time is let in once more. A pass that is
// spent stays in the book until its time is up.
func (g *Gateway) shut(ctx context.Context, id GuestID, now Moment) error {
	guest, _, err := g.parts.Book.Guest(id)
	if err != nil || guest.Pass.Left(now) > 0 {
		return err
	}
	if err := g.parts.Door.Remove(ctx, id, guest.Addrs); err != nil {
		return err
	}
	return g.parts.Book.Change(id, func(guest *Guest) error {
		if left := g.left(guest, now); left > 0 {
			return errors.Join(ErrUnchanged, g.parts.Door.Admit(ctx, id, guest.Addrs, left))
		}
		if !guest.Pass.Over(now) {
			return ErrUnchanged
		}
		guest.Pass = Pass{}
		return nil
	})
}

// Resume lets through whoever has a pass in the livebook. It is called when
// the daemon starts and after the firewall was repaired, so that nobody with
// a pass is cut.
func (g *Gateway) Resume(ctx context.Context, now Moment) error {
	var inside []Guest
	s := g.settings.Load()
	err := g.parts.Book.Guests(func(guest Guest) error {
		if _, ok := s.zone(guest.ID.Zone); ok && g.left(&guest, now) > 0 {
			inside = append(inside, guest)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, guest := range inside {
		errs = append(errs, g.parts.Door.Admit(ctx, guest.ID, guest.Addrs, guest.Pass.Left(now)))
	}
	return errors.Join(append(errs, g.lendAgain(ctx, now)...)...)
}
