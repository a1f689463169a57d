package portal_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/portal"
)

func TestTheAPITellsTheTruth(t *testing.T) {
	captive := func() map[string]any { return map[string]any{"captive": true} }
	d := openSecure(t, newHouse(), "127.0.0.1:0")
	d.says(t, "before login", captive())
	if got := d.counts(); got["Greet"] != 0 {
		t.Errorf("a stranger was greeted: %v", got)
	}
	phone, _ := hien.ParsePhone("0987654321")
	d.set(phoneA, guest{step: hien.AtCode, form: &hien.Application{Phone: phone}, tries: 5})
	d.says(t, "while a code is on its way", captive())
	d.set(phoneA, guest{step: hien.Outside, why: hien.WhyBlocked})
	d.says(t, "when it may not come in", captive())

	d.set(phoneA, guest{step: hien.Inside, pass: 90*time.Minute + 999*time.Millisecond})
	d.says(t, "with a pass", map[string]any{"captive": false, "seconds-remaining": 5400.0, "can-extend-session": false})
	d.set(phoneA, guest{step: hien.Inside})
	d.says(t, "with a pass without an end", map[string]any{"captive": false})

	d.mu.Lock()
	d.zone.Trusted = []hien.MAC{phoneA}
	d.mu.Unlock()
	d.set(phoneA, guest{step: hien.Inside, pass: time.Hour})
	d.says(t, "when it is trusted, and its pass never runs out", map[string]any{"captive": false})
	d.mu.Lock()
	d.zone.Trusted = nil
	d.mu.Unlock()
	d.set(phoneA, guest{step: hien.Inside, pass: time.Hour, bytes: 380_000_000})
	d.says(t, "with a volume", map[string]any{"captive": false, "seconds-remaining": 3600.0, "bytes-remaining": 380_000_000.0, "can-extend-session": false})
	d.set(phoneA, guest{step: hien.AtCode, form: &hien.Application{Phone: phone}, tries: 5, pass: 5 * time.Minute})
	d.says(t, "with a pass while a code is on its way", map[string]any{"captive": false, "seconds-remaining": 300.0, "can-extend-session": false})
	d.set(phoneA, guest{step: hien.AtCode, form: &hien.Application{Phone: phone}, tries: 5, pass: 5 * time.Minute, grace: true})
	d.says(t, "with a grace pass, which the portal makes a whole one", map[string]any{"captive": false, "seconds-remaining": 300.0, "can-extend-session": true})

	d.set(phoneA, guest{})
	d.says(t, "after the pass has ended", captive())
	d.post(t, "/skip", nil).wants(t, isOnline)
	if said := d.ask(t); said["captive"] != false {
		t.Errorf("after going on without: %v", said)
	}
}

func TestOfWhomTheAPIKnowsNothingItTellsNothing(t *testing.T) {
	inside := func() *house {
		h := newHouse()
		h.set(phoneA, guest{step: hien.Inside, pass: time.Hour})
		return h
	}
	for name, edit := range map[string]func(*portal.Options){
		"a device that is in no neighbour table":               func(o *portal.Options) { o.Neighbours = neighbours{} },
		"a connection that another device has opened":          func(o *portal.Options) { o.Opener = func(net.Conn) (hien.MAC, bool) { return phoneB, true } },
		"an address that is another device's in the meanwhile": func(o *portal.Options) { o.Neighbours = neighbours{netip.MustParseAddr("127.0.0.1"): phoneB} },
	} {
		t.Run(name, func(t *testing.T) {
			openSecure(t, inside(), "127.0.0.1:0", edit).says(t, name, map[string]any{"captive": true})
		})
	}
	t.Run("a house that fails", func(t *testing.T) {
		h := inside()
		h.breaks["Inside"] = errors.New("gremlins")
		openSecure(t, h, "127.0.0.1:0").says(t, "a house that fails", map[string]any{"captive": true})
	})
	t.Run("a house that knows the pass and no more", func(t *testing.T) {
		h := inside()
		h.breaks["Greet"] = errors.New("gremlins")
		openSecure(t, h, "127.0.0.1:0").says(t, "a house that fails", map[string]any{"captive": false})
	})
	t.Run("the opener is asked about the connection itself", func(t *testing.T) {
		d := openSecure(t, inside(), "127.0.0.1:0", func(o *portal.Options) {
			o.Opener = func(c net.Conn) (hien.MAC, bool) {
				_, ok := c.(*net.TCPConn)
				return phoneA, ok
			}
		})
		if said := d.ask(t); said["captive"] != false {
			t.Errorf("got %v, want the guest inside", said)
		}
	})
}

func TestTheAPIsMethods(t *testing.T) {
	d := openSecure(t, newHouse(), "127.0.0.1:0")
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"} {
		want := http.StatusMethodNotAllowed
		if method == "GET" || method == "HEAD" {
			want = http.StatusOK
		}
		req, err := http.NewRequest(method, d.url+portal.APIPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := do(t, d.client(false), req)
		if r.status != want {
			t.Errorf("%s: got %d, want %d", method, r.status, want)
		}
		if got := r.header.Get("Allow"); want == http.StatusMethodNotAllowed && got != "GET, HEAD" {
			t.Errorf("%s: Allow %q, want GET, HEAD", method, got)
		}
		if method == "HEAD" && (r.body != "" || r.header.Get("Content-Type") != "application/captive+json") {
			t.Errorf("HEAD: body %q, Content-Type %q", r.body, r.header.Get("Content-Type"))
		}
	}
}

func TestTheAPISpeaksTLSAlone(t *testing.T) {
	d := open(t, newHouse(), func(o *portal.Options) {
		at := newPlace(t)
		at.put(t, newCerts(t).server(t))
		o.Certificate = portal.OpenCertificate(at.cert, at.key, apiName, noon)
	})
	for _, host := range []string{strings.TrimPrefix(d.url, "http://"), apiName} {
		res, body, _ := raw(t, d, "GET", "GET "+portal.APIPath+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		isRedirect(t, d, host, res, body)
	}
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		s := openSecure(t, newHouse(), "127.0.0.1:0")
		c, err := tls.Dial("tcp", s.addr, &tls.Config{ServerName: apiName, RootCAs: s.roots, MinVersion: version, MaxVersion: version,
			NextProtos: []string{"h2", "http/1.1"}, Time: func() time.Time { return noon.Wall }})
		if (err == nil) != want {
			t.Errorf("%s: got %v, want a handshake: %v", tls.VersionName(version), err, want)
		}
		if err == nil {
			if got := c.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
				t.Errorf("%s: protocol %q: the turnstile counts requests of HTTP/1.1", tls.VersionName(version), got)
			}
			c.Close()
		}
	}
}

// TestThePagesWorkOverTLS goes the whole way on the API's listener.
func TestThePagesWorkOverTLS(t *testing.T) {
	for family, addr := range families {
		t.Run(family, func(t *testing.T) {
			d := openSecure(t, newHouse(), addr)
			req, _ := http.NewRequest("GET", d.ask(t)["user-portal-url"].(string)+"?lang=en", nil)
			do(t, d.client(true), req).wants(t, hello, `action="/skip"`)
			d.post(t, "/join", d.filled("0987 654 321", consent.ContactZalo)).wants(t, askCode)
			d.post(t, "/code", url.Values{"lang": {"en"}, "code": {rightCode}}).wants(t, isOnline, "See your receipt")
			for secret := range d.receipts {
				d.post(t, "/receipt/"+secret+"/withdraw", url.Values{"lang": {"en"}, "all": {"1"}}).wants(t, "Nothing is in force any more.")
			}
			if said := d.ask(t); said["captive"] != false {
				t.Errorf("at the end: %v", said)
			}
		})
	}
}

func TestFormsOfOtherOriginsAreRefusedOverTLS(t *testing.T) {
	for name, header := range map[string][2]string{
		"another origin":          {"Origin", "https://evil.example"},
		"another port":            {"Origin", "https://" + apiName},
		"the address":             {"Origin", "https://127.0.0.1"},
		"no origin to speak of":   {"Origin", "null"},
		"a browser that says so":  {"Sec-Fetch-Site", "cross-site"},
		"a neighbour of the name": {"Sec-Fetch-Site", "same-site"},
	} {
		t.Run(name, func(t *testing.T) {
			d := openSecure(t, newHouse(), "127.0.0.1:0")
			req := d.form(t, "/skip", nil)
			req.Header.Del("Origin")
			req.Header.Set(header[0], header[1])
			r := do(t, d.client(false), req)
			if r.status != http.StatusSeeOther || r.header.Get("Location") != "/?lang=en" || d.count("Admit") != 0 {
				t.Errorf("got %d %s, Admit called %d times; want 303 / and no call", r.status, r.header.Get("Location"), d.count("Admit"))
			}
		})
	}
}

func TestOtherHostsOverTLSAreSentToTheName(t *testing.T) {
	d := openSecure(t, newHouse(), "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(d.addr)
	for _, test := range []struct {
		host string
		ours bool
	}{
		{apiName + ":" + port, true},
		{"WIFI.Example.VN.:" + port, true},
		{apiName, false}, // that is port 443
		{apiName + ":1", false},
		{"127.0.0.1:" + port, false},
		{"captive.apple.com", false},
		{"evil.example:" + port, false},
		{apiName + ":" + port + ":" + port, false},
		{"[" + apiName + "]:" + port, true},
		{"", false},
	} {
		c := d.dial(t)
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nAccept-Language: en\r\nConnection: close\r\n\r\n", test.host)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		c.Close()
		switch {
		case test.ours && res.StatusCode != http.StatusOK:
			t.Errorf("Host %q: got %d, want the page", test.host, res.StatusCode)
		case !test.ours && (res.StatusCode != http.StatusFound || res.Header.Get("Location") != d.url+"/"):
			t.Errorf("Host %q: got %d %q, want 302 %s/", test.host, res.StatusCode, res.Header.Get("Location"), d.url)
		}
	}
}

func TestARenewedCertificateIsServedWithoutARestart(t *testing.T) {
	var passed atomic.Int64
	d := openSecure(t, newHouse(), "127.0.0.1:0", func(o *portal.Options) {
		o.Now = func() hien.Moment { return later(time.Duration(passed.Load())) }
	})
	serves := func() time.Time {
		c := d.dial(t)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].NotAfter
	}
	if got, want := serves(), noon.Wall.AddDate(0, 0, 90); !got.Equal(want) {
		t.Fatalf("at first the certificate ends at %v, want %v", got, want)
	}
	d.at.put(t, d.certs.server(t, func(x *x509.Certificate) { x.NotAfter = noon.Wall.AddDate(0, 0, 180) }))
	passed.Store(int64(10 * time.Second))
	if got, want := serves(), noon.Wall.AddDate(0, 0, 180); !got.Equal(want) {
		t.Errorf("after the renewal it ends at %v, want %v", got, want)
	}
}

func TestWithoutACertificateThereIsNoHandshake(t *testing.T) {
	at := newPlace(t)
	var passed atomic.Int64
	d := openSecure(t, newHouse(), "127.0.0.1:0", func(o *portal.Options) {
		o.Certificate = portal.OpenCertificate(at.cert, at.key, apiName, noon)
		o.Now = func() hien.Moment { return later(time.Duration(passed.Load())) }
	})
	if c, err := tls.Dial("tcp", d.addr, &tls.Config{ServerName: apiName, RootCAs: d.roots}); err == nil {
		c.Close()
		t.Error("a handshake without a certificate")
	}
	at.put(t, d.certs.server(t))
	passed.Store(int64(10 * time.Second))
	d.says(t, "once it is there", map[string]any{"captive": true})
	if logged := d.log.String(); strings.Contains(logged, "127.0.0.1") {
		t.Errorf("a guest's address is in the log: %s", logged)
	}
}

func TestThePortalsAddress(t *testing.T) {
	if got, want := portal.APIURL(apiName, 2443), "https://wifi.example.vn:2443/captive-portal/api"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := portal.APIURL(apiName, 443), "https://wifi.example.vn/captive-portal/api"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzAPI sends strangers' requests over TLS: methods, paths and hosts.
func FuzzAPI(f *testing.F) {
	d := openSecure(f, newHouse(), "127.0.0.1:0", func(o *portal.Options) { o.Limits.SecureConns = 1024; o.Limits.PerSource = 1024 })
	_, port, _ := net.SplitHostPort(d.addr)
	f.Add("GET", portal.APIPath, apiName+":"+port)
	f.Add("POST", "/skip", apiName+":"+port)
	f.Add("GET", portal.APIPath+"/", "WIFI.EXAMPLE.VN.:"+port)
	f.Add("PUT", portal.APIPath+"?x=%", apiName)
	f.Add("GET", "https://"+apiName+":"+port+portal.APIPath, "[::1%25]")
	f.Add("CONNECT", apiName+":"+port, "a:b:c")
	session := tls.NewLRUClientSessionCache(64)
	f.Fuzz(func(t *testing.T, method, path, host string) {
		if strings.Contains(method+path+host, "\n") {
			return // another request than the one meant
		}
		c, err := tls.Dial("tcp", d.addr, &tls.Config{ServerName: apiName, RootCAs: d.roots, ClientSessionCache: session, Time: func() time.Time { return noon.Wall }})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, path, host)
		res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
		if err != nil {
			return // HTTP/0.9 and other ruins: net/http closes
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		switch res.StatusCode {
		case 302:
			if got := res.Header.Get("Location"); got != d.url+"/" {
				t.Errorf("%q %q %q: Location %q", method, path, host, got)
			}
		case 200:
			if res.Header.Get("Content-Type") == "application/captive+json" && method != "HEAD" && !json.Valid(body) {
				t.Errorf("%q %q %q: %q", method, path, host, body)
			}
		case 303, 405:
		case 400, 417, 431, 501, 505: // net/http, before the portal sees it (RFC 9112, section 3)
		default:
			t.Errorf("%q %q %q: status %d", method, path, host, res.StatusCode)
		}
	})
}
