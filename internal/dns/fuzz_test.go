package dns

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/hien-wifi/hien"
)

// newTest makes a forwarder that is not served.
func newTest(t testing.TB, o Options) *Forwarder {
	t.Helper()
	o.Upstream = []string{"127.0.0.1:1"}
	o.Now = func() hien.Moment { return hien.Moment{Up: time.Hour} }
	o.Log = slog.New(slog.DiscardHandler)
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// FuzzQuery holds of whatever a stranger sends: no panic; at most one answer,
// or a question for the resolver; the answer is one, of its number, and no
// longer than what every client takes; and what is asked of the resolver is a
// host name.
func FuzzQuery(f *testing.F) {
	for _, seed := range []struct {
		name string
		kind uint16
	}{{"www.example.vn", miekg.TypeA}, {"WWW.garden.test", miekg.TypeAAAA}, {"example.vn", miekg.TypeHTTPS}, {`\000\255.t.example.vn`, miekg.TypeNULL}, {"wifi.shop.test", miekg.TypeA}, {".", miekg.TypeNS}} {
		f.Add(message(f, seed.name, seed.kind, nil))
		f.Add(message(f, seed.name, seed.kind, func(m *miekg.Msg) { m.SetEdns0(4096, true) }))
	}
	f.Add(message(f, strings.Repeat("a.", 120)+"vn", miekg.TypeA, nil))
	f.Add([]byte("\x12\x67\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01")) // a name that points to itself
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	forwarder := newTest(f, Options{
		Names:  Names{Local: map[string][]netip.Addr{"wifi.shop.test": {netip.MustParseAddr("10.77.0.1")}}},
		Limits: Limits{GuestBurst: 1 << 30, ZoneBurst: 1 << 30, Names: 1 << 20, NamesUnder: 1 << 20},
	})
	from := netip.MustParseAddr("10.77.0.50")
	eight := make([]netip.Addr, maxAddrs)
	for i := range eight {
		eight[i] = netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		answer, j := forwarder.take(from, wire)
		if answer != nil && j != nil {
			t.Fatalf("%x: got an answer and a question for the resolver", wire)
		}
		if answer != nil {
			checkAnswer(t, wire, answer)
		}
		if j == nil {
			return
		}
		forwarder.guests.leave(j.guest, j.known())
		if err := hostName(j.query.name, 120, 10); err != nil || !j.query.address() {
			t.Errorf("%x: the resolver is asked for %s: %v", wire, j.query.question.String(), err)
		}
		addrs := eight
		if j.query.question.Qtype == miekg.TypeAAAA {
			addrs = []netip.Addr{netip.MustParseAddr("2001:db8::1")}
		}
		if m := checkAnswer(t, wire, j.query.reply(miekg.RcodeSuccess, 1<<31, addrs)); len(m.Answer) != len(addrs) {
			t.Errorf("%x: got %d addresses, want %d", wire, len(m.Answer), len(addrs))
		}
	})
}

// FuzzUpstream holds of whatever comes in answer to a question of ours: no
// panic, and nothing of it reaches a guest but public addresses.
func FuzzUpstream(f *testing.F) {
	answer := func(lines ...string) []byte {
		return message(f, "www.example.vn", miekg.TypeA, func(m *miekg.Msg) {
			m.Response = true
			m.Answer = records(f, lines...)
		})
	}
	f.Add(answer("www.example.vn. 60 IN A 203.0.113.9"))
	f.Add(answer("www.example.vn. 60 IN CNAME b.example.vn.", "b.example.vn. 5 IN A 203.0.113.9", "b.example.vn. 5 IN A 192.168.1.1"))
	f.Add(answer("www.example.vn. 60 IN CNAME www.example.vn.", `www.example.vn. 60 IN TXT "x"`))
	f.Add(answer()[:17])
	question := miekg.Question{Name: "www.example.vn.", Qtype: miekg.TypeA, Qclass: miekg.ClassINET}
	asked := message(f, "www.example.vn", miekg.TypeA, nil)
	q, _, why := read(asked, Limits{}.withDefaults())
	if why != none {
		f.Fatal(why)
	}
	n := new(names)
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := accept(wire, 4711, question)
		if m == nil {
			return
		}
		r := strip(m, "www.example.vn", miekg.TypeA)
		if len(r.addrs) > maxAddrs {
			t.Errorf("%x: got %d addresses, want at most %d", wire, len(r.addrs), maxAddrs)
		}
		var told []netip.Addr
		for _, a := range r.addrs {
			if n.reachable(a) {
				told = append(told, a)
			}
		}
		for _, rr := range checkAnswer(t, asked, q.reply(r.code, r.ttl, told)).Answer {
			a, _ := netip.AddrFromSlice(rr.(*miekg.A).A.To4())
			if !a.IsGlobalUnicast() || a.IsPrivate() {
				t.Errorf("%x: a guest is told %s", wire, a)
			}
		}
	})
}
