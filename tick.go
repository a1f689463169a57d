package hien

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// defaultGap ends the stays of a zone that is no longer configured.
const defaultGap = 30 * time.Minute

// Tick does what time brings: it ends stays and records the visits of those
// who agreed, shuts the door behind passes that have run out, and forgets
// guests who left. It is called every few seconds. What could not be written
// is kept for the next Tick.
func (g *Gateway) Tick(ctx context.Context, now Moment) error {
	var over []Guest  // with a stay that has ended
	var spent []Guest // with a pass that has ended
	s := g.settings.Load()
	zone := func(id GuestID) Zone {
		if z, ok := s.zone(id.Zone); ok {
			return z
		}
		return Zone{VisitGap: defaultGap}
	}
	err := g.parts.Book.Guests(func(guest Guest) error {
		if _, ok := s.zone(guest.ID.Zone); ok && guest.Pass.Until > 0 && guest.Pass.Left(now) == 0 {
			spent = append(spent, guest)
		}
		if len(guest.Ended) > 0 || !guest.here(zone(guest.ID), now) {
			over = append(over, guest)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, guest := range spent {
		errs = append(errs, g.shut(ctx, guest.ID, now))
	}
	return errors.Join(append(errs, g.endStays(ctx, over, zone, now))...)
}

// shut takes a guest whose pass has ended out of the kernel's set, so that
// its phone asks for the portal again. The door is slow to shut (it ends the
// guest's connections), so that nobody waits for the livebook meanwhile; a
// guest who was let in again in that time is let in once more.
func (g *Gateway) shut(ctx context.Context, id GuestID, now Moment) error {
	guest, _, err := g.parts.Book.Guest(id)
	if err != nil || guest.Pass.Left(now) > 0 {
		return err
	}
	if err := g.parts.Door.Remove(ctx, id, guest.Addrs); err != nil {
		return err
	}
	return g.parts.Book.Change(id, func(guest *Guest) error {
		if left := guest.Pass.Left(now); left > 0 {
			return errors.Join(ErrUnchanged, g.parts.Door.Admit(ctx, id, guest.Addrs, left))
		}
		guest.Pass = Pass{}
		return nil
	})
}

func (g *Gateway) endStays(ctx context.Context, over []Guest, zone func(GuestID) Zone, now Moment) error {
	var ended []EndedStay
	for _, guest := range over {
		if !guest.here(zone(guest.ID), now) {
			guest.leave()
		}
		mark := g.parts.Router.MemberMark(guest.ID.MAC)
		for _, stay := range guest.Ended {
			ended = append(ended, EndedStay{Zone: guest.ID.Zone, Mark: mark, Stay: stay})
		}
	}
	if g.parts.Record != nil && (len(ended) > 0 || !g.resumed.Load()) {
		wrote := false
		err := g.parts.Record.EndStays(ctx, ended, now, func(m Member, v Visit, since time.Duration) (Event, error) {
			wrote = true
			return g.visited(m, v, since)
		})
		if err != nil {
			return err
		}
		g.resumed.Store(true)
		if wrote {
			g.parts.Wake()
		}
	}
	var errs []error
	for _, guest := range over {
		errs = append(errs, g.tidy(guest, zone(guest.ID), now))
	}
	return errors.Join(errs...)
}

// visited is the event of a visit that has ended.
func (g *Gateway) visited(m Member, v Visit, since time.Duration) (Event, error) {
	f := VisitFacts{Number: v.Number, SinceLast: since}
	if v.End.Boot == v.Start.Boot {
		f.Stayed = v.End.Up - v.Start.Up
	}
	return NewEvent(m.Consent, consent.VisitFrequency, StoreVisited, m.Key, v.End,
		Facts{Store: g.settings.Load().StoreID, Zone: v.Zone, Visit: &f})
}

// tidy drops from the livebook the stays that were dealt with, and the guest
// itself when nothing of it is left. before is the guest as it was read; what
// happened since stays.
func (g *Gateway) tidy(before Guest, zone Zone, now Moment) error {
	if !before.here(zone, now) {
		before.leave()
	}
	gone := false
	err := g.parts.Book.Change(before.ID, func(guest *Guest) error {
		stood := guest.Stay.Start.Boot != "" || len(guest.Ended) > 0
		if !guest.here(zone, now) {
			guest.leave()
		}
		guest.Ended = slices.DeleteFunc(guest.Ended, func(s Stay) bool {
			return slices.ContainsFunc(before.Ended, func(b Stay) bool { return b.Start.Up == s.Start.Up })
		})
		limited := slices.ContainsFunc(guest.Codes, func(at time.Duration) bool { return now.Up-at < 24*time.Hour })
		switch {
		case len(guest.Ended) == 0 && guest.Stay.Start.Boot == "" && guest.Pass.Left(now) == 0 && !limited:
			gone = true
			return ErrForget
		case !stood:
			return ErrUnchanged
		}
		return nil
	})
	if err == nil && gone {
		g.owners.drop(before.ID, before.Addrs...)
	}
	return err
}

// Resume lets through whoever has a pass in the livebook. It is called when
// the daemon starts and after the firewall was repaired, so that nobody with
// a pass is cut (I4).
func (g *Gateway) Resume(ctx context.Context, now Moment) error {
	var inside []Guest
	s := g.settings.Load()
	err := g.parts.Book.Guests(func(guest Guest) error {
		if _, ok := s.zone(guest.ID.Zone); ok && guest.Pass.Left(now) > 0 {
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
	return errors.Join(errs...)
}
