package doctor

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/uci"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// healthy is a plain router with nothing wrong.
func healthy() *System {
	return &System{
		House: House{Running: true, Mark: 0x01000000, Clock: true, Zones: []Zone{{Name: "guest", Interface: "br-guest", PortalPort: 2050, DNSPort: 2053}}},
		Now:   noon, IPv6: true,
		Links: map[string]Link{"br-guest": {Kind: "bridge", Up: true, Prefixes: []netip.Prefix{
			netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("2001:db8:77::1/64")}}},
		Addrs:  []netip.Addr{netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("2001:db8:77::1")},
		Routes: []netip.Addr{netip.MustParseAddr("198.51.100.1")},
		Rules: []Rule{
			{Iif: "br-guest", Refuses: true, Mask: 0x01000000}, {Iif: "br-guest", Refuses: true, Mask: 0x01000000, IPv6: true},
		},
		Sysctl: map[string]int{
			"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1,
			"ipv4/neigh/default/gc_thresh3": 1024, "ipv6/neigh/default/gc_thresh3": 1024,
			"netfilter/nf_conntrack_count": 100, "netfilter/nf_conntrack_max": 16384,
		},
		Ranges: []Range{{netip.MustParseAddr("10.77.0.50"), netip.MustParseAddr("10.77.0.250")}},
	}
}

// openWrt is a router of OpenWrt with what a guest network needs.
func openWrt(t *testing.T) *System {
	s := healthy()
	s.OpenWrt = true
	s.Network = parseUCI(t, "config interface 'guest'\n option device 'br-guest'\n option proto 'static'\n")
	s.DHCP = parseUCI(t, "config dhcp 'guest'\n option interface 'guest'\n option start '50'\n option limit '201'\n")
	s.Firewall = parseUCI(t, `
config defaults
	option input 'REJECT'
config zone 'guestzone'
	option name 'guest'
	list network 'guest'
	option input 'REJECT'
	option forward 'REJECT'
config forwarding
	option src 'guest'
	option dest 'wan'
config rule
	option src 'guest'
	option proto 'tcp udp'
	option dest_port '53 67 2050-2053'
	option target 'ACCEPT'
`)
	return s
}

func parseUCI(t *testing.T, text string) *uci.File {
	t.Helper()
	f, err := uci.Parse("test", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// leased gives out the first n addresses of the range.
func leased(n int, until time.Time) (leases []Lease) {
	for i := range n {
		leases = append(leases, Lease{nth(netip.MustParsePrefix("10.77.0.0/24"), 50+i), until})
	}
	return leases
}

func TestEachFactHasItsFinding(t *testing.T) {
	change := func(s *System, from, to string) { // in the firewall's settings
		var b strings.Builder
		if err := s.Firewall.Write(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if !strings.Contains(text, from) {
			t.Fatalf("no %q in %s", from, text)
		}
		s.Firewall = parseUCI(t, strings.Replace(text, from, to, 1))
	}
	for _, c := range []struct {
		name    string
		open    bool // on OpenWrt
		change  func(*System)
		want    []string // "severity id"
		command string   // a part of the first finding's
	}{
		{name: "a plain router in order"},
		{name: "OpenWrt in order", open: true},
		{name: "the daemon does not run", change: func(s *System) { s.Running = false }, want: []string{"bad not-running"}, command: "systemctl start hien"},
		{name: "the daemon does not run on OpenWrt", open: true, change: func(s *System) { s.Running = false }, want: []string{"bad not-running"}, command: "/etc/init.d/hien start"},
		{name: "the rules do not hold", change: func(s *System) { s.Broken = "chain HIEN-FORWARD is missing." }, want: []string{"bad rules-broken"}, command: "restart hien"},
		{name: "cleanup took everything out", change: func(s *System) { s.Released, s.Rules = true, nil }, want: []string{"bad released"}, command: "restart hien"},
		{name: "a zone has no portal", change: func(s *System) { s.Zones[0].Trouble = "waiting for interface" }, want: []string{"bad zone-shut"}, command: "hien status"},
		{name: "the second gate is open", change: func(s *System) { s.Rules = nil }, want: []string{"bad gate-open"}, command: "hien gate shut"},
		{name: "the second gate of another interface does not count", change: func(s *System) { s.Rules[0].Iif = "br-lan" }, want: []string{"bad gate-open"}},
		{name: "a rule for one protocol is no gate", change: func(s *System) { s.Rules[1].Narrow = true }, want: []string{"bad gate-open"}},
		{name: "a rule for another mark is no gate", change: func(s *System) { s.Rules[1].Mask = 0xff }, want: []string{"bad gate-open"}},
		{name: "without IPv6 there is no gate for it", change: func(s *System) { s.IPv6, s.Rules = false, s.Rules[:1] }},
		{name: "the clock is not set", change: func(s *System) { s.Clock = false }, want: []string{"warn clock"}, command: "timedatectl"},
		{name: "the clock is not set on OpenWrt", open: true, change: func(s *System) { s.Clock = false }, want: []string{"warn clock"}, command: "sysntpd"},

		{name: "mwan3", change: func(s *System) { s.Rules = append(s.Rules, Rule{Mark: 0x100, Mask: 0x3f00}) }, want: []string{"note policy-routing"}},
		{name: "a mark that overlaps", change: func(s *System) { s.Rules = append(s.Rules, Rule{Mark: 0x01010000, Mask: 0xffff0000}) }, want: []string{"bad mark-taken"}, command: "hien.main.mark=0x00000080"},
		{name: "a mark of which no bit is left", change: func(s *System) { s.Rules = append(s.Rules, Rule{Mask: 0xffffffff}) }, want: []string{"bad mark-taken"}, command: "ip rule"},
		{name: "a mark that overlaps, with bits left", change: func(s *System) { s.Rules = append(s.Rules, Rule{Mask: 0x03000000}) }, want: []string{"bad mark-taken"}, command: "hien.main.mark=0x04000000"},
		{name: "strict filtering of the way back, with two uplinks", change: func(s *System) {
			s.Rules = append(s.Rules, Rule{Mark: 0x100, Mask: 0x3f00})
			s.Routes = append(s.Routes, netip.MustParseAddr("203.0.113.1"))
			s.Sysctl["ipv4/conf/all/rp_filter"] = 1
		}, want: []string{"note policy-routing", "warn reverse-path"}},
		{name: "strict filtering with one uplink", change: func(s *System) { s.Sysctl["ipv4/conf/all/rp_filter"] = 1 }},

		{name: "no route out", change: func(s *System) { s.Routes = nil }, want: []string{"bad no-internet"}},
		{name: "no route out on OpenWrt", open: true, change: func(s *System) { s.Routes = nil }, want: []string{"bad no-internet"}, command: "ifup wan"},
		{name: "IPv4 is not forwarded", change: func(s *System) { s.Sysctl["ipv4/ip_forward"] = 0 }, want: []string{"bad not-forwarding"}, command: "net.ipv4.ip_forward=1"},
		{name: "IPv6 is not forwarded", change: func(s *System) { s.Sysctl["ipv6/conf/all/forwarding"] = 0 }, want: []string{"warn not-forwarding"}, command: "net.ipv6.conf.all.forwarding=1"},
		{name: "IPv6 is not forwarded, and no guest has it", change: func(s *System) {
			s.Sysctl["ipv6/conf/all/forwarding"] = 0
			s.Links = map[string]Link{"br-guest": {Kind: "bridge", Prefixes: s.Links["br-guest"].Prefixes[:1]}}
		}},
		{name: "a neighbour table that is too small", change: func(s *System) { s.Sysctl["ipv4/neigh/default/gc_thresh3"] = 128 }, want: []string{"warn neighbour-table"}, command: "net.ipv4.neigh.default.gc_thresh3=1024"},
		{name: "an IPv6 neighbour table that is too small: a phone has several addresses", change: func(s *System) { s.Sysctl["ipv6/neigh/default/gc_thresh3"] = 512 }, want: []string{"warn neighbour-table"}, command: "net.ipv6.neigh.default.gc_thresh3=2048"},
		{name: "the connections are nearly too many", change: func(s *System) { s.Sysctl["netfilter/nf_conntrack_count"] = 14000 }, want: []string{"warn conntrack"}, command: "nf_conntrack_max=32768"},
		{name: "the connections are too many", change: func(s *System) { s.Sysctl["netfilter/nf_conntrack_count"] = 16384 }, want: []string{"bad conntrack"}},
		{name: "frames of the bridge go through the firewall", change: func(s *System) { s.Sysctl["bridge/bridge-nf-call-iptables"] = 1 }, want: []string{"note bridge-filter"}},

		{name: "no address left", change: func(s *System) { s.Leases = leased(201, noon.Add(time.Hour)) }, want: []string{"bad no-address-left"}, command: "dhcp-range"},
		{name: "no address left on OpenWrt", open: true, change: func(s *System) { s.Leases = leased(201, time.Time{}) }, want: []string{"bad no-address-left"}, command: "dhcp.guest.leasetime=30m"},
		{name: "few addresses left", change: func(s *System) { s.Leases = leased(190, noon.Add(time.Hour)) }, want: []string{"warn few-addresses-left"}},
		{name: "old leases do not count", change: func(s *System) { s.Leases = leased(201, noon.Add(-time.Hour)) }},
		{name: "a lease that is told twice counts once", change: func(s *System) {
			s.Leases = slices.Repeat(leased(100, noon.Add(time.Hour)), 3)
		}},

		{name: "flow offloading without limits", open: true, change: func(s *System) { change(s, "option input", "option flow_offloading '1'\n option input") }, want: []string{"note flow-offloading"}, command: "flow_offloading=0"},
		{name: "flow offloading with limits", change: func(s *System) { s.Flowtables, s.Zones[0].Limited = []string{"fw4 ft"}, true }, want: []string{"warn flow-offloading"}, command: "nft list flowtables"},
		{name: "iptables of both kinds", change: func(s *System) { s.Legacy, s.Tables = []string{"filter"}, []Table{{"inet", "fw4", nil}} }, want: []string{"note two-firewalls"}},
		{name: "legacy iptables beside our own table", change: func(s *System) { s.Legacy, s.Tables = []string{"filter"}, []Table{{"inet", "hien", nil}} }},

		{name: "no rule for the portal's port", open: true, change: func(s *System) { change(s, "2050-2053", "2053") }, want: []string{"bad no-input-rule"}, command: "dest_port='2050 53 67 2053'"},
		{name: "a rule for one address only is not counted on", open: true, change: func(s *System) { change(s, "option target", "option src_ip '10.77.0.9'\n option target") }, want: []string{"bad no-input-rule"}},
		{name: "a rule that is switched off", open: true, change: func(s *System) { change(s, "option target", "option enabled '0'\n option target") }, want: []string{"bad no-input-rule"}},
		{name: "a rule for forwarding is none for the router", open: true, change: func(s *System) { change(s, "option target", "option dest 'wan'\n option target") }, want: []string{"bad no-input-rule"}},
		{name: "a rule for tcp alone", open: true, change: func(s *System) { change(s, "tcp udp", "tcp") }, want: []string{"bad no-input-rule"}},
		{name: "a rule for every zone", open: true, change: func(s *System) { change(s, "option src 'guest'\n\toption proto", "option src '*'\n\toption proto") }},
		{name: "a zone that accepts", open: true, change: func(s *System) {
			change(s, "option input 'REJECT'\n\toption forward", "option input 'ACCEPT'\n\toption forward")
			change(s, "2050-2053", "22")
		}},
		{name: "guests are not forwarded", open: true, change: func(s *System) { change(s, "option src 'guest'\n\toption dest", "option src 'lan'\n\toption dest") }, want: []string{"bad no-forwarding"}, command: "hien_forward.src=guest"},
		{name: "the guest interface is in no zone", open: true, change: func(s *System) { change(s, "list network 'guest'", "list network 'lan'") }, want: []string{"warn no-firewall-zone"}},
		{name: "a zone by device", open: true, change: func(s *System) { change(s, "list network 'guest'", "list device 'br-guest'") }},
		{name: "a bridge of an older release", open: true, change: func(s *System) {
			s.Network = parseUCI(t, "config interface 'guest'\n option type 'bridge'\n option ifname 'eth0.3'\n")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthy()
			if c.open {
				s = openWrt(t)
			}
			if c.change != nil {
				c.change(s)
			}
			found := s.diagnose()
			var got []string
			for _, f := range found {
				got = append(got, f.Severity.String()+" "+string(f.ID))
				for _, l := range []Language{English, Vietnamese} {
					if text := l.finding(f); strings.Contains(text, "%!") || text == "" {
						t.Errorf("%s in %s: %q", f.ID, l, text)
					}
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("findings %q, want %q", got, c.want)
			}
			if len(found) > 0 && !strings.Contains(found[0].Command, c.command) {
				t.Errorf("command %q, want one with %q", found[0].Command, c.command)
			}
		})
	}
}

// root makes files under a directory that stands for /.
func root(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFilesOfOpenWrtAreRead(t *testing.T) {
	s := healthy()
	s.Ranges, s.Sysctl = nil, make(map[string]int)
	dir := root(t, map[string]string{
		"etc/openwrt_release":                        "DISTRIB_ID='OpenWrt'\n",
		"etc/config/network":                         "config interface guest\n option device br-guest\n",
		"etc/config/dhcp":                            "config dhcp guest\n option interface guest\n option start 50\n option limit 3\n",
		"etc/config/firewall":                        "config defaults\n option flow_offloading 1\n",
		"var/etc/dnsmasq.conf.cfg01411c":             "dhcp-range=set:guest,10.77.0.50,10.77.0.52,255.255.255.0,12h\n",
		"tmp/dhcp.leases":                            "1795435200 02:00:5e:00:00:01 10.77.0.50 a *\n0 02:00:5e:00:00:02 10.77.0.51 * *\n1795435200 02:00:5e:00:00:03 10.77.0.52 * *\n",
		"proc/sys/net/ipv4/neigh/default/gc_thresh3": "2\n",
		"proc/sys/net/ipv4/ip_forward":               "1\n",
		"proc/sys/net/ipv4/conf/br-guest/rp_filter":  "1\n",
		"proc/thread-self/net/ip_tables_names":       "nat\nfilter\n",
		"proc/thread-self/net/ip6_tables_names":      "filter\n",
		"proc/thread-self/net/udp":                   "  sl  local_address rem_address   st\n  12: 00000000:0043 00000000:0000 07\n",
	})
	if err := s.readFiles(Files{Root: dir}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Ranges, []Range{{netip.MustParseAddr("10.77.0.50"), netip.MustParseAddr("10.77.0.52")}}; !slices.Equal(got, want) {
		t.Errorf("ranges %v, want %v", got, want)
	}
	if size, taken := s.pool(s.Zones[0]); size != 3 || taken != 3 {
		t.Errorf("%d of %d addresses taken, want 3 of 3", taken, size)
	}
	if want := map[string]int{"ipv4/neigh/default/gc_thresh3": 2, "ipv4/ip_forward": 1, "ipv4/conf/br-guest/rp_filter": 1}; !maps.Equal(s.Sysctl, want) {
		t.Errorf("sysctl %v, want %v", s.Sysctl, want)
	}
	if !slices.Equal(s.Legacy, []string{"nat", "filter"}) || !slices.Equal(s.UDP, []uint16{67}) || !s.OpenWrt {
		t.Errorf("legacy tables %q, ports %v, OpenWrt %v; want nat and filter, 67, true", s.Legacy, s.UDP, s.OpenWrt)
	}
	var got []ID
	for _, f := range s.diagnose() {
		got = append(got, f.ID)
	}
	if want := []ID{Offload, NoFirewall, NeighTable, NoAddress}; !slices.Equal(got, want) {
		t.Errorf("findings %q, want %q", got, want)
	}
}

func TestFilesThatAreNotThereAreNoError(t *testing.T) {
	s := &System{House: healthy().House, Sysctl: make(map[string]int)}
	if err := s.readFiles(Files{Root: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if s.OpenWrt || s.Firewall != nil || s.UDP != nil {
		t.Errorf("OpenWrt %v, firewall %v, ports %v; want nothing", s.OpenWrt, s.Firewall, s.UDP)
	}
}

func TestSettingsThatCannotBeReadAreAnError(t *testing.T) {
	s := healthy()
	err := s.readFiles(Files{Root: root(t, map[string]string{"etc/config/firewall": "config zone\n\toption 'x\n"})})
	if err == nil || !strings.Contains(err.Error(), "firewall:") {
		t.Errorf("error %v, want one that names the file and line", err)
	}
}

func TestFreeBit(t *testing.T) {
	for _, c := range []struct{ taken, want uint32 }{
		{0x01000000, 0x02000000}, {0xff000000, 0x00000080}, {0xff0000ff, 0}, {0, 0x01000000}, {0xffffffff, 0},
	} {
		if got := freeBit(c.taken); got != c.want {
			t.Errorf("freeBit(%#x) = %#x, want %#x", c.taken, got, c.want)
		}
	}
}

func TestRanges(t *testing.T) {
	for text, want := range map[string]string{
		"dhcp-range=10.77.0.50,10.77.0.250,255.255.255.0,1h":                 "10.77.0.50-10.77.0.250",
		" dhcp-range = set:a,tag:b,10.0.0.2,10.0.0.2,infinite":               "10.0.0.2-10.0.0.2",
		"dhcp-range=10.77.0.0,static":                                        "",
		"dhcp-range=2001:db8::,ra-only,64,1h":                                "",
		"dhcp-range=10.77.0.9,10.77.0.1":                                     "",
		"dhcp-range=interface:br-guest,10.1.0.1,10.1.255.254":                "10.1.0.1-10.1.255.254",
		"# dhcp-range=10.77.0.50,10.77.0.250\ndhcp-rangeX=10.0.0.1,10.0.0.9": "",
	} {
		got := ""
		for _, r := range readRanges([]byte(text)) {
			got += r.First.String() + "-" + r.Last.String()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzLeases(f *testing.F) {
	f.Add([]byte("1795435200 02:00:5e:00:00:01 10.77.0.50 a *\nduid 00:01\n0 1 2001:db8::1 x\ndhcp-range=10.0.0.1,10.0.0.2\n"))
	f.Add([]byte("99999999999999999999 a 10.0.0.1 b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, l := range readLeases(text) {
			if !l.Addr.Is4() {
				t.Errorf("a lease of %s", l.Addr)
			}
		}
		for _, r := range readRanges(text) {
			if r.size() < 1 {
				t.Errorf("a range of %d addresses", r.size())
			}
		}
		readPorts(text)
	})
}
