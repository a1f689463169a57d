package courier_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/sync/courier"
)

// boot is when a bubble's clock begins.
var boot = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func now() hien.Moment {
	t := time.Now()
	return hien.Moment{Wall: t.UTC().Round(0), Boot: "boot", Up: t.Sub(boot), InStep: true}
}

// A round is a courier at work between a shelf and a platform. It lives in a
// synctest bubble, where time passes when everybody waits.
type round struct {
	*courier.Courier
	queue *shelf
	sink  *platform
	log   *bytes.Buffer
	stop  func() error
}

func start(t *testing.T, queue *shelf, sink *platform) *round {
	t.Helper()
	var log bytes.Buffer
	r := &round{queue: queue, sink: sink, log: &log}
	r.Courier = courier.New(queue, sink, now, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = func() error { cancel(); err := <-done; done <- err; return err }
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
	return r
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (r *round) lines(level string) int { return strings.Count(r.log.String(), "level="+level) }

func TestEventsAreCarriedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		events := visits(t, 0, 250)
		queue.add(events...)
		r := start(t, queue, sink)
		if got := sink.took(); !slices.Equal(got, ids(events)) {
			t.Errorf("took %d events, want 250 in order", len(got))
		}
		for _, b := range sink.batches {
			if len(b) > courier.BatchLimit {
				t.Errorf("a batch of %d", len(b))
			}
		}
		s := r.State()
		if s.Doing != courier.Idle || s.Delivered != 250 || s.Trouble != "" || s.LastSuccess != now() {
			t.Errorf("state %+v", s)
		}
		if queue.len() != 0 {
			t.Errorf("%d events left in the queue", queue.len())
		}
	})
}

func TestAWakeIsAnsweredAtOnceAndAnIdleQueueIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		r := start(t, queue, sink)
		for n := range 3 {
			queue.add(visits(t, n, 1)...)
			r.Wake()
			r.Wake()
			synctest.Wait()
			if got := len(sink.took()); got != n+1 {
				t.Errorf("took %d events at once, want %d", got, n+1)
			}
		}
		queue.set(func() { queue.looks = nil })
		pass(time.Hour)
		if n := len(queue.looks); n > 60 || n < 1 {
			t.Errorf("%d looks into an empty queue within an hour, want at most one a minute", n)
		}
		queue.add(visits(t, 10, 1)...) // and nobody wakes it
		pass(courier.IdleLook)
		if got := len(sink.took()); got != 4 {
			t.Errorf("took %d events, want 4: what nobody has announced is found", got)
		}
	})
}

func TestAWaitGrowsFromHalfASecondToAMinuteAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		sink.set(func(context.Context, int, []hien.Event) hien.Delivery { return hien.Delivery{Retry: errors.New("503")} })
		queue.add(visits(t, 0, 1)...)
		r := start(t, queue, sink)
		for range 20 * 24 {
			pass(time.Hour)
			r.Wake() // which shortens nothing
		}
		at := sink.at
		want := courier.FirstRetry
		for i := 1; i < min(len(at), 60); i++ {
			gap := at[i].Sub(at[i-1])
			if gap < want/2 || gap > want+want/2+time.Millisecond {
				t.Errorf("attempt %d after %v, want %v give or take half", i+1, gap, want)
			}
			limit := courier.LongRetry
			if i >= courier.LongFailing {
				limit = courier.SlowRetry
			}
			want = min(2*want, limit)
		}
		if n := len(at); n > 20*24*4*2+100 || n < 20*24*4/2 {
			t.Errorf("%d attempts in 20 days", n)
		}
		if queue.len() != 1 || len(sink.took()) != 0 {
			t.Error("the event was lost")
		}
		if r.lines("WARN") != 1 || r.lines("ERROR") != 0 {
			t.Errorf("the operator is told %d times, want once", r.lines("WARN"))
		}
		s := r.State()
		if s.Doing != courier.Waiting || !strings.Contains(s.Trouble, "503") || s.Since.Up > time.Second || s.Next <= now().Up || s.Next > now().Up+2*courier.SlowRetry {
			t.Errorf("state %+v at %v", s, now().Up)
		}

		sink.set(nil)
		pass(2 * courier.SlowRetry)
		if len(sink.took()) != 1 || r.State().Trouble != "" || r.lines("INFO") != 1 {
			t.Errorf("afterwards: took %d, state %+v", len(sink.took()), r.State())
		}
		// The next failure begins small again.
		sink.set(func(_ context.Context, n int, events []hien.Event) hien.Delivery {
			sink.set(nil)
			return hien.Delivery{Retry: errors.New("503")}
		})
		queue.add(visits(t, 5, 1)...)
		r.Wake()
		pass(time.Second)
		if len(sink.took()) != 2 {
			t.Error("the pace did not begin anew")
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for after, atMost := range map[time.Duration]time.Duration{
		30 * time.Second: 34 * time.Second,
		5 * time.Minute:  331 * time.Second,
		24 * time.Hour:   331 * time.Second, // believed up to five minutes
	} {
		synctest.Test(t, func(t *testing.T) {
			queue, sink := &shelf{}, &platform{}
			sink.set(func(_ context.Context, n int, events []hien.Event) hien.Delivery {
				sink.set(nil)
				return hien.Delivery{Retry: errors.New("429"), After: after}
			})
			queue.add(visits(t, 0, 1)...)
			r := start(t, queue, sink)
			pass(atMost)
			if len(sink.at) != 2 {
				t.Fatalf("Retry-After %v: %d attempts within %v, want 2", after, len(sink.at), atMost)
			}
			if gap := sink.at[1].Sub(sink.at[0]); gap < min(after, courier.MaxAfter) {
				t.Errorf("Retry-After %v: tried again after %v", after, gap)
			}
			_ = r
		})
	}
}

func TestAStopKeepsEverythingAndTellsTheOwnerOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		refuse := func(text string) {
			sink.set(func(context.Context, int, []hien.Event) hien.Delivery { return hien.Delivery{Stop: errors.New(text)} })
		}
		refuse("401: check write_key")
		events := visits(t, 0, 150)
		queue.add(events...)
		r := start(t, queue, sink)
		for range 4 * 24 * 3 {
			r.Wake()
			pass(15 * time.Minute)
		}
		if n := sink.attempts(); n > 4*24*3+1 {
			t.Errorf("%d attempts in three days", n)
		}
		if queue.len() != 150 || len(queue.parked) != 0 {
			t.Errorf("%d events left, %d parked; want all 150", queue.len(), len(queue.parked))
		}
		if s := r.State(); s.Doing != courier.Stopped || !strings.Contains(s.Trouble, "write_key") || s.Since.Up != 0 {
			t.Errorf("state %+v", s)
		}
		if r.lines("ERROR") != 1 || !strings.Contains(r.log.String(), "write_key") {
			t.Errorf("told %d times:\n%s", r.lines("ERROR"), r.log)
		}
		refuse("404: check url") // another matter
		r.Again()
		synctest.Wait()
		if r.lines("ERROR") != 2 {
			t.Errorf("told %d times, want twice", r.lines("ERROR"))
		}
		sink.set(nil) // mended
		r.Again()
		synctest.Wait()
		if got := sink.took(); !slices.Equal(got, ids(events)) || queue.len() != 0 {
			t.Errorf("took %d of 150 at once", len(got))
		}
	})
}

func TestAWithdrawalGoesBeforeEverythingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		sink.set(func(context.Context, int, []hien.Event) hien.Delivery { return hien.Delivery{Retry: errors.New("503")} })
		queue.add(visits(t, 0, 250)...)
		r := start(t, queue, sink)
		pass(10 * time.Second)
		w := withdrawal(t)
		queue.add(w)
		queue.set(func() { queue.events = slices.Delete(queue.events, 0, 10) }) // what it forbids
		r.Wake()
		sink.set(nil)
		pass(2 * time.Minute)
		if got := sink.took(); len(got) != 241 || got[0] != w.ID() {
			t.Errorf("took %d events, the first %s; want 241 and the withdrawal first", len(got), got[0])
		}
	})
}

func TestWhatTheSinkWillNeverTakeIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		events := visits(t, 0, 10)
		bad := events[3].ID()
		sink.set(func(_ context.Context, _ int, events []hien.Event) hien.Delivery {
			d := hien.Delivery{Parked: map[consent.ID]string{}}
			for _, e := range events {
				if e.ID() == bad {
					d.Parked[bad] = "400 invalid event"
				} else {
					d.Accepted = append(d.Accepted, e.ID())
				}
			}
			return d
		})
		queue.add(events...)
		r := start(t, queue, sink)
		if queue.parked[bad] != "400 invalid event" || len(queue.parked) != 1 || queue.len() != 0 || len(sink.took()) != 9 {
			t.Errorf("parked %v, %d left, took %d", queue.parked, queue.len(), len(sink.took()))
		}
		if s := r.State(); s.Parked != 1 || s.Delivered != 9 || s.Trouble != "" {
			t.Errorf("state %+v", s)
		}
	})
}

func TestASinkThatAnswersNothingIsNotAskedAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		sink.set(func(context.Context, int, []hien.Event) hien.Delivery { return hien.Delivery{} })
		queue.add(visits(t, 0, 1)...)
		start(t, queue, sink)
		pass(time.Minute)
		if n := sink.attempts(); n > 12 {
			t.Errorf("%d attempts in a minute", n)
		}
	})
}

func TestAQueueInTroubleIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{ReadErr: hien.ErrStorage}, &platform{}
		queue.add(visits(t, 0, 3)...)
		r := start(t, queue, sink)
		pass(10 * time.Second)
		if s := r.State(); s.Doing != courier.Waiting || !strings.Contains(s.Trouble, "queue") || sink.attempts() != 0 {
			t.Errorf("state %+v, %d attempts", s, sink.attempts())
		}
		queue.set(func() { queue.ReadErr, queue.FullErr = nil, hien.ErrStorage })
		pass(2 * time.Minute)
		if queue.len() != 3 {
			t.Errorf("%d events left, want 3", queue.len())
		}
		queue.set(func() { queue.FullErr = nil })
		pass(2 * time.Minute)
		if queue.len() != 0 || len(sink.took()) != 3 || r.State().Trouble != "" {
			t.Errorf("%d left, took %d, state %+v", queue.len(), len(sink.took()), r.State())
		}
	})
}

func TestTheEndIsNotedAndIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		events := visits(t, 0, 4)
		// The sink has taken two when the courier is told to stop.
		sink.set(func(ctx context.Context, _ int, events []hien.Event) hien.Delivery {
			<-ctx.Done()
			return hien.Delivery{Accepted: ids(events)[:2], Retry: ctx.Err()}
		})
		queue.add(events...)
		r := start(t, queue, sink)
		if s := r.State(); s.Doing != courier.Sending {
			t.Errorf("state %+v", s)
		}
		if err := r.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if queue.len() != 2 {
			t.Errorf("%d events left, want 2", queue.len())
		}
		if r.lines("WARN")+r.lines("ERROR") != 0 {
			t.Errorf("the end is told as a failure:\n%s", r.log)
		}
	})
}
