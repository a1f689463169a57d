package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

func TestWhenSafeModeBegins(t *testing.T) {
	at := func(boot string, minutes ...float64) (times []hien.Moment) {
		for _, m := range minutes {
			times = append(times, hien.Moment{Boot: boot, Up: time.Duration(m * float64(time.Minute))})
		}
		return times
	}
	for name, c := range map[string]struct {
		starts []hien.Moment // each crashed but the last
		clean  int           // of these so many ended by themselves
		want   bool
	}{
		"the first start":                          {at("a", 1), 0, false},
		"after two crashes":                        {at("a", 1, 2, 3), 0, false},
		"after three crashes":                      {at("a", 1, 2, 3, 4), 0, true},
		"after three crashes in more than ten":     {at("a", 1, 6, 11, 12), 0, false},
		"the crashes of another boot do not count": {append(at("a", 1, 2, 3), at("b", 4)...), 0, false},
		"after a clean end the count begins anew":  {at("a", 1, 2, 3, 4), 3, false},
		"a fifth one goes on":                      {at("a", 1, 2, 3, 4, 5), 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBook{filepath.Join(t.TempDir(), "starts")}
			got := false
			for i, now := range c.starts {
				got = b.begin(now)
				if i+1 == c.clean {
					b.end()
				}
			}
			if got != c.want {
				t.Errorf("safe mode: got %v, want %v", got, c.want)
			}
		})
	}
	t.Run("a book that is damaged, or cannot be written", func(t *testing.T) {
		b := startBook{filepath.Join(t.TempDir(), "starts")}
		if err := os.WriteFile(b.path, []byte(`[{"boot":"a"`), 0o600); err != nil {
			t.Fatal(err)
		}
		if b.begin(at("a", 1)[0]) || (startBook{"/no/such/folder/starts"}).begin(at("a", 1)[0]) {
			t.Error("safe mode for want of a book")
		}
	})
}

// TestSafeMode crashes the real daemon three times. The fourth one greets and
// lets in, asks nothing, and says why.
func TestSafeMode(t *testing.T) {
	terms := everyday
	terms.SafeMode = true
	s := openShop(t, world.Options{}, terms)
	insider := s.join("insider")
	s.skip(insider)
	for range 3 {
		s.Daemon.Kill()
		s.start()
	}
	status := ask[control.Status](s, "status")
	if status.SafeMode == "" || status.Record.State != control.RecordClosed || !strings.Contains(status.Summary, "safe mode") {
		t.Errorf("status does not tell of safe mode: %+v", status)
	}
	p := s.join("p")
	page := s.page(p)
	if _, err := page.Form("/join"); err == nil {
		t.Error("in safe mode a number is asked")
	}
	if _, err := page.Skip(s.patient()); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*world.Phone{p, insider} {
		if !within(10*time.Second, func() bool { return s.echoes(g, g.Target.V4) && s.echoes(g, g.Target.V6) }) {
			t.Errorf("in safe mode %s is not online", g.Name)
		}
	}
	if s.online(s.join("q")) {
		t.Error("in safe mode the door is open")
	}
	s.stop()
	s.start()
	if status := ask[control.Status](s, "status"); status.SafeMode != "" {
		t.Error("after a clean end safe mode goes on")
	}
}
