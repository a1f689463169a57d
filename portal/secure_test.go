package portal_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/portal"
)

// A secureDoor is a portal that serves over TLS on loopback.
type secureDoor struct {
	door  // its url is https://wifi.example.vn:port
	addr  string
	roots *x509.CertPool
	at    place
	certs certs
}

func openSecure(t testing.TB, h *house, addr string, edit ...func(*portal.Options)) secureDoor {
	t.Helper()
	c, at := newCerts(t), newPlace(t)
	at.put(t, c.server(t))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	d := secureDoor{door{house: h, url: "https://" + apiName + ":" + port, log: &log{}}, l.Addr().String(), c.roots(), at, c}
	o := options(h)
	o.Log = slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Certificate = portal.OpenCertificate(at.cert, at.key, apiName, noon)
	for _, e := range edit {
		e(&o)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- portal.New(o).ServeAPI(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("ServeAPI: %v", err)
		}
	})
	return d
}

// dial is a TLS connection as a phone makes it, which trusts the root alone.
func (d secureDoor) dial(t testing.TB) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", d.addr, &tls.Config{ServerName: apiName, RootCAs: d.roots, Time: func() time.Time { return noon.Wall }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// client is a phone's.
func (d secureDoor) client(follow bool) *http.Client {
	c := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, d.addr)
		},
		TLSClientConfig: &tls.Config{RootCAs: d.roots, Time: func() time.Time { return noon.Wall }},
	}}
	if !follow {
		c.CheckRedirect = strict.CheckRedirect
	}
	return c
}

// ask asks the API and reads its answer into what RFC 8908 says of it.
func (d secureDoor) ask(t testing.TB) map[string]any {
	t.Helper()
	req, err := http.NewRequest("GET", d.url+portal.APIPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/captive+json")
	r := do(t, d.client(false), req)
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "application/captive+json" || r.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d, Content-Type %q, Cache-Control %q", r.status, r.header.Get("Content-Type"), r.header.Get("Cache-Control"))
	}
	var said map[string]any
	if err := json.Unmarshal([]byte(r.body), &said); err != nil {
		t.Fatalf("%q: %v", r.body, err)
	}
	return said
}

// says compares the answer, to which the portal's address always belongs.
func (d secureDoor) says(t testing.TB, when string, want map[string]any) {
	t.Helper()
	want["user-portal-url"] = d.url + "/"
	if diff := cmp.Diff(want, d.ask(t)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func (d secureDoor) post(t testing.TB, path string, form url.Values) reply {
	t.Helper()
	return do(t, d.client(true), d.form(t, path, form))
}
