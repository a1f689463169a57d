package world

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Counts are the packets that arrived at the internet for one address.
type Counts struct {
	TCP   int // TCP but port 53
	UDP   int // UDP but port 53
	ICMP  int // ICMP or ICMPv6, neighbour discovery not counted
	DNS   int // port 53 of TCP or UDP
	Other int
}

// Total is the sum of all kinds.
func (c Counts) Total() int { return c.TCP + c.UDP + c.ICMP + c.DNS + c.Other }

// Add is the sum of two counts, kind by kind.
func (c Counts) Add(d Counts) Counts {
	return Counts{c.TCP + d.TCP, c.UDP + d.UDP, c.ICMP + d.ICMP, c.DNS + d.DNS, c.Other + d.Other}
}

// A packetKind is what a packet is, where it arrived. The port is 0 where its
// protocol has none.
type packetKind struct {
	to       netip.Addr
	protocol byte
	port     uint16
}

// counter reads every packet that comes in on a node's link.
type counter struct {
	f      *os.File
	marker netip.Addr // where markers are sent, which are not counted

	mu      sync.Mutex
	seen    map[netip.Addr]Counts
	kinds   map[packetKind]int
	markers map[uint64]chan struct{}
	err     error
	ended   chan struct{}
}

func newCounter(n *Node, name string, marker netip.Addr) (*counter, error) {
	fd := -1
	err := n.Do(func() (err error) {
		// Protocol 0 receives nothing until the socket is bound to its link.
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		const room = 32 << 20
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, room)
		}
		link, err := linkIndex(name)
		if err != nil {
			return err
		}
		const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // network byte order
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link})
	})
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, fmt.Errorf("count packets: %w", err)
	}
	c := &counter{
		f:       os.NewFile(uintptr(fd), "counter"),
		marker:  marker,
		seen:    make(map[netip.Addr]Counts),
		kinds:   make(map[packetKind]int),
		markers: make(map[uint64]chan struct{}),
		ended:   make(chan struct{}),
	}
	go c.run()
	return c, nil
}

func (c *counter) Close() error {
	err := c.f.Close()
	<-c.ended
	return err
}

func (c *counter) run() {
	defer close(c.ended)
	raw, err := c.f.SyscallConn()
	if err != nil {
		c.err = err
		return
	}
	buf := make([]byte, 128)
	for {
		var n int
		var from unix.Sockaddr
		var rerr error
		err := raw.Read(func(fd uintptr) bool {
			n, from, rerr = unix.Recvfrom(int(fd), buf, 0)
			return rerr != unix.EAGAIN
		})
		if err != nil {
			return // closed
		}
		if rerr != nil {
			continue // the link went down for a while
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype != unix.PACKET_OUTGOING {
			c.count(buf[:n])
		}
	}
}

// count is given a packet from its network header on.
func (c *counter) count(p []byte) {
	dst, proto, rest, ok := parsePacket(p)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if dst == c.marker && proto == unix.IPPROTO_UDP && len(rest) >= 16 {
		nonce := binary.BigEndian.Uint64(rest[8:])
		if arrived, ok := c.markers[nonce]; ok {
			delete(c.markers, nonce)
			close(arrived)
		}
		if nonce <= lastMarker.Load() { // or a copy of one that has arrived
			return
		}
	}
	k := c.seen[dst]
	switch {
	case (proto == unix.IPPROTO_TCP || proto == unix.IPPROTO_UDP) && len(rest) >= 4 && binary.BigEndian.Uint16(rest[2:]) == 53:
		k.DNS++
	case proto == unix.IPPROTO_TCP:
		k.TCP++
	case proto == unix.IPPROTO_UDP:
		k.UDP++
	case proto == unix.IPPROTO_ICMPV6 && len(rest) > 0 && rest[0] >= 130 && rest[0] <= 143:
		return // listeners, routers, neighbours: not a guest's traffic
	case proto == unix.IPPROTO_ICMP || proto == unix.IPPROTO_ICMPV6:
		k.ICMP++
	default:
		k.Other++
	}
	c.seen[dst] = k
	kind := packetKind{to: dst, protocol: proto}
	if (proto == unix.IPPROTO_TCP || proto == unix.IPPROTO_UDP) && len(rest) >= 4 {
		kind.port = binary.BigEndian.Uint16(rest[2:])
	}
	c.kinds[kind]++
}

// of is how many packets of a kind have arrived.
func (c *counter) of(k packetKind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kinds[k]
}

// parsePacket finds destination, protocol and payload of an IP packet.
func parsePacket(p []byte) (dst netip.Addr, proto byte, rest []byte, ok bool) {
	if len(p) < 20 {
		return
	}
	switch p[0] >> 4 {
	case 4:
		header := int(p[0]&15) * 4
		if header < 20 || header > len(p) {
			return
		}
		rest = p[header:]
		if binary.BigEndian.Uint16(p[6:])&0x1fff != 0 {
			rest = nil // a later fragment has no ports
		}
		return netip.AddrFrom4([4]byte(p[16:20])), p[9], rest, true
	case 6:
		if len(p) < 40 {
			return
		}
		dst, proto, rest = netip.AddrFrom16([16]byte(p[24:40])), p[6], p[40:]
		// RFC 8200 §4.1: hop-by-hop, routing and destination options may
		// stand before the payload.
		for (proto == 0 || proto == 43 || proto == 60) && len(rest) >= 8 {
			length := 8 + int(rest[1])*8
			if length > len(rest) {
				return dst, proto, nil, true
			}
			proto, rest = rest[0], rest[length:]
		}
		return dst, proto, rest, true
	}
	return
}

// Seen is what has arrived at the internet for an address so far. Call
// [World.Flush] before, so that it holds everything that was sent.
func (in *Internet) Seen(addr netip.Addr) Counts {
	if in.counter == nil {
		return Counts{}
	}
	in.counter.mu.Lock()
	defer in.counter.mu.Unlock()
	return in.counter.seen[addr.Unmap()]
}

// SeenAt is [Internet.Seen] for both addresses of a target together.
func (in *Internet) SeenAt(t Target) Counts {
	var sum Counts
	for _, a := range t.Addrs() {
		sum = sum.Add(in.Seen(a))
	}
	return sum
}

var lastMarker atomic.Uint64

// Flush returns when every packet that had been sent before the call has been
// counted. A packet waits in the backlog of the processor that sent it at each
// hop, and backlogs are first in, first out. So the router sends one marker
// from each processor and waits for it at the counter, as often as a packet
// has hops: after each round everything sent before has come one hop on.
//
// A packet that a sender repeats later by a timer counts as sent later.
func (w *World) Flush(ctx context.Context) error {
	c := w.Internet.counter
	if c == nil {
		return errors.New("flush: the world does not count packets")
	}
	return w.flush(ctx, c)
}

// flush is Flush for any counter behind the router.
func (w *World) flush(ctx context.Context, c *counter) error {
	err := w.Router.elsewhere(func() error {
		var mine unix.CPUSet
		if err := unix.SchedGetaffinity(0, &mine); err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		// Guest to bridge, router to internet, and an address resolution
		// before each.
		const rounds = 6
		for range rounds {
			for cpu, left := 0, mine.Count(); left > 0; cpu++ {
				if !mine.IsSet(cpu) {
					continue
				}
				left--
				var one unix.CPUSet
				one.Set(cpu)
				if err := unix.SchedSetaffinity(0, &one); err != nil {
					return err
				}
				runtime.Gosched()
				if err := c.sendMarker(ctx, fd); err != nil {
					return err
				}
			}
		}
		return c.dropped()
	})
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

func (c *counter) sendMarker(ctx context.Context, fd int) error {
	nonce, arrived := lastMarker.Add(1), make(chan struct{})
	c.mu.Lock()
	c.markers[nonce] = arrived
	c.mu.Unlock()
	to := &unix.SockaddrInet4{Port: 9, Addr: c.marker.As4()}
	// A kernel may lose a packet: while it looks for a neighbour it keeps few.
	// What arrives first tells as much as the first that was sent.
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		if err := unix.Sendto(fd, binary.BigEndian.AppendUint64(nil, nonce), 0, to); err != nil {
			return fmt.Errorf("send a marker: %w", err)
		}
		select {
		case <-arrived:
			return nil
		case <-c.ended:
			return errors.New("the counter has ended")
		case <-ctx.Done():
			return fmt.Errorf("a marker did not arrive: %w", ctx.Err())
		case <-again.C:
		}
	}
}

// dropped fails when the counter has been too slow for what came.
func (c *counter) dropped() error {
	raw, err := c.f.SyscallConn()
	if err != nil {
		return err
	}
	var stats *unix.TpacketStats
	if cerr := raw.Control(func(fd uintptr) {
		stats, err = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	}); cerr != nil {
		return cerr
	}
	if err != nil {
		return err
	}
	if stats.Drops > 0 {
		return fmt.Errorf("%d packets came too fast to be counted", stats.Drops)
	}
	return nil
}
