package firewall_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
	"golang.org/x/sys/unix"
)

// BenchmarkIPTablesPacket is what one small packet of a guest with a pass
// costs, up to the internet or down from it: the processor time of the thread
// that sends it, in whose call the kernel carries it through the router.
func BenchmarkIPTablesPacket(b *testing.B) {
	for _, variant := range []string{"nft", "legacy"} {
		b.Run(variant, func(b *testing.B) {
			useVariant(b, variant)
			h := newTabled(b, world.Options{GuestPrefix: netip.MustParsePrefix("10.77.0.1/16"), Uncounted: true})
			// As on OpenWrt. Elsewhere bridges hand their packets to the
			// rules a second time where br_netfilter is loaded.
			err := h.Router.Sysctl("net/bridge/bridge-nf-call-iptables", "0", "net/bridge/bridge-nf-call-ip6tables", "0")
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				b.Fatal(err)
			}
			p, id, addrs := h.phone("phone")
			flows := map[string]*udpFlow{}
			for name, to := range map[string]netip.Addr{"IPv4": p.Target.V4, "IPv6": p.Target.V6} {
				flows[name] = newUDPFlow(b, h.World, p, to)
			}
			measure := func(state string) {
				for _, name := range []string{"IPv4", "IPv6"} {
					for _, way := range []string{"up", "down"} {
						b.Run(state+"/"+name+"/"+way, func(b *testing.B) {
							b.ReportMetric(0, "ns/op") // the wall's clock says nothing here
							b.ReportMetric(flows[name].cost(b, way == "up", max(b.N, 1000)), "cpu-ns/packet")
						})
					}
				}
			}
			measure("no-door")
			h.apply()
			h.admit(id, addrs)
			measure("1-pass")
			for i := range 5000 {
				id := hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)}}
				h.admit(id, []netip.Addr{
					netip.AddrFrom4([4]byte{10, 77, byte(16 + i>>8), byte(i)}),
					netip.MustParseAddr(fmt.Sprintf("2001:db8:77::1:%x", i)),
				})
			}
			measure("5001-passes")
			h.rules.Zones[0].Speed = firewall.Speed{Down: 1 << 30, Up: 1 << 30}
			h.rules.Zones[0].AllSpeed = firewall.Speed{Down: 1 << 30, Up: 1 << 30}
			h.apply()
			measure("5001-passes-and-speeds")
		})
	}
}

// BenchmarkIPTablesDeeds is what the daemon does, with 1,000 guests.
func BenchmarkIPTablesDeeds(b *testing.B) {
	for _, variant := range []string{"nft", "legacy"} {
		b.Run(variant, func(b *testing.B) {
			useVariant(b, variant)
			h := newTabled(b, world.Options{GuestPrefix: netip.MustParsePrefix("10.77.0.1/16"), Uncounted: true})
			h.apply()
			admit := func(i int) {
				h.admit(hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)}}, []netip.Addr{
					netip.AddrFrom4([4]byte{10, 77, byte(16 + (i>>8)%128), byte(i)}),
					netip.MustParseAddr(fmt.Sprintf("2001:db8:77::1:%x", i&0xffff)),
				})
			}
			for i := range 1000 {
				admit(i)
			}
			deed := func(name string, do func(i int)) {
				b.Run(name, func(b *testing.B) {
					i := 0
					for b.Loop() {
						do(i)
						i++
					}
				})
			}
			deed("admit-another", func(i int) { admit(1000 + i%30000) })
			deed("admit-again", func(i int) { admit(i % 1000) })
			deed("fingerprint", func(int) {
				if _, err := h.door.Fingerprint(); err != nil {
					b.Fatal(err)
				}
			})
			deed("check", func(int) { h.check("unchanged") })
			deed("apply-unchanged", func(int) { h.apply() })
			deed("flush-and-apply", func(int) {
				for _, t := range []string{"iptables", "ip6tables"} {
					h.run(t + " -F")
				}
				h.apply()
			})
		})
	}
}

// A udpFlow is a UDP connection through the router that both ends have used,
// with both sockets as the kernel knows them.
type udpFlow struct {
	phone, server int
	from          unix.Sockaddr // the phone, as the server sees it
}

func newUDPFlow(b *testing.B, w *world.World, p *world.Phone, to netip.Addr) *udpFlow {
	place := netip.AddrPortFrom(to, 4500).String()
	server, err := w.Internet.ListenPacket("udp", place)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	phone, err := p.Dial(soonest(b), "udp", place)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { phone.Close() })
	buf := make([]byte, 64)
	if _, err := phone.Write(buf); err != nil {
		b.Fatal(err)
	}
	_, from, err := server.ReadFrom(buf)
	if err == nil {
		_, err = server.WriteTo(buf, from)
	}
	if err == nil {
		_, err = phone.Read(buf)
	}
	if err != nil {
		b.Fatal(err)
	}
	f := &udpFlow{phone: descriptor(b, phone), server: descriptor(b, server)}
	if a := from.(*net.UDPAddr).AddrPort(); a.Addr().Unmap().Is4() {
		f.from = &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().Unmap().As4()}
	} else {
		f.from = &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return f
}

func descriptor(b *testing.B, c any) (fd int) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err == nil {
		err = raw.Control(func(n uintptr) { fd = int(n) })
	}
	if err != nil {
		b.Fatal(err)
	}
	return fd
}

// cost sends packets one by one and is the median of what each costs the
// thread. A packet that is not at the other end when the call returns was
// carried by another thread of the kernel, and does not count.
func (f *udpFlow) cost(b *testing.B, up bool, packets int) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	to, at := f.from, f.phone
	if up {
		to, at = nil, f.server
	}
	message, buf := make([]byte, 64), make([]byte, 128)
	// Rules that came since have begun to follow connections: both ways once.
	for _, err := range []error{
		unix.Sendto(f.phone, message, 0, nil), arrives(f.server), unix.Sendto(f.server, message, 0, f.from), arrives(f.phone),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	var costs []time.Duration
	for range packets {
		start := threadTime(b)
		var err error
		if up {
			_, err = unix.Write(f.phone, message)
		} else {
			err = unix.Sendto(f.server, message, 0, to)
		}
		took := threadTime(b) - start
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := unix.Recvfrom(at, buf, unix.MSG_DONTWAIT); err == nil {
			costs = append(costs, took)
			continue
		}
		if err := arrives(at); err != nil {
			b.Fatal(err)
		}
	}
	if len(costs) < packets/10 {
		b.Fatalf("%d of %d packets were carried at once: the machine is too busy to measure", len(costs), packets)
	}
	slices.Sort(costs)
	return float64(costs[len(costs)/2])
}

// arrives waits for a packet and takes it.
func arrives(at int) error {
	for {
		_, _, err := unix.Recvfrom(at, make([]byte, 128), unix.MSG_DONTWAIT)
		if err != unix.EAGAIN {
			return err
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(at), Events: unix.POLLIN}}, 1000)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n == 0 && err == nil {
			return errors.New("a packet has not arrived")
		}
	}
}

// threadTime is the processor time of this thread.
func threadTime(b *testing.B) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		b.Fatal(err)
	}
	return time.Duration(now.Nano())
}
