package config

import (
	"errors"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/probes"
	"github.com/hien-wifi/hien/internal/uci"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(shop(f)))
	for _, name := range []string{"wrong", "wrong-door", "wrong-senders", "senders", "unsealed", "syntax"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".uci"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := Parse("f", strings.NewReader(string(in)))
		var errs uci.Errors
		if err != nil {
			if !errors.As(err, &errs) || len(errs) == 0 || c != nil {
				t.Fatalf("Parse(%q) = %v, %v: want uci.Errors alone", in, c, err)
			}
			return
		}
		if c.StoreID == "" || c.StoreName == "" || len(c.Zones) == 0 || c.DataDir == c.RunDir {
			t.Fatalf("Parse(%q) let through %+v", in, c)
		}
		ports, names := map[uint16]bool{}, map[string]bool{}
		for _, z := range c.Zones {
			if ports[z.PortalPort] || names[z.Interface] || z.Name == "" || z.Interface == "" || z.PortalPort < 1024 ||
				z.Pass < minPass || z.Pass > maxPass || z.VisitGap < minGap || z.VisitGap > maxGap {
				t.Fatalf("Parse(%q) let through zone %+v", in, z)
			}
			ports[z.PortalPort], names[z.Interface] = true, true
			checkDoor(t, c, z)
			for _, p := range z.Purposes {
				if p.Reaches() && c.SealKey.IsZero() {
					t.Fatalf("Parse(%q) let through purpose %s without seal key", in, p)
				}
			}
		}
	})
}

// checkDoor holds what every zone that was let through has.
func checkDoor(t *testing.T, c *Config, z hien.Zone) {
	t.Helper()
	if z.Grace < 0 || z.Grace > maxGrace || z.Idle != 0 && (z.Idle < minIdle || z.Idle > maxIdle) || z.Volume != 0 && (z.Volume < minVolume || z.Volume > maxVolume) {
		t.Errorf("grace %v, idle %v, volume %d", z.Grace, z.Idle, z.Volume)
	}
	for _, speed := range []int64{z.Speed.Down, z.Speed.Up, z.AllSpeed.Down, z.AllSpeed.Up} {
		if speed != 0 && (speed < minSpeed || speed > maxSpeed) {
			t.Errorf("speed %d", speed)
		}
	}
	for _, mac := range z.Trusted {
		if slices.Contains(z.Blocked, mac) {
			t.Errorf("%v is trusted and blocked", mac)
		}
	}
	if slices.Contains(c.Uplinks, z.Interface) || bits.OnesCount32(c.Mark) != 1 || len(c.DNSUpstream) == 0 {
		t.Errorf("uplinks %v, mark %x, upstreams %v", c.Uplinks, c.Mark, c.DNSUpstream)
	}
	s := c.Services[z.Name]
	if s.DNSPort == z.PortalPort || s.API.Port != 0 && (s.API.Port == s.DNSPort || s.API.Port == z.PortalPort) {
		t.Errorf("ports %d, %+v", z.PortalPort, s)
	}
	if whole := (s.API.Name != "") && s.API.CertFile != "" && s.API.KeyFile != "" && s.API.Port != 0; !whole && s.API != (API{}) {
		t.Errorf("half an API: %+v", s.API)
	}
	names, networks, codeNames := Gardens(z)
	for _, name := range append(names, codeNames...) {
		for _, host := range probes.Hosts() {
			if host == name || strings.HasSuffix(host, "."+name) {
				t.Errorf("a garden has %s, and so the probe's host %s", name, host)
			}
		}
	}
	for _, n := range networks {
		if n != n.Masked() || n.Bits() < minBits4 || !n.Addr().Is4() && n.Bits() < minBits6 {
			t.Errorf("a garden has the network %v", n)
		}
	}
}
