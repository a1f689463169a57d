package firewall_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
	"golang.org/x/sys/unix"
)

// cpu is the processor time of this process and of the programs it has run.
func cpu() time.Duration {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if unix.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}

// measure times f and reports the processor time of each run beside it.
func measure(b *testing.B, f func(i int)) {
	b.Helper()
	start := cpu()
	i := 0
	for b.Loop() {
		f(i)
		i++
	}
	b.ReportMetric(float64((cpu()-start).Microseconds())/float64(i), "cpu-µs/op")
}

// benchmarks runs a benchmark with every back end.
func benchmarks(b *testing.B, bench func(b *testing.B, h *house)) {
	for _, e := range backEnds {
		b.Run(e.String(), func(b *testing.B) {
			systemIPTables(b, e.variant)
			bench(b, benchHouse(b, e))
		})
	}
}

func benchHouse(b *testing.B, e backEnd) *house {
	h := newHouse(b, e, world.Options{GuestPrefix: netip.MustParsePrefix("10.77.0.1/16"), Uncounted: true})
	h.apply()
	return h
}

// newcomer is the i-th guest, with an IPv4 and an IPv6 address.
func newcomer(i int) (hien.GuestID, []netip.Addr) {
	a, b := byte(i>>8), byte(i)
	return hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0, 1, a, b}}, []netip.Addr{
		netip.AddrFrom4([4]byte{10, 77, a, b}),
		netip.MustParseAddr(fmt.Sprintf("2001:db8:77::1:%x", i&0xffff)),
	}
}

func admitNewcomer(b *testing.B, f *firewall.Firewall, i int) {
	id, addrs := newcomer(i)
	if err := f.Admit(b.Context(), id, addrs, time.Hour); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkAdmitOne(b *testing.B) {
	benchmarks(b, func(b *testing.B, h *house) {
		for i := range 1000 {
			admitNewcomer(b, h.door, i)
		}
		b.Run("new", func(b *testing.B) {
			measure(b, func(i int) { admitNewcomer(b, h.door, 1000+i%59000) })
		})
		b.Run("again", func(b *testing.B) {
			measure(b, func(i int) { admitNewcomer(b, h.door, i%1000) })
		})
	})
}

func BenchmarkRemoveOne(b *testing.B) {
	benchmarks(b, func(b *testing.B, h *house) {
		for _, flows := range []int{0, 10000} {
			b.Run(fmt.Sprint(flows, "-connections"), func(b *testing.B) {
				fill(b, h, flows)
				admitNewcomer(b, h.door, 1)
				id, addrs := newcomer(1)
				measure(b, func(int) {
					if err := h.door.Remove(b.Context(), id, addrs); err != nil {
						b.Fatal(err)
					}
				})
			})
		}
	})
}

// fill gives the router's table n connections, half of them of each family.
func fill(b *testing.B, h *house, n int) {
	for i, to := range []netip.Addr{h.Internet.Target(0).V4, h.Internet.Target(0).V6} {
		network := []string{"udp4", "udp6"}[i]
		c, err := h.Router.ListenPacket(network, ":0")
		if err != nil {
			b.Fatal(err)
		}
		for port := range n / 2 {
			c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, uint16(10000+port))))
		}
		c.Close()
	}
}

// BenchmarkWithAThousand is what is done now and then, with 1,000 guests.
func BenchmarkWithAThousand(b *testing.B) {
	benchmarks(b, func(b *testing.B, h *house) {
		for i := range 1000 {
			admitNewcomer(b, h.door, i)
		}
		b.Run("usage", func(b *testing.B) {
			measure(b, func(int) {
				if all, err := h.door.Usage(b.Context()); err != nil || len(all) < 4000 {
					b.Fatal(len(all), err)
				}
			})
		})
		b.Run("check", func(b *testing.B) {
			measure(b, func(int) {
				if found := h.differences(); len(found) > 0 {
					b.Fatal(found)
				}
			})
		})
		b.Run("apply-unchanged", func(b *testing.B) { measure(b, func(int) { h.apply() }) })
		b.Run("cleanup-and-apply", func(b *testing.B) {
			measure(b, func(int) {
				h.cleanup()
				h.apply()
			})
		})
	})
}
