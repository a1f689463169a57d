package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/tools/openwrt/adbdump"
	"github.com/hien-wifi/hien/tools/openwrt/feed"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	made   = flag.String("made", "", "the `folder` of packages and feeds to look at; without it they are made here")
)

func noEnv(string) string { return "" }

// bins writes a program for each machine and answers the flags for them.
func bins(t *testing.T, names ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var flags []string
	for _, name := range names {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, programs[name].bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "-bin", name+"="+file)
	}
	return flags
}

func allMachines() []string {
	var names []string
	for _, m := range machines {
		names = append(names, m.name)
	}
	return names
}

func pack(t *testing.T, out string, more ...string) (table, log string) {
	t.Helper()
	var o, l bytes.Buffer
	args := append([]string{"-out", out, "-tree", "testdata/tree", "-version", "0.1.0", "-opkg-key", "testdata/opkg.sec", "-apk-key", "testdata/apk.pem"}, more...)
	if err := run(args, noEnv, &o, &l); err != nil {
		t.Fatalf("%v\n%s", err, &l)
	}
	return o.String(), l.String()
}

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		all[filepath.ToSlash(rel)], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func names(all map[string][]byte) string {
	var list []string
	for name := range all {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, "\n") + "\n"
}

// Everything for every machine: which files there are, and in two folders the
// same bytes.
func TestPackTwice(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	table, log := pack(t, one, bins(t, allMachines()...)...)
	pack(t, two, bins(t, allMachines()...)...)
	a, b := files(t, one), files(t, two)
	const golden = "testdata/files.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(names(a)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(a); got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", golden, got, want)
	}
	checkTable(t, table, a)
	if log != "" {
		t.Errorf("it said %q, want nothing", log)
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs", name)
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d files and %d, want as many", len(a), len(b))
	}
}

// checkTable holds each line of the table to the file that it names.
func checkTable(t *testing.T, table string, all map[string][]byte) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if got, want := strings.Join(strings.Fields(lines[0]), " "), "package architecture download files as xz"; got != want {
		t.Errorf("the table's head is %q, want %q", got, want)
	}
	listed := 0
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		found := false
		for name, b := range all {
			if len(f) == 4 && path.Base(name) == f[0] && (path.Base(path.Dir(name)) == f[1] || f[1] == "all" || strings.HasSuffix(name, f[1]+".deb")) {
				found = found || f[2] == strconv.Itoa(len(b))
			}
		}
		xz, err := strconv.Atoi(f[len(f)-1])
		if strings.HasSuffix(f[0], ".deb") {
			xz, err = 100, nil
			found = found && f[len(f)-1] == "–"
		}
		if !found || err != nil || xz < 100 {
			t.Errorf("%q: no such package of that size", line)
		}
		listed++
	}
	if want := 2 + 15 + 14 + 6; listed != want {
		t.Errorf("%d packages in the table, want %d", listed, want)
	}
}

// The public halves that are given to routers are those of the keys that sign.
func TestPublicKeys(t *testing.T) {
	out := t.TempDir()
	pack(t, out, bins(t, "amd64")...)
	all := files(t, out)
	text, err := os.ReadFile("testdata/apk.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, err := feed.ParseApkKey(text)
	if err != nil {
		t.Fatal(err)
	}
	public, err := feed.ApkKeyPublic(key)
	if err != nil || !bytes.Equal(all["keys/apk/hien.pem"], public) {
		t.Errorf("keys/apk/hien.pem is\n%s\nwant\n%s (%v)", all["keys/apk/hien.pem"], public, err)
	}
	if all["keys/opkg/11690dd566ab480d"] == nil {
		t.Errorf("got\n%s\nwant keys/opkg/11690dd566ab480d among them", names(all))
	}
}

// apkPublicKey reads the key that routers are given.
func apkPublicKey(t *testing.T, text []byte) *ecdsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("keys/apk/hien.pem is %q, want a key", text)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PublicKey)
}

// Each folder is a feed of its own: the index names what is there, with its
// hash, and is signed by the key whose public half lies beside. With -made the
// feeds are those that `make openwrt` has made.
func TestFeeds(t *testing.T) {
	out := *made
	if out == "" {
		out = t.TempDir()
		pack(t, out, bins(t, "arm64", "mips", "riscv64")...)
	}
	all := files(t, out)
	opkgKeys, err := filepath.Glob(filepath.Join(out, "keys/opkg/*"))
	if err != nil || len(opkgKeys) != 1 {
		t.Fatalf("got keys %q, %v, want one", opkgKeys, err)
	}
	apkKey := apkPublicKey(t, all["keys/apk/hien.pem"])
	for _, kind := range []string{"opkg", "apk"} {
		folders, err := filepath.Glob(filepath.Join(out, kind, "*"))
		if err != nil || len(folders) == 0 {
			t.Errorf("%s: got no feed, %v", kind, err)
		}
		for _, folder := range folders {
			arch := filepath.Base(folder)
			t.Run(kind+"/"+arch, func(t *testing.T) {
				if kind == "opkg" {
					checkOpkgFeed(t, all, out, arch, opkgKeys[0])
				} else {
					checkApkFeed(t, all, arch, apkKey)
				}
			})
		}
	}
}

func checkOpkgFeed(t *testing.T, all map[string][]byte, out, arch, key string) {
	t.Helper()
	dir := "opkg/" + arch + "/"
	cmd := exec.Command("signify-openbsd", "-V", "-p", key, "-m", filepath.Join(out, dir, "Packages"))
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("signify-openbsd: %v %s", err, said)
	}
	index := string(all[dir+"Packages"])
	for _, name := range regexp.MustCompile(`(?m)^Filename: (.*)$`).FindAllStringSubmatch(index, -1) {
		said, err := exec.Command("sha256sum", filepath.Join(out, dir, name[1])).Output()
		if err != nil || !strings.Contains(index, "\nSHA256sum: "+strings.Fields(string(said))[0]+"\n") {
			t.Errorf("%s: %v, %s is not in the index", name[1], err, said)
		}
	}
	if got := strings.Count(index, "\nFilename: "); got != 2 {
		t.Errorf("%d packages in opkg's index, want 2", got)
	}
}

func checkApkFeed(t *testing.T, all map[string][]byte, arch string, key *ecdsa.PublicKey) {
	t.Helper()
	f, err := adbdump.Read(all["apk/"+arch+"/packages.adb"])
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(key); err != nil {
		t.Error(err)
	}
	if got, want := f.Root.Get("description").Text(), "Hiên for "+arch; got != want {
		t.Errorf("the index is %q, want %q", got, want)
	}
	packages := f.Root.Get("packages").Nodes
	if len(packages) != 2 {
		t.Errorf("%d packages in apk's index, want 2", len(packages))
	}
	for _, n := range packages {
		name := fmt.Sprintf("apk/%s/%s-%s.apk", arch, n.Get("name").Text(), n.Get("version").Text())
		p, err := adbdump.Read(all[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(n.Get("hashes").Bytes, p.Identity()) || n.Get("file-size").Number != uint64(len(all[name])) {
			t.Errorf("%s: %x and %d bytes, the index says %x and %d", name, p.Identity(), len(all[name]), n.Get("hashes").Bytes, n.Get("file-size").Number)
		}
		if got := n.Get("arch").Text(); got != arch && got != "noarch" {
			t.Errorf("%s is for %s", name, got)
		}
	}
}

// The Debian package has the program, the unit, and the routers' file where
// its folder has none of its own.
func TestDeb(t *testing.T) {
	tree := filepath.Join(t.TempDir(), "tree")
	if err := os.CopyFS(tree, os.DirFS("testdata/tree")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(tree, "deb/root/etc/config/hien")); err != nil {
		t.Fatal(err)
	}
	label := filepath.Join(tree, "deb/package.json")
	text, err := os.ReadFile(label)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(",\n  \"modes\": {\"/etc/config/hien\": \"0600\"}"), nil, 1)
	if err := os.WriteFile(label, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	pack(t, out, append(bins(t, "armv7"), "-tree", tree)...)
	said, err := exec.Command("dpkg-deb", "--contents", filepath.Join(out, "deb/hien_0.1.0-1_armhf.deb")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"-rwxr-xr-x root/root .* ./usr/bin/hien\n", "-rw-r--r-- root/root .* ./usr/lib/systemd/system/hien.service\n", "-rw------- root/root .* ./etc/config/hien\n"} {
		if !regexp.MustCompile(want).Match(said) {
			t.Errorf("got\n%s\nwant %s", said, want)
		}
	}
}

func TestDevelopmentKeys(t *testing.T) {
	out := t.TempDir()
	args := append([]string{"-out", out, "-tree", "testdata/tree", "-version", "0.1.0"}, bins(t, "amd64")...)
	var log bytes.Buffer
	var all [2]map[string][]byte
	for i := range all {
		log.Reset()
		if err := run(args, noEnv, new(bytes.Buffer), &log); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(log.String(), "WARNING: signed by a development key"); got != 2 {
			t.Errorf("it said\n%s\nwant two warnings", &log)
		}
		all[i] = files(t, out)
	}
	for _, name := range []string{"keys/development/opkg.sec", "keys/development/apk.pem"} {
		info, err := os.Stat(filepath.Join(out, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v and %v, want mode 0600", name, info, err)
		}
	}
	for name, b := range all[0] {
		if !bytes.Equal(b, all[1][name]) {
			t.Errorf("%s differs the second time: keys must be used again", name)
		}
	}
}

func TestTime(t *testing.T) {
	out := t.TempDir()
	args := append([]string{"-out", out, "-tree", "testdata/tree", "-version", "0.1.0", "-opkg-key", "testdata/opkg.sec", "-apk-key", "testdata/apk.pem"}, bins(t, "amd64")...)
	env := func(name string) string { return map[string]string{"SOURCE_DATE_EPOCH": "1600000000"}[name] }
	if err := run(args, env, new(bytes.Buffer), new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	f, err := adbdump.Read(files(t, out)["apk/x86_64/hien-0.1.0-r1.apk"])
	if err != nil {
		t.Fatal(err)
	}
	entries, err := f.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.Dir && e.Time.Unix() != 1600000000 {
			t.Errorf("%s has the time %v, want that of SOURCE_DATE_EPOCH", e.Path, e.Time)
		}
	}
}

func TestVersionOfTheSource(t *testing.T) {
	got, err := sourceVersion("../../hien.go")
	if err != nil || got == "" {
		t.Errorf("got %q and %v, want that of hien.go", got, err)
	}
	if _, err := sourceVersion("main.go"); err == nil {
		t.Error("a file without a version: want an error")
	}
}

func TestDirtyIsSaid(t *testing.T) {
	_, log := pack(t, t.TempDir(), append(bins(t, "amd64"), "-version", "0.1.0-3-gabc-dirty")...)
	if !strings.Contains(log, "no commit has") {
		t.Errorf("it said %q, want that it was built from files that no commit has", log)
	}
}

func TestDump(t *testing.T) {
	out := t.TempDir()
	pack(t, out, bins(t, "amd64")...)
	var text bytes.Buffer
	if err := run([]string{"-dump", filepath.Join(out, "apk/x86_64/hien-0.1.0-r1.apk")}, noEnv, &text, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), `arch: blob8`) || !strings.Contains(text.String(), `"x86_64"`) {
		t.Errorf("got\n%s\nwant the package's fields", &text)
	}
	if err := run([]string{"-dump", "main.go"}, noEnv, &text, new(bytes.Buffer)); err == nil {
		t.Error("what is no package was printed, want an error")
	}
}

func TestRunRefuses(t *testing.T) {
	good := func(more ...string) []string {
		return append(append([]string{"-out", t.TempDir(), "-tree", "testdata/tree", "-version", "0.1.0", "-opkg-key", "testdata/opkg.sec", "-apk-key", "testdata/apk.pem"}, bins(t, "amd64")...), more...)
	}
	for _, c := range []struct {
		name string
		args []string
		env  string
		want string
	}{
		{"nothing", nil, "", "want -out"},
		{"no program", []string{"-out", t.TempDir()}, "", "want -out"},
		{"an argument more", good("x"), "", "want -out"},
		{"a machine that is not known", []string{"-bin", "vax=/bin/true"}, "", "vax"},
		{"a program without a machine", []string{"-bin", "amd64"}, "", "name=path"},
		{"a program that is not there", good("-bin", "arm64=/nowhere"), "", "/nowhere"},
		{"a program for another machine", good("-bin", "arm64="+bins(t, "amd64")[1][len("amd64="):]), "", "EM_X86_64"},
		{"an architecture twice", good(append([]string{"-bin"}, "x86_64="+bins(t, "amd64")[1][len("amd64="):])...), "", "twice"},
		{"a tree that is not there", good("-tree", "nowhere"), "", "nowhere"},
		{"a version that is none", good("-version", "new"), "", "new"},
		{"a key that is not there", good("-opkg-key", "/nowhere"), "", "/nowhere"},
		{"the one key for the other", good("-opkg-key", "testdata/apk.pem"), "", "opkg's feed"},
		{"the other for the one", good("-apk-key", "testdata/opkg.sec"), "", "apk's feed"},
		{"a time that is none", good(), "noon", "SOURCE_DATE_EPOCH"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := func(string) string { return c.env }
			err := run(c.args, env, new(bytes.Buffer), new(bytes.Buffer))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// What is not made any more does not stay, and keys do.
func TestOldPackagesGo(t *testing.T) {
	out := t.TempDir()
	pack(t, out, bins(t, "arm64", "mips")...)
	pack(t, out, bins(t, "amd64")...)
	for name := range files(t, out) {
		if strings.Contains(name, "mips") || strings.Contains(name, "aarch64") {
			t.Errorf("%s is still there", name)
		}
	}
}
