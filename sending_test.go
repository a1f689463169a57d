package hien_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// listening makes the porch's log readable.
func (p *porch) listening() *bytes.Buffer {
	p.Helper()
	log := new(bytes.Buffer)
	p.parts.Log = slog.New(slog.NewTextHandler(log, nil))
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	return log
}

// someone is the number of the i-th person.
func someone(i int) string { return fmt.Sprintf("09870%05d", i) }

// try lets a guest apply for a code by a number, and answers the error.
func (p *porch) try(d hien.Device, number string) error {
	p.Helper()
	return p.Ask(p.Context(), d, p.application(number, consent.VisitFrequency), p.now)
}

func TestANumberGetsThreeCodesInAQuarterOfAnHourAndSixInADay(t *testing.T) {
	p := newPorch(t)
	const number = "0987654321"
	want := func(d int, want error) {
		t.Helper()
		if err := p.try(device(d), number); !errors.Is(err, want) {
			t.Errorf("device %d after %v: %v; want %v", d, p.now.Up-start.Up, err, want)
		}
	}
	for d := range 3 {
		want(d, nil)
	}
	want(3, hien.ErrTooMany)
	if err := p.try(device(4), "0987654322"); err != nil {
		t.Errorf("another number: %v", err)
	}
	p.later(15 * time.Minute)
	for d := range 3 {
		want(10+d, nil)
	}
	p.later(15 * time.Minute)
	want(20, hien.ErrTooMany)
	p.later(23*time.Hour + 29*time.Minute)
	want(21, hien.ErrTooMany)
	p.later(time.Minute)
	want(22, nil)
}

func TestADeviceGetsThreeCodesInAQuarterOfAnHourAndSixInADay(t *testing.T) {
	p := newPorch(t)
	d, n := device(1), 0
	want := func(want error) {
		t.Helper()
		n++
		if err := p.try(d, someone(n)); !errors.Is(err, want) {
			t.Errorf("number %d after %v: %v; want %v", n, p.now.Up-start.Up, err, want)
		}
	}
	for range 3 {
		want(nil)
	}
	want(hien.ErrTooMany)
	p.later(15 * time.Minute)
	for range 3 {
		want(nil)
	}
	p.later(15 * time.Minute)
	want(hien.ErrTooMany)
	p.later(24*time.Hour - 15*time.Minute)
	want(nil)
}

func TestTheShopSendsSoManyCodesADayAndNoMore(t *testing.T) {
	p := newPorch(t)
	p.settings.CodesPerDay = 10
	log := p.listening()
	for i := range 10 {
		p.ask(device(i), someone(i))
	}
	d := device(99)
	if g := p.greet(d); len(g.Ask) != 0 || g.Step != hien.AtDoor || g.NoNumber {
		t.Errorf("greeting = %+v; want the door, and nothing asked", g)
	}
	if err := p.try(d, someone(99)); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("Ask = %v; want ErrNoAsking", err)
	}
	p.later(time.Minute)
	if err := p.AskAgain(t.Context(), device(1), p.now); !errors.Is(err, hien.ErrTooMany) || p.codes.sent != 10 {
		t.Errorf("AskAgain = %v, %d sent; want ErrTooMany and 10", err, p.codes.sent)
	}
	if err := p.Prove(t.Context(), device(2), p.codes.of(device(2)), p.now); err != nil {
		t.Errorf("a code that was sent: %v; want that it is good", err)
	}
	p.admit(d)
	p.wantIn("going on without", d, 4*time.Hour)
	if got, want := p.CodeState(p.now), (hien.CodeState{Today: 10, PerDay: 10, Sent: 10, Back: 1}); got != want {
		t.Errorf("state = %+v; want %+v", got, want)
	}
	if n := strings.Count(log.String(), "codes_per_day"); n != 1 {
		t.Errorf("the log was told %d times; want once:\n%s", n, log)
	}
	p.restart() // does not begin the day anew
	if g := p.greet(device(98)); len(g.Ask) != 0 {
		t.Errorf("after a restart: %+v; want nothing asked", g)
	}
	p.later(24*time.Hour - time.Minute - time.Second)
	if g := p.greet(device(98)); len(g.Ask) != 0 {
		t.Errorf("a second before the day is over: %+v; want nothing asked", g)
	}
	p.later(time.Second)
	if err := p.try(device(98), someone(98)); err != nil {
		t.Errorf("a day later: %v", err)
	}
}

func TestTheButtonPressedTwiceForTheLastCodeOfTheDay(t *testing.T) {
	p := newPorch(t)
	p.settings.CodesPerDay = 1
	p.Reload(p.settings)
	d := device(1)
	p.ask(d, "0987654321")
	p.later(2 * time.Second)
	if err := p.try(d, "0987654321"); err != nil || p.codes.sent != 1 {
		t.Errorf("pressed again: %v, %d codes; want nothing new, and the code that was sent", err, p.codes.sent)
	}
	p.later(20 * time.Second)
	if err := p.try(d, "0987654321"); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("later: %v; want ErrNoAsking", err)
	}
	p.prove(d)
}

func TestTheOwnerHearsOnceADayThatTheDaysCodesAreUsedUp(t *testing.T) {
	p := newPorch(t)
	p.settings.CodesPerDay = 2
	log := p.listening()
	want := func(what string, times int) {
		t.Helper()
		if n := strings.Count(log.String(), "codes_per_day"); n != times {
			t.Errorf("%s: told %d times; want %d", what, n, times)
		}
	}
	p.pump(0, 1)
	p.codes.fail = errors.New("the provider is down")
	for i := range 5 {
		p.try(device(10+i), someone(10+i))
	}
	want("codes that could not be sent", 0)
	p.codes.fail = nil
	p.later(12 * time.Hour)
	p.pump(20, 1)
	want("the second of two", 1)
	p.later(12 * time.Hour) // the first is a day old
	if n := p.pump(30, 2); n != 1 {
		t.Errorf("%d codes; want 1", n)
	}
	want("half a day later", 1)
	p.later(12 * time.Hour)
	p.pump(40, 1)
	want("a day later", 2)
}

func TestCodesThatCouldNotBeSentDoNotUseUpTheDay(t *testing.T) {
	p := newPorch(t)
	p.settings.CodesPerDay = 3
	p.Reload(p.settings)
	p.codes.fail = errors.New("the provider is down")
	for i := range 20 {
		if err := p.try(device(i), someone(i)); !errors.Is(err, hien.ErrNotSent) {
			t.Fatalf("guest %d: %v; want ErrNotSent", i, err)
		}
	}
	p.codes.fail = nil
	for i := range 3 {
		p.ask(device(100+i), someone(100+i))
	}
	if got := p.CodeState(p.now); got.Today != 3 || got.Sent != 3 {
		t.Errorf("state = %+v; want 3 codes", got)
	}
	if err := p.try(device(200), someone(200)); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("the fourth: %v; want ErrNoAsking", err)
	}
}

func TestTheDaysCodesHoldForGuestsWhoAskAtOnce(t *testing.T) {
	p := newPorch(t)
	p.settings.CodesPerDay = 25
	p.Reload(p.settings)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() { p.try(device(i), someone(i)) })
	}
	all.Wait()
	if p.codes.sent != 25 {
		t.Errorf("%d codes were sent; want 25", p.codes.sent)
	}
}

// pump makes the shop send codes that nobody types: n of them, from as many
// devices to as many numbers. It answers how many were sent.
func (p *porch) pump(from, n int) int {
	p.Helper()
	before := p.codes.sent
	for i := from; i < from+n; i++ {
		if err := p.try(device(i), someone(i)); err != nil && !errors.Is(err, hien.ErrNoAsking) {
			p.Fatalf("guest %d: %v", i, err)
		}
	}
	return p.codes.sent - before
}

func (p *porch) prove(d hien.Device) {
	p.Helper()
	if err := p.Prove(p.Context(), d, p.codes.of(d), p.now); err != nil {
		p.Fatalf("Prove: %v", err)
	}
}

func TestWhenFewCodesComeBackNoneIsSentForAnHour(t *testing.T) {
	for _, c := range []struct {
		proven int
		pauses bool
	}{{0, true}, {9, true}, {10, false}, {50, false}} {
		t.Run(fmt.Sprintf("%d of 50", c.proven), func(t *testing.T) {
			p := newPorch(t)
			log := p.listening()
			for i := range 50 {
				p.ask(device(i), someone(i))
				if i < c.proven {
					p.prove(device(i))
				}
				p.later(time.Minute)
			}
			if got := p.CodeState(p.now); (got.Pause > 0) != c.pauses || c.pauses && got.Sent != 0 {
				t.Fatalf("state = %+v; want a pause: %v\n%s", got, c.pauses, log)
			}
			if n := strings.Count(log.String(), "level=ERROR"); (n == 1) != c.pauses || n > 1 {
				t.Errorf("the log was told %d times:\n%s", n, log)
			}
			if !c.pauses {
				if p.pump(60, 1) != 1 {
					t.Error("the next code was not sent")
				}
				return
			}
			d := device(60)
			if g := p.greet(d); len(g.Ask) != 0 || g.Step != hien.AtDoor {
				t.Errorf("greeting = %+v; want nothing asked", g)
			}
			if p.pump(60, 20) != 0 {
				t.Error("codes were sent in the pause")
			}
			p.admit(d)
			p.wantIn("going on without", d, 4*time.Hour)
			last := device(49)
			if err := p.AskAgain(t.Context(), last, p.now); !errors.Is(err, hien.ErrTooMany) {
				t.Errorf("AskAgain in the pause: %v; want ErrTooMany", err)
			}
			p.prove(last) // what was sent is as good as it was
			left := p.CodeState(p.now).Pause
			p.later(left - time.Second)
			if p.pump(90, 1) != 0 {
				t.Error("a code was sent before the pause was over")
			}
			p.later(time.Second)
			if p.pump(91, 1) != 1 {
				t.Error("no code was sent after the pause")
			}
			if left > time.Hour || left < 58*time.Minute {
				t.Errorf("the pause lasts %v; want an hour", left)
			}
		})
	}
}

func TestCodesOfHoursAgoDoNotCountAgainstTheShop(t *testing.T) {
	p := newPorch(t)
	for round := range 4 { // 160 codes that nobody types, 40 an hour
		if n := p.pump(round*40, 40); n != 40 {
			t.Fatalf("round %d: %d codes; want 40", round, n)
		}
		p.later(time.Hour)
	}
	if got := p.CodeState(p.now); got.Pause != 0 || got.Sent != 0 || got.Today != 160 {
		t.Errorf("state = %+v; want no pause", got)
	}
}

func TestWhoAsksForACodeAgainIsNoPumping(t *testing.T) {
	p := newPorch(t)
	for i := range 40 {
		d := device(i)
		p.ask(d, someone(i))
		for range 2 {
			p.later(30 * time.Second)
			if err := p.AskAgain(t.Context(), d, p.now); err != nil {
				t.Fatalf("guest %d: %v", i, err)
			}
		}
		if i%4 == 0 { // one in four: one code in twelve, but three of twelve were for somebody
			p.prove(d)
		}
	}
	if got := p.CodeState(p.now); got.Pause != 0 || got.Sent != 50 {
		t.Errorf("state = %+v; want no pause", got)
	}
}

func TestForeignNumbersGetACodeOnlyWhereTheOwnerSaysSo(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	var why *hien.PhoneError
	if err := p.try(d, "+447700900123"); !errors.As(err, &why) || why.Reason != hien.PhoneForeign {
		t.Errorf("Ask = %v; want a PhoneError with PhoneForeign", err)
	}
	if guest, _, err := p.book.Guest(d.Guest); err != nil || guest.Form != nil || len(guest.Codes) != 0 || p.codes.sent != 0 {
		t.Errorf("of a number that was not taken: %+v, %v, %d codes", guest, err, p.codes.sent)
	}
	p.ask(d, "0987654321")
	p.settings.ForeignNumbers = true
	p.Reload(p.settings)
	p.give(device(2), "+447700900123", consent.VisitFrequency)
}

func TestASenderThatDoesNotAnswerIsAskedOnceATick(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	for i := range 10 {
		p.ask(device(i), someone(i))
	}
	p.offline.Store(false)
	slow := &countingSender{fail: errors.New("no answer")}
	p.settings.Sender = slow
	p.Reload(p.settings)
	for i := range 5 {
		p.tick()
		if got := int(slow.asked.Load()); got != i+1 {
			t.Errorf("after %d ticks it was asked %d times; want once a tick, so that a tick takes no longer than one answer", i+1, got)
		}
		p.later(2 * time.Second)
	}
}

type countingSender struct {
	asked atomic.Int32
	fail  error
}

func (s *countingSender) Send(context.Context, hien.Message) (hien.Proof, error) {
	s.asked.Add(1)
	return "", s.fail
}
