package sqlite

import (
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// renamed is the lead key of a person under the next brand key.
func renamed(n int) hien.LeadKey { return "k2" + lead(n)[2:] }

func TestComingBackUnderTheNextBrandKey(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(1)})
	subject := subjectOf(t, s, 1)

	back := application{id: "c3", person: 1, device: 1, agreed: []consent.Purpose{visits}, asked: []consent.Purpose{visits}, at: at(60)}
	var seen hien.Member
	err := s.OptIn(t.Context(), renamed(1), func(m hien.Member) (hien.OptIn, error) {
		seen = m
		return back.record(m)
	}, lead(1), "k0:never")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the same person", seen.Consent.Subject(), subject)
	want(t, "its key", seen.Key, renamed(1))
	want(t, "its key before", seen.Previous, lead(1))
	want(t, "what stood before", seen.Consent.Allows(zalo), true)

	m, err := s.Member(t.Context(), mark(1))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the key in the record", m.Key, renamed(1))
	want(t, "the key before in the record", m.Previous, lead(1))
	want(t, "people", number(t, s, "SELECT count(*) FROM people"), 2)
	versions, err := s.KeyVersions(t.Context())
	if err != nil || versions["k1"] != 1 || versions["k2"] != 1 || len(versions) != 2 {
		t.Errorf("leads by key: %v, %v; want one of k1 and one of k2", versions, err)
	}

	// Once more, and after that with the old key out of the file.
	for i, earlier := range [][]hien.LeadKey{{lead(1)}, nil} {
		again := application{id: consentID(i), person: 1, device: 1, agreed: []consent.Purpose{visits}, at: at(120 + i)}
		if err := s.OptIn(t.Context(), renamed(1), func(m hien.Member) (hien.OptIn, error) {
			want(t, "the key before, again", m.Previous, lead(1))
			return again.record(m)
		}, earlier...); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "people", number(t, s, "SELECT count(*) FROM people"), 2)

	// With the last purpose both names go.
	if err := takeBack(t.Context(), s, hien.Who{Subject: subject}, at(200)); err != nil {
		t.Fatal(err)
	}
	want(t, "names of who withdrew", number(t, s, "SELECT count(*) FROM people WHERE subject = ? AND coalesce(lead_key, previous_key) IS NOT NULL", subject), 0)
	verify(t, s)
}
