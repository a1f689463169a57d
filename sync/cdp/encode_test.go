package cdp_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/sync/cdp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	hien.Version = "0.0.0-test"
	os.Exit(m.Run())
}

const (
	key    = "write-key-of-the-test"
	person = hien.LeadKey("k1:1111111111111111111111111111111111111111111111111111111111111111")
	former = hien.LeadKey("k0:0000000000000000000000000000000000000000000000000000000000000000")
	sealed = hien.SealedPhone("s1:sealed-number-that-only-the-brand-can-open")
	bootA  = "aaaaaaaa-0000-4000-8000-000000000001"
	bootB  = "bbbbbbbb-0000-4000-8000-000000000002"
)

var (
	wall     = time.Date(2026, 3, 1, 8, 30, 0, 250e6, time.UTC)
	guess    = time.Date(2024, 1, 1, 0, 0, 10, 0, time.UTC)
	happened = hien.Moment{Wall: wall, Boot: bootA, Up: time.Hour, InStep: true}
	sending  = hien.Moment{Wall: wall.Add(time.Minute), Boot: bootA, Up: time.Hour + time.Minute, InStep: true}
)

func given(t testing.TB, agreed ...consent.Purpose) consent.Consent {
	t.Helper()
	n := consent.Notice{Version: "vn-2026.1", Language: "vi"}
	for _, p := range []consent.Purpose{consent.VisitFrequency, consent.ContactZalo, consent.AdsAudience, "share_partner:tra-sua"} {
		n.Asks = append(n.Asks, consent.Ask{Purpose: p})
	}
	c, err := consent.Give("c0000000000000000000000000000001", "50000000000000000000000000000001", n, agreed, happened)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// event makes one with an id of the test's choice.
func event(t testing.TB, n int, kind hien.EventKind, p consent.Purpose, at hien.Moment, f hien.Facts, c consent.Consent) hien.Event {
	t.Helper()
	f.Store = "hcm-q1-01"
	facts, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	e, err := hien.EventFromRecord(consent.ID(fmt.Sprintf("%032x", n)), kind, p, person, at, facts, c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func visits(t testing.TB, n int) []hien.Event {
	events := make([]hien.Event, n)
	for i := range events {
		f := hien.Facts{Zone: "guest", Visit: &hien.VisitFacts{Number: i + 1}}
		events[i] = event(t, i+1, hien.StoreVisited, consent.VisitFrequency, happened, f, given(t, consent.VisitFrequency))
	}
	return events
}

func TestHowEventsAreWritten(t *testing.T) {
	all := []consent.Purpose{consent.VisitFrequency, consent.ContactZalo, consent.AdsAudience, "share_partner:tra-sua"}
	zone := hien.Facts{Zone: "guest"}
	lead := hien.Facts{Zone: "guest", Sealed: sealed, SealedFor: "c0000000000000000000000000000001",
		Bound: &hien.Bound{Proof: "c0000000000000000000000000000001", Channels: []string{"zalo", "sms"}, MaxPerMonth: 2}}
	unbound := hien.Facts{Zone: "guest", Bound: &hien.Bound{Proof: "c0000000000000000000000000000001"}}
	visit := func(v hien.VisitFacts) hien.Facts { return hien.Facts{Zone: "guest", Visit: &v} }
	guessed := hien.Moment{Wall: guess, Boot: bootA, Up: time.Minute}
	at := func(boot string, w time.Time, up time.Duration, inStep bool) hien.Moment {
		return hien.Moment{Wall: w, Boot: boot, Up: up, InStep: inStep}
	}
	for _, test := range []struct {
		golden string
		now    hien.Moment
		events []hien.Event
	}{
		{"lead-zalo", sending, []hien.Event{event(t, 1, hien.LeadGiven, consent.ContactZalo, happened, lead, given(t, consent.ContactZalo))}},
		{"lead-partner", sending, []hien.Event{event(t, 2, hien.LeadGiven, "share_partner:tra-sua", happened, lead, given(t, all...))}},
		{"lead-of-an-earlier-notice", sending, []hien.Event{event(t, 22, hien.LeadGiven, consent.AdsAudience, happened, unbound, given(t, consent.AdsAudience))}},
		{"lead-visits-only", sending, []hien.Event{event(t, 3, hien.LeadGiven, consent.VisitFrequency, happened, zone, given(t, consent.VisitFrequency))}},
		{"consent-some", sending, []hien.Event{event(t, 4, hien.ConsentChanged, consent.VisitFrequency, happened, zone, given(t, consent.VisitFrequency, consent.ContactZalo))}},
		{"consent-all", sending, []hien.Event{event(t, 5, hien.ConsentChanged, consent.ContactZalo, happened, zone, given(t, all...))}},
		{"withdrawal-some", sending, []hien.Event{event(t, 6, hien.Withdrawn, "", happened, hien.Facts{Withdrawn: []consent.Purpose{consent.ContactZalo}}, given(t, all...).Without(consent.ContactZalo))}},
		{"withdrawal-all", sending, []hien.Event{event(t, 7, hien.Withdrawn, "", happened, hien.Facts{Withdrawn: all}, given(t, all...).Without())}},
		{"visit-first", sending, []hien.Event{event(t, 8, hien.StoreVisited, consent.VisitFrequency, happened, visit(hien.VisitFacts{Number: 1, Stayed: 42*time.Minute + 40*time.Second}), given(t, consent.VisitFrequency))}},
		{"visit-third", sending, []hien.Event{event(t, 9, hien.StoreVisited, consent.VisitFrequency, happened, visit(hien.VisitFacts{Number: 3, Stayed: 20 * time.Minute, SinceLast: 75 * time.Hour}), given(t, consent.VisitFrequency))}},
		{"visit-same-day-end-unseen", sending, []hien.Event{event(t, 10, hien.StoreVisited, consent.VisitFrequency, happened, visit(hien.VisitFacts{Number: 2, SinceLast: 3 * time.Hour}), given(t, consent.VisitFrequency))}},
		{"clock-set-since", sending, []hien.Event{event(t, 11, hien.ConsentChanged, consent.VisitFrequency, guessed, zone, given(t, consent.VisitFrequency))}},
		{"clock-never-set", at(bootA, guess.Add(10*time.Minute), 11*time.Minute, false), []hien.Event{event(t, 12, hien.ConsentChanged, consent.VisitFrequency, guessed, zone, given(t, consent.VisitFrequency))}},
		{"clock-never-set-in-an-earlier-boot", at(bootB, wall, time.Hour, true), []hien.Event{event(t, 13, hien.ConsentChanged, consent.VisitFrequency, guessed, zone, given(t, consent.VisitFrequency))}},
		{"clock-never-set-in-either-boot", at(bootB, guess.Add(-time.Minute), time.Hour, false), []hien.Event{event(t, 14, hien.ConsentChanged, consent.VisitFrequency, guessed, zone, given(t, consent.VisitFrequency))}},
		{"clock-lost-since", at(bootB, guess, time.Minute, false), []hien.Event{event(t, 15, hien.ConsentChanged, consent.VisitFrequency, happened, zone, given(t, consent.VisitFrequency))}},
		{"renamed", sending, []hien.Event{event(t, 19, hien.Renamed, consent.ContactZalo, happened, hien.Facts{Zone: "guest", Previous: former}, given(t, consent.ContactZalo))}},
		{"renamed-visit", sending, []hien.Event{event(t, 20, hien.StoreVisited, consent.VisitFrequency, happened, hien.Facts{Zone: "guest", Previous: former, Visit: &hien.VisitFacts{Number: 4}}, given(t, consent.VisitFrequency))}},
		{"renamed-withdrawal", sending, []hien.Event{event(t, 21, hien.Withdrawn, "", happened, hien.Facts{Previous: former, Withdrawn: all}, given(t, all...).Without())}},
		{"erasure", sending, []hien.Event{event(t, 22, hien.Erased, "", happened, hien.Facts{Erased: all}, consent.Consent{})}},
		{"several", sending, []hien.Event{
			event(t, 16, hien.Withdrawn, "", happened, hien.Facts{Withdrawn: all}, given(t, all...).Without()),
			event(t, 17, hien.LeadGiven, consent.ContactZalo, happened, lead, given(t, consent.ContactZalo)),
			event(t, 18, hien.ConsentChanged, consent.ContactZalo, guessed, zone, given(t, consent.ContactZalo)),
		}},
	} {
		t.Run(test.golden, func(t *testing.T) {
			text, err := cdp.Encode(key, test.events, test.now)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := json.Indent(&got, text, "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			path := filepath.Join("testdata", test.golden+".json")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
			holdsTheRules(t, text)
		})
	}
}

// holdsTheRules checks what every batch has to keep.
func holdsTheRules(t *testing.T, text []byte) {
	t.Helper()
	var b struct {
		WriteKey string           `json:"writeKey"`
		Batch    []map[string]any `json:"batch"`
	}
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if b.WriteKey != key {
		t.Errorf("writeKey %q", b.WriteKey)
	}
	for _, call := range b.Batch {
		id, second := strings.CutSuffix(call["messageId"].(string), ".2")
		user := person
		if second && call["type"] == "track" { // a withdrawal under the key of before
			user = former
		}
		if call["userId"] != string(user) || call["anonymousId"] != nil {
			t.Errorf("userId %v, anonymousId %v", call["userId"], call["anonymousId"])
		}
		if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Errorf("messageId %v", call["messageId"])
		}
		c := call["context"].(map[string]any)
		for _, name := range []string{"ip", "device", "userAgent"} {
			if c[name] != nil {
				t.Errorf("context.%s is %v", name, c[name])
			}
		}
		preferences := c["consent"].(map[string]any)["categoryPreferences"].(map[string]any)
		management := c["consentManagement"].(map[string]any)
		if len(preferences) != 4 || len(management["allowedConsentIds"].([]any))+len(management["deniedConsentIds"].([]any)) != 4 {
			t.Errorf("not every purpose that was asked has its answer: %v, %v", preferences, management)
		}
		if name, _ := call["event"].(string); len(name) > 64 { // Jitsu's limit, below Segment's 128
			t.Errorf("event %q is %d long", name, len(name))
		}
	}
	if strings.Contains(string(text), "5000000000000") {
		t.Error("the subject's name goes upstream")
	}
}

func TestAnEventThatIsNotAllowedIsNotWritten(t *testing.T) {
	e := event(t, 1, hien.StoreVisited, consent.VisitFrequency, happened, hien.Facts{}, given(t, consent.ContactZalo))
	if text, err := cdp.Encode(key, []hien.Event{e}, sending); err == nil {
		t.Errorf("got %s", text)
	}
	odd := event(t, 1, "coffee", consent.VisitFrequency, happened, hien.Facts{}, given(t, consent.VisitFrequency))
	if text, err := cdp.Encode(key, []hien.Event{odd}, sending); err == nil {
		t.Errorf("unknown kind: got %s", text)
	}
}
