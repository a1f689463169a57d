package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/dns"
	"github.com/hien-wifi/hien/internal/presence"
	"github.com/hien-wifi/hien/portal"
)

// An openZone is a guest network whose interface is there.
type openZone struct {
	prefixes []netip.Prefix // the router's addresses in it
	names    *dns.Forwarder // nil without one
	api      *portal.Certificate
	portal   []string // where it listens
	sniffer  *presence.Sniffer
	sniffing string // in words
}

// Why a zone is opened anew.
var (
	errLinkGone  = errors.New("the interface is gone")
	errMoved     = errors.New("the interface has other addresses")
	errPortInUse = errors.New("in use by another program")
)

// How long a zone waits before it is opened again, and how often its
// interface's addresses are looked at.
const (
	zonePause    = 2 * time.Second
	addressEvery = 2 * time.Second
)

// How often the kernel is made to ask who has an address that a frame claims.
// Each costs a broadcast on the air.
const (
	asksEvery  = rate.Limit(50) // a second
	asksAtOnce = 100
)

// serveZone keeps one guest network: it waits for the interface, opens the
// portal on it, and begins anew when the interface or its addresses change,
// as they do at each reload of a router's network. The rules stay in force
// all the while. A port that is in use when the daemon starts is the owner's
// to mend and ends it; whatever comes later is logged, shown, and tried again.
func (d *daemon) serveZone(ctx context.Context, z hien.Zone, atStart bool) error {
	defer d.setTrouble(z.Name, "")
	if _, err := presence.Prefixes(z.Interface); err != nil {
		d.log.Info("hien waits for the guest interface", "zone", z.Name, "interface", z.Interface)
	}
	var last string // a trouble that stays is logged once
	for {
		index, err := presence.WaitLink(ctx, z.Interface)
		if err == nil && ctx.Err() == nil {
			err = d.openZone(ctx, z, index, func() { atStart, last = false, "" })
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errMoved):
			d.log.Info("the guest interface has other addresses; the portal opens on them", "zone", z.Name, "interface", z.Interface)
			continue
		case errors.Is(err, errLinkGone), errors.Is(err, unix.ENODEV):
			d.log.Warn("the guest interface is gone; the portal opens again when it is back", "zone", z.Name, "interface", z.Interface)
		case errors.Is(err, errPortInUse) && atStart:
			return fmt.Errorf("zone %q: %w", z.Name, err)
		default:
			d.setTrouble(z.Name, fmt.Sprint(err))
			if said := fmt.Sprint(err); said != last {
				d.log.Error("the portal is not open; it is tried again", "zone", z.Name, "err", err)
				last = said
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(zonePause):
		}
	}
}

// openZone serves a guest network while its interface stays as it is.
func (d *daemon) openZone(ctx context.Context, z hien.Zone, index int, opened func()) error {
	prefixes, err := presence.Prefixes(z.Interface)
	if err != nil {
		return fmt.Errorf("%w: %w", errLinkGone, err)
	}
	if err := d.applyRules(ctx, d.config()); err != nil { // the interface's address is known only now
		return err
	}
	neighbours, err := presence.OpenNeighbours(z.Name, z.Interface)
	if err != nil {
		return err
	}
	defer neighbours.Close()
	listener, err := listen(ctx, z)
	if err != nil {
		return err
	}
	defer listener.Close()

	o := &openZone{prefixes: prefixes}
	var addrs []netip.Addr
	for _, p := range prefixes {
		addrs = append(addrs, p.Addr())
		if !p.Addr().IsLinkLocalUnicast() {
			o.portal = append(o.portal, netip.AddrPortFrom(p.Addr(), z.PortalPort).String())
		}
	}
	d.setOpen(z.Name, o)
	defer d.setOpen(z.Name, nil)
	services := d.config().Services[z.Name]
	if services.API.Name != "" {
		o.api = portal.OpenCertificate(services.API.CertFile, services.API.KeyFile, services.API.Name, d.clock.now())
	}
	server := portal.New(portal.Options{Zone: z.Name, House: d.gateway, Receipts: receipts{d.gateway}, Own: d.gateway, Numbers: d.gateway, Neighbours: neighbours,
		Opener: presence.Opener, Now: d.clock.now, Log: d.log, Addrs: addrs, Certificate: o.api})
	saw := func(s hien.Sighting) { d.saw(ctx, s) }
	asks := rate.NewLimiter(asksEvery, asksAtOnce)
	heard := func(s hien.Sighting) {
		// Anybody can forge a frame: it tells of presence, and opens nothing.
		// An address that it claims is asked for, and the kernel's answer
		// comes as a sighting of its own.
		claimed := s.Addr
		s.Addr = netip.Addr{}
		d.saw(ctx, s)
		if d.within(z.Name, claimed) && !d.gateway.Owns(s.Guest, claimed) && asks.Allow() {
			if err := neighbours.Ask(claimed); err != nil {
				d.log.Debug("ask for a neighbour", "err", err)
			}
		}
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := presence.LinkGone(ctx, z.Interface, index); err != nil || ctx.Err() != nil {
			return err
		}
		return errLinkGone
	})
	group.Go(func() error { return watchAddresses(ctx, z.Interface, prefixes) })
	group.Go(func() error { return server.Serve(ctx, countedListener{listener, d.program.came}) })
	if services.DNSPort != 0 {
		if o.names, err = d.forwarder(z, services, neighbours, addrs); err != nil {
			return err
		}
		tried := make(chan struct{})
		once := sync.OnceFunc(func() { close(tried) })
		group.Go(func() error {
			return d.again(ctx, "the DNS forwarder", func(ctx context.Context) error {
				defer once() // a forwarder that fails holds up nobody
				return serveNames(ctx, o.names, z.Interface, services.DNSPort, once)
			})
		})
		<-tried // a phone asks for a name before it asks for the portal
	}
	if o.api != nil {
		group.Go(func() error {
			return d.again(ctx, "the captive portal API", func(ctx context.Context) error { return d.serveAPI(ctx, z, services.API, server, o.api, addrs) })
		})
	}
	group.Go(func() error {
		return d.again(ctx, "the kernel's neighbour table", func(ctx context.Context) error { return neighbours.Watch(ctx, saw) })
	})
	if services.Sniffer && !d.safe {
		group.Go(func() error {
			return d.again(ctx, "the sniffer", func(ctx context.Context) error { return d.sniff(ctx, z, o, heard) })
		})
	} else {
		d.mu.Lock()
		o.sniffing = "switched off"
		d.mu.Unlock()
	}
	d.setTrouble(z.Name, "")
	opened()
	d.log.Info("the portal is open", "zone", z.Name, "interface", z.Interface, "port", z.PortalPort)
	return group.Wait()
}

// listen opens the portal's port on the zone's interface only, whatever
// addresses that has or will have.
func listen(ctx context.Context, z hien.Zone) (net.Listener, error) {
	l, err := listenTCP(ctx, z.Interface, z.PortalPort)
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is %w: end that one, or choose another with option portal_port", z.PortalPort, errPortInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("open the portal on %s: %w", z.Interface, err)
	}
	return l, nil
}

// watchAddresses returns errMoved when the interface no longer has the
// addresses that it had.
func watchAddresses(ctx context.Context, name string, had []netip.Prefix) error {
	ticker := time.NewTicker(addressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		has, err := presence.Prefixes(name)
		if err == nil && !sameAddresses(has, had) { // an interface that is gone is told by its events
			return errMoved
		}
	}
}

func sameAddresses(a, b []netip.Prefix) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, netip.Prefix.Compare)
	slices.SortFunc(b, netip.Prefix.Compare)
	return slices.Equal(a, b)
}

// sniff listens for frames of guests. Losing it makes visits coarser and
// changes nothing about access.
func (d *daemon) sniff(ctx context.Context, z hien.Zone, o *openZone, saw func(hien.Sighting)) error {
	// Where a pass covers a guest's addresses and not its MAC, each must be
	// learnt before it can be used.
	byAddress := d.door.Kernel().V6 == firewall.HashIP
	s, err := presence.Listen(z.Name, z.Interface, byAddress, saw)
	if err != nil {
		return err
	}
	defer s.Close()
	d.mu.Lock()
	o.sniffer, o.sniffing = s, "listening"
	d.mu.Unlock()
	err = s.Run(ctx)
	d.mu.Lock()
	o.sniffing = "starting again"
	d.mu.Unlock()
	return err
}

// again runs what must not end the daemon: after an error it is tried again,
// and the error is logged once.
func (d *daemon) again(ctx context.Context, what string, run func(context.Context) error) error {
	const pause = 5 * time.Second
	var last string
	for {
		err := run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if said := fmt.Sprint(err); said != last {
			d.log.Warn(what+" stopped and is started again", "err", err)
			last = said
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// saw hands a sighting to the gateway. A failure is for the log: whoever was
// seen is seen again.
func (d *daemon) saw(ctx context.Context, s hien.Sighting) {
	if err := d.gateway.Saw(ctx, s, d.clock.now()); err != nil && ctx.Err() == nil {
		d.log.LogAttrs(ctx, slog.LevelDebug, "sighting", slog.Any("guest", s.Guest.MAC), slog.Any("err", err))
	}
}

func (d *daemon) setOpen(zone string, o *openZone) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o == nil {
		delete(d.open, zone)
		return
	}
	d.open[zone] = o
}

// within reports whether a guest of the zone can have an address: one of the
// zone's networks that is not the router's own.
func (d *daemon) within(zone string, addr netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.open[zone]
	return o != nil && slices.ContainsFunc(o.prefixes, func(p netip.Prefix) bool { return p.Contains(addr) }) &&
		!slices.ContainsFunc(o.prefixes, func(p netip.Prefix) bool { return p.Addr() == addr })
}

func (d *daemon) setTrouble(zone, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if why == "" {
		delete(d.trouble, zone)
		return
	}
	d.trouble[zone] = why
}
