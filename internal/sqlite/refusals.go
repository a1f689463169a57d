package sqlite

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// MaxRefusals is how many refusals are kept; beyond that the oldest go, and
// those devices are asked again.
const MaxRefusals = 20_000

var _ hien.Refusals = (*Store)(nil)

// KeepRefusals records refusals of that day, and deletes those of the days
// before since, in one transaction.
func (s *Store) KeepRefusals(ctx context.Context, day string, all []hien.Refusal, since string) error {
	var gone int64
	err := s.write(ctx, "keep refusals", func(t *tx) (err error) {
		for _, r := range all {
			mark, err := rawMark(r.Mark)
			if err != nil {
				return err
			}
			var names []string
			for _, p := range r.Purposes {
				names = append(names, string(p))
			}
			if _, err := t.exec(ctx, `INSERT INTO refusals (mark, day, purposes) VALUES (?, ?, ?)
				ON CONFLICT DO UPDATE SET purposes = purposes || ' ' || excluded.purposes`, mark, day, strings.Join(names, " ")); err != nil {
				return err
			}
		}
		if gone, err = t.exec(ctx, "DELETE FROM refusals WHERE day < ?", since); err != nil {
			return err
		}
		var kept int
		if err := t.QueryRowContext(ctx, "SELECT count(*) FROM refusals").Scan(&kept); err != nil || kept <= MaxRefusals {
			return err
		}
		_, err = t.exec(ctx, "DELETE FROM refusals WHERE (mark, day) IN (SELECT mark, day FROM refusals ORDER BY day LIMIT ?)", kept-MaxRefusals)
		return err
	})
	if err == nil && gone > 0 {
		s.emptyLog(ctx)
	}
	return err
}

// Refused are the purposes that a mark has refused on a day from since on.
func (s *Store) Refused(ctx context.Context, of hien.Mark, since string) (refused []consent.Purpose, err error) {
	mark, err := rawMark(of)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, "look up refusals", func(r reader) error {
		rows, err := r.QueryContext(ctx, "SELECT purposes FROM refusals WHERE mark = ? AND day >= ?", mark, since)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var names string
			if err := rows.Scan(&names); err != nil {
				return err
			}
			for name := range strings.FieldsSeq(names) {
				refused = append(refused, consent.Purpose(name))
			}
		}
		return rows.Err()
	})
	return refused, err
}

// rawMark is a mark as it is stored: half as long as it is written.
func rawMark(m hien.Mark) ([]byte, error) {
	b, err := hex.DecodeString(string(m))
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("mark %q is none", m)
	}
	return b, nil
}
