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

// Unrecorded is what a record holds that its ledger knows nothing of, and that
// must not be lost with it: what people asked for, whose legal clocks go on, and
// what devices said no to.
type Unrecorded struct {
	requests []hien.Request
	refusals []refusalRow
}

// A refusalRow is a refusal as it lies in a record.
type refusalRow struct {
	mark          []byte
	day, purposes string
}

// Unrecorded reads it, nothing from a record of an older schema.
func (l *Ledger) Unrecorded(ctx context.Context) (u Unrecorded, err error) {
	if there, err := hasTable(ctx, l.db, "requests"); err != nil || !there {
		return u, fault(l.path, "read the requests", err)
	}
	if u.requests, err = collect(ctx, l.db, func(rows *sql.Rows) (hien.Request, error) { return scanRequest(rows.Scan) },
		"SELECT "+requestColumns+" FROM requests"); err != nil {
		return u, fault(l.path, "read the requests", err)
	}
	u.refusals, err = collect(ctx, l.db, func(rows *sql.Rows) (r refusalRow, err error) { return r, rows.Scan(&r.mark, &r.day, &r.purposes) },
		"SELECT mark, day, purposes FROM refusals")
	return u, fault(l.path, "read refusals", err)
}

// Carry takes over what another record of this ledger holds beside it, and
// without refusals where those are of another router's key. Of a request that
// both know, the one goes on that has come further.
func (s *Store) Carry(ctx context.Context, u Unrecorded, refusals bool) error {
	return s.write(ctx, "carry requests over", func(t *tx) error {
		for _, r := range u.requests {
			if _, err := t.exec(ctx, "INSERT INTO requests ("+requestColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET acked = excluded.acked, due = excluded.due, extended = excluded.extended,
					closed = excluded.closed, outcome = excluded.outcome, reason = excluded.reason, proof = excluded.proof
				WHERE closed = 0 AND acked <= excluded.acked AND due <= excluded.due`,
				r.Number, r.Kind, r.Channel, r.By, r.Policy, date(r.Received), date(r.AckDue), date(r.Acked), date(r.Due), date(r.Latest), r.Extended,
				date(r.Closed), r.Outcome, r.Reason, r.Proof); err != nil {
				return err
			}
		}
		if !refusals {
			return nil
		}
		for _, r := range u.refusals {
			if _, err := t.exec(ctx, `INSERT INTO refusals (mark, day, purposes) VALUES (?, ?, ?)
				ON CONFLICT DO UPDATE SET purposes = excluded.purposes WHERE length(purposes) < length(excluded.purposes)`,
				r.mark, r.day, r.purposes); err != nil {
				return err
			}
		}
		return nil
	})
}

// hasTable reports whether a record has a table: one that is read alone may be
// of an older schema.
func hasTable(ctx context.Context, q querier, name string) (there bool, err error) {
	err = q.QueryRowContext(ctx, "SELECT count(*) > 0 FROM sqlite_schema WHERE name = ?", name).Scan(&there)
	return there, err
}
