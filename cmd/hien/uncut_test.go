package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

// backends are the firewalls over which the gateway is tried.
var backends = []string{"nftables", "iptables"}

// eachBackend runs a test over each.
func eachBackend(t *testing.T, test func(t *testing.T, backend string, terms world.Terms)) {
	for _, name := range backends {
		t.Run(name, func(t *testing.T) {
			terms := everyday
			terms.Main = "\toption firewall '" + name + "'\n"
			test(t, name, terms)
		})
	}
}

// A download is a connection that never ends by itself: the far side sends
// back what it is sent, and another word follows when it has come.
type download struct {
	conn  net.Conn
	words atomic.Int64
	ended chan error
}

// downloads opens connections of a phone, half of them of each family.
func (s *shop) downloads(p *world.Phone, n int) (all []*download) {
	s.Helper()
	for i := range n {
		to := p.Target.Addrs()[i%2]
		conn, err := p.Dial(s.patient(), "tcp", netip.AddrPortFrom(to, 7).String())
		if err != nil {
			s.Fatalf("download %d: %v", i, err)
		}
		d := &download{conn: conn, ended: make(chan error, 1)}
		s.Cleanup(func() { conn.Close() })
		go d.run()
		all = append(all, d)
	}
	return all
}

func (d *download) run() {
	word := make([]byte, 1<<10)
	for {
		if _, err := d.conn.Write(word); err != nil {
			d.ended <- err
			return
		}
		if _, err := io.ReadFull(d.conn, word); err != nil {
			d.ended <- err
			return
		}
		d.words.Add(1)
		pause(5 * time.Millisecond) // a hundred of these are a few MB/s
	}
}

// pause lets a download be slow, as one is. Nothing waits for it.
func pause(d time.Duration) { <-time.After(d) }

// broken are the downloads that ended or no longer go on.
func broken(ctx context.Context, all []*download) (found []string) {
	before := make([]int64, len(all))
	for i, d := range all {
		before[i] = d.words.Load()
	}
	for i, d := range all {
		for d.words.Load() < before[i]+2 { // the one under way may be from before
			select {
			case err := <-d.ended:
				d.ended <- err
				found = append(found, fmt.Sprintf("download %d of %s: %v", i, d.conn.RemoteAddr(), err))
			case <-ctx.Done():
				found = append(found, fmt.Sprintf("download %d of %s stands still", i, d.conn.RemoteAddr()))
			case <-time.After(10 * time.Millisecond):
				continue
			}
			break
		}
	}
	return found
}

// A system is how a router's own firewall stands beside ours: what it reloads
// takes everybody's rules out in one transaction, and puts its NAT back.
type system struct {
	name    string
	options world.Options
	begin   func(s *shop) // before hien is installed
	reload  func(s *shop)
}

// systems are a router with nftables, as fw4 is, and one with iptables.
var systems = []system{
	{"nft -f", world.Options{Uncounted: true, NoMasquerade: true},
		func(s *shop) {
			s.write("system.nft", "flush ruleset\ntable inet system {\n\tchain srcnat {\n\t\ttype nat hook postrouting priority srcnat\n\t\tmeta nfproto ipv4 oifname \""+world.WAN+"\" masquerade\n\t}\n}\n")
			s.router("nft", "-f", s.path("system.nft"))
		},
		func(s *shop) { s.router("nft", "-f", s.path("system.nft")) }},
	{"iptables-restore", world.Options{Uncounted: true},
		func(s *shop) {
			rest := "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n*mangle\n:PREROUTING ACCEPT\nCOMMIT\n"
			s.write("system.v4", s.router("iptables-save", "-t", "nat")+rest)
			s.write("system.v6", "*nat\n:PREROUTING ACCEPT\nCOMMIT\n"+rest)
		},
		func(s *shop) {
			s.router("iptables-restore", s.path("system.v4"))
			s.router("ip6tables-restore", s.path("system.v6"))
		}},
}

func (s *shop) path(name string) string { return filepath.Join(s.Router.Dir(), name) }

func (s *shop) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

// router runs a program on the router.
func (s *shop) router(args ...string) string {
	s.Helper()
	out, err := s.Router.Run(s.patient(), args[0], args[1:]...)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// TestNobodyWithAPassIsCut plays what a router's firewall goes through in a
// year, in a minute, while a hundred downloads go on.
func TestNobodyWithAPassIsCut(t *testing.T) {
	eachBackend(t, func(t *testing.T, _ string, terms world.Terms) {
		for _, sys := range systems {
			t.Run("beside "+sys.name, func(t *testing.T) { uncut(t, sys, terms) })
		}
	})
}

func uncut(t *testing.T, sys system, terms world.Terms) {
	s := newShop(t, sys.options, terms)
	sys.begin(s)
	s.start()
	p := s.join("p")
	s.skip(p)
	if !s.online(p) {
		t.Fatal("the phone is not online")
	}
	all := s.downloads(p, 100)
	still := func(t *testing.T, after string) {
		t.Helper()
		if found := broken(s.patient(), all); len(found) > 0 {
			t.Fatalf("%s: %d of %d downloads are broken:\n%s", after, len(found), len(all), strings.Join(found, "\n"))
		}
	}
	still(t, "before anything happened")
	for _, c := range []struct {
		what string
		n    int
		do   func(i int)
	}{
		{"reloads of ours", 50, func(i int) {
			s.reload(zoned(terms, fmt.Sprintf("option idle '%dm'", 10+i), fmt.Sprintf("list garden '192.0.2.%d'", 1+i)))
		}},
		{"reloads of the system's firewall", 50, func(int) {
			sys.reload(s)
			if !s.guarded() {
				t.Fatal("the rules are not back within 2 s")
			}
		}},
		{"restarts", 10, func(int) { s.stop(); s.start() }},
		{"kills", 10, func(int) { s.Daemon.Kill(); s.start() }},
	} {
		began := time.Now()
		for i := range c.n {
			c.do(i)
		}
		still(t, fmt.Sprint(c.n, " ", c.what))
		t.Logf("%d %s in %s: 0 of %d downloads broken", c.n, c.what, time.Since(began).Round(time.Millisecond), len(all))
	}
}

// guarded waits until the rules are in place again, for two seconds.
func (s *shop) guarded() bool {
	s.Helper()
	return soon(func() bool {
		var status control.Status
		if err := json.Unmarshal([]byte(s.hien("status", "--json")), &status); err != nil {
			s.Fatal(err)
		}
		return status.Firewall.Broken == ""
	})
}
