// Package courier carries events from the queue to a sink, in order, as often
// as it takes.
//
// It keeps nothing of its own. Before each attempt it asks the queue anew, so
// that what was withdrawn meanwhile is not in the batch and a withdrawal
// stands at its head; an event leaves the queue when the sink has said that it
// has it. Whoever is killed in between sends the event again, and its id makes
// the second delivery harmless.
//
// A sink that refuses several events together is given half as many, and half
// of those, until the one that it will not take is alone. That one is parked,
// and then twice as many go at once with each batch that is taken. Two things
// are not parked: what ends something, a withdrawal or an erasure, which has to
// be told upstream; and more than TooMany events in a row, which are hardly to
// blame. Both wait for the owner.
package courier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A Queue keeps events until they are delivered. Each method is one
// transaction.
type Queue interface {
	// Batch is what to send next, at most limit events: erasures before
	// everything else, then withdrawals, then in the order in which things
	// happened. It holds no event that its person's consent does not allow any
	// more.
	Batch(ctx context.Context, limit int, now hien.Moment) ([]hien.Event, error)
	// Delivered removes events that the sink has. Unknown ids are no error.
	Delivered(ctx context.Context, ids []consent.ID) error
	// Park takes events out of the way that the sink will never take, with
	// the answers that say so.
	Park(ctx context.Context, answers map[consent.ID]string, now hien.Moment) error
}

// A Sink takes events: it asks the platform at most once and says what came of
// it. It may leave the last of the events for the next time, and of events
// that were refused together it does not know which are to blame.
type Sink interface {
	Send(ctx context.Context, events []hien.Event, now hien.Moment) hien.Delivery
}

// How the courier paces itself.
const (
	BatchLimit  = 100              // events asked of the queue at once
	TooMany     = 10               // events parked in a row, none accepted in between; no more are
	FirstRetry  = time.Second / 2  // after the first failure, doubled with each, give or take half
	LongRetry   = time.Minute      // the doubling ends here
	LongFailing = 20               // failures in a row after which it goes on to end at SlowRetry
	SlowRetry   = 15 * time.Minute // also between attempts at a sink that has to be mended
	MaxAfter    = 5 * time.Minute  // the longest Retry-After that is believed
	IdleLook    = time.Minute      // between looks into an empty queue that nobody has woken us for
	manyAgain   = 8                // times in a row that a sink may have more to ask about the same events
	bookkeeping = 10 * time.Second // for the queue to note what became of a batch
)

// A Courier carries events until it is told to stop. New makes one.
type Courier struct {
	queue Queue
	sink  Sink
	now   func() hien.Moment
	log   *slog.Logger

	wake  chan struct{}
	again chan struct{}

	mu    sync.Mutex
	state State

	// Of Run alone:
	pace     backoff.ExponentialBackOff
	failures int
	told     string // the stop that the owner was told of
	limit    int    // events asked of the queue next time
	more     int    // times in a row that the sink had more to ask about the same events
	inARow   int    // parked since the sink last accepted an event, or the owner called
}

// New makes a courier. It starts nothing.
func New(queue Queue, sink Sink, now func() hien.Moment, log *slog.Logger) *Courier {
	c := &Courier{queue: queue, sink: sink, now: now, log: log, limit: BatchLimit,
		wake: make(chan struct{}, 1), again: make(chan struct{}, 1)}
	c.state.Doing = Idle
	c.well()
	return c
}

// Wake says that there is something in the queue. It never blocks. It does
// not shorten a wait after a failure: the sink has asked for it, or is not
// there.
func (c *Courier) Wake() { poke(c.wake) }

// Again ends any wait: the owner has mended something, or the uplink is back.
// What was parked before is no reason to stop any more. It never blocks.
func (c *Courier) Again() { poke(c.again) }

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // it was poked already
	}
}

// Run carries until ctx ends, and returns nil. What the sink has taken by
// then is noted before it returns.
func (c *Courier) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		switch wait := c.carry(ctx); {
		case ctx.Err() != nil:
		case wait == 0:
			// There may be more.
		case c.State().Doing == Idle:
			c.pause(ctx, wait, c.wake)
		default:
			c.pause(ctx, wait, nil)
		}
	}
	c.set(func(s *State) { s.Doing = Idle })
	return nil
}

// pause waits for d, for a poke, or for the end.
func (c *Courier) pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-c.again:
		c.inARow = 0
	case <-ctx.Done():
	}
}

// carry makes one attempt and says how long to wait before the next.
func (c *Courier) carry(ctx context.Context) time.Duration {
	now := c.now()
	events, err := c.queue.Batch(ctx, c.limit, now)
	switch {
	case err != nil:
		return c.failed(ctx, "the queue cannot be read", err, 0)
	case len(events) == 0:
		c.set(func(s *State) { s.Doing = Idle })
		return IdleLook
	}
	c.set(func(s *State) { s.Doing = Sending })
	d := c.hold(events, c.sink.Send(ctx, events, now))
	if err := c.note(ctx, d, now); err != nil {
		return c.failed(ctx, "the queue cannot be written", err, 0)
	}
	switch {
	case d.Stop != nil:
		return c.stopped(d.Stop)
	case d.Retry != nil:
		return c.failed(ctx, "the sink does not take events now", d.Retry, d.After)
	case d.Refused > 1 && d.Refused <= len(events): // else nothing would end it
		c.limit = d.Refused / 2
		c.log.Debug("the sink refuses events together; half as many are tried", "events", d.Refused, "answer", d.Answer)
		return 0
	case d.Again && c.more < manyAgain:
		c.more++
		return 0
	case len(d.Accepted)+len(d.Parked) == 0:
		return c.failed(ctx, "the sink does not take events now", errors.New("it answers nothing about them"), 0)
	case len(d.Accepted) > 0:
		c.limit = min(2*c.limit, BatchLimit)
	}
	c.more = 0
	c.well()
	return 0
}

// hold takes back what the sink would have parked and must not be.
func (c *Courier) hold(events []hien.Event, d hien.Delivery) hien.Delivery {
	for _, e := range events {
		why, parked := d.Parked[e.ID()]
		if !parked || !e.Ends() {
			continue
		}
		delete(d.Parked, e.ID())
		c.limit = 1 // it stands at the head of the queue, and nothing goes along
		if d.Stop == nil {
			d.Stop = fmt.Errorf("the sink refuses %s %s, and nothing is sent before it; look at the sink's settings and ask those who run it; the answer: %s", e.Kind(), e.ID(), why)
		}
	}
	if len(d.Accepted) > 0 || c.inARow+len(d.Parked) <= TooMany {
		return d
	}
	for _, e := range events {
		if why, parked := d.Parked[e.ID()]; parked {
			d.Parked = nil
			if d.Stop == nil {
				d.Stop = fmt.Errorf("the sink refuses every event, so the events are hardly to blame: look at url, type and write_key of the sink; the answer: %s", why)
			}
			break
		}
	}
	return d
}

// note writes down what became of a batch, also when ctx has ended meanwhile:
// what the sink has need not be sent again.
func (c *Courier) note(ctx context.Context, d hien.Delivery, now hien.Moment) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bookkeeping)
	defer cancel()
	if len(d.Accepted) > 0 {
		if err := c.queue.Delivered(ctx, d.Accepted); err != nil {
			return err
		}
		c.inARow = 0
		c.set(func(s *State) { s.LastSuccess, s.Delivered = now, s.Delivered+len(d.Accepted) })
	}
	if len(d.Parked) > 0 {
		if err := c.queue.Park(ctx, d.Parked, now); err != nil {
			return err
		}
		if len(d.Accepted) == 0 {
			c.inARow += len(d.Parked)
		}
		for _, why := range d.Parked {
			c.log.Warn("the sink will never take some events; see `hien queue`", "events", len(d.Parked), "answer", why)
			break
		}
		c.set(func(s *State) { s.Parked += len(d.Parked) })
	}
	return nil
}

// well begins the pace anew.
func (c *Courier) well() {
	if c.failures > 0 {
		c.log.Info("the sink answers again", "failures", c.failures)
	}
	c.failures, c.told = 0, ""
	c.pace = backoff.ExponentialBackOff{InitialInterval: FirstRetry, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: LongRetry}
	c.set(func(s *State) { s.Trouble, s.Since, s.Next = "", hien.Moment{}, 0 })
}

// failed is how long to wait after a failure that may pass.
func (c *Courier) failed(ctx context.Context, what string, err error, after time.Duration) time.Duration {
	if ctx.Err() != nil {
		return 0 // the end is no failure
	}
	c.failures++
	c.told = ""
	if c.failures == LongFailing {
		c.pace.MaxInterval = SlowRetry
	}
	wait := c.pace.NextBackOff()
	if after = min(after, MaxAfter); after > 0 {
		// Many shops are told the same time; not all should come at once.
		wait = max(wait, after+rand.N(after/10+1))
	}
	level := slog.LevelDebug
	if c.failures == 1 {
		level = slog.LevelWarn
	}
	c.log.Log(ctx, level, what+"; they are kept and tried again", "why", err, "failures", c.failures, "wait", wait.Round(time.Second/10))
	c.trouble(Waiting, what+": "+err.Error(), wait)
	return wait
}

// stopped is how long to wait for the owner, who is told once.
func (c *Courier) stopped(err error) time.Duration {
	c.failures++
	if c.told != err.Error() {
		c.told = err.Error()
		c.log.Error("events are not delivered until something is mended; they are kept", "mend", err)
	}
	c.trouble(Stopped, err.Error(), SlowRetry)
	return SlowRetry
}
