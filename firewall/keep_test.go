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
		var locked atomic.Bool
		locked.Store(true)
		k, logged := keeping(t,
			func() ([]string, error) {
				if locked.Load() {
					return nil, errors.New("no lock")
				}
				return []string{"the jump is missing"}, nil
			},
			func() (bool, error) { return true, nil }, nil)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if n := strings.Count(logged.String(), "no lock"); n != 1 {
			t.Errorf("got %d lines, want 1:\n%s", n, logged)
		}
		locked.Store(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if k.count.Load() != 1 {
			t.Errorf("got %d repairs after the error has gone, want 1", k.count.Load())
		}
	})
}
