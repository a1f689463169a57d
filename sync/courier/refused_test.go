package courier_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/sync/courier"
)

// Those who refuse what bad names: without saying which, as RudderStack does,
// and by name, as Jitsu does.

func together(bad func(hien.Event) bool) func(context.Context, int, []hien.Event) hien.Delivery {
	return func(_ context.Context, _ int, events []hien.Event) hien.Delivery {
		switch {
		case !slices.ContainsFunc(events, bad):
			return hien.Delivery{Accepted: ids(events)}
		case len(events) == 1:
			return hien.Delivery{Parked: map[consent.ID]string{events[0].ID(): "400 invalid event"}}
		}
		return hien.Delivery{Refused: len(events), Answer: "400 invalid event"}
	}
}

func byName(bad func(hien.Event) bool) func(context.Context, int, []hien.Event) hien.Delivery {
	return func(_ context.Context, _ int, events []hien.Event) hien.Delivery {
		d := hien.Delivery{Parked: make(map[consent.ID]string)}
		for _, e := range events {
			if bad(e) {
				d.Parked[e.ID()] = "200 Message ID: " + string(e.ID())
			} else {
				d.Accepted = append(d.Accepted, e.ID())
			}
		}
		return d
	}
}

func anything(hien.Event) bool { return true }

func isWithdrawal(e hien.Event) bool { return e.Kind() == hien.Withdrawn }

func among(events ...hien.Event) func(hien.Event) bool {
	return func(e hien.Event) bool { return slices.Contains(ids(events), e.ID()) }
}

func TestABatchThatIsRefusedIsAskedForAnewInHalves(t *testing.T) {
	for _, poisoned := range [][]int{{0}, {99}, {42}, {3, 4, 77}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}} {
		t.Run(fmt.Sprint(poisoned), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue, sink := &shelf{}, &platform{}
				events := visits(t, 0, 100)
				var bad []hien.Event
				for _, n := range poisoned {
					bad = append(bad, events[n])
				}
				sink.set(together(among(bad...)))
				queue.add(events...)
				r := start(t, queue, sink)
				if got := slices.Sorted(maps.Keys(queue.parked)); !slices.Equal(got, ids(bad)) {
					t.Errorf("parked %v, want %v", got, ids(bad))
				}
				if got := sink.took(); len(got) != 100-len(bad) || !slices.IsSorted(got) || queue.len() != 0 {
					t.Errorf("took %d, in order: %v; %d left", len(got), slices.IsSorted(got), queue.len())
				}
				for id, n := range sink.sent {
					if n != 1 {
						t.Errorf("event %s was taken %d times", id, n)
					}
				}
				if n := sink.attempts(); n > 30*len(bad) || !now().Wall.Equal(boot) {
					t.Errorf("%d attempts within %v to find %d events", n, now().Up, len(bad))
				}
				if n := sink.attempts(); len(queue.looks) != n+1 {
					t.Errorf("%d looks into the queue for %d attempts, want one for each and one that finds nothing", len(queue.looks), n)
				}
				var sizes []int
				for _, b := range sink.batches {
					sizes = append(sizes, len(b))
				}
				if want := []int{100, 50, 25, 12, 6, 3, 1}; poisoned[0] == 0 && !slices.Equal(sizes[:len(want)], want) {
					t.Errorf("batches of %v, want %v first", sizes, want)
				}
				if s := r.State(); s.Trouble != "" || s.Doing != courier.Idle || s.Parked != len(bad) {
					t.Errorf("state %+v", s)
				}

				queue.add(visits(t, 1000, 500)...)
				r.Wake()
				synctest.Wait()
				if n := len(sink.batches[len(sink.batches)-2]); n != courier.BatchLimit {
					t.Errorf("a batch of %d afterwards, want that they grow to %d again", n, courier.BatchLimit)
				}
			})
		})
	}
}

func TestASinkThatRefusesMoreThanItWasGivenIsNotAskedAllTheTime(t *testing.T) {
	for _, refused := range []int{-1, 1, 2, 1000} {
		synctest.Test(t, func(t *testing.T) {
			queue, sink := &shelf{}, &platform{}
			sink.set(func(context.Context, int, []hien.Event) hien.Delivery { return hien.Delivery{Refused: refused} })
			queue.add(visits(t, 0, 1)...)
			start(t, queue, sink)
			pass(time.Minute)
			if n := sink.attempts(); n > 12 {
				t.Errorf("refused %d of 1: %d attempts in a minute", refused, n)
			}
		})
	}
}

func TestAPlatformThatRefusesEverythingIsNotTheEventsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		sink.set(together(anything))
		queue.add(visits(t, 0, 45)...)
		r := start(t, queue, sink)
		if len(queue.parked) != courier.TooMany || queue.len() != 45-courier.TooMany {
			t.Errorf("parked %d, %d left; want %d of 45 parked", len(queue.parked), queue.len(), courier.TooMany)
		}
		before := sink.attempts()
		for range 3 * 24 * 4 {
			r.Wake()
			pass(courier.SlowRetry)
		}
		if n := sink.attempts() - before; n > 3*24*4+1 || n < 3*24*4-1 || queue.len() != 45-courier.TooMany {
			t.Errorf("%d attempts in three days, %d events left", n, queue.len())
		}
		if s := r.State(); s.Doing != courier.Stopped || !strings.Contains(s.Trouble, "400 invalid event") || !strings.Contains(s.Trouble, "write_key") {
			t.Errorf("state %+v", s)
		}
		if r.lines("ERROR") != 1 || r.lines("WARN") != courier.TooMany || !strings.Contains(r.log.String(), "never take some events") {
			t.Errorf("told %d times, and of %d parked:\n%s", r.lines("ERROR"), r.lines("WARN"), r.log)
		}

		r.Again() // the owner believes it to be mended
		synctest.Wait()
		if len(queue.parked) != 2*courier.TooMany || r.lines("ERROR") != 2 || r.State().Doing != courier.Stopped {
			t.Errorf("after another call: parked %d, told %d times, state %+v", len(queue.parked), r.lines("ERROR"), r.State())
		}
		sink.set(nil)
		r.Again()
		synctest.Wait()
		if s := r.State(); queue.len() != 0 || len(sink.took()) != 45-2*courier.TooMany || s.Trouble != "" {
			t.Errorf("mended: %d left, took %d, state %+v", queue.len(), len(sink.took()), s)
		}
	})
}

func TestAnAcceptedEventShowsThatThePlatformIsInOrder(t *testing.T) {
	events := visits(t, 0, 43)
	bad := func(e hien.Event) bool { return !among(events[10], events[21], events[32])(e) } // ten, four times
	for name, answers := range map[string]func(context.Context, int, []hien.Event) hien.Delivery{
		"refused together": together(bad), "refused by name": byName(bad),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue, sink := &shelf{}, &platform{}
				sink.set(answers)
				queue.add(events...)
				r := start(t, queue, sink)
				if s := r.State(); len(queue.parked) != 40 || len(sink.took()) != 3 || queue.len() != 0 || s.Doing != courier.Idle {
					t.Errorf("parked %d, took %d, %d left, state %+v", len(queue.parked), len(sink.took()), queue.len(), s)
				}
			})
		})
	}
}

func TestATroubleOnTheWayDoesNotCountTheParkedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		refuse := together(anything)
		sink.set(func(ctx context.Context, n int, events []hien.Event) hien.Delivery {
			if n%2 == 1 {
				return hien.Delivery{Retry: errors.New("503")}
			}
			return refuse(ctx, n, events)
		})
		queue.add(visits(t, 0, 45)...)
		start(t, queue, sink)
		pass(24 * time.Hour)
		if len(queue.parked) != courier.TooMany {
			t.Errorf("parked %d, want %d", len(queue.parked), courier.TooMany)
		}
	})
}

func TestManyThatAreRefusedByNameAndNothingElseAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		sink.set(byName(anything))
		queue.add(visits(t, 0, courier.TooMany+1)...)
		r := start(t, queue, sink)
		if len(queue.parked) != 0 || queue.len() != courier.TooMany+1 || r.State().Doing != courier.Stopped || r.lines("ERROR") != 1 {
			t.Errorf("parked %d, %d left, state %+v", len(queue.parked), queue.len(), r.State())
		}
	})
}

func TestAWithdrawalIsNeverParked(t *testing.T) {
	for name, test := range map[string]struct {
		answers func(context.Context, int, []hien.Event) hien.Delivery
		bad     int // others that are parked
		taken   int // others that went along with the first attempt
	}{
		"refused together with others": {together(isWithdrawal), 0, 0},
		"refused by name":              {byName(isWithdrawal), 0, 39},
		"refused by name with another": {byName(func(e hien.Event) bool { return isWithdrawal(e) || strings.HasSuffix(string(e.ID()), "07") }), 1, 38},
		"refused with everything":      {byName(anything), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue, sink := &shelf{}, &platform{}
				sink.set(test.answers)
				w := withdrawal(t)
				queue.add(visits(t, 0, 39)...)
				queue.add(w)
				r := start(t, queue, sink)
				first := sink.attempts()
				queue.add(visits(t, 100, 200)...)
				for range 24 * 4 {
					r.Wake()
					pass(courier.SlowRetry)
				}
				r.Again()
				synctest.Wait()
				for n, b := range sink.batches {
					if b[0] != w.ID() || n >= first && len(b) != 1 {
						t.Fatalf("attempt %d holds %d events, want the withdrawal first, and alone from attempt %d on", n, len(b), first)
					}
				}
				if n := sink.attempts() - first; n > 24*4+2 || n < 24*4 {
					t.Errorf("%d attempts in a day", n)
				}
				if _, parked := queue.parked[w.ID()]; parked || len(queue.parked) != test.bad || len(sink.took()) != test.taken {
					t.Errorf("the withdrawal is parked: %v, as %d are; %d were taken; want %d and %d", parked, len(queue.parked), len(sink.took()), test.bad, test.taken)
				}
				s := r.State()
				if s.Doing != courier.Stopped || !strings.Contains(s.Trouble, "withdrawal") || !strings.Contains(s.Trouble, "00 ") {
					t.Errorf("state %+v", s)
				}
				if r.lines("ERROR") != 1 || !strings.Contains(r.log.String(), string(w.ID())) {
					t.Errorf("told %d times:\n%s", r.lines("ERROR"), r.log)
				}

				sink.set(nil)
				r.Again()
				synctest.Wait()
				took := sink.took()
				if at := slices.Index(took, w.ID()); at != test.taken || queue.len() != 0 || r.State().Trouble != "" {
					t.Errorf("mended: the withdrawal was taken at %d, %d left, state %+v", at, queue.len(), r.State())
				}
			})
		})
	}
}

func TestAnErasureThatIsRefusedIsNotParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := &shelf{}, &platform{}
		e := erasure(t)
		sink.set(byName(among(e)))
		queue.add(visits(t, 0, 3)...)
		queue.add(e)
		r := start(t, queue, sink)
		if s := r.State(); len(queue.parked) != 0 || s.Doing != courier.Stopped || !strings.Contains(s.Trouble, "refuses erasure") {
			t.Errorf("parked %v, state %+v; want that it waits for the owner", queue.parked, s)
		}
	})
}

// A sink may need several requests for one event. It is asked at once, but not
// for ever.
func TestASinkMayHaveMoreToAsk(t *testing.T) {
	for _, test := range []struct{ more, attempts int }{{1, 2}, {3, 4}, {1000, 12}} {
		synctest.Test(t, func(t *testing.T) {
			queue, sink := &shelf{}, &platform{}
			sink.set(func(_ context.Context, n int, events []hien.Event) hien.Delivery {
				if n < test.more {
					return hien.Delivery{Again: true}
				}
				return hien.Delivery{Accepted: ids(events)}
			})
			queue.add(erasure(t))
			start(t, queue, sink)
			if n := sink.attempts(); queue.len() == 0 && !now().Wall.Equal(boot) || test.more < 8 && (n != test.attempts || queue.len() != 0) {
				t.Errorf("more %d times: %d attempts at once, %d left", test.more, n, queue.len())
			}
			pass(time.Minute)
			if n := sink.attempts(); n > test.attempts+8 {
				t.Errorf("more %d times: %d attempts in a minute", test.more, n)
			}
		})
	}
}
