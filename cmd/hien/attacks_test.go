package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/hien-wifi/hien/internal/world"
)

// These are attacks of a guest on the others. What a forged frame can make
// the router's neighbour table say, the tests write into it.

// says makes the router's neighbour table say that a device has an address.
func (s *shop) says(addr netip.Addr, mac net.HardwareAddr) {
	s.Helper()
	err := s.Router.Do(func() error {
		link, err := netlink.LinkByName(world.GuestBridge)
		if err != nil {
			return err
		}
		family := netlink.FAMILY_V4
		if addr.Is6() {
			family = netlink.FAMILY_V6
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, Family: family, IP: addr.AsSlice(),
			HardwareAddr: mac, State: netlink.NUD_REACHABLE})
	})
	if err != nil {
		s.Fatal(err)
	}
}

// soon tries until what is tried holds, for two seconds.
func soon(try func() bool) bool {
	for began := time.Now(); time.Since(began) < 2*time.Second; {
		if try() {
			return true
		}
	}
	return false
}

func TestAnAddressThatWasCalledAnothersOpensNothing(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	victim, mallory := s.join("victim"), s.join("mallory")
	s.skip(victim)
	// Mallory's address is the victim's for a moment, and then hers again.
	s.says(mallory.IPv6(), victim.MAC)
	s.echoes(mallory, mallory.Target.V6) // the door may open for her now; the answers go to the victim
	s.says(mallory.IPv6(), mallory.MAC)
	if !soon(func() bool { return !s.echoes(mallory, mallory.Target.V6) }) {
		t.Error("a guest without a pass is online under an address that was called another's for a moment")
	}
}

func TestAnAddressThatComesBackIsOpenAgain(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	victim, mallory := s.join("victim"), s.join("mallory")
	s.skip(victim)
	s.skip(mallory)
	s.says(victim.IPv4(), mallory.MAC)
	soon(func() bool { return !s.echoes(victim, victim.Target.V4) })
	s.says(victim.IPv4(), victim.MAC)
	if !soon(func() bool { return s.echoes(victim, victim.Target.V4) }) {
		t.Error("a guest with a pass has its address back and not its way out")
	}
}

func TestWhoOpenedTheConnectionStaysWhoItIs(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	victim, mallory := s.join("victim"), s.join("mallory")
	if s.give(victim, "0987654321").Receipt() == "" {
		t.Fatal("the victim has no receipt")
	}
	portal := net.JoinHostPort(s.Router.GuestV4().String(), "2050")
	conn, err := mallory.Dial(s.patient(), "tcp4", portal)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	deadline, _ := s.patient().Deadline()
	conn.SetDeadline(deadline)
	fmt.Fprintf(conn, "GET /online?lang=vi HTTP/1.1\r\nHost: %s\r\n", portal)
	s.says(mallory.IPv4(), victim.MAC)
	io.WriteString(conn, "Connection: close\r\n\r\n")
	// The answer goes to the victim's MAC, and again and again as nobody
	// acknowledges it; it comes when the table is right again.
	answered := func() bool {
		out, err := s.Router.Run(s.patient(), "ss", "-tnH", "sport", "=", ":2050")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out) {
			f := strings.Fields(line) // state, bytes received, bytes not acknowledged, here, there
			if len(f) >= 5 && strings.Contains(f[4], mallory.IPv4().String()) && f[2] != "0" {
				return true
			}
		}
		return false
	}
	if !soon(answered) {
		t.Fatal("the portal has not answered while the table was wrong")
	}
	s.says(mallory.IPv4(), mallory.MAC)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(page), "/receipt/") {
		t.Error("a guest was shown another's receipt")
	}
}

func TestIPv6OfAPhoneThatSpokeOnlyIPv4(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	p := s.join("p")
	page, err := p.NewBrowser("vi").Open(s.patient(), s.Portal())
	if err == nil {
		_, err = page.Skip(s.patient())
	}
	if err != nil {
		t.Fatal(err)
	}
	if !soon(func() bool { return s.echoes(p, p.Target.V6) }) {
		t.Error("with a pass, and IPv6 does not open")
	}
}
