package sqlite

import (
	"bytes"
	"encoding/json"
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
	q, err := s.Queue(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	text, _ = json.Marshal(q)
	want(t, "queue", string(text), `{"waiting":0,"withdrawals":0,"parked":0,"dropped":0,"newest_parked":[]}`)
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

func TestTheWaitingEventsAreThoseOfTheNextBatch(t *testing.T) {
	s := aDay(t)
	rows, err := s.WaitingEvents(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	var waiting []consent.ID
	for _, r := range rows {
		waiting = append(waiting, r.ID)
		want(t, "digits of the key", len(r.Key), len("k1:")+keyDigits+len("…"))
	}
	wantList(t, "waiting", waiting, ids(batch(t, s, at(400))[:4])...)
	mode, err := s.Journal(t.Context())
	if err != nil || mode != "wal" {
		t.Errorf("journal: got %q, %v, want wal", mode, err)
	}
}
