package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hien-wifi/hien/internal/uci"
)

// A Router is what there is to know of a machine before it is set up.
type Router struct {
	OpenWrt  bool              // it has OpenWrt's files; else only /etc/config/hien is written
	FW4      bool              // its firewall is OpenWrt's of nftables; else the one of iptables
	Systemd  bool              // systemd starts its services
	CanOWE   bool              // its WiFi can be encrypted without a password
	Files    map[string][]byte // the texts of /etc/config, by file; those that are there
	Unsaved  []string          // files that have changes which somebody has not committed
	Links    []string          // its network interfaces
	Networks []netip.Prefix    // those in which it has an address, but for our own bridge's
}

// ReadRouter looks at the machine whose files stand under root: "" for this
// one, of which the network interfaces are looked at too. hien is the file of
// Hiên's own configuration.
func ReadRouter(root, hien string) (*Router, error) {
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join("/", root, name))
		return err == nil
	}
	r := &Router{
		OpenWrt: there("etc/openwrt_release"),
		FW4:     there("sbin/fw4"),
		Systemd: there("run/systemd/system"),
		Files:   make(map[string][]byte),
	}
	files := []string{hienFile}
	if r.OpenWrt {
		files = append(files, routerFiles...)
	}
	for _, file := range files {
		path := filepath.Join("/", root, "etc/config", file)
		if file == hienFile {
			path = hien
		}
		text, err := readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r.Files[file] = text
		// libuci keeps what `uci set` has changed here until `uci commit`.
		if info, err := os.Stat(filepath.Join("/", root, "tmp/.uci", file)); err == nil && info.Size() > 0 {
			r.Unsaved = append(r.Unsaved, file)
		}
	}
	if root != "" {
		return r, nil
	}
	return r, r.look()
}

// look finds the network interfaces of this machine.
func (r *Router) look() error {
	links, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("look for network interfaces: %w", err)
	}
	for _, l := range links {
		r.Links = append(r.Links, l.Name)
		addresses, err := l.Addrs()
		if err != nil || l.Name == guestBridge || l.Name == "br-"+guest {
			continue // it has gone meanwhile, or is ours
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() {
				r.Networks = append(r.Networks, p.Masked())
			}
		}
	}
	slices.Sort(r.Links)
	return nil
}

// links are the network interfaces that guests could be on, for people.
func (r *Router) links() string {
	all := slices.DeleteFunc(slices.Clone(r.Links), func(name string) bool { return name == "lo" })
	return strings.Join(all, ", ")
}

// readFile reads a configuration file; none is larger than uci reads.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > uci.MaxSize {
		err = fmt.Errorf("it is larger than %d bytes", uci.MaxSize)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}

// trees are the parsed files.
func (r *Router) trees() (map[string]tree, error) {
	all := make(map[string]tree)
	for _, file := range append([]string{hienFile}, routerFiles...) {
		t, err := parse("/etc/config/"+file, r.Files[file])
		if err != nil {
			return nil, refuse(unreadable, file, err)
		}
		all[file] = t
	}
	return all, nil
}

// A Radio is a WiFi device of the router.
type Radio struct {
	Name string // "radio0"
	Band string // "2.4 GHz"; empty when the file does not say
	Off  bool   // the owner has switched it off
}

func (r Radio) String() string {
	if r.Band == "" {
		return r.Name
	}
	return r.Name + " (" + r.Band + ")"
}

func (t tree) radios() (all []Radio) {
	for _, s := range t.of("wifi-device") {
		if s.name == "" {
			continue
		}
		radio := Radio{Name: s.name, Off: s.on("disabled")}
		band, mode := s.get("band"), s.get("hwmode")
		switch { // band came with 21.02
		case band != "":
			radio.Band = map[string]string{"2g": "2.4 GHz", "5g": "5 GHz", "6g": "6 GHz", "60g": "60 GHz"}[band]
		case strings.HasSuffix(mode, "a"):
			radio.Band = "5 GHz"
		case strings.HasSuffix(mode, "g"), strings.HasSuffix(mode, "b"):
			radio.Band = "2.4 GHz"
		}
		all = append(all, radio)
	}
	return all
}

// A network is an interface section of /etc/config/network.
type network struct {
	name    string         // "guest"
	device  string         // "br-guest"; empty when the file does not say
	address []netip.Prefix // of the router in it, IPv4
	zone    *section       // of the firewall; nil without one
}

// networks are all interface sections but our own.
func networks(trees map[string]tree) (all []network) {
	for _, s := range trees[networkFile].of("interface") {
		if s.name == "" || s.name == guest {
			continue
		}
		n := network{name: s.name, device: device(s), address: addresses(s)}
		for _, z := range trees[firewallFile].of("zone") {
			if z.name != guest && slices.Contains(z.words("network"), s.name) {
				n.zone = z
			}
		}
		all = append(all, n)
	}
	return all
}

// device is the kernel's name for an interface section, as far as the file
// says: option device since 21.02, and option ifname, from which netifd made
// a bridge of its own, before.
func device(s *section) string {
	first := func(option string) string {
		if all := s.words(option); len(all) > 0 && !strings.HasPrefix(all[0], "@") {
			return all[0]
		}
		return ""
	}
	switch {
	case s.get("type") == "bridge":
		return "br-" + s.name
	case s.get("proto") != "static" && s.get("proto") != "dhcp" && s.get("proto") != "none":
		return ""
	case first("device") != "":
		return first("device")
	}
	return first("ifname")
}

// addresses are the router's own in an interface section: "192.168.1.1" with a
// netmask, or "192.168.1.1/24", one or several.
func addresses(s *section) (all []netip.Prefix) {
	for _, word := range s.words("ipaddr") {
		if p, ok := prefix(word, s.get("netmask")); ok {
			all = append(all, p)
		}
	}
	return all
}

// prefix reads an IPv4 address with its network: the mask stands behind a
// slash, or for itself.
func prefix(word, mask string) (netip.Prefix, bool) {
	address, bits, slash := strings.Cut(word, "/")
	if !slash {
		bits = mask
	}
	a, err := netip.ParseAddr(address)
	if err != nil || !a.Is4() {
		return netip.Prefix{}, false
	}
	if m, err := netip.ParseAddr(bits); err == nil && m.Is4() {
		four := m.As4()
		ones, size := net.IPMask(four[:]).Size()
		return netip.PrefixFrom(a, ones), size == 32
	}
	p, err := netip.ParsePrefix(address + "/" + bits)
	return p, err == nil
}

// widest is the shortest prefix that counts as a network of the router: what
// is shorter is a way to everywhere.
const widest = 8

// taken are the IPv4 networks that guests cannot have: those of the files, of
// the routes and tunnels in them, and those in which the router has an address.
func (r *Router) taken(trees map[string]tree) (all []netip.Prefix) {
	all = slices.Clone(r.Networks)
	for _, n := range networks(trees) {
		all = append(all, n.address...)
	}
	for _, s := range trees[networkFile] {
		for _, word := range s.words("addresses") { // of a WireGuard interface
			if p, ok := prefix(word, "32"); ok {
				all = append(all, p)
			}
		}
		if s.typ == "route" {
			if p, ok := prefix(s.get("target"), s.get("netmask")); ok {
				all = append(all, p)
			}
		}
		for _, word := range s.words("allowed_ips") { // of a WireGuard peer
			if p, ok := prefix(word, "32"); ok {
				all = append(all, p)
			}
		}
	}
	return slices.DeleteFunc(all, func(p netip.Prefix) bool { return p.Bits() < widest || p.Addr().IsLoopback() })
}
