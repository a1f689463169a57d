package dns

import (
	"net/netip"
	"testing"

	miekg "github.com/miekg/dns"
)

// The forwarder's own work on one question, without sockets and without the
// resolver's time.
func BenchmarkForwarder(b *testing.B) {
	unlimited := Limits{GuestBurst: 1 << 30, GardenBurst: 1 << 30, ZoneBurst: 1 << 30}
	garden, err := Preset("ocsp")
	if err != nil {
		b.Fatal(err)
	}
	f := newTest(b, Options{Names: Names{Garden: garden, Local: map[string][]netip.Addr{"wifi.shop.test": {netip.MustParseAddr("10.77.0.1")}}}, Limits: unlimited})
	from := netip.MustParseAddr("10.77.0.50")
	asked := message(b, "www.example.vn", miekg.TypeA, nil)
	upstream := message(b, "www.example.vn", miekg.TypeA, func(m *miekg.Msg) {
		m.Response = true
		m.Answer = records(b, "www.example.vn. 60 IN CNAME x.cdn.test.", "x.cdn.test. 60 IN A 203.0.113.1", "x.cdn.test. 60 IN A 203.0.113.2")
	})
	b.Run("asked and answered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, j := f.take(from, asked)
			m := accept(upstream, 4711, j.query.question)
			r := strip(m, j.query.name, miekg.TypeA)
			if len(j.query.reply(r.code, r.ttl, r.addrs)) == 0 {
				b.Fatal("no answer")
			}
			f.guests.leave(j.guest, j.known())
		}
	})
	for name, message := range map[string][]byte{
		"refused for its type": message(b, "www.example.vn", miekg.TypeHTTPS, nil),
		"the portal's host":    message(b, "wifi.shop.test", miekg.TypeA, nil),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if answer, _ := f.take(from, message); answer == nil {
					b.Fatal("no answer")
				}
			}
		})
	}
}
