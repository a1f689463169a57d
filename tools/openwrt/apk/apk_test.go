package apk_test

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/tools/openwrt/adbdump"
	"github.com/hien-wifi/hien/tools/openwrt/apk"
	"github.com/hien-wifi/hien/tools/openwrt/deflate"
	"github.com/hien-wifi/hien/tools/openwrt/feed"
	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
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

// load is a parcel of the fixtures, with a program.
func load(t *testing.T, name, arch string) parcel.Parcel {
	t.Helper()
	p, label, err := parcel.Load(filepath.Join("../testdata/tree", name), "0.1.0", time.Unix(1767225600, 0))
	if err != nil {
		t.Fatal(err)
	}
	p.Arch = arch
	if label.Binary != "" {
		p.Add(parcel.File{Path: label.Binary, Mode: 0o755, Data: []byte("\x7fELF and so on")})
	}
	return p
}

func write(t *testing.T, p parcel.Parcel) apk.Package {
	t.Helper()
	pkg, err := apk.Write(p, new(deflate.Compressor))
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

func read(t *testing.T, b []byte) *adbdump.File {
	t.Helper()
	f, err := adbdump.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile("../testdata/apk.pem")
	if err != nil {
		t.Fatal(err)
	}
	k, err := feed.ParseApkKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func index(t *testing.T) []byte {
	t.Helper()
	b, err := apk.Index("a test's feed", []apk.Package{write(t, load(t, "luci-app-hien", "all")), write(t, load(t, "hien", "aarch64_cortex-a53"))}, key(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each word with its offset, each string, hash and block of both packages and
// of the index, as the independent reader prints them.
func TestGolden(t *testing.T) {
	golden(t, "hien.golden", read(t, write(t, load(t, "hien", "aarch64_cortex-a53")).Bytes).Text())
	golden(t, "luci-app-hien.golden", read(t, write(t, load(t, "luci-app-hien", "all")).Bytes).Text())
	golden(t, "index.golden", read(t, index(t)).Text())
}

func TestFileNamesAreThoseThatApkAsksFor(t *testing.T) {
	if got, want := write(t, load(t, "hien", "x86_64")).Filename, "hien-0.1.0-r1.apk"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What OpenWrt's scripts look for under /lib/apk/packages.
func TestListsOfOpenWrt(t *testing.T) {
	entries, err := read(t, write(t, load(t, "hien", "x86_64")).Bytes).Entries()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"rusers":    "hien=7431:hien=7431\n",
		"conffiles": "/etc/config/hien\n",
		"conffiles_static": "/etc/config/hien " +
			fmt.Sprintf("%x\n", sha256.Sum256([]byte("config hien 'main'\n\toption enabled '1'\n"))),
		"list": strings.Join([]string{
			"/etc/capabilities/hien.json", "/etc/config/hien", "/etc/init.d/hien", "/etc/uci-defaults/90-hien",
			"/lib/apk/packages/hien.rusers", "/lib/upgrade/keep.d/hien", "/usr/bin/hien", "/usr/share/hien/empty", "/usr/share/hien/link", "",
		}, "\n"),
	} {
		i := slices.IndexFunc(entries, func(e adbdump.Entry) bool { return e.Path == "/lib/apk/packages/hien."+name })
		if i < 0 || string(entries[i].Content) != want || entries[i].Mode != 0o644 {
			t.Errorf("%s: got %d of %+v, want %q", name, i, entries, want)
		}
	}
	pages, err := read(t, write(t, load(t, "luci-app-hien", "all")).Bytes).Entries()
	if err != nil {
		t.Fatal(err)
	}
	var lists []string
	for _, e := range pages {
		if strings.HasPrefix(e.Path, "/lib/apk/packages/") {
			lists = append(lists, e.Path)
		}
	}
	if want := []string{"/lib/apk/packages/luci-app-hien.list"}; !slices.Equal(lists, want) {
		t.Errorf("without user and conffiles: %v, want %v", lists, want)
	}
}

func TestEveryEntryIsWhatTheParcelHas(t *testing.T) {
	p := load(t, "hien", "x86_64")
	entries, err := read(t, write(t, p).Bytes).Entries()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]adbdump.Entry{}
	for _, e := range entries {
		if e.User != "root" || e.Group != "root" {
			t.Errorf("%s belongs to %s:%s, want root:root", e.Path, e.User, e.Group)
		}
		if e.Dir && e.Mode != 0o755 {
			t.Errorf("%s has mode %o, want 755", e.Path, e.Mode)
		}
		found[e.Path] = e
	}
	for _, f := range p.Files {
		e, there := found[f.Path]
		if !there || e.Mode != uint64(f.Mode) || e.Target != f.Target || !bytes.Equal(e.Content, f.Data) || !e.Time.Equal(p.Time) {
			t.Errorf("got %+v, want %+v of %v", e, f, p.Time)
		}
	}
}

func TestWritingLeavesTheParcelAlone(t *testing.T) {
	p, want := load(t, "hien", "x86_64"), load(t, "hien", "x86_64")
	write(t, p)
	if fmt.Sprint(p) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", p, want)
	}
}

func TestTwiceTheSame(t *testing.T) {
	if a, b := write(t, load(t, "hien", "x86_64")), write(t, load(t, "hien", "x86_64")); !bytes.Equal(a.Bytes, b.Bytes) {
		t.Error("two packages of one parcel differ")
	}
	if !bytes.Equal(index(t), index(t)) {
		t.Error("two indexes of the same packages differ")
	}
}

// Parcels that nobody would make: sizes around the borders of what a length
// can say, and names that sort in odd ways.
func TestAnyParcelComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{0, 1, 7, 8, 254, 255, 256, 257, 65534, 65535, 65536, 65537, 100_000}
	names := []string{"a", "a-b", "a.b", "a/b", "ab", "A", "ä", "z z", "lib/apk/packages/other.list", "0"}
	for i := range 8 {
		p := load(t, "luci-app-hien", "all")
		p.Description = strings.Repeat("d", sizes[r.IntN(len(sizes))]+1)
		p.Scripts.PostInst = []byte("#!/bin/sh\n# " + strings.Repeat("s", sizes[r.IntN(len(sizes))]) + "\n")
		p.Time = time.Unix(int64(r.Uint64()>>(8+r.IntN(40))), 0).UTC()
		for range r.IntN(12) {
			data := make([]byte, sizes[r.IntN(len(sizes))])
			for j := range data {
				data[j] = byte(r.Uint32())
			}
			p.Add(parcel.File{Path: "/" + names[r.IntN(len(names))] + fmt.Sprint(r.IntN(3)), Mode: 0o640, Data: data})
		}
		f := read(t, write(t, p).Bytes)
		entries, err := f.Entries()
		if err != nil {
			t.Fatalf("parcel %d: %v", i, err)
		}
		if got := f.Root.Get("info", "description").Text(); got != p.Description {
			t.Errorf("parcel %d: a description of %d bytes came back with %d", i, len(p.Description), len(got))
		}
		for _, want := range p.Files {
			j := slices.IndexFunc(entries, func(e adbdump.Entry) bool { return e.Path == want.Path })
			if j < 0 || !bytes.Equal(entries[j].Content, want.Data) || !entries[j].Time.Equal(p.Time) {
				t.Errorf("parcel %d: %s with %d bytes of %v did not come back", i, want.Path, len(want.Data), p.Time)
			}
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, breakIt := range map[string]func(*parcel.Parcel){
		"what no package may be":       func(p *parcel.Parcel) { p.Maintainer = "" },
		"a version that apk has not":   func(p *parcel.Parcel) { p.Version.Apk = "1.0~alpha" },
		"a dependency's, neither":      func(p *parcel.Parcel) { p.Depends = []parcel.Dependency{{Name: "a", Op: ">=", Version: "2022-10-18"}} },
		"an opkg version in its place": func(p *parcel.Parcel) { p.Version.Apk = "1.0+5.gabc-r1" },
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, "hien", "x86_64")
			breakIt(&p)
			if _, err := apk.Write(p, new(deflate.Compressor)); err == nil {
				t.Error("it was written, want an error")
			}
		})
	}
	pkg := write(t, load(t, "hien", "x86_64"))
	if _, err := apk.Index("x", []apk.Package{pkg, pkg}, key(t)); err == nil {
		t.Error("an index with a package twice was written, want an error")
	}
}

// openssl, which apk links, is asked whether the signature is the key's.
func TestOpenSSLVerifiesTheIndex(t *testing.T) {
	f := read(t, index(t))
	if err := f.Verify(&key(t).PublicKey); err != nil {
		t.Error(err)
	}
	if len(f.Signatures) != 1 {
		t.Fatalf("%d signatures, want 1", len(f.Signatures))
	}
	message, id, signature, err := f.Signed(f.Signatures[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	public, err := feed.ApkKeyPublic(key(t))
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	pub, sig := put("pub.pem", public), put("sig", signature)
	verify := func(message []byte) (string, error) {
		out, err := exec.Command("openssl", "dgst", "-sha512", "-verify", pub, "-signature", sig, put("message", message)).CombinedOutput()
		return string(out), err
	}
	if out, err := verify(message); err != nil {
		t.Errorf("openssl: %v %s", err, out)
	}
	for i := range message {
		changed := bytes.Clone(message)
		changed[i] ^= 1
		if i%16 > 0 {
			continue // some of them: each is a process
		}
		if out, err := verify(changed); err == nil {
			t.Errorf("openssl took a message whose byte %d is another: %s", i, out)
		}
	}
	// The key's id is of the point as openssl writes it: the last 65 bytes of
	// the public key.
	der, err := exec.Command("openssl", "pkey", "-pubin", "-in", pub, "-outform", "DER").Output()
	if err != nil || len(der) < 65 {
		t.Fatalf("openssl pkey: %v, %d bytes", err, len(der))
	}
	cmd := exec.Command("openssl", "dgst", "-sha512", "-binary")
	cmd.Stdin = bytes.NewReader(der[len(der)-65:])
	if sum, err := cmd.Output(); err != nil || !bytes.Equal(id, sum[:16]) {
		t.Errorf("the key's id is %x, want %x (%v)", id, sum[:16], err)
	}
}

// No byte of an index or of a package can be another without being seen.
func TestEveryChangedByteIsSeen(t *testing.T) {
	inflate := func(b []byte) []byte {
		plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(b[4:])))
		if err != nil {
			t.Fatal(err)
		}
		return plain
	}
	packed := write(t, load(t, "hien", "x86_64")).Bytes
	plain := inflate(packed)
	read(t, plain)
	for i := range plain {
		changed := bytes.Clone(plain)
		changed[i] ^= 0x41
		if _, err := adbdump.Read(changed); err == nil {
			t.Errorf("the package's byte %d (%#x) can be another", i, i)
		}
	}
	plain = inflate(index(t))
	if err := read(t, plain).Verify(&key(t).PublicKey); err != nil {
		t.Fatal(err)
	}
	for i := range plain {
		changed := bytes.Clone(plain)
		changed[i] ^= 0x41
		if f, err := adbdump.Read(changed); err == nil && f.Verify(&key(t).PublicKey) == nil {
			t.Errorf("the index's byte %d (%#x) can be another", i, i)
		}
	}
}

// The index tells of each package what the package is.
func TestIndexAgreesWithPackages(t *testing.T) {
	pkg := write(t, load(t, "hien", "aarch64_cortex-a53"))
	inside := read(t, pkg.Bytes)
	packages := read(t, index(t)).Root.Get("packages").Nodes
	if len(packages) != 2 {
		t.Fatalf("%d packages, want 2", len(packages))
	}
	for _, name := range []string{"name", "version", "description", "arch", "license", "origin", "maintainer", "url"} {
		if got, want := packages[0].Get(name).Text(), inside.Root.Get("info", name).Text(); got != want || got == "" {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got, want := packages[0].Get("hashes").Bytes, inside.Identity(); !bytes.Equal(got, want) {
		t.Errorf("hash %x, want the ADB block's %x", got, want)
	}
	if got, want := packages[0].Get("file-size").Number, uint64(len(pkg.Bytes)); got != want {
		t.Errorf("size %d, want %d", got, want)
	}
	if got, want := packages[0].Get("installed-size").Number, inside.Root.Get("info", "installed-size").Number; got != want || got == 0 {
		t.Errorf("installed size %d, want %d", got, want)
	}
	var depends []string
	for _, d := range packages[0].Get("depends").Nodes {
		depends = append(depends, d.Text())
	}
	if want := []string{"ca-bundle", "kmod-nft-core", "nftables-json>=1.0.2"}; !slices.Equal(depends, want) {
		t.Errorf("depends on %v, want %v", depends, want)
	}
	if got := packages[1].Get("arch").Text(); got != "noarch" {
		t.Errorf("the pages' architecture is %q, want noarch", got)
	}
}
