package dns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
)

// ask counts n questions and says how many were let in, and why the last was
// not.
func ask(g *guests, key guestKey, n int, inGarden bool, up time.Duration, name func(i int) string) (in int, last reason) {
	for i := range n {
		this, why := g.enter(key, name(i), inGarden, up)
		if why == none {
			in++
			g.leave(this, inGarden)
		} else {
			last = why
		}
	}
	return in, last
}

func one(i int) string { return "www.example.vn" }

func under(parent string) func(int) string {
	return func(i int) string { return fmt.Sprintf("n%d.%s", i, parent) }
}

func TestGuestLimits(t *testing.T) {
	a := guestKey{mac: hien.MAC{2, 0, 0, 0, 0, 1}}
	b := guestKey{mac: hien.MAC{2, 0, 0, 0, 0, 2}}
	l := Limits{}.withDefaults()
	fresh := func() *guests { return newGuests(l, nil) }

	t.Run("a guest has its burst, and then its rate", func(t *testing.T) {
		g := fresh()
		if in, why := ask(g, a, 1000, false, time.Hour, one); in != l.GuestBurst || why != guestRate {
			t.Errorf("at once: got %d, %d; want %d, %d", in, why, l.GuestBurst, guestRate)
		}
		if in, _ := ask(g, a, 1000, false, time.Hour+10*time.Second, one); in != 50 {
			t.Errorf("after 10 s: got %d, want 50", in)
		}
		if in, _ := ask(g, b, 10, false, time.Hour, one); in != 10 {
			t.Errorf("another guest: got %d, want 10", in)
		}
	})
	t.Run("names in the garden have their own burst", func(t *testing.T) {
		g := fresh()
		ask(g, a, 1000, false, 0, one)
		if in, why := ask(g, a, 5000, true, 0, under("zalo.me")); in != l.GardenBurst || why != guestRate {
			t.Errorf("at once: got %d, %d; want %d, %d", in, why, l.GardenBurst, guestRate)
		}
	})
	t.Run("the zone as a whole has its burst", func(t *testing.T) {
		g := fresh()
		in := 0
		for i := range 100 {
			n, _ := ask(g, guestKey{mac: hien.MAC{2, 1, 0, 0, 0, byte(i)}}, 100, false, 0, one)
			in += n
		}
		if in != l.ZoneBurst {
			t.Errorf("of 100 guests: got %d, want %d", in, l.ZoneBurst)
		}
		if in, _ := ask(g, a, 10, true, 0, one); in != 10 {
			t.Errorf("known names after that: got %d, want 10", in)
		}
	})
	t.Run("few different names beneath one domain in a minute", func(t *testing.T) {
		g := fresh()
		if in, why := ask(g, a, 100, false, time.Hour, under("t.example.vn")); in != l.NamesUnder || why != manyNames {
			t.Errorf("in the first minute: got %d, %d; want %d, %d", in, why, l.NamesUnder, manyNames)
		}
		if in, _ := ask(g, a, 5, false, time.Hour+59*time.Second, under("t.example.vn")); in != 5 {
			t.Errorf("names that were asked for already: got %d, want 5", in)
		}
		if in, _ := ask(g, a, 5, false, time.Hour+59*time.Second, under("other.vn")); in != 5 {
			t.Errorf("beneath another domain: got %d, want 5", in)
		}
		if in, _ := ask(g, a, 100, false, time.Hour+time.Minute, under("u.example.vn")); in != l.NamesUnder {
			t.Errorf("in the next minute: got %d, want %d", in, l.NamesUnder)
		}
	})
	t.Run("few different names in all", func(t *testing.T) {
		g := newGuests(Limits{GuestBurst: 1000}.withDefaults(), nil)
		in, why := ask(g, a, 900, false, 0, func(i int) string { return fmt.Sprintf("www.example%d.vn", i) })
		if in != l.Names || why != manyNames {
			t.Errorf("got %d, %d; want %d, %d", in, why, l.Names, manyNames)
		}
	})
	t.Run("few different names of a guest that changes its MAC", func(t *testing.T) {
		g := fresh()
		in := 0
		for i := range 1000 {
			key := guestKey{mac: hien.MAC{2, 1, 0, 0, byte(i >> 8), byte(i)}}
			n, _ := ask(g, key, 1, false, 0, func(int) string { return fmt.Sprintf("n%d.t.example.vn", i) })
			in += n
		}
		if want := zoneNames * l.NamesUnder; in != want {
			t.Errorf("by a thousand MACs: got %d, want %d", in, want)
		}
	})
	t.Run("few wait at once", func(t *testing.T) {
		g := fresh()
		for range l.GuestInFlight {
			if _, why := g.enter(a, "www.example.vn", false, 0); why != none {
				t.Fatalf("reason: got %d, want none", why)
			}
		}
		if _, why := g.enter(a, "www.example.vn", false, 0); why != busy {
			t.Errorf("one more: got %d, want %d", why, busy)
		}
		if _, why := g.enter(a, "zalo.me", true, 0); why != none {
			t.Errorf("one more in the garden: got %d, want none", why)
		}
	})
}

// TestWhoIsAskedSeldom holds that a flood is no flood of questions to the
// kernel, and that a guest is one whatever its addresses.
func TestWhoIsAskedSeldom(t *testing.T) {
	asked, mac := 0, hien.MAC{2, 0, 0, 0, 0, 1}
	known := netip.MustParsePrefix("10.77.0.0/24")
	g := newGuests(Limits{}.withDefaults(), func(a netip.Addr) (hien.MAC, bool) { asked++; return mac, known.Contains(a) })
	first := g.key(netip.MustParseAddr("10.77.0.50"), 0)
	for i := range 1000 {
		g.key(netip.MustParseAddr("::ffff:10.77.0.50"), time.Duration(i)*time.Millisecond)
	}
	if second := g.key(netip.MustParseAddr("10.77.0.51"), 0); first != second || first.mac != mac {
		t.Errorf("two addresses of one guest: got %v and %v, want the same", first, second)
	}
	if asked != 2 {
		t.Errorf("asked the kernel: got %d times, want 2", asked)
	}
	g.key(netip.MustParseAddr("10.77.0.50"), knownFor)
	unknown := g.key(netip.MustParseAddr("fe80::1%br-guest"), 0)
	g.key(netip.MustParseAddr("fe80::1%br-guest"), unknownFor)
	if asked != 5 {
		t.Errorf("later: got %d times, want 5", asked)
	}
	if other := g.key(netip.MustParseAddr("fe80::2%br-guest"), 0); other != unknown {
		t.Errorf("two that the kernel does not know: got %v and %v, want one guest", unknown, other)
	}
	g = newGuests(Limits{}.withDefaults(), nil)
	if got, want := g.key(netip.MustParseAddr("fe80::1%br-guest"), 0), (guestKey{addr: netip.MustParseAddr("fe80::1")}); got != want {
		t.Errorf("with nobody to ask: got %v, want %v", got, want)
	}
}

// TestMemoryIsFlat sends 20,000 random guests, twice: the second time must not
// need more than the first.
func TestMemoryIsFlat(t *testing.T) {
	g := newGuests(Limits{}.withDefaults(), func(a netip.Addr) (hien.MAC, bool) {
		b := a.As16()
		return hien.MAC(b[10:16]), true
	})
	n := uint64(0)
	flood := func(many int) {
		for i := range many {
			n++
			var b [16]byte
			b[0] = 0xfd
			binary.BigEndian.PutUint64(b[8:], n*0x9e3779b97f4a7c15)
			key := g.key(netip.AddrFrom16(b), time.Duration(i)*time.Millisecond)
			ask(g, key, 3, false, time.Duration(i)*time.Millisecond, under("example.vn"))
		}
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	flood(20_000)
	first := heap()
	flood(20_000)
	second := heap()
	guests, addrs := g.size()
	t.Logf("20,000 random guests: %d KB, %d guests and %d addresses remembered; 20,000 more: %d KB", (first-before)>>10, guests, addrs, (second-before)>>10)
	if most := g.limits.Guests; guests > most || addrs > most {
		t.Errorf("remembered: got %d guests, %d addresses; want at most %d", guests, addrs, most)
	}
	if grown := second - first; grown > 256<<10 {
		t.Errorf("grown by 20,000 more: got %d bytes, want none", grown)
	}
	if taken := first - before; taken > 4<<20 {
		t.Errorf("taken: got %d bytes, want at most 4 MiB", taken)
	}
	runtime.KeepAlive(g)
}
