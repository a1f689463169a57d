package main

import (
	"strings"
	"testing"
)

func TestARouterWithTooLittleMemoryIsRefused(t *testing.T) {
	// The first lines of /proc/meminfo.
	account := func(total string) string {
		return "MemTotal:         " + total + "\nMemFree:           21044 kB\nMemAvailable:      30612 kB\n"
	}
	for _, c := range []struct {
		name, meminfo, want string // what the message says; empty for enough
	}{
		{"a router of 256 MB", account("250104 kB"), ""},
		{"a router of 128 MB", account("121640 kB"), ""},
		{"just enough", account("98304 kB"), ""},
		{"one KiB too little", account("98303 kB"), "has 95 MiB of memory and hien needs 96"},
		{"a router of 64 MB", account("58904 kB"), "has 57 MiB of memory"},
		{"a computer with very much", account("281474976710655 kB"), ""},
		{"more than any number", account("99999999999999999999 kB"), ""},
		{"no account of the total", "MemFree: 1024 kB\n", ""},
		{"another unit", account("1 MB"), ""},
		{"nothing at all", "", ""},
		{"a line that is cut", "MemTotal:", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := memorySuffices(c.meminfo)
			if c.want == "" {
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "128 MB or more") {
				t.Errorf("got %v, want it to say %q and what to do", err, c.want)
			}
		})
	}
}

func TestThisMachineHasEnoughMemory(t *testing.T) {
	if err := enoughMemory(); err != nil {
		t.Error(err)
	}
}
