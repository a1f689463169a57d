package sqlite

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// What the tests share: a router, a shop's notice, made-up people.

const (
	visits = consent.VisitFrequency
	zalo   = consent.ContactZalo
	sms    = consent.ContactSMS
)

var (
	routerKey = ed25519.NewKeyFromSeed([]byte("a seed of the tests, 32 bytes...")[:32])
	signer    = consent.NewSigner(routerKey)
	substance = consent.Hash(sha256.Sum256([]byte("who receives it, by which channels")))
	journals  = []journal{wal, truncate}
)

// at is a moment n minutes into the shop's day.
func at(minutes int) hien.Moment {
	up := time.Duration(minutes) * time.Minute
	return hien.Moment{Wall: time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC).Add(up), Boot: "boot-1", Up: up, InStep: true}
}

// guess is the same moment told by a clock that was never set.
func guess(minutes int) hien.Moment {
	m := at(minutes)
	m.Wall, m.InStep = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(m.Up), false
	return m
}

func asking(purposes ...consent.Purpose) consent.Notice {
	n := consent.Notice{Version: "test-1", Language: "vi", Title: "Quán Hiên", Substance: substance}
	for _, p := range purposes {
		n.Asks = append(n.Asks, consent.Ask{Purpose: p, Line: "line of " + string(p), Detail: "detail"})
	}
	return n
}

func lead(n int) hien.LeadKey {
	return hien.LeadKey(fmt.Sprintf("k1:%x", sha256.Sum256(fmt.Appendf(nil, "person %d", n))))
}

func mark(n int) hien.Mark { return hien.Mark(fmt.Sprintf("%032x", n)) }

// sealed is as long as a real sealed number.
func sealed(id consent.ID) hien.SealedPhone {
	return hien.SealedPhone(fmt.Sprintf("s1:%080s", string(id)))
}

// An application is what a person answers in a test.
type application struct {
	id     consent.ID
	person int
	device int // of the mark
	agreed []consent.Purpose
	asked  []consent.Purpose // all three when empty
	at     hien.Moment
	tells  bool // of the changed consent too, as the gateway does
}

// record builds what the gateway would record of an application.
func (a application) record(m hien.Member) (hien.OptIn, error) {
	if len(a.asked) == 0 {
		a.asked = []consent.Purpose{visits, zalo, sms}
	}
	n := asking(a.asked...)
	given, err := consent.Give(a.id, m.Consent.Subject(), n, a.agreed, a.at)
	if err != nil {
		return hien.OptIn{}, err
	}
	o := hien.OptIn{Consent: given, Notice: n, Statement: consent.StateConsent(given), Receipt: receipt(a.id),
		Commitments: map[string]consent.Commitment{
			"address": consent.Commit("10.0.0.7"),
			"device":  consent.Commit(fmt.Sprintf("evidence of device %d", a.device)),
			"browser": consent.Commit("Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"),
			"number":  consent.Commit(string(lead(a.person))),
		}}
	o.Statement.Store, o.Statement.Zone, o.Statement.Channel, o.Statement.Build = "hcm-q1-01", "guest", "portal", "test"
	o.Statement.Bind(o.Commitments)
	if given.Reaches() {
		o.Sealed = sealed(a.id)
	}
	if given.Allows(visits) {
		o.Mark = mark(a.device)
		o.Visit = &hien.Visit{ID: a.id, Subject: given.Subject(), Zone: "guest", Start: a.at, Number: m.Visits + 1}
	}
	standing := given.Over(m.Consent)
	if a.tells {
		e, err := hien.NewEvent(standing, a.agreed[0], hien.ConsentChanged, lead(a.person), a.at, hien.Facts{Store: "hcm-q1-01", Zone: "guest"})
		if err != nil {
			return hien.OptIn{}, err
		}
		o.Events = append(o.Events, e)
	}
	for _, p := range a.agreed {
		f := hien.Facts{Store: "hcm-q1-01", Zone: "guest"}
		if p.Reaches() {
			f.Sealed, f.SealedFor = o.Sealed, a.id
		}
		e, err := hien.NewEvent(standing, p, hien.LeadGiven, lead(a.person), a.at, f)
		if err != nil {
			return hien.OptIn{}, err
		}
		o.Events = append(o.Events, e)
	}
	return o, nil
}

func receipt(id consent.ID) consent.Hash { return sha256.Sum256([]byte("receipt of " + id)) }

func optIn(t testing.TB, s *Store, a application) {
	t.Helper()
	if err := s.OptIn(t.Context(), lead(a.person), a.record); err != nil {
		t.Fatalf("opt in %s: %v", a.id, err)
	}
}

// takeBack withdraws as the gateway does; no purposes means all.
func takeBack(ctx context.Context, s *Store, who hien.Who, now hien.Moment, purposes ...consent.Purpose) error {
	return s.Withdraw(ctx, who, func(m hien.Member) (hien.Withdrawal, error) { return withdrawalOf(m, now, purposes...) })
}

// withdrawalOf is what the gateway records of a withdrawal.
func withdrawalOf(m hien.Member, now hien.Moment, purposes ...consent.Purpose) (hien.Withdrawal, error) {
	var back []consent.Purpose
	for _, a := range m.Consent.Answers() {
		if a.Agreed && (len(purposes) == 0 || slices.Contains(purposes, a.Purpose)) {
			back = append(back, a.Purpose)
		}
	}
	if len(back) == 0 {
		return hien.Withdrawal{}, hien.ErrUnchanged
	}
	w := hien.Withdrawal{After: m.Consent.Without(back...), Purposes: back,
		Statement: consent.StateWithdrawal(consent.NewID(), m.Consent.Subject(), back, now)}
	w.Statement.Store, w.Statement.Channel = "hcm-q1-01", "portal"
	var err error
	w.Event, err = hien.NewWithdrawal(w.After, back, m.Key, now, hien.Facts{Store: "hcm-q1-01"})
	return w, err
}

// forgetAs erases as the gateway does.
func forgetAs(ctx context.Context, s *Store, who hien.Who, now hien.Moment) (hien.Gone, error) {
	return s.Erase(ctx, who, func(names []hien.Person) (hien.Erasure, error) {
		var e hien.Erasure
		var asked []consent.Purpose
		for _, p := range names {
			for _, a := range p.Consent.Answers() {
				asked = append(asked, a.Purpose)
			}
			st := consent.StateErasure(consent.NewID(), p.Consent.Subject(), asked, now)
			st.Store, st.Channel = "hcm-q1-01", "portal"
			e.Statements = append(e.Statements, st)
			for _, key := range p.Keys {
				if !slices.Contains(e.Keys, key) {
					e.Keys = append(e.Keys, key)
				}
			}
		}
		for _, key := range e.Keys {
			told, err := hien.NewErasure(asked, key, now, hien.Facts{Store: "hcm-q1-01"})
			if err != nil {
				return e, err
			}
			e.Events = append(e.Events, told)
		}
		return e, nil
	})
}

func erase(t testing.TB, s *Store, who hien.Who, now hien.Moment) hien.Gone {
	t.Helper()
	gone, err := forgetAs(t.Context(), s, who, now)
	if err != nil {
		t.Fatalf("erase: %v", err)
	}
	return gone
}

// visited makes a visit's event as the gateway does.
func visited(m hien.Member, v hien.Visit, since time.Duration) (hien.Event, error) {
	f := hien.VisitFacts{Number: v.Number, SinceLast: since}
	if v.End.Boot == v.Start.Boot {
		f.Stayed = v.End.Up - v.Start.Up
	}
	return hien.NewEvent(m.Consent, visits, hien.StoreVisited, m.Key, v.End, hien.Facts{Store: "hcm-q1-01", Zone: v.Zone, Visit: &f})
}

// stay is a device's stay between two minutes.
func stay(device, from, to int, visit consent.ID) hien.EndedStay {
	return hien.EndedStay{Zone: "guest", Mark: mark(device), Stay: hien.Stay{Start: at(from), Last: at(to), Visit: visit}}
}

// begin opens a store on a fresh file, with the default journal unless
// another is asked for.
func begin(t testing.TB, opts ...func(*Options)) *Store {
	t.Helper()
	return reopen(t, filepath.Join(t.TempDir(), FileName), opts...)
}

func reopen(t testing.TB, path string, opts ...func(*Options)) *Store {
	t.Helper()
	o := Options{Signer: signer}
	for _, opt := range opts {
		opt(&o)
	}
	s, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func with(j journal) func(*Options) { return func(o *Options) { o.set.journal = j } }

// impatient waits for nobody who holds the file.
func impatient(o *Options) { o.set.wait = time.Millisecond }

func batch(t testing.TB, s *Store, now hien.Moment) []hien.Event {
	t.Helper()
	b, err := s.Batch(t.Context(), 1000, now)
	if err != nil {
		t.Fatalf("batch: %v", err)
	}
	return b
}

// told writes a batch for comparison: "lead contact_zalo", "withdrawal".
func told(events []hien.Event) []string {
	var s []string
	for _, e := range events {
		word := string(e.Kind())
		if e.Purpose() != "" {
			word += " " + string(e.Purpose())
		}
		s = append(s, word)
	}
	return s
}

func number(t testing.TB, s *Store, query string, args ...any) (n int) {
	t.Helper()
	if err := s.db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantList[T comparable](t testing.TB, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func subjectOf(t testing.TB, s *Store, person int) consent.ID {
	t.Helper()
	var id consent.ID
	if err := s.db.QueryRowContext(t.Context(), "SELECT subject FROM people WHERE lead_key = ?", lead(person)).Scan(&id); err != nil {
		t.Fatalf("lead of person %d: %v", person, err)
	}
	return id
}

func verify(t testing.TB, s *Store) {
	t.Helper()
	if _, err := s.Verify(t.Context(), signer.Public()); err != nil {
		t.Errorf("the ledger does not verify: %v", err)
	}
}

var all = []consent.Purpose{visits, zalo}

func consentID[T any](n T) consent.ID { return consent.ID(fmt.Sprintf("consent-%v", n)) }

func decimal(n int) string { return fmt.Sprint(n) }
