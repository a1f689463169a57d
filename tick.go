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
// who agreed, shuts the door behind passes that have run out, or have come to
// a limit, or are taken away, forgets guests who left, lets in who need not
// ask, sends the codes that waited for the internet, and once a day deletes what
// is too old to be kept. It is called every few seconds. What could not be done or written is tried again by the next Tick.
func (g *Gateway) Tick(ctx context.Context, now Moment) error {
	g.counting.expire(now)
	errs := []error{g.openOver(ctx, now)}
	reading := g.read(ctx, now)
	r, err := g.round(reading, now)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	if g.parts.Sessions != nil {
		g.parts.Sessions.Here(r.online, now)
	}
	g.meter.keep(reading)
	errs = append(errs, g.settle(ctx, r, now)...)
	errs = append(errs, g.endLoans(ctx, reading, now)...)
	errs = append(errs, g.sendWaiting(ctx, r.waiting, now), g.endStays(ctx, r.over, now), g.retain(ctx, now), g.keepRefusals(ctx, now))
	return errors.Join(errs...)
}

// A round is what there is to do, found in one walk through the book.
type round struct {
	let     []GuestID // a pass without asking
	end     []GuestID // a pass before its time
	shut    []GuestID // the door behind a pass that has ended
	out     []GuestID // and behind one that is spent
	tell    []told    // the book what was carried
	waiting []GuestID // a code
	stale   []GuestID // a number that was never proved
	over    []Guest   // a stay that has ended
	online  []Session // for the access log; nothing without one
}

// round goes round the book. reading may be nil.
func (g *Gateway) round(reading *reading, now Moment) (r round, err error) {
	s := g.settings.Load()
	logged := g.parts.Sessions != nil && g.parts.Sessions.On()
	err = g.parts.Book.Guests(func(guest Guest) error {
		if logged && guest.Pass.Left(now) > 0 {
			r.online = append(r.online, Session{guest.ID, guest.Addrs, guest.Pass.Verified})
		}
		zone, known := s.zone(guest.ID.Zone)
		if known {
			g.look(&r, reading, zone, &guest, now)
		} else {
			zone.VisitGap = defaultGap
		}
		if len(guest.Ended) > 0 || !guest.here(zone, now) {
			r.over = append(r.over, guest)
		}
		return nil
	})
	return r, err
}

// look finds what there is to do for one guest.
func (g *Gateway) look(r *round, reading *reading, zone Zone, guest *Guest, now Moment) {
	id, left := guest.ID, guest.Pass.Left(now)
	_, due := g.freely(zone, guest, now)
	spent := guest.Pass.Spent && !guest.Pass.Over(now)
	out := g.meter.isOut(id, spent)
	switch {
	case left > 0 && (zone.blocks(id.MAC) || guest.Pass.Open && g.openUntil(now) == 0):
		r.end = append(r.end, id)
	case due && len(guest.Addrs) > 0 && (left > 0 || guest.here(zone, now)):
		r.let = append(r.let, id)
	case spent && !out:
		r.out = append(r.out, id)
	case guest.Pass.Until > 0 && guest.Pass.Over(now):
		r.shut = append(r.shut, id)
	case left > 0 && reading != nil:
		switch t, what := g.count(reading, zone, guest, now); what {
		case idle:
			r.end = append(r.end, id)
		case telling, full:
			r.tell = append(r.tell, told{id, t, what == full})
		}
	}
	if q := guest.Inquiry; q != nil && q.stale(g.keepsUnproven(), now) {
		r.stale = append(r.stale, id)
	}
	switch f := guest.Form; {
	case f == nil:
	case f.stale(g.keepsUnproven(), now):
		r.stale = append(r.stale, id)
	case f.Waiting && g.opens(f):
		r.waiting = append(r.waiting, id)
	}
}

// settle does what a round has found, but for codes and stays.
func (g *Gateway) settle(ctx context.Context, r round, now Moment) (errs []error) {
	for _, id := range r.let {
		errs = append(errs, g.parts.Book.Change(id, func(guest *Guest) error {
			zone, err := g.zone(id.Zone)
			if err != nil {
				return err
			}
			did, err := g.welcome(ctx, zone, guest, now)
			if err == nil && !did {
				return ErrUnchanged
			}
			return err
		}))
	}
	for _, id := range r.end {
		errs = append(errs, g.end(ctx, id, now))
	}
	for _, id := range r.shut {
		errs = append(errs, g.shut(ctx, id, now))
	}
	for _, id := range r.out {
		errs = append(errs, g.shutOut(ctx, id, now))
	}
	for _, c := range r.tell {
		errs = append(errs, g.tell(ctx, c, now))
	}
	for _, id := range r.stale {
		errs = append(errs, g.parts.Book.Change(id, func(guest *Guest) error {
			gone := int64(0)
			if guest.Form != nil && guest.Form.stale(g.keepsUnproven(), now) {
				guest.Form, gone = nil, gone+1
			}
			if guest.Inquiry != nil && guest.Inquiry.stale(g.keepsUnproven(), now) {
				guest.Inquiry, gone = nil, gone+1
			}
			if gone == 0 {
				return ErrUnchanged
			}
			g.retention.unproven.Add(gone)
			return nil
		}))
	}
	return errs
}

// zoneOf is a guest's zone, or one that ends its stays.
func (g *Gateway) zoneOf(id GuestID) Zone {
	if z, ok := g.settings.Load().zone(id.Zone); ok {
		return z
	}
	return Zone{VisitGap: defaultGap}
}

// endStays tells the record of stays that have ended, and the book that it was
// told.
func (g *Gateway) endStays(ctx context.Context, over []Guest, now Moment) error {
	var ended []EndedStay
	for _, guest := range over {
		if !guest.here(g.zoneOf(guest.ID), now) {
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
			return g.visited(m, v, since, now)
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
		errs = append(errs, g.tidy(guest, g.zoneOf(guest.ID), now))
	}
	return errors.Join(errs...)
}

// visited is the event of a visit that has ended. There is none for a person
// who agreed to another notice than today's, with fewer recipients perhaps, and
// has not answered the one of today: to go on without an answer is no consent
// to what is new (R-CON-9). Nor while the policy is damaged, when nobody knows what
// would be asked today. The next visit that is told has the right number.
func (g *Gateway) visited(m Member, v Visit, since time.Duration, now Moment) (Event, error) {
	settings := g.settings.Load()
	if !settings.current(m.Answered[consent.VisitFrequency], now) {
		return Event{}, nil
	}
	f := VisitFacts{Number: v.Number, SinceLast: since}
	if v.End.Boot == v.Start.Boot {
		f.Stayed = v.End.Up - v.Start.Up
	}
	return NewEvent(m.Consent, consent.VisitFrequency, StoreVisited, m.Key, v.End,
		Facts{Store: settings.StoreID, Zone: v.Zone, Visit: &f, Previous: settings.stillTold(m)})
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
		// A pass that was taken away is in the book until the door is shut
		// behind it; of a zone that is no longer there nobody shuts it.
		open := guest.Pass.Until > 0 && zone.Name != "" || !guest.Pass.Over(now)
		switch {
		case len(guest.Ended) == 0 && guest.Stay.Start.Boot == "" && !open && !limited:
			gone = true
			return ErrForget
		case !stood:
			return ErrUnchanged
		}
		return nil
	})
	if err == nil && gone {
		g.owners.drop(before.ID, before.Addrs...)
		g.meter.isOut(before.ID, false)
	}
	return err
}
