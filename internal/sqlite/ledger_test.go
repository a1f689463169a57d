package sqlite

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hien-wifi/hien/consent"
)

// long fills a ledger that is read in several pages.
func long(t *testing.T) *Store {
	s := begin(t)
	for i := range 2*entryPage + 5 {
		optIn(t, s, application{id: consentID(i), person: i, device: i, agreed: []consent.Purpose{zalo}, at: at(i)})
	}
	return s
}

func TestTheLedgerIsReadInOrderAndVerifies(t *testing.T) {
	s := long(t)
	var last uint64
	for e, err := range s.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		want(t, "entry", e.Seq, last+1)
		last = e.Seq
	}
	end, err := s.Verify(t.Context(), signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "head", end.Seq, last)
	want(t, "entries", last, 2*entryPage+5)
}

func TestTheRecordIsFreeWhileTheLedgerIsRead(t *testing.T) {
	s := long(t)
	read := 0
	for _, err := range s.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if read++; read == 3 {
			optIn(t, s, application{id: "meanwhile", person: 1000, device: 1000, agreed: all, at: at(1)})
		}
	}
	want(t, "entries", read, 2*entryPage+6)
}

func TestALedgerThatWasTamperedWithIsBroken(t *testing.T) {
	for name, c := range map[string]struct {
		tamper string
		pub    ed25519.PublicKey
	}{
		"a word was changed":       {tamper: `UPDATE ledger SET body = CAST(replace(body, '"zone":"guest"', '"zone":"staff"') AS BLOB) WHERE seq = 70`},
		"an entry was taken out":   {tamper: "DELETE FROM ledger WHERE seq = 70"},
		"the tail was cut":         {tamper: "DELETE FROM ledger WHERE seq > 100"},
		"an entry was put behind":  {tamper: "INSERT INTO ledger SELECT seq + 1, body, hash, signature FROM ledger WHERE seq = 133"},
		"the head was set back":    {tamper: "UPDATE ledger_head SET seq = 100, hash = (SELECT hash FROM ledger WHERE seq = 100)"},
		"it is another router's":   {pub: ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)},
		"everything was taken out": {tamper: "DELETE FROM ledger"},
	} {
		t.Run(name, func(t *testing.T) {
			s := long(t)
			if _, err := s.db.Exec("PRAGMA foreign_keys = OFF; DROP TRIGGER ledger_is_not_changed; DROP TRIGGER ledger_is_not_cut; " + c.tamper); err != nil {
				t.Fatal(err)
			}
			if c.pub == nil {
				c.pub = signer.Public()
			}
			if _, err := s.Verify(t.Context(), c.pub); !errors.Is(err, consent.ErrBroken) {
				t.Errorf("got %v, want ErrBroken", err)
			}
		})
	}
}

func TestTheLedgerRefusesToBeChanged(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	for _, statement := range []string{"UPDATE ledger SET body = x'00'", "DELETE FROM ledger"} {
		if _, err := s.db.Exec(statement); err == nil {
			t.Errorf("%s: it was done", statement)
		}
	}
	verify(t, s)
}

func TestALedgerIsReadWithoutADaemon(t *testing.T) {
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			s := begin(t, with(j))
			optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
			// The files of a daemon that was killed: its log is not folded in.
			dir := t.TempDir()
			for _, end := range []string{"", "-wal", "-journal"} {
				b, err := os.ReadFile(s.path + end)
				if err != nil {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, FileName+end), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l, err := OpenLedger(t.Context(), filepath.Join(dir, FileName))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			end, err := l.Verify(t.Context(), signer.Public())
			if err != nil {
				t.Fatal(err)
			}
			want(t, "entries", end.Seq, 1)
			if _, err := l.db.Exec("DELETE FROM commitments"); err == nil {
				t.Error("a reader could write")
			}
		})
	}
}

func TestThereMustBeALedgerToOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if _, err := OpenLedger(t.Context(), path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLedger(t.Context(), path); err == nil {
		t.Error("an empty file: got no error")
	}
}
