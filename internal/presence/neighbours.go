package presence

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
)

// ErrUnknown says that the neighbour table knows no device with an address.
var ErrUnknown = errors.New("no such neighbour")

// Neighbours asks the kernel's neighbour table for one interface. Its methods
// may be called from any goroutine.
type Neighbours struct {
	zone, name string
	sockets    map[int]*nl.SocketHandle

	mu    sync.Mutex
	index int // of the interface when last looked up; 0 when it is not known
}

// OpenNeighbours opens a netlink socket to ask about the zone's interface,
// which need not exist yet and may go and come back.
func OpenNeighbours(zone, name string) (*Neighbours, error) {
	socket, err := nl.GetNetlinkSocketAt(-1, -1, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	for _, set := range []func(*unix.Timeval) error{socket.SetSendTimeout, socket.SetReceiveTimeout} {
		if err := set(&unix.Timeval{Sec: 5}); err != nil {
			socket.Close()
			return nil, fmt.Errorf("open netlink: %w", err)
		}
	}
	return &Neighbours{zone: zone, name: name, sockets: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}}, nil
}

// Close closes the socket.
func (n *Neighbours) Close() error {
	n.sockets[unix.NETLINK_ROUTE].Close()
	return nil
}

// MAC is the device that has an address on the interface, in one exchange
// with the kernel. ErrUnknown when there is none, or when it does not answer
// any more. A scope zone of the address (fe80::1%br-guest) is not looked at.
func (n *Neighbours) MAC(addr netip.Addr) (hien.MAC, error) {
	addr = addr.WithZone("").Unmap()
	if !usable(addr) {
		return hien.MAC{}, ErrUnknown
	}
	neigh, err := n.get(addr)
	switch {
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV):
		return hien.MAC{}, ErrUnknown
	case errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL):
		// Before Linux 5.0 the table could only be dumped.
		neigh, err = n.search(addr)
	}
	switch {
	case errors.Is(err, ErrUnknown):
		return hien.MAC{}, ErrUnknown
	case err != nil:
		return hien.MAC{}, fmt.Errorf("ask for neighbour on %s: %w", n.name, err)
	}
	mac, ok := valid(neigh)
	if !ok {
		return hien.MAC{}, ErrUnknown
	}
	return mac, nil
}

// Ask makes the kernel ask on the interface who has an address, as it does
// before it sends something there (NTF_USE). The answer comes by Watch. It is
// how an address that a frame only claims is made sure of.
func (n *Neighbours) Ask(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	if !usable(addr) {
		return nil
	}
	err := n.onInterface(func(index int) error {
		_, err := n.execute(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_ACK, 0,
			&netlink.Ndmsg{Family: family(addr), Index: uint32(index), Flags: unix.NTF_USE},
			nl.NewRtAttr(netlink.NDA_DST, addr.AsSlice()))
		return err
	})
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("look for a neighbour on %s: %w", n.name, err)
	}
	return nil
}

// get asks for one entry (RTM_GETNEIGH without NLM_F_DUMP, Linux 5.0).
func (n *Neighbours) get(addr netip.Addr) (netlink.Neigh, error) {
	var neigh *netlink.Neigh
	err := n.onInterface(func(index int) error {
		messages, err := n.execute(unix.RTM_GETNEIGH, 0, unix.RTM_NEWNEIGH,
			&netlink.Ndmsg{Family: family(addr), Index: uint32(index)},
			nl.NewRtAttr(netlink.NDA_DST, addr.AsSlice()))
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			return unix.ENOENT
		}
		neigh, err = netlink.NeighDeserialize(messages[0])
		return err
	})
	if err != nil {
		return netlink.Neigh{}, err
	}
	return *neigh, nil
}

func (n *Neighbours) search(addr netip.Addr) (netlink.Neigh, error) {
	all, err := n.list(family(addr))
	if err != nil {
		return netlink.Neigh{}, err
	}
	for _, neigh := range all {
		if of, ok := netip.AddrFromSlice(neigh.IP); ok && of.Unmap() == addr {
			return neigh, nil
		}
	}
	return netlink.Neigh{}, ErrUnknown
}

// dumpTries is how often a dump is begun again that the kernel calls
// interrupted, as the table changed meanwhile. Then what it gave must do: an
// entry that came or went at that very moment may be missing.
const dumpTries = 4

// list dumps the table of the interface.
func (n *Neighbours) list(family uint8) (all []netlink.Neigh, err error) {
	err = n.onInterface(func(index int) error {
		var messages [][]byte
		for range dumpTries {
			messages, err = n.execute(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, unix.RTM_NEWNEIGH, &netlink.Ndmsg{Family: family, Index: uint32(index)})
			if !errors.Is(err, nl.ErrDumpInterrupted) {
				break
			}
		}
		if err != nil && !errors.Is(err, nl.ErrDumpInterrupted) {
			return err
		}
		all = nil
		for _, m := range messages {
			neigh, err := netlink.NeighDeserialize(m)
			if err == nil && neigh.LinkIndex == index && neigh.Family != unix.AF_BRIDGE {
				all = append(all, *neigh)
			}
		}
		return nil
	})
	return all, err
}

// onInterface calls ask with the interface's index, and once more with a
// fresh one when the kernel knows the index no longer. ENODEV when there is
// no such interface.
func (n *Neighbours) onInterface(ask func(index int) error) error {
	n.mu.Lock()
	index := n.index
	n.mu.Unlock()
	if index != 0 {
		if err := ask(index); !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	index, err := n.lookUp()
	if err != nil {
		return err
	}
	return ask(index)
}

// lookUp asks for the interface's index. ENODEV when there is none.
func (n *Neighbours) lookUp() (int, error) {
	name := nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(n.name))
	messages, err := n.execute(unix.RTM_GETLINK, 0, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC), name)
	if err != nil {
		return 0, err
	}
	if len(messages) == 0 {
		return 0, unix.ENODEV
	}
	index := int(nl.DeserializeIfInfomsg(messages[0]).Index)
	n.mu.Lock()
	n.index = index
	n.mu.Unlock()
	return index, nil
}

func (n *Neighbours) execute(kind, flags int, answer uint16, data ...nl.NetlinkRequestData) ([][]byte, error) {
	request := nl.NewNetlinkRequest(kind, flags)
	request.Sockets = n.sockets
	for _, d := range data {
		request.AddData(d)
	}
	return request.Execute(unix.NETLINK_ROUTE, answer)
}

// alive are the states in which the kernel would send to a neighbour without
// asking first who has the address.
const alive = netlink.NUD_PERMANENT | netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE

func valid(n netlink.Neigh) (hien.MAC, bool) {
	mac, err := hien.MACFrom(n.HardwareAddr)
	return mac, err == nil && n.State&alive != 0 && n.Flags&netlink.NTF_PROXY == 0 && isDevice(mac)
}

func family(addr netip.Addr) uint8 {
	if addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// Prefixes are the router's own addresses on an interface with the length of
// their prefix, 10.20.0.1/24; Masked makes the networks of them.
func Prefixes(name string) ([]netip.Prefix, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", name, err)
	}
	addrs, err := link.Addrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", name, err)
	}
	var prefixes []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes, nil
}
