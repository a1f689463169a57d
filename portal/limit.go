package portal

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/hien-wifi/hien"
)

// A turnstile is a listener that lets in only so many connections: in all,
// and from each address. When it is full, the connection that has waited
// longest without a request is closed for the newcomer: a phone that has
// something to ask asks at once, a connection that is only held does not.
//
// A source is one address and not an IPv6 network: all guests of a zone
// share one.
type turnstile struct {
	net.Listener
	max, perSource int

	mu      sync.Mutex
	places  map[net.Conn]*place
	sources map[netip.Addr]int
	turn    uint64 // counts the beginnings of waits, to order them

	open sync.WaitGroup // connections that the server has not closed
}

// A place is that of one connection.
type place struct {
	source  netip.Addr
	idle    bool   // between requests: no answer is owed
	waiting bool   // idle, or reading what a stranger sends: nothing is at work
	since   uint64 // the turn at which the wait began
}

func newTurnstile(l net.Listener, limits Limits) *turnstile {
	return &turnstile{Listener: l, max: limits.Conns, perSource: limits.PerSource,
		places: make(map[net.Conn]*place), sources: make(map[netip.Addr]int)}
}

// Accept waits for a connection that gets a place.
func (t *turnstile) Accept() (net.Conn, error) {
	for {
		c, err := t.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leaves, ok := t.admit(c)
		if leaves != nil {
			discard(leaves)
		}
		if ok {
			return c, nil
		}
		c.Close()
	}
}

// discard closes a connection whose peer has had its time. What it would not
// read is dropped with it: the kernel would keep it for minutes.
func discard(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// admit gives a connection a place, and says which one leaves for it; false
// when every place is at work.
func (t *turnstile) admit(c net.Conn) (leaves net.Conn, ok bool) {
	var source netip.Addr
	if a, isTCP := c.RemoteAddr().(*net.TCPAddr); isTCP {
		source = plain(a.AddrPort().Addr())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.sources[source] >= t.perSource:
		leaves = t.longest(func(p *place) bool { return p.source == source })
	case len(t.places) >= t.max:
		leaves = t.longest(func(*place) bool { return true })
	default:
		t.take(c, source)
		return nil, true
	}
	if leaves == nil {
		return nil, false
	}
	t.leave(leaves)
	t.take(c, source)
	return leaves, true
}

// longest is the connection that has waited longest among those that count.
func (t *turnstile) longest(counts func(*place) bool) net.Conn {
	var found net.Conn
	var since uint64
	for c, p := range t.places {
		if p.waiting && counts(p) && (found == nil || p.since < since) {
			found, since = c, p.since
		}
	}
	return found
}

func (t *turnstile) take(c net.Conn, source netip.Addr) {
	t.turn++
	t.places[c] = &place{source: source, idle: true, waiting: true, since: t.turn}
	t.sources[source]++
}

func (t *turnstile) leave(c net.Conn) {
	p, ok := t.places[c]
	if !ok {
		return
	}
	delete(t.places, c)
	if t.sources[p.source]--; t.sources[p.source] == 0 {
		delete(t.sources, p.source)
	}
}

// state is the server's hook: it tells when a connection's request begins
// and ends. A connection is StateNew until its first header is whole.
func (t *turnstile) state(c net.Conn, state http.ConnState) {
	c = bare(c)
	switch state {
	case http.StateNew:
		t.open.Add(1)
	case http.StateActive, http.StateIdle:
		idle := state == http.StateIdle
		t.wait(c, idle)
		t.mu.Lock()
		if p, ok := t.places[c]; ok {
			p.idle = idle
		}
		t.mu.Unlock()
	case http.StateClosed, http.StateHijacked:
		t.mu.Lock()
		t.leave(c)
		t.mu.Unlock()
		t.open.Done()
	}
}

// wait marks a connection as waiting for a stranger's bytes, or as at work.
func (t *turnstile) wait(c net.Conn, waiting bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.places[c]
	if !ok || p.waiting == waiting {
		return
	}
	p.waiting = waiting
	if waiting {
		t.turn++
		p.since = t.turn
	}
}

// closeIdle closes the connections on which no answer is owed.
func (t *turnstile) closeIdle() {
	t.mu.Lock()
	var idle []net.Conn
	for c, p := range t.places {
		if p.idle {
			idle = append(idle, c)
		}
	}
	t.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// bare is a connection without the TLS around it: what was accepted.
func bare(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}

type seatKey struct{}

// A seat is a request's way to its connection's place, and to the device that
// opened the connection.
type seat struct {
	t      *turnstile
	c      net.Conn
	opener hien.MAC // zero when it is not known
}

// withSeat is the server's hook that gives a connection's requests their
// seat.
func (s *Server) withSeat(t *turnstile) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, c net.Conn) context.Context {
		c = bare(c)
		at := seat{t: t, c: c}
		if s.Opener != nil {
			at.opener, _ = s.Opener(c)
		}
		return context.WithValue(ctx, seatKey{}, at)
	}
}

// whileReading runs read, during which the request's connection counts as
// waiting: a body that trickles in holds no place against a newcomer.
func whileReading(ctx context.Context, read func() error) error {
	if s, ok := ctx.Value(seatKey{}).(seat); ok {
		s.t.wait(s.c, true)
		defer s.t.wait(s.c, false)
	}
	return read()
}

// rising wraps the whole portal: when its work for a request is done, the
// connection waits again. The server may still be reading what is left of a
// body (net/http reads up to 256 KB of it), which must hold no place either.
func rising(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := r.Context().Value(seatKey{}).(seat); ok {
			defer s.t.wait(s.c, true)
		}
		next.ServeHTTP(w, r)
	})
}
