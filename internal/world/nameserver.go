package world

import (
	"encoding/binary"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameserver is the internet's DNS. It is our own and not dnsmasq, as dnsmasq
// answers by TCP only on addresses that an interface holds one by one, and a
// world's internet answers on whole ranges; and so that tests can change
// records and read the questions.
type nameserver struct {
	mu      sync.Mutex
	hosts   map[string]Target // by lower-case name without the final dot
	ttl     uint32
	queries []string
}

// Host is the place of a named host. It panics for a name that the world does
// not have.
func (in *Internet) Host(name string) Target {
	in.dns.mu.Lock()
	defer in.dns.mu.Unlock()
	t, ok := in.dns.hosts[name]
	if !ok {
		panic("world: no host " + name)
	}
	return t
}

// SetHost names a place, or gives a name another place: a [Internet.Target],
// say. An invalid address leaves its family out.
func (in *Internet) SetHost(name string, t Target) {
	in.dns.mu.Lock()
	defer in.dns.mu.Unlock()
	in.dns.hosts[strings.ToLower(name)] = t
}

// SetTTL sets the time to live of every record; it is 60 seconds at first.
// The router's dnsmasq caches as long.
func (in *Internet) SetTTL(seconds uint32) {
	in.dns.mu.Lock()
	defer in.dns.mu.Unlock()
	in.dns.ttl = seconds
}

// HostNames are the names of all hosts, sorted.
func (in *Internet) HostNames() []string {
	in.dns.mu.Lock()
	defer in.dns.mu.Unlock()
	return slices.Sorted(maps.Keys(in.dns.hosts))
}

// Queries are the questions that the internet's DNS was asked so far, as
// "TypeA example.vn".
func (in *Internet) Queries() []string {
	in.dns.mu.Lock()
	defer in.dns.mu.Unlock()
	return slices.Clone(in.dns.queries)
}

// answer makes the answer to one query; nil where it is none.
func (s *nameserver) answer(query []byte) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil || header.Response {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	s.mu.Lock()
	s.queries = append(s.queries, q.Type.String()+" "+name)
	place, known := s.hosts[name]
	ttl := s.ttl
	s.mu.Unlock()

	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, Authoritative: true,
			RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
		},
		Questions: []dnsmessage.Question{q},
	}
	rr := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: ttl}
	switch {
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA && place.V4.IsValid():
		m.Answers = []dnsmessage.Resource{{Header: rr, Body: &dnsmessage.AResource{A: place.V4.As4()}}}
	case q.Type == dnsmessage.TypeAAAA && place.V6.IsValid():
		m.Answers = []dnsmessage.Resource{{Header: rr, Body: &dnsmessage.AAAAResource{AAAA: place.V6.As16()}}}
	}
	wire, err := m.Pack()
	if err != nil {
		return nil
	}
	return wire
}

// serveTCP answers queries on one connection (RFC 1035 §4.2.2).
func (s *nameserver) serveTCP(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := s.answer(query)
		if answer == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}
