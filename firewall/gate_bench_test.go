package firewall_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// BenchmarkTheGatesCost forwards packets of a guest with a pass through a
// router without a gate, with one that only keeps guests from being forwarded,
// as on an old kernel, and with the whole one, and reports what each costs. In
// turns, as the machine is not as fast at every moment; the best turn counts.
func BenchmarkTheGatesCost(b *testing.B) {
	for _, family := range []string{"IPv4", "IPv6"} {
		b.Run(family, func(b *testing.B) {
			h := bareHouse(b, world.Options{Uncounted: true})
			p := h.join("phone")
			h.run("nft", "add table inet test; add chain inet test c { type filter hook prerouting priority -90; }; "+
				"add rule inet test c iifname br-guest meta mark set meta mark or 0x1000000")
			if _, err := h.Internet.Run(soon(b), "nft", "add table inet test; add chain inet test c { type filter hook prerouting priority -400; }; "+
				"add rule inet test c udp dport 9 drop"); err != nil {
				b.Fatal(err)
			}
			network, to := "udp4", p.Target.V4
			if family == "IPv6" {
				network, to = "udp6", p.Target.V6
			}
			c, err := p.ListenPacket(network, ":0")
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			addr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9))
			payload := make([]byte, 1000)
			send := func(n int) time.Duration {
				start := time.Now()
				for range n {
					c.WriteTo(payload, addr)
				}
				return time.Since(start) / time.Duration(n)
			}
			gates := []struct {
				name string
				shut func()
			}{
				{"ns/without", func() { h.do(func() error { return firewall.OpenGate(b.Context()) }) }},
				{"ns/forward-only", func() {
					h.run("ip", "-4", "rule", "add", "pref", "1", "iif", world.GuestBridge, "fwmark", "0/0x1000000", "type", "unreachable")
					h.run("ip", "-6", "rule", "add", "pref", "1", "iif", world.GuestBridge, "fwmark", "0/0x1000000", "type", "unreachable")
				}},
				{"ns/gate", func() {
					h.run("ip", "-4", "rule", "del", "pref", "1")
					h.run("ip", "-6", "rule", "del", "pref", "1")
					h.shutGate(world.GuestBridge)
				}},
			}
			best := make([]time.Duration, len(gates))
			send(20000)
			for b.Loop() {
				for i, g := range gates {
					g.shut()
					send(1000)
					for range 10 {
						if took := send(2000); best[i] == 0 || took < best[i] {
							best[i] = took
						}
					}
				}
			}
			for i, g := range gates {
				b.ReportMetric(float64(best[i].Nanoseconds()), g.name)
			}
			b.ReportMetric(float64(best[2])/float64(best[0]), "gate/without")
		})
	}
}
