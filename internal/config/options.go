package config

import (
	"fmt"
	"slices"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/dns"
)

// An option is one row of the table of all options: how it is read and what
// the manual says of it. T is what its section becomes.
type option[T any] struct {
	name    string
	list    bool                                       // written as "list", any number of times
	must    bool                                       // there is no default, and it is needed
	unset   string                                     // the default, as one would write it; empty: none
	allowed string                                     // completes "want …"
	hint    func(value string) string                  // says more of a value that is not allowed; nil, or "": nothing
	manual  string                                     // what it means, for the owner
	secret  bool                                       // errors do not repeat the value: it is a secret, or may hold one by mistake
	set     func(section *T, value string) (fine bool) // called with non-empty values only; a value that is not fine leaves no trace in a list
}

// A kind is a type of section.
type kind[T any] struct {
	typ     string
	example string // the name in the manual
	manual  string
	options []option[T]
}

// hienKind is the one section about the shop itself.
func hienKind() kind[Config] {
	return kind[Config]{typ: "hien", example: "main", manual: "The shop. There is exactly one, and its name is `main`. Nothing is asked of guests before the notice can name who asks: by the Vietnamese policies that takes `controller_name`, `controller_address`, `controller_tax_id` and `controller_contact`, a `recipient` as soon as there is a sink, and an `operator` or the sender's `carrier` where a sender of type webhook has the codes sent.", options: slices.Concat([]option[Config]{
		{name: "enabled", unset: "1", allowed: "1 or 0",
			manual: "Whether Hiên runs at all. With `0` it starts, says so and ends.",
			set:    func(c *Config, v string) bool { return setBool(&c.Enabled, v) }},
		{name: "safe_mode", unset: "1", allowed: "1 or 0",
			manual: "Whether three crashes within ten minutes lead to safe mode: then guests are greeted and let in, and nothing is asked, looked at or sent, until Hiên has run for ten minutes and is started again.",
			set:    func(c *Config, v string) bool { return setBool(&c.SafeMode, v) }},
		{name: "store_id", must: true, allowed: "1 to 32 of a-z, 0-9, - and _, beginning with a letter or digit",
			manual: "The shop's name for machines. It stands in the ledger and in everything that goes upstream, so do not change it once guests have come.",
			set:    func(c *Config, v string) bool { return setStoreID(&c.StoreID, v) }},
		{name: "store_name", allowed: textAllowed(64),
			manual: "The shop's name for people, on the portal's page. Without it `store_id` is shown.",
			set:    func(c *Config, v string) bool { return setText(&c.StoreName, v, 64) }},
		{name: "data_dir", unset: "/srv/hien", allowed: pathAllowed,
			manual: "The directory of the record: ledger, leads, visits and the queue. On flash or disk; it must outlive a power cut.",
			set:    func(c *Config, v string) bool { return setPath(&c.DataDir, v) }},
		{name: "run_dir", unset: "/var/run/hien", allowed: pathAllowed + ", of at most 90 bytes",
			manual: "The directory of the livebook and the control socket. On tmpfs; it may be lost in a power cut.",
			set:    func(c *Config, v string) bool { return setRunDir(&c.RunDir, v) }},
		{name: "brand_key_file", unset: "/etc/hien/brand.key", allowed: pathAllowed,
			manual: "The file of the brand key, as `hien keygen` makes it, mode 0600. The brand's shops share one. Behind the current key, each in a line of its own, may stand those that it has replaced: people who come back are found by either (docs/keys.md). It is needed as soon as a number is asked: that is, with a sender, in a zone with a purpose.",
			set:    func(c *Config, v string) bool { return setPath(&c.BrandKeyFile, v) }},
		{name: "seal_key", secret: true, allowed: "hien-seal-1: and 43 characters, as `hien keygen` prints it",
			manual: "The brand's public key (HPKE, X25519), under which numbers are sealed; the router cannot open them. It is needed by every purpose that must reach the person: `contact_zalo`, `contact_sms`, `ads_audience` and `share_partner:<id>`.",
			set:    func(c *Config, v string) bool { return setSealKey(&c.SealKey, v) }},
		{name: "backup_key", secret: true, allowed: "age1 and 58 characters, as `hien backup key` prints it, or a seal key",
			manual: "The public key to which `hien backup` seals the owner's backups; the router cannot open them. Either one made by `hien backup key` (any age key, age1…), or the same key as `seal_key`. Without it there are no backups.",
			set:    func(c *Config, v string) bool { return setBackupKey(&c.BackupKey, v) }},
		{name: "access_log", unset: "none", allowed: "none, minimal or vn_333",
			manual: "Whether the shop keeps a log of who was online and when, because a law makes it. `minimal`: device, addresses, beginning and end. `vn_333`: the router's own addresses and whether a number was proved as well. It is sealed under access_log_key, kept apart from everything else, and never holds a number, a destination or a name that was asked for; the notice says that it is kept. Ask a lawyer whether you must: docs/access-log.md.",
			set:    func(c *Config, v string) bool { return setOneOf(&c.AccessLog, v, "none", "minimal", "vn_333") }},
		{name: "access_log_key", secret: true, allowed: "hien-seal-1: and 43 characters, as `hien-unseal keygen --access-log` prints it",
			manual: "The public key under which the access log is sealed. It is another one than seal_key, and its private half is kept by the owner or the data-protection officer, not by marketing.",
			set:    func(c *Config, v string) bool { return setSealKey(&c.AccessLogKey, v) }},
		{name: "single_shop", unset: "0", allowed: "1 or 0",
			manual: "Whether this is the brand's only router. Then, and only then, it may hold the brand's keys with Zalo, eSMS or SpeedSMS: of several routers one can lock the others out, and whoever takes one has the keys.",
			set:    func(c *Config, v string) bool { return setBool(&c.SingleShop, v) }},
		{name: "codes_per_day", unset: "500", allowed: "a number from 1 to 10000",
			manual: "How many codes the shop sends within 24 hours; beyond that nothing is asked that needs one, and guests come in without. Each number and each device gets at most 3 in 15 minutes and 6 in 24 hours. When few of 50 codes come back, none is sent for an hour.",
			set:    func(c *Config, v string) bool { return setCount(&c.CodesPerDay, v, 1, 10_000) }},
		{name: "foreign_numbers", unset: "0", allowed: "1 or 0",
			manual: "Whether codes go to numbers outside of Vietnam too. They cost more, and strangers make shops send codes to numbers that pay them.",
			set:    func(c *Config, v string) bool { return setBool(&c.ForeignNumbers, v) }},
		{name: "firewall", unset: "auto", allowed: "auto, nftables or iptables",
			manual: "The packet filter that keeps the door. `auto` takes nftables where the kernel has it, else iptables with ipset.",
			set:    func(c *Config, v string) bool { return setOneOf(&c.Firewall, v, "auto", "nftables", "iptables") }},
		{name: "mark", unset: "0x01000000", allowed: "one bit of 32, as in 0x01000000, and none of mwan3's (0x3f00) or pbr's (0xff0000)", hint: markHint,
			manual: "The bit of a packet's mark that says that a guest's packet may pass. Change it if another program uses the same one.",
			set:    func(c *Config, v string) bool { return setMark(&c.Mark, v) }},
		{name: "uplink", list: true, allowed: interfaceAllowed + ", each once",
			manual: "An interface by which guests reach the internet: `wan`, `pppoe-wan`, `eth0.35`. They leave by no other. Without any, the interfaces of the default routes are taken, as they come and go.",
			set:    func(c *Config, v string) bool { return addInterface(&c.Uplinks, v) }},
		{name: "masquerade", unset: "0", allowed: "1 or 0",
			manual: "Whether Hiên gives guests' IPv4 packets the router's own address on their way out. On OpenWrt the wan zone does (`option masq '1'`); set it on a router where nothing does.",
			set:    func(c *Config, v string) bool { return setBool(&c.Masquerade, v) }},
		{name: "dns_upstream", list: true, unset: "127.0.0.1:53", allowed: "an address and a port, as in 127.0.0.1:53 or [::1]:53, each once",
			manual: "The router's own resolver, which answers what guests without a pass ask. Several are asked in this order.",
			set:    func(c *Config, v string) bool { return addUpstream(&c.DNSUpstream, v) }},
		{name: "dnsmasq_dir", allowed: pathAllowed,
			manual: "The directory from which dnsmasq reads more of its configuration (its `conf-dir`), for example `/tmp/dnsmasq.d`. Hiên keeps one file there: it gives the API's name its address and tells phones of the API (DHCP option 114, RFC 8910) for as long as the certificate is good. Without it phones are not told.",
			set:    func(c *Config, v string) bool { return setPath(&c.DnsmasqDir, v) }},
	}, policyOptions())}
}

// zoneKind is a guest network.
func zoneKind() kind[zone] {
	return kind[zone]{typ: "zone", example: "guest", manual: "One guest network. There is at least one; each has a name of at most 16 letters, digits and `_`, an interface and a portal_port of its own.", options: []option[zone]{
		{name: "interface", must: true, allowed: interfaceAllowed,
			manual: "The bridge, SSID or VLAN that the guests are on. It need not be there when Hiên starts.",
			set:    func(z *zone, v string) bool { return setInterface(&z.Interface, v) }},
		{name: "portal_port", unset: "2050", allowed: "a port from 1024 to 65535",
			manual: "The tcp port of the portal on the zone's addresses.",
			set:    func(z *zone, v string) bool { return setPort(&z.PortalPort, v) }},
		{name: "pass", unset: "4h", allowed: durationAllowed("1s", "24d"),
			manual: "How long a guest is online before the portal is shown again. The kernel counts it and can count no further than 24 days.",
			set:    func(z *zone, v string) bool { return setDuration(&z.Pass, v, minPass, maxPass) }},
		{name: "grace", unset: "5m", allowed: durationAllowed("1s", "15m") + "; 0 for none",
			manual: "How long a guest is online while its code travels, at most as long as a pass: an iPhone leaves the network when its portal is closed to look at a message, unless it is online by then, and a message in an app needs the internet. The portal then asks for the code again. Phones with Android keep the portal open beside other apps, and close it once they are online; they get no such time, and `code_garden` is for them. With `0` nobody gets it.",
			set:    func(z *zone, v string) bool { return setGrace(&z.Grace, v) }},
		{name: "visit_gap", unset: "30m", allowed: durationAllowed("5s", "24h"),
			manual: "A guest who was not seen for longer has left, and coming back is a new visit.",
			set:    func(z *zone, v string) bool { return setDuration(&z.VisitGap, v, minGap, maxGap) }},
		{name: "offer", allowed: textAllowed(200),
			manual: "What is offered to everybody who comes in, whether they give something or not. One or two sentences on the portal's page.",
			set:    func(z *zone, v string) bool { return setText(&z.Offer, v, 200) }},
		{name: "terms", allowed: textAllowed(400),
			manual: "The rules of the house for its WiFi, shown to everybody before they come in.",
			set:    func(z *zone, v string) bool { return setText(&z.Terms, v, 400) }},
		{name: "purpose", list: true, allowed: fmt.Sprintf("visit_frequency, contact_zalo, contact_sms, ads_audience, profile_extra or share_partner:<id>, each once, and at most %d partners, for whom the page has room", consent.MaxPartners),
			manual: "A use of data that is asked for on its own, with a box that is not ticked. `visit_frequency`: visits are counted. `contact_zalo`, `contact_sms`: the brand writes, by that way. `ads_audience`: the number may stand in audiences of social networks. `profile_extra`: what the person tells the staff may be noted; the portal itself asks for nothing more. `share_partner:<id>`: a partner, who is named so, gets the data. Without any, nothing is asked; nor while a fact is missing that the notice needs (`controller_name` and what follows it), or where there is no `sender`.",
			set:    addPurpose},
		{name: "children", unset: "0", allowed: "1 or 0",
			manual: "For a school, a play area, wherever most guests are children: nothing is asked of anybody there, whatever the purposes are. Elsewhere the first question is whether the guest is old enough, and those who are not are asked nothing more.",
			set:    func(z *zone, v string) bool { return setBool(&z.Children, v) }},
		{name: "idle", unset: "0", allowed: durationAllowed("1m", "24h") + "; 0 for never",
			manual: "A pass that carried nothing for so long ends, and the portal is shown again. A phone that sleeps carries little: give it 15m or more.",
			set:    func(z *zone, v string) bool { return setIdle(&z.Idle, v) }},
		{name: "volume", allowed: "a number of bytes from 1M to 1000G, as in 500M or 2G",
			manual: "What a pass carries, both directions together; who has used it up is told so, and comes in again when the pass would have ended. 1G is 1,000,000,000 bytes, as mobile plans count. Without it there is no limit.",
			set:    func(z *zone, v string) bool { return setAmount(&z.Volume, v, minVolume, maxVolume) }},
		{name: "down", allowed: speedAllowed,
			manual: "How fast each guest may download. It is counted for each address, and a phone has one of IPv4 and a few of IPv6. Without it there is no limit; so with the next three.",
			set:    func(z *zone, v string) bool { return setAmount(&z.Speed.Down, v, minSpeed, maxSpeed) }},
		{name: "up", allowed: speedAllowed,
			manual: "How fast each guest may upload.",
			set:    func(z *zone, v string) bool { return setAmount(&z.Speed.Up, v, minSpeed, maxSpeed) }},
		{name: "all_down", allowed: speedAllowed,
			manual: "How fast all guests of the zone together may download. Leave the shop's own devices their share of the line.",
			set:    func(z *zone, v string) bool { return setAmount(&z.AllSpeed.Down, v, minSpeed, maxSpeed) }},
		{name: "all_up", allowed: speedAllowed,
			manual: "How fast all guests of the zone together may upload.",
			set:    func(z *zone, v string) bool { return setAmount(&z.AllSpeed.Up, v, minSpeed, maxSpeed) }},
		{name: "trusted", list: true, secret: true, allowed: macAllowed,
			manual: "A device that is let in without the portal: a till, a printer, the owner's tablet. By its hardware address; a phone's is private to each network and may change, unless that is switched off on the phone for this one.",
			set:    func(z *zone, v string) bool { return addMAC(&z.Trusted, v) }},
		{name: "blocked", list: true, secret: true, allowed: macAllowed,
			manual: "A device that is not let in. It may come back under another address: phones can change theirs.",
			set:    func(z *zone, v string) bool { return addMAC(&z.Blocked, v) }},
		{name: "garden", list: true, allowed: gardenAllowed, hint: gardenHint,
			manual: "What is reached without a pass: a name, with everything beneath it (`example.com` is `www.example.com` too), an address (`192.0.2.7`, `2001:db8::7`) or a network (`192.0.2.0/24`, `2001:db8::/32`). A host at which phones look for the portal cannot be in it.",
			set:    func(z *zone, v string) bool { return addGarden(&z.Garden, v) }},
		{name: "garden_preset", list: true, allowed: words(dns.Presets()) + ", each once",
			manual: "A list of names that comes with Hiên, reached without a pass as if each stood here as `list garden`. `ocsp`: where phones ask whether a certificate still holds (RFC 8908 §4.1 wants that). `ntp`: time servers. `zalo`: the pages on which one logs in with Zalo. `zalo-app`: all of Zalo, which is more than everybody should have without a pass, and meant for `code_garden`. The files in internal/dns/presets say where each list is from and what else it opens.",
			set:    func(z *zone, v string) bool { return addPreset(&z.Garden, v) }},
		{name: "code_garden", list: true, allowed: "a name such as example.com, or a preset (" + words(dns.Presets()) + "), each once", hint: codeGardenHint,
			manual: "A name, with everything beneath it, or a preset of those above, that a guest reaches for some minutes while its code is on its way: for codes that come by an app.",
			set:    func(z *zone, v string) bool { return addCodeGarden(&z.CodeGarden, v) }},
		{name: "sniffer", unset: "1", allowed: "1 or 0",
			manual: "Whether Hiên looks at the DHCP, ARP and neighbour-discovery frames of guests to see who is here. With `0` only the kernel's own table of neighbours tells: visits are a little coarser, and the first connection from a new address of a guest may be refused once.",
			set:    func(z *zone, v string) bool { return setBool(&z.Sniffer, v) }},
		{name: "dns_port", unset: "2053", allowed: "a port from 1024 to 65535; 0 for none",
			manual: "The port, udp and tcp, of Hiên's own small resolver, to which the questions of guests without a pass are sent. It opens the garden's names and stops tunnels. With `0` they are answered by the router's resolver, and a garden has addresses and networks only.",
			set:    func(z *zone, v string) bool { return setPort(&z.DNSPort, v) || v == "0" }},
		{name: "api_name", allowed: "a host name in lowercase with a dot in it, of at most 200 characters, as in wifi.example.com", hint: nameHint,
			manual: "The name under which the portal and its API (RFC 8908) answer over TLS. Phones that are told of it show the portal at once. It needs a certificate that phones trust, so it must be a name of yours. Needs api_cert and api_key.",
			set:    func(z *zone, v string) bool { return setHostName(&z.API.Name, v) }},
		{name: "api_cert", allowed: pathAllowed,
			manual: "The file of the certificate for api_name (PEM), with those between it and the authority's. It is read again when it changes.",
			set:    func(z *zone, v string) bool { return setPath(&z.API.CertFile, v) }},
		{name: "api_key", secret: true, allowed: pathAllowed,
			manual: "The file of the certificate's private key (PEM), mode 0600.",
			set:    func(z *zone, v string) bool { return setPath(&z.API.KeyFile, v) }},
		{name: "api_port", unset: "2443", allowed: "a port from 1024 to 65535",
			manual: "The tcp port of the portal and its API over TLS, when there is an api_name.",
			set:    func(z *zone, v string) bool { return setPort(&z.API.Port, v) }},
	}}
}

// sinkKind is a receiver of events.
func sinkKind() kind[Sink] {
	return kind[Sink]{typ: "sink", example: "cdp", manual: "Where events go: the brand's customer-data platform. At most one; without it they wait in the queue.", options: []option[Sink]{
		{name: "type", must: true, allowed: "segment",
			manual: "The dialect. `segment` is the batch API that Segment, RudderStack and Jitsu understand.",
			set:    func(s *Sink, v string) bool { return setOneOf(&s.Type, v, "segment") }},
		{name: "url", must: true, secret: true, allowed: "an https address without user, query and fragment; http to this machine only",
			manual: "The address of the platform, for example `https://cdp.example:8443`.",
			set:    func(s *Sink, v string) bool { return setURL(&s.URL, v) }},
		{name: "ca_file", allowed: pathAllowed,
			manual: "The certificates (PEM) that the platform's certificate is checked against. Without it, the system's.",
			set:    func(s *Sink, v string) bool { return setPath(&s.CAFile, v) }},
		{name: "write_key", must: true, secret: true, allowed: "1 to 128 letters, digits and signs of ASCII without a colon or space",
			manual: "The platform's write key. A file that holds one should have mode 0640 or less.",
			set:    func(s *Sink, v string) bool { return setWriteKey(&s.WriteKey, v) }},
		{name: "erase_api", allowed: "segment or rudderstack",
			manual: "Whose deletion API is asked when a person has everything erased, beside the events that tell of it: `segment` for Segment's Public API (a regulation of type SUPPRESS_WITH_DELETE), `rudderstack` for RudderStack's User Suppression API (`suppress_with_delete`). An erasure waits at the head of the queue, and everything behind it, until the API has taken it. Segment is told as well when the person consents anew; at RudderStack somebody has to cancel the suppression by hand then. Needs erase_token.",
			set:    func(s *Sink, v string) bool { return setOneOf(&s.EraseAPI, v, "segment", "rudderstack") }},
		{name: "erase_url", secret: true, allowed: "an https address without user, query and fragment; http to this machine only",
			manual: "The address of the deletion API, if it is not the one of its own in the United States: `https://eu1.api.segmentapis.com` or `https://api.eu.rudderstack.com`, for example.",
			set:    func(s *Sink, v string) bool { return setURL(&s.EraseURL, v) }},
		{name: "erase_token", secret: true, allowed: "1 to 512 letters, digits and signs of ASCII without a space",
			manual: "The token of the deletion API. It may do more than the write key, so give it no right but this one where the platform can; a file that holds one should have mode 0640 or less.",
			set:    func(s *Sink, v string) bool { s.EraseToken = NewSecret(v); return len(v) <= 512 && ascii(v) }},
	}}
}
