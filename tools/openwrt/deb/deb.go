// Package deb writes packages for Debian and what follows it, by nfpm: for a
// gateway that is plain Linux.
package deb

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	nfpmdeb "github.com/goreleaser/nfpm/v2/deb"

	"github.com/hien-wifi/hien/tools/openwrt/lay"
	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// A Package is a written package.
type Package struct {
	Bytes    []byte
	Filename string // name_version_arch.deb
}

// Write makes a package of a parcel, whose architecture is Debian's. The
// maintainer's scripts are run by dpkg as they are.
func Write(p parcel.Parcel) (Package, error) {
	if err := p.Check(); err != nil {
		return Package{}, err
	}
	dir, err := os.MkdirTemp("", "hien-deb-")
	if err != nil {
		return Package{}, fmt.Errorf("lay out package %s: %w", p.Name, err)
	}
	defer os.RemoveAll(dir)
	contents, err := lay.Contents(p, dir)
	if err != nil {
		return Package{}, err
	}
	var scripts nfpm.Scripts
	for _, s := range []struct {
		to   *string
		name string
		text []byte
	}{
		{&scripts.PreInstall, "preinst", p.Scripts.PreInst},
		{&scripts.PostInstall, "postinst", p.Scripts.PostInst},
		{&scripts.PreRemove, "prerm", p.Scripts.PreRm},
		{&scripts.PostRemove, "postrm", p.Scripts.PostRm},
	} {
		if s.text == nil {
			continue
		}
		*s.to = filepath.Join(dir, s.name)
		if err := os.WriteFile(*s.to, s.text, 0o600); err != nil {
			return Package{}, fmt.Errorf("lay out package %s: %w", p.Name, err)
		}
	}
	var made bytes.Buffer
	err = nfpmdeb.Default.Package(nfpm.WithDefaults(&nfpm.Info{
		Name: p.Name, Arch: p.Arch, Platform: "linux", VersionSchema: "none", Version: p.Version.Deb,
		Section: p.Section, Priority: "optional", Maintainer: p.Maintainer, Description: p.Description,
		Homepage: p.URL, License: p.License, DisableGlobbing: true, MTime: p.Time,
		Overridables: nfpm.Overridables{
			Depends: lay.Dependencies(p.Depends), Contents: contents, Scripts: scripts,
			Deb: nfpm.Deb{Arch: p.Arch, Compression: "xz"},
		},
	}), &made)
	if err != nil {
		return Package{}, fmt.Errorf("make package %s: %w", p.Name, err)
	}
	return Package{Bytes: made.Bytes(), Filename: fmt.Sprintf("%s_%s_%s.deb", p.Name, p.Version.Deb, p.Arch)}, nil
}
