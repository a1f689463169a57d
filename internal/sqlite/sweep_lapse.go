package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A candidate is a lead that a part looks at.
type candidate struct {
	row     person
	last    int64 // the latest of its consents, or the last visit that is gone
	stands  int   // how many purposes do
	expired []consent.Purpose
	unsure  bool
}

// leads lets lapse who was idle for too long, and purposes whose consent is
// too old (R-CON-9).
func (w *sweeper) leads(ctx context.Context) (bool, error) {
	found, last, err := w.candidates(ctx)
	if err != nil {
		return false, err
	}
	lapsed := 0
	for _, c := range found {
		if lapsed == sweepLapses {
			w.swept.Next.After[0] = int64(c.row) - 1
			return false, nil
		}
		purposes, channel, rule, err := w.verdict(ctx, c)
		if err != nil {
			return false, err
		}
		if channel == "" {
			continue
		}
		lapsed++
		if err := w.end(ctx, c, purposes, channel, rule); err != nil {
			return false, err
		}
	}
	w.swept.Next.After[0] = int64(last)
	return last == 0, nil
}

// verdict is what ends of a lead, and why; no channel: nothing.
func (w *sweeper) verdict(ctx context.Context, c candidate) (purposes []consent.Purpose, channel, rule string, err error) {
	idle := w.Terms.Idle.UnixNano()
	if !c.unsure && c.last < idle {
		seen, err := w.lastVisit(ctx, c.row)
		if err != nil {
			return nil, "", "", err
		}
		if seen < idle {
			return nil, hien.ChannelRetention, w.Terms.Says(consent.RuleIdle), nil
		}
	}
	if len(c.expired) > 0 {
		return c.expired, hien.ChannelExpired, w.Terms.Says(consent.RuleAge), nil
	}
	return nil, "", "", nil
}

// candidates reads the next leads, with the age of what stands. last is 0 when
// there are none any more.
func (w *sweeper) candidates(ctx context.Context) (found []candidate, last person, err error) {
	from := w.From.After[0]
	var until sql.NullInt64
	if err := w.t.QueryRowContext(ctx, `SELECT max(person) FROM (SELECT person FROM people WHERE person > ? ORDER BY person LIMIT ?)`,
		from, sweepRows/4).Scan(&until); err != nil || !until.Valid {
		return nil, 0, err
	}
	rows, err := w.t.QueryContext(ctx, `SELECT p.person, coalesce(p.last_gone, 0), s.purpose, s.agreed, c.wall, c.in_step = 1 OR c.boot = ''
		FROM people AS p JOIN standing AS s USING (person) JOIN consents AS c ON c.seq = s.consent
		WHERE p.person > ? AND p.person <= ? AND p.lead_key IS NOT NULL ORDER BY p.person`, from, until.Int64)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var row person
		var gone, wall int64
		var purpose consent.Purpose
		var agreed, known bool
		if err := rows.Scan(&row, &gone, &purpose, &agreed, &wall, &known); err != nil {
			return nil, 0, err
		}
		if len(found) == 0 || found[len(found)-1].row != row {
			found = append(found, candidate{row: row, last: gone})
		}
		c := &found[len(found)-1]
		c.last, c.unsure = max(c.last, wall), c.unsure || !known
		if agreed {
			c.stands++
			if known && wall < w.Terms.Age.UnixNano() {
				c.expired = append(c.expired, purpose)
			}
		}
	}
	return found, person(until.Int64), rows.Err()
}

// lastVisit is when the person was last here; a moment whose clock was not set
// counts as now.
func (w *sweeper) lastVisit(ctx context.Context, row person) (int64, error) {
	var wall int64
	var known bool
	err := w.t.QueryRowContext(ctx, `SELECT coalesce(end_wall, start_wall), end_in_step = 1 OR end_boot = '' OR end_boot IS NULL AND start_in_step = 1
		FROM visits WHERE person = ? ORDER BY number DESC LIMIT 1`, row).Scan(&wall, &known)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case err == nil && !known:
		return w.Now.Wall.UnixNano(), nil
	}
	return wall, err
}

// end ends purposes of a lead by itself, all of them with none named.
func (w *sweeper) end(ctx context.Context, c candidate, purposes []consent.Purpose, channel, rule string) error {
	whole := len(purposes) == 0 || len(purposes) == c.stands
	if whole {
		var visits int
		if err := w.t.QueryRowContext(ctx, "SELECT count(*) FROM visits WHERE person = ?", c.row).Scan(&visits); err != nil {
			return err
		}
		w.gone(hien.GoneLeads, rule, 1)
		w.gone(hien.GoneVisits, rule, visits)
	} else {
		w.gone(hien.GonePurposes, rule, len(purposes))
	}
	if w.Dry {
		return nil
	}
	m, err := w.t.member(ctx, c.row)
	if err != nil {
		return err
	}
	if m.Anew, err = w.t.comesAnew(ctx, c.row); err != nil {
		return err
	}
	withdrawal, err := w.lapse(m.Member, purposes, channel)
	if err != nil {
		return err
	}
	w.swept.Woken = true
	return w.s.withdraw(ctx, w.t, m, withdrawal)
}
