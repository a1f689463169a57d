package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// The files of the socket in run_dir.
const (
	socketName = "control.sock"
	lockName   = "control.lock"
)

// socketPath is where the socket of a daemon with that run_dir is.
func socketPath(runDir string) string { return filepath.Join(runDir, socketName) }

// errRunning says that another daemon serves the same run_dir.
var errRunning = errors.New("another hien is running")

// A Listener is the open socket. While it is open no other process can open
// one in the same run_dir; the kernel lets go of it when this process dies,
// however it dies.
type Listener struct {
	net.Listener
	path  string
	lock  *os.File
	close sync.Once
	err   error
}

// Listen makes run_dir where it is missing, and opens the socket in it. A
// socket that a dead daemon left behind is replaced. When a living one has it
// the error says so.
func Listen(runDir string) (*Listener, error) {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return nil, fmt.Errorf("make run_dir: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(runDir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of the control socket: %w", err)
	}
	l := &Listener{path: socketPath(runDir), lock: lock}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w with run_dir %s: `hien status` shows it; stop it first, or give this one another run_dir", errRunning, runDir)
		}
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if l.Listener, err = listenPrivate(runDir, l.path); err != nil {
		lock.Close()
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	return l, nil
}

// listenPrivate opens a socket that was never open to others: it is made in a
// directory of its own, closed to others there, and then moved to its place,
// over what may have been there.
func listenPrivate(runDir, path string) (net.Listener, error) {
	dir, err := os.MkdirTemp(runDir, ".sock") // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // by the name that is about to change
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close removes the socket and lets another daemon open one.
func (l *Listener) Close() error {
	l.close.Do(func() {
		// The socket goes before the lock: it must not be the next daemon's.
		err := os.Remove(l.path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		l.err = errors.Join(l.Listener.Close(), err, l.lock.Close())
	})
	return l.err
}
