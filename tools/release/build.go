package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	tagsFile   = "cmd/hien/tags" // the build tags of the router's program
	translated = "hien_wasm"     // SQLite is the one translated to Go

	// What C is compiled with: for size, in small pieces of which the linker
	// drops those that nobody calls, and without tables for exceptions, which
	// C does not throw.
	cFlags  = "-Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables"
	ldFlags = "-static -Wl,--gc-sections -Wl,--build-id=none"

	// Where no time is given, every build has this one. Nothing should ask.
	defaultEpoch = "1767225600" // 2026-01-01 00:00:00 UTC
)

// build builds a program for each machine and prints what they weigh.
func (j job) build(ctx context.Context) error {
	fmt.Fprintf(j.to, "%-8s %10s %10s %10s  %s\n", "machine", "program", "as deflate", "as xz", "sha256")
	for _, m := range j.machines {
		path, err := j.compile(ctx, m, goCommand{})
		if err != nil {
			return err
		}
		w, err := weigh(ctx, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(j.to, "%-8s %10d %10d %10d  %x\n", m.name, w.program, w.download, w.flash, w.sum)
	}
	return nil
}

// A goCommand says how the go command is called.
type goCommand struct {
	dir     string // the sources; the job's own when empty
	cache   string // GOCACHE; the user's when empty
	symbols bool   // leave the names in
}

// compile builds the program for a machine and answers its path.
func (j job) compile(ctx context.Context, m machine, how goCommand) (path string, err error) {
	path = filepath.Join(j.out, "hien-"+m.name)
	if how.symbols {
		path += ".symbols"
	}
	return path, j.goRun(ctx, m, how, "build", "-tags", j.tagsFor(m), "-ldflags", j.ldflags(m, how.symbols), "-o", path, "./cmd/hien")
}

func (j job) tagsFor(m machine) string {
	if m.translated() {
		return j.tags + " " + translated
	}
	return j.tags
}

func (j job) ldflags(m machine, symbols bool) string {
	var flags []string
	if !symbols {
		flags = append(flags, "-s", "-w")
	}
	flags = append(flags, "-buildid=")
	if !m.translated() {
		flags = append(flags, "-linkmode", "external", "-extldflags", "'"+ldFlags+"'")
	}
	if j.version != "" {
		flags = append(flags, "-X", "github.com/hien-wifi/hien.Version="+j.version)
	}
	return strings.Join(flags, " ")
}

// goRun runs the go command for a machine.
func (j job) goRun(ctx context.Context, m machine, how goCommand, args ...string) error {
	if !m.translated() {
		if _, err := exec.LookPath(m.compiler()); err != nil {
			return fmt.Errorf("build for %s: %w: `scripts/deps release` installs it", m.name, err)
		}
	}
	if how.dir == "" {
		how.dir = j.root
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = how.dir, environment(os.Environ(), m, how)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build for %s: go %s: %w\n%s", m.name, strings.Join(args, " "), err, out)
	}
	return nil
}

// environment is what the go command runs in: everything that says what it
// makes is set here, and what the user has of that is left out.
func environment(user []string, m machine, how goCommand) []string {
	set := []string{
		"GOOS=linux", "GOARCH=" + m.goarch, m.variant,
		"GOFLAGS=-trimpath -buildvcs=false -mod=readonly", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off",
		"LC_ALL=C", "TZ=UTC",
	}
	if m.translated() {
		set = append(set, "CGO_ENABLED=0")
	} else {
		set = append(set, "CGO_ENABLED=1", "CC="+m.compiler(), "CGO_CFLAGS="+cFlags, "CGO_CPPFLAGS=", "CGO_LDFLAGS=")
	}
	if how.cache != "" {
		set = append(set, "GOCACHE="+how.cache)
	}
	var env []string
	epoch := "SOURCE_DATE_EPOCH=" + defaultEpoch
	for _, kv := range user {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case name == "SOURCE_DATE_EPOCH":
			epoch = kv
		case name == "CFLAGS" || name == "LDFLAGS" || name == "CPPFLAGS":
		case !slices.ContainsFunc(set, func(s string) bool { return strings.HasPrefix(s, name+"=") }):
			env = append(env, kv)
		}
	}
	return append(append(env, epoch), set...)
}

// copyTree copies the sources as git knows them, with what is not committed,
// into a folder.
func copyTree(ctx context.Context, from, to string) error {
	cmd := exec.CommandContext(ctx, "git", "-C", from, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list the sources: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted and not committed
		}
		if err != nil {
			return err
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
