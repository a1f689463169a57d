package setup

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/otp"
)

// What a section says where the owner is not asked. A flashed image says the
// same.
const (
	leaseTime   = "1h"
	mostLeases  = 4000
	includePath = "/usr/share/hien/firewall.include"

	// guestZone is our zone's name in the firewall: fw3 takes 11 letters.
	guestZone = "hien"

	// The second gate stands behind the rule that finds the router's own
	// addresses (0) and before everybody else's: mwan3 begins at 1001, pbr
	// ends at 30000. The daemon's own is at 0, and at 1 on kernels before 4.17.
	gatePriority = "2"
	defaultMark  = "0x1000000"

	defaultPolicy = "vn-2026"
	defaultPortal = "2050"
	defaultDNS    = "2053"
	defaultAPI    = "2443"
)

// pool gives guests addresses. dnsmasq counts them from the network's first,
// and leaves the router's own out.
func (p *planner) pool(n netip.Prefix) {
	size := 1 << (32 - n.Bits())
	start := 10
	if size < 64 {
		start = 2
	}
	p.wish(dhcpFile, guest, "dhcp",
		is("interface", p.iface),
		is("start", strconv.Itoa(start)),
		is("limit", strconv.Itoa(min(size-1-start, mostLeases))),
		is("leasetime", leaseTime),
		is("ra", "server"),
		is("dhcpv6", "server"))
}

// ownZone keeps guests from everything but the internet. What they may ask of
// the router is granted by the rules beside it.
func (p *planner) ownZone(wan string) {
	p.wish(firewallFile, guest, "zone",
		is("name", guestZone),
		are("network", p.iface),
		is("input", "REJECT"),
		is("output", "ACCEPT"),
		is("forward", "REJECT"))
	p.wish(firewallFile, toWAN, "forwarding", is("src", guestZone), is("dest", wan))
}

// secondGate has netifd keep guests in as soon as their network is up, before
// any packet filter and before the daemon: what does not carry the daemon's
// mark is unreachable.
func (p *planner) secondGate() {
	mark := cmp.Or(shop(p.trees[hienFile]).get("mark"), defaultMark)
	for _, rule := range []struct{ section, typ string }{{gate, "rule"}, {gate6, "rule6"}} {
		p.wish(networkFile, rule.section, rule.typ,
			is("in", p.iface),
			is("priority", gatePriority),
			is("mark", "0x0/"+mark),
			is("action", "unreachable"))
	}
}

// inputRules grant what the portal needs of the router, and nothing else:
// the firewall sees a packet after it was sent to the portal's port.
func (p *planner) inputRules() {
	zone := p.configured()
	dns := "53"
	if own := cmp.Or(zone.get("dns_port"), defaultDNS); own != "0" {
		dns += " " + own
	}
	portal := cmp.Or(zone.get("portal_port"), defaultPortal) + " " + cmp.Or(zone.get("api_port"), defaultAPI)
	rule := func(section, name string, options ...wished) {
		p.wish(firewallFile, section, "rule", slices.Concat(
			[]wished{is("name", "Hien: "+name), is("src", p.zone)}, options, []wished{is("target", "ACCEPT")})...)
	}
	rule(allowDHCP, "DHCP", is("family", "ipv4"), is("proto", "udp"), is("dest_port", "67"))
	rule(allowDNS, "DNS", are("proto", "tcp", "udp"), is("dest_port", dns))
	rule(allowWeb, "portal", is("proto", "tcp"), is("dest_port", portal))
	rule(allowPing, "ping", is("family", "ipv4"), is("proto", "icmp"), is("icmp_type", "echo-request"))
	rule(allowDHC6, "DHCPv6", is("family", "ipv6"), is("proto", "udp"), is("dest_port", "547"))
	// Neighbour discovery and what IPv6 does not work without (RFC 4890 §4.4).
	rule(allowICM6, "ICMPv6", is("family", "ipv6"), is("proto", "icmp"), are("icmp_type",
		"echo-request", "echo-reply", "destination-unreachable", "packet-too-big", "time-exceeded", "bad-header",
		"unknown-header-type", "router-solicitation", "neighbour-solicitation", "neighbour-advertisement"), is("limit", "1000/sec"))
	// fw4 runs a script only if it is told that it may; fw3, on a reload, only
	// with an option that fw4 does not know.
	script := []wished{is("type", "script"), is("path", includePath), is("fw4_compatible", "1"), is("reload", "")}
	if !p.FW4 {
		script = []wished{is("type", "script"), is("path", includePath), is("fw4_compatible", ""), is("reload", "1")}
	}
	p.wish(firewallFile, include, "include", script...)
}

// configured is the zone of the configuration as it is; nil before there is one.
func (p *planner) configured() *section {
	name, err := zoneFor(p.trees[hienFile], p.device)
	if err != nil {
		return nil // told by hien
	}
	return p.trees[hienFile].named(name)
}

// wifi puts the guests' WiFi on each radio that is wanted.
func (p *planner) wifi() error {
	radios := p.trees[wirelessFile].radios()
	if p.SSID == "" {
		if p.on == nil {
			p.note(noWiFi, p.device)
		}
		return nil
	}
	if len(radios) == 0 {
		return refuse(noRadio)
	}
	if err := checkSSID(p.trees, p.SSID); err != nil {
		return err
	}
	if len(p.Radios) == 0 {
		return refuse(whichRadio, radioNames(radios))
	}
	if p.OWE && !p.CanOWE {
		return refuse(cannotOWE)
	}
	for i, name := range p.Radios {
		at := slices.IndexFunc(radios, func(r Radio) bool { return r.Name == name })
		if at < 0 || slices.Contains(p.Radios[:i], name) {
			return refuse(badRadio, name, radioNames(radios))
		}
		if radios[at].Off {
			p.note(radioOff, radios[at])
		}
		p.onRadio(name, at)
	}
	return nil
}

// onRadio is the WiFi on one radio. With OWE there are two: phones that can be
// encrypted go from the open one to its hidden twin (Wi-Fi Alliance,
// Opportunistic Wireless Encryption Specification, §2.3). Each must know the
// other by its interface's name, so that both have one.
func (p *planner) onRadio(radio string, number int) {
	n := strconv.Itoa(number)
	open, twin := "", ""
	if p.OWE {
		open, twin = "hien"+n, "hien"+n+"e"
	}
	p.wish(wirelessFile, radioPrefix+radio, "wifi-iface",
		is("device", radio), is("mode", "ap"), is("network", p.iface), is("ssid", p.SSID), is("encryption", "none"),
		is("isolate", "1"), is("disabled", ""), is("ifname", open), is("owe_transition_ifname", twin))
	if p.OWE {
		p.wish(wirelessFile, owePrefix+radio, "wifi-iface",
			is("device", radio), is("mode", "ap"), is("network", p.iface), is("ssid", "hien-owe-"+n), is("encryption", "owe"),
			is("isolate", "1"), is("hidden", "1"), is("disabled", ""), is("ifname", twin), is("owe_transition_ifname", open))
	}
}

func radioNames(radios []Radio) string {
	var names []string
	for _, r := range radios {
		names = append(names, r.Name)
	}
	return strings.Join(names, ", ")
}

// hien is Hiên's own configuration. What the owner has set beside it stays.
func (p *planner) hien() error {
	zone, err := zoneFor(p.trees[hienFile], p.device)
	if err != nil {
		return err
	}
	main := []wished{is("enabled", "1"), is("store_id", p.StoreID), is("store_name", p.StoreName)}
	switch {
	case p.SealKey != "":
		main = append(main, is("seal_key", p.SealKey))
	case p.NewSeal:
		main = append(main, is("seal_key", unmadeSeal))
	}
	if len(p.Purposes) > 0 {
		for _, f := range facts {
			main = append(main, is(string(f.Fact), p.Facts[f.Fact]))
		}
		p.noteIncomplete()
	}
	if !p.OpenWrt {
		value := "0"
		if p.Masquerade {
			value = "1"
		}
		main = append(main, is("masquerade", value))
	}
	p.wish(hienFile, "main", "hien", main...)
	var purposes []string
	for _, purpose := range p.Purposes {
		purposes = append(purposes, string(purpose))
	}
	p.wish(hienFile, zone, "zone", is("interface", p.device), are("purpose", purposes...))
	if len(purposes) == 0 || len(p.trees[hienFile].of("sender")) > 0 {
		return nil // what the owner has set up for codes stays
	}
	if p.Sender == "" {
		p.note(noSender)
		return nil
	}
	if err := checkStaff(p.Answers); err != nil {
		return err
	}
	p.wish(hienFile, "code", "sender", is("type", p.Sender))
	if p.Sender == "staff" {
		p.note(tillsCode)
	} else {
		p.note(trialSender)
	}
	return nil
}

// noteIncomplete tells what the notice lacks, by the policy that is
// configured: until it is there nothing is asked. A policy of the owner's own
// is not looked into.
func (p *planner) noteIncomplete() {
	main := shop(p.trees[hienFile])
	policy, err := consent.LoadPolicy(cmp.Or(main.get("policy"), defaultPolicy))
	if main.get("policy_file") != "" || err != nil {
		return
	}
	var lacks []string
	for _, f := range policy.Lacks(consent.Controller{
		Name: p.Facts[consent.FactName], Address: p.Facts[consent.FactAddress],
		TaxID: p.Facts[consent.FactTaxID], Contact: p.Facts[consent.FactContact],
		Delivers: len(p.trees[hienFile].of("sink")) > 0, Recipients: main.words("recipient"),
		Carriers: carriers(p.trees[hienFile], main.get("operator")),
	}) {
		if f == consent.FactCarrier {
			p.note(unnamedCarrier)
			continue
		}
		lacks = append(lacks, string(f))
	}
	if len(lacks) > 0 {
		p.note(incomplete, strings.Join(lacks, ", "))
	}
}

// carriers are who is given a number by the senders that are configured, as
// the notice names them; "" is one that nobody has named yet.
func carriers(hien tree, operator string) (names []string) {
	for _, s := range hien.of("sender") {
		if name, gives := otp.Carrier(s.get("type"), s.get("carrier"), operator); gives {
			names = append(names, name)
		}
	}
	return names
}
