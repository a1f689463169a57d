package sqlite

import (
	"context"
	"database/sql"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// What a record that is put back takes over from the one that it replaces: who
// was erased meanwhile must not come back with it.

// A Grave is a tombstone as it lies in a record.
type Grave struct {
	Mark []byte
	Day  string
}

// Graves are the tombstones of a record, none in one of an older schema.
func (l *Ledger) Graves(ctx context.Context) ([]Grave, error) {
	if there, err := hasTable(ctx, l.db, "tombstones"); err != nil || !there {
		return nil, fault(l.path, "read tombstones", err)
	}
	graves, err := collect(ctx, l.db, func(rows *sql.Rows) (g Grave, err error) { return g, rows.Scan(&g.Mark, &g.Day) },
		"SELECT mark, day FROM tombstones")
	return graves, fault(l.path, "read tombstones", err)
}

// An End is an event that ends something upstream and was not delivered yet.
type End struct {
	ID   consent.ID
	User hien.LeadKey
}

// Ends are the withdrawals and erasures in the queue.
func (l *Ledger) Ends(ctx context.Context) ([]End, error) {
	ends, err := collect(ctx, l.db, func(rows *sql.Rows) (e End, err error) { return e, rows.Scan(&e.ID, &e.User) },
		"SELECT id, user_key FROM events WHERE kind IN ('withdrawal', 'erasure') ORDER BY seq")
	return ends, fault(l.path, "read the queue", err)
}

// Bury lays tombstones that were taken from another record of this router, and
// answers who of the people here lies under one: they are to be erased.
func (s *Store) Bury(ctx context.Context, graves []Grave) (found []consent.ID, err error) {
	err = s.write(ctx, "lay tombstones", func(t *tx) error {
		for _, g := range graves {
			if _, err := t.exec(ctx, "INSERT INTO tombstones (mark, day) VALUES (?, ?) ON CONFLICT DO UPDATE SET day = excluded.day", g.Mark, g.Day); err != nil {
				return err
			}
		}
		type lead struct {
			subject consent.ID
			key     hien.LeadKey
		}
		leads, err := collect(ctx, t, func(rows *sql.Rows) (l lead, err error) { return l, rows.Scan(&l.subject, &l.key) },
			"SELECT subject, lead_key FROM people WHERE lead_key IS NOT NULL ORDER BY person")
		if err != nil {
			return err
		}
		for _, l := range leads {
			_, buried, err := s.buried(ctx, t.reader, l.key)
			if err != nil {
				return err
			}
			if buried {
				found = append(found, l.subject)
			}
		}
		return nil
	})
	return found, err
}

// hasTable reports whether a record has a table: one that is read alone may be
// of an older schema.
func hasTable(ctx context.Context, q querier, name string) (there bool, err error) {
	err = q.QueryRowContext(ctx, "SELECT count(*) > 0 FROM sqlite_schema WHERE name = ?", name).Scan(&there)
	return there, err
}
