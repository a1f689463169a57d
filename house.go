package hien

import (
	"net/netip"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// A Device is who stands before the portal: told by the socket and the
// kernel's neighbour table, never by the request.
type Device struct {
	Guest GuestID
	Addr  netip.Addr
}

// A Step is where a guest stands on its way in.
type Step int

// The steps.
const (
	AtDoor  Step = iota // nothing was answered yet
	AtCode              // a code is on its way
	Inside              // it has a pass
	Outside             // it may not come in now; Greeting.Why says why
)

// A Why is the reason for which a guest may not come in.
type Why string

// The reasons.
const (
	WhyBlocked Why = "blocked" // the owner has blocked the device
	WhySpent   Why = "spent"   // the pass has carried the volume that the zone grants
)

// A Greeting is all that the portal needs to know to speak to a guest.
type Greeting struct {
	StoreName string
	Zone      Zone
	Step      Step

	// Ask are the purposes to ask for at the door. None: the shop asks for
	// nothing, or cannot keep an answer now, or the guest has answered. Asker
	// makes their notice.
	Ask   []consent.Purpose
	Asker consent.Asker

	// Again says that the guest has agreed to some of it before: what it agreed
	// to has changed, or is long ago.
	Again bool

	// Refused are purposes that are not asked for, as this device said no to
	// them lately. Whoever wants to may still agree to them.
	Refused []consent.Purpose

	Visit     int           // for a member: this is the person's nth visit; else 0
	SinceLast time.Duration // for a member: since the visit before began; 0 when unknown

	// NoNumber says that what is asked for needs no number at present: the
	// shop's till shows the code.
	NoNumber bool

	LastTwo   string        // AtCode: of the number that the code went to
	StaffCode bool          // AtCode: the code is the one that the shop's till shows
	CodeLeft  time.Duration // AtCode: how long it lives; 0 when it is dead
	TriesLeft int           // AtCode

	PassLeft time.Duration // Inside, and before that for a guest that has a pass already
	Grace    bool          // that pass is a grace pass: the guest is not Inside by it

	// BytesLeft is what the pass may still carry, at least 1; 0 when there is
	// no limit. It is some seconds old.
	BytesLeft int64

	Why    Why           // Outside
	BackIn time.Duration // Outside: until it may come in again; 0: not known

	// NoInternet says that the shop has no internet at present. A code cannot
	// be promised then: an application waits, and the code goes out when the
	// internet is back.
	NoInternet bool
	Waiting    bool   // AtCode: the code was not sent yet, for want of internet
	Receipt    string // the receipt's secret, for ReceiptShown after a code was right; else empty
}

// An Application is what a guest sent who agreed to something.
type Application struct {
	Phone   Phone             // none where the greeting said NoNumber
	OfAge   bool              // the person said to be as old as the policy wants (R-CHILD-1)
	Agreed  []consent.Purpose // at least one
	Notice  consent.Notice    // what was on the page
	Browser string            // the User-Agent; only its SHA-256 is kept

	// Stays says that the phone keeps the portal's page while another app is in
	// front, and would close it once it is online: it gets no grace pass.
	Stays bool
}
