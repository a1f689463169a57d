package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// SecondGuests is the router's interface of a second guest network, which
// [World.NewMatrix] makes.
const SecondGuests = "guest2"

var (
	lanV6    = netip.MustParsePrefix("2001:db8:1a::1/64")
	shopV6   = netip.MustParsePrefix("2001:db8:1a::10/64")
	secondV4 = netip.MustParsePrefix("10.78.0.1/24")
	secondV6 = netip.MustParsePrefix("2001:db8:78::1/64")
	otherV4  = netip.MustParsePrefix("10.78.0.10/24")
	otherV6  = netip.MustParsePrefix("2001:db8:78::10/64")
)

// A Place is where a guest may want to go.
type Place string

// The places of a matrix.
const (
	TheInternet Place = "the internet"
	TheShop     Place = "the shop's network"
	OtherGuests Place = "another guest network"
	TheRouter   Place = "the router"
)

// A Cell is one way by which a guest tried to get somewhere, and what came of
// it.
type Cell struct {
	Attempt
	Place Place
	Seen  int // packets, or connections of the router's, that were counted at the far side
}

// Refused says whether the guest was told at once that it may not.
func (c Cell) Refused() bool { return !c.Answered() && !c.TimedOut() }

func (c Cell) String() string {
	return fmt.Sprintf("%s, %s; %d seen there", c.Place, c.Attempt, c.Seen)
}

// A Matrix is a world with everything in it that a guest must not reach: the
// shop's network and a second guest network in both families, each with a
// computer that answers, and services of the router's own.
type Matrix struct {
	Other *Node // the guest in the second guest network

	w      *World
	places []place

	mu    sync.Mutex
	reach map[netip.AddrPort]*atomic.Int64 // of the router's services, how often they were reached
}

// A place is one node at the far side and how a guest tries it.
type place struct {
	name    Place
	addrs   []netip.Addr // of TheInternet each phone has its own
	counter *counter     // nil at the router
	ways    []way
}

// RouterPorts are the router's own services in a matrix beside the portal:
// SSH, an admin page on three ports, and SNMP over UDP. Port 80 is where
// guests without a pass must find the portal.
var RouterPorts = []uint16{22, 80, 443, 8080}

const routerUDP = 161

// NewMatrix furnishes a world that has a LAN. The second guest network is no
// zone yet. Ports of the router's own that are taken, by a portal for
// instance, are left out by name.
func (w *World) NewMatrix(ctx context.Context, taken ...uint16) (*Matrix, error) {
	if w.Shop == nil || w.Internet.counter == nil || w.options.NoIPv6 {
		return nil, errors.New("a matrix needs a world with a LAN, IPv6 and a counter")
	}
	m := &Matrix{w: w, reach: make(map[netip.AddrPort]*atomic.Int64)}
	if err := m.furnish(ctx, taken); err != nil {
		return nil, fmt.Errorf("make a matrix: %w", err)
	}
	return m, nil
}

func (m *Matrix) furnish(ctx context.Context, taken []uint16) error {
	w := m.w
	other, err := w.newNode("other")
	if err != nil {
		return err
	}
	m.Other = other
	w.mu.Lock()
	w.more = append(w.more, other)
	w.mu.Unlock()
	if err := vethPair(w.Router.Node, SecondGuests, other, "eth0", nil); err != nil {
		return err
	}
	for _, end := range []struct {
		node   *Node
		link   string
		v4, v6 netip.Prefix
	}{
		{w.Router.Node, SecondGuests, secondV4, secondV6}, {w.Router.Node, LAN, lanV4, lanV6},
		{w.Shop, "eth0", shopV4, shopV6}, {other, "eth0", otherV4, otherV6},
	} {
		err := end.node.Do(func() error {
			if err := sysctl("net/ipv6/conf/"+end.link+"/accept_dad", "0", "net/ipv6/conf/"+end.link+"/accept_ra", "0"); err != nil {
				return err
			}
			_, err := setUp(end.link, end.v4, end.v6)
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := w.Router.awaitLink(ctx, SecondGuests, isRunning); err != nil {
		return err
	}
	if err := other.awaitLink(ctx, "eth0", isRunning); err != nil {
		return err
	}
	for node, routers := range map[*Node][]netip.Addr{w.Shop: {lanV6.Addr()}, other: {secondV4.Addr(), secondV6.Addr()}} {
		for _, router := range routers {
			if err := node.Do(func() error { return defaultRoute("eth0", router) }); err != nil {
				return err
			}
		}
	}
	hosts := waysToHosts()
	m.places = []place{{name: TheInternet, counter: w.Internet.counter, ways: hosts}}
	for _, host := range []struct {
		name  Place
		node  *Node
		addrs []netip.Addr
	}{
		{TheShop, w.Shop, []netip.Addr{shopV4.Addr(), shopV6.Addr()}},
		{OtherGuests, other, []netip.Addr{otherV4.Addr(), otherV6.Addr()}},
	} {
		if err := w.answerAll(host.node, hosts); err != nil {
			return err
		}
		c, err := newCounter(host.node, "eth0", host.addrs[0])
		if err != nil {
			return err
		}
		w.Internet.servers = append(w.Internet.servers, c)
		m.places = append(m.places, place{host.name, host.addrs, c, hosts})
	}
	return m.serveRouter(taken)
}

// answerAll makes a node answer what the internet answers.
func (w *World) answerAll(n *Node, ways []way) error {
	for _, way := range ways {
		switch way.protocol {
		case unix.IPPROTO_TCP:
			l, err := n.Listen("tcp", fmt.Sprint(":", way.port))
			if errors.Is(err, unix.EADDRINUSE) { // the shop's page
				continue
			}
			if err != nil {
				return err
			}
			w.Internet.serveTCP(l, echo)
		case unix.IPPROTO_UDP:
			if err := w.echoUDP(n, fmt.Sprint(":", way.port), new(atomic.Int64)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *World) echoUDP(n *Node, addr string, reached *atomic.Int64) error {
	c, err := n.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	w.Internet.servers = append(w.Internet.servers, c)
	w.Internet.serving.Go(func() {
		buf := make([]byte, 2048)
		for {
			size, from, err := c.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				reached.Add(1)
				c.WriteTo(buf[:size], from)
			}
		}
	})
	return nil
}

// serveRouter starts the router's own services, on all of its addresses.
func (m *Matrix) serveRouter(taken []uint16) error {
	r := m.w.Router
	addrs := []netip.Addr{
		r.GuestV4(), r.GuestV6(), r.WANV4(), r.WANV6(),
		lanV4.Addr(), lanV6.Addr(), secondV4.Addr(), secondV6.Addr(),
	}
	to := place{name: TheRouter, addrs: addrs, ways: []way{udpTo(routerUDP, nil)}}
	for _, a := range addrs {
		here := netip.AddrPortFrom(a, routerUDP)
		if err := m.w.echoUDP(r.Node, here.String(), m.reached(here)); err != nil {
			return err
		}
	}
	local := RouterLinkLocal() // here for TCP alone, as it may come a moment later
	tcp := place{name: TheRouter, addrs: append(slices.Clone(addrs), local.WithZone(wlan))}
	for _, port := range RouterPorts {
		if slices.Contains(taken, port) {
			continue
		}
		tcp.ways = append(tcp.ways, tcpTo(port))
		for _, a := range tcp.addrs {
			m.reached(netip.AddrPortFrom(a, port))
		}
		l, err := r.Listen("tcp", fmt.Sprint(":", port))
		if err != nil {
			return err
		}
		m.w.Internet.serveTCP(l, func(c net.Conn) {
			here := c.LocalAddr().(*net.TCPAddr).AddrPort()
			m.reached(netip.AddrPortFrom(here.Addr().Unmap(), here.Port())).Add(1)
			io.WriteString(c, "the router itself\n")
			c.Close()
		})
	}
	m.places = append(m.places, to, tcp)
	return nil
}

// reached counts how often a service of the router's is reached.
func (m *Matrix) reached(here netip.AddrPort) *atomic.Int64 {
	here = netip.AddrPortFrom(here.Addr().WithZone(""), here.Port())
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reach[here] == nil {
		m.reach[here] = new(atomic.Int64)
	}
	return m.reach[here]
}

// RouterLinkLocal is the router's link-local address in the guest network,
// without a zone. The kernel makes it of the bridge's hardware address
// (RFC 4291 §2.5.6, appendix A).
func RouterLinkLocal() netip.Addr { return netip.MustParseAddr("fe80::48:69ff:feea:1") }

// Try lets a phone try every way to every place, all at once, and counts what
// arrives there. It waits for each answer as long as patience.
func (m *Matrix) Try(ctx context.Context, p *Phone, patience time.Duration) ([]Cell, error) {
	type task struct {
		way   way
		count func() int
	}
	var cells []Cell
	var tasks []task
	for _, place := range m.places {
		addrs := place.addrs
		if place.name == TheInternet {
			addrs = p.Target.Addrs()
		}
		for _, to := range addrs {
			for _, way := range place.ways {
				cells = append(cells, Cell{Attempt: Attempt{Name: way.name, To: to}, Place: place.name})
				tasks = append(tasks, task{way, m.counting(place, way, to)})
			}
		}
	}
	if err := m.flush(ctx); err != nil {
		return nil, err
	}
	var all sync.WaitGroup
	for i := range cells {
		c, t := &cells[i], tasks[i]
		c.Seen = -t.count()
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			start := time.Now()
			c.Err = t.way.try(ctx, p.Node, c.To)
			c.Took = time.Since(start)
		})
	}
	all.Wait()
	if err := m.flush(ctx); err != nil {
		return nil, err
	}
	for i := range cells {
		cells[i].Seen += tasks[i].count()
	}
	return cells, ctx.Err()
}

// counting tells how much has arrived so far of what a way sends.
func (m *Matrix) counting(p place, w way, to netip.Addr) func() int {
	if p.counter == nil {
		reached := m.reached(netip.AddrPortFrom(to, w.port))
		return func() int { return int(reached.Load()) }
	}
	kind := packetKind{to, w.protocol, w.port}
	if kind.protocol == unix.IPPROTO_ICMP && to.Is6() {
		kind.protocol = unix.IPPROTO_ICMPV6
	}
	return func() int { return p.counter.of(kind) }
}

// flush waits until everything that was sent has been counted.
func (m *Matrix) flush(ctx context.Context) error {
	for _, p := range m.places {
		if p.counter == nil {
			continue
		}
		if err := m.w.flush(ctx, p.counter); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// Leaks are the cells that must not be so for a guest without a pass: what
// arrived at its place, and what was answered by anybody but the portal,
// which answers for port 80 of every host.
func Leaks(cells []Cell) (bad []Cell) {
	for _, c := range cells {
		if c.Seen > 0 || c.Answered() && c.Name != "tcp/80" {
			bad = append(bad, c)
		}
	}
	return bad
}

// Strays are the cells that must not be so for a guest with a pass: what
// arrived anywhere but at the internet, and what did not arrive there. That
// the portal answers for a port 80 elsewhere is no fault.
func Strays(cells []Cell) (bad []Cell) {
	for _, c := range cells {
		switch {
		case c.Place == TheInternet && c.Seen == 0,
			c.Place != TheInternet && (c.Seen > 0 || c.Answered() && c.Name != "tcp/80"):
			bad = append(bad, c)
		}
	}
	return bad
}

// Waits are the cells in which the guest was not told at once what it may
// not, so that its phone waits instead of opening the portal: of TCP, UDP and
// ICMP, as no phone waits for others. (For some of those the kernel tells
// nobody: nf_reject_ip6_csum_ok takes their payload for one with a checksum.)
func Waits(cells []Cell) (bad []Cell) {
	for _, c := range cells {
		if c.TimedOut() && (strings.Contains(c.Name, "/") || c.Name == "icmp") {
			bad = append(bad, c)
		}
	}
	return bad
}

// Lines are the cells as text, a line for each.
func Lines(cells []Cell) string {
	var b strings.Builder
	for _, c := range cells {
		fmt.Fprintln(&b, c)
	}
	return b.String()
}
