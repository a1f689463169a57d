package doctor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A dhcpLease is what a DHCP server gives a guest (RFC 2131, RFC 2132).
type dhcpLease struct {
	Addr   netip.Prefix
	Router netip.Addr
	DNS    []netip.Addr
	Server netip.Addr
	API    string // option 114, RFC 8910 §2.1
}

// The types of DHCP messages (RFC 2132 §9.6) and the options that are used.
const (
	dhcpDiscover = 1
	dhcpOffer    = 2
	dhcpRequest  = 3
	dhcpACK      = 5
	dhcpNAK      = 6
	dhcpRelease  = 7

	optMask     = 1
	optRouter   = 3
	optDNS      = 6
	optAddress  = 50
	optType     = 53
	optServer   = 54
	optWanted   = 55
	optClientID = 61
	optPortal   = 114
	optEnd      = 255
)

const (
	dhcpHeader = 236 // up to the cookie, RFC 2131 §2
	dhcpLeast  = 300 // what BOOTP relays expect, RFC 1542 §2.1
)

var dhcpCookie = []byte{99, 130, 83, 99}

// dhcpMessage is what a client sends. ours is its address, when it has one.
func dhcpMessage(kind byte, xid uint32, mac net.HardwareAddr, ours netip.Addr, options ...byte) []byte {
	m := make([]byte, dhcpHeader, dhcpLeast)
	m[0], m[1], m[2] = 1, 1, 6 // a request; Ethernet
	binary.BigEndian.PutUint32(m[4:], xid)
	if ours.IsValid() {
		copy(m[12:16], ours.AsSlice())
	} else {
		m[10] = 0x80 // answer by broadcast: there is no address yet
	}
	copy(m[28:], mac)
	m = append(m, dhcpCookie...)
	m = append(m, optType, 1, kind, optClientID, 7, 1)
	m = append(m, mac...)
	m = append(m, options...)
	m = append(m, optEnd)
	return append(m, make([]byte, max(0, dhcpLeast-len(m)))...)
}

// errNotDHCP says that a datagram is not an answer to us.
var errNotDHCP = errors.New("no DHCP answer for this guest")

// readDHCP reads a server's answer.
func readDHCP(m []byte, xid uint32, mac net.HardwareAddr) (kind byte, l dhcpLease, err error) {
	if len(m) < dhcpHeader+4 || m[0] != 2 || binary.BigEndian.Uint32(m[4:]) != xid || !bytes.Equal(m[28:34], mac) || !bytes.Equal(m[dhcpHeader:dhcpHeader+4], dhcpCookie) {
		return 0, l, errNotDHCP
	}
	addr := netip.AddrFrom4([4]byte(m[16:20]))
	ones := 0
	for rest := m[dhcpHeader+4:]; len(rest) > 0 && rest[0] != optEnd; {
		if rest[0] == 0 { // padding
			rest = rest[1:]
			continue
		}
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) {
			return 0, l, errNotDHCP
		}
		code, value := rest[0], rest[2:2+int(rest[1])]
		rest = rest[2+len(value):]
		switch {
		case code == optType && len(value) == 1:
			kind = value[0]
		case code == optMask && len(value) == 4:
			ones = bits.LeadingZeros32(^binary.BigEndian.Uint32(value))
		case code == optRouter && len(value) >= 4:
			l.Router = netip.AddrFrom4([4]byte(value[:4]))
		case code == optServer && len(value) == 4:
			l.Server = netip.AddrFrom4([4]byte(value))
		case code == optDNS:
			for ; len(value) >= 4; value = value[4:] {
				l.DNS = append(l.DNS, netip.AddrFrom4([4]byte(value)))
			}
		case code == optPortal:
			l.API += string(value) // a long option comes in parts, RFC 3396
		}
	}
	if kind == 0 {
		return 0, l, errNotDHCP
	}
	l.Addr = netip.PrefixFrom(addr, ones)
	return kind, l, nil
}

// errNoDHCP says that no server has given an address in time.
var errNoDHCP = errors.New("no DHCP server answered")

// dhcpPatience is how long the guest asks for an address: dnsmasq tries for
// up to three seconds whether somebody has it (--no-ping).
const dhcpPatience = 8 * time.Second

// requestLease asks for an address as a phone does: discover, offer, request,
// acknowledgement.
func (s *scratch) requestLease(ctx context.Context) (dhcpLease, error) {
	ctx, cancel := context.WithTimeout(ctx, dhcpPatience)
	defer cancel()
	conn, err := s.listenDHCP(ctx)
	if err != nil {
		return dhcpLease{}, fmt.Errorf("ask for an address: %w", err)
	}
	defer conn.Close()
	xid := rand.Uint32()
	wanted := []byte{optWanted, 4, optMask, optRouter, optDNS, optPortal}
	offer, err := s.askDHCP(ctx, conn, dhcpMessage(dhcpDiscover, xid, s.mac, netip.Addr{}, wanted...), xid, dhcpOffer)
	if err != nil {
		return dhcpLease{}, err
	}
	asked := append([]byte{optAddress, 4}, offer.Addr.Addr().AsSlice()...)
	if offer.Server.IsValid() {
		asked = append(append(asked, optServer, 4), offer.Server.AsSlice()...)
	}
	return s.askDHCP(ctx, conn, dhcpMessage(dhcpRequest, xid, s.mac, netip.Addr{}, append(asked, wanted...)...), xid, dhcpACK)
}

// releaseLease gives the address back, for the next guest. There is no answer
// (RFC 2131 §3.1 point 6).
func (s *scratch) releaseLease(l dhcpLease) {
	if !l.Server.IsValid() {
		return // it did not say who it is
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := s.listenDHCP(ctx)
	if err != nil {
		return // the lease ends by itself
	}
	defer conn.Close()
	server := append([]byte{optServer, 4}, l.Server.AsSlice()...)
	conn.WriteTo(dhcpMessage(dhcpRelease, rand.Uint32(), s.mac, l.Addr.Addr(), server...), &net.UDPAddr{IP: l.Server.AsSlice(), Port: 67})
}

// listenDHCP opens the client's port on the guest's interface alone: without
// an address there is no route to send by.
func (s *scratch) listenDHCP(ctx context.Context) (conn net.PacketConn, err error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, nic)
		}), err)
	}}
	err = s.do(func() error {
		conn, err = lc.ListenPacket(ctx, "udp4", "0.0.0.0:68")
		return err
	})
	return conn, err
}

// askDHCP sends a message again and again, until an answer of a kind comes.
// The first may be lost: the bridge forwards for a new port only when it has
// seen its carrier.
func (s *scratch) askDHCP(ctx context.Context, conn net.PacketConn, message []byte, xid uint32, kind byte) (dhcpLease, error) {
	buf := make([]byte, 2048)
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()
	for wait := 250 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 2*time.Second) {
		conn.WriteTo(message, &net.UDPAddr{IP: net.IPv4bcast, Port: 67}) // refused while there is no carrier
		conn.SetReadDeadline(time.Now().Add(wait))
		for ctx.Err() == nil {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				break
			}
			got, lease, err := readDHCP(buf[:n], xid, s.mac)
			switch {
			case err != nil:
			case got == kind:
				return lease, nil
			case got == dhcpNAK:
				return dhcpLease{}, errors.New("the DHCP server refused to give an address")
			}
		}
	}
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return dhcpLease{}, err
	}
	return dhcpLease{}, errNoDHCP
}
