package hien

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// An EventKind is what an event tells.
type EventKind string

// The kinds of events.
const (
	LeadGiven      EventKind = "lead"       // a person gave an identifier for a purpose
	ConsentChanged EventKind = "consent"    // a person answered the question
	StoreVisited   EventKind = "visit"      // a stay has ended
	Withdrawn      EventKind = "withdrawal" // a person took purposes back
	Renamed        EventKind = "rename"     // a person has another lead key than before
	Erased         EventKind = "erasure"    // a person was erased here and is to be erased there
)

// An Event is what goes upstream. NewEvent, NewWithdrawal, NewErasure and, for
// the record alone, EventFromRecord make one: none exists that a consent did not allow
// when it was made, and the record asks again when a batch is built (R-CON-7).
type Event struct {
	id      consent.ID
	kind    EventKind
	purpose consent.Purpose
	user    LeadKey
	at      Moment
	facts   Facts
	consent consent.Consent
}

// Facts are what an event tells beyond who, when and under which consent.
// The JSON is how the record keeps them.
type Facts struct {
	Store     string            `json:"store"`
	Zone      string            `json:"zone,omitempty"`
	Previous  LeadKey           `json:"previous,omitempty"`   // by which the person was known upstream before
	Sealed    SealedPhone       `json:"sealed,omitempty"`     // LeadGiven, where the purpose reaches the person
	SealedFor consent.ID        `json:"sealed_for,omitempty"` // the consent to which the sealed number is bound
	Bound     *Bound            `json:"bound,omitempty"`      // LeadGiven, where the purpose reaches the person
	Visit     *VisitFacts       `json:"visit,omitempty"`      // StoreVisited
	Withdrawn []consent.Purpose `json:"withdrawn,omitempty"`  // Withdrawn
	Erased    []consent.Purpose `json:"erased,omitempty"`     // Erased: everything that the person was ever asked for
	Anew      bool              `json:"anew,omitempty"`       // the person was erased, and this is of a consent since: upstream is to take it again
}

// A Bound is by what and how often a person may be reached for a purpose, as
// the notice told that was agreed to (R-MKT-1, R-MKT-2).
type Bound struct {
	Proof       consent.ID `json:"proof"` // the consent, in the ledger and on the person's receipt
	Channels    []string   `json:"channels,omitempty"`
	MaxPerMonth int        `json:"max_per_month,omitempty"` // 0: not known any more, as are the channels
}

// bound is the bound of a purpose that was agreed to by the consent proof, under
// a notice of that substance. Under another than today's the policy's channels
// and cap are not what was shown, and none are told.
func (s *Settings) bound(proof consent.ID, p consent.Purpose, substance consent.Hash) Bound {
	b := Bound{Proof: proof}
	if today := s.today(); today.Policy != nil && substance == today.Substance() {
		use, _ := today.Policy.Use(p)
		b.Channels, b.MaxPerMonth = use.Channels, use.MaxPerMonth
	}
	return b
}

// VisitFacts are what is told of a visit.
type VisitFacts struct {
	Number    int           `json:"number"`                 // 1 for the first
	Stayed    time.Duration `json:"stayed_ns"`              // 0 when the end was not seen
	SinceLast time.Duration `json:"since_last_ns,omitzero"` // since the visit before began; 0 for the first
}

// NewEvent makes an event that the consent allows under the purpose, which is
// an error otherwise. It tells of the person with that lead key.
func NewEvent(c consent.Consent, p consent.Purpose, kind EventKind, user LeadKey, at Moment, f Facts) (Event, error) {
	switch {
	case !c.Allows(p):
		return Event{}, fmt.Errorf("event %s: consent %s does not allow %s", kind, c.ID(), p)
	case kind == Withdrawn, kind == Erased:
		return Event{}, fmt.Errorf("event %s: it is made by NewWithdrawal or NewErasure", kind)
	case f.Bound != nil && !p.Reaches():
		return Event{}, fmt.Errorf("event %s: %s does not reach the person and has no bound", kind, p)
	case f.Sealed != "" && !p.Reaches():
		return Event{}, fmt.Errorf("event %s: %s does not reach the person and carries no number", kind, p)
	case user == "":
		return Event{}, fmt.Errorf("event %s: no lead key", kind)
	case kind == Renamed && (f.Previous == "" || f.Previous == user):
		return Event{}, fmt.Errorf("event %s: no lead key before", kind)
	}
	return Event{id: consent.NewID(), kind: kind, purpose: p, user: user, at: at, facts: f, consent: c}, nil
}

// tellLead makes the events of a person's answer: that it was given, and for
// each purpose agreed to the lead. The sealed number goes with those that reach
// the person, and Anew with each: a withdrawal may take any of them out of the
// queue before it is sent.
func tellLead(c consent.Consent, agreed []consent.Purpose, user LeadKey, at Moment, f Facts, bound func(consent.Purpose) Bound) (events []Event, err error) {
	tell := func(p consent.Purpose, kind EventKind, f Facts) {
		if err == nil {
			var e Event
			e, err = NewEvent(c, p, kind, user, at, f)
			events = append(events, e)
		}
	}
	answer := f
	answer.Sealed, answer.SealedFor = "", ""
	tell(agreed[0], ConsentChanged, answer)
	for _, p := range agreed {
		about := f
		if p.Reaches() {
			b := bound(p)
			about.Bound = &b
		} else {
			about.Sealed, about.SealedFor = "", ""
		}
		tell(p, LeadGiven, about)
	}
	return events, err
}

// NewWithdrawal makes the event that tells of a withdrawal: the purposes are
// stopped upstream. after is the consent as it stands then.
func NewWithdrawal(after consent.Consent, purposes []consent.Purpose, user LeadKey, at Moment, f Facts) (Event, error) {
	for _, p := range purposes {
		if after.Allows(p) {
			return Event{}, fmt.Errorf("withdrawal: consent %s still allows %s", after.ID(), p)
		}
	}
	if len(purposes) == 0 || user == "" {
		return Event{}, fmt.Errorf("withdrawal of %d purposes: nothing to tell", len(purposes))
	}
	f.Withdrawn = purposes
	return Event{id: consent.NewID(), kind: Withdrawn, user: user, at: at, facts: f, consent: after}, nil
}

// NewErasure makes the event that has a person erased upstream, who is known
// there by that lead key. It needs nothing of the person's here. asked are all
// purposes that the person ever answered: upstream each is told to be a no.
func NewErasure(asked []consent.Purpose, user LeadKey, at Moment, f Facts) (Event, error) {
	if user == "" {
		return Event{}, fmt.Errorf("erasure: no lead key, so nobody to tell of")
	}
	f.Erased = asked
	return Event{id: consent.NewID(), kind: Erased, user: user, at: at, facts: f}, nil
}

// EventFromRecord makes an event of what the record holds, with the person's
// consent as it stands now. Only internal/sqlite calls it; a test holds that.
func EventFromRecord(id consent.ID, kind EventKind, p consent.Purpose, user LeadKey, at Moment, facts []byte, now consent.Consent) (Event, error) {
	e := Event{id: id, kind: kind, purpose: p, user: user, at: at, consent: now}
	if err := json.Unmarshal(facts, &e.facts); err != nil {
		return Event{}, fmt.Errorf("event %s: facts: %w", id, err)
	}
	return e, nil
}

// ID is fixed when the thing happens; upstream it makes a second delivery
// harmless.
func (e Event) ID() consent.ID { return e.id }

// Kind is what the event tells.
func (e Event) Kind() EventKind { return e.kind }

// Purpose is the purpose under which it is told; empty where it ends something.
func (e Event) Purpose() consent.Purpose { return e.purpose }

// User is the person upstream.
func (e Event) User() LeadKey { return e.user }

// At is when it happened.
func (e Event) At() Moment { return e.at }

// Facts are what it tells.
func (e Event) Facts() Facts { return e.facts }

// Consent is the person's consent as it stood when the event was made or
// last read from the record. Upstream hears it with each event.
func (e Event) Consent() consent.Consent { return e.consent }

// Ends reports whether the event ends something upstream: a withdrawal or an
// erasure. Such an event needs no consent, goes before all others, and is
// neither dropped nor parked.
func (e Event) Ends() bool { return e.kind == Withdrawn || e.kind == Erased }

// Subject is the person's random name, which never goes upstream.
func (e Event) Subject() consent.ID { return e.consent.Subject() }

// Allowed reports whether the event may still be sent.
func (e Event) Allowed() bool { return e.Ends() || e.consent.Allows(e.purpose) }

// A Delivery is what became of events that were given to a sink. The sink asks
// the platform once; an event that is not named stays in the queue, which is
// asked anew before the next attempt.
type Delivery struct {
	Accepted []consent.ID          // the sink has them; they leave the queue
	Parked   map[consent.ID]string // the sink will never take them; the answer that says so
	Refused  int                   // so many, more than one, were refused together: fewer are to be tried at once
	Again    bool                  // there is more to ask about these same events, and at once
	Answer   string                // to what was refused together
	Retry    error                 // the rest is to be tried again, and why
	After    time.Duration         // not before this long; 0 leaves it to the courier
	Stop     error                 // the rest waits until the owner has mended something, and what
}
