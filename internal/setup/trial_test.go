package setup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hien-wifi/hien/internal/setup"
)

func TestYesKeepsTheChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, 1)
		trial := m.try()
		answers := make(chan bool, 1)
		answers <- true
		must(t, trial.Await(t.Context(), answers))
		m.holds("after")
		m.leaves("kept.json", "original")
		m.hasRun()
	})
}

func TestEverythingIsPutBack(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(m *machine, trial *setup.Trial) error
		took time.Duration
	}{
		{"when the owner says no", func(m *machine, trial *setup.Trial) error {
			answers := make(chan bool, 1)
			answers <- false
			return trial.Await(m.t.Context(), answers)
		}, 0},
		{"when nobody says anything for two minutes", func(m *machine, trial *setup.Trial) error {
			return trial.Await(m.t.Context(), make(chan bool))
		}, 2 * time.Minute},
		{"when the owner's terminal is gone", func(m *machine, trial *setup.Trial) error {
			answers := make(chan bool)
			close(answers)
			return trial.Await(m.t.Context(), answers)
		}, 2 * time.Minute},
		{"when the owner breaks it off", func(m *machine, trial *setup.Trial) error {
			ctx, cancel := context.WithTimeout(m.t.Context(), 7*time.Second)
			defer cancel()
			return trial.Await(ctx, make(chan bool))
		}, 7 * time.Second},
		{"by the watchdog, when the owner's process is gone", func(m *machine, _ *setup.Trial) error {
			must(m.t, m.setup.Guard(m.t.Context(), func() {}))
			return setup.ErrReturned
		}, 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, 1)
				trial := m.try()
				began := time.Now()
				if err := c.do(m, trial); !errors.Is(err, setup.ErrReturned) {
					t.Errorf("got %v, want ErrReturned", err)
				}
				if took := time.Since(began); took < c.took || took > c.took+time.Second {
					t.Errorf("after %v, want %v", took, c.took)
				}
				m.holds("before")
				m.leaves()
				m.hasRun(putsBack...)
				if err := m.setup.Place.Confirm(); !errors.Is(err, setup.ErrNothing) {
					t.Errorf("a confirmation afterwards: got %v, want ErrNothing", err)
				}
			})
		})
	}
}

func TestConfirmFromAnotherTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, 1)
		trial := m.try()
		guard, owner := make(chan error, 1), make(chan error, 1)
		go func() { guard <- m.setup.Guard(t.Context(), func() {}) }()
		go func() { owner <- trial.Await(t.Context(), nil) }()
		time.Sleep(setup.Patience - 2*time.Second)
		must(t, m.setup.Place.Confirm())
		must(t, <-guard)
		must(t, <-owner)
		time.Sleep(time.Hour)
		m.holds("after")
		m.hasRun()
	})
}

func TestConfirmBeforeTheOwnerIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, 1)
		m.setup.Health = func(context.Context) (setup.Seen, error) { return setup.Seen{}, m.setup.Place.Confirm() }
		trial, err := m.setup.Try(t.Context(), m.after)
		must(t, err)
		must(t, trial.Await(t.Context(), nil))
		m.holds("after")
		m.hasRun(makes...)
	})
}

func TestTheWatchdogEndsAChangeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, 1)
		guard := make(chan error, 1)
		m.setup.Watch = func(ctx context.Context) error {
			ready := make(chan struct{})
			go func() { guard <- m.setup.Guard(ctx, func() { close(ready) }) }()
			<-ready
			return nil
		}
		run, hung := m.setup.Run, make(chan struct{})
		var first sync.Once
		m.setup.Run = func(ctx context.Context, argv []string) error {
			hang := false
			first.Do(func() { hang = true })
			if hang {
				<-hung // `network reload` does not return
			}
			return run(ctx, argv)
		}
		tried := make(chan error, 1)
		go func() {
			_, err := m.setup.Try(t.Context(), m.after)
			tried <- err
		}()
		began := time.Now()
		must(t, <-guard)
		if took := time.Since(began); took < setup.Hurry || took > setup.Hurry+time.Second {
			t.Errorf("after %v, want %v", took, setup.Hurry)
		}
		m.holds("before")
		close(hung)
		if err := <-tried; !errors.Is(err, setup.ErrReturned) {
			t.Errorf("got %v, want ErrReturned", err)
		}
		m.holds("before")
	})
}

func TestTheWatchdogLeavesABrokenOffRunToTheNextBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, 1)
		m.try()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		must(t, m.setup.Guard(ctx, func() {})) // the router goes down
		m.holds("after")
		m.hasRun()
		if did, err := m.setup.Recover(t.Context()); did || err != nil {
			t.Errorf("in the same boot: got %t, %v; want nothing", did, err)
		}
		m.setup.Boot = "second boot"
		if did, err := m.setup.Recover(t.Context()); !did || err != nil {
			t.Errorf("in the next boot: got %t, %v; want that it was put back", did, err)
		}
		m.holds("before")
		m.hasRun() // nothing has started from the files yet
		if did, err := m.setup.Recover(t.Context()); did || err != nil {
			t.Errorf("again: got %t, %v; want nothing", did, err)
		}
	})
}

func TestAConfirmedSetupOutlivesAReboot(t *testing.T) {
	m := newMachine(t, 1)
	m.try()
	must(t, m.setup.Place.Confirm())
	m.setup.Boot = "second boot"
	if did, err := m.setup.Recover(t.Context()); did || err != nil {
		t.Errorf("got %t, %v; want nothing", did, err)
	}
	m.holds("after")
}

// TestPowerFailsAtEachStep holds that the next boot finds the files as they
// were, whichever step was the last.
func TestPowerFailsAtEachStep(t *testing.T) {
	files := len(newMachine(t, 1).after)
	steps := []struct {
		name string
		do   func(m *machine) error
	}{{"the copies", func(m *machine) error { return m.setup.Keep(m.after) }}}
	for n := range files {
		steps = append(steps, struct {
			name string
			do   func(m *machine) error
		}{fmt.Sprintf("file %d", n+1), func(m *machine) error { return m.setup.WriteSome(m.after, n+1) }})
	}
	for last := range steps {
		for _, returning := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, returning %t", steps[last].name, returning), func(t *testing.T) {
				m := newMachine(t, 1)
				for _, s := range steps[:last+1] {
					must(t, s.do(m))
				}
				if returning {
					must(t, m.setup.Return())
				}
				if did, err := m.setup.Recover(t.Context()); did || err != nil {
					t.Errorf("in the same boot: got %t, %v; want nothing", did, err)
				}
				m.setup.Boot = "second boot"
				if did, err := m.setup.Recover(t.Context()); !did || err != nil {
					t.Fatalf("got %t, %v; want that it was put back", did, err)
				}
				m.holds("before")
				m.leaves()
			})
		}
	}
}

func TestACommandThatFailsPutsEverythingBack(t *testing.T) {
	m := newMachine(t, 1)
	run := m.setup.Run
	m.setup.Run = func(ctx context.Context, argv []string) error {
		if err := run(ctx, argv); argv[0] != "firewall" || err != nil {
			return err
		}
		return errors.New("firewall: no")
	}
	if _, err := m.setup.Try(t.Context(), m.after); err == nil || !strings.Contains(err.Error(), "firewall: no") {
		t.Errorf("got %v, want what the command said", err)
	}
	m.holds("before")
	m.leaves()
	m.hasRun("network reload", "firewall reload", "hien stop", "network reload", "firewall reload", "hien cleanup")
}

func TestWithoutAWatchdogNothingIsTouched(t *testing.T) {
	m := newMachine(t, 1)
	m.setup.Watch = func(context.Context) error { return errors.New("no process") }
	if _, err := m.setup.Try(t.Context(), m.after); err == nil || !strings.Contains(err.Error(), "no process") {
		t.Errorf("got %v, want why", err)
	}
	m.holds("before")
	m.leaves()
	m.hasRun()
}

func TestHealthIsLookedAtForAWhile(t *testing.T) {
	for _, c := range []struct {
		name string
		well time.Duration // when guests are served
		sick int
		took time.Duration
	}{
		{"guests that are served at once", 0, 0, 0},
		{"guests that are served after a while", 10 * time.Second, 0, 12 * time.Second},
		{"guests that are never served", time.Hour, 1, setup.HealthFor},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, 1)
				began := time.Now()
				m.setup.Health = func(context.Context) (setup.Seen, error) {
					if time.Since(began) < c.well {
						return setup.Seen{}, errors.New("no page")
					}
					return setup.Seen{Unproven: []string{"no veth"}}, nil
				}
				trial, err := m.setup.Try(t.Context(), m.after)
				must(t, err)
				if took := time.Since(began); len(trial.Seen.Bad) != c.sick || len(trial.Seen.Unproven) != 1-c.sick || took != c.took {
					t.Errorf("got %q after %v, want %d bad after %v", trial.Seen, took, c.sick, c.took)
				}
			})
		})
	}
}

func TestWhatOthersChangeMeanwhileStays(t *testing.T) {
	m := newMachine(t, 1)
	m.try()
	theirs := "\nconfig interface 'office'\n\toption proto 'dhcp'\n"
	changed := strings.Replace(string(m.after["network"]), "192.168.1.1", "192.168.2.1", 1) + theirs
	must(t, os.WriteFile(m.config("network"), []byte(changed), 0o600))
	must(t, os.Remove(m.config("wireless")))
	did, err := m.setup.PutBack(t.Context())
	if !did || err != nil {
		t.Fatalf("got %t, %v", did, err)
	}
	m.router.Files["network"] = []byte(strings.Replace(string(m.router.Files["network"]), "192.168.1.1", "192.168.2.1", 1) + theirs)
	m.holds("before")
}

func TestAFileThatNobodyCanReadAnyMoreIsPutBackWhole(t *testing.T) {
	m := newMachine(t, 1)
	m.try()
	must(t, os.WriteFile(m.config("firewall"), []byte("conf x"), 0o600))
	if did, err := m.setup.PutBack(t.Context()); !did || err != nil {
		t.Fatalf("got %t, %v", did, err)
	}
	m.holds("before")
}

func TestASecondSetupIsPutBackToTheFirst(t *testing.T) {
	m := newMachine(t, 1)
	m.try()
	must(t, m.setup.Place.Confirm())
	for file, text := range m.after {
		m.router.Files[file] = text
	}
	p, err := m.router.Plan(answers(t, m.router, map[string]string{"ssid": "Khách", "radios": "radio1"}))
	must(t, err)
	m.after, err = setup.Edit(m.router.Files, p.Changes)
	must(t, err)
	m.try()
	// Somebody touches a file, so that it is not simply the copy that is put back.
	must(t, os.WriteFile(m.config("wireless"), slices.Concat(m.after["wireless"], []byte("# x\n")), 0o600))
	if did, err := m.setup.PutBack(t.Context()); !did || err != nil {
		t.Fatalf("got %t, %v", did, err)
	}
	m.hasRun("hien stop", "network reload", "firewall reload", "hien start") // it ran before
	got, err := os.ReadFile(m.config("wireless"))
	must(t, err)
	must(t, os.WriteFile(m.config("wireless"), m.router.Files["wireless"], 0o600))
	m.holds("before")
	r := *m.router
	r.Files = map[string][]byte{"network": m.router.Files["network"], "dhcp": m.router.Files["dhcp"], "firewall": m.router.Files["firewall"], "hien": m.router.Files["hien"], "wireless": got}
	if p, err := r.Plan(answers(t, &r, nil)); err != nil || len(p.Changes) > 0 {
		t.Errorf("the WiFi is not that of the first setup: %v, %v\n%s", setup.CommandLines(p.Changes), err, got)
	}
}
