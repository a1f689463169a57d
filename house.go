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
	AtDoor Step = iota // nothing was answered yet
	AtCode             // a code is on its way
	Inside             // it has a pass
)

// A Greeting is all that the portal needs to know to speak to a guest.
type Greeting struct {
	StoreName string
	Zone      Zone
	Step      Step

	// Ask are the purposes to ask for at the door. None: the shop asks for
	// nothing, or cannot keep an answer now, or the guest is a member.
	Ask []consent.Purpose

	Visit     int           // for a member: this is the person's nth visit; else 0
	SinceLast time.Duration // for a member: since the visit before began; 0 when unknown

	LastTwo   string        // AtCode: of the number that the code went to
	CodeLeft  time.Duration // AtCode: how long it lives; 0 when it is dead
	TriesLeft int           // AtCode

	PassLeft time.Duration // Inside
	Receipt  string        // the receipt's secret, after an opt-in in this stay; else empty
}

// An Application is what a guest sent who agreed to something.
type Application struct {
	Phone   Phone
	Agreed  []consent.Purpose // at least one
	Notice  consent.Notice    // what was on the page
	Browser string            // the User-Agent; only its SHA-256 is kept
}
