package courier_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/world"
	"github.com/hien-wifi/hien/sync/cdp"
	"github.com/hien-wifi/hien/sync/courier"
)

// TestTheWholeWayOverHTTP carries events to a receiver in trouble, over real
// sockets and with real waits of the shortest kind.
func TestTheWholeWayOverHTTP(t *testing.T) {
	for _, flavour := range []world.Flavour{world.Segment, world.RudderStack, world.Jitsu} {
		t.Run(string(flavour), func(t *testing.T) {
			t.Parallel()
			receiver := world.NewCDP(flavour)
			receiver.Next(receiver.Hangup(), world.Status(503))
			server := httptest.NewServer(receiver)
			defer server.Close()
			sink, err := cdp.New(cdp.Options{URL: server.URL, WriteKey: world.DefaultWriteKey})
			if err != nil {
				t.Fatal(err)
			}
			queue := &shelf{}
			events := visits(t, 0, 220)
			poison, want := events[137].ID(), 219
			if flavour == world.Segment { // which takes everything and says nothing
				poison, want = "", 220
			}
			receiver.Poison(string(poison))
			queue.add(events...)
			born := time.Now()
			moment := func() hien.Moment {
				return hien.Moment{Wall: time.Now(), Boot: "boot", Up: time.Since(born), InStep: true}
			}
			c := courier.New(queue, sink, moment, slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			done := make(chan error)
			go func() { done <- c.Run(ctx) }()
			if _, err := receiver.WaitEvents(ctx, want); err != nil {
				t.Error(err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			if n := len(receiver.Events()); n != want {
				t.Errorf("the receiver has %d events, want %d", n, want)
			}
			for i, e := range events {
				if n := receiver.Deliveries(string(e.ID())); n > 2 || n == 0 && e.ID() != poison {
					t.Errorf("event %d was delivered %d times", i, n)
				}
			}
			if poison != "" {
				if why := queue.parked[poison]; len(queue.parked) != 1 || why == "" {
					t.Errorf("parked %v", fmt.Sprint(queue.parked))
				}
			}
		})
	}
}
