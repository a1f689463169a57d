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

	"github.com/hien-wifi/hien/internal/setup"
)

func TestOneConfirmationOrOneReturn(t *testing.T) {
	for range 25 {
		m := newMachine(t, 4)
		must(t, m.setup.Keep(m.after))
		must(t, m.setup.WriteSome(m.after, len(m.after)))
		var wg sync.WaitGroup
		var confirmed error
		var did [2]bool
		wg.Go(func() { confirmed = m.setup.Place.Confirm() })
		for i := range did {
			wg.Go(func() {
				var err error
				if did[i], err = m.setup.PutBack(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		switch {
		case confirmed == nil && !did[0] && !did[1]:
			m.holds("after")
		case confirmed != nil && (did[0] || did[1]):
			m.holds("before")
		default:
			t.Fatalf("confirmed: %v, put back: %v; want one of the two", confirmed, did)
		}
	}
}

func TestOneSetupAtATime(t *testing.T) {
	m := newMachine(t, 1)
	unlock, err := m.setup.One(t.Context())
	must(t, err)
	if _, err := m.setup.One(t.Context()); !errors.Is(err, setup.ErrBusy) {
		t.Errorf("a second one: got %v, want ErrBusy", err)
	}
	unlock()
	m.try()
	// Its process and the watchdog were killed: the next one puts it back.
	unlock, err = m.setup.One(t.Context())
	must(t, err)
	unlock()
	m.holds("before")

	m.ran = nil
	m.try()
	watching := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.setup.Guard(ctx, func() { close(watching) }) }()
	<-watching
	if _, err := m.setup.One(t.Context()); !errors.Is(err, setup.ErrWaiting) {
		t.Errorf("while one waits: got %v, want ErrWaiting", err)
	}
	m.holds("after")
	cancel()
	must(t, <-ended)
}

func TestUndoOfASetup(t *testing.T) {
	for _, c := range []struct {
		name  string
		touch func(m *machine, texts map[string][]byte)
		hien  func(m *machine) string
	}{
		{"leaves every file as it was", func(*machine, map[string][]byte) {}, func(m *machine) string { return string(m.router.Files["hien"]) }},
		{"keeps what was set in Hiên's own file since, and switches it off", func(m *machine, texts map[string][]byte) {
			texts["hien"] = append(slices.Clone(texts["hien"]), "\toption terms 'No rush.'\n"...)
		}, func(m *machine) string {
			return strings.Replace(string(m.after["hien"]), "enabled '1'", "enabled '0'", 1) + "\toption terms 'No rush.'\n"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, 1)
			m.try()
			must(t, m.setup.Place.Confirm())
			now := *m.router
			now.Files = map[string][]byte{}
			for file, text := range m.router.Files {
				now.Files[file] = text
				if changed, ok := m.after[file]; ok {
					now.Files[file] = changed
				}
			}
			c.touch(m, now.Files)
			must(t, os.WriteFile(m.config("hien"), now.Files["hien"], 0o600))
			p, err := now.Undo()
			must(t, err)
			must(t, m.setup.Undo(t.Context(), now.Files, p.Changes))
			m.router.Files["hien"] = []byte(c.hien(m))
			m.holds("before")
			m.hasRun(takesOut...)
			if _, err := os.Stat(m.setup.Place.State); !os.IsNotExist(err) {
				t.Errorf("the state's directory is there still: %v", err)
			}
		})
	}
}

func TestUndoKnowsTheFileBeforeTheSetupThatWasKept(t *testing.T) {
	m := newMachine(t, 1)
	m.try()
	if did, err := m.setup.PutBack(t.Context()); !did || err != nil {
		t.Fatalf("got %t, %v", did, err)
	}
	// The owner changes Hiên's file, and sets up again.
	m.router.Files["hien"] = append(m.router.Files["hien"], "\toption terms 'No rush.'\n"...)
	must(t, os.WriteFile(m.config("hien"), m.router.Files["hien"], 0o600))
	p, err := m.router.Plan(answers(t, m.router, stories[1].given))
	must(t, err)
	m.after, err = setup.Edit(m.router.Files, p.Changes)
	must(t, err)
	m.ran = nil
	m.try()
	must(t, m.setup.Place.Confirm())
	p, err = (&setup.Router{OpenWrt: true, Files: m.after}).Undo()
	must(t, err)
	must(t, m.setup.Undo(t.Context(), m.after, p.Changes))
	m.holds("before")
}

// TestUndoAfterSeveralSetups holds that it gives back what was before the
// first, unless that would throw away what the owner has set in between.
func TestUndoAfterSeveralSetups(t *testing.T) {
	const own = "\nconfig sink 'crm'\n\toption write_key 'made up'\n"
	for _, c := range []struct {
		name  string
		owner []string // what he adds after each setup but the last
		gone  bool     // there was no file before the first setup
		other bool     // behind each there is a setup that changes another file alone
	}{
		{"nobody changes anything", []string{"", ""}, false, false},
		{"nobody changes anything, and some leave it alone", []string{"", ""}, false, true},
		{"the owner changes it, and some leave it alone", []string{own, ""}, false, true},
		{"nobody changes anything, and there was nothing", []string{"", ""}, true, false},
		{"the owner changes it after the first", []string{own, ""}, false, false},
		{"the owner changes it after the first, and there was nothing", []string{own, ""}, true, false},
		{"the owner changes it after the second", []string{"", own}, false, false},
		{"the owner changes it again and again", []string{own, "# and more\n"}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, 1)
			before := m.router.Files["hien"]
			if c.gone {
				must(t, os.Remove(m.config("hien")))
			}
			now := m.after["hien"]
			for i := 0; ; i++ {
				now = append(slices.Clone(now), "# setup\n"...)
				must(t, m.setup.Write(map[string][]byte{"hien": now}))
				if c.other {
					must(t, m.setup.Write(map[string][]byte{"dhcp": fmt.Appendf(nil, "# setup %d\n", i)}))
				}
				if i == len(c.owner) {
					break
				}
				now = append(now, c.owner[i]...)
				must(t, os.WriteFile(m.config("hien"), now, 0o600))
			}
			files := map[string][]byte{"hien": now}
			p, err := (&setup.Router{Files: files}).Undo()
			must(t, err)
			must(t, m.setup.Undo(t.Context(), files, p.Changes))
			want, there := string(before), !c.gone
			if strings.Join(c.owner, "") != "" {
				want, there = strings.Replace(string(now), "enabled '1'", "enabled '0'", 1), true
			}
			got, err := os.ReadFile(m.config("hien"))
			switch {
			case there && (err != nil || string(got) != want):
				t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
			case !there && !os.IsNotExist(err):
				t.Errorf("got %v, want no file, as there was none", err)
			}
		})
	}
}

// TestUndoFindsTheDaemonByItsConfiguration is a machine without OpenWrt, and
// maybe without a service: whoever takes the rules out of the kernel must find
// a daemon that still runs, or it puts them back. So the configuration that
// setup made goes last.
func TestUndoFindsTheDaemonByItsConfiguration(t *testing.T) {
	m := newMachine(t, 1)
	must(t, os.Remove(m.config("hien")))
	made := m.after["hien"]
	must(t, m.setup.Write(map[string][]byte{"hien": made}))
	run := m.setup.Run
	m.setup.Run = func(ctx context.Context, argv []string) error {
		if text, err := os.ReadFile(m.config("hien")); err != nil || string(text) != string(made) {
			t.Errorf("while %q is run the configuration is %q, %v; want it as it was", argv, text, err)
		}
		return run(ctx, argv)
	}
	now := map[string][]byte{"hien": made}
	p, err := (&setup.Router{Files: now}).Undo()
	must(t, err)
	must(t, m.setup.Undo(t.Context(), now, p.Changes))
	m.hasRun(takesOut...)
	if _, err := os.Stat(m.config("hien")); !os.IsNotExist(err) {
		t.Errorf("after the undo there is a configuration, and there was none before: %v", err)
	}
}
