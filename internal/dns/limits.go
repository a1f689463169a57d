package dns

import "time"

// Limits are what the guests of one zone may ask for before they have a pass.
// A zero field means its default.
//
// What a tunnel can get through, with the defaults and a domain of its own: 40
// names a minute of at most some 100 useful characters of five bits, which is
// 0.3 kbit/s upwards, and answers of eight addresses at five a second, which
// is 5 kbit/s downwards. With many domains 200 names a minute, 1.7 kbit/s. Ten
// devices, or one that keeps changing its MAC, get ten times as much upwards.
type Limits struct {
	// A guest's questions for names outside of the garden: so many at once,
	// and then so many a second. A phone that joins asks for 50 to 100 names
	// at once, each in both families. Default 150 and 5.
	GuestBurst int
	GuestRate  float64
	// The same for known names: those in the garden, whose answers come from
	// hosts that the owner chose, and the hosts by which phones find the
	// portal. Default 2,000 and 50.
	GardenBurst int
	GardenRate  float64
	// The same for all guests of the zone together, for known names and for
	// others each. Default 3,000 and 300.
	ZoneBurst int
	ZoneRate  float64

	// NamesUnder is how many different names beneath one registered domain a
	// guest may ask for within a minute, and Names how many in all; known
	// names are not counted. All guests together may ask for ten times as
	// many. Default 40 and 200.
	NamesUnder int
	Names      int

	// NameLength is the length of the longest name in characters, and Labels
	// how many labels it may have. Default 120 and 10.
	NameLength int
	Labels     int

	// InFlight is how many questions wait for the resolver at once, Waiting
	// how many wait for their turn, and GuestInFlight how many of both one
	// guest may have for names that are not known. Default 128, 2,048 and 64.
	InFlight      int
	Waiting       int
	GuestInFlight int

	// Guests is how many guests are remembered. Default 2,048.
	Guests int

	// Connections is how many TCP connections there may be at once, and
	// GuestConnections how many of one address. One that is silent for Idle
	// is closed. Default 16, 2 and 5 s.
	Connections      int
	GuestConnections int
	Idle             time.Duration
}

// withDefaults fills in what is not set.
func (l Limits) withDefaults() Limits {
	ints := []struct {
		field *int
		value int
	}{
		{&l.GuestBurst, 150}, {&l.GardenBurst, 2000}, {&l.ZoneBurst, 3000},
		{&l.NamesUnder, 40}, {&l.Names, 200},
		{&l.NameLength, 120}, {&l.Labels, 10},
		{&l.InFlight, 128}, {&l.Waiting, 2048}, {&l.GuestInFlight, 64},
		{&l.Guests, 2048},
		{&l.Connections, 16}, {&l.GuestConnections, 2},
	}
	for _, i := range ints {
		if *i.field <= 0 {
			*i.field = i.value
		}
	}
	floats := []struct {
		field *float64
		value float64
	}{{&l.GuestRate, 5}, {&l.GardenRate, 50}, {&l.ZoneRate, 300}}
	for _, f := range floats {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	if l.Idle <= 0 {
		l.Idle = 5 * time.Second
	}
	return l
}
