// Command openwrt packs Hiên: .ipk and .apk for OpenWrt with a signed feed of
// each, and .deb for plain Linux.
//
//	go run ./openwrt -out DIR -bin arm64=PATH -bin amd64=PATH ...
//	go run ./openwrt -dump FILE
//
// What goes into the packages stands in the project's openwrt folder; see
// parcel.Load. Into the folder DIR it writes
//
//	opkg/ARCH/   packages for OpenWrt 22.03 to 24.10, Packages, Packages.gz, Packages.sig
//	apk/ARCH/    packages for OpenWrt 25.12 on, packages.adb
//	deb/         packages for Debian
//	keys/        what routers need to trust the feeds
//
// The same files, keys and time make the same bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hien-wifi/hien/tools/openwrt/adbdump"
)

func main() {
	if err := run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "openwrt: %v\n", err)
		os.Exit(1)
	}
}

// A job is what is asked for.
type job struct {
	out, tree string
	version   string
	at        time.Time // of every file
	programs  []program
	opkgKey   string // files; made anew where empty
	apkKey    string
}

// A program is the binary for a machine.
type program struct {
	machine machine
	file    string
}

// Where no time is given, every build has this one.
const defaultEpoch = 1767225600 // 2026-01-01 00:00:00 UTC

func run(args []string, env func(string) string, out, log io.Writer) error {
	var j job
	var dump string
	flags := flag.NewFlagSet("openwrt", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&j.out, "out", "", "the `folder` for packages, feeds and keys")
	flags.StringVar(&j.tree, "tree", "../openwrt", "the `folder` with hien, luci-app-hien, deb and systemd")
	flags.StringVar(&j.version, "version", "", "the `version`, as `hien --version` says it; that in ../hien.go where there is none")
	flags.StringVar(&j.opkgKey, "opkg-key", "", "a secret key `file` of usign or signify, for opkg's feed")
	flags.StringVar(&j.apkKey, "apk-key", "", "a private key `file` of openssl, EC on prime256v1, for apk's feed")
	flags.StringVar(&dump, "dump", "", "print an .apk or a packages.adb as text and do nothing else; a `file`")
	flags.Func("bin", "a machine or an architecture of OpenWrt's, and its program: `name=path`; once for each", func(s string) error {
		name, file, found := strings.Cut(s, "=")
		m, err := findMachine(name)
		if err != nil || !found {
			return errors.Join(errors.New("want name=path"), err)
		}
		j.programs = append(j.programs, program{m, file})
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if dump != "" {
		return printDump(dump, out)
	}
	if j.out == "" || len(j.programs) == 0 || flags.NArg() > 0 {
		return errors.New("want -out and at least one -bin, and nothing else; see -help")
	}
	epoch := int64(defaultEpoch)
	if s := env("SOURCE_DATE_EPOCH"); s != "" { // reproducible-builds.org's
		var err error
		if epoch, err = strconv.ParseInt(s, 10, 64); err != nil || epoch < 0 {
			return fmt.Errorf("SOURCE_DATE_EPOCH is %q, want seconds since 1970", s)
		}
	}
	j.at = time.Unix(epoch, 0).UTC()
	if j.version == "" {
		var err error
		if j.version, err = sourceVersion("../hien.go"); err != nil {
			return err
		}
	}
	return j.run(out, log)
}

var versionLine = regexp.MustCompile(`(?m)^var Version = "(.+)"$`)

func sourceVersion(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("look up version: %w; or give it by -version", err)
	}
	m := versionLine.FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("look up version: %s has none; give it by -version", file)
	}
	return string(m[1]), nil
}

func printDump(file string, out io.Writer) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	f, err := adbdump.Read(b)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	_, err = io.WriteString(out, f.Text())
	return err
}
