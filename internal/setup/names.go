package setup

import "strings"

// The files of /etc/config in which setup has sections, in the order in which
// they are planned.
const (
	networkFile  = "network"
	wirelessFile = "wireless"
	dhcpFile     = "dhcp"
	firewallFile = "firewall"
	hienFile     = "hien"
)

var routerFiles = []string{networkFile, wirelessFile, dhcpFile, firewallFile}

// The names of our sections. A flashed image makes the same ones at its first
// boot, so that setup finds its own there.
const (
	guestDevice = "hien_guest_dev" // network: the bridge
	guest       = "hien_guest"     // network: the interface; dhcp: its pool; firewall: its zone
	gate        = "hien_gate"      // network: the second gate, IPv4
	gate6       = "hien_gate6"     // network: the second gate, IPv6

	radioPrefix = "hien_guest_" // wireless: the WiFi on each radio
	owePrefix   = "hien_owe_"   // wireless: its encrypted twin

	toWAN     = "hien_guest_wan" // firewall
	allowDHCP = "hien_dhcp"
	allowDNS  = "hien_dns"
	allowWeb  = "hien_portal"
	allowPing = "hien_ping"
	allowDHC6 = "hien_dhcp6"
	allowICM6 = "hien_icmp6"
	include   = "hien_include"
)

// guestBridge is the name of the bridge that setup makes.
const guestBridge = "br-hien"

// ours says whether a section is one that setup makes.
func ours(file, name, typ string) bool {
	if file == wirelessFile {
		return typ == "wifi-iface" && (strings.HasPrefix(name, radioPrefix) || strings.HasPrefix(name, owePrefix))
	}
	types := map[string]map[string]string{
		networkFile: {guestDevice: "device", guest: "interface", gate: "rule", gate6: "rule6"},
		dhcpFile:    {guest: "dhcp"},
		firewallFile: {guest: "zone", toWAN: "forwarding", allowDHCP: "rule", allowDNS: "rule", allowWeb: "rule",
			allowPing: "rule", allowDHC6: "rule", allowICM6: "rule", include: "include"},
	}
	t, ok := types[file][name]
	return ok && t == typ
}
