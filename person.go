package hien

import "github.com/hien-wifi/hien/consent"

// A Person is everything that the record holds of one person under one name:
// what the person may see, and what an erasure takes away. Who took back
// everything and comes again has another name.
type Person struct {
	Member
	Keys      []LeadKey  // every lead key under which the person is, or was, known here
	SealedFor consent.ID // the consent to which the sealed number is bound
	Given     []Given    // oldest first
	Corrected []Corrected
	Visits    []Visit // oldest first
	Marks     []Mark
	Events    []Waiting // in the order in which they go
	Entries   []consent.Entry
}

// A Given is a consent as it was given, with what stands beside the ledger for
// it.
type Given struct {
	Consent     consent.Consent
	Seq         uint64 // of its ledger entry
	Notice      string // the wording, see consent.Notice.Text
	Commitments map[string]consent.Commitment
	Receipts    int // how many secrets open it; they are not kept
}

// A Corrected is a change of the person's number, with what stands beside the
// ledger for it. Of several the last is kept.
type Corrected struct {
	Seq         uint64 // of its ledger entry
	Commitments map[string]consent.Commitment
}

// A Waiting is an event that has not reached the sink.
type Waiting struct {
	ID      consent.ID
	Kind    EventKind
	Purpose consent.Purpose
	At      Moment
	Answer  string // of the sink that will not take it; empty while it waits
}

// asked are all purposes that the person ever answered.
func (p Person) asked() (all []consent.Purpose) {
	for _, a := range p.Consent.Answers() {
		all = append(all, a.Purpose)
	}
	return all
}
