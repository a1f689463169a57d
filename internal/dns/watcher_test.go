package dns

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatcher plays a shop's uplink through an hour of false time.
func TestWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var broken, cut atomic.Bool
		var looks atomic.Int64
		type change struct {
			at     time.Duration
			online bool
		}
		var changes []change
		w := &Watcher{
			ask: func(context.Context) error {
				looks.Add(1)
				if broken.Load() {
					time.Sleep(askFor) // in the bubble: the resolver is silent
					return errNoServer
				}
				return nil
			},
			route:   func() bool { return !cut.Load() },
			changed: func(online bool) { changes = append(changes, change{time.Since(start), online}) },
			log:     slog.New(slog.DiscardHandler),
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		at := func(d time.Duration, online bool, what string) {
			t.Helper()
			time.Sleep(d - time.Since(start))
			synctest.Wait()
			if got := w.Online(); got != online {
				t.Errorf("%s (after %v): got online %v, want %v", what, d, got, online)
			}
		}
		at(time.Minute+time.Second, true, "all is well")
		if looks.Load() != 5 {
			t.Errorf("looks in the first minute: got %d, want 5", looks.Load())
		}
		broken.Store(true)
		at(80*time.Second, true, "one question was not answered") // asked at 75 s, silent until 79 s
		at(85*time.Second, true, "the second is not over")        // asked at 82 s
		at(87*time.Second, false, "two were not answered")
		broken.Store(false)
		at(90*time.Second, true, "the next one was") // asked at 89 s
		cut.Store(true)
		at(105*time.Second, false, "no route means no internet, at once")
		before := looks.Load()
		at(2*time.Minute, false, "still no route")
		if looks.Load() != before {
			t.Errorf("questions without a route: got %d, want none", looks.Load()-before)
		}
		cut.Store(false)
		at(124*time.Second, true, "the route is back")
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		want := []change{{86 * time.Second, false}, {89 * time.Second, true}, {104 * time.Second, false}, {122 * time.Second, true}}
		if len(changes) != len(want) {
			t.Fatalf("changes: got %v, want %v", changes, want)
		}
		for i := range want {
			if changes[i] != want[i] {
				t.Errorf("change %d: got %v, want %v", i, changes[i], want[i])
			}
		}
	})
}
