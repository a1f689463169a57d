package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/inventory"
	"github.com/hien-wifi/hien/internal/sqlite"
)

const inventoryHelp = `
It says what is kept of people: what it is, of whom, where, until when, on which
basis, who receives it, and how much there is now. It is made of the policy, the
configuration and the record, and is the basis of an impact assessment. A daemon
that runs is asked; else the record is read. Vietnamese unless --lang en.

Examples:
    hien inventory
    hien inventory --json > inventory.json
`

// showInventory is `hien inventory`.
func showInventory(ctx context.Context, c *call) error {
	lang := c.flags.String("lang", "vi", "the `LANGUAGE`, vi or en")
	if err := c.parse(0); err != nil {
		return err
	}
	if *lang != "vi" && *lang != "en" {
		return c.misused("--lang %s: want vi or en", *lang)
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	inv, err := takeInventory(ctx, cfg)
	if err != nil {
		return err
	}
	return answer(c, inv, func(w io.Writer, inv inventory.Inventory) error { return inventory.Write(w, inv, *lang) })
}

// takeInventory asks the daemon, and reads the record when none runs.
func takeInventory(ctx context.Context, cfg *config.Config) (inv inventory.Inventory, err error) {
	err = askOrRead(ctx, cfg,
		func(c *control.Client) (err error) { inv, err = c.Inventory(ctx); return err },
		func(l *sqlite.Ledger, _ hien.RouterKey) (err error) { inv, err = inventoryOf(ctx, cfg, l); return err })
	return inv, err
}

// inventory is the daemon's answer.
func (d *daemon) inventory(ctx context.Context) (inventory.Inventory, error) {
	if d.record == nil {
		return inventory.Inventory{}, d.closed
	}
	return inventoryOf(ctx, d.config(), &d.record.Ledger)
}

func inventoryOf(ctx context.Context, cfg *config.Config, l *sqlite.Ledger) (inventory.Inventory, error) {
	asker, err := cfg.Asker()
	if err != nil {
		return inventory.Inventory{}, fmt.Errorf("%w: without a policy nobody can say for how long things are kept", err)
	}
	s := inventory.Shop{ID: cfg.StoreID, Name: cfg.StoreName, Asker: asker, OneTime: cfg.OneTime(), BackupKey: !cfg.BackupKey.IsZero(), Log: cfg.KeepsAccessLog()}
	for _, z := range cfg.Zones {
		for _, p := range z.Purposes {
			if !slices.Contains(s.Purposes, p) {
				s.Purposes = append(s.Purposes, p)
			}
		}
	}
	if cfg.Sink != nil {
		if u, err := url.Parse(cfg.Sink.URL); err == nil {
			s.Platform = cmp.Or(u.Hostname(), cfg.Sink.Name)
		}
	}
	stock, err := l.Stock(ctx)
	return inventory.Make(s, inventory.Counts{People: stock.People, Leads: stock.Leads, Previous: stock.Previous, ByUse: stock.ByPurpose, Sealed: stock.Sealed, Marks: stock.Marks,
		Visits: stock.Visits, Ledger: stock.Ledger, Proofs: stock.Proofs, Receipts: stock.Receipts, Queue: stock.Queue, Parked: stock.Parked, Erasures: stock.Erasures, Graves: stock.Graves, Refusals: stock.Refusals, Requests: stock.Requests,
		Audit: stock.Audit, Deleted: stock.Deletions}), err
}
