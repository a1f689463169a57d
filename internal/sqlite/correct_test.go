package sqlite

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// sealedAnew is the sealed number that takes the place of that of a consent.
func sealedAnew(n int, under consent.ID) hien.SealedPhone {
	return sealed("new" + under + consentID(n))
}

// correctTo changes a person's number to that of person n, as the gateway does.
func correctTo(ctx context.Context, s *Store, who hien.Who, n int, now hien.Moment) error {
	return s.Correct(ctx, who, []hien.LeadKey{lead(n)}, func(names []hien.Person) (hien.Correction, error) {
		c := hien.Correction{Key: lead(n)}
		var asked []consent.Purpose
		for _, p := range names {
			of := map[string]consent.Commitment{"number": consent.Commit(string(lead(n))), "proof": consent.Commit("code")}
			st := consent.StateCorrection(consent.NewID(), p.Consent, now)
			st.Store, st.Channel, st.Commitments = "hcm-q1-01", "portal", make(map[string]consent.Hash)
			for name, v := range of {
				st.Commitments[name] = v.Hash()
			}
			c.Names = append(c.Names, hien.CorrectedName{Statement: st, Commitments: of})
			c.Old = append(c.Old, p.Keys...)
			if !p.Consent.AllowsAny() {
				continue
			}
			if p.Consent.Reaches() {
				c.Sealed = sealedAnew(n, p.SealedFor)
			}
			for _, a := range p.Consent.Answers() {
				if asked = append(asked, a.Purpose); !a.Agreed {
					continue
				}
				f := hien.Facts{Store: "hcm-q1-01", Zone: "guest"}
				if a.Purpose.Reaches() {
					f.Sealed, f.SealedFor = c.Sealed, p.SealedFor
				}
				e, err := hien.NewEvent(p.Consent, a.Purpose, hien.LeadGiven, c.Key, now, f)
				if err != nil {
					return c, err
				}
				c.Events = append(c.Events, e)
			}
		}
		if len(c.Events) == 0 {
			return c, hien.ErrNoNumber
		}
		seen := make(map[hien.LeadKey]bool)
		old := c.Old
		c.Old = nil
		for _, key := range old {
			if seen[key] {
				continue
			}
			seen[key] = true
			c.Old = append(c.Old, key)
			told, err := hien.NewErasure(asked, key, now, hien.Facts{Store: "hcm-q1-01"})
			if err != nil {
				return c, err
			}
			c.Erasures = append(c.Erasures, told)
		}
		return c, nil
	})
}

// After a change of number no byte of the old one is in any file of the record
// but in the erasure that waits, and when that was delivered, in none.
func TestAChangedNumberLeavesNothingOfTheOldOne(t *testing.T) {
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			s := begin(t, with(j))
			optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: []consent.Purpose{visits, zalo}, at: at(0), tells: true})
			optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(1)})
			endStays(t, s, at(60), stay(1, 0, 40, "c1"))
			first := batch(t, s, at(61))
			if err := s.Park(t.Context(), map[consent.ID]string{first[0].ID(): "a poison"}, at(62)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.db.Exec("UPDATE people SET previous_key = 'k0:before' WHERE lead_key = ?", lead(1)); err != nil {
				t.Fatal(err)
			}
			bound := commitmentsOf(t, s, "c1")
			traces := map[string][]byte{"sealed number": []byte(sealed("c1")), "number's salt": base64Of(bound["number"].Salt)}
			for what, trace := range traces {
				if len(holds(t, s, trace)) == 0 {
					t.Fatalf("the %s is in no file, so that its absence would prove nothing", what)
				}
			}

			if err := correctTo(t.Context(), s, hien.Who{Receipt: receipt("c1")}, 9, at(70)); err != nil {
				t.Fatal(err)
			}
			for what, trace := range traces {
				if files := holds(t, s, trace); len(files) > 0 {
					t.Errorf("the %s is still in %v", what, files)
				}
			}
			b := batch(t, s, at(71))
			var erasures []consent.ID
			for i, e := range b {
				switch {
				case e.Kind() == hien.Erased && i == len(erasures):
					erasures = append(erasures, e.ID())
				case e.Kind() == hien.Erased:
					t.Errorf("an erasure goes after something else: %v", told(b))
				case e.User() == lead(1) || e.User() == "k0:before":
					t.Errorf("an event %s of the old key would be sent", e.Kind())
				}
			}
			want(t, "erasures", len(erasures), 2)
			if err := s.Delivered(t.Context(), erasures); err != nil {
				t.Fatal(err)
			}
			for _, key := range []hien.LeadKey{lead(1), "k0:before"} {
				if files := holds(t, s, []byte(key)); len(files) > 0 {
					t.Errorf("the old key is still in %v", files)
				}
				if _, buried, err := s.Buried(t.Context(), key); !buried || err != nil {
					t.Errorf("the old key is buried: %t, %v", buried, err)
				}
			}

			// Everything else of the person stands.
			m, err := s.Member(t.Context(), mark(1))
			if err != nil || m.Key != lead(9) || m.Previous != "" || m.Visits != 1 || m.Sealed != sealedAnew(9, "c1") || !m.Consent.Allows(visits) || !m.Consent.Allows(zalo) {
				t.Errorf("the member: %.11s, %d visits, %v, %v", m.Key, m.Visits, m.Consent.Answers(), err)
			}
			if r, err := s.Receipt(t.Context(), receipt("c1")); err != nil || !r.Standing.Allows(zalo) {
				t.Errorf("the receipt: %v", err)
			}
			now := commitmentsOf(t, s, "c1")
			if len(now) != len(bound)-1 || !bytes.Equal(now["address"].Salt, bound["address"].Salt) || now["address"].Value != bound["address"].Value {
				t.Errorf("beside the consent stands %d of %d, want all but the number", len(now), len(bound))
			}
			if m, err := s.Member(t.Context(), mark(2)); err != nil || m.Key != lead(2) || len(holds(t, s, []byte(sealed("c2")))) == 0 {
				t.Errorf("another person has changed too: %.11s, %v", m.Key, err)
			}
			want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 3)
			verify(t, s)

			// And an erasure takes the new number and its entry's proof.
			salt := base64Of(salts(t, s, 9))
			if len(holds(t, s, salt)) == 0 {
				t.Fatal("the new number's salt is in no file, so that its absence would prove nothing")
			}
			erase(t, s, hien.Who{Key: lead(9)}, at(80))
			if files := holds(t, s, salt); len(files) > 0 {
				t.Errorf("the new number's salt is still in %v", files)
			}
			want(t, "corrections", number(t, s, "SELECT count(*) FROM corrections"), 0)
		})
	}
}

// salts is the salt of the number that person n has changed to.
func salts(t *testing.T, s *Store, n int) []byte {
	t.Helper()
	people, err := s.Person(t.Context(), hien.Who{Key: lead(n)})
	if err != nil || len(people[0].Corrected) != 1 {
		t.Fatalf("the change of person %d: %v", n, err)
	}
	return people[0].Corrected[0].Commitments["number"].Salt
}

func TestAChangeOfNumberThatCannotBeChangesNothing(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(1)})
	before := told(batch(t, s, at(2)))
	who := hien.Who{Receipt: receipt("c1")}
	for what, c := range map[string]struct {
		to  int
		err error
	}{"to another's number": {2, hien.ErrTaken}, "to the same": {1, hien.ErrUnchanged}} {
		if err := correctTo(t.Context(), s, who, c.to, at(3)); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", what, err, c.err)
		}
	}
	if err := correctTo(t.Context(), s, hien.Who{Receipt: receipt("nobody")}, 9, at(3)); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("nobody: %v, want ErrNoReceipt", err)
	}
	stop := errors.New("stop")
	for what, make := range map[string]func([]hien.Person) (hien.Correction, error){
		"it is not wanted after all": func([]hien.Person) (hien.Correction, error) { return hien.Correction{}, stop },
		"a name is left out": func([]hien.Person) (hien.Correction, error) {
			return hien.Correction{Key: lead(9), Old: []hien.LeadKey{lead(1)}}, nil
		},
		"it is another person's": func([]hien.Person) (hien.Correction, error) {
			return hien.Correction{Key: lead(9), Old: []hien.LeadKey{lead(1)},
				Names: []hien.CorrectedName{{Statement: consent.StateCorrection("x", consent.Consent{}, at(3))}}}, nil
		},
		"it is no correction": func(p []hien.Person) (hien.Correction, error) {
			return hien.Correction{Key: lead(9), Old: []hien.LeadKey{lead(1)},
				Names: []hien.CorrectedName{{Statement: consent.StateErasure("x", p[0].Consent.Subject(), nil, at(3))}}}, nil
		},
		"the old key is the new one": func(p []hien.Person) (hien.Correction, error) {
			return hien.Correction{Key: lead(9), Old: []hien.LeadKey{lead(9)},
				Names: []hien.CorrectedName{{Statement: consent.StateCorrection("x", p[0].Consent, at(3))}}}, nil
		},
	} {
		if err := s.Correct(t.Context(), who, []hien.LeadKey{lead(9)}, make); err == nil {
			t.Errorf("%s: got no error", what)
		}
	}
	wantList(t, "queue", told(batch(t, s, at(4))), before...)
	want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), 2)
	want(t, "tombstones", number(t, s, "SELECT count(*) FROM tombstones"), 0)
}

// What proves a change of number is kept as long as its person, and no longer.
func TestTheProofOfAChangeGoesWithItsPerson(t *testing.T) {
	s, p := begin(t), policy(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	if err := correctTo(t.Context(), s, hien.Who{Receipt: receipt("c1")}, 9, at(1)); err != nil {
		t.Fatal(err)
	}
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c1")}, at(100)); err != nil {
		t.Fatal(err)
	}
	if people, err := s.Person(t.Context(), hien.Who{Key: lead(9)}); err != nil || len(people) != 1 {
		t.Errorf("who took back everything is not found by the new number: %v", err)
	}
	p.MaxAgeMonths, p.Retention.IdleMonths = 120, 120
	for _, e := range batch(t, s, at(101)) {
		if err := s.Delivered(t.Context(), []consent.ID{e.ID()}); err != nil {
			t.Fatal(err)
		}
	}
	wantList(t, "three years later", swept(t, s, p, monthsLater(36, 1), false), "1 people evidence_months=36", "2 proofs evidence_months=36")
	for _, table := range []string{"corrections", "commitments", "people"} {
		want(t, table, number(t, s, "SELECT count(*) FROM "+table), 0)
	}
	verify(t, s)
}
