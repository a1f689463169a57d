package openwrttest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/internal/uci"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	code := m.Run()
	if parts.dir != "" {
		os.RemoveAll(parts.dir)
	}
	os.Exit(code)
}

// A router is a root file system of busybox, of stand-ins for what OpenWrt has
// around an init script (testdata/root), and of the package's own files, in
// which programs run as in a real one. What the stand-ins are asked is noted.
type router struct {
	t    *testing.T
	dir  string
	root *os.Root // no link in it leads out of it
}

// The programs that are stubs: they note how they are called.
var stubs = []string{"hien", "logger", "ubus", "chown", "reload_config", "wifi", "sleep", "pidof"}

// newRouter makes one with the default configuration of a fresh router and
// 256 MB of memory, and with fw4.
func newRouter(t *testing.T) *router {
	t.Helper()
	r := &router{t: t, dir: t.TempDir()}
	root, err := os.OpenRoot(r.dir)
	r.must(err)
	t.Cleanup(func() { r.must(root.Close()) })
	r.root = root
	base := baseParts(t)
	for _, dir := range []string{"bin", "sbin", "usr/bin", "proc/sys/kernel/random", "tmp", "dev", "var/run", "etc/config", "etc/rc.d", "etc/uci-defaults"} {
		r.must(r.root.MkdirAll(dir, 0o755))
	}
	r.linkTree(base)
	r.copyTree("testdata/root", "")
	r.copyTree("testdata/router", "etc/config")
	r.copyTree("../hien/root", "")
	applets, err := os.ReadFile("testdata/applets")
	r.must(err)
	for _, name := range strings.Fields(string(applets)) {
		r.must(r.root.Symlink("busybox", "bin/"+name))
	}
	for _, name := range stubs {
		if name == "hien" {
			r.must(r.root.Symlink("../../bin/stub", "usr/bin/hien"))
			continue
		}
		r.must(r.root.Symlink("stub", "bin/"+name))
	}
	r.write("/dev/null", "")
	r.write("/proc/sys/kernel/random/uuid", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\n")
	r.write("/etc/passwd", "root:x:0:0:root:/root:/bin/ash\n")
	r.write("/etc/group", "root:x:0:\n")
	r.write("/tmp/fails.pidof", "1") // nothing runs
	r.program("/sbin/fw4", "")
	r.program("/sbin/ujail", "")
	r.memory(244 << 10)
	return r
}

func (r *router) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// path is where a file of the router is for a program outside of it.
func (r *router) path(name string) string { return filepath.Join(r.dir, name) }

// in is the name of a file of the router as root takes it.
func in(name string) string { return strings.TrimPrefix(name, "/") }

// write puts a file in the place of whatever was there.
func (r *router) write(name, text string) {
	r.t.Helper()
	r.put(name, text, 0o644)
}

// program puts in a program.
func (r *router) program(name, text string) {
	r.t.Helper()
	r.put(name, text, 0o755)
}

func (r *router) put(name, text string, mode fs.FileMode) {
	r.t.Helper()
	name = in(name)
	if dir := filepath.Dir(name); dir != "." {
		r.must(r.root.MkdirAll(dir, 0o755))
	}
	r.must(r.root.RemoveAll(name))
	r.must(r.root.WriteFile(name, []byte(text), mode))
}

func (r *router) read(name string) string {
	r.t.Helper()
	text, err := r.root.ReadFile(in(name))
	r.must(err)
	return string(text)
}

func (r *router) remove(name string) {
	r.t.Helper()
	r.must(r.root.RemoveAll(in(name)))
}

func (r *router) there(name string) bool {
	_, err := r.root.Lstat(in(name))
	return err == nil
}

// memory sets what the kernel says of it.
func (r *router) memory(kib int) {
	r.t.Helper()
	r.write("/proc/meminfo", fmt.Sprintf("MemTotal:       %d kB\nMemFree:        1000 kB\n", kib))
}

// run runs a program in the router, by its shebang where it is a script.
func (r *router) run(name string, args ...string) (out string, code int) {
	r.t.Helper()
	return r.runWith(nil, name, args...)
}

func (r *router) runWith(env []string, name string, args ...string) (out string, code int) {
	r.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=/bin:/sbin:/usr/bin"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.dir}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}

// mustRun is run for what has to go well and to say nothing.
func (r *router) mustRun(name string, args ...string) {
	r.t.Helper()
	if out, code := r.run(name, args...); code != 0 || out != "" {
		r.t.Errorf("%s %s: got exit status %d, output %q; want 0 and none", name, strings.Join(args, " "), code, out)
	}
}

// notes are what was asked of stubs and of procd since the last time.
func (r *router) notes() string {
	r.t.Helper()
	if !r.there("/tmp/notes") {
		return ""
	}
	defer r.remove("/tmp/notes")
	return r.read("/tmp/notes")
}

// config is what a file of /etc/config says, section by section.
func (r *router) config(name string) map[string]string {
	r.t.Helper()
	f, err := uci.Parse(name, strings.NewReader(r.read("/etc/config/"+name)))
	r.must(err)
	all := map[string]string{}
	for i, s := range f.Sections {
		var b bytes.Buffer
		one := uci.File{Sections: []uci.Section{s}}
		r.must(one.Write(&b))
		at := s.Name.Text
		if at == "" {
			at = fmt.Sprintf("%s %d", s.Type.Text, i)
		}
		all[at] = strings.TrimSpace(b.String())
	}
	return all
}

// The files of the router's own configuration.
var configs = []string{"network", "wireless", "dhcp", "firewall", "uhttpd"}

// snapshot is the text of all of them, and of Hiên's.
func (r *router) snapshot() string {
	r.t.Helper()
	var b strings.Builder
	for _, name := range append([]string{"hien"}, configs...) {
		if r.there("/etc/config/" + name) {
			fmt.Fprintf(&b, "# %s\n%s\n", name, r.read("/etc/config/"+name))
		}
	}
	return b.String()
}

// copyTree copies a folder, or a file, into the router.
func (r *router) copyTree(from, to string) {
	r.t.Helper()
	r.must(eachFile(from, func(name, rel string, mode fs.FileMode) error {
		text, err := os.ReadFile(name)
		if err == nil {
			r.put(filepath.Join(to, rel), string(text), mode)
		}
		return err
	}))
}

// linkTree puts in a folder that is the tests' own by links to its files,
// which are large, and which nobody writes.
func (r *router) linkTree(from string) {
	r.t.Helper()
	r.must(eachFile(from, func(name, rel string, _ fs.FileMode) error {
		if err := r.root.MkdirAll(filepath.Dir(rel), 0o755); err != nil {
			return err
		}
		return os.Link(name, r.path(rel))
	}))
}

func eachFile(from string, do func(name, rel string, mode fs.FileMode) error) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		return do(name, rel, info.Mode().Perm())
	})
}

// parts is busybox and uci with the libraries that they need, made once.
var parts struct {
	once sync.Once
	dir  string
	err  error
}

func baseParts(t *testing.T) string {
	t.Helper()
	parts.once.Do(func() { parts.dir, parts.err = makeParts() })
	if parts.err != nil {
		t.Fatal(parts.err)
	}
	return parts.dir
}

func makeParts() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "hien-openwrttest-"); err != nil {
		return "", err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return dir, fmt.Errorf("%w: scripts/deps test installs it", err)
	}
	if err := copyWithLibraries(busybox, dir, "bin/busybox"); err != nil {
		return dir, err
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(dir, "sbin/uci"), "./testdata/uci")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build uci's stand-in: %w\n%s", err, out)
	}
	return dir, nil
}

// copyWithLibraries copies a program, and what ldd(1) says that it loads. They
// are copied and never linked: what is written to a link of the system's own C
// library is written to that.
func copyWithLibraries(program, dir, at string) error {
	files := map[string]string{program: at}
	out, err := exec.Command("ldd", program).Output()
	if err == nil { // a static program is none of ldd's
		for line := range strings.Lines(string(out)) {
			for word := range strings.FieldsSeq(line) {
				if filepath.IsAbs(word) {
					files[word] = word
				}
			}
		}
	}
	for from, to := range files {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		to = filepath.Join(dir, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
}
