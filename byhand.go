package hien

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
)

// Note keeps what the owner did by hand: in the log, and in the audit. What
// cannot be kept was done all the same.
func (g *Gateway) Note(ctx context.Context, d Deed) {
	g.parts.Log.Info("by hand: "+d.What, "who", d.Who, "about", d.About)
	if g.parts.Audit == nil {
		return
	}
	if err := g.parts.Audit.Note(ctx, d); err != nil {
		g.parts.Log.Error("what was done by hand is not in the audit", "what", d.What, "who", d.Who, "err", err)
	}
}

// about names a device in the audit, masked.
func about(id GuestID) string { return fmt.Sprintf("%s in zone %s", id.MAC, id.Zone) }

// AdmitGuest gives a guest a whole pass because the owner says so, whatever it
// had before; a device that is not known yet comes in as soon as it is seen.
// Who asked for it is noted. The errors that tell the owner something are
// ErrNoZone and ErrBlocked.
func (g *Gateway) AdmitGuest(ctx context.Context, id GuestID, who string, now Moment) error {
	zone, err := g.zone(id.Zone)
	if err != nil {
		return err
	}
	if zone.blocks(id.MAC) {
		return ErrBlocked
	}
	err = g.parts.Book.Change(id, func(guest *Guest) error {
		until := now.Up + max(zone.Pass, guest.Pass.Left(now))
		if err := g.parts.Door.Admit(ctx, id, guest.Addrs, until-now.Up); err != nil {
			return err
		}
		guest.Pass = Pass{Until: until, Moved: now.Up}
		return nil
	})
	if err != nil {
		return fmt.Errorf("admit: %w", err)
	}
	g.Note(ctx, Deed{At: now, Who: who, What: DidAdmit, About: about(id)})
	return nil
}

// Revoke takes a guest's pass away because the owner says so; it sees the
// portal again. Who asked for it is noted. The errors that tell the owner
// something are ErrNoGuest, ErrNoPass, and ErrComesBack of a device that would
// be let in again without asking.
func (g *Gateway) Revoke(ctx context.Context, id GuestID, who string, now Moment) error {
	guest, known, err := g.parts.Book.Guest(id)
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	zone, _ := g.settings.Load().zone(id.Zone)
	switch {
	case !known:
		return ErrNoGuest
	case guest.Pass.Left(now) == 0:
		return ErrNoPass
	case zone.blocks(id.MAC): // the next Tick takes it away anyhow
	case zone.trusts(id.MAC):
		return fmt.Errorf("%w: the device is trusted", ErrComesBack)
	case g.openUntil(now) > 0:
		return fmt.Errorf("%w: the door is open to everybody", ErrComesBack)
	}
	if err := g.end(ctx, id, now); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	g.Note(ctx, Deed{At: now, Who: who, What: DidRevoke, About: about(id)})
	return nil
}

// Find names the guests of a zone, or of any with an empty one, that have a
// hardware address, or an address. The zero MAC and the zero Addr find
// nobody.
func (g *Gateway) Find(zone string, mac MAC, addr netip.Addr) (found []GuestID, err error) {
	addr = addr.Unmap().WithZone("")
	err = g.parts.Book.Guests(func(guest Guest) error {
		named := !mac.IsZero() && guest.ID.MAC == mac || addr.IsValid() && slices.Contains(guest.Addrs, addr)
		if named && (zone == "" || guest.ID.Zone == zone) {
			found = append(found, guest.ID)
		}
		return nil
	})
	return found, err
}
