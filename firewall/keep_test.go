package firewall

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A journal is a log that one goroutine writes and another one reads.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// keeping runs a keeper in a bubble and returns it with what it has logged.
func keeping(t *testing.T, check func() ([]string, error), mend func() (bool, error), repaired func()) (k keeper, logged *journal) {
	t.Helper()
	logged = new(journal)
	k = keeper{
		check: func(context.Context) ([]string, error) { return check() },
		mend:  func(context.Context) (bool, error) { return mend() },
		count: new(atomic.Uint64),
		bell:  newBell(),
		log:   slog.New(slog.NewTextHandler(logged, nil)),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.run(ctx, 5*time.Second, repaired) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: got %v, want nil when its context ends", err)
		}
	})
	return k, logged
}

func TestKeepRepairsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Pointer[[]string]
		broken.Store(new([]string))
		var told atomic.Int32
		k, logged := keeping(t,
			func() ([]string, error) { return *broken.Load(), nil },
			func() (bool, error) { broken.Store(new([]string)); return true, nil },
			func() { told.Add(1) })

		time.Sleep(12 * time.Second) // the bubble's clock
		synctest.Wait()
		if k.count.Load() != 0 || logged.String() != "" {
			t.Fatalf("without a difference: %d repairs, logged %s", k.count.Load(), logged)
		}
		broken.Store(&[]string{"the jump is missing", "and more"})
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if k.count.Load() != 1 || told.Load() != 1 {
			t.Errorf("got %d repairs, told %d times, want 1 of each", k.count.Load(), told.Load())
		}
		if n := strings.Count(logged.String(), "\n"); n != 1 || !strings.Contains(logged.String(), "the jump is missing") {
			t.Errorf("got %d lines, want one that tells the difference:\n%s", n, logged)
		}
	})
}

func TestKeepDoesNotRepairAfterRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, logged := keeping(t,
			func() ([]string, error) { return []string{"the jump is missing"}, nil },
			func() (bool, error) { return false, nil }, // released between the two
			func() { t.Error("told of a repair that was none") })
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if k.count.Load() != 0 || logged.String() != "" {
			t.Errorf("%d repairs, logged %s", k.count.Load(), logged)
		}
	})
}

func TestKeepTellsAnErrorOnceAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var locked, broken atomic.Bool
		locked.Store(true)
		broken.Store(true)
		k, logged := keeping(t,
			func() ([]string, error) {
				switch {
				case locked.Load():
					return nil, errors.New("no lock")
				case broken.Load():
					return []string{"the jump is missing"}, nil
				}
				return nil, nil
			},
			func() (bool, error) { broken.Store(false); return true, nil }, nil)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if n := strings.Count(logged.String(), "no lock"); n != 1 {
			t.Errorf("got %d lines, want 1:\n%s", n, logged)
		}
		locked.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if k.count.Load() != 1 {
			t.Errorf("got %d repairs within 2 s after the error has gone, want 1", k.count.Load())
		}
		locked.Store(true)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := strings.Count(logged.String(), "no lock"); n != 2 {
			t.Errorf("got %d lines when the error has come back, want 2:\n%s", n, logged)
		}
	})
}

// TestKeepIsQuick holds that a change of which there is news is repaired
// within milliseconds, and at most the rest between two looks when one was
// just taken.
func TestKeepIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var at atomic.Pointer[time.Time]
		k, _ := keeping(t,
			func() ([]string, error) {
				if broken.Load() {
					return []string{"the jump is missing"}, nil
				}
				return nil, nil
			},
			func() (bool, error) { broken.Store(false); at.Store(new(time.Now())); return true, nil },
			nil)
		for _, c := range []struct{ after, within time.Duration }{
			{3 * time.Second, settle},
			{time.Millisecond, 2*checkRest + settle}, // right behind a repair
			{50 * time.Millisecond, restAtMost + settle},
			{3 * time.Second, settle},
		} {
			time.Sleep(c.after)
			broken.Store(true)
			start := time.Now()
			k.bell.ring()
			time.Sleep(c.within)
			synctest.Wait()
			if broken.Load() {
				t.Errorf("a change %s after the last repair is not repaired after %s", c.after, c.within)
				time.Sleep(5 * time.Second)
				continue
			}
			t.Logf("a change %s after the last repair: repaired after %s", c.after, at.Load().Sub(start))
		}
	})
}

// TestKeepDoesNotStorm rings a thousand times a second, and lets another
// program undo every repair.
func TestKeepDoesNotStorm(t *testing.T) {
	for _, c := range []struct {
		name   string
		undone bool
		least  int64
		most   int64
	}{
		{"news without a change", false, 40, 50},
		{"another program undoes every repair", true, 19, 22},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var checks atomic.Int64
				k, _ := keeping(t,
					func() ([]string, error) {
						checks.Add(1)
						if c.undone {
							return []string{"the jump is missing"}, nil
						}
						return nil, nil
					},
					func() (bool, error) { return true, nil },
					nil)
				for range 10_000 {
					k.bell.ring()
					time.Sleep(time.Millisecond)
				}
				if n := checks.Load(); n < c.least || n > c.most {
					t.Errorf("%d comparisons in 10 s, want %d to %d", n, c.least, c.most)
				}
			})
		})
	}
}

func TestOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var print atomic.Uint64
		b, ended := newBell(), make(chan bool)
		go func() { onChange(ctx, b, glanceEvery, print.Load); close(ended) }()
		rung := func() bool {
			select {
			case <-b:
				return true
			default:
				return false
			}
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if rung() {
			t.Error("it rings without a change")
		}
		print.Store(7)
		time.Sleep(glanceEvery)
		synctest.Wait()
		if !rung() {
			t.Error("a change is not told within half a second")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if rung() {
			t.Error("a change is told twice")
		}
		cancel()
		<-ended
	})
}
