package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	restingArg  = "resting" // the command starts itself so, in namespaces of its own
	guestBridge = "br-guest"
	untilOpen   = 30 * time.Second
)

// resting is how much memory the program has resident in bytes while nobody
// is there: its portal is open, in a network of its own with one bridge.
func resting(ctx context.Context, program string) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, restingArg, program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("measure the memory of %s: %w", filepath.Base(program), err)
	}
	return strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
}

// A crowd is how much memory the program has resident in bytes, on a router of
// 128 MB, with 250 guests in the shop: afterwards, and at most while they came.
type crowd struct{ after, most int64 }

var crowdSaid = regexp.MustCompile(`resident with 250 guests: ([0-9.]+) MiB, at most ([0-9.]+) MiB while they came`)

// crowded has the tests of cmd/hien play that, and reads what they say.
func (j job) crowded(ctx context.Context, program string) (c crowd, err error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-tags", j.tags, "-run", "^TestASmallRoutersMemory$", "-v", "./cmd/hien")
	cmd.Dir, cmd.Env = j.root, append(os.Environ(), "HIEN_PROGRAM="+program)
	out, err := cmd.CombinedOutput()
	said := crowdSaid.FindSubmatch(out)
	if err != nil || said == nil {
		return c, fmt.Errorf("measure the memory of %s with guests: %w\n%s", filepath.Base(program), cmp.Or(err, errors.New("the test says nothing of it")), out)
	}
	for i, to := range []*int64{&c.after, &c.most} {
		mib, err := strconv.ParseFloat(string(said[i+1]), 64)
		if err != nil {
			return c, err
		}
		*to = int64(mib * (1 << 20))
	}
	return c, nil
}

// rest is resting's other half, inside of the namespaces. It prints bytes.
func rest(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, untilOpen)
	defer cancel()
	for _, args := range []string{"link set lo up", "link add " + guestBridge + " type bridge",
		"addr add 10.77.0.1/24 dev " + guestBridge, "link set " + guestBridge + " up"} {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	dir, err := os.MkdirTemp("", "hien-rest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if program, err = inSmallPages(dir, program); err != nil {
		return err
	}
	defer syscall.Unmount(dir, 0)
	config, err := writeConfig(dir, func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, program, args...).Output()
		return string(out), err
	})
	if err != nil {
		return err
	}
	// As the service is started on a router of 128 MB.
	cmd := exec.CommandContext(ctx, program, "run", "--config", config)
	cmd.Env = append(os.Environ(), "MALLOC_ARENA_MAX=1", "GOMEMLIMIT=20MiB", "GOGC=30")
	log, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	if err := portalOpens(log); err != nil {
		return err
	}
	if err := answers(ctx, "10.77.0.1:2050"); err != nil {
		return err
	}
	bytes, err := rss(cmd.Process.Pid)
	if err != nil {
		return err
	}
	fmt.Println(bytes)
	return nil
}

// inSmallPages mounts a ramfs on dir and copies the program there: its pages are
// cached one by one, as a router's are. From other file systems Linux 6.18 and
// later map as much around a page as was read at once, up to the whole program.
func inSmallPages(dir, program string) (string, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	if err := syscall.Mount("hien-rest", dir, "ramfs", 0, ""); err != nil {
		return "", fmt.Errorf("mount a ramfs: %w", err)
	}
	copied := filepath.Join(dir, filepath.Base(program))
	return copied, os.WriteFile(copied, text, 0o755)
}

// portalOpens reads the daemon's log until it says so.
func portalOpens(log io.Reader) error {
	var said strings.Builder
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `msg="the portal is open"`) {
			return nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	return fmt.Errorf("the portal did not open; hien said:\n%s", &said)
}

// answers has the portal answer once, so that it has really begun.
func answers(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, conn); n == 0 {
		return errors.Join(errors.New("the portal said nothing"), err)
	}
	return nil
}

// rss is a process's resident memory in bytes (proc(5), status).
func rss(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New("/proc has no VmRSS")
}
