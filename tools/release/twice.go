package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// twice builds from two copies of the sources, each with an empty cache, so
// that nothing of the first build is in the second, and compares bit by bit.
func (j job) twice(ctx context.Context) error {
	base, err := os.MkdirTemp("", "hien-twice-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	// Folders of different length: a path that leaks shifts what is behind it.
	folders := []string{filepath.Join(base, "a"), filepath.Join(base, "another place", "with a longer name")}
	for _, folder := range folders {
		if err := copyTree(ctx, j.root, filepath.Join(folder, "src")); err != nil {
			return err
		}
	}
	for _, m := range j.machines {
		var built [][]byte
		for _, folder := range folders {
			there := j
			there.out = filepath.Join(folder, "out")
			path, err := there.compile(ctx, m, goCommand{dir: filepath.Join(folder, "src"), cache: filepath.Join(folder, "cache")})
			if err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			built = append(built, b)
		}
		if !bytes.Equal(built[0], built[1]) {
			return fmt.Errorf("%s: %s", m.name, difference(built[0], built[1]))
		}
		fmt.Fprintf(j.to, "%s: %d bytes, the same twice\n", m.name, len(built[0]))
	}
	return nil
}

// difference says where two programs part.
func difference(a, b []byte) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			from := max(0, i-32)
			return fmt.Sprintf("the programs differ from byte %d on: %q and %q", i, a[from:min(len(a), i+64)], b[from:min(len(b), i+64)])
		}
	}
	return fmt.Sprintf("one program has %d bytes and the other %d", len(a), len(b))
}
