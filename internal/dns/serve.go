package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Serve answers what comes by UDP and by TCP, on sockets that the caller has
// bound to the guest interface, until ctx ends, and returns nil then; or until
// a socket fails, and returns why. It closes both, and has stopped whatever it
// started when it returns. It may be called for several pairs of sockets; each
// has its own queue, and they share the limits of the guests. streams may be
// nil.
func (f *Forwarder) Serve(ctx context.Context, packets net.PacketConn, streams net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &pool{do: func(j *job) { f.do(ctx, j) }, most: f.limits.InFlight, waiting: f.limits.Waiting}
	closeAll := func() {
		packets.Close()
		if streams != nil {
			streams.Close()
		}
	}
	defer closeAll()
	defer context.AfterFunc(ctx, closeAll)()

	failed := make(chan error, 2)
	var wg sync.WaitGroup
	run := func(serve func() error) {
		wg.Go(func() {
			failed <- serve()
			cancel()
		})
	}
	run(func() error { return f.servePackets(ctx, p, packets) })
	if streams != nil {
		run(func() error { return f.serveStreams(ctx, p, streams) })
	}
	err := <-failed
	wg.Wait()
	p.wg.Wait()
	return err
}

// dispatch answers a message, at once or when the resolver has. send is
// called at most once, by any goroutine; without a call when the message gets
// no answer, which is reported.
func (f *Forwarder) dispatch(p *pool, from netip.Addr, message []byte, send func([]byte)) (answered bool) {
	answer, j := f.take(from, message)
	if j != nil {
		j.send = send
		if p.give(j) {
			return true
		}
		f.guests.leave(j.guest, j.known())
		answer = f.fail(j.query, busy)
	}
	if answer == nil {
		return false
	}
	send(answer)
	return true
}

// receiveBuffer is asked for so that a thousand questions at once find room
// in the kernel, which gives what it allows.
const receiveBuffer = 512 << 10

// servePackets reads questions by UDP. Nothing in it waits but for the next
// question.
func (f *Forwarder) servePackets(ctx context.Context, p *pool, c net.PacketConn) error {
	if b, ok := c.(interface{ SetReadBuffer(int) error }); ok {
		b.SetReadBuffer(receiveBuffer) // what the kernel refuses is no harm
	}
	s := newSource(c)
	buf := make([]byte, maxQuery+1)
	for {
		n, from, err := s.read(buf)
		if err != nil {
			return ended(ctx, "read a guest's question", err)
		}
		f.dispatch(p, from.addr.Addr(), buf[:n], func(answer []byte) {
			s.write(answer, from) // a guest that has gone is none of ours
		})
	}
}

// ended is the error of a loop; nil when it was told to end.
func ended(ctx context.Context, deed string, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("%s: %w", deed, err)
}

// A source reads packets and answers from the address that was asked. The
// interface has several (IPv4, link-local, global); a guest that asks one and
// is answered by another does not take it, and the kernel's NAT does not
// recognise it. The kernel tells the address beside each packet and takes it
// back in the same form (IP_PKTINFO, ip(7); IPV6_PKTINFO, RFC 3542 §6).
type source struct {
	any net.PacketConn
	udp *net.UDPConn // nil for another kind of socket
	oob []byte
}

// A sender is where a packet came from, and by which address.
type sender struct {
	addr netip.AddrPort
	to   net.Addr // for another kind of socket
	oob  []byte
}

func newSource(c net.PacketConn) *source {
	s := &source{any: c}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return s
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return s
	}
	raw.Control(func(fd uintptr) {
		// One of them fails on a socket of the other family.
		err4 := syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1)
		err6 := syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, 1)
		if err4 == nil || err6 == nil {
			s.udp, s.oob = udp, make([]byte, 128)
		}
	})
	return s
}

func (s *source) read(buf []byte) (int, sender, error) {
	if s.udp == nil {
		n, to, err := s.any.ReadFrom(buf)
		if err != nil {
			return 0, sender{}, err
		}
		return n, sender{addr: addrPort(to), to: to}, nil
	}
	n, oobn, _, from, err := s.udp.ReadMsgUDPAddrPort(buf, s.oob)
	if err != nil {
		return 0, sender{}, err
	}
	return n, sender{addr: from, oob: append([]byte(nil), s.oob[:oobn]...)}, nil
}

func (s *source) write(message []byte, to sender) {
	if s.udp == nil {
		s.any.WriteTo(message, to.to)
		return
	}
	s.udp.WriteMsgUDPAddrPort(message, to.oob, to.addr)
}

// addrPort is the address of a socket's peer, or the zero one where it has
// none.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort()
	case *net.TCPAddr:
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// The bounds of one TCP connection: how many questions, and how long in all.
// No phone needs it, as no answer is too long for UDP.
const (
	maxQuestions = 32
	maxOpen      = 30 * time.Second
)

// serveStreams takes connections, few of them.
func (f *Forwarder) serveStreams(ctx context.Context, p *pool, l net.Listener) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		open = make(map[net.Conn]netip.Addr)
	)
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		for c := range open {
			c.Close()
		}
	})
	defer stop()
	enter := func(c net.Conn, from netip.Addr) bool {
		mu.Lock()
		defer mu.Unlock()
		same := 0
		for _, a := range open {
			if a == from {
				same++
			}
		}
		if len(open) >= f.limits.Connections || same >= f.limits.GuestConnections || ctx.Err() != nil {
			return false
		}
		open[c] = from
		return true
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return ended(ctx, "accept a guest's connection", err)
		}
		from := addrPort(c.RemoteAddr()).Addr()
		if !enter(c, from) {
			f.tally.closed.Add(1)
			c.Close()
			continue
		}
		wg.Go(func() {
			f.serveStream(p, c, from)
			mu.Lock()
			delete(open, c)
			mu.Unlock()
			c.Close()
		})
	}
}

// serveStream answers the questions of one connection, one after the other.
func (f *Forwarder) serveStream(p *pool, c net.Conn, from netip.Addr) {
	end := time.Now().Add(maxOpen) // of the socket's own deadlines
	for range maxQuestions {
		idle := time.Now().Add(f.limits.Idle)
		if idle.After(end) {
			idle = end
		}
		c.SetReadDeadline(idle)
		message, err := readTCP(c, maxQuery)
		if err != nil {
			return
		}
		answer := make(chan []byte, 1)
		if !f.dispatch(p, from, message, func(a []byte) { answer <- a }) {
			return
		}
		c.SetWriteDeadline(time.Now().Add(f.limits.Idle))
		if writeTCP(c, <-answer) != nil {
			return
		}
	}
}
