package hien

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// maxCounted is how many devices are counted in a day. A shop has fewer;
// whoever makes up addresses fills no more memory than this.
const maxCounted = 10_000

// Today is how many devices were here today, whoever they belong to. It is
// counted in memory, from the day's beginning or the daemon's.
type Today struct {
	Devices   int
	Agreed    int // who agreed to something today
	Returning int // who came back, known by an earlier consent
	Since     Moment
	Full      bool // there were more than are counted
}

// counting counts devices by a mark that no other joins with: HMAC-SHA256
// under a key that is in memory only and drawn anew for each day, in whose
// place nothing is kept when the day is over. It is for everybody, and tells of
// nobody.
type counting struct {
	mu    sync.Mutex
	key   [32]byte
	day   string // in Vietnam; empty while the clock was not set
	since Moment
	seen  map[countingMark]uint8
	full  bool
}

// A countingMark names a device for one day.
type countingMark [8]byte

const (
	countAgreed    = 1 << iota // to something, today
	countReturning             // known by an earlier consent
)

// note counts a device, with what is now known of its day.
func (c *counting) note(m MAC, what uint8, now Moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	mark := c.mark(m)
	had, known := c.seen[mark]
	if !known && len(c.seen) >= maxCounted {
		c.full = true
		return
	}
	c.seen[mark] = had | what
}

func (c *counting) mark(m MAC) countingMark {
	return countingMark(mac(c.key[:], "counting:v1:"+string(m[:]))[:8])
}

// today is what was counted.
func (c *counting) today(now Moment) Today {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	t := Today{Devices: len(c.seen), Since: c.since, Full: c.full}
	for _, what := range c.seen {
		if what&countAgreed != 0 {
			t.Agreed++
		}
		if what&countReturning != 0 {
			t.Returning++
		}
	}
	return t
}

// expire has the key of a day that is over go, also when nobody comes.
func (c *counting) expire(now Moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
}

// turn begins another day when there is one: the key of the one before, and
// everything that was counted by it, is gone. While the clock is not set a day
// has 24 hours; the day in which it is set goes on.
func (c *counting) turn(now Moment) {
	day := ""
	if now.InStep {
		day = consent.Day(now.Wall)
	}
	begun := c.seen != nil && now.Boot == c.since.Boot
	switch {
	case begun && day != "" && c.day == "" && now.Up-c.since.Up < 24*time.Hour:
		c.day = day
		return
	case begun && day == c.day && (day != "" || now.Up-c.since.Up < 24*time.Hour):
		return
	case begun && day == "" && now.Up-c.since.Up < 24*time.Hour:
		return // the clock was lost
	}
	rand.Read(c.key[:])
	c.day, c.since, c.seen, c.full = day, now, make(map[countingMark]uint8), false
}

// Today is how many devices were here today.
func (g *Gateway) Today(now Moment) Today { return g.counting.today(now) }
