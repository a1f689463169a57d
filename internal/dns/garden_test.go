package dns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/dns"
)

// bed is a garden that remembers what was planted.
type bed struct {
	mu      sync.Mutex
	ttl     map[netip.Addr]time.Duration
	forCode map[netip.Addr]bool
	err     error
}

func newBed() *bed {
	return &bed{ttl: make(map[netip.Addr]time.Duration), forCode: make(map[netip.Addr]bool)}
}

func (b *bed) plant(ctx context.Context, addrs []netip.Addr, ttl time.Duration, forCode bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	for _, a := range addrs {
		b.ttl[a], b.forCode[a] = ttl, forCode
	}
	return ctx.Err()
}

func (b *bed) holds(a netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.ttl[a]
	return ok
}

// TestThousandNamesAtOnce resolves a thousand names of the garden at once, as
// one guest and as a thousand, and "connects" to each the moment its answer is
// there: none may be shut.
func TestThousandNamesAtOnce(t *testing.T) {
	r := newResolver(t, func(_ string, q *miekg.Msg) *miekg.Msg {
		var i int
		fmt.Sscanf(q.Question[0].Name, "n%d.", &i)
		return says(t, q,
			fmt.Sprintf("%s 300 IN CNAME edge%d.cdn.test.", q.Question[0].Name, i),
			fmt.Sprintf("edge%d.cdn.test. 20 IN A 198.18.%d.%d", i, i>>8, i&255))
	})
	for _, c := range []struct {
		name string
		who  func(netip.Addr) (hien.MAC, bool)
	}{
		{"by one guest", func(netip.Addr) (hien.MAC, bool) { return hien.MAC{2, 0, 0, 0, 0, 1}, true }},
		{"by a thousand", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed()
			f, server := start(t, dns.Options{
				Upstream: []string{r.addr}, Names: dns.Names{Garden: []string{"garden.test"}}, Plant: b.plant, Who: c.who,
			})
			var wg sync.WaitGroup
			refused := make(chan string, 1000)
			for i := range 1000 {
				// Sockets first, so that the questions come together.
				d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 1, byte(i>>8), byte(i))}}
				conn, err := d.Dial("udp", server)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(20 * time.Second))
				wg.Go(func() {
					name := fmt.Sprintf("n%d.garden.test", i)
					c := &miekg.Conn{Conn: conn}
					if err := c.WriteMsg(question(name, miekg.TypeA)); err != nil {
						refused <- err.Error()
						return
					}
					m, err := c.ReadMsg()
					if err != nil {
						refused <- err.Error()
						return
					}
					got := addrs(m)
					want := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
					if len(got) != 1 || got[0] != want || !b.holds(want) {
						refused <- fmt.Sprintf("%s: got %s %v, open %v; want %v, open", name, miekg.RcodeToString[m.Rcode], got, b.holds(want), want)
					}
				})
			}
			wg.Wait()
			close(refused)
			n := 0
			for why := range refused {
				if n++; n < 5 {
					t.Error(why)
				}
			}
			if n != 0 {
				t.Errorf("refused: got %d of 1,000, want 0; %+v", n, f.Counts())
			}
		})
	}
}

// TestGarden asks for names in and out of the garden. Every question is of a
// guest of its own.
func TestGarden(t *testing.T) {
	zone := map[string][]string{
		"www.garden.test.":        {"www.garden.test. 3600 IN CNAME x.cdn.test.", "x.cdn.test. 30 IN A 203.0.113.1", "x.cdn.test. 30 IN A 203.0.113.2"},
		"long.garden.test.":       {"long.garden.test. 900000 IN A 203.0.113.3"},
		"brief.garden.test.":      {"brief.garden.test. 0 IN A 203.0.113.4"},
		"code.test.":              {"code.test. 60 IN A 203.0.113.5"},
		"other.test.":             {"other.test. 60 IN A 203.0.113.6"},
		"alias.test.":             {"alias.test. 60 IN CNAME www.garden.test.", "www.garden.test. 60 IN A 203.0.113.66"},
		"rebind.garden.test.":     {"rebind.garden.test. 60 IN A 192.168.1.1", "rebind.garden.test. 60 IN A 203.0.113.7"},
		"inside.garden.test.":     {"inside.garden.test. 60 IN A 192.168.1.1"},
		"rebind.other.test.":      {"rebind.other.test. 60 IN A 10.0.0.1"},
		"menu.garden.test.":       {"menu.garden.test. 60 IN A 10.9.0.1"},
		"captive.apple.com.":      {"captive.apple.com. 60 IN A 203.0.113.80"},
		"shared.garden.test.":     {"shared.garden.test. 60 IN A 203.0.113.80", "shared.garden.test. 60 IN A 203.0.113.81"},
		"onlyshared.garden.test.": {"onlyshared.garden.test. 60 IN A 203.0.113.80"},
		"tunnel.other.test.":      {"tunnel.other.test. 60 IN CNAME hdata.data.data.other.test."},
		"both.code.test.":         {"both.code.test. 60 IN A 203.0.113.8"},
	}
	r := newResolver(t, func(_ string, q *miekg.Msg) *miekg.Msg {
		lines, ok := zone[strings.ToLower(q.Question[0].Name)]
		m := says(t, q, lines...)
		if !ok {
			m.Rcode = miekg.RcodeNameError
		}
		return m
	})
	b := newBed()
	f, server := start(t, dns.Options{
		Upstream: []string{r.addr},
		Names: dns.Names{
			Garden:     []string{"garden.test", "both.code.test", "10.9.0.0/24"},
			CodeGarden: []string{"code.test"},
			Local:      map[string][]netip.Addr{"wifi.shop.test": {netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("fd00::1")}},
		},
		Plant: b.plant,
	})
	for _, c := range []struct {
		does, name, addrs string
		code              int
		ttl               uint32
		planted           string        // that must be open now
		lasting           time.Duration // planted for so long
		forCode           bool
	}{
		{does: "plants the ends of a chain", name: "WWW.garden.test", addrs: "203.0.113.1 203.0.113.2", ttl: 30, planted: "203.0.113.1 203.0.113.2", lasting: 30*time.Second + dns.Lasting},
		{does: "plants for a day at most and tells a minute", name: "long.garden.test", addrs: "203.0.113.3", ttl: dns.MaxTTL, planted: "203.0.113.3", lasting: dns.MaxPlanted},
		{does: "plants for some minutes at least", name: "brief.garden.test", addrs: "203.0.113.4", ttl: 0, planted: "203.0.113.4", lasting: dns.Lasting},
		{does: "plants for codes", name: "code.test", addrs: "203.0.113.5", ttl: 60, planted: "203.0.113.5", lasting: 60*time.Second + dns.Lasting, forCode: true},
		{does: "plants for everybody what is in both", name: "both.code.test", addrs: "203.0.113.8", ttl: 60, planted: "203.0.113.8", lasting: 60*time.Second + dns.Lasting},
		{does: "does not plant a name outside", name: "other.test", addrs: "203.0.113.6", ttl: 60},
		{does: "does not plant a stranger's alias of a name inside", name: "alias.test", addrs: "203.0.113.66", ttl: 60},
		{does: "leaves a private address out", name: "rebind.garden.test", addrs: "203.0.113.7", ttl: 60, planted: "203.0.113.7", lasting: 60*time.Second + dns.Lasting},
		{does: "plants no private address", name: "inside.garden.test"},
		{does: "leaves a private address out of other answers", name: "rebind.other.test"},
		{does: "tells a private address that is in the garden as such", name: "menu.garden.test", addrs: "10.9.0.1", ttl: 60},
		{does: "tells a probe's address", name: "captive.apple.com", addrs: "203.0.113.80", ttl: 60},
		{does: "keeps a probe's address out of the garden", name: "shared.garden.test", addrs: "203.0.113.81", ttl: 60, planted: "203.0.113.81", lasting: 60*time.Second + dns.Lasting},
		{does: "tells a probe's address where there is no other", name: "onlyshared.garden.test", addrs: "203.0.113.80", ttl: 60},
		{does: "carries no alias without an address", name: "tunnel.other.test"},
		{does: "says that a name is not there", name: "nothing.test", code: miekg.RcodeNameError},
		{does: "answers for the portal's host itself", name: "WiFi.shop.test", addrs: "10.77.0.1", ttl: 60},
	} {
		t.Run(c.does, func(t *testing.T) {
			m := exchange(t, "udp", server, question(c.name, miekg.TypeA))
			var got []string
			for _, a := range addrs(m) {
				got = append(got, a.String())
			}
			if m.Rcode != c.code || strings.Join(got, " ") != c.addrs || len(got) != len(m.Answer) {
				t.Fatalf("got %s with %v; want %s with %s", miekg.RcodeToString[m.Rcode], m.Answer, miekg.RcodeToString[c.code], c.addrs)
			}
			for _, rr := range m.Answer {
				if h := rr.Header(); h.Ttl != c.ttl || h.Name != miekg.Fqdn(c.name) {
					t.Errorf("record: got %s, want %s for %d s", rr, c.name, c.ttl)
				}
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			want := strings.Fields(c.planted)
			for _, a := range addrs(m) {
				ttl, open := b.ttl[a]
				if open != slices.Contains(want, a.String()) || ttl != c.lasting || b.forCode[a] != c.forCode {
					t.Errorf("%s: got open %v for %v, for codes %v; want %v for %v, %v", a, open, ttl, b.forCode[a], len(want) > 0, c.lasting, c.forCode)
				}
			}
			clear(b.ttl)
			clear(b.forCode)
		})
	}
	if m := exchange(t, "udp", server, question("wifi.shop.test", miekg.TypeAAAA)); len(addrs(m)) != 1 {
		t.Errorf("the portal's host by IPv6: got %v, want fd00::1", m.Answer)
	}
	if m := exchange(t, "udp", server, question("below.wifi.shop.test", miekg.TypeA)); m.Rcode != miekg.RcodeNameError {
		t.Errorf("below the portal's host: got %s, want what the resolver says", miekg.RcodeToString[m.Rcode])
	}
	if c := f.Counts(); c.Private != 3 || c.Shared != 2 || c.Local != 2 || c.Planted != 7 {
		t.Errorf("counts: got %+v; want 3 private, 2 shared, 2 local, 7 planted", c)
	}
}

// TestGardenThatCannotBeFilled holds that no address is told that is not open,
// and that the log is not flooded.
func TestGardenThatCannotBeFilled(t *testing.T) {
	r := newResolver(t, func(_ string, q *miekg.Msg) *miekg.Msg {
		return says(t, q, q.Question[0].Name+" 60 IN A 203.0.113.1")
	})
	b := newBed()
	b.err = errors.New("no such set")
	var log diary
	up := time.Hour
	var mu sync.Mutex
	f, server := start(t, dns.Options{
		Upstream: []string{r.addr}, Names: dns.Names{Garden: []string{"garden.test"}}, Plant: b.plant, Log: log.logger(),
		Now: func() hien.Moment { mu.Lock(); defer mu.Unlock(); return hien.Moment{Up: up} },
	})
	for i := range 5 {
		if m := exchange(t, "udp", server, question("www.garden.test", miekg.TypeA)); m.Rcode != miekg.RcodeServerFailure || len(m.Answer) != 0 {
			t.Errorf("answer %d: got %s, %v; want SERVFAIL without an address", i, miekg.RcodeToString[m.Rcode], m.Answer)
		}
	}
	if n := log.count("the garden cannot be filled"); n != 1 {
		t.Errorf("logged: got %d times, want once", n)
	}
	mu.Lock()
	up += time.Minute
	mu.Unlock()
	exchange(t, "udp", server, question("www.garden.test", miekg.TypeA))
	if n := log.count("the garden cannot be filled"); n != 2 {
		t.Errorf("logged after a minute: got %d times, want twice", n)
	}
	if n := log.count("www.garden.test"); n != 0 {
		t.Errorf("a guest's name was logged %d times", n)
	}
	if m := exchange(t, "udp", server, question("other.test", miekg.TypeA)); len(m.Answer) != 1 {
		t.Errorf("a name outside: got %v, want an address", m.Answer)
	}
	if c := f.Counts(); c.NotFilled != 6 {
		t.Errorf("counts: got %d not filled, want 6", c.NotFilled)
	}
}

// TestSetNames holds that a change of the names is one, or none.
func TestSetNames(t *testing.T) {
	r := newResolver(t, func(_ string, q *miekg.Msg) *miekg.Msg {
		return says(t, q, q.Question[0].Name+" 60 IN A 203.0.113.1")
	})
	b := newBed()
	f, server := start(t, dns.Options{Upstream: []string{r.addr}, Plant: b.plant})
	asked := func() bool {
		exchange(t, "udp", server, question("www.garden.test", miekg.TypeA))
		return b.holds(netip.MustParseAddr("203.0.113.1"))
	}
	if asked() {
		t.Error("planted before it was in the garden")
	}
	if err := f.SetNames(dns.Names{Garden: []string{"garden.test", "apple.com"}}); err == nil {
		t.Error("a probe's host in the garden: got no error")
	}
	if asked() {
		t.Error("planted after a change that was refused")
	}
	if err := f.SetNames(dns.Names{Garden: []string{"garden.test"}}); err != nil {
		t.Fatal(err)
	}
	if !asked() {
		t.Error("not planted after it was put into the garden")
	}
}
