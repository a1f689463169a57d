package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/dns"
	"github.com/hien-wifi/hien/internal/presence"
	"github.com/hien-wifi/hien/portal"
)

// forwarder makes the resolver for the guests of a zone who have no pass.
func (d *daemon) forwarder(z hien.Zone, services config.Services, neighbours *presence.Neighbours, addrs []netip.Addr) (*dns.Forwarder, error) {
	f, err := dns.New(dns.Options{
		Upstream: upstream(d.config()), Names: gardenNames(z, services, addrs), Now: d.clock.now, Log: d.log,
		Plant: func(ctx context.Context, hosts []netip.Addr, ttl time.Duration, forCode bool) error {
			return d.door.Plant(ctx, z.Name, hosts, ttl, forCode)
		},
		Who: func(a netip.Addr) (hien.MAC, bool) {
			mac, err := neighbours.MAC(a)
			return mac, err == nil && !mac.IsZero()
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make the DNS forwarder of zone %s: %w", z.Name, err)
	}
	return f, nil
}

// gardenNames are the names that a zone's forwarder treats apart.
func gardenNames(z hien.Zone, services config.Services, addrs []netip.Addr) dns.Names {
	names, networks, codes := config.Gardens(z)
	for _, p := range networks {
		names = append(names, p.String())
	}
	n := dns.Names{Garden: names, CodeGarden: codes}
	if services.API.Name != "" {
		n.Local = map[string][]netip.Addr{services.API.Name: global(addrs)}
	}
	return n
}

// global are the addresses that a name can stand for.
func global(addrs []netip.Addr) (out []netip.Addr) {
	for _, a := range addrs {
		if !a.IsLinkLocalUnicast() {
			out = append(out, a)
		}
	}
	return out
}

// serveNames runs a forwarder on its port of the zone's interface, and calls
// listening once names can be asked for there.
func serveNames(ctx context.Context, f *dns.Forwarder, iface string, port uint16, listening func()) error {
	lc := net.ListenConfig{Control: bindTo(iface)}
	packets, err := lc.ListenPacket(ctx, "udp", ":"+strconv.Itoa(int(port)))
	if err != nil {
		return fmt.Errorf("open udp port %d on %s: %w", port, iface, err)
	}
	defer packets.Close()
	streams, err := listenTCP(ctx, iface, port)
	if err != nil {
		return fmt.Errorf("open tcp port %d on %s: %w", port, iface, err)
	}
	defer streams.Close()
	listening()
	return f.Serve(ctx, packets, streams)
}

// listenTCP opens a port on one interface only, whatever addresses that has
// or will have.
func listenTCP(ctx context.Context, iface string, port uint16) (net.Listener, error) {
	bind := bindTo(iface)
	lc := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
		var err error
		return errors.Join(bind(network, address, c), c.Control(func(fd uintptr) {
			presence.KeepOpeners(fd) // an older kernel cannot; then the neighbour table alone tells
			// What a guest does not read is kept no longer than its request is waited for.
			patience := int(portal.DefaultLimits().Write / time.Millisecond)
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, patience)
		}), err)
	}}
	lc.SetMultipathTCP(false) // a subflow could come from another device
	return lc.Listen(ctx, "tcp", ":"+strconv.Itoa(int(port)))
}

// bindTo binds a socket to an interface.
func bindTo(iface string) func(_, _ string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		ctrlErr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, iface)
		})
		return errors.Join(ctrlErr, err)
	}
}

// serveAPI serves the captive portal API (RFC 8908) of a zone, and has
// dnsmasq tell phones of it (RFC 8910) while its certificate is good.
func (d *daemon) serveAPI(ctx context.Context, z hien.Zone, api config.API, server *portal.Server, cert *portal.Certificate, addrs []netip.Addr) error {
	listener, err := listenTCP(ctx, z.Interface, api.Port)
	if err != nil {
		return fmt.Errorf("open tcp port %d on %s: %w", api.Port, z.Interface, err)
	}
	defer listener.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.ServeAPI(ctx, listener) })
	if dir := d.config().DnsmasqDir; dir != "" {
		told := portal.Announcement{Dir: dir, Zone: z.Name, Interface: z.Interface, Addrs: addrs, Port: api.Port, Certificate: cert, Now: d.clock.now, Log: d.log}
		group.Go(func() error { return told.Run(ctx) })
	}
	return group.Wait()
}

// withdrawOthers takes back what an earlier run has announced for zones that
// have no API any more.
func (d *daemon) withdrawOthers(cfg *config.Config) {
	if cfg.DnsmasqDir == "" {
		return
	}
	var keep []string
	for _, z := range cfg.Zones {
		if cfg.Services[z.Name].API.Name != "" {
			keep = append(keep, z.Name)
		}
	}
	if err := portal.WithdrawOthers(cfg.DnsmasqDir, keep...); err != nil {
		d.log.Error("dnsmasq still tells phones of an API that is gone", "err", err)
	}
}
