package hien

import (
	"context"
	"net/netip"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// What the gateway asks of the parts that are handed to it. Each is kept by
// one tool: the record by internal/sqlite, the livebook by internal/livebook,
// the door by firewall, the sender by internal/otp.

// A Record keeps what must outlive a power cut. Each method that writes is
// one transaction: all of it is durable when it returns nil, and none of it
// happened when it returns an error. An error that wraps ErrStorage says that
// the record cannot be written (a full disk, a read-only flash).
type Record interface {
	// OptIn finds the person with that lead key, or names a new one, and
	// records what make answers. make runs inside the transaction; its Member
	// is the person as known so far (zero answers for a new one, but a
	// Subject always). A second OptIn with the same consent id records
	// nothing and returns nil. Who has none of that name may have one of
	// those before, of the brand's earlier keys: then it has key from here on.
	OptIn(ctx context.Context, key LeadKey, make func(Member) (OptIn, error), before ...LeadKey) error

	// Member finds the person behind a member mark; the zero Member if there
	// is none.
	Member(ctx context.Context, mark Mark) (Member, error)

	// EndStays records the visits of those stays whose mark is a member's
	// that still allows consent.VisitFrequency, and forgets the others. A
	// stay whose Visit is open in the record closes it; for any other a row
	// is made. Visits left open by an earlier boot than now's are closed
	// with an End equal to their Start. make answers the event of each
	// visit, the zero Event for one that is not told. With nothing to write,
	// nothing is written.
	EndStays(ctx context.Context, stays []EndedStay, now Moment, make func(Member, Visit, time.Duration) (Event, error)) error

	// Withdraw finds the person, under each name that it ever had here, and
	// records for each what make answers: the ledger
	// entry, the new standing, the deletion of the person's queued events of
	// those purposes, of the member marks and visits when VisitFrequency
	// goes, of the sealed number when nothing that reaches the person stays,
	// of the lead when nothing stays at all; and the outgoing event. A name
	// for which make answers ErrUnchanged is left as it is; when each is, that
	// is what Withdraw returns. Nobody found is ErrNoReceipt.
	Withdraw(ctx context.Context, who Who, make func(Member) (Withdrawal, error)) error

	// Receipt finds what a receipt proves; ErrNoReceipt if there is none.
	Receipt(ctx context.Context, secret consent.Hash) (Receipt, error)
}

// A Keeper keeps things in the record no longer than their terms.
type Keeper interface {
	// Sweep does one part of a run: it looks at some rows from s.From on,
	// deletes those that are too old, and notes what and why; all of it is one
	// transaction, and a part that deletes nothing writes nothing. lapse makes
	// the withdrawal of purposes that end by themselves.
	Sweep(ctx context.Context, s Sweep, lapse func(m Member, purposes []consent.Purpose, channel string) (Withdrawal, error)) (Swept, error)

	// WallClock is what is remembered of the date; where nothing is, the date
	// of the latest consent. KeepWallClock remembers it.
	WallClock(ctx context.Context) (WallClock, error)
	KeepWallClock(ctx context.Context, w WallClock) error
}

// An Eraser forgets people and their numbers, and knows whom it forgot.
type Eraser interface {
	// Erase finds the person, under each name that it ever had here, and
	// records what make answers: the ledger entries, a tombstone for each key,
	// the outgoing events; and deletes everything else that the record holds
	// of the person, what is on its way included. It is one transaction, and
	// what was deleted is overwritten. Nobody found is ErrNoReceipt.
	Erase(ctx context.Context, who Who, make func([]Person) (Erasure, error)) (Gone, error)

	// Correct finds the person, under each name, and records what make answers
	// when a number is changed: the ledger entries, the lead's new key and sealed
	// number, a tombstone for each old key, the outgoing events; and deletes what
	// is bound of the old number and what is on its way. It is one transaction,
	// and what was deleted is overwritten. names are the new number's keys, the
	// brand's earlier ones too: who has one of them already is ErrTaken, or
	// ErrUnchanged when it is the person itself. Nobody found is ErrNoReceipt.
	Correct(ctx context.Context, who Who, names []LeadKey, make func([]Person) (Correction, error)) error

	// Person is everything that the record holds of a person, under each name;
	// the first is that by which it was asked for. Nobody found is
	// ErrNoReceipt.
	Person(ctx context.Context, who Who) ([]Person, error)

	// Buried reports the day on which the person with that lead key was
	// erased, if it has not consented since: then nothing that comes late, or
	// from elsewhere, may bring it back. The day is empty when the clock was
	// not set.
	Buried(ctx context.Context, key LeadKey) (day string, buried bool, err error)

	// ErasedAt is when the erasure with that place in the ledger and that id
	// was recorded; ErrNoReceipt if there is none.
	ErasedAt(ctx context.Context, seq uint64, id consent.ID) (Moment, error)
}

// A Reissuer gives another receipt to somebody who has proved a number.
type Reissuer interface {
	// Reissue attaches a receipt's secret, hashed, to the latest consent of
	// the person who has one of the lead keys, or had it; ErrNoReceipt when
	// there is nobody.
	Reissue(ctx context.Context, keys []LeadKey, secret consent.Hash) error
}

// Refusals keep what devices said no to, for as long as they are not asked
// again. A day is named as consent.Day does.
type Refusals interface {
	// KeepRefusals records refusals of a day, and deletes those of the days
	// before since. With nothing to do, nothing is written.
	KeepRefusals(ctx context.Context, day string, all []Refusal, since string) error
	// Refused are the purposes that a mark has refused on a day from since on.
	Refused(ctx context.Context, mark Mark, since string) ([]consent.Purpose, error)
}

// A Shelf is where refusals wait to be recorded, many at a time. It outlives
// the daemon and not a power cut.
type Shelf interface {
	// Refuse adds purposes to what a mark has refused.
	Refuse(r Refusal) error
	// Refused are the purposes that a mark has refused and that wait.
	Refused(mark Mark) ([]consent.Purpose, error)
	// RefusalsWaiting are all that wait; RefusalsTaken removes those, but for
	// what was added meanwhile.
	RefusalsWaiting() ([]Refusal, error)
	RefusalsTaken(all []Refusal) error
}

// A Livebook is the book of who is in the shop now. It outlives the daemon
// and not a power cut.
type Livebook interface {
	// Guest is what the book holds of a guest; false when it holds nothing.
	Guest(id GuestID) (Guest, bool, error)

	// Change reads a guest (a fresh one when there is none), lets change edit
	// it, and writes it back, in one transaction that excludes every other.
	// When change returns an error nothing is written and Change returns that
	// error as it is. Two are not passed on: ErrUnchanged writes nothing, and
	// ErrForget removes the guest from the book.
	Change(id GuestID, change func(*Guest) error) error

	// Guests hands every guest to visit, in no order. visit must not call
	// the book.
	Guests(visit func(Guest) error) error

	// Open is until when the owner lets everybody in, as Moment.Up; 0 when not.
	Open() (time.Duration, error)
	// SetOpen keeps it.
	SetOpen(until time.Duration) error

	// CountCode counts one code for a number (named by a keyed hash) unless
	// the limits of CodesPerQuarter and CodesPerDay forbid it, which it
	// reports. Counts older than a day are dropped.
	CountCode(number []byte, now time.Duration) (allowed bool, err error)
}

// A Door lets guests through and shuts them out; every call is idempotent.
type Door interface {
	// Admit lets a guest at these addresses through for left.
	Admit(ctx context.Context, id GuestID, addrs []netip.Addr, left time.Duration) error
	// Remove shuts it out and ends its connections.
	Remove(ctx context.Context, id GuestID, addrs []netip.Addr) error
}

// A Meter tells what the kernel has counted of each pass.
type Meter interface {
	// Usage is what the passes have carried, one entry for each member of a
	// set. A guest with several addresses has several.
	Usage(ctx context.Context) ([]Usage, error)
}

// A Usage is what one address or hardware address of a guest has carried
// since the kernel counts it. A count may begin anew.
type Usage struct {
	Zone  string
	MAC   MAC        // zero where the kernel counts by address alone
	Addr  netip.Addr // the zero Addr where it counts by hardware address alone
	Bytes uint64     // to and from the guest
	Lent  bool       // of what Lender has lent, not of a pass
}

// A Lender opens the garden for codes to one guest without a pass.
type Lender interface {
	// Lend lets a guest at these addresses reach the zone's CodeGarden for
	// left; with 0 no longer.
	Lend(ctx context.Context, id GuestID, addrs []netip.Addr, left time.Duration) error
}

// Sessions keeps the access log, where a shop must keep one (R-LOG-1). It is
// told a state, not deeds: so no way in or out can be forgotten.
type Sessions interface {
	// On reports whether there is a log to be kept.
	On() bool
	// Here is told at each Tick everybody who has a pass. Whoever has one for
	// the first time has begun a session, and who has none any more has ended
	// it. Whatever becomes of the log it returns, and says nothing: access
	// never depends on it.
	Here(all []Session, now Moment)
}

// A Session is somebody's time online, as it is now.
type Session struct {
	Guest    GuestID
	Addrs    []netip.Addr
	Verified bool // a number was proved for this pass; which one is not told
}

// An Audit keeps what the owner did by hand.
type Audit interface {
	Note(ctx context.Context, d Deed) error
}

// A Deed is something that the owner did by hand: opened the door for
// everybody, admitted, revoked. It names no number.
type Deed struct {
	At    Moment
	Who   string // the user of the system who asked for it, or "hien"
	What  string // see the Did constants
	About string // how long, or the masked device and its zone; may be empty
}

// What a Deed says that was done.
const (
	DidOpen    = "open"
	DidEndOpen = "open ended"
	DidAdmit   = "admit"
	DidRevoke  = "revoke"
	DidTrust   = "trust"
	DidUntrust = "trust no more"
	DidBlock   = "block"
	DidExport  = "export leads"
	DidUnblock = "block no more"

	DidLocate    = "look up a person"
	DidForPerson = "answer a person"
	DidRetain    = "delete what is too old"
)

// A Sender carries a code to a person.
type Sender interface {
	// Send carries the code and answers by which way it went. With an error
	// no code is on its way, as far as is known. Why is for the sender to log
	// and for the owner to mend: guests are told the same whatever it was,
	// since the difference would tell them about somebody's number.
	Send(ctx context.Context, m Message) (Proof, error)
}

// A Message is a code on its way.
type Message struct {
	To       Phone
	Code     Code
	Language string // "vi" or "en"
	Guest    GuestID
	At       Moment
}
