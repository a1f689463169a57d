package dns

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/hien-wifi/hien"
)

// How long the kernel's word on who has an address is good for, and how long
// its silence. A flood must not become a flood of questions to the kernel.
const (
	knownFor   = 30 * time.Second
	unknownFor = time.Second
)

// A guestKey names a guest: by its MAC, or by its address where nobody is
// there to ask. Addresses that the kernel does not know are one guest
// together, the zero key: whoever makes up an address for each question gains
// nothing, and an honest phone is known by its second question, as the kernel
// must find it to deliver the answer to the first.
type guestKey struct {
	mac  hien.MAC
	addr netip.Addr
}

// A who is what the kernel said of an address.
type who struct {
	key   guestKey
	until time.Duration
}

// A guest is what is counted of one guest. Its fields belong to guests.mu.
type guest struct {
	plain, known *rate.Limiter
	running      int // questions for names that are not known, under way
	asked        nameBook
}

// A nameBook holds the different names that were asked for in a minute.
type nameBook struct {
	minute int64
	names  []askedName
}

// An askedName is a name and the domain that it stands under, hashed.
type askedName struct{ name, parent uint32 }

// note notes a name, and reports whether there are no more than so many in
// all and beneath its domain. A name that was asked for already passes: it
// carries nothing new.
func (b *nameBook) note(asked askedName, up time.Duration, under, all int) bool {
	if minute := int64(up / time.Minute); b.minute != minute {
		b.minute, b.names = minute, b.names[:0]
	}
	same := 0
	for _, n := range b.names {
		if n == asked {
			return true
		}
		if n.parent == asked.parent {
			same++
		}
	}
	if same >= under || len(b.names) >= all {
		return false
	}
	b.names = append(b.names, asked)
	return true
}

// guests counts what each guest asks for, in bounded memory.
type guests struct {
	limits Limits
	who    func(netip.Addr) (hien.MAC, bool)
	seed   maphash.Seed

	mu     sync.Mutex
	byAddr *turnover[netip.Addr, who]
	byKey  *turnover[guestKey, *guest]

	// The zone as a whole. Names that are known have a limit of their own:
	// who floods others does not keep phones from finding the portal.
	plain, known *rate.Limiter
	asked        nameBook
}

func newGuests(l Limits, whoHas func(netip.Addr) (hien.MAC, bool)) *guests {
	return &guests{
		limits: l,
		who:    whoHas,
		seed:   maphash.MakeSeed(),
		byAddr: newTurnover[netip.Addr, who](l.Guests),
		byKey:  newTurnover[guestKey, *guest](l.Guests),
		plain:  rate.NewLimiter(rate.Limit(l.ZoneRate), l.ZoneBurst),
		known:  rate.NewLimiter(rate.Limit(l.ZoneRate), l.ZoneBurst),
	}
}

// clock makes of the time since boot what a rate.Limiter wants.
func clock(up time.Duration) time.Time { return time.Unix(0, 0).Add(up) }

// key tells whose address it is.
func (g *guests) key(addr netip.Addr, up time.Duration) guestKey {
	addr = addr.Unmap().WithZone("")
	g.mu.Lock()
	w, ok := g.byAddr.get(addr)
	g.mu.Unlock()
	if ok && up < w.until {
		return w.key
	}
	if g.who == nil {
		return guestKey{addr: addr}
	}
	w = who{guestKey{}, up + unknownFor}
	if mac, ok := g.who(addr); ok { // outside of the lock: it asks the kernel
		w = who{guestKey{mac: mac}, up + knownFor}
	}
	g.mu.Lock()
	g.byAddr.put(addr, w)
	g.mu.Unlock()
	return w.key
}

// enter counts one question of a guest for a name, and says whether it may be
// asked; if not, because of what. Whoever is let in must leave. A name is
// known when it is in the garden or a probe's host: it is not the guest's to
// choose, and carries nothing.
func (g *guests) enter(key guestKey, name string, known bool, up time.Duration) (*guest, reason) {
	g.mu.Lock()
	defer g.mu.Unlock()
	this, ok := g.byKey.get(key)
	if !ok {
		this = &guest{
			plain: rate.NewLimiter(rate.Limit(g.limits.GuestRate), g.limits.GuestBurst),
			known: rate.NewLimiter(rate.Limit(g.limits.GardenRate), g.limits.GardenBurst),
		}
		g.byKey.put(key, this)
	}
	now := clock(up)
	if known {
		switch {
		case !this.known.AllowN(now, 1):
			return nil, guestRate
		case !g.known.AllowN(now, 1):
			return nil, zoneRate
		}
		return this, none
	}
	asked := askedName{g.hash(name), g.hash(registered(name))}
	switch {
	case !this.plain.AllowN(now, 1):
		return nil, guestRate
	case this.running >= g.limits.GuestInFlight:
		return nil, busy
	case !g.plain.AllowN(now, 1):
		return nil, zoneRate
	case !this.asked.note(asked, up, g.limits.NamesUnder, g.limits.Names),
		!g.asked.note(asked, up, zoneNames*g.limits.NamesUnder, zoneNames*g.limits.Names):
		return nil, manyNames
	}
	this.running++
	return this, none
}

// zoneNames is how many times as many different names as one guest all guests
// of a zone may ask for: those who change their MAC share them. Phones ask for
// much the same names, so that honest ones do as well.
const zoneNames = 10

// leave ends what enter let in.
func (g *guests) leave(this *guest, known bool) {
	if known {
		return
	}
	g.mu.Lock()
	this.running--
	g.mu.Unlock()
}

func (g *guests) hash(s string) uint32 { return uint32(maphash.String(g.seed, s)) }

// size is how many guests and addresses are remembered.
func (g *guests) size() (guests, addrs int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.byKey.size(), g.byAddr.size()
}
