package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

// TestLeadsLeaveTheHouse exports leads from a living daemon and opens them with
// the key's owner's tool. Who withdrew is not among them, no number is, and the
// audit says who exported.
func TestLeadsLeaveTheHouse(t *testing.T) {
	s := openShop(t, world.Options{Uncounted: true}, everyday)
	s.give(s.join("p"), "0987654321", "contact_zalo", "visit_frequency")
	s.give(s.join("q"), "0987654322", "contact_zalo")
	dir := t.TempDir()
	file, key := filepath.Join(dir, "leads.csv"), write(t, filepath.Join(dir, "unseal.key"), s.Unseal.Reveal())

	out := s.hien("leads", "export", "--out", file)
	if !strings.Contains(out, "export anew before each use") {
		t.Errorf("it says: %s", out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "98765432") || strings.Count(string(text), "contact_zalo") != 2 || strings.Count(string(text), "visit_frequency") != 1 {
		t.Errorf("want three rows and no number:\n%s", text)
	}
	tool, err := world.Build(t.Context(), "./cmd/hien-unseal")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := exec.CommandContext(t.Context(), tool, "open", "--key", key, file).Output()
	if err != nil || !strings.Contains(string(opened), "+84987654321") || !strings.Contains(string(opened), "+84987654322") {
		t.Errorf("hien-unseal: %v\n%s", err, opened)
	}

	page := s.hien("leads", "export", "--format", "json", "--purpose", "visit_frequency")
	if strings.Contains(page, "sealed_phone") || strings.Count(page, `"lead_key"`) != 1 {
		t.Errorf("for the visits alone: want one row without a sealed number:\n%s", page)
	}
	var people control.List[control.Consent]
	if err := json.Unmarshal([]byte(s.hien("consents", "--json")), &people); err != nil {
		t.Fatal(err)
	}
	for _, c := range people.Items {
		s.hien("withdraw", string(c.Subject))
	}
	if none := s.hien("leads", "export"); strings.Count(none, "\n") != 1 {
		t.Errorf("after both have withdrawn:\n%s", none)
	}
	if audit := s.hien("audit"); strings.Count(audit, "export leads") != 3 {
		t.Errorf("three exports, and the audit says:\n%s", audit)
	}
}
