package parcel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Label is package.json: what a folder's parcel is called and needs. A key
// that is not here is an error.
type Label struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Section     string            `json:"section"` // opkg's and LuCI's group: net, luci
	Maintainer  string            `json:"maintainer"`
	License     string            `json:"license"`
	URL         string            `json:"url"`
	Release     int               `json:"release"`          // default 1
	Binary      string            `json:"binary,omitempty"` // where the program goes; without one the parcel is for all architectures
	Depends     []string          `json:"depends"`          // see ParseDependency
	Conffiles   []string          `json:"conffiles"`
	User        string            `json:"user,omitempty"`  // Require-User
	Modes       map[string]string `json:"modes,omitempty"` // path -> octal, where it is not 0755 or 0644
}

// Load reads a parcel's folder:
//
//	package.json                     the label
//	root/...                         files for /
//	htdocs/...                       files for /www
//	preinst postinst prerm postrm    the maintainer's own parts, where they are
//
// A file that its owner may execute is 0755, any other 0644, unless the label
// says more. The program itself, the architecture and the time are the
// caller's.
func Load(dir, version string, at time.Time) (Parcel, Label, error) {
	label, err := readLabel(filepath.Join(dir, "package.json"))
	if err != nil {
		return Parcel{}, Label{}, err
	}
	p := Parcel{
		Name: label.Name, Description: strings.TrimSpace(label.Description), Section: label.Section,
		Maintainer: label.Maintainer, License: label.License, URL: label.URL,
		Conffiles: label.Conffiles, User: label.User, Arch: "all", Time: at.UTC().Truncate(time.Second),
	}
	if p.Version, err = ParseVersion(version, max(label.Release, 1)); err != nil {
		return Parcel{}, Label{}, err
	}
	for _, s := range label.Depends {
		d, err := ParseDependency(s)
		if err != nil {
			return Parcel{}, Label{}, fmt.Errorf("%s: %w", dir, err)
		}
		p.Depends = append(p.Depends, d)
	}
	for from, to := range map[string]string{"root": "/", "htdocs": "/www"} {
		if err := p.addTree(filepath.Join(dir, from), to); err != nil {
			return Parcel{}, Label{}, err
		}
	}
	for name, mode := range label.Modes {
		f, there := p.File(name)
		bits, err := strconv.ParseUint(mode, 8, 9)
		if !there || f.Target != "" || err != nil {
			return Parcel{}, Label{}, fmt.Errorf("%s: modes: %s %s: want a file of the package and an octal mode", dir, name, mode)
		}
		f.Mode = fs.FileMode(bits)
		p.Add(f)
	}
	if p.Scripts, err = loadScripts(dir); err != nil {
		return Parcel{}, Label{}, err
	}
	return p, label, nil
}

func readLabel(name string) (Label, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return Label{}, fmt.Errorf("read package's label: %w", err)
	}
	var label Label
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&label); err != nil {
		return Label{}, fmt.Errorf("read package's label %s: %w", name, err)
	}
	return label, nil
}

// addTree adds what is under a folder of the disk; no folder, no files.
func (p *Parcel) addTree(from, to string) error {
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == from {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		f := File{Path: path.Join(to, filepath.ToSlash(rel)), Mode: 0o644}
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.Type() == fs.ModeSymlink:
			f.Mode = 0o777
			f.Target, err = os.Readlink(name)
		case d.Type().IsRegular():
			if info.Mode()&0o100 != 0 {
				f.Mode = 0o755
			}
			f.Data, err = os.ReadFile(name)
		default:
			return fmt.Errorf("%s is neither a file nor a link", name)
		}
		p.Add(f)
		return err
	})
	if err != nil {
		return fmt.Errorf("read package's files %s: %w", from, err)
	}
	return nil
}

func loadScripts(dir string) (Scripts, error) {
	var s Scripts
	for name, to := range map[string]*[]byte{"preinst": &s.PreInst, "postinst": &s.PostInst, "prerm": &s.PreRm, "postrm": &s.PostRm} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Scripts{}, fmt.Errorf("read maintainer script: %w", err)
		}
		*to = text
	}
	return s, nil
}

// Body is a script without its #! line, ending in a newline: what is put
// behind another's first lines.
func Body(script []byte) []byte {
	if bytes.HasPrefix(script, []byte("#!")) {
		_, script, _ = bytes.Cut(script, []byte("\n"))
	}
	if len(script) > 0 && script[len(script)-1] != '\n' {
		script = append(bytes.Clone(script), '\n')
	}
	return script
}
