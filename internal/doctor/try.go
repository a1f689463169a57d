package doctor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hien-wifi/hien/internal/probes"
)

// An Outcome is how one try of a guest went.
type Outcome string

// The outcomes.
const (
	Redirected Outcome = "redirected" // 3xx with a Location: the portal opens
	Free       Outcome = "free"       // the real host has answered, or something has that the internet has
	Wrong      Outcome = "wrong"      // another answer, by which no portal opens
	Refused    Outcome = "refused"    // a reset, or an ICMP error
	Silent     Outcome = "silent"     // nothing came back
	Failed     Outcome = "failed"     // it could not be tried
)

// A Try is one thing that a guest without a pass has tried.
type Try struct {
	Kind    Kind
	Probe   string // the probe's name
	OS      string // its system
	To      netip.AddrPort
	StandIn bool // the host's name did not resolve; this is an address that nobody has
	Outcome Outcome
	Took    time.Duration
	Status  int    // of an answer
	Page    string // where a redirect leads
}

func (t Try) four() bool { return t.To.Addr().Is4() }

// late reports whether a phone waits for what should be refused at once.
func (t Try) late() bool {
	return t.Outcome == Silent || t.Outcome == Refused && t.Took > refuseSlow
}

// A Kind is what was tried.
type Kind string

// The kinds.
const (
	TryProbe Kind = "probe" // a probe over plain HTTP
	TryHTTPS Kind = "https" // tcp 443 to a host of the internet
	TryQUIC  Kind = "quic"  // udp 443
	TryDNS   Kind = "dns"   // a resolver of the guest's own choice
	TryOther Kind = "other" // a port of no meaning, tcp
	TryAdmin Kind = "admin" // a service of the router's own
)

// How long a try waits. Phones give a probe 10 seconds; on a router's own
// network two are an eternity.
const (
	probePatience  = 2 * time.Second
	refusePatience = 1500 * time.Millisecond
	refuseSlow     = 800 * time.Millisecond
	pagePatience   = 6 * time.Second
	pageSlow       = 2 * time.Second
)

// refused reports whether a failure came from somebody who answered.
func refused(err error) bool {
	for _, e := range []syscall.Errno{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EACCES, syscall.EPERM, syscall.ENOPROTOOPT, syscall.EPROTO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// failure is the outcome of an attempt that failed.
func failure(err error) Outcome {
	var timeout interface{ Timeout() bool }
	switch {
	case refused(err):
		return Refused
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Silent
	}
	return Failed
}

// tryProbe asks for a probe's address at one address of its host.
func tryProbe(ctx context.Context, dial dialer, p probes.Probe, to netip.AddrPort) Try {
	t := Try{Kind: TryProbe, Probe: p.Name, OS: p.OS, To: to}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		t.Outcome = Failed
		return t
	}
	req.Header.Set("User-Agent", p.UserAgent)
	began := time.Now()
	body, resp, err := get(req, func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, "tcp", to.String()) })
	t.Took = time.Since(began)
	if err != nil {
		t.Outcome = failure(err)
		return t
	}
	t.Status = resp.StatusCode
	switch {
	case redirects(resp):
		t.Outcome, t.Page = Redirected, resp.Header.Get("Location")
	case p.Free(resp.StatusCode, body):
		t.Outcome = Free
	default:
		t.Outcome = Wrong
	}
	return t
}

// redirects reports whether an answer leads elsewhere, to an address that
// stands by itself.
func redirects(resp *http.Response) bool {
	to := resp.Header.Get("Location")
	return resp.StatusCode >= 300 && resp.StatusCode < 400 && (strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://"))
}

// maxBody is how much of an answer is read. The portal's page is under 14 KB.
const maxBody = 256 << 10

// get sends one request over a connection of its own and follows nothing.
func get(req *http.Request, dial dialer) (body []byte, resp *http.Response, err error) {
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}
	defer transport.CloseIdleConnections()
	resp, err = transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	body, err = readAll(resp)
	return body, resp, err
}

// readAll reads an answer and closes it.
func readAll(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, maxBody))
}

// tryConnect opens a TCP connection that must be refused.
func tryConnect(ctx context.Context, dial dialer, kind Kind, to netip.AddrPort) Try {
	t := Try{Kind: kind, To: to}
	ctx, cancel := context.WithTimeout(ctx, refusePatience)
	defer cancel()
	began := time.Now()
	conn, err := dial(ctx, "tcp", to.String())
	t.Took = time.Since(began)
	if err != nil {
		t.Outcome = failure(err)
		return t
	}
	conn.Close()
	t.Outcome = Free
	return t
}

// tryDatagram sends a datagram that must be refused.
func tryDatagram(ctx context.Context, dial dialer, kind Kind, to netip.AddrPort, message []byte) Try {
	t := Try{Kind: kind, To: to}
	ctx, cancel := context.WithTimeout(ctx, refusePatience)
	defer cancel()
	began := time.Now()
	err := func() error {
		conn, err := dial(ctx, "udp", to.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
		// Sent twice: the kernel's ICMP errors are limited, and the second
		// comes when it may send one again.
		for _, patience := range []time.Duration{refusePatience - 400*time.Millisecond, refusePatience} {
			conn.SetDeadline(began.Add(patience))
			if _, err = conn.Write(message); err == nil {
				_, err = conn.Read(make([]byte, 2048))
			}
			if err == nil || failure(err) != Silent {
				break
			}
		}
		return err
	}()
	t.Took = time.Since(began)
	t.Outcome = Free
	if err != nil {
		t.Outcome = failure(err)
	}
	return t
}

// tryAdmin looks whether a service of the router's own answers. On port 80 the
// portal may: whatever goes there is redirected.
func tryAdmin(ctx context.Context, dial dialer, to netip.AddrPort) Try {
	if to.Port() != 80 {
		return tryConnect(ctx, dial, TryAdmin, to)
	}
	t := Try{Kind: TryAdmin, To: to}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+hostPort(to)+"/", nil)
	if err != nil {
		t.Outcome = Failed
		return t
	}
	began := time.Now()
	_, resp, err := get(req, dial)
	t.Took = time.Since(began)
	switch {
	case err != nil:
		t.Outcome = failure(err)
	case redirects(resp):
		t.Outcome, t.Page = Redirected, resp.Header.Get("Location")
	default:
		t.Outcome = Free
	}
	return t
}

func hostPort(a netip.AddrPort) string {
	return net.JoinHostPort(a.Addr().String(), strconv.Itoa(int(a.Port())))
}
