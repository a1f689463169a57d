package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/control"
)

// owner is what the owner may do by hand.
func (d *daemon) owner() control.Owner {
	return control.Owner{Admit: d.admit, Revoke: d.revoke, Open: d.openDoor, Reload: d.reloadByHand}
}

// admit gives a device a pass: in the zones where it is known, else in the one
// that is named, or that there is.
func (d *daemon) admit(ctx context.Context, o control.Order) (control.Done, error) {
	mac, err := hien.ParseMAC(o.Device)
	if err != nil {
		return control.Done{}, control.Refusal("%v; only a hardware address can be admitted, `hien guests --full` shows them", err)
	}
	found, err := d.gateway.Find(o.Zone, mac, netip.Addr{})
	if err != nil {
		return control.Done{}, err
	}
	if len(found) == 0 {
		zone := o.Zone
		if zones := d.config().Zones; zone == "" && len(zones) == 1 {
			zone = zones[0].Name
		}
		if zone == "" {
			return control.Done{}, control.Refusal("the device was not seen yet: say with --zone where it is to come in")
		}
		found = []hien.GuestID{{Zone: zone, MAC: mac}}
	}
	return d.each(found, func(id hien.GuestID) error { return d.gateway.AdmitGuest(ctx, id, o.Who, d.clock.now()) })
}

// revoke takes the pass of a device away.
func (d *daemon) revoke(ctx context.Context, o control.Order) (control.Done, error) {
	mac, macErr := hien.ParseMAC(o.Device)
	addr, addrErr := netip.ParseAddr(o.Device)
	if macErr != nil && addrErr != nil {
		return control.Done{}, control.Refusal("%.40q is neither a hardware address nor an IP address: `hien guests --full` shows them", o.Device)
	}
	found, err := d.gateway.Find(o.Zone, mac, addr)
	if err != nil {
		return control.Done{}, err
	}
	return d.each(found, func(id hien.GuestID) error { return d.gateway.Revoke(ctx, id, o.Who, d.clock.now()) })
}

// each does something to each guest that was meant. One who has no pass is
// passed over where another has.
func (d *daemon) each(found []hien.GuestID, do func(hien.GuestID) error) (done control.Done, err error) {
	if len(found) == 0 {
		return done, hien.ErrNoGuest
	}
	var none error
	for _, id := range found {
		err := do(id)
		if errors.Is(err, hien.ErrNoPass) {
			none = err
			continue
		}
		if err != nil {
			return done, err
		}
		guest, _, err := d.book.Guest(id)
		if err != nil {
			return done, err
		}
		done.Devices = append(done.Devices, control.Device{MAC: id.MAC.String(), Zone: id.Zone,
			PassLeft: seconds(guest.Pass.Left(d.clock.now()) + time.Second - 1), Known: len(guest.Addrs) > 0})
	}
	if len(done.Devices) == 0 {
		return done, none
	}
	return done, nil
}

// openDoor lets everybody in for a while, or with 0 ends that.
func (d *daemon) openDoor(ctx context.Context, who string, span time.Duration) (control.Opened, error) {
	now := d.clock.now()
	if span == 0 {
		return control.Opened{}, d.gateway.EndOpen(ctx, who, now)
	}
	return control.Opened{Until: now.Wall.Add(span)}, d.gateway.OpenFor(ctx, span, who, now)
}

// reloadByHand is SIGHUP with an answer. Whoever asked may be gone before it
// is done; it is done all the same.
func (d *daemon) reloadByHand(ctx context.Context, who string, did control.Deed) error {
	ctx = context.WithoutCancel(ctx)
	if err := d.reload(ctx); err != nil {
		return err
	}
	d.log.Info("the configuration was read again", "who", who)
	now := d.clock.now()
	if did.What != "" {
		d.gateway.Note(ctx, hien.Deed{At: now, Who: who, What: did.What, About: did.About})
	}
	if slices.Contains([]string{hien.DidTrust, hien.DidBlock}, did.What) {
		return d.gateway.Tick(ctx, now) // the device need not wait for the next one
	}
	return nil
}
