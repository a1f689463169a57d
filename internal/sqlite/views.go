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
// much as tells two leads apart and too little to look one up elsewhere. A
// limit is how many rows are wanted, at least 1; the caller bounds it.

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
	Visits    int               `json:"visits"`
	LastVisit *When             `json:"last_visit,omitempty"`
}

// A VisitRow is one visit.
type VisitRow struct {
	ID      consent.ID `json:"id"`
	Subject consent.ID `json:"subject"`
	Zone    string     `json:"zone"`
	Number  int        `json:"number"`
	Start   When       `json:"start"`
	End     *When      `json:"end,omitempty"` // nil while it goes on
}

// A ConsentRow is what stands of one person. Its lead may be gone.
type ConsentRow struct {
	Subject  consent.ID       `json:"subject"`
	Answers  []consent.Answer `json:"answers"`
	Consent  consent.ID       `json:"consent"`  // the latest
	Notice   consent.Hash     `json:"notice"`   // of the latest consent
	Language string           `json:"language"` // of that notice
	Since    When             `json:"since"`    // of the latest consent
}

// A QueueRow is an event that is in the queue, or parked beside it.
type QueueRow struct {
	ID      consent.ID      `json:"id"`
	Kind    hien.EventKind  `json:"kind"`
	Purpose consent.Purpose `json:"purpose,omitempty"` // none where it ends something
	At      When            `json:"at"`
	Parked  bool            `json:"parked"`           // the sink will never take it
	Answer  string          `json:"answer,omitempty"` // the sink's, that parked it
}

// Counts are how much each view would show without a limit.
type Counts struct {
	Leads   int `json:"leads"`
	Visits  int `json:"visits"`
	People  int `json:"people"` // with an answer that stands: rows of Consents
	Waiting int `json:"waiting"`
	Parked  int `json:"parked"`
	Dropped int `json:"dropped"` // ever, unsent, for age or number
	Audit   int `json:"audit"`
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

// view reads at most limit rows by a query whose one parameter is the limit.
func view[T any](ctx context.Context, s *Store, deed, query string, limit int, scan func(*sql.Rows) (T, error)) ([]T, error) {
	rows, err := s.db.QueryContext(ctx, query, max(limit, 1))
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
			v.number, v.start_wall, v.start_in_step
		FROM people AS p LEFT JOIN visits AS v ON v.person = p.person
			AND v.number = (SELECT max(number) FROM visits AS w WHERE w.person = p.person)
		WHERE p.lead_key IS NOT NULL ORDER BY p.person DESC LIMIT ?`, limit,
		func(rows *sql.Rows) (r LeadRow, err error) {
			var purposes []byte
			var number, last sql.NullInt64
			var inStep sql.NullBool
			if err := rows.Scan(&r.Subject, &r.Key, &r.Sealed, &purposes, &number, &last, &inStep); err != nil {
				return r, err
			}
			if err := json.Unmarshal(purposes, &r.Purposes); err != nil {
				return r, fmt.Errorf("purposes of %s: %w", r.Subject, err)
			}
			r.Key, r.Visits = short(r.Key), int(number.Int64)
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
			r := VisitRow{ID: v.ID, Subject: v.Subject, Zone: v.Zone, Number: v.Number, Start: when(stampOf(v.Start))}
			if v.End != (hien.Moment{}) {
				end := when(stampOf(v.End))
				r.End = &end
			}
			return r, err
		})
}

// Consents are what stands of the people who answered last.
func (s *Store) Consents(ctx context.Context, limit int) ([]ConsentRow, error) {
	return view(ctx, s, "list consents", `SELECT p.subject, c.id, c.notice, c.language, c.wall, c.boot, c.up, c.in_step,
			(SELECT json_group_array(json_object('purpose', purpose, 'agreed', json(iif(agreed, 'true', 'false'))))
				FROM standing AS s WHERE s.person = p.person)
		FROM consents AS c JOIN people AS p USING (person)
		WHERE c.seq = (SELECT max(consent) FROM standing AS s WHERE s.person = p.person)
		ORDER BY c.seq DESC LIMIT ?`, limit,
		func(rows *sql.Rows) (r ConsentRow, err error) {
			var at stamp
			var notice, answers []byte
			if err := rows.Scan(&r.Subject, &r.Consent, &notice, &r.Language, &at.wall, &at.boot, &at.up, &at.inStep, &answers); err != nil {
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

// Queue is what has not reached the sink: first what is parked, the newest
// first, as it needs somebody; then what waits, in the order in which it goes.
func (s *Store) Queue(ctx context.Context, limit int) ([]QueueRow, error) {
	// Each part is limited by itself, so that its index is read no further.
	return view(ctx, s, "show queue", `
		SELECT * FROM (SELECT 0 AS part, -seq AS turn, id, kind, purpose, wall, in_step, answer
			FROM parked ORDER BY seq DESC LIMIT ?1)
		UNION ALL SELECT * FROM (SELECT 1, seq, id, kind, purpose, wall, in_step, ''
			FROM events WHERE `+erasures+` ORDER BY seq LIMIT ?1)
		UNION ALL SELECT * FROM (SELECT 2, seq, id, kind, purpose, wall, in_step, ''
			FROM events WHERE `+withdrawals+` ORDER BY seq LIMIT ?1)
		UNION ALL SELECT * FROM (SELECT 3, seq, id, kind, purpose, wall, in_step, ''
			FROM events WHERE `+endsNothing+` ORDER BY seq LIMIT ?1)
		ORDER BY part, turn LIMIT ?1`, limit,
		func(rows *sql.Rows) (r QueueRow, err error) {
			var part, turn int64
			var at stamp
			err = rows.Scan(&part, &turn, &r.ID, &r.Kind, &r.Purpose, &at.wall, &at.inStep, &r.Answer)
			r.Parked, r.At = part == 0, when(at)
			return r, err
		})
}

// Standing is the consent of a subject as it stands; hien.ErrNoReceipt when
// there is nobody of that name.
func (s *Store) Standing(ctx context.Context, subject consent.ID) (c consent.Consent, err error) {
	err = s.read(ctx, "look up subject", func(r reader) error {
		row, err := r.person(ctx, "SELECT person FROM people WHERE subject = ?", subject)
		if err != nil {
			return err
		}
		if row == 0 {
			return hien.ErrNoReceipt
		}
		c, err = r.standing(ctx, row)
		return err
	})
	return c, err
}

// Counts counts what the record holds.
func (s *Store) Counts(ctx context.Context) (Counts, error) {
	var c Counts
	err := s.db.QueryRowContext(ctx, `SELECT
			(SELECT count(lead_key) FROM people), (SELECT count(*) FROM visits),
			(SELECT count(DISTINCT person) FROM standing), (SELECT count(*) FROM events),
			(SELECT count(*) FROM parked), (SELECT events FROM dropped), (SELECT count(*) FROM audit)`).
		Scan(&c.Leads, &c.Visits, &c.People, &c.Waiting, &c.Parked, &c.Dropped, &c.Audit)
	return c, fault(s.path, "count", err)
}

// KeyVersions counts the leads by the brand key that named them: "k1".
func (s *Store) KeyVersions(ctx context.Context) (map[string]int, error) {
	count := make(map[string]int)
	_, err := view(ctx, s, "count lead keys", `SELECT substr(lead_key, 1, instr(lead_key, ':') - 1) AS version, count(*)
		FROM people WHERE lead_key IS NOT NULL GROUP BY version LIMIT ?`, 100, // a key for each year of a century
		func(rows *sql.Rows) (struct{}, error) {
			var version string
			var n int
			err := rows.Scan(&version, &n)
			count[version] = n
			return struct{}{}, err
		})
	return count, err
}

// Journal is how the file is written: "wal" or "truncate".
func (s *Store) Journal(ctx context.Context) (mode string, err error) {
	err = s.db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode)
	return mode, fault(s.path, "read the journal mode", err)
}
