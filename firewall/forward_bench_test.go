package firewall_test

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
	"golang.org/x/sys/unix"
)

// A lane is a router over which a phone sends packets to the internet, which
// drops them as soon as they come.
type lane struct {
	name    string
	passes  int   // 0: no portal at all
	sockets []int // of the phone, each with another address
	cost    []time.Duration
}

// flowsOfLane are the phone's addresses in one family, each with a pass of its
// own, so that packets meet different members of the sets.
const flowsOfLane = 32

// BenchmarkForward is what one packet of a guest with a pass costs, all the way
// from the phone's socket to the internet: the processor time of the thread
// that sends, in whose call the kernel carries a packet through the world.
// Every lane is measured in turns, as the machine is not as fast at every
// moment, and the median of the turns counts.
//
// Figures are nanoseconds for each packet, and how much more that is, in
// percent, than with one pass.
func BenchmarkForward(b *testing.B) {
	for _, six := range []bool{false, true} {
		name := "IPv4"
		if six {
			name = "IPv6"
		}
		b.Run(name, func(b *testing.B) {
			lanes := []*lane{newLane(b, backEnd{variant: "nft"}, 0, six, firewall.Speed{})}
			for _, e := range backEnds {
				for _, passes := range []int{1, 250, 1000, 5000} {
					lanes = append(lanes, newLane(b, e, passes, six, firewall.Speed{}))
				}
			}
			fast := firewall.Speed{Down: 1 << 32, Up: 1 << 32}
			lanes = append(lanes, newLane(b, backEnds[0], 1001, six, fast), newLane(b, backEnds[1], 1001, six, fast))
			const turns, packets = 25, 2000
			for b.Loop() {
				runtime.LockOSThread()
				pin(b)
				for range turns {
					for _, l := range lanes {
						l.cost = append(l.cost, l.send(b, packets))
					}
				}
				runtime.UnlockOSThread()
			}
			b.ReportMetric(0, "ns/op")
			none := lanes[0].median()
			one := none
			for _, l := range lanes {
				median := l.median()
				if l.passes == 1 {
					one = median
				}
				b.ReportMetric(float64(median), "ns:"+l.name)
				b.Logf("%-28s %5d ns a packet; %+6.1f %% against one pass, %+6.1f %% against no portal", l.name,
					median, more(median, one), more(median, none))
			}
		})
	}
}

func (l *lane) median() time.Duration {
	slices.Sort(l.cost)
	return l.cost[len(l.cost)/2]
}

// more is how much more a is than b, in percent.
func more(a, b time.Duration) float64 { return 100 * (float64(a)/float64(b) - 1) }

// pin keeps the thread on one processor.
func pin(b *testing.B) {
	b.Helper()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		b.Fatal(err)
	}
	for cpu := range 1024 {
		if all.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.SchedSetaffinity(0, &all) })
}

func newLane(b *testing.B, e backEnd, passes int, six bool, speed firewall.Speed) *lane {
	b.Helper()
	systemIPTables(b, e.variant)
	l := &lane{name: "no-portal", passes: passes}
	o := world.Options{GuestPrefix: netip.MustParsePrefix("10.77.0.1/16"), Uncounted: true}
	var h *house
	if passes == 0 {
		h = bareHouse(b, o)
	} else {
		l.name = fmt.Sprintf("%s-%d", e, passes)
		h = newHouse(b, e, o)
		if speed.Up > 0 {
			l.name += "-speeds"
			h.rules.Zones[0].Speed, h.rules.Zones[0].AllSpeed = speed, speed
		}
		h.apply()
	}
	h.bridgesMeetRules(false)
	p := h.join("phone")
	to, network := p.Target.V4, "udp4"
	if six {
		to, network = p.Target.V6, "udp6"
	}
	for i := range min(flowsOfLane, max(passes, 1)) {
		own := fmt.Sprintf("10.77.200.%d", i+1)
		length := 16
		if six {
			own, length = fmt.Sprintf("2001:db8:77::2:%x", i+1), 64
		}
		addr := netip.MustParseAddr(own)
		if _, err := p.Run(soon(b), "ip", "addr", "add", netip.PrefixFrom(addr, length).String(), "dev", "wlan0", "nodad"); err != nil {
			b.Fatal(err)
		}
		if passes > 0 {
			id := hien.GuestID{Zone: "guest", MAC: hien.MAC(p.MAC)}
			if err := h.door.Admit(soon(b), id, []netip.Addr{addr}, time.Hour); err != nil {
				b.Fatal(err)
			}
		}
		l.sockets = append(l.sockets, answered(b, p, network, addr, netip.AddrPortFrom(to, 9999)))
	}
	if _, err := h.Internet.Run(soon(b), "nft", "add table inet test; add chain inet test c { type filter hook prerouting priority -400; }; "+
		"add rule inet test c udp dport 9999 drop"); err != nil {
		b.Fatal(err)
	}
	for i := len(l.sockets); i < passes; i++ {
		admitNewcomer(b, h.door, i)
	}
	l.send(b, 1000)
	return l
}

// answered is a socket of the phone, with one of its addresses, to which the
// internet has answered once: a connection as most packets belong to.
func answered(b *testing.B, p *world.Phone, network string, from netip.Addr, to netip.AddrPort) (fd int) {
	b.Helper()
	var c net.Conn
	err := p.Do(func() (err error) {
		d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
		c, err = d.Dial(network, to.String())
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := echo(c); err != nil {
		b.Fatal(err)
	}
	raw, err := c.(*net.UDPConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(f uintptr) { fd = int(f) })
	}
	if err != nil {
		b.Fatal(err)
	}
	return fd
}

// send sends packets of 64 bytes and returns what one has cost.
func (l *lane) send(b *testing.B, packets int) time.Duration {
	b.Helper()
	var payload [64]byte
	start := threadCPU(b)
	for i := range packets {
		if _, err := unix.Write(l.sockets[i%len(l.sockets)], payload[:]); err != nil {
			b.Fatal(err)
		}
	}
	return (threadCPU(b) - start) / time.Duration(packets)
}

// threadCPU is the processor time of this thread.
func threadCPU(b *testing.B) time.Duration {
	b.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}
