package dns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	miekg "github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/dns"
	"github.com/hien-wifi/hien/internal/world"
)

// onBridge serves a forwarder on port 2053 of the router's guest bridge, on
// all of its addresses, and sends port 53 there.
func onBridge(t *testing.T, w *world.World, o dns.Options) *dns.Forwarder {
	t.Helper()
	o.Upstream, o.Dial = []string{"127.0.0.1:53"}, w.Router.Dial
	f := newForwarder(t, o)
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), world.GuestBridge) })
		return err
	}}
	var packets net.PacketConn
	var streams net.Listener
	err := w.Router.Do(func() (err error) {
		if packets, err = config.ListenPacket(context.Background(), "udp", ":2053"); err != nil {
			return err
		}
		streams, err = config.Listen(context.Background(), "tcp", ":2053")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, f, packets, streams)
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, protocol := range []string{"udp", "tcp"} {
			if _, err := w.Router.Run(soon(t), program, "-w", "5", "-t", "nat", "-A", "PREROUTING", "-i", world.GuestBridge, "-p", protocol, "--dport", "53", "-j", "REDIRECT", "--to-ports", "2053"); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

func newWorld(t *testing.T, o world.Options) *world.World {
	t.Helper()
	world.Need(t)
	o.NoCDP, o.Uncounted = true, true
	w, err := world.New(soon(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func newPhone(t *testing.T, w *world.World, name string) *world.Phone {
	t.Helper()
	p, err := w.AddPhone(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Join(soon(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBeforeDnsmasq puts the forwarder before a real dnsmasq, and asks it from
// a phone as phones do.
func TestBeforeDnsmasq(t *testing.T) {
	w := newWorld(t, world.Options{Dnsmasq: []string{
		"cname=menu.garden.test,tables.garden.test", "host-record=tables.garden.test,203.0.113.200,2001:db8:f00d::200",
		"host-record=router.hien.test,192.168.1.1",
	}})
	b := newBed()
	f := onBridge(t, w, dns.Options{
		Names: dns.Names{
			Garden: []string{"garden.test", "example.vn"},
			Local:  map[string][]netip.Addr{"wifi.shop.test": {w.Router.GuestV4(), w.Router.GuestV6()}},
		},
		Plant: b.plant,
	})
	phone := newPhone(t, w, "phone")

	t.Run("a phone resolves what it did before", func(t *testing.T) {
		for _, host := range []string{"connectivitycheck.gstatic.com", "captive.apple.com", "example.vn"} {
			place := w.Internet.Host(host)
			got, err := phone.Lookup(soon(t), "ip", host)
			if err != nil || fmt.Sprint(got) != fmt.Sprint([]netip.Addr{place.V6, place.V4}) {
				t.Errorf("%s: got %v, %v; want %v, %v", host, got, err, place.V6, place.V4)
			}
		}
	})
	t.Run("names of the garden are open when the answer is there", func(t *testing.T) {
		for _, host := range []string{"menu.garden.test", "example.vn"} {
			got, err := phone.Lookup(soon(t), "ip", host)
			if err != nil || len(got) != 2 {
				t.Fatalf("%s: got %v, %v; want two addresses", host, got, err)
			}
			for _, a := range got {
				if !b.holds(a) {
					t.Errorf("%s: %v is not open", host, a)
				}
			}
		}
	})
	t.Run("the shop's own machines have no name for guests", func(t *testing.T) {
		if got, err := phone.Lookup(soon(t), "ip4", "router.hien.test"); err == nil {
			t.Errorf("got %v, want no address", got)
		}
		if w.Router.Dnsmasq() == nil || f.Counts().Private == 0 {
			t.Error("no private address was left out: dnsmasq did not give one")
		}
	})
	t.Run("a name that is not there", func(t *testing.T) {
		_, err := phone.Lookup(soon(t), "ip", "nothing.example.test")
		var e *net.DNSError
		if !errors.As(err, &e) || !e.IsNotFound {
			t.Errorf("got %v, want that it is not found", err)
		}
	})
	t.Run("each of the router's addresses answers as itself", func(t *testing.T) {
		var linkLocal netip.Addr
		err := w.Router.Do(func() error {
			link, err := netlink.LinkByName(world.GuestBridge)
			if err != nil {
				return err
			}
			// A second address, to which nothing but the question leads.
			if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 77, 0, 2), Mask: net.CIDRMask(24, 32)}}); err != nil {
				return err
			}
			addrs, err := netlink.AddrList(link, netlink.FAMILY_V6)
			for _, a := range addrs {
				if a.IP.IsLinkLocalUnicast() {
					linkLocal, _ = netip.AddrFromSlice(a.IP)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []netip.AddrPort{
			netip.AddrPortFrom(w.Router.GuestV4(), 53), netip.AddrPortFrom(w.Router.GuestV4(), 2053),
			netip.AddrPortFrom(netip.MustParseAddr("10.77.0.2"), 53), netip.AddrPortFrom(netip.MustParseAddr("10.77.0.2"), 2053),
			netip.AddrPortFrom(w.Router.GuestV6(), 53), netip.AddrPortFrom(w.Router.GuestV6(), 2053),
			netip.AddrPortFrom(linkLocal.WithZone("wlan0"), 53), netip.AddrPortFrom(linkLocal.WithZone("wlan0"), 2053),
		} {
			for _, network := range []string{"udp", "tcp"} {
				// A connected socket takes an answer from the address that
				// was asked, and from no other.
				c, err := phone.Dial(soon(t), network, to.String())
				if err != nil {
					t.Errorf("%s %s: %v", network, to, err)
					continue
				}
				c.SetDeadline(time.Now().Add(5 * time.Second))
				conn := &miekg.Conn{Conn: c}
				err = conn.WriteMsg(question("wifi.shop.test", miekg.TypeA))
				if err == nil {
					var m *miekg.Msg
					if m, err = conn.ReadMsg(); err == nil && len(addrs(m)) != 1 {
						err = fmt.Errorf("got %v", m.Answer)
					}
				}
				if err != nil {
					t.Errorf("%s %s: %v", network, to, err)
				}
				c.Close()
			}
		}
	})
	t.Run("without internet the portal's host is still answered", func(t *testing.T) {
		watch, err := dns.NewWatcher(dns.WatcherOptions{Upstream: []string{"127.0.0.1:53"}, Dial: w.Router.Dial})
		if err != nil {
			t.Fatal(err)
		}
		if err := watch.Look(soon(t)); err != nil {
			t.Errorf("with internet: got %v, want nil", err)
		}
		if err := w.Router.SetUplink(soon(t), false); err != nil {
			t.Fatal(err)
		}
		if err := watch.Look(soon(t)); err == nil {
			t.Error("without internet: got nil, want why")
		}
		if got, err := phone.Lookup(soon(t), "ip4", "wifi.shop.test"); err != nil || len(got) != 1 || got[0] != w.Router.GuestV4() {
			t.Errorf("the portal's host: got %v, %v; want %v", got, err, w.Router.GuestV4())
		}
		if err := w.Router.SetUplink(soon(t), true); err != nil {
			t.Fatal(err)
		}
		if err := watch.Look(soon(t)); err != nil {
			t.Errorf("with internet again: got %v, want nil", err)
		}
	})
}

// iodineTypes are the types of records by which iodine can carry its data
// (iodine(8), option -T).
var iodineTypes = []string{"NULL", "PRIVATE", "TXT", "SRV", "MX", "CNAME", "A"}

// TestTunnel tries to get out by a real tunnel through DNS. Its other end is
// the name server of t.example.vn, behind the router's dnsmasq. Straight to
// dnsmasq it comes up by every type of record; through the forwarder by none.
func TestTunnel(t *testing.T) {
	const server = "198.51.100.1"
	w := newWorld(t, world.Options{Dnsmasq: []string{"server=/t.example.vn/" + server + "#5354"}})
	iodined, err := w.Internet.Start([]string{"iodined", "-f", "-c", "-P", "secret", "-l", server, "-p", "5354", "10.99.0.1/24", "t.example.vn"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := iodined.Line(soon(t), "Listening to dns"); err != nil {
		t.Fatal(err)
	}
	phones := make(map[string]*world.Phone)
	for _, kind := range iodineTypes {
		phones[kind] = newPhone(t, w, "phone-"+strings.ToLower(kind))
	}
	// tunnels starts one of each type, each from a phone of its own, and says
	// how each went: nil when it is up.
	tunnels := func() map[string]error {
		var mu sync.Mutex
		var wg sync.WaitGroup
		went := make(map[string]error)
		for _, kind := range iodineTypes {
			wg.Go(func() {
				d, err := phones[kind].Start([]string{"iodine", "-f", "-r", "-P", "secret", "-T", kind, w.Router.GuestV4().String(), "t.example.vn"})
				if err == nil {
					_, err = d.Line(soon(t), "Connection setup complete")
					d.Kill()
				}
				mu.Lock()
				went[kind] = err
				mu.Unlock()
			})
		}
		wg.Wait()
		return went
	}
	for kind, err := range tunnels() {
		if err != nil {
			t.Errorf("control: straight to the resolver the tunnel by %s does not come up, so its failure would prove nothing: %v", kind, err)
		}
	}
	f := onBridge(t, w, dns.Options{Who: func(a netip.Addr) (hien.MAC, bool) {
		for _, p := range phones {
			if p.IPv4() == a {
				return hien.MAC(p.MAC), true
			}
		}
		return hien.MAC{}, false
	}})
	for kind, err := range tunnels() {
		if err == nil {
			t.Errorf("through the forwarder the tunnel by %s comes up", kind)
		} else if !strings.Contains(err.Error(), "ended") {
			t.Errorf("the tunnel by %s has not given up: %v", kind, err)
		}
	}
	if c := f.Counts(); c.Queries == 0 || c.Types == 0 || c.Answered == 0 {
		t.Errorf("counts: got %+v; want questions, some of other types and some answered, or the tunnel did not come this way", c)
	}
	t.Logf("%+v", f.Counts())
}
