package sqlite

import (
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func permissions(t *testing.T, s *Store, purpose consent.Purpose) (all []Permission) {
	t.Helper()
	for p, err := range s.Permissions(t.Context(), purpose) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestWhatLeadsAllowIsExported(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: []consent.Purpose{zalo}, at: at(1)})
	optIn(t, s, application{id: "c3", person: 3, device: 3, agreed: all, at: at(2)})
	lost := guess(90)
	lost.Boot = "boot-0" // whose clock was never set
	optIn(t, s, application{id: "c4", person: 1, device: 1, agreed: []consent.Purpose{sms}, asked: []consent.Purpose{sms}, at: lost})
	endStays(t, s, at(60), stay(1, 0, 40, "c1"))
	if err := takeBack(t.Context(), s, hien.Who{Subject: subjectOf(t, s, 2)}, at(100)); err != nil {
		t.Fatal(err)
	}
	if err := takeBack(t.Context(), s, hien.Who{Subject: subjectOf(t, s, 3)}, at(100), zalo); err != nil {
		t.Fatal(err)
	}
	type row struct {
		key       hien.LeadKey
		purpose   consent.Purpose
		proof     consent.ID
		sealedFor consent.ID
		sealed    bool
		visits    int
		sure      bool
	}
	var got []row
	for _, p := range permissions(t, s, "") {
		got = append(got, row{p.Key, p.Purpose, p.Proof, p.SealedFor, p.Sealed != "", p.Visits, p.Since.InStep})
		want(t, "version of the notice", p.Notice, "test-1")
		want(t, "substance of the notice", p.Substance, substance)
		want(t, "a visit, and when the last was", p.Visits > 0, p.LastVisit != nil)
	}
	wantList(t, "what is allowed", got,
		row{lead(1), sms, "c4", "c4", true, 0, false},
		row{lead(1), zalo, "c1", "c4", true, 0, true}, // the number was sealed anew
		row{lead(1), visits, "c1", "", false, 1, true},
		row{lead(3), visits, "c3", "", false, 1, true})
	want(t, "for one purpose", len(permissions(t, s, visits)), 2)
	want(t, "for one that nobody allows", len(permissions(t, s, consent.AdsAudience)), 0)
}

// TestWhoWithdrawsDuringAnExportIsNotInIt holds that each page is looked up
// when it is read (R-CON-7), and that the record is free meanwhile.
func TestWhoWithdrawsDuringAnExportIsNotInIt(t *testing.T) {
	s := begin(t)
	const people = exportPage + 3
	for i := range people {
		optIn(t, s, application{id: consentID(i), person: i, device: i, agreed: []consent.Purpose{zalo}, at: at(i)})
	}
	last := lead(people - 1)
	n := 0
	for p, err := range s.Permissions(t.Context(), zalo) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			if err := takeBack(t.Context(), s, hien.Who{Subject: subjectOf(t, s, people-1)}, at(people)); err != nil {
				t.Fatal(err)
			}
		}
		if p.Key == last {
			t.Error("somebody who withdrew while the export ran is in it")
		}
	}
	want(t, "people in the export", n, people-1)
}
