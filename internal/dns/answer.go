package dns

import (
	"net/netip"
	"strings"

	miekg "github.com/miekg/dns"
)

// maxAddrs is how many addresses of a name a guest is told. The answer with
// that many IPv6 addresses and the longest name has 400 bytes.
const maxAddrs = 8

// MaxTTL is the longest time to live that a guest is told, in seconds.
const MaxTTL = 60

// reply is the answer to a query, ready to be sent.
func (q *query) reply(code int, ttl uint32, addrs []netip.Addr) []byte {
	m := miekg.Msg{
		MsgHdr: miekg.MsgHdr{
			Id: q.id, Response: true, RecursionDesired: q.recursion, RecursionAvailable: true, Rcode: code,
		},
		Compress: true,
	}
	if q.question.Name != "" {
		m.Question = []miekg.Question{q.question}
	}
	for _, addr := range addrs {
		h := miekg.RR_Header{Name: q.question.Name, Rrtype: q.question.Qtype, Class: miekg.ClassINET, Ttl: min(ttl, MaxTTL)}
		if q.question.Qtype == miekg.TypeA {
			m.Answer = append(m.Answer, &miekg.A{Hdr: h, A: addr.AsSlice()})
		} else {
			m.Answer = append(m.Answer, &miekg.AAAA{Hdr: h, AAAA: addr.AsSlice()})
		}
	}
	if q.edns {
		m.SetEdns0(ednsSize, false)
	}
	wire, err := m.Pack()
	if err != nil || len(wire) > maxAnswer {
		// A question that can be read but not written, or that alone is too
		// long: it is not given back.
		m.Question, m.Answer = nil, nil
		if m.Rcode == miekg.RcodeSuccess {
			m.Rcode = miekg.RcodeServerFailure
		}
		if wire, err = m.Pack(); err != nil {
			return nil
		}
	}
	return wire
}

// A found is what the resolver said of a name, stripped of all but the
// addresses.
type found struct {
	code  int
	addrs []netip.Addr // of the type that was asked for, at most maxAddrs
	ttl   uint32       // the shortest of the chain
}

// maxChain is how many aliases are followed; resolvers give up before that.
const maxChain = 16

// strip follows the chain of aliases from a name to its addresses. Records
// that do not belong to it are left out, whatever they are.
func strip(m *miekg.Msg, name string, kind uint16) found {
	switch m.Rcode {
	case miekg.RcodeSuccess:
	case miekg.RcodeNameError:
		return found{code: miekg.RcodeNameError}
	default:
		return found{code: miekg.RcodeServerFailure}
	}
	f := found{ttl: 1<<31 - 1} // RFC 2181 §8
	for range maxChain {
		alias := ""
		for _, rr := range m.Answer {
			h := rr.Header()
			if h.Class != miekg.ClassINET || !sameName(h.Name, name) {
				continue
			}
			var addr netip.Addr
			switch r := rr.(type) {
			case *miekg.A:
				addr, _ = netip.AddrFromSlice(r.A.To4())
			case *miekg.AAAA:
				addr, _ = netip.AddrFromSlice(r.AAAA.To16())
			case *miekg.CNAME:
				alias = strings.TrimSuffix(strings.ToLower(r.Target), ".")
				f.ttl = min(f.ttl, h.Ttl)
			}
			if addr.IsValid() && h.Rrtype == kind && len(f.addrs) < maxAddrs {
				f.addrs = append(f.addrs, addr)
				f.ttl = min(f.ttl, h.Ttl)
			}
		}
		if len(f.addrs) > 0 || alias == "" {
			break
		}
		name = alias
	}
	return f
}

// sameName compares a name of a message with one in lower case without its
// final dot.
func sameName(asked, name string) bool {
	return strings.EqualFold(strings.TrimSuffix(asked, "."), name)
}
