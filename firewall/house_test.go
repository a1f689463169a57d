package firewall_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
	"golang.org/x/sys/unix"
)

// soon is a deadline that only a hung test reaches.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A house is a world with a portal in its router and the door before it.
type house struct {
	t testing.TB
	*world.World
	door  *firewall.Firewall
	rules firewall.Ruleset
}

const portalPort = 2050

// newHouse builds a world with a portal that answers every request with a
// redirect, and services on the router that no guest may reach.
func newHouse(t testing.TB, o world.Options) *house {
	t.Helper()
	world.Need(t)
	o.NoCDP = true
	w, err := world.New(soon(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	prefix := o.GuestPrefix
	if !prefix.IsValid() {
		prefix = netip.MustParsePrefix("10.77.0.1/24")
	}
	h := &house{t: t, World: w, rules: firewall.Ruleset{Zones: []firewall.Zone{
		{Name: "guest", Interface: world.GuestBridge, PortalPort: portalPort, Prefix: prefix},
	}}}
	portal := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://portal.test/", http.StatusFound)
	})
	admin := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "the router's own page")
	})
	for _, port := range append([]int{portalPort}, routerPorts...) {
		l, err := w.Router.Listen("tcp", fmt.Sprint(":", port))
		if err != nil {
			t.Fatal(err)
		}
		handler := admin
		if port == portalPort {
			handler = portal
		}
		w.Internet.ServeHTTP(l, handler, nil, false)
	}
	h.door = h.open()
	return h
}

// routerPorts are the router's own services: SSH, two admin pages.
var routerPorts = []int{22, 80, 8080}

func (h *house) do(f func() error) {
	h.t.Helper()
	if err := h.Router.Do(f); err != nil {
		h.t.Fatal(err)
	}
}

// open opens another Firewall on the router, as a daemon that starts again.
func (h *house) open() (f *firewall.Firewall) {
	h.t.Helper()
	h.do(func() (err error) {
		f, err = firewall.Open(soon(h.t), firewall.Options{})
		return err
	})
	h.t.Cleanup(func() { f.Close() })
	return f
}

func (h *house) apply() {
	h.t.Helper()
	h.do(func() error { return h.door.Apply(soon(h.t), h.rules) })
}

// differences are what Check finds.
func (h *house) differences() (found []string) {
	h.t.Helper()
	h.do(func() (err error) {
		found, err = h.door.Check(soon(h.t))
		return err
	})
	return found
}

// run runs a program on the router.
func (h *house) run(args ...string) string {
	h.t.Helper()
	out, err := h.Router.Run(soon(h.t), args[0], args[1:]...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

var (
	comment  = regexp.MustCompile(`(?m)^#.*\n`)
	counters = regexp.MustCompile(` \[\d+:\d+\]`)
	timeouts = regexp.MustCompile(` timeout \d+`)
	initval  = regexp.MustCompile(` initval \S+`)
)

// kernel is all that the tools tell of the router's rules and sets, without
// dates, counters and what runs down.
func (h *house) kernel() string {
	h.t.Helper()
	text := h.run("iptables-save") + h.run("ip6tables-save") + h.run("ipset", "save")
	text = comment.ReplaceAllString(text, "")
	return timeouts.ReplaceAllString(initval.ReplaceAllString(counters.ReplaceAllString(text, ""), ""), "")
}

// join brings a new phone onto the guest network.
func (h *house) join(name string) *world.Phone {
	h.t.Helper()
	p, err := h.AddPhone(name)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := p.Join(soon(h.t)); err != nil {
		h.t.Fatal(err)
	}
	return p
}

func guest(p *world.Phone) (hien.GuestID, []netip.Addr) {
	addrs := []netip.Addr{p.IPv4()}
	if p.IPv6().IsValid() {
		addrs = append(addrs, p.IPv6())
	}
	return hien.GuestID{Zone: "guest", MAC: hien.MAC(p.MAC)}, addrs
}

func (h *house) admit(p *world.Phone, left time.Duration) {
	h.t.Helper()
	id, addrs := guest(p)
	if err := h.door.Admit(soon(h.t), id, addrs, left); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) remove(p *world.Phone) {
	h.t.Helper()
	id, addrs := guest(p)
	if err := h.door.Remove(soon(h.t), id, addrs); err != nil {
		h.t.Fatal(err)
	}
}

// flush waits until the internet has counted what was sent.
func (h *house) flush() {
	h.t.Helper()
	if err := h.Flush(soon(h.t)); err != nil {
		h.t.Fatal(err)
	}
}

// dial opens a connection to the target's echo server in one family.
func (h *house) dial(p *world.Phone, to netip.Addr) net.Conn {
	h.t.Helper()
	c, err := p.Dial(soon(h.t), "tcp", netip.AddrPortFrom(to, 7).String())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// echo sends a word and waits for it.
func echo(c net.Conn) error {
	if _, err := c.Write([]byte("xin chào")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, len("xin chào")))
	return err
}

// inRouter starts f in a goroutine whose thread stays in the router.
func (h *house) inRouter(f func() error) <-chan error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with f
		ns, err := os.Open(filepath.Join("/run/netns", h.Router.Name))
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			ns.Close()
		}
		if err == nil {
			err = f()
		}
		ended <- err
	}()
	return ended
}

// variants runs a test with each of the two iptables that a system may have.
func variants(t *testing.T, test func(t *testing.T)) {
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
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
			test(t)
		})
	}
}

func contains(all []string, part string) bool {
	for _, s := range all {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}
