package main

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/accesslog"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
)

// newAccessLog makes the access log, which is off until a configuration
// switches it on.
func (d *daemon) newAccessLog(ctx context.Context, dataDir string) *accesslog.Log {
	return accesslog.New(accesslog.Options{
		Dir: filepath.Join(dataDir, "access"), Log: d.log, WAN: d.wanAddrs,
		Keep: func(now hien.Moment) (int, bool) { return d.keepAccessLog(ctx, now) },
	})
}

// setAccessLog puts in force what a configuration says of the access log.
func (d *daemon) setAccessLog(cfg *config.Config) {
	d.access.Set(accesslog.Mode(cfg.AccessLog), cfg.AccessLogKey, d.clock.now())
}

// keepAccessLog is for how many months a file is kept, by the policy, and
// whether the date may be believed. Without the record nobody can tell, and
// nothing is deleted.
func (d *daemon) keepAccessLog(ctx context.Context, now hien.Moment) (months int, believed bool) {
	policy := d.gateway.Policy()
	if d.record == nil || policy == nil || !now.InStep {
		return 0, false
	}
	clock, err := d.record.WallClock(ctx)
	if err != nil {
		return 0, false
	}
	_, believed = clock.Believes(now)
	return policy.Retention.AccessLogMonths, believed
}

// wanAddrs are the router's own addresses towards the internet. Behind a
// provider's modem or its shared addresses they are not those that the internet
// sees.
func (d *daemon) wanAddrs() (addrs []netip.Addr) {
	d.mu.Lock()
	uplinks := slices.Concat(d.cfg.Uplinks, d.uplinks)
	d.mu.Unlock()
	for _, name := range slices.Compact(slices.Sorted(slices.Values(uplinks))) {
		i, err := net.InterfaceByName(name)
		if err != nil {
			continue // it is not there now
		}
		all, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range all {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
				addrs = append(addrs, p.Addr())
			}
		}
	}
	return addrs
}

// accessLogView is how the access log is; nothing when there is none.
func (d *daemon) accessLogView() *control.AccessLog {
	s := d.access.State()
	if s.Mode == accesslog.None {
		return nil
	}
	return &control.AccessLog{Mode: string(s.Mode), Sessions: s.Sessions, Trouble: s.Trouble, Lost: s.Lost}
}
