package hien_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func TestErasure(t *testing.T) {
	p := newPorch(t)
	d, other := device(1), device(2)
	p.give(d, "0987654321", consent.VisitFrequency, consent.ContactZalo)
	p.give(other, "0912345678", consent.VisitFrequency)
	secret := p.greet(d).Receipt
	who := hien.Who{Receipt: hien.ReceiptHash(secret)}
	woken := p.woken.Load()

	gone, err := p.Erase(t.Context(), who, "portal", p.now)
	if err != nil {
		t.Fatal(err)
	}
	if p.woken.Load() == woken {
		t.Error("the courier was not woken")
	}
	events := p.queue()
	key := p.settings.Brand.LeadKey(phone(p, "0987654321"))
	if e := events[0]; e.Kind() != hien.Erased || e.User() != key || !slices.Contains(e.Facts().Erased, consent.ContactZalo) || e.Facts().Store != "hcm-q1-01" {
		t.Errorf("the first event is %s: %+v; want the erasure", e.Kind(), e.Facts())
	}
	for _, e := range events[1:] {
		if e.User() == key {
			t.Errorf("event %s of hers would still be sent", e.Kind())
		}
	}
	if n := p.ledger(); n != 3 {
		t.Errorf("%d ledger entries; want two consents and an erasure", n)
	}
	if at, err := p.ErasedAt(t.Context(), gone.Seq, gone.ID); err != nil || at != p.now {
		t.Errorf("erased at %v, %v", at, err)
	}
	g := p.greet(d)
	if g.Receipt != "" || g.Visit != 0 || g.Step != hien.Inside {
		t.Errorf("greeting = %+v; want a stranger who stays online", g)
	}
	if _, err := p.Receipt(t.Context(), secret); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("receipt: %v; want ErrNoReceipt", err)
	}
	if _, err := p.Erase(t.Context(), who, "portal", p.now); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("a second time: %v; want ErrNoReceipt", err)
	}
	guest, _, err := p.book.Guest(d.Guest)
	if err != nil || guest.Stay.Visit != "" || guest.Gave || guest.Receipt != "" {
		t.Errorf("the livebook has %+v, %v; want nothing that says that it gave", guest, err)
	}
	if g := p.greet(other); g.Receipt == "" || g.Visit != 1 {
		t.Errorf("another guest: %+v; want as before", g)
	}

	// Her stay ends, and nothing of it is told.
	p.later(5 * time.Hour)
	p.tick()
	for _, e := range p.queue() {
		if e.User() == key && e.Kind() != hien.Erased {
			t.Errorf("a late event %s", e.Kind())
		}
	}
}

// What is half-finished with the number of somebody who is erased goes too,
// on whatever device, and nobody else's does.
func TestErasureForgetsFormsWithTheSameNumber(t *testing.T) {
	p := newPorch(t)
	p.give(device(1), "0987654321", consent.VisitFrequency)
	p.later(5 * time.Hour)
	p.tick()
	for d, number := range map[hien.Device]string{device(2): "0987 654 321", device(3): "0912345678"} {
		p.greet(d)
		if err := p.Ask(t.Context(), d, p.application(number, consent.ContactZalo), p.now); err != nil {
			t.Fatal(err)
		}
	}
	for d, number := range map[hien.Device]string{device(4): "0987654321", device(5): "0912345678"} {
		if err := p.Inquire(t.Context(), d, phone(p, number), "vi", p.now); err != nil {
			t.Fatal(err)
		}
	}
	key := p.settings.Brand.LeadKey(phone(p, "0987654321"))
	if _, err := p.Erase(t.Context(), hien.Who{Key: key}, "control", p.now); err != nil {
		t.Fatal(err)
	}
	if p.mine(device(4)).Waits {
		t.Error("who asked for what is kept of the number still waits for a code")
	}
	if !p.mine(device(5)).Waits {
		t.Error("who asked about another number waits no more")
	}
	if g := p.greet(device(2)); g.Step != hien.AtDoor {
		t.Errorf("her other device: %+v; want at the door", g)
	}
	if g := p.greet(device(3)); g.Step != hien.AtCode {
		t.Errorf("somebody else: %+v; want at the code", g)
	}
}

func TestWhoConsentsAnewComesBack(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency)
	key := p.settings.Brand.LeadKey(phone(p, "0987654321"))
	if _, err := p.Erase(t.Context(), hien.Who{Key: key}, "control", p.now); err != nil {
		t.Fatal(err)
	}
	if day, buried, err := p.record.Buried(t.Context(), key); day != "2026-11-23" || !buried || err != nil {
		t.Errorf("the tombstone: %q, %t, %v", day, buried, err)
	}
	p.later(25 * time.Hour)
	p.tick()
	p.give(d, "0987654321", consent.VisitFrequency)
	if _, buried, _ := p.record.Buried(t.Context(), key); buried {
		t.Error("the tombstone stands after a new consent")
	}
	events := p.queue()
	if want := []hien.EventKind{hien.Erased, hien.ConsentChanged, hien.LeadGiven}; !slices.Equal(kinds(events), want) || !events[1].Facts().Anew || !events[2].Facts().Anew {
		t.Errorf("queue = %v, want %v, and those of the consent to say that it is anew", kinds(events), want)
	}
}

// Whoever was erased, comes back while the CDP is down and then takes back a
// part, or all, is kept out there no longer: whichever events are left, one
// says that she is back.
func TestWhatIsTakenBackAfterAnErasureKeepsNobodyOut(t *testing.T) {
	visits, zalo := consent.VisitFrequency, consent.ContactZalo
	for name, back := range map[string][]consent.Purpose{"the one that is told first": {visits}, "the other": {zalo}, "one after the other": {visits, zalo}} {
		t.Run(name, func(t *testing.T) {
			p := newPorch(t)
			p.give(device(1), "0987654321", visits, zalo)
			key := p.keyOf("0987654321")
			if _, err := p.Erase(t.Context(), hien.Who{Key: key}, "control", p.now); err != nil {
				t.Fatal(err)
			}
			p.later(25 * time.Hour)
			p.tick()
			p.give(device(1), "0987654321", visits, zalo)
			for _, purpose := range back {
				if err := p.Withdraw(t.Context(), hien.Who{Key: key}, []consent.Purpose{purpose}, "portal", p.now); err != nil {
					t.Fatal(err)
				}
			}
			anew := func(events []hien.Event) (n int) {
				for _, e := range events {
					if e.Facts().Anew && e.User() == key {
						n++
					}
				}
				return n
			}
			if events := p.queue(); events[0].Kind() != hien.Erased || anew(events) != len(events)-1 {
				t.Errorf("queue = %v, of which %d say that she is back; want all but the erasure", kinds(events), anew(events))
			}
			if len(back) == 1 {
				return
			}
			// With everything the last word of the first time is the withdrawal;
			// who agrees once more stands behind it.
			p.later(25 * time.Hour)
			p.tick()
			p.give(device(1), "0987654321", visits)
			events := p.sent()
			if want := []hien.EventKind{hien.Erased, hien.Withdrawn, hien.Withdrawn, hien.ConsentChanged, hien.LeadGiven}; !slices.Equal(kinds(events), want) || anew(events[1:3]) != 2 {
				t.Errorf("queue = %v, of which %d say that she is back; want %v, and both withdrawals to say so", kinds(events), anew(events), want)
			}
			// The CDP has heard it now, and is not told again.
			p.later(25 * time.Hour)
			p.tick()
			p.sent()
			if err := p.Withdraw(t.Context(), hien.Who{Key: key}, nil, "portal", p.now); err != nil {
				t.Fatal(err)
			}
			if events := p.queue(); len(events) != 1 || anew(events) != 0 {
				t.Errorf("later: %v, of which %d say that she is back; want none", kinds(events), anew(events))
			}
		})
	}
}

// Who comes back and lets it lapse before the CDP has heard of it, and agrees
// once more, is kept out there no longer either.
func TestWhatLapsesAfterAnErasureKeepsNobodyOut(t *testing.T) {
	p := newPorch(t)
	p.keeps().MaxAgeMonths = 1 // sooner than an event is too old to be sent
	p.give(device(1), "0987654321", consent.ContactZalo)
	key := p.keyOf("0987654321")
	if _, err := p.Erase(t.Context(), hien.Who{Key: key}, "control", p.now); err != nil {
		t.Fatal(err)
	}
	p.later(25 * time.Hour)
	p.tick()
	p.give(device(1), "0987654321", consent.ContactZalo)
	for range 2 {
		p.later(20 * 24 * time.Hour)
		p.day()
	}
	events := p.queue()
	if i := slices.IndexFunc(events, func(e hien.Event) bool { return e.Kind() == hien.Withdrawn }); i < 0 || !events[i].Facts().Anew {
		t.Errorf("queue = %v; want the end of what lapsed, and that it says that she was back", kinds(events))
	}
}

// Nobody gave a number where the staff's code was typed: the person is erased
// under the key that their consent made.
func TestErasureOfSomebodyWithoutANumber(t *testing.T) {
	p := newPorch(t)
	p.settings.Sender, p.settings.StaffCode = nil, true
	p.Reload(p.settings)
	d := device(1)
	p.greet(d)
	a := p.application("0987654321", consent.VisitFrequency)
	if err := p.Ask(t.Context(), d, a, p.now); err != nil {
		t.Fatal(err)
	}
	code, _, _ := p.StaffCode(p.now)
	if err := p.Prove(t.Context(), d, code, p.now); err != nil {
		t.Fatal(err)
	}
	user := p.queue()[0].User()
	secret := hien.Who{Receipt: hien.ReceiptHash(p.greet(d).Receipt)}
	if err := p.Withdraw(t.Context(), secret, nil, "portal", p.now); err != nil { // and with it goes the lead key
		t.Fatal(err)
	}
	if _, err := p.Erase(t.Context(), secret, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	if events := p.queue(); len(events) != 1 || events[0].Kind() != hien.Erased || events[0].User() != user {
		t.Errorf("queue = %v; want the erasure of %.9s", events, user)
	}
}

func TestWithoutARecordNobodyIsErased(t *testing.T) {
	p := newPorch(t)
	p.parts.Record, p.parts.Eraser = nil, nil
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	if _, err := p.Erase(t.Context(), hien.Who{Subject: "s"}, "control", p.now); !errors.Is(err, hien.ErrStorage) {
		t.Errorf("Erase: %v; want ErrStorage", err)
	}
	if _, err := p.ErasedAt(t.Context(), 1, "e"); !errors.Is(err, hien.ErrStorage) {
		t.Errorf("ErasedAt: %v; want ErrStorage", err)
	}
}

func TestATombstoneIsKeyed(t *testing.T) {
	a, b := hien.NewRouterKey(), hien.NewRouterKey()
	again, err := hien.ParseRouterKey(a.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if again.Tombstone("k1:x") != a.Tombstone("k1:x") || a.Tombstone("k1:x") == a.Tombstone("k1:y") || a.Tombstone("k1:x") == b.Tombstone("k1:x") {
		t.Error("want a tombstone that the router's key and the lead key alone decide")
	}
}

func TestAnErasureNeedsNoConsentAndAKey(t *testing.T) {
	if _, err := hien.NewErasure(nil, "", start, hien.Facts{}); err == nil {
		t.Error("an erasure of nobody was made")
	}
	e, err := hien.NewErasure([]consent.Purpose{consent.ContactZalo}, "k1:x", start, hien.Facts{Store: "s"})
	if err != nil || !e.Allowed() || !e.Ends() || e.Subject() != "" {
		t.Errorf("got %+v, %v", e, err)
	}
}
