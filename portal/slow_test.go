package portal_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/portal"
)

// TestSlowConnectionsOnRealSockets is TestFourHundredSlowConnections once
// more on the kernel's own sockets: connections are accepted in the order in
// which they were made, so the phone's comes after all the slow ones.
func TestSlowConnectionsOnRealSockets(t *testing.T) {
	for _, test := range []struct {
		name string
		from func(i int) net.IP
	}{
		{"from one address", func(int) net.IP { return net.IPv4(127, 0, 0, 2) }},
		{"from many addresses", func(i int) net.IP { return net.IPv4(127, 0, 1+byte(i/200), 1+byte(i%200)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := open(t, newHouse(), func(o *portal.Options) { o.Limits = portal.DefaultLimits() })
			for i := range 400 {
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: test.from(i)}}
				c, err := dialer.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				fmt.Fprintf(c, "GET / HTTP/1.1\r\nX-Wait: ")
			}
			d.get(t, "/").wants(t, hello)
			d.post(t, "/skip", nil).wants(t, isOnline)
		})
	}
}

// TestSlowHandshakesLeaveOthersServed holds 400 connections to the API that
// never begin their handshake, or never end it.
func TestSlowHandshakesLeaveOthersServed(t *testing.T) {
	for name, sends := range map[string]string{"that say nothing": "", "that begin and stop": "\x16\x03\x01\x02\x00\x01\x00"} {
		t.Run(name, func(t *testing.T) {
			d := openSecure(t, newHouse(), "127.0.0.1:0", func(o *portal.Options) { o.Limits = portal.DefaultLimits() })
			for i := range 400 {
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(i/200), 1+byte(i%200))}}
				c, err := dialer.Dial("tcp", d.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				io.WriteString(c, sends)
			}
			d.says(t, "to a phone that asks", map[string]any{"captive": true})
			d.post(t, "/skip", nil).wants(t, isOnline)
		})
	}
}

func FuzzForms(f *testing.F) {
	d := open(f, newHouse(), func(o *portal.Options) { o.Limits.Conns = 1024; o.Limits.PerSource = 1024 })
	good := d.filled("0987654321", asked...).Encode()
	f.Add("/join", good)
	f.Add("/join", strings.Replace(good, "0987654321", "%3Cscript%3Ealert(1)%3C%2Fscript%3E%FF%00", 1))
	f.Add("/code", "code=%3Cscript%3E&lang=%22")
	f.Add("/notice", "phone=%22onfocus%3D&purpose=share_partner:x&purpose=<")
	f.Add("/", "phone="+strings.Repeat("%22", 100)+"&lang=vi")
	f.Add("/receipt/%3Cscript%3E/withdraw", "all=1&purpose=contact_zalo")
	f.Add("/receipt/%00%FF/erase", "all=1")
	f.Add("/receipt/a%2Fb/data.json", "")
	f.Add("/erased/7-%3Cscript%3E", "")
	f.Add("/erased/99999999999999999999-", "")
	f.Add("/trouble?why=%3Cscript%3E", "a=%zz")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	f.Fuzz(func(t *testing.T, path, form string) {
		req, err := http.NewRequest("POST", d.url+"/"+strings.TrimLeft(path, "/"), strings.NewReader(form))
		if err != nil || strings.ContainsAny(req.URL.RequestURI(), " \t") {
			return // no address; a blank would end the request line's target (RFC 9112 §3), and net/http refuses that
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		d.set(phoneA, guest{})
		res, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %q: %v", req.URL, form, err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK || strings.Contains(strings.ToLower(string(body)), "<script") ||
			strings.Contains(d.log.String(), "panic") {
			t.Errorf("%s %q: %d\n%s\n%s", req.URL, form, res.StatusCode, body, d.log)
		}
	})
}
