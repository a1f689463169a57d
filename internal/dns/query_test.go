package dns

import (
	"net/netip"
	"strings"
	"testing"

	miekg "github.com/miekg/dns"
)

// message makes a guest's message; change may spoil it.
func message(t testing.TB, name string, kind uint16, change func(*miekg.Msg)) []byte {
	t.Helper()
	m := new(miekg.Msg)
	m.SetQuestion(miekg.Fqdn(name), kind)
	m.Id = 4711
	if change != nil {
		change(m)
	}
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func TestRead(t *testing.T) {
	long := strings.Repeat("a", 55)
	for _, c := range []struct {
		name    string
		message []byte
		code    int // -1: no answer
		why     reason
	}{
		{"an IPv4 address is asked for", message(t, "Example.VN", miekg.TypeA, nil), miekg.RcodeSuccess, none},
		{"an IPv6 address is asked for", message(t, "a_b-c.example.vn", miekg.TypeAAAA, nil), miekg.RcodeSuccess, none},
		{"with EDNS", message(t, "example.vn", miekg.TypeA, func(m *miekg.Msg) { m.SetEdns0(4096, true) }), miekg.RcodeSuccess, none},
		{"HTTPS records are empty", message(t, "example.vn", miekg.TypeHTTPS, nil), miekg.RcodeSuccess, otherType},
		{"SVCB records are empty", message(t, "_dns.example.vn", miekg.TypeSVCB, nil), miekg.RcodeSuccess, otherType},
		{"TXT records are empty", message(t, "example.vn", miekg.TypeTXT, nil), miekg.RcodeSuccess, otherType},
		{"NULL records are empty", message(t, "example.vn", miekg.TypeNULL, nil), miekg.RcodeSuccess, otherType},
		{"private types are empty", message(t, "example.vn", 65399, nil), miekg.RcodeSuccess, otherType},
		{"ANY is empty", message(t, "example.vn", miekg.TypeANY, nil), miekg.RcodeSuccess, otherType},
		{"a zone transfer is empty", message(t, "example.vn", miekg.TypeAXFR, nil), miekg.RcodeSuccess, otherType},
		{"the reverse of an address is empty", message(t, "1.0.77.10.in-addr.arpa", miekg.TypePTR, nil), miekg.RcodeSuccess, otherType},
		{"the root has no address", message(t, ".", miekg.TypeA, nil), miekg.RcodeSuccess, otherType},
		{"a name of 120 characters is asked", message(t, long+"."+long+".abcde.vn", miekg.TypeA, nil), miekg.RcodeSuccess, none},
		{"a name of 121 characters is refused", message(t, long+"."+long+".abcdef.vn", miekg.TypeA, nil), miekg.RcodeRefused, badName},
		{"a name of ten labels is asked", message(t, "a.b.c.d.e.f.g.h.i.vn", miekg.TypeA, nil), miekg.RcodeSuccess, none},
		{"a name of eleven labels is refused", message(t, "a.b.c.d.e.f.g.h.i.j.vn", miekg.TypeA, nil), miekg.RcodeRefused, badName},
		{"bytes that no host name has are refused", message(t, `\200\201.example.vn`, miekg.TypeA, nil), miekg.RcodeRefused, badName},
		{"a dot within a label is refused", message(t, `a\.b.example.vn`, miekg.TypeA, nil), miekg.RcodeRefused, badName},
		{"another class is refused", message(t, "version.bind", miekg.TypeA, func(m *miekg.Msg) { m.Question[0].Qclass = miekg.ClassCHAOS }), miekg.RcodeRefused, malformed},
		{"an update is not implemented", message(t, "example.vn", miekg.TypeSOA, func(m *miekg.Msg) { m.Opcode = miekg.OpcodeUpdate }), miekg.RcodeNotImplemented, malformed},
		{"two questions are no form", message(t, "example.vn", miekg.TypeA, func(m *miekg.Msg) { m.Question = append(m.Question, m.Question[0]) }), miekg.RcodeFormatError, malformed},
		{"no question is no form", message(t, "example.vn", miekg.TypeA, func(m *miekg.Msg) { m.Question = nil }), miekg.RcodeFormatError, malformed},
		{"a later EDNS is not known", message(t, "example.vn", miekg.TypeA, func(m *miekg.Msg) { m.SetEdns0(1232, false); m.IsEdns0().SetVersion(1) }), miekg.RcodeBadVers, malformed},
		{"a question of 600 bytes is no form", append(message(t, "example.vn", miekg.TypeA, nil), make([]byte, 600)...), miekg.RcodeFormatError, malformed},
		{"a cut question is no form", message(t, "example.vn", miekg.TypeA, nil)[:20], miekg.RcodeFormatError, malformed},
		{"an answer is not answered", message(t, "example.vn", miekg.TypeA, func(m *miekg.Msg) { m.Response = true }), -1, malformed},
		{"eleven bytes are not answered", make([]byte, 11), -1, malformed},
		{"nothing is not answered", nil, -1, malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, code, why := read(c.message, Limits{}.withDefaults())
			if why != c.why {
				t.Errorf("reason: got %d, want %d", why, c.why)
			}
			if (q == nil) != (c.code < 0) {
				t.Fatalf("query: got %v, want an answer: %v", q, c.code >= 0)
			}
			if q == nil {
				return
			}
			if code != c.code {
				t.Errorf("code: got %s, want %s", miekg.RcodeToString[code], miekg.RcodeToString[c.code])
			}
			checkAnswer(t, c.message, q.reply(code, 0, nil))
		})
	}
}

// checkAnswer holds what is true of every answer to a guest.
func checkAnswer(t testing.TB, question, answer []byte) *miekg.Msg {
	t.Helper()
	if len(answer) < headerLength || len(answer) > maxAnswer {
		t.Fatalf("answer to %x: got %d bytes, want %d to %d", question, len(answer), headerLength, maxAnswer)
	}
	m := new(miekg.Msg)
	if err := m.Unpack(answer); err != nil {
		t.Fatalf("answer to %x: got %x: %v", question, answer, err)
	}
	if !m.Response || answer[0] != question[0] || answer[1] != question[1] {
		t.Errorf("answer to %x: got response %v and id %d, want that of the question", question, m.Response, m.Id)
	}
	if len(m.Ns) != 0 {
		t.Errorf("answer to %x: got authority records %v, want none", question, m.Ns)
	}
	for _, rr := range m.Answer {
		h := rr.Header()
		if len(m.Question) != 1 || h.Name != m.Question[0].Name || h.Rrtype != m.Question[0].Qtype || h.Ttl > MaxTTL {
			t.Errorf("answer to %x: got record %s, want one of the name and type that was asked for, with at most %d s", question, rr, MaxTTL)
		}
		if h.Rrtype != miekg.TypeA && h.Rrtype != miekg.TypeAAAA {
			t.Errorf("answer to %x: got record %s, want addresses only", question, rr)
		}
	}
	return m
}

func TestReplyFits(t *testing.T) {
	long := strings.Repeat("a", 55)
	wire := message(t, long+"."+long+".AbCdE.vn", miekg.TypeAAAA, func(m *miekg.Msg) { m.SetEdns0(4096, true) })
	q, _, why := read(wire, Limits{}.withDefaults())
	if why != none {
		t.Fatalf("reason: got %d, want none", why)
	}
	var addrs []netip.Addr
	for i := range maxAddrs {
		addrs = append(addrs, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}))
	}
	m := checkAnswer(t, wire, q.reply(miekg.RcodeSuccess, 3600, addrs))
	if len(m.Answer) != maxAddrs {
		t.Errorf("addresses: got %d, want %d", len(m.Answer), maxAddrs)
	}
	if got, want := m.Question[0].Name, long+"."+long+".AbCdE.vn."; got != want {
		t.Errorf("question: got %s, want %s as it was asked", got, want)
	}
	if opt := m.IsEdns0(); opt == nil || opt.UDPSize() != ednsSize {
		t.Errorf("EDNS: got %v, want one with %d bytes (RFC 6891 §6.1.1)", opt, ednsSize)
	}
}

// records reads records as a zone file has them.
func records(t testing.TB, lines ...string) (rrs []miekg.RR) {
	t.Helper()
	for _, line := range lines {
		rr, err := miekg.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	return rrs
}

func TestStrip(t *testing.T) {
	ten := make([]string, 10)
	for i := range ten {
		ten[i] = "www.example.vn. 60 IN A 203.0.113." + string(rune('0'+i))
	}
	for _, c := range []struct {
		name  string
		code  int
		lines []string
		want  int
		addrs string
		ttl   uint32
	}{
		{"an address", 0, []string{"www.example.vn. 60 IN A 203.0.113.9"}, 0, "203.0.113.9", 60},
		{"in other letters", 0, []string{"WWW.Example.vn. 60 IN A 203.0.113.9"}, 0, "203.0.113.9", 60},
		{"a chain gives its last addresses and its shortest time", 0, []string{
			"www.example.vn. 300 IN CNAME a.cdn.example.", "a.cdn.example. 20 IN CNAME b.cdn.example.",
			"b.cdn.example. 60 IN A 203.0.113.1", "b.cdn.example. 60 IN A 203.0.113.2",
		}, 0, "203.0.113.1 203.0.113.2", 20},
		{"a chain out of order", 0, []string{
			"b.cdn.example. 60 IN A 203.0.113.1", "www.example.vn. 300 IN CNAME b.cdn.example.",
		}, 0, "203.0.113.1", 60},
		{"a chain that ends in no address is empty", 0, []string{"www.example.vn. 300 IN CNAME hsomedata.t.example.vn."}, 0, "", 300},
		{"a chain that goes round is empty", 0, []string{
			"www.example.vn. 300 IN CNAME b.example.vn.", "b.example.vn. 300 IN CNAME www.example.vn.",
		}, 0, "", 300},
		{"records of other names are left out", 0, []string{"evil.example. 60 IN A 203.0.113.66"}, 0, "", 1<<31 - 1},
		{"records of other types are left out", 0, []string{
			`www.example.vn. 60 IN TXT "data"`, "www.example.vn. 60 IN AAAA 2001:db8::1", "www.example.vn. 60 IN A 203.0.113.9",
		}, 0, "203.0.113.9", 60},
		{"eight addresses at most", 0, ten, 0, "203.0.113.0 203.0.113.1 203.0.113.2 203.0.113.3 203.0.113.4 203.0.113.5 203.0.113.6 203.0.113.7", 60},
		{"a name that is not there", miekg.RcodeNameError, nil, miekg.RcodeNameError, "", 0},
		{"a server that failed", miekg.RcodeServerFailure, nil, miekg.RcodeServerFailure, "", 0},
		{"a server that refuses", miekg.RcodeRefused, nil, miekg.RcodeServerFailure, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &miekg.Msg{MsgHdr: miekg.MsgHdr{Rcode: c.code}, Answer: records(t, c.lines...)}
			f := strip(m, "www.example.vn", miekg.TypeA)
			var addrs []string
			for _, a := range f.addrs {
				addrs = append(addrs, a.String())
			}
			if got := strings.Join(addrs, " "); f.code != c.want || got != c.addrs || f.ttl != c.ttl {
				t.Errorf("got %s, %q, %d s; want %s, %q, %d s", miekg.RcodeToString[f.code], got, f.ttl, miekg.RcodeToString[c.want], c.addrs, c.ttl)
			}
		})
	}
}

func TestAccept(t *testing.T) {
	question := miekg.Question{Name: "example.vn.", Qtype: miekg.TypeA, Qclass: miekg.ClassINET}
	answer := func(change func(*miekg.Msg)) []byte {
		return message(t, "example.vn", miekg.TypeA, func(m *miekg.Msg) {
			m.Response = true
			m.Answer = records(t, "example.vn. 60 IN A 203.0.113.9")
			if change != nil {
				change(m)
			}
		})
	}
	whole := answer(nil)
	for _, c := range []struct {
		name string
		wire []byte
		want bool
	}{
		{"the answer", whole, true},
		{"in other letters", answer(func(m *miekg.Msg) { m.Question[0].Name = "EXAMPLE.vn." }), true},
		{"another number", answer(func(m *miekg.Msg) { m.Id++ }), false},
		{"another name", answer(func(m *miekg.Msg) { m.Question[0].Name = "example.com." }), false},
		{"another type", answer(func(m *miekg.Msg) { m.Question[0].Qtype = miekg.TypeAAAA }), false},
		{"another class", answer(func(m *miekg.Msg) { m.Question[0].Qclass = miekg.ClassCHAOS }), false},
		{"a question", answer(func(m *miekg.Msg) { m.Response = false }), false},
		{"two questions", answer(func(m *miekg.Msg) { m.Question = append(m.Question, m.Question[0]) }), false},
		{"records without a question", answer(func(m *miekg.Msg) { m.Question = nil }), false},
		{"a refusal without a question", answer(func(m *miekg.Msg) { m.Question, m.Answer, m.Rcode = nil, nil, miekg.RcodeRefused }), true},
		{"cut off without a word", whole[:len(whole)-5], false},
		{"cut off, and says so", answer(func(m *miekg.Msg) { m.Truncated = true })[:len(whole)-5], true},
		{"nothing", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := accept(c.wire, 4711, question) != nil; got != c.want {
				t.Errorf("accepted: got %v, want %v", got, c.want)
			}
		})
	}
}
