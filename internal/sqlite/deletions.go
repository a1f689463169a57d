package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/hien-wifi/hien"
)

// How many lines of what was deleted are kept, and for how long.
const (
	MaxDeletions   = 5_000
	MaxDeletionAge = 5 * 366 * 24 * time.Hour
)

// Deletions are what was deleted for its age, the latest first.
func (s *Store) Deletions(ctx context.Context, limit int) ([]hien.Deletion, error) {
	return view(ctx, s, "list deletions", "SELECT day, what, rule, policy, count FROM deletions ORDER BY day DESC, what, rule, policy LIMIT ?", limit,
		func(rows *sql.Rows) (d hien.Deletion, err error) {
			err = rows.Scan(&d.Day, &d.What, &d.Rule, &d.Policy, &d.Count)
			return d, err
		})
}
