package doctor

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien/internal/probes"
)

var update = flag.Bool("update", false, "write the golden files anew")

// played is a guest who met what it should.
func played() *Play {
	p := &Play{Zone: "guest", As: AsGuest, Address: netip.MustParsePrefix("10.77.0.60/24"), IPv6: netip.MustParseAddr("2001:db8:77::60"),
		WantIPv6: true, Names: make(map[string]Lookup), Page: "http://10.77.0.1:2050/", PageTook: 8 * time.Millisecond}
	p.DHCP.DNS = []netip.Addr{netip.MustParseAddr("10.77.0.1")}
	addrs := []netip.Addr{netip.MustParseAddr("203.0.113.80"), netip.MustParseAddr("2001:db8:f00d::80")}
	for _, h := range probes.Hosts() {
		p.Names[h] = Lookup{Addrs: addrs}
	}
	for _, probe := range probes.List {
		for i, a := range addrs {
			t := Try{Kind: TryProbe, Probe: probe.Name, OS: probe.OS, To: netip.AddrPortFrom(a, 80), Outcome: Redirected, Took: 3 * time.Millisecond,
				Page: []string{"http://10.77.0.1:2050/", "http://[2001:db8:77::1]:2050/"}[i]}
			if probe.HTTPS() {
				t.Kind, t.Outcome, t.To = TryHTTPS, Refused, netip.AddrPortFrom(a, 443)
			}
			p.Tries = append(p.Tries, t)
		}
	}
	for _, a := range addrs {
		p.Tries = append(p.Tries,
			Try{Kind: TryQUIC, To: netip.AddrPortFrom(a, 443), Outcome: Refused},
			Try{Kind: TryDNS, To: netip.AddrPortFrom(publicDNS4, 53), Outcome: Refused},
			Try{Kind: TryOther, To: netip.AddrPortFrom(a, 853), Outcome: Refused})
	}
	for _, port := range []uint16{22, 80, 443} {
		t := Try{Kind: TryAdmin, To: netip.AddrPortFrom(netip.MustParseAddr("10.77.0.1"), port), Outcome: Refused}
		if port == 80 {
			t.Outcome, t.Page = Redirected, "http://10.77.0.1:2050/"
		}
		p.Tries = append(p.Tries, t)
	}
	return p
}

// become gives every try of a kind an outcome.
func (p *Play) become(o Outcome, which func(Try) bool) {
	for i, t := range p.Tries {
		if which(t) {
			p.Tries[i].Outcome = o
		}
	}
}

func kind(k Kind) func(Try) bool { return func(t Try) bool { return t.Kind == k } }

func TestEachPlayHasItsMeaning(t *testing.T) {
	every := func(opens string) string { return strings.TrimSuffix(strings.Repeat(opens+" ", 5), " ") }
	for _, c := range []struct {
		name   string
		open   bool // on OpenWrt
		play   func(*Play, *System)
		want   []string
		opens  string // Android, iOS, Windows, Firefox, Linux
		phones []string
	}{
		{name: "all as it should be", opens: every("yes")},
		{name: "one system's probes are let through", play: func(p *Play, _ *System) {
			p.become(Free, func(t Try) bool { return t.OS == "iOS" })
		}, want: []string{"bad door-open"}, opens: "yes no yes yes yes"},
		{name: "one system's probes get another answer", play: func(p *Play, _ *System) {
			p.become(Wrong, func(t Try) bool { return t.OS == "Windows" })
		}, want: []string{"bad no-redirect"}, opens: "yes yes no yes yes", phones: []string{"Windows"}},
		{name: "IPv6 alone is silent", play: func(p *Play, _ *System) {
			p.become(Silent, func(t Try) bool { return t.Kind == TryProbe && !t.four() })
		}, want: []string{"bad no-redirect"}, opens: every("partly")},
		{name: "the daemon does not run: that explains it", play: func(p *Play, s *System) {
			s.Running = false
			p.become(Refused, kind(TryProbe))
			p.nameless(errors.New("refused"))
			p.Page = ""
		}, want: []string{"bad not-running"}, opens: every("no")},
		{name: "HTTPS is refused late", play: func(p *Play, _ *System) {
			for i := range p.Tries {
				if p.Tries[i].Kind == TryHTTPS {
					p.Tries[i].Took = time.Second
				}
			}
		}, want: []string{"warn dropped"}, opens: every("late")},
		{name: "the page is slow", play: func(p *Play, _ *System) { p.PageTook = 3 * time.Second }, want: []string{"warn slow-page"}, opens: every("yes")},
		{name: "no page", play: func(p *Play, _ *System) { p.PageErr = errNoPage }, want: []string{"bad no-page"}, opens: every("no")},
		{name: "no DHCP", play: func(p *Play, _ *System) { p.DHCPErr = errNoDHCP }, want: []string{"bad no-dhcp"}, opens: every("yes")},
		{name: "no DHCP, as no address is left", play: func(p *Play, s *System) {
			p.DHCPErr, s.Leases = errNoDHCP, leased(201, time.Time{})
		}, want: []string{"bad no-address-left"}, opens: every("yes")},
		{name: "a resolver elsewhere that does not answer", play: func(p *Play, _ *System) {
			p.DHCP.DNS = []netip.Addr{publicDNS4}
			p.nameless(errors.New("refused"))
		}, want: []string{"bad dns-elsewhere"}, opens: every("no")},
		{name: "a resolver elsewhere that answers", play: func(p *Play, _ *System) { p.DHCP.DNS = []netip.Addr{publicDNS4} }, opens: every("yes")},
		{name: "the router's resolver does not answer", play: func(p *Play, _ *System) { p.nameless(errors.New("timeout")) }, want: []string{"bad no-dns"}, opens: every("no")},
		{name: "the resolver knows nothing", play: func(p *Play, _ *System) { p.nameless(nil) }, want: []string{"bad no-names"}, opens: every("no")},
		{name: "the resolver knows nothing without the internet", play: func(p *Play, s *System) {
			s.Routes = nil
			p.nameless(nil)
		}, want: []string{"bad no-internet"}, opens: every("no")},
		{name: "SSH is open to guests", play: func(p *Play, _ *System) {
			p.become(Free, func(t Try) bool { return t.Kind == TryAdmin && t.To.Port() == 22 })
		}, want: []string{"bad admin-open"}, opens: every("yes")},
		{name: "the admin page sends to https", play: func(p *Play, _ *System) {
			for i, t := range p.Tries {
				if t.Kind == TryAdmin && t.To.Port() == 80 {
					p.Tries[i].Page = "https://10.77.0.1/"
				}
			}
		}, want: []string{"bad admin-open"}, opens: every("yes")},
		{name: "the API is not announced", play: func(_ *Play, s *System) { s.Zones[0].APIName = "wifi.example.vn" }, want: []string{"warn api-unannounced"}, opens: every("yes"), phones: readsAPI},
		{name: "the API lies", play: func(p *Play, _ *System) { p.API, p.APIErr = "https://wifi.example.vn/api", errLies }, want: []string{"bad api-broken"}, opens: every("yes"), phones: readsAPI},
		{name: "no guest could be played", play: func(p *Play, _ *System) {
			*p = Play{Zone: p.Zone, As: AtListener, Why: errNoVeth, Tries: p.Tries[:10], Page: p.Page}
		}, want: []string{"note no-guest"}, opens: "yes no no no no"},
		{name: "nothing could be played", play: func(p *Play, _ *System) { *p = Play{Zone: p.Zone, As: NotPlayed, Why: errNoLink} }, want: []string{"note no-guest"}},
		{name: "a rule that is missing and not missed", open: true, play: func(_ *Play, s *System) { s.Zones[0].PortalPort = 2060 }, want: []string{"warn no-input-rule"}, opens: every("yes")},
		{name: "a rule that is missing, and explains the rest", open: true, play: func(p *Play, s *System) {
			s.Zones[0].PortalPort = 2060
			p.become(Silent, kind(TryProbe))
			p.become(Refused, kind(TryAdmin))
			p.Page = ""
		}, want: []string{"bad no-input-rule"}, opens: every("no")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, p := healthy(), played()
			if c.open {
				s = openWrt(t)
			}
			if c.play != nil {
				c.play(p, s)
			}
			d := diagnosis(s.diagnose())
			var opens, got []string
			for _, v := range s.judge(p, &d) {
				opens = append(opens, v.Opens)
			}
			for _, f := range d {
				got = append(got, f.Severity.String()+" "+string(f.ID))
				if !slices.Equal(f.Phones, c.phones) {
					t.Errorf("%s is felt by %q, want %q", f.ID, f.Phones, c.phones)
				}
				if f.Command == "" && (f.Severity > Note || f.ID == NoGuest) {
					t.Errorf("%s has no command", f.ID)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("findings %q, want %q", got, c.want)
			}
			if got := strings.Join(opens, " "); got != c.opens {
				t.Errorf("phones: %s; want %s", got, c.opens)
			}
		})
	}
}

// nameless takes every name away.
func (p *Play) nameless(err error) {
	for h := range p.Names {
		p.Names[h] = Lookup{Err: err}
	}
	for i := range p.Tries {
		p.Tries[i].StandIn = true
	}
}

// sick is a report with something of everything.
func sick(t *testing.T, l Language) *Report {
	s, p := openWrt(t), played()
	s.Tables = []Table{{"inet", "fw4", nil}, {"inet", "hien", nil}}
	s.Zones[0].APIName = "wifi.example.vn"
	s.Rules = append(s.Rules[:1:1], Rule{Mark: 0x100, Mask: 0x3f00})
	s.Zones[0].PortalPort, s.Sysctl["ipv4/neigh/default/gc_thresh3"] = 2060, 128
	p.become(Silent, kind(TryHTTPS))
	p.become(Silent, func(t Try) bool { return t.Kind == TryQUIC && t.four() })
	p.become(Wrong, func(t Try) bool { return t.OS == "iOS" && !t.four() })
	d := diagnosis(s.diagnose())
	r := &Report{Firewall: s.firewalls(), Backend: "nftables", TookMS: 1234}
	r.Phones = s.judge(p, &d)
	r.Looks = []Look{{Zone: "guest", Played: AsGuest, Address: "10.77.0.60", IPv6: "2001:db8:77::60", PageMS: 8}, {Zone: "garden", Played: NotPlayed}}
	r.Findings = d
	r.conclude(l)
	return r
}

func TestReportsReadWell(t *testing.T) {
	well := &Report{Firewall: nil, Looks: []Look{{Zone: "guest", Played: AtListener}}}
	p := played()
	p.As = AtListener
	well.Phones = p.verdicts()
	well.conclude(English)
	for name, r := range map[string]*Report{"sick-en": sick(t, English), "sick-vi": sick(t, Vietnamese), "listener-en": well} {
		var b bytes.Buffer
		if err := Write(&b, r, Language(name[len(name)-2:])); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, b.String(), want)
		}
		for line := range strings.Lines(b.String()) {
			command := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Command == strings.TrimSpace(line) })
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > screen && !command {
				t.Errorf("%s: %d columns, want at most %d: %s", name, n, screen, line)
			}
		}
	}
}

func TestEveryWordIsInEveryLanguage(t *testing.T) {
	all := make(map[string]map[Language]string)
	for id, words := range findings {
		all["finding "+string(id)] = words
	}
	for key, words := range phrases {
		all["phrase "+key] = words
	}
	for o, words := range outcomes {
		all["outcome "+string(o)] = words
	}
	for key, words := range all {
		for _, l := range []Language{English, Vietnamese} {
			if words[l] == "" {
				t.Errorf("%s has no words in %s", key, l)
			}
		}
		if en, vi := verbs(words[English]), verbs(words[Vietnamese]); !slices.Equal(en, vi) {
			t.Errorf("%s: arguments %q in English, %q in Vietnamese", key, en, vi)
		}
	}
}

// verbs are the arguments that a text uses, sorted.
func verbs(text string) (all []string) {
	for rest := text; ; {
		_, after, ok := strings.Cut(rest, "%")
		if !ok {
			break
		}
		after = strings.TrimPrefix(after, "[")
		all = append(all, after[:1])
		rest = after
	}
	slices.Sort(all)
	return all
}

func TestLanguages(t *testing.T) {
	for text, want := range map[string]Language{"vi": Vietnamese, "vi_VN.UTF-8": Vietnamese, "en-GB": English, "fr": "", "": "", "C.UTF-8": ""} {
		if got, ok := ParseLanguage(text); got != want || ok != (want != "") {
			t.Errorf("ParseLanguage(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
}

func TestTheCommandSaysWhatAGuestNeeds(t *testing.T) {
	cable := fmt.Errorf("play: %w", cableError(unix.EOPNOTSUPP))
	for _, c := range []struct {
		name         string
		why          error
		openWrt, apk bool
		want         string
	}{
		{"OpenWrt to 24.10 without veth", cable, true, false, "opkg update && opkg install kmod-veth"},
		{"OpenWrt from 25.12 on without veth", cable, true, true, "apk update && apk add kmod-veth"},
		{"Linux without veth", cable, false, false, "modprobe veth"},
		{"Alpine without veth", cable, false, true, "modprobe veth"},
		{"an interface that is not there", errNoLink, true, false, "ip link"},
		{"an interface that is no bridge", errNotBridge, true, false, "ip link"},
		{"no guest was wanted", errUnwanted, true, false, "hien doctor"},
		{"a kernel that refuses", cableError(unix.EPERM), true, false, "dmesg | tail"},
	} {
		s := &System{OpenWrt: c.openWrt, APK: c.apk}
		if got := s.playable(c.why); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
