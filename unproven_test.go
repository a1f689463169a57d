package hien_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/otp"
)

// What happens until a number is proved: guesses, silence about why a code did
// not go out, and the end of a number that nobody proves.

// TestAGuestIsToldTheSameWhyeverTheCodeWasNotSent holds for each class of what
// a sender answers.
func TestAGuestIsToldTheSameWhyeverTheCodeWasNotSent(t *testing.T) {
	var told []string
	for _, class := range []otp.Class{otp.UserUnreachable, otp.RetryLater, otp.ConfigError} {
		p := newPorch(t)
		p.codes.fail = &otp.Error{Sender: "zalo", Class: class, Text: "why"}
		d := device(1)
		p.greet(d)
		err := p.try(d, "0987654321")
		var sender *otp.Error
		if !errors.Is(err, hien.ErrNotSent) || !errors.As(err, &sender) || sender.Class != class {
			t.Errorf("%s: Ask = %v; want ErrNotSent with the sender's own beside it", class, err)
		}
		told = append(told, jsonText(t, p.greet(d)))
		if guest, _, _ := p.book.Guest(d.Guest); guest.Form != nil {
			t.Errorf("%s: a form waits for a code that was not sent", class)
		}
	}
	if told = slices.Compact(told); len(told) != 1 {
		t.Errorf("guests are told different things:\n%s", strings.Join(told, "\n"))
	}
}

func jsonText(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestTenThousandGuesses lets a thousand connections guess ten times each, at
// once: five guesses are looked at, and the right code among the others is too
// late.
func TestTenThousandGuesses(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.ask(d, "0987654321")
	right := p.codes.of(d)
	var bad, dead, other atomic.Int32
	var all sync.WaitGroup
	begin := make(chan struct{})
	for c := range 1000 {
		all.Go(func() {
			<-begin
			for g := range 10 {
				guess, _ := hien.ParseCode(fmt.Sprintf("%06d", c*10+g))
				if guess.Reveal() == right.Reveal() {
					guess, _ = hien.ParseCode("999999")
				}
				switch err := p.Prove(context.Background(), d, guess, p.now); {
				case errors.Is(err, hien.ErrBadCode):
					bad.Add(1)
				case errors.Is(err, hien.ErrCodeDead):
					dead.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	close(begin)
	all.Wait()
	if bad.Load() != hien.CodeTries || dead.Load() != 10_000-hien.CodeTries || other.Load() != 0 {
		t.Errorf("%d guesses were looked at, %d were too late, %d something else; want %d, %d, 0", bad.Load(), dead.Load(), other.Load(), hien.CodeTries, 10_000-hien.CodeTries)
	}
	if err := p.Prove(t.Context(), d, right, p.now); !errors.Is(err, hien.ErrCodeDead) || p.ledger() != 0 {
		t.Errorf("the right code afterwards: %v, %d ledger entries; want that it is dead", err, p.ledger())
	}
	if err := p.AskAgain(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	p.prove(d)
}

func TestANumberThatNobodyProvedIsGoneAfterADay(t *testing.T) {
	p := newPorch(t)
	s := p.spied()
	waits, coded, proven, full := device(1), device(2), device(3), device(4)
	p.give(proven, "0987654323", consent.VisitFrequency)
	s.fail = hien.ErrStorage // a full disk: the answer waits, proved
	p.ask(full, "0987654324")
	if err := p.Prove(t.Context(), full, p.codes.of(full), p.now); !errors.Is(err, hien.ErrStorage) {
		t.Fatal(err)
	}
	p.ask(coded, "0987654321")
	p.offline.Store(true)
	p.ask(waits, "0987654322")
	form := func(d hien.Device) *hien.Form {
		t.Helper()
		guest, _, err := p.book.Guest(d.Guest)
		if err != nil {
			t.Fatal(err)
		}
		return guest.Form
	}
	stay := func(d time.Duration) { // all stay in the shop
		for left := d; left > 0; left -= 10 * time.Minute {
			p.later(min(left, 10*time.Minute))
			for _, d := range []hien.Device{waits, coded, proven, full} {
				p.saw(d)
			}
			p.tick()
		}
	}
	stay(23*time.Hour + 50*time.Minute)
	if form(waits) == nil || form(coded) == nil {
		t.Error("a number was dropped before its day was over")
	}
	p.offline.Store(false)
	if err := p.AskAgain(t.Context(), coded, p.now); err != nil { // which does not begin the day anew
		t.Errorf("AskAgain: %v", err)
	}
	stay(10 * time.Minute)
	if form(waits) != nil || form(coded) != nil {
		t.Error("a number that nobody proved is still kept after 24 hours (R-CON-11)")
	}
	if form(full) == nil {
		t.Error("a number that was proved was dropped before the record could take it")
	}
	s.fail = nil
	p.prove(full)
	if n := p.ledger(); n != 2 {
		t.Errorf("%d ledger entries; want those of the numbers that were proved", n)
	}
	for _, e := range p.queue() {
		own := func(number string) bool { return e.User() == p.settings.Brand.LeadKey(phone(t, number)) }
		if !own("0987654323") && !own("0987654324") {
			t.Errorf("an event of %s was queued, whose number nobody proved", e.User())
		}
	}
}
