package setup

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/hien-wifi/hien/consent"
)

// A Plan is what is to be done to a router.
type Plan struct {
	Changes []Change // file by file
	Device  string   // where the guests will be
	Notes   []Note   // what the owner should know, and may have to do
}

// unmadeSeal stands for a seal key that is made when the changes are.
const unmadeSeal = "hien-seal-1:(made when this is carried out)"

// Plan says what makes the router what the owner wants. A [Refusal], or
// uci.Errors, says why nothing can be done.
func (r *Router) Plan(a Answers) (*Plan, error) {
	trees, err := r.trees()
	if err != nil {
		return nil, err
	}
	if len(r.Unsaved) > 0 {
		return nil, refuse(unsaved, strings.Join(r.Unsaved, ", "), r.Unsaved[0])
	}
	pl := &planner{Router: r, trees: trees, Answers: a}
	if err := pl.answers(); err != nil {
		return nil, err
	}
	if r.OpenWrt {
		err = pl.router()
	} else {
		err = pl.plain()
	}
	if err != nil {
		return nil, err
	}
	if err := pl.hien(); err != nil {
		return nil, err
	}
	p := &Plan{Device: pl.device, Notes: pl.notes}
	files := []string{hienFile}
	if r.OpenWrt {
		files = append(slices.Clone(routerFiles), hienFile)
	}
	for _, file := range files {
		p.Changes = append(p.Changes, stale(file, trees[file], pl.wishes)...)
		for _, w := range pl.wishes {
			if w.file != file {
				continue
			}
			changes, err := w.changes(trees[file])
			if err != nil {
				return nil, refuse(takenName, file, w.section, trees[file].named(w.section).typ)
			}
			p.Changes = append(p.Changes, changes...)
		}
	}
	return p, nil
}

// A planner gathers what is wished.
type planner struct {
	*Router
	Answers
	trees  map[string]tree
	wishes []wish
	notes  []Note

	device string   // where the guests are
	iface  string   // the same as a section of /etc/config/network
	zone   string   // the firewall's name for it
	on     *network // an existing network; nil for one of their own
}

func (p *planner) wish(file, section, typ string, options ...wished) {
	p.wishes = append(p.wishes, wish{file, section, typ, options})
}

func (p *planner) note(n Phrase, args ...any) { p.notes = append(p.notes, Note{n, args}) }

// answers holds the owner's wishes against what is allowed.
func (p *planner) answers() error {
	if err := checkName(p.StoreName); err != nil {
		return err
	}
	if err := checkID(p.StoreID); err != nil {
		return err
	}
	if had := shop(p.trees[hienFile]).get("store_id"); had != "" && had != p.StoreID && had != packagedID {
		p.note(otherID, had)
	}
	if p.SealKey != "" {
		if err := checkSealKey(p.SealKey); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(p.Purposes, consent.Purpose.Reaches) && p.SealKey == "" && !p.NewSeal {
		return refuse(noSealKey)
	}
	return nil
}

// plain is for a machine without OpenWrt's files: addresses, DHCP and the
// firewall are its owner's.
func (p *planner) plain() error {
	if p.Interface == "" {
		return refuse(noInterface, p.links())
	}
	p.device = p.Interface
	if len(p.Links) > 0 && !slices.Contains(p.Links, p.Interface) {
		p.note(noSuchLink, p.Interface)
	}
	p.note(plainNeeds, p.Interface)
	return nil
}

// router is for OpenWrt.
func (p *planner) router() error {
	if p.Files[networkFile] == nil || p.Files[firewallFile] == nil || p.Files[dhcpFile] == nil {
		return refuse(noRouter)
	}
	wan, err := p.wan()
	if err != nil {
		return err
	}
	if p.Interface == "" {
		err = p.ownNetwork(wan)
	} else {
		err = p.existing(wan)
	}
	if err != nil {
		return err
	}
	p.secondGate()
	p.inputRules()
	return p.wifi()
}

// wan is the firewall's zone by which the internet is reached.
func (p *planner) wan() (string, error) {
	var hiding []string // zones that hide others behind the router's address
	zones := p.trees[firewallFile].of("zone")
	for _, fits := range []func(z *section) bool{
		func(z *section) bool { return z.get("name") == "wan" },
		func(z *section) bool { return slices.Contains(z.words("network"), "wan") },
	} {
		if i := slices.IndexFunc(zones, fits); i >= 0 && zones[i].get("name") != "" {
			return zones[i].get("name"), nil
		}
	}
	for _, z := range zones {
		if z.on("masq") && z.get("name") != "" {
			hiding = append(hiding, z.get("name"))
		}
	}
	if len(hiding) != 1 {
		return "", refuse(noWAN)
	}
	return hiding[0], nil
}

// ownNetwork makes a bridge, an address, DHCP and a firewall zone for guests.
func (p *planner) ownNetwork(wan string) error {
	if err := p.checkNetwork(p.trees, p.Network); err != nil {
		return err
	}
	p.device, p.iface, p.zone = p.deviceOf(p.trees), guest, guestZone
	if err := p.bridgeFree(); err != nil {
		return err
	}
	legacy := old(p.trees[networkFile])
	options := []wished{is("proto", "static")}
	if legacy {
		options = append(options, is("type", "bridge"), is("bridge_empty", "1"), is("device", ""))
	} else {
		p.wish(networkFile, guestDevice, "device", is("type", "bridge"), is("name", p.device), is("bridge_empty", "1"))
		options = append(options, is("device", p.device), is("type", ""), is("bridge_empty", ""))
	}
	options = append(options, is("ipaddr", p.Network.Addr().String()), is("netmask", mask(p.Network)), is("ip6assign", "64"))
	p.wish(networkFile, guest, "interface", options...)
	p.pool(p.Network)
	p.ownZone(wan)
	return nil
}

// bridgeFree holds that nobody else has our bridge's name.
func (p *planner) bridgeFree() error {
	made := p.trees[networkFile].named(guest) != nil
	for _, s := range p.trees[networkFile].of("device") {
		if s.get("name") == p.device && s.name != guestDevice {
			return refuse(takenBridge, p.device)
		}
	}
	for _, n := range networks(p.trees) {
		if n.device == p.device {
			return refuse(takenBridge, p.device)
		}
	}
	if slices.Contains(p.Links, p.device) && !made {
		return refuse(takenBridge, p.device)
	}
	for _, z := range p.trees[firewallFile].of("zone") {
		if z.name != guest && (z.get("name") == guestZone || slices.Contains(z.words("network"), guest)) {
			return refuse(takenZone, guestZone)
		}
	}
	for _, d := range p.trees[dhcpFile].of("dhcp") {
		if d.name != guest && d.get("interface") == guest {
			return refuse(takenPool, guest)
		}
	}
	return nil
}

// existing takes a network that the owner has made. What of it is lacking for
// guests is added beside it.
func (p *planner) existing(wan string) error {
	n, err := existing(p.trees, p.Interface)
	if err != nil {
		return err
	}
	p.on, p.device, p.iface = n, n.device, n.name
	pools := slices.DeleteFunc(p.trees[dhcpFile].of("dhcp"), func(s *section) bool { return s.name == guest || s.get("interface") != n.name })
	if len(pools) == 0 {
		p.pool(n.address[0])
	} else if pools[0].on("ignore") {
		p.note(noPool, p.device)
	}
	for _, s := range p.trees[wirelessFile].of("wifi-iface") {
		if !ours(wirelessFile, s.name, s.typ) && slices.Contains(s.words("network"), n.name) && !s.on("isolate") && !s.on("disabled") {
			p.note(notIsolated, s.get("ssid"))
		}
	}
	if n.zone == nil {
		p.zone = guestZone
		p.ownZone(wan)
		return nil
	}
	p.zone = n.zone.get("name")
	if n.zone.get("input") == "ACCEPT" {
		p.note(zoneOpen, p.zone)
	}
	leaves := slices.ContainsFunc(p.trees[firewallFile].of("forwarding"), func(s *section) bool {
		return s.name != toWAN && s.get("src") == p.zone && s.get("dest") == wan
	})
	if !leaves {
		p.wish(firewallFile, toWAN, "forwarding", is("src", p.zone), is("dest", wan))
	}
	return nil
}

// existing is a network that the owner has made, by the kernel's name or its
// own.
func existing(trees map[string]tree, name string) (*network, error) {
	all := networks(trees)
	i := slices.IndexFunc(all, func(n network) bool { return n.device == name || n.name == name })
	if i < 0 || all[i].device == "" || len(all[i].address) == 0 {
		if i >= 0 && all[i].unfit(trees) != nil {
			return nil, all[i].unfit(trees)
		}
		var names []string
		for _, n := range guestNetworks(trees) {
			names = append(names, n.device)
		}
		return nil, refuse(noSuchNetwork, name, cmp.Or(strings.Join(names, ", "), "-"))
	}
	return &all[i], all[i].unfit(trees)
}

// mask is a network's, as an address.
func mask(n netip.Prefix) string {
	var four [4]byte
	for i := range n.Bits() {
		four[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(four).String()
}
