package hien_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func TestTheEvidenceSaysHowANumberWasProved(t *testing.T) {
	p := newPorch(t)
	s := p.spied()
	p.give(device(1), "0987654321", consent.VisitFrequency, consent.ContactZalo)
	o := s.optIns[0]
	key := p.settings.Brand.LeadKey(phone(t, "0987654321"))
	if !is(o.Commitments["proof"], "test") || !is(o.Commitments["number"], string(key)) || s.keys[0] != key {
		t.Errorf("evidence = %+v, key %s; want the number's key, proved by test", o.Commitments, s.keys[0])
	}
	if len(o.Statement.Commitments) != len(o.Commitments) {
		t.Errorf("the ledger's entry has %d commitments; want all %d", len(o.Statement.Commitments), len(o.Commitments))
	}
	for name, c := range o.Commitments {
		if o.Statement.Commitments[name] != c.Hash() {
			t.Errorf("the ledger's entry has another %s", name)
		}
	}
}

// tills makes a shop that sends nothing.
func tills(t *testing.T) (*porch, *spy) {
	p := newPorch(t)
	p.settings.Sender, p.settings.StaffCode = nil, true
	return p, p.spied()
}

// till is the code that the till shows.
func (p *porch) till() hien.Code {
	p.Helper()
	c, left, ok := p.StaffCode(p.now)
	if !ok || left <= 0 || left > hien.StaffCodeLife {
		p.Fatalf("the till shows a code: %v, for %v", ok, left)
	}
	return c
}

func TestAShopThatSendsNothingTakesTheTillsCode(t *testing.T) {
	p, s := tills(t)
	d := device(1)
	g := p.greet(d)
	if !slices.Equal(g.Ask, []consent.Purpose{consent.VisitFrequency}) || !g.NoNumber {
		t.Errorf("greeting = %+v; want visit_frequency asked, which reaches nobody, without a number", g)
	}
	if n, err := g.Asker.Notice("en", g.StoreName, g.Ask); err != nil || !strings.Contains(n.Text(), "does not ask for your phone number") {
		t.Errorf("the notice: %v, %s; want that it speaks of no number", err, n.Text())
	}
	a := p.application("0987654321", consent.VisitFrequency, consent.ContactZalo)
	if err := p.Ask(t.Context(), d, a, p.now); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("Ask for what reaches a person: %v; want ErrNoAsking (R-CON-11)", err)
	}
	a.Agreed = a.Agreed[:1]
	a.Phone = hien.Phone{}
	if err := p.Ask(t.Context(), d, a, p.now); err != nil {
		t.Fatal(err)
	}
	if g := p.greet(d); g.Step != hien.AtCode || !g.StaffCode || g.LastTwo != "" || g.CodeLeft != hien.CodeLife || g.TriesLeft != hien.CodeTries {
		t.Errorf("greeting = %+v; want the till's code asked for", g)
	}
	if err := p.Prove(t.Context(), d, p.till(), p.now); err != nil {
		t.Fatal(err)
	}
	p.wantIn("with the till's code", d, 4*time.Hour)
	if g := p.greet(d); g.Step != hien.Inside || g.Receipt == "" || g.Visit != 1 {
		t.Errorf("greeting = %+v; want inside, with a receipt, on visit 1", g)
	}
	o := s.optIns[0]
	if _, has := o.Commitments["number"]; has || !is(o.Commitments["proof"], string(hien.ProofStaff)) || o.Sealed != "" {
		t.Errorf("opt-in = %+v; want no number, and that the proof was the staff's", o)
	}
	if p.ledger() != 1 || len(p.queue()) != 2 {
		t.Errorf("%d ledger entries, %d events; want 1 and 2", p.ledger(), len(p.queue()))
	}
	p.later(5 * time.Hour) // the next day's visit is the same person's
	p.tick()
	if g := p.greet(d); g.Visit != 2 || len(g.Ask) != 0 {
		t.Errorf("greeting = %+v; want visit 2 of a member", g)
	}
}

func TestTheTillsCodeProvesNoNumber(t *testing.T) {
	p, s := tills(t)
	p.settings.Sender = p.codes
	p.Reload(p.settings)
	p.give(device(1), "0987654321", consent.VisitFrequency, consent.ContactZalo) // whose it is
	p.codes.fail = errors.New("the provider is down")
	for _, d := range []hien.Device{device(2), device(3)} { // who type it too
		p.ask(d, "0987654321")
		if g := p.greet(d); !g.StaffCode || g.LastTwo != "" {
			t.Errorf("greeting = %+v; want the till's code asked for, and no number shown", g)
		}
		if err := p.Prove(t.Context(), d, p.till(), p.now); err != nil {
			t.Fatal(err)
		}
		if r, err := p.Receipt(t.Context(), p.greet(d).Receipt); err != nil || r.Standing.Allows(consent.ContactZalo) {
			t.Errorf("receipt = %+v, %v; want nothing of the number's owner", r, err)
		}
	}
	slices.Sort(s.keys)
	if len(slices.Compact(s.keys)) != 3 {
		t.Errorf("keys = %v; want three persons who are not joined", s.keys)
	}
	for _, o := range s.optIns[1:] {
		if _, has := o.Commitments["number"]; has || o.Sealed != "" || o.Consent.Allows(consent.ContactZalo) {
			t.Errorf("opt-in = %+v; want no number in any form", o)
		}
	}
	for _, e := range p.queue()[3:] {
		if e.User() == p.settings.Brand.LeadKey(phone(t, "0987654321")) {
			t.Errorf("event %s goes upstream for a number that was not proved", e.Kind())
		}
	}
}

func TestWhatReachesAPersonIsNotTakenByTheTillsCode(t *testing.T) {
	p, _ := tills(t)
	p.settings.Sender = p.codes
	p.Reload(p.settings)
	p.codes.fail = errors.New("the provider is down")
	d := device(1)
	err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency, consent.ContactZalo), p.now)
	if !errors.Is(err, hien.ErrNotSent) {
		t.Errorf("Ask = %v; want ErrNotSent, as the till's code proves no number", err)
	}
	if g := p.greet(d); g.Step != hien.AtDoor || len(g.Ask) != 2 {
		t.Errorf("greeting = %+v; want the door", g)
	}
	if err := p.Prove(t.Context(), d, p.till(), p.now); !errors.Is(err, hien.ErrNoForm) {
		t.Errorf("the till's code: %v; want ErrNoForm", err)
	}
}

// TestNoFormGetsAroundTheRule changes a form in the book, as a mistake of ours
// would: what reaches a person is not kept without a proved number.
func TestNoFormGetsAroundTheRule(t *testing.T) {
	p, _ := tills(t)
	d := device(1)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	err := p.book.Change(d.Guest, func(guest *hien.Guest) error {
		guest.Form.Agreed = append(guest.Form.Agreed, consent.ContactZalo)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Prove(t.Context(), d, p.till(), p.now); err == nil || !strings.Contains(err.Error(), "R-CON-11") || p.ledger() != 0 {
		t.Errorf("Prove = %v, %d ledger entries; want it refused (R-CON-11)", err, p.ledger())
	}
}

// A late sender says that it did not send, and the message comes all the same.
type late struct{ code hien.Code }

func (l *late) Send(_ context.Context, m hien.Message) (hien.Proof, error) {
	l.code = m.Code
	return "", errors.New("no answer in time")
}

func TestACodeThatComesLateIsNotTheTills(t *testing.T) {
	p, _ := tills(t)
	l := new(late)
	p.settings.Sender = l
	p.Reload(p.settings)
	d := device(1)
	p.ask(d, "0987654321")
	if err := p.Prove(t.Context(), d, l.code, p.now); !errors.Is(err, hien.ErrBadCode) {
		t.Errorf("the late code: %v; want ErrBadCode, as the till's is asked for by now", err)
	}
}

func TestTheTillsCodeIsNotForWhomACodeWasSent(t *testing.T) {
	p, _ := tills(t)
	p.settings.Sender = p.codes
	p.Reload(p.settings)
	d := device(1)
	p.ask(d, "0987654321")
	for p.till().Reveal() == p.codes.of(d).Reveal() { // one in a million
		p.later(30 * time.Second)
		if err := p.AskAgain(t.Context(), d, p.now); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Prove(t.Context(), d, p.till(), p.now); !errors.Is(err, hien.ErrBadCode) {
		t.Errorf("the till's code: %v; want ErrBadCode", err)
	}
	p.prove(d)
}

func TestTheTillsCodeChanges(t *testing.T) {
	p, _ := tills(t)
	first, left, _ := p.StaffCode(p.now)
	if left != hien.StaffCodeLife { // an hour after boot
		t.Errorf("the code is shown for %v; want %v", left, hien.StaffCodeLife)
	}
	p.later(left - time.Second)
	if c, left, _ := p.StaffCode(p.now); c.Reveal() != first.Reveal() || left != time.Second {
		t.Errorf("a second before its end the code has changed, or is shown for %v", left)
	}
	if !p.takes(1, first) {
		t.Error("the code that is shown was not taken")
	}
	p.later(time.Second)
	second := p.till()
	if second.Reveal() == first.Reveal() {
		t.Error("the code has not changed")
	}
	p.later(hien.StaffCodeLife - time.Second)
	if !p.takes(2, first) || !p.takes(3, second) {
		t.Error("a code was not taken that was read just before it changed")
	}
	p.later(time.Second)
	if p.takes(4, first) {
		t.Error("a code of ten minutes ago was taken")
	}
	p.now.Boot = "boot-b"
	if p.takes(5, second) || p.takes(6, p.codeOfAnotherShop()) {
		t.Error("a code of before the router was started, or of another shop, was taken")
	}
	if _, _, ok := newPorch(t).StaffCode(start); ok {
		t.Error("a shop that takes no staff code shows one")
	}
}

// takes reports whether the i-th device gets in with a code of the till.
func (p *porch) takes(i int, c hien.Code) bool {
	p.Helper()
	d := device(i)
	if err := p.Ask(p.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		p.Fatal(err)
	}
	err := p.Prove(p.Context(), d, c, p.now)
	if err != nil && !errors.Is(err, hien.ErrBadCode) {
		p.Fatal(err)
	}
	return err == nil
}

func (p *porch) codeOfAnotherShop() hien.Code {
	parts := p.parts
	parts.Router = hien.NewRouterKey()
	c, _, _ := hien.NewGateway(parts, p.settings).StaffCode(p.now)
	return c
}

func TestTheTillsCodeTypedTwiceCountsOnce(t *testing.T) {
	p, _ := tills(t)
	d := device(1)
	p.later(hien.StaffCodeLife - time.Second)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	code := p.till()
	p.door.fail = errors.New("netlink: no buffer") // the guest presses again
	if err := p.Prove(t.Context(), d, code, p.now); err == nil {
		t.Fatal("the door works")
	}
	p.door.fail = nil
	p.later(3 * hien.StaffCodeLife)
	if err := p.Prove(t.Context(), d, code, p.now); err != nil {
		t.Errorf("pressed again after the till has changed its code: %v; want that it is taken", err)
	}
	p.wantIn("pressed twice", d, 4*time.Hour)
	if p.ledger() != 1 {
		t.Errorf("%d ledger entries; want 1", p.ledger())
	}
}

func TestTheTillsCodeIsGuessedFiveTimesAtMost(t *testing.T) {
	p, _ := tills(t)
	d := device(1)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	wrong := "000000"
	if p.till().Reveal() == wrong {
		wrong = "000001"
	}
	c, _ := hien.ParseCode(wrong)
	for range hien.CodeTries {
		if err := p.Prove(t.Context(), d, c, p.now); !errors.Is(err, hien.ErrBadCode) {
			t.Errorf("a wrong code: %v; want ErrBadCode", err)
		}
	}
	if err := p.Prove(t.Context(), d, p.till(), p.now); !errors.Is(err, hien.ErrCodeDead) {
		t.Errorf("the right code after five wrong ones: %v; want ErrCodeDead", err)
	}
	for range hien.CodesPerQuarter - 1 { // and a device does not begin anew as often as it likes
		p.later(30 * time.Second)
		if err := p.AskAgain(t.Context(), d, p.now); err != nil {
			t.Errorf("AskAgain: %v", err)
		}
	}
	p.later(30 * time.Second)
	if err := p.AskAgain(t.Context(), d, p.now); !errors.Is(err, hien.ErrTooMany) {
		t.Errorf("AskAgain for the fourth time: %v; want ErrTooMany", err)
	}
}

func TestTheTillsCodeNeedsNoInternet(t *testing.T) {
	p, _ := tills(t)
	p.offline.Store(true)
	d := device(1)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	if g := p.greet(d); g.Waiting || !g.StaffCode {
		t.Errorf("greeting = %+v; want the till's code asked for at once", g)
	}
	if err := p.AskAgain(t.Context(), d, p.now); err != nil {
		t.Errorf("AskAgain: %v", err)
	}
	if g := p.greet(d); g.Waiting || !g.StaffCode || g.PassLeft != 0 {
		t.Errorf("asked again: %+v; want the till's code", g)
	}
	if err := p.Prove(t.Context(), d, p.till(), p.now); err != nil {
		t.Error(err)
	}
}

func TestTheTillHelpsWhileTheSendingPauses(t *testing.T) {
	p, _ := tills(t)
	p.settings.Sender = p.codes
	p.settings.CodesPerDay = 5
	p.Reload(p.settings)
	p.pump(0, 5)
	d := device(9)
	if g := p.greet(d); !g.NoNumber || !slices.Equal(g.Ask, []consent.Purpose{consent.VisitFrequency}) {
		t.Errorf("greeting = %+v; want what needs no number", g)
	}
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	if guest, _, err := p.book.Guest(d.Guest); err != nil || guest.Form.LastTwo != "" {
		t.Errorf("form = %+v, %v; want that a number nobody will prove is not taken", guest.Form, err)
	}
	p.settings.CodesPerDay = 10 // codes are sent again, and this form has no number
	p.Reload(p.settings)
	p.later(30 * time.Second)
	if err := p.AskAgain(t.Context(), d, p.now); err != nil || p.codes.sent != 5 {
		t.Errorf("AskAgain: %v, %d codes; want the till's code still, and none sent to nobody", err, p.codes.sent)
	}
	if err := p.Prove(t.Context(), d, p.till(), p.now); err != nil {
		t.Error(err)
	}
}

func TestTheTillsCodeDoesNotPrintItself(t *testing.T) {
	p, _ := tills(t)
	var out strings.Builder
	c, _, _ := p.StaffCode(p.now)
	if out.WriteString(c.String()); strings.Contains(out.String(), c.Reveal()) || len(c.Reveal()) != 6 {
		t.Errorf("it prints as %q", out.String())
	}
}
