package hien

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/hien-wifi/hien/consent"
)

const personMask = "[person]"

func (Person) String() string               { return personMask }
func (Person) GoString() string             { return personMask }
func (Person) Format(f fmt.State, _ rune)   { fmt.Fprint(f, personMask) }
func (Person) LogValue() slog.Value         { return slog.StringValue(personMask) }
func (Person) MarshalText() ([]byte, error) { return []byte(personMask), nil }

// DisclosureFormat names the layout of what Disclose writes.
const DisclosureFormat = "hien-person-1"

// Disclose is everything that the record holds of a person, under each name,
// as JSON for the person and for whoever it is handed to (R-RGT-1; GDPR Art.
// 20). Values stand beside their salts, so that the person can check the
// ledger's hashes: SHA-256(salt ‖ value).
func Disclose(names []Person, store string, at Moment) ([]byte, error) {
	d := disclosure{Format: DisclosureFormat, Store: store, At: timeOf(at)}
	for _, p := range names {
		d.Names = append(d.Names, p.disclosed())
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write down what is kept of a person: %w", err)
	}
	return append(text, '\n'), nil
}

type disclosure struct {
	Format string          `json:"format"`
	Store  string          `json:"store"`
	At     disclosedTime   `json:"at"`
	Names  []disclosedName `json:"names"`
}

type disclosedName struct {
	Subject   consent.ID         `json:"subject"`
	LeadKeys  []LeadKey          `json:"lead_keys"`
	Sealed    SealedPhone        `json:"sealed_number,omitempty"`
	SealedFor consent.ID         `json:"sealed_for,omitempty"`
	Standing  []consent.Answer   `json:"standing"`
	Consents  []disclosedConsent `json:"consents"`
	Corrected []disclosedChange  `json:"corrections,omitempty"`
	Visits    []disclosedVisit   `json:"visits"`
	Marks     []Mark             `json:"device_marks"`
	Events    []disclosedEvent   `json:"waiting_events"`
	Ledger    []disclosedEntry   `json:"ledger"`
}

type disclosedConsent struct {
	ID       consent.ID                `json:"id"`
	Entry    uint64                    `json:"ledger_entry"`
	At       disclosedTime             `json:"at"`
	Language string                    `json:"language"`
	Answers  []consent.Answer          `json:"answers"`
	Notice   consent.Hash              `json:"notice_sha256"`
	Text     string                    `json:"notice"`
	Evidence map[string]disclosedValue `json:"evidence"`
	Receipts int                       `json:"receipt_links"`
}

type disclosedChange struct {
	Entry    uint64                    `json:"ledger_entry"`
	Evidence map[string]disclosedValue `json:"evidence"`
}

type disclosedValue struct {
	Salt  string `json:"salt"` // hex
	Value string `json:"value"`
}

type disclosedVisit struct {
	Number int            `json:"number"`
	Zone   string         `json:"zone"`
	Start  disclosedTime  `json:"start"`
	End    *disclosedTime `json:"end,omitempty"` // none while it goes on
}

type disclosedEvent struct {
	ID      consent.ID      `json:"id"`
	Kind    EventKind       `json:"kind"`
	Purpose consent.Purpose `json:"purpose,omitempty"`
	At      disclosedTime   `json:"at"`
	Answer  string          `json:"answer,omitempty"`
}

type disclosedEntry struct {
	Seq       uint64       `json:"seq"`
	Body      string       `json:"body"`
	Hash      consent.Hash `json:"hash"`
	Signature string       `json:"signature"`
}

// A disclosedTime says too whether the clock was in step (R-CON-10).
type disclosedTime struct {
	Time  time.Time `json:"time"`
	Clock string    `json:"clock"`
}

func timeOf(m Moment) disclosedTime {
	t := disclosedTime{m.Wall.UTC(), "unsynced"}
	if m.InStep {
		t.Clock = "synced"
	}
	return t
}

func (p Person) disclosed() disclosedName {
	n := disclosedName{Subject: p.Consent.Subject(), LeadKeys: p.Keys, Sealed: p.Sealed, SealedFor: p.SealedFor,
		Standing: p.Consent.Answers(), Marks: p.Marks}
	for _, g := range p.Given {
		c := disclosedConsent{ID: g.Consent.ID(), Entry: g.Seq, At: timeOf(g.Consent.At()), Language: g.Consent.Language(),
			Answers: g.Consent.Answers(), Notice: g.Consent.Notice(), Text: g.Notice, Evidence: disclosedValues(g.Commitments), Receipts: g.Receipts}
		n.Consents = append(n.Consents, c)
	}
	for _, c := range p.Corrected {
		n.Corrected = append(n.Corrected, disclosedChange{c.Seq, disclosedValues(c.Commitments)})
	}
	for _, v := range p.Visits {
		d := disclosedVisit{Number: v.Number, Zone: v.Zone, Start: timeOf(v.Start)}
		if v.End != (Moment{}) {
			end := timeOf(v.End)
			d.End = &end
		}
		n.Visits = append(n.Visits, d)
	}
	for _, e := range p.Events {
		n.Events = append(n.Events, disclosedEvent{e.ID, e.Kind, e.Purpose, timeOf(e.At), e.Answer})
	}
	for _, e := range p.Entries {
		n.Ledger = append(n.Ledger, disclosedEntry{e.Seq, string(e.Body), e.Hash, hex.EncodeToString(e.Signature)})
	}
	return n
}

func disclosedValues(named map[string]consent.Commitment) map[string]disclosedValue {
	all := make(map[string]disclosedValue)
	for name, v := range named {
		all[name] = disclosedValue{hex.EncodeToString(v.Salt), v.Value}
	}
	return all
}
