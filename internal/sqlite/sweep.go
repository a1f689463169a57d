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

var _ hien.Keeper = (*Store)(nil)

// How much one part of a sweep looks at and changes: a fraction of a second
// on a router.
const (
	sweepRows   = 2000
	sweepLapses = 100
	sweepPeople = 25 // whose rows are looked for in whole tables
)

// A sweeper does one part of a sweep.
type sweeper struct {
	hien.Sweep
	s     *Store
	t     *tx
	lapse func(hien.Member, []consent.Purpose, string) (hien.Withdrawal, error)
	swept hien.Swept
}

// sweepParts are the parts, in order. Each works from its place on, and
// reports whether it has come to its end.
var sweepParts = []func(*sweeper, context.Context) (bool, error){
	(*sweeper).bound, (*sweeper).leads, (*sweeper).visits, (*sweeper).people, (*sweeper).proofs, (*sweeper).rest,
}

// Sweep does one part of a run; see hien.Keeper. lapse must not call the
// store: it runs inside.
func (s *Store) Sweep(ctx context.Context, sweep hien.Sweep,
	lapse func(hien.Member, []consent.Purpose, string) (hien.Withdrawal, error)) (hien.Swept, error) {
	w := &sweeper{Sweep: sweep, s: s, lapse: lapse}
	if sweep.From.Part < 0 || sweep.From.Part >= len(sweepParts) {
		return hien.Swept{}, fmt.Errorf("sweep: there is no part %d", sweep.From.Part)
	}
	err := s.write(ctx, "delete what is too old", func(t *tx) error {
		w.t, w.swept = t, hien.Swept{Next: sweep.From}
		done, err := sweepParts[sweep.From.Part](w, ctx)
		if err != nil {
			return err
		}
		if done {
			w.swept.Next = hien.Place{Part: sweep.From.Part + 1}
			w.swept.Done = w.swept.Next.Part == len(sweepParts)
		}
		if sweep.Dry {
			return nil
		}
		return w.note(ctx)
	})
	if err != nil {
		return hien.Swept{}, err
	}
	if len(w.swept.Gone) > 0 && !sweep.Dry {
		s.swept.Store(true)
	}
	if w.swept.Done && s.swept.CompareAndSwap(true, false) {
		s.emptyLog(ctx)
	}
	return w.swept, nil
}

// gone counts what was deleted, or would be.
func (w *sweeper) gone(what, rule string, count int) {
	if count == 0 {
		return
	}
	for i, d := range w.swept.Gone {
		if d.What == what && d.Rule == rule {
			w.swept.Gone[i].Count += count
			return
		}
	}
	w.swept.Gone = append(w.swept.Gone, hien.Deletion{Day: consent.Day(w.Now.Wall), What: what, Rule: rule, Policy: w.Terms.Policy, Count: count})
}

// note keeps what was deleted and why, and with the last part the date.
func (w *sweeper) note(ctx context.Context) error {
	all := w.swept.Gone
	if w.From == (hien.Place{}) {
		all = append(all, w.Sweep.Gone...)
	}
	for _, d := range all {
		if _, err := w.t.exec(ctx, `INSERT INTO deletions (day, what, rule, policy, count) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET count = count + excluded.count`, d.Day, d.What, d.Rule, d.Policy, d.Count); err != nil {
			return err
		}
	}
	if !w.swept.Done {
		return nil
	}
	return w.t.keepWallClock(ctx, w.Clock)
}

// known is the condition that a row's moment can be counted with: its clock
// was set, or bound has put the latest day at which it can have been.
const known = "(in_step = 1 OR boot = '')"

// bound makes something of the moments of earlier boots whose clock was never
// set: nobody will know them any more, and they were before now. So they
// count from now on, which keeps longer and never shorter; their boot is empty
// from then on.
func (w *sweeper) bound(ctx context.Context) (bool, error) {
	if w.Dry {
		return true, nil
	}
	if err := w.t.restamp(ctx, w.Now); err != nil {
		return false, err
	}
	for _, statement := range []string{
		"UPDATE consents SET wall = ?, boot = '' WHERE in_step = 0 AND boot NOT IN (?, '')",
		"UPDATE ended SET wall = ?, boot = '' WHERE in_step = 0 AND boot NOT IN (?, '')",
		"UPDATE audit SET wall = ?, boot = '' WHERE in_step = 0 AND boot NOT IN (?, '')",
		"UPDATE visits SET end_wall = ?, end_boot = '' WHERE end_in_step = 0 AND end_boot NOT IN (?, '')",
	} {
		if _, err := w.t.exec(ctx, statement, w.Now.Wall.UnixNano(), w.Now.Boot); err != nil {
			return false, err
		}
	}
	return true, nil
}

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
	withdrawal, err := w.lapse(m.Member, purposes, channel)
	if err != nil {
		return err
	}
	w.swept.Woken = true
	return w.s.withdraw(ctx, w.t, m, withdrawal)
}

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
			(SELECT count(*) FROM parked WHERE parked_in_step = 1 AND `+endsNothing+` AND parked_wall < ?1)`, limit).Scan(&queued, &parked)
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
