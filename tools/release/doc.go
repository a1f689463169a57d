package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// doc builds for all machines that were asked for, measures, and writes the
// table into docs/hardware.md.
func (j job) doc(ctx context.Context) error {
	var rows []row
	for _, m := range append(slices.Clone(j.machines), standIn) {
		path, err := j.compile(ctx, m, goCommand{})
		if err != nil {
			return err
		}
		r := row{machine: m}
		if r.weight, err = weigh(ctx, path); err != nil {
			return err
		}
		if m.native() {
			if r.resting, err = resting(ctx, path); err != nil {
				return err
			}
			if r.crowd, err = j.crowded(ctx, path); err != nil {
				return err
			}
		}
		rows = append(rows, r)
	}
	path := filepath.Join(j.root, "docs", "hardware.md")
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := replaceTable(f, table(rows))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// A row is what is known of a machine's program.
type row struct {
	machine
	weight
	resting int64 // this and the next are 0 where they cannot be measured
	crowd
}

func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| program | for | SQLite | size | download | flash | mapped | resident, nobody there | with 250 guests |\n|---|---|---|---|---|---|---|---|---|\n")
	mega := func(n int64) string { return fmt.Sprintf("%.2f MB", float64(n)/1e6) }
	mebi := func(n int64) string {
		if n == 0 {
			return "–"
		}
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	for _, r := range rows {
		sqlite, guests := "C", mebi(r.crowd.after)
		if r.translated() {
			sqlite = "Go"
		}
		if r.crowd.most > 0 {
			guests += ", at most " + mebi(r.crowd.most)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.name, r.routers, sqlite,
			mega(r.program), mega(r.download), mega(r.flash), mega(r.loaded), mebi(r.resting), guests)
	}
	return b.String()
}
