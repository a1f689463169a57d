package sqlite

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
)

// The settings of SQLite and of its driver lose acknowledged rows in a power
// cut; so what holds on the open handle is asked of the handle itself.
func TestEveryPragmaHoldsOnFirstAndLaterOpens(t *testing.T) {
	synchronous := map[journal]string{wal: "2", truncate: "3"} // FULL, EXTRA
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data", FileName)
			for _, opening := range []string{"first", "second", "third"} {
				opts := []func(*Options){with(j)}
				if opening == "third" {
					opts = nil // the file itself says how it is written
				}
				s := reopen(t, path, opts...)
				for pragma, want := range map[string]string{
					"journal_mode": string(j), "synchronous": synchronous[j], "locking_mode": "exclusive",
					"page_size": "512", "cache_size": "-1024", "secure_delete": "1", "foreign_keys": "1",
					"temp_store": "2", "trusted_schema": "0", "wal_autocheckpoint": "2000",
					"journal_size_limit": "1024000", "busy_timeout": "5000", "query_only": "0", "mmap_size": "0",
				} {
					var got string
					if err := s.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil {
						t.Fatalf("%s open: %s: %v", opening, pragma, err)
					}
					if got != want {
						t.Errorf("%s open: PRAGMA %s: got %s, want %s", opening, pragma, got, want)
					}
				}
				optIn(t, s, application{id: "c-" + consentID(opening), person: 1, agreed: all, at: at(0)})
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestANewRecordIsPrivateAndUsesTheLogWhereItWorks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", FileName)
	s := reopen(t, path)
	var mode string
	if err := s.db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil {
		t.Fatal(err)
	}
	want(t, "journal", mode, "wal")
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), FileName) {
			t.Errorf("the probe left %s", e.Name())
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		want(t, "mode of "+e.Name(), info.Mode().Perm(), fs.FileMode(0o600))
	}
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quán #1 100%? & so on", FileName)
	s := reopen(t, path)
	optIn(t, s, application{id: "c1", person: 1, agreed: all, at: at(0)})
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestANewerRecordIsRefusedKindly(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := reopen(t, path)
	if _, err := s.db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path, Options{Signer: signer})
	var newer *NewerError
	if !errors.As(err, &newer) || !errors.Is(err, hien.ErrStorage) {
		t.Fatalf("got %v, want a NewerError that is ErrStorage", err)
	}
	all, _ := migrations()
	want(t, "schema of the file", newer.Has, 99)
	want(t, "schema of the program", newer.Knows, len(all))
	for _, word := range []string{path, "99", "install"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the message does not say %q: %v", word, err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the file is as it was", string(after) == string(before), true)
	if _, err := OpenLedger(t.Context(), path); !errors.As(err, &newer) {
		t.Errorf("open ledger: got %v, want a NewerError", err)
	}
}

func TestADamagedRecordIsNamedAndKept(t *testing.T) {
	healthy := func(t *testing.T) []byte {
		path := filepath.Join(t.TempDir(), FileName)
		s := reopen(t, path)
		for i := range 20 {
			optIn(t, s, application{id: consentID(i), person: i, device: i, agreed: all, at: at(i)})
		}
		s.Close()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"it was cut in half":         func(b []byte) []byte { return b[:len(b)/2] },
		"it lost its last page":      func(b []byte) []byte { return b[:len(b)-pageSize] },
		"it is something else":       func([]byte) []byte { return []byte(strings.Repeat("not a database ", 200)) },
		"its beginning is zeros":     func(b []byte) []byte { clear(b[:pageSize]); return b },
		"its middle is zeros":        func(b []byte) []byte { clear(b[len(b)/4 : len(b)/2]); return b },
		"it is of another program":   func([]byte) []byte { return otherProgram(t) },
		"it is 50 bytes of a header": func(b []byte) []byte { return b[:50] },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName)
			spoilt := spoil(healthy(t))
			if err := os.WriteFile(path, spoilt, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), path, Options{Signer: signer})
			var damaged *DamagedError
			if !errors.As(err, &damaged) || !errors.Is(err, hien.ErrStorage) {
				t.Fatalf("got %v, want a DamagedError that is ErrStorage", err)
			}
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("the message does not name the file or say what to do: %v", err)
			}
			kept, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want(t, "bytes kept", len(kept), len(spoilt))
		})
	}
}

func otherProgram(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "other.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	db := openDB(settings{path: path, journal: truncate})
	if _, err := db.Exec("CREATE TABLE songs (title TEXT)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARecordThatIsOpenCannotBeOpenedAgain(t *testing.T) {
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			s := begin(t, with(j))
			o := Options{Signer: signer}
			impatient(&o)
			_, err := Open(t.Context(), s.path, o)
			if !errors.Is(err, ErrInUse) || !errors.Is(err, hien.ErrStorage) {
				t.Errorf("open: got %v, want ErrInUse and ErrStorage", err)
			}
			_, err = openLedger(t.Context(), settings{path: s.path, wait: o.set.wait})
			if !errors.Is(err, ErrInUse) {
				t.Errorf("open ledger: got %v, want ErrInUse", err)
			}
			optIn(t, s, application{id: "c1", person: 1, agreed: all, at: at(0)}) // and it goes on
		})
	}
}

func TestADirectoryThatCannotBeWrittenIsAStorageError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), filepath.Join(file, "data", FileName), Options{Signer: signer})
	if !errors.Is(err, hien.ErrStorage) {
		t.Errorf("got %v, want ErrStorage", err)
	}
}

// A full disk closes the record and not the shop: the error says so, nothing
// of the opt-in stays, and the store works again when there is room.
func TestAFullDiskIsAStorageErrorAndLeavesNothing(t *testing.T) {
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			s := begin(t, with(j))
			optIn(t, s, application{id: "c0", person: 0, agreed: all, at: at(0)})
			setPages := func(n int) {
				if number(t, s, "PRAGMA max_page_count = "+decimal(n)) != n {
					t.Fatalf("max_page_count %d was not taken", n)
				}
			}
			setPages(number(t, s, "PRAGMA page_count"))
			var full error
			recorded := 1
			for i := 1; full == nil; i++ {
				a := application{id: consentID(i), person: i, device: i, agreed: all, at: at(i)}
				if full = s.OptIn(t.Context(), lead(i), a.record); full == nil {
					recorded++
				}
			}
			if !errors.Is(full, hien.ErrStorage) {
				t.Errorf("got %v, want ErrStorage", full)
			}
			for _, table := range []string{"ledger", "consents", "people"} {
				want(t, "rows of "+table, number(t, s, "SELECT count(*) FROM "+table), recorded)
			}
			verify(t, s)
			setPages(1 << 20)
			optIn(t, s, application{id: "c-after", person: 99, device: 99, agreed: all, at: at(99)})
			want(t, "events that the limit counts", int(s.waiting.Load()), number(t, s, "SELECT count(*) FROM events"))
			verify(t, s)
		})
	}
}

func TestAClosedStoreIsNoPanic(t *testing.T) {
	s := begin(t)
	s.Close()
	if _, err := s.Member(t.Context(), mark(1)); err == nil {
		t.Error("got no error, want one")
	}
}

func TestAnErrorOfAnotherKindIsReturnedAsItIs(t *testing.T) {
	for _, err := range []error{nil, hien.ErrUnchanged, sql.ErrNoRows} {
		want(t, "fault", fault("record.db", "deed", err), err)
	}
}

// Where the write-ahead log cannot be opened, a new record is written with a
// rollback journal. A directory in the log's place makes it so here.
func TestWhereTheLogDoesNotWorkTheOtherJournalIsChosen(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".probe.db-wal", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := reopen(t, filepath.Join(dir, FileName))
	var mode string
	if err := s.db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil {
		t.Fatal(err)
	}
	want(t, "journal", mode, "truncate")
}
