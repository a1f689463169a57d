package portal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// watchers are the processes named dnsmasq, but for some, that watch a
// directory by inotify. What the kernel says of our own watch of it is
// compared with what it says of theirs: inode numbers from stat(2) are other
// ones on some file systems.
func watchers(dir string, but []int) ([]int, error) {
	want, err := watched(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("find the dnsmasq that reads %s: %w", dir, err)
	}
	var found []int
	comms, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil, err
	}
	for _, comm := range comms {
		name, err := os.ReadFile(comm)
		if err != nil || string(name) != "dnsmasq\n" {
			continue // or it has ended meanwhile
		}
		process := filepath.Dir(comm)
		pid, err := strconv.Atoi(filepath.Base(process))
		if err == nil && !slices.Contains(but, pid) && watches(process, want) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// watched is what tells a directory in the lines of /proc/PID/fdinfo/FD of
// an inotify descriptor (proc(5)): its inode and the kernel's device number.
func watched(dir string) (string, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return "", os.NewSyscallError("inotify_init1", err)
	}
	defer syscall.Close(fd)
	if _, err := syscall.InotifyAddWatch(fd, dir, syscall.IN_MOVED_TO); err != nil {
		return "", &fs.PathError{Op: "inotify_add_watch", Path: dir, Err: err}
	}
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return "", err
	}
	places := inotifyPlaces(info)
	if len(places) != 1 {
		return "", errors.New("the kernel does not tell what is watched")
	}
	return places[0], nil
}

// watches reports whether a process watches a place.
func watches(process, place string) bool {
	infos, err := filepath.Glob(process + "/fdinfo/[0-9]*")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(infos, func(name string) bool {
		info, err := os.ReadFile(name)
		return err == nil && slices.Contains(inotifyPlaces(info), place)
	})
}

// inotifyPlaces are the "ino:… sdev:…" of an fdinfo's lines
// "inotify wd:1 ino:98a151 sdev:fe00000 mask:…".
func inotifyPlaces(info []byte) (places []string) {
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		var place []string
		for _, field := range strings.Fields(lines.Text()) {
			if strings.HasPrefix(field, "ino:") || strings.HasPrefix(field, "sdev:") {
				place = append(place, field)
			}
		}
		if strings.HasPrefix(lines.Text(), "inotify ") && len(place) == 2 {
			places = append(places, strings.Join(place, " "))
		}
	}
	return places
}

// hangUp sends SIGHUP, on which dnsmasq reads its files again and restarts
// nothing (dnsmasq(8), NOTES).
func hangUp(pid int) error {
	err := syscall.Kill(pid, syscall.SIGHUP)
	if errors.Is(err, syscall.ESRCH) {
		return nil // it has ended: nothing is left to forget
	}
	return err
}
