package main

import (
	"bufio"
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mostParts is how many of a program's parts are listed.
const mostParts = 25

// size prints what a package weighs as a download and on flash, and what the
// program in it is made of. On arm64 it is an error when that is more than it
// may be.
func (j job) size(ctx context.Context) error {
	for _, m := range j.machines {
		path, err := j.compile(ctx, m, goCommand{})
		if err != nil {
			return err
		}
		p, err := j.pack(ctx, m, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(j.to, "%s: %d bytes to download (%s), %d on flash (its files as xz)\n", m.name, p.download, p.name, p.flash)
		named, err := j.compile(ctx, m, goCommand{symbols: true})
		if err != nil {
			return err
		}
		parts, err := partsOf(named)
		if err != nil {
			return err
		}
		for _, part := range parts[:min(len(parts), mostParts)] {
			fmt.Fprintf(j.to, "%10d  %s\n", part.bytes, part.name)
		}
		if m.name == "arm64" && (p.download > mostDownload || p.flash > mostFlash) {
			return fmt.Errorf("arm64: want at most %d bytes to download and %d on flash", mostDownload, mostFlash)
		}
	}
	return nil
}

// A pack is a package of OpenWrt's, measured by the packager.
type pack struct {
	name            string
	download, flash int64
}

// pack has the packager make the machine's packages and reads its table.
func (j job) pack(ctx context.Context, m machine, program string) (pack, error) {
	dir, err := os.MkdirTemp("", "hien-pack-")
	if err != nil {
		return pack{}, err
	}
	defer os.RemoveAll(dir)
	args := []string{"run", "./openwrt", "-out", dir, "-tree", filepath.Join(j.root, "openwrt"), "-bin", m.name + "=" + program}
	if j.version != "" {
		args = append(args, "-version", j.version)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(j.root, "tools")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return pack{}, fmt.Errorf("pack for %s: %w", m.name, err)
	}
	return findPack(string(out))
}

// findPack finds the program's .ipk in the packager's table: package,
// architecture, download, files as xz.
func findPack(table string) (pack, error) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "hien") || !strings.HasSuffix(f[0], ".ipk") || strings.Contains(f[0], "luci") {
			continue
		}
		p := pack{name: f[0]}
		var err, err2 error
		p.download, err = strconv.ParseInt(f[2], 10, 64)
		p.flash, err2 = strconv.ParseInt(f[3], 10, 64)
		return p, errors.Join(err, err2)
	}
	return pack{}, fmt.Errorf("the packager's table has no .ipk of hien:\n%s", table)
}

// A part is a package of Go's, or what is C.
type part struct {
	name  string
	bytes uint64
}

// partsOf adds up the sizes of a program's symbols, the largest part first.
// What only reserves memory and is not in the file does not count.
func partsOf(path string) ([]part, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("read the names in %s: %w", path, err)
	}
	sums := make(map[string]uint64)
	for _, s := range symbols {
		if int(s.Section) >= len(f.Sections) || s.Section == elf.SHN_UNDEF {
			continue
		}
		if f.Sections[s.Section].Type != elf.SHT_NOBITS {
			sums[owner(s.Name)] += s.Size
		}
	}
	for _, s := range f.Sections {
		if s.Name == ".gopclntab" || s.Name == ".eh_frame" {
			sums["("+s.Name+")"] = s.FileSize
		}
	}
	var parts []part
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		parts = append(parts, part{name, sums[name]})
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.bytes, a.bytes) })
	return parts, nil
}

// owner is the package to which a symbol belongs:
// github.com/a/b.(*T).Do[go.shape.int] is of github.com/a/b.
func owner(symbol string) string {
	switch {
	case strings.HasPrefix(symbol, "type:"), strings.HasPrefix(symbol, "go:"), strings.HasPrefix(symbol, "runtime."):
		first, _, _ := strings.Cut(symbol, ".")
		return first
	}
	symbol, _, _ = strings.Cut(symbol, "[")
	slash := strings.LastIndexByte(symbol, '/') + 1
	dot := strings.IndexByte(symbol[slash:], '.')
	if dot <= 0 {
		return "C (SQLite, libc)"
	}
	return strings.ReplaceAll(symbol[:slash+dot], "%2e", ".")
}

// replaceTable puts a table between a document's two markers.
func replaceTable(document io.Reader, table string) (string, error) {
	const from, to = "<!-- written by: make hardware -->", "<!-- end -->"
	var b strings.Builder
	inside, seen := false, false
	lines := bufio.NewScanner(document)
	for lines.Scan() {
		line := lines.Text()
		if line == to && inside {
			inside = false
		}
		if !inside {
			fmt.Fprintln(&b, line)
		}
		if line == from {
			inside, seen = true, true
			b.WriteString("\n" + table + "\n")
		}
	}
	if !seen || inside {
		return "", fmt.Errorf("the document has no %s with an %s behind it", from, to)
	}
	return b.String(), lines.Err()
}
