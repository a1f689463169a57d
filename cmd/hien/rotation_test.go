package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/world"
)

// TestTheBrandKeyIsChanged changes the key while the shop is open, with the
// file that hien-unseal keygen --next makes. Who comes back is the same person
// under the new key, the CDP is told of both, and the owner hears who is left.
func TestTheBrandKeyIsChanged(t *testing.T) {
	s := openShop(t, world.Options{Uncounted: true}, everyday)
	s.give(s.join("p"), "0987654321")
	s.give(s.join("q"), "0987654322")
	old, err := s.LeadKey("0987654321")
	if err != nil {
		t.Fatal(err)
	}

	file := filepath.Join(s.Dir, "brand.key")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := hien.ParseBrandKeys(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if keys, err = keys.Next(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(keys.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.hien("config", "check"); !strings.Contains(out, "in order") {
		t.Errorf("config check says: %s", out)
	}
	s.hien("reload")
	if status := s.hien("status"); !strings.Contains(status, "k1 still stands behind the current one, 2 people are known by it") {
		t.Errorf("the status says:\n%s", status)
	}
	s.give(s.join("again"), "0987654321")
	if status := s.hien("status"); !strings.Contains(status, "k1 still stands behind the current one, 1 person is known by it") {
		t.Errorf("after one came back the status says:\n%s", status)
	}
	current, err := s.LeadKey("0987654321")
	if err != nil {
		t.Fatal(err)
	}

	// Two people gave with three events each, and one came back with four.
	events, err := s.CDP.WaitEvents(s.patient(), 10)
	if err != nil {
		t.Fatal(err)
	}
	renamed := 0
	for _, text := range events {
		var e struct {
			Type, UserID, PreviousID string
			Properties, Traits       map[string]any
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Type == "alias":
			renamed++
			if e.UserID != current || e.PreviousID != old {
				t.Errorf("%s; want %s in place of %s", text, current, old)
			}
		case e.UserID == current && e.Properties["previous_user_id"] != old && e.Traits["previous_user_id"] != old:
			t.Errorf("%s; want that it names %s as well", text, old)
		case e.UserID != current && strings.Contains(string(text), "previous_user_id"):
			t.Errorf("%s; want no earlier name of somebody who has one", text)
		}
	}
	if renamed != 1 {
		t.Errorf("%d were renamed; want one", renamed)
	}
	if leads := s.hien("leads"); !strings.Contains(leads, "2 ") {
		t.Errorf("two people are leads, and it says:\n%s", leads)
	}
}
