package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// TestGravesAreCarriedOver from a record to one that was put back: whoever
// lies under one is named, and the ends that wait are told apart.
func TestGravesAreCarriedOver(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(1)})
	subject := subjectOf(t, s, 1)
	path := filepath.Join(t.TempDir(), FileName)
	if err := s.CopyTo(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Erase(t.Context(), hien.Who{Subject: subject}, func(people []hien.Person) (hien.Erasure, error) {
		st := consent.StateErasure(consent.NewID(), subject, nil, at(2))
		told, err := hien.NewErasure(nil, lead(1), at(2), hien.Facts{Store: "hcm-q1-01"})
		return hien.Erasure{Statements: []consent.Statement{st}, Keys: people[0].Keys, Events: []hien.Event{told}}, err
	}); err != nil {
		t.Fatal(err)
	}
	graves, err := s.Graves(t.Context())
	if err != nil || len(graves) != 1 {
		t.Fatalf("graves: %v, %v; want 1", graves, err)
	}
	ends, err := s.Ends(t.Context())
	if err != nil || len(ends) != 1 || ends[0].User != lead(1) {
		t.Errorf("ends: %v, %v; want the erasure", ends, err)
	}
	c := reopen(t, path, func(o *Options) { o.Restored = true })
	found, err := c.Bury(t.Context(), graves)
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "who is to be erased in the copy", found, subject)
	if _, buried, err := c.Buried(t.Context(), lead(1)); err != nil || !buried {
		t.Errorf("buried in the copy: %v, %v", buried, err)
	}
	if found, err = c.Bury(t.Context(), nil); err != nil || len(found) != 1 {
		t.Errorf("asked again: %v, %v; want the same person", found, err)
	}
}
