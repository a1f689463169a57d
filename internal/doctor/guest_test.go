package doctor_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/doctor"
	"github.com/hien-wifi/hien/internal/world"
)

const (
	allOpen = "Android yes, iOS yes, Windows yes, Firefox yes, Linux yes"
	allLate = "Android late, iOS late, Windows late, Firefox late, Linux late"
	allShut = "Android no, iOS no, Windows no, Firefox no, Linux no"
)

func TestAHealthyShopIsFoundHealthy(t *testing.T) {
	s := newShop(t, world.Options{LAN: true})
	r := s.examine()
	if got := r.ids(); len(got) > 0 || !r.Healthy {
		t.Errorf("findings %q, healthy %v; want none, and healthy", got, r.Healthy)
	}
	if got := r.opens(); got != allOpen {
		t.Errorf("phones: %s; want %s", got, allOpen)
	}
	for _, p := range r.Phones {
		if p.Redirected != p.Probes || p.Probes == 0 || p.Unproven {
			t.Errorf("%s: %d of %d probes redirected, unproven %v; want all, proven", p.OS, p.Redirected, p.Probes, p.Unproven)
		}
	}
	z := r.Zones[0]
	if got, want := z.Played, doctor.AsGuest; got != want {
		t.Fatalf("played = %s (%s), want %s", got, z.Why, want)
	}
	if a, err := netip.ParseAddr(z.Address); err != nil || !netip.MustParsePrefix("10.77.0.0/24").Contains(a) {
		t.Errorf("address = %q, want one of 10.77.0.0/24 by DHCP", z.Address)
	}
	if a, err := netip.ParseAddr(z.IPv6); err != nil || !netip.MustParsePrefix("2001:db8:77::/64").Contains(a) {
		t.Errorf("IPv6 address = %q, want one of 2001:db8:77::/64", z.IPv6)
	}
	if r.TookMS > 20_000 {
		t.Errorf("took %d ms, want less than 20 s", r.TookMS)
	}
	if err := s.Flush(s.soon()); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"captive.apple.com", "www.google.com"} {
		if got := s.Internet.SeenAt(s.Internet.Host(host)); got != (world.Counts{}) {
			t.Errorf("the doctor's guest got out to %s: %+v", host, got)
		}
	}
}

func TestEachBreakageIsFoundAndNothingElse(t *testing.T) {
	drop := func(hook, priority, match string) []string {
		return []string{
			"nft add table inet foreign",
			"nft add chain inet foreign c { type filter hook " + hook + " priority " + priority + " ; }",
			"nft add rule inet foreign c iifname br-guest " + match + " drop",
		}
	}
	for _, broken := range []struct {
		name    string
		by      []string
		options world.Options
		change  func(*shop)
		want    []string // "severity id"
		opens   string
		says    string // in the finding's text or command
	}{
		{name: "another program's rule drops the portal's port", by: drop("input", "0", "tcp dport 2050"),
			want: []string{"bad no-redirect"}, opens: allShut, says: "nft insert rule inet foreign c iifname br-guest tcp dport 2050 accept"},
		{name: "another program's rule drops questions for names", by: drop("input", "0", "udp dport 53"),
			want: []string{"bad no-dns"}, opens: allShut, says: "nft insert rule inet foreign c iifname br-guest udp dport 53 accept"},
		{name: "another program's rule drops DHCP", by: drop("input", "0", "udp dport 67"),
			want: []string{"bad no-dhcp"}, opens: allOpen, says: "udp dport 67 accept"},
		{name: "HTTPS is dropped and not refused", by: drop("prerouting", "-300", "tcp dport 443"),
			want: []string{"warn dropped"}, opens: allLate, says: "tcp 443 (IPv4, IPv6)"},
		{name: "QUIC is dropped over IPv6", by: drop("prerouting", "-300", "ip6 version 6 udp dport 443"),
			want: []string{"warn dropped"}, opens: allOpen, says: "udp 443 (IPv6)"},
		{name: "the second gate is open for IPv6", by: []string{"ip -6 rule del pref 32000"},
			want: []string{"bad gate-open"}, opens: allOpen, says: "(IPv6)"},
		{name: "the second gate is open and the rules are flushed", by: []string{"ip rule del pref 32000", "ip -6 rule del pref 32000",
			"iptables -F FORWARD", "ip6tables -F FORWARD", "iptables -t nat -F PREROUTING", "ip6tables -t nat -F PREROUTING"},
			want: []string{"bad door-open", "bad gate-open"}, opens: allShut, says: "tcp 80 (IPv4, IPv6)"},
		{name: "guests reach the shop's own admin page", by: []string{"iptables -I INPUT -i br-guest -p tcp --dport 443 -j ACCEPT"},
			change: func(s *shop) {
				l, err := s.Router.Listen("tcp", ":443")
				if err != nil {
					s.Fatal(err)
				}
				s.Internet.ServeHTTP(l, http.NotFoundHandler(), nil, false)
			},
			want: []string{"bad admin-open"}, opens: allOpen, says: "192.168.1.1:443"},
		{name: "IPv6 goes round the portal", by: []string{"ip6tables -t nat -F PREROUTING", "ip6tables -F FORWARD", "ip -6 rule del pref 32000"},
			want: []string{"bad door-open", "bad gate-open"}, opens: "Android partly, iOS partly, Windows partly, Firefox partly, Linux partly", says: "(IPv6)"},
		{name: "the uplink is down", by: []string{"ip link set wan down"},
			want: []string{"bad no-internet"}, opens: allShut},
		{name: "mwan3's rules take the bit of Hiên", by: []string{"ip rule add pref 2001 fwmark 0x1000000/0x3f000000 lookup 254"},
			want: []string{"bad mark-taken"}, opens: allOpen, says: "0x3f000000"},
		{name: "mwan3 is there and harms nothing", by: []string{"ip rule add pref 2001 fwmark 0x100/0x3f00 lookup 254"},
			want: []string{"note policy-routing"}, opens: allOpen, says: "mwan3"},
		{name: "the router forwards nothing", by: []string{"sysctl -qw net.ipv4.ip_forward=0"},
			want: []string{"bad not-forwarding"}, opens: allLate},
		{name: "a page that does not come", change: func(s *shop) {
			l, err := s.Router.Listen("tcp", ":2051")
			if err != nil {
				s.Fatal(err)
			}
			s.Internet.ServeHTTP(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Host == "10.77.0.1:2051" {
					http.Error(w, "oh", http.StatusInternalServerError)
					return
				}
				http.Redirect(w, r, "http://10.77.0.1:2051/", http.StatusFound)
			}), nil, false)
			for _, tool := range []string{"iptables", "ip6tables"} {
				s.run(tool, "-t", "nat", "-I", "PREROUTING", "-i", "br-guest", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", "2051")
				s.run(tool, "-I", "INPUT", "-i", "br-guest", "-p", "tcp", "--dport", "2051", "-j", "ACCEPT")
			}
		}, want: []string{"bad no-page"}, opens: allShut, says: "10.77.0.1:2051"},
		{name: "an interceptor answers by itself", change: func(s *shop) {
			l, err := s.Router.Listen("tcp", ":2051")
			if err != nil {
				s.Fatal(err)
			}
			s.Internet.ServeHTTP(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Error(w, "Network Authentication Required", http.StatusNetworkAuthenticationRequired)
			}), nil, false)
			s.run("iptables", "-t", "nat", "-I", "PREROUTING", "-i", "br-guest", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", "2051")
			s.run("iptables", "-I", "INPUT", "-i", "br-guest", "-p", "tcp", "--dport", "2051", "-j", "ACCEPT")
		}, want: []string{"bad admin-open", "bad no-redirect"}, opens: "Android partly, iOS partly, Windows partly, Firefox partly, Linux partly", says: "something else answered"},
		{name: "the router announces no IPv6", options: world.Options{NoIPv6: true}, by: []string{
			"sysctl -qw net.ipv6.conf.br-guest.disable_ipv6=0", "ip -6 addr add 2001:db8:77::1/64 dev br-guest"},
			want: []string{"warn no-ipv6-address"}, opens: allOpen},
		{name: "a guest network without IPv6 is healthy", options: world.Options{NoIPv6: true}, opens: allOpen},
		{name: "names of probes have private addresses", options: world.Options{Dnsmasq: []string{"address=/captive.apple.com/10.77.0.1"}},
			want: []string{"warn private-names"}, opens: allOpen, says: "captive.apple.com"},
		{name: "the guest interface is not there", by: []string{"ip link del br-guest"},
			want: []string{"note no-guest"}, opens: "", says: "the interface is not there"},
	} {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			o := broken.options
			o.LAN = true
			s := newShop(t, o)
			for _, line := range broken.by {
				s.run(strings.Fields(line)...)
			}
			if broken.change != nil {
				broken.change(s)
			}
			r := s.examine()
			if got := r.ids(); !slices.Equal(got, broken.want) {
				t.Errorf("findings %q, want %q", got, broken.want)
			}
			if got := r.opens(); got != broken.opens {
				t.Errorf("phones: %s; want %s", got, broken.opens)
			}
			said := slices.ContainsFunc(r.Findings, func(f finding) bool { return strings.Contains(f.Text+"\n"+f.Command, broken.says) })
			if !said && broken.says != "" {
				t.Errorf("no finding says %q", broken.says)
			}
			sick := slices.ContainsFunc(broken.want, func(w string) bool { return strings.HasPrefix(w, "bad ") })
			if r.Healthy == sick {
				t.Errorf("healthy = %v, want %v", r.Healthy, !sick)
			}
		})
	}
}

func TestTheCommandMendsWhatWasFound(t *testing.T) {
	s := newShop(t, world.Options{})
	for _, line := range []string{
		"nft add table inet foreign",
		"nft add chain inet foreign c { type filter hook input priority 0 ; }",
		"nft add rule inet foreign c iifname br-guest tcp dport 2050 drop",
	} {
		s.run(strings.Fields(line)...)
	}
	r := s.examine()
	if got, want := r.ids(), []string{"bad no-redirect"}; !slices.Equal(got, want) {
		t.Fatalf("findings %q, want %q", got, want)
	}
	s.run(strings.Fields(r.Findings[0].Command)...)
	if r = s.examine(); len(r.Findings) > 0 || r.opens() != allOpen {
		t.Errorf("findings %q, phones %s; want none, and %s", r.ids(), r.opens(), allOpen)
	}
}

func TestWithoutAGuestThePortalItselfIsAsked(t *testing.T) {
	s := newShop(t, world.Options{})
	s.order.NoGuest = true
	r := s.examine()
	if got, want := r.ids(), []string{"note no-guest"}; !slices.Equal(got, want) {
		t.Errorf("findings %q, want %q", got, want)
	}
	if got := r.opens(); got != allOpen {
		t.Errorf("phones: %s; want %s", got, allOpen)
	}
	if len(r.Phones) == 0 || !r.Phones[0].Unproven || !slices.Contains(r.Unproven, string(doctor.DoorOpen)) {
		t.Errorf("phones %+v, unproven %q; want everything unproven that only a guest sees", r.Phones, r.Unproven)
	}
	if r.Zones[0].Played != doctor.AtListener {
		t.Errorf("played = %s, want %s", r.Zones[0].Played, doctor.AtListener)
	}
}

func TestAnInterfaceThatIsNoBridgeIsAskedAtTheListener(t *testing.T) {
	s := newShop(t, world.Options{LAN: true})
	s.order.House.Zones[0].Interface = world.LAN
	r := s.examine()
	if got, want := r.Zones[0].Played, doctor.AtListener; got != want {
		t.Errorf("played = %s (%s), want %s", got, r.Zones[0].Why, want)
	}
	if got := r.opens(); got != allOpen {
		t.Errorf("phones: %s; want %s", got, allOpen)
	}
}
