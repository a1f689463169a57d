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

// A life is one courier: what becomes of its attempts, and when it is ended.
type life struct {
	Attempts []attempt
	Seconds  int
}

// An attempt is one call of the sink: what it says, and which events are
// withdrawn, or erased with their person, while it thinks.
type attempt struct {
	Fate  int
	Back  []int
	Erase bool // they go with a person who is erased
}

// TestEachEventHasOneEffect runs couriers that end at any moment against a
// sink and a queue that fail at any moment, a platform that will never take
// some events and people who withdraw. Nothing is lost, nothing has two
// effects, the order is kept, and what was withdrawn is sent no more.
func TestEachEventHasOneEffect(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		total := rapid.IntRange(1, 300).Draw(rt, "events")
		lives := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) life {
			return life{rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) attempt {
				return attempt{rapid.IntRange(0, 8).Draw(rt, "fate"), rapid.SliceOfN(rapid.IntRange(0, total-1), 0, 3).Draw(rt, "back"), rapid.Bool().Draw(rt, "erase")}
			}), 1, 10).Draw(rt, "attempts"), rapid.IntRange(0, 600).Draw(rt, "seconds")}
		}), 0, 8).Draw(rt, "lives")
		events := visits(rt, 0, total)
		var poison []hien.Event
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, total-1), 0, min(total, courier.TooMany), rapid.ID).Draw(rt, "poison") {
			poison = append(poison, events[n])
		}
		queue, sink := &shelf{withdrawn: make(map[consent.ID]bool)}, &platform{}
		w := house{events: events, queue: queue, sink: sink, poison: among(poison...)}
		synctest.Test(t, func(t *testing.T) {
			queue.add(events...)
			for _, l := range lives {
				ctx, cancel := context.WithCancel(t.Context())
				sink.set(w.answers(rt, l.Attempts, cancel))
				live(ctx, cancel, queue, sink, time.Duration(l.Seconds)*time.Second)
			}
			queue.set(func() { queue.FullErr = nil })
			ctx, cancel := context.WithCancel(t.Context())
			sink.set(w.answers(rt, nil, cancel))
			live(ctx, cancel, queue, sink, 0)
		})
		w.settled(rt)
	})
}

// A house is what a courier runs in.
type house struct {
	events      []hien.Event
	queue       *shelf
	sink        *platform
	poison      func(hien.Event) bool
	withdrawals []consent.ID
	broken      []consent.ID // were sent after they were withdrawn
}

func (w *house) settled(t *rapid.T) {
	effect := make(map[consent.ID]bool)
	var order []consent.ID
	told := 0
	for _, id := range w.sink.took() {
		effect[id] = true
		if slices.Contains(w.withdrawals, id) {
			told++
		} else {
			order = append(order, id)
		}
	}
	if !slices.IsSorted(order) {
		t.Error("the order was not kept")
	}
	if told != len(w.withdrawals) || w.queue.len() != 0 {
		t.Errorf("%d of %d withdrawals were told, and %d events are left", told, len(w.withdrawals), w.queue.len())
	}
	if len(w.broken) > 0 {
		t.Errorf("sent after they were withdrawn: %v", w.broken)
	}
	for _, e := range w.events {
		_, parked := w.queue.parked[e.ID()]
		if parked && !w.poison(e) {
			t.Errorf("event %s is parked, and nobody refused it alone", e.ID())
		}
		if !effect[e.ID()] && !parked && !w.queue.withdrawn[e.ID()] {
			t.Errorf("event %s is lost", e.ID())
		}
	}
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

// answers are a sink's in one life.
func (w *house) answers(t *rapid.T, attempts []attempt, end func()) func(context.Context, int, []hien.Event) hien.Delivery {
	usual := together(w.poison)
	return func(ctx context.Context, n int, events []hien.Event) hien.Delivery {
		for _, e := range events {
			if w.queue.withdrawn[e.ID()] {
				w.broken = append(w.broken, e.ID())
			}
		}
		var a attempt
		if len(attempts) > 0 {
			a, attempts = attempts[0], attempts[1:]
		}
		if len(a.Back) > 0 {
			back := withdrawal(t)
			if a.Erase {
				back = erasure(t)
			}
			w.withdrawals = append(w.withdrawals, back.ID())
			var forbidden []consent.ID
			for _, n := range a.Back {
				forbidden = append(forbidden, w.events[n].ID())
			}
			w.queue.withdraw(back, forbidden)
		}
		all, some := ids(events), ids(events)[:len(events)/2]
		w.queue.set(func() { w.queue.FullErr = nil })
		switch a.Fate {
		case 1: // it took them, and the answer was lost
			w.sink.take(all)
			return hien.Delivery{Retry: errors.New("closed")}
		case 2: // ended between the answer and the note
			w.queue.set(func() { w.queue.FullErr = hien.ErrStorage })
			end()
			return hien.Delivery{Accepted: all}
		case 3:
			return hien.Delivery{Accepted: some, Retry: errors.New("503"), After: time.Minute}
		case 4:
			return hien.Delivery{Accepted: some, Stop: errors.New("401")}
		case 5:
			return hien.Delivery{Retry: errors.New("no route")}
		case 6:
			end()
			return hien.Delivery{Accepted: some, Retry: ctx.Err()}
		case 8: // it has more to ask, and takes nothing yet
			return hien.Delivery{Again: true}
		case 7:
			if len(events) > 1 {
				return hien.Delivery{Refused: len(events), Answer: "400"}
			}
		}
		return usual(ctx, n, events)
	}
}
