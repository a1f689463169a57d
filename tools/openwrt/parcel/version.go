package parcel

import (
	"fmt"
	"regexp"
)

// A Version is one version as each package manager spells it. They sort
// alike: a development version is before its release, a build after some more
// commits is after it.
type Version struct {
	Apk   string // 0.2.0_rc1-r1, apk-package(5)
	Opkg  string // 0.2.0~rc1-r1, compared as dpkg does
	Deb   string // 0.2.0~rc1-1
	Dirty bool   // it was built from files that no commit has
}

// What `git describe` and the software itself call a version.
var version = regexp.MustCompile(`^v?(\d+(?:\.\d+)*)(?:-(dev|alpha|beta|pre|rc)[.-]?(\d*))?(?:-(\d+)-g([0-9a-f]+))?(-dirty)?$`)

// ParseVersion reads what the software calls its version ("0.1.0",
// "0.1.0-dev", "0.2.0-rc.1", or git describe's "0.1.0-5-gabc1234-dirty").
// The release counts how often this version was packed anew, from 1.
func ParseVersion(s string, release int) (Version, error) {
	m := version.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("version %q: want numbers with dots, then perhaps -dev, -alpha, -beta, -pre or -rc with a number, as in 0.2.0-rc.1; give it by -version", s)
	}
	if release < 1 {
		return Version{}, fmt.Errorf("release %d: want 1 or more", release)
	}
	base, stage, number, commits, hash := m[1], m[2], m[3], m[4], m[5]
	apk, deb := base, base
	if stage == "dev" {
		stage = "alpha" // apk-package(5) knows no dev; it is before everything else
	}
	if stage != "" {
		apk += "_" + stage + number
		deb += "~" + stage + number
	}
	if commits != "" {
		apk += "_p" + commits + "~" + hash
		deb += "+" + commits + ".g" + hash
	}
	return Version{
		Apk:   fmt.Sprintf("%s-r%d", apk, release),
		Opkg:  fmt.Sprintf("%s-r%d", deb, release),
		Deb:   fmt.Sprintf("%s-%d", deb, release),
		Dirty: m[6] != "",
	}, nil
}
