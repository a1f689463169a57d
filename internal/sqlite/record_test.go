package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func TestAnOptInIsRecordedWhole(t *testing.T) {
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			s := begin(t, with(j))
			a := application{id: "c1", person: 1, device: 7, agreed: all, at: at(3)}
			optIn(t, s, a)
			s.Close()
			s = reopen(t, s.path) // what follows was durable

			m, err := s.Member(t.Context(), mark(7))
			if err != nil {
				t.Fatal(err)
			}
			want(t, "known", m.Known(), true)
			want(t, "key", m.Key, lead(1))
			want(t, "sealed", m.Sealed, sealed("c1"))
			want(t, "visits", m.Visits, 1)
			want(t, "last visit", m.LastVisit, at(3))
			want(t, "consent", m.Consent.ID(), "c1")
			want(t, "answered at", m.Consent.At(), at(3))
			wantList(t, "answers", m.Consent.Answers(),
				consent.Answer{Purpose: sms}, consent.Answer{Purpose: zalo, Agreed: true}, consent.Answer{Purpose: visits, Agreed: true})

			r, err := s.Receipt(t.Context(), receipt("c1"))
			if err != nil {
				t.Fatal(err)
			}
			want(t, "receipt's consent", r.Given.ID(), "c1")
			want(t, "receipt's wording", r.Notice, asking(visits, zalo, sms).Text())
			wantList(t, "given", r.Given.Answers(), m.Consent.Answers()...)
			wantList(t, "standing", r.Standing.Answers(), m.Consent.Answers()...)

			wantList(t, "queue", told(batch(t, s, at(4))), "lead visit_frequency", "lead contact_zalo")
			verify(t, s)

			var beside map[string]consent.Commitment
			var text []byte
			if err := s.db.QueryRow("SELECT named FROM commitments WHERE seq = 1").Scan(&text); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &beside); err != nil {
				t.Fatal(err)
			}
			for e := range s.Entries(t.Context()) {
				st, err := e.Statement()
				if err != nil {
					t.Fatal(err)
				}
				want(t, "commitments", len(beside), len(st.Commitments))
				for name, c := range beside {
					want(t, "commitment "+name, c.Hash(), st.Commitments[name])
				}
			}
		})
	}
}

func TestNobodyIsTheZeroMember(t *testing.T) {
	s := begin(t)
	m, err := s.Member(t.Context(), mark(1))
	if err != nil || m.Known() {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, err := s.Receipt(t.Context(), receipt("none")); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("receipt: got %v, want ErrNoReceipt", err)
	}
	if _, err := s.Receipt(t.Context(), consent.Hash{}); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("empty receipt: got %v, want ErrNoReceipt", err)
	}
}

func TestTheSameOptInTwiceIsRecordedOnce(t *testing.T) {
	s := begin(t)
	a := application{id: "c1", person: 1, device: 7, agreed: all, at: at(3)}
	for range 3 {
		optIn(t, s, a)
	}
	for table, n := range map[string]int{"ledger": 1, "consents": 1, "people": 1, "marks": 1, "visits": 1, "events": 2, "notices": 1} {
		want(t, "rows of "+table, number(t, s, "SELECT count(*) FROM "+table), n)
	}
}

func TestAnOptInThatCannotBeMadeLeavesNothing(t *testing.T) {
	s := begin(t)
	mine := errors.New("no seal key")
	err := s.OptIn(t.Context(), lead(1), func(hien.Member) (hien.OptIn, error) { return hien.OptIn{}, mine })
	if err != mine {
		t.Errorf("got %v, want the caller's own error", err)
	}
	err = s.OptIn(t.Context(), lead(1), func(m hien.Member) (hien.OptIn, error) {
		o, err := application{id: "c1", person: 1, agreed: all, at: at(0)}.record(m)
		o.Notice.Title = "another wording"
		return o, err
	})
	if err == nil {
		t.Error("a consent to another wording was taken")
	}
	want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 0)
	want(t, "leads", number(t, s, "SELECT count(lead_key) FROM people"), 0)
}

func TestTwoPhonesWithOneNumberAtOnceAreOnePerson(t *testing.T) {
	s := begin(t)
	var wg sync.WaitGroup
	for device := 1; device <= 8; device++ {
		wg.Go(func() {
			a := application{id: consentID(device), person: 1, device: device, agreed: all, at: at(device)}
			if err := s.OptIn(t.Context(), lead(1), a.record); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for table, n := range map[string]int{"people": 1, "marks": 8, "ledger": 8, "visits": 8} {
		want(t, "rows of "+table, number(t, s, "SELECT count(*) FROM "+table), n)
	}
	first, _ := s.Member(t.Context(), mark(1))
	last, err := s.Member(t.Context(), mark(8))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "subject", last.Consent.Subject(), first.Consent.Subject())
	verify(t, s)
}

func TestALaterAnswerLiesOverTheEarlier(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: []consent.Purpose{visits, zalo}, at: at(0)})
	optIn(t, s, application{id: "c2", person: 1, device: 1, asked: []consent.Purpose{sms}, agreed: []consent.Purpose{sms}, at: at(1)})
	m, err := s.Member(t.Context(), mark(1))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "under the latest consent", m.Consent.ID(), "c2")
	for _, p := range []consent.Purpose{visits, zalo, sms} {
		want(t, "allows "+string(p), m.Consent.Allows(p), true)
	}
	r, err := s.Receipt(t.Context(), receipt("c1"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "given then", r.Given.Allows(sms), false)
	want(t, "standing now", r.Standing.Allows(sms), true)
}

// Who leaves a box unticked that was ticked before takes that purpose back.
func TestAPurposeRefusedLaterIsTakenBackWhole(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: []consent.Purpose{visits, zalo}, at: at(0)})
	optIn(t, s, application{id: "c2", person: 1, device: 1, agreed: []consent.Purpose{sms}, at: at(1)})
	wantList(t, "queue", told(batch(t, s, at(2))), "lead contact_sms")
	want(t, "marks", number(t, s, "SELECT count(*) FROM marks"), 0)
	want(t, "visits", number(t, s, "SELECT count(*) FROM visits"), 0)
	want(t, "sealed for the new consent", number(t, s, "SELECT count(*) FROM people JOIN consents ON seq = sealed_for WHERE id = 'c2'"), 1)

	optIn(t, s, application{id: "c3", person: 1, device: 1, agreed: []consent.Purpose{visits}, at: at(2)})
	want(t, "sealed when nothing reaches the person", number(t, s, "SELECT count(sealed) FROM people"), 0)
}

func TestWhoAgreesToNothingIsNoLead(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, at: at(0)})
	want(t, "leads", number(t, s, "SELECT count(lead_key) FROM people"), 0)
	want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 1)
}

func TestADeviceThatChangesHandsIsItsNewOwners(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 1, agreed: all, at: at(1)})
	m, err := s.Member(t.Context(), mark(1))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "member", m.Key, lead(2))
}

func TestAWithdrawalIsCarriedOut(t *testing.T) {
	for _, c := range []struct {
		name                  string
		back                  []consent.Purpose
		marks, visits, sealed int
		leads                 int
		queue                 []string
	}{
		{"of counting visits forgets marks and visits", []consent.Purpose{visits}, 0, 0, 1, 1, []string{"withdrawal", "lead contact_zalo"}},
		{"of the last purpose that reaches the person drops the number", []consent.Purpose{zalo}, 1, 1, 0, 1, []string{"withdrawal", "lead visit_frequency"}},
		{"of everything forgets the lead", nil, 0, 0, 0, 0, []string{"withdrawal"}},
	} {
		for _, j := range journals {
			t.Run(c.name+" ("+string(j)+")", func(t *testing.T) {
				s := begin(t, with(j))
				optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
				subject := subjectOf(t, s, 1)
				if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c1")}, at(1), c.back...); err != nil {
					t.Fatal(err)
				}
				want(t, "marks", number(t, s, "SELECT count(*) FROM marks"), c.marks)
				want(t, "visits", number(t, s, "SELECT count(*) FROM visits"), c.visits)
				want(t, "sealed", number(t, s, "SELECT count(sealed) FROM people"), c.sealed)
				want(t, "leads", number(t, s, "SELECT count(lead_key) FROM people"), c.leads)
				wantList(t, "queue", told(batch(t, s, at(2))), c.queue...)
				verify(t, s)

				r, err := s.Receipt(t.Context(), receipt("c1"))
				if err != nil {
					t.Fatal(err)
				}
				want(t, "the receipt's subject", r.Standing.Subject(), subject)
				for _, p := range all {
					want(t, "stands: "+string(p), r.Standing.Allows(p), len(c.back) > 0 && !slices.Contains(c.back, p))
				}
			})
		}
	}
}

func TestAWithdrawalFindsThePersonOrSaysSo(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	for name, who := range map[string]hien.Who{
		"an unknown receipt": {Receipt: receipt("c2")}, "an unknown subject": {Subject: consent.NewID()}, "nobody": {},
	} {
		if err := takeBack(t.Context(), s, who, at(1)); !errors.Is(err, hien.ErrNoReceipt) {
			t.Errorf("%s: got %v, want ErrNoReceipt", name, err)
		}
	}
	who := hien.Who{Subject: subjectOf(t, s, 1)}
	if err := takeBack(t.Context(), s, who, at(1)); err != nil {
		t.Errorf("by subject: %v", err)
	}
	if err := takeBack(t.Context(), s, who, at(2)); err != hien.ErrUnchanged {
		t.Errorf("again: got %v, want the caller's ErrUnchanged", err)
	}
	want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 2)
}

// After everything was taken back the person may come again: as a new one,
// whom nothing ties to the old.
func TestWhoComesBackAfterAWithdrawalIsANewSubject(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	old := subjectOf(t, s, 1)
	if err := takeBack(t.Context(), s, hien.Who{Subject: old}, at(1)); err != nil {
		t.Fatal(err)
	}
	optIn(t, s, application{id: "c2", person: 1, device: 1, agreed: all, at: at(2)})
	if subjectOf(t, s, 1) == old {
		t.Error("the subject is the old one")
	}
	wantList(t, "queue", told(batch(t, s, at(3))), "withdrawal", "lead visit_frequency", "lead contact_zalo")
}

// By whatever names a person who came again, a withdrawal reaches each name for
// which something stands, and no other person.
func TestAWithdrawalReachesEveryName(t *testing.T) {
	for what, c := range map[string]struct {
		who  func(first, second consent.ID) hien.Who
		back []consent.Purpose
		left int
		err  error
	}{
		"by the first receipt":         {who: func(_, _ consent.ID) hien.Who { return hien.Who{Receipt: receipt("c1")} }},
		"by the second receipt":        {who: func(_, _ consent.ID) hien.Who { return hien.Who{Receipt: receipt("c2")} }},
		"by the first subject":         {who: func(first, _ consent.ID) hien.Who { return hien.Who{Subject: first} }},
		"by the second subject":        {who: func(_, second consent.ID) hien.Who { return hien.Who{Subject: second} }},
		"by the number":                {who: func(_, _ consent.ID) hien.Who { return hien.Who{Key: lead(1)} }},
		"by an earlier key":            {who: func(_, _ consent.ID) hien.Who { return hien.Who{Receipt: receipt("c1"), Also: []hien.LeadKey{lead(1)}} }},
		"one purpose":                  {who: func(_, _ consent.ID) hien.Who { return hien.Who{Receipt: receipt("c1")} }, back: []consent.Purpose{zalo}, left: 1},
		"the first name and no other":  {who: func(first, _ consent.ID) hien.Who { return hien.Who{Subject: first, Alone: true} }, left: 2, err: hien.ErrUnchanged},
		"the second name and no other": {who: func(_, second consent.ID) hien.Who { return hien.Who{Subject: second, Alone: true} }},
		"what stands under neither":    {who: func(_, _ consent.ID) hien.Who { return hien.Who{Receipt: receipt("c1")} }, back: []consent.Purpose{"ads_audience"}, left: 2, err: hien.ErrUnchanged},
	} {
		t.Run(what, func(t *testing.T) {
			s := begin(t)
			optIn(t, s, application{id: "other", person: 2, device: 2, agreed: all, at: at(0)})
			optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
			first := subjectOf(t, s, 1)
			if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c1")}, at(1)); err != nil {
				t.Fatal(err)
			}
			optIn(t, s, application{id: "c2", person: 1, device: 1, agreed: all, at: at(2)})
			second := subjectOf(t, s, 1)
			before := number(t, s, "SELECT count(*) FROM ledger")
			if err := takeBack(t.Context(), s, c.who(first, second), at(3), c.back...); err != c.err {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			stands := func(subject consent.ID) int {
				standing, err := s.Standing(t.Context(), subject)
				if err != nil {
					t.Fatal(err)
				}
				return len(standing.Agreed())
			}
			want(t, "stands under the first name", stands(first), 0)
			want(t, "stands under the second", stands(second), c.left)
			want(t, "stands of somebody else", stands(subjectOf(t, s, 2)), 2)
			want(t, "new entries", number(t, s, "SELECT count(*) FROM ledger")-before, map[bool]int{true: 1}[c.err == nil])
			waits := 0
			for _, e := range batch(t, s, at(4)) {
				if e.User() == lead(1) && e.Kind() != hien.Withdrawn {
					waits++
				}
			}
			want(t, "events that are still sent", waits, c.left)
			verify(t, s)
		})
	}
}

// Two names for which something stands are taken back with one word, or not at
// all.
func TestAWithdrawalOfTwoNamesIsOneTransaction(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(1)})
	who := hien.Who{Receipt: receipt("c1"), Also: []hien.LeadKey{lead(2)}} // of another brand key, say
	stop, names := errors.New("stop"), 0
	err := s.Withdraw(t.Context(), who, func(m hien.Member) (w hien.Withdrawal, err error) {
		if names++; names == 2 {
			return w, stop
		}
		return withdrawalOf(m, at(2))
	})
	if err != stop {
		t.Errorf("got %v, want the caller's error", err)
	}
	want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 2)
	want(t, "stands", number(t, s, "SELECT count(*) FROM standing WHERE agreed = 1"), 4)
	if err := takeBack(t.Context(), s, who, at(3)); err != nil {
		t.Fatal(err)
	}
	want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 4)
	want(t, "stands", number(t, s, "SELECT count(*) FROM standing WHERE agreed = 1"), 0)
	wantList(t, "queue", told(batch(t, s, at(4))), "withdrawal", "withdrawal")
}

// What was erased is in no byte of the record's files.
func TestWhatWasErasedIsInNoFile(t *testing.T) {
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			s := begin(t, with(j))
			for i := range 10 {
				optIn(t, s, application{id: consentID(i), person: i, device: 1000 + i, agreed: all, at: at(i)})
			}
			secret := string(sealed(consentID(3)))
			found := func() (in []string) {
				for _, end := range []string{"", "-wal", "-journal"} {
					b, err := os.ReadFile(s.path + end)
					if err == nil && (bytes.Contains(b, []byte(secret)) || bytes.Contains(b, []byte(mark(1003)))) {
						in = append(in, FileName+end)
					}
				}
				return in
			}
			if len(found()) == 0 {
				t.Fatal("the scan does not find what is there")
			}
			if err := takeBack(t.Context(), s, hien.Who{Subject: subjectOf(t, s, 3)}, at(20)); err != nil {
				t.Fatal(err)
			}
			wantList(t, "files that still hold it", found())
		})
	}
}

func TestACancelledOptInLeavesNothing(t *testing.T) {
	s := begin(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.OptIn(ctx, lead(1), func(m hien.Member) (hien.OptIn, error) {
		cancel()
		return application{id: "c1", person: 1, agreed: all, at: at(0)}.record(m)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 0)
	optIn(t, s, application{id: "c2", person: 1, agreed: all, at: at(0)})
}
