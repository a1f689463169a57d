package hien

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// Codes cost the shop money, and strangers can make it send them: SMS pumping
// sends codes to numbers whose operator shares the fee. So there are limits
// for each number and each device (CodesPerQuarter, CodesPerDay), which a
// stranger with many numbers and made-up devices goes round, and two for the
// shop, which nobody does: so many codes within a day, and a pause when few of
// them come back. Guests come in meanwhile without giving anything.
const (
	// DefaultCodesPerDay is how many codes a shop sends within 24 hours.
	DefaultCodesPerDay = 500

	// Of the last breakerLooksAt codes of an hour, fewer than one in
	// breakerWants came back: then none is sent for breakerPause.
	breakerLooksAt = 50
	breakerWants   = 5
	breakerPause   = time.Hour
)

// outgoing is what the gateway knows of the codes that it has sent.
type outgoing struct {
	mu    sync.Mutex
	day   []time.Duration // Moment.Up of each code within 24 hours, oldest first
	last  []sentCode      // the latest within an hour, oldest first, at most breakerLooksAt
	until time.Duration   // Moment.Up at which the pause ends
	told  time.Duration   // Moment.Up at which the log was told that the day's codes are used up
}

type sentCode struct {
	form consent.ID
	at   time.Duration
	back bool
}

// CodeState is how the sending of codes fares.
type CodeState struct {
	Today  int           // sent within 24 hours
	PerDay int           // how many may be
	Sent   int           // of the latest, within an hour and since the last pause, at most 50
	Back   int           // so many of them were typed
	Pause  time.Duration // until codes are sent again, as few came back; 0: they are sent
}

// CodeState tells how the sending of codes fares.
func (g *Gateway) CodeState(now Moment) CodeState {
	o := &g.outgoing
	o.mu.Lock()
	defer o.mu.Unlock()
	o.age(now)
	return CodeState{Today: len(o.day), PerDay: g.settings.Load().perDay(), Sent: len(o.last), Back: o.back(), Pause: max(0, o.until-now.Up)}
}

func (s *Settings) perDay() int {
	if s.CodesPerDay == 0 {
		return DefaultCodesPerDay
	}
	return s.CodesPerDay
}

// load counts what the book knows of the codes of the last day, also of those
// that could not be sent, so that a daemon that is started again does not begin
// anew.
func (o *outgoing) load(book Livebook) error {
	var sent []time.Duration
	err := book.Guests(func(g Guest) error {
		sent = append(sent, g.Codes...)
		return nil
	})
	slices.Sort(sent)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.day = sent
	return err
}

// age forgets what is too old to count. The caller holds the lock.
func (o *outgoing) age(now Moment) {
	o.day = slices.DeleteFunc(o.day, func(at time.Duration) bool { return now.Up-at >= 24*time.Hour })
	o.last = slices.DeleteFunc(o.last, func(c sentCode) bool { return now.Up-c.at >= time.Hour })
}

// back is how many of the latest codes were typed. The caller holds the lock.
func (o *outgoing) back() (n int) {
	for _, c := range o.last {
		if c.back {
			n++
		}
	}
	return n
}

// sends reports whether a code could be sent now, to some number.
func (g *Gateway) sends(now Moment) bool {
	s, o := g.settings.Load(), &g.outgoing
	o.mu.Lock()
	defer o.mu.Unlock()
	o.age(now)
	return s.Sender != nil && o.until <= now.Up && len(o.day) < s.perDay()
}

// take takes one of the day's codes, unless there is none left or the sending
// pauses.
func (g *Gateway) take(now Moment) bool {
	o, most := &g.outgoing, g.settings.Load().perDay()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.age(now)
	if o.until > now.Up || len(o.day) >= most {
		return false
	}
	o.day = append(o.day, now.Up)
	return true
}

// giveBack gives back what take took, as no code was sent.
func (g *Gateway) giveBack(now Moment) {
	o := &g.outgoing
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.day, now.Up); i >= 0 {
		o.day = slices.Delete(o.day, i, i+1)
	}
}

// sent counts a code that was sent, and pauses the sending when few came back.
func (g *Gateway) sent(form consent.ID, now Moment) {
	o, most := &g.outgoing, g.settings.Load().perDay()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.age(now)
	if len(o.day) >= most && (o.told == 0 || now.Up-o.told >= 24*time.Hour) {
		o.told = now.Up
		g.parts.Log.Warn("so many codes were sent within a day that no more are; guests come in without. If they were guests who wanted one, raise codes_per_day", "codes", most)
	}
	o.last = append(o.last, sentCode{form: form, at: now.Up})
	if len(o.last) > breakerLooksAt {
		o.last = o.last[1:]
	}
	if back := o.back(); len(o.last) == breakerLooksAt && back*breakerWants < breakerLooksAt {
		o.until, o.last = now.Up+breakerPause, nil
		g.parts.Log.Error("few of the codes that were sent came back: somebody may be making the shop send them. None is sent for a while, and guests come in without",
			"sent", breakerLooksAt, "back", back, "for", plain(breakerPause))
	}
}

// cameBack counts that a form's codes were for somebody.
func (o *outgoing) cameBack(form consent.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.last {
		if o.last[i].form == form {
			o.last[i].back = true
		}
	}
}

// send sends a code within the limits of the shop and of the number.
func (g *Gateway) send(ctx context.Context, m Message, form consent.ID) (Proof, error) {
	sender := g.settings.Load().Sender
	if sender == nil || m.To.IsZero() || !g.take(m.At) {
		return "", ErrTooMany
	}
	allowed, err := g.parts.Book.CountCode(mac(g.memory.mac, "number:"+m.To.Reveal()), m.At.Up)
	var by Proof
	switch {
	case err != nil:
	case !allowed:
		err = ErrTooMany
	default:
		if by, err = sender.Send(ctx, m); err != nil {
			err = fmt.Errorf("%w: %w", ErrNotSent, err)
		}
	}
	if err != nil {
		g.giveBack(m.At)
		return "", err
	}
	g.sent(form, m.At)
	return by, nil
}
