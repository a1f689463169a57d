// Package ipk writes packages for opkg, which OpenWrt had up to 24.10.
//
// nfpm makes the package; what OpenWrt's own ipkg-build does and nfpm does not
// is mended around it (see mend.go).
package ipk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	nfpmipk "github.com/goreleaser/nfpm/v2/ipk"

	"github.com/hien-wifi/hien/tools/openwrt/deflate"
	"github.com/hien-wifi/hien/tools/openwrt/lay"
	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// A Package is a written package.
type Package struct {
	Bytes    []byte
	Filename string // name_version_arch.ipk
	Control  string // its fields, Description last
}

// Write makes a package of a parcel.
func Write(p parcel.Parcel, c *deflate.Compressor) (Package, error) {
	if err := p.Check(); err != nil {
		return Package{}, err
	}
	dir, err := os.MkdirTemp("", "hien-ipk-")
	if err != nil {
		return Package{}, fmt.Errorf("lay out package %s: %w", p.Name, err)
	}
	defer os.RemoveAll(dir)
	contents, err := lay.Contents(p, dir)
	if err != nil {
		return Package{}, err
	}
	scripts, err := layScripts(p.Scripts, dir)
	if err != nil {
		return Package{}, err
	}
	var made bytes.Buffer
	err = nfpmipk.Default.Package(nfpm.WithDefaults(&nfpm.Info{
		Name: p.Name, Arch: p.Arch, Platform: "linux", VersionSchema: "none", Version: p.Version.Opkg,
		Section: p.Section, Maintainer: p.Maintainer, Description: p.Description, License: p.License,
		DisableGlobbing: true, MTime: p.Time,
		Overridables: nfpm.Overridables{
			Depends: lay.Dependencies(p.Depends), Contents: contents, Scripts: scripts,
			IPK: nfpm.IPK{Arch: p.Arch, Fields: map[string]string{
				"Source": p.Name, "SourceName": p.Name, "URL": p.URL, "Require-User": p.User,
				"SourceDateEpoch": strconv.FormatInt(p.Time.Unix(), 10),
			}},
		},
	}), &made)
	if err != nil {
		return Package{}, fmt.Errorf("make package %s: %w", p.Name, err)
	}
	pkg, err := mend(made.Bytes(), p, c)
	if err != nil {
		return Package{}, fmt.Errorf("mend package %s: %w", p.Name, err)
	}
	pkg.Filename = fmt.Sprintf("%s_%s_%s.ipk", p.Name, p.Version.Opkg, p.Arch)
	return pkg, nil
}

// layScripts lays out the scripts that opkg runs. It runs postinst and prerm,
// which call OpenWrt's helpers; those run the maintainer's own parts, which
// stand beside them as postinst-pkg and prerm-pkg (mend adds them).
func layScripts(s parcel.Scripts, dir string) (nfpm.Scripts, error) {
	lay := func(name string, text []byte) (string, error) {
		if len(text) == 0 {
			return "", nil
		}
		name = filepath.Join(dir, name)
		return name, os.WriteFile(name, text, 0o600)
	}
	var out nfpm.Scripts
	for _, script := range []struct {
		to   *string
		name string
		text []byte
	}{
		{&out.PreInstall, "preinst", whole(s.PreInst)},
		{&out.PostInstall, "postinst", []byte(postinst)},
		{&out.PreRemove, "prerm", []byte(prerm)},
		{&out.PostRemove, "postrm", whole(s.PostRm)},
	} {
		var err error
		if *script.to, err = lay(script.name, script.text); err != nil {
			return nfpm.Scripts{}, fmt.Errorf("lay out scripts: %w", err)
		}
	}
	return out, nil
}

// whole is a script with a #! line; nil stays nil.
func whole(script []byte) []byte {
	body := parcel.Body(script)
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	return append([]byte("#!/bin/sh\n"), body...)
}

// What opkg runs (OpenWrt, include/package-pack.mk): the build sets
// IPKG_NO_SCRIPT where it unpacks alone; without the helpers it is no OpenWrt.
var (
	postinst = strings.Join([]string{
		"#!/bin/sh",
		`[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0`,
		`[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0`,
		`. "${IPKG_INSTROOT}/lib/functions.sh"`,
		`default_postinst "$0" "$@"`,
		"",
	}, "\n")
	prerm = strings.Join([]string{
		"#!/bin/sh",
		`[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0`,
		`. "${IPKG_INSTROOT}/lib/functions.sh"`,
		`default_prerm "$0" "$@"`,
		"",
	}, "\n")
)
