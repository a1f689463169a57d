package hien_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// ask lets a guest apply.
func (p *porch) ask(d hien.Device, number string) {
	p.Helper()
	p.greet(d)
	if err := p.Ask(p.Context(), d, p.application(number, consent.VisitFrequency), p.now); err != nil {
		p.Fatalf("Ask: %v", err)
	}
}

func TestWithoutInternetAnApplicationWaitsAndTheGuestIsIn(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	d := device(1)
	if g := p.greet(d); !g.NoInternet || g.Step != hien.AtDoor || len(g.Ask) != 2 {
		t.Errorf("greeting = %+v; want the door, asked as ever, and that there is no internet", g)
	}
	p.ask(d, "0987654321")
	p.wantIn("at once", d, 4*time.Hour)
	if g := p.greet(d); g.Step != hien.AtCode || !g.Waiting || !g.NoInternet || g.PassLeft != 4*time.Hour || g.LastTwo != "21" || g.CodeLeft != 0 {
		t.Errorf("greeting = %+v; want that a code waits, with a pass", g)
	}
	if inside, err := p.Inside(t.Context(), d, p.now); err != nil || !inside {
		t.Errorf("its probe: inside %v, %v; want that it is", inside, err)
	}
	p.later(time.Minute)
	p.tick()
	if p.codes.sent != 0 {
		t.Fatalf("%d codes were sent without internet", p.codes.sent)
	}
	p.ask(d, "0987654321") // the button again
	if err := p.AskAgain(t.Context(), d, p.now); err != nil {
		t.Errorf("AskAgain: %v; want that it waits", err)
	}
	if p.codes.sent != 0 {
		t.Fatalf("%d codes were sent without internet, asked again", p.codes.sent)
	}

	p.offline.Store(false)
	p.tick()
	p.tick()
	if p.codes.sent != 1 {
		t.Fatalf("%d codes were sent when the internet was back; want 1", p.codes.sent)
	}
	if g := p.greet(d); g.Step != hien.AtCode || g.Waiting || g.NoInternet || g.CodeLeft != hien.CodeLife || g.PassLeft == 0 {
		t.Errorf("greeting = %+v; want a fresh code before the pass", g)
	}
	if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); err != nil {
		t.Fatal(err)
	}
	g := p.greet(d)
	if g.Step != hien.Inside || g.Receipt == "" || g.PassLeft != 4*time.Hour-time.Minute || p.ledger() != 1 {
		t.Errorf("greeting = %+v, %d ledger entries; want inside for as long as before, and the answer kept", g, p.ledger())
	}
}

func TestACodeThatNobodyTypesLeavesTheGuestInside(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	d := device(1)
	p.ask(d, "0987654321")
	p.offline.Store(false)
	p.tick()
	p.later(hien.CodeLife)
	if g := p.greet(d); g.Step != hien.Inside {
		t.Errorf("greeting = %+v; want inside, as the code is dead", g)
	}
	if err := p.AskAgain(t.Context(), d, p.now); err != nil || p.codes.sent != 2 {
		t.Errorf("AskAgain: %v, %d codes; want another", err, p.codes.sent)
	}
	for range hien.CodeTries {
		p.Prove(t.Context(), d, p.codes.wrong(d), p.now)
	}
	if g := p.greet(d); g.Step != hien.Inside {
		t.Errorf("greeting = %+v; want inside, as the code is guessed out", g)
	}
}

func TestGoingOnWithoutDropsWhatWaits(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	d, other := device(1), device(2)
	p.ask(d, "0987654321")
	p.ask(other, "0987654322")
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	if err := p.Forget(t.Context(), other, p.now); err != nil {
		t.Fatal(err)
	}
	p.offline.Store(false)
	p.tick()
	if p.codes.sent != 0 {
		t.Errorf("%d codes were sent to guests who want none", p.codes.sent)
	}
	for _, one := range []hien.Device{d, other} {
		if g := p.greet(one); g.Step != hien.Inside {
			t.Errorf("greeting = %+v; want inside", g)
		}
	}
}

func TestCodesThatWaitedGoOutAFewAtATimeAndWithinTheLimits(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	for i := range 10 {
		p.ask(device(i), fmt.Sprintf("098765430%d", i))
	}
	for i := range 5 { // one number, five devices
		p.ask(device(100+i), "0987654321")
	}
	p.offline.Store(false)
	for i := range 10 {
		before := p.codes.sent
		p.tick()
		if n := p.codes.sent - before; n > 4 {
			t.Errorf("tick %d sent %d codes; want at most 4", i, n)
		}
	}
	if want := 10 + hien.CodesPerQuarter; p.codes.sent != want {
		t.Errorf("%d codes were sent; want %d", p.codes.sent, want)
	}
	p.later(16 * time.Minute)
	p.tick()
	if want := 10 + 5; p.codes.sent != want {
		t.Errorf("%d codes were sent a quarter of an hour later; want %d", p.codes.sent, want)
	}
}

func TestACodeThatFailsToGoOutIsTriedAgainLater(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	d := device(1)
	p.ask(d, "0987654321")
	p.offline.Store(false)
	p.codes.fail = errors.New("no route")
	p.tick()
	if g := p.greet(d); g.Step != hien.AtCode || !g.Waiting {
		t.Errorf("greeting = %+v; want that it waits still", g)
	}
	p.codes.fail = nil
	p.later(2 * time.Second)
	p.tick()
	if p.codes.sent != 0 {
		t.Error("tried again at once")
	}
	p.later(time.Minute)
	p.tick()
	if g := p.greet(d); p.codes.sent != 1 || g.Waiting || g.CodeLeft == 0 {
		t.Errorf("%d codes, greeting %+v; want that it is sent", p.codes.sent, g)
	}
}

func TestACodeThatWasSentStaysGoodWhenTheInternetGoes(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.ask(d, "0987654321")
	p.offline.Store(true)
	p.ask(d, "0987654321") // the same button, now without internet
	p.wantIn("let in", d, 4*time.Hour)
	if g := p.greet(d); g.Step != hien.AtCode || g.Waiting || g.CodeLeft == 0 {
		t.Errorf("greeting = %+v; want the code that was sent", g)
	}
	if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); err != nil {
		t.Errorf("the code that was sent: %v", err)
	}
}

func TestWhatWaitsEndsWithTheStay(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	d := device(1)
	p.ask(d, "0987654321")
	p.later(time.Hour)
	p.tick()
	p.offline.Store(false)
	p.tick()
	if p.codes.sent != 0 {
		t.Error("a code went to somebody who has left")
	}
}

func TestAfterARestartNothingWaits(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	d := device(1)
	p.ask(d, "0987654321")
	p.restart() // the number was sealed in the daemon's memory
	p.offline.Store(false)
	p.tick()
	if g := p.greet(d); g.Step != hien.Inside || p.codes.sent != 0 {
		t.Errorf("greeting = %+v, %d codes sent; want inside and none", g, p.codes.sent)
	}
}

func TestWithoutASenderOrARecordNothingWaits(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	p.settings.Sender = nil
	p.Reload(p.settings)
	d := device(1)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("Ask = %v; want ErrNoAsking", err)
	}
	p.admit(d)
	p.wantIn("going on without", d, 4*time.Hour)
	if up, known := p.Internet(); up || !known {
		t.Errorf("internet: up %v, known %v; want down", up, known)
	}
	p.parts.Online = nil
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	if up, known := p.Internet(); !up || known {
		t.Errorf("internet: up %v, known %v; want taken for up", up, known)
	}
}
