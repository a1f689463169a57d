package dns_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/hien-wifi/hien/internal/dns"
)

// echoAddress answers every question for an address.
func echoAddress(t testing.TB) *resolver {
	return newResolver(t, func(_ string, q *miekg.Msg) *miekg.Msg {
		return says(t, q, q.Question[0].Name+" 60 IN A 203.0.113.1")
	})
}

func TestStreams(t *testing.T) {
	r := echoAddress(t)
	f, server := start(t, dns.Options{Upstream: []string{r.addr}, Limits: dns.Limits{Connections: 3, GuestConnections: 2, Idle: 200 * time.Millisecond}})
	dial := func(from string) *miekg.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.DialContext(soon(t), "tcp", server)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return &miekg.Conn{Conn: c}
	}
	answers := func(c *miekg.Conn) bool {
		if err := c.WriteMsg(question("www.example.vn", miekg.TypeA)); err != nil {
			return false
		}
		m, err := c.ReadMsg()
		return err == nil && len(m.Answer) == 1
	}
	first, second := dial("127.0.0.2"), dial("127.0.0.2")
	for i := range 3 {
		if !answers(first) || !answers(second) {
			t.Errorf("round %d: no answer on one of two connections", i)
		}
	}
	if answers(dial("127.0.0.2")) {
		t.Error("a third connection of one guest has an answer")
	}
	if !answers(dial("127.0.0.3")) {
		t.Error("another guest has no answer")
	}
	if answers(dial("127.0.0.4")) {
		t.Error("a fourth connection has an answer, with three allowed")
	}
	if c := f.Counts(); c.Closed != 2 {
		t.Errorf("counts: got %d closed, want 2", c.Closed)
	}
	// The silent ones are closed; that is what Read waits for.
	if _, err := first.Conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("a silent connection: got %v, want it closed", err)
	}
	t.Run("a message that is too long closes the connection", func(t *testing.T) {
		c := dial("127.0.0.5")
		c.Conn.Write(binary.BigEndian.AppendUint16(nil, 60000))
		if _, err := c.Conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("got %v, want it closed", err)
		}
	})
	t.Run("an answer closes the connection", func(t *testing.T) {
		c := dial("127.0.0.6")
		q := question("www.example.vn", miekg.TypeA)
		q.Response = true
		c.WriteMsg(q)
		if _, err := c.Conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("got %v, want it closed", err)
		}
	})
}

// TestServeEnds holds that Serve stops what it started, with questions and
// connections under way, and says when a socket fails.
func TestServeEnds(t *testing.T) {
	waiting := make(chan struct{}, 10)
	r := newResolver(t, func(string, *miekg.Msg) *miekg.Msg { waiting <- struct{}{}; return nil })
	open := func() (net.PacketConn, net.Listener) {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		streams, err := net.Listen("tcp", packets.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		return packets, streams
	}
	f := newForwarder(t, dns.Options{Upstream: []string{r.addr}})
	packets, streams := open()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx, packets, streams) }()
	for _, network := range []string{"udp", "tcp"} {
		c, err := net.Dial(network, packets.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := (&miekg.Conn{Conn: c}).WriteMsg(question("www.example.vn", miekg.TypeA)); err != nil {
			t.Fatal(err)
		}
		<-waiting
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("told to end: got %v, want nil", err)
		}
	case <-time.After(time.Second):
		t.Fatal("told to end: it does not return within a second")
	}

	packets, streams = open()
	go func() { done <- f.Serve(t.Context(), packets, streams) }()
	packets.Close()
	if err := <-done; err == nil {
		t.Error("a socket that fails: got nil, want why")
	}
	if _, err := streams.Accept(); err == nil {
		t.Error("a socket that fails: the other one is still open")
	}
	go func() { done <- f.Serve(t.Context(), packets, nil) }()
	if err := <-done; err == nil {
		t.Error("a closed socket: got nil, want why")
	}
}

func TestUpstream(t *testing.T) {
	dead, err := net.ListenPacket("udp", "127.0.0.1:0") // nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	shut := dead.LocalAddr().(*net.UDPAddr).AddrPort()
	shut = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), shut.Port()) // nobody listens
	good := echoAddress(t)
	fails := newResolver(t, func(_ string, q *miekg.Msg) *miekg.Msg {
		m := says(t, q)
		m.Rcode = miekg.RcodeServerFailure
		return m
	})
	short := newResolver(t, func(network string, q *miekg.Msg) *miekg.Msg {
		m := says(t, q, q.Question[0].Name+" 60 IN A 203.0.113.1")
		if network == "udp" {
			m.Answer, m.Truncated = nil, true
		}
		return m
	})
	liar := newResolver(t, func(_ string, q *miekg.Msg) *miekg.Msg {
		m := says(t, q, q.Question[0].Name+" 60 IN A 203.0.113.66")
		m.Id++
		return m
	})
	for _, c := range []struct {
		name     string
		upstream []string
		code     int
	}{
		{"the first that answers", []string{good.addr, dead.LocalAddr().String()}, miekg.RcodeSuccess},
		{"the next where nobody listens", []string{shut.String(), good.addr}, miekg.RcodeSuccess},
		{"the next where one is silent", []string{dead.LocalAddr().String(), good.addr}, miekg.RcodeSuccess},
		{"the next where one fails", []string{fails.addr, good.addr}, miekg.RcodeSuccess},
		{"by TCP where the answer does not fit", []string{short.addr}, miekg.RcodeSuccess},
		{"not one with another number", []string{liar.addr}, miekg.RcodeServerFailure},
		{"SERVFAIL when all fail", []string{fails.addr, shut.String()}, miekg.RcodeServerFailure},
		{"SERVFAIL when nobody listens", []string{shut.String()}, miekg.RcodeServerFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, server := start(t, dns.Options{Upstream: c.upstream})
			m := exchange(t, "udp", server, question("www.example.vn", miekg.TypeA))
			want := 1
			if c.code != miekg.RcodeSuccess {
				want = 0
			}
			if got := addrs(m); m.Rcode != c.code || len(got) != want || want == 1 && got[0] != netip.MustParseAddr("203.0.113.1") {
				t.Errorf("got %s, %v; want %s", miekg.RcodeToString[m.Rcode], m.Answer, miekg.RcodeToString[c.code])
			}
		})
	}
	for _, bad := range [][]string{nil, {"127.0.0.1"}, {"localhost:53"}} {
		if _, err := dns.New(dns.Options{Upstream: bad}); err == nil {
			t.Errorf("resolver %q: got no error", bad)
		}
	}
}

// TestLimitsAreAnswered holds what a guest is told that asks too much, and
// that it is told at once.
func TestLimitsAreAnswered(t *testing.T) {
	r := echoAddress(t)
	f, server := start(t, dns.Options{Upstream: []string{r.addr}, Limits: dns.Limits{GuestBurst: 5, NamesUnder: 2, ZoneBurst: 7}})
	from := func(addr string, name string, kind uint16) *miekg.Msg {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(addr)}}
		conn, err := d.Dial("udp", server)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		c := &miekg.Conn{Conn: conn}
		if err := c.WriteMsg(question(name, kind)); err != nil {
			t.Fatal(err)
		}
		m, err := c.ReadMsg()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for i, step := range []struct {
		guest, name string
		kind        uint16
		code        int
	}{
		{"127.0.0.2", "a.example.vn", miekg.TypeA, miekg.RcodeSuccess},
		{"127.0.0.2", "b.example.vn", miekg.TypeA, miekg.RcodeSuccess},
		{"127.0.0.2", "c.example.vn", miekg.TypeA, miekg.RcodeRefused}, // a third name
		{"127.0.0.2", "a.example.vn", miekg.TypeA, miekg.RcodeSuccess},
		{"127.0.0.2", "a.example.vn", miekg.TypeHTTPS, miekg.RcodeSuccess}, // free
		{"127.0.0.2", "a.example.com", miekg.TypeA, miekg.RcodeSuccess},
		{"127.0.0.2", "a.example.com", miekg.TypeA, miekg.RcodeRefused}, // a sixth question
		{"127.0.0.3", "a.example.vn", miekg.TypeA, miekg.RcodeSuccess},  // another guest
		{"127.0.0.3", "a.example.vn", miekg.TypeA, miekg.RcodeSuccess},
		{"127.0.0.3", "a.example.vn", miekg.TypeA, miekg.RcodeServerFailure}, // the zone's eighth
		{"127.0.0.3", "captive.apple.com", miekg.TypeA, miekg.RcodeSuccess},  // the portal is found all the same
		{"127.0.0.2", "captive.apple.com", miekg.TypeA, miekg.RcodeSuccess},  // by everybody
		{"127.0.0.3", `\001.example.vn`, miekg.TypeA, miekg.RcodeRefused},
	} {
		if m := from(step.guest, step.name, step.kind); m.Rcode != step.code {
			t.Errorf("step %d, %s asks for %s: got %s, want %s", i, step.guest, step.name, miekg.RcodeToString[m.Rcode], miekg.RcodeToString[step.code])
		}
	}
	want := dns.Counts{Queries: 13, Answered: 8, Types: 1, BadNames: 1, GuestRate: 1, ManyNames: 1, ZoneRate: 1, Guests: 2}
	if got := f.Counts(); got != want {
		t.Errorf("counts: got %+v, want %+v", got, want)
	}
	if got := want.Refused(); got != 4 {
		t.Errorf("refused: got %d, want 4", got)
	}
}
