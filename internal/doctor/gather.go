package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hien-wifi/hien/internal/uci"
)

// Files are where the doctor reads. The zero Files are the places of OpenWrt
// and of Debian on this machine.
type Files struct {
	Root        string   // instead of /
	Leases      []string // dnsmasq's leases; several are read if they are there
	DnsmasqConf []string // may hold patterns
}

var (
	usualLeases  = []string{"/tmp/dhcp.leases", "/var/lib/misc/dnsmasq.leases", "/var/lib/dnsmasq/dnsmasq.leases"}
	usualDnsmasq = []string{"/etc/dnsmasq.conf", "/etc/dnsmasq.d/*.conf", "/var/etc/dnsmasq.conf*", "/tmp/dnsmasq.d/*.conf"}
)

// sysctls are the values that are looked at, beside those of each zone's
// interface.
var sysctls = []string{
	"ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/conf/all/rp_filter",
	"ipv4/neigh/default/gc_thresh3", "ipv6/neigh/default/gc_thresh3",
	"netfilter/nf_conntrack_count", "netfilter/nf_conntrack_max",
	"bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables",
}

// maxFile is the most that is read of a file.
const maxFile = 4 << 20

// gather reads the facts: the kernel's by netlink, in the namespace of the
// calling thread, the others from files.
func gather(h House, f Files, now time.Time) (*System, error) {
	s := &System{House: h, Now: now, Sysctl: make(map[string]int)}
	if err := s.askKernel(); err != nil {
		return nil, err
	}
	if err := s.readFiles(f); err != nil {
		return nil, err
	}
	return s, nil
}

// readFiles needs the links' addresses already.
func (s *System) readFiles(f Files) error {
	for _, name := range s.sysctlNames() {
		text, err := os.ReadFile(filepath.Join(f.Root, "/proc/sys/net", name))
		if err != nil {
			continue // not in this kernel, or not in this namespace
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			s.Sysctl[name] = n
		}
	}
	for _, name := range []string{"/proc/thread-self/net/ip_tables_names", "/proc/thread-self/net/ip6_tables_names"} {
		text, err := os.ReadFile(filepath.Join(f.Root, name))
		if err != nil {
			continue
		}
		for _, table := range strings.Fields(string(text)) {
			if !slices.Contains(s.Legacy, table) {
				s.Legacy = append(s.Legacy, table)
			}
		}
	}
	for _, name := range []string{"/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"} {
		if text, err := os.ReadFile(filepath.Join(f.Root, name)); err == nil {
			s.UDP = append(s.UDP, readPorts(text)...)
		}
	}
	_, err := os.Stat(filepath.Join(f.Root, "/etc/openwrt_release"))
	s.OpenWrt = err == nil
	_, err = os.Stat(filepath.Join(f.Root, "/usr/bin/apk"))
	s.APK = err == nil
	for name, to := range map[string]**uci.File{"firewall": &s.Firewall, "network": &s.Network, "dhcp": &s.DHCP} {
		if *to, err = readUCI(filepath.Join(f.Root, "/etc/config", name)); err != nil {
			return err
		}
	}
	for _, text := range f.read(f.Leases, usualLeases) {
		s.Leases = append(s.Leases, readLeases(text)...)
	}
	s.Ranges = uciRanges(s.DHCP, s.networkPrefix)
	for _, text := range f.read(f.DnsmasqConf, usualDnsmasq) {
		for _, r := range readRanges(text) {
			// OpenWrt writes its dnsmasq.conf from /etc/config/dhcp.
			if !slices.Contains(s.Ranges, r) {
				s.Ranges = append(s.Ranges, r)
			}
		}
	}
	return nil
}

func (s *System) sysctlNames() []string {
	names := slices.Clone(sysctls)
	for _, z := range s.Zones {
		names = append(names, "ipv4/conf/"+z.Interface+"/rp_filter")
	}
	return names
}

// read reads those of the files that are there; patterns may name several.
// Files that the caller names are taken as they are, the usual ones under
// Root.
func (f Files) read(named, usual []string) (texts [][]byte) {
	patterns := named
	if len(named) == 0 {
		for _, u := range usual {
			patterns = append(patterns, filepath.Join(f.Root, u))
		}
	}
	for _, p := range patterns {
		names, err := filepath.Glob(p)
		if err != nil {
			names = []string{p}
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
				continue
			}
			if text, err := os.ReadFile(name); err == nil {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// readUCI reads a file of UCI; nil when there is none.
func readUCI(name string) (*uci.File, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the router's settings: %w", err)
	}
	defer file.Close()
	f, err := uci.Parse(name, file)
	if err != nil {
		return nil, fmt.Errorf("read the router's settings: %w", err)
	}
	return f, nil
}

// networkPrefix is the IPv4 network of a logical interface of OpenWrt.
func (s *System) networkPrefix(name string) netip.Prefix {
	return s.Links[s.device(name)].prefix4()
}

// device is the interface of the kernel behind a logical interface of
// /etc/config/network: option device, or ifname before 21.02, where
// "type bridge" made br-NAME of it.
func (s *System) device(name string) string {
	if s.Network == nil || name == "" {
		return ""
	}
	for _, sec := range s.Network.Sections {
		if sec.Type.Text != "interface" || sec.Name.Text != name {
			continue
		}
		if option(sec, "type") == "bridge" {
			return "br-" + name
		}
		for _, o := range []string{"device", "ifname"} {
			if d := option(sec, o); d != "" {
				return d
			}
		}
	}
	return ""
}

// readPorts reads the local ports of /proc/net/udp: the second column is
// ADDRESS:PORT, in hexadecimal digits.
func readPorts(text []byte) (ports []uint16) {
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		_, port, ok := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(port, 16, 16); ok && err == nil {
			ports = append(ports, uint16(n))
		}
	}
	return ports
}
