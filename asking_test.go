package hien_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// TestHalfANoticeAsksNobody is R-CON-4: access is as ever, and nothing is asked.
func TestHalfANoticeAsksNobody(t *testing.T) {
	for name, damage := range map[string]func(*consent.Asker){
		"no policy":      func(a *consent.Asker) { a.Policy = nil },
		"no name":        func(a *consent.Asker) { a.Controller.Name = "" },
		"no tax id":      func(a *consent.Asker) { a.Controller.TaxID = " " },
		"no recipient":   func(a *consent.Asker) { a.Controller.Recipients = nil },
		"nobody at all":  func(a *consent.Asker) { *a = consent.Asker{} },
		"only a policy ": func(a *consent.Asker) { a.Controller = consent.Controller{} },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPorch(t)
			damage(&p.settings.Asker)
			p.Reload(p.settings)
			d := device(1)
			if g := p.greet(d); g.Step != hien.AtDoor || len(g.Ask) != 0 {
				t.Errorf("greeting %+v; want the door, and nothing asked", g)
			}
			if err := p.Ask(t.Context(), d, p.application("0987654321", consent.ContactZalo), p.now); err != hien.ErrNoAsking {
				t.Errorf("an answer to half a notice: %v, want ErrNoAsking", err)
			}
			if err := p.Admit(t.Context(), d, p.now); err != nil || p.door.left(d) != 4*time.Hour {
				t.Errorf("going on: %v, in for %v; want 4h", err, p.door.left(d))
			}
		})
	}
}

// TestANumberAndOneTime is mode basic: the same answer leaves no further time
// behind, another answer is a new one.
func TestANumberAndOneTime(t *testing.T) {
	p := newPorch(t)
	p.settings.OneTime = true
	p.settings.Zones[0].Purposes = []consent.Purpose{consent.ContactZalo, consent.ContactSMS}
	p.Reload(p.settings)
	first, again, other := device(1), device(2), device(3)
	p.giveAs(first, "0987654321", consent.ContactZalo)
	entries, events := p.ledger(), len(p.queue())
	if g := p.greet(first); g.Receipt == "" {
		t.Error("no receipt for the first answer")
	}
	p.later(24 * time.Hour)
	p.giveAs(again, "0987654321", consent.ContactZalo)
	if got := p.ledger(); got != entries || len(p.queue()) != events {
		t.Errorf("the same answer a day later: %d entries and %d events, want %d and %d", got, len(p.queue()), entries, events)
	}
	if g := p.greet(again); g.Step != hien.Inside || g.Receipt != "" {
		t.Errorf("greeting %+v; want inside, and no receipt of an answer that was not kept", g)
	}
	p.giveAs(other, "0987654321", consent.ContactZalo, consent.ContactSMS)
	if got := p.ledger(); got != entries+1 {
		t.Errorf("another answer: %d entries, want %d", got, entries+1)
	}
}

// giveAs gives a number to the notice that the guest is shown.
func (p *porch) giveAs(d hien.Device, number string, agreed ...consent.Purpose) {
	p.Helper()
	g := p.greet(d)
	n, err := g.Asker.Notice("vi", g.StoreName, g.Ask)
	if err != nil || len(g.Ask) == 0 {
		p.Fatalf("nothing is asked: %v", err)
	}
	agreed = slices.Sorted(slices.Values(agreed))
	err = p.Ask(p.Context(), d, hien.Application{OfAge: true, Phone: phone(p, number), Agreed: agreed, Notice: n}, p.now)
	if err == nil {
		err = p.Prove(p.Context(), d, p.codes.of(d), p.now)
	}
	if err != nil {
		p.Fatal(err)
	}
}

// TestTheYoungLeaveNothing is R-CHILD-1: a pass, a number that was counted, and
// no more.
func TestTheYoungLeaveNothing(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	for range 2 { // pressed twice
		if err := p.AdmitYoung(t.Context(), d, p.now); err != nil {
			t.Fatal(err)
		}
	}
	if p.door.left(d) != 4*time.Hour || p.Young() != 1 {
		t.Errorf("in for %v, counted %d; want 4h and 1", p.door.left(d), p.Young())
	}
	guest, _, err := p.book.Guest(d.Guest)
	if err != nil || guest.Form != nil || guest.Gave {
		t.Errorf("the livebook has %+v, %v", guest, err)
	}
	if p.ledger() != 0 || len(p.queue()) != 0 {
		t.Error("something of a child is in the record")
	}
	p.later(31 * time.Minute)
	p.tick()
	p.later(4 * time.Hour)
	p.tick()
	if _, known, _ := p.book.Guest(d.Guest); known {
		t.Error("a child who left is still in the livebook")
	}
	if g := p.greet(d); len(g.Ask) == 0 {
		t.Error("the next stay is not asked: a child left a mark")
	}
}

func TestNothingIsTakenBeforeTheAgeIsTold(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	a := p.application("0987654321", consent.ContactZalo)
	a.OfAge = false
	if err := p.Ask(t.Context(), d, a, p.now); !errors.Is(err, hien.ErrNoAsking) || p.codes.sent != 0 {
		t.Errorf("got %v, and %d codes; want ErrNoAsking and none", err, p.codes.sent)
	}
}

func TestChildrenAreNotAsked(t *testing.T) {
	p := newPorch(t)
	p.settings.Zones[0].Children = true
	p.Reload(p.settings)
	if g := p.greet(device(1)); len(g.Ask) != 0 {
		t.Errorf("asked for %v in a play area", g.Ask)
	}
	if err := p.Ask(t.Context(), device(1), p.application("0987654321", consent.ContactZalo), p.now); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("an answer in a play area: %v, want ErrNoAsking", err)
	}
}

// A form that waits when the shop stops asking comes to nothing, and the guest
// comes in all the same. Whoever has given before is found by the number.
func TestAShopThatStopsAskingTakesNothingMore(t *testing.T) {
	p := newPorch(t)
	p.give(device(1), "0987654321", consent.ContactZalo)
	d := device(2)
	if err := p.Ask(t.Context(), d, p.application("0912345678", consent.ContactZalo), p.now); err != nil {
		t.Fatal(err)
	}
	entries := p.ledger()
	s := p.settings
	s.Asker, s.Sender = consent.Asker{}, nil
	p.Reload(s)
	if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); !errors.Is(err, hien.ErrNoAsking) || p.ledger() != entries {
		t.Errorf("the code of the form that waited: %v, %d entries; want ErrNoAsking and %d", err, p.ledger(), entries)
	}
	if err := p.Refuse(t.Context(), d, nil, p.now); err != nil || p.greet(d).Step != hien.Inside {
		t.Errorf("going on without: %v", err)
	}
	if who, _, err := p.Named(t.Context(), phone(p, "0987654321")); err != nil || who.Key == "" {
		t.Errorf("by the number: %v", err)
	}
}
