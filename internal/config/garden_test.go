package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/dns"
	"github.com/hien-wifi/hien/internal/probes"
)

func TestGardensWritePresetsOut(t *testing.T) {
	ntp, err := dns.Preset("ntp")
	if err != nil {
		t.Fatal(err)
	}
	names, networks, codeNames := Gardens(hien.Zone{
		Garden:     []string{"menu.example", "192.0.2.7", "time.google.com", "ntp", "2001:db8:7::/48", "2001:db8::7"},
		CodeGarden: []string{"ntp", "codes.example"},
	})
	want := slices.Sorted(slices.Values(append(slices.Clone(ntp), "menu.example")))
	if d := cmp.Diff(want, names); d != "" { // time.google.com is in the preset, and there once
		t.Errorf("names (-want +got):\n%s", d)
	}
	want = slices.Sorted(slices.Values(append(slices.Clone(ntp), "codes.example")))
	if d := cmp.Diff(want, codeNames); d != "" {
		t.Errorf("names for codes (-want +got):\n%s", d)
	}
	wantNetworks := []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8:7::/48"), netip.MustParsePrefix("2001:db8::7/128")}
	if !slices.Equal(networks, wantNetworks) {
		t.Errorf("networks: got %v, want %v", networks, wantNetworks)
	}
}

func TestGardensOfNothingAreEmpty(t *testing.T) {
	if names, networks, codeNames := Gardens(hien.Zone{}); len(names)+len(networks)+len(codeNames) > 0 {
		t.Errorf("got %v, %v, %v, want nothing", names, networks, codeNames)
	}
}

// TestPresetsAreGoodGardens holds the presets to the rules for what an owner
// writes, and their names apart from hosts' names.
func TestPresetsAreGoodGardens(t *testing.T) {
	for _, preset := range dns.Presets() {
		if isHostName(preset) {
			t.Errorf("preset %s may be a host: want a name without a dot", preset)
		}
		names, err := dns.Preset(preset)
		if err != nil || len(names) == 0 {
			t.Errorf("preset %s: got %d names, %v, want some", preset, len(names), err)
		}
		for _, name := range names {
			if garden := []string(nil); !addGarden(&garden, name) {
				t.Errorf("preset %s: %s is not allowed in a garden: %s", preset, name, gardenHint(name))
			}
		}
	}
}

// TestNoProbesHostIsInAGarden tries every probe's host, what is above it and
// what is beneath it.
func TestNoProbesHostIsInAGarden(t *testing.T) {
	for _, host := range probes.Hosts() {
		for name := host; isHostName(name); {
			for _, add := range []func(*[]string, string) bool{addGarden, addCodeGarden} {
				if garden := []string(nil); add(&garden, name) {
					t.Errorf("%s was taken, and so the probe's host %s", name, host)
				}
			}
			_, name, _ = strings.Cut(name, ".")
		}
		if garden := []string(nil); !addGarden(&garden, "beneath."+host) {
			t.Errorf("beneath.%s was not taken", host)
		}
	}
	for _, p := range probes.List {
		if people[p.OS] == "" {
			t.Errorf("%s has no name for the owner", p.OS)
		}
	}
}

func TestAmountsAreWrittenAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"64k", "1500k", "2M", "10G", "64001"} {
		var n int64
		if !setAmount(&n, text, minSpeed, maxSpeed) || amount(n) != text {
			t.Errorf("%s: got %d, %s", text, n, amount(n))
		}
	}
}
