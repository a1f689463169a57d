package hien

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"
)

// How many codes that waited for the internet are sent in one Tick, and how
// soon one that could not be sent is tried again.
const (
	codesPerTick = 4
	codeRetry    = time.Minute
)

// waiting remembers when a code that waits may be tried again, as Moment.Up.
// It is bounded by the forms that wait.
type waiting struct {
	mu    sync.Mutex
	again map[GuestID]time.Duration
}

// sendWaiting sends the codes that waited for the internet, some of them. The
// guest has left the portal and comes back to it when the code is there.
func (g *Gateway) sendWaiting(ctx context.Context, ids []GuestID, now Moment) error {
	if len(ids) == 0 || !g.online() || !g.takes() || !g.sends(now) {
		return nil
	}
	g.waiting.mu.Lock()
	defer g.waiting.mu.Unlock()
	maps.DeleteFunc(g.waiting.again, func(_ GuestID, at time.Duration) bool { return at <= now.Up })
	var errs []error
	tried := 0
	for _, id := range ids {
		if _, later := g.waiting.again[id]; later || tried == codesPerTick {
			continue
		}
		tried++
		err := g.again(ctx, Device{Guest: id}, now, func(f *Form) bool { return f.Waiting })
		switch {
		case errors.Is(err, ErrNoForm):
		case errors.Is(err, ErrTooMany), errors.Is(err, ErrNotSent):
			if g.waiting.again == nil {
				g.waiting.again = make(map[GuestID]time.Duration)
			}
			g.waiting.again[id] = now.Up + codeRetry
			if errors.Is(err, ErrNotSent) {
				return errors.Join(errs...) // a sender that does not answer takes its time: not that of all the others too
			}
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
