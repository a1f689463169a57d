package hien

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// A Refusal is that a device said no to purposes. Nothing else is known of it,
// and its mark joins with no other (R-CON-3).
type Refusal struct {
	Mark     Mark
	Purposes []consent.Purpose
}

// When refusals that wait in the livebook are recorded, all of them with one
// commit: a guest who goes on without costs no flash of its own.
const (
	refusalsFirst = 10 * time.Minute
	refusalsEvery = time.Hour
)

// refusals is when they are recorded next.
type refusals struct {
	next atomic.Int64 // Moment.Up; 0: not planned yet
}

// Refuse is Admit for a guest who was shown what the shop asks for, and went on
// without. It is not asked for that again for as long as the policy says.
func (g *Gateway) Refuse(ctx context.Context, d Device, shown []consent.Purpose, now Moment) error {
	fresh := false
	err := g.letIn(ctx, d, now, func(guest *Guest) {
		fresh = !guest.Asked && !guest.Gave
		guest.Asked, guest.Form = true, nil
	})
	if zone, known := g.settings.Load().zone(d.Guest.Zone); known && fresh {
		asked := zone.Asks()
		g.refused(d.Guest.MAC, slices.DeleteFunc(slices.Clone(shown), func(p consent.Purpose) bool { return !slices.Contains(asked, p) }), now)
	}
	return err
}

// refused remembers what a device said no to. What cannot be written down is
// asked again.
func (g *Gateway) refused(mac MAC, purposes []consent.Purpose, now Moment) {
	if len(purposes) == 0 || g.parts.Shelf == nil || g.parts.Refusals == nil {
		return
	}
	if err := g.parts.Shelf.Refuse(Refusal{Mark: g.parts.Router.RefusalMark(mac), Purposes: purposes}); err != nil {
		g.complain(now, "a no could not be written down; that guest is asked again", err)
	}
}

// unrefused are those of the purposes to which the device has not said no
// lately, and the others. What cannot be looked up counts as refused: nobody
// is asked twice because of a fault.
func (g *Gateway) unrefused(ctx context.Context, mac MAC, asked []consent.Purpose, now Moment) (ask, refused []consent.Purpose) {
	if len(asked) == 0 || g.parts.Shelf == nil || g.parts.Refusals == nil {
		return asked, nil
	}
	mark := g.parts.Router.RefusalMark(mac)
	no, err := g.parts.Shelf.Refused(mark)
	if err == nil {
		var recorded []consent.Purpose
		recorded, err = g.parts.Refusals.Refused(ctx, mark, g.refusedSince(now))
		no = append(no, recorded...)
	}
	if err != nil {
		g.complain(now, "it cannot be looked up what guests said no to; those are not asked", err)
		return nil, asked
	}
	for _, p := range asked {
		if slices.Contains(no, p) {
			refused = append(refused, p)
		} else {
			ask = append(ask, p)
		}
	}
	return ask, refused
}

// refusedSince is the first day whose refusals still count; empty for all, when
// no clock can tell: nobody is asked again for want of one.
func (g *Gateway) refusedSince(now Moment) string {
	p := g.settings.Load().today().Policy // what was refused goes also where nothing is asked any more
	if p == nil || !now.InStep {
		return ""
	}
	return consent.Day(now.Wall.AddDate(0, 0, -p.AskAgainDays))
}

// keepRefusals records those that wait, and deletes those that count no more.
// With nothing to do, nothing is written; while the date is doubted nothing is
// done, as by a wrong one every no would be too old, or stay for years.
func (g *Gateway) keepRefusals(ctx context.Context, now Moment) error {
	since := g.refusedSince(now)
	if since == "" || g.parts.Shelf == nil || g.parts.Refusals == nil {
		return nil
	}
	next := &g.refusals.next
	if next.Load() == 0 {
		next.Store(int64(now.Up + refusalsFirst))
	}
	if now.Up < time.Duration(next.Load()) {
		return nil
	}
	next.Store(int64(now.Up + refusalsFirst)) // again, if it fails
	if g.parts.Keeper != nil {
		clock, err := g.parts.Keeper.WallClock(ctx)
		if err != nil {
			return err
		}
		if _, believed := clock.Believes(now); !believed {
			return nil
		}
	}
	waiting, err := g.parts.Shelf.RefusalsWaiting()
	if err != nil {
		return err
	}
	if err := g.parts.Refusals.KeepRefusals(ctx, consent.Day(now.Wall), waiting, since); err != nil {
		return err
	}
	next.Store(int64(now.Up + refusalsEvery))
	return g.parts.Shelf.RefusalsTaken(waiting)
}
