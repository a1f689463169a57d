package setup_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien/internal/setup"
)

// What the test's own program is, when it is started by a test.
const (
	roleVariable = "HIEN_SETUP_TEST_ROLE"
	dirVariable  = "HIEN_SETUP_TEST_DIR"
)

func TestMain(m *testing.M) {
	dir := os.Getenv(dirVariable)
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "owner":
		exit(playOwner(dir))
	case "guard":
		exit(playGuard(dir))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// inDir is a setup whose commands are programs that there are everywhere.
func inDir(dir string) *setup.Setup {
	config := filepath.Join(dir, "etc", "config")
	s := &setup.Setup{
		Place:    setup.Place{Config: config, Hien: filepath.Join(config, "hien"), State: filepath.Join(dir, "state")},
		Commands: setup.Commands{Reload: [][]string{{"/bin/true"}}, Start: [][]string{{"/bin/true"}}, Stop: [][]string{{"/bin/true"}}},
		Boot:     "this one",
		Log:      slog.New(slog.DiscardHandler),
		Run:      setup.RunCommand,
	}
	s.Quick(time.Second, 3*time.Second)
	return s
}

// playOwner is `hien setup` in a terminal.
func playOwner(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "after.json"))
	if err != nil {
		return err
	}
	var after map[string][]byte
	if err := json.Unmarshal(text, &after); err != nil {
		return err
	}
	s := inDir(dir)
	s.Watch = func(ctx context.Context) error {
		if err := os.Setenv(roleVariable, "guard"); err != nil {
			return err
		}
		return setup.Detach(ctx, []string{"/proc/self/exe", "--watch"})
	}
	ctx := context.Background()
	trial, err := s.Try(ctx, after)
	if err != nil {
		return err
	}
	fmt.Println("tried")
	return trial.Await(ctx, make(chan bool))
}

// playGuard is `hien setup --watch`.
func playGuard(dir string) error {
	signal.Ignore(syscall.SIGHUP)
	return inDir(dir).Guard(context.Background(), func() {
		if err := errors.Join(
			os.WriteFile(filepath.Join(dir, "guard"), []byte(strconv.Itoa(os.Getpid())), 0o600),
			setup.Ready(os.Stdout),
		); err != nil {
			exit(err)
		}
	})
}

// terminal is one as sshd makes it: who closes its master hangs up.
func terminal(t *testing.T) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(t, err)
	tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	return master, tty
}

// TestTheOwnersTerminalIsGone is a shop owner whose connection to the router
// goes down with the change: real processes, a real terminal that hangs up.
func TestTheOwnersTerminalIsGone(t *testing.T) {
	m := newMachine(t, 1)
	after, err := json.Marshal(m.after)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(m.dir, "after.json"), after, 0o600))
	// The watchdog becomes this process' child when the owner's is gone.
	must(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

	master, tty := terminal(t)
	owner := exec.Command("/proc/self/exe")
	owner.Env = append(os.Environ(), roleVariable+"=owner", dirVariable+"="+m.dir)
	owner.Stdin, owner.Stdout, owner.Stderr = tty, tty, tty
	owner.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, owner.Start())
	must(t, tty.Close())
	said, err := bufio.NewReader(master).ReadString('\n')
	if strings.TrimSpace(said) != "tried" {
		rest, _ := io.ReadAll(master)
		t.Fatalf("the owner's process said %q %q, %v; want that it has tried", said, rest, err)
	}
	m.holds("after")

	must(t, master.Close())
	var killed *exec.ExitError
	// By the signal, or where that is ignored (under nohup) by what it reads.
	if err := owner.Wait(); !errors.As(err, &killed) {
		t.Fatalf("the owner's process ended by %v, want that its terminal's end has ended it", err)
	}
	pid, err := os.ReadFile(filepath.Join(m.dir, "guard"))
	must(t, err)
	guard, err := strconv.Atoi(string(pid))
	must(t, err)
	if session, err := unix.Getsid(guard); err != nil || session != guard {
		t.Errorf("the watchdog is in session %d, %v; want one of its own, %d", session, err, guard)
	}
	must(t, unix.Kill(guard, unix.SIGHUP))
	var status unix.WaitStatus
	if _, err := unix.Wait4(guard, &status, 0, nil); err != nil || !status.Exited() || status.ExitStatus() != 0 {
		t.Fatalf("the watchdog ended by %v, %v; want status 0", status, err)
	}
	m.holds("before")
	m.leaves()
}

func TestDetachSaysWhenAProgramIsNotReady(t *testing.T) {
	for name, argv := range map[string][]string{
		"one that there is not":           {"/nonexistent"},
		"one that ends":                   {"/bin/true"},
		"one that says something else":    {"/bin/echo", "hello"},
		"one that ends with a bad status": {"/bin/false"},
	} {
		if err := setup.Detach(t.Context(), argv); err == nil || !strings.Contains(err.Error(), "start "+argv[0]) {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := setup.Detach(ctx, []string{"/bin/sleep", "60"}); err == nil {
		t.Error("one that says nothing: want an error")
	}
}

func TestRunCommandSaysWhatWentWrong(t *testing.T) {
	must(t, setup.RunCommand(t.Context(), []string{"/bin/true"}))
	err := setup.RunCommand(t.Context(), []string{"/bin/ls", "/nonexistent/dir"})
	if err == nil || !strings.Contains(err.Error(), "run /bin/ls /nonexistent/dir: exit status") || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("got %v, want what the program said", err)
	}
	var missing *exec.Error
	if err := setup.RunCommand(t.Context(), []string{"nonexistent-program"}); !errors.As(err, &missing) {
		t.Errorf("got %v, want that there is no such program", err)
	}
}
