package deb_test

import (
	"bytes"
	"crypto/md5"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/tools/openwrt/deb"
	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func load(t *testing.T, version string) parcel.Parcel {
	t.Helper()
	p, label, err := parcel.Load("../testdata/tree/deb", version, time.Unix(1767225600, 0))
	if err != nil {
		t.Fatal(err)
	}
	p.Arch = "amd64"
	p.Add(parcel.File{Path: label.Binary, Mode: 0o755, Data: []byte("\x7fELF " + version)})
	p.Add(parcel.File{Path: "/usr/lib/systemd/system/hien.service", Mode: 0o644, Data: []byte("[Unit]\n")})
	return p
}

func write(t *testing.T, dir string, p parcel.Parcel) string {
	t.Helper()
	pkg, err := deb.Write(p)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, pkg.Filename)
	if err := os.WriteFile(name, pkg.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v %s", name, args, err, out)
	}
	return string(out)
}

// All that dpkg-deb says of a package: fields, files with modes, owners and
// times, and what stands in the control archive.
func TestGolden(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, load(t, "0.1.0-rc.1"))
	tool(t, "dpkg-deb", "--control", file, filepath.Join(dir, "control"))
	var got strings.Builder
	fmt.Fprintf(&got, "%s\n\n%s\n%s", filepath.Base(file), tool(t, "dpkg-deb", "--field", file), tool(t, "dpkg-deb", "--contents", file))
	for _, name := range []string{"conffiles", "md5sums", "postinst", "prerm"} {
		b, err := os.ReadFile(filepath.Join(dir, "control", name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "\n%s:\n%s", name, b)
	}
	golden := "testdata/hien.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", golden, &got, want)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "control"))
	if err != nil || len(entries) != 5 { // the four and control
		t.Errorf("the control archive has %v (%v), want five files", entries, err)
	}
}

func TestUnpackedByDpkgItIsWhatTheParcelHas(t *testing.T) {
	dir, p := t.TempDir(), load(t, "0.1.0")
	root := filepath.Join(dir, "root")
	file := write(t, dir, p)
	tool(t, "dpkg-deb", "--extract", file, root)
	tool(t, "dpkg-deb", "--control", file, filepath.Join(dir, "control"))
	sums, err := os.ReadFile(filepath.Join(dir, "control/md5sums"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Files {
		name := filepath.Join(root, f.Path)
		info, err := os.Lstat(name)
		if err != nil {
			t.Error(err)
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(data, f.Data) || info.Mode().Perm() != f.Mode || !info.ModTime().Equal(p.Time) {
			t.Errorf("%s: got %v of %v with %q (%v), want %v of %v with %q", f.Path, info.Mode(), info.ModTime(), data, err, f.Mode, p.Time, f.Data)
		}
		if line := fmt.Sprintf("%x  .%s\n", md5.Sum(f.Data), f.Path); !strings.Contains(string(sums), line) {
			t.Errorf("md5sums has not %q", line)
		}
	}
}

// dpkg itself installs, upgrades, removes and purges in a folder of its own.
// Scripts run without chroot: there is no shell in it.
func TestDpkgInstallsUpgradesAndRemoves(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	for _, d := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	dpkg := func(args ...string) string {
		t.Helper()
		return tool(t, "dpkg", append([]string{"--root=" + root, "--log=" + filepath.Join(dir, "log"), "--force-not-root", "--force-depends", "--force-architecture", "--force-script-chrootless", "--force-confold", "--force-unsafe-io"}, args...)...)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "(" + err.Error()[strings.LastIndex(err.Error(), ": ")+2:] + ")"
		}
		return string(b)
	}
	status := func() string {
		return tool(t, "dpkg-query", "--admindir="+filepath.Join(root, "var/lib/dpkg"), "--show", "--showformat=${Version} ${Status}", "hien")
	}
	const config = "/etc/config/hien"

	dpkg("--install", write(t, dir, load(t, "0.1.0-rc.1")))
	if got, want := status(), "0.1.0~rc1-1 install ok installed"; got != want {
		t.Errorf("installed: %q, want %q", got, want)
	}
	if got, want := read("/usr/bin/hien"), "\x7fELF 0.1.0-rc.1"; got != want {
		t.Errorf("installed: the program is %q, want %q", got, want)
	}
	if got := dpkg("--verify", "hien"); got != "" {
		t.Errorf("installed: dpkg --verify says %q, want nothing", got)
	}
	if err := os.WriteFile(filepath.Join(root, config), []byte("config hien 'mine'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dpkg("--install", write(t, dir, load(t, "0.1.0")))
	if got, want := status(), "0.1.0-1 install ok installed"; got != want {
		t.Errorf("upgraded: %q, want %q", got, want)
	}
	if got, want := read("/usr/bin/hien"), "\x7fELF 0.1.0"; got != want {
		t.Errorf("upgraded: the program is %q, want %q", got, want)
	}
	if got, want := read(config), "config hien 'mine'\n"; got != want {
		t.Errorf("upgraded: the configuration is %q, want the owner's %q", got, want)
	}
	dpkg("--remove", "hien")
	if got, want := read("/usr/bin/hien"), "(no such file or directory)"; got != want {
		t.Errorf("removed: the program is %q, want %q", got, want)
	}
	if got, want := read(config), "config hien 'mine'\n"; got != want {
		t.Errorf("removed: the configuration is %q, want the owner's %q", got, want)
	}
	dpkg("--purge", "hien")
	if got, want := read(config), "(no such file or directory)"; got != want {
		t.Errorf("purged: the configuration is %q, want %q", got, want)
	}
}

func TestTwiceTheSame(t *testing.T) {
	one, err := deb.Write(load(t, "0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := deb.Write(load(t, "0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes, two.Bytes) {
		t.Error("two packages of one parcel differ")
	}
}

func TestWriteRefusesWhatNoPackageMayBe(t *testing.T) {
	p := load(t, "0.1.0")
	p.Maintainer = ""
	if _, err := deb.Write(p); err == nil {
		t.Error("it was written, want an error")
	}
}
