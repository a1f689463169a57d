package portal

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// A dialled is a listener whose connections are made by dial, in memory, so
// that a bubble's clock runs for them.
type dialled struct {
	conns  chan net.Conn
	closed chan struct{}
}

var portalAddr = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.168.7.1:2050"))

func newDialled() *dialled { return &dialled{make(chan net.Conn), make(chan struct{})} }

func (d *dialled) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *dialled) Close() error {
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	return nil
}

func (d *dialled) Addr() net.Addr { return portalAddr }

// A memoryConn is one end of a pipe with TCP addresses.
type memoryConn struct {
	net.Conn
	from net.Addr
}

func (m memoryConn) RemoteAddr() net.Addr { return m.from }
func (m memoryConn) LocalAddr() net.Addr  { return portalAddr }

func (d *dialled) dial(from string) net.Conn {
	ours, theirs := net.Pipe()
	d.conns <- memoryConn{ours, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}
	return theirs
}

// ask sends a probe and answers the status.
func ask(t *testing.T, c net.Conn) int {
	t.Helper()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: example.vn\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestSlowConnectionsAreCut(t *testing.T) {
	for _, test := range []struct {
		name, sends string
		after       time.Duration
	}{
		{"one that says nothing", "", 5 * time.Second},
		{"one whose header does not end", "GET / HTTP/1.1\r\nHost: x\r\n", 5 * time.Second},
		{"one whose form does not come", "POST /join HTTP/1.1\r\nHost: 192.168.7.1:2050\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\nphone=09", 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				l := newDialled()
				served := make(chan error, 1)
				go func() { served <- benchServer().Serve(ctx, l) }()
				start := time.Now()
				c := l.dial("192.168.7.20:40000")
				io.WriteString(c, test.sends)
				if _, err := io.ReadAll(c); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got < test.after || got > test.after+time.Second {
					t.Errorf("it was cut after %v, want %v", got, test.after)
				}
				stop()
				if err := <-served; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestFourHundredSlowConnectionsLeaveOthersServed holds 400 connections open
// without an end to their requests. A phone that asks is answered at once.
func TestFourHundredSlowConnectionsLeaveOthersServed(t *testing.T) {
	const partHeader = "GET / HTTP/1.1\r\nHost: x\r\n"
	const noForm = "POST /join HTTP/1.1\r\nHost: 192.168.7.1:2050\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\n"
	const noBody = "PUT / HTTP/1.1\r\nHost: 192.168.7.1:2050\r\nContent-Length: 99\r\n\r\n"
	const unwanted = "POST /x HTTP/1.1\r\nHost: example.vn\r\nContent-Length: 99\r\n\r\n"
	one := func(int) string { return "192.168.7.66:1" }
	many := func(i int) string {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 8 + byte(i/200), byte(i%200) + 1}), 1).String()
	}
	for _, test := range []struct {
		name, sends string
		from        func(int) string
	}{
		{"of one address", partHeader, one},
		{"of many addresses", partHeader, many},
		{"of many addresses that owe a form", noForm, many},
		{"of many addresses that owe a body", noBody, many},
		{"of many addresses that owe a body nobody wants", unwanted, many},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				l := newDialled()
				served := make(chan error, 1)
				go func() { served <- benchServer().Serve(ctx, l) }()
				start := time.Now()
				for i := range 400 {
					c := l.dial(test.from(i))
					defer c.Close()
					io.WriteString(c, test.sends) // fails where it was closed for another
					synctest.Wait()
				}
				if got := ask(t, l.dial("192.168.7.20:40000")); got != http.StatusFound {
					t.Errorf("the phone got %d, want 302", got)
				}
				if got := time.Since(start); got != 0 {
					t.Errorf("the phone waited %v", got)
				}
				stop()
				if err := <-served; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestServeLeavesNothingBehind(t *testing.T) {
	// A bubble that still has a goroutine at its end is an error.
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		l := newDialled()
		served := make(chan error, 1)
		go func() { served <- benchServer().Serve(ctx, l) }()
		l.dial("192.168.7.20:1") // says nothing
		kept := l.dial("192.168.7.20:2")
		io.WriteString(kept, "GET /online HTTP/1.1\r\nHost: 192.168.7.1:2050\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(kept), nil)
		if err != nil || res.StatusCode != http.StatusSeeOther {
			t.Fatalf("got %v %v, want 303", res, err)
		}
		res.Body.Close()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		select {
		case <-l.closed:
		default:
			t.Error("the listener is still open")
		}
	})
}
