package hien_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// TestACrowd does everything at once: guests come, give, refuse, ask for their
// data, take back and are erased, on two devices of one number, while the clock
// ticks, what is too old is deleted and the owner changes the settings. It is
// for the race detector, and for what must hold whatever comes first.
func TestACrowd(t *testing.T) {
	p := newPorch(t)
	p.keeps()
	now, numbers := p.now, []string{"0987654321", "0912345678", "0901234567"}
	allowed := []error{nil, hien.ErrNoReceipt, hien.ErrNoForm, hien.ErrNoAsking, hien.ErrTooMany, hien.ErrCodeDead, hien.ErrBadCode}
	check := func(what string, err error) {
		for _, want := range allowed {
			if errors.Is(err, want) {
				return
			}
		}
		t.Errorf("%s: %v", what, err)
	}
	var crowd sync.WaitGroup
	for i := range 6 { // two devices of each number
		d, number := device(i+1), numbers[i/2]
		key := p.settings.Brand.LeadKey(phone(t, number))
		a := p.application(number, consent.VisitFrequency, consent.ContactZalo)
		crowd.Go(func() {
			for round := range 4 {
				at := now
				at.Up += time.Duration(round) * time.Minute
				at.Wall = at.Wall.Add(time.Duration(round) * time.Minute)
				_, err := p.Greet(t.Context(), d, at)
				check("Greet", err)
				check("Ask", p.Ask(t.Context(), d, a, at))
				check("Prove", p.Prove(t.Context(), d, p.codes.of(d), at))
				_, err = p.Mine(t.Context(), d, at)
				check("Mine", err)
				check("TakeBack", p.TakeBack(t.Context(), d, []consent.Purpose{consent.ContactZalo}, at))
				check("Refuse", p.Refuse(t.Context(), d, a.Agreed, at))
				if round%2 == 1 {
					_, err = p.Erase(t.Context(), hien.Who{Key: key}, "portal", at)
					check("Erase", err)
				}
			}
		})
	}
	crowd.Go(func() {
		for i := range 20 {
			at := now
			at.Up, at.Wall = at.Up+time.Duration(i)*11*time.Minute, at.Wall.Add(time.Duration(i)*11*time.Minute)
			check("Tick", p.Tick(t.Context(), at))
			s := p.settings
			if i%3 == 1 {
				s.Asker, s.Sender = consent.Asker{}, nil
			}
			p.Reload(s)
		}
	})
	crowd.Go(func() {
		for range 5 {
			_, err := p.RetainNow(t.Context(), now)
			check("RetainNow", err)
		}
	})
	crowd.Wait()
	p.Reload(p.settings)

	if _, err := p.record.Verify(t.Context(), p.parts.Router.Signer().Public()); err != nil {
		t.Errorf("the ledger: %v", err)
	}
	for _, number := range numbers {
		key := p.settings.Brand.LeadKey(phone(t, number))
		if _, err := p.Erase(t.Context(), hien.Who{Key: key}, "portal", now); err != nil && !errors.Is(err, hien.ErrNoReceipt) {
			t.Fatal(err)
		}
		for _, e := range p.queue() {
			if e.User() == key && e.Kind() != hien.Erased {
				t.Errorf("of who was erased %s would still be sent", e.Kind())
			}
		}
	}
	for i := range 6 {
		if g := p.greet(device(i + 1)); g.Step == hien.AtDoor && g.Grace || p.door.left(device(i+1)) == 0 {
			t.Errorf("device %d: %+v; want that it is let through", i+1, g)
		}
	}
}
