package hien

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// For how long the owner can let everybody in at once.
const (
	OpenMin = time.Minute
	OpenMax = 24 * time.Hour
)

// openUntil is until when the door is open to everybody, as Moment.Up; 0 when
// it is not.
func (g *Gateway) openUntil(now Moment) time.Duration {
	if until := time.Duration(g.opened.Load()); until > now.Up {
		return until
	}
	return 0
}

// OpenLeft is how long the door is still open to everybody; 0 when it is not.
func (g *Gateway) OpenLeft(now Moment) time.Duration { return max(0, g.openUntil(now)-now.Up) }

// OpenFor lets everybody in for a while, without the portal, but for devices
// that are blocked: who is here at once, who comes when it is seen. A pass that
// a guest has of its own stays as it is. No limit of volume or idleness holds
// meanwhile, and a volume that was used up is forgiven. It ends by itself, in
// the kernel too, and outlives a crash of the daemon. Called again it is
// another time from now. d is OpenMin to OpenMax, else ErrOpenSpan; who asked
// for it is noted.
func (g *Gateway) OpenFor(ctx context.Context, d time.Duration, who string, now Moment) error {
	if d < OpenMin || d > OpenMax {
		return ErrOpenSpan
	}
	if err := g.parts.Book.SetOpen(now.Up + d); err != nil {
		return fmt.Errorf("open the door to everybody: %w", err)
	}
	g.opened.Store(int64(now.Up + d))
	g.Note(ctx, Deed{At: now, Who: who, What: DidOpen, About: plain(d)})
	return g.walk(ctx, now)
}

// EndOpen ends what OpenFor began, and the passes that were given for it. Who
// asked for it is noted. ErrNotOpen says that there is nothing to end.
func (g *Gateway) EndOpen(ctx context.Context, who string, now Moment) error {
	if g.openUntil(now) == 0 {
		return ErrNotOpen
	}
	if err := g.shutAgain(ctx, who, now); err != nil {
		return err
	}
	return g.walk(ctx, now)
}

// openOver ends the time for which the door was open, once it is up: also when
// that was while the daemon was down.
func (g *Gateway) openOver(ctx context.Context, now Moment) error {
	if g.opened.Load() == 0 || g.openUntil(now) > 0 {
		return nil
	}
	return g.shutAgain(ctx, "hien", now)
}

func (g *Gateway) shutAgain(ctx context.Context, who string, now Moment) error {
	if err := g.parts.Book.SetOpen(0); err != nil {
		return fmt.Errorf("shut the door again: %w", err)
	}
	g.opened.Store(0)
	g.Note(ctx, Deed{At: now, Who: who, What: DidEndOpen})
	return nil
}

// walk does to every guest what the open or shut door asks for, at once.
func (g *Gateway) walk(ctx context.Context, now Moment) error {
	r, err := g.round(nil, now)
	if err != nil {
		return err
	}
	return errors.Join(g.settle(ctx, r, now)...)
}

// plain writes a duration without what is zero at its end: 2h, 1h30m.
func plain(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}
