package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/backup"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/internal/world"
)

// TestABackupIsPutBackInAShop, with the real daemon, phones and a CDP: it is
// made while guests come, one of them is erased, and the backup is put back.
// The CDP hears of the other, and never again of who was erased; the one who
// stays is known again, and so is a new guest.
func TestABackupIsPutBackInAShop(t *testing.T) {
	owner, err := backup.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	terms := everyday
	terms.Main = "\toption backup_key '" + owner.Recipient().String() + "'\n"
	s := openShop(t, world.Options{}, terms)
	erased, stays := s.join("erased"), s.join("stays")
	s.give(erased, "0987654321", "visit_frequency", "contact_zalo")
	s.give(stays, "0912345678", "visit_frequency")
	key := []hien.LeadKey{s.leadKey("0987654321"), s.leadKey("0912345678")}
	if _, err := s.CDP.WaitEvents(s.patient(), 4); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Dir, "hien.backup")
	if out := s.hien("backup", "-o", file); !strings.Contains(out, "The backup was written to "+file) {
		t.Errorf("hien backup says %s", out)
	}

	s.stop()
	store, _ := s.openRecord()
	text, err := os.ReadFile(filepath.Join(s.DataDir(), routerKeyName))
	if err != nil {
		t.Fatal(err)
	}
	router, err := hien.ParseRouterKey(string(text))
	if err != nil {
		t.Fatal(err)
	}
	clock, err := newClock()
	if err != nil {
		t.Fatal(err)
	}
	house, done, err := endingHouse(store, router, hien.Settings{StoreID: "hcm-q1-01"}, clock.now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := house.Erase(t.Context(), hien.Who{Key: key[0]}, "portal", clock.now()); err != nil {
		t.Fatal(err)
	}
	done()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	before := len(s.CDP.Events())
	s.start()
	if _, err := s.CDP.WaitEvents(s.patient(), before+1); err != nil {
		t.Fatal(err)
	}
	keyFile := write(t, filepath.Join(t.TempDir(), "owner.key"), owner.Reveal())
	if out, err := s.Hien(s.patient(), "restore", "--key", keyFile, "--over", file); err == nil {
		t.Errorf("beside the daemon it was put back: %s", out)
	}
	s.delivered()
	s.stop()

	if out := s.hien("restore", "--key", keyFile, "--over", file); !strings.Contains(out, "1 people were erased again") {
		t.Errorf("hien restore says %s", out)
	}
	heard := len(s.CDP.Events())
	s.start()
	if out := s.hien("ledger", "verify"); !strings.Contains(out, "holds") {
		t.Errorf("ledger verify says: %s", out)
	}
	if out := s.hien("leads", "--json"); strings.Contains(out, string(key[0])[:11]) || !strings.Contains(out, string(key[1])[:11]) {
		t.Errorf("leads: %s; want the one who stays", out)
	}
	if out := s.hien("retention"); !strings.Contains(out, "visit_months=12") || !strings.Contains(out, "audit_days=730") || !strings.Contains(out, "Nothing was deleted for its age yet.") {
		t.Errorf("retention: %s", out)
	}
	if out := s.hien("inventory", "--lang", "en"); !strings.Contains(out, "People of whom there is data now: 1") {
		t.Errorf("inventory: %s", out)
	}
	s.give(s.join("new"), "0933333333", "contact_zalo")
	if _, err := s.CDP.WaitEvents(s.patient(), heard+1); err != nil {
		t.Fatal(err)
	}
	s.delivered()
	for _, e := range s.CDP.Events()[heard:] {
		if strings.Contains(string(e), string(key[0])) {
			t.Errorf("the CDP heard again of who was erased: %s", e)
		}
	}
	wantFiles(t, s.DataDir(), sqlite.FileName, sqlite.FileName+"-wal", routerKeyName)
}

// delivered waits until nothing is on its way to the CDP any more.
func (s *shop) delivered() {
	s.Helper()
	for ctx := s.patient(); !strings.Contains(s.hien("queue"), "The queue is empty"); {
		if ctx.Err() != nil {
			s.Fatalf("not everything is delivered:\n%s", s.hien("queue"))
		}
	}
}

// leadKey is the person with a number, as the CDP knows it.
func (s *shop) leadKey(number string) hien.LeadKey {
	s.Helper()
	key, err := s.LeadKey(number)
	if err != nil {
		s.Fatal(err)
	}
	return hien.LeadKey(key)
}
