package config

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/backup"
	"github.com/hien-wifi/hien/internal/uci"
)

var update = flag.Bool("update", false, "rewrite the golden files and docs/configuration.md")

// sealKey is a seal key whose private half nobody kept.
const sealKey = "hien-seal-1:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func shop(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/shop.uci")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(text), "SEALKEY", sealKey, 1)
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("hien.uci", strings.NewReader(text))
	if err != nil {
		t.Fatalf("parse\n%s\n%v", text, err)
	}
	return c
}

func TestParseReadsEveryOption(t *testing.T) {
	c := parse(t, shop(t))
	if got := c.SealKey.String(); got != sealKey {
		t.Errorf("seal key: got %s, want %s", got, sealKey)
	}
	if got := c.Sink.WriteKey.Reveal(); got != "wk_made_up" {
		t.Errorf("write key: got %s, want wk_made_up", got)
	}
	if got := c.BackupKey.String(); got != "age1pyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq8r66x" {
		t.Errorf("backup key: got %s", got)
	}
	got := *c
	if got := c.Sink.EraseToken.Reveal(); got != "et_made_up" {
		t.Errorf("erase token: got %s, want et_made_up", got)
	}
	got.BackupKey = backup.Recipient{}
	got.SealKey, got.Sink.WriteKey, got.Sink.EraseToken, got.at, got.file = hien.SealKey{}, Secret{}, Secret{}, nil, ""
	want := Config{
		Enabled: true, SafeMode: true, StoreID: "hcm-q1-01", StoreName: "Quán Hiên",
		DataDir: "/srv/hien", RunDir: "/var/run/hien", BrandKeyFile: "/etc/hien/brand.key",
		Firewall: "auto", Mark: 1 << 24, Uplinks: []string{"wan", "wwan0"},
		DNSUpstream: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53"), netip.MustParseAddrPort("[::1]:53")},
		DnsmasqDir:  "/tmp/dnsmasq.d",
		Zones: []hien.Zone{
			{Name: "guest", Interface: "br-guest", PortalPort: 2050, Pass: 4 * time.Hour, VisitGap: 30 * time.Minute, Grace: 10 * time.Minute,
				Offer:    "Cà phê thứ hai giảm một nửa.",
				Terms:    "Vui lòng không tải nội dung trái pháp luật.",
				Purposes: []consent.Purpose{consent.VisitFrequency, consent.ContactZalo},
				Idle:     30 * time.Minute, Volume: 2e9, Speed: hien.Speed{Down: 8e6, Up: 2e6}, AllSpeed: hien.Speed{Down: 40e6, Up: 10e6},
				Trusted: []hien.MAC{{2, 0, 0x5e, 0x10, 0, 1}, {2, 0, 0x5e, 0x10, 0, 2}}, Blocked: []hien.MAC{{2, 0, 0x5e, 0x10, 0, 3}},
				Garden:     []string{"menu.shop.example", "192.0.2.7", "2001:db8:7::/48", "ocsp", "ntp"},
				CodeGarden: []string{"zalo-app", "codes.shop.example"}},
			{Name: "terrace", Interface: "br-terrace", PortalPort: 2051, Children: true, Pass: 36 * time.Hour, VisitGap: 30 * time.Minute, Grace: 5 * time.Minute},
		},
		Services: map[string]Services{
			"guest":   {Sniffer: true, DNSPort: 2053, API: API{Name: "wifi.shop.example", CertFile: "/etc/hien/api.crt", KeyFile: "/etc/hien/api.key", Port: 2443}},
			"terrace": {Sniffer: true, DNSPort: 2053},
		},
		Senders:     []Sender{{Name: "code", Type: "log", Parameter: "otp", TokenFile: "/etc/hien/zbs.token"}},
		CodesPerDay: 500, AccessLog: "none",
		Policy: "vn-2026", Mode: "frequency",
		Controller: consent.Controller{Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh", TaxID: "0000000001",
			Contact: "dpo@hien.example", Recipients: []string{"Nền tảng CDP Mẫu"}, Operator: "Công ty Vận hành Mẫu", Transfer: "Singapore"},
		Sink: &Sink{Name: "cdp", Type: "segment", URL: "https://cdp.example:8443", CAFile: "/etc/hien/ca.pem",
			EraseAPI: "segment", EraseURL: "https://eu1.api.segmentapis.com"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseHasDefaults(t *testing.T) {
	c := parse(t, "config hien main\n option store_id x\n option data_dir ''\nconfig zone guest\n option interface br-guest\n")
	got := *c
	got.at, got.file = nil, ""
	want := Config{
		Enabled: true, SafeMode: true, StoreID: "x", StoreName: "x",
		DataDir: "/srv/hien", RunDir: "/var/run/hien", BrandKeyFile: "/etc/hien/brand.key",
		Firewall: "auto", Mark: 0x01000000, DNSUpstream: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")},
		Zones:    []hien.Zone{{Name: "guest", Interface: "br-guest", PortalPort: 2050, Pass: 4 * time.Hour, VisitGap: 30 * time.Minute, Grace: 5 * time.Minute}},
		Services: map[string]Services{"guest": {Sniffer: true, DNSPort: 2053}},

		CodesPerDay: 500, AccessLog: "none", Policy: "vn-2026", Mode: "frequency",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if c.Asks() {
		t.Error("without a sender: Asks() = true, want false")
	}
}

func TestAsksOnlyWithSenderAndPurpose(t *testing.T) {
	base := "config hien main\n option store_id x\nconfig zone guest\n option interface br-guest\n"
	for _, c := range []struct {
		more string
		want bool
	}{
		{"", false},
		{" list purpose visit_frequency\n", false},
		{"config sender code\n option type log\n", false},
		{" list purpose visit_frequency\nconfig sender code\n option type log\n", true},
	} {
		if got := parse(t, base+c.more).Asks(); got != c.want {
			t.Errorf("with %q: Asks() = %v, want %v", c.more, got, c.want)
		}
	}
}

// TestErrors holds the words of every error, each golden file's one beside
// its .uci file.
func TestErrors(t *testing.T) {
	for _, name := range []string{"wrong", "wrong-door", "wrong-senders", "unproven", "unsealed", "empty", "syntax"} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(filepath.Join("testdata", name+".uci"))
			var errs uci.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("got %v, want uci.Errors", err)
			}
			golden(t, filepath.Join("testdata", name+".golden"), err.Error()+"\n")
			for i := 1; i < len(errs); i++ {
				if before, line := errs[i-1].Pos.Line, errs[i].Pos.Line; line != 0 && (before > line || before == 0) {
					t.Errorf("line %d is told after line %d, want the order of lines", line, before)
				}
			}
		})
	}
	t.Run("secrets are not repeated", func(t *testing.T) {
		for _, name := range []string{"wrong", "wrong-door", "wrong-senders"} {
			_, err := Load("testdata/" + name + ".uci")
			for _, secret := range []string{"repeated", "not:to", "who:what", "10:00:", "5e:10", "5e10"} {
				if text := strings.ReplaceAll(err.Error(), macAllowed, ""); strings.Contains(text, secret) {
					t.Errorf("an error in %s holds %q", name, secret)
				}
			}
		}
	})
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got), rewrite with -update:\n%s", path, d)
	}
}

// TestValues tries one value in an otherwise good file.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		option, value string
		fine          bool
	}{
		{"main.store_id", "a", true},
		{"main.store_id", strings.Repeat("a", 32), true},
		{"main.store_id", strings.Repeat("a", 33), false},
		{"main.store_id", "-a", false},
		{"main.store_id", "quán", false},
		{"main.store_name", strings.Repeat("ệ", 64), true},
		{"main.store_name", strings.Repeat("ệ", 65), false},
		{"main.store_name", "two\nlines", false},
		{"main.store_name", "turned \u202eround", false},
		{"main.store_name", "\xff", false},
		{"main.store_name", " ", false},
		{"main.run_dir", "/" + strings.Repeat("r", 89), true},
		{"main.run_dir", "/" + strings.Repeat("r", 90), false},
		{"main.data_dir", "/", false},
		{"main.data_dir", "/srv//hien", false},
		{"main.data_dir", "/var/run/hien", false},
		{"main.seal_key", "hien-seal-1:x", false},
		{"guest.interface", "eth0.10", true},
		{"guest.interface", "a-bridge-of-15b", true},
		{"guest.interface", "a-bridge-of-16by", false},
		{"guest.interface", "br/0", false},
		{"guest.interface", "br+", false},
		{"guest.interface", "..", false},
		{"guest.portal_port", "1024", true},
		{"guest.portal_port", "65535", true},
		{"guest.portal_port", "1023", false},
		{"guest.portal_port", "65536", false},
		{"guest.portal_port", "0x800", false},
		{"guest.portal_port", "18446744073709553666", false},
		{"guest.pass", "1s", true},
		{"guest.pass", "24d", true},
		{"guest.pass", "1d2h3m4s", true},
		{"guest.pass", "0s", false},
		{"guest.pass", "24d1s", false},
		{"guest.pass", "1h1h", false},
		{"guest.pass", "1.5h", false},
		{"guest.pass", "-1h", false},
		{"guest.pass", "60", false},
		{"guest.pass", "9999999999d", false},
		{"guest.visit_gap", "5s", true},
		{"guest.visit_gap", "1d", true},
		{"guest.visit_gap", "86401s", false},
		{"guest.offer", strings.Repeat("ă", 201), false},
		{"main.firewall", "nftables", true},
		{"main.firewall", "iptables", true},
		{"main.firewall", "nft", false},
		{"main.mark", "0x80000000", true},
		{"main.mark", "16777216", true},
		{"main.mark", "0x1", true},
		{"main.mark", "0", false},
		{"main.mark", "0x03000000", false},
		{"main.mark", "0x100", false},
		{"main.mark", "0x2000", false},
		{"main.mark", "0x4000", true},
		{"main.mark", "0x10000", false},
		{"main.mark", "0x800000", false},
		{"main.mark", "0x100000000", false},
		{"main.mark", "4294967296", false},
		{"main.mark", "-1", false},
		{"main.mark", "0x1_0", false},
		{"main.mark", "0x", false},
		{"main.masquerade", "yes", false},
		{"main.dns_upstream", "192.0.2.53:5353", true},
		{"main.dns_upstream", "192.0.2.53", false},
		{"main.dns_upstream", "192.0.2.53:0", false},
		{"main.dns_upstream", "0.0.0.0:53", false},
		{"main.dns_upstream", "dns.example:53", false},
		{"main.dns_upstream", "[fe80::1%eth0]:53", false},
		{"main.uplink", "pppoe-wan", true},
		{"main.uplink", "eth+", false},
		{"main.uplink", "br-guest", false},
		{"main.dnsmasq_dir", "tmp", false},
		{"guest.terms", strings.Repeat("ă", 400), true},
		{"guest.terms", strings.Repeat("ă", 401), false},
		{"guest.grace", "0", true},
		{"guest.grace", "1s", true},
		{"guest.grace", "15m", true},
		{"guest.grace", "0s", false},
		{"guest.grace", "16m", false},
		{"guest.idle", "0", true},
		{"guest.idle", "1m", true},
		{"guest.idle", "24h", true},
		{"guest.idle", "59s", false},
		{"guest.idle", "0s", false},
		{"guest.idle", "25h", false},
		{"guest.volume", "1M", true},
		{"guest.volume", "1000000", true},
		{"guest.volume", "1500K", true},
		{"guest.volume", "1000G", true},
		{"guest.volume", "1001G", false},
		{"guest.volume", "999k", false},
		{"guest.volume", "1.5G", false},
		{"guest.volume", "1GB", false},
		{"guest.volume", "1m", false},
		{"guest.volume", "G", false},
		{"guest.volume", "-1G", false},
		{"guest.volume", "9223372037G", false},
		{"guest.volume", "99999999999999999999", false},
		{"guest.down", "64k", true},
		{"guest.down", "64K", true},
		{"guest.down", "63k", false},
		{"guest.down", "10G", true},
		{"guest.down", "11G", false},
		{"guest.up", "4 M", false},
		{"guest.all_down", "0", false},
		{"guest.all_up", "1G", true},
		{"guest.trusted", "02-00-5E-10-00-09", true},
		{"guest.trusted", "02:00:5e:10:00:03", false}, // blocked
		{"guest.trusted", "00:00:00:00:00:00", false},
		{"guest.trusted", "01:00:5e:10:00:01", false},
		{"guest.trusted", "ff:ff:ff:ff:ff:ff", false},
		{"guest.trusted", "02:00:5e:10:00:01:02:03", false},
		{"guest.blocked", "02:00:5e:10:00", false},
		{"guest.garden", "xn--qun-eka.example", true},
		{"guest.garden", "my_menu.example", true},
		{"guest.garden", "my menu.example", false},
		{"guest.garden", "com", false},
		{"guest.garden", "a..example", false},
		{"guest.garden", "-a.example", false},
		{"guest.garden", strings.Repeat("a", 64) + ".example", false},
		{"guest.garden", strings.Repeat("a.", 126) + "a", true},
		{"guest.garden", strings.Repeat("a.", 127) + "a", false},
		{"guest.garden", "192.0.2", false},
		{"guest.garden", "192.0.2.0/24", true},
		{"guest.garden", "10.0.0.0/8", true},
		{"guest.garden", "10.0.0.0/7", false},
		{"guest.garden", "2001::/16", true},
		{"guest.garden", "2000::/15", false},
		{"guest.garden", "127.0.0.1", false},
		{"guest.garden", "224.0.0.251", false},
		{"guest.garden", "::1", false},
		{"guest.garden", "fe80::1%eth0", false},
		{"guest.garden", "::ffff:192.0.2.7", false},
		{"guest.garden", "64:ff9b::/96", true},
		{"guest.garden", "example.com:443", false},
		{"guest.garden", "pre.captive.apple.com", true},
		{"guest.garden", "notcaptive.apple.com", true},
		{"guest.garden", "captive.apple.com", false},
		{"guest.garden", "apple.com", false},
		{"guest.garden_preset", "zalo", true},
		{"guest.garden_preset", "facebook", false},
		{"guest.code_garden", "ntp", true},
		{"guest.code_garden", "google.com", false},
		{"guest.code_garden", "192.0.2.9", false},
		{"guest.dns_port", "0", true},
		{"guest.dns_port", "53", false},
		{"guest.dns_port", "2050", false}, // the portal's
		{"guest.api_port", "2053", false}, // the forwarder's
		{"guest.api_port", "0", false},
		{"guest.api_port", "2051", true}, // another zone's portal's
		{"guest.api_name", "wifi", false},
		{"guest.api_name", "192.0.2.1", false},
		{"guest.api_name", "WiFi.example", false},
		{"guest.api_name", "my_wifi.example", false},
		{"guest.api_name", strings.Repeat("a.", 99) + "aa", true},
		{"guest.api_name", strings.Repeat("a.", 100) + "a", false},
		{"guest.api_name", "", false},
		{"guest.api_cert", "", false},
		{"guest.api_key", "api.key", false},
		{"cdp.url", "https://cdp.example/v1", true},
		{"cdp.url", "https://[2001:db8::1]:8443", true},
		{"cdp.url", "http://127.0.0.1:80", true},
		{"cdp.url", "http://[::1]", true},
		{"cdp.url", "http://localhost:8080", true},
		{"cdp.url", "http://127.0.0.1.example", false},
		{"cdp.url", "http://192.0.2.1", false},
		{"cdp.url", "ftp://127.0.0.1", false},
		{"cdp.url", "https://", false},
		{"cdp.url", "https://:443", false},
		{"cdp.url", "https://cdp.example:", false},
		{"cdp.url", "https://cdp.example:70000", false},
		{"cdp.url", "https://cdp.example?", false},
		{"cdp.url", "cdp.example", false},
		{"cdp.write_key", "a:b", false},
		{"cdp.write_key", strings.Repeat("k", 129), false},
	} {
		t.Run(c.option+" "+quote(c.value), func(t *testing.T) {
			section, name, _ := strings.Cut(c.option, ".")
			f, err := uci.Parse("f", strings.NewReader(shop(t)))
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range f.Sections {
				for j, o := range s.Options { // of a list the first
					if s.Name.Text == section && o.Name.Text == name {
						f.Sections[i].Options[j].Value.Text = c.value
						break
					}
				}
			}
			var b strings.Builder
			if err := f.Write(&b); err != nil {
				t.Fatal(err)
			}
			if _, err := Parse("f", strings.NewReader(b.String())); (err == nil) != c.fine {
				t.Errorf("got %v, want fine = %v", err, c.fine)
			}
		})
	}
}

func TestSecretDoesNotPrintItself(t *testing.T) {
	sink := Sink{Name: "cdp", WriteKey: NewSecret("wk_made_up")}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "sink", sink, "key", sink.WriteKey)
	text, err := sink.WriteKey.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	b.Write(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+verb, sink, &sink.WriteKey)
	}
	if got := b.String(); strings.Contains(got, "made_up") || strings.Contains(got, fmt.Sprintf("%x", "made_up")) {
		t.Errorf("printed %s", got)
	}
}

func TestADeletionAPINeedsItsToken(t *testing.T) {
	sink := func(lines ...string) string {
		before, _, _ := strings.Cut(shop(t), "\toption erase_api")
		return before + "\t" + strings.Join(lines, "\n\t") + "\n"
	}
	c := parse(t, sink("option erase_api 'rudderstack'", "option erase_token 'et_made_up'", "option erase_url 'https://api.eu.rudderstack.com'"))
	if s := c.Sink; s.EraseAPI != "rudderstack" || s.EraseToken.Reveal() != "et_made_up" || s.EraseURL != "https://api.eu.rudderstack.com" {
		t.Errorf("got %+v", s)
	}
	for want, text := range map[string]string{
		"erase_api without erase_token": sink("option erase_api 'segment'"),
		"erase_token without erase_api": sink("option erase_token 'et_made_up'"),
		"erase_url without erase_api":   sink("option erase_url 'https://api.example'"),
		"segment or rudderstack":        sink("option erase_api 'jitsu'", "option erase_token 'et_made_up'"),
		"without a space":               sink("option erase_api 'segment'", "option erase_token 'et made up'"),
		"https":                         sink("option erase_api 'segment'", "option erase_token 'et_made_up'", "option erase_url 'http://api.example'"),
	} {
		_, err := Parse("f", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "made up") {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
