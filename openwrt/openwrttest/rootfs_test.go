//go:build rootfs

// A router whose firewall and package manager are played takes half a minute:
// `make openwrt-root` runs these tests.

package openwrttest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// standIn is a root file system that has enough of OpenWrt for
// openwrt/rootfs-test: an init, a procd that runs the service, an opkg, a
// firewall, a netifd. The kernel, its namespaces, tables and policy rules are
// real. HIEN_PROGRAM in the environment is a program to take instead of the
// stand-in for Hiên's own; it must be a static one.
func standIn(t *testing.T) (r *router, packages string) {
	t.Helper()
	r = newRouter(t)
	for _, stub := range stubs {
		r.remove("/bin/" + stub)
	}
	for _, own := range []string{"/sbin/ujail", "/usr/bin/hien", "/etc/init.d/hien", "/etc/init.d/hien-setup", "/etc/uci-defaults", "/usr/libexec/hien", "/usr/share/hien", "/lib/upgrade", "/etc/config/hien", "/dev/null"} {
		r.remove(own)
	}
	for _, applet := range strings.Fields("cp find gzip head id md5sum pidof setsid sleep sort tar tee") {
		r.must(r.root.Symlink("busybox", "bin/"+applet))
	}
	programs := t.TempDir()
	for _, name := range []string{"ip", "nft"} {
		path, err := exec.LookPath(name)
		r.must(err)
		r.must(copyWithLibraries(path, programs, "bin/"+name))
	}
	r.copyTree(programs, "")
	r.copyTree("testdata/standin", "")
	program := cmp.Or(os.Getenv("HIEN_PROGRAM"), "testdata/standin/bin/hien")
	r.remove("/bin/hien")
	r.write("/etc/openwrt_release", "DISTRIB_ID='OpenWrt'\nDISTRIB_ARCH='x86_64'\n")
	return r, makePackage(t, program)
}

// makePackage packs Hiên as opkg has it, a tar of two, and answers the folder
// in which it is, as make openwrt fills it.
func makePackage(t *testing.T, program string) string {
	t.Helper()
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	type file struct {
		name, text string
		mode       int64
	}
	pack := func(files []file) string {
		t.Helper()
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		for _, f := range files {
			if err := w.WriteHeader(&tar.Header{Name: "./" + f.name, Mode: f.mode, Size: int64(len(f.text))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(f.text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	data := []file{{"usr/bin/hien", read(program), 0o755}}
	err := eachFile("../hien/root", func(name, rel string, mode fs.FileMode) error {
		if rel == "etc/config/hien" {
			mode = 0o600
		}
		data = append(data, file{rel, read(name), int64(mode)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	control := []file{
		{"control", "Package: hien\nVersion: 0.1.0-r1\n", 0o644},
		{"postinst-pkg", read("../hien/postinst"), 0o644},
		{"prerm-pkg", read("../hien/prerm"), 0o644},
		{"postinst", `#!/bin/sh
. /lib/functions.sh
group_exists hien || group_add hien 4436
user_exists hien || user_add hien 4436 4436
default_postinst() { ( . /usr/lib/opkg/info/hien.postinst-pkg ); }
default_postinst "$0" "$@"
for service in /etc/init.d/hien*; do
	[ "$PKG_UPGRADE" = 1 ] || "$service" enable
	"$service" start
done
`, 0o755},
		{"prerm", `#!/bin/sh
. /lib/functions.sh
default_prerm() { ( . /usr/lib/opkg/info/hien.prerm-pkg ); }
default_prerm "$0" "$@"
for service in /etc/init.d/hien*; do
	[ "$PKG_UPGRADE" = 1 ] || "$service" disable
	"$service" stop
done
`, 0o755},
	}
	whole := pack([]file{{"debian-binary", "2.0\n", 0o644}, {"data.tar.gz", pack(data), 0o644}, {"control.tar.gz", pack(control), 0o644}})
	dir := t.TempDir()
	folder := filepath.Join(dir, "opkg/x86_64")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "hien_0.1.0-r1_x86_64.ipk"), []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rootfsTest runs openwrt/rootfs-test, as root or as what a user namespace
// takes for root.
func rootfsTest(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	cmd := exec.Command("../rootfs-test", args...)
	// On a machine that is busy with other things nothing may fail for that.
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "PATIENCE=600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	text, err := cmd.CombinedOutput()
	return string(text), err == nil
}

func TestRootfs(t *testing.T) {
	t.Parallel()
	r, packages := standIn(t)
	out, ok := rootfsTest(t, r.dir, packages)
	t.Log(out)
	if !ok || !strings.HasSuffix(out, "rootfs-test: all is well\n") {
		t.Error("it did not go through")
	}
}

// TestRootfsSeesWhatIsWrong holds that it can fail.
func TestRootfsSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	r, packages := standIn(t)
	// A removal that leaves the router's sections. The package is unpacked
	// over the root, so that it is spoilt right behind that.
	r.program("/bin/opkg-right", r.read("/bin/opkg"))
	r.program("/bin/opkg", "#!/bin/sh\n/bin/opkg-right \"$@\"\nsed -i 's/uci delete/: &/' /usr/libexec/hien/network 2>/dev/null || true\n")
	out, ok := rootfsTest(t, r.dir, packages)
	if want := "the router's own configuration is not as it was"; ok || !strings.Contains(out, want) {
		t.Errorf("got\n%s\nwant a failure: %s", out, want)
	}
}

func TestRootfsWantsARoot(t *testing.T) {
	if out, ok := rootfsTest(t, t.TempDir(), "hien.ipk"); ok || !strings.Contains(out, "is no root file system of OpenWrt") {
		t.Errorf("got\n%s", out)
	}
	if out, ok := rootfsTest(t); ok || !strings.Contains(out, "openwrt/rootfs-test ROOT PACKAGES") {
		t.Errorf("got\n%s", out)
	}
}
