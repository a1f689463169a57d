package main

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/dns"
	"github.com/hien-wifi/hien/internal/presence"
)

// uplinkEvery is how often the router's ways out are looked at whatever the
// kernel has told of its routes.
const uplinkEvery = 30 * time.Second

// interfaces are those of the guest networks.
func interfaces(cfg *config.Config) (names []string) {
	for _, z := range cfg.Zones {
		names = append(names, z.Interface)
	}
	return names
}

// newUplink makes the watcher of the internet, and looks once which ways out
// there are: the first rules need them.
func (d *daemon) newUplink(ctx context.Context, cfg *config.Config) (*dns.Watcher, error) {
	uplinks, err := firewall.Uplinks(ctx)
	if err != nil {
		return nil, err
	}
	d.noteUplinks(uplinks)
	return dns.NewWatcher(dns.WatcherOptions{
		Upstream: upstream(cfg), Log: d.log,
		HasRoute: func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return len(d.uplinks) > 0
		},
		Changed: func(online bool) {
			if online {
				d.log.Info("the shop has internet")
				return
			}
			d.log.Warn("the shop has no internet; guests are told so")
		},
	})
}

func upstream(cfg *config.Config) (servers []string) {
	for _, s := range cfg.DNSUpstream {
		servers = append(servers, s.String())
	}
	return servers
}

// noteUplinks notes the interfaces that have a default route.
func (d *daemon) noteUplinks(now []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	guests := interfaces(d.cfg)
	d.uplinks = slices.DeleteFunc(slices.Clone(now), func(name string) bool { return slices.Contains(guests, name) })
	d.waysOut = slices.Compact(slices.Sorted(slices.Values(slices.Concat(d.waysOut, d.uplinks))))
}

// watchUplinks keeps the rules in step with the router's ways out.
func (d *daemon) watchUplinks(ctx context.Context) error {
	return d.again(ctx, "the watch over the router's ways out", func(ctx context.Context) error {
		return firewall.WatchUplinks(ctx, uplinkEvery, func(now []string) {
			d.noteUplinks(now)
			if err := d.applyRules(ctx, d.config()); err != nil && ctx.Err() == nil {
				d.log.Error("the rules could not follow the router's ways out", "err", err)
			}
		})
	})
}

// applyRules makes the kernel hold what a configuration asks for, when that
// has changed. A zone whose interface has no address at the moment keeps the
// network that it had: a network that is reloaded cuts nobody.
func (d *daemon) applyRules(ctx context.Context, cfg *config.Config) error {
	d.applying.Lock()
	defer d.applying.Unlock()
	d.mu.Lock()
	released := d.released
	d.mu.Unlock()
	if released {
		return nil
	}
	want := d.ruleset(cfg)
	if d.rules != nil && d.rules.Equal(want) {
		return nil
	}
	if err := d.door.Apply(ctx, want); err != nil {
		return err
	}
	d.rules = &want
	return nil
}

// ruleset is what a configuration asks for, with what the machine says now.
func (d *daemon) ruleset(cfg *config.Config) firewall.Ruleset {
	r := firewall.Ruleset{Mark: cfg.Mark, Uplinks: cfg.Uplinks, Masquerade: cfg.Masquerade}
	if len(r.Uplinks) == 0 {
		d.mu.Lock()
		r.Uplinks = slices.Clone(d.waysOut)
		d.mu.Unlock()
	}
	guests := interfaces(cfg)
	r.Uplinks = slices.DeleteFunc(r.Uplinks, func(name string) bool { return slices.Contains(guests, name) })
	for _, z := range cfg.Zones {
		services := cfg.Services[z.Name]
		_, networks, _ := config.Gardens(z)
		rule := firewall.Zone{Name: z.Name, Interface: z.Interface, PortalPort: z.PortalPort,
			DNSPort: services.DNSPort, APIPort: services.API.Port, Garden: networks,
			Speed: inBytes(z.Speed), AllSpeed: inBytes(z.AllSpeed)}
		if prefixes, err := presence.Prefixes(z.Interface); err == nil {
			if i := slices.IndexFunc(prefixes, func(p netip.Prefix) bool { return p.Addr().Is4() && !p.Addr().IsLinkLocalUnicast() }); i >= 0 {
				rule.Prefix = prefixes[i].Masked()
			}
		}
		if d.rules != nil && !rule.Prefix.IsValid() {
			if before := slices.IndexFunc(d.rules.Zones, func(b firewall.Zone) bool { return b.Name == z.Name && b.Interface == z.Interface }); before >= 0 {
				rule.Prefix = d.rules.Zones[before].Prefix
			}
		}
		r.Zones = append(r.Zones, rule)
	}
	return r
}

// inBytes is a speed as the firewall counts it.
func inBytes(s hien.Speed) firewall.Speed {
	return firewall.Speed{Down: uint64(s.Down) / 8, Up: uint64(s.Up) / 8}
}

// renameGardens gives the forwarders that are running the names of another
// configuration.
func (d *daemon) renameGardens(cfg *config.Config) {
	for _, z := range cfg.Zones {
		d.mu.Lock()
		var names *dns.Forwarder
		var own []netip.Prefix
		if o := d.open[z.Name]; o != nil {
			names, own = o.names, o.prefixes
		}
		d.mu.Unlock()
		if names == nil {
			continue
		}
		if err := names.SetNames(gardenNames(z, cfg.Services[z.Name], addresses(own))); err != nil {
			d.log.Error("the garden's names were not taken over", "zone", z.Name, "err", err)
		}
	}
}

// addresses are those of the router in its networks.
func addresses(prefixes []netip.Prefix) (addrs []netip.Addr) {
	for _, p := range prefixes {
		addrs = append(addrs, p.Addr())
	}
	return addrs
}
