package hien

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// A Gateway is the house: the rules by which a guest comes in, whatever is
// asked or answered on the way. It is safe for concurrent use.
//
// Three rules hold in every method. Access never depends on consent, nor on
// the record: where that fails, nothing is asked and the door still opens
// (I8). What is acknowledged is durable first: record, door, queue, in this
// order (I1). And a purpose is looked at when an event is made and again when
// it is sent (R-CON-7).
type Gateway struct {
	parts      Parts
	memory     memoryKey
	settings   atomic.Pointer[Settings]
	owners     owners
	complained atomic.Int64 // Moment.Up of the last complaint
	resumed    atomic.Bool  // the visits of an earlier boot were closed
}

// Parts are what the gateway works with. Record is nil when the record could
// not be opened: then nothing is asked.
type Parts struct {
	Record Record
	Book   Livebook
	Door   Door
	Router RouterKey
	Within func(zone string, addr netip.Addr) bool // a guest of the zone can have the address; nil: any can
	Wake   func()                                  // tells the courier that an event was queued
	Log    *slog.Logger
}

// Settings are what the owner sets; Reload changes them.
type Settings struct {
	StoreID   string
	StoreName string
	Zones     []Zone
	Brand     BrandKey // none: no number is asked
	Seal      SealKey  // none: no purpose that reaches the person
	Sender    Sender   // nil: no number is asked
}

// NewGateway makes the house of its parts.
func NewGateway(p Parts, s Settings) *Gateway {
	g := &Gateway{parts: p, memory: newMemoryKey()}
	if g.parts.Wake == nil {
		g.parts.Wake = func() {}
	}
	g.Reload(s)
	if err := g.owners.load(p.Book); err != nil {
		p.Log.Warn("the livebook cannot be read", "err", err)
	}
	return g
}

// Reload puts other settings in force. Passes and forms stay as they are.
func (g *Gateway) Reload(s Settings) { g.settings.Store(&s) }

func (s *Settings) zone(name string) (Zone, bool) {
	i := slices.IndexFunc(s.Zones, func(z Zone) bool { return z.Name == name })
	if i < 0 {
		return Zone{}, false
	}
	return s.Zones[i], true
}

func (g *Gateway) zone(name string) (Zone, error) {
	z, ok := g.settings.Load().zone(name)
	if !ok {
		return Zone{}, fmt.Errorf("%w: %q", ErrNoZone, name)
	}
	return z, nil
}

// Greet tells the portal how to speak to the guest at the door. It is a
// sighting too.
func (g *Gateway) Greet(ctx context.Context, d Device, now Moment) (Greeting, error) {
	zone, err := g.zone(d.Guest.Zone)
	if err != nil {
		return Greeting{}, err
	}
	gr := Greeting{StoreName: g.settings.Load().StoreName, Zone: zone}
	err = g.Saw(ctx, Sighting{Guest: d.Guest, Addr: d.Addr, Source: "portal"}, now)
	var guest Guest
	if err == nil {
		guest, _, err = g.parts.Book.Guest(d.Guest)
	}
	if err != nil {
		// Without the book a form could not wait for its code: nothing is
		// asked, and the door opens all the same (I8).
		g.complain(now, "the livebook fails; nothing is asked, and guests come in all the same", err)
		return gr, nil
	}
	gr.Receipt = guest.Receipt
	member := g.member(ctx, d.Guest)
	if member.Known() {
		gr.Visit = member.Visits
		if guest.Stay.Visit == "" {
			gr.Visit++ // this stay is not in the record yet
			gr.SinceLast = between(member.LastVisit, now)
		}
	}
	gr.PassLeft = guest.Pass.Left(now)
	switch {
	case gr.PassLeft > 0:
		gr.Step = Inside
		err = g.readmit(ctx, d, gr.PassLeft)
	case guest.Form != nil && g.opens(guest.Form):
		gr.Step = AtCode
		gr.LastTwo = guest.Form.LastTwo
		gr.TriesLeft = max(0, CodeTries-guest.Form.Challenge.Tries)
		if gr.TriesLeft > 0 {
			gr.CodeLeft = guest.Form.Challenge.Left(now)
		}
	case g.asking() && !guest.Asked && !guest.Gave && !member.Known():
		gr.Ask = slices.Clone(zone.Purposes)
	}
	return gr, err
}

// Inside reports whether the guest has a pass. It is for a probe that reaches
// the portal all the same: then the kernel lost the pass, or never had it for
// that address, and gets it again. Of a guest without a pass nothing is
// written and nothing looked up.
func (g *Gateway) Inside(ctx context.Context, d Device, now Moment) (bool, error) {
	guest, _, err := g.parts.Book.Guest(d.Guest)
	if err != nil {
		return false, err
	}
	left := guest.Pass.Left(now)
	if left == 0 {
		return false, nil
	}
	if err := g.Saw(ctx, Sighting{Guest: d.Guest, Addr: d.Addr, Source: "portal"}, now); err != nil {
		return false, err
	}
	return true, g.readmit(ctx, d, left)
}

// readmit lets a guest with a pass through again that stands before the portal
// all the same: the kernel has lost it. An address that cannot be a guest's
// gets no way out by asking.
func (g *Gateway) readmit(ctx context.Context, d Device, left time.Duration) error {
	if !g.reachable(d.Guest.Zone, d.Addr) {
		return nil
	}
	return g.parts.Door.Admit(ctx, d.Guest, []netip.Addr{d.Addr}, left)
}

// complain logs a trouble that every guest would meet, once a minute: a
// router's log is small.
func (g *Gateway) complain(now Moment, what string, err error) {
	last := g.complained.Load()
	if (last == 0 || now.Up-time.Duration(last) >= time.Minute) && g.complained.CompareAndSwap(last, int64(max(now.Up, 1))) {
		g.parts.Log.Error(what, "err", err)
	}
}

// between is the time from one moment to another, 0 when no clock can tell.
func between(from, to Moment) time.Duration {
	switch {
	case from.Boot == "":
		return 0
	case from.Boot == to.Boot:
		return to.Up - from.Up
	case from.InStep && to.InStep:
		return max(0, to.Wall.Sub(from.Wall))
	}
	return 0
}

// asking reports whether an answer could be kept.
func (g *Gateway) asking() bool {
	s := g.settings.Load()
	return g.parts.Record != nil && s.Sender != nil && !s.Brand.IsZero()
}

// member is the person behind a device, if it is a member's. A record that
// cannot be read makes a stranger of everybody.
func (g *Gateway) member(ctx context.Context, id GuestID) Member {
	if g.parts.Record == nil {
		return Member{}
	}
	m, err := g.parts.Record.Member(ctx, g.parts.Router.MemberMark(id.MAC))
	if err != nil {
		g.parts.Log.Warn("a returning guest could not be looked up", "err", err)
		return Member{}
	}
	return m
}

// Admit gives the guest a pass and asks for nothing in return. A pass that
// still holds is not made longer.
func (g *Gateway) Admit(ctx context.Context, d Device, now Moment) error {
	return g.open(ctx, d, now, func(guest *Guest) { guest.Asked = true })
}

// open is the door: the kernel's set first, then the livebook. Once the guest
// is in the kernel's set it is in, whatever becomes of the book: a book that
// fails is for the log (I8).
func (g *Gateway) open(ctx context.Context, d Device, now Moment, then func(*Guest)) error {
	zone, err := g.zone(d.Guest.Zone)
	if err != nil {
		return err
	}
	tried := false
	var doorErr error
	admit := func(guest *Guest) error {
		tried = true
		if guest.Pass.Left(now) == 0 {
			guest.Pass = Pass{Until: now.Up + zone.Pass}
		}
		doorErr = g.parts.Door.Admit(ctx, d.Guest, guest.Addrs, guest.Pass.Left(now))
		if doorErr == nil && g.reachable(d.Guest.Zone, d.Addr) && !slices.Contains(guest.Addrs, d.Addr) {
			doorErr = g.extend(ctx, guest, d.Addr, now) // a page is asked for at the same moment as the address is new
			g.owners.set(d.Guest, d.Addr)
		}
		return doorErr
	}
	// Within the change, so that no sighting of another address slips in
	// between the door and the book.
	bookErr := g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		guest.see(zone, now)
		if err := admit(guest); err != nil {
			return err
		}
		guest.Form = nil
		then(guest)
		return nil
	})
	if !tried { // the book could not even be read
		admit(&Guest{ID: d.Guest})
	}
	if doorErr != nil {
		return doorErr
	}
	if bookErr != nil {
		g.complain(now, "the livebook fails; a guest was let in and could not be written down", bookErr)
	}
	return nil
}
