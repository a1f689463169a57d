package sqlite

import (
	"context"
	"database/sql"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A WaitingRow is an event on its way.
type WaitingRow struct {
	ID      consent.ID      `json:"id"`
	Kind    hien.EventKind  `json:"kind"`
	Purpose consent.Purpose `json:"purpose,omitempty"`
	Key     string          `json:"key"` // the lead key's first digits
	At      When            `json:"at"`
}

// WaitingEvents are the events that go next, in the order in which they go:
// withdrawals before everything else.
func (s *Store) WaitingEvents(ctx context.Context, limit int) ([]WaitingRow, error) {
	return view(ctx, s, "list waiting events", `SELECT id, kind, purpose, user_key, wall, in_step
		FROM events ORDER BY kind <> 'withdrawal', seq LIMIT ?`, limit,
		func(rows *sql.Rows) (r WaitingRow, err error) {
			var at stamp
			err = rows.Scan(&r.ID, &r.Kind, &r.Purpose, &r.Key, &at.wall, &at.inStep)
			r.Key, r.At = short(r.Key), when(at)
			return r, err
		})
}

// Journal is how the file is written: "wal" or "truncate".
func (s *Store) Journal(ctx context.Context) (mode string, err error) {
	err = s.db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode)
	return mode, fault(s.path, "read the journal mode", err)
}
