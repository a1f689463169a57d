package hien

import (
	"net/netip"
	"sync"
	"time"
)

// owners says which guest has an address now, as the kernel's neighbour table
// told it last. An address has one owner: when it goes to another device, the
// one that had it loses it, in the kernel's set too. Else whoever makes the
// table say for a moment that an address is somebody else's would keep that
// address's way out for good.
type owners struct {
	mu      sync.Mutex
	of      map[ownedAddr]MAC
	evicted time.Duration // Moment.Up at which a guest last lost an address for a new one
}

type ownedAddr struct {
	zone string
	addr netip.Addr
}

// maxOwners is at how many addresses those of guests who are forgotten are
// thrown out.
const maxOwners = 1 << 15

// evictEvery is how often a guest that shows ever more addresses gets another
// one for the oldest. A phone has three or four.
const evictEvery = time.Second

func (o *owners) get(zone string, addr netip.Addr) (MAC, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	mac, ok := o.of[ownedAddr{zone, addr}]
	return mac, ok
}

// set notes an owner; full says that it is time for load.
func (o *owners) set(id GuestID, addr netip.Addr) (full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = make(map[ownedAddr]MAC)
	}
	o.of[ownedAddr{id.Zone, addr}] = id.MAC
	return len(o.of) > maxOwners
}

// drop forgets an owner, unless it is another one by now.
func (o *owners) drop(id GuestID, addrs ...netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range addrs {
		if at := (ownedAddr{id.Zone, a}); o.of[at] == id.MAC {
			delete(o.of, at)
		}
	}
}

// load begins anew with what the book holds.
func (o *owners) load(book Livebook) error {
	of := make(map[ownedAddr]MAC)
	err := book.Guests(func(g Guest) error {
		for _, a := range g.Addrs {
			of[ownedAddr{g.ID.Zone, a}] = g.ID.MAC
		}
		return nil
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.of = of
	}
	return err
}

// mayEvict reports whether a guest may lose its oldest address now, and if so
// counts it.
func (o *owners) mayEvict(now Moment) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.evicted != 0 && now.Up-o.evicted < evictEvery {
		return false
	}
	o.evicted = now.Up
	return true
}
