package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// PersonOrder is what the owner is to do for a person: the person is named by
// a number, a subject or a receipt's secret, of which the first that is there
// counts. It is not logged.
type PersonOrder struct {
	Do       string            `json:"do"` // locate, receipt, export, withdraw, erase
	Number   string            `json:"number,omitempty"`
	Subject  consent.ID        `json:"subject,omitempty"`
	Receipt  string            `json:"receipt,omitempty"`
	Purposes []consent.Purpose `json:"purposes,omitempty"` // of a withdrawal; none means all
	Request  int64             `json:"request,omitempty"`  // that it answers; 0 opens one
	Channel  string            `json:"channel,omitempty"`  // by which the request came, when one is opened
	Who      string            `json:"who"`
}

// PersonDone is what came of it.
type PersonDone struct {
	Do      string            `json:"do"`
	Found   bool              `json:"found"`
	Names   []PersonName      `json:"names,omitempty"`
	Erased  string            `json:"erased,omitempty"` // the day on which the person was erased before
	Back    []consent.Purpose `json:"withdrawn,omitempty"`
	Data    json.RawMessage   `json:"data,omitempty"` // as hien.Disclose writes it, or hien.Kantara
	Note    string            `json:"note,omitempty"` // what to know of the data
	Request *Request          `json:"request,omitempty"`
}

// PersonName is a person under one name, without anything that reaches them.
type PersonName struct {
	Subject consent.ID        `json:"subject"`
	Stands  []consent.Purpose `json:"stands"`
	Since   time.Time         `json:"since"` // of the first consent
	Visits  int               `json:"visits"`
	Sealed  bool              `json:"sealed"`
}

// Request is what a person asked for, with its clock.
type Request struct {
	Number   int64     `json:"number"`
	Kind     string    `json:"kind"`
	Channel  string    `json:"channel"`
	Who      string    `json:"who"`
	Received time.Time `json:"received"`
	AckDue   time.Time `json:"acknowledge_by,omitzero"`
	Acked    time.Time `json:"acknowledged,omitzero"`
	Due      time.Time `json:"due"`
	Extended bool      `json:"extended,omitempty"`
	Closed   time.Time `json:"closed,omitzero"`
	Outcome  string    `json:"outcome,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Proof    string    `json:"proof,omitempty"`
	Gone     int       `json:"time_gone_percent"` // more than 100 when it is late; 0 once it has ended
}

// Requests counts the open requests.
type Requests struct {
	Open int `json:"open"`
	Near int `json:"near"` // 80 % of their time is gone, or more
	Late int `json:"late"`
}

// near is from which part of a request's time on the owner is warned, in
// percent (R-RGT-3).
const near = 80

// Count counts an open request.
func (r *Requests) Count(gone int) {
	r.Open++
	switch {
	case gone > 100:
		r.Late++
	case gone >= near:
		r.Near++
	}
}

// RequestOrder opens a request, or answers one.
type RequestOrder struct {
	Number  int64  `json:"number,omitempty"`  // 0 opens one
	How     string `json:"how,omitempty"`     // acknowledge, extend, refuse, done
	Reason  string `json:"reason,omitempty"`  // that the person is told
	Kind    string `json:"kind,omitempty"`    // of one that is opened
	Channel string `json:"channel,omitempty"` // the same
	Who     string `json:"who"`
}

// People is what the daemon does for people who ask the owner.
type People struct {
	Person   func(context.Context, PersonOrder) (PersonDone, error)
	Request  func(context.Context, RequestOrder) (Request, error)
	Requests func(ctx context.Context, limit int) (List[Request], error)
}

// RequestView makes a view of a request.
func RequestView(r hien.Request, now time.Time) Request {
	return Request{Number: r.Number, Kind: r.Kind, Channel: r.Channel, Who: r.By, Received: r.Received, AckDue: r.AckDue, Acked: r.Acked,
		Due: r.Due, Extended: r.Extended, Closed: r.Closed, Outcome: r.Outcome, Reason: r.Reason, Proof: r.Proof, Gone: r.Urgency(now)}
}

// maxReason is how long a reason that is told to a person may be, in bytes.
const maxReason = 500

func (s *Server) person(r *http.Request) (any, error) {
	o, err := body[PersonOrder](r, "order")
	if err == nil {
		err = word("user", o.Who, false)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains([]string{"locate", "receipt", "export", "withdraw", "erase"}, o.Do):
		return nil, badRequest("do %.20q: want locate, receipt, export, withdraw or erase", o.Do)
	case o.Number == "" && o.Subject == "" && o.Receipt == "":
		return nil, badRequest("nobody is named: want a number, a subject or a receipt")
	}
	for _, p := range o.Purposes {
		if _, err := consent.ParsePurpose(string(p)); err != nil {
			return nil, badRequest("%v", err)
		}
	}
	v, err := s.house.People.Person(r.Context(), o)
	return v, personInWords(err)
}

func (s *Server) request(r *http.Request) (any, error) {
	o, err := body[RequestOrder](r, "order")
	if err == nil {
		err = word("user", o.Who, false)
	}
	if err == nil && (len(o.Reason) > maxReason || strings.ContainsFunc(o.Reason, func(r rune) bool { return r < ' ' })) {
		err = badRequest("the reason: want a line of at most %d bytes", maxReason)
	}
	if err != nil {
		return nil, err
	}
	v, err := s.house.People.Request(r.Context(), o)
	return v, personInWords(err)
}

// personInWords tells the owner why nothing was done.
func personInWords(err error) error {
	var wrong *hien.PhoneError
	switch {
	case errors.As(err, &wrong):
		return badRequest("this is no number of a person: %s", wrong.Reason)
	case errors.Is(err, hien.ErrRequestKind):
		return badRequest("%v; want one of %s, by %s", err, strings.Join(consent.Requests, ", "), strings.Join(hien.RequestChannels, ", "))
	case errors.Is(err, hien.ErrNoRequest):
		return refusal{http.StatusNotFound, err.Error() + ": `hien person requests` lists them"}
	case errors.Is(err, hien.ErrRequestClosed), errors.Is(err, hien.ErrExtended), errors.Is(err, hien.ErrNoReason), errors.Is(err, hien.ErrClockUnset),
		errors.Is(err, hien.ErrNoDeadline), errors.Is(err, hien.ErrNoBrandKey):
		return refusal{http.StatusConflict, err.Error()}
	}
	return err
}

// Person has the daemon do something for a person.
func (c *Client) Person(ctx context.Context, o PersonOrder) (PersonDone, error) {
	return ask[PersonDone](ctx, c, http.MethodPost, "person", o)
}

// Request opens or answers a request.
func (c *Client) Request(ctx context.Context, o RequestOrder) (Request, error) {
	return ask[Request](ctx, c, http.MethodPost, "request", o)
}

// Requests asks for the requests of people.
func (c *Client) Requests(ctx context.Context, limit int) (List[Request], error) {
	return ask[List[Request]](ctx, c, http.MethodGet, fmt.Sprintf("requests?limit=%d", limit), nil)
}

// WritePerson prints what was done for a person.
func WritePerson(w io.Writer, d PersonDone, now time.Time) error {
	var b strings.Builder
	switch {
	case !d.Found && d.Erased != "":
		b.WriteString(paragraph("", "Nothing is kept of this person: everything was erased on "+day(d.Erased)+"."))
	case !d.Found:
		b.WriteString(paragraph("", "Nothing is kept of this person."))
	case d.Do == "erase":
		b.WriteString(paragraph("", "Everything that was kept of this person is erased. The CDP is told before anything else is sent."))
	case d.Do == "withdraw" && len(d.Back) == 0:
		b.WriteString(paragraph("", "Nothing that was named stood, so nothing was changed."))
	case d.Do == "withdraw":
		b.WriteString(paragraph("", "Withdrawn: "+joined(d.Back)+". Events of it that still waited are deleted, and the CDP is told."))
	default:
		rows := make([][]string, len(d.Names))
		for i, n := range d.Names {
			rows[i] = []string{string(n.Subject), when(n.Since, now), number(n.Visits), yesNo(n.Sealed), joined(n.Stands)}
		}
		b.WriteString(table([]column{{"SUBJECT", left}, {"SINCE", left}, {"VISITS", right}, {"SEALED", left}, {"STANDS", cut}}, rows))
	}
	if d.Request != nil {
		b.WriteString(paragraph("", requestLine(*d.Request, now)))
	}
	return write(w, &b)
}

func joined(purposes []consent.Purpose) string {
	if len(purposes) == 0 {
		return "-"
	}
	var words []string
	for _, p := range purposes {
		words = append(words, string(p))
	}
	return strings.Join(words, ", ")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// requestLine is a request in a sentence.
func requestLine(r Request, now time.Time) string {
	if !r.Closed.IsZero() {
		text := fmt.Sprintf("Request %d (%s, by %s) ended on %s: %s", r.Number, r.Kind, r.Channel, date(r.Closed), r.Outcome)
		if r.Proof != "" {
			text += ", ledger entry " + r.Proof
		}
		return text + "."
	}
	text := fmt.Sprintf("Request %d (%s, by %s) is open. Carry it out by %s", r.Number, r.Kind, r.Channel, date(r.Due))
	if !r.AckDue.IsZero() && r.Acked.IsZero() {
		text += ", and tell the person by " + date(r.AckDue) + " that it has come"
	}
	return text + "."
}

// date is a day in Vietnam, as people of the shop read it.
func date(t time.Time) string { return t.In(time.FixedZone("UTC+7", 7*60*60)).Format("02/01/2006") }

// WriteRequest prints a request that was opened or answered.
func WriteRequest(w io.Writer, r Request, now time.Time) error {
	var b strings.Builder
	b.WriteString(paragraph("", requestLine(r, now)))
	return write(w, &b)
}

// WriteRequests prints the requests of people.
func WriteRequests(w io.Writer, l List[Request], now time.Time) error {
	var b strings.Builder
	if len(l.Items) == 0 {
		b.WriteString(paragraph("", "Nobody has asked for anything by telephone, on paper or at the counter."))
		return write(w, &b)
	}
	rows := make([][]string, len(l.Items))
	for i, r := range l.Items {
		state := fmt.Sprintf("open, %d %% gone", r.Gone)
		switch {
		case !r.Closed.IsZero():
			state = r.Outcome + " on " + date(r.Closed)
		case r.Gone > 100:
			state = "late"
		case r.Extended:
			state += ", extended"
		}
		ack := "-"
		if !r.AckDue.IsZero() && r.Acked.IsZero() && r.Closed.IsZero() {
			ack = date(r.AckDue)
		}
		rows[i] = []string{fmt.Sprint(r.Number), r.Kind, r.Channel, date(r.Received), ack, date(r.Due), state}
	}
	b.WriteString(table([]column{{"NO", right}, {"KIND", left}, {"BY", left}, {"RECEIVED", left}, {"TELL BY", left}, {"DUE", left}, {"STATE", cut}}, rows))
	return write(w, &b)
}
