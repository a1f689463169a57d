package hien

import "github.com/hien-wifi/hien/consent"

// What the record is given, and what it answers.

// An OptIn is what is recorded in one transaction when a person agrees.
type OptIn struct {
	Consent     consent.Consent // the answer just given; the record lays it over what stood
	Notice      consent.Notice
	Statement   consent.Statement             // for the ledger
	Commitments map[string]consent.Commitment // beside the ledger; their hashes are in the Statement
	Mark        Mark                          // empty without VisitFrequency
	Sealed      SealedPhone                   // empty unless a purpose reaches the person
	Visit       *Visit                        // opened now; nil without VisitFrequency
	Receipt     consent.Hash                  // SHA-256 of the receipt's secret
	Events      []Event
}

// A Withdrawal is what is recorded in one transaction when a person takes
// purposes back.
type Withdrawal struct {
	After     consent.Consent // as it stands now
	Purposes  []consent.Purpose
	Statement consent.Statement
	Event     Event
}

// An Erasure is what is recorded in one transaction when a person is erased.
type Erasure struct {
	Statements []consent.Statement // one for each Person, in the same order
	Keys       []LeadKey           // under each of which the person stays away until it consents anew
	Events     []Event             // for each key one
}

// Gone is what an erasure has taken away, so that it is looked for elsewhere
// too. It must not outlive that.
type Gone struct {
	Seq      uint64     // of the ledger entry for the person as it was named
	ID       consent.ID // of that entry
	Receipts []consent.Hash
	Visits   []consent.ID // and the consents that opened one
	Keys     []LeadKey
}

// Who names a person, by one of: a receipt's secret, hashed; the subject; the
// lead key; the mark of a member's device.
type Who struct {
	Receipt consent.Hash
	Subject consent.ID
	Key     LeadKey
	Mark    Mark

	// Also are further lead keys of the number whose Key this is, by which the
	// record may know the same person under another name. Person, Withdraw and
	// Erase look at them.
	Also []LeadKey

	// Alone is this name and no other that the person has here. It is for a
	// withdrawal that is recorded a second time and must not reach what was agreed
	// to after the first.
	Alone bool
}

// A Receipt is what a person can see of a consent given here.
type Receipt struct {
	Given    consent.Consent // as it was given
	Standing consent.Consent // as it stands
	Notice   string          // the wording, see consent.Notice.Text
}

// An EndedStay is a stay that is over.
type EndedStay struct {
	Zone string
	Mark Mark
	Stay Stay
}
