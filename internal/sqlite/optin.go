package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// OptIn records what a person agreed to, with everything that follows from
// it, in one transaction. make must not call the store: it runs inside. Its
// error is returned as it is, and nothing is recorded.
func (s *Store) OptIn(ctx context.Context, key hien.LeadKey, make func(hien.Member) (hien.OptIn, error), earlier ...hien.LeadKey) error {
	erased := false
	err := s.write(ctx, "record consent", func(t *tx) error {
		before, err := t.memberByKey(ctx, key, earlier...)
		if err != nil {
			return err
		}
		names := append([]hien.LeadKey{key}, earlier...)
		buried, err := s.anyBuried(ctx, t.reader, names)
		if err != nil {
			return err
		}
		if before.Anew, err = t.comesAnew(ctx, before.row); err != nil {
			return err
		}
		before.Anew = before.Anew || buried
		o, err := make(before.Member)
		if err != nil {
			return err
		}
		if o.Consent.Subject() != before.Consent.Subject() || o.Statement.Subject != before.Consent.Subject() ||
			o.Statement.ID != o.Consent.ID() || o.Consent.Notice() != o.Notice.Hash() {
			return fmt.Errorf("record consent %s: consent, statement and notice are not of one piece", o.Consent.ID())
		}
		if known, err := t.known(ctx, o.Consent.ID()); err != nil || known {
			return err
		}
		if buried && o.Consent.AllowsAny() {
			if err := s.lift(ctx, t, names); err != nil {
				return err
			}
		}
		erased, err = s.optIn(ctx, t, before, o)
		return err
	})
	if err == nil && erased {
		s.emptyLog(ctx)
	}
	return err
}

// known reports whether the consent is in the record.
func (t *tx) known(ctx context.Context, id consent.ID) (bool, error) {
	var one int
	err := t.QueryRowContext(ctx, "SELECT 1 FROM consents WHERE id = ?", id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (s *Store) optIn(ctx context.Context, t *tx, m member, o hien.OptIn) (erased bool, err error) {
	entry, err := t.appendEntry(ctx, o.Statement, s.signer)
	if err != nil {
		return false, err
	}
	if m.row == 0 {
		if m.row, err = t.newPerson(ctx, o.Consent.Subject(), entry); err != nil {
			return false, err
		}
	}
	before, err := t.live(ctx, m.row)
	if err != nil {
		return false, err
	}
	if err := t.putConsent(ctx, m.row, entry, o); err != nil {
		return false, err
	}
	if err := t.noteEnded(ctx, m.row, append(before, int64(entry.Seq)), o.Consent.At()); err != nil {
		return false, err
	}
	after := o.Consent.Over(m.Consent)
	if after.AllowsAny() {
		if err := t.putLead(ctx, m, entry, o.Sealed); err != nil {
			return false, err
		}
	}
	if after.Allows(consent.VisitFrequency) {
		if err := t.putPresence(ctx, m.row, o); err != nil {
			return false, err
		}
	}
	if erased, err = t.narrow(ctx, m, after); err != nil {
		return false, err
	}
	return erased, s.enqueue(ctx, t, m.row, o.Events...)
}

func (t *tx) newPerson(ctx context.Context, subject consent.ID, first consent.Entry) (person, error) {
	r, err := t.ExecContext(ctx, "INSERT INTO people (subject, since) VALUES (?, ?)", subject, first.Seq)
	if err != nil {
		return 0, err
	}
	row, err := r.LastInsertId()
	return person(row), err
}

// putConsent writes what stands beside the ledger entry, the notice, the
// consent with its receipt, and lays its answers over what stood.
func (t *tx) putConsent(ctx context.Context, row person, entry consent.Entry, o hien.OptIn) error {
	if len(o.Commitments) > 0 {
		named, err := json.Marshal(o.Commitments)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "INSERT INTO commitments (seq, named) VALUES (?, ?)", entry.Seq, string(named)); err != nil {
			return err
		}
	}
	c := o.Consent
	notice := c.Notice()
	var substance []byte // null when there is none
	if o.Notice.Substance != (consent.Hash{}) {
		substance = o.Notice.Substance[:]
	}
	if _, err := t.exec(ctx, `INSERT INTO notices (hash, text, substance) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET substance = excluded.substance WHERE substance IS NULL AND excluded.substance IS NOT NULL`,
		notice[:], o.Notice.Text(), substance); err != nil {
		return err
	}
	answers, err := json.Marshal(c.Answers())
	if err != nil {
		return err
	}
	at := stampOf(c.At())
	if _, err := t.exec(ctx, `INSERT INTO consents (seq, id, person, notice, language, wall, boot, up, in_step, answers)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		entry.Seq, c.ID(), row, notice[:], c.Language(), at.wall, at.boot, at.up, at.inStep, string(answers)); err != nil {
		return err
	}
	if o.Receipt != (consent.Hash{}) {
		if _, err := t.exec(ctx, "INSERT INTO receipts (secret, consent) VALUES (?, ?)", o.Receipt[:], entry.Seq); err != nil {
			return err
		}
	}
	for _, a := range c.Answers() {
		if _, err := t.exec(ctx, `INSERT INTO standing (person, purpose, agreed, consent) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET agreed = excluded.agreed, consent = excluded.consent`,
			row, a.Purpose, a.Agreed, entry.Seq); err != nil {
			return err
		}
	}
	return nil
}

// putLead begins the lead, or renews its name and number. A number sealed before stays
// when none is given now.
func (t *tx) putLead(ctx context.Context, m member, entry consent.Entry, sealed hien.SealedPhone) error {
	if _, err := t.exec(ctx, "UPDATE people SET lead_key = ?1, previous_key = nullif(?2, '') WHERE person = ?3 AND lead_key IS NOT ?1",
		m.Key, m.Previous, m.row); err != nil {
		return err
	}
	if sealed == "" {
		return nil
	}
	_, err := t.exec(ctx, "UPDATE people SET sealed = ?, sealed_for = ? WHERE person = ?", sealed, entry.Seq, m.row)
	return err
}

// putPresence writes the member mark and the visit that begins. A device
// that was another member's is now this one's.
func (t *tx) putPresence(ctx context.Context, row person, o hien.OptIn) error {
	if o.Mark != "" {
		if _, err := t.exec(ctx, `INSERT INTO marks (mark, person) VALUES (?, ?)
			ON CONFLICT DO UPDATE SET person = excluded.person WHERE person <> excluded.person`, o.Mark, row); err != nil {
			return err
		}
	}
	if o.Visit == nil {
		return nil
	}
	_, err := t.putVisit(ctx, row, *o.Visit)
	return err
}

// narrow carries out what a change to after takes back, and reports whether
// anything was: the queued events of a purpose that no longer stands; the
// marks and visits with VisitFrequency; the sealed number with the last
// purpose that reaches the person; the lead, and every event but a
// withdrawal, with the last purpose of all.
func (t *tx) narrow(ctx context.Context, m member, after consent.Consent) (bool, error) {
	var gone []consent.Purpose
	for _, a := range m.Consent.Answers() {
		if a.Agreed && !after.Allows(a.Purpose) {
			gone = append(gone, a.Purpose)
		}
	}
	if len(gone) == 0 {
		return false, nil
	}
	for _, p := range gone {
		if err := t.forgetEvents(ctx, "person = ? AND purpose = ? AND "+endsNothing, m.row, p); err != nil {
			return false, err
		}
	}
	var deeds []string
	if !after.Allows(consent.VisitFrequency) {
		deeds = append(deeds, "DELETE FROM marks WHERE person = ?", "DELETE FROM visits WHERE person = ?",
			"UPDATE people SET last_gone = NULL WHERE person = ? AND last_gone IS NOT NULL")
	}
	switch {
	case !after.AllowsAny():
		if err := t.forgetEvents(ctx, "person = ? AND "+endsNothing, m.row); err != nil {
			return false, err
		}
		deeds = append(deeds, "UPDATE people SET lead_key = NULL, previous_key = NULL, sealed = NULL, sealed_for = NULL WHERE person = ?")
	case !after.Reaches():
		deeds = append(deeds, "UPDATE people SET sealed = NULL, sealed_for = NULL WHERE person = ? AND sealed IS NOT NULL")
	}
	for _, deed := range deeds {
		if _, err := t.exec(ctx, deed, m.row); err != nil {
			return false, err
		}
	}
	return true, nil
}

// forgetEvents deletes events, queued or parked. where is one of narrow's
// own.
func (t *tx) forgetEvents(ctx context.Context, where string, args ...any) error {
	n, err := t.exec(ctx, "DELETE FROM events WHERE "+where, args...)
	if err != nil {
		return err
	}
	t.waiting -= n
	_, err = t.exec(ctx, "DELETE FROM parked WHERE "+where, args...)
	return err
}
