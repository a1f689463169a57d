package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/sqlite"
)

const leadsExportHelp = `
For a shop without a CDP. It writes one row for each lead and each purpose that
the lead allows at this moment: since when, by which consent, by which channels
and at most how often, and for that purpose's sake the sealed number or the
visits. Whoever has withdrawn is not in it: export anew before each use. No
number is readable; hien-unseal opens them, with the key that is on no router.
Who exported, and when, is in hien audit.

Examples:
    hien leads export --purpose contact_zalo --out zalo.csv
    hien leads export --format json
`

// exportLeads is `hien leads export`.
func exportLeads(ctx context.Context, c *call) error {
	e := control.LeadExport{Who: who()}
	c.flags.StringVar(&e.Format, "format", "csv", "write `csv` or json")
	purpose := c.flags.String("purpose", "", "the one `PURPOSE` for which the leads are wanted (default: each)")
	path := c.flags.String("out", "", "the `FILE` to write (default: standard output)")
	if err := c.parse(0); err != nil {
		return err
	}
	if e.Format != "csv" && e.Format != "json" {
		return c.misused("--format %q: want csv or json", e.Format)
	}
	if *purpose != "" {
		var err error
		if e.Purpose, err = consent.ParsePurpose(*purpose); err != nil {
			return c.misused("--purpose: %v", err)
		}
	}
	client, err := c.dial()
	if err != nil {
		return err
	}
	if *path == "" {
		return client.ExportLeads(ctx, c.out, e)
	}
	if err := writeAside(*path, func(f *os.File) error { return client.ExportLeads(ctx, f, e) }); err != nil {
		return fmt.Errorf("export leads to %s: %w", *path, err)
	}
	fmt.Fprintf(c.out, "The leads were written to %s. They are for what each of them allows, and for now:\nexport anew before each use.\n", *path)
	return nil
}

// exportLeads is the daemon's answer. What is not in the audit is not exported.
func (d *daemon) exportLeads(ctx context.Context, w io.Writer, e control.LeadExport) error {
	if d.record == nil {
		return d.closed
	}
	cfg, now := d.config(), d.clock.now()
	asker, err := cfg.Asker()
	if err != nil {
		return fmt.Errorf("how often people may be reached is not known: %w", err)
	}
	about := e.Format + ", " + cmp.Or(string(e.Purpose), "each purpose")
	if err := d.record.Note(ctx, hien.Deed{At: now, Who: e.Who, What: hien.DidExport, About: about}); err != nil {
		return fmt.Errorf("nothing is exported, as it cannot be noted: %w", err)
	}
	d.log.Info("leads were exported", "who", e.Who, "about", about)
	head := control.LeadsHead{Format: control.LeadsFormat, Store: cfg.StoreID, Made: now.Wall, Policy: asker.Policy.Version, Sending: asker.Policy.Sending}
	return control.WriteLeadExport(w, e.Format, head, permissions(asker.Policy, d.record.Permissions(ctx, e.Purpose)))
}

// permissions puts the policy's bounds to what people allow. A purpose for which
// the policy has none ends the export: without bounds it may not be used.
func permissions(policy *consent.Policy, rows iter.Seq2[sqlite.Permission, error]) iter.Seq2[control.LeadPermission, error] {
	return func(yield func(control.LeadPermission, error) bool) {
		for p, err := range rows {
			use, known := policy.Use(p.Purpose)
			if err == nil && !known {
				err = errors.New("policy " + policy.Version + " has no bounds for the purpose " + string(p.Purpose))
			}
			if err != nil {
				yield(control.LeadPermission{}, err)
				return
			}
			l := control.LeadPermission{LeadKey: p.Key, PreviousKey: p.Previous, Purpose: p.Purpose, Proof: p.Proof, Notice: p.Notice,
				Channels: use.Channels, MaxPerMonth: use.MaxPerMonth, Sealed: p.Sealed, SealedFor: p.SealedFor, Visits: p.Visits}
			if p.Since.InStep {
				l.Since = p.Since.Time
			}
			if p.LastVisit != nil && p.LastVisit.InStep {
				l.LastVisit = p.LastVisit.Time
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}
