package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/hien-wifi/hien/internal/world"
)

// zoned are everyday terms over one firewall, with more lines in the zone.
func zoned(terms world.Terms, lines ...string) world.Terms {
	for _, line := range lines {
		terms.Zone += "\t" + line + "\n"
	}
	return terms
}

// reload puts other terms in force.
func (s *shop) reload(terms world.Terms) {
	s.Helper()
	if err := s.Configure(terms); err != nil {
		s.Fatal(err)
	}
	mark := s.Daemon.Mark()
	if err := s.Daemon.Signal(syscall.SIGHUP); err != nil {
		s.Fatal(err)
	}
	if _, err := s.Daemon.LineAfter(s.patient(), mark, "the configuration was read again"); err != nil {
		s.Fatal(err)
	}
}

// page opens the portal by hand, by the router's address.
func (s *shop) page(p *world.Phone) *world.Page {
	s.Helper()
	page, err := p.NewBrowser("vi").Open(s.patient(), s.Portal())
	if err != nil {
		s.Fatal(err)
	}
	return page
}

func (s *shop) pageSays(page *world.Page, words string) {
	s.Helper()
	if !strings.Contains(page.Text(), words) {
		s.Errorf("the page does not say %q:\n%s", words, page.Text())
	}
}

// TestAnotherAddressWithinASecond changes a phone's addresses during its
// pass, as a lease that was lost does, and privacy extensions.
func TestAnotherAddressWithinASecond(t *testing.T) {
	eachBackend(t, func(t *testing.T, _ string, terms world.Terms) {
		for _, sniffer := range []string{"1", "0"} {
			t.Run("sniffer "+sniffer, func(t *testing.T) {
				s := openShop(t, world.Options{}, zoned(terms, "option sniffer '"+sniffer+"'"))
				// As OpenWrt has it. With it a refusal goes back to the device from
				// whose frame it came, and the kernel never asks who has the address:
				// where passes are by address, only the sniffer would tell.
				if err := s.Router.Sysctl("net/bridge/bridge-nf-call-iptables", "0", "net/bridge/bridge-nf-call-ip6tables", "0"); err != nil {
					t.Fatal(err)
				}
				p := s.join("p")
				s.skip(p)
				if !s.online(p) {
					t.Fatal("the phone is not online")
				}
				for i, c := range []struct {
					addr string
					to   netip.Addr
				}{{"10.77.0.231/24", p.Target.V4}, {"2001:db8:77::1234:5678/64", p.Target.V6}} {
					err := p.Do(func() error {
						link, err := netlink.LinkByName("wlan0")
						if err != nil {
							return err
						}
						if i == 0 { // DHCP has given another one, and took the old one back
							old := &netlink.Addr{IPNet: &net.IPNet{IP: p.IPv4().AsSlice(), Mask: net.CIDRMask(24, 32)}}
							if err := netlink.AddrDel(link, old); err != nil {
								return err
							}
						}
						addr, err := netlink.ParseAddr(c.addr)
						if err != nil {
							return err
						}
						addr.Flags = syscall.IFA_F_NODAD
						if i == 0 {
							addr.Flags = 0
						}
						if err := netlink.AddrAdd(link, addr); err != nil {
							return err
						}
						if i == 0 { // the way out went with the address
							return netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: s.Router.GuestV4().AsSlice()})
						}
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					// Linux hears questions for a new IPv6 address up to a second
					// after it was added, when it joins the address's group; the
					// router's next question comes a second later. A phone uses an
					// address no sooner.
					if i == 1 && !within(5*time.Second, func() bool { return hears(p, "ff0200000000000000000001ff345678") }) {
						t.Fatal("the phone does not hear questions for its new address")
					}
					began := time.Now()
					from := netip.MustParsePrefix(c.addr).Addr()
					if !soon(func() bool { return s.echoesFrom(p, from, c.to) }) {
						t.Errorf("at %s the phone is not online", from)
						continue
					}
					if took := time.Since(began); took > time.Second {
						t.Errorf("at %s the phone was online after %s, want a second", from, took)
					} else {
						t.Logf("at %s the phone was online after %s", from, took.Round(time.Millisecond))
					}
				}
			})
		}
	})
}

// hears reports whether a phone listens to a multicast group, in hex.
func hears(p *world.Phone, group string) bool {
	var groups []byte
	err := p.Do(func() (err error) {
		groups, err = os.ReadFile("/proc/thread-self/net/igmp6")
		return err
	})
	return err == nil && strings.Contains(string(groups), group)
}

// echoesFrom is echoes from one address of the phone.
func (s *shop) echoesFrom(p *world.Phone, from, to netip.Addr) bool {
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Second)
	defer cancel()
	var conn net.Conn
	err := p.Do(func() (err error) {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: 300 * time.Millisecond} // a lost first packet would else cost a second of its own
		conn, err = d.DialContext(ctx, "tcp", netip.AddrPortFrom(to, 7).String())
		return err
	})
	if err != nil {
		return false
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if _, err := conn.Write([]byte("?")); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// TestGardenByName resolves and connects, a thousand names at once, from a
// guest without a pass.
func TestGardenByName(t *testing.T) {
	eachBackend(t, func(t *testing.T, _ string, terms world.Terms) {
		s := newShop(t, world.Options{}, zoned(terms, "list garden 'garden.example'", "list garden 'example.vn'", "list garden_preset 'ntp'"))
		const names = 1000
		for i := range names {
			target := s.Internet.Target(50_000 + i)
			s.Internet.SetHost(fmt.Sprintf("n%d.garden.example", i), target)
		}
		s.start()
		p := s.join("p")
		var refused, other atomic.Int32
		var first sync.Map
		var group sync.WaitGroup
		atOnce := make(chan struct{}, 250) // sockets of one process
		for i := range names {
			group.Add(1)
			go func() {
				defer group.Done()
				atOnce <- struct{}{}
				defer func() { <-atOnce }()
				network := []string{"ip4", "ip6"}[i%2]
				name := fmt.Sprintf("n%d.garden.example", i)
				addrs, err := p.Lookup(s.patient(), network, name)
				if err == nil && len(addrs) > 0 {
					var c net.Conn
					if c, err = p.Dial(s.patient(), "tcp", netip.AddrPortFrom(addrs[0], 443).String()); err == nil {
						c.Close()
						return
					}
				}
				if err != nil && strings.Contains(err.Error(), "refused") {
					refused.Add(1)
				} else {
					other.Add(1)
				}
				first.Store(name, err)
			}()
		}
		group.Wait()
		if refused.Load() > 0 || other.Load() > 0 {
			first.Range(func(name, err any) bool { t.Log(name, err); return false })
			t.Errorf("of %d names %d were refused and %d failed otherwise, want none", names, refused.Load(), other.Load())
		}
		if s.online(p) {
			t.Error("with the garden everything is open")
		}
		// The portal opens all the same, for probes too.
		page, err := p.NewBrowser("vi").Open(s.patient(), apple.URL)
		if err != nil || !strings.Contains(page.Text(), "Quán Hiên") {
			t.Errorf("the portal does not open any more: %v", err)
		}
		// A name that only leads into the garden by a stranger's word stays shut.
		if addrs, err := p.Lookup(s.patient(), "ip4", "support.mozilla.org"); err == nil {
			if c, err := p.Dial(s.patient(), "tcp", netip.AddrPortFrom(addrs[0], 443).String()); err == nil {
				c.Close()
				t.Error("a host that is in no garden is reached")
			}
		}
	})
}

// TestWithoutInternet is the shop whose line is dead: guests are told, may
// leave an answer, and are online when the line is back.
func TestWithoutInternet(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	gives, skips := s.join("gives"), s.join("skips")
	if err := s.Router.SetUplink(s.patient(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Daemon.Line(s.patient(), "the shop has no internet"); err != nil {
		t.Fatal(err)
	}
	page := s.page(skips)
	s.pageSays(page, "mạng")
	if page, err := page.Skip(s.patient()); err != nil {
		t.Fatal(err)
	} else if !strings.Contains(page.Text(), "có mạng") && !strings.Contains(page.Text(), "mạng trở lại") {
		t.Logf("after going on without the page says:\n%s", page.Text())
	}
	mark := s.Daemon.Mark()
	page = s.page(gives)
	page, err := page.Give(s.patient(), "0987654321")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("after giving the page says:\n%s", page.Text())
	if s.online(skips) {
		t.Error("a guest is online without internet: the test proves nothing")
	}
	if err := s.Router.SetUplink(s.patient(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Daemon.LineAfter(s.patient(), mark, "the shop has internet"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*world.Phone{skips, gives} {
		if !soon(func() bool { return s.echoes(p, p.Target.V4) && s.echoes(p, p.Target.V6) }) {
			t.Errorf("%s is not online when the internet is back", p.Name)
		}
	}
	code, err := s.Code(s.patient(), gives.MAC, mark)
	if err != nil {
		t.Fatal(err)
	}
	page = s.page(gives)
	if page, err = page.Prove(s.patient(), code); err != nil {
		t.Fatal(err)
	}
	if page.Receipt() == "" {
		t.Errorf("the code that came later gives no receipt:\n%s", page.Text())
	}
}

// TestLimitsOfAPass: volume and idleness end a pass, in the kernel too.
func TestLimitsOfAPass(t *testing.T) {
	eachBackend(t, func(t *testing.T, _ string, terms world.Terms) {
		s := openShop(t, world.Options{}, zoned(terms, "option volume '2M'"))
		p, calm := s.join("p"), s.join("calm")
		s.skip(p)
		s.skip(calm)
		for _, to := range p.Target.Addrs() {
			s.download(p, to, 1_500_000)
		}
		if !within(20*time.Second, func() bool { return !s.echoes(p, p.Target.V4) && !s.echoes(p, p.Target.V6) }) {
			t.Fatal("the guest has used up its volume and is still online")
		}
		if page := s.page(p); strings.Contains(page.Text(), "2050") || !strings.Contains(page.Text(), "dung lượng") {
			t.Errorf("the page does not say that the volume is used up:\n%s", page.Text())
		}
		if !s.online(calm) {
			t.Error("another guest has lost its pass too")
		}
		s.reload(zoned(terms, "option idle '1m'"))
		if !s.online(calm) {
			t.Error("a reload has cut a guest")
		}
	})
}

// download fetches n bytes over HTTP from a place of the internet.
func (s *shop) download(p *world.Phone, from netip.Addr, n int) {
	s.Helper()
	resp, err := p.HTTPClient().Get(fmt.Sprintf("http://%s/bytes?n=%d", netip.AddrPortFrom(from, 80), n))
	if err != nil {
		return // it was shut out meanwhile
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
}

// within tries until what is tried holds.
func within(limit time.Duration, try func() bool) bool {
	for began := time.Now(); time.Since(began) < limit; {
		if try() {
			return true
		}
	}
	return false
}

// TestTheOwnersHand: admit, revoke, block, trust, open.
func TestTheOwnersHand(t *testing.T) {
	eachBackend(t, func(t *testing.T, _ string, terms world.Terms) {
		s := openShop(t, world.Options{}, terms)
		p, q := s.join("p"), s.join("q")
		// The owner's commands speak of devices that were seen.
		s.page(p)
		s.page(q)
		step := func(what string, online bool, args ...string) {
			t.Helper()
			s.hien(args...)
			if !within(5*time.Second, func() bool { return s.echoes(p, p.Target.V4) == online && s.echoes(p, p.Target.V6) == online }) {
				t.Errorf("after %s: want online %v", what, online)
			}
		}
		mac := p.MAC.String()
		step("admit", true, "admit", mac)
		conn, err := p.Dial(s.patient(), "tcp", netip.AddrPortFrom(p.Target.V4, 7).String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		step("revoke by address", false, "revoke", p.IPv4().String())
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write([]byte("?")); err == nil {
			if _, err = conn.Read(make([]byte, 1)); err == nil {
				t.Error("a connection outlives the pass that was revoked")
			}
		}
		if page, err := p.NewBrowser("vi").Open(s.patient(), apple.URL); err != nil || !strings.Contains(page.Text(), "Quán Hiên") {
			t.Errorf("the next probe does not open the portal: %v", err)
		}
		step("trust", true, "trust", mac)
		step("trust --undo and revoke", true, "trust", "--undo", mac)
		step("block", false, "block", mac)
		if page := s.page(p); !strings.Contains(page.Text(), "nhân viên") {
			t.Errorf("a blocked device is not told whom to ask:\n%s", page.Text())
		}
		s.hien("open", "1h")
		if !within(5*time.Second, func() bool { return s.echoes(q, q.Target.V4) && s.echoes(q, q.Target.V6) }) {
			t.Error("in open hours a guest is not online without a page")
		}
		if s.echoes(p, p.Target.V4) {
			t.Error("in open hours a blocked device is online")
		}
		later := s.join("later")
		if !within(5*time.Second, func() bool { return s.echoes(later, later.Target.V4) && s.echoes(later, later.Target.V6) }) {
			t.Error("in open hours a guest who comes later is not online without a page")
		}
		s.hien("open", "--end")
		for _, g := range []*world.Phone{q, later} {
			if !within(5*time.Second, func() bool { return !s.echoes(g, g.Target.V4) && !s.echoes(g, g.Target.V6) }) {
				t.Errorf("%s is online after the open hours", g.Name)
			}
		}
		audit := s.hien("audit")
		for _, word := range []string{"admit", "revoke", "block", "trust", "open"} {
			if !strings.Contains(audit, word) {
				t.Errorf("the audit does not tell of %q:\n%s", word, audit)
			}
		}
	})
}

// TestFastFailure: before login a phone's HTTPS and QUIC fail in
// milliseconds, in both families.
func TestFastFailure(t *testing.T) {
	eachBackend(t, func(t *testing.T, _ string, terms world.Terms) {
		s := openShop(t, world.Options{}, terms)
		p := s.join("p")
		for _, a := range p.Attempts(s.patient(), p.Target) {
			if a.Name == "tcp/80" {
				continue
			}
			if a.Answered() || a.TimedOut() {
				t.Errorf("%s after %s, want a refusal at once", a, a.Took)
			}
		}
	})
}
