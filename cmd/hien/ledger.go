package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/sqlite"
)

const ledgerExportHelp = `
It writes every entry of the ledger, with the bytes that were signed, and a head
that the router signs now. hien-verify checks such a file anywhere, without this
router and without trust in it; docs/ledger-format.md says how. The file holds
no number, address or name. Without --out it goes to standard output.

Example:
    hien ledger export --out ledger.jsonl && hien-verify ledger.jsonl
`

// exportLedger is `hien ledger export`. A file is there whole or not at all.
func exportLedger(ctx context.Context, c *call) error {
	path := c.flags.String("out", "", "the `FILE` to write (default: standard output)")
	if err := c.parse(0); err != nil {
		return err
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	if *path == "" {
		return writeLedger(ctx, cfg, c.out)
	}
	if err := writeAside(*path, func(f *os.File) error { return writeLedger(ctx, cfg, f) }); err != nil {
		return fmt.Errorf("export ledger to %s: %w", *path, err)
	}
	fmt.Fprintf(c.out, "The ledger was written to %s. `hien-verify %[1]s` checks it.\n", *path)
	return nil
}

// writeLedger asks the daemon for the ledger, and reads the record when none
// runs.
func writeLedger(ctx context.Context, cfg *config.Config, w io.Writer) error {
	return askOrRead(ctx, cfg,
		func(c *control.Client) error { return c.ExportLedger(ctx, w) },
		func(l *sqlite.Ledger, key hien.RouterKey) error {
			clock, err := newClock()
			if err != nil {
				return err
			}
			return export(ctx, w, l, key, clock.now().Wall)
		})
}

// exportLedger is the daemon's answer.
func (d *daemon) exportLedger(ctx context.Context, w io.Writer) error {
	if d.record == nil {
		return d.closed
	}
	return export(ctx, w, &d.record.Ledger, d.key, d.clock.now().Wall)
}

// export writes a ledger as far as it goes now: what is appended meanwhile is
// for the next one.
func export(ctx context.Context, w io.Writer, l *sqlite.Ledger, key hien.RouterKey, now time.Time) error {
	head, err := l.Head(ctx)
	if err != nil {
		return err
	}
	first, err := l.Origin(ctx, key.Signer().Public())
	if err != nil {
		return err
	}
	return consent.WriteExport(w, first, until(head.Seq, l.Entries(ctx)), head, key.Signer(), now)
}

func until(last uint64, entries iter.Seq2[consent.Entry, error]) iter.Seq2[consent.Entry, error] {
	return func(yield func(consent.Entry, error) bool) {
		for e, err := range entries {
			if err == nil && e.Seq > last || !yield(e, err) {
				return
			}
		}
	}
}
