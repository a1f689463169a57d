package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/world"
)

// A guarded shop has everything in it that a guest must not reach, and counts
// what arrives there.
type guardedShop struct {
	*shop
	*world.Matrix
	system system
	cells  int
}

// TestNothingPassesWhateverBecomesOfTheDaemon tries every way to every place
// in every state of the daemon and of the router's own firewall.
func TestNothingPassesWhateverBecomesOfTheDaemon(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string, terms world.Terms) {
		for _, sys := range systems {
			t.Run("beside "+sys.name, func(t *testing.T) { shutAlways(t, backend, sys, terms) })
		}
	})
}

func shutAlways(t *testing.T, backend string, sys system, terms world.Terms) {
	o := sys.options
	o.LAN, o.Uncounted = true, false
	s := newShop(t, o, terms)
	sys.begin(s)
	matrix, err := s.NewMatrix(s.patient(), 2050, 2053)
	if err != nil {
		t.Fatal(err)
	}
	g := &guardedShop{shop: s, Matrix: matrix, system: sys}
	defer func() { t.Logf("%d cells", g.cells) }()
	mallory, guest := s.join("mallory"), s.join("guest")
	if leaks := world.Leaks(g.try(mallory)); len(leaks) < 20 {
		t.Fatalf("before anything is installed the matrix finds %d leaks: it proves nothing", len(leaks))
	}

	s.hien("gate", "shut")
	g.shut("before the first start, by the gate alone", mallory)
	if err := s.Launch(); err != nil {
		t.Fatal(err)
	}
	g.shut("starting", mallory)
	if _, err := s.Daemon.Line(s.patient(), `msg="the portal is open"`); err != nil {
		t.Fatal(err)
	}
	g.shutAloud("running", mallory)
	s.skip(guest)
	g.online("running", guest)

	s.stop()
	g.shut("stopped", mallory)
	g.online("stopped", guest)
	s.start()
	s.Daemon.Kill()
	g.shut("killed", mallory)
	g.online("killed", guest)
	if err := s.Launch(); err != nil {
		t.Fatal(err)
	}
	g.shut("restarting", mallory)
	if _, err := s.Daemon.Line(s.patient(), `msg="the portal is open"`); err != nil {
		t.Fatal(err)
	}
	g.upgrade()
	g.shut("upgrading", mallory)
	if _, err := s.Daemon.Line(s.patient(), `msg="the portal is open"`); err != nil {
		t.Fatal(err)
	}
	g.online("upgraded", guest)

	flows := s.downloads(guest, 2) // the first over IPv4, the second over IPv6
	for what, argv := range g.vandals(backend) {
		for _, args := range argv {
			s.router(args...)
		}
		g.shut("just after "+what, mallory)
		if !s.guarded() {
			t.Errorf("2 s after %s the rules are not back", what)
		}
		g.shutAloud("repaired after "+what, mallory)
		if strings.Contains(what, "NAT") { // the system's, which is not ours to put back
			sys.reload(s)
			if !s.guarded() {
				t.Errorf("2 s after the system's reload the rules are not back")
			}
		}
		if !soon(func() bool { return s.online(guest) }) {
			var said []string
			for _, a := range guest.Attempts(s.patient(), guest.Target) {
				said = append(said, a.String())
			}
			t.Errorf("after %s the guest with a pass is not online:\n%s", what, strings.Join(said, "\n"))
		}
	}
	if found := broken(s.patient(), flows[1:]); len(found) > 0 {
		t.Errorf("after all of that: %s", found)
	}
	select {
	case err := <-flows[0].ended: // its translation went with the NAT, and the far side knows no such connection
		t.Logf("the IPv4 flow ended, which is the doing of who flushed the NAT: %v", err)
	default:
	}
	s.stop()
	s.router("nft", "flush", "ruleset")
	g.shut("stopped, and everything flushed", mallory)
	s.start()
	g.shutAloud("started after that", mallory)

	// The negative control: without the second gate a flush opens the door,
	// and this test sees it.
	s.stop()
	s.router("nft", "flush", "ruleset")
	s.hien("gate", "open")
	if len(world.Leaks(g.try(mallory))) == 0 {
		t.Error("with the second gate open and everything flushed nothing leaks: the gate's part was never seen")
	}
	s.start()
	g.shutAloud("started at last", mallory)
	s.hien("cleanup")
	if len(world.Leaks(g.try(mallory))) == 0 {
		t.Error("after hien cleanup nothing is open: it did not clean up")
	}
}

// vandals are what other programs do to the packet filter, by what they do.
func (g *guardedShop) vandals(backend string) map[string][][]string {
	v := map[string][][]string{
		"nft flush ruleset, the NAT too": {{"nft", "flush", "ruleset"}},
		"iptables -F":                    {{"iptables", "-F"}, {"ip6tables", "-F"}},
		"iptables -t mangle -F":          {{"iptables", "-t", "mangle", "-F"}, {"ip6tables", "-t", "mangle", "-F"}},
	}
	if backend == "nftables" {
		v["the deletion of our table"] = [][]string{{"nft", "delete", "table", "inet", "hien"}}
	} else {
		v["the deletion of our jumps"] = [][]string{{"iptables", "-D", "FORWARD", "-j", "HIEN-FORWARD"}, {"ip6tables", "-D", "FORWARD", "-j", "HIEN-FORWARD"}}
	}
	return v
}

// upgrade puts another program in the place of the one that is running, and
// starts it, as a package manager does.
func (g *guardedShop) upgrade() {
	g.Helper()
	text, err := os.ReadFile(g.Program)
	if err != nil {
		g.Fatal(err)
	}
	fresh := filepath.Join(g.T.TempDir(), "hien")
	if err := os.WriteFile(fresh, text, 0o755); err != nil {
		g.Fatal(err)
	}
	g.stop()
	g.Program = fresh
	if err := g.Launch(); err != nil {
		g.Fatal(err)
	}
}

// try lets a phone try everything. A refusal that comes late is taken for
// none here: how soon one comes is for shutAloud.
func (g *guardedShop) try(p *world.Phone) []world.Cell { return g.tryFor(p, 150*time.Millisecond) }

func (g *guardedShop) tryFor(p *world.Phone, patience time.Duration) []world.Cell {
	g.Helper()
	cells, err := g.Try(g.patient(), p, patience)
	if err != nil {
		g.Fatal(err)
	}
	g.cells += len(cells)
	return cells
}

// shut holds that nothing of a guest without a pass arrives anywhere.
func (g *guardedShop) shut(when string, p *world.Phone) {
	g.Helper()
	if bad := world.Leaks(g.try(p)); len(bad) > 0 {
		g.Errorf("%s, without a pass, these got through:\n%s", when, world.Lines(bad))
	}
}

// shutAloud holds besides that the guest is told so at once.
func (g *guardedShop) shutAloud(when string, p *world.Phone) {
	g.Helper()
	cells := g.tryFor(p, time.Second)
	if bad := world.Leaks(cells); len(bad) > 0 {
		g.Errorf("%s, without a pass, these got through:\n%s", when, world.Lines(bad))
	}
	if bad := world.Waits(cells); len(bad) > 0 {
		g.Errorf("%s, without a pass, these were not refused at once:\n%s", when, world.Lines(bad))
	}
}

// online holds that a guest with a pass reaches the internet and the portal,
// and nothing else.
func (g *guardedShop) online(when string, p *world.Phone) {
	g.Helper()
	if bad := world.Strays(g.try(p)); len(bad) > 0 {
		g.Errorf("%s, with a pass, these are wrong:\n%s", when, world.Lines(bad))
	}
}
