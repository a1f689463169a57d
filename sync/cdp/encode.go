package cdp

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// What the sink may be given: the smallest of what the receivers take.
const (
	MaxEvents     = 100       // in a batch
	MaxBatchBytes = 450 << 10 // Segment: 500 KB
	MaxEventBytes = 30 << 10  // Segment: 32 KB
)

// The names of track events.
const (
	eventConsent = "Segment Consent Preference Updated" // Segment's own name for it
	eventVisit   = "Store Visited"
	eventErased  = "Person Erased"
)

// A batch is the body of a request.
type batch struct {
	WriteKey string            `json:"writeKey"`
	SentAt   string            `json:"sentAt,omitempty"`
	Batch    []json.RawMessage `json:"batch"`
}

// A call is one event. There is no anonymousId: an event exists only for a
// person who agreed, and such a person has a userId.
type call struct {
	Type       string         `json:"type"`
	MessageID  string         `json:"messageId"`
	UserID     hien.LeadKey   `json:"userId"`
	PreviousID hien.LeadKey   `json:"previousId,omitempty"` // of an alias
	Event      string         `json:"event,omitempty"`
	Properties map[string]any `json:"properties,omitempty"` // of a track
	Traits     map[string]any `json:"traits,omitempty"`     // of an identify
	Original   string         `json:"originalTimestamp"`
	Timestamp  string         `json:"timestamp,omitempty"`
	SentAt     string         `json:"sentAt,omitempty"`
	Context    callContext    `json:"context"`
}

type callContext struct {
	Library    library     `json:"library"`
	Consent    preferences `json:"consent"`           // Segment
	Management management  `json:"consentManagement"` // RudderStack
}

type library struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type preferences struct {
	Categories map[consent.Purpose]bool `json:"categoryPreferences"`
}

type management struct {
	Provider string            `json:"provider"`
	Strategy string            `json:"resolutionStrategy"`
	Allowed  []consent.Purpose `json:"allowedConsentIds"`
	Denied   []consent.Purpose `json:"deniedConsentIds"`
}

// encodeBatch writes encoded events as one batch, as it is sent at now.
func encodeBatch(writeKey string, calls []json.RawMessage, now hien.Moment) ([]byte, error) {
	b := batch{WriteKey: writeKey, Batch: calls}
	if now.InStep {
		b.SentAt = stamp(now.Wall)
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	return text, nil
}

// secondCall ends the messageId of an event's second call. Ids are hex digits.
const secondCall = ".2"

// encodeEvent writes an event as one call. As two: an erasure, since some
// platforms act on what happens and others on what a person is; and a
// withdrawal of somebody who is known by two lead keys, as few platforms take
// them for one person.
func encodeEvent(e hien.Event, now hien.Moment) ([]json.RawMessage, error) {
	if !e.Allowed() {
		return nil, fmt.Errorf("encode event %s: its consent does not allow %s", e.ID(), e.Purpose())
	}
	c := call{Type: "track", MessageID: string(e.ID()), UserID: e.User(), Context: contextOf(e.Consent().Answers())}
	f := e.Facts()
	told := map[string]any{"store_id": f.Store}
	if f.Zone != "" {
		told["zone"] = f.Zone
	}
	if e.Purpose() != "" {
		told["purpose"] = e.Purpose()
	}
	if f.Previous != "" {
		told["previous_user_id"] = f.Previous
	}
	switch e.Kind() {
	case hien.Renamed:
		c.Type, c.PreviousID = "alias", f.Previous
	case hien.LeadGiven:
		c.Type, c.Traits = "identify", told
		if f.Sealed != "" {
			told["sealed_phone"], told["sealed_for"] = f.Sealed, f.SealedFor
		}
		tellBound(told, e.Purpose(), f.Bound)
	case hien.ConsentChanged:
		c.Event, c.Properties = eventConsent, told
	case hien.Withdrawn:
		c.Event, c.Properties = eventConsent, told
		told["withdrawn"] = f.Withdrawn
	case hien.StoreVisited:
		c.Event, c.Properties = eventVisit, told
		tellVisit(told, f.Visit)
	case hien.Erased:
		var no []consent.Answer
		for _, p := range f.Erased {
			no = append(no, consent.Answer{Purpose: p})
		}
		c.Event, c.Properties, c.Context = eventErased, told, contextOf(no)
	default:
		return nil, fmt.Errorf("encode event %s: unknown kind %q", e.ID(), e.Kind())
	}
	c.Original, c.Timestamp, c.SentAt = stamps(e.At(), now)
	calls := []call{c}
	switch {
	case e.Kind() == hien.Withdrawn && f.Previous != "":
		c.UserID, c.MessageID = f.Previous, c.MessageID+secondCall
		calls = append(calls, c)
	case e.Kind() == hien.Erased:
		// The traits that a lead was given with are emptied.
		c.Type, c.Event, c.Properties, c.MessageID = "identify", "", nil, c.MessageID+secondCall
		c.Traits = map[string]any{"store_id": f.Store, "sealed_phone": nil, "sealed_for": nil}
		for _, p := range f.Erased {
			if p.Reaches() {
				c.Traits[boundTrait(p, "proof")], c.Traits[boundTrait(p, "channels")], c.Traits[boundTrait(p, "max_per_month")] = nil, nil, nil
			}
		}
		calls = append(calls, c)
	}
	var texts []json.RawMessage
	for _, c := range calls {
		text, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("encode event %s: %w", e.ID(), err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// tellBound tells by what and how often a person may be reached, under names of
// the purpose's own: a platform merges the traits of a person's leads, and those
// of one purpose must not stand for another. Where the bound is not known, that
// of an earlier lead is taken back.
func tellBound(told map[string]any, p consent.Purpose, b *hien.Bound) {
	if b == nil { // no purpose that reaches anybody, or queued by an earlier release
		return
	}
	var channels, most any
	if b.MaxPerMonth > 0 {
		channels, most = b.Channels, b.MaxPerMonth
	}
	told[boundTrait(p, "proof")], told[boundTrait(p, "channels")], told[boundTrait(p, "max_per_month")] = b.Proof, channels, most
}

// boundTrait names a trait of a purpose: contact_zalo_channels,
// share_partner_tra-sua_proof.
func boundTrait(p consent.Purpose, of string) string {
	return strings.ReplaceAll(string(p), ":", "_") + "_" + of
}

// tellVisit tells of a visit in whole minutes and days, which is as much as a
// shop needs to know.
func tellVisit(told map[string]any, v *hien.VisitFacts) {
	if v == nil {
		return
	}
	told["visit_number"] = v.Number
	if v.Stayed > 0 { // else its end was not seen
		told["minutes"] = int(v.Stayed.Round(time.Minute) / time.Minute)
	}
	if v.SinceLast > 0 { // else it was the first
		told["days_since_last"] = int(v.SinceLast / (24 * time.Hour))
	}
}

// contextOf says yes or no for every purpose that the person was asked for.
func contextOf(answers []consent.Answer) callContext {
	to := callContext{
		Library:    library{"hien", hien.Version},
		Consent:    preferences{map[consent.Purpose]bool{}},
		Management: management{"custom", "and", []consent.Purpose{}, []consent.Purpose{}},
	}
	for _, a := range answers {
		to.Consent.Categories[a.Purpose] = a.Agreed
		if a.Agreed {
			to.Management.Allowed = append(to.Management.Allowed, a.Purpose)
		} else {
			to.Management.Denied = append(to.Management.Denied, a.Purpose)
		}
	}
	return to
}

// stamps are the three times of a call. A receiver that finds no timestamp
// takes its own clock and subtracts sentAt less original: so these two must be
// of one clock, and where only one of them is right sentAt is left out.
func stamps(at, now hien.Moment) (original, timestamp, sentAt string) {
	at = at.Restamp(now)
	original = stamp(at.Wall)
	switch {
	case at.InStep && now.InStep:
		return original, original, stamp(now.Wall)
	case at.InStep:
		return original, original, ""
	case at.Boot == now.Boot:
		// Neither is right, and the time between them is.
		return original, "", stamp(at.Wall.Add(max(0, now.Up-at.Up)))
	case now.Wall.Before(at.Wall):
		return original, "", original
	}
	// Of an earlier boot whose clock was never set. It began with the time of
	// the newest file, so the difference is at most right.
	return original, "", stamp(now.Wall)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
