package doctor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A dialer connects to a literal address, from where a guest stands or from
// the router itself.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// A Lookup is what the router's resolver said of a name.
type Lookup struct {
	Addrs []netip.Addr
	Err   error // no answer came, or it could not be read; not that there is no such name
}

// dnsPatience is how long a question waits for its answer; it is asked twice.
const dnsPatience = 2 * time.Second

var errNotDNS = errors.New("no answer to the question")

// lookup asks a server for a name's addresses, IPv4 first.
func lookup(ctx context.Context, dial dialer, server netip.Addr, name string) Lookup {
	var l Lookup
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		var addrs []netip.Addr
		var err error
		for range 2 {
			if addrs, err = askName(ctx, dial, server, name, kind); err == nil || ctx.Err() != nil || refused(err) {
				break
			}
		}
		if err != nil {
			l.Err = err
			return l
		}
		l.Addrs = append(l.Addrs, addrs...)
	}
	return l
}

func askName(ctx context.Context, dial dialer, server netip.Addr, name string, kind dnsmessage.Type) ([]netip.Addr, error) {
	id := uint16(rand.Uint32())
	question, err := dnsQuestion(id, name, kind)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dnsPatience)
	defer cancel()
	conn, err := dial(ctx, "udp", netip.AddrPortFrom(server, 53).String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write(question); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		addrs, err := readDNS(buf[:n], id, name, kind)
		if !errors.Is(err, errNotDNS) {
			return addrs, err
		}
	}
}

func dnsQuestion(id uint16, name string, kind dnsmessage.Type) ([]byte, error) {
	n, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("ask for %q: %w", name, err)
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: kind, Class: dnsmessage.ClassINET}},
	}
	return m.Pack()
}

// readDNS reads an answer. errNotDNS: it is none to the question, and a
// better one may come. Names that do not exist and resolvers that cannot ask
// further are answers without an address.
func readDNS(wire []byte, id uint16, name string, kind dnsmessage.Type) (addrs []netip.Addr, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(wire)
	if err != nil || h.ID != id || !h.Response {
		return nil, errNotDNS
	}
	q, err := p.Question()
	if err != nil || q.Type != kind || !strings.EqualFold(strings.TrimSuffix(q.Name.String(), "."), strings.TrimSuffix(name, ".")) {
		return nil, errNotDNS
	}
	if h.RCode == dnsmessage.RCodeRefused {
		return nil, errors.New("the resolver refuses to answer")
	}
	if err := p.SkipAllQuestions(); err != nil {
		return nil, fmt.Errorf("read the answer for %q: %w", name, err)
	}
	for {
		header, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return addrs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the answer for %q: %w", name, err)
		}
		switch header.Type {
		case dnsmessage.TypeA:
			var r dnsmessage.AResource
			if r, err = p.AResource(); err == nil {
				addrs = append(addrs, netip.AddrFrom4(r.A))
			}
		case dnsmessage.TypeAAAA:
			var r dnsmessage.AAAAResource
			if r, err = p.AAAAResource(); err == nil {
				addrs = append(addrs, netip.AddrFrom16(r.AAAA))
			}
		default:
			err = p.SkipAnswer()
		}
		if err != nil {
			return nil, fmt.Errorf("read the answer for %q: %w", name, err)
		}
	}
}
