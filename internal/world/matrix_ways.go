package world

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A way is a protocol, and a port where it has such.
type way struct {
	name     string
	protocol byte
	port     uint16
	try      func(ctx context.Context, from *Node, to netip.Addr) error
}

// The protocols that are no TCP, UDP or ICMP: IPv4 in IP, IPv6 in IP, GRE,
// IPsec's ESP and AH, SCTP, UDP-Lite, and one that is nobody's (RFC 3692).
var strange = map[byte]string{4: "ipip", 41: "6in4", 47: "gre", 50: "esp", 51: "ah", 132: "sctp", 136: "udplite", 253: "proto-253"}

// waysToHosts are the protocols of a matrix.
func waysToHosts() []way {
	ways := []way{tcpTo(80), tcpTo(443), tcpTo(22), tcpTo(853), tcpTo(53), tcpTo(7)}
	ways = append(ways, udpTo(53, dnsQuery("example.vn.")), udpTo(123, nil), udpTo(443, nil), udpTo(9999, nil))
	ways = append(ways, way{"icmp", unix.IPPROTO_ICMP, 0, func(ctx context.Context, from *Node, to netip.Addr) error { return from.Ping(ctx, to) }})
	for protocol, name := range strange {
		ways = append(ways, way{name, protocol, 0, func(ctx context.Context, from *Node, to netip.Addr) error {
			return from.exchangeRaw(ctx, protocol, to)
		}})
	}
	slices.SortFunc(ways, func(a, b way) int { return strings.Compare(a.name, b.name) })
	return ways
}

func tcpTo(port uint16) way {
	return way{fmt.Sprint("tcp/", port), unix.IPPROTO_TCP, port, func(ctx context.Context, from *Node, to netip.Addr) error {
		c, err := from.dial(ctx, "tcp", netip.AddrPortFrom(to, port), "")
		if err == nil {
			c.Close()
		}
		return err
	}}
}

func udpTo(port uint16, message []byte) way {
	if message == nil {
		message = []byte("is anybody there?")
	}
	return way{fmt.Sprint("udp/", port), unix.IPPROTO_UDP, port, func(ctx context.Context, from *Node, to netip.Addr) error {
		return from.exchange(ctx, "udp", netip.AddrPortFrom(to, port), message)
	}}
}

// rawPatience is how long a refusal of a strange protocol is waited for, at
// most. Nothing hangs on it.
const rawPatience = 100 * time.Millisecond

// exchangeRaw sends one packet of a protocol and waits for a refusal, which
// the kernel tells a connected socket (raw(7)).
func (n *Node) exchangeRaw(ctx context.Context, protocol byte, to netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, rawPatience)
	defer cancel()
	network := fmt.Sprint("ip4:", protocol)
	if to.Is6() {
		network = fmt.Sprint("ip6:", protocol)
	}
	var c net.Conn
	err := n.Do(func() (err error) {
		c, err = net.Dial(network, to.String())
		return err
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		c.SetDeadline(deadline)
	}
	packet := make([]byte, 64)
	if protocol == unix.IPPROTO_AH { // or filters take it for broken: RFC 4302 §2
		packet[0], packet[1] = 59, 4 // nothing behind it; 24 bytes
	}
	if _, err := c.Write(packet); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 2048))
	return err
}
