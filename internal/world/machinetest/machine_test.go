// Package machinetest holds the test that a world leaves the machine as it
// is. It is a package of its own because its tests run on the machine, while
// those of package world run in private namespaces.
package machinetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/world"
	"golang.org/x/sys/unix"
)

// envHelper makes the test binary a program that builds a world: its value is
// what it does then, "finish" or "stand".
const envHelper = "HIEN_WORLD_TEST_HELPER"

func TestMain(m *testing.M) {
	if then := os.Getenv(envHelper); then != "" {
		if err := helper(then); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// helper builds a world with everything in it, says so, and ends or waits.
func helper(then string) error {
	var handed []*os.File
	if os.Getenv("HIEN_WORLD_ROLE") == "" {
		handed = append(handed, os.NewFile(3, "witness"))
	}
	in, err := world.Enter(world.Entry{Listen: []string{"127.0.0.1:0"}, Files: handed})
	if err != nil {
		return err
	}
	// The witness stays open in every process of the world that does not
	// close it on its own.
	if _, err := unix.FcntlInt(in.Files[0].Fd(), unix.F_SETFD, 0); err != nil {
		return err
	}
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(interrupted, time.Minute)
	defer cancel()
	w, err := world.New(ctx, world.Options{LAN: true})
	if err != nil {
		return err
	}
	p, err := w.AddPhone("phone")
	if err != nil {
		return err
	}
	if err := p.Join(ctx); err != nil {
		return err
	}
	for _, argv := range [][]string{
		{"nft", "add", "table", "inet", "left_behind"},
		{"ip", "rule", "add", "fwmark", "7", "unreachable"},
		{"iptables-legacy", "-A", "FORWARD", "-j", "DROP"},
	} {
		if _, err := w.Router.Run(ctx, argv[0], argv[1:]...); err != nil {
			return err
		}
	}
	if _, err := w.AddCrowd(ctx, 10); err != nil {
		return err
	}
	if _, err := os.CreateTemp("", "hien-world-left-behind"); err != nil {
		return err
	}
	// The machine's listener shows what the phone sees, as in the demo.
	go http.Serve(in.Listeners[0], http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		a, err := p.Get(r.Context(), "http://example.vn/")
		fmt.Fprintf(rw, "%s, %v", a.Body, err)
	}))
	fmt.Println("standing", in.Listeners[0].Addr())
	if then == "finish" {
		return w.Close()
	}
	<-interrupted.Done()
	fmt.Println("interrupted")
	if err := w.Close(); err != nil {
		return err
	}
	os.Exit(42)
	return nil
}

func TestTheMachineIsAsItWas(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the packet filters of the machine can be read by root only")
	}
	// Who is orphaned becomes ours, so that we can wait for its end.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	program := readableByAll(t)
	for _, c := range []struct {
		name, then string
		user       uint32
		end        func(*exec.Cmd) error
		code       int // -1: killed by the signal
		says       string
	}{
		{"when it has finished", "finish", 0, func(*exec.Cmd) error { return nil }, 0, ""},
		{"when it was interrupted", "stand", 0, interrupt, 42, "interrupted\n"},
		{"when it was killed", "stand", 0, kill, -1, ""},
		{"when its inside was killed", "stand", 0, killChild, 128 + 9, ""},
		{"when it was interrupted, without root", "stand", nobody, interrupt, 42, "interrupted\n"},
		{"when it was killed, without root", "stand", nobody, kill, -1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if limit, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); c.user != 0 && (err != nil || strings.TrimSpace(string(limit)) == "0") {
				t.Skip("the kernel has no user namespaces")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			before, err := world.Snapshot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, section := range []string{"== nft list ruleset (<nil>)", "== iptables-legacy-save (<nil>)", "ipv4/ip_forward = "} {
				if !strings.Contains(before, section) {
					t.Errorf("the snapshot lacks %q", section)
				}
			}
			witness, held, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer witness.Close()
			cmd := exec.CommandContext(ctx, program)
			cmd.Env = append(os.Environ(), envHelper+"="+c.then)
			cmd.ExtraFiles = []*os.File{held}
			cmd.Stderr = os.Stderr
			if c.user != 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.user, Gid: c.user}}
			}
			said, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			held.Close()
			lines := bufio.NewReader(said)
			line, err := lines.ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "standing ") {
				t.Fatalf("the helper said %q, %v; want that its world stands", line, err)
			}
			space := ""
			if c.then == "stand" {
				seen, err := fetch(ctx, "http://"+strings.TrimSpace(strings.TrimPrefix(line, "standing ")))
				if want := "This is the internet, at example.vn"; err != nil || !strings.Contains(seen, want) {
					t.Errorf("through the machine's listener: %q, %v; want %q", seen, err, want)
				}
				child, err := childOf(cmd.Process.Pid)
				if err != nil {
					t.Fatal(err)
				}
				space, err = os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", child))
				if err != nil {
					t.Fatal(err)
				}
				if n := len(processesIn(t, space)); n < 3 {
					t.Errorf("%d processes in the world, want its inside, dnsmasq and udhcpc at least", n)
				}
			}
			if err := c.end(cmd); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(lines)
			if err != nil {
				t.Error(err)
			}
			if got := string(rest); got != c.says {
				t.Errorf("at its end the helper said %q, want %q", got, c.says)
			}
			err = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code = %d (%v), want %d", got, err, c.code)
			}
			// The end of the pipe, and of the orphan that the kernel gave
			// to us, is the end of every process of the world: the first
			// process of a namespace ends after all others.
			if deadline, ok := ctx.Deadline(); ok {
				witness.SetReadDeadline(deadline)
			}
			if _, err := io.Copy(io.Discard, witness); err != nil {
				t.Errorf("a process of the world lives on: %v", err)
			}
			reapOrphans(t)
			if space != "" {
				if left := processesIn(t, space); len(left) > 0 {
					t.Errorf("processes %v of the world live on", left)
				}
			}
			after, err := world.Snapshot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if diff := world.SnapshotDiff(before, after); diff != "" {
				t.Errorf("the machine has changed:\n%s", diff)
			}
		})
	}
}

// readableByAll copies the test binary to where every user may start it.
func readableByAll(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hien-machinetest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "helper")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// childOf is the one child of a process.
func childOf(pid int) (int, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		if f := strings.Fields(string(text)); len(f) == 1 {
			return strconv.Atoi(f[0])
		}
	}
	return 0, fmt.Errorf("process %d has no child", pid)
}

const nobody = 65534

func interrupt(c *exec.Cmd) error { return c.Process.Signal(os.Interrupt) }
func kill(c *exec.Cmd) error      { return c.Process.Kill() }

func killChild(c *exec.Cmd) error {
	child, err := childOf(c.Process.Pid)
	if err != nil {
		return err
	}
	return unix.Kill(child, unix.SIGKILL)
}

// processesIn are the living processes of a process-id namespace.
func processesIn(t *testing.T, space string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range all {
		if link, err := os.Readlink(file); err == nil && link == space {
			found = append(found, strings.Split(file, "/")[2])
		}
	}
	return found
}

// reapOrphans waits for every child that is left.
func reapOrphans(t *testing.T) {
	t.Helper()
	for {
		_, err := unix.Wait4(-1, nil, 0, nil)
		if errors.Is(err, unix.ECHILD) {
			return
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
	}
}

func TestNothingIsBuiltOutside(t *testing.T) {
	if _, err := world.New(t.Context(), world.Options{}); !errors.Is(err, world.ErrOutside) {
		t.Errorf("New outside of private namespaces = %v, want %v", err, world.ErrOutside)
	}
}
