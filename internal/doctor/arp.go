package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// errNoFree says that no address was found that nobody has.
var errNoFree = errors.New("no free address was found")

// arpPatience is how long an owner of an address has to say so.
const arpPatience = 300 * time.Millisecond

// freeAddress finds an address of the guest network that nobody has, where
// DHCP gives none: from the top down, as ranges mostly begin at the bottom.
// Each is asked for by ARP (RFC 5227 §2.1.1).
func (s *scratch) freeAddress(ctx context.Context, network netip.Prefix, taken func(netip.Addr) bool) (netip.Prefix, error) {
	hosts := 1<<(32-network.Bits()) - 2
	for i, tried := hosts, 0; i > 0 && tried < 5 && ctx.Err() == nil; i-- {
		a := nth(network, i)
		if a == network.Addr() || taken(a) {
			continue
		}
		tried++
		owned, err := s.owned(a)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("ask who has %s: %w", a, err)
		}
		if !owned {
			return netip.PrefixFrom(a, network.Bits()), nil
		}
	}
	return netip.Prefix{}, errNoFree
}

// owned asks whether somebody has an address.
func (s *scratch) owned(a netip.Addr) (owned bool, err error) {
	err = s.do(func() error {
		link, err := netlink.LinkByName(nic)
		if err != nil {
			return err
		}
		arp := binary.NativeEndian.Uint16([]byte{8, 6}) // ETH_P_ARP, in network order
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(arp))
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrLinklayer{Protocol: arp, Ifindex: link.Attrs().Index, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
		wait := unix.NsecToTimeval(int64(arpPatience / 3))
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
			return err
		}
		buf := make([]byte, 64)
		for began := time.Now(); time.Since(began) < arpPatience; {
			if err := unix.Sendto(fd, arpProbe(s.mac, a), 0, to); err != nil && !errors.Is(err, unix.ENETDOWN) {
				return err
			}
			for time.Since(began) < arpPatience {
				n, err := unix.Read(fd, buf)
				if err != nil {
					break
				}
				if arpOwner(buf[:n]) == a {
					owned = true
					return nil
				}
			}
		}
		return nil
	})
	return owned, err
}

// arpProbe asks who has an address without claiming one (RFC 5227 §1.1).
func arpProbe(mac net.HardwareAddr, a netip.Addr) []byte {
	m := []byte{0, 1, 8, 0, 6, 4, 0, 1} // Ethernet, IPv4, a request
	m = append(m, mac...)
	m = binary.BigEndian.AppendUint32(m, 0)
	m = append(m, make([]byte, 6)...)
	return append(m, a.AsSlice()...)
}

// arpOwner is the address that the sender of an ARP message says it has; the
// zero Addr where it is none.
func arpOwner(m []byte) netip.Addr {
	if len(m) < 28 || m[0] != 0 || m[1] != 1 || m[2] != 8 || m[3] != 0 || m[4] != 6 || m[5] != 4 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(m[14:18]))
}
