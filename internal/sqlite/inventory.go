package sqlite

import (
	"context"
	"database/sql"

	"github.com/hien-wifi/hien/consent"
)

// A Stock is how much there is of each kind of data.
type Stock struct {
	People, Leads, Previous, Sealed, Marks, Visits, Ledger, Proofs, Receipts, Queue, Parked, Erasures, Graves, Refusals, Requests, Audit, Deletions int

	ByPurpose map[consent.Purpose]int // leads that allow it
}

// Stock counts what is kept.
func (l *Ledger) Stock(ctx context.Context) (Stock, error) {
	s := Stock{ByPurpose: make(map[consent.Purpose]int)}
	err := l.db.QueryRowContext(ctx, `SELECT (SELECT count(DISTINCT person) FROM standing), (SELECT count(lead_key) FROM people), (SELECT count(previous_key) FROM people),
			(SELECT count(sealed) FROM people), (SELECT count(*) FROM marks), (SELECT count(*) FROM visits), (SELECT seq FROM ledger_head),
			(SELECT count(*) FROM commitments), (SELECT count(*) FROM receipts),
			(SELECT count(*) FROM events WHERE kind <> 'erasure'), (SELECT count(*) FROM parked), (SELECT count(*) FROM events WHERE kind = 'erasure'),
			(SELECT count(*) FROM tombstones), (SELECT count(*) FROM refusals),
			(SELECT count(*) FROM requests), (SELECT count(*) FROM audit), (SELECT count(*) FROM deletions)`).
		Scan(&s.People, &s.Leads, &s.Previous, &s.Sealed, &s.Marks, &s.Visits, &s.Ledger, &s.Proofs, &s.Receipts, &s.Queue, &s.Parked, &s.Erasures, &s.Graves, &s.Refusals, &s.Requests, &s.Audit, &s.Deletions)
	if err != nil {
		return s, fault(l.path, "count what is kept", err)
	}
	type use struct {
		purpose consent.Purpose
		leads   int
	}
	uses, err := collect(ctx, l.db, func(rows *sql.Rows) (u use, err error) { return u, rows.Scan(&u.purpose, &u.leads) },
		"SELECT purpose, count(*) FROM standing WHERE agreed = 1 GROUP BY purpose")
	for _, u := range uses {
		s.ByPurpose[u.purpose] = u.leads
	}
	return s, fault(l.path, "count what is kept", err)
}
