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

// A backEnd is one of the packet filters with which every test of this suite
// must come to the same end.
type backEnd struct {
	firewall.Backend
	variant string // of the system's iptables
}

func (e backEnd) String() string {
	if e.Backend == firewall.NFTables {
		return "nftables"
	}
	return "iptables-" + e.variant
}

var backEnds = []backEnd{{firewall.NFTables, "nft"}, {firewall.IPTables, "nft"}, {firewall.IPTables, "legacy"}}

// backends runs a test with every back end.
func backends(t *testing.T, test func(t *testing.T, e backEnd)) {
	for _, e := range backEnds {
		t.Run(e.String(), func(t *testing.T) {
			systemIPTables(t, e.variant)
			test(t, e)
		})
	}
}

// variants runs a test with each of the two iptables that a system may have.
func variants(t *testing.T, test func(t *testing.T)) {
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			systemIPTables(t, variant)
			test(t)
		})
	}
}

// systemIPTables makes iptables and ip6tables this variant's.
func systemIPTables(t testing.TB, variant string) {
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

// A house is a world with a portal in its router and the door before it.
type house struct {
	t testing.TB
	*world.World
	back  backEnd
	door  *firewall.Firewall
	rules firewall.Ruleset

	refill func(context.Context) // of the door, when it is opened
}

const portalPort = 2050

// newHouse builds a world with a portal that answers every request with a
// redirect.
func newHouse(t testing.TB, e backEnd, o world.Options) *house {
	t.Helper()
	world.Need(t)
	o.NoCDP, o.IPTables = true, "iptables"
	w, err := world.New(soon(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	prefix := o.GuestPrefix
	if !prefix.IsValid() {
		prefix = netip.MustParsePrefix("10.77.0.1/24")
	}
	h := &house{t: t, World: w, back: e, rules: firewall.Ruleset{Uplinks: []string{world.WAN}, Zones: []firewall.Zone{
		{Name: "guest", Interface: world.GuestBridge, PortalPort: portalPort, Prefix: prefix},
	}}}
	h.serve(portalPort, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://portal.test/", http.StatusFound)
	}))
	h.door = h.open()
	return h
}

// serve answers on a tcp port of the router.
func (h *house) serve(port int, handler http.Handler) {
	h.t.Helper()
	l, err := h.Router.Listen("tcp", fmt.Sprint(":", port))
	if err != nil {
		h.t.Fatal(err)
	}
	h.Internet.ServeHTTP(l, handler, nil, false)
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
		f, err = firewall.Open(soon(h.t), firewall.Options{Backend: h.back.Backend, Refill: func(ctx context.Context) {
			if h.refill != nil {
				h.refill(ctx)
			}
		}})
		return err
	})
	h.t.Cleanup(func() { f.Close() })
	return f
}

func (h *house) apply() {
	h.t.Helper()
	h.do(func() error { return h.door.Apply(soon(h.t), h.rules) })
}

func (h *house) cleanup() {
	h.t.Helper()
	h.do(func() error { return h.door.Cleanup(soon(h.t)) })
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

// onlyIPv4 is a deed on a chain that IPv6 has none of: its addresses are not
// translated.
func onlyIPv4(deed string) bool {
	return strings.HasPrefix(deed, "iptables -t nat ") && strings.HasSuffix(deed, "HIEN-POSTROUTING")
}

// line runs a program on the router that is written as one line, for both
// families where it is iptables.
func (h *house) line(s string) {
	h.t.Helper()
	args := strings.Fields(s)
	h.run(args...)
	if args[0] == "iptables" && !onlyIPv4(s) {
		args[0] = "ip6tables"
		h.run(args...)
	}
}

// passing is what the tools tell that changes by itself: dates, counters, what
// runs down, and in what buckets the kernel measures speeds.
var passing = regexp.MustCompile(`(?m)^#.*\n| \[\d+:\d+\]| timeout \w+| initval \S+| (counter )?packets \d+ bytes \d+| expires \w+|^.*elements = .* limit rate .*\n`)

// kernel is all that the tools tell of the router's rules and sets.
func (h *house) kernel() string {
	h.t.Helper()
	text := h.run("iptables-save") + h.run("ip6tables-save") + h.run("ipset", "save") + h.run("nft", "list", "ruleset") +
		h.run("ip", "-4", "rule") + h.run("ip", "-6", "rule")
	return passing.ReplaceAllString(text, "")
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

func contains(all []string, part string) bool {
	for _, s := range all {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}
