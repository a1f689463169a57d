package courier_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/sync/courier"
)

// A life is one courier: what becomes of its batches, and when it is ended.
type life struct {
	Fates   []int
	Seconds int
}

// TestEachEventHasOneEffect runs couriers that end at any moment against a
// sink and a queue that fail at any moment. Nothing is lost, nothing has two
// effects, and the order is kept.
func TestEachEventHasOneEffect(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		total := rapid.IntRange(1, 300).Draw(rt, "events")
		lives := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) life {
			return life{rapid.SliceOfN(rapid.IntRange(0, 6), 1, 6).Draw(rt, "fates"), rapid.IntRange(0, 600).Draw(rt, "seconds")}
		}), 0, 8).Draw(rt, "lives")
		events := visits(rt, 0, total)
		var got []consent.ID
		left := 0
		synctest.Test(t, func(t *testing.T) {
			queue, sink := &shelf{}, &platform{}
			queue.add(events...)
			for _, l := range lives {
				ctx, cancel := context.WithCancel(t.Context())
				sink.set(l.answers(queue, sink, cancel))
				live(ctx, cancel, queue, sink, time.Duration(l.Seconds)*time.Second)
			}
			queue.set(func() { queue.FullErr = nil })
			sink.set(nil)
			ctx, cancel := context.WithCancel(t.Context())
			live(ctx, cancel, queue, sink, 0)
			got, left = sink.took(), queue.len()
		})
		if left != 0 || len(got) != total {
			rt.Fatalf("%d events had an effect and %d are left, of %d", len(got), left, total)
		}
		if !slices.IsSorted(got) {
			rt.Fatal("the order was not kept")
		}
	})
}

// live runs a courier for a while.
func live(ctx context.Context, cancel func(), queue *shelf, sink *platform, d time.Duration) {
	done := make(chan error)
	c := courier.New(queue, sink, now, slog.New(slog.DiscardHandler))
	go func() { done <- c.Run(ctx) }()
	pass(d)
	cancel()
	<-done
}

// answers are a sink's in this life.
func (l life) answers(queue *shelf, sink *platform, end func()) func(context.Context, int, []hien.Event) hien.Delivery {
	fates := l.Fates
	return func(ctx context.Context, _ int, events []hien.Event) hien.Delivery {
		fate := 0
		if len(fates) > 0 {
			fate, fates = fates[0], fates[1:]
		}
		all, some := ids(events), ids(events)[:len(events)/2]
		queue.set(func() { queue.FullErr = nil })
		switch fate {
		case 1: // it took them, and the answer was lost
			sink.take(all)
			return hien.Delivery{Retry: errors.New("closed")}
		case 2: // ended between the answer and the note
			queue.set(func() { queue.FullErr = hien.ErrStorage })
			end()
		case 3:
			return hien.Delivery{Accepted: some, Retry: errors.New("503"), After: time.Minute}
		case 4:
			return hien.Delivery{Accepted: some, Stop: errors.New("401")}
		case 5:
			return hien.Delivery{Retry: errors.New("no route")}
		case 6:
			end()
			return hien.Delivery{Accepted: some, Retry: ctx.Err()}
		}
		return hien.Delivery{Accepted: all}
	}
}
