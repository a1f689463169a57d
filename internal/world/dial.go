package world

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Dial connects from the node. The network is tcp, tcp4, tcp6, udp, udp4 or
// udp6; a host name is asked from the node's own resolver. With more than one
// address IPv6 comes first and the others follow 250 ms later or when it has
// failed, as phones do (RFC 8305 §5).
func (n *Node) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return n.dialFrom(ctx, "", network, address)
}

// dialFrom is Dial through one device, which is empty for any.
func (n *Node) dialFrom(ctx context.Context, device, network, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("dial %s: bad port", address)
	}
	addrs, err := n.lookupFrom(ctx, device, family(network), host)
	if err != nil {
		return nil, err
	}
	to := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		to[i] = netip.AddrPortFrom(a, uint16(port))
	}
	return race(ctx, to, func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		return n.dial(ctx, network, to, device)
	})
}

// family is the ip, ip4 or ip6 that belongs to a network's name.
func family(network string) string {
	switch {
	case strings.HasSuffix(network, "4"):
		return "ip4"
	case strings.HasSuffix(network, "6"):
		return "ip6"
	}
	return "ip"
}

// race tries addresses in order, the next one when the last has failed or has
// not answered within 250 ms. The first connection wins.
func race(ctx context.Context, to []netip.AddrPort, dial func(context.Context, netip.AddrPort) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	var errs []error
	next, pending := 0, 0
	head := time.NewTimer(0)
	defer head.Stop()
	for {
		select {
		case r := <-results:
			pending--
			if r.err == nil {
				go func() { // close those that come too late
					for ; pending > 0; pending-- {
						if r := <-results; r.conn != nil {
							r.conn.Close()
						}
					}
				}()
				return r.conn, nil
			}
			errs = append(errs, r.err)
			if next == len(to) && pending == 0 {
				return nil, errors.Join(errs...)
			}
			if next < len(to) {
				head.Reset(0)
			}
		case <-head.C:
			if next == len(to) {
				continue
			}
			addr := to[next]
			next++
			pending++
			go func() {
				conn, err := dial(ctx, addr)
				results <- result{conn, err}
			}()
			head.Reset(250 * time.Millisecond)
		}
	}
}

// dial makes one connection to a literal address. Only the making of the
// socket needs the node's thread: a socket stays in the namespace it was made
// in, so the wait for the answer happens on any.
func (n *Node) dial(ctx context.Context, network string, to netip.AddrPort, device string) (net.Conn, error) {
	fail := func(call string, err error) error {
		if call != "" {
			err = os.NewSyscallError(call, err)
		}
		return &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, fail("", err)
	}
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	kind := unix.SOCK_STREAM
	if strings.HasPrefix(network, "udp") {
		kind = unix.SOCK_DGRAM
	}
	fd, call := -1, ""
	err := n.Do(func() (err error) {
		var sa unix.Sockaddr
		domain := unix.AF_INET
		if to.Addr().Is4() {
			sa = &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
		} else {
			domain = unix.AF_INET6
			sa6 := &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
			if zone := to.Addr().Zone(); zone != "" {
				link, err := net.InterfaceByName(zone)
				if err != nil {
					return err
				}
				sa6.ZoneId = uint32(link.Index)
			}
			sa = sa6
		}
		call = "socket"
		if fd, err = unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if device != "" {
			call = "setsockopt"
			if err := unix.BindToDevice(fd, device); err != nil {
				return err
			}
		}
		call = "connect"
		if err := unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS {
			return err
		}
		return nil
	})
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, fail(call, err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	if kind == unix.SOCK_STREAM {
		if err := awaitConnect(ctx, f); err != nil {
			return nil, fail("", err)
		}
	}
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fail("", err)
	}
	return conn, nil
}

// awaitConnect waits until a socket is connected, has been refused, or ctx ends.
func awaitConnect(ctx context.Context, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { f.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	var refused error
	err = raw.Write(func(fd uintptr) bool {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err != nil {
			refused = os.NewSyscallError("connect", err)
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	}
	return refused
}

// Listen listens on a literal TCP address of the node.
func (n *Node) Listen(network, address string) (l net.Listener, err error) {
	err = n.Do(func() error {
		l, err = net.Listen(network, address)
		return err
	})
	return l, err
}

// ListenPacket opens a packet socket (udp, udp4, udp6, ip4:icmp, …) on a
// literal address of the node.
func (n *Node) ListenPacket(network, address string) (c net.PacketConn, err error) {
	err = n.Do(func() error {
		c, err = net.ListenPacket(network, address)
		return err
	})
	return c, err
}

// Nameservers are those of the node's resolv.conf, in order.
func (n *Node) Nameservers() ([]netip.Addr, error) {
	text, err := os.ReadFile(n.ResolvConf())
	if err != nil {
		return nil, err
	}
	var servers []netip.Addr
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			addr, err := netip.ParseAddr(f[1])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", n.ResolvConf(), err)
			}
			servers = append(servers, addr)
		}
	}
	return servers, nil
}

// Lookup asks the node's nameserver for the addresses of a host, over a
// socket of the node: ip for both families with IPv6 first, ip4 or ip6 for
// one. A literal address answers for itself.
func (n *Node) Lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return n.lookupFrom(ctx, "", network, host)
}

func (n *Node) lookupFrom(ctx context.Context, device, network, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	servers, err := n.Nameservers()
	if err != nil {
		return nil, err
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("look up %s: node %s has no nameserver", host, n.Name)
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return n.dial(ctx, network, netip.AddrPortFrom(servers[0], 53), device)
	}}
	// The final dot keeps the machine's search domains out.
	addrs, err := resolver.LookupNetIP(ctx, network, strings.TrimSuffix(host, ".")+".")
	if err != nil {
		return nil, err
	}
	var six, four []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	return append(six, four...), nil
}

// ClientOption changes what [Node.HTTPClient] returns.
type ClientOption func(*http.Client)

// Follow makes the client follow redirects, at most ten.
func Follow(c *http.Client) { c.CheckRedirect = nil }

// KeepAlive makes the client use a connection again.
func KeepAlive(c *http.Client) { c.Transport.(*http.Transport).DisableKeepAlives = false }

// Only makes the client use one address family: "tcp4" or "tcp6".
func Only(network string) ClientOption {
	return func(c *http.Client) {
		t := c.Transport.(*http.Transport)
		dial := t.DialContext
		t.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) { return dial(ctx, network, addr) }
	}
}

// HTTPClient is a client on the node that trusts the world's certificate
// authority. Unless told otherwise it opens a connection for each request,
// follows no redirect and keeps no cookies.
func (n *Node) HTTPClient(options ...ClientOption) *http.Client { return n.httpClient("", options) }

func (n *Node) httpClient(device string, options []ClientOption) *http.Client {
	c := &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return n.dialFrom(ctx, device, network, address)
			},
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: n.roots},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, o := range options {
		o(c)
	}
	return c
}
