package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A program is the daemon's own code and constants as the kernel has mapped
// them. They are in memory once something has used them, most of them at the
// start: the kernel maps sixteen pages, or more, for each that is touched, and
// counts them all as resident.
type program struct {
	mapped []extent
	conns  atomic.Int64  // that guests have opened
	busy   chan struct{} // holds one notice that more of them have come
}

type extent struct{ start, end uintptr }

// ownProgram finds the mappings that nothing was written to: those can be let
// go, and come back from the file by themselves. In others, the linker's
// tables among them, what was written would be lost. Where they cannot be
// found there are none.
func ownProgram() *program {
	p := &program{busy: make(chan struct{}, 1)}
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

// When the program is looked at, and how much of it may be in memory then. What
// guests make it use at once is some 12 MiB, and stays while they come.
const (
	trimEvery = 2 * time.Second
	trimAbove = 8 << 20 // bytes, at rest

	trimConns = 16       // connections of guests
	trimBusy  = 13 << 20 // bytes, when so many have come
)

// keepSmall lets the program's pages go when many of them are in memory: after
// the start, and when many guests have come at once.
func (p *program) keepSmall(ctx context.Context) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for most := trimAbove; ; {
		if residentFiles() > most {
			p.trim()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			most = trimAbove
		case <-p.busy:
			most = trimBusy
		}
	}
}

// came counts a connection of a guest.
func (p *program) came() {
	if p.conns.Add(1)%trimConns == 0 {
		select {
		case p.busy <- struct{}{}:
		default:
		}
	}
}

// A countedListener tells of each connection that it accepts.
type countedListener struct {
	net.Listener
	came func()
}

// Accept is the listener's.
func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.came()
	}
	return c, err
}

// residentFiles is how many bytes of files this process has in memory: its
// program. The livebook is on a tmpfs, which counts as shared memory. 0 when the
// kernel does not say.
func residentFiles() int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, behind, _ := strings.Cut(string(text), "\nRssFile:") // since Linux 4.5 (proc(5))
	var kib int
	fmt.Sscan(behind, &kib)
	return kib << 10
}

// trim lets the program's pages go. What is used again comes back by a minor
// fault each, a hundred or so of them; what only the start has used does not.
func (p *program) trim() {
	for _, e := range p.mapped {
		unix.Syscall(unix.SYS_MADVISE, e.start, e.end-e.start, unix.MADV_DONTNEED)
	}
}
