// Package parcel is what a package holds, whatever its format: a name, a
// version, files with their modes, and what is to be run around them.
//
// A parcel is loaded from a folder (see Load) and is written as .ipk, .apk or
// .deb by the packages beside this one. Nothing in it depends on the machine
// that packs: owners are root, times are one given moment, files are in order.
package parcel

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// A Parcel is one package for one architecture.
type Parcel struct {
	Name        string
	Version     Version
	Arch        string // OpenWrt's name, "all" for scripts; Debian's name in a .deb
	Description string // one line, or a line and paragraphs after it
	Section     string
	Maintainer  string
	License     string // SPDX
	URL         string
	Depends     []Dependency
	Conffiles   []string // absolute paths of files that an upgrade leaves alone
	User        string   // OpenWrt's Require-User: user=id:group=id
	Files       []File   // sorted by path, folders are implied
	Scripts     Scripts
	Time        time.Time // of every file, and of the package
}

// A File is a regular file or, with a Target, a symbolic link.
type File struct {
	Path   string      // absolute, clean
	Mode   fs.FileMode // permission bits only
	Data   []byte
	Target string // of a symbolic link
}

// Scripts are a maintainer's own parts, with or without a #! line. OpenWrt's
// default_postinst and default_prerm are called by the packagers, around them.
// A nil script does not exist.
type Scripts struct {
	PreInst, PostInst, PreRm, PostRm []byte
}

// A Dependency is a name and, where Op is not empty, the versions that will do.
type Dependency struct {
	Name    string
	Op      string // "", "=", "<", "<=", ">" or ">="
	Version string
}

// ParseDependency reads "name", "name=1.2", "name>=1.2" and so on.
func ParseDependency(s string) (Dependency, error) {
	name, rest := s, ""
	if i := strings.IndexAny(s, "<>="); i >= 0 {
		name, rest = s[:i], s[i:]
	}
	d := Dependency{Name: name}
	if rest != "" {
		d.Version = strings.TrimLeft(rest, "<>=")
		d.Op = rest[:len(rest)-len(d.Version)]
		if !slices.Contains([]string{"=", "<", "<=", ">", ">="}, d.Op) || d.Version == "" || !isWord(d.Version, "~") {
			return Dependency{}, fmt.Errorf("dependency %q: want name, or name, one of = < <= > >= and a version", s)
		}
	}
	if !isName(d.Name) {
		return Dependency{}, fmt.Errorf("dependency %q: %q is no package's name", s, d.Name)
	}
	return d, nil
}

// String is the way apk writes a dependency.
func (d Dependency) String() string { return d.Name + d.Op + d.Version }

// Debian is the way opkg and dpkg write a dependency. A strict < or > is
// doubled there (Debian Policy 7.1).
func (d Dependency) Debian() string {
	switch d.Op {
	case "":
		return d.Name
	case "<", ">":
		return fmt.Sprintf("%s (%s%s %s)", d.Name, d.Op, d.Op, d.Version)
	}
	return fmt.Sprintf("%s (%s %s)", d.Name, d.Op, d.Version)
}

// isName is what opkg, apk and dpkg all take as a package's name.
func isName(s string) bool {
	return s != "" && s[0] != '.' && s[0] != '-' && s[0] != '+' && isWord(s, "")
}

func isWord(s, also string) bool {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("._+-"+also, r):
		default:
			return false
		}
	}
	return true
}

// Add puts a file in; one that is there already with this path is replaced.
func (p *Parcel) Add(f File) {
	i, there := slices.BinarySearchFunc(p.Files, f.Path, func(f File, path string) int { return cmp.Compare(f.Path, path) })
	if there {
		p.Files[i] = f
		return
	}
	p.Files = slices.Insert(p.Files, i, f)
}

// File finds a file by its path.
func (p *Parcel) File(path string) (File, bool) {
	i, there := slices.BinarySearchFunc(p.Files, path, func(f File, path string) int { return cmp.Compare(f.Path, path) })
	if !there {
		return File{}, false
	}
	return p.Files[i], true
}

// Folders are the folders that the files imply, each before what it holds,
// without the root.
func (p *Parcel) Folders() []string {
	seen := map[string]bool{}
	for _, f := range p.Files {
		for dir := path.Dir(f.Path); dir != "/"; dir = path.Dir(dir) {
			seen[dir] = true
		}
	}
	dirs := make([]string, 0, len(seen))
	for dir := range seen {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	return dirs
}

// Size is the sum of the files' sizes in bytes.
func (p *Parcel) Size() int64 {
	var n int64
	for _, f := range p.Files {
		n += int64(len(f.Data))
	}
	return n
}

// Check finds what no package manager would forgive.
func (p *Parcel) Check() error {
	complain := func(format string, args ...any) error {
		return fmt.Errorf("package %s: "+format, append([]any{p.Name}, args...)...)
	}
	for what, value := range map[string]string{"a description": p.Description, "a maintainer": p.Maintainer, "a licence": p.License, "an architecture": p.Arch, "a version": p.Version.Apk} {
		if value == "" {
			return complain("it has not %s", what)
		}
	}
	if !isName(p.Name) {
		return complain("%q is no package's name", p.Name)
	}
	for _, value := range []string{p.Maintainer, p.License, p.URL, p.Section, p.User} {
		if strings.ContainsAny(value, "\n\r") {
			return complain("%q is more than one line", value)
		}
	}
	for i, f := range p.Files {
		switch {
		case !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" || strings.ContainsAny(f.Path, "\n\x00"):
			return complain("%q is no clean absolute path", f.Path)
		case i > 0 && p.Files[i-1].Path >= f.Path:
			return complain("%s is out of order or there twice", f.Path)
		case f.Mode&^fs.ModePerm != 0:
			return complain("%s: mode %v is more than permission bits", f.Path, f.Mode)
		case f.Target != "" && f.Data != nil:
			return complain("%s is a link and has content", f.Path)
		}
	}
	for _, c := range p.Conffiles {
		if f, there := p.File(c); !there || f.Target != "" {
			return complain("the conffile %s is not among its files", c)
		}
	}
	names := map[string]bool{p.Name: true}
	for _, d := range p.Depends {
		if names[d.Name] {
			return complain("it depends on %s twice, or on itself", d.Name)
		}
		names[d.Name] = true
	}
	return nil
}
