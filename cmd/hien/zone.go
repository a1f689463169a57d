package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/presence"
	"github.com/hien-wifi/hien/portal"
)

// An openZone is a guest network whose interface is there.
type openZone struct {
	portal   []string // where it listens
	sniffer  *presence.Sniffer
	sniffing string // in words
}

var errLinkGone = errors.New("the interface is gone")

// serveZone keeps one guest network: it waits for the interface, opens the
// portal on it, and begins anew when the interface goes and comes back, as it
// does at each reload of a router's network. The rules stay in force all the
// while.
func (d *daemon) serveZone(ctx context.Context, z hien.Zone) error {
	if _, err := presence.Prefixes(z.Interface); err != nil {
		d.log.Info("hien waits for the guest interface", "zone", z.Name, "interface", z.Interface)
	}
	for {
		index, err := presence.WaitLink(ctx, z.Interface)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = d.openZone(ctx, z, index)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, errLinkGone):
			return fmt.Errorf("zone %q: %w", z.Name, err)
		}
		d.log.Warn("the guest interface is gone; the portal opens again when it is back", "zone", z.Name, "interface", z.Interface)
	}
}

// openZone serves a guest network while its interface stays.
func (d *daemon) openZone(ctx context.Context, z hien.Zone, index int) error {
	if err := d.applyRules(ctx); err != nil { // the interface's address is known only now
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

	o := &openZone{portal: portalAddrs(z)}
	d.setOpen(z.Name, o)
	defer d.setOpen(z.Name, nil)
	var addrs []netip.Addr
	if prefixes, err := presence.Prefixes(z.Interface); err == nil {
		for _, p := range prefixes {
			addrs = append(addrs, p.Addr())
		}
	}
	server := portal.New(portal.Options{Zone: z.Name, House: d.gateway, Receipts: receipts{d.gateway}, Neighbours: neighbours,
		Now: d.clock.now, Log: d.log, Addrs: addrs})
	saw := func(s hien.Sighting) { d.saw(ctx, s) }

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := presence.LinkGone(ctx, z.Interface, index); err != nil || ctx.Err() != nil {
			return err
		}
		return errLinkGone
	})
	group.Go(func() error { return server.Serve(ctx, listener) })
	group.Go(func() error {
		return d.again(ctx, "the kernel's neighbour table", func(ctx context.Context) error { return neighbours.Watch(ctx, saw) })
	})
	group.Go(func() error {
		return d.again(ctx, "the sniffer", func(ctx context.Context) error { return d.sniff(ctx, z, o, saw) })
	})
	d.log.Info("the portal is open", "zone", z.Name, "interface", z.Interface, "port", z.PortalPort)
	return group.Wait()
}

// listen opens the portal's port on the zone's interface only, whatever
// addresses that has or will have.
func listen(ctx context.Context, z hien.Zone) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, z.Interface)
		}), err)
	}}
	l, err := lc.Listen(ctx, "tcp", ":"+strconv.Itoa(int(z.PortalPort)))
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use by another program: end that one, or choose another with option portal_port", z.PortalPort)
	}
	if err != nil {
		return nil, fmt.Errorf("open the portal on %s: %w", z.Interface, err)
	}
	return l, nil
}

// portalAddrs are where guests of the zone find the portal.
func portalAddrs(z hien.Zone) (all []string) {
	prefixes, err := presence.Prefixes(z.Interface)
	if err != nil {
		return nil // for the status only
	}
	for _, p := range prefixes {
		if !p.Addr().IsLinkLocalUnicast() {
			all = append(all, netip.AddrPortFrom(p.Addr(), z.PortalPort).String())
		}
	}
	return all
}

// sniff listens for frames of guests. Losing it makes visits coarser and
// changes nothing about access.
func (d *daemon) sniff(ctx context.Context, z hien.Zone, o *openZone, saw func(hien.Sighting)) error {
	s, err := presence.Listen(z.Name, z.Interface, saw)
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

// applyRules makes the kernel hold what the configuration asks for, when that
// has changed. A zone whose interface has no address at the moment keeps the
// network that it had: a network that is reloaded cuts nobody.
func (d *daemon) applyRules(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.released {
		return nil
	}
	var want firewall.Ruleset
	for _, z := range d.cfg.Zones {
		rule := firewall.Zone{Name: z.Name, Interface: z.Interface, PortalPort: z.PortalPort}
		if prefixes, err := presence.Prefixes(z.Interface); err == nil {
			if i := slices.IndexFunc(prefixes, func(p netip.Prefix) bool { return p.Addr().Is4() && !p.Addr().IsLinkLocalUnicast() }); i >= 0 {
				rule.Prefix = prefixes[i].Masked()
			}
		}
		if before := slices.IndexFunc(d.rules.Zones, func(b firewall.Zone) bool { return b.Name == z.Name && b.Interface == z.Interface }); before >= 0 && !rule.Prefix.IsValid() {
			rule.Prefix = d.rules.Zones[before].Prefix
		}
		want.Zones = append(want.Zones, rule)
	}
	if d.rules.Zones != nil && slices.Equal(d.rules.Zones, want.Zones) {
		return nil
	}
	if err := d.door.Apply(ctx, want); err != nil {
		return err
	}
	d.rules = want
	return nil
}
