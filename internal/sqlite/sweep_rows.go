package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// visits deletes visits that ended too long ago. Of a person's last one the day
// stays, by which the lead lapses.
func (w *sweeper) visits(ctx context.Context) (bool, error) {
	rows, err := w.t.QueryContext(ctx, `SELECT person, number, coalesce(end_wall, 0), end_in_step = 1 OR end_boot = ''
		FROM visits WHERE (person, number) > (?, ?) ORDER BY person, number LIMIT ?`, w.From.After[0], w.From.After[1], sweepRows)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	type old struct {
		row    person
		number int
		wall   int64
	}
	var due []old
	seen := 0
	for rows.Next() {
		var v old
		var known sql.NullBool // null while the visit goes on
		if err := rows.Scan(&v.row, &v.number, &v.wall, &known); err != nil {
			return false, err
		}
		seen++
		w.swept.Next.After = [2]int64{int64(v.row), int64(v.number)}
		if known.Bool && v.wall < w.Terms.Visits.UnixNano() {
			due = append(due, v)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return false, err
	}
	w.gone(hien.GoneVisits, w.Terms.Says(consent.RuleVisits), len(due))
	if w.Dry {
		return seen < sweepRows, nil
	}
	for i, v := range due {
		if _, err := w.t.exec(ctx, "DELETE FROM visits WHERE person = ? AND number = ?", v.row, v.number); err != nil {
			return false, err
		}
		if i+1 < len(due) && due[i+1].row == v.row {
			continue
		}
		if _, err := w.t.exec(ctx, `UPDATE people SET last_gone = ?1 WHERE person = ?2 AND lead_key IS NOT NULL
			AND coalesce(last_gone, 0) < ?1 AND NOT EXISTS (SELECT 1 FROM visits WHERE person = ?2)`,
			consent.DayOf(time.Unix(0, v.wall)).UnixNano(), v.row); err != nil {
			return false, err
		}
	}
	return seen < sweepRows, nil
}

// people deletes what is left of those who ended everything, and all of whose
// proofs are too old: as in an erasure, but nobody asked for it, so nothing is
// told, and no tombstone keeps them away. Of whom something is still to be
// delivered, a withdrawal as a rule, waits for that.
func (w *sweeper) people(ctx context.Context) (bool, error) {
	var until sql.NullInt64
	if err := w.t.QueryRowContext(ctx, "SELECT max(person) FROM (SELECT person FROM people WHERE person > ? ORDER BY person LIMIT ?)",
		w.From.After[0], sweepRows).Scan(&until); err != nil || !until.Valid {
		return true, err
	}
	due, err := collect(ctx, w.t, func(rows *sql.Rows) (row person, err error) { return row, rows.Scan(&row) },
		`SELECT person FROM people AS p WHERE person > ? AND person <= ? AND lead_key IS NULL
			AND NOT EXISTS (SELECT 1 FROM consents AS c JOIN ended AS e ON e.consent = c.seq
				WHERE c.person = p.person AND NOT (e.wall < ? AND (e.in_step = 1 OR e.boot = '')))
			AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.person = p.person)
			AND NOT EXISTS (SELECT 1 FROM parked AS e WHERE e.person = p.person)
		ORDER BY person LIMIT ?`, w.From.After[0], until.Int64, w.Terms.Evidence.UnixNano(), sweepPeople)
	if err != nil {
		return false, err
	}
	w.swept.Next.After[0] = until.Int64
	if len(due) == sweepPeople {
		w.swept.Next.After[0] = int64(due[len(due)-1])
	}
	if len(due) == 0 {
		return false, nil
	}
	names, err := json.Marshal(due)
	if err != nil {
		return false, err
	}
	const these = "person IN (SELECT value FROM json_each(?))"
	var proofs int
	if err := w.t.QueryRowContext(ctx, "SELECT count(*) FROM commitments WHERE seq IN (SELECT seq FROM consents WHERE "+these+
		" UNION SELECT seq FROM corrections WHERE "+these+")", string(names), string(names)).Scan(&proofs); err != nil {
		return false, err
	}
	rule := w.Terms.Says(consent.RuleEvidence)
	w.gone(hien.GonePeople, rule, len(due))
	if w.Dry {
		return false, nil // proofs counts what it will find
	}
	w.gone(hien.GoneProofs, rule, proofs)
	for _, deed := range belongings {
		if _, err := w.t.exec(ctx, strings.ReplaceAll(deed, "person = ?", these), string(names)); err != nil {
			return false, err
		}
	}
	return false, nil
}

// proofs deletes what stands beside the ledger entries of consents that ended
// too long ago: address, device, browser, number. The entries stay, and verify.
func (w *sweeper) proofs(ctx context.Context) (bool, error) {
	rows, err := w.t.QueryContext(ctx, "SELECT consent, wall, "+known+" FROM ended WHERE consent > ? ORDER BY consent LIMIT ?", w.From.After[0], sweepRows)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var due []int64
	seen := 0
	for rows.Next() {
		var seq, wall int64
		var known bool
		if err := rows.Scan(&seq, &wall, &known); err != nil {
			return false, err
		}
		seen++
		w.swept.Next.After[0] = seq
		if known && wall < w.Terms.Evidence.UnixNano() {
			due = append(due, seq)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return false, err
	}
	proofs := 0
	for _, seq := range due {
		if w.Dry {
			var n int
			if err := w.t.QueryRowContext(ctx, "SELECT count(*) FROM commitments WHERE seq = ?", seq).Scan(&n); err != nil {
				return false, err
			}
			proofs += n
			continue
		}
		n, err := w.t.exec(ctx, "DELETE FROM commitments WHERE seq = ?", seq)
		if err != nil {
			return false, err
		}
		proofs += int(n)
		if _, err := w.t.exec(ctx, "DELETE FROM ended WHERE consent = ?", seq); err != nil {
			return false, err
		}
	}
	w.gone(hien.GoneProofs, w.Terms.Says(consent.RuleEvidence), proofs)
	return seen < sweepRows, nil
}

// rest deletes what is small: requests that ended long ago, old lines of the
// audit, events that were never delivered, and lines of what was deleted.
func (w *sweeper) rest(ctx context.Context) (bool, error) {
	then := w.Now.Wall
	if w.Dry {
		then = then.Add(w.Within)
	}
	auditRule := fmt.Sprintf("audit_days=%d", MaxDeedAge/(24*time.Hour))
	eventRule := fmt.Sprintf("event_days=%d", MaxAge/(24*time.Hour))
	oldAudit, deeds := then.Add(-MaxDeedAge).UnixNano(), 0
	if err := w.t.QueryRowContext(ctx, "SELECT count(*) FROM audit WHERE "+known+" AND wall < ?", oldAudit).Scan(&deeds); err != nil {
		return false, err
	}
	w.gone(hien.GoneAudit, auditRule, deeds)
	requests := 0
	if err := w.t.QueryRowContext(ctx, "SELECT count(*) FROM requests WHERE closed <> 0 AND closed < ?", w.Terms.Requests.UnixNano()).Scan(&requests); err != nil {
		return false, err
	}
	w.gone(hien.GoneRequests, w.Terms.Says(consent.RuleRequests), requests)
	events, err := w.oldEvents(ctx, then)
	if err != nil {
		return false, err
	}
	w.gone(hien.GoneEvents, eventRule, events)
	if w.Dry {
		return true, nil
	}
	if requests > 0 {
		if _, err := w.t.exec(ctx, "DELETE FROM requests WHERE closed <> 0 AND closed < ?", w.Terms.Requests.UnixNano()); err != nil {
			return false, err
		}
	}
	if deeds > 0 {
		if _, err := w.t.exec(ctx, "DELETE FROM audit WHERE "+known+" AND wall < ?", oldAudit); err != nil {
			return false, err
		}
	}
	if _, err := w.t.exec(ctx, "DELETE FROM deletions WHERE day < ?", consent.Day(then.Add(-MaxDeletionAge))); err != nil {
		return false, err
	}
	_, err = w.t.exec(ctx, `DELETE FROM deletions WHERE (day, what, rule, policy) IN
		(SELECT day, what, rule, policy FROM deletions ORDER BY day DESC, what, rule, policy LIMIT -1 OFFSET ?)`, MaxDeletions)
	return true, err
}

// oldEvents drops events that waited, or stood parked, for too long, as the
// courier does; without a sink there is no courier. It answers how many there
// were, or are.
func (w *sweeper) oldEvents(ctx context.Context, then time.Time) (int, error) {
	now := w.Now
	now.Wall = then
	count := "SELECT events FROM dropped"
	if w.Dry {
		limit := then.Add(-MaxAge).UnixNano()
		var queued, parked int
		err := w.t.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM events WHERE in_step = 1 AND `+endsNothing+` AND wall < ?1),
			(SELECT count(*) FROM parked WHERE `+parkedKnown+` AND `+endsNothing+` AND parked_wall < ?1)`, limit).Scan(&queued, &parked)
		return queued + parked, err
	}
	var before, after int
	if err := w.t.QueryRowContext(ctx, count).Scan(&before); err != nil {
		return 0, err
	}
	if err := w.t.dropOld(ctx, now); err != nil {
		return 0, err
	}
	err := w.t.QueryRowContext(ctx, count).Scan(&after)
	return after - before, err
}
