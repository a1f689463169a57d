package firewall_test

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/world"
)

func TestTheGuestIsSentToThePortalAndToTheForwarder(t *testing.T) {
	eachIPTables(t, func(t *testing.T) {
		h := newTabled(t, world.Options{})
		h.rules.Zones[0].DNSPort = 2053
		p, id, addrs := h.phone("phone")
		l, err := h.Router.Listen("tcp", ":2050")
		if err != nil {
			t.Fatal(err)
		}
		page := strings.Repeat("portal ", 50_000) // more than one packet, each way
		h.Internet.ServeHTTP(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) }), nil, false)
		forwarder, err := h.Router.ListenPacket("udp", ":2053")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { forwarder.Close() })
		go func() {
			buf := make([]byte, 512)
			for {
				_, from, err := forwarder.ReadFrom(buf)
				if err != nil {
					return
				}
				forwarder.WriteTo([]byte("the forwarder"), from)
			}
		}()
		h.apply()
		ask := func(to netip.Addr) (answer string) {
			t.Helper()
			c, err := p.Dial(soonest(t), "udp", netip.AddrPortFrom(to, 53).String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(10 * time.Second))
			// A question for the router's own name.
			question := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06router\x04hien\x04test\x00\x00\x01\x00\x01"
			buf := make([]byte, 512)
			for range 2 { // the second packet of the connection too
				if _, err := io.WriteString(c, question); err != nil {
					t.Fatal(err)
				}
				n, err := c.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				answer = string(buf[:n])
			}
			return answer
		}
		portal := func(to netip.Addr) bool {
			t.Helper()
			resp, err := p.HTTPClient().Get("http://" + netip.AddrPortFrom(to, 80).String() + "/" + strings.Repeat("x", 3000))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(body) == page
		}
		for _, pass := range []bool{false, true} {
			if pass {
				h.admit(id, addrs)
			}
			for _, to := range p.Target.Addrs() {
				if got := portal(to); got == pass {
					t.Errorf("with a pass %v: http to %s is the portal: %v", pass, to, got)
				}
			}
			for _, to := range []netip.Addr{h.Router.GuestV4(), h.Router.GuestV6(), h.Router.WANV4(), h.Router.WANV6()} {
				if !pass && !portal(to) {
					t.Errorf("without a pass http to %s is not the portal", to)
				}
			}
			for _, to := range []netip.Addr{h.Router.GuestV4(), h.Router.GuestV6()} {
				if got := ask(to); (got == "the forwarder") == pass {
					t.Errorf("with a pass %v: %s answers %q", pass, to, got)
				}
			}
		}
	})
}
