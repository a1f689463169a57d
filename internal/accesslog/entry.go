package accesslog

import (
	"net/netip"
	"time"
)

// The kinds of entries.
const (
	Start  = "start"  // a session began
	Change = "change" // one of its addresses, or of the router's, is new
	Stop   = "stop"   // it ended
)

// An Entry is one line of the log.
type Entry struct {
	Kind     string       `json:"kind"`
	Session  string       `json:"session"` // random, and known nowhere else
	Zone     string       `json:"zone"`
	MAC      string       `json:"mac"`
	Addrs    []netip.Addr `json:"addrs,omitempty"` // lent to the device
	WAN      []netip.Addr `json:"wan,omitempty"`   // the router's, towards the internet; mode vn_333
	At       time.Time    `json:"at"`
	Unsure   bool         `json:"unsure,omitempty"`   // the clock was not set
	Resumed  bool         `json:"resumed,omitempty"`  // Start: it had begun before the daemon
	Verified bool         `json:"verified,omitempty"` // a number was proved, which one is not known here; mode vn_333
}
