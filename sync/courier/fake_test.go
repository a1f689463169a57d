package courier_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/sync/courier"
)

// A shelf is a queue in memory that keeps a Queue's promises.
type shelf struct {
	mu      sync.Mutex
	events  []hien.Event
	parked  map[consent.ID]string
	looks   []time.Time // when Batch was called
	ReadErr error       // of Batch
	FullErr error       // of Delivered and Park

	withdrawn map[consent.ID]bool // to be made by who calls withdraw
}

var _ courier.Queue = (*shelf)(nil)

func (q *shelf) add(events ...hien.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = append(q.events, events...)
}

func (q *shelf) set(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
}

func (q *shelf) Batch(ctx context.Context, limit int, _ hien.Moment) ([]hien.Event, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.looks = append(q.looks, time.Now())
	if err := errors.Join(ctx.Err(), q.ReadErr); err != nil {
		return nil, err
	}
	batch := slices.Clone(q.events)
	slices.SortStableFunc(batch, func(a, b hien.Event) int { return rank(a) - rank(b) })
	return batch[:min(limit, len(batch))], nil
}

func rank(e hien.Event) int {
	switch e.Kind() {
	case hien.Erased:
		return 0
	case hien.Withdrawn:
		return 1
	}
	return 2
}

func (q *shelf) Delivered(ctx context.Context, ids []consent.ID) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := errors.Join(ctx.Err(), q.FullErr); err != nil {
		return err
	}
	q.events = slices.DeleteFunc(q.events, func(e hien.Event) bool { return slices.Contains(ids, e.ID()) })
	return nil
}

func (q *shelf) Park(ctx context.Context, answers map[consent.ID]string, _ hien.Moment) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := errors.Join(ctx.Err(), q.FullErr); err != nil {
		return err
	}
	if q.parked == nil {
		q.parked = make(map[consent.ID]string)
	}
	q.events = slices.DeleteFunc(q.events, func(e hien.Event) bool {
		why, parked := answers[e.ID()]
		if parked {
			q.parked[e.ID()] = why
		}
		return parked
	})
	return nil
}

// withdraw takes back the consent to some events, of which some may have left.
func (q *shelf) withdraw(w hien.Event, forbidden []consent.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range forbidden {
		q.withdrawn[id] = true
		delete(q.parked, id)
	}
	q.events = slices.DeleteFunc(q.events, func(e hien.Event) bool { return q.withdrawn[e.ID()] })
	q.events = append(q.events, w)
}

func (q *shelf) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.events)
}

// A platform is a sink in memory. Answer, if it is set, takes the place of
// taking everything.
type platform struct {
	mu      sync.Mutex
	effects []consent.ID // each event once, in the order of their first arrival
	sent    map[consent.ID]int
	batches [][]consent.ID
	at      []time.Time
	Answer  func(ctx context.Context, n int, events []hien.Event) hien.Delivery // n: the nth batch
}

var _ courier.Sink = (*platform)(nil)

func (p *platform) Send(ctx context.Context, events []hien.Event, _ hien.Moment) hien.Delivery {
	p.mu.Lock()
	n, answer := len(p.batches), p.Answer
	p.batches = append(p.batches, ids(events))
	p.at = append(p.at, time.Now())
	p.mu.Unlock()
	d := hien.Delivery{Accepted: ids(events)}
	if answer != nil {
		d = answer(ctx, n, events)
	}
	p.take(d.Accepted)
	return d
}

// take has the effect of events that arrived.
func (p *platform) take(arrived []consent.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == nil {
		p.sent = make(map[consent.ID]int)
	}
	for _, id := range arrived {
		if p.sent[id]++; p.sent[id] == 1 {
			p.effects = append(p.effects, id)
		}
	}
}

func (p *platform) took() []consent.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.effects)
}

func (p *platform) attempts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.batches)
}

func (p *platform) set(answer func(context.Context, int, []hien.Event) hien.Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Answer = answer
}

func ids(events []hien.Event) []consent.ID {
	out := make([]consent.ID, len(events))
	for i, e := range events {
		out[i] = e.ID()
	}
	return out
}

// visits makes n events, numbered from first on.
func visits(t fataler, first, n int) []hien.Event {
	t.Helper()
	notice := consent.Notice{Asks: []consent.Ask{{Purpose: consent.VisitFrequency}}}
	c, err := consent.Give("c1", "s1", notice, []consent.Purpose{consent.VisitFrequency}, hien.Moment{})
	if err != nil {
		t.Fatal(err)
	}
	facts, err := json.Marshal(hien.Facts{Store: "hcm-q1-01", Visit: &hien.VisitFacts{Number: 1}})
	if err != nil {
		t.Fatal(err)
	}
	events := make([]hien.Event, n)
	for i := range events {
		id := consent.ID(fmt.Sprintf("%032d", first+i))
		if events[i], err = hien.EventFromRecord(id, hien.StoreVisited, consent.VisitFrequency, "k1:00", hien.Moment{}, facts, c); err != nil {
			t.Fatal(err)
		}
	}
	return events
}

func withdrawal(t fataler) hien.Event {
	t.Helper()
	e, err := hien.NewWithdrawal(consent.Consent{}, []consent.Purpose{consent.VisitFrequency}, "k1:00", hien.Moment{}, hien.Facts{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func erasure(t fataler) hien.Event {
	t.Helper()
	e, err := hien.NewErasure([]consent.Purpose{consent.VisitFrequency}, "k1:00", hien.Moment{}, hien.Facts{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

type fataler interface {
	Helper()
	Fatal(args ...any)
}
