package ipk_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/tools/openwrt/deflate"
	"github.com/hien-wifi/hien/tools/openwrt/ipk"
	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// load is a parcel of the fixtures, with a program.
func load(t *testing.T, name, arch string) parcel.Parcel {
	t.Helper()
	p, label, err := parcel.Load(filepath.Join("../testdata/tree", name), "0.1.0-rc.1", time.Unix(1767225600, 0))
	if err != nil {
		t.Fatal(err)
	}
	p.Arch = arch
	if label.Binary != "" {
		p.Add(parcel.File{Path: label.Binary, Mode: 0o755, Data: []byte("\x7fELF and so on")})
	}
	return p
}

func write(t *testing.T, p parcel.Parcel) ipk.Package {
	t.Helper()
	pkg, err := ipk.Write(p, new(deflate.Compressor))
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// A member is one of an archive.
type member struct {
	tar.Header
	data []byte
}

// unpack reads a gzipped archive with nothing of the writer's.
func unpack(t *testing.T, b []byte) []member {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("gzip says the name %q and the time %v, want none", z.Name, z.ModTime)
	}
	var all []member
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, member{*h, data})
	}
}

func find(t *testing.T, all []member, name string) member {
	t.Helper()
	i := slices.IndexFunc(all, func(m member) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("there is no %s", name)
	}
	return all[i]
}

// text is all of a package: each field, file, mode, owner, time and script.
func text(t *testing.T, pkg ipk.Package) string {
	t.Helper()
	var out strings.Builder
	list := func(all []member) {
		for _, m := range all {
			fmt.Fprintf(&out, "%c %04o %d/%d %q/%q %s %6d %s", m.Typeflag, m.Mode, m.Uid, m.Gid, m.Uname, m.Gname, m.ModTime.UTC().Format(time.RFC3339), m.Size, m.Name)
			if m.Linkname != "" {
				fmt.Fprintf(&out, " -> %s", m.Linkname)
			}
			out.WriteByte('\n')
		}
	}
	fmt.Fprintf(&out, "%s\n", pkg.Filename)
	outer := unpack(t, pkg.Bytes)
	for i := range outer {
		if strings.HasSuffix(outer[i].Name, ".gz") {
			outer[i].Size = -1 // the compressor's affair
		}
	}
	list(outer)
	control := unpack(t, find(t, outer, "./control.tar.gz").data)
	fmt.Fprintf(&out, "\ndebian-binary: %q\n\ndata:\n", find(t, outer, "./debian-binary").data)
	list(unpack(t, find(t, outer, "./data.tar.gz").data))
	out.WriteString("\ncontrol:\n")
	list(control)
	for _, m := range control {
		if m.Typeflag == tar.TypeReg {
			fmt.Fprintf(&out, "\n%s:\n%s", m.Name, m.data)
		}
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	for name, arch := range map[string]string{"hien": "arm_cortex-a7_neon-vfpv4", "luci-app-hien": "all"} {
		got := text(t, write(t, load(t, name, arch)))
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
}

func TestEveryFileIsWhatTheParcelHas(t *testing.T) {
	p := load(t, "hien", "x86_64")
	data := unpack(t, find(t, unpack(t, write(t, p).Bytes), "./data.tar.gz").data)
	files := 0
	for _, m := range data {
		if m.Typeflag == tar.TypeDir {
			continue
		}
		files++
		f, there := p.File(strings.TrimPrefix(m.Name, "."))
		if !there || int64(f.Mode) != m.Mode || f.Target != m.Linkname || !bytes.Equal(f.Data, m.data) {
			t.Errorf("got %+v with %q, want %+v", m.Header, m.data, f)
		}
	}
	if files != len(p.Files) {
		t.Errorf("%d files, want %d", files, len(p.Files))
	}
}

// The control archive's Installed-Size is what data.tar.gz unpacks to, as
// OpenWrt's ipkg-build counts it.
func TestInstalledSize(t *testing.T) {
	pkg := write(t, load(t, "hien", "x86_64"))
	z, err := gzip.NewReader(bytes.NewReader(find(t, unpack(t, pkg.Bytes), "./data.tar.gz").data))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, z)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\nInstalled-Size: %d\n", n); !strings.Contains(pkg.Control, want) {
		t.Errorf("got\n%s\nwant %s", pkg.Control, want)
	}
}

// tar, which OpenWrt's own index is made with, reads it too.
func TestTarReadsIt(t *testing.T) {
	pkg := write(t, load(t, "hien", "x86_64"))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.ipk"), pkg.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-xzf", filepath.Join(dir, "x.ipk"), "-C", dir, "./control.tar.gz").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v %s", err, out)
	}
	out, err := exec.Command("tar", "-xzOf", filepath.Join(dir, "control.tar.gz"), "./control").Output()
	if err != nil || string(out) != pkg.Control {
		t.Errorf("got %v and\n%s\nwant\n%s", err, out, pkg.Control)
	}
}

func TestTwiceTheSame(t *testing.T) {
	p := load(t, "hien", "x86_64")
	one := write(t, p)
	if two := write(t, load(t, "hien", "x86_64")); !bytes.Equal(one.Bytes, two.Bytes) {
		t.Error("two packages of one parcel differ")
	}
	if want := load(t, "hien", "x86_64"); fmt.Sprint(p) != fmt.Sprint(want) {
		t.Errorf("the parcel is now %+v, want %+v", p, want)
	}
}

func TestWriteRefusesWhatNoPackageMayBe(t *testing.T) {
	p := load(t, "hien", "x86_64")
	p.Maintainer = ""
	if _, err := ipk.Write(p, new(deflate.Compressor)); err == nil {
		t.Error("it was written, want an error")
	}
}

// functions stands for OpenWrt's /lib/functions.sh. Like it, it runs the
// package's own part from beside the script.
const functions = `
default_postinst() {
	echo "default_postinst $(basename "$1") $2 root=$IPKG_INSTROOT upgrade=$PKG_UPGRADE"
	[ ! -f "${1%.postinst}.postinst-pkg" ] || ( . "${1%.postinst}.postinst-pkg" )
}
default_prerm() {
	echo "default_prerm $(basename "$1") $2 root=$IPKG_INSTROOT upgrade=$PKG_UPGRADE"
	[ ! -f "${1%.prerm}.prerm-pkg" ] || ( . "${1%.prerm}.prerm-pkg" )
}
`

// opkg keeps each member of the control archive as NAME.member in one folder
// and runs it there.
func TestScripts(t *testing.T) {
	root := t.TempDir()
	info := filepath.Join(root, "usr/lib/opkg/info")
	lib := filepath.Join(root, "lib")
	for _, dir := range []string{info, lib} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range unpack(t, find(t, unpack(t, write(t, load(t, "hien", "x86_64")).Bytes), "./control.tar.gz").data) {
		if m.Typeflag != tar.TypeReg {
			continue
		}
		file := filepath.Join(info, "hien."+strings.TrimPrefix(m.Name, "./"))
		if err := os.WriteFile(file, m.data, m.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
		if m.Mode != 0o755 {
			continue
		}
		if out, err := exec.Command("busybox", "ash", "-n", file).CombinedOutput(); err != nil {
			t.Errorf("busybox ash -n: %v %s\n%s", err, out, m.data)
		}
		if out, err := exec.Command("shellcheck", "--shell=dash", "--exclude=SC1090,SC1091", file).CombinedOutput(); err != nil {
			t.Errorf("shellcheck: %v %s", err, out)
		}
	}
	run := func(script string, args []string, env ...string) string {
		cmd := exec.Command("busybox", append([]string{"ash", filepath.Join(info, "hien."+script)}, args...)...)
		cmd.Env = append(env, "IPKG_INSTROOT="+root, "PATH="+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v %s", script, err, out)
		}
		return strings.ReplaceAll(strings.ReplaceAll(string(out), root, "ROOT"), " \n", "\n")
	}
	if got := run("postinst", []string{"configure"}); got != "" {
		t.Errorf("where it is no OpenWrt: got %q, want nothing", got)
	}
	if got := run("prerm", []string{"remove"}); got != "" {
		t.Errorf("where it is no OpenWrt: got %q, want nothing", got)
	}
	if err := os.WriteFile(filepath.Join(lib, "functions.sh"), []byte(functions), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, script string
		args, env    []string
		want         string
	}{
		{"before installation", "preinst", []string{"install"}, nil, "before\n"},
		{"after installation", "postinst", []string{"configure"}, nil, "default_postinst hien.postinst configure root=ROOT upgrade=\nafter\n"},
		{"after an upgrade", "postinst", []string{"configure"}, []string{"PKG_UPGRADE=1"}, "default_postinst hien.postinst configure root=ROOT upgrade=1\nafter 1\n"},
		{"where scripts are not wanted", "postinst", []string{"configure"}, []string{"IPKG_NO_SCRIPT=1"}, ""},
		{"before removal", "prerm", []string{"remove"}, nil, "default_prerm hien.prerm remove root=ROOT upgrade=\nleaving\n"},
		{"after removal", "postrm", []string{"remove"}, nil, "gone\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := run(c.script, c.args, c.env...); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
