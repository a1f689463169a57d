package openwrttest

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// feedMake runs the feed's Makefile in a stand-in for OpenWrt's build system.
func feedMake(t *testing.T, goal, dest string) string {
	t.Helper()
	top, err := filepath.Abs("testdata/buildroot")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-s", "-C", "..", goal, "TOPDIR="+top, "DESTDIR="+dest)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make %s: %v\n%s", goal, err, out)
	}
	return string(out)
}

func TestTheFeedsPackage(t *testing.T) {
	golden(t, "feed", feedMake(t, "show", "/"))
}

// TestTheFeedsPackageAgreesWithThePackagers holds that the package that the
// feed builds has the files, modes, scripts, dependencies, user and conffiles
// of those that are made ready.
func TestTheFeedsPackageAgreesWithThePackagers(t *testing.T) {
	dest := t.TempDir()
	feedMake(t, "install", dest)
	l := packageLabel(t)

	want := map[string]fs.FileMode{"/usr/bin/hien": 0o755}
	err := filepath.WalkDir("../hien/root", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		at := strings.TrimPrefix(name, "../hien/root")
		want[at] = 0o644
		if info.Mode()&0o100 != 0 {
			want[at] = 0o755
		}
		if l.Modes[at] == "0600" {
			want[at] = 0o600
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{}
	err = filepath.WalkDir(dest, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Dir(name) == dest {
			return err
		}
		info, err := d.Info()
		got[strings.TrimPrefix(name, dest)] = info.Mode().Perm()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files: -the tree +the feed\n%s", diff)
	}

	for _, script := range []string{"postinst", "prerm"} {
		a, errA := os.ReadFile(filepath.Join("../hien", script))
		b, errB := os.ReadFile(filepath.Join(dest, script))
		if errA != nil || errB != nil || strings.TrimSpace(string(a)) != strings.TrimSpace(string(b)) {
			t.Errorf("%s: got\n%s%v\nwant\n%s%v", script, b, errB, a, errA)
		}
	}
	conffiles, err := os.ReadFile(filepath.Join(dest, "conffiles"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(conffiles)); !slices.Equal(got, l.Conffiles) {
		t.Errorf("conffiles: got %v, want %v", got, l.Conffiles)
	}

	shown := map[string]string{}
	for line := range strings.Lines(feedMake(t, "show", "/")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		shown[key] = value
	}
	if shown["user"] != l.User {
		t.Errorf("user: got %q, want %q", shown["user"], l.User)
	}
	tags, err := os.ReadFile("../../cmd/hien/tags")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(strings.Fields(string(tags)), ","); shown["tags"] != want {
		t.Errorf("tags: got %q, want those of cmd/hien/tags, %q", shown["tags"], want)
	}
	depends := map[string]bool{}
	for word := range strings.FieldsSeq(shown["depends"]) {
		if name, ok := strings.CutPrefix(word, "+"); ok {
			depends[name] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(depends)), slices.Sorted(slices.Values(l.Depends)); !slices.Equal(got, want) {
		t.Errorf("depends: got %v, want %v", got, want)
	}

	// The version is the one that is worked towards, or out.
	source, err := os.ReadFile("../../hien.go")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^var Version = "([0-9.]+)(?:-[a-z0-9.]+)?"$`).FindSubmatch(source)
	if version == nil || shown["version"] != string(version[1])+"-r1" {
		t.Errorf("version: got %s, want that of hien.go, %s", shown["version"], version)
	}
}
