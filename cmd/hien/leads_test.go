package main

import (
	"encoding/json"
	"errors"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/sqlite"
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

// TestAnExportLeavesOutWhoAgreedToAnotherNotice: the policy's bounds change, and
// of who agreed before nothing is exported, with the new bounds or without, until
// the notice of today is agreed to; visits are told of as little as upstream (R-CON-9).
func TestAnExportLeavesOutWhoAgreedToAnotherNotice(t *testing.T) {
	terms := everyday
	s := newShop(t, world.Options{Uncounted: true}, terms)
	dir := t.TempDir()
	good, err := os.ReadFile("../../consent/policies/vn-2026.json")
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, filepath.Join(dir, "policy.json"), string(good))
	terms.Main = "\toption policy_file '" + file + "'\n"
	if err := s.Configure(terms); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.give(s.join("p"), "0987654321", "contact_zalo", "visit_frequency")
	s.give(s.join("q"), "0987654322", "contact_zalo")
	export := func(args ...string) (rows, told string) {
		t.Helper()
		status, out, errOut := said(t, append([]string{"leads", "export", "--config", s.Config}, args...)...)
		if status != 0 {
			t.Fatalf("export %v: %s", args, errOut)
		}
		return out, errOut
	}
	if rows, told := export(); told != "" || strings.Count(rows, "zalo,2,s1:") != 2 || strings.Count(rows, ",visit_frequency,") != 1 {
		t.Errorf("before the change: %q\n%s\nwant two rows of Zalo, one of visits, and nothing left out", told, rows)
	}

	more := strings.ReplaceAll(string(good), `"max_per_month": 2`, `"max_per_month": 4`)
	if more == string(good) {
		t.Fatal("the policy has no bound of 2 a month any more: change this test")
	}
	write(t, file, more)
	s.hien("reload")
	s.give(s.join("r"), "0987654323", "contact_zalo", "visit_frequency")
	rows, told := export()
	if strings.Count(rows, "zalo,4,s1:") != 1 || strings.Count(rows, ",visit_frequency,") != 1 || strings.Count(rows, "\n") != 3 {
		t.Errorf("after the change: want the one who agreed to it, and nobody else:\n%s", rows)
	}
	if !strings.HasPrefix(told, "left out: 3 permissions of 2 people, agreed to another notice than today's") {
		t.Errorf("of the others it says %q", told)
	}
	var page struct {
		LeftOut control.LeftOut          `json:"left_out"`
		Leads   []control.LeadPermission `json:"leads"`
	}
	rows, told = export("--format", "json", "--purpose", "visit_frequency")
	if err := json.Unmarshal([]byte(rows), &page); err != nil || page.LeftOut != (control.LeftOut{People: 1, Permissions: 1, Why: control.AnotherNotice}) || len(page.Leads) != 1 {
		t.Errorf("the visits alone: %v\n%s", err, rows)
	}
	if !strings.HasPrefix(told, "left out: 1 permission of 1 person, ") {
		t.Errorf("of the visits it says %q", told)
	}
	if status, out, errOut := said(t, "leads", "export", "--config", s.Config, "--out", filepath.Join(dir, "leads.csv")); status != 0 || !strings.Contains(errOut, "3 permissions") || !strings.Contains(out, "leads.csv") {
		t.Errorf("into a file: status %d, %q, %q", status, out, errOut)
	}

	s.give(s.join("p2"), "0987654321", "contact_zalo", "visit_frequency") // by another phone, to the notice of today
	if rows, told := export(); strings.Count(rows, "zalo,4,s1:") != 2 || strings.Count(rows, ",visit_frequency,") != 2 || !strings.HasPrefix(told, "left out: 1 permission of 1 person, ") {
		t.Errorf("after one has agreed anew: %q\n%s", told, rows)
	}
}

// TestVisitsOfAnotherNoticeAreNotExported: of somebody who goes on without, after
// the notice has changed, the export has no more than the platform is told.
func TestVisitsOfAnotherNoticeAreNotExported(t *testing.T) {
	asker := consent.Asker{Controller: consent.Controller{Name: "Công ty TNHH Hiên Mẫu"}}
	var err error
	if asker.Policy, err = consent.LoadPolicy("vn-2026"); err != nil {
		t.Fatal(err)
	}
	before := asker
	before.Controller.Recipients = []string{"Bên Nhận Mẫu"}
	visit := sqlite.When{Time: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), InStep: true}
	held := []sqlite.Permission{
		{Key: "k1:a", Purpose: consent.ContactZalo, Substance: before.Substance()},
		{Key: "k1:a", Purpose: consent.VisitFrequency, Substance: before.Substance(), Visits: 7, LastVisit: &visit},
		{Key: "k1:b", Purpose: consent.VisitFrequency, Visits: 5, LastVisit: &visit}, // of a time when none was kept
		{Key: "k1:c", Purpose: consent.VisitFrequency, Substance: asker.Substance(), Visits: 3, LastVisit: &visit},
	}
	rows := func(last error) iter.Seq2[sqlite.Permission, error] {
		return func(yield func(sqlite.Permission, error) bool) {
			for _, p := range held {
				if !yield(p, nil) {
					return
				}
			}
			if last != nil {
				yield(sqlite.Permission{}, last)
			}
		}
	}
	var got []control.LeadPermission
	for p, err := range permissions(asker, rows(nil)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
	if len(got) != 1 || got[0].LeadKey != "k1:c" || got[0].Visits != 3 || !got[0].LastVisit.Equal(visit.Time) {
		t.Errorf("exported are %v; want the visits of k1:c alone", got)
	}
	if left, err := leftOut(asker, rows(nil)); err != nil || left != (control.LeftOut{People: 2, Permissions: 3, Why: control.AnotherNotice}) {
		t.Errorf("left out: %+v, %v", left, err)
	}
	if _, err := leftOut(asker, rows(errors.New("the flash is gone"))); err == nil {
		t.Error("a record that cannot be read is counted")
	}
}
