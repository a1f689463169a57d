package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

// TestAFloodOfStrangers sends what a malicious device, or a tunnel full of
// phones with ever new addresses, would send: 20,000 hardware addresses that
// ask for the router, and 5,000 requests for an address. Memory stays flat,
// and nobody with a pass loses it.
func TestAFloodOfStrangers(t *testing.T) {
	const strangers, requests = 20_000, 5_000
	s := openShop(t, world.Options{Uncounted: true, Alone: true, GuestPrefix: netip.MustParsePrefix("10.77.0.1/20")}, everyday)
	guests := []*world.Phone{s.join("a"), s.join("b"), s.join("c")}
	for _, g := range guests {
		s.skip(g)
	}
	mallory := s.join("mallory")
	r := rand.New(rand.NewPCG(3, 3))
	flood := func(n int, frame func(mac net.HardwareAddr) []byte) {
		t.Helper()
		err := mallory.Do(func() error {
			link, err := net.InterfaceByName("wlan0")
			if err != nil {
				return err
			}
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			to := &unix.SockaddrLinklayer{Ifindex: link.Index}
			for range n {
				mac := net.HardwareAddr{0x02, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
				if err := unix.Sendto(fd, frame(mac), 0, to); err != nil && err != unix.ENOBUFS {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	router := s.Router.GuestV4().As4()
	arp := func(mac net.HardwareAddr) []byte {
		b := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac...)
		b = append(b, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1)
		b = append(b, mac...)
		b = append(b, 10, 77, byte(8+r.IntN(8)), byte(r.Uint32())) // nobody's
		b = append(b, 0, 0, 0, 0, 0, 0)
		return append(b, router[:]...)
	}
	flood(strangers/2, arp)
	before := s.memory()
	flood(strangers/2, arp)
	flood(requests, discover)
	// What was heard is worked through when the phone is answered.
	if !within(30*time.Second, func() bool { return s.online(guests[0]) }) {
		t.Error("a guest with a pass is cut")
	}
	after := s.memory()
	t.Logf("resident memory: %.1f MiB after half of them, %.1f MiB after all", before, after)
	if after > before*1.25 && after > 32 {
		t.Errorf("memory grew from %.1f to %.1f MiB", before, after)
	}
	for _, g := range guests {
		if !s.online(g) {
			t.Errorf("%s has lost its pass", g.Name)
		}
	}
	s.skip(s.join("late")) // and the portal still opens for the next one
}

// memory is the daemon's resident memory in MiB, as status tells it.
func (s *shop) memory() float64 {
	s.Helper()
	return float64(ask[control.Status](s, "status").Memory) / (1 << 20)
}

// discover is a DHCPDISCOVER (RFC 2131 §2, §4.4.1) of a device.
func discover(mac net.HardwareAddr) []byte {
	dhcp := make([]byte, 240)
	dhcp[0], dhcp[1], dhcp[2] = 1, 1, 6
	copy(dhcp[4:8], mac[2:])
	dhcp[10] = 0x80 // broadcast
	copy(dhcp[28:], mac)
	copy(dhcp[236:], []byte{99, 130, 83, 99})
	dhcp = append(dhcp, 53, 1, 1, 255)
	udp := make([]byte, 8, 8+len(dhcp))
	binary.BigEndian.PutUint16(udp[0:], 68)
	binary.BigEndian.PutUint16(udp[2:], 67)
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(dhcp)))
	udp = append(udp, dhcp...)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255}
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(udp)))
	var sum uint32
	for i := 0; i < len(ip); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum+sum>>16))
	frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac...)
	frame = append(frame, 0x08, 0x00)
	return append(append(frame, ip...), udp...)
}
