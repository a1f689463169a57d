package setup_test

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/internal/setup"
)

// A machine is a router of testdata, with its files on a disk.
type machine struct {
	t      testing.TB
	dir    string
	router *setup.Router
	after  map[string][]byte // what a setup would make of the files
	setup  *setup.Setup

	mu  sync.Mutex
	ran []string // the commands that were run
}

func newMachine(t testing.TB, story int) *machine {
	t.Helper()
	s := stories[story]
	m := &machine{t: t, dir: t.TempDir(), router: readRouter(t, s.router)}
	must(t, os.MkdirAll(m.config(""), 0o755))
	for file, text := range m.router.Files {
		must(t, os.WriteFile(m.config(file), text, 0o600))
	}
	must(t, os.Chmod(m.config("dhcp"), 0o644))
	p, err := m.router.Plan(sealed(answers(t, m.router, s.given)))
	if err != nil {
		t.Fatal(err)
	}
	if m.after, err = setup.Edit(m.router.Files, p.Changes); err != nil {
		t.Fatal(err)
	}
	m.setup = &setup.Setup{
		Place: setup.Place{Config: m.config(""), Hien: m.config("hien"), State: filepath.Join(m.dir, "state")},
		Commands: setup.Commands{
			Reload: [][]string{{"network", "reload"}, {"firewall", "reload"}}, Start: [][]string{{"hien", "start"}},
			Stop: [][]string{{"hien", "stop"}}, Off: [][]string{{"hien", "off"}}, Clean: [][]string{{"hien", "cleanup"}},
		},
		Boot: "first boot",
		Log:  slog.New(slog.DiscardHandler),
		Run: func(_ context.Context, argv []string) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.ran = append(m.ran, strings.Join(argv, " "))
			return nil
		},
		Watch: func(context.Context) error { return nil },
	}
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) config(file string) string { return filepath.Join(m.dir, "etc", "config", file) }

// holds compares the files on the disk with those before and those after.
func (m *machine) holds(want string) {
	m.t.Helper()
	for file, before := range m.router.Files {
		text := before
		if changed, ok := m.after[file]; ok && want == "after" {
			text = changed
		}
		got, err := os.ReadFile(m.config(file))
		if err != nil {
			m.t.Error(err)
		}
		if d := cmp.Diff(string(text), string(got)); d != "" {
			m.t.Errorf("%s is not as it was %s (-want +got):\n%s", file, want, d)
		}
		mode := fs.FileMode(0o600)
		if file == "dhcp" {
			mode = 0o644
		}
		if info, err := os.Stat(m.config(file)); err != nil || info.Mode() != mode {
			m.t.Errorf("%s has mode %v, want %v", file, info.Mode(), mode)
		}
	}
	entries, err := os.ReadDir(m.config(""))
	if err != nil || len(entries) != len(m.router.Files) {
		m.t.Errorf("/etc/config has %v, want the router's files and no others", entries)
	}
}

// leaves holds what is left in the state's directory.
func (m *machine) leaves(want ...string) {
	m.t.Helper()
	entries, err := os.ReadDir(m.setup.Place.State)
	must(m.t, err)
	var got []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			got = append(got, e.Name())
		}
	}
	if !slices.Equal(got, want) {
		m.t.Errorf("left in the state's directory: %q, want %q", got, want)
	}
	if info, err := os.Stat(m.setup.Place.State); err != nil || info.Mode().Perm() != 0o700 {
		m.t.Errorf("the state's directory has mode %v, want 0700", info.Mode())
	}
}

func (m *machine) hasRun(want ...string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := cmp.Diff(want, m.ran); d != "" {
		m.t.Errorf("commands (-want +got):\n%s", d)
	}
	m.ran = nil
}

var (
	makes    = []string{"network reload", "firewall reload", "hien start"}
	putsBack = []string{"hien stop", "network reload", "firewall reload", "hien cleanup"}
	takesOut = []string{"hien off", "network reload", "firewall reload", "hien cleanup"}
)

// try makes the changes, and holds that they are made.
func (m *machine) try() *setup.Trial {
	m.t.Helper()
	trial, err := m.setup.Try(m.t.Context(), m.after)
	must(m.t, err)
	m.holds("after")
	m.hasRun(makes...)
	return trial
}
