package dns

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/probes"
)

func TestWithin(t *testing.T) {
	n, err := Names{Garden: []string{"zalo.me", "*.Example.VN.", "shop.test", "10.9.0.0/16", "203.0.113.7"}}.parse()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"zalo.me": true, "id.zalo.me": true, "a.b.c.zalo.me": true, "example.vn": true, "www.example.vn": true,
		"notzalo.me": false, "zalo.me.evil.test": false, "me": false, "vn": false, "": false, "203.0.113.7": false,
	} {
		if got := within(n.garden, name); got != want {
			t.Errorf("%q in the garden: got %v, want %v", name, got, want)
		}
	}
	for addr, want := range map[string]bool{
		"203.0.113.1": true, "2001:db8::1": true, "198.18.0.1": true, "10.9.1.1": true,
		"10.8.0.1": false, "127.0.0.1": false, "169.254.1.1": false, "192.168.1.1": false, "172.31.0.1": false,
		"100.64.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "0.0.0.0": false,
		"::": false, "::1": false, "::ffff:203.0.113.1": false, "fe80::1": false, "fd00::1": false, "ff02::1": false,
	} {
		if got := n.reachable(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s may be in an answer: got %v, want %v", addr, got, want)
		}
	}
}

func TestNamesThatCannotBe(t *testing.T) {
	for entry, want := range map[string]string{
		"apple.com":                     "captive.apple.com",
		"com":                           "portal",
		"gstatic.com":                   "connectivitycheck.gstatic.com",
		"*.msftconnecttest.com":         "ipv6.msftconnecttest.com",
		"connectivitycheck.gstatic.com": "connectivitycheck.gstatic.com",
		"":                              "empty",
		"a b.vn":                        "letters",
		"Cà-phê.vn":                     "letters",
		"a..vn":                         "label is empty",
		".vn":                           "label is empty",
		strings.Repeat("a", 64) + ".vn": "longer than 63",
		"http://example.vn/":            "letters",
	} {
		for which, names := range map[string]Names{"garden": {Garden: []string{entry}}, "code garden": {CodeGarden: []string{entry}}} {
			if _, err := names.parse(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q in the %s: got error %v, want one with %q", entry, which, err, want)
			}
		}
	}
	for _, pattern := range []string{"ocsp.apple.com", "time.google.com", "zalo.me", "deeper.captive.apple.com", "not a name"} {
		if host, bad := ProbeInGarden(pattern); bad {
			t.Errorf("%q in the garden: got %s found, want none", pattern, host)
		}
	}
}

func TestPresets(t *testing.T) {
	if got, want := Presets(), []string{"ntp", "ocsp", "zalo", "zalo-app"}; !slices.Equal(got, want) {
		t.Fatalf("presets: got %v, want %v", got, want)
	}
	if _, err := Preset("facebook"); err == nil || !strings.Contains(err.Error(), "ntp, ocsp, zalo") {
		t.Errorf("unknown preset: got error %v, want one that names those that there are", err)
	}
	dated := regexp.MustCompile(`(?m)^# Date: 20\d\d-\d\d-\d\d$`)
	for _, preset := range Presets() {
		text, err := os.ReadFile("presets/" + preset + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for _, head := range []string{"\n# Source: ", "\n# How sure: ", "\n# What else it opens: "} {
			if !strings.Contains(string(text), head) {
				t.Errorf("%s: its head has no %q", preset, strings.TrimSpace(head))
			}
		}
		if !dated.Match(text) {
			t.Errorf("%s: its head has no date", preset)
		}
		hosts, err := Preset(preset)
		if err != nil || len(hosts) == 0 {
			t.Fatalf("%s: got %d hosts, error %v", preset, len(hosts), err)
		}
		if _, err := (Names{Garden: hosts}).parse(); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
		if sorted := slices.Compact(slices.Sorted(slices.Values(hosts))); len(sorted) != len(hosts) {
			t.Errorf("%s: a host is there twice", preset)
		}
		for _, host := range hosts {
			for _, probe := range probes.Hosts() {
				if host == probe || strings.HasSuffix(probe, "."+host) || strings.HasSuffix(host, "."+probe) {
					t.Errorf("%s: %s is %s, by which phones find the portal, or above or below it", preset, host, probe)
				}
			}
		}
	}
}

func TestRegistered(t *testing.T) {
	for name, want := range map[string]string{
		"example.vn": "example.vn", "a.b.example.vn": "example.vn", "a.example.com.vn": "example.com.vn",
		"example.com.vn": "example.com.vn", "com.vn": "com.vn", "vn": "vn", "a.b.example.co.uk": "example.co.uk",
		"x.y.amazonaws.com": "amazonaws.com", "a.ab.vn": "ab.vn",
	} {
		if got := registered(name); got != want {
			t.Errorf("registered domain of %s: got %s, want %s", name, got, want)
		}
	}
}
