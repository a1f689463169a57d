package hien

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Request is what a person asked for by telephone, on paper or at the
// counter, with its legal clock (R-RGT-3; Decree 356/2025/ND-CP Art. 5). It
// names nobody.
type Request struct {
	Number   int64 // from 1
	Kind     string
	Channel  string
	By       string // who took it
	Policy   string
	Received time.Time
	AckDue   time.Time // the zero Time where there is no such duty
	Acked    time.Time // the zero Time: not yet
	Due      time.Time
	Latest   time.Time // until which it can be extended, once and with a reason
	Extended bool
	Closed   time.Time // the zero Time while it is open
	Outcome  string
	Reason   string // of the extension or the refusal, as the person was told
	Proof    string // the ledger entry's number and id
}

// How a request ends.
const (
	RequestDone    = "done"
	RequestNobody  = "nobody"  // nothing is kept of the person
	RequestRefused = "refused" // with a reason (R-RGT-6; Law 91/2025/QH15 Art. 14)
)

// RequestChannels are the ways by which a request comes to the owner.
var RequestChannels = []string{"counter", "phone", "paper"}

// Requests keep what people asked for.
type Requests interface {
	// OpenRequest gives a request its number. Those that ended before the day
	// keep are deleted.
	OpenRequest(ctx context.Context, r Request, keep time.Time) (Request, error)
	// EditRequest changes one in one transaction; ErrNoRequest if there is none.
	EditRequest(ctx context.Context, number int64, edit func(*Request) error) (Request, error)
	// ListRequests are the open ones, the most urgent first, and behind them
	// those that ended, the latest first.
	ListRequests(ctx context.Context, limit int) ([]Request, error)
}

// The errors of requests.
var (
	ErrNoRequest     = errors.New("there is no such request")
	ErrRequestClosed = errors.New("the request has ended")
	ErrRequestKind   = errors.New("no such kind of request")
	ErrExtended      = errors.New("the request was extended before, and can be only once")
	ErrNoReason      = errors.New("the person is to be told a reason")
	ErrNoDeadline    = errors.New("the policy cannot be read, so no request has a deadline, and none can be kept: `hien config check` says what to mend")
	ErrNoBrandKey    = errors.New("without the brand key nobody is found by a number: name the person by a subject or by a receipt's code, or put the key back")
)

// Urgency is how much of a request's time is gone, in percent: of that to
// acknowledge it, or to carry it out, whichever is more (R-RGT-3).
func (r Request) Urgency(now time.Time) int {
	if !r.Closed.IsZero() {
		return 0
	}
	gone := func(due time.Time) int {
		if whole := due.Sub(r.Received); whole > 0 {
			return int(100 * now.Sub(r.Received) / whole)
		}
		return 0
	}
	most := gone(r.Due)
	if !r.AckDue.IsZero() && r.Acked.IsZero() {
		most = max(most, gone(r.AckDue))
	}
	return max(0, most)
}

// OpenRequest takes a request and starts its clock.
func (g *Gateway) OpenRequest(ctx context.Context, kind, channel, by string, now Moment) (Request, error) {
	policy := g.Policy()
	switch {
	case g.parts.Requests == nil:
		return Request{}, ErrStorage
	case policy == nil:
		return Request{}, ErrNoDeadline
	}
	if !now.InStep {
		return Request{}, ErrClockUnset
	}
	deadline, known := policy.Deadlines[kind]
	if !known || !slices.Contains(RequestChannels, channel) {
		return Request{}, fmt.Errorf("%w: %s by %s", ErrRequestKind, kind, channel)
	}
	clock := deadline.NewClock(now.Wall, g.settings.Load().today().Controller.Delivers)
	return g.parts.Requests.OpenRequest(ctx, Request{Kind: kind, Channel: channel, By: by, Policy: policy.Version,
		Received: now.Wall, AckDue: clock.AckDue, Due: clock.Due, Latest: clock.Extended}, policy.Terms(now.Wall).Requests)
}

// AnswerRequest acknowledges an open request, extends its time once or refuses
// it, both with a reason that the person is told, or closes it as done.
func (g *Gateway) AnswerRequest(ctx context.Context, number int64, how, reason string, now Moment) (Request, error) {
	if g.parts.Requests == nil {
		return Request{}, ErrStorage
	}
	if !now.InStep {
		return Request{}, ErrClockUnset
	}
	return g.parts.Requests.EditRequest(ctx, number, func(r *Request) error {
		switch {
		case !r.Closed.IsZero():
			return ErrRequestClosed
		case (how == "extend" || how == "refuse") && reason == "":
			return ErrNoReason
		}
		if r.Acked.IsZero() {
			r.Acked = now.Wall // whoever is told of it later on has been answered
		}
		switch how {
		case "acknowledge":
		case "extend":
			if r.Extended {
				return ErrExtended
			}
			r.Due, r.Extended, r.Reason = r.Latest, true, reason
		case "done": // by other means than CarryOut's
			r.Closed, r.Outcome, r.Reason = now.Wall, RequestDone, reason
		case "refuse":
			r.Closed, r.Outcome, r.Reason = now.Wall, RequestRefused, reason
		default:
			return fmt.Errorf("%w: %s", ErrRequestKind, how)
		}
		return nil
	})
}

// CarryOut does what a request asks for, and closes it with what came of it.
// Without a number one is opened first, so that nothing is done for a person
// without a trace. do answers the ledger entry that proves it, if there is one;
// where it finds nobody that is the outcome, and no error.
func (g *Gateway) CarryOut(ctx context.Context, number int64, kind, channel, by string, now Moment, do func() (proof string, err error)) (Request, error) {
	if number == 0 {
		r, err := g.OpenRequest(ctx, kind, channel, by, now)
		if err != nil {
			return Request{}, err
		}
		number = r.Number
	} else if r, err := g.request(ctx, number); err != nil || r.Kind != kind || !r.Closed.IsZero() {
		switch {
		case err != nil:
			return Request{}, err
		case r.Kind != kind:
			return r, fmt.Errorf("%w: request %d is to %s", ErrRequestKind, number, r.Kind)
		}
		return r, ErrRequestClosed
	}
	proof, err := do()
	outcome := RequestDone
	if errors.Is(err, ErrNoReceipt) {
		outcome, err = RequestNobody, nil
	}
	if err != nil {
		return Request{}, err // the request stays open
	}
	return g.parts.Requests.EditRequest(ctx, number, func(r *Request) error {
		if r.Acked.IsZero() {
			r.Acked = now.Wall
		}
		r.Closed, r.Outcome, r.Proof = now.Wall, outcome, proof
		return nil
	})
}

// request is one as it stands.
func (g *Gateway) request(ctx context.Context, number int64) (Request, error) {
	if g.parts.Requests == nil {
		return Request{}, ErrStorage
	}
	r, err := g.parts.Requests.EditRequest(ctx, number, func(*Request) error { return ErrUnchanged })
	if errors.Is(err, ErrUnchanged) {
		err = nil
	}
	return r, err
}

// Named finds who has a number, under any of the brand's keys: the way to say
// it to the record, ErrNoReceipt when nothing is kept. erased is the day on
// which that person was erased, if so.
func (g *Gateway) Named(ctx context.Context, p Phone) (who Who, erased string, err error) {
	s := g.settings.Load()
	switch {
	case g.parts.Eraser == nil:
		return Who{}, "", ErrStorage
	case s.Brand.IsZero():
		return Who{}, "", ErrNoBrandKey
	}
	keys := s.keysOf(p)
	for _, key := range keys {
		if day, buried, err := g.parts.Eraser.Buried(ctx, key); err != nil {
			return Who{}, "", err
		} else if buried {
			erased = day
		}
		switch _, err := g.parts.Eraser.Person(ctx, Who{Key: key}); {
		case err == nil:
			return Who{Key: key, Also: keys}, erased, nil
		case !errors.Is(err, ErrNoReceipt):
			return Who{}, "", err
		}
	}
	return Who{}, erased, ErrNoReceipt
}
