package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/setup"
)

// leastMemory is what a router must have: below it the kernel would sooner or
// later kill hien or something that the shop needs. A router that is sold
// with 128 MB shows some 115 MiB or more, one with 64 MB less than 60.
const leastMemory = 96 << 20

// enoughMemory refuses a router with too little memory. Where the kernel does
// not say how much there is, it is enough.
func enoughMemory() error {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil // a jail without /proc; procd's limit stands all the same
	}
	return memorySuffices(string(text))
}

// memorySuffices reads the kernel's account (proc(5), meminfo: MemTotal, in
// KiB, is what is left of the memory when the kernel has started).
func memorySuffices(meminfo string) error {
	for line := range strings.Lines(meminfo) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "MemTotal:" || f[2] != "kB" {
			continue
		}
		kib, err := strconv.ParseUint(f[1], 10, 48)
		if err != nil || kib<<10 >= leastMemory {
			return nil
		}
		return setup.SmallRouter(kib>>10, leastMemory>>20)
	}
	return nil
}

// whyNotRunning says of a daemon that does not run that it cannot, where there
// is too little memory: to start it would not help.
func whyNotRunning(err error) error {
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	if small := enoughMemory(); small != nil {
		return fmt.Errorf("%w. %w", control.ErrNotRunning, small)
	}
	return err
}
