package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// Correct changes a person's number, in one transaction; then it empties the
// log of what was deleted. make must not call the store: it runs inside. Its
// error is returned as it is, and nothing happened.
//
// What waits under the old number is dropped, and not told under the new one:
// upstream the old number is erased with all that was told of it.
func (s *Store) Correct(ctx context.Context, who hien.Who, names []hien.LeadKey, make func([]hien.Person) (hien.Correction, error)) error {
	err := s.write(ctx, "record correction", func(t *tx) error {
		rows, people, err := t.everyName(ctx, who)
		if err != nil {
			return err
		}
		if err := t.isFree(ctx, rows, names); err != nil {
			return err
		}
		anew, err := s.anyBuried(ctx, t.reader, names)
		if err != nil {
			return err
		}
		for i := range people {
			people[i].Anew = anew
		}
		c, err := make(people)
		if err != nil {
			return err
		}
		if len(c.Names) != len(people) || len(c.Old) == 0 || slices.Contains(c.Old, c.Key) {
			return fmt.Errorf("record correction: %d statements for %d names, %d old keys", len(c.Names), len(people), len(c.Old))
		}
		if err := s.lift(ctx, t, names); err != nil {
			return err
		}
		for _, key := range c.Old {
			if err := s.bury(ctx, t, key, c.Names[0].Statement.At); err != nil {
				return err
			}
		}
		if err := s.enqueue(ctx, t, 0, c.Erasures...); err != nil {
			return err
		}
		for i, row := range rows {
			if err := s.correctName(ctx, t, row, people[i], c, c.Names[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.emptyLog(ctx)
	}
	return err
}

// isFree holds that nobody has one of the lead keys.
func (t *tx) isFree(ctx context.Context, own []person, names []hien.LeadKey) error {
	for _, key := range names {
		switch row, err := t.person(ctx, "SELECT person FROM people WHERE lead_key = ?1 OR previous_key = ?1", key); {
		case err != nil:
			return err
		case slices.Contains(own, row):
			return hien.ErrUnchanged
		case row != 0:
			return hien.ErrTaken
		}
	}
	return nil
}

// correctName changes the number of a person under one name. Under each the new
// number is bound, so that all of them are found by it.
func (s *Store) correctName(ctx context.Context, t *tx, row person, p hien.Person, c hien.Correction, n hien.CorrectedName) error {
	if n.Statement.Kind != consent.KindCorrection || n.Statement.Subject != p.Consent.Subject() {
		return fmt.Errorf("record correction %s: it is another person's", n.Statement.ID)
	}
	if err := t.forgetEvents(ctx, "person = ?", row); err != nil {
		return err
	}
	for _, deed := range []string{
		"UPDATE commitments SET named = json_remove(named, '$.number') WHERE seq IN (SELECT seq FROM consents WHERE person = ?)",
		"DELETE FROM commitments WHERE seq IN (SELECT seq FROM corrections WHERE person = ?)",
		"DELETE FROM corrections WHERE person = ?",
	} {
		if _, err := t.exec(ctx, deed, row); err != nil {
			return err
		}
	}
	entry, err := t.appendEntry(ctx, n.Statement, s.signer)
	if err != nil {
		return err
	}
	named, err := json.Marshal(n.Commitments)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, "INSERT INTO commitments (seq, named) VALUES (?, ?)", entry.Seq, string(named)); err != nil {
		return err
	}
	if _, err := t.exec(ctx, "INSERT INTO corrections (seq, person) VALUES (?, ?)", entry.Seq, row); err != nil {
		return err
	}
	if !p.Consent.AllowsAny() {
		return nil
	}
	if _, err := t.exec(ctx, "UPDATE people SET lead_key = ?, previous_key = NULL, sealed = nullif(?, '') WHERE person = ?", c.Key, c.Sealed, row); err != nil {
		return err
	}
	return s.enqueue(ctx, t, row, c.Events...)
}

// corrected are a person's changes of number.
func (r reader) corrected(ctx context.Context, row person) ([]hien.Corrected, error) {
	return collect(ctx, r, func(rows *sql.Rows) (c hien.Corrected, err error) {
		var named []byte
		if err := rows.Scan(&c.Seq, &named); err != nil {
			return c, err
		}
		return c, json.Unmarshal(named, &c.Commitments)
	}, "SELECT seq, named FROM corrections JOIN commitments USING (seq) WHERE person = ? ORDER BY seq", row)
}
