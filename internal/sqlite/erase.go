package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

var (
	_ hien.Eraser   = (*Store)(nil)
	_ hien.Reissuer = (*Store)(nil)
)

// belongings are the statements that delete what the record holds of a person
// beside the ledger, in an order that foreign keys allow. A test holds that no
// table that leads to a person is missing.
var belongings = []string{
	"DELETE FROM commitments WHERE seq IN (SELECT seq FROM consents WHERE person = ?)",
	"DELETE FROM commitments WHERE seq IN (SELECT seq FROM corrections WHERE person = ?)",
	"DELETE FROM corrections WHERE person = ?",
	"DELETE FROM receipts WHERE consent IN (SELECT seq FROM consents WHERE person = ?)",
	"DELETE FROM ended WHERE consent IN (SELECT seq FROM consents WHERE person = ?)",
	"DELETE FROM standing WHERE person = ?",
	"DELETE FROM visits WHERE person = ?",
	"DELETE FROM marks WHERE person = ?",
	"DELETE FROM consents WHERE person = ?",
	"DELETE FROM people WHERE person = ?",
}

// Erase deletes everything that the record holds of a person beside the
// ledger, and records what make answers, in one transaction; then it empties
// the log of what was deleted. make must not call the store: it runs inside.
// Its error is returned as it is, and nothing happened.
func (s *Store) Erase(ctx context.Context, who hien.Who, make func([]hien.Person) (hien.Erasure, error)) (hien.Gone, error) {
	var gone hien.Gone
	err := s.write(ctx, "erase a person", func(t *tx) error {
		rows, people, err := t.everyName(ctx, who)
		if err != nil {
			return err
		}
		e, err := make(people)
		if err != nil {
			return err
		}
		if len(e.Statements) != len(people) {
			return fmt.Errorf("record erasure: %d statements for %d names", len(e.Statements), len(people))
		}
		gone.Keys = e.Keys
		for i, row := range rows {
			if err := s.eraseName(ctx, t, row, people[i], e.Statements[i], &gone); err != nil {
				return err
			}
		}
		for _, key := range e.Keys {
			if err := s.bury(ctx, t, key, e.Statements[0].At); err != nil {
				return err
			}
		}
		return s.enqueue(ctx, t, 0, e.Events...)
	})
	if err != nil {
		return hien.Gone{}, err
	}
	s.emptyLog(ctx)
	return gone, nil
}

// eraseName deletes what is held of a person under one name.
func (s *Store) eraseName(ctx context.Context, t *tx, row person, p hien.Person, st consent.Statement, gone *hien.Gone) error {
	if st.Kind != consent.KindErasure || st.Subject != p.Consent.Subject() {
		return fmt.Errorf("record erasure %s: it is another person's", st.ID)
	}
	if err := t.goesWith(ctx, row, p, gone); err != nil {
		return err
	}
	entry, err := t.appendEntry(ctx, st, s.signer)
	if err != nil {
		return err
	}
	if gone.Seq == 0 {
		gone.Seq, gone.ID = entry.Seq, st.ID
	}
	if err := t.forgetEvents(ctx, "person = ?", row); err != nil {
		return err
	}
	for _, deed := range belongings {
		if _, err := t.exec(ctx, deed, row); err != nil {
			return err
		}
	}
	return nil
}

// goesWith adds what an erasure takes away that others may know too.
func (t *tx) goesWith(ctx context.Context, row person, p hien.Person, gone *hien.Gone) error {
	for _, v := range p.Visits {
		gone.Visits = append(gone.Visits, v.ID)
	}
	for _, g := range p.Given {
		gone.Visits = append(gone.Visits, g.Consent.ID()) // a visit that was opened has its consent's id, also when its row is gone
	}
	secrets, err := collect(ctx, t, func(rows *sql.Rows) (h consent.Hash, err error) {
		var secret []byte
		err = rows.Scan(&secret)
		copy(h[:], secret)
		return h, err
	}, "SELECT secret FROM receipts JOIN consents ON seq = consent WHERE person = ?", row)
	gone.Receipts = append(gone.Receipts, secrets...)
	return err
}

// everyName is everything that the record holds of a person, under each name.
func (r reader) everyName(ctx context.Context, who hien.Who) (rows []person, people []hien.Person, err error) {
	if rows, err = r.names(ctx, who); err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		p, err := r.whole(ctx, row)
		if err != nil {
			return nil, nil, err
		}
		people = append(people, p)
	}
	return rows, people, nil
}

// names finds a person, and every other name under which the record knows it: a
// lead key that one of them has or had is another's too.
func (r reader) names(ctx context.Context, who hien.Who) (rows []person, err error) {
	m, err := r.memberFor(ctx, who)
	if err != nil || who.Alone {
		return []person{m.row}, err
	}
	keys := slices.Clone(who.Also)
	for next := []person{m.row}; len(next) > 0; {
		for _, row := range next {
			had, err := r.keysOf(ctx, row)
			if err != nil {
				return nil, err
			}
			rows, keys = append(rows, row), append(keys, had...)
		}
		known, err := r.knownBy(ctx, keys)
		if err != nil {
			return nil, err
		}
		next = slices.DeleteFunc(known, func(row person) bool { return slices.Contains(rows, row) })
	}
	return rows, nil
}

// keysOf are the lead keys that a person has or had under one name: what it is
// known by now, what it gave with each consent, and what it changed its number
// to.
func (r reader) keysOf(ctx context.Context, row person) (keys []hien.LeadKey, err error) {
	all, err := collect(ctx, r, func(rows *sql.Rows) (key hien.LeadKey, err error) { return key, rows.Scan(&key) },
		`SELECT key FROM (
			SELECT 1 AS place, 0 AS seq, lead_key AS key FROM people WHERE person = ?1
			UNION ALL SELECT 2, 0, previous_key FROM people WHERE person = ?1
			UNION ALL SELECT 3, seq, json_extract(named, '$.number.Value') FROM commitments JOIN consents USING (seq) WHERE person = ?1
			UNION ALL SELECT 4, seq, json_extract(named, '$.number.Value') FROM commitments JOIN corrections USING (seq) WHERE person = ?1)
		WHERE key <> '' ORDER BY place, seq`, row)
	for _, key := range all {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys, err
}

// latestOf is who had the lead key last, and has none any more; 0 for nobody.
func (r reader) latestOf(ctx context.Context, key hien.LeadKey) (person, error) {
	known, err := r.knownBy(ctx, []hien.LeadKey{key})
	if err != nil || len(known) == 0 {
		return 0, err
	}
	return known[0], nil
}

// knownBy are the people who have one of the lead keys, or had it when they
// consented or changed their number, the newest first. All that stands beside the ledger is read: it
// is seldom asked.
func (r reader) knownBy(ctx context.Context, keys []hien.LeadKey) ([]person, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	names, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	return collect(ctx, r, func(rows *sql.Rows) (row person, err error) { return row, rows.Scan(&row) },
		`SELECT person FROM people WHERE lead_key IN (SELECT value FROM json_each(?1)) OR previous_key IN (SELECT value FROM json_each(?1))
		UNION SELECT c.person FROM commitments AS k JOIN consents AS c USING (seq)
			WHERE json_extract(k.named, '$.number.Value') IN (SELECT value FROM json_each(?1))
		UNION SELECT c.person FROM commitments AS k JOIN corrections AS c USING (seq)
			WHERE json_extract(k.named, '$.number.Value') IN (SELECT value FROM json_each(?1))
		ORDER BY 1 DESC`, string(names))
}

// bury lays a tombstone for a person who is erased.
func (s *Store) bury(ctx context.Context, t *tx, key hien.LeadKey, at hien.Moment) error {
	mark, day := s.tombstone(key), ""
	if at.InStep {
		day = at.Wall.UTC().Format(time.DateOnly)
	}
	_, err := t.exec(ctx, "INSERT INTO tombstones (mark, day) VALUES (?, ?) ON CONFLICT DO UPDATE SET day = excluded.day", mark[:], day)
	return err
}

// lift takes tombstones away, as the person consents anew.
func (s *Store) lift(ctx context.Context, t *tx, keys []hien.LeadKey) error {
	for _, key := range keys {
		mark := s.tombstone(key)
		if _, err := t.exec(ctx, "DELETE FROM tombstones WHERE mark = ?", mark[:]); err != nil {
			return err
		}
	}
	return nil
}

// anyBuried reports whether there is a tombstone for one of the lead keys.
func (s *Store) anyBuried(ctx context.Context, r reader, keys []hien.LeadKey) (bool, error) {
	for _, key := range keys {
		if _, buried, err := s.buried(ctx, r, key); err != nil || buried {
			return buried, err
		}
	}
	return false, nil
}

// buried reports whether there is a tombstone for a lead key, and its day.
func (s *Store) buried(ctx context.Context, r reader, key hien.LeadKey) (day string, buried bool, err error) {
	mark := s.tombstone(key)
	err = r.QueryRowContext(ctx, "SELECT day FROM tombstones WHERE mark = ?", mark[:]).Scan(&day)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return day, err == nil, err
}

// Buried reports whether the person with that lead key was erased, and has not
// consented since.
func (s *Store) Buried(ctx context.Context, key hien.LeadKey) (day string, buried bool, err error) {
	err = s.read(ctx, "look up a tombstone", func(r reader) (err error) {
		day, buried, err = s.buried(ctx, r, key)
		return err
	})
	return day, buried, err
}

// Person is everything that the record holds of a person, under each name.
func (s *Store) Person(ctx context.Context, who hien.Who) (people []hien.Person, err error) {
	err = s.read(ctx, "look up a person", func(r reader) (err error) {
		_, people, err = r.everyName(ctx, who)
		return err
	})
	return people, err
}

// Reissue attaches a receipt's secret to the latest consent of the person who
// has one of the lead keys, or had it.
func (s *Store) Reissue(ctx context.Context, keys []hien.LeadKey, secret consent.Hash) error {
	return s.write(ctx, "issue a receipt", func(t *tx) error {
		m, err := member{}, hien.ErrNoReceipt
		for _, key := range keys {
			if m, err = t.memberFor(ctx, hien.Who{Key: key}); !errors.Is(err, hien.ErrNoReceipt) {
				break
			}
		}
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "INSERT INTO receipts (secret, consent) SELECT ?, max(seq) FROM consents WHERE person = ?", secret[:], m.row)
		return err
	})
}

// ErasedAt is when an erasure was recorded.
func (s *Store) ErasedAt(ctx context.Context, seq uint64, id consent.ID) (at hien.Moment, err error) {
	err = s.read(ctx, "look up an erasure", func(r reader) error {
		e := consent.Entry{Seq: seq}
		if err := r.QueryRowContext(ctx, "SELECT body FROM ledger WHERE seq = ?", int64(seq)).Scan(&e.Body); err != nil {
			return noReceipt(err)
		}
		st, err := e.Statement()
		if err != nil {
			return err
		}
		if st.Kind != consent.KindErasure || st.ID != id {
			return hien.ErrNoReceipt
		}
		at = st.At
		return nil
	})
	return at, err
}

// whole is everything that the record holds of a person.
func (r reader) whole(ctx context.Context, row person) (hien.Person, error) {
	m, err := r.member(ctx, row)
	p := hien.Person{Member: m.Member}
	if err != nil {
		return p, err
	}
	if p.Given, err = r.given(ctx, m.row); err != nil {
		return p, err
	}
	if p.Corrected, err = r.corrected(ctx, m.row); err != nil {
		return p, err
	}
	if p.Keys, err = r.keysOf(ctx, m.row); err != nil {
		return p, err
	}
	if err := r.QueryRowContext(ctx, `SELECT coalesce((SELECT id FROM consents WHERE seq = sealed_for), '')
		FROM people WHERE person = ?`, m.row).Scan(&p.SealedFor); err != nil {
		return p, err
	}
	if p.Visits, err = r.visitsOf(ctx, m.row); err != nil {
		return p, err
	}
	if p.Marks, err = collect(ctx, r, func(rows *sql.Rows) (mark hien.Mark, err error) {
		return mark, rows.Scan(&mark)
	}, "SELECT mark FROM marks WHERE person = ?", m.row); err != nil {
		return p, err
	}
	if p.Events, err = collect(ctx, r, func(rows *sql.Rows) (w hien.Waiting, err error) {
		var at stamp
		err = rows.Scan(&w.ID, &w.Kind, &w.Purpose, &at.wall, &at.boot, &at.up, &at.inStep, &w.Answer)
		w.At = at.moment()
		return w, err
	}, `SELECT id, kind, purpose, wall, boot, up, in_step, answer FROM parked WHERE person = ?1
		UNION ALL SELECT id, kind, purpose, wall, boot, up, in_step, '' FROM events WHERE person = ?1`, m.row); err != nil {
		return p, err
	}
	// The subject stands in nobody else's entries: it is 128 random bits.
	p.Entries, err = collect(ctx, r, func(rows *sql.Rows) (e consent.Entry, err error) {
		var hash []byte
		err = rows.Scan(&e.Seq, &e.Body, &hash, &e.Signature)
		copy(e.Hash[:], hash)
		return e, err
	}, `SELECT seq, body, hash, signature FROM ledger
		WHERE seq >= (SELECT since FROM people WHERE person = ?) AND instr(body, CAST(? AS BLOB)) > 0 ORDER BY seq`,
		m.row, `"subject":"`+string(m.Consent.Subject())+`"`)
	return p, err
}

// given are a person's consents as they were given, oldest first.
func (r reader) given(ctx context.Context, row person) ([]hien.Given, error) {
	return collect(ctx, r, func(rows *sql.Rows) (g hien.Given, err error) {
		var c consentRow
		var answers, named []byte
		if err := rows.Scan(&g.Seq, &c.subject, &c.id, &c.notice, &c.language, &c.at.wall, &c.at.boot, &c.at.up, &c.at.inStep,
			&answers, &named, &g.Notice, &g.Receipts); err != nil {
			return g, err
		}
		var said []consent.Answer
		if err := json.Unmarshal(answers, &said); err != nil {
			return g, fmt.Errorf("consent %s: answers: %w", c.id, err)
		}
		if err := json.Unmarshal(named, &g.Commitments); err != nil {
			return g, fmt.Errorf("consent %s: what stands beside the ledger: %w", c.id, err)
		}
		g.Consent = c.with(said)
		return g, nil
	}, `SELECT c.seq, p.subject, c.id, c.notice, c.language, c.wall, c.boot, c.up, c.in_step, c.answers,
			coalesce((SELECT named FROM commitments AS k WHERE k.seq = c.seq), '{}'), n.text,
			(SELECT count(*) FROM receipts AS r WHERE r.consent = c.seq)
		FROM consents AS c JOIN people AS p USING (person) JOIN notices AS n ON n.hash = c.notice
		WHERE c.person = ? ORDER BY c.seq`, row)
}

func (r reader) visitsOf(ctx context.Context, row person) ([]hien.Visit, error) {
	return collect(ctx, r, func(rows *sql.Rows) (hien.Visit, error) {
		v, err := scanVisit(rows)
		return v.Visit, err
	}, "SELECT "+visitColumns+" FROM visits JOIN people USING (person) WHERE person = ? ORDER BY number", row)
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
