package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestACopyIsARecord of one moment, which can be opened and goes on, and is
// written the way that suits where it lies.
func TestACopyIsARecord(t *testing.T) {
	for _, j := range journals {
		s := begin(t, with(j))
		optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
		size, err := s.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), FileName)
		if err := s.CopyTo(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 || info.Size() > size {
			t.Errorf("%s: the copy: %v, %v; want at most %d bytes, mode 0600", j, info, err, size)
		}
		optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(1)}) // after the copy
		c := reopen(t, path, func(o *Options) { o.Restored = true })
		want(t, "leads in the copy", number(t, c, "SELECT count(lead_key) FROM people"), 1)
		verify(t, c)
		optIn(t, c, application{id: "c3", person: 3, device: 3, agreed: all, at: at(2)})
		verify(t, c)
		mode, err := c.Journal(t.Context())
		if err != nil || mode != string(wal) {
			t.Errorf("%s: the copy is written with %s, %v; want wal, as this file system bears it", j, mode, err)
		}
	}
}

func TestACopyReplacesNothing(t *testing.T) {
	s := begin(t)
	path := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.CopyTo(t.Context(), path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("CopyTo = %v; want that the file is left alone", err)
	}
	if err := s.CopyTo(t.Context(), filepath.Join(t.TempDir(), "none", "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("CopyTo = %v; want that there is no such directory", err)
	}
}

func TestEntriesAreFoundByTheirNumber(t *testing.T) {
	s := begin(t)
	for i := range 3 {
		optIn(t, s, application{id: consentID(i), person: i, device: i, agreed: all, at: at(i)})
	}
	e, ok, err := s.Entry(t.Context(), 2)
	if err != nil || !ok || e.Seq != 2 {
		t.Errorf("entry 2: %v, %v, %v", e.Seq, ok, err)
	}
	if _, ok, err = s.Entry(t.Context(), 4); ok || err != nil {
		t.Errorf("entry 4: %v, %v; want none", ok, err)
	}
	var after []uint64
	for e, err := range s.EntriesAfter(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		after = append(after, e.Seq)
	}
	wantList(t, "entries after the first", after, 2, 3)
}
