package portal_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/portal"
)

func listen(t testing.TB) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, "http://" + l.Addr().String()
}

// raw sends bytes as they are and reads one answer. wire is how many bytes
// came back until the other side closed.
func raw(t testing.TB, d door, method, request string) (res *http.Response, body []byte, wire int) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	req := &http.Request{Method: method}
	res, err = http.ReadResponse(bufio.NewReader(io.TeeReader(c, &all)), req)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res, body, all.Len()
}

// isRedirect checks the answer of facts that every system takes for a
// portal.
func isRedirect(t testing.TB, d door, what string, res *http.Response, body []byte) {
	t.Helper()
	if res.StatusCode != http.StatusFound {
		t.Errorf("%s: status %d, want 302", what, res.StatusCode)
	}
	if got, want := res.Header.Get("Location"), d.url+"/"; got != want {
		t.Errorf("%s: Location %q, want %q", what, got, want)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s: Cache-Control %q, want no-store", what, got)
	}
	if !res.Close {
		t.Errorf("%s: the connection stays open: the next probe would come here too", what)
	}
	// Android takes up to 4 bytes for an empty page.
	if res.Request.Method != "HEAD" && (len(body) <= 4 || len(body) > 200) {
		t.Errorf("%s: a body of %d bytes, want a small one", what, len(body))
	}
}

func TestAnyHostAndPathIsRedirected(t *testing.T) {
	d := open(t, newHouse())
	own := strings.TrimPrefix(d.url, "http://")
	_, port, _ := net.SplitHostPort(own)
	hosts := []string{
		"captive.apple.com", "example.vn:80", "EXAMPLE.vn.", "127.0.0.1", "127.0.0.2:" + port, "127.0.0.1:1",
		"[::1]:" + port, "[::1", "localhost:" + port, "", ":", ":80", "a:b:c", "1", "2130706433:" + port, "0x7f.1:" + port,
		"_", "~", "..", "xn--80ak6aa92e.com", strings.Repeat("a", 4000), "%41", "[fe80::1%25eth0]:80", "*",
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "get"}
	paths := []string{"/", "/generate_204", "//", "/../..", "/a%2fb", "/?q=%", "/receipt/x", "/skip", "/\u00a0", "/%00"}
	check := func(method, line, host string) {
		t.Helper()
		res, body, _ := raw(t, d, method, line+"\r\nHost: "+host+"\r\n\r\n")
		isRedirect(t, d, fmt.Sprintf("%s, Host %.40q", line, host), res, body)
	}
	for _, host := range hosts {
		check("GET", "GET / HTTP/1.1", host)
	}
	for _, method := range methods {
		for _, path := range paths {
			check(method, method+" "+path+" HTTP/1.1", "captive.apple.com")
		}
	}
	check("OPTIONS", "OPTIONS * HTTP/1.1", "captive.apple.com")
	check("OPTIONS", "OPTIONS * HTTP/1.1", own)
	check("CONNECT", "CONNECT example.vn:443 HTTP/1.1", "example.vn:443")
	check("GET", "GET http://example.vn/x HTTP/1.1", own)
	check("GET", "GET / HTTP/1.0", "captive.apple.com")
	// A path of our own that nobody knows.
	for _, path := range []string{"/favicon.ico", "/index.php", "//skip", "/skip/", "/code/x", "/receipt/", "/receipt/a/b", "/./online"} {
		check("GET", "GET "+path+" HTTP/1.1", own)
	}
	if got := d.counts(); len(got) != 0 {
		t.Errorf("redirects asked the house: %v", got)
	}
}

func TestARequestWithoutHostIsRedirected(t *testing.T) {
	d := open(t, newHouse())
	res, body, _ := raw(t, d, "GET", "GET / HTTP/1.0\r\n\r\n")
	isRedirect(t, d, "HTTP/1.0 without Host", res, body)
}

func TestABodyThatNeverComesDoesNotHoldTheRedirect(t *testing.T) {
	d := open(t, newHouse())
	res, body, _ := raw(t, d, "POST", "POST /x HTTP/1.1\r\nHost: example.vn\r\nContent-Length: 1000000\r\n\r\n")
	isRedirect(t, d, "POST with a body to come", res, body)
}

func TestTheRedirectNamesTheSocketsOwnAddress(t *testing.T) {
	d := openOn(t, newHouse(), "[::1]:0")
	if !strings.HasPrefix(d.url, "http://[::1]:") {
		t.Fatalf("serving on %s", d.url)
	}
	res, body, _ := raw(t, d, "GET", "GET / HTTP/1.1\r\nHost: example.vn\r\n\r\n")
	isRedirect(t, d, "IPv6", res, body)
	d.get(t, "/").wants(t, hello)
}

func TestAGuestInsideWhoBrowsesDoesNotLoop(t *testing.T) {
	h := newHouse()
	h.set(phoneA, guest{step: hien.Inside})
	d := open(t, h)
	// www.msftconnecttest.com/redirect is what Windows opens for a person.
	for _, host := range []string{"example.vn", "www.msftconnecttest.com/redirect"} {
		host, path, _ := strings.Cut(host, "/")
		res, body, _ := raw(t, d, "GET", "GET /"+path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		isRedirect(t, d, host, res, body)
	}
	d.get(t, "/").wants(t, isOnline)
}

func TestMethodsAndRoutes(t *testing.T) {
	const see, ok = http.StatusSeeOther, http.StatusOK
	for _, row := range []struct {
		path      string
		get, post int // what a stranger at the door gets; any other method is a 303
	}{
		{"/", ok, ok},
		{"/skip", see, see},
		{"/join", see, see}, // nothing ticked
		{"/code", see, see},
		{"/code/again", see, see},
		{"/code/other", see, see},
		{"/online", see, see},
		{"/notice", ok, ok},
		{"/trouble", ok, see},
		{"/receipt/x", ok, see},
		{"/receipt/x/withdraw", see, see},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"} {
			want := see
			switch method {
			case "GET", "HEAD":
				want = row.get
			case "POST":
				want = row.post
			}
			d := open(t, newHouse())
			req, err := http.NewRequest(method, d.url+row.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r := do(t, strict, req); r.status != want {
				t.Errorf("%s %s: got %d, want %d", method, row.path, r.status, want)
			}
		}
	}
}

func FuzzRequest(f *testing.F) {
	d := open(f, newHouse(), func(o *portal.Options) { o.Limits.Conns = 1024; o.Limits.PerSource = 1024 })
	f.Add("GET", "/generate_204", "connectivitycheck.gstatic.com")
	f.Add("POST", "/skip", strings.TrimPrefix(d.url, "http://"))
	f.Add("G\x00T", "*", "[::1%25]")
	f.Add("CONNECT", "http://a/%zz", "a:b:c")
	f.Fuzz(func(t *testing.T, method, path, host string) {
		request := method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
		if strings.Contains(method+path+host, "\n") {
			return // another request than the one meant
		}
		c, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, request)
		res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
		if err != nil {
			return // HTTP/0.9 and other ruins: net/http closes
		}
		defer res.Body.Close()
		switch res.StatusCode {
		case 200, 302, 303:
		case 400, 417, 431, 501, 505: // net/http, before the portal sees it (RFC 9112, section 3)
		default:
			t.Errorf("%q: status %d", request, res.StatusCode)
		}
	})
}
