package hien

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// How finely a guest's presence is written down. A sighting sooner after the
// last one than this tells nothing new.
const sightGrain = 10 * time.Second

// maxEnded is how many stays of one guest wait for a record that cannot be
// written.
const maxEnded = 16

// Saw takes in a sighting: the stay goes on or begins, a guest with a pass that
// shows itself at another address is let through there too, and one that need
// not ask is let in.
func (g *Gateway) Saw(ctx context.Context, s Sighting, now Moment) error {
	zone, err := g.zone(s.Guest.Zone)
	if err != nil {
		return err
	}
	addr := s.Addr
	if !g.reachable(s.Guest.Zone, addr) {
		addr = netip.Addr{}
	}
	guest, known, err := g.parts.Book.Guest(s.Guest)
	if err != nil {
		return err
	}
	guest.ID = s.Guest
	if (addr.IsValid() || len(guest.Addrs) > 0) && !zone.trusts(s.Guest.MAC) { // a frame alone can be anybody's
		g.counting.note(s.Guest.MAC, 0, now)
	}
	owner, owned := g.owners.get(s.Guest.Zone, addr)
	moved := addr.IsValid() && (!owned || owner != s.Guest.MAC || !slices.Contains(guest.Addrs, addr))
	_, due := g.freely(zone, &guest, now)
	due = due && len(guest.Addrs) > 0
	if !moved && !due && known && guest.here(zone, now) && now.Up-guest.Stay.Last.Up < min(sightGrain, zone.VisitGap/4) {
		return nil
	}
	if moved && owned && owner != s.Guest.MAC {
		if err := g.takeAway(ctx, GuestID{s.Guest.Zone, owner}, addr, now); err != nil {
			return err
		}
	}
	err = g.parts.Book.Change(s.Guest, func(guest *Guest) error {
		guest.see(zone, now)
		if !moved || len(guest.Addrs) == MaxAddrs && !slices.Contains(guest.Addrs, addr) && !g.owners.mayEvict(now) {
			moved = false
		} else if err := g.extend(ctx, guest, addr, now); err != nil {
			return err
		}
		_, err := g.welcome(ctx, zone, guest, now)
		return err
	})
	if err != nil || !moved {
		return err
	}
	if g.owners.set(s.Guest, addr) {
		err = g.owners.load(g.parts.Book)
	}
	return errors.Join(err, g.lendAt(ctx, s.Guest, addr, now))
}

// Owns reports whether an address is known to be the guest's.
func (g *Gateway) Owns(id GuestID, addr netip.Addr) bool {
	mac, ok := g.owners.get(id.Zone, addr)
	return ok && mac == id.MAC
}

// extend gives a guest one more address, and lets it through there while it
// has a pass. The door first: an address that is remembered is not new any
// more, and would stay outside.
func (g *Gateway) extend(ctx context.Context, guest *Guest, addr netip.Addr, now Moment) error {
	if left := g.left(guest, now); left > 0 {
		if err := g.parts.Door.Admit(ctx, guest.ID, []netip.Addr{addr}, left); err != nil {
			return err
		}
	}
	dropped := guest.Remember(addr)
	if !dropped.IsValid() {
		return nil
	}
	g.owners.drop(guest.ID, dropped)
	err := g.unlendAt(ctx, guest.ID, dropped, now)
	if guest.Pass.Until == 0 { // else the door is not shut behind it yet
		return err
	}
	return errors.Join(err, g.parts.Door.Remove(ctx, guest.ID, []netip.Addr{dropped}))
}

// takeAway takes an address from the guest that had it. While the door fails it
// stays that guest's, and is taken away when it is seen again.
func (g *Gateway) takeAway(ctx context.Context, from GuestID, addr netip.Addr, now Moment) error {
	err := g.parts.Book.Change(from, func(guest *Guest) error {
		i := slices.Index(guest.Addrs, addr)
		if i < 0 {
			return ErrUnchanged
		}
		if guest.Pass.Until > 0 {
			if err := g.parts.Door.Remove(ctx, from, []netip.Addr{addr}); err != nil {
				return err
			}
		}
		guest.Addrs = slices.Delete(guest.Addrs, i, i+1)
		return g.unlendAt(ctx, from, addr, now)
	})
	if err == nil {
		g.owners.drop(from, addr)
	}
	return err
}

// reachable reports whether a guest of the zone can reach the internet from
// addr: an address of the zone's own networks and nobody else's.
func (g *Gateway) reachable(zone string, addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsUnspecified() && !addr.IsMulticast() &&
		!addr.IsLinkLocalUnicast() && !addr.IsLoopback() &&
		(g.parts.Within == nil || g.parts.Within(zone, addr))
}

// here reports whether the guest's stay goes on.
func (gu *Guest) here(z Zone, now Moment) bool {
	return gu.Stay.Start.Boot != "" && now.Up-gu.Stay.Last.Up <= z.VisitGap
}

// see extends the guest's stay, or ends it and begins another.
func (gu *Guest) see(z Zone, now Moment) {
	if !gu.here(z, now) {
		gu.leave()
		gu.Stay.Start = now
	}
	gu.Stay.Last = now
}

// leave ends the guest's stay, if there is one. What was shown or half
// finished in it is forgotten; the pass is not.
func (gu *Guest) leave() {
	if gu.Stay.Start.Boot != "" {
		gu.Ended = append(gu.Ended, gu.Stay)
		gu.Ended = gu.Ended[max(0, len(gu.Ended)-maxEnded):]
	}
	gu.Stay, gu.Form, gu.Inquiry, gu.Receipt, gu.Asked, gu.Gave = Stay{}, nil, nil, "", false, false
}
