package world

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The main goroutine keeps the process's first thread to itself. A node's
// programs end with the node because its thread ends; the first thread never
// does (runtime.LockOSThread), so no node may live on it.
func init() { runtime.LockOSThread() }

// Node is one computer of a world: a network namespace with a thread that
// lives in it, and an /etc/resolv.conf and /etc/hosts of its own.
type Node struct {
	Name string // also the name under /run/netns, for ip netns exec

	dir   string // resolv.conf, hosts and whatever its services keep
	ns    int    // the namespace's file descriptor
	calls chan func()
	quit  chan struct{} // closed to end the thread
	gone  chan struct{} // closed when the thread has ended
	roots *x509.CertPool
}

// newNode makes a namespace and the thread that lives in it.
func newNode(name string) (*Node, error) {
	if outside != nil {
		return nil, outside
	}
	n := &Node{
		Name:  name,
		dir:   filepath.Join(runDir, name),
		calls: make(chan func()),
		quit:  make(chan struct{}),
		gone:  make(chan struct{}),
	}
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return nil, err
	}
	for file, text := range map[string]string{
		n.ResolvConf(): "",
		n.hosts():      "127.0.0.1 localhost\n::1 localhost\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	ready := make(chan error)
	go n.live(ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("make node %s: %w", name, err)
	}
	return n, nil
}

// live is the node's thread. It never unlocks, so that the thread ends with
// the goroutine and takes along the processes it has started (Pdeathsig).
func (n *Node) live(ready chan<- error) {
	runtime.LockOSThread()
	defer close(n.gone)
	err := n.enterNew()
	ready <- err
	if err != nil {
		return
	}
	for {
		select {
		case f := <-n.calls:
			f()
		case <-n.quit:
			unix.Unmount(filepath.Join(netnsDir, n.Name), unix.MNT_DETACH)
			os.Remove(filepath.Join(netnsDir, n.Name))
			unix.Close(n.ns)
			return
		}
	}
}

func (n *Node) enterNew() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	const here = "/proc/thread-self/ns/net"
	fd, err := unix.Open(here, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	n.ns = fd
	name := filepath.Join(netnsDir, n.Name)
	if err := os.WriteFile(name, nil, 0o444); err != nil {
		return err
	}
	if err := unix.Mount(here, name, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", name, err)
	}
	return loopbackUp()
}

// close ends the node: its thread, the processes started from it, its
// namespace once nothing is left in it.
func (n *Node) close() error {
	close(n.quit)
	<-n.gone
	return os.RemoveAll(n.dir)
}

// ErrClosed says that a node's world has been closed.
var ErrClosed = errors.New("world: node is closed")

// Do runs f on the node's thread: sockets that f makes, netlink calls and
// files under /proc/sys/net are the node's. Calls come one after the other; f
// must not wait for long and must not call Do of the same node.
func (n *Node) Do(f func() error) error {
	done := make(chan error, 1)
	call := func() {
		err := errors.New("world: the function ended the node's goroutine (t.Fatal within Do?)")
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("world: panic on node %s: %v\n%s", n.Name, r, debug.Stack())
			}
			done <- err
		}()
		err = f()
	}
	select {
	case n.calls <- call:
		return <-done
	case <-n.gone:
		return ErrClosed
	}
}

// elsewhere runs f on a thread of its own in the node's namespace, for acts
// that block or that change the thread. The thread ends with f.
func (n *Node) elsewhere(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock
		if err := unix.Setns(n.ns, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter node %s: %w", n.Name, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Sysctl sets net.* values of the node, given as alternating paths and values:
//
//	n.Sysctl("net/ipv4/ip_forward", "1")
func (n *Node) Sysctl(pathsAndValues ...string) error {
	return n.Do(func() error { return sysctl(pathsAndValues...) })
}

func sysctl(pathsAndValues ...string) error {
	for i := 0; i+1 < len(pathsAndValues); i += 2 {
		path := filepath.Join("/proc/sys", pathsAndValues[i])
		if !strings.HasPrefix(path, "/proc/sys/net/") {
			return fmt.Errorf("sysctl %s: not of the network namespace", path)
		}
		if err := os.WriteFile(path, []byte(pathsAndValues[i+1]), 0); err != nil {
			return err
		}
	}
	return nil
}

// ResolvConf is the path of the node's own resolv.conf. Programs of the node
// see it as /etc/resolv.conf.
func (n *Node) ResolvConf() string { return filepath.Join(n.dir, "resolv.conf") }

func (n *Node) hosts() string { return filepath.Join(n.dir, "hosts") }

// SetHosts replaces the node's /etc/hosts, which its programs see and which
// [Node.Dial] does not read.
func (n *Node) SetHosts(text string) error { return os.WriteFile(n.hosts(), []byte(text), 0o644) }

// Dir is a directory of the node's own that vanishes with it.
func (n *Node) Dir() string { return n.dir }

// Roots are the certificate authorities that the node trusts: the world's.
func (n *Node) Roots() *x509.CertPool { return n.roots }

// Cmd is a command on a node. It is an [exec.Cmd] that starts on the node's
// thread.
type Cmd struct {
	*exec.Cmd
	node *Node
}

// Command prepares a program that runs in the node's network namespace and
// in a mount namespace in which /etc/resolv.conf, /etc/hosts and /sys are the
// node's. It is killed when ctx ends, when the node is closed or when the
// world's process dies. No shell is involved.
func (n *Node) Command(ctx context.Context, name string, args ...string) *Cmd {
	path, err := exec.LookPath(name)
	self := append([]string{n.ResolvConf(), n.hosts(), path, name}, args...)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", self...)
	if err != nil {
		cmd.Err = err
	}
	cmd.Env = os.Environ()
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig:    unix.SIGKILL,
		Unshareflags: unix.CLONE_NEWNS,
	}
	return &Cmd{cmd, n}
}

// Start starts the command on the node's thread.
func (c *Cmd) Start() error {
	c.Env = append(c.Env, envRole+"="+roleExec)
	return c.node.Do(c.Cmd.Start)
}

// Run starts the command and waits until it has ended.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns its standard output. An error tells
// what it said on standard error.
func (c *Cmd) Output() ([]byte, error) {
	var out, complaint bytes.Buffer
	c.Stdout = &out
	if c.Stderr == nil {
		c.Stderr = &complaint
	}
	if err := c.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s on %s: %w: %s", strings.Join(c.Args[4:], " "), c.node.Name, err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.Bytes(), nil
}

// CombinedOutput runs the command and returns standard output and standard
// error together.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Run runs a program on the node and returns its standard output.
func (n *Node) Run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := n.Command(ctx, name, args...).Output()
	return string(out), err
}

// envThen is the role that the program takes for its own children, which the
// exec role must hand on instead of its own.
const envThen = "HIEN_WORLD_THEN"

// becomeProgram is the exec role: the process has a mount namespace of its
// own already (Unshareflags) and is in the node's network namespace.
// Arguments: resolv.conf, hosts, path, argv….
func becomeProgram() error {
	if len(os.Args) < 5 {
		return errors.New("world: exec role: too few arguments")
	}
	for target, source := range map[string]string{"/etc/resolv.conf": os.Args[1], "/etc/hosts": os.Args[2]} {
		if err := bindFile(source, target); err != nil {
			return fmt.Errorf("world: %w", err)
		}
	}
	// A fresh sysfs shows the links of this namespace. In a user namespace
	// the kernel may refuse it; then /sys shows the machine's names, and no
	// harm is done.
	unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, "")
	if then := os.Getenv(envThen); then != "" {
		os.Setenv(envRole, then)
		os.Unsetenv(envThen)
	}
	err := syscall.Exec(os.Args[3], os.Args[4:], os.Environ())
	return fmt.Errorf("world: exec %s: %w", os.Args[3], err)
}

// bindFile puts one file over another. Where the target is a link into /run
// (as with systemd-resolved), whose content the private /run has hidden, the
// place is made first.
func bindFile(source, target string) error {
	if link, err := os.Readlink(target); err == nil {
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(target), link)
		}
		if strings.HasPrefix(link, "/run/") {
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				return err
			}
			f, err := os.OpenFile(link, os.O_CREATE|os.O_RDONLY, 0o644)
			if err != nil {
				return err
			}
			f.Close()
		}
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s over %s: %w", source, target, err)
	}
	return nil
}

// vethPair links two nodes with a pair of virtual Ethernet ports, both down.
func vethPair(a *Node, nameA string, b *Node, nameB string, macB []byte) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = nameA
	return a.Do(func() error {
		err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: nameB, PeerNamespace: netlink.NsFd(b.ns), PeerHardwareAddr: macB})
		if err != nil {
			return fmt.Errorf("link %s to %s: %w", a.Name, b.Name, err)
		}
		return nil
	})
}
