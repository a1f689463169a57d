package main

import (
	"context"

	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/sync/cdp"
	"github.com/hien-wifi/hien/sync/courier"
)

// The record is the courier's queue, and the CDP its sink: tools that do not
// know each other.
var (
	_ courier.Queue = (*sqlite.Store)(nil)
	_ courier.Sink  = (*cdp.Sink)(nil)
)

// serveSink carries events to one sink. A sink that cannot be made is the
// owner's to mend: guests come in all the same.
func (d *daemon) serveSink(ctx context.Context, s config.Sink) error {
	sink, err := cdp.New(cdp.Options{URL: s.URL, WriteKey: s.WriteKey.Reveal(), CAFile: s.CAFile,
		Regulator: cdp.Regulator(s.EraseAPI), RegulatorURL: s.EraseURL, RegulatorToken: s.EraseToken.Reveal()})
	if err != nil {
		d.log.Error("events wait until the sink's section is mended and hien gets SIGHUP", "sink", s.Name, "err", err)
		d.setSinkWrong(err.Error())
		defer d.setSinkWrong("")
		<-ctx.Done()
		return nil
	}
	if !sink.Confirms() {
		d.log.Info("Segment takes events before it looks at the key: whether they arrive is seen on the source's own page", "sink", s.Name)
	}
	c := courier.New(d.record, sink, d.clock.now, d.log)
	d.setCourier(c)
	defer d.setCourier(nil)
	return c.Run(ctx)
}

func (d *daemon) setCourier(c *courier.Courier) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.courier = c
}

func (d *daemon) setSinkWrong(why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sinkWrong = why
}

// carrier is the courier, or nil without a sink.
func (d *daemon) carrier() *courier.Courier {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.courier
}

// wake tells the courier that an event was queued.
func (d *daemon) wake() {
	if c := d.carrier(); c != nil {
		c.Wake()
	}
}

// courierStatus is how the way to the sink fares.
func (d *daemon) courierStatus(waiting, parked int) []control.Courier {
	cfg := d.config()
	if cfg.Sink == nil {
		return nil
	}
	v := control.Courier{Sink: cfg.Sink.Name, State: control.CourierIdle, Waiting: waiting, Parked: parked}
	d.mu.Lock()
	c, wrong := d.courier, d.sinkWrong
	d.mu.Unlock()
	switch {
	case wrong != "":
		v.State, v.Detail = control.CourierStopped, wrong
	case c != nil: // else it is about to start
		s := c.State()
		v.Detail, v.LastSuccess = s.Trouble, s.LastSuccess.Wall
		v.State = map[courier.Doing]string{
			courier.Idle: control.CourierIdle, courier.Sending: control.CourierDelivering,
			courier.Waiting: control.CourierRetrying, courier.Stopped: control.CourierStopped,
		}[s.Doing]
	}
	return []control.Courier{v}
}
