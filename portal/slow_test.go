package portal_test

import (
	"fmt"
	"io"
	"net"
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
