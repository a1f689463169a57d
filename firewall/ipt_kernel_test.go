package firewall_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// eachIPTables runs a test with each of the two iptables that a system may
// have.
func eachIPTables(t *testing.T, test func(t *testing.T)) {
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			useVariant(t, variant)
			test(t)
		})
	}
}

// useVariant makes iptables and ip6tables this variant's.
func useVariant(t testing.TB, variant string) {
	multi, err := exec.LookPath("xtables-" + variant + "-multi")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"iptables", "ip6tables"} {
		for _, kind := range []string{"", "-save", "-restore"} {
			if err := os.Symlink(multi, filepath.Join(dir, name+kind)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// A tabled is a world whose door is made of iptables.
type tabled struct {
	t testing.TB
	*world.World
	door  *firewall.Firewall
	rules firewall.Ruleset
}

func newTabled(t testing.TB, o world.Options) *tabled {
	t.Helper()
	world.Need(t)
	o.NoCDP, o.IPTables = true, "iptables"
	w, err := world.New(soonest(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	h := &tabled{t: t, World: w, rules: firewall.Ruleset{
		Uplinks: []string{world.WAN},
		Zones: []firewall.Zone{{
			Name: "guest", Interface: world.GuestBridge, PortalPort: 2050,
			Prefix: netip.PrefixFrom(w.Router.GuestV4(), 24),
		}},
	}}
	if o.GuestPrefix.IsValid() {
		h.rules.Zones[0].Prefix = o.GuestPrefix
	}
	h.open(func(context.Context) {})
	return h
}

// soonest is a deadline that only a hung test reaches.
func soonest(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (h *tabled) open(refill func(context.Context)) {
	h.t.Helper()
	h.do(func() (err error) {
		h.door, err = firewall.Open(soonest(h.t), firewall.Options{Backend: firewall.IPTables, Refill: refill})
		return err
	})
	door := h.door
	h.t.Cleanup(func() { door.Close() })
}

func (h *tabled) do(f func() error) {
	h.t.Helper()
	if err := h.Router.Do(f); err != nil {
		h.t.Fatal(err)
	}
}

func (h *tabled) apply() {
	h.t.Helper()
	h.do(func() error { return h.door.Apply(soonest(h.t), h.rules) })
}

// check fails the test where Check finds a difference.
func (h *tabled) check(when string) {
	h.t.Helper()
	h.do(func() error {
		found, err := h.door.Check(soonest(h.t))
		if len(found) > 0 {
			h.t.Errorf("%s: got %q, want no difference", when, found)
		}
		return err
	})
}

func (h *tabled) run(line string) string {
	h.t.Helper()
	args := strings.Fields(line)
	out, err := h.Router.Run(soonest(h.t), args[0], args[1:]...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// phone joins the guest network.
func (h *tabled) phone(name string) (*world.Phone, hien.GuestID, []netip.Addr) {
	h.t.Helper()
	p, err := h.AddPhone(name)
	if err == nil {
		err = p.Join(soonest(h.t))
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return p, hien.GuestID{Zone: "guest", MAC: hien.MAC(p.MAC)}, []netip.Addr{p.IPv4(), p.IPv6()}
}

func (h *tabled) admit(id hien.GuestID, addrs []netip.Addr) {
	h.t.Helper()
	if err := h.door.Admit(soonest(h.t), id, addrs, time.Hour); err != nil {
		h.t.Fatal(err)
	}
}

// answered are the ways to a target that work, sorted.
func (h *tabled) answered(p *world.Phone) (v4, v6 []string) {
	h.t.Helper()
	for _, a := range p.Attempts(soonest(h.t), p.Target) {
		switch {
		case !a.Answered():
		case a.To.Is4():
			v4 = append(v4, a.Name)
		default:
			v6 = append(v6, a.Name)
		}
	}
	slices.Sort(v4)
	slices.Sort(v6)
	return v4, v6
}

// others puts other people's rules and sets around ours.
func (h *tabled) others() {
	h.t.Helper()
	h.run("ipset create theirs hash:ip timeout 600")
	for _, t := range []string{"iptables", "ip6tables"} {
		h.run(t + " -N HIENOS") // almost our name
		h.run(t + " -A FORWARD -j HIENOS")
		h.run(t + ` -A FORWARD -i wan -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment a"b -j ACCEPT`)
		h.run(t + " -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu")
		h.run(t + " -t nat -A PREROUTING -i lan -p tcp --dport 99 -j REDIRECT --to-ports 9")
	}
}

// everything is a zone with all that a zone can have.
func (h *tabled) everything() {
	z := &h.rules.Zones[0]
	z.DNSPort, z.APIPort = 2053, 2443
	z.Garden = []netip.Prefix{netip.MustParsePrefix("203.0.113.7/24"), netip.MustParsePrefix("2001:db8:9::1/48"), netip.MustParsePrefix("192.168.9.10/32")}
	z.Speed, z.AllSpeed = firewall.Speed{Down: 12_345_678, Up: 1_000_000}, firewall.Speed{Down: 125_000_000, Up: 64_000}
	h.rules.Zones = append(h.rules.Zones, firewall.Zone{Name: "sân thượng", Interface: "br-two", PortalPort: 2051})
	h.rules.Uplinks = []string{world.WAN, "wwan0"}
	h.rules.Masquerade = true
}

func TestIPTablesPrintWhatTheyWereGivenAndCleanupTakesItAway(t *testing.T) {
	eachIPTables(t, func(t *testing.T) {
		h := newTabled(t, world.Options{})
		h.others()
		before := h.saved()
		h.apply()
		h.check("a plain ruleset")
		h.everything()
		h.apply()
		h.check("a full ruleset")
		// A second Apply must not touch the rules: their counters stay.
		p, _, _ := h.phone("phone")
		h.answered(p)
		refused := regexp.MustCompile(`\[(\d+):\d+\] -A HIEN-REJECT -p tcp `)
		n := refused.FindStringSubmatch(h.run("iptables-save -c -t filter"))
		h.apply()
		if again := refused.FindStringSubmatch(h.run("iptables-save -c -t filter")); n == nil || n[1] == "0" || !slices.Equal(n, again) {
			t.Errorf("counted %q before the second Apply, %q after it; want the same and not 0", n, again)
		}
		// A speed that is another one, and what is gone.
		h.rules.Zones[0].Speed.Down = 54_321
		h.apply()
		h.check("another speed")
		if names := h.run("ls /proc/net/ipt_hashlimit"); !strings.Contains(names, "HIEN-d4-guest-54321") || strings.Contains(names, "12345678") {
			t.Errorf("the kernel has the buckets %q", names)
		}
		h.rules.Zones, h.rules.Masquerade = h.rules.Zones[:1], false
		h.rules.Zones[0].Speed, h.rules.Zones[0].AllSpeed = firewall.Speed{}, firewall.Speed{}
		h.apply()
		h.check("a smaller ruleset")
		h.run("ipset create HIEN-4b-old-new bitmap:ip,mac range 10.0.0.0/24")
		h.run("iptables -t raw -N HIEN-OLD")
		h.run(`iptables -t raw -A PREROUTING -i eth9 -m comment --comment a"b -j HIEN-OLD`)
		h.do(func() error { return h.door.Cleanup(soonest(t)) })
		if diff := cmp.Diff(before, h.saved()); diff != "" {
			t.Errorf("after Cleanup: -before +after:\n%s", diff)
		}
	})
}

var untold = regexp.MustCompile(`(?m)^#.*\n|\[\d+:\d+\]| timeout \d+$| initval \S+|^\*\w+\n(:\w+ ACCEPT \n)*COMMIT\n`)

// saved is what the tools tell without what runs, and without empty tables.
func (h *tabled) saved() string {
	h.t.Helper()
	text := h.run("iptables-save") + h.run("ip6tables-save") + h.run("ipset save")
	return untold.ReplaceAllString(untold.ReplaceAllString(text, ""), "")
}

// What one command takes away must let nobody in, with the second gate and
// with what is left of the rules.
func TestWhatIsFlushedAloneStaysShut(t *testing.T) {
	eachIPTables(t, func(t *testing.T) {
		h := newTabled(t, world.Options{LAN: true, NoMasquerade: true})
		h.rules.Masquerade = true
		p, id, addrs := h.phone("phone")
		sshd, err := h.Router.Listen("tcp", ":22")
		if err != nil {
			t.Fatal(err)
		}
		h.Internet.ServeHTTP(sshd, http.NotFoundHandler(), nil, false)
		h.apply()
		for i, c := range []struct {
			what  string
			deeds []string
		}{
			{"nothing", nil},
			{"filter", []string{"-F", "-X"}},
			{"nat", []string{"-t nat -F"}},
			{"mangle", []string{"-t mangle -F"}},
			{"filter and nat", []string{"-F", "-t nat -F"}},
			{"all three", []string{"-F", "-t nat -F", "-t mangle -F"}},
			{"the jump in FORWARD", []string{"-D FORWARD -j HIEN-FORWARD"}},
			{"the jump in INPUT", []string{"-D INPUT -j HIEN-INPUT"}},
			{"the jump to the marks", []string{"-t mangle -D PREROUTING -j HIEN-PREROUTING"}},
			{"the jump to the belt", []string{"-t mangle -D POSTROUTING -j HIEN-POSTROUTING"}},
			{"the jump to the redirects", []string{"-t nat -D PREROUTING -j HIEN-PREROUTING"}},
			{"the zone's rules", []string{"-F HIEN-F-guest"}},
		} {
			for _, deed := range c.deeds {
				h.run("iptables " + deed)
				h.run("ip6tables " + deed)
			}
			// A place that nobody has asked before: what comes late of a
			// connection that was allowed is no leak.
			place := h.Internet.Target(5000 + i)
			inside := []string{"192.168.1.10:80", "192.168.1.1:22", "10.77.0.1:22", "198.51.100.2:22", "[2001:db8:77::1]:22"}
			var all sync.WaitGroup
			all.Go(func() { h.reaches(p, "without a pass and without "+c.what, inside) })
			for _, a := range p.Attempts(soonest(t), place) {
				if a.Answered() {
					t.Errorf("without %s: %s", c.what, a)
				}
			}
			all.Wait()
			if err := h.Flush(soonest(t)); err != nil {
				t.Fatal(err)
			}
			if seen := h.Internet.SeenAt(place); seen.Total() > 0 {
				t.Errorf("without %s: the internet has seen %+v", c.what, seen)
			}
			h.admit(id, addrs)
			h.reaches(p, "with a pass and without "+c.what, inside)
			h.apply()
			h.check("repaired " + c.what)
			if v4, v6 := h.answered(p); len(v4) != 10 || len(v6) != 10 {
				t.Errorf("with a pass, after %s was repaired: answered %q and %q", c.what, v4, v6)
			}
			if err := h.door.Remove(soonest(t), id, addrs); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// reaches fails the test where a phone can open a connection to one of these.
func (h *tabled) reaches(p *world.Phone, when string, all []string) {
	var tries sync.WaitGroup
	defer tries.Wait()
	for _, to := range all {
		tries.Go(func() {
			ctx, cancel := context.WithTimeout(h.t.Context(), 300*time.Millisecond)
			defer cancel()
			if c, err := p.Dial(ctx, "tcp", to); err == nil {
				c.Close()
				h.t.Errorf("%s: %s was reached", when, to)
			}
		})
	}
}

func TestRefusedTCPIsResetAndUDPUnreachable(t *testing.T) {
	eachIPTables(t, func(t *testing.T) {
		h := newTabled(t, world.Options{LAN: true})
		p, id, addrs := h.phone("phone")
		h.apply()
		for _, pass := range []bool{false, true} {
			to := []string{"192.168.1.10:80", "192.168.1.10:445", "10.77.0.1:22", "[2001:db8:77::1]:22"}
			if pass {
				h.admit(id, addrs)
			} else {
				to = append(to, netip.AddrPortFrom(p.Target.V4, 443).String(), netip.AddrPortFrom(p.Target.V6, 443).String())
			}
			for _, to := range to {
				if c, err := p.Dial(soonest(t), "tcp", to); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("tcp to %s, with a pass %v: got %v %v, want a reset", to, pass, c, err)
				}
			}
		}
		h.do(func() error { return h.door.Remove(soonest(t), id, addrs) })
		for _, a := range p.Attempts(soonest(t), p.Target) {
			if strings.HasPrefix(a.Name, "udp") && !errors.Is(a.Err, syscall.ECONNREFUSED) {
				t.Errorf("%s; want port unreachable", a)
			}
		}
	})
}
