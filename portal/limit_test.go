package portal

import (
	"net"
	"net/http"
	"net/netip"
	"testing"
)

// A pipeEnd is a connection from an address.
type pipeEnd struct {
	net.Conn
	from   netip.AddrPort
	closed bool
}

func (p *pipeEnd) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(p.from) }
func (p *pipeEnd) Close() error         { p.closed = true; return nil }

func TestTheTurnstile(t *testing.T) {
	from := func(s string) *pipeEnd { return &pipeEnd{from: netip.MustParseAddrPort(s)} }
	fresh := func() *turnstile { return newTurnstile(nil, Limits{Conns: 3, PerSource: 2}) }
	admit := func(t *testing.T, gate *turnstile, c *pipeEnd, leaves *pipeEnd, ok bool) {
		t.Helper()
		gotLeaves, gotOK := gate.admit(c)
		var want net.Conn
		if leaves != nil {
			want = leaves
		}
		if gotLeaves != want || gotOK != ok {
			t.Fatalf("got %v %v, want %v %v", gotLeaves, gotOK, want, ok)
		}
		if ok {
			gate.state(c, http.StateNew)
		}
	}
	a1, a2, a3 := from("192.0.2.1:1"), from("192.0.2.1:2"), from("192.0.2.1:3")
	b1, b2 := from("[2001:db8::2]:1"), from("[2001:db8::2]:2")
	c1 := from("192.0.2.3:1")

	t.Run("a third of one source takes the place of its oldest", func(t *testing.T) {
		gate := fresh()
		admit(t, gate, a1, nil, true)
		admit(t, gate, a2, nil, true)
		admit(t, gate, a3, a1, true)
	})
	t.Run("when all are taken the one that waited longest leaves", func(t *testing.T) {
		gate := fresh()
		admit(t, gate, a1, nil, true)
		admit(t, gate, b1, nil, true)
		admit(t, gate, b2, nil, true)
		gate.state(a1, http.StateActive)
		gate.state(a1, http.StateIdle) // it has asked since: b1 has waited longer now
		admit(t, gate, c1, b1, true)
	})
	t.Run("what is at work is not closed", func(t *testing.T) {
		gate := fresh()
		for _, c := range []*pipeEnd{a1, a2, b1} {
			admit(t, gate, c, nil, true)
			gate.state(c, http.StateActive)
		}
		admit(t, gate, c1, nil, false)
		admit(t, gate, a3, nil, false)
		gate.state(b1, http.StateClosed)
		admit(t, gate, c1, nil, true)
	})
	t.Run("a body that trickles in is waiting", func(t *testing.T) {
		gate := fresh()
		for _, c := range []*pipeEnd{a1, a2, b1} {
			admit(t, gate, c, nil, true)
			gate.state(c, http.StateActive)
		}
		whileReading((&Server{}).withSeat(gate)(t.Context(), b1), func() error {
			admit(t, gate, c1, b1, true)
			return nil
		})
		if got := len(gate.places); got != 3 {
			t.Errorf("%d places are taken, want 3", got)
		}
	})
	t.Run("when the portal stops, only those are closed to whom no answer is owed", func(t *testing.T) {
		gate := fresh()
		silent, busy, done := from("192.0.2.1:7"), from("192.0.2.2:7"), from("192.0.2.3:7")
		for _, c := range []*pipeEnd{silent, busy, done} {
			admit(t, gate, c, nil, true)
		}
		gate.state(busy, http.StateActive)
		gate.wait(busy, true) // its handler is done, its answer not yet sent
		gate.state(done, http.StateActive)
		gate.state(done, http.StateIdle)
		gate.closeIdle()
		if !silent.closed || busy.closed || !done.closed {
			t.Errorf("closed: silent %v, busy %v, done %v; want true, false, true", silent.closed, busy.closed, done.closed)
		}
	})
	t.Run("places are given back", func(t *testing.T) {
		gate := fresh()
		for range 100 {
			admit(t, gate, a1, nil, true)
			gate.state(a1, http.StateClosed)
		}
		if len(gate.places) != 0 || len(gate.sources) != 0 {
			t.Errorf("%d places and %d sources are left", len(gate.places), len(gate.sources))
		}
	})
}

func TestTheDoorOfALinkLocalConnection(t *testing.T) {
	addrs := func(list ...string) (out []netip.Addr) {
		for _, s := range list {
			out = append(out, netip.MustParseAddr(s))
		}
		return out
	}
	for _, test := range []struct {
		name, here string
		addrs      []netip.Addr
		want       string
	}{
		{"IPv4 stays", "192.168.7.1:2050", addrs("10.0.0.1"), "192.168.7.1:2050"},
		{"IPv4 link-local can be opened", "169.254.1.1:2050", addrs("10.0.0.1"), "169.254.1.1:2050"},
		{"IPv6 stays", "[fd00::1]:2050", addrs("10.0.0.1"), "[fd00::1]:2050"},
		{"link-local goes to the zone's IPv6 address", "[fe80::1%br-guest]:2050", addrs("192.168.7.1", "fe80::1", "fd00::1"), "[fd00::1]:2050"},
		{"or else to its IPv4 address", "[fe80::1%br-guest]:2050", addrs("fe80::1", "192.168.7.1"), "192.168.7.1:2050"},
		{"and nowhere else when it has none", "[fe80::1%br-guest]:2050", nil, "[fe80::1]:2050"},
		{"an IPv4 address in IPv6's clothes", "[::ffff:192.168.7.1]:2050", nil, "192.168.7.1:2050"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(Options{Addrs: test.addrs})
			r := requestOn(t, test.here)
			if got := s.door(r).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			r.Host = test.want
			if s.foreign(r, nil) {
				t.Errorf("a request for %s is taken for a foreign one", test.want)
			}
		})
	}
}

func requestOn(t testing.TB, here string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", "http://example.vn/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.WithContext(contextOn(r.Context(), netip.MustParseAddrPort(here)))
}
