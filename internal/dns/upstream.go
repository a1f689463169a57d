package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
)

// How long one try may take, and a question altogether: guests ask again
// after five seconds or less.
const (
	tryFor = 1500 * time.Millisecond
	askFor = 4 * time.Second
)

// errNoServer says that no server of the list has answered.
var errNoServer = errors.New("the resolver does not answer")

// An upstream asks the router's own resolver. It keeps nothing.
type upstream struct {
	servers []netip.AddrPort
	dial    Dial
}

// Dial connects to a resolver; see [net.Dialer.DialContext].
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

func newUpstream(servers []string, dial Dial) (*upstream, error) {
	if len(servers) == 0 {
		return nil, errors.New("no resolver to ask: want an address and a port, as in 127.0.0.1:53")
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	u := &upstream{dial: dial}
	for _, s := range servers {
		server, err := netip.ParseAddrPort(s)
		if err != nil {
			return nil, fmt.Errorf("resolver %q: want an address and a port, as in 127.0.0.1:53", s)
		}
		u.servers = append(u.servers, server)
	}
	return u, nil
}

// ask asks the servers in order, twice round, until one of them knows. An
// answer that it failed or refuses is handed on only when no other has a
// better one. name has no final dot; the root's is empty.
func (u *upstream) ask(ctx context.Context, name string, kind uint16) (*miekg.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	var failed *miekg.Msg
	err := errNoServer
	for range 2 {
		for _, server := range u.servers {
			m, e := u.try(ctx, server, name, kind)
			switch {
			case e != nil:
				err = e
			case m.Rcode == miekg.RcodeSuccess || m.Rcode == miekg.RcodeNameError:
				return m, nil
			default:
				failed = m
			}
			if ctx.Err() != nil {
				break
			}
		}
		if failed != nil {
			return failed, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", errNoServer, err)
}

// try asks one server by UDP, and by TCP where the answer did not fit. Each
// try has a socket of its own, whose port the kernel draws, and a number of
// its own (RFC 5452).
func (u *upstream) try(ctx context.Context, server netip.AddrPort, name string, kind uint16) (*miekg.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	question := miekg.Question{Name: name + ".", Qtype: kind, Qclass: miekg.ClassINET}
	m := miekg.Msg{MsgHdr: miekg.MsgHdr{Id: uint16(rand.Uint32()), RecursionDesired: true}, Question: []miekg.Question{question}}
	m.SetEdns0(ednsSize, false)
	wire, err := m.Pack()
	if err != nil {
		return nil, err
	}
	answer, err := u.exchange(ctx, "udp", server, wire, m.Id, question)
	if err == nil && answer.Truncated {
		answer, err = u.exchange(ctx, "tcp", server, wire, m.Id, question)
	}
	return answer, err
}

// exchange sends a question and waits for its answer; whatever else comes is
// not looked at.
func (u *upstream) exchange(ctx context.Context, network string, server netip.AddrPort, wire []byte, id uint16, question miekg.Question) (*miekg.Msg, error) {
	c, err := u.dial(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp" {
		if err := writeTCP(c, wire); err != nil {
			return nil, err
		}
		reply, err := readTCP(c, miekg.MaxMsgSize)
		if err != nil {
			return nil, err
		}
		if m := accept(reply, id, question); m != nil {
			return m, nil
		}
		return nil, errors.New("the answer is not to what was asked")
	}
	if _, err := c.Write(wire); err != nil {
		return nil, err
	}
	buf := make([]byte, ednsSize)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		if m := accept(buf[:n], id, question); m != nil {
			return m, nil
		}
	}
}

// accept reads an answer; nil when it is none, or to another question. A
// question that is not there is taken where there is no answer either: so
// servers say that they refuse.
func accept(message []byte, id uint16, question miekg.Question) *miekg.Msg {
	if len(message) < headerLength || binary.BigEndian.Uint16(message) != id {
		return nil
	}
	m := new(miekg.Msg)
	err := m.Unpack(message)
	if m.Id != id || !m.Response || m.Opcode != miekg.OpcodeQuery {
		return nil
	}
	switch {
	case len(m.Question) == 1:
		q := m.Question[0]
		if !strings.EqualFold(q.Name, question.Name) || q.Qtype != question.Qtype || q.Qclass != question.Qclass {
			return nil
		}
	case len(m.Question) > 1, m.Rcode == miekg.RcodeSuccess, m.Rcode == miekg.RcodeNameError:
		return nil
	}
	if err != nil {
		if !m.Truncated || len(m.Question) == 0 {
			return nil
		}
		m.Answer = nil // cut in the middle of a record: it is asked for again
	}
	return m
}

// readTCP reads one message of a stream (RFC 1035 §4.2.2) of at most so many
// bytes.
func readTCP(r io.Reader, most int) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if n > most {
		return nil, fmt.Errorf("a message of %d bytes: want at most %d", n, most)
	}
	message := make([]byte, n)
	_, err := io.ReadFull(r, message)
	return message, err
}

func writeTCP(w io.Writer, message []byte) error {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(message)), uint16(len(message)))
	_, err := w.Write(append(framed, message...))
	return err
}
