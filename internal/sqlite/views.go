package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// The views are what `hien leads`, `visits`, `consents` and `queue` show. They
// hold no number, sealed or not, and of a lead key only its first digits: as
// much as tells two leads apart and too little to look one up elsewhere.

// MaxRows is the most that a view answers, whatever limit is asked for.
const MaxRows = 1000

// When is a moment for people. InStep false says that the clock was a guess.
type When struct {
	Time   time.Time `json:"time"`
	InStep bool      `json:"in_step"`
}

func when(s stamp) When { return When{s.moment().Wall, s.inStep} }

// A LeadRow is one lead.
type LeadRow struct {
	Subject   consent.ID        `json:"subject"`
	Key       string            `json:"key"`    // the lead key's first digits
	Sealed    bool              `json:"sealed"` // a sealed number is kept
	Purposes  []consent.Purpose `json:"purposes"`
	Since     When              `json:"since"`
	Visits    int               `json:"visits"`
	LastVisit *When             `json:"last_visit,omitempty"`
}

// A VisitRow is one visit.
type VisitRow struct {
	Subject consent.ID `json:"subject"`
	Zone    string     `json:"zone"`
	Number  int        `json:"number"`
	Start   When       `json:"start"`
	End     *When      `json:"end,omitempty"` // nil while it goes on
}

// A ConsentRow is what stands of one person. Its lead may be gone.
type ConsentRow struct {
	Subject consent.ID       `json:"subject"`
	Answers []consent.Answer `json:"answers"`
	Consent consent.ID       `json:"consent"` // the latest
	Notice  consent.Hash     `json:"notice"`
	Since   When             `json:"since"` // of the latest consent
}

// A ParkedRow is an event that the sink will never take.
type ParkedRow struct {
	ID       consent.ID      `json:"id"`
	Kind     hien.EventKind  `json:"kind"`
	Purpose  consent.Purpose `json:"purpose,omitempty"`
	Key      string          `json:"key"` // the lead key's first digits
	At       When            `json:"at"`
	ParkedAt When            `json:"parked_at"`
	Answer   string          `json:"answer"`
}

// A QueueView is the state of the queue.
type QueueView struct {
	Waiting     int         `json:"waiting"`
	Withdrawals int         `json:"withdrawals"` // of those waiting
	Oldest      *When       `json:"oldest,omitempty"`
	Parked      int         `json:"parked"`
	Dropped     int         `json:"dropped"` // ever, unsent, for age or number
	Newest      []ParkedRow `json:"newest_parked"`
}

// Counts are how much the record holds.
type Counts struct {
	Leads    int `json:"leads"`
	Visits   int `json:"visits"`
	Open     int `json:"open_visits"`
	Consents int `json:"consents"`
	Entries  int `json:"ledger_entries"`
	Waiting  int `json:"waiting"`
	Parked   int `json:"parked"`
	Dropped  int `json:"dropped"`
}

// keyDigits is how many digits of a lead key are shown.
const keyDigits = 8

// short is the beginning of a lead key, "k1:0a1b2c3d…".
func short(key string) string {
	version, digits, ok := strings.Cut(key, ":")
	if !ok || len(digits) <= keyDigits {
		return "…"
	}
	return version + ":" + digits[:keyDigits] + "…"
}

func rowLimit(n int) int { return min(max(n, 1), MaxRows) }

// view reads at most limit rows by a query whose last parameter is the limit.
func view[T any](ctx context.Context, s *Store, deed, query string, limit int, scan func(*sql.Rows) (T, error)) ([]T, error) {
	rows, err := s.db.QueryContext(ctx, query, rowLimit(limit))
	if err != nil {
		return nil, fault(s.path, deed, err)
	}
	defer rows.Close()
	found := []T{} // an empty list in JSON, not null
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, fault(s.path, deed, err)
		}
		found = append(found, row)
	}
	return found, fault(s.path, deed, rows.Err())
}

// Leads are the newest leads.
func (s *Store) Leads(ctx context.Context, limit int) ([]LeadRow, error) {
	return view(ctx, s, "list leads", `SELECT p.subject, p.lead_key, p.sealed IS NOT NULL,
			(SELECT json_group_array(purpose) FROM standing AS s WHERE s.person = p.person AND agreed = 1),
			c.wall, c.boot, c.up, c.in_step,
			v.number, v.start_wall, v.start_in_step
		FROM people AS p JOIN consents AS c ON c.seq = p.since
		LEFT JOIN visits AS v ON v.person = p.person
			AND v.number = (SELECT max(number) FROM visits AS w WHERE w.person = p.person)
		WHERE p.lead_key IS NOT NULL ORDER BY p.person DESC LIMIT ?`, limit,
		func(rows *sql.Rows) (r LeadRow, err error) {
			var since stamp
			var purposes []byte
			var number, last sql.NullInt64
			var inStep sql.NullBool
			if err := rows.Scan(&r.Subject, &r.Key, &r.Sealed, &purposes, &since.wall, &since.boot, &since.up, &since.inStep,
				&number, &last, &inStep); err != nil {
				return r, err
			}
			if err := json.Unmarshal(purposes, &r.Purposes); err != nil {
				return r, fmt.Errorf("purposes of %s: %w", r.Subject, err)
			}
			r.Key, r.Since, r.Visits = short(r.Key), when(since), int(number.Int64)
			if number.Valid {
				at := when(stamp{wall: last.Int64, inStep: inStep.Bool})
				r.LastVisit = &at
			}
			return r, nil
		})
}

// Visits are the newest visits, by the clock.
func (s *Store) Visits(ctx context.Context, limit int) ([]VisitRow, error) {
	return view(ctx, s, "list visits", "SELECT "+visitColumns+
		" FROM visits JOIN people USING (person) ORDER BY start_wall DESC LIMIT ?", limit,
		func(rows *sql.Rows) (VisitRow, error) {
			v, err := scanVisit(rows)
			r := VisitRow{Subject: v.Subject, Zone: v.Zone, Number: v.Number, Start: when(stampOf(v.Start))}
			if v.End != (hien.Moment{}) {
				end := when(stampOf(v.End))
				r.End = &end
			}
			return r, err
		})
}

// Consents are what stands of the people who answered last.
func (s *Store) Consents(ctx context.Context, limit int) ([]ConsentRow, error) {
	return view(ctx, s, "list consents", `SELECT p.subject, c.id, c.notice, c.wall, c.boot, c.up, c.in_step,
			(SELECT json_group_array(json_object('purpose', purpose, 'agreed', json(iif(agreed, 'true', 'false'))))
				FROM standing AS s WHERE s.person = p.person)
		FROM consents AS c JOIN people AS p USING (person)
		WHERE c.seq = (SELECT max(consent) FROM standing AS s WHERE s.person = p.person)
		ORDER BY c.seq DESC LIMIT ?`, limit,
		func(rows *sql.Rows) (r ConsentRow, err error) {
			var at stamp
			var notice, answers []byte
			if err := rows.Scan(&r.Subject, &r.Consent, &notice, &at.wall, &at.boot, &at.up, &at.inStep, &answers); err != nil {
				return r, err
			}
			if err := json.Unmarshal(answers, &r.Answers); err != nil {
				return r, fmt.Errorf("answers of %s: %w", r.Subject, err)
			}
			copy(r.Notice[:], notice)
			r.Since = when(at)
			return r, nil
		})
}

// Queue is the state of the queue, with the newest of the parked events.
func (s *Store) Queue(ctx context.Context, limit int) (QueueView, error) {
	var q QueueView
	var oldest struct {
		wall   sql.NullInt64
		inStep sql.NullBool
	}
	err := s.db.QueryRowContext(ctx, `SELECT
			(SELECT count(*) FROM events), (SELECT count(*) FROM events WHERE kind = 'withdrawal'),
			(SELECT count(*) FROM parked), (SELECT events FROM dropped),
			(SELECT wall FROM events ORDER BY seq LIMIT 1), (SELECT in_step FROM events ORDER BY seq LIMIT 1)`).
		Scan(&q.Waiting, &q.Withdrawals, &q.Parked, &q.Dropped, &oldest.wall, &oldest.inStep)
	if err != nil {
		return QueueView{}, fault(s.path, "show queue", err)
	}
	if oldest.wall.Valid {
		at := when(stamp{wall: oldest.wall.Int64, inStep: oldest.inStep.Bool})
		q.Oldest = &at
	}
	q.Newest, err = view(ctx, s, "show queue", `SELECT id, kind, purpose, user_key, wall, in_step, answer, parked_wall, parked_in_step
		FROM parked ORDER BY seq DESC LIMIT ?`, limit,
		func(rows *sql.Rows) (r ParkedRow, err error) {
			var at, parked stamp
			err = rows.Scan(&r.ID, &r.Kind, &r.Purpose, &r.Key, &at.wall, &at.inStep, &r.Answer, &parked.wall, &parked.inStep)
			r.Key, r.At, r.ParkedAt = short(r.Key), when(at), when(parked)
			return r, err
		})
	return q, err
}

// Counts counts what the record holds.
func (s *Store) Counts(ctx context.Context) (Counts, error) {
	var c Counts
	err := s.db.QueryRowContext(ctx, `SELECT
			(SELECT count(lead_key) FROM people), (SELECT count(*) FROM visits),
			(SELECT count(*) FROM visits WHERE end_boot IS NULL), (SELECT count(*) FROM consents),
			(SELECT seq FROM ledger_head), (SELECT count(*) FROM events),
			(SELECT count(*) FROM parked), (SELECT events FROM dropped)`).
		Scan(&c.Leads, &c.Visits, &c.Open, &c.Consents, &c.Entries, &c.Waiting, &c.Parked, &c.Dropped)
	return c, fault(s.path, "count", err)
}
