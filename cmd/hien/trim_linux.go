package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A program is the daemon's own code and constants as the kernel has mapped
// them. They are in memory once something has used them, most of them at the
// start: the kernel maps sixteen pages, or more, for each that is touched, and
// counts them all as resident.
type program struct {
	mapped []extent
}

type extent struct{ start, end uintptr }

// ownProgram finds the mappings that nothing was written to: those can be let
// go, and come back from the file by themselves. In others, the linker's
// tables among them, what was written would be lost. Where they cannot be
// found there are none.
func ownProgram() (p program) {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return p
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return p
	}
	defer f.Close()
	var own *extent
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "Anonymous:"): // what was written to (proc(5))
			if own != nil && strings.Fields(line)[1] == "0" {
				p.mapped = append(p.mapped, *own)
			}
			own = nil
		case strings.HasSuffix(line, " "+self):
			var e extent
			var mode string
			if _, err := fmt.Sscanf(line, "%x-%x %s", &e.start, &e.end, &mode); err == nil && (mode == "r-xp" || mode == "r--p") {
				own = &e
			}
		}
	}
	return p
}

// How often the program is looked at, and how much of it may be resident then.
// While nobody comes it stays below that, and nothing is let go.
const (
	trimEvery = 250 * time.Millisecond
	trimAbove = 8 << 20 // bytes
)

// keepSmall lets the program's pages go whenever more than trimAbove of them
// are resident: after the start, and while many guests come at once.
func (p program) keepSmall(ctx context.Context) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		if residentFiles() > trimAbove {
			p.trim()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// residentFiles is how many bytes of files this process has in memory; for the
// daemon that is its program, but for some pages of the livebook. 0 when the
// kernel does not say.
func residentFiles() int {
	text, err := os.ReadFile("/proc/self/statm") // size resident shared text lib data dt, in pages (proc(5))
	if err != nil {
		return 0
	}
	var size, rss, shared int
	if _, err := fmt.Sscan(string(text), &size, &rss, &shared); err != nil {
		return 0
	}
	return shared * os.Getpagesize()
}

// trim lets the program's pages go. What is used again comes back by a minor
// fault each, a hundred or so of them; what only the start has used does not.
func (p program) trim() {
	for _, e := range p.mapped {
		unix.Syscall(unix.SYS_MADVISE, e.start, e.end-e.start, unix.MADV_DONTNEED)
	}
}
