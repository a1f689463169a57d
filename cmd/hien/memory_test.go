package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien/internal/world"
)

// TestASmallRoutersMemory has 250 guests come within seconds, a fifth of whom
// give, to a daemon that is started as on a router of 128 MB
// (start-128-MB.golden in openwrt/openwrttest/testdata). What it logs is read
// by `make hardware`.
func TestASmallRoutersMemory(t *testing.T) {
	const guests, givers = 250, 50
	const most = 24.0 // MiB
	world.Need(t)
	g, crowd := benchShop(t, guests, "GOMEMLIMIT=20MiB", "GOGC=30")
	var rss, highest float64
	for i, guest := range crowd {
		way := "skip"
		if i < givers {
			way = "give"
		}
		press, path, err := ready(g, t.Context(), guest, way, fmt.Sprintf("09876%05d", i))
		if err == nil {
			_, err = press.Send(t.Context(), path)
		}
		if err != nil {
			t.Fatal(err)
		}
		rss, _ = memory(t, g.Daemon.PID())
		highest = max(highest, rss)
	}
	if highest >= most {
		t.Errorf("resident: at most %.1f MiB; want less than %.0f", highest, most)
	}
	t.Logf("resident with %d guests: %.1f MiB, at most %.1f MiB while they came", guests, rss, highest)
}

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
		{"one KiB too little", account("98303 kB"), "has 95 MiB of memory and Hiên needs 96"},
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

// small gives this process, and what it starts, a router's account of 64 MB.
func small(t *testing.T) {
	t.Helper()
	world.Need(t) // the process is in a mount namespace of its own
	account := write(t, filepath.Join(t.TempDir(), "meminfo"), "MemTotal:          58904 kB\nMemFree:           21044 kB\n")
	if err := unix.Mount(account, "/proc/meminfo", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount("/proc/meminfo", 0); err != nil {
			t.Error(err)
		}
	})
}

func TestStatusSaysThatThereIsTooLittleMemory(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "hien"), "config hien 'main'\n\toption store_id 'a'\n\toption store_name 'A'\n\toption data_dir '"+dir+"/data'\n\toption run_dir '"+dir+"/run'\nconfig zone 'guest'\n\toption interface 'br-guest'\n")
	if _, _, says := said(t, "status", "--config", path); !strings.Contains(says, "start it with `hien run`") {
		t.Errorf("with enough memory: says %q, want what starts it", says)
	}
	small(t)
	status, _, says := said(t, "status", "--config", path)
	if status != 1 || !strings.Contains(says, "Hiên is not running. This router has 57 MiB of memory and Hiên needs 96") || strings.Contains(says, "hien run") {
		t.Errorf("status %d, says %q; want 1 and that there is too little memory", status, says)
	}
}

func TestThisMachineHasEnoughMemory(t *testing.T) {
	if err := enoughMemory(); err != nil {
		t.Error(err)
	}
}
