package sqlite

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// holds reports which of the record's files hold the bytes.
func holds(t *testing.T, s *Store, secret []byte) (files []string) {
	t.Helper()
	names, err := filepath.Glob(s.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, secret) {
			files = append(files, filepath.Base(name))
		}
	}
	return files
}

// R-RGT-5: after an erasure no byte of the person is in any file of the
// record but the ledger's random names and the tombstone; and once the erasure
// was delivered, not the lead key either.
func TestAnErasureLeavesNothingOfThePerson(t *testing.T) {
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			s := begin(t, with(j))
			optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0), tells: true})
			optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(1), tells: true})
			endStays(t, s, at(60), stay(1, 0, 40, "c1"))
			first := batch(t, s, at(61))
			if err := s.Park(t.Context(), map[consent.ID]string{first[0].ID(): "a poison"}, at(62)); err != nil {
				t.Fatal(err)
			}
			salts := commitmentsOf(t, s, "c1")
			traces := map[string][]byte{"sealed number": []byte(sealed("c1")), "member mark": []byte(mark(1)),
				"address's salt": base64Of(salts["address"].Salt), "number's salt": base64Of(salts["number"].Salt)}
			secret := receipt("c1")
			traces["receipt"] = secret[:]
			for what, trace := range traces {
				if len(holds(t, s, trace)) == 0 {
					t.Fatalf("the %s is in no file, so that its absence would prove nothing", what)
				}
			}

			gone := erase(t, s, hien.Who{Receipt: receipt("c1")}, at(70))
			for what, trace := range traces {
				if files := holds(t, s, trace); len(files) > 0 {
					t.Errorf("the %s is still in %v", what, files)
				}
			}
			want(t, "people", number(t, s, "SELECT count(*) FROM people"), 1)
			if _, err := s.Receipt(t.Context(), receipt("c1")); !errors.Is(err, hien.ErrNoReceipt) {
				t.Errorf("the receipt: %v, want ErrNoReceipt", err)
			}
			if m, err := s.Member(t.Context(), mark(1)); err != nil || m.Known() {
				t.Errorf("the member: %v, %v, want nobody", m.Known(), err)
			}
			if !slices.Equal(gone.Receipts, []consent.Hash{receipt("c1")}) || !slices.Contains(gone.Visits, "c1") || !slices.Equal(gone.Keys, []hien.LeadKey{lead(1)}) {
				t.Errorf("gone: %+v", gone)
			}
			if when, err := s.ErasedAt(t.Context(), gone.Seq, gone.ID); err != nil || !when.Wall.Equal(at(70).Wall) {
				t.Errorf("erased at %v, %v", when.Wall, err)
			}
			for _, wrong := range []struct {
				seq uint64
				id  consent.ID
			}{{gone.Seq, "another"}, {gone.Seq - 1, gone.ID}, {gone.Seq + 1, gone.ID}, {1, "c1"}, {1 << 63, gone.ID}} {
				if _, err := s.ErasedAt(t.Context(), wrong.seq, wrong.id); !errors.Is(err, hien.ErrNoReceipt) {
					t.Errorf("entry %d, %s: %v, want ErrNoReceipt", wrong.seq, wrong.id, err)
				}
			}

			b := batch(t, s, at(71))
			if b[0].Kind() != hien.Erased || b[0].User() != lead(1) || len(b[0].Facts().Erased) != 3 {
				t.Fatalf("the first event is %s of %.9s: %+v", b[0].Kind(), b[0].User(), b[0].Facts())
			}
			for _, e := range b[1:] {
				if e.User() == lead(1) {
					t.Errorf("an event %s of hers would be sent", e.Kind())
				}
			}
			if len(holds(t, s, []byte(lead(1)))) == 0 {
				t.Error("the lead key is in no file while the erasure waits")
			}
			if err := s.Delivered(t.Context(), []consent.ID{b[0].ID()}); err != nil {
				t.Fatal(err)
			}
			if files := holds(t, s, []byte(lead(1))); len(files) > 0 {
				t.Errorf("the lead key is still in %v", files)
			}
			if len(holds(t, s, []byte(lead(2)))) == 0 {
				t.Error("another person is gone too")
			}
			verify(t, s)
		})
	}
}

func TestNobodyComesBackButByConsent(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	late := batch(t, s, at(1))[0]
	erase(t, s, hien.Who{Subject: subjectOf(t, s, 1)}, at(2))
	if day, buried, err := s.Buried(t.Context(), lead(1)); day != "2026-10-01" || !buried || err != nil {
		t.Errorf("the tombstone: %q, %t, %v", day, buried, err)
	}
	if _, buried, err := s.Buried(t.Context(), lead(2)); buried || err != nil {
		t.Errorf("somebody else is buried: %t, %v", buried, err)
	}

	// An event of hers that comes late, however it got in, is not sent.
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(3)})
	if err := s.write(t.Context(), "test", func(tx *tx) error { return s.enqueue(t.Context(), tx, 2, late) }); err != nil {
		t.Fatal(err)
	}
	want(t, "queued", number(t, s, "SELECT count(*) FROM events WHERE user_key = '"+string(lead(1))+"'"), 1) // the erasure
	if _, err := s.db.Exec("INSERT INTO events SELECT 99, 'late', kind, purpose, person, ?, wall, boot, up, in_step, facts FROM events WHERE person IS NOT NULL LIMIT 1", lead(1)); err != nil {
		t.Fatal(err)
	}
	for _, e := range batch(t, s, at(4)) {
		if e.User() == lead(1) && e.Kind() != hien.Erased {
			t.Errorf("a late event %s would be sent", e.Kind())
		}
	}
	want(t, "the late one", number(t, s, "SELECT count(*) FROM events WHERE id = 'late'"), 0)

	// A no is no consent: the tombstone stays.
	optIn(t, s, application{id: "c3", person: 1, device: 1, at: at(5)})
	if _, buried, _ := s.Buried(t.Context(), lead(1)); !buried {
		t.Error("a no lifted the tombstone")
	}
	var anew bool
	a := application{id: "c4", person: 1, device: 1, agreed: all, at: at(6)}
	if err := s.OptIn(t.Context(), lead(1), func(m hien.Member) (hien.OptIn, error) {
		anew = m.Anew
		return a.record(m)
	}); err != nil {
		t.Fatal(err)
	}
	if _, buried, _ := s.Buried(t.Context(), lead(1)); buried || !anew {
		t.Errorf("after a new consent: buried %t, told %t", buried, anew)
	}
	b := batch(t, s, at(7))
	if b[0].Kind() != hien.Erased || !slices.ContainsFunc(b, func(e hien.Event) bool { return e.User() == lead(1) && e.Kind() == hien.LeadGiven }) {
		t.Errorf("the erasure first, and then what she agreed to now: got %v", b)
	}
}

// Who took back everything has no lead key any more, and who came again after
// that has two names here. An erasure finds all of it.
func TestAnErasureFindsEveryName(t *testing.T) {
	for what, who := range map[string]func(t *testing.T, s *Store) hien.Who{
		"by the first receipt":  func(*testing.T, *Store) hien.Who { return hien.Who{Receipt: receipt("c1")} },
		"by the second receipt": func(*testing.T, *Store) hien.Who { return hien.Who{Receipt: receipt("c2")} },
		"by the number":         func(*testing.T, *Store) hien.Who { return hien.Who{Key: lead(1)} },
		"by the device":         func(*testing.T, *Store) hien.Who { return hien.Who{Mark: mark(1)} },
	} {
		t.Run(what, func(t *testing.T) {
			s := begin(t)
			optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
			if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c1")}, at(1)); err != nil {
				t.Fatal(err)
			}
			optIn(t, s, application{id: "c2", person: 1, device: 1, agreed: all, at: at(2)})
			erase(t, s, who(t, s), at(3))
			for _, table := range []string{"people", "consents", "commitments", "receipts", "ended", "standing", "marks", "visits"} {
				want(t, table, number(t, s, "SELECT count(*) FROM "+table), 0)
			}
			want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 5) // two consents, a withdrawal, an erasure for each name
			if b := batch(t, s, at(4)); len(b) != 1 || b[0].Kind() != hien.Erased {
				t.Errorf("the queue: %v, want one erasure", b)
			}
		})
	}
}

func TestWhoTookBackEverythingIsErasedUpstreamToo(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c1")}, at(1)); err != nil {
		t.Fatal(err)
	}
	erase(t, s, hien.Who{Receipt: receipt("c1")}, at(2))
	if b := batch(t, s, at(3)); len(b) != 1 || b[0].Kind() != hien.Erased || b[0].User() != lead(1) {
		t.Errorf("the queue: %v, want her erasure alone", b)
	}
}

// A table that comes later must not be forgotten: whatever leads to a person
// or to a consent is deleted with it.
func TestEveryTableThatLeadsToAPersonIsErased(t *testing.T) {
	s := begin(t)
	deeds := strings.Join(belongings, "\n") + "\nDELETE FROM events WHERE\nDELETE FROM parked WHERE"
	found := 0
	for _, row := range rowsOf(t, s.db, "SELECT m.name FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' AND f.\"table\" IN ('people', 'consents')") {
		if found++; !strings.Contains(deeds, "DELETE FROM "+row[0]+" WHERE") {
			t.Errorf("table %s leads to a person, and an erasure leaves it", row[0])
		}
	}
	if found < 7 {
		t.Errorf("%d tables lead to a person, want all of them seen", found)
	}
}

func TestAnErasureThatCannotBeWrittenChangesNothing(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	stop := errors.New("stop")
	for what, make := range map[string]func([]hien.Person) (hien.Erasure, error){
		"it is not wanted after all": func([]hien.Person) (hien.Erasure, error) { return hien.Erasure{}, stop },
		"a name is left out":         func([]hien.Person) (hien.Erasure, error) { return hien.Erasure{Keys: []hien.LeadKey{lead(1)}}, nil },
		"it is another person's": func([]hien.Person) (hien.Erasure, error) {
			return hien.Erasure{Statements: []consent.Statement{consent.StateErasure("e1", "somebody", nil, at(1))}}, nil
		},
	} {
		if _, err := s.Erase(t.Context(), hien.Who{Receipt: receipt("c1")}, make); err == nil {
			t.Errorf("%s: got no error", what)
		}
	}
	if _, err := s.Receipt(t.Context(), receipt("c1")); err != nil {
		t.Errorf("the receipt: %v", err)
	}
	want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 1)
	want(t, "tombstones", number(t, s, "SELECT count(*) FROM tombstones"), 0)
	if _, err := forgetAs(t.Context(), s, hien.Who{Receipt: receipt("nobody")}, at(1)); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("nobody: %v, want ErrNoReceipt", err)
	}
}

func commitmentsOf(t *testing.T, s *Store, id consent.ID) map[string]consent.Commitment {
	t.Helper()
	var named map[string]consent.Commitment
	err := s.read(t.Context(), "test", func(r reader) error {
		all, err := r.given(t.Context(), 1)
		for _, g := range all {
			if g.Consent.ID() == id {
				named = g.Commitments
			}
		}
		return err
	})
	if err != nil || len(named) == 0 {
		t.Fatalf("what stands beside %s: %v, %v", id, named, err)
	}
	return named
}

// base64Of is how the record writes a salt.
func base64Of(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }
