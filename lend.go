package hien

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// The garden for codes is lent for as long as a code lives, and for so many
// bytes: enough for a message in an app, and for nothing else.
const (
	lendFor   = CodeLife
	lendBytes = 5 << 20
)

// loans are the guests to whom the garden for codes is lent, and until when on
// the boot clock. They are bounded by the codes that are sent, and gone with
// the daemon: the kernel ends each by itself.
type loans struct {
	mu    sync.Mutex
	until map[GuestID]time.Duration
}

func (l *loans) any() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.until) > 0
}

func (l *loans) left(id GuestID, now Moment) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.until[id]-now.Up)
}

func (l *loans) set(id GuestID, until time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until == nil {
		l.until = make(map[GuestID]time.Duration)
	}
	l.until[id] = until
}

func (l *loans) drop(id GuestID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.until, id)
}

// lend opens the garden for codes to a guest to whom one was sent, unless it
// has a pass, a grace pass too, or the zone has no such garden. Where it cannot, the guest may
// still have the code by another way: that is for the log.
func (g *Gateway) lend(ctx context.Context, d Device, now Moment) {
	zone, ok := g.settings.Load().zone(d.Guest.Zone)
	if !ok || g.parts.Lender == nil || len(zone.CodeGarden) == 0 || zone.blocks(d.Guest.MAC) {
		return
	}
	guest, _, err := g.parts.Book.Guest(d.Guest)
	if err == nil && guest.Pass.Left(now) > 0 {
		return
	}
	addrs := guest.Addrs
	if g.reachable(d.Guest.Zone, d.Addr) && !slices.Contains(addrs, d.Addr) {
		addrs = append(addrs, d.Addr)
	}
	g.loans.set(d.Guest, now.Up+lendFor)
	if err = errors.Join(err, g.parts.Lender.Lend(ctx, d.Guest, addrs, lendFor)); err != nil {
		g.parts.Log.Warn("a guest waits for its code without the garden for codes", "guest", d.Guest.MAC, "err", err)
	}
}

// lendAt lends at one more address of a guest what it has at the others.
func (g *Gateway) lendAt(ctx context.Context, id GuestID, addr netip.Addr, now Moment) error {
	left := g.loans.left(id, now)
	if left == 0 || !addr.IsValid() {
		return nil
	}
	return g.parts.Lender.Lend(ctx, id, []netip.Addr{addr}, left)
}

// unlendAt takes back what was lent at an address that is no longer a guest's.
func (g *Gateway) unlendAt(ctx context.Context, id GuestID, addr netip.Addr, now Moment) error {
	if g.loans.left(id, now) == 0 {
		return nil
	}
	return g.parts.Lender.Lend(ctx, id, []netip.Addr{addr}, 0)
}

// lendAgain lends anew what a repaired firewall has lost.
func (g *Gateway) lendAgain(ctx context.Context, now Moment) (errs []error) {
	for _, id := range g.loans.all() {
		left := g.loans.left(id, now)
		guest, _, err := g.parts.Book.Guest(id)
		if err == nil && left > 0 {
			err = g.parts.Lender.Lend(ctx, id, guest.Addrs, left)
		}
		errs = append(errs, err)
	}
	return errs
}

func (l *loans) all() (ids []GuestID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.until {
		ids = append(ids, id)
	}
	return ids
}

// endLoans takes back what was lent to guests who wait for no code any more,
// or who have carried too much. It is taken back here and not where the form
// ends, since the door ends a guest's connections with it, and the portal
// answers on one of them. For the same reason a guest that has a pass by now
// keeps what was lent until that ends by itself: a pass is more.
func (g *Gateway) endLoans(ctx context.Context, r *reading, now Moment) (errs []error) {
	for _, id := range g.loans.all() {
		guest, _, err := g.parts.Book.Guest(id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		guest.ID = id
		form := guest.Form
		waits := form != nil && g.opens(form) && form.Challenge.Left(now) > 0 && form.Challenge.Tries < CodeTries
		switch {
		case g.loans.left(id, now) == 0:
			g.loans.drop(id) // the kernel has ended it
		case g.left(&guest, now) > 0:
		case !waits || r != nil && r.lent[id] >= lendBytes:
			if err := g.parts.Lender.Lend(ctx, id, guest.Addrs, 0); err != nil {
				errs = append(errs, err)
				continue
			}
			g.loans.drop(id)
		}
	}
	return errs
}
