package portal

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func contextOn(ctx context.Context, here netip.AddrPort) context.Context {
	return context.WithValue(ctx, http.LocalAddrContextKey, net.TCPAddrFromAddrPort(here))
}

// A doorman is the least house: everybody is at the door and is asked two
// things.
type doorman struct {
	Asking
	asker consent.Asker
}

func (d doorman) Greet(context.Context, hien.Device, hien.Moment) (hien.Greeting, error) {
	purposes := []consent.Purpose{consent.VisitFrequency, consent.ContactZalo}
	return hien.Greeting{StoreName: "Quán Hiên", Ask: purposes, Asker: d.asker,
		Zone: hien.Zone{Name: "guest", Offer: "Giảm 10% cho ly thứ hai", Purposes: purposes}}, nil
}

func (doorman) Inside(context.Context, hien.Device, hien.Moment) (bool, error) { return false, nil }

func (doorman) Admit(context.Context, hien.Device, hien.Moment) error { return errors.New("not here") }

func (doorman) Refuse(context.Context, hien.Device, []consent.Purpose, hien.Moment) error {
	return errors.New("not here")
}

func (doorman) AdmitYoung(context.Context, hien.Device, hien.Moment) error {
	return errors.New("not here")
}

func (doorman) MAC(netip.Addr) (hien.MAC, error) { return hien.MAC{2, 0, 0, 0, 0, 1}, nil }

func benchServer() *Server {
	policy, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		panic(err)
	}
	house := doorman{asker: consent.Asker{Policy: policy, Controller: consent.Controller{Name: "A", Address: "B", TaxID: "1", Contact: "C"}}}
	return New(Options{Zone: "guest", House: house, Neighbours: doorman{},
		Now: func() hien.Moment { return hien.Moment{} }, Log: slog.New(slog.DiscardHandler)})
}

// BenchmarkRedirect is the portal's own work for a probe, without the socket.
func BenchmarkRedirect(b *testing.B) {
	s := benchServer()
	r := requestOn(b, "192.168.7.1:2050")
	r.Host, r.URL.Path = "connectivitycheck.gstatic.com", "/generate_204"
	b.ReportAllocs()
	for b.Loop() {
		s.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "redirects/s")
}

// BenchmarkRedirectOnTheWire is a whole probe: a new connection, the request,
// the answer, the end. Client and server share the processors.
func BenchmarkRedirectOnTheWire(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- benchServer().Serve(ctx, l) }()
	request := []byte("GET /generate_204 HTTP/1.1\r\nHost: connectivitycheck.gstatic.com\r\nUser-Agent: x\r\n\r\n")
	answer := make([]byte, 4096)
	for b.Loop() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		c.Write(request)
		for {
			if _, err := c.Read(answer); err != nil {
				break
			}
		}
		c.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "redirects/s")
	stop()
	<-done
}

// BenchmarkSplash is the first page, with the median and the slowest
// hundredth.
func BenchmarkSplash(b *testing.B) {
	s := benchServer()
	r := requestOn(b, "192.168.7.1:2050")
	r.Host, r.RemoteAddr = "192.168.7.1:2050", "192.168.7.20:40000"
	var times []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		times = append(times, time.Since(start))
		if w.Code != http.StatusOK || w.Body.Len() < 4000 {
			b.Fatalf("got %d and %d bytes", w.Code, w.Body.Len())
		}
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}
