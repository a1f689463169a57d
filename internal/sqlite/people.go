package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A person is a row of people; 0 is nobody.
type person int64

// A member is what is known of a person, and where it stands.
type member struct {
	hien.Member
	row person
}

// Member finds the person behind a member mark.
func (s *Store) Member(ctx context.Context, mark hien.Mark) (hien.Member, error) {
	var m member
	err := s.read(ctx, "look up member", func(r reader) (err error) {
		m, err = r.memberByMark(ctx, mark)
		return err
	})
	return m.Member, err
}

// Receipt finds what a receipt proves: the consent as it was given, and as it
// stands.
func (s *Store) Receipt(ctx context.Context, secret consent.Hash) (hien.Receipt, error) {
	var found hien.Receipt
	err := s.read(ctx, "look up receipt", func(r reader) error {
		row, given, err := r.givenUnder(ctx, secret)
		if err != nil {
			return noReceipt(err)
		}
		found.Given = given
		if found.Standing, err = r.standing(ctx, row); err != nil {
			return err
		}
		notice := given.Notice()
		return r.QueryRowContext(ctx, "SELECT text FROM notices WHERE hash = ?", notice[:]).Scan(&found.Notice)
	})
	return found, err
}

// memberByMark is nobody when the mark is nobody's.
func (r reader) memberByMark(ctx context.Context, mark hien.Mark) (member, error) {
	row, err := r.person(ctx, "SELECT person FROM marks WHERE mark = ?", mark)
	if err != nil || row == 0 {
		return member{}, err
	}
	return r.member(ctx, row)
}

// memberByKey names a new person when nobody has the lead key, nor one of the
// earlier ones; row is 0 then. Whoever has an earlier one is to have this key,
// with that one as Previous.
func (r reader) memberByKey(ctx context.Context, key hien.LeadKey, earlier ...hien.LeadKey) (member, error) {
	for _, k := range append([]hien.LeadKey{key}, earlier...) {
		row, err := r.person(ctx, "SELECT person FROM people WHERE lead_key = ?", k)
		if err != nil {
			return member{}, err
		}
		if row == 0 {
			continue
		}
		m, err := r.member(ctx, row)
		if k != key {
			m.Key, m.Previous, m.Renamed = key, k, true
		}
		return m, err
	}
	unanswered := consent.FromRecord("", consent.NewID(), consent.Hash{}, "", hien.Moment{}, nil)
	return member{Member: hien.Member{Consent: unanswered, Key: key}}, nil
}

// person answers the one person of a query, 0 for none.
func (r reader) person(ctx context.Context, query string, arg any) (row person, err error) {
	err = r.QueryRowContext(ctx, query, arg).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return row, err
}

// member is all that is known of a person. One whose lead is gone has
// answers, all refused, and no key.
func (r reader) member(ctx context.Context, row person) (member, error) {
	m := member{row: row}
	var err error
	if m.Consent, err = r.standing(ctx, row); err != nil {
		return member{}, err
	}
	if err := r.QueryRowContext(ctx, "SELECT coalesce(lead_key, ''), coalesce(previous_key, ''), coalesce(sealed, '') FROM people WHERE person = ?", row).
		Scan(&m.Key, &m.Previous, &m.Sealed); err != nil {
		return member{}, err
	}
	if m.Answered, err = r.answered(ctx, row); err != nil {
		return member{}, err
	}
	var start stamp
	err = r.QueryRowContext(ctx, `SELECT number, start_wall, start_boot, start_up, start_in_step
		FROM visits WHERE person = ? ORDER BY number DESC LIMIT 1`, row).
		Scan(&m.Visits, &start.wall, &start.boot, &start.up, &start.inStep)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return member{}, err
	}
	m.LastVisit = start.moment()
	return m, nil
}

// standing is the consent as it stands: each purpose as it was last
// answered, under the name of the latest consent.
func (r reader) standing(ctx context.Context, row person) (consent.Consent, error) {
	rows, err := r.QueryContext(ctx, `SELECT p.subject, s.purpose, s.agreed, c.id, c.notice, c.language, c.wall, c.boot, c.up, c.in_step
		FROM people AS p JOIN standing AS s USING (person) JOIN consents AS c ON c.seq = s.consent
		WHERE p.person = ? ORDER BY c.seq`, row)
	if err != nil {
		return consent.Consent{}, err
	}
	defer rows.Close()
	var latest consentRow
	var answers []consent.Answer
	for rows.Next() {
		var a consent.Answer
		if err := rows.Scan(&latest.subject, &a.Purpose, &a.Agreed, &latest.id, &latest.notice, &latest.language,
			&latest.at.wall, &latest.at.boot, &latest.at.up, &latest.at.inStep); err != nil {
			return consent.Consent{}, err
		}
		answers = append(answers, a)
	}
	return latest.with(answers), rows.Err()
}

// answered is how and when each purpose was answered last.
func (r reader) answered(ctx context.Context, row person) (map[consent.Purpose]hien.Answered, error) {
	rows, err := r.QueryContext(ctx, `SELECT s.purpose, s.agreed, c.answers, n.substance, c.wall, c.boot, c.up, c.in_step
		FROM standing AS s JOIN consents AS c ON c.seq = s.consent LEFT JOIN notices AS n ON n.hash = c.notice
		WHERE s.person = ?`, row)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[consent.Purpose]hien.Answered)
	for rows.Next() {
		var p consent.Purpose
		var a hien.Answered
		var given, substance []byte
		var at stamp
		if err := rows.Scan(&p, &a.Agreed, &given, &substance, &at.wall, &at.boot, &at.up, &at.inStep); err != nil {
			return nil, err
		}
		var answers []consent.Answer
		if err := json.Unmarshal(given, &answers); err != nil {
			return nil, fmt.Errorf("answers of a person: %w", err)
		}
		a.Withdrawn = !a.Agreed && slices.Contains(answers, consent.Answer{Purpose: p, Agreed: true})
		copy(a.Substance[:], substance)
		a.At = at.moment()
		all[p] = a
	}
	return all, rows.Err()
}

// givenUnder is the consent whose receipt has that hash; sql.ErrNoRows if
// there is none.
func (r reader) givenUnder(ctx context.Context, receipt consent.Hash) (person, consent.Consent, error) {
	var row person
	var c consentRow
	var text []byte
	err := r.QueryRowContext(ctx, `SELECT person, p.subject, id, notice, language, wall, boot, up, in_step, answers
		FROM receipts JOIN consents ON seq = consent JOIN people AS p USING (person) WHERE secret = ?`, receipt[:]).
		Scan(&row, &c.subject, &c.id, &c.notice, &c.language, &c.at.wall, &c.at.boot, &c.at.up, &c.at.inStep, &text)
	if err != nil {
		return 0, consent.Consent{}, err
	}
	var answers []consent.Answer
	if err := json.Unmarshal(text, &answers); err != nil {
		return 0, consent.Consent{}, fmt.Errorf("consent %s: answers: %w", c.id, err)
	}
	return row, c.with(answers), nil
}

// A consentRow is a consent without its answers.
type consentRow struct {
	id, subject consent.ID
	notice      []byte
	language    string
	at          stamp
}

func (c consentRow) with(answers []consent.Answer) consent.Consent {
	var notice consent.Hash
	copy(notice[:], c.notice)
	return consent.FromRecord(c.id, c.subject, notice, c.language, c.at.moment(), answers)
}
