package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A visitEvent makes the event of a visit that has ended.
type visitEvent = func(hien.Member, hien.Visit, time.Duration) (hien.Event, error)

// EndStays records the visits of members who allow it and forgets all other
// stays. A stay that was recorded before, which happens when the daemon dies
// between record and livebook, is not recorded again: it is known by its
// visit, or by the moment at which it began. make must not call the store: it
// runs inside. With nothing to write, nothing is written.
func (s *Store) EndStays(ctx context.Context, stays []hien.EndedStay, now hien.Moment,
	make func(hien.Member, hien.Visit, time.Duration) (hien.Event, error)) error {
	return s.write(ctx, "record visits", func(t *tx) error {
		if err := t.restamp(ctx, now); err != nil {
			return err
		}
		left, err := t.visits(ctx, "end_boot IS NULL AND start_boot <> ?", now.Boot)
		if err != nil {
			return err
		}
		for _, v := range left {
			v.End = v.Start // the power went; nobody saw the end
			if err := s.endVisit(ctx, t, v, make); err != nil {
				return err
			}
		}
		for _, stay := range stays {
			if err := s.endStay(ctx, t, stay, now, make); err != nil {
				return err
			}
		}
		return nil
	})
}

// A visit is a hien.Visit, and whose it is.
type visit struct {
	hien.Visit
	row person
}

func (s *Store) endStay(ctx context.Context, t *tx, e hien.EndedStay, now hien.Moment, make visitEvent) error {
	m, err := t.memberByMark(ctx, e.Mark)
	if err != nil || !m.Consent.Allows(consent.VisitFrequency) {
		return err
	}
	start, last := e.Stay.Start.Restamp(now), e.Stay.Last.Restamp(now)
	v, found, err := t.visitOf(ctx, m.row, e.Stay)
	switch {
	case err != nil:
		return err
	case found && v.End != hien.Moment{}:
		return nil
	case !found:
		v = visit{hien.Visit{ID: consent.NewID(), Subject: m.Consent.Subject(), Zone: e.Zone, Start: start}, m.row}
		if v.Number, err = t.putVisit(ctx, m.row, v.Visit); err != nil {
			return err
		}
	}
	v.End = last
	if v.End.Boot == v.Start.Boot && v.End.Up < v.Start.Up {
		v.End = v.Start // nothing was seen of the guest after the form
	}
	return s.endVisit(ctx, t, v, make)
}

// endVisit writes a visit's end and queues its event, if it has one.
func (s *Store) endVisit(ctx context.Context, t *tx, v visit, make visitEvent) error {
	end := stampOf(v.End)
	if _, err := t.exec(ctx, "UPDATE visits SET end_wall = ?, end_boot = ?, end_up = ?, end_in_step = ? WHERE person = ? AND number = ?",
		end.wall, end.boot, end.up, end.inStep, v.row, v.Number); err != nil {
		return err
	}
	m, err := t.member(ctx, v.row)
	if err != nil || !m.Consent.Allows(consent.VisitFrequency) {
		return err
	}
	before, err := t.visits(ctx, "person = ? AND number = ?", v.row, v.Number-1)
	if err != nil {
		return err
	}
	var since time.Duration
	if len(before) == 1 {
		since = between(before[0].Start, v.Start)
	}
	event, err := make(m.Member, v.Visit, since)
	if err != nil {
		return err
	}
	return s.enqueue(ctx, t, v.row, event)
}

// putVisit writes a visit as the person's next and answers its number.
func (t *tx) putVisit(ctx context.Context, row person, v hien.Visit) (number int, err error) {
	if err := t.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) + 1 FROM visits WHERE person = ?", row).Scan(&number); err != nil {
		return 0, err
	}
	start := stampOf(v.Start)
	_, err = t.exec(ctx, `INSERT INTO visits (person, number, id, zone, start_wall, start_boot, start_up, start_in_step)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, row, number, v.ID, v.Zone, start.wall, start.boot, start.up, start.inStep)
	return number, err
}

// visitOf finds the visit of a stay: the one that was opened in it, or one
// that began when it began.
func (t *tx) visitOf(ctx context.Context, row person, stay hien.Stay) (visit, bool, error) {
	found, err := t.visits(ctx, "person = ? AND (id = ? OR start_boot = ? AND start_up = ?)",
		row, stay.Visit, stay.Start.Boot, int64(stay.Start.Up))
	if err != nil || len(found) == 0 {
		return visit{}, false, err
	}
	if i := slices.IndexFunc(found, func(v visit) bool { return v.ID == stay.Visit }); i >= 0 {
		return found[i], true, nil
	}
	return found[0], true, nil
}

const visitColumns = `person, subject, number, id, zone, start_wall, start_boot, start_up, start_in_step,
	end_wall, end_boot, end_up, end_in_step`

// visits reads the visits where holds, each person's in order.
func (t *tx) visits(ctx context.Context, where string, args ...any) ([]visit, error) {
	rows, err := t.QueryContext(ctx, "SELECT "+visitColumns+" FROM visits JOIN people USING (person) WHERE "+
		where+" ORDER BY +person, number", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []visit
	for rows.Next() {
		v, err := scanVisit(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	return found, rows.Err()
}

func scanVisit(rows *sql.Rows) (visit, error) {
	var v visit
	var start stamp
	var end struct {
		wall, up sql.NullInt64
		boot     sql.NullString
		inStep   sql.NullBool
	}
	err := rows.Scan(&v.row, &v.Subject, &v.Number, &v.ID, &v.Zone, &start.wall, &start.boot, &start.up, &start.inStep,
		&end.wall, &end.boot, &end.up, &end.inStep)
	v.Start = start.moment()
	if end.boot.Valid {
		v.End = stamp{end.wall.Int64, end.boot.String, end.up.Int64, end.inStep.Bool}.moment()
	}
	return v, err
}
