package hien_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// rotate puts another brand key in force, with the old ones behind it.
func (p *porch) rotate(keys hien.BrandKeys) {
	p.settings.Brand, p.settings.Earlier = keys.Current(), keys.Previous()
	p.Reload(p.settings)
}

// sent empties the queue and answers what was in it.
func (p *porch) sent() []hien.Event {
	p.Helper()
	events := p.queue()
	var ids []consent.ID
	for _, e := range events {
		ids = append(ids, e.ID())
	}
	if err := p.record.Delivered(p.Context(), ids); err != nil {
		p.Fatal(err)
	}
	return events
}

func TestAPersonIsFoundUnderEitherBrandKey(t *testing.T) {
	p := newPorch(t)
	first, err := hien.NewBrandKeys(hien.NewBrandKey(1))
	if err != nil {
		t.Fatal(err)
	}
	second, err := first.Next()
	if err != nil {
		t.Fatal(err)
	}
	number := phone(t, "0987654321")
	old, current := first.Current().LeadKey(number), second.Current().LeadKey(number)

	p.rotate(first)
	p.give(device(1), "0987654321", consent.VisitFrequency)
	if events := p.sent(); len(events) != 2 || events[0].Facts().Previous != "" {
		t.Fatalf("before the rotation %v went upstream, the first with %+v; want no earlier key", kinds(events), events[0].Facts())
	}
	p.later(5 * time.Hour)
	p.tick()
	p.rotate(second)
	for _, e := range p.sent() {
		if e.User() != old || e.Facts().Previous != "" {
			t.Errorf("%s of somebody who has not come back with the number: %s, before that %q; want the old key alone", e.Kind(), e.User(), e.Facts().Previous)
		}
	}

	p.give(device(2), "0987654321", consent.VisitFrequency, consent.ContactZalo)
	events := p.sent()
	if got, want := kinds(events), []hien.EventKind{hien.Renamed, hien.ConsentChanged, hien.LeadGiven, hien.LeadGiven}; !slices.Equal(got, want) {
		t.Fatalf("coming back: %v went upstream; want %v", got, want)
	}
	for _, e := range events {
		if e.User() != current || e.Facts().Previous != old {
			t.Errorf("%s is of %s, before that %q; want %s and %s", e.Kind(), e.User(), e.Facts().Previous, current, old)
		}
		if !e.Consent().Allows(consent.VisitFrequency) {
			t.Errorf("%s: the answer that was given under the old key no longer stands", e.Kind())
		}
	}

	// Without the old key in the file it is told no more, but for the end.
	p.later(5 * time.Hour)
	p.settings.Earlier = nil
	p.Reload(p.settings)
	p.greet(device(1)) // a member's device
	p.later(5 * time.Hour)
	p.tick()
	visits := p.sent()
	if len(visits) == 0 {
		t.Fatal("no visit went upstream")
	}
	for _, e := range visits {
		if e.Kind() != hien.StoreVisited || e.User() != current || e.Facts().Previous != "" {
			t.Errorf("%s of %s, before that %q; want a visit of the current key alone", e.Kind(), e.User(), e.Facts().Previous)
		}
	}
	if err := p.Withdraw(t.Context(), hien.Who{Subject: events[0].Subject()}, nil, "test", p.now); err != nil {
		t.Fatal(err)
	}
	if end := p.sent(); len(end) != 1 || end[0].Kind() != hien.Withdrawn || end[0].User() != current || end[0].Facts().Previous != old {
		t.Errorf("the withdrawal: %v; want one, under both keys", end)
	}
	p.ledger()
}

// TestAStrangerToBothKeysIsNew holds that nobody is taken for another.
func TestAStrangerToBothKeysIsNew(t *testing.T) {
	p := newPorch(t)
	first, _ := hien.NewBrandKeys(hien.NewBrandKey(1))
	p.rotate(first)
	p.give(device(1), "0987654321", consent.VisitFrequency)
	p.sent()
	second, err := first.Next()
	if err != nil {
		t.Fatal(err)
	}
	p.rotate(second)
	p.give(device(2), "0912345678", consent.VisitFrequency)
	for _, e := range p.queue() {
		if e.Facts().Previous != "" || e.Kind() == hien.Renamed {
			t.Errorf("%s of a new person has the earlier key %s", e.Kind(), e.Facts().Previous)
		}
	}
	if got := p.Earlier(); !slices.Equal(got, []int{1}) {
		t.Errorf("keys behind the current one: %v; want k1", got)
	}
}

func TestARenameNeedsANameBefore(t *testing.T) {
	c, err := consent.Give("c", "s", consent.Notice{Asks: []consent.Ask{{Purpose: consent.VisitFrequency}}}, []consent.Purpose{consent.VisitFrequency}, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, before := range []hien.LeadKey{"", "k2:00"} {
		if e, err := hien.NewEvent(c, consent.VisitFrequency, hien.Renamed, "k2:00", start, hien.Facts{Previous: before}); err == nil {
			t.Errorf("renamed from %q: got %v, want an error", before, e)
		}
	}
}

// Who withdrew before the rotation and came back after it has two names that
// only the number joins. Asked by the number, both are found and both go.
func TestANumberFindsWhatIsKeptUnderEveryBrandKey(t *testing.T) {
	p := newPorch(t)
	first, err := hien.NewBrandKeys(hien.NewBrandKey(1))
	if err != nil {
		t.Fatal(err)
	}
	second, err := first.Next()
	if err != nil {
		t.Fatal(err)
	}
	p.rotate(first)
	p.give(device(1), "0987654321", consent.ContactZalo)
	receipt := p.greet(device(1)).Receipt
	if err := p.Withdraw(t.Context(), hien.Who{Receipt: hien.ReceiptHash(receipt)}, nil, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	p.rotate(second)
	p.give(device(2), "0987654321", consent.ContactZalo)

	who, _, err := p.Named(t.Context(), phone(t, "0987654321"))
	if err != nil {
		t.Fatal(err)
	}
	people, err := p.Person(t.Context(), who)
	if err != nil || len(people) != 2 || !people[0].Consent.Allows(consent.ContactZalo) {
		t.Errorf("%d names, %v; want two, that by which the person is known now first", len(people), err)
	}
	if _, err := p.Erase(t.Context(), who, "control", p.now); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Receipt(t.Context(), receipt); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("the receipt of before the rotation: %v; want that it is gone", err)
	}
	for _, key := range []hien.BrandKey{first.Current(), second.Current()} {
		if _, buried, err := p.record.Buried(t.Context(), key.LeadKey(phone(t, "0987654321"))); err != nil || !buried {
			t.Errorf("the tombstone under k%d: %v, %v", key.Version(), buried, err)
		}
	}
}
