package presence

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
)

// maxAsked is how many addresses that the table holds as stale are asked for
// at the start of a watch: each is a frame to one device.
const maxAsked = 512

// confirm makes the kernel ask a stale neighbour now whether it is here. By
// itself it does so 5 s after it has sent something there (NUD_DELAY), and
// tells nobody meanwhile: a guest that is let in by one family would wait for
// the other so long.
func (n *Neighbours) confirm(neigh netlink.Neigh) bool {
	addr, ok := netip.AddrFromSlice(neigh.IP)
	if !ok || neigh.State&(netlink.NUD_STALE|netlink.NUD_DELAY) == 0 || !usable(addr.Unmap()) {
		return false
	}
	addr = addr.Unmap()
	_, err := n.execute(unix.RTM_NEWNEIGH, unix.NLM_F_REPLACE|unix.NLM_F_ACK, 0,
		&netlink.Ndmsg{Family: family(addr), Index: uint32(neigh.LinkIndex), State: netlink.NUD_PROBE},
		nl.NewRtAttr(netlink.NDA_DST, addr.AsSlice()), nl.NewRtAttr(netlink.NDA_LLADDR, neigh.HardwareAddr))
	return err == nil // one that is gone meanwhile needs no asking
}

// Watch calls saw for each device that the kernel finds on the interface, and
// for each address that a device turns out to have, until ctx ends (nil) or
// the kernel's news are lost (an error; the caller watches again). First come
// those whom the table holds as reachable now. When news come faster than
// they are read the table is looked at again.
//
// A neighbour that was just confirmed (NUD_REACHABLE) is here. One that asked
// for us becomes NUD_STALE, which is also what a confirmed one becomes within
// a minute of silence: it is taken too, as a minute does not lengthen a visit
// and the address must not be missed. Entries that are found stale at the
// start may be days old: the kernel is made to ask for them.
func (n *Neighbours) Watch(ctx context.Context, saw func(hien.Sighting)) error {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_NEIGH)
	if err != nil {
		return fmt.Errorf("watch neighbours on %s: %w", n.name, err)
	}
	defer socket.Close()
	stop := context.AfterFunc(ctx, socket.Close)
	defer stop()

	now, err := n.list(unix.AF_UNSPEC)
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("watch neighbours on %s: %w", n.name, err)
	}
	asked := 0
	for _, neigh := range now {
		n.sight(neigh, netlink.NUD_REACHABLE, saw)
		if asked < maxAsked && n.confirm(neigh) {
			asked++
		}
	}
	for {
		err = receive(ctx, socket, func(m syscall.NetlinkMessage) bool {
			if m.Header.Type != unix.RTM_NEWNEIGH {
				return true
			}
			neigh, err := netlink.NeighDeserialize(m.Data)
			if err == nil && neigh.Family != unix.AF_BRIDGE && n.ours(neigh.LinkIndex) {
				n.sight(*neigh, netlink.NUD_REACHABLE|netlink.NUD_STALE, saw)
			}
			return true
		})
		if !errors.Is(err, unix.ENOBUFS) {
			break
		}
		// More news than the socket holds, as in a flood of strangers: what
		// was lost is in the table.
		now, err := n.list(unix.AF_UNSPEC)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("watch neighbours on %s: %w", n.name, err)
		}
		for _, neigh := range now {
			n.sight(neigh, netlink.NUD_REACHABLE|netlink.NUD_STALE, saw)
		}
	}
	if err != nil {
		return fmt.Errorf("watch neighbours on %s: %w", n.name, err)
	}
	return nil
}

// ours reports whether the index is the interface's; it is looked up again
// when it differs, as the interface may have been made anew.
func (n *Neighbours) ours(index int) bool {
	n.mu.Lock()
	known := n.index
	n.mu.Unlock()
	if index == known {
		return true
	}
	current, err := n.lookUp()
	return err == nil && current == index
}

func (n *Neighbours) sight(neigh netlink.Neigh, states int, saw func(hien.Sighting)) {
	addr, ok := netip.AddrFromSlice(neigh.IP)
	mac, alive := valid(neigh)
	if !ok || !alive || neigh.State&states == 0 || !usable(addr.Unmap()) {
		return
	}
	saw(hien.Sighting{Guest: hien.GuestID{Zone: n.zone, MAC: mac}, Addr: addr.Unmap(), Source: SourceNeighbour})
}

// receive hands the kernel's messages on until news returns false or ctx
// ends, both of which are nil.
func receive(ctx context.Context, socket *nl.NetlinkSocket, news func(syscall.NetlinkMessage) bool) error {
	for {
		messages, from, err := socket.Receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case from.Pid != nl.PidKernel:
			continue
		}
		for _, m := range messages {
			if !news(m) {
				return nil
			}
		}
	}
}
