package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
visits. Whoever has withdrawn is not in it: export anew before each use. Nor is
what was agreed to before the notice changed in what matters: channels, caps or
recipients were others then. How much that is, it says on standard error and in
the JSON; those people are asked again when they come. No number is readable;
hien-unseal opens them, with the key that is on no router. Who exported, and
when, is in hien audit.

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
	var left control.LeftOut
	if *path == "" {
		if left, err = client.ExportLeads(ctx, c.out, e); err == nil {
			c.tellLeftOut(left)
		}
		return err
	}
	if err := writeAside(*path, func(f *os.File) (err error) { left, err = client.ExportLeads(ctx, f, e); return err }); err != nil {
		return fmt.Errorf("export leads to %s: %w", *path, err)
	}
	c.tellLeftOut(left)
	fmt.Fprintf(c.out, "The leads were written to %s. They are for what each of them allows, and for now:\nexport anew before each use.\n", *path)
	return nil
}

// tellLeftOut says beside an export what is not in it.
func (c *call) tellLeftOut(left control.LeftOut) {
	if left.Permissions > 0 {
		fmt.Fprintf(c.err, "left out: %s of %s, %s, with other channels, caps or\nrecipients. They are exported again once today's is agreed to.\n",
			plural(left.Permissions, "permission", "permissions"), plural(left.People, "person", "people"), left.Why)
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

// exportLeads is the daemon's answer. What is not in the audit is not exported.
func (d *daemon) exportLeads(ctx context.Context, e control.LeadExport) (head control.LeadsHead, rows iter.Seq2[control.LeadPermission, error], err error) {
	if d.record == nil {
		return head, nil, d.closed
	}
	cfg, now := d.config(), d.clock.now()
	asker, err := cfg.Asker()
	if err != nil {
		return head, nil, fmt.Errorf("how often people may be reached is not known: %w", err)
	}
	about := e.Format + ", " + cmp.Or(string(e.Purpose), "each purpose")
	if err := d.record.Note(ctx, hien.Deed{At: now, Who: e.Who, What: hien.DidExport, About: about}); err != nil {
		return head, nil, fmt.Errorf("nothing is exported, as it cannot be noted: %w", err)
	}
	d.log.Info("leads were exported", "who", e.Who, "about", about)
	left, err := leftOut(asker, d.record.Permissions(ctx, e.Purpose))
	if err != nil {
		return head, nil, err
	}
	head = control.LeadsHead{Format: control.LeadsFormat, Store: cfg.StoreID, Made: now.Wall, Policy: asker.Policy.Version, Sending: asker.Policy.Sending, LeftOut: left}
	return head, permissions(asker, d.record.Permissions(ctx, e.Purpose)), nil
}

// leftOut counts what people allow, but agreed to under another notice than the
// asker's of today. Rows come person by person.
func leftOut(asker consent.Asker, rows iter.Seq2[sqlite.Permission, error]) (left control.LeftOut, err error) {
	today := asker.Substance()
	var last hien.LeadKey
	for p, err := range rows {
		if err != nil {
			return left, err
		}
		if p.Substance == today {
			continue
		}
		if left.Permissions++; p.Key != last {
			left.People++
		}
		last, left.Why = p.Key, control.AnotherNotice
	}
	return left, nil
}

// permissions puts the policy's bounds to what people allow. Those bounds were
// shown to whoever agreed to a notice of today's substance, and to nobody else:
// the others are left out (R-CON-9, R-MKT-1). A purpose for which the policy has
// none ends the export: without bounds it may not be used.
func permissions(asker consent.Asker, rows iter.Seq2[sqlite.Permission, error]) iter.Seq2[control.LeadPermission, error] {
	policy, today := asker.Policy, asker.Substance()
	return func(yield func(control.LeadPermission, error) bool) {
		for p, err := range rows {
			if err == nil && p.Substance != today {
				continue
			}
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
