package doctor

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hien-wifi/hien/internal/probes"
)

// What is found by being a guest.
const (
	NoGuest      ID = "no-guest"
	NoDHCP       ID = "no-dhcp"
	NoRouterAdv  ID = "no-ipv6-address"
	NoDNS        ID = "no-dns"
	DNSElsewhere ID = "dns-elsewhere"
	NoNames      ID = "no-names"
	PrivateNames ID = "private-names"
	NoRedirect   ID = "no-redirect"
	NoPage       ID = "no-page"
	SlowPage     ID = "slow-page"
	DoorOpen     ID = "door-open"
	Dropped      ID = "dropped"
	AdminOpen    ID = "admin-open"
	APINotThere  ID = "api-unannounced"
	APICert      ID = "api-certificate"
	APIBroken    ID = "api-broken"
)

// needsGuest are the findings that only a guest can make.
var needsGuest = []ID{NoDHCP, NoDNS, NoNames, PrivateNames, NoRedirect, DoorOpen, Dropped, AdminOpen, APICert, APIBroken}

// judge says what a play means: the findings, beside those that are there
// already, and whether each system's phones open the portal.
func (s *System) judge(p *Play, d *diagnosis) []Verdict {
	z := s.zone(p.Zone)
	if p.As != AsGuest {
		d.say(NoGuest, Note, z.Name, s.playable(p.Why), p.Why, z.Interface)
	} else {
		s.judgeAddress(z, p, d)
		s.judgeNames(z, p, d)
	}
	s.judgeProbes(z, p, d)
	s.judgeShut(z, p, d)
	s.judgePage(z, p, d)
	s.judgeAPI(z, p, d)
	s.reconcile(z, p, d)
	return p.verdicts()
}

// playable is the command that lets a guest be played, or shows why none can
// be.
func (s *System) playable(why error) string {
	switch {
	case errors.Is(why, errNoVeth) && s.OpenWrt && s.APK:
		return "apk update && apk add kmod-veth"
	case errors.Is(why, errNoVeth) && s.OpenWrt:
		return "opkg update && opkg install kmod-veth"
	case errors.Is(why, errNoVeth):
		return "modprobe veth"
	case errors.Is(why, errUnwanted):
		return "hien doctor"
	case errors.Is(why, errNoLink), errors.Is(why, errNotBridge):
		return "ip link"
	}
	return "dmesg | tail"
}

// listens reports whether a program of the router listens on a port of UDP;
// where that is not known it may.
func (s *System) listens(port uint16) bool {
	return s.UDP == nil || slices.Contains(s.UDP, port)
}

// server is the command for a service that does not answer: dnsmasq's, or the
// forwarder of Hiên's own.
func (s *System) server(z Zone, port uint16) string {
	switch {
	case s.listens(port):
	case port == z.DNSPort:
		return s.service("restart", "hien")
	default:
		return s.service("restart", "dnsmasq")
	}
	return s.allow(z, service{"udp", port})
}

func (s *System) judgeAddress(z Zone, p *Play, d *diagnosis) {
	if p.DHCPErr != nil && !d.has(NoAddress, z.Name) {
		d.say(NoDHCP, Bad, z.Name, s.server(z, 67), p.DHCPErr.Error())
	}
	if p.WantIPv6 && !p.IPv6.IsValid() {
		server := "dnsmasq"
		if s.OpenWrt {
			server = "odhcpd"
		}
		d.say(NoRouterAdv, Warn, z.Name, s.service("restart", server))
	}
}

func (s *System) judgeNames(z Zone, p *Play, d *diagnosis) {
	var silent, found, private []string
	for _, host := range probes.Hosts() {
		l := p.Names[host]
		switch {
		case l.Err != nil:
			silent = append(silent, host)
		case len(l.Addrs) > 0:
			found = append(found, host)
		}
		if slices.ContainsFunc(l.Addrs, notOfTheInternet) {
			private = append(private, host)
		}
	}
	switch {
	case len(found) > 0:
	case d.has(NoInternet, ""): // a resolver that reaches nobody may stay silent
	case z.DNSPort != 0 && d.has(NotRunning, ""): // its forwarder is Hiên's own
	case len(silent) > 0:
		if server := p.DHCP.DNS; len(server) > 0 && !slices.Contains(s.Addrs, server[0]) {
			d.say(DNSElsewhere, Bad, z.Name, s.dnsByDHCP(z), server[0])
			return
		}
		d.say(NoDNS, Bad, z.Name, s.server(z, cmp.Or(z.DNSPort, 53)), z.Interface)
	default:
		d.say(NoNames, Bad, z.Name, s.service("restart", "dnsmasq"))
	}
	if len(private) > 0 {
		// Android takes such an answer for a network without internet.
		d.say(PrivateNames, Warn, z.Name, "grep -rn 'address=' /etc/dnsmasq.conf /etc/dnsmasq.d /etc/config/dhcp", strings.Join(private, ", ")).Phones = systemsOf(private)
	}
}

// dnsByDHCP is the command by which DHCP names the router as the resolver.
func (s *System) dnsByDHCP(z Zone) string {
	if name := s.dhcpSection(z); name != "" {
		return fmt.Sprintf("uci add_list dhcp.%s.dhcp_option=6,%s && uci commit dhcp && %s", name, s.Links[z.Interface].prefix4().Addr(), s.service("restart", "dnsmasq"))
	}
	return "grep -rn 'dhcp-option' /etc/dnsmasq.conf /etc/dnsmasq.d"
}

func notOfTheInternet(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified()
}

// systemsOf are the systems whose probes go to one of the hosts.
func systemsOf(hosts []string) (systems []string) {
	for _, p := range probes.List {
		if slices.Contains(hosts, p.Host()) && !slices.Contains(systems, p.OS) {
			systems = append(systems, p.OS)
		}
	}
	return systems
}

// systems are all of them, in the order of the list.
func systems() (all []string) { return systemsOf(probes.Hosts()) }

func (s *System) judgeProbes(z Zone, p *Play, d *diagnosis) {
	if d.has(NotRunning, "") {
		return // nobody is there to answer
	}
	for _, outcome := range []Outcome{Silent, Refused, Wrong} {
		var concerned []string
		four, six, seen := false, false, 0
		for _, t := range p.Tries {
			if t.Kind != TryProbe || t.Outcome != outcome {
				continue
			}
			seen++
			four, six = four || t.four(), six || !t.four()
			if !slices.Contains(concerned, t.OS) {
				concerned = append(concerned, t.OS)
			}
		}
		if seen == 0 {
			continue
		}
		if len(concerned) == len(systems()) {
			concerned = nil
		}
		command := s.allow(z, service{"tcp", z.PortalPort})
		if outcome == Wrong {
			command = s.whoseRule("dport 80")
		}
		d.say(NoRedirect, Bad, z.Name, command, outcome, families(four, six), z.PortalPort, seen).Phones = concerned
	}
}

// judgeShut looks for ways that lead somewhere, and for those that are shut
// without a word.
func (s *System) judgeShut(z Zone, p *Play, d *diagnosis) {
	names := map[Kind]string{TryProbe: "tcp 80", TryHTTPS: "tcp 443", TryQUIC: "udp 443", TryDNS: "udp 53", TryOther: "tcp 853"}
	var open, dropped ways
	var admin []string
	for _, t := range p.Tries {
		name, outward := names[t.Kind]
		switch {
		case t.Kind == TryAdmin && (t.Outcome == Free || t.Outcome == Redirected && !p.toPortal(z, t)):
			admin = append(admin, hostPort(t.To))
		case !outward:
		case t.Outcome == Free:
			open.add(name, t.four())
		case t.Kind != TryProbe && t.late():
			dropped.add(name, t.four())
		}
	}
	if len(open) > 0 {
		d.say(DoorOpen, Bad, z.Name, s.service("restart", "hien"), open.String())
	}
	// What answers nothing is the internet's own affair while the door is
	// open, and a router that forwards nothing refuses nothing.
	if len(dropped) > 0 && len(open) == 0 && !d.has(NoInternet, "") && !d.has(NotRouting, "") {
		d.say(Dropped, Warn, z.Name, s.rejectInstead(z), dropped.String())
	}
	if len(admin) > 0 {
		d.say(AdminOpen, Bad, z.Name, s.service("restart", "hien"), strings.Join(admin, ", "))
	}
}

// toPortal reports whether a redirect leads to the portal: to its port on the
// address that was asked, to its name, or where the probes' redirects lead.
func (p *Play) toPortal(z Zone, t Try) bool {
	to := placeOf(t.Page)
	name, _, _ := strings.Cut(to, ":")
	if to == netip.AddrPortFrom(t.To.Addr(), z.PortalPort).String() || z.APIName != "" && name == z.APIName {
		return true
	}
	return slices.ContainsFunc(p.Tries, func(probe Try) bool {
		return probe.Kind == TryProbe && probe.Outcome == Redirected && samePlace(probe.Page, t.Page, t.To.Addr())
	})
}

// samePlace reports whether two addresses are the portal's: on the same host
// and port, or on the address that was asked with the same port, as the
// portal names itself by the address at which it was found.
func samePlace(probe, page string, asked netip.Addr) bool {
	a, b := placeOf(probe), placeOf(page)
	if a == b {
		return true
	}
	at, errA := netip.ParseAddrPort(a)
	bt, errB := netip.ParseAddrPort(b)
	return errA == nil && errB == nil && at.Port() == bt.Port() && (bt.Addr() == asked || at.Addr().Is4() != bt.Addr().Is4())
}

// placeOf is scheme-less host and port of an address.
func placeOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	place, _, _ := strings.Cut(rest, "/")
	return place
}

// ways are ports and the families by which they were met.
type ways []way

type way struct {
	name      string
	four, six bool
}

func (w *ways) add(name string, four bool) {
	i := slices.IndexFunc(*w, func(one way) bool { return one.name == name })
	if i < 0 {
		*w = append(*w, way{name: name})
		i = len(*w) - 1
	}
	one := &(*w)[i]
	one.four, one.six = one.four || four, one.six || !four
}

func (w ways) String() string {
	var words []string
	for _, one := range w {
		words = append(words, fmt.Sprintf("%s (%s)", one.name, families(one.four, one.six)))
	}
	return strings.Join(words, ", ")
}

// rejectInstead is the command that makes the system refuse aloud what it
// drops, or shows which rule drops.
func (s *System) rejectInstead(z Zone) string {
	if sec, ok := s.firewallZone(z); ok {
		if name := sec.Name.Text; name != "" && policy(option(sec, "forward"), s.defaultPolicy("forward")) == "DROP" {
			return fmt.Sprintf("uci set firewall.%s.forward=REJECT && uci commit firewall && %s", name, s.service("reload", "firewall"))
		}
	}
	return s.whoseRule("drop")
}

// whoseRule is the command that shows which rule does something.
func (s *System) whoseRule(what string) string {
	if len(s.Legacy) > 0 {
		return "iptables-save | grep -in -- '" + what + "'"
	}
	return "nft list ruleset | grep -nw '" + what + "'"
}

func (s *System) judgePage(z Zone, p *Play, d *diagnosis) {
	switch {
	case p.Page == "":
	case p.PageErr != nil:
		d.say(NoPage, Bad, z.Name, s.allow(z, service{"tcp", z.PortalPort}), p.Page, lastError(p.PageErr))
	case p.PageTook > pageSlow:
		d.say(SlowPage, Warn, z.Name, "hien status", p.PageTook.Round(100*time.Millisecond).String())
	}
}

// lastError is the innermost cause, for people.
func lastError(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// readsAPI are the systems that read option 114.
var readsAPI = []string{"Android", "iOS"}

func (s *System) judgeAPI(z Zone, p *Play, d *diagnosis) {
	var cert *tls.CertificateVerificationError
	switch {
	case p.As != AsGuest || p.DHCPErr != nil:
	case p.API == "" && z.APIName != "":
		d.say(APINotThere, Warn, z.Name, "hien config check", z.APIName).Phones = readsAPI
	case p.APIErr == nil:
	case errors.As(p.APIErr, &cert):
		d.say(APICert, Bad, z.Name, "hien config check", p.API, lastError(p.APIErr)).Phones = readsAPI
	default:
		d.say(APIBroken, Bad, z.Name, "hien config check", p.API, lastError(p.APIErr)).Phones = readsAPI
	}
}

// reconcile compares what the settings say with what the guest met. A rule
// that is missing and not missed is for later; one that is missed explains
// the rest, which the same command mends.
func (s *System) reconcile(z Zone, p *Play, d *diagnosis) {
	if p.As != AsGuest {
		return
	}
	i := slices.IndexFunc(*d, func(f Finding) bool { return f.ID == NoInputRule && f.Zone == z.Name })
	if i < 0 {
		return
	}
	rule := &(*d)[i]
	same := func(f Finding) bool { return f.ID != NoInputRule && f.Zone == z.Name && f.Command == rule.Command }
	if !slices.ContainsFunc(*d, same) {
		rule.Severity = Warn
		return
	}
	rule.Unproven = false
	*d = slices.DeleteFunc(*d, same)
}

// verdicts say of each system whether its phones open the portal.
func (p *Play) verdicts() (all []Verdict) {
	if p.As == NotPlayed {
		return nil
	}
	late := slices.ContainsFunc(p.Tries, func(t Try) bool { return t.Kind == TryHTTPS && t.late() })
	for _, os := range systems() {
		v := Verdict{Zone: p.Zone, OS: os, Unproven: p.As != AsGuest}
		named := p.As != AsGuest // without names no phone asks anything
		for _, t := range p.Tries {
			if t.Kind != TryProbe || t.OS != os {
				continue
			}
			v.Probes++
			named = named || !t.StandIn
			if t.Outcome == Redirected {
				v.Redirected++
				v.Slowest = max(v.Slowest, ms(t.Took))
			}
		}
		switch {
		case v.Redirected == 0 || !named || p.PageErr != nil:
			v.Opens = OpensNot
		case v.Redirected < v.Probes:
			v.Opens = OpensPartly
		case late:
			v.Opens = OpensLate
		default:
			v.Opens = Opens
		}
		all = append(all, v)
	}
	return all
}
