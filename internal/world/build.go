package world

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// builds remembers what this process has built: key → func() (path, error).
var builds sync.Map

// Build builds a Go command of this module (as "./cmd/hien") with the given
// flags of go build, once for each process, and returns the program's path.
// It works offline: caches and settings of the go command are those of the
// caller.
func Build(ctx context.Context, pkg string, flags ...string) (string, error) {
	key := pkg + "\x00" + strings.Join(flags, "\x00")
	once := sync.OnceValues(func() (string, error) { return build(ctx, pkg, flags) })
	actual, _ := builds.LoadOrStore(key, once)
	return actual.(func() (string, error))()
}

func build(ctx context.Context, pkg string, flags []string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "hien-world-build-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, filepath.Base(pkg))
	args := append([]string{"build", "-o", program}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return program, nil
}

// moduleRoot is the nearest directory upwards that has a go.mod.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above %s", start)
		}
	}
}
