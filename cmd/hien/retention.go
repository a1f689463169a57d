package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/sqlite"
)

const retentionHelp = `
It shows for how long each kind of thing is kept, by which policy, and what was
deleted for its age, day by day. Deleting is done by the daemon, about once a
day and only while the clock is set. A lead without a visit for long, or a
consent that is too old, ends like a withdrawal, and the CDP is told. With
--dry-run it says what will go within the next 30 days; nothing is changed.

--now deletes at once what is too old by the date as it is. It is for a router
whose date is right and is doubted, as it was switched off for months.

Examples:
    hien retention --dry-run
    hien retention --json
`

// dueWithin is how far a dry run looks ahead, in days.
const dueWithin = 30

// showRetention is `hien retention`.
func showRetention(ctx context.Context, c *call) error {
	dry := c.flags.Bool("dry-run", false, "say what will be deleted within 30 days")
	atOnce := c.flags.Bool("now", false, "delete at once what is too old; the date is right")
	if err := c.parse(0); err != nil {
		return err
	}
	if *dry && *atOnce {
		return c.misused("--dry-run and --now are not for the same time")
	}
	client, err := c.dial()
	if err != nil {
		return err
	}
	if *atOnce {
		done, err := client.Retain(ctx, who())
		if err != nil {
			return err
		}
		return answer(c, done, control.WriteRetained)
	}
	days := 0
	if *dry {
		days = dueWithin
	}
	r, err := client.Retention(ctx, control.DefaultItems, days)
	if err != nil {
		return err
	}
	return answer(c, r, control.WriteRetention)
}

// retention is the daemon's answer.
func (d *daemon) retention(ctx context.Context, limit, days int) (control.Retention, error) {
	if d.record == nil {
		return control.Retention{}, d.closed
	}
	policy, now := d.gateway.Policy(), d.clock.now()
	if policy == nil {
		return control.Retention{}, hien.ErrNoRetention
	}
	t := policy.Terms(now.Wall)
	v := control.Retention{Policy: policy.Version, DueWithinDays: days}
	for _, term := range []struct {
		rule consent.Rule
		of   string
	}{
		{consent.RuleUnproven, "a number that no code has proven; in memory, sealed"},
		{consent.RuleVisits, "each visit, since its end"},
		{consent.RuleIdle, "a lead, since the last visit or consent"},
		{consent.RuleAge, "a consent that stands; then it must be asked for anew"},
		{consent.RuleEvidence, "what proves a consent (docs/privacy.md), since it ended"},
		{consent.RuleRequests, "the file of a person's request"},
	} {
		v.Terms = append(v.Terms, control.Term{Rule: t.Says(term.rule), Of: term.of})
	}
	inDays := func(d time.Duration) int { return int(d / (24 * time.Hour)) }
	for _, term := range []struct {
		rule string
		n    int
		of   string
	}{
		{"ask_again_days", policy.AskAgainDays, "a no, under a mark that joins with nothing"},
		{"access_log_months", policy.Retention.AccessLogMonths, "the access log, where one is kept or was"},
		{"event_days", inDays(sqlite.MaxAge), "an event that the CDP has not taken"},
		{"audit_days", inDays(sqlite.MaxDeedAge), "a line of the audit"},
	} {
		v.Terms = append(v.Terms, control.Term{Rule: fmt.Sprintf("%s=%d", term.rule, term.n), Of: term.of})
	}
	deleted, err := d.record.Deletions(ctx, limit)
	if err != nil {
		return v, err
	}
	v.Deleted = control.Deletions(deleted, false)
	clock, err := d.record.WallClock(ctx)
	if err != nil {
		return v, err
	}
	if _, believed := clock.Believes(now); !believed && now.InStep {
		v.Doubted, v.Believed = consent.Day(now.Wall), consent.Day(clock.Last.Wall)
	}
	if days > 0 {
		due, err := d.gateway.RetentionDue(ctx, time.Duration(days)*24*time.Hour, now)
		if err != nil {
			return v, err
		}
		v.Due = control.Deletions(due, true)
	}
	return v, nil
}

// retain deletes at the owner's word.
func (d *daemon) retain(ctx context.Context, who string) (control.Retained, error) {
	if d.record == nil {
		return control.Retained{}, d.closed
	}
	now := d.clock.now()
	gone, err := d.gateway.RetainNow(ctx, now)
	if err != nil {
		return control.Retained{}, err
	}
	d.gateway.Note(ctx, hien.Deed{At: now, Who: who, What: hien.DidRetain})
	return control.Retained{Deleted: control.Deletions(gone, false)}, nil
}
