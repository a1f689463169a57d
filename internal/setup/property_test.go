package setup_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/setup"
	"github.com/hien-wifi/hien/internal/uci"
)

// A writer writes configuration files as people and programs do: each with
// quotes, blanks and comments of its own.
type writer struct {
	t      *rapid.T
	b      strings.Builder
	indent string
	feed   string
}

func newWriter(t *rapid.T) *writer {
	w := &writer{t: t}
	w.indent = rapid.SampledFrom([]string{"\t", "  ", "    ", ""}).Draw(t, "indent")
	w.feed = rapid.SampledFrom([]string{"\n", "\n", "\n", "\r\n"}).Draw(t, "feed")
	return w
}

func (w *writer) one(of ...string) string { return rapid.SampledFrom(of).Draw(w.t, "one") }
func (w *writer) yes() bool               { return rapid.Bool().Draw(w.t, "yes") }

func (w *writer) quoted(v string) string {
	bare := v != "" && strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/:") == ""
	switch w.one("single", "double", "bare") {
	case "double":
		return `"` + v + `"`
	case "bare":
		if bare {
			return v
		}
	}
	return "'" + v + "'"
}

func (w *writer) comment() string {
	return w.one("", "", "", " # đừng xóa", "\t#", " # config interface 'hien_guest'", " #'")
}

// section writes one, with the options of pairs; a name with + is a list.
func (w *writer) section(typ, name string, pairs ...string) {
	for range rapid.IntRange(0, 2).Draw(w.t, "gap") {
		w.b.WriteString(w.one("", "# ----", "  ", "#option x 'y'") + w.feed)
	}
	w.b.WriteString("config " + typ)
	if name != "" {
		w.b.WriteString(" " + w.quoted(name))
	}
	w.b.WriteString(w.comment() + w.feed)
	for i := 0; i < len(pairs); i += 2 {
		option, list := strings.CutPrefix(pairs[i], "+")
		word := "option"
		if list {
			word = "list"
		}
		if pairs[i+1] == "" {
			continue
		}
		fmt.Fprintf(&w.b, "%s%s %s %s%s%s", w.indent, word, option, w.quoted(pairs[i+1]), w.comment(), w.feed)
	}
}

// text is what was written; now and then the last line has no end.
func (w *writer) text() []byte {
	s := w.b.String()
	if w.one("whole", "whole", "cut") == "cut" {
		s = strings.TrimRight(s, "\r\n")
	}
	return []byte(s)
}

// A shop is a router of the real kind, and what guests must not have of it.
type shop struct {
	router *setup.Router
	taken  []netip.Prefix
	guests []string // bridges of networks that the owner has made for guests
	wan    string
}

var lans = []string{"192.168.1.1/24", "192.168.0.1/24", "10.77.0.1/16", "10.78.5.1/24", "172.29.8.1/21", "192.168.208.1/24", "10.0.0.1/24"}

func drawShop(t *rapid.T) shop {
	s := shop{router: &setup.Router{OpenWrt: true, FW4: rapid.Bool().Draw(t, "fw4"), CanOWE: rapid.Bool().Draw(t, "owe"), Files: map[string][]byte{}}}
	legacy := rapid.Bool().Draw(t, "legacy")
	network, firewall, dhcp, wireless := newWriter(t), newWriter(t), newWriter(t), newWriter(t)
	var zones []func()
	address := func(cidr string) []string {
		p := netip.MustParsePrefix(cidr)
		s.taken = append(s.taken, p.Masked())
		if rapid.Bool().Draw(t, "cidr") {
			return []string{"+ipaddr", cidr}
		}
		m := map[int]string{24: "255.255.255.0", 16: "255.255.0.0", 21: "255.255.248.0"}[p.Bits()]
		return []string{"ipaddr", p.Addr().String(), "netmask", m}
	}
	bridge := func(name, cidr string) string {
		dev, options := "br-"+name, []string{"proto", "static"}
		if legacy {
			options = append(options, "type", "bridge", "ifname", "eth0."+network.one("1", "2", "3"))
		} else {
			network.section("device", network.one("", "dev_"+name), "name", dev, "type", "bridge", "+ports", "eth0")
			options = append(options, "device", dev)
		}
		network.section("interface", name, slices.Concat(options, address(cidr))...)
		return dev
	}
	network.section("interface", "loopback", "device", "lo", "proto", "static", "ipaddr", "127.0.0.1", "netmask", "255.0.0.0")
	bridge("lan", rapid.SampledFrom(lans).Draw(t, "lan"))
	key := "device"
	if legacy {
		key = "ifname"
	}
	network.section("interface", "wan", key, "eth1", "proto", network.one("dhcp", "pppoe"))
	if network.yes() {
		network.section("interface", "wan6", key, "eth1", "proto", "dhcpv6")
	}
	s.wan = firewall.one("wan", "internet", "ra_ngoai")
	dhcp.section("dnsmasq", "", "domainneeded", "1", "local", "/lan/")
	dhcp.section("dhcp", "lan", "interface", "lan", "start", "100", "limit", "150")
	zones = append(zones,
		func() {
			firewall.section("zone", firewall.one("", "lan_zone"), "name", "lan", "+network", "lan", "input", "ACCEPT")
		},
		func() {
			firewall.section("zone", "", "name", s.wan, "+network", "wan", "+network", "wan6", "input", "REJECT", "masq", "1")
		})
	for i := range rapid.IntRange(0, 2).Draw(t, "guest networks") {
		name := fmt.Sprintf("guest%d", i)
		s.guests = append(s.guests, bridge(name, fmt.Sprintf("192.168.%d.1/24", 30+i)))
		if network.yes() {
			zones = append(zones, func() {
				firewall.section("zone", "", "name", name, "network", name, "input", firewall.one("ACCEPT", "REJECT"))
			})
			if network.yes() {
				firewall.section("forwarding", "", "src", name, "dest", s.wan)
			}
		}
		if network.yes() {
			dhcp.section("dhcp", name, "interface", name, "start", "10", "limit", "100")
		}
	}
	for _, z := range rapid.Permutation(zones).Draw(t, "zones") {
		z()
	}
	firewall.section("forwarding", "", "src", "lan", "dest", s.wan)
	firewall.section("rule", "", "name", "it is allowed", "src", s.wan, "proto", "udp", "dest_port", "68", "target", "ACCEPT")
	if network.yes() {
		network.section("rule", "", "in", "lan", "lookup", "100")
		network.section("route", "", "interface", "lan", "target", "10.79.0.0", "netmask", "255.255.0.0", "gateway", "192.168.1.9")
		s.taken = append(s.taken, netip.MustParsePrefix("10.79.0.0/16"))
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "radios") {
		radio := wireless.one("radio", "MT7981_1_", "wl") + fmt.Sprint(i)
		wireless.section("wifi-device", radio, "type", "mac80211", "band", wireless.one("2g", "5g", "6g", ""), "disabled", wireless.one("", "0", "1"))
		wireless.section("wifi-iface", wireless.one("", "default_"+radio), "device", radio, "network", "lan", "mode", "ap", "ssid", "The Shop", "encryption", "psk2", "key", "it is made up")
	}
	for file, w := range map[string]*writer{"network": network, "firewall": firewall, "dhcp": dhcp, "wireless": wireless} {
		s.router.Files[file] = w.text()
	}
	hien := newWriter(t)
	hien.section("hien", "main", "enabled", "0", "store_id", "shop", "data_dir", "/etc/hien/record")
	hien.section("zone", "guest", "interface", "br-hien", "terms", "No rush.", "portal_port", hien.one("", "2060"), "dns_port", hien.one("", "0", "2061"))
	s.router.Files["hien"] = hien.text()
	return s
}

func drawAnswers(t *rapid.T, s shop) setup.Answers {
	q, err := s.router.Ask()
	if err != nil {
		t.Fatal(err)
	}
	a := q.Answers
	a.StoreName, a.StoreID = rapid.SampledFrom([]string{"Quán Hiên", "it's \"here\"", "Cà phê & trà"}).Draw(t, "name"), "a-1"
	a.SSID = rapid.SampledFrom([]string{"", "Khách", "it's free"}).Draw(t, "ssid")
	if len(a.Radios) > 1 && rapid.Bool().Draw(t, "one radio") {
		a.Radios = a.Radios[1:]
	}
	a.OWE = s.router.CanOWE && rapid.Bool().Draw(t, "owe")
	if len(s.guests) > 0 && rapid.Bool().Draw(t, "existing") {
		a.Interface = rapid.SampledFrom(s.guests).Draw(t, "interface")
	} else {
		a.Interface = ""
	}
	if rapid.Bool().Draw(t, "another network") {
		a.Network = netip.MustParsePrefix(rapid.SampledFrom(append(lans, "10.90.0.1/22", "100.64.7.1/24")).Draw(t, "network"))
	}
	a.Purposes = rapid.SampledFrom([][]consent.Purpose{nil, {consent.VisitFrequency}, {consent.VisitFrequency, consent.ContactZalo}}).Draw(t, "purposes")
	a.SealKey = "hien-seal-1:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	a.Sender = rapid.SampledFrom([]string{"", "log"}).Draw(t, "sender")
	return a
}

func edited(t *rapid.T, r *setup.Router, changes []setup.Change) *setup.Router {
	texts, err := setup.Edit(r.Files, changes)
	if err != nil {
		t.Fatalf("the changes cannot be made: %v", err)
	}
	changed := *r
	changed.Files = map[string][]byte{}
	for file, text := range r.Files {
		changed.Files[file] = text
	}
	for file, text := range texts {
		changed.Files[file] = text
	}
	return &changed
}

var routerFiles = []string{"network", "wireless", "dhcp", "firewall"}

// TestOthersSectionsAreNeverTouched is for any router and any owner: every
// byte that was there is there after a setup, and nothing else is after undo.
func TestOthersSectionsAreNeverTouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawShop(t)
		a := drawAnswers(t, s)
		p, err := s.router.Plan(a)
		if err != nil {
			return // it says why, and nothing is done
		}
		done := edited(t, s.router, p.Changes)
		for _, file := range routerFiles {
			if !bytes.HasPrefix(done.Files[file], s.router.Files[file]) {
				t.Fatalf("%s: what was there was touched:\n%q\nbecame\n%q", file, s.router.Files[file], done.Files[file])
			}
			added := parse(t, file, done.Files[file]).Sections[len(parse(t, file, s.router.Files[file]).Sections):]
			for _, section := range added {
				holdsOurs(t, s, file, section)
			}
		}
		holdsHien(t, s.router.Files["hien"], done.Files["hien"])
		if a.Interface == "" {
			for _, taken := range s.taken {
				if taken.Overlaps(a.Network) {
					t.Fatalf("the guests' network %v overlaps with the shop's %v", a.Network, taken)
				}
			}
		}

		// The owner goes on with his router, and then wants something else.
		later := newWriter(t)
		later.section("interface", "office", "proto", "static", "ipaddr", "192.168.99.1", "netmask", "255.255.255.0")
		owners := later.text()
		done.Files["network"] = slices.Concat(done.Files["network"], []byte("\n"), owners)
		if p, err = done.Plan(drawAnswers(t, shop{router: done, guests: s.guests})); err == nil {
			done = edited(t, done, p.Changes)
		}
		back, err := done.Undo()
		if err != nil {
			t.Fatal(err)
		}
		undone := edited(t, done, back.Changes)
		for _, file := range routerFiles {
			want := s.router.Files[file]
			if file == "network" {
				want = slices.Concat(want, []byte("\n"), owners)
			}
			if got := undone.Files[file]; !same(file, got, want) {
				t.Fatalf("%s after undo:\n%q\nwant\n%q", file, got, want)
			}
		}
	})
}

// same compares a file to the byte; the network's, to which the owner has
// added behind ours, but for the empty lines between the two.
func same(file string, got, want []byte) bool {
	if file != "network" {
		return bytes.Equal(got, want)
	}
	lines := func(text []byte) []string {
		return slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return line == "" || line == "\r" })
	}
	return slices.Equal(lines(got), lines(want))
}

func parse(t *rapid.T, file string, text []byte) *uci.File {
	f, err := uci.Parse(file, bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s cannot be read: %v\n%s", file, err, text)
	}
	return f
}

// holdsOurs holds that a section bears our name and grants nothing but what
// guests may have.
func holdsOurs(t *rapid.T, s shop, file string, section uci.Section) {
	if !strings.HasPrefix(section.Name.Text, "hien_") {
		t.Fatalf("%s: a section that is not ours was added: %+v", file, section)
	}
	for _, o := range section.Options {
		switch value := o.Value.Text; o.Name.Text {
		case "src":
			if value == "lan" || value == s.wan {
				t.Fatalf("%s: something is granted to %s: %+v", file, value, section)
			}
		case "dest":
			if value != s.wan {
				t.Fatalf("%s: guests are forwarded to %s", file, value)
			}
		case "network", "in", "interface":
			if value == "lan" || value == "wan" {
				t.Fatalf("%s: the shop's own network %s is in %+v", file, value, section)
			}
		case "device", "name":
			if file == "network" && (value == "br-lan" || value == "eth1") {
				t.Fatalf("%s: the shop's own %s is in %+v", file, value, section)
			}
		}
	}
}

// holdsHien holds that of Hiên's own file only what is asked for is changed.
func holdsHien(t *rapid.T, before, after []byte) {
	asked := []string{"enabled", "store_id", "store_name", "seal_key", "interface", "purpose"}
	lines := func(text []byte) (all []string) {
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) > 1 && (words[0] == "option" || words[0] == "list") && !slices.Contains(asked, words[1]) {
				all = append(all, strings.TrimRight(line, "\r\n"))
			}
		}
		return all
	}
	was := lines(before)
	is := slices.DeleteFunc(lines(after), func(line string) bool { return strings.TrimSpace(line) == "option type 'log'" })
	if !slices.Equal(was, is) {
		t.Fatalf("hien: got %q, want %q", is, was)
	}
}
