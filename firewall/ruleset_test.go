package firewall

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	kernelPlain = Kernel{V4: BitmapIPMAC, V6: HashIP, IPv6: true}
	kernelFull  = Kernel{V4: HashIPMAC, V6: HashMAC, IPv6: true}
	kernelOld   = Kernel{V4: BitmapIPMAC}
)

// twoZones has all that a ruleset can say, one zone more of it than the other.
var twoZones = Ruleset{
	Uplinks: []string{"wan", "wwan0"}, Masquerade: true,
	Zones: []Zone{
		{
			Name: "guest", Interface: "br-guest", Prefix: netip.MustParsePrefix("10.77.0.0/20"),
			PortalPort: 2050, DNSPort: 2053, APIPort: 2443,
			Garden: prefixes("203.0.113.7/24", "2001:db8:9::1/48", "192.168.1.10/32"),
			Speed:  Speed{Down: 1_000_000, Up: 512_000}, AllSpeed: Speed{Down: 5_000_000, Up: 2_000_000},
		},
		{Name: "sân thượng", Interface: "br-guest.30", PortalPort: 2051, Prefix: netip.MustParsePrefix("10.78.1.0/24")},
	},
}

func TestRulesetAsText(t *testing.T) {
	for name, c := range map[string]struct {
		r Ruleset
		k Kernel
	}{
		"two-zones-plain-kernel": {twoZones, kernelPlain},
		"two-zones-full-kernel":  {twoZones, kernelFull},
		"no-zones":               {Ruleset{}, kernelPlain},
		"zone-without-prefix":    {Ruleset{Zones: []Zone{{Name: "guest", Interface: "wlan1", PortalPort: 2050}}}, kernelOld},
	} {
		t.Run(name, func(t *testing.T) {
			text := "# ipset restore -exist\n" + setsText(c.r.sets(c.k)) +
				"\n# iptables-restore --noflush\n" + restoreText(c.r.tables(ipv4, c.k), nil, nil)
			if c.k.IPv6 {
				text += "\n# ip6tables-restore --noflush\n" + restoreText(c.r.tables(ipv6, c.k), nil, nil)
			}
			golden(t, name, text)
		})
	}
}

func TestRestoreTextMovesJumpsAndRemovesStaleChains(t *testing.T) {
	have := saved{
		"filter": {"FORWARD": {"-j HIEN-FORWARD"}, "INPUT": {"-p tcp -j ACCEPT", "-j HIEN-INPUT", "-j HIEN-INPUT"}},
	}
	golden(t, "stale-chains", restoreText(Ruleset{}.tables(ipv4, kernelPlain), map[string][]string{
		"filter": {"HIEN-F-old", "HIEN-I-old"}, "nat": {"HIEN-N-old"},
	}, have)+"\n# cleanup\n"+dropText(map[string][]string{"nat": {"HIEN-PREROUTING"}, "filter": {"HIEN-FORWARD", "HIEN-INPUT"}}))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; rewrite with -update):\n%s", path, diff)
	}
}

func TestValidate(t *testing.T) {
	good := Zone{Name: "guest", Interface: "br-guest", PortalPort: 2050, Prefix: netip.MustParsePrefix("10.77.0.0/16")}
	with := func(edit func(*Zone)) Ruleset {
		z := good
		edit(&z)
		return Ruleset{Zones: []Zone{z}}
	}
	for name, c := range map[string]struct {
		r    Ruleset
		k    Kernel
		want string // part of the error; empty for none
	}{
		"a good zone":                           {Ruleset{Zones: []Zone{good}}, kernelPlain, ""},
		"no zones":                              {Ruleset{}, kernelPlain, ""},
		"a prefix that is not known yet":        {with(func(z *Zone) { z.Prefix = netip.Prefix{} }), kernelPlain, ""},
		"a /15 where only bitmaps are":          {with(func(z *Zone) { z.Prefix = netip.MustParsePrefix("10.76.0.0/15") }), kernelPlain, "at most a /16"},
		"a /15 where hashes are":                {with(func(z *Zone) { z.Prefix = netip.MustParsePrefix("10.76.0.0/15") }), kernelFull, ""},
		"an IPv6 prefix":                        {with(func(z *Zone) { z.Prefix = netip.MustParsePrefix("fd00::/64") }), kernelFull, "no IPv4 network"},
		"no name":                               {with(func(z *Zone) { z.Name = "" }), kernelPlain, "no name"},
		"no port":                               {with(func(z *Zone) { z.PortalPort = 0 }), kernelPlain, "no portal port"},
		"no interface":                          {with(func(z *Zone) { z.Interface = "" }), kernelPlain, "interface name"},
		"a wildcard for an interface":           {with(func(z *Zone) { z.Interface = "br+" }), kernelPlain, "interface name"},
		"an option for an interface":            {with(func(z *Zone) { z.Interface = "-j" }), kernelPlain, "interface name"},
		"a rule for an interface":               {with(func(z *Zone) { z.Interface = "a\n-A INPUT" }), kernelPlain, "interface name"},
		"an interface of 16 letters":            {with(func(z *Zone) { z.Interface = "abcdefghijklmnop" }), kernelPlain, "interface name"},
		"two zones of one name":                 {Ruleset{Zones: []Zone{good, {Name: "guest", Interface: "b", PortalPort: 1}}}, kernelPlain, "two zones"},
		"two zones on one interface":            {Ruleset{Zones: []Zone{good, {Name: "b", Interface: "br-guest", PortalPort: 1}}}, kernelPlain, "belongs to another zone"},
		"two faults are both told: the port":    {Ruleset{Zones: []Zone{{Name: "b"}}}, kernelPlain, "no portal port"},
		"two faults are both told: the network": {Ruleset{Zones: []Zone{{Name: "b"}}}, kernelPlain, "interface name"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.r.Validate(c.k)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestNamesFitAndDoNotCollide(t *testing.T) {
	long := strings.Repeat("a", 16)
	names := []string{"guest", "a", long, long + "a", long + "b", "quán", "a b", "h-x", "a-new", "x;rm", "-j", "h_0"}
	seen := map[string]string{}
	for _, n := range names {
		r := Ruleset{Zones: []Zone{{Name: n, Speed: Speed{Up: 1 << 30}}}}
		all := map[string]bool{}
		for _, k := range []Kernel{kernelPlain, kernelFull} {
			sets := map[string]bool{}
			for _, d := range r.sets(k) {
				if len(d.name+"-new") > 31 {
					t.Errorf("set %s of zone %q is longer than ipset allows", d.name, n)
				}
				if sets[d.name] {
					t.Errorf("zone %q has two sets of the name %s", n, d.name)
				}
				sets[d.name], all[d.name] = true, true
			}
		}
		for _, table := range r.tables(ipv6, kernelFull) {
			for _, c := range table.chains {
				if len(c.name) > 28 {
					t.Errorf("chain %s of zone %q is longer than iptables allows", c.name, n)
				}
				if strings.Count(c.name, "-") > 1 {
					all[c.name] = true
				}
			}
		}
		for name := range all {
			if !strings.HasPrefix(name, "HIEN-") || strings.ContainsAny(name, " \"';\n") {
				t.Errorf("zone %q makes the name %q", n, name)
			}
			if other, ok := seen[name]; ok {
				t.Errorf("zones %q and %q share %s", n, other, name)
			}
			seen[name] = n
		}
	}
}

func TestBounds(t *testing.T) {
	for in, want := range map[string]string{
		"10.77.0.1/24":     "10.77.0.0-10.77.0.255",
		"10.77.18.9/20":    "10.77.16.0-10.77.31.255",
		"192.168.0.0/16":   "192.168.0.0-192.168.255.255",
		"198.51.100.7/32":  "198.51.100.7-198.51.100.7",
		"198.51.100.13/30": "198.51.100.12-198.51.100.15",
	} {
		first, last := bounds(netip.MustParsePrefix(in))
		if got := fmt.Sprintf("%s-%s", first, last); got != want {
			t.Errorf("bounds(%s): got %s, want %s", in, got, want)
		}
	}
}

func TestHolds(t *testing.T) {
	d := twoZones.Zones[1].set(passes4, kernelPlain)
	for in, want := range map[string]bool{"10.78.0.255": false, "10.78.1.0": true, "10.78.1.255": true, "10.78.2.0": false} {
		if got := d.holds(netip.MustParseAddr(in)); got != want {
			t.Errorf("holds(%s): got %v, want %v", in, got, want)
		}
	}
	empty := Zone{Name: "guest"}.set(passes4, kernelPlain)
	if empty.holds(netip.MustParseAddr("10.77.0.5")) {
		t.Error("a zone whose network is not known holds a guest")
	}
	if !slices.Equal([]SetType{empty.kind}, []SetType{BitmapIPMAC}) {
		t.Errorf("got %s", empty.kind)
	}
}
