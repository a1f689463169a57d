package cdp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A verdict is what becomes of a batch.
type verdict int

const (
	accepted     verdict = iota
	refusedWhole         // for the sake of one event, perhaps
	later
	stop
)

// An answer is what the receiver said to a batch.
type answer struct {
	verdict verdict
	text    string        // what it said, for people: short, one line, without the key
	errors  []string      // accepted: what it says of single events, as Jitsu does
	err     error         // later, stop
	after   time.Duration // later: not before; 0 when it does not say
}

const (
	maxAnswer = 64 << 10 // bytes that are read of a body
	maxText   = 500      // bytes of it that are kept
	maxAfter  = 300 * time.Second
)

// read makes an answer of a response.
func (s *Sink) read(response *http.Response, now hien.Moment) answer {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil && response.StatusCode < 300 {
		// Whether it took them all is in what did not come.
		return answer{verdict: later, err: fmt.Errorf("read the answer of %s: %w", s.host, err)}
	}
	a := judge(response.StatusCode, body)
	text := s.clean(string(body))
	a.text = strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, text))
	for i, e := range a.errors {
		a.errors[i] = s.clean(e) // an id stands at its beginning
	}
	switch a.verdict {
	case later:
		a.after = retryAfter(response.Header, now)
		a.err = fmt.Errorf("%s answers %s", s.host, a.text)
	case stop:
		a.err = fmt.Errorf("%s answers %s: %s", s.host, a.text, remedy(response.StatusCode))
	}
	return a
}

// judge is the table of what a status means. The body matters for a 2xx only.
func judge(status int, body []byte) answer {
	switch {
	case status >= 200 && status < 300:
		return judgeAccepted(body)
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return answer{verdict: refusedWhole}
	case status == http.StatusNotImplemented, status == http.StatusHTTPVersionNotSupported:
		return answer{verdict: stop}
	case status >= 500, status == http.StatusPaymentRequired, status == http.StatusRequestTimeout,
		status == http.StatusGone, status == http.StatusTooManyRequests, status == 460: // a load balancer of Amazon's: the client has gone
		return answer{verdict: later}
	}
	return answer{verdict: stop} // 401, 403, 404, a redirect, and what nobody expects
}

// judgeAccepted reads the body of a 2xx, in which only Jitsu's ok:false is a
// refusal: {"ok":false,"errors":["Message ID: <id>: <why>"]}.
func judgeAccepted(body []byte) answer {
	var said struct {
		OK     *bool             `json:"ok"`
		Errors []json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil || said.OK == nil || *said.OK {
		return answer{verdict: accepted}
	}
	if len(said.Errors) == 0 {
		return answer{verdict: refusedWhole}
	}
	a := answer{verdict: accepted}
	for _, raw := range said.Errors {
		text := string(raw)
		json.Unmarshal(raw, &text) // what is no string is taken as it stands
		a.errors = append(a.errors, text)
	}
	return a
}

// refusals are the events that the receiver refused, and its words. all says
// that one of its errors is of no event of the batch: then it may be of any,
// and none counts as accepted.
func (a answer) refusals(batch []parcel) (refused map[consent.ID]string, all bool) {
	refused = make(map[consent.ID]string)
	for _, e := range a.errors {
		id := namedID(e)
		if !slices.ContainsFunc(batch, func(p parcel) bool { return p.id == id }) {
			return nil, true
		}
		refused[id] = e
	}
	return refused, false
}

// namedID is the messageId that an error names, or nothing.
func namedID(text string) consent.ID {
	_, rest, _ := strings.Cut(text, "Message ID: ")
	id, _, _ := strings.Cut(rest, ":")
	return consent.ID(strings.TrimSuffix(strings.TrimSpace(id), secondCall))
}

// clean makes one short line of what a receiver said: without the key in any
// of the forms in which it was sent, and without what a terminal would obey.
func (s *Sink) clean(text string) string {
	for _, secret := range []string{base64.StdEncoding.EncodeToString([]byte(s.writeKey + ":")), s.writeKey} {
		text = strings.ReplaceAll(text, secret, "[write key]")
	}
	if s.regulator != nil {
		text = strings.ReplaceAll(text, s.regulator.token, "[token]")
	}
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText-len("…")], "") + "…"
	}
	return text
}

// retryAfter is how long the receiver asks to be left alone, at most maxAfter
// (RFC 9110 §10.2.3). A date is counted from the receiver's own Date, since
// ours may be a guess.
func retryAfter(h http.Header, now hien.Moment) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		if !now.InStep {
			return 0
		}
		from = now.Wall
	}
	return min(max(0, at.Sub(from)), maxAfter)
}

// remedy is what the owner can do about a stop.
func remedy(status int) string {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "check write_key of the sink"
	case status == http.StatusNotFound:
		return "check url of the sink; /v1/batch is added to it"
	case status >= 300 && status < 400:
		return "it sends us elsewhere; set url of the sink to that place"
	}
	return "check url of the sink"
}
