package hien

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// How often the kernel's counts are read, and how often what a guest has
// carried is written down: the book is memory, and small. A limit may be
// overrun by what is carried between two readings.
const (
	meterEvery = 10 * time.Second
	tallyEvery = time.Minute
)

// A meter knows what each pass has carried, between one reading of the
// kernel's counts and the next. It is bounded by the book.
type meter struct {
	mu    sync.Mutex
	at    time.Duration      // Moment.Up of the last reading
	raw   map[counter]uint64 // the counts of the last reading; nil before the first
	tally map[GuestID]tally
	out   map[GuestID]bool // whose pass is spent, and who is shut out since
}

// A counter is one or more members of the kernel's sets that cannot be told
// apart. Their counts are added.
type counter struct {
	zone string
	mac  MAC
	addr netip.Addr
	lent bool
}

// A tally is what a pass has carried.
type tally struct {
	until   time.Duration // the pass's, which tells one pass from the next
	bytes   uint64
	moved   time.Duration // Moment.Up of the last reading that found more
	written time.Duration // Moment.Up at which the book was told
}

// A reading is what was carried since the one before.
type reading struct {
	pass  map[GuestID]uint64
	lent  map[GuestID]uint64 // in all, since it was lent
	tally map[GuestID]tally  // of those that still have a pass
}

// read reads the kernel's counts when that is due and a limit asks for it;
// else it answers nil.
func (g *Gateway) read(ctx context.Context, now Moment) *reading {
	m := &g.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	if g.parts.Meter == nil || !g.limits() {
		m.raw, m.tally = nil, nil
		return nil
	}
	if m.raw != nil && now.Up-m.at < meterEvery {
		return nil
	}
	usage, err := g.parts.Meter.Usage(ctx)
	if err != nil {
		g.complain(now, "what guests carry cannot be counted; limits of volume and idleness rest", err)
		return nil
	}
	raw := make(map[counter]uint64)
	for _, u := range usage {
		raw[counter{u.Zone, u.MAC, u.Addr, u.Lent}] += u.Bytes
	}
	r := &reading{pass: make(map[GuestID]uint64), lent: make(map[GuestID]uint64), tally: make(map[GuestID]tally)}
	for c, n := range raw {
		mac := c.mac
		if mac.IsZero() {
			if mac, _ = g.owners.get(c.zone, c.addr); mac.IsZero() {
				continue
			}
		}
		id := GuestID{c.zone, mac}
		if c.lent {
			r.lent[id] += n
			continue
		}
		// What was not there at the last reading began at zero since. What
		// was there before the first is as the book has it. A count that is
		// smaller than before began anew.
		switch before, known := m.raw[c]; {
		case m.raw == nil:
			n = 0
		case known && n >= before:
			n -= before
		}
		r.pass[id] += n
	}
	m.at, m.raw = now.Up, raw
	return r
}

// limits reports whether anything depends on what is carried.
func (g *Gateway) limits() bool {
	for _, z := range g.settings.Load().Zones {
		if z.Idle > 0 || z.Volume > 0 {
			return true
		}
	}
	return g.loans.any()
}

// A limit is what a pass has come to.
type limit int

const (
	within  limit = iota
	telling       // the book is to be told
	idle
	full
)

// count adds a reading to what a guest's pass has carried.
func (g *Gateway) count(r *reading, z Zone, guest *Guest, now Moment) (tally, limit) {
	m := &g.meter
	m.mu.Lock()
	t, known := m.tally[guest.ID]
	m.mu.Unlock()
	if !known || t.until != guest.Pass.Until {
		t = tally{until: guest.Pass.Until, bytes: guest.Pass.Bytes, moved: now.Up, written: now.Up}
	}
	// While the door is open to everybody nothing counts.
	open := g.openUntil(now) > 0
	if n := r.pass[guest.ID]; n > 0 || open {
		t.moved = now.Up
		if !open {
			t.bytes += n
		}
	}
	what := within
	switch {
	case open || z.trusts(guest.ID.MAC):
	case z.Volume > 0 && t.bytes >= uint64(z.Volume):
		what = full
	case z.Idle > 0 && !guest.Pass.Grace && now.Up-t.moved >= z.Idle: // a grace pass is too short to be idle
		what = idle
	case t.bytes != guest.Pass.Bytes && now.Up-t.written >= tallyEvery:
		what, t.written = telling, now.Up
	}
	r.tally[guest.ID] = t
	return t, what
}

// keep makes a reading the one before the next.
func (m *meter) keep(r *reading) {
	if r == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally = r.tally
}

// bytesLeft is what a guest's pass may still carry, see Greeting.BytesLeft.
func (g *Gateway) bytesLeft(z Zone, guest *Guest, now Moment) int64 {
	if z.Volume == 0 || g.parts.Meter == nil || z.trusts(guest.ID.MAC) || g.openUntil(now) > 0 {
		return 0
	}
	return max(1, z.Volume-int64(min(g.carried(guest), uint64(z.Volume))))
}

// carried is what a guest's pass has carried, as the last reading has it.
func (g *Gateway) carried(guest *Guest) uint64 {
	g.meter.mu.Lock()
	defer g.meter.mu.Unlock()
	if t, ok := g.meter.tally[guest.ID]; ok && t.until == guest.Pass.Until {
		return t.bytes
	}
	return guest.Pass.Bytes
}

// A told is what the book is told of a pass.
type told struct {
	id GuestID
	tally
	spent bool
}

// tell writes down what a pass has carried, and shuts its guest out when that
// is all that it may.
func (g *Gateway) tell(ctx context.Context, c told, now Moment) error {
	err := g.parts.Book.Change(c.id, func(guest *Guest) error {
		if guest.Pass.Until != c.until || guest.Pass.Spent {
			return ErrUnchanged // another pass by now
		}
		guest.Pass.Bytes, guest.Pass.Moved, guest.Pass.Spent = c.bytes, c.moved, c.spent
		return nil
	})
	if err != nil || !c.spent {
		return err
	}
	return g.shutOut(ctx, c.id, now)
}

// shutOut shuts the door behind a pass that is spent, once.
func (g *Gateway) shutOut(ctx context.Context, id GuestID, now Moment) error {
	if err := g.shut(ctx, id, now); err != nil {
		return err
	}
	g.meter.mu.Lock()
	defer g.meter.mu.Unlock()
	if g.meter.out == nil {
		g.meter.out = make(map[GuestID]bool)
	}
	g.meter.out[id] = true
	return nil
}

// isOut reports whether a guest whose pass is spent was shut out; it forgets
// one whose pass is not.
func (m *meter) isOut(id GuestID, spent bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !spent {
		delete(m.out, id)
	}
	return m.out[id]
}
