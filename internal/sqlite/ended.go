package sqlite

import (
	"context"
	"slices"

	"github.com/hien-wifi/hien"
)

// live are a person's consents of which at least one answer stands.
func (t *tx) live(ctx context.Context, row person) (seqs []int64, err error) {
	rows, err := t.QueryContext(ctx, "SELECT DISTINCT consent FROM standing WHERE person = ? AND agreed = 1", row)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		seqs = append(seqs, seq)
	}
	return seqs, rows.Err()
}

// noteEnded notes which of the person's consents that lived before do not live
// any more.
func (t *tx) noteEnded(ctx context.Context, row person, before []int64, now hien.Moment) error {
	after, err := t.live(ctx, row)
	if err != nil {
		return err
	}
	at := stampOf(now)
	for _, seq := range before {
		if slices.Contains(after, seq) {
			continue
		}
		if _, err := t.exec(ctx, "INSERT INTO ended (consent, wall, boot, up, in_step) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			seq, at.wall, at.boot, at.up, at.inStep); err != nil {
			return err
		}
	}
	return nil
}
