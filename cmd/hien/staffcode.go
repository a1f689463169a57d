package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien/internal/control"
)

// staffCode is the code of the shop's till, for its staff.
func (d *daemon) staffCode() (control.StaffCode, bool) {
	code, left, ok := d.gateway.StaffCode(d.clock.now())
	return control.StaffCode{Code: code.Reveal(), SecondsLeft: seconds(left + time.Second - 1)}, ok
}

// showStaffCode is `hien staff-code`.
func showStaffCode(ctx context.Context, c *call) error {
	watch := c.flags.Bool("watch", false, "stay, and show each code anew")
	if err := c.parse(0); err != nil {
		return err
	}
	ask := func() (control.StaffCode, error) {
		client, err := c.dial()
		if err != nil {
			return control.StaffCode{}, err
		}
		return client.StaffCode(ctx)
	}
	if !*watch {
		code, err := ask()
		if err != nil {
			return err
		}
		return answer(c, code, control.WriteStaffCode)
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	return watchStaffCode(ctx, c.till(), ask, second.C)
}

// A till draws the code, whatever happens to the daemon meanwhile.
type till struct {
	out    io.Writer
	json   bool // one line for each code
	screen bool // one line that is drawn anew
}

// till is what the command's output can show.
func (c *call) till() till {
	t := till{out: c.out, json: c.json}
	if f, ok := c.out.(*os.File); ok && !c.json {
		_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		t.screen = err == nil
	}
	return t
}

// watchStaffCode draws the code at each tick until ctx ends. A daemon that is
// started anew meanwhile is waited for; that there is none at first is an error.
func watchStaffCode(ctx context.Context, t till, ask func() (control.StaffCode, error), ticks <-chan time.Time) error {
	var last string
	for first := true; ; first = false {
		code, err := ask()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && first {
			return err
		}
		if err := t.draw(code, err, &last); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks:
		}
	}
}

// draw shows the code, or why there is none. last is what was drawn before.
func (t till) draw(code control.StaffCode, trouble error, last *string) error {
	says := code.Spaced()
	if trouble != nil {
		says = trouble.Error()
	}
	fresh := says != *last
	*last = says
	var err error
	switch {
	case t.screen && trouble == nil: // the line is cleared to its end (ECMA-48, EL)
		_, err = fmt.Fprintf(t.out, "\r  %s   %d:%02d\x1b[K", says, code.SecondsLeft/60, code.SecondsLeft%60)
	case t.screen:
		_, err = fmt.Fprintf(t.out, "\r  %s\x1b[K", says)
	case !fresh:
	case t.json && trouble == nil:
		err = json.NewEncoder(t.out).Encode(code)
	default:
		_, err = fmt.Fprintln(t.out, says)
	}
	return err
}
