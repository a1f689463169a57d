package dns_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/dns"
	"github.com/hien-wifi/hien/internal/world"
)

func TestMain(m *testing.M) { world.Main(m) }

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// resolver is a resolver of the test's own, on the loopback interface.
type resolver struct {
	addr  string
	asked atomic.Int64
}

// newResolver answers what answer makes of a question by UDP and TCP; nothing
// where that is nil.
func newResolver(t testing.TB, answer func(network string, q *miekg.Msg) *miekg.Msg) *resolver {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	streams, err := net.Listen("tcp", packets.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := &resolver{addr: packets.LocalAddr().String()}
	handle := func(network string) miekg.HandlerFunc {
		return func(w miekg.ResponseWriter, q *miekg.Msg) {
			r.asked.Add(1)
			if m := answer(network, q); m != nil {
				w.WriteMsg(m)
			}
		}
	}
	for _, s := range []*miekg.Server{{PacketConn: packets, Handler: handle("udp")}, {Listener: streams, Handler: handle("tcp")}} {
		done := make(chan error, 1)
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { done <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			s.Shutdown()
			<-done
		})
	}
	return r
}

// says answers a question with records as a zone file has them.
func says(t testing.TB, q *miekg.Msg, lines ...string) *miekg.Msg {
	m := new(miekg.Msg)
	m.SetReply(q)
	for _, line := range lines {
		rr, err := miekg.NewRR(line)
		if err != nil {
			t.Error(err)
			continue
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

// uptime is a clock of the test's: it stands still.
func uptime() hien.Moment { return hien.Moment{Up: time.Hour} }

// diary collects what is logged.
type diary struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.buf.Write(p)
}

func (d *diary) count(text string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Count(d.buf.String(), text)
}

func (d *diary) logger() *slog.Logger { return slog.New(slog.NewTextHandler(d, nil)) }

// newForwarder makes a forwarder with the test's clock and log.
func newForwarder(t testing.TB, o dns.Options) *dns.Forwarder {
	t.Helper()
	if o.Now == nil {
		o.Now = uptime
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f, err := dns.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// serve serves on sockets until the test ends, and holds that Serve then
// returns nil.
func serve(t testing.TB, f *dns.Forwarder, packets net.PacketConn, streams net.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx, packets, streams) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
}

// start serves a forwarder on the loopback interface, by UDP and TCP.
func start(t testing.TB, o dns.Options) (*dns.Forwarder, string) {
	t.Helper()
	f := newForwarder(t, o)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	streams, err := net.Listen("tcp", packets.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	serve(t, f, packets, streams)
	return f, packets.LocalAddr().String()
}

func question(name string, kind uint16) *miekg.Msg {
	q := new(miekg.Msg)
	q.SetQuestion(miekg.Fqdn(name), kind)
	return q
}

// exchange asks a server and reads its answer.
func exchange(t testing.TB, network, server string, q *miekg.Msg) *miekg.Msg {
	t.Helper()
	c := miekg.Client{Net: network, Timeout: 20 * time.Second, UDPSize: 4096}
	m, _, err := c.Exchange(q, server)
	if err != nil {
		t.Fatalf("ask %s for %s: %v", server, q.Question[0].Name, err)
	}
	return m
}

// addrs are the addresses of an answer.
func addrs(m *miekg.Msg) (all []netip.Addr) {
	for _, rr := range m.Answer {
		switch r := rr.(type) {
		case *miekg.A:
			a, _ := netip.AddrFromSlice(r.A.To4())
			all = append(all, a)
		case *miekg.AAAA:
			a, _ := netip.AddrFromSlice(r.AAAA)
			all = append(all, a)
		}
	}
	return all
}
