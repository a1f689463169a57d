package sqlite

import (
	"maps"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func TestStockCountsPeopleOnce(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 1, device: 2, agreed: all, at: at(1)}) // on another device
	optIn(t, s, application{id: "c3", person: 2, device: 3, agreed: []consent.Purpose{zalo}, at: at(2)})
	optIn(t, s, application{id: "c4", person: 3, device: 4, agreed: []consent.Purpose{sms}, at: at(3)})
	if err := takeBack(t.Context(), s, hien.Who{Subject: subjectOf(t, s, 3)}, at(4)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Stock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := map[consent.Purpose]int{visits: 1, zalo: 2}; !maps.Equal(got.ByPurpose, want) {
		t.Errorf("by purpose: %v; want %v", got.ByPurpose, want)
	}
	for what, n := range map[string][2]int{"people": {got.People, 3}, "leads": {got.Leads, 2}, "sealed": {got.Sealed, 2}, "marks": {got.Marks, 2},
		"visits": {got.Visits, 2}, "ledger": {got.Ledger, 5}, "proofs": {got.Proofs, 4}, "receipts": {got.Receipts, 4}} {
		if n[0] != n[1] {
			t.Errorf("%s: %d; want %d", what, n[0], n[1])
		}
	}
	want(t, "on their way", got.Queue, number(t, s, "SELECT count(*) FROM events"))
	want(t, "erasures", got.Erasures, 0)

	if _, err := forgetAs(t.Context(), s, hien.Who{Subject: subjectOf(t, s, 2)}, at(5)); err != nil {
		t.Fatal(err)
	}
	if got, err = s.Stock(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "erasures on their way", got.Erasures, 1)
	want(t, "on their way but for erasures", got.Queue, number(t, s, "SELECT count(*) FROM events")-1)
}
