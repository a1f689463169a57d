package parcel_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

var at = time.Unix(1767225600, 0).UTC()

func TestParseVersion(t *testing.T) {
	for _, c := range []struct {
		in        string
		release   int
		apk, opkg string
		deb       string
		dirty     bool
	}{
		{"0.1.0", 1, "0.1.0-r1", "0.1.0-r1", "0.1.0-1", false},
		{"v1.2", 3, "1.2-r3", "1.2-r3", "1.2-3", false},
		{"0.1.0-dev", 1, "0.1.0_alpha-r1", "0.1.0~alpha-r1", "0.1.0~alpha-1", false},
		{"0.2.0-beta2", 1, "0.2.0_beta2-r1", "0.2.0~beta2-r1", "0.2.0~beta2-1", false},
		{"0.2.0-rc.1", 1, "0.2.0_rc1-r1", "0.2.0~rc1-r1", "0.2.0~rc1-1", false},
		{"0.2.0-rc-1", 1, "0.2.0_rc1-r1", "0.2.0~rc1-r1", "0.2.0~rc1-1", false},
		{"0.1.0-5-gabc1234", 1, "0.1.0_p5~abc1234-r1", "0.1.0+5.gabc1234-r1", "0.1.0+5.gabc1234-1", false},
		{"0.2.0-rc.1-12-g0a1b2c3-dirty", 1, "0.2.0_rc1_p12~0a1b2c3-r1", "0.2.0~rc1+12.g0a1b2c3-r1", "0.2.0~rc1+12.g0a1b2c3-1", true},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := parcel.ParseVersion(c.in, c.release)
			want := parcel.Version{Apk: c.apk, Opkg: c.opkg, Deb: c.deb, Dirty: c.dirty}
			if err != nil || got != want {
				t.Errorf("got %+v and %v, want %+v", got, err, want)
			}
		})
	}
	for _, bad := range []string{"", "dev", "1.", "1.0 ", "1.0-nightly", "1.0-gabc", "1.0\n", "1.0-rc1-rc2"} {
		if got, err := parcel.ParseVersion(bad, 1); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, got)
		}
	}
	if got, err := parcel.ParseVersion("1.0", 0); err == nil {
		t.Errorf("release 0: got %+v, want an error", got)
	}
}

// dpkg compares as opkg does: each version is before the next.
func TestVersionsAreInOrder(t *testing.T) {
	order := []string{"0.1.0-dev", "0.1.0-alpha1", "0.1.0-beta1", "0.1.0-rc.1", "0.1.0-rc.2", "0.1.0-rc.2-3-gffffff", "0.1.0", "0.1.0-5-gabc1234", "0.1.0-12-gabc1234", "0.1.1-dev", "0.1.1", "0.10.0"}
	for i := 1; i < len(order); i++ {
		a, errA := parcel.ParseVersion(order[i-1], 1)
		b, errB := parcel.ParseVersion(order[i], 1)
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		for _, pair := range [][2]string{{a.Opkg, b.Opkg}, {a.Deb, b.Deb}} {
			if out, err := exec.Command("dpkg", "--compare-versions", pair[0], "lt", pair[1]).CombinedOutput(); err != nil {
				t.Errorf("dpkg: %s is not before %s: %v %s", pair[0], pair[1], err, out)
			}
		}
	}
}

func TestParseDependency(t *testing.T) {
	for _, c := range []struct{ in, apk, debian string }{
		{"ca-bundle", "ca-bundle", "ca-bundle"},
		{"libstdcpp6", "libstdcpp6", "libstdcpp6"},
		{"nftables>=1.0.2", "nftables>=1.0.2", "nftables (>= 1.0.2)"},
		{"nftables=1.0.2-r1", "nftables=1.0.2-r1", "nftables (= 1.0.2-r1)"},
		{"kernel<6.6", "kernel<6.6", "kernel (<< 6.6)"},
		{"kernel>6.6~abc", "kernel>6.6~abc", "kernel (>> 6.6~abc)"},
	} {
		d, err := parcel.ParseDependency(c.in)
		if err != nil || d.String() != c.apk || d.Debian() != c.debian {
			t.Errorf("%s: got %q, %q and %v, want %q and %q", c.in, d.String(), d.Debian(), err, c.apk, c.debian)
		}
	}
	for _, bad := range []string{"", ">=1", "a>=", "a==1", "a>=1>=2", "a b", "-a", "a (>= 1)", "a,b", "ä"} {
		if d, err := parcel.ParseDependency(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, d)
		}
	}
}

func TestLoad(t *testing.T) {
	p, label, err := parcel.Load("../testdata/tree/hien", "0.1.0", at)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	var files []string
	for _, f := range p.Files {
		files = append(files, fmt.Sprintf("%04o %s %d %s", f.Mode, f.Path, len(f.Data), f.Target))
	}
	want := []string{
		"0644 /etc/capabilities/hien.json 32 ",
		"0600 /etc/config/hien 39 ",
		"0755 /etc/init.d/hien 34 ",
		"0644 /etc/uci-defaults/90-hien 7 ",
		"0644 /lib/upgrade/keep.d/hien 11 ",
		"0644 /usr/share/hien/empty 0 ",
		"0777 /usr/share/hien/link 0 ../../bin/hien",
	}
	if !slices.Equal(files, want) {
		t.Errorf("files:\n%s\nwant:\n%s", strings.Join(files, "\n"), strings.Join(want, "\n"))
	}
	if p.Name != "hien" || p.Arch != "all" || label.Binary != "/usr/bin/hien" || p.User != "hien=7431:hien=7431" || p.Version.Apk != "0.1.0-r1" || !p.Time.Equal(at) {
		t.Errorf("got %+v with binary %q", p, label.Binary)
	}
	for name, s := range map[string][]byte{"preinst": p.Scripts.PreInst, "postinst": p.Scripts.PostInst, "prerm": p.Scripts.PreRm, "postrm": p.Scripts.PostRm} {
		if len(s) == 0 {
			t.Errorf("%s was not read", name)
		}
	}
	folders := []string{"/etc", "/etc/capabilities", "/etc/config", "/etc/init.d", "/etc/uci-defaults", "/lib", "/lib/upgrade", "/lib/upgrade/keep.d", "/usr", "/usr/share", "/usr/share/hien"}
	if got := p.Folders(); !slices.Equal(got, folders) {
		t.Errorf("folders %v, want %v", got, folders)
	}
	if got := p.Size(); got != 32+39+34+7+11 {
		t.Errorf("size %d, want %d", got, 32+39+34+7+11)
	}
	pages, _, err := parcel.Load("../testdata/tree/luci-app-hien", "0.1.0", at)
	if err != nil {
		t.Fatal(err)
	}
	if _, there := pages.File("/www/luci-static/resources/view/hien/today.js"); !there {
		t.Errorf("htdocs is not under /www: %v", pages.Folders())
	}
}

func TestLoadRefuses(t *testing.T) {
	label := func(change func(string) string) string {
		text, err := os.ReadFile("../testdata/tree/hien/package.json")
		if err != nil {
			t.Fatal(err)
		}
		return change(string(text))
	}
	replace := func(old, with string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("the label has no %s", old)
			}
			return strings.Replace(s, old, with, 1)
		}
	}
	for _, c := range []struct {
		name    string
		label   string
		version string
		want    string
	}{
		{"a key that is not known", label(replace(`"section"`, `"sektion"`)), "1.0", "sektion"},
		{"what is not JSON", "name: hien", "1.0", "invalid character"},
		{"a version that is none", label(replace("", "")), "tomorrow", "tomorrow"},
		{"a dependency that is none", label(replace(`"ca-bundle"`, `"ca bundle"`)), "1.0", "ca bundle"},
		{"a mode of a file that is not there", label(replace(`{"/etc/config/hien": "0600"}`, `{"/etc/shadow": "0600"}`)), "1.0", "/etc/shadow"},
		{"a mode that is none", label(replace(`"0600"`, `"rw"`)), "1.0", "rw"},
		{"a mode with more than permission", label(replace(`"0600"`, `"4755"`)), "1.0", "4755"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "root"), os.DirFS("../testdata/tree/hien/root")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(c.label), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := parcel.Load(dir, c.version, at); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	if _, _, err := parcel.Load(t.TempDir(), "1.0", at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without a label: got %v, want that it is not there", err)
	}
}

func TestCheckRefuses(t *testing.T) {
	whole := func() parcel.Parcel {
		p, _, err := parcel.Load("../testdata/tree/hien", "0.1.0", at)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, breakIt := range map[string]func(*parcel.Parcel){
		"no description":                func(p *parcel.Parcel) { p.Description = "" },
		"no maintainer":                 func(p *parcel.Parcel) { p.Maintainer = "" },
		"no licence":                    func(p *parcel.Parcel) { p.License = "" },
		"no architecture":               func(p *parcel.Parcel) { p.Arch = "" },
		"no version":                    func(p *parcel.Parcel) { p.Version = parcel.Version{} },
		"a name with a space":           func(p *parcel.Parcel) { p.Name = "hi en" },
		"a field of two lines":          func(p *parcel.Parcel) { p.URL = "https://a\nEssential: yes" },
		"a path that is not absolute":   func(p *parcel.Parcel) { p.Files[0].Path = "etc/x" },
		"a path that is not clean":      func(p *parcel.Parcel) { p.Files[0].Path = "/etc/../x" },
		"files out of order":            func(p *parcel.Parcel) { p.Files[0], p.Files[1] = p.Files[1], p.Files[0] },
		"a file twice":                  func(p *parcel.Parcel) { p.Files[1] = p.Files[0] },
		"a mode with setuid":            func(p *parcel.Parcel) { p.Files[0].Mode |= fs.ModeSetuid },
		"a link with content":           func(p *parcel.Parcel) { p.Files[0].Target = "x" },
		"a conffile that is not there":  func(p *parcel.Parcel) { p.Conffiles = []string{"/etc/config/other"} },
		"a conffile that is a link":     func(p *parcel.Parcel) { p.Conffiles = []string{"/usr/share/hien/link"} },
		"a dependency twice":            func(p *parcel.Parcel) { p.Depends = append(p.Depends, p.Depends[0]) },
		"a dependency on itself":        func(p *parcel.Parcel) { p.Depends = []parcel.Dependency{{Name: "hien"}} },
		"a path with the end of a line": func(p *parcel.Parcel) { p.Files[0].Path = "/etc/a\nb" },
	} {
		t.Run(name, func(t *testing.T) {
			p := whole()
			breakIt(&p)
			if err := p.Check(); err == nil {
				t.Error("it was taken, want an error")
			}
		})
	}
}

func TestAddReplacesAndKeepsTheOrder(t *testing.T) {
	var p parcel.Parcel
	for _, f := range []string{"/b", "/a", "/c", "/b"} {
		p.Add(parcel.File{Path: f, Data: []byte(f)})
	}
	p.Add(parcel.File{Path: "/a", Data: []byte("new")})
	var got []string
	for _, f := range p.Files {
		got = append(got, f.Path+"="+string(f.Data))
	}
	if want := []string{"/a=new", "/b=/b", "/c=/c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBody(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"#!/bin/sh\necho a\n", "echo a\n"},
		{"#!/bin/sh", ""},
		{"echo a", "echo a\n"},
		{"# no interpreter\necho a\n", "# no interpreter\necho a\n"},
	} {
		in := []byte(c.in)
		if got := parcel.Body(in); string(got) != c.want || !bytes.Equal(in, []byte(c.in)) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}
