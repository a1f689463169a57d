package world

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Attempt is one try of a guest to reach the internet, and how it went.
type Attempt struct {
	Name string // tcp/443, udp/123, dns/53, icmp
	To   netip.Addr
	Took time.Duration // until the answer or the failure
	Err  error         // nil when something answered
}

// Answered says whether something answered.
func (a Attempt) Answered() bool { return a.Err == nil }

// TimedOut says whether nothing came back at all: what a phone feels when
// packets are dropped.
func (a Attempt) TimedOut() bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(a.Err, context.DeadlineExceeded) || errors.As(a.Err, &timeout) && timeout.Timeout()
}

func (a Attempt) String() string {
	result := "answered"
	if a.Err != nil {
		result = a.Err.Error()
	}
	return fmt.Sprintf("%s to %s: %s after %s", a.Name, a.To, result, a.Took.Round(time.Millisecond))
}

// AttemptPatience is how long [Phone.Attempts] waits for each.
const AttemptPatience = time.Second

// Attempts tries every usual way to the internet at once, in both families
// as far as the target has them: TCP to a web server, its TLS, SSH and DNS
// over TLS; UDP to a time server, QUIC, and a port of no meaning; a query to
// a DNS server of the guest's own choice, by UDP and TCP; an ICMP echo.
func (p *Phone) Attempts(ctx context.Context, t Target) []Attempt { return p.Node.Attempts(ctx, t) }

// Attempts is [Phone.Attempts] for any node.
func (n *Node) Attempts(ctx context.Context, t Target) []Attempt {
	type try struct {
		name string
		do   func(context.Context, netip.Addr) error
	}
	var tries []try
	for _, port := range []uint16{80, 443, 22, 853} {
		tries = append(tries, try{fmt.Sprint("tcp/", port), func(ctx context.Context, to netip.Addr) error {
			c, err := n.dial(ctx, "tcp", netip.AddrPortFrom(to, port), "")
			if err == nil {
				c.Close()
			}
			return err
		}})
	}
	for _, port := range []uint16{123, 443, 9999} {
		tries = append(tries, try{fmt.Sprint("udp/", port), func(ctx context.Context, to netip.Addr) error {
			return n.exchange(ctx, "udp", netip.AddrPortFrom(to, port), []byte("is anybody there?"))
		}})
	}
	query := dnsQuery("example.vn.")
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	tries = append(tries,
		try{"dns/53", func(ctx context.Context, to netip.Addr) error {
			return n.exchange(ctx, "udp", netip.AddrPortFrom(to, 53), query)
		}},
		try{"dns-tcp/53", func(ctx context.Context, to netip.Addr) error {
			return n.exchange(ctx, "tcp", netip.AddrPortFrom(to, 53), framed)
		}},
		try{"icmp", n.Ping},
	)
	var attempts []Attempt
	for _, to := range t.Addrs() {
		for _, try := range tries {
			attempts = append(attempts, Attempt{Name: try.name, To: to})
		}
	}
	var all sync.WaitGroup
	for i := range attempts {
		a, do := &attempts[i], tries[i%len(tries)].do
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, AttemptPatience)
			defer cancel()
			start := time.Now()
			a.Err = do(ctx, a.To)
			a.Took = time.Since(start)
		})
	}
	all.Wait()
	return attempts
}

// exchange sends one message and waits for anything in return.
func (n *Node) exchange(ctx context.Context, network string, to netip.AddrPort, message []byte) error {
	c, err := n.dial(ctx, network, to, "")
	if err != nil {
		return err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		c.SetDeadline(deadline)
	}
	if _, err := c.Write(message); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 2048))
	return err
}

func dnsQuery(name string) []byte {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{
			Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
		}},
	}
	wire, err := m.Pack()
	if err != nil {
		panic(err) // the name is ours
	}
	return wire
}

// Ping sends one ICMP echo and waits for its reply. A refusal that the router
// sends by ICMP ends the wait as an error.
func (n *Node) Ping(ctx context.Context, to netip.Addr) error {
	network, any := "ip4:icmp", "0.0.0.0"
	var echo, reply icmp.Type = ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply
	var refusal icmp.Type = ipv4.ICMPTypeDestinationUnreachable
	proto, inner := unix.IPPROTO_ICMP, ipv4.HeaderLen
	if to.Is6() {
		network, any = "ip6:ipv6-icmp", "::"
		echo, reply = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
		refusal = ipv6.ICMPTypeDestinationUnreachable
		proto, inner = unix.IPPROTO_ICMPV6, ipv6.HeaderLen
	}
	c, err := n.ListenPacket(network, any)
	if err != nil {
		return err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		c.SetDeadline(deadline)
	}
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	id := int(lastMarker.Add(1) & 0xffff)
	ask := icmp.Message{Type: echo, Body: &icmp.Echo{ID: id, Seq: 1, Data: []byte("hien")}}
	wire, err := ask.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(wire, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return err
	}
	buf := make([]byte, 2048)
	for {
		size, from, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		m, err := icmp.ParseMessage(proto, buf[:size])
		if err != nil {
			continue
		}
		if e, ok := m.Body.(*icmp.Echo); ok && m.Type == reply && e.ID == id {
			return nil
		}
		// RFC 792 and RFC 4443 §3.1: the refusal holds the packet that
		// was refused, its IP header first, then the echo with our id.
		if d, ok := m.Body.(*icmp.DstUnreach); ok && m.Type == refusal && len(d.Data) >= inner+6 &&
			int(binary.BigEndian.Uint16(d.Data[inner+4:])) == id {
			return fmt.Errorf("ping %s: unreachable, code %d, says %s", to, m.Code, from)
		}
	}
}
