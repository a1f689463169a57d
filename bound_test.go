package hien_test

import (
	"slices"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// TestALeadHasTheBoundsThatWereShown: with the number go the channels and the cap
// of the notice that was agreed to, and the consent as proof; of another notice's
// nobody is told those of today (R-MKT-1, R-MKT-2).
func TestALeadHasTheBoundsThatWereShown(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	// leads holds what is told of the bounds against what is wanted, and answers
	// the proof.
	leads := func(when string, channels []string, most int) (proof consent.ID) {
		t.Helper()
		n := 0
		for _, e := range p.sent() {
			b := e.Facts().Bound
			if e.Kind() != hien.LeadGiven || !e.Purpose().Reaches() {
				if b != nil {
					t.Errorf("%s: a %s of %s has the bound %+v", when, e.Kind(), e.Purpose(), b)
				}
				continue
			}
			n++
			if b == nil || b.MaxPerMonth != most || !slices.Equal(b.Channels, channels) || b.Proof == "" {
				t.Fatalf("%s: %s has the bound %+v; want %v, %d a month", when, e.Purpose(), b, channels, most)
			}
			proof = b.Proof
		}
		if n != 1 {
			t.Errorf("%s: %d leads that are reached; want one", when, n)
		}
		return proof
	}
	p.giveAs(d, oldNumber, both...)
	first := leads("just given", []string{"zalo"}, 2)
	secret := p.greet(d).Receipt
	if r, err := p.Receipt(t.Context(), secret); err != nil || r.Given.ID() != first {
		t.Errorf("the proof is %s; want the receipt's consent %s, %v", first, r.Given.ID(), err)
	}

	// Told anew, with another number: first under the same notice, then after
	// another has taken its place, which the person has not answered.
	change := func(number string) {
		t.Helper()
		if err := p.change(d, secret, number); err != nil {
			t.Fatal(err)
		}
		if err := p.changed(d, secret); err != nil {
			t.Fatal(err)
		}
	}
	change(newNumber)
	if proof := leads("another number", []string{"zalo"}, 2); proof != first {
		t.Errorf("the proof is %s; want the consent %s", proof, first)
	}
	p.settings.Asker.Controller.Operator = "Bên Vận hành"
	p.Reload(p.settings)
	change(oldNumber)
	if proof := leads("another number, under another notice", nil, 0); proof != first {
		t.Errorf("the proof is %s; want the consent %s", proof, first)
	}

	// The notice changes while the code travels.
	p = newPorch(t)
	g := p.greet(d)
	n, err := g.Asker.Notice("vi", g.StoreName, g.Ask)
	if err == nil {
		err = p.Ask(t.Context(), d, hien.Application{OfAge: true, Phone: phone(t, oldNumber), Agreed: both, Notice: n}, p.now)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.settings.Asker.Controller.Operator = "Bên Vận hành"
	p.Reload(p.settings)
	if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); err != nil {
		t.Fatal(err)
	}
	leads("while the code travelled", nil, 0)
}
