package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
)

var (
	defaultGuestV4 = netip.MustParsePrefix("10.77.0.1/24")
	guestV6        = netip.MustParsePrefix("2001:db8:77::1/64")
	routerWanV4    = netip.MustParsePrefix("198.51.100.2/24")
	routerWanV6    = netip.MustParsePrefix("2001:db8:ffff::2/64")
	lanV4          = netip.MustParsePrefix("192.168.1.1/24")
	shopV4         = netip.MustParsePrefix("192.168.1.10/24")
)

// The router's interfaces.
const (
	WAN         = "wan"
	GuestBridge = "br-guest"
	LAN         = "lan"

	accessPoint = "ap0" // a port of the bridge
)

// Router is the shop's router as it is before Hiên comes: it forwards between
// its guest bridge and its uplink in both families, masquerades IPv4, and runs
// a dnsmasq for DHCP, router advertisements and DNS.
type Router struct {
	*Node
	options Options
	ap      *Node    // the access point's radio
	isp     *Node    // the other end of the uplink
	ports   []string // of phones and crowds, to be put into the bridge
	config  string   // of dnsmasq
	dnsmasq *Daemon
}

// GuestV4 and GuestV6 are the router's own addresses in the guest network.
// GuestV6 is the zero address where the guest network has no IPv6.
func (r *Router) GuestV4() netip.Addr { return r.options.GuestPrefix.Addr() }

// GuestV6 is the router's IPv6 address in the guest network.
func (r *Router) GuestV6() netip.Addr {
	if r.options.NoIPv6 {
		return netip.Addr{}
	}
	return guestV6.Addr()
}

// WANV4 and WANV6 are the router's addresses on its uplink.
func (r *Router) WANV4() netip.Addr { return routerWanV4.Addr() }

// WANV6 is the router's IPv6 address on its uplink.
func (r *Router) WANV6() netip.Addr { return routerWanV6.Addr() }

// Dnsmasq is the router's running dnsmasq.
func (r *Router) Dnsmasq() *Daemon { return r.dnsmasq }

func (r *Router) address(ctx context.Context) error {
	err := r.Do(func() error {
		err := sysctl(
			"net/ipv4/ip_forward", "1",
			"net/ipv6/conf/all/forwarding", "1", "net/ipv6/conf/default/forwarding", "1",
			"net/ipv6/conf/all/accept_dad", "0", "net/ipv6/conf/default/accept_dad", "0",
			"net/ipv6/conf/wan/accept_dad", "0", "net/ipv6/conf/wan/accept_ra", "0",
			// A neighbour's question that was lost is asked again soon.
			"net/ipv4/neigh/wan/retrans_time_ms", "50", "net/ipv6/neigh/wan/retrans_time_ms", "50",
		)
		if err != nil {
			return err
		}
		if !r.options.ICMPLimits {
			if err := sysctl(noICMPLimits...); err != nil {
				return err
			}
		}
		if _, err := setUp(WAN, routerWanV4, routerWanV6); err != nil {
			return err
		}
		return r.uplinkRoutes()
	})
	if err != nil {
		return err
	}
	if err := writeResolvConf(r.ResolvConf(), "127.0.0.1"); err != nil {
		return err
	}
	if r.options.NoMasquerade {
		return nil
	}
	sources := []string{r.options.GuestPrefix.Masked().String()}
	if r.options.LAN {
		sources = append(sources, lanV4.Masked().String())
	}
	for _, from := range sources {
		if _, err := r.Run(ctx, r.options.IPTables, "-w", "5", "-t", "nat", "-A", "POSTROUTING", "-s", from, "-o", WAN, "-j", "MASQUERADE"); err != nil {
			return err
		}
	}
	return nil
}

var noICMPLimits = []string{"net/ipv4/icmp_ratelimit", "0", "net/ipv6/icmp/ratelimit", "0", "net/ipv4/icmp_ratemask", "0"}

// uplinkRoutes runs on the router's thread.
func (r *Router) uplinkRoutes() error {
	if err := defaultRoute(WAN, ispV4.Addr()); err != nil {
		return err
	}
	return defaultRoute(WAN, ispV6.Addr())
}

// start makes the bridge and starts dnsmasq.
func (r *Router) start(ctx context.Context) error {
	if !r.options.NoGuestBridge {
		if err := r.AddGuestBridge(); err != nil {
			return err
		}
		if err := r.awaitLink(ctx, accessPoint, forwards); err != nil {
			return err
		}
	}
	lines := []string{
		// Interfaces may come and go; dnsmasq follows them.
		"bind-dynamic",
		"interface=" + GuestBridge, "interface=lo",
		"server=" + ispV4.Addr().String(),
		"dhcp-authoritative", "no-ping", "log-dhcp",
		"domain=hien.test",
	}
	if r.options.LAN {
		lines = append(lines, "interface="+LAN)
	}
	first, last, mask := r.pool()
	lines = append(lines, fmt.Sprintf("dhcp-range=%s,%s,%s,1h", first, last, mask))
	if !r.options.NoIPv6 {
		lines = append(lines, "enable-ra", "dhcp-range="+guestV6.Masked().Addr().String()+",ra-only,64,1h")
	}
	lines = append(append(lines, r.options.Dnsmasq...), "")
	r.config = strings.Join(lines, "\n")
	return r.startDnsmasq(ctx)
}

func (r *Router) startDnsmasq(ctx context.Context) error {
	d, err := startDnsmasq(ctx, r.Node, r.config)
	if err != nil {
		return err
	}
	r.dnsmasq = d
	return nil
}

// pool is the range of addresses that DHCP gives: the 50th to the 250th.
func (r *Router) pool() (first, last netip.Addr, mask string) {
	p := r.options.GuestPrefix
	return nth(p, 50), nth(p, 250), net.IP(net.CIDRMask(p.Bits(), 32)).String()
}

// RestartDnsmasq stops the router's dnsmasq and starts it anew with its
// configuration and leases, as a reload of the system's network does.
func (r *Router) RestartDnsmasq(ctx context.Context) error {
	if err := r.dnsmasq.Stop(ctx); err != nil {
		return fmt.Errorf("stop the router's dnsmasq: %w", err)
	}
	return r.startDnsmasq(ctx)
}

// AwaitGuestBridge waits until br-guest forwards and the running dnsmasq has
// noticed that it is there.
func (r *Router) AwaitGuestBridge(ctx context.Context) error {
	if err := r.awaitLink(ctx, accessPoint, forwards); err != nil {
		return err
	}
	server := netip.AddrPortFrom(r.GuestV4(), 53)
	return again(ctx, func(ctx context.Context) error {
		return r.exchange(ctx, "udp", server, dnsQuery("example.vn."))
	})
}

// again tries until it works, with 200 ms for each try.
func again(ctx context.Context, try func(context.Context) error) error {
	for {
		patience, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		err := try(patience)
		if err != nil {
			<-patience.Done() // where a refusal came at once
		}
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// AddGuestBridge makes br-guest, gives it the router's addresses and puts the
// phones' ports into it. What follows by itself takes a moment longer; see
// [Router.AwaitGuestBridge].
func (r *Router) AddGuestBridge() error {
	return r.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = GuestBridge
		attrs.HardwareAddr = net.HardwareAddr{0x02, 0x48, 0x69, 0xea, 0x00, 0x01}
		off := false
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off}); err != nil {
			return fmt.Errorf("add %s: %w", GuestBridge, err)
		}
		// An access point is a port that is always up: without it the bridge
		// has no carrier, and so no IPv6, until the first phone comes. Its
		// other end must not be the router's, which would hear each
		// broadcast twice and answer ARP on both.
		ap := netlink.NewLinkAttrs()
		ap.Name = accessPoint
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: ap, PeerName: "radio0", PeerNamespace: netlink.NsFd(r.ap.ns)}); err != nil {
			return fmt.Errorf("add the access point: %w", err)
		}
		if err := r.ap.Do(func() error { _, err := setUp("radio0"); return err }); err != nil {
			return err
		}
		if err := sysctl("net/ipv6/conf/"+accessPoint+"/disable_ipv6", "1"); err != nil {
			return err
		}
		if r.options.NoIPv6 {
			if err := sysctl("net/ipv6/conf/"+GuestBridge+"/disable_ipv6", "1"); err != nil {
				return err
			}
		}
		for _, port := range append([]string{accessPoint}, r.ports...) {
			if err := intoBridge(port); err != nil {
				return err
			}
		}
		if _, err := setUp(accessPoint); err != nil {
			return err
		}
		v6 := guestV6
		if r.options.NoIPv6 {
			v6 = netip.Prefix{}
		}
		_, err := setUp(GuestBridge, r.options.GuestPrefix, v6)
		return err
	})
}

// RemoveGuestBridge deletes br-guest, as a reload of the network does. The
// phones' ports stay, in no bridge.
func (r *Router) RemoveGuestBridge() error {
	return r.Do(func() error {
		for _, name := range []string{GuestBridge, accessPoint} {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.LinkDel(link); err != nil {
				return fmt.Errorf("delete %s: %w", name, err)
			}
		}
		return nil
	})
}

// SetUplink takes the router's uplink down, or brings it up with its routes
// and waits until packets pass.
func (r *Router) SetUplink(ctx context.Context, up bool) error {
	err := r.Do(func() error {
		if up {
			// Taking a link down forgets its IPv6 addresses.
			if _, err := setUp(WAN, routerWanV4, routerWanV6); err != nil {
				return err
			}
			return r.uplinkRoutes()
		}
		link, err := netlink.LinkByName(WAN)
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	})
	if err != nil || !up {
		return err
	}
	return r.awaitUplink(ctx)
}

// awaitUplink waits until packets pass between router and internet in both
// families. Beyond the carrier that takes what the kernel does later in work
// of its own: an IPv6 address hears its neighbours' questions only then.
func (r *Router) awaitUplink(ctx context.Context) error {
	if err := r.awaitLink(ctx, WAN, isRunning); err != nil {
		return err
	}
	if err := r.isp.awaitLink(ctx, ispLink, isRunning); err != nil {
		return err
	}
	for _, to := range []netip.Addr{ispV4.Addr(), ispV6.Addr()} {
		if err := again(ctx, func(ctx context.Context) error { return r.Ping(ctx, to) }); err != nil {
			return err
		}
	}
	return nil
}

// addPort registers a port of the router, puts it into the bridge if there is
// one, and brings it up.
func (r *Router) addPort(name string) error {
	return r.Do(func() error {
		r.ports = append(r.ports, name)
		if err := sysctl("net/ipv6/conf/"+name+"/disable_ipv6", "1"); err != nil {
			return err
		}
		if err := intoBridge(name); err != nil && !errors.As(err, new(netlink.LinkNotFoundError)) {
			return err
		}
		_, err := setUp(name)
		return err
	})
}

func intoBridge(port string) error {
	bridge, err := netlink.LinkByName(GuestBridge)
	if err != nil {
		return err
	}
	link, err := netlink.LinkByName(port)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMaster(link, bridge); err != nil {
		return fmt.Errorf("put %s into %s: %w", port, GuestBridge, err)
	}
	return nil
}

func linkIndex(name string) (int, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return 0, fmt.Errorf("link %s: %w", name, err)
	}
	return link.Attrs().Index, nil
}

// defaultRoute replaces the default route of the gateway's family.
func defaultRoute(device string, gateway netip.Addr) error {
	index, err := linkIndex(device)
	if err != nil {
		return err
	}
	all := netip.MustParsePrefix("0.0.0.0/0")
	if gateway.Is6() {
		all = netip.MustParsePrefix("::/0")
	}
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: index, Dst: ipNet(all), Gw: gateway.AsSlice()}); err != nil {
		return fmt.Errorf("default route by %s: %w", gateway, err)
	}
	return nil
}

func writeResolvConf(path string, servers ...string) error {
	var text strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&text, "nameserver %s\n", s)
	}
	// Written in place: a bind mount follows the file, not the name.
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
