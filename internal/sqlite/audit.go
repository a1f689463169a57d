package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/hien-wifi/hien"
)

// What the audit keeps at most. Beyond these limits the oldest rows go when
// another is noted.
const (
	MaxDeeds   = 10_000
	MaxDeedAge = 2 * 365 * 24 * time.Hour
)

var _ hien.Audit = (*Store)(nil)

// An AuditRow is something that was done by hand.
type AuditRow struct {
	At    When   `json:"at"`
	Who   string `json:"who"`
	What  string `json:"what"`
	About string `json:"about,omitempty"`
}

// Note keeps what the owner did by hand. It is durable when Note returns.
func (s *Store) Note(ctx context.Context, d hien.Deed) error {
	return s.write(ctx, "note in the audit", func(t *tx) error {
		at := stampOf(d.At)
		_, err := t.exec(ctx, "INSERT INTO audit (wall, boot, up, in_step, who, what, about) VALUES (?, ?, ?, ?, ?, ?, ?)",
			at.wall, at.boot, at.up, at.inStep, d.Who, d.What, d.About)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM audit WHERE seq <= (SELECT max(seq) FROM audit) - ?", MaxDeeds); err != nil || !d.At.InStep {
			return err
		}
		_, err = t.exec(ctx, "DELETE FROM audit WHERE in_step = 1 AND wall < ?", d.At.Wall.Add(-MaxDeedAge).UnixNano())
		return err
	})
}

// Audit is what was done by hand, the latest first.
func (s *Store) Audit(ctx context.Context, limit int) ([]AuditRow, error) {
	return view(ctx, s, "list the audit", "SELECT wall, in_step, who, what, about FROM audit ORDER BY seq DESC LIMIT ?", limit,
		func(rows *sql.Rows) (r AuditRow, err error) {
			var at stamp
			err = rows.Scan(&at.wall, &at.inStep, &r.Who, &r.What, &r.About)
			r.At = when(at)
			return r, err
		})
}
