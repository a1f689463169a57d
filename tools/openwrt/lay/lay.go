// Package lay lays a parcel out for nfpm, which packs what is on disk.
package lay

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/goreleaser/nfpm/v2/files"

	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// Dependencies are written as opkg and dpkg want them, in order.
func Dependencies(deps []parcel.Dependency) []string {
	var out []string
	for _, d := range deps {
		out = append(out, d.Debian())
	}
	slices.Sort(out)
	return out
}

// Contents lays the parcel's files out in a folder, where nfpm reads them.
func Contents(p parcel.Parcel, dir string) (files.Contents, error) {
	var contents files.Contents
	for i, f := range p.Files {
		c := &files.Content{
			Source: filepath.Join(dir, "file"+strconv.Itoa(i)), Destination: f.Path,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: f.Mode, MTime: p.Time},
		}
		switch {
		case f.Target != "":
			c.Type, c.Source = files.TypeSymlink, f.Target
		case slices.Contains(p.Conffiles, f.Path):
			c.Type = files.TypeConfigNoReplace
		}
		if f.Target == "" {
			if err := os.WriteFile(c.Source, f.Data, 0o600); err != nil {
				return nil, fmt.Errorf("lay out package %s: %w", p.Name, err)
			}
		}
		contents = append(contents, c)
	}
	return contents, nil
}
