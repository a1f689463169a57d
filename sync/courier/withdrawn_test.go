package courier_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/sync/cdp"
	"github.com/hien-wifi/hien/sync/courier"
)

const people = 60 // each gives two events

// leaver is the person who changes her mind. Her events are among the first
// hundred, that the courier reads at once.
const leaver = 45

// TestAWithdrawalBetweenTwoRequestsIsHonoured has somebody withdraw from the
// real record while the first request is under way. Whatever becomes of that
// request, the next one begins with the withdrawal, and none holds an event of
// the purpose that was withdrawn.
func TestAWithdrawalBetweenTwoRequestsIsHonoured(t *testing.T) {
	for _, test := range []struct {
		name   string
		sealed int // bytes of a sealed number
		first  answer
	}{
		{"the first batch is taken, and not all fit into it", 20 << 10, answer{200, `{"success":true}`}},
		{"the first batch is refused together", 100, answer{400, "invalid event"}},
		{"the first batch is too large", 100, answer{413, ""}},
		{"the first batch is refused by nobody's name", 100, answer{200, `{"ok":false}`}},
		{"the platform is in trouble", 100, answer{503, ""}},
		{"the key is wrong for a while", 100, answer{401, ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := record(t)
				for n := range people {
					join(t, store, n, test.sealed)
				}
				server := &script{first: test.first}
				server.meanwhile = func() { withdraw(t, store, leaver) }
				sink, err := cdp.New(cdp.Options{URL: "https://cdp.example", WriteKey: "a-key-of-the-test", Transport: server})
				if err != nil {
					t.Fatal(err)
				}
				c := courier.New(store, sink, now, slog.New(slog.DiscardHandler))
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- c.Run(ctx) }()
				pass(2 * courier.SlowRetry)
				cancel()
				if err := <-done; err != nil {
					t.Errorf("Run: %v", err)
				}
				server.honours(t, c.State().Delivered)
				if left, err := store.Batch(t.Context(), 1, now()); len(left) != 0 || err != nil {
					t.Errorf("%d events wait (%v), want none", len(left), err)
				}
			})
		})
	}
}

type answer struct {
	status int
	body   string
}

// A script is a platform that answers the first request as it is told, and
// takes everything else.
type script struct {
	first     answer
	meanwhile func() // while the first request is under way
	posts     [][]sent
}

// sent is an event as the platform reads it.
type sent struct {
	User       hien.LeadKey `json:"userId"`
	Traits     facts        `json:"traits"`
	Properties facts        `json:"properties"`
	Context    struct {
		Consent struct {
			Categories map[consent.Purpose]bool `json:"categoryPreferences"`
		} `json:"consent"`
	} `json:"context"`
}

type facts struct {
	Purpose   consent.Purpose   `json:"purpose"`
	Withdrawn []consent.Purpose `json:"withdrawn"`
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	var body struct {
		Batch []sent `json:"batch"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	s.posts = append(s.posts, body.Batch)
	a := answer{200, `{"ok":true}`}
	if len(s.posts) == 1 {
		a = s.first
		s.meanwhile()
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewBufferString(a.body)), Request: r}, nil
}

// honours checks what came after the withdrawal.
func (s *script) honours(t *testing.T, delivered int) {
	t.Helper()
	if len(s.posts) < 2 {
		t.Fatalf("%d requests, want more", len(s.posts))
	}
	if w := s.posts[1][0]; w.User != lead(leaver) || len(w.Properties.Withdrawn) != 1 || w.Properties.Withdrawn[0] != consent.ContactZalo {
		t.Errorf("the request after the withdrawal begins with %+v, want the withdrawal", w)
	}
	told := 0
	for n, post := range s.posts[1:] {
		for _, e := range post {
			if e.User != lead(leaver) {
				continue
			}
			told++
			if e.Traits.Purpose == consent.ContactZalo || e.Properties.Purpose == consent.ContactZalo {
				t.Errorf("request %d holds an event of the purpose that was withdrawn", n+2)
			}
			if zalo, said := e.Context.Consent.Categories[consent.ContactZalo]; zalo || !said {
				t.Errorf("request %d does not say that the purpose was withdrawn", n+2)
			}
		}
	}
	if told < 2 { // the withdrawal, and what she still agrees to
		t.Errorf("%d events of hers were told, want at least 2", told)
	}
	if want := 2 * people; delivered != want { // one less, and the withdrawal
		t.Errorf("%d events were delivered, want %d", delivered, want)
	}
}

func record(t *testing.T) *sqlite.Store {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), sqlite.FileName), sqlite.Options{Signer: consent.NewSigner(key)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func lead(n int) hien.LeadKey { return hien.LeadKey(fmt.Sprintf("k1:%064x", n)) }

func receipt(n int) consent.Hash { return consent.Hash{byte(n), 1} }

// join has a person agree to two purposes, and tells of both.
func join(t *testing.T, store *sqlite.Store, n, sealed int) {
	t.Helper()
	err := store.OptIn(t.Context(), lead(n), func(m hien.Member) (hien.OptIn, error) {
		purposes := []consent.Purpose{consent.ContactZalo, consent.VisitFrequency}
		notice := consent.Notice{Version: "test-1", Language: "vi", Asks: []consent.Ask{{Purpose: purposes[0]}, {Purpose: purposes[1]}}}
		given, err := consent.Give(consent.NewID(), m.Consent.Subject(), notice, purposes, now())
		if err != nil {
			return hien.OptIn{}, err
		}
		o := hien.OptIn{Consent: given, Notice: notice, Statement: consent.StateConsent(given), Receipt: receipt(n),
			Sealed: hien.SealedPhone(strings.Repeat("s", sealed)), Mark: hien.Mark(fmt.Sprintf("%032x", n))}
		for _, p := range purposes {
			f := hien.Facts{Store: "hcm-q1-01"}
			if p.Reaches() {
				f.Sealed, f.SealedFor = o.Sealed, given.ID()
			}
			e, err := hien.NewEvent(given, p, hien.LeadGiven, lead(n), now(), f)
			if err != nil {
				return hien.OptIn{}, err
			}
			o.Events = append(o.Events, e)
		}
		return o, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// withdraw has a person take one of the two back. When it returns it is in
// force.
func withdraw(t *testing.T, store *sqlite.Store, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := store.Withdraw(ctx, hien.Who{Receipt: receipt(n)}, func(m hien.Member) (hien.Withdrawal, error) {
		back := []consent.Purpose{consent.ContactZalo}
		w := hien.Withdrawal{After: m.Consent.Without(back...), Purposes: back,
			Statement: consent.StateWithdrawal(consent.NewID(), m.Consent.Subject(), back, now())}
		var err error
		w.Event, err = hien.NewWithdrawal(w.After, back, m.Key, now(), hien.Facts{Store: "hcm-q1-01"})
		return w, err
	})
	if err != nil {
		t.Error(err)
	}
}
