package cdp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
)

// A Regulator is whose deletion API is asked to erase a person, beside the
// events that tell of it.
type Regulator string

// The deletion APIs.
const (
	// SegmentRegulations is Segment's Public API: POST /regulations with
	// SUPPRESS_WITH_DELETE, and UNSUPPRESS when the person consents anew
	// (docs.segmentapis.com, Deletion and Suppression).
	SegmentRegulations Regulator = "segment"

	// RudderStackRegulations is RudderStack's User Suppression API: POST
	// /v2/regulations with suppress_with_delete, in all of the workspace's
	// destinations (rudderstack.com/docs/api/user-suppression-api). It takes a
	// suppression back only by the regulation's own id: of somebody who
	// consents anew nothing is collected there until that is done by hand.
	RudderStackRegulations Regulator = "rudderstack"
)

// Where each API is, unless Options say otherwise.
var regulatorURLs = map[Regulator]string{
	SegmentRegulations:     "https://api.segmentapis.com",
	RudderStackRegulations: "https://api.rudderstack.com",
}

// A regulator is a deletion API that can be asked.
type regulator struct {
	kind     Regulator
	endpoint string
	host     string
	token    string
}

func newRegulator(o Options) (*regulator, error) {
	if o.Regulator == "" {
		return nil, nil
	}
	address, known := regulatorURLs[o.Regulator]
	if !known {
		return nil, fmt.Errorf("erase_api: %q is none that is known", o.Regulator)
	}
	if o.RegulatorURL != "" {
		address = o.RegulatorURL
	}
	base, err := parseBase(address)
	if err != nil {
		return nil, fmt.Errorf("erase_%w", err) // the text begins with "url:"
	}
	if o.RegulatorToken == "" || strings.ContainsFunc(o.RegulatorToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("erase_token: want the token of the deletion API: letters, digits and signs, without spaces")
	}
	path := []string{"regulations"}
	if o.Regulator == RudderStackRegulations {
		path = []string{"v2", "regulations"}
	}
	return &regulator{kind: o.Regulator, endpoint: base.JoinPath(path...).String(), host: base.Hostname(), token: o.RegulatorToken}, nil
}

// request is the body that erases people, or lets them come back; nil where
// the API cannot.
func (r *regulator) request(users []hien.LeadKey, anew bool) any {
	if r.kind == SegmentRegulations {
		kind := "SUPPRESS_WITH_DELETE"
		if anew {
			kind = "UNSUPPRESS"
		}
		return struct {
			Type    string         `json:"regulationType"`
			Subject string         `json:"subjectType"`
			IDs     []hien.LeadKey `json:"subjectIds"`
		}{kind, "USER_ID", users}
	}
	if anew {
		return nil
	}
	type user struct {
		ID hien.LeadKey `json:"userId"`
	}
	body := struct {
		Type  string `json:"regulationType"`
		Users []user `json:"users"`
	}{Type: "suppress_with_delete"}
	for _, u := range users {
		body.Users = append(body.Users, user{u})
	}
	return body
}

// taken reports whether an answer names the regulation that was made. A
// wrong address may well answer 200.
func (r *regulator) taken(body []byte) bool {
	if r.kind == SegmentRegulations {
		var said struct {
			Data struct {
				ID string `json:"regulateId"`
			} `json:"data"`
		}
		return json.Unmarshal(body, &said) == nil && said.Data.ID != ""
	}
	type regulation struct {
		ID string `json:"id"`
	}
	var one regulation
	var several []regulation
	if json.Unmarshal(body, &one) == nil {
		return one.ID != ""
	}
	return json.Unmarshal(body, &several) == nil && len(several) > 0 && several[0].ID != ""
}

// regulate makes one request of the deletion API about those people.
func (s *Sink) regulate(ctx context.Context, users []hien.LeadKey, anew bool, now hien.Moment) answer {
	reg := s.regulator
	text, err := json.Marshal(reg.request(users, anew))
	if err != nil {
		return answer{verdict: stop, err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, reg.endpoint, bytes.NewReader(text))
	if err != nil {
		return answer{verdict: stop, err: err}
	}
	r.GetBody = nil // so that the transport, too, sends it once only
	r.Header.Set("Authorization", "Bearer "+reg.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "hien/"+hien.Version)
	response, err := s.client.Do(r)
	if err != nil {
		return answer{verdict: later, err: fmt.Errorf("ask %s to erase: %w", reg.host, withoutURL(err))}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{verdict: later, err: fmt.Errorf("read the answer of %s: %w", reg.host, err)}
	}
	said := strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, s.clean(string(body))))
	a := judge(response.StatusCode, body)
	switch {
	case a.verdict == later:
		return answer{verdict: later, after: retryAfter(response.Header, now), err: fmt.Errorf("%s answers %s", reg.host, said)}
	case a.verdict == accepted && response.StatusCode < 300 && reg.taken(body):
		return answer{verdict: accepted}
	}
	return answer{verdict: stop, err: fmt.Errorf("%s did not take the erasure, and nothing is sent before it; check erase_api, erase_url and erase_token of the sink; it answers %s", reg.host, said)}
}

// erase tells of the erasures at the head of the queue, and has the deletion
// API carry them out: one of the two in each Send. An erasure is accepted when
// both were.
func (s *Sink) erase(ctx context.Context, events []hien.Event, now hien.Moment) hien.Delivery {
	untold := slices.DeleteFunc(slices.Clone(events), func(e hien.Event) bool { return s.told[e.ID()] })
	if len(untold) > 0 {
		d := s.batch(ctx, untold, now)
		for _, id := range d.Accepted {
			s.told[id] = true
		}
		d.Accepted, d.Again = nil, len(d.Accepted) > 0
		return d
	}
	a := s.regulate(ctx, usersOf(events), false, now)
	d := hien.Delivery{Retry: a.err, After: a.after}
	switch a.verdict {
	case stop:
		d.Retry, d.Stop = nil, a.err
	case accepted:
		for _, e := range events {
			d.Accepted = append(d.Accepted, e.ID())
			delete(s.told, e.ID())
		}
	}
	return d
}

// lift lets people who consent anew be collected again, before the first event
// that tells of them.
func (s *Sink) lift(ctx context.Context, events []hien.Event, now hien.Moment) hien.Delivery {
	a := s.regulate(ctx, usersOf(events), true, now)
	d := hien.Delivery{Retry: a.err, After: a.after}
	switch a.verdict {
	case stop:
		d.Retry, d.Stop = nil, a.err
	case accepted:
		d.Again = true
		for _, e := range events {
			s.told[e.ID()] = true
		}
	}
	return d
}

// erasures are the events at the head that have somebody erased.
func erasures(events []hien.Event) []hien.Event {
	n := slices.IndexFunc(events, func(e hien.Event) bool { return e.Kind() != hien.Erased })
	if n < 0 {
		n = len(events)
	}
	return events[:n]
}

// returning are the events by which somebody who was erased comes back, and
// whom the deletion API still keeps out.
func (s *Sink) returning(events []hien.Event) (back []hien.Event) {
	if s.regulator.kind != SegmentRegulations {
		return nil
	}
	for _, e := range events {
		if e.Facts().Anew && !s.told[e.ID()] {
			back = append(back, e)
		}
	}
	return back
}

func usersOf(events []hien.Event) (users []hien.LeadKey) {
	for _, e := range events {
		if !slices.Contains(users, e.User()) {
			users = append(users, e.User())
		}
	}
	return users
}

// forgetTold forgets what was told of events that are not in the queue any
// more: the head of the queue is all that there can be.
func (s *Sink) forgetTold(events []hien.Event) {
	for id := range s.told {
		if !slices.ContainsFunc(events, func(e hien.Event) bool { return e.ID() == id }) {
			delete(s.told, id)
		}
	}
}
