package setup

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// Answers are what the owner wants.
type Answers struct {
	StoreName string
	StoreID   string
	// Interface is an existing network's interface that the guests are on, by
	// the kernel's name; empty for a network of their own.
	Interface  string
	Network    netip.Prefix // the router's address in a network of their own
	SSID       string       // of the guests' WiFi; empty: none is made
	Radios     []string     // on which it is
	OWE        bool         // it is encrypted for phones that can do so without a password
	Purposes   []consent.Purpose
	Facts      map[consent.Fact]string // about who answers for the data; without those the policy needs nothing is asked
	SealKey    string                  // of the brand; empty: that of the configuration, or see NewSeal
	NewSeal    bool                    // a pair is made when the changes are
	Sender     string                  // of codes: "staff", "log", or empty for none
	Masquerade bool                    // the guests share the router's own address; without OpenWrt only
}

// MaxSSID is the longest name of a WiFi, in bytes (IEEE 802.11-2020 §9.4.2.2).
const MaxSSID = 32

// What the package's own configuration says: it names a zone, and has an id
// that is nobody's.
const (
	zoneName   = "guest"
	packagedID = "shop"
)

// facts are what the owner is asked about the controller, with the length that
// the configuration has room for, in characters. The flag is the option with
// hyphens.
var facts = []struct {
	consent.Fact
	most     int
	question Phrase
	about    string
}{
	{consent.FactName, 120, askController, "who answers for guests' data: the `NAME` as registered, or none"},
	{consent.FactAddress, 200, askAddress, "the postal `ADDRESS` of whoever answers for guests' data, or none"},
	{consent.FactTaxID, 32, askTaxID, "the tax `ID` of whoever answers for guests' data, or none"},
	{consent.FactContact, 120, askContact, "the mail `ADDRESS` or telephone for guests' questions, or none"},
}

// checkFact holds that the configuration can say it.
func checkFact(flag, text string, most int) error {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > most || strings.ContainsFunc(text, unprinted) {
		return refuse(badFact, flag, most)
	}
	return nil
}

// zoneFor is the zone section of the configuration that guests on device are
// in: the one that has it, else the one that is called guest, else the only
// one.
func zoneFor(t tree, device string) (name string, err error) {
	zones := t.of("zone")
	for _, z := range zones {
		if z.get("interface") == device && device != "" {
			return z.name, nil
		}
	}
	switch {
	case t.named(zoneName) != nil, len(zones) == 0:
		return zoneName, nil
	case len(zones) == 1:
		return zones[0].name, nil
	}
	return "", refuse(manyZones)
}

// shop is the section about the shop; nil without one.
func shop(t tree) *section { return t.named("main") }

// Propose is what the router's files make of an owner's wishes before there
// are any: what was set before, else what fits most shops.
func (r *Router) Propose() (a Answers, err error) {
	trees, err := r.trees()
	if err != nil {
		return Answers{}, err
	}
	main := shop(trees[hienFile])
	a.StoreName, a.StoreID, a.SealKey = main.get("store_name"), main.get("store_id"), main.get("seal_key")
	if a.StoreID == packagedID && main.get("enabled") == "0" {
		a.StoreID = ""
	}
	a.Facts = make(map[consent.Fact]string)
	for _, f := range facts {
		a.Facts[f.Fact] = main.get(string(f.Fact))
	}
	a.Masquerade = !r.OpenWrt
	if main.get("masquerade") != "" {
		a.Masquerade = main.on("masquerade")
	}
	if sender := trees[hienFile].of("sender"); len(sender) > 0 {
		a.Sender = sender[0].get("type")
	}
	device := r.deviceOf(trees)
	zone, err := zoneFor(trees[hienFile], device)
	if err != nil {
		return Answers{}, err
	}
	z := trees[hienFile].named(zone)
	for _, word := range z.words("purpose") {
		if p, err := consent.ParsePurpose(word); err == nil {
			a.Purposes = append(a.Purposes, p)
		}
	}
	if on := z.get("interface"); on != device && slices.ContainsFunc(guestNetworks(trees), func(n network) bool { return n.device == on }) {
		a.Interface = on
	}
	if !r.OpenWrt {
		a.Interface = z.get("interface")
		return a, nil
	}
	a.Network = r.proposeNetwork(trees)
	a.proposeWiFi(trees, r)
	return a, nil
}

// proposeWiFi has what is there, else nothing on each radio.
func (a *Answers) proposeWiFi(trees map[string]tree, r *Router) {
	for _, radio := range trees[wirelessFile].radios() {
		s := trees[wirelessFile].named(radioPrefix + radio.Name)
		if s == nil {
			continue
		}
		a.SSID = s.get("ssid")
		a.Radios = append(a.Radios, radio.Name)
		twin := trees[wirelessFile].named(owePrefix + radio.Name)
		a.OWE = a.OWE || r.CanOWE && twin != nil && !twin.on("disabled")
	}
	if len(a.Radios) == 0 {
		for _, radio := range trees[wirelessFile].radios() {
			a.Radios = append(a.Radios, radio.Name)
		}
	}
}

// deviceOf is the kernel's name of our own bridge, in the way in which this
// router's netifd makes bridges.
func (r *Router) deviceOf(trees map[string]tree) string {
	if old(trees[networkFile]) {
		return "br-" + guest
	}
	return guestBridge
}

// old reports whether bridges are made by interface sections, as they were
// before 21.02, and not by device sections of their own.
func old(network tree) bool {
	if slices.ContainsFunc(network.of("device"), func(s *section) bool { return s.get("type") == "bridge" }) {
		return false
	}
	return slices.ContainsFunc(network.of("interface"), func(s *section) bool {
		return s.get("type") == "bridge" || s.get("ifname") != "" && s.get("device") == ""
	})
}

// guestNetworks are the networks that could be one of guests: neither the
// shop's own nor a way to the internet.
func guestNetworks(trees map[string]tree) (all []network) {
	for _, n := range networks(trees) {
		if n.device != "" && len(n.address) > 0 && n.unfit(trees) == nil {
			all = append(all, n)
		}
	}
	return all
}

// unfit says why guests cannot be in a network. One that is the shop's own is
// never touched.
func (n network) unfit(trees map[string]tree) error {
	switch z := n.zone; {
	case n.name == "lan", n.name == "loopback", n.device == "lo", z != nil && z.get("name") == "lan":
		return refuse(shopsOwn, n.device)
	case z != nil && (z.on("masq") || z.get("name") == "wan"):
		return refuse(isUplink, n.device)
	case z != nil && len(z.words("network")) > 1:
		return refuse(sharedZone, n.device, z.get("name"), strings.Join(z.words("network"), ", "))
	}
	for _, other := range networks(trees) {
		if other.name == "lan" && other.device == n.device {
			return refuse(shopsOwn, n.device)
		}
	}
	return nil
}

// proposals are the router's addresses in networks for 4,094 guests that are
// seldom used by providers' modems and companies; those that a flashed image
// tries come first.
func proposals() (all []netip.Prefix) {
	of := func(a, b, c byte) { all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, 1}), 20)) }
	for _, b := range []byte{77, 78, 79, 177} {
		of(10, b, 0)
	}
	of(172, 29, 0)
	of(172, 30, 0)
	of(192, 168, 208)
	for b := byte(80); b < 250; b++ {
		of(10, b, 0)
	}
	for b := byte(16); b < 32; b++ {
		of(172, b, 64)
	}
	return all
}

// proposeNetwork is the one that our interface has, or the first that is free;
// zero when there is none.
func (r *Router) proposeNetwork(trees map[string]tree) netip.Prefix {
	if s := trees[networkFile].named(guest); s != nil {
		if all := addresses(s); len(all) > 0 {
			return all[0]
		}
	}
	taken := r.taken(trees)
	for _, p := range proposals() {
		if !slices.ContainsFunc(taken, p.Overlaps) {
			return p
		}
	}
	return netip.Prefix{}
}

// private are the networks of RFC 1918 §3 and RFC 6598 §7.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
}

// The sizes of a guests' network: 13 to 65,533 guests.
const (
	mostBits  = 28
	leastBits = 16
)

// checkNetwork holds that guests can have a network.
func (r *Router) checkNetwork(trees map[string]tree, p netip.Prefix) error {
	if !p.IsValid() {
		return refuse(noNetwork)
	}
	inside := func(n netip.Prefix) bool { return n.Contains(p.Addr()) && n.Bits() <= p.Bits() }
	first := p.Masked().Addr()
	if !p.Addr().Is4() || p.Bits() > mostBits || p.Bits() < leastBits || !slices.ContainsFunc(private, inside) ||
		p.Addr() == first || !p.Contains(p.Addr().Next()) {
		return refuse(badNetwork, p)
	}
	for _, t := range r.taken(trees) {
		if t.Overlaps(p) {
			return refuse(takenNetwork, p.Masked(), t.Masked())
		}
	}
	return nil
}

// checkSSID holds that a WiFi can have a name, and that the shop's own has
// another.
func checkSSID(trees map[string]tree, ssid string) error {
	if ssid == "" || len(ssid) > MaxSSID || !utf8.ValidString(ssid) || strings.TrimSpace(ssid) != ssid || strings.ContainsFunc(ssid, unprinted) {
		return refuse(badSSID, MaxSSID)
	}
	for _, s := range trees[wirelessFile].of("wifi-iface") {
		if !ours(wirelessFile, s.name, s.typ) && s.get("ssid") == ssid && !s.on("disabled") {
			return refuse(takenSSID, ssid)
		}
	}
	return nil
}

// unprinted are the characters that no name has: controls, and those that turn
// the direction of text.
func unprinted(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// checkName holds that a shop can have a name, as the configuration wants it.
func checkName(name string) error {
	if strings.TrimSpace(name) == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > 64 || strings.ContainsFunc(name, unprinted) {
		return refuse(badName)
	}
	return nil
}

// checkID holds that a shop can have an id, as the configuration wants it.
func checkID(id string) error {
	if id == "" || len(id) > 32 || id[0] == '-' || id[0] == '_' || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return refuse(badID)
	}
	return nil
}

// checkStaff holds that a till's code is enough: it proves no number, so that
// nothing may be asked for that must reach the person.
func checkStaff(a Answers) error {
	if a.Sender == "staff" && slices.ContainsFunc(a.Purposes, consent.Purpose.Reaches) {
		return refuse(staffReaches)
	}
	return nil
}

// checkSealKey holds that a key is one that `hien keygen` has printed.
func checkSealKey(text string) error {
	if _, err := hien.ParseSealKey(text); err != nil {
		return refuse(badSealKey)
	}
	return nil
}

// ProposeID makes an id of a shop's name: "Quán Hiên" becomes "quan-hien".
func ProposeID(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		r = bare(r)
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-") && !mark(r):
			b.WriteByte('-')
		}
	}
	id := b.String()
	return strings.Trim(id[:min(len(id), 32)], "-")
}

// mark reports whether a character only belongs to the one before it.
func mark(r rune) bool { return unicode.Is(unicode.Mn, r) }

// letters are those of Vietnamese, by what they are without their marks.
var letters = map[rune]string{
	'a': "àáảãạăằắẳẵặâầấẩẫậ", 'd': "đ", 'e': "èéẻẽẹêềếểễệ", 'i': "ìíỉĩị",
	'o': "òóỏõọôồốổỗộơờớởỡợ", 'u': "ùúủũụưừứửữự", 'y': "ỳýỷỹỵ",
}

// bare is a letter without its marks.
func bare(r rune) rune {
	for base, all := range letters {
		if strings.ContainsRune(all, r) {
			return base
		}
	}
	return r
}
