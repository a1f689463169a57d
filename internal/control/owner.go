package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/hien-wifi/hien"
)

// An Owner is what the owner does by hand. Each act is noted in the audit with
// who asked for it.
type Owner struct {
	// Admit gives a device a pass, Revoke takes it away. They answer the
	// devices that were meant. Their errors are those of hien.Gateway's
	// AdmitGuest and Revoke, and a Refusal for what cannot be read.
	Admit  func(context.Context, Order) (Done, error)
	Revoke func(context.Context, Order) (Done, error)

	// Open lets everybody in for a while, or with 0 ends that. The errors are
	// those of hien.Gateway's OpenFor and EndOpen.
	Open func(ctx context.Context, who string, d time.Duration) (Opened, error)

	// Reload reads the configuration again, as SIGHUP does, because of what
	// was done to it by hand; the zero Deed is none. Its error says why the
	// old one stays in force.
	Reload func(ctx context.Context, who string, did Deed) error
}

// maxWord is the longest name of a user, a device or a zone, in bytes.
const maxWord = 128

// A Refusal is an answer to an order that cannot be carried out as it is, in
// words for the owner.
func Refusal(format string, args ...any) error { return badRequest(format, args...) }

// word holds that a text is one that may stand in the audit.
func word(what, text string, empty bool) error {
	if text == "" && !empty || len(text) > maxWord || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return badRequest("%s %.40q: want a short name", what, text)
	}
	return nil
}

// order answers an order for a device.
func order(do func(context.Context, Order) (Done, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		o, err := body[Order](r, "order")
		if err == nil {
			err = errors.Join(word("user", o.Who, false), word("device", o.Device, false), word("zone", o.Zone, true))
		}
		if err != nil {
			return nil, err
		}
		done, err := do(r.Context(), o)
		if err != nil {
			return nil, inWords(err)
		}
		return done, nil
	}
}

func (s *Server) open(r *http.Request) (any, error) {
	o, err := body[opening](r, "opening")
	if err == nil {
		err = word("user", o.Who, false)
	}
	if err != nil {
		return nil, err
	}
	if o.Seconds < 0 || o.Seconds > int64(hien.OpenMax/time.Second) {
		return nil, inWords(hien.ErrOpenSpan)
	}
	opened, err := s.house.Open(r.Context(), o.Who, time.Duration(o.Seconds)*time.Second)
	if err != nil {
		return nil, inWords(err)
	}
	return opened, nil
}

func (s *Server) reload(r *http.Request) (any, error) {
	o, err := body[reloading](r, "reloading")
	if err == nil {
		err = errors.Join(word("user", o.Who, false), word("about", o.About, true))
	}
	switch o.Did {
	case "", hien.DidTrust, hien.DidUntrust, hien.DidBlock, hien.DidUnblock:
	default:
		err = badRequest("%.40q is not done to a configuration", o.Did)
	}
	if err != nil {
		return nil, err
	}
	if err := s.house.Reload(r.Context(), o.Who, Deed{What: o.Did, About: o.About}); err != nil {
		return nil, refusal{http.StatusConflict, fmt.Sprintf("the configuration was not taken over; the old one stays in force: %v", err)}
	}
	return reloaded{true}, nil
}

// inWords tells the owner what an order came to, and what to do about it.
func inWords(err error) error {
	for _, c := range []struct {
		is   error
		says string
	}{
		{hien.ErrNoGuest, "no guest of that address is known here: `hien guests --full` shows them"},
		{hien.ErrNoPass, "the device has no pass that could be taken away: `hien block MAC` keeps it out"},
		{hien.ErrBlocked, "the device is blocked: `hien block --undo MAC` lifts that"},
		{hien.ErrNotOpen, "the door is not open to everybody: there is nothing to end"},
		{hien.ErrOpenSpan, "the door is opened to everybody for 1 minute to 24 hours, as in `hien open 2h`"},
		{hien.ErrNoZone, "there is no such zone: `hien status` shows them"},
	} {
		if errors.Is(err, c.is) {
			return refusal{http.StatusConflict, c.says}
		}
	}
	if errors.Is(err, hien.ErrComesBack) {
		return refusal{http.StatusConflict, err.Error() + ": `hien block MAC` keeps it out"}
	}
	return err
}
