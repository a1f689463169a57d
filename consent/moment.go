package consent

import "time"

// A Moment is a point in time as a router without a battery clock can tell
// it. Until the clock was set from the network, Wall is a guess (the newest
// file's time); Boot and Up order moments all the same, and let the guess be
// corrected later.
type Moment struct {
	Wall   time.Time     // UTC, as the clock showed it
	Boot   string        // the kernel's boot id
	Up     time.Duration // since that boot, suspended time included; never runs backwards
	InStep bool          // the clock was synchronised when it was read
}

// Restamp corrects a moment whose clock was not in step, given a moment of
// the same boot at which it was. Any other moment is returned unchanged.
func (m Moment) Restamp(now Moment) Moment {
	if m.InStep || !now.InStep || m.Boot != now.Boot {
		return m
	}
	m.Wall = now.Wall.Add(m.Up - now.Up).Round(0)
	m.InStep = true
	return m
}
