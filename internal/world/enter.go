package world

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The environment variables by which the program, started again, knows its role.
const (
	envRole  = "HIEN_WORLD_ROLE"
	envFiles = "HIEN_WORLD_FILES" // "<listeners> <files>" handed down by the parent

	roleInside = "inside" // the child in which worlds are built
	roleExec   = "exec"   // binds a node's /etc files and becomes another program
	roleDHCP   = "dhcp"   // the script of a phone's DHCP client
)

// The places of a world, all in the child's private /run.
const (
	runDir   = "/run/world"
	netnsDir = "/run/netns"
)

// ErrOutside says that the process is not in a child made by [Enter], and
// that nothing was built so that the machine stays as it is.
var ErrOutside = errors.New("world: not in a private network namespace")

// outside is why no world can be built in this process; nil inside of a child.
var outside = ErrOutside

// Entry says what a program takes with it into its private namespaces.
type Entry struct {
	Listen []string   // TCP addresses to listen on in the machine's own namespace
	Files  []*os.File // open files to hand down
}

// Inside is what arrived in the private namespaces.
type Inside struct {
	Listeners []net.Listener // one for each [Entry.Listen], in order
	Files     []*os.File     // one for each [Entry.Files], in order
}

// Main runs the tests of a package in private namespaces. It is the body of
// TestMain and does not return:
//
//	func TestMain(m *testing.M) { world.Main(m) }
//
// Where the kernel refuses such namespaces the tests run outside: [New]
// returns an error that tells the reason, and [Need] skips with it. With
// HIEN_WORLD_MUST=1 the process fails instead.
func Main(m interface{ Run() int }) {
	// A fuzz worker talks to its coordinator over inherited files and is a
	// child of a process that is inside already.
	if os.Getenv(envRole) == "" && slices.ContainsFunc(os.Args, isFuzzWorker) {
		os.Exit(m.Run())
	}
	if _, err := Enter(Entry{}); err != nil {
		outside = fmt.Errorf("%w: %w", ErrOutside, err)
		fmt.Fprintln(os.Stderr, outside)
		if os.Getenv("HIEN_WORLD_MUST") != "" {
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func isFuzzWorker(arg string) bool { return strings.HasPrefix(arg, "-test.fuzzworker") }

// Need skips a test, with the reason, where no world can be built.
func Need(t interface {
	Helper()
	Skip(args ...any)
}) {
	t.Helper()
	if outside != nil {
		t.Skip(outside)
	}
}

// Enter starts the program again as a child in private namespaces. In the
// first process it returns only when that child could not be started;
// otherwise it forwards signals, waits, and exits as the child did. In the
// child it returns what the parent handed down. It must be the first thing
// that main does, as the same program also serves the world in other roles.
//
// Standard input stays readable only while the terminal's foreground group is
// the parent's: the child has a group of its own, so that Ctrl-C reaches it
// once, through the parent.
func Enter(e Entry) (*Inside, error) {
	role := os.Getenv(envRole)
	os.Unsetenv(envRole)
	switch role {
	case roleInside:
		return arrive()
	case roleExec:
		fatal(becomeProgram())
	case roleDHCP:
		fatal(runDHCPScript())
	case "":
	default:
		fatal(fmt.Errorf("world: unknown role %q", role))
	}
	// Pdeathsig is sent when the *thread* that started the child ends.
	runtime.LockOSThread()
	code, err := lead(e)
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	os.Exit(code)
	return nil, nil
}

// fatal ends a role. It leaves by the system call, as the race detector
// sleeps a second in os.Exit.
func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		unix.Exit(126)
	}
	unix.Exit(0)
}

// lead is the parent's part: it starts the child and waits for it.
func lead(e Entry) (code int, err error) {
	// The child reads the other end and ends when the parent is gone. It is
	// a second rope beside Pdeathsig, which a change of credentials clears.
	rope, hold, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer hold.Close()
	defer rope.Close()
	files := []*os.File{rope}
	for _, addr := range e.Listen {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return 0, fmt.Errorf("listen for the world: %w", err)
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			return 0, err
		}
		defer f.Close()
		files = append(files, f)
	}
	files = append(files, e.Files...)

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer signal.Stop(signals)

	cmd, err := startChild(files, len(e.Listen), len(e.Files))
	if err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for n := 1; ; {
		select {
		case sig := <-signals:
			cmd.Process.Signal(sig)
			if n++; n > 3 { // whoever presses Ctrl-C three times means it
				cmd.Process.Kill()
			}
		case err := <-ended:
			return exitCode(cmd, err)
		}
	}
}

func exitCode(cmd *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

func startChild(files []*os.File, listeners, others int) (*exec.Cmd, error) {
	child := func(user bool) *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Args[0] = os.Args[0]
		cmd.Env = append(os.Environ(), envRole+"="+roleInside, fmt.Sprintf("%s=%d %d", envFiles, listeners, others))
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.ExtraFiles = files
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
			Pdeathsig:  unix.SIGKILL,
			Setpgid:    true,
		}
		if user {
			cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		return cmd
	}
	cmd := child(os.Geteuid() != 0)
	err := cmd.Start()
	if errors.Is(err, unix.EPERM) && os.Geteuid() == 0 {
		// Root of a container that may not do it as root, but perhaps as
		// the root of a user namespace of its own.
		cmd = child(true)
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start in new network, mount and process-id namespaces: %w (the kernel may forbid user namespaces: see user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns; as root it works without them)", err)
	}
	return cmd, nil
}

// arrive is the child's part: it makes the mounts its own and takes what was
// handed down.
func arrive() (*Inside, error) {
	in := new(Inside)
	listeners, others, _ := strings.Cut(os.Getenv(envFiles), " ")
	os.Unsetenv(envFiles)
	const rope = 3
	unix.CloseOnExec(rope)
	go func() {
		io.Copy(io.Discard, os.NewFile(rope, "rope"))
		os.Exit(137)
	}()
	fd := rope + 1
	take := func(n string, each func(*os.File) error) error {
		count, err := strconv.Atoi(n)
		if err != nil {
			return fmt.Errorf("%s: %w", envFiles, err)
		}
		for range count {
			unix.CloseOnExec(fd)
			if err := each(os.NewFile(uintptr(fd), fmt.Sprintf("inherited %d", fd))); err != nil {
				return err
			}
			fd++
		}
		return nil
	}
	err := take(listeners, func(f *os.File) error {
		defer f.Close()
		l, err := net.FileListener(f)
		in.Listeners = append(in.Listeners, l)
		return err
	})
	if err == nil {
		err = take(others, func(f *os.File) error { in.Files = append(in.Files, f); return nil })
	}
	if err == nil {
		err = ownMounts()
	}
	if err == nil {
		err = loopbackUp()
	}
	if err != nil {
		return nil, fmt.Errorf("world: furnish the private namespaces: %w", err)
	}
	outside = nil
	return in, nil
}

func ownMounts() error {
	steps := []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"hien-world", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
	}
	for _, s := range steps {
		if err := unix.Mount(s.source, s.target, s.kind, s.flags, s.data); err != nil {
			return fmt.Errorf("mount %s: %w", s.target, err)
		}
	}
	tmp := filepath.Join(runDir, "tmp")
	for _, dir := range []string{netnsDir, tmp, "/run/lock"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// Temporary files lie in the private /run and vanish with it. /tmp
	// itself stays in sight, as the test binary and the files that go test
	// asks for are there.
	if err := os.Chmod(tmp, 0o777|os.ModeSticky); err != nil {
		return err
	}
	return os.Setenv("TMPDIR", tmp)
}

func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}
