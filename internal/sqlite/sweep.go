package sqlite

import (
	"context"
	"fmt"

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
		s.rests.Store(true)
	}
	if w.swept.Done && s.rests.Load() {
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
		"UPDATE parked SET parked_wall = ?, parked_boot = '' WHERE parked_in_step = 0 AND parked_boot NOT IN (?, '')",
	} {
		if _, err := w.t.exec(ctx, statement, w.Now.Wall.UnixNano(), w.Now.Boot); err != nil {
			return false, err
		}
	}
	return true, nil
}
