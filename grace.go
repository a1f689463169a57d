package hien

import "context"

// A grace pass keeps a guest online for some minutes while its code travels:
// the code may come by an app that needs the internet, and an iPhone leaves
// the network when its sheet is closed to look at a message, unless it is
// online by then. It is given when the code has gone out, once for each form,
// so at most as often as codes are sent to a device (CodesPerQuarter,
// CodesPerDay). Whoever has one is not inside: the portal shows the code's page
// again, Prove and Admit turn it into a whole pass, and else it ends by itself.
// It is as fast as any pass, since a whole one costs a tap and no number.

// grace gives a guest whose code has just gone out its grace pass, and the code
// CodeLife from the end of that, so that it can be typed when the sheet opens
// again. With a door that fails the code is on its way all the same: that is
// for the log.
func (g *Gateway) grace(ctx context.Context, d Device, guest *Guest, now Moment) {
	zone, _ := g.settings.Load().zone(d.Guest.Zone)
	span := min(zone.Grace, zone.Pass)
	had, whole := guest.Pass, guest.Pass.Left(now) > 0 && !guest.Pass.Grace
	if span == 0 || whole || guest.Form.NoGrace || zone.barred(guest, now) != nil {
		return
	}
	guest.Pass = Pass{Until: now.Up + span, Bytes: g.graceBytes(guest, now), Moved: now.Up, Grace: true}
	if err := g.through(ctx, d, guest, now); err != nil {
		guest.Pass = had
		g.complain(now, "a guest waits for its code without a grace pass", err)
		return
	}
	guest.Form.NoGrace, guest.Form.Challenge.Expires = true, guest.Pass.Until+CodeLife
}

// graceBytes are what a grace pass that still holds has carried: the pass that
// follows begins with them.
func (g *Gateway) graceBytes(guest *Guest, now Moment) uint64 {
	if !guest.Pass.Grace || guest.Pass.Over(now) {
		return 0
	}
	return g.carried(guest)
}
