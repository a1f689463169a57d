package sqlite

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// aDay is a record with something of everything.
func aDay(t *testing.T) *Store {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: []consent.Purpose{zalo}, at: at(10)})
	optIn(t, s, application{id: "c3", person: 3, device: 3, agreed: all, at: at(20)})
	optIn(t, s, application{id: "c4", person: 4, device: 4, agreed: []consent.Purpose{visits}, at: guess(30)})
	endStays(t, s, guess(60), stay(1, 0, 40, "c1"), stay(3, 20, 45, "c3"))
	endStays(t, s, guess(300), stay(1, 200, 240, ""))
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c3")}, guess(301)); err != nil {
		t.Fatal(err)
	}
	b := batch(t, s, guess(302))
	if err := s.Park(t.Context(), map[consent.ID]string{b[1].ID(): "400 Bad Request: no such write key"}, at(303)); err != nil {
		t.Fatal(err)
	}
	return s
}

// anonymous replaces what is drawn at random.
func anonymous(b []byte) []byte {
	return regexp.MustCompile(`"[0-9a-f]{32}"`).ReplaceAll(b, []byte(`"<random>"`))
}

func TestTheViewsShowTheDay(t *testing.T) {
	s := aDay(t)
	for name, view := range map[string]func() (any, error){
		"leads":    func() (any, error) { return s.Leads(t.Context(), 10) },
		"visits":   func() (any, error) { return s.Visits(t.Context(), 10) },
		"consents": func() (any, error) { return s.Consents(t.Context(), 10) },
		"queue":    func() (any, error) { return s.Queue(t.Context(), 10) },
		"counts":   func() (any, error) { return s.Counts(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			v, err := view()
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", append(anonymous(got), '\n'))
			for what, secret := range map[string]string{
				"a whole lead key": string(lead(1)), "a sealed number": "s1:", "a mark": string(mark(1)),
				"a wide part of a lead key": string(lead(1))[:3+keyDigits+1],
			} {
				if strings.Contains(string(got), secret) {
					t.Errorf("it shows %s", what)
				}
			}
		})
	}
}

func TestAViewOfAnEmptyRecordIsAnEmptyList(t *testing.T) {
	s := begin(t)
	leads, err := s.Leads(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(leads)
	want(t, "leads", string(text), "[]")
	queue, err := s.Queue(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	text, _ = json.Marshal(queue)
	want(t, "queue", string(text), "[]")
}

func TestAViewIsLimited(t *testing.T) {
	s := aDay(t)
	for limit, rows := range map[int]int{-1: 1, 0: 1, 2: 2, 1 << 30: 3} {
		leads, err := s.Leads(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "leads", len(leads), rows)
		visits, err := s.Visits(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "visits", len(visits), min(rows, 3))
		consents, err := s.Consents(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "consents", len(consents), min(max(limit, 1), 4))
	}
}

func TestTheQueueShowsWhatIsParkedBeforeWhatWaits(t *testing.T) {
	s := aDay(t)
	next := batch(t, s, at(400)) // a withdrawal, and then by age
	if next[0].Kind() != hien.Withdrawn {
		t.Fatalf("the first to go is %s, want the withdrawal", next[0].Kind())
	}
	last := next[len(next)-1]
	if err := s.Park(t.Context(), map[consent.ID]string{last.ID(): "400 Bad Request: too old"}, at(401)); err != nil {
		t.Fatal(err)
	}
	waiting := ids(next[:len(next)-1])
	for _, limit := range []int{100, 5, 2, 1} {
		rows, err := s.Queue(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "rows", len(rows), min(limit, 2+len(waiting)))
		for i, answer := range []string{"400 Bad Request: too old", "400 Bad Request: no such write key"}[:min(limit, 2)] {
			if !rows[i].Parked || rows[i].Answer != answer {
				t.Errorf("limit %d: row %d is %+v, want it parked with %q", limit, i, rows[i], answer)
			}
		}
		var rest []consent.ID
		for _, r := range rows[min(limit, 2):] {
			if r.Parked || r.Answer != "" {
				t.Errorf("limit %d: %+v, want that it waits", limit, r)
			}
			rest = append(rest, r.ID)
		}
		wantList(t, "what waits", rest, waiting[:len(rest)]...)
	}
}

func TestTheCountsAreThoseOfTheViews(t *testing.T) {
	s := aDay(t)
	c, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, view := range map[string]func() (rows, counted int, err error){
		"leads":    func() (int, int, error) { r, err := s.Leads(t.Context(), 100); return len(r), c.Leads, err },
		"visits":   func() (int, int, error) { r, err := s.Visits(t.Context(), 100); return len(r), c.Visits, err },
		"consents": func() (int, int, error) { r, err := s.Consents(t.Context(), 100); return len(r), c.People, err },
		"queue": func() (int, int, error) {
			r, err := s.Queue(t.Context(), 100)
			return len(r), c.Waiting + c.Parked, err
		},
	} {
		rows, counted, err := view()
		if err != nil {
			t.Fatal(err)
		}
		want(t, name, counted, rows)
	}
}

// A person who answers twice has two consents and one that stands.
func TestWhatStandsIsCountedOnceForEachPerson(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 1, device: 2, agreed: all, at: at(9)})
	c, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "people", c.People, 1)
}

func TestStandingIsAskedBySubject(t *testing.T) {
	s := aDay(t)
	subject := subjectOf(t, s, 1)
	c, err := s.Standing(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "standing", c.Answers(), consent.Answer{Purpose: sms}, consent.Answer{Purpose: zalo, Agreed: true}, consent.Answer{Purpose: visits, Agreed: true})
	if err := takeBack(t.Context(), s, hien.Who{Subject: subject}, at(500), zalo); err != nil {
		t.Fatal(err)
	}
	if c, err = s.Standing(t.Context(), subject); err != nil || c.Allows(zalo) || !c.Allows(visits) {
		t.Errorf("after the withdrawal: got %v, %v", c.Answers(), err)
	}
	if _, err := s.Standing(t.Context(), "nobody"); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("nobody: got %v, want %v", err, hien.ErrNoReceipt)
	}
}

func TestTheJournalIsNamed(t *testing.T) {
	for _, j := range journals {
		mode, err := begin(t, with(j)).Journal(t.Context())
		if err != nil || mode != string(j) {
			t.Errorf("journal: got %q, %v, want %s", mode, err, j)
		}
	}
}

// TestLookingTakesNoWritersLock: a question is answered while no transaction
// can begin.
func TestLookingTakesNoWritersLock(t *testing.T) {
	s := aDay(t)
	subject := subjectOf(t, s, 1)
	if _, err := s.db.Exec("PRAGMA query_only = ON"); err != nil {
		t.Fatal(err)
	}
	for name, look := range map[string]func() error{
		"member":   func() error { _, err := s.Member(t.Context(), mark(1)); return err },
		"receipt":  func() error { _, err := s.Receipt(t.Context(), receipt("c1")); return err },
		"standing": func() error { _, err := s.Standing(t.Context(), subject); return err },
		"queue":    func() error { _, err := s.Queue(t.Context(), 10); return err },
		"counts":   func() error { _, err := s.Counts(t.Context()); return err },
	} {
		if err := look(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if tx, err := s.db.Begin(); err == nil {
		tx.Rollback()
		t.Error("a transaction could begin: this test proves nothing")
	}
}
