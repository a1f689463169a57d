package hien_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

const oldNumber, newNumber = "0987654321", "0912345678"

// change asks for another number by a receipt.
func (p *porch) change(d hien.Device, secret, number string) error {
	p.Helper()
	return p.ChangeNumber(p.Context(), d, secret, phone(p, number), "vi", p.now)
}

func (p *porch) changed(d hien.Device, secret string) error {
	p.Helper()
	return p.ConfirmNumber(p.Context(), d, secret, p.codes.of(d), p.now)
}

// keyOf is a number's lead key.
func (p *porch) keyOf(number string) hien.LeadKey {
	p.Helper()
	return p.settings.Brand.LeadKey(phone(p, number))
}

func (p *porch) buried(key hien.LeadKey) bool {
	p.Helper()
	_, buried, err := p.record.Buried(p.Context(), key)
	if err != nil {
		p.Fatal(err)
	}
	return buried
}

// An eraserSpy is an eraser that tells whom it was asked for.
type eraserSpy struct {
	hien.Eraser
	asked []hien.Who
	fail  error // of Correct
}

func (e *eraserSpy) Person(ctx context.Context, who hien.Who) ([]hien.Person, error) {
	e.asked = append(e.asked, who)
	return e.Eraser.Person(ctx, who)
}

func (e *eraserSpy) Correct(ctx context.Context, who hien.Who, names []hien.LeadKey, make func([]hien.Person) (hien.Correction, error)) error {
	e.asked = append(e.asked, who)
	if e.fail != nil {
		return e.fail
	}
	return e.Eraser.Correct(ctx, who, names, make)
}

func (p *porch) watched() *eraserSpy {
	e := &eraserSpy{Eraser: p.parts.Eraser}
	p.parts.Eraser = e
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	return e
}

func TestAPersonChangesTheNumber(t *testing.T) {
	p := newPorch(t)
	seal, unseal, err := hien.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	p.settings.Seal = seal
	p.Reload(p.settings)
	d, other := device(1), device(2)
	p.give(d, oldNumber, consent.VisitFrequency, consent.ContactZalo)
	secret := p.greet(d).Receipt
	given, err := p.Receipt(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.change(other, secret, newNumber); err != nil { // the receipt opens on any device
		t.Fatal(err)
	}
	if a, err := p.NumberAsked(t.Context(), other, secret, p.now); err != nil || !a.Waits || a.LastTwo != "78" || a.Left != hien.CodeLife || a.Tries != hien.CodeTries {
		t.Errorf("the page is told %+v, %v", a, err)
	}
	if err := p.ConfirmNumber(t.Context(), other, secret, p.codes.wrong(other), p.now); !errors.Is(err, hien.ErrBadCode) || p.ledger() != 1 {
		t.Errorf("a wrong code: %v", err)
	}
	woken := p.woken.Load()
	if err := p.changed(other, secret); err != nil {
		t.Fatal(err)
	}
	if p.woken.Load() == woken {
		t.Error("the courier was not woken")
	}
	if err := p.changed(other, secret); !errors.Is(err, hien.ErrNoForm) {
		t.Errorf("pressed twice: %v, want ErrNoForm", err)
	}

	// The erasure first, then what stands, under the new key alone.
	old, key := p.keyOf(oldNumber), p.keyOf(newNumber)
	events := p.queue()
	if want := []hien.EventKind{hien.Erased, hien.ConsentChanged, hien.LeadGiven, hien.LeadGiven}; !slices.Equal(kinds(events), want) {
		t.Fatalf("queued %v, want %v", kinds(events), want)
	}
	if e := events[0]; e.User() != old || len(e.Facts().Erased) != 2 {
		t.Errorf("the erasure is of %.9s, and names %v", e.User(), e.Facts().Erased)
	}
	for _, e := range events[1:] {
		if e.User() != key || e.Facts().Previous != "" || e.Facts().Anew {
			t.Errorf("event %s of %.9s: %+v", e.Kind(), e.User(), e.Facts())
		}
		if sealed := e.Facts().Sealed; (sealed != "") != (e.Kind() == hien.LeadGiven && e.Purpose() == consent.ContactZalo) {
			t.Errorf("event %s for %s: sealed number %t", e.Kind(), e.Purpose(), sealed != "")
		} else if sealed != "" {
			if e.Facts().SealedFor != given.Given.ID() {
				t.Errorf("sealed for %s, want the consent that was given", e.Facts().SealedFor)
			}
			if opened, err := unseal.Open(sealed, e.Facts().SealedFor); err != nil || opened.Reveal() != "+84912345678" {
				t.Errorf("the sealed number: %v", err)
			}
		}
	}
	if !p.buried(old) || p.buried(key) {
		t.Errorf("the old key is buried: %t, the new one: %t", p.buried(old), p.buried(key))
	}

	// What was agreed to stands, and the same receipt opens it.
	r, err := p.Receipt(t.Context(), secret)
	if err != nil || !r.Standing.Allows(consent.ContactZalo) || !r.Standing.Allows(consent.VisitFrequency) || r.Given.Subject() != given.Given.Subject() {
		t.Errorf("the receipt: %v", err)
	}
	people, err := p.Person(t.Context(), hien.Who{Key: key})
	if err != nil || len(people) != 1 {
		t.Fatalf("%d people, %v", len(people), err)
	}
	one := people[0]
	if !slices.Equal(one.Keys, []hien.LeadKey{key}) || len(one.Visits) != 1 || len(one.Marks) != 1 || one.Given[0].Commitments["number"].Value != "" || one.Given[0].Commitments["address"].Value == "" {
		t.Errorf("kept: keys %d, %d visits, %d marks", len(one.Keys), len(one.Visits), len(one.Marks))
	}
	st, err := one.Entries[1].Statement()
	if err != nil || st.Kind != consent.KindCorrection || st.Channel != "portal" || !slices.Equal(st.Answers, r.Standing.Answers()) ||
		len(one.Corrected) != 1 || one.Corrected[0].Seq != 2 || st.Commitments["number"] != one.Corrected[0].Commitments["number"].Hash() {
		t.Errorf("the entry: %+v, %v", st, err)
	}
	text, err := hien.Disclose(people, "Quán Hiên", p.now)
	if err != nil || !strings.Contains(string(text), `"corrections"`) || strings.Contains(string(text), string(old)) {
		t.Errorf("what the person is told: %v\n%s", err, text)
	}
	if _, err := p.Person(t.Context(), hien.Who{Key: old}); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("the old number finds somebody: %v", err)
	}

	// The stay goes on, and its visit is told under the new key.
	p.later(5 * time.Hour)
	p.tick()
	if events := p.sent(); events[len(events)-1].Kind() != hien.StoreVisited || events[len(events)-1].User() != key || p.ledger() != 2 {
		t.Errorf("after the stay %v went upstream", kinds(events))
	}

	// The old number is a stranger's again, until it consents anew.
	p.give(device(3), oldNumber, consent.VisitFrequency)
	if events := p.sent(); events[0].User() != old || !events[0].Facts().Anew || p.buried(old) {
		t.Errorf("the old number, given anew: %+v", events[0].Facts())
	}
	if _, err := p.Erase(t.Context(), hien.Who{Receipt: hien.ReceiptHash(secret)}, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	if events := p.sent(); len(events) != 1 || events[0].Kind() != hien.Erased || events[0].User() != key {
		t.Errorf("erased after that: %v", kinds(events))
	}
	if _, err := p.Person(t.Context(), hien.Who{Key: old}); err != nil {
		t.Errorf("who has the old number now is gone with it: %v", err)
	}
}

// Until the code is right, a new number that is known and one that is not have
// the same answers, and nobody is asked for either.
func TestAChangeOfNumberTellsNothingBeforeItIsProved(t *testing.T) {
	for name, number := range map[string]string{"known": "0977000111", "unknown": "0977000222", "the own": oldNumber} {
		t.Run(name, func(t *testing.T) {
			p := newPorch(t)
			p.give(device(1), oldNumber, consent.VisitFrequency)
			p.give(device(2), "0977000111", consent.ContactZalo)
			secret := p.greet(device(1)).Receipt
			spy, eraser := p.spied(), p.watched()
			d := device(3)
			if err := p.change(d, secret, number); err != nil {
				t.Fatal(err)
			}
			for range hien.CodeTries - 1 {
				if err := p.ConfirmNumber(t.Context(), d, secret, p.codes.wrong(d), p.now); !errors.Is(err, hien.ErrBadCode) {
					t.Errorf("a wrong code: %v", err)
				}
			}
			a, err := p.NumberAsked(t.Context(), d, secret, p.now)
			if err != nil || !a.Waits || a.Left != hien.CodeLife || a.Tries != 1 {
				t.Errorf("the page is told %+v, %v", a, err)
			}
			if diff := cmp.Diff([]hien.Who{{Receipt: hien.ReceiptHash(secret)}}, eraser.asked); diff != "" || len(spy.calls) != 0 {
				t.Errorf("the record was asked %v, and for others than the receipt's person (-want +got):\n%s", spy.calls, diff)
			}
		})
	}
}

func TestANumberThatCannotTakeThePlace(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, oldNumber, consent.VisitFrequency)
	p.give(device(2), newNumber, consent.ContactZalo)
	secret := p.greet(d).Receipt
	before, entries := kinds(p.queue()), p.ledger()
	for number, want := range map[string]error{newNumber: hien.ErrTaken, oldNumber: hien.ErrUnchanged} {
		p.later(20 * time.Minute)
		if err := p.change(d, secret, number); err != nil {
			t.Fatal(err)
		}
		if err := p.changed(d, secret); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", number, err, want)
		}
		if a, _ := p.NumberAsked(t.Context(), d, secret, p.now); a.Waits {
			t.Errorf("%s still waits", number)
		}
		if !slices.Equal(kinds(p.queue()), before) || p.ledger() != entries || p.buried(p.keyOf(oldNumber)) {
			t.Errorf("%s: something has changed", number)
		}
	}

	// Under an earlier brand key too.
	p.later(time.Hour)
	keys, err := hien.NewBrandKeys(p.settings.Brand)
	if err != nil {
		t.Fatal(err)
	}
	if keys, err = keys.Next(); err != nil {
		t.Fatal(err)
	}
	p.rotate(keys)
	if err := p.change(d, secret, newNumber); err != nil {
		t.Fatal(err)
	}
	if err := p.changed(d, secret); !errors.Is(err, hien.ErrTaken) {
		t.Errorf("known under an earlier key: %v, want ErrTaken", err)
	}

	if err := p.change(d, "guessed", newNumber); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("without a receipt: %v", err)
	}
	if err := p.Withdraw(t.Context(), hien.Who{Receipt: hien.ReceiptHash(secret)}, nil, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	sent := p.codes.sent
	if err := p.change(d, secret, "0977000111"); !errors.Is(err, hien.ErrNoNumber) || p.codes.sent != sent {
		t.Errorf("nothing stands: %v, and %d codes", err, p.codes.sent-sent)
	}
}

func TestWhoGaveNoNumberHasNoneToChange(t *testing.T) {
	p := newPorch(t)
	sender := p.settings.Sender
	p.settings.Sender, p.settings.StaffCode = nil, true
	p.Reload(p.settings)
	d := device(1)
	p.greet(d)
	if err := p.Ask(t.Context(), d, p.application(oldNumber, consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	code, _, _ := p.StaffCode(p.now)
	if err := p.Prove(t.Context(), d, code, p.now); err != nil {
		t.Fatal(err)
	}
	p.settings.Sender = sender
	p.Reload(p.settings)
	if err := p.change(d, p.greet(d).Receipt, newNumber); !errors.Is(err, hien.ErrNoNumber) {
		t.Errorf("got %v, want ErrNoNumber", err)
	}
}

// A code proves what it was sent for, and nothing else.
func TestTheCodeOfAChangeIsForThatReceipt(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, oldNumber, consent.VisitFrequency)
	p.give(device(2), "0977000111", consent.VisitFrequency)
	secret, another := p.greet(d).Receipt, p.greet(device(2)).Receipt
	stranger := device(3)
	if err := p.change(stranger, secret, newNumber); err != nil {
		t.Fatal(err)
	}
	if m := p.mine(stranger); m.Waits {
		t.Errorf("the way to one's own data is told %+v", m.Asked)
	}
	if _, err := p.Confirm(t.Context(), stranger, p.codes.of(stranger), p.now); !errors.Is(err, hien.ErrNoForm) {
		t.Errorf("as an inquiry: %v, want ErrNoForm", err)
	}
	if err := p.changed(stranger, another); !errors.Is(err, hien.ErrNoForm) {
		t.Errorf("for another receipt: %v, want ErrNoForm", err)
	}
	if a, _ := p.NumberAsked(t.Context(), stranger, another, p.now); a.Waits {
		t.Error("another receipt's page is told of it")
	}
	if err := p.inquire(stranger, newNumber); err != nil { // at once, and yet another code
		t.Fatal(err)
	}
	if err := p.changed(stranger, secret); !errors.Is(err, hien.ErrNoForm) || p.ledger() != 2 {
		t.Errorf("the code of an inquiry: %v, want ErrNoForm", err)
	}
}

func TestAChangeOfNumberKeepsTheLimitsOfCodes(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, oldNumber, consent.VisitFrequency)
	secret := p.greet(d).Receipt
	for range hien.CodesPerQuarter {
		if err := p.change(device(2), secret, newNumber); err != nil {
			t.Fatal(err)
		}
		p.later(time.Minute)
	}
	for what, who := range map[string]hien.Device{"by this device": device(2), "for this number": device(3)} {
		if err := p.change(who, secret, newNumber); !errors.Is(err, hien.ErrTooMany) {
			t.Errorf("%s: %v, want ErrTooMany", what, err)
		}
	}
	p.later(hien.CodeLife)
	if err := p.changed(device(2), secret); !errors.Is(err, hien.ErrCodeDead) {
		t.Errorf("an old code: %v, want ErrCodeDead", err)
	}
	var foreign *hien.PhoneError
	if err := p.change(d, secret, "+81 90 1234 5678"); !errors.As(err, &foreign) {
		t.Errorf("a foreign number: %v", err)
	}
	p.offline.Store(true)
	if err := p.change(d, secret, newNumber); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("without internet: %v", err)
	}
}

func TestACodeIsGoodAgainWhenTheChangeCannotBeWritten(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, oldNumber, consent.VisitFrequency)
	secret := p.greet(d).Receipt
	eraser := p.watched()
	if err := p.change(d, secret, newNumber); err != nil {
		t.Fatal(err)
	}
	eraser.fail = hien.ErrStorage
	if err := p.changed(d, secret); !errors.Is(err, hien.ErrStorage) {
		t.Errorf("a full disk: %v", err)
	}
	eraser.fail = nil
	if err := p.changed(d, secret); err != nil || p.ledger() != 2 {
		t.Errorf("afterwards: %v", err)
	}
}

// Who was erased and proves to be that number consents anew by it, and can go
// back to the first number too.
func TestANumberThatWasErasedCanTakeThePlace(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(device(2), newNumber, consent.ContactZalo)
	if _, err := p.Erase(t.Context(), hien.Who{Key: p.keyOf(newNumber)}, "control", p.now); err != nil {
		t.Fatal(err)
	}
	p.give(d, oldNumber, consent.VisitFrequency)
	secret := p.greet(d).Receipt
	p.sent()
	for _, to := range []string{newNumber, oldNumber} {
		from := map[string]string{newNumber: oldNumber, oldNumber: newNumber}[to]
		p.later(20 * time.Minute)
		if err := p.change(d, secret, to); err != nil {
			t.Fatal(err)
		}
		if err := p.changed(d, secret); err != nil {
			t.Fatal(err)
		}
		if events := p.queue(); len(events) < 3 || !events[len(events)-2].Facts().Anew || events[len(events)-2].User() != p.keyOf(to) {
			t.Errorf("to %s: %v", to, kinds(events))
		}
		if p.buried(p.keyOf(to)) || !p.buried(p.keyOf(from)) {
			t.Errorf("to %s: buried %t, and the one before %t", to, p.buried(p.keyOf(to)), p.buried(p.keyOf(from)))
		}
	}
	people, err := p.Person(t.Context(), hien.Who{Receipt: hien.ReceiptHash(secret)})
	if err != nil || len(people) != 1 || len(people[0].Corrected) != 1 || len(people[0].Entries) != 3 {
		t.Errorf("%d names, %v; want one, with its last change", len(people), err)
	}
}

// Who took back everything and came again has two names: the change is of both,
// and both are found by the new number.
func TestAChangeOfNumberIsOfEveryName(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, oldNumber, consent.VisitFrequency)
	first := hien.Who{Receipt: hien.ReceiptHash(p.greet(d).Receipt)}
	if err := p.Withdraw(t.Context(), first, nil, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	p.later(25 * time.Hour)
	p.tick()
	p.give(d, oldNumber, consent.ContactZalo)
	secret := p.greet(d).Receipt
	waiting := device(2)
	p.greet(waiting)
	if err := p.Ask(t.Context(), waiting, p.application(oldNumber, consent.ContactZalo), p.now); err != nil {
		t.Fatal(err)
	}
	if err := p.change(d, secret, newNumber); err != nil {
		t.Fatal(err)
	}
	if err := p.changed(d, secret); err != nil {
		t.Fatal(err)
	}
	if g := p.greet(waiting); g.Step != hien.AtDoor {
		t.Errorf("a form with the old number: %+v, want it gone", g)
	}
	for what, who := range map[string]hien.Who{"by the first receipt": first, "by the new number": {Key: p.keyOf(newNumber)}} {
		if people, err := p.Person(t.Context(), who); err != nil || len(people) != 2 {
			t.Errorf("%s: %d names, %v; want both", what, len(people), err)
		}
	}
	if n := p.ledger(); n != 5 {
		t.Errorf("%d entries, want two consents, a withdrawal, a correction of each name", n)
	}
}
