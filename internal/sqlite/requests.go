package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/hien-wifi/hien"
)

var _ hien.Requests = (*Store)(nil)

const requestColumns = "number, kind, channel, taken_by, policy, received, ack_due, acked, due, latest, extended, closed, outcome, reason, proof"

// A date is a time as a column: 0 for none.
func date(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func scanRequest(scan func(...any) error) (r hien.Request, err error) {
	var received, ackDue, acked, due, latest, closed int64
	err = scan(&r.Number, &r.Kind, &r.Channel, &r.By, &r.Policy, &received, &ackDue, &acked, &due, &latest, &r.Extended, &closed,
		&r.Outcome, &r.Reason, &r.Proof)
	for to, ns := range map[*time.Time]int64{&r.Received: received, &r.AckDue: ackDue, &r.Acked: acked, &r.Due: due, &r.Latest: latest, &r.Closed: closed} {
		if ns != 0 {
			*to = time.Unix(0, ns).UTC()
		}
	}
	return r, err
}

// OpenRequest keeps a request and gives it its number; those that ended before
// keep are deleted.
func (s *Store) OpenRequest(ctx context.Context, r hien.Request, keep time.Time) (hien.Request, error) {
	err := s.write(ctx, "open a request", func(t *tx) error {
		if _, err := t.exec(ctx, "DELETE FROM requests WHERE closed <> 0 AND closed < ?", keep.UnixNano()); err != nil {
			return err
		}
		return t.QueryRowContext(ctx, `INSERT INTO requests (kind, channel, taken_by, policy, received, ack_due, acked, due, latest, extended, closed, outcome, reason, proof)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number`,
			r.Kind, r.Channel, r.By, r.Policy, date(r.Received), date(r.AckDue), date(r.Acked), date(r.Due), date(r.Latest), r.Extended,
			date(r.Closed), r.Outcome, r.Reason, r.Proof).Scan(&r.Number)
	})
	return r, err
}

// EditRequest changes a request. edit must not call the store; its error is
// returned as it is, with the request as it stands.
func (s *Store) EditRequest(ctx context.Context, number int64, edit func(*hien.Request) error) (r hien.Request, err error) {
	err = s.write(ctx, "change a request", func(t *tx) error {
		r, err = scanRequest(t.QueryRowContext(ctx, "SELECT "+requestColumns+" FROM requests WHERE number = ?", number).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return hien.ErrNoRequest
		}
		if err != nil {
			return err
		}
		was := r
		if err := edit(&r); err != nil {
			r = was
			return err
		}
		_, err := t.exec(ctx, "UPDATE requests SET acked = ?, due = ?, extended = ?, closed = ?, outcome = ?, reason = ?, proof = ? WHERE number = ?",
			date(r.Acked), date(r.Due), r.Extended, date(r.Closed), r.Outcome, r.Reason, r.Proof, number)
		return err
	})
	return r, err
}

// ListRequests are the open requests, the most urgent first, and behind them
// those that ended, the latest first.
func (s *Store) ListRequests(ctx context.Context, limit int) ([]hien.Request, error) {
	return view(ctx, s, "list the requests", "SELECT "+requestColumns+` FROM requests
		ORDER BY closed <> 0, CASE closed WHEN 0 THEN due ELSE -closed END LIMIT ?`, limit,
		func(rows *sql.Rows) (hien.Request, error) { return scanRequest(rows.Scan) })
}
