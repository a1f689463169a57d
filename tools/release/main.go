// Command release builds hien for the machines that shops have, and shows
// that what it built is what it should be.
//
//	go run ./release [flags] build    static programs, and what they weigh
//	go run ./release [flags] twice    the same from two copies of the sources: not a bit may differ
//	go run ./release [flags] qemu     each program tried under QEMU's user mode
//	go run ./release [flags] size     what makes a program big
//	go run ./release [flags] doc      the table in docs/hardware.md
//
// It is started in the folder tools, below the root of the sources.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 3 && os.Args[1] == restingArg {
		if err := rest(ctx, os.Args[2]); err != nil {
			fmt.Fprintf(os.Stderr, "release: %v\n", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

// A job is what is asked for.
type job struct {
	root     string // of the sources
	out      string // where programs go
	version  string // that of the sources when empty
	tags     string
	machines []machine
	to       io.Writer
}

func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	j := job{to: out}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(errOut)
	archs := flags.String("archs", "", "machines, with blanks or commas between them; all when empty")
	flags.StringVar(&j.root, "root", "..", "the root of the sources")
	flags.StringVar(&j.out, "out", "../bin/release", "the folder for the programs, hien-MACHINE each")
	flags.StringVar(&j.version, "version", "", "what hien --version says; what the sources say when empty")
	flags.StringVar(&j.tags, "tags", "", "build tags; those of "+tagsFile+" when empty. That for SQLite translated to Go is added where it is needed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	deed := deeds[flags.Arg(0)]
	if flags.NArg() != 1 || deed == nil {
		return errors.New("want one of build, twice, qemu, size, doc, after the flags; see -help")
	}
	var err error
	for _, folder := range []*string{&j.root, &j.out} {
		if *folder, err = filepath.Abs(*folder); err != nil {
			return err
		}
	}
	if j.tags == "" {
		text, err := os.ReadFile(filepath.Join(j.root, filepath.FromSlash(tagsFile)))
		if err != nil {
			return fmt.Errorf("look up build tags: %w", err)
		}
		j.tags = strings.TrimSpace(string(text))
	}
	if j.machines, err = findMachines(*archs); err != nil {
		return err
	}
	return deed(j, ctx)
}

var deeds = map[string]func(job, context.Context) error{
	"build": job.build, "twice": job.twice, "qemu": job.qemu, "size": job.size, "doc": job.doc,
}

func findMachines(names string) ([]machine, error) {
	words := strings.FieldsFunc(names, func(r rune) bool { return r == ' ' || r == ',' })
	if len(words) == 0 {
		return machines, nil
	}
	var found []machine
	for _, word := range words {
		m, err := findMachine(word)
		if err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}
