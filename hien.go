// Package hien is the vocabulary of a WiFi-marketing gateway and the rules by
// which a guest comes in.
//
// A shop's router stops new guests at the porch (hiên, in a Vietnamese
// house), greets them, asks before it takes anything, and lets them in
// whether or not they give something. This package says what a guest, a
// zone, a pass, a visit, a lead and an event are; gateway.go says what may be
// done with them. It does no input or output of its own: the record, the
// livebook, the firewall and the sender of codes are handed to it.
package hien

import "github.com/hien-wifi/hien/consent"

// Version is the version of the software, set when a release is linked.
var Version = "0.1.0-dev"

// Moment is consent.Moment: a point in time on a router without a battery
// clock.
type Moment = consent.Moment
