package doctor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// nic is the guest's interface, in its own namespace.
const nic = "eth0"

// A scratch is a guest that exists while the doctor looks: a network
// namespace without a name, and a virtual cable from it into the guest
// bridge. The namespace, and with it the cable, lives no longer than its file
// descriptor: a doctor that is killed leaves nothing behind.
type scratch struct {
	ns     int              // the namespace
	port   string           // the cable's end in the bridge
	mac    net.HardwareAddr // of the guest
	bridge int              // index
}

// errNotBridge says that a guest interface takes no port. A macvlan on top of
// it would not do: what that sends goes out on the wire, and the kernel never
// hands it to the router itself.
var errNotBridge = errors.New("it is no bridge")

// errNoVeth says that the kernel has no virtual cables: on OpenWrt they are in
// a package of their own, kmod-veth.
var errNoVeth = errors.New("the kernel has no veth")

// cableError is what the kernel says where no virtual cable was made.
// It does not know a kind of interface by EOPNOTSUPP (rtnetlink(7)).
func cableError(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return errNoVeth
	}
	return fmt.Errorf("make a virtual cable (veth): %w", err)
}

// newScratch makes a guest on a bridge, its interface up. The error wraps what
// the kernel refused: without veth (errNoVeth) or without the right
// to make namespaces there is no guest.
func newScratch(l Link) (_ *scratch, err error) {
	if l.Kind != "bridge" {
		return nil, errNotBridge
	}
	s := &scratch{ns: -1, bridge: l.Index, mac: randomMAC(0x02)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.ns, err = newNamespace(); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	tail := make([]byte, 3)
	rand.Read(tail)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "hiendoc" + hex.EncodeToString(tail)
	// A bridge without an address of its own takes the lowest of its ports',
	// and changing it would cost every guest its connection for a moment.
	attrs.HardwareAddr = randomMAC(0xfe)
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: nic, PeerNamespace: netlink.NsFd(s.ns), PeerHardwareAddr: s.mac}
	if err := netlink.LinkAdd(veth); err != nil {
		return nil, cableError(err)
	}
	s.port = attrs.Name
	const noAddress = 1 // IN6_ADDR_GEN_MODE_NONE: a port speaks no IPv6
	if err := netlink.LinkSetIP6AddrGenMode(veth, noAddress); err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EAFNOSUPPORT) {
		return nil, fmt.Errorf("set up %s: %w", s.port, err)
	}
	if err := netlink.LinkSetMasterByIndex(veth, l.Index); err != nil {
		return nil, fmt.Errorf("put %s into the guest bridge: %w", s.port, err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return nil, fmt.Errorf("set up %s: %w", s.port, err)
	}
	return s, s.do(furnish)
}

// randomMAC draws a locally administered hardware address.
func randomMAC(first byte) net.HardwareAddr {
	mac := make(net.HardwareAddr, 6)
	rand.Read(mac)
	mac[0] = first
	return mac
}

// newNamespace makes a network namespace that lives as long as the descriptor.
func newNamespace() (ns int, err error) {
	err = onThread(-1, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		ns, err = unix.Open(threadNS, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	return ns, err
}

const threadNS = "/proc/thread-self/ns/net"

// onThread runs f on a thread of its own, in the namespace unless that is -1,
// and puts the thread back. A thread that cannot be put back ends.
func onThread(ns int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := unix.Open(threadNS, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		defer unix.Close(home)
		if ns >= 0 {
			if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
				runtime.UnlockOSThread()
				done <- err
				return
			}
		}
		err = f()
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// do runs f in the guest's namespace. A socket stays in the namespace in which
// it was made.
func (s *scratch) do(f func() error) error { return onThread(s.ns, f) }

// furnish makes a phone of a fresh namespace: it believes router
// advertisements, at once, and uses an address without waiting whether
// another has it. IPv6 is off until joinIPv6.
func furnish() error {
	for name, value := range map[string]string{
		"ipv4/conf/all/rp_filter": "0", "ipv4/conf/" + nic + "/rp_filter": "0",
		"ipv6/conf/" + nic + "/disable_ipv6":                 "1",
		"ipv6/conf/" + nic + "/accept_ra":                    "2",
		"ipv6/conf/" + nic + "/autoconf":                     "1",
		"ipv6/conf/" + nic + "/accept_dad":                   "0",
		"ipv6/conf/" + nic + "/dad_transmits":                "0",
		"ipv6/conf/" + nic + "/use_tempaddr":                 "0",
		"ipv6/conf/" + nic + "/router_solicitation_delay":    "0",
		"ipv6/conf/" + nic + "/router_solicitation_interval": "1",
	} {
		if err := setSysctl(name, value); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, name := range []string{"lo", nic} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("set up %s: %w", name, err)
		}
	}
	return nil
}

func setSysctl(name, value string) error {
	return os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(value), 0)
}

// configure gives the guest an IPv4 address and the way out.
func (s *scratch) configure(addr netip.Prefix, router netip.Addr) error {
	return s.do(func() error {
		link, err := netlink.LinkByName(nic)
		if err != nil {
			return err
		}
		if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: &net.IPNet{IP: addr.Addr().AsSlice(), Mask: net.CIDRMask(addr.Bits(), 32)}}); err != nil {
			return fmt.Errorf("take address %s: %w", addr, err)
		}
		if !router.IsValid() {
			return nil
		}
		_, all, _ := net.ParseCIDR("0.0.0.0/0")
		return netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: all, Gw: router.AsSlice()})
	})
}

// joinIPv6 turns IPv6 on and waits for an address from a router
// advertisement (RFC 4862). None within patience is the zero Addr.
func (s *scratch) joinIPv6(ctx context.Context, patience time.Duration) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	news, done := make(chan netlink.AddrUpdate, 64), make(chan struct{})
	err := s.do(func() error {
		if err := netlink.AddrSubscribe(news, done); err != nil {
			return err
		}
		return setSysctl("ipv6/conf/"+nic+"/disable_ipv6", "0")
	})
	if errors.Is(err, os.ErrNotExist) {
		return netip.Addr{}, nil // a kernel without IPv6
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("turn IPv6 on: %w", err)
	}
	defer func() {
		close(done)
		for range news { // its sender may wait for a reader
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return netip.Addr{}, nil
		case u, ok := <-news:
			if !ok {
				return netip.Addr{}, errors.New("watch for an IPv6 address: the kernel ended it")
			}
			if a, ok := netip.AddrFromSlice(u.LinkAddress.IP); ok && u.NewAddr && a.Is6() && !a.Is4In6() && a.IsGlobalUnicast() {
				return a, nil
			}
		}
	}
}

// close takes the guest away: the cable, then what the router's neighbour
// table remembers of it, then the namespace.
func (s *scratch) close() error {
	var errs []error
	if s.port != "" {
		link, err := netlink.LinkByName(s.port)
		if err == nil {
			err = netlink.LinkDel(link)
		}
		if err != nil && !errors.As(err, new(netlink.LinkNotFoundError)) {
			errs = append(errs, fmt.Errorf("take %s away: %w", s.port, err))
		}
		neighbours, _ := netlink.NeighList(s.bridge, netlink.FAMILY_ALL)
		for _, n := range neighbours {
			if n.HardwareAddr.String() == s.mac.String() {
				netlink.NeighDel(&n) // it would be forgotten by itself
			}
		}
	}
	if s.ns >= 0 {
		unix.Close(s.ns)
	}
	return errors.Join(errs...)
}

// dial connects from the guest's namespace to a literal address.
func (s *scratch) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = s.do(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}
