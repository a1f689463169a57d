package dns

import (
	"encoding/binary"
	"strings"

	miekg "github.com/miekg/dns"
)

// The lengths of messages. A question for a name that may be asked has less
// than 200 bytes; padding (RFC 7830) may bring it to 512. What goes to a guest
// is never longer than what every client takes (RFC 1035 §4.2.1).
const (
	headerLength = 12
	maxQuery     = 512
	maxAnswer    = 512
)

// ednsSize is the longest message by UDP that is asked for and offered: one
// that no path splits (RFC 9715 §3.2 gives 1,400; 1,232 fits into IPv6's
// smallest packet).
const ednsSize = 1232

// A query is what a guest asks for.
type query struct {
	id        uint16
	recursion bool           // the bit RD, which goes back as it came
	edns      bool           // it has an OPT record, and so has the answer
	question  miekg.Question // as it was asked, capital letters and all
	name      string         // in lower case, without the final dot
}

// address reports whether an address is asked for.
func (q query) address() bool {
	return q.question.Qtype == miekg.TypeA || q.question.Qtype == miekg.TypeAAAA
}

// read takes a guest's message apart. A message that is no question is nil
// and gets no answer: it is too short, or an answer itself. Any other code
// than success is what is to be answered at once.
func read(message []byte, l Limits) (q *query, code int, why reason) {
	if len(message) < headerLength {
		return nil, 0, malformed
	}
	bits := binary.BigEndian.Uint16(message[2:])
	const response, recursion = 1 << 15, 1 << 8
	if bits&response != 0 {
		return nil, 0, malformed
	}
	q = &query{id: binary.BigEndian.Uint16(message), recursion: bits&recursion != 0}
	if opcode := bits >> 11 & 0xf; opcode != miekg.OpcodeQuery {
		return q, miekg.RcodeNotImplemented, malformed
	}
	count := func(i int) uint16 { return binary.BigEndian.Uint16(message[4+2*i:]) }
	if len(message) > maxQuery || count(0) != 1 || count(1) != 0 || count(2) != 0 || count(3) > 1 {
		return q, miekg.RcodeFormatError, malformed
	}
	var m miekg.Msg
	if err := m.Unpack(message); err != nil || len(m.Question) != 1 {
		return q, miekg.RcodeFormatError, malformed
	}
	q.question = m.Question[0]
	if opt := m.IsEdns0(); opt != nil {
		q.edns = true
		if opt.Version() != 0 {
			return q, miekg.RcodeBadVers, malformed // RFC 6891 §6.1.3
		}
	}
	if q.question.Qclass != miekg.ClassINET {
		return q, miekg.RcodeRefused, malformed
	}
	if !q.address() {
		return q, miekg.RcodeSuccess, otherType
	}
	q.name = strings.TrimSuffix(strings.ToLower(q.question.Name), ".")
	if q.name == "" {
		return q, miekg.RcodeSuccess, otherType // the root has no address
	}
	if hostName(q.name, l.NameLength, l.Labels) != nil {
		return q, miekg.RcodeRefused, badName
	}
	return q, miekg.RcodeSuccess, none
}
