package doctor_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hien-wifi/hien/internal/world"
)

// TestTheAPIIsAskedAsPhonesDo announces an API by DHCP option 114 and serves
// it, well and badly.
func TestTheAPIIsAskedAsPhonesDo(t *testing.T) {
	for _, c := range []struct {
		name    string
		trusted bool
		captive bool
		closed  bool
		want    []string
	}{
		{name: "all as it should be", trusted: true, captive: true},
		{name: "a certificate that nobody trusts", captive: true, want: []string{"bad api-certificate"}},
		{name: "it says that guests are free", trusted: true, want: []string{"bad api-broken"}},
		{name: "its port is shut", trusted: true, captive: true, closed: true, want: []string{"bad api-broken"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, world.Options{Dnsmasq: []string{
				"dhcp-option=114,https://wifi.example.vn:2443/api", "address=/wifi.example.vn/10.77.0.1"}})
			s.order.House.Zones[0].APIName, s.order.House.Zones[0].APIPort = "wifi.example.vn", 2443
			if c.trusted {
				s.order.CA = filepath.Join(s.Router.Dir(), "ca.pem")
				if err := s.CA.WriteFile(s.order.CA); err != nil {
					t.Fatal(err)
				}
			}
			l, err := s.Router.Listen("tcp", ":2443")
			if err != nil {
				t.Fatal(err)
			}
			s.Internet.ServeHTTP(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/captive+json")
				fmt.Fprintf(w, `{"captive":%v,"user-portal-url":"https://wifi.example.vn:2443/"}`, c.captive)
			}), s.CA, true)
			if !c.closed {
				s.run("iptables", "-I", "INPUT", "-i", world.GuestBridge, "-p", "tcp", "--dport", "2443", "-j", "ACCEPT")
			}
			r := s.examine()
			if got := r.ids(); !slices.Equal(got, c.want) {
				t.Errorf("findings %q, want %q", got, c.want)
			}
			if got := r.opens(); got != allOpen {
				t.Errorf("phones: %s; want %s", got, allOpen)
			}
		})
	}
}
