package world

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The kernel has one table of neighbours for all network namespaces of the
// machine, with one limit (neigh/default/gc_thresh3). A world in which a flood
// fills it takes it from the worlds of other processes, whose packets are then
// lost. So each world holds a lock that they share, and one that wants to be
// alone waits until it holds it for itself. The lock is on the folder of
// temporary files, which is in sight of all of them: nothing is written.

// hold takes the lock, and answers what gives it back.
func hold(alone bool) (*os.File, error) {
	f, err := os.Open("/tmp")
	if err != nil {
		return nil, fmt.Errorf("lock the machine's neighbours: %w", err)
	}
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == nil {
			return f, nil
		}
		if err != unix.EINTR {
			return nil, errors.Join(fmt.Errorf("lock the machine's neighbours: %w", err), f.Close())
		}
	}
}
