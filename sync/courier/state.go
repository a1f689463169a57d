package courier

import (
	"time"

	"github.com/hien-wifi/hien"
)

// Doing is what a courier is at.
type Doing string

// What a courier can be at.
const (
	Idle    Doing = "idle"    // nothing to carry
	Sending Doing = "sending" // a batch is on its way
	Waiting Doing = "waiting" // after a failure that may pass
	Stopped Doing = "stopped" // until the owner has mended something
)

// State is how a courier fares, for the owner to see. Its counts are since
// New.
type State struct {
	Doing       Doing
	Delivered   int
	Parked      int
	LastSuccess hien.Moment   // when the sink last took something; the zero Moment for never
	Trouble     string        // why nothing is delivered; empty when all is well
	Since       hien.Moment   // of the trouble: its first failure
	Next        time.Duration // of the trouble: Moment.Up of the next attempt
}

// State may be called at any time.
func (c *Courier) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *Courier) set(change func(*State)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.state)
}

func (c *Courier) trouble(doing Doing, why string, wait time.Duration) {
	now := c.now()
	c.set(func(s *State) {
		if s.Trouble == "" {
			s.Since = now
		}
		s.Doing, s.Trouble, s.Next = doing, why, now.Up+wait
	})
}
