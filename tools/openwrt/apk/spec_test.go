package apk_test

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// What others have published of a package of OpenWrt 25.12's feed (mihomo
// 1.19.31-r2, with a description of 389 bytes): how its ADB block begins.
func TestBeginsAsOpenWrtsOwnPackagesDo(t *testing.T) {
	p := load(t, "luci-app-hien", "all")
	p.Name, p.Version.Apk, p.Description = "mihomo", "1.19.31-r2", strings.Repeat("d", 389)
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(write(t, p).Bytes[4:])))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %x ... %x %x", plain[:8], plain[12:16], plain[19]>>4, plain[20:20+7+11+2])
	want := "ADB.pckg 00000000 ... e 06" + hex.EncodeToString([]byte("mihomo")) + "0a" + hex.EncodeToString([]byte("1.19.31-r2")) + "8501"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The whole file, apart from compression, spelled out by hand from
// apk-v3(5): the smallest package there is.
func TestBytesBySpecification(t *testing.T) {
	p := parcel.Parcel{
		Name: "a", Arch: "all", Version: parcel.Version{Apk: "1"}, Description: "d", Maintainer: "m", License: "l",
		Files: []parcel.File{{Path: "/f", Mode: 0o600, Data: []byte("xy")}}, Time: time.Unix(1, 0),
	}
	var want spec
	want.text("ADB.pckg")
	adb := spec{}
	adb.words(0)                 // versions and reserved
	root := adb.hole()           // at 4
	name := adb.blob("a")        // 8
	version := adb.blob("1")     // 10
	description := adb.blob("d") // 12
	arch := adb.blob("noarch")   // 14
	license, maintainer := adb.blob("l"), adb.blob("m")
	any := adb.blob("a-any")
	provide := adb.slots(0xe, any)      // an object with a name alone
	provides := adb.slots(0xd, provide) // an array of one
	file := func(name, content string, mode int) uint32 {
		n := adb.blob(name)
		sum := sha256.Sum256([]byte(content))
		h := adb.blob(string(sum[:]))
		user := adb.once("root", func() uint32 { return adb.blob("root") })
		acl := adb.once(fmt.Sprint(mode), func() uint32 { return adb.slots(0xe, 1<<28|uint32(mode), user, user) })
		return adb.slots(0xe, n, acl, 1<<28|uint32(len(content)), 1<<28|1, h)
	}
	f := file("f", "xy", 0o600)
	user := adb.once("root", nil)
	acl755 := adb.slots(0xe, 1<<28|0o755, user, user)
	rootDir := adb.slots(0xe, 0, acl755, adb.slots(0xd, f))
	lib := adb.slots(0xe, adb.blob("lib"), acl755)
	libApk := adb.slots(0xe, adb.blob("lib/apk"), acl755)
	list := file("a.list", "/f\n", 0o644)
	packagesName := adb.blob("lib/apk/packages")
	packages := adb.slots(0xe, packagesName, acl755, adb.slots(0xd, list))
	paths := adb.slots(0xd, rootDir, lib, libApk, packages)
	idAt, id := len(adb.b)+1, adb.blob(string(make([]byte, 20)))
	info := adb.slots(0xe, name, version, id, description, arch, license, name, maintainer, 0, 0, 0, 1<<28|5, 0, 0, 0, provides)
	ask := "[ -s \"${IPKG_INSTROOT}/lib/functions.sh\" ] || exit 0\n. \"${IPKG_INSTROOT}/lib/functions.sh\"\nexport root=\"${IPKG_INSTROOT}\"\nexport pkgname=\"a\"\n"
	install := "[ \"${IPKG_NO_SCRIPT}\" = \"1\" ] && exit 0\n" + ask + "add_group_and_user\ndefault_postinst\n"
	post := adb.blob("#!/bin/sh\n" + install)
	gone := adb.blob("#!/bin/sh\n" + ask + "default_prerm\n")
	upgraded := adb.blob("#!/bin/sh\nexport PKG_UPGRADE=1\n" + install)
	scripts := adb.slots(0xe, 0, 0, post, gone, 0, 0, upgraded)
	adb.fill(root, adb.slots(0xe, info, paths, scripts))
	sum := sha256.Sum256(adb.b)
	copy(adb.b[idAt:], sum[:20])

	want.block(0, adb.b)
	want.block(2, []byte("\x01\x00\x00\x00\x01\x00\x00\x00xy"))
	want.block(2, []byte("\x04\x00\x00\x00\x01\x00\x00\x00/f\n"))

	pkg := write(t, p)
	if got := string(pkg.Bytes[:4]); got != "ADBd" {
		t.Errorf("it begins with %q, want ADBd", got)
	}
	got, err := io.ReadAll(flate.NewReader(bytes.NewReader(pkg.Bytes[4:])))
	if err != nil || !bytes.Equal(got, want.b) {
		t.Errorf("got %d bytes and %v\n%x\nwant %d\n%x", len(got), err, got, len(want.b), want.b)
	}
}

// spec builds the expected bytes with nothing but appending.
type spec struct {
	b    []byte
	seen map[string]uint32
}

func (s *spec) text(t string) { s.b = append(s.b, t...) }
func (s *spec) words(w ...uint32) {
	for _, w := range w {
		s.b = binary.LittleEndian.AppendUint32(s.b, w)
	}
}
func (s *spec) hole() int { s.words(0); return len(s.b) - 4 }
func (s *spec) fill(at int, w uint32) {
	binary.LittleEndian.PutUint32(s.b[at:], w)
}
func (s *spec) align(n int) {
	for len(s.b)%n != 0 {
		s.b = append(s.b, 0)
	}
}
func (s *spec) blob(t string) uint32 {
	if len(t) > 255 {
		s.align(2)
		at := uint32(len(s.b))
		s.b = append(s.b, byte(len(t)), byte(len(t)>>8))
		s.text(t)
		return 0x9<<28 | at
	}
	at := uint32(len(s.b))
	s.b = append(s.b, byte(len(t)))
	s.text(t)
	return 0x8<<28 | at
}
func (s *spec) slots(tag uint32, values ...uint32) uint32 {
	s.align(4)
	at := uint32(len(s.b))
	s.words(uint32(len(values) + 1))
	s.words(values...)
	return tag<<28 | at
}
func (s *spec) once(what string, make func() uint32) uint32 {
	if v, there := s.seen[what]; there {
		return v
	}
	if s.seen == nil {
		s.seen = map[string]uint32{}
	}
	v := make()
	s.seen[what] = v
	return v
}
func (s *spec) block(kind uint32, inside []byte) {
	s.words(kind<<30 | uint32(len(inside)+4))
	s.b = append(s.b, inside...)
	s.align(8)
}
