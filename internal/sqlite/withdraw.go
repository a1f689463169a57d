package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/hien-wifi/hien"
)

// Withdraw records that a person took purposes back, under each name, and
// carries it out, in one transaction; then it empties the log of what was
// deleted. make must not call the store: it runs inside. Its error is returned
// as it is, and nothing is recorded; but hien.ErrUnchanged only where it is the
// answer for each name.
func (s *Store) Withdraw(ctx context.Context, who hien.Who, make func(hien.Member) (hien.Withdrawal, error)) error {
	err := s.write(ctx, "record withdrawal", func(t *tx) error {
		rows, err := t.names(ctx, who)
		if err != nil {
			return err
		}
		unchanged := true
		for _, row := range rows {
			m, err := t.member(ctx, row)
			if err != nil {
				return err
			}
			if m.Anew, err = t.comesAnew(ctx, row); err != nil {
				return err
			}
			w, err := make(m.Member)
			if errors.Is(err, hien.ErrUnchanged) {
				continue
			}
			if err != nil {
				return err
			}
			if err := s.withdraw(ctx, t, m, w); err != nil {
				return err
			}
			unchanged = false
		}
		if unchanged {
			return hien.ErrUnchanged
		}
		return nil
	})
	if err == nil {
		s.emptyLog(ctx)
	}
	return err
}

func (s *Store) withdraw(ctx context.Context, t *tx, m member, w hien.Withdrawal) error {
	if w.After.Subject() != m.Consent.Subject() || w.Statement.Subject != m.Consent.Subject() {
		return fmt.Errorf("record withdrawal %s: it is another person's", w.Statement.ID)
	}
	before, err := t.live(ctx, m.row)
	if err != nil {
		return err
	}
	if _, err := t.appendEntry(ctx, w.Statement, s.signer); err != nil {
		return err
	}
	for _, a := range w.After.Answers() {
		if a.Agreed {
			continue
		}
		if _, err := t.exec(ctx, "UPDATE standing SET agreed = 0 WHERE person = ? AND purpose = ? AND agreed = 1",
			m.row, a.Purpose); err != nil {
			return err
		}
	}
	if _, err := t.narrow(ctx, m, w.After); err != nil {
		return err
	}
	if err := t.noteEnded(ctx, m.row, before, w.Statement.At); err != nil {
		return err
	}
	return s.enqueue(ctx, t, m.row, w.Event)
}

// comesAnew reports whether an event still waits that tells of a person's
// consent since an erasure. What takes that event out of the queue is to say so
// in its place, or upstream keeps the person out for ever.
func (t *tx) comesAnew(ctx context.Context, row person) (anew bool, err error) {
	err = t.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM events WHERE person = ? AND json_extract(facts, '$.anew'))", row).Scan(&anew)
	return anew, err
}

// memberFor finds a person; hien.ErrNoReceipt if there is none. A subject is
// named by hand, and seldom enough to do without an index.
func (r reader) memberFor(ctx context.Context, who hien.Who) (member, error) {
	var row person
	var err error
	switch {
	case who.Subject != "":
		row, err = r.person(ctx, "SELECT person FROM people WHERE subject = ?", who.Subject)
	case who.Key != "":
		row, err = r.person(ctx, "SELECT person FROM people WHERE lead_key = ?", who.Key)
		if err == nil && row == 0 {
			row, err = r.latestOf(ctx, who.Key)
		}
	case who.Mark != "":
		row, err = r.person(ctx, "SELECT person FROM marks WHERE mark = ?", who.Mark)
	default:
		row, err = r.person(ctx, "SELECT person FROM receipts JOIN consents ON seq = consent WHERE secret = ?", who.Receipt[:])
	}
	if err != nil {
		return member{}, err
	}
	if row == 0 {
		return member{}, hien.ErrNoReceipt
	}
	return r.member(ctx, row)
}
