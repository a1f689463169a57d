package firewall

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A wire is a netlink socket to the packet filter, or to the routes, of the
// network namespace in which it was opened. It may be used by many at once;
// one request is on it at a time.
type wire struct {
	sockets map[int]*nl.SocketHandle
}

// netlinkPatience is how long the kernel may take to answer.
const netlinkPatience = 5 * time.Second

// openWire opens a wire to the packet filter.
func openWire() (*wire, error) { return openWireTo(unix.NETLINK_NETFILTER) }

// openWireTo opens a wire to a part of the kernel: netlink(7).
func openWireTo(protocol int) (*wire, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), protocol)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	limit := unix.NsecToTimeval(netlinkPatience.Nanoseconds())
	for _, set := range []func(*unix.Timeval) error{s.SetReceiveTimeout, s.SetSendTimeout} {
		if err := set(&limit); err != nil {
			s.Close()
			return nil, fmt.Errorf("open netlink socket: %w", err)
		}
	}
	return &wire{map[int]*nl.SocketHandle{protocol: {Socket: s}}}, nil
}

func (w *wire) close() {
	for _, s := range w.sockets {
		s.Close()
	}
}

// request begins a request: linux/netfilter/nfnetlink.h.
func (w *wire) request(subsystem, command, flags int, family uint8) *nl.NetlinkRequest {
	req := w.plain(subsystem<<8|command, flags)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	return req
}

// plain begins a request that has a header of its own kind.
func (w *wire) plain(command, flags int) *nl.NetlinkRequest {
	return &nl.NetlinkRequest{
		NlMsghdr: unix.NlMsghdr{
			Len:   unix.SizeofNlMsghdr,
			Type:  uint16(command),
			Flags: uint16(unix.NLM_F_REQUEST | flags),
		},
		Sockets: w.sockets,
	}
}

// attrs calls each with every attribute in b: its type without the flags and
// its value, which is a part of b. What is cut off or malformed ends it.
func attrs(b []byte, each func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofNlAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofNlAttr || size > len(b) {
			return
		}
		each(binary.NativeEndian.Uint16(b[2:])&nl.NLA_TYPE_MASK, b[unix.SizeofNlAttr:size])
		b = b[min((size+3)&^3, len(b)):]
	}
}

// addrAttr reads an address of 4 or 16 bytes; the zero Addr for anything else.
func addrAttr(value []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(value)
	return a
}

// text reads a string up to its zero byte.
func text(value []byte) string {
	if end := bytes.IndexByte(value, 0); end >= 0 {
		value = value[:end]
	}
	return string(value)
}
