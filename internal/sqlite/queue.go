package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// What the queue holds at most. A router may be offline for weeks; beyond
// these limits the oldest events are dropped and counted. What ends something
// upstream, a withdrawal or an erasure, is never dropped.
const (
	MaxWaiting = 50_000
	MaxParked  = 1_000
	MaxAge     = 90 * 24 * time.Hour

	maxAnswer = 500 // bytes of a sink's words
)

// The conditions by which the queue is read: what ends something, and what
// does not. Each is as its index has it.
const (
	erasures    = "kind = 'erasure'"
	withdrawals = "kind = 'withdrawal'"
	endsNothing = "kind NOT IN ('erasure', 'withdrawal')"
)

// enqueue puts events at the end of the queue: a person's, or nobody's. The
// zero Event is none, and of somebody who was erased only the erasure is
// taken.
func (s *Store) enqueue(ctx context.Context, t *tx, row person, events ...hien.Event) error {
	owner := sql.NullInt64{Int64: int64(row), Valid: row != 0}
	for _, e := range events {
		if e.ID() == "" {
			continue
		}
		if e.Kind() != hien.Erased {
			if _, buried, err := s.buried(ctx, t.reader, e.User()); err != nil {
				return err
			} else if buried {
				continue
			}
		}
		facts, err := json.Marshal(e.Facts())
		if err != nil {
			return err
		}
		at := stampOf(e.At())
		if _, err := t.exec(ctx, `INSERT INTO events (id, kind, purpose, person, user_key, wall, boot, up, in_step, facts)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			e.ID(), e.Kind(), e.Purpose(), owner, e.User(), at.wall, at.boot, at.up, at.inStep, string(facts)); err != nil {
			return err
		}
		t.waiting++
	}
	if over := s.waiting.Load() + t.waiting - int64(s.limit); over > 0 {
		return t.drop(ctx, "seq IN (SELECT seq FROM events WHERE "+endsNothing+" ORDER BY seq LIMIT ?)", over)
	}
	return nil
}

// drop deletes queued events unsent and counts them.
func (t *tx) drop(ctx context.Context, where string, args ...any) error {
	n, err := t.exec(ctx, "DELETE FROM events WHERE "+where, args...)
	t.waiting -= n
	return errors.Join(err, t.dropped(ctx, n))
}

// dropParked deletes parked events and counts them.
func (t *tx) dropParked(ctx context.Context, where string, arg any) error {
	n, err := t.exec(ctx, "DELETE FROM parked WHERE "+endsNothing+" AND "+where, arg)
	return errors.Join(err, t.dropped(ctx, n))
}

func (t *tx) dropped(ctx context.Context, n int64) error {
	if n == 0 {
		return nil
	}
	_, err := t.exec(ctx, "UPDATE dropped SET events = events + ?", n)
	return err
}

// parkedKnown is known (see sweep.go) of the moment at which an event was parked.
const parkedKnown = "(parked_in_step = 1 OR parked_boot = '')"

// dropOld drops what is older than MaxAge. Events stand in the order in which
// they happened, so those are the first of the queue; an event whose clock
// was never set is as old as its neighbours.
func (t *tx) dropOld(ctx context.Context, now hien.Moment) error {
	limit := now.Wall.Add(-MaxAge).UnixNano()
	if err := t.dropParked(ctx, parkedKnown+" AND parked_wall < ?", limit); err != nil {
		return err
	}
	const told = "FROM events WHERE in_step = 1 AND " + endsNothing + " "
	var oldest int64
	err := t.QueryRowContext(ctx, "SELECT wall "+told+"ORDER BY seq LIMIT 1").Scan(&oldest)
	if errors.Is(err, sql.ErrNoRows) || err == nil && oldest >= limit {
		return nil
	}
	if err != nil {
		return err
	}
	var keep int64 // the first event that is not too old
	err = t.QueryRowContext(ctx, "SELECT seq "+told+"AND wall >= ? ORDER BY seq LIMIT 1", limit).Scan(&keep)
	if errors.Is(err, sql.ErrNoRows) {
		err = t.QueryRowContext(ctx, "SELECT max(seq) + 1 "+told).Scan(&keep)
	}
	if err != nil {
		return err
	}
	return t.drop(ctx, "seq < ? AND "+endsNothing, keep)
}

// restamp corrects the moments of this boot that were taken before the clock
// was set, as Moment.Restamp does. With none, nothing is written.
func (t *tx) restamp(ctx context.Context, now hien.Moment) error {
	if !now.InStep {
		return nil
	}
	at := stampOf(now)
	for _, statement := range []string{
		"UPDATE events SET wall = ? + (up - ?), in_step = 1 WHERE in_step = 0 AND boot = ?",
		"UPDATE consents SET wall = ? + (up - ?), in_step = 1 WHERE in_step = 0 AND boot = ?",
		"UPDATE visits SET start_wall = ? + (start_up - ?), start_in_step = 1 WHERE start_in_step = 0 AND start_boot = ?",
		"UPDATE audit SET wall = ? + (up - ?), in_step = 1 WHERE in_step = 0 AND boot = ?",
		"UPDATE visits SET end_wall = ? + (end_up - ?), end_in_step = 1 WHERE end_in_step = 0 AND end_boot = ?",
		"UPDATE ended SET wall = ? + (up - ?), in_step = 1 WHERE in_step = 0 AND boot = ?",
		"UPDATE parked SET wall = ? + (up - ?), in_step = 1 WHERE in_step = 0 AND boot = ?",
		"UPDATE parked SET parked_wall = ? + (parked_up - ?), parked_in_step = 1 WHERE parked_in_step = 0 AND parked_boot = ?",
	} {
		if _, err := t.exec(ctx, statement, at.wall, at.up, at.boot); err != nil {
			return err
		}
	}
	return nil
}

// places says where events stand in the queue. It is what the last batch
// held, so that the id needs no index on flash.
type places map[consent.ID]int64

// Batch builds the next batch of at most limit events: erasures before
// everything, then withdrawals, else oldest first. Whether an event's purpose
// still stands, and its person has not been erased, is asked again here
// (R-CON-7, R-MKT-4); an event that may not be sent is deleted. Once the
// clock is in step, the moments that were taken before are corrected. Nothing is
// too old by a date that is doubted.
func (s *Store) Batch(ctx context.Context, limit int, now hien.Moment) ([]hien.Event, error) {
	b := builder{store: s, standing: make(map[person]consent.Consent), unreadable: make(map[consent.ID]string), places: make(places)}
	err := s.write(ctx, "build batch", func(t *tx) error {
		if err := t.restamp(ctx, now); err != nil {
			return err
		}
		clock, err := t.wallClock(ctx)
		if err != nil {
			return err
		}
		if _, believed := clock.Believes(now); believed {
			if err := t.dropOld(ctx, now); err != nil {
				return err
			}
		}
		for _, which := range []string{erasures, withdrawals, endsNothing} {
			if err := b.take(ctx, t, which, limit); err != nil {
				return err
			}
		}
		if err := t.park(ctx, b.places, b.unreadable, now); err != nil {
			return err
		}
		return t.remove(ctx, b.places, b.refused)
	})
	if err != nil {
		return nil, err
	}
	s.places.Store(&b.places)
	return b.events, nil
}

// A builder fills a batch.
type builder struct {
	store      *Store
	standing   map[person]consent.Consent // of each person in the batch
	places     places
	events     []hien.Event
	refused    []consent.ID          // their purpose no longer stands, or their person was erased
	unreadable map[consent.ID]string // and why
}

// take adds events until there are limit in all.
func (b *builder) take(ctx context.Context, t *tx, which string, limit int) error {
	var after int64
	for len(b.events) < limit {
		page, err := t.queued(ctx, which, after, limit-len(b.events))
		if err != nil || len(page) == 0 {
			return err
		}
		for _, q := range page {
			after = q.seq
			if err := b.add(ctx, t, q); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) add(ctx context.Context, t *tx, q queued) error {
	standing, ok := b.standing[q.person]
	if !ok && q.person != 0 {
		var err error
		if standing, err = t.standing(ctx, q.person); err != nil {
			return err
		}
		b.standing[q.person] = standing
	}
	b.places[q.id] = q.seq
	if q.kind != hien.Erased {
		if _, buried, err := b.store.buried(ctx, t.reader, q.user); err != nil {
			return err
		} else if buried {
			b.refused = append(b.refused, q.id)
			return nil
		}
	}
	e, err := hien.EventFromRecord(q.id, q.kind, q.purpose, q.user, q.at.moment(), q.facts, standing)
	switch {
	case err != nil: // no sink can mend it, and it must not hold up the others
		b.unreadable[q.id] = err.Error()
	case !e.Allowed():
		b.refused = append(b.refused, q.id)
	default:
		b.events = append(b.events, e)
	}
	return nil
}

// queued is a row of the queue.
type queued struct {
	seq     int64
	id      consent.ID
	kind    hien.EventKind
	purpose consent.Purpose
	person  person
	user    hien.LeadKey
	at      stamp
	facts   []byte
}

func (t *tx) queued(ctx context.Context, which string, after int64, limit int) ([]queued, error) {
	rows, err := t.QueryContext(ctx, `SELECT seq, id, kind, purpose, coalesce(person, 0), user_key, wall, boot, up, in_step, facts
		FROM events WHERE `+which+` AND seq > ? ORDER BY seq LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []queued
	for rows.Next() {
		var q queued
		if err := rows.Scan(&q.seq, &q.id, &q.kind, &q.purpose, &q.person, &q.user,
			&q.at.wall, &q.at.boot, &q.at.up, &q.at.inStep, &q.facts); err != nil {
			return nil, err
		}
		page = append(page, q)
	}
	return page, rows.Err()
}

// Delivered removes events that the sink has. One that is not there was
// withdrawn meanwhile. With an erasure goes the last place where the lead key
// stood: the log is emptied of it too.
func (s *Store) Delivered(ctx context.Context, ids []consent.ID) error {
	erased := false
	err := s.write(ctx, "remove delivered events", func(t *tx) (err error) {
		if erased, err = t.anyErasure(ctx, ids); err != nil {
			return err
		}
		return t.remove(ctx, s.lastPlaces(), ids)
	})
	if err == nil && erased {
		s.emptyLog(ctx)
	}
	return err
}

// anyErasure reports whether one of these events is an erasure.
func (t *tx) anyErasure(ctx context.Context, ids []consent.ID) (bool, error) {
	waiting, err := collect(ctx, t, func(rows *sql.Rows) (id consent.ID, err error) {
		return id, rows.Scan(&id)
	}, "SELECT id FROM events WHERE "+erasures)
	return slices.ContainsFunc(waiting, func(id consent.ID) bool { return slices.Contains(ids, id) }), err
}

func (s *Store) lastPlaces() places {
	if at := s.places.Load(); at != nil {
		return *at
	}
	return nil
}

// remove deletes events from the queue. Those whose place is not known are
// looked for in all of it.
func (t *tx) remove(ctx context.Context, at places, ids []consent.ID) error {
	if len(ids) == 0 {
		return nil
	}
	names, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	where, args := "id IN (SELECT value FROM json_each(?))", []any{string(names)}
	if seqs := at.of(ids); len(seqs) == len(ids) {
		numbers, err := json.Marshal(seqs)
		if err != nil {
			return err
		}
		where, args = "seq IN (SELECT value FROM json_each(?)) AND "+where, []any{string(numbers), string(names)}
	}
	n, err := t.exec(ctx, "DELETE FROM events WHERE "+where, args...)
	t.waiting -= n
	return err
}

func (at places) of(ids []consent.ID) (seqs []int64) {
	for _, id := range ids {
		if seq, ok := at[id]; ok {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// Park takes events out of the queue that the sink will never take, and keeps
// them beside it with the answer that says so, for the owner to see. Only the
// newest MaxParked are kept, and for MaxAge; what ends something for ever.
func (s *Store) Park(ctx context.Context, answers map[consent.ID]string, now hien.Moment) error {
	return s.write(ctx, "park events", func(t *tx) error { return t.park(ctx, s.lastPlaces(), answers, now) })
}

func (t *tx) park(ctx context.Context, places places, answers map[consent.ID]string, now hien.Moment) error {
	if len(answers) == 0 {
		return nil
	}
	at := stampOf(now)
	var ids []consent.ID
	for id, answer := range answers {
		ids = append(ids, id)
		where, args := "id = ?", []any{answer[:min(len(answer), maxAnswer)], at.wall, at.boot, at.up, at.inStep, id}
		if seq, ok := places[id]; ok {
			where, args = "id = ? AND seq = ?", append(args, seq)
		}
		if _, err := t.exec(ctx, `INSERT INTO parked (id, kind, purpose, person, user_key, wall, boot, up, in_step, facts,
				answer, parked_wall, parked_boot, parked_up, parked_in_step)
			SELECT id, kind, purpose, person, user_key, wall, boot, up, in_step, facts, ?, ?, ?, ?, ? FROM events WHERE `+where, args...); err != nil {
			return err
		}
	}
	if err := t.remove(ctx, places, ids); err != nil {
		return err
	}
	return t.dropParked(ctx, "seq <= (SELECT max(seq) FROM parked) - ?", MaxParked)
}
