package ipk

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/hien-wifi/hien/tools/openwrt/deflate"
	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// What nfpm v2.43.0 makes, and what OpenWrt's ipkg-build and opkg want instead:
//
//   - gzip at its default level: some 7 % smaller here, without name and time
//   - owners' names in the archives: numbers alone
//   - the archive in the order in which the files were given, and without the
//     root: sorted, and with it
//   - Installed-Size in KiB: bytes, of the whole unpacked archive
//   - a field Priority, and Homepage for URL: OpenWrt's fields in its order,
//     with Description last, before which an index puts its own
//   - a conffiles file with an empty line where there are none: no file
//   - no postinst-pkg and prerm-pkg, which default_postinst and default_prerm run
func mend(made []byte, p parcel.Parcel, c *deflate.Compressor) (Package, error) {
	outer, err := open(made)
	if err != nil {
		return Package{}, err
	}
	member := func(name string) ([]entry, error) {
		i := slices.IndexFunc(outer, func(e entry) bool { return path.Clean(e.head.Name) == name })
		if i < 0 {
			return nil, fmt.Errorf("it has no %s", name)
		}
		return open(outer[i].data)
	}
	data, err := member("data.tar.gz")
	if err != nil {
		return Package{}, err
	}
	control, err := member("control.tar.gz")
	if err != nil {
		return Package{}, err
	}

	dataTar, err := write(p, append(data, entry{head: tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}}))
	if err != nil {
		return Package{}, err
	}
	var fields string
	mended := []entry{{head: tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}}}
	for _, e := range control {
		switch path.Clean(e.head.Name) {
		case "control":
			fields = order(string(e.data), len(dataTar))
			e.data = []byte(fields)
		case "conffiles":
			if len(bytes.TrimSpace(e.data)) == 0 {
				continue
			}
		}
		mended = append(mended, e)
	}
	for name, script := range map[string][]byte{"postinst-pkg": whole(p.Scripts.PostInst), "prerm-pkg": whole(p.Scripts.PreRm)} {
		if script != nil {
			mended = append(mended, file(name, 0o755, script))
		}
	}
	controlTar, err := write(p, mended)
	if err != nil {
		return Package{}, err
	}
	// The order of ipkg-build, which is not sorted.
	outerTar, err := writeAsGiven(p, []entry{
		file("debian-binary", 0o644, []byte("2.0\n")),
		file("data.tar.gz", 0o644, c.Gzip(dataTar)),
		file("control.tar.gz", 0o644, c.Gzip(controlTar)),
	})
	if err != nil {
		return Package{}, err
	}
	return Package{Bytes: zip(outerTar), Control: fields}, nil
}

// An entry is one of an archive.
type entry struct {
	head tar.Header
	data []byte
}

func file(name string, mode int64, data []byte) entry {
	return entry{tar.Header{Name: "./" + name, Typeflag: tar.TypeReg, Mode: mode}, data}
}

func open(packed []byte) ([]entry, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	var entries []entry
	for r := tar.NewReader(z); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{*head, data})
	}
}

// write sorts entries as tar --sort=name does: a folder before what it holds.
func write(p parcel.Parcel, entries []entry) ([]byte, error) {
	slices.SortFunc(entries, func(a, b entry) int {
		return slices.CompareFunc(parts(a), parts(b), cmp.Compare)
	})
	return writeAsGiven(p, entries)
}

func parts(e entry) []string {
	return strings.Split(strings.TrimSuffix(e.head.Name, "/"), "/")
}

func writeAsGiven(p parcel.Parcel, entries []entry) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		head := tar.Header{
			Name: e.head.Name, Linkname: e.head.Linkname, Typeflag: e.head.Typeflag, Mode: e.head.Mode & 0o7777,
			Size: int64(len(e.data)), ModTime: p.Time, Format: tar.FormatGNU,
		}
		switch head.Typeflag {
		case tar.TypeDir:
			head.Mode = 0o755
			head.Name = strings.TrimSuffix(head.Name, "/") + "/"
		case tar.TypeSymlink:
			head.Mode = 0o777
		}
		if err := w.WriteHeader(&head); err != nil {
			return nil, fmt.Errorf("write %s: %w", head.Name, err)
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, fmt.Errorf("write %s: %w", head.Name, err)
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// zip is for the outermost archive: what is in it is compressed already.
func zip(b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	w.Write(b) // a Buffer takes everything
	w.Close()
	return out.Bytes()
}

// fieldOrder is that of OpenWrt's own packages.
var fieldOrder = []string{
	"Package", "Version", "Depends", "Source", "SourceName", "License", "Section", "Require-User",
	"SourceDateEpoch", "URL", "Maintainer", "Architecture", "Installed-Size", "Description",
}

// order writes the control file anew. A line that begins with a space belongs
// to the field before it.
func order(control string, installed int) string {
	fields := map[string]string{}
	name := ""
	for line := range strings.Lines(control) {
		if strings.HasPrefix(line, " ") {
			fields[name] += line
			continue
		}
		name, _, _ = strings.Cut(line, ":")
		fields[name] = line
	}
	fields["Installed-Size"] = fmt.Sprintf("Installed-Size: %d\n", installed)
	var out strings.Builder
	for _, name := range fieldOrder {
		out.WriteString(fields[name])
	}
	return out.String()
}
