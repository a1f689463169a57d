package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
)

// A clock tells moments: wall time, the kernel's boot id, the time since that
// boot with suspended time included, and whether the wall clock is in step.
type clock struct {
	boot string
	sure bool // tests: it is in step, whatever the kernel says
}

func newClock() (clock, error) {
	const path = "/proc/sys/kernel/random/boot_id"
	b, err := os.ReadFile(path)
	if err != nil {
		return clock{}, fmt.Errorf("read the kernel's boot id: %w", err)
	}
	return clock{boot: strings.TrimSpace(string(b))}, nil
}

// now reads the clocks. The wall clock is in step when whatever disciplines
// it (busybox's ntpd, chrony, systemd-timesyncd) has told the kernel so, by
// clearing STA_UNSYNC (adjtimex(2)).
func (c clock) now() hien.Moment {
	var up unix.Timespec
	var state unix.Timex
	m := hien.Moment{Wall: time.Now().UTC(), Boot: c.boot}
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err == nil { // since Linux 2.6.39
		m.Up = time.Duration(up.Nano())
	}
	if _, err := unix.Adjtimex(&state); err == nil {
		m.InStep = state.Status&unix.STA_UNSYNC == 0
	}
	m.InStep = m.InStep || c.sure
	return m
}
