package config

import (
	"github.com/hien-wifi/hien"
)

// An option is one row of the table of all options: how it is read and what
// the manual says of it. T is what its section becomes.
type option[T any] struct {
	name    string
	list    bool                                       // written as "list", any number of times
	must    bool                                       // there is no default, and it is needed
	unset   string                                     // the default, as one would write it; empty: none
	allowed string                                     // completes "want …"
	manual  string                                     // what it means, for the owner
	secret  bool                                       // errors do not repeat the value: it is a secret, or may hold one by mistake
	set     func(section *T, value string) (fine bool) // called with non-empty values only
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
	return kind[Config]{typ: "hien", example: "main", manual: "The shop. There is exactly one, and its name is `main`.", options: []option[Config]{
		{name: "enabled", unset: "1", allowed: "1 or 0",
			manual: "Whether Hiên runs at all. With `0` it starts, says so and ends.",
			set:    func(c *Config, v string) bool { return setBool(&c.Enabled, v) }},
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
			manual: "The file of the brand key, as `hien keygen` makes it, mode 0600. The brand's shops share one. It is needed as soon as a number is asked: that is, with a sender, in a zone with a purpose.",
			set:    func(c *Config, v string) bool { return setPath(&c.BrandKeyFile, v) }},
		{name: "seal_key", secret: true, allowed: "hien-seal-1: and 43 characters, as `hien keygen` prints it",
			manual: "The brand's public key (HPKE, X25519), under which numbers are sealed; the router cannot open them. It is needed by every purpose that must reach the person: `contact_zalo`, `contact_sms`, `ads_audience` and `share_partner:<id>`.",
			set:    func(c *Config, v string) bool { return setSealKey(&c.SealKey, v) }},
	}}
}

// zoneKind is a guest network.
func zoneKind() kind[hien.Zone] {
	return kind[hien.Zone]{typ: "zone", example: "guest", manual: "One guest network. There is at least one; each has a name of at most 16 letters, digits and `_`, and an interface and a port of its own.", options: []option[hien.Zone]{
		{name: "interface", must: true, allowed: "the name of a network interface, at most 15 letters, digits, '.', '_' and '-'",
			manual: "The bridge, SSID or VLAN that the guests are on. It need not be there when Hiên starts.",
			set:    func(z *hien.Zone, v string) bool { return setInterface(&z.Interface, v) }},
		{name: "portal_port", unset: "2050", allowed: "a port from 1024 to 65535",
			manual: "The tcp port of the portal on the zone's addresses.",
			set:    func(z *hien.Zone, v string) bool { return setPort(&z.PortalPort, v) }},
		{name: "pass", unset: "4h", allowed: durationAllowed("1s", "24d"),
			manual: "How long a guest is online before the portal is shown again. The kernel counts it and can count no further than 24 days.",
			set:    func(z *hien.Zone, v string) bool { return setDuration(&z.Pass, v, minPass, maxPass) }},
		{name: "visit_gap", unset: "30m", allowed: durationAllowed("5s", "24h"),
			manual: "A guest who was not seen for longer has left, and coming back is a new visit.",
			set:    func(z *hien.Zone, v string) bool { return setDuration(&z.VisitGap, v, minGap, maxGap) }},
		{name: "offer", allowed: textAllowed(200),
			manual: "What is offered to everybody who comes in, whether they give something or not. One or two sentences on the portal's page.",
			set:    func(z *hien.Zone, v string) bool { return setText(&z.Offer, v, 200) }},
		{name: "purpose", list: true, allowed: "visit_frequency, contact_zalo, contact_sms, ads_audience, profile_extra or share_partner:<id>, each once",
			manual: "A use of data that is asked for on its own, with a box that is not ticked. Without any, nothing is asked.",
			set:    addPurpose},
	}}
}

// senderKind is the carrier of codes.
func senderKind() kind[Sender] {
	return kind[Sender]{typ: "sender", example: "code", manual: "How a one-time code reaches a guest's phone. At most one. Without it no number is asked, and the portal greets and lets in.", options: []option[Sender]{
		{name: "type", must: true, allowed: "log",
			manual: "`log` writes the code and the guest's masked MAC into the system's log: for trials only, since it proves no number.",
			set:    func(s *Sender, v string) bool { return setOneOf(&s.Type, v, "log") }},
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
			manual: "The platform's write key. A file that holds one should have mode 0600.",
			set:    func(s *Sink, v string) bool { return setWriteKey(&s.WriteKey, v) }},
	}}
}
