package world

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// The addresses of a world's internet. All are of ranges kept for
// documentation (RFC 5737, RFC 3849) and for measurements (RFC 2544).
var (
	ispV4    = netip.MustParsePrefix("198.51.100.1/24")
	ispV6    = netip.MustParsePrefix("2001:db8:ffff::1/64")
	hostsV4  = netip.MustParsePrefix("203.0.113.0/24")
	hostsV6  = netip.MustParsePrefix("2001:db8:f00d::/64")
	targetV4 = netip.MustParsePrefix("198.18.0.0/15")
	targetV6 = netip.MustParsePrefix("2001:db8:cafe::/64")

	// markerV4 is where [Internet.Flush] sends its markers.
	markerV4 = netip.MustParseAddr("198.19.255.255")
)

// ispLink is the internet's end of the router's uplink.
const ispLink = "isp0"

// Internet is the node beyond the router's uplink. It is every host of the
// internet at once: it answers on all addresses of its ranges, with DNS on
// port 53, HTTP on 80, HTTPS on 443, and echoes on tcp 7, 22, 853 and on udp
// 7, 123, 443, 9999.
type Internet struct {
	*Node
	dns     nameserver
	counter *counter
	servers []io.Closer
	serving sync.WaitGroup
}

// Target is one place of the internet, in both families.
type Target struct{ V4, V6 netip.Addr }

// Addrs are the target's valid addresses.
func (t Target) Addrs() []netip.Addr {
	var addrs []netip.Addr
	for _, a := range []netip.Addr{t.V4, t.V6} {
		if a.IsValid() {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// Target is the i-th place that has no name and that nobody else uses: what
// arrives there was sent by whoever was given it, NAT or not. There are
// 100,000 of them.
func (in *Internet) Target(i int) Target {
	if i < 0 || i >= 100_000 {
		panic("world: no such target")
	}
	return Target{nth(targetV4, i+1), nth(targetV6, i+1)}
}

// nth is the address i steps after the beginning of a prefix.
func nth(p netip.Prefix, i int) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	tail := b[len(b)-4:]
	binary.BigEndian.PutUint32(tail, binary.BigEndian.Uint32(tail)+uint32(i))
	a, _ := netip.AddrFromSlice(b)
	return a
}

func newInternet(name string, ca *CA) (*Internet, error) {
	n, err := newNode(name)
	if err != nil {
		return nil, err
	}
	n.roots = ca.Pool()
	in := &Internet{Node: n, dns: nameserver{hosts: make(map[string]Target), ttl: 60}}
	for i, host := range slices.Concat(probeHosts(), internetHosts, []string{CDPHost}) {
		in.SetHost(host, Target{nth(hostsV4, i+10), nth(hostsV6, i+10)})
	}
	for _, p := range Probes {
		if p.IPv6Only() {
			in.SetHost(p.Host(), Target{V6: in.Host(p.Host()).V6})
		}
	}
	return in, nil
}

// address gives the node its addresses, once its link isp0 exists. The ranges
// of hosts and targets are local as a whole; no address of them is configured
// one by one.
func (in *Internet) address(guestV6 netip.Prefix) error {
	return in.Do(func() error {
		err := sysctl(
			"net/ipv6/conf/all/accept_dad", "0", "net/ipv6/conf/default/accept_dad", "0",
			"net/ipv6/conf/isp0/accept_dad", "0", "net/ipv6/conf/isp0/accept_ra", "0",
			"net/ipv4/neigh/isp0/retrans_time_ms", "50", "net/ipv6/neigh/isp0/retrans_time_ms", "50",
			// An answer over UDP comes from the address that was asked,
			// which IPv6 allows only for configured ones otherwise.
			"net/ipv6/ip_nonlocal_bind", "1",
		)
		if err != nil {
			return err
		}
		if err := sysctl(noICMPLimits...); err != nil {
			return err
		}
		isp, err := setUp(ispLink, ispV4, ispV6)
		if err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		const local = 255 // the table local, whose routes of type local mean "mine"
		for _, p := range []netip.Prefix{hostsV4, hostsV6, targetV4, targetV6} {
			r := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: ipNet(p), Table: local, Type: 2 /* RTN_LOCAL */}
			if p.Addr().Is4() {
				r.Scope = netlink.SCOPE_HOST
			}
			if err := netlink.RouteAdd(r); err != nil {
				return fmt.Errorf("make %s local: %w", p, err)
			}
		}
		if guestV6.IsValid() {
			r := &netlink.Route{LinkIndex: isp.Attrs().Index, Dst: ipNet(guestV6), Gw: routerWanV6.Addr().AsSlice()}
			if err := netlink.RouteAdd(r); err != nil {
				return fmt.Errorf("route back to %s: %w", guestV6, err)
			}
		}
		return nil
	})
}

// start starts what the internet serves.
func (in *Internet) start(ca *CA, count bool) error {
	handler := http.HandlerFunc(serveInternet)
	for addr, tls := range map[string]bool{":80": false, ":443": true} {
		l, err := in.Listen("tcp", addr)
		if err != nil {
			return err
		}
		in.ServeHTTP(l, handler, ca, tls)
	}
	for addr, serve := range map[string]func(net.Conn){":7": echo, ":22": echo, ":853": echo, ":53": in.dns.serveTCP} {
		l, err := in.Listen("tcp", addr)
		if err != nil {
			return err
		}
		in.serveTCP(l, serve)
	}
	same := func(message []byte) []byte { return message }
	for addr, answer := range map[string]func([]byte) []byte{":7": same, ":123": same, ":443": same, ":9999": same, ":53": in.dns.answer} {
		if err := in.serveUDP(addr, answer); err != nil {
			return err
		}
	}
	if count {
		c, err := newCounter(in.Node, ispLink, markerV4)
		if err != nil {
			return err
		}
		in.counter = c
		in.servers = append(in.servers, c)
	}
	return nil
}

// ServeHTTP serves a handler on a listener of the node until the world ends.
func (in *Internet) ServeHTTP(l net.Listener, h http.Handler, ca *CA, tls bool) {
	srv := &http.Server{
		Handler:           h,
		Protocols:         onlyHTTP1(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          quiet,
	}
	in.servers = append(in.servers, srv)
	in.serving.Go(func() {
		if tls {
			srv.TLSConfig = ca.ServerConfig()
			srv.ServeTLS(l, "", "")
			return
		}
		srv.Serve(l)
	})
}

// onlyHTTP1 is what the servers of a world speak. They are built with the tags
// of the router's program, which leave HTTP/2 out, and a server that is built so
// would promise it all the same in its handshake.
func onlyHTTP1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// quiet is for servers whose clients may go away at any time.
var quiet = log.New(io.Discard, "", 0)

func (in *Internet) serveTCP(l net.Listener, serve func(net.Conn)) {
	in.servers = append(in.servers, l)
	in.serving.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go serve(c)
			}
		}
	})
}

// echo says everything again, for as long as it hears something: a guest's
// download may go on for longer than any test expects on a busy machine.
func echo(c net.Conn) {
	defer c.Close()
	word := make([]byte, 4<<10)
	for {
		c.SetDeadline(time.Now().Add(time.Minute))
		n, err := c.Read(word)
		if err != nil {
			return
		}
		if _, err := c.Write(word[:n]); err != nil {
			return
		}
	}
}

// serveUDP answers from the address that was asked, which may be any of a
// range: the kernel tells it and takes it back by IP_PKTINFO (RFC 3542 §6.2
// for IPv6).
func (in *Internet) serveUDP(addr string, answer func([]byte) []byte) error {
	c4, err := in.ListenPacket("udp4", addr)
	if err != nil {
		return err
	}
	c6, err := in.ListenPacket("udp6", addr)
	if err != nil {
		return err
	}
	in.servers = append(in.servers, c4, c6)
	p4, p6 := ipv4.NewPacketConn(c4), ipv6.NewPacketConn(c6)
	if err := p4.SetControlMessage(ipv4.FlagDst, true); err != nil {
		return err
	}
	if err := p6.SetControlMessage(ipv6.FlagDst, true); err != nil {
		return err
	}
	in.serving.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, cm, from, err := p4.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil || cm == nil {
				continue
			}
			if a := answer(buf[:n]); a != nil {
				p4.WriteTo(a, &ipv4.ControlMessage{Src: cm.Dst}, from)
			}
		}
	})
	in.serving.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, cm, from, err := p6.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil || cm == nil {
				continue
			}
			if a := answer(buf[:n]); a != nil {
				p6.WriteTo(a, &ipv6.ControlMessage{Src: cm.Dst}, from)
			}
		}
	})
	return nil
}

func (in *Internet) close() error {
	for _, s := range in.servers {
		s.Close()
	}
	in.serving.Wait()
	return in.Node.close()
}

// setUp brings a link up with the given addresses, without duplicate address
// detection. It runs on a node's thread.
func setUp(name string, addrs ...netip.Prefix) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("link %s: %w", name, err)
	}
	for _, p := range addrs {
		if !p.IsValid() {
			continue
		}
		a := &netlink.Addr{IPNet: ipNet(p)}
		a.IP = p.Addr().AsSlice()
		if p.Addr().Is6() {
			a.Flags = 0x02 // IFA_F_NODAD
		}
		if err := netlink.AddrReplace(link, a); err != nil {
			return nil, fmt.Errorf("give %s %s: %w", name, p, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("set up %s: %w", name, err)
	}
	return link, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
