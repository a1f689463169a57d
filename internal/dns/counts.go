package dns

import "sync/atomic"

// A reason is why a question was not asked of the resolver, or its answer not
// handed on.
type reason int

const (
	none reason = iota
	malformed
	otherType
	badName
	guestRate
	zoneRate
	manyNames
	busy
	silent
	notPlanted
	reasons // how many there are
)

// Counts are what a forwarder has done since it was made.
type Counts struct {
	Queries   uint64 // all that came
	Answered  uint64 // with what the resolver said, also that there is nothing
	Local     uint64 // by the portal itself
	Planted   uint64 // answers whose addresses were put into the garden
	Private   uint64 // addresses that were left out of an answer
	Shared    uint64 // addresses kept out of the garden as a probe's host has them too
	Malformed uint64 // no question, or one of another kind
	Types     uint64 // answered empty for their type
	BadNames  uint64 // refused: no host name, or too long
	GuestRate uint64 // refused: too many of one guest
	ManyNames uint64 // refused: too many different names of one guest
	ZoneRate  uint64 // failed: too many of the zone
	Busy      uint64 // failed: too many waited
	Silent    uint64 // failed: the resolver did not answer
	NotFilled uint64 // failed: the garden could not be filled
	Closed    uint64 // TCP connections beyond the limit
	Guests    int    // remembered now
}

// Refused is how many questions were refused by a limit.
func (c Counts) Refused() uint64 {
	return c.BadNames + c.GuestRate + c.ManyNames + c.ZoneRate + c.Busy
}

// tally is what Counts is a picture of.
type tally struct {
	queries, answered, local, planted, private, shared, closed atomic.Uint64
	by                                                         [reasons]atomic.Uint64
}

// Counts may be called at any time.
func (f *Forwarder) Counts() Counts {
	t := &f.tally
	guests, _ := f.guests.size()
	return Counts{
		Queries:   t.queries.Load(),
		Answered:  t.answered.Load(),
		Local:     t.local.Load(),
		Planted:   t.planted.Load(),
		Private:   t.private.Load(),
		Shared:    t.shared.Load(),
		Malformed: t.by[malformed].Load(),
		Types:     t.by[otherType].Load(),
		BadNames:  t.by[badName].Load(),
		GuestRate: t.by[guestRate].Load(),
		ManyNames: t.by[manyNames].Load(),
		ZoneRate:  t.by[zoneRate].Load(),
		Busy:      t.by[busy].Load(),
		Silent:    t.by[silent].Load(),
		NotFilled: t.by[notPlanted].Load(),
		Closed:    t.closed.Load(),
		Guests:    guests,
	}
}
