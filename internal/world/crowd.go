package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Crowd is many light guests in one node, for tests of load: each has a MAC
// and an IPv4 address of its own, and no DHCP client, IPv6 or resolver. They
// cannot reach each other, as on an access point that isolates its clients.
type Crowd struct {
	Guests []*Guest

	node    *Node
	learned bool
}

// Guest is one of a [Crowd].
type Guest struct {
	MAC    net.HardwareAddr
	IPv4   netip.Addr
	Target Target // a place of the internet that only this guest knows

	node   *Node
	device string
}

// crowdUplink is the crowd's one cable into the guest bridge.
const crowdUplink = "wlan0"

// CrowdOption changes how a crowd comes.
type CrowdOption func(*Crowd)

// Learned leaves it to the router to learn the guests' MACs by ARP. Without
// it the router is told them, in entries that do not count toward the limits
// of the neighbour table.
func Learned(c *Crowd) { c.learned = true }

// AddCrowd adds n guests with static addresses outside of the DHCP range: 48
// fit beside it into the default prefix, some 60,000 into 10.77.0.1/16 (see
// [Options.GuestPrefix]). Each announces itself by a real ARP request for the
// router, and answers ARP itself.
//
// The neighbour table's limits (net.ipv4.neigh.default.gc_thresh1 to 3, in
// Debian 128, 512 and 1024) hold for all network namespaces of the machine
// together, the machine's own included, and are not changed here. So the
// neighbours are entered as permanent ones, on both sides: those do not count.
// A crowd that is [Learned] does count, and is best kept to a few hundred:
// beyond 1,024 the kernel refuses new neighbours to everybody, for five
// seconds at least.
func (w *World) AddCrowd(ctx context.Context, n int, options ...CrowdOption) (*Crowd, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first, room := w.crowdRoom()
	if n > room {
		return nil, fmt.Errorf("add a crowd of %d: %d fit into %s", n, room, w.options.GuestPrefix)
	}
	number, before := len(w.crowds), w.crowdSize()
	node, err := w.newNode(fmt.Sprint("crowd", number))
	if err != nil {
		return nil, err
	}
	c := &Crowd{node: node}
	for _, o := range options {
		o(c)
	}
	w.crowds = append(w.crowds, c)
	if err := writeResolvConf(node.ResolvConf(), w.Router.GuestV4().String()); err != nil {
		return nil, err
	}
	port := fmt.Sprint("crowd", number)
	if err := vethPair(w.Router.Node, port, node, crowdUplink, nil); err != nil {
		return nil, err
	}
	if err := w.Router.addPort(port); err != nil {
		return nil, err
	}
	var gateway net.HardwareAddr
	err = w.Router.Do(func() error {
		link, err := netlink.LinkByName(GuestBridge)
		if err != nil {
			return err
		}
		gateway = link.Attrs().HardwareAddr
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range n {
		id := before + i
		c.Guests = append(c.Guests, &Guest{
			MAC:    net.HardwareAddr{0x0a, byte(id >> 8), byte(id), 0xc0, byte(id >> 8), byte(id)},
			IPv4:   nth(w.options.GuestPrefix, first+i),
			Target: w.Internet.Target(10_000 + id),
			node:   node,
			device: fmt.Sprint("g", i),
		})
	}
	if err := node.Do(func() error { _, err := setUp(crowdUplink); return err }); err != nil {
		return nil, err
	}
	if err := w.Router.awaitLink(ctx, port, forwards); err != nil {
		return nil, err
	}
	if !c.learned {
		if err := w.Router.Do(c.introduce); err != nil {
			return nil, fmt.Errorf("add a crowd of %d: %w", n, err)
		}
	}
	if err := node.Do(func() error { return c.furnish(ctx, w.Router.GuestV4(), gateway) }); err != nil {
		return nil, fmt.Errorf("add a crowd of %d: %w", n, err)
	}
	return c, nil
}

// introduce tells the router the guests' MACs. It runs on the router's thread.
func (c *Crowd) introduce() error {
	bridge, err := linkIndex(GuestBridge)
	if err != nil {
		return err
	}
	for _, g := range c.Guests {
		if err := pinNeighbour(bridge, g.IPv4, g.MAC); err != nil {
			return err
		}
	}
	return nil
}

func pinNeighbour(device int, addr netip.Addr, mac net.HardwareAddr) error {
	n := &netlink.Neigh{LinkIndex: device, IP: addr.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT, Family: unix.AF_INET}
	if err := netlink.NeighSet(n); err != nil {
		return fmt.Errorf("tell the MAC of %s: %w", addr, err)
	}
	return nil
}

func (w *World) crowdSize() (n int) {
	for _, c := range w.crowds {
		n += len(c.Guests)
	}
	return n
}

// crowdRoom says where in the guest prefix the next crowd begins, and how many fit.
func (w *World) crowdRoom() (first, room int) {
	first, last := 2, 49
	if bits := w.options.GuestPrefix.Bits(); bits < 24 {
		first, last = 256, 1<<(32-bits)-2
	}
	first += w.crowdSize()
	return first, last - first + 1
}

// furnish makes the guests' interfaces. It runs on the crowd's thread.
func (c *Crowd) furnish(ctx context.Context, router netip.Addr, gateway net.HardwareAddr) error {
	err := sysctl(
		"net/ipv6/conf/all/disable_ipv6", "1", "net/ipv6/conf/default/disable_ipv6", "1",
		// Each interface answers for its own address only, and asks from it.
		"net/ipv4/conf/all/arp_ignore", "1", "net/ipv4/conf/all/arp_announce", "2",
		"net/ipv4/conf/all/rp_filter", "0", "net/ipv4/conf/default/rp_filter", "0",
	)
	if err != nil {
		return err
	}
	uplink, err := linkIndex(crowdUplink)
	if err != nil {
		return err
	}
	announce, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(announce)
	everywhere := ipNet(netip.MustParsePrefix("0.0.0.0/0"))
	for i, g := range c.Guests {
		if err := ctx.Err(); err != nil {
			return err
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.HardwareAddr, attrs.ParentIndex = g.device, g.MAC, uplink
		attrs.Index = 1000 + i
		attrs.Flags = net.FlagUp
		// Private: a guest's broadcast goes to the bridge and not to a
		// thousand neighbours as well.
		link := &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PRIVATE, BCQueueLen: 10_000}
		if err := netlink.LinkAdd(link); err != nil {
			return fmt.Errorf("add %s: %w", g.device, err)
		}
		own := ipNet(netip.PrefixFrom(g.IPv4, 32))
		if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: own}); err != nil {
			return fmt.Errorf("give %s %s: %w", g.device, g.IPv4, err)
		}
		if err := pinNeighbour(attrs.Index, router, gateway); err != nil {
			return err
		}
		// A socket bound to the device finds the route of that device;
		// the metric only makes them different routes.
		route := &netlink.Route{LinkIndex: attrs.Index, Dst: everywhere, Gw: router.AsSlice(), Flags: int(netlink.FLAG_ONLINK), Priority: i + 1}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("default route of %s: %w", g.device, err)
		}
		if err := sendARP(announce, attrs.Index, g.MAC, g.IPv4, router); err != nil {
			return fmt.Errorf("announce %s: %w", g.device, err)
		}
	}
	return nil
}

// sendARP asks for an address by ARP (RFC 826).
func sendARP(socket, device int, mac net.HardwareAddr, from, target netip.Addr) error {
	frame := []byte{0, 1, 8, 0, 6, 4, 0, 1} // Ethernet, IPv4, request
	frame = append(frame, mac...)
	frame = append(frame, from.AsSlice()...)
	frame = append(frame, 0, 0, 0, 0, 0, 0)
	frame = append(frame, target.AsSlice()...)
	const arp = unix.ETH_P_ARP<<8&0xff00 | unix.ETH_P_ARP>>8 // network byte order
	return unix.Sendto(socket, frame, 0, &unix.SockaddrLinklayer{
		Protocol: arp, Ifindex: device, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	})
}

// Dial connects from the guest, by IPv4. A host name is asked from the router.
func (g *Guest) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "udp":
		network += "4"
	case "tcp4", "udp4":
	default:
		return nil, errors.New("a guest of a crowd has no " + network)
	}
	return g.node.dialFrom(ctx, g.device, network, address)
}

// HTTPClient is [Node.HTTPClient] for one guest.
func (g *Guest) HTTPClient(options ...ClientOption) *http.Client {
	return g.node.httpClient(g.device, append([]ClientOption{Only("tcp4")}, options...))
}

// Probe is [Phone.Probe] for one guest.
func (g *Guest) Probe(ctx context.Context, probe Probe) (Answer, error) {
	return get(ctx, g.HTTPClient(), probe.URL, probe.UserAgent)
}

// Online is [Phone.Online] for one guest.
func (g *Guest) Online(ctx context.Context, probe Probe) bool {
	a, err := g.Probe(ctx, probe)
	return err == nil && probe.Free(a.Status, a.Body)
}
