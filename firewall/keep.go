package firewall

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Keep compares the kernel with the ruleset every so often and repairs what
// differs, until ctx ends; then it returns nil. After each repair it calls
// repaired, which may be nil: a set that another program has destroyed has
// lost its members, and somebody who knows the passes should admit the guests
// again.
//
// A comparison or a repair that fails is logged once and tried again.
func (f *Firewall) Keep(ctx context.Context, every time.Duration, repaired func()) error {
	k := keeper{
		check: f.Check,
		mend:  f.mend,
		count: &f.repairs,
		log:   f.log,
	}
	return k.run(ctx, every, repaired)
}

// Repairs is how often the rules were repaired since Open.
func (f *Firewall) Repairs() uint64 { return f.repairs.Load() }

// Release ends the keeping: when it returns no repair is under way and none
// will begin before the next Apply. The rules stay in force.
func (f *Firewall) Release() {
	f.work.Lock()
	defer f.work.Unlock()
	f.state.Lock()
	defer f.state.Unlock()
	f.released = true
}

// mend applies the wish again, unless it was released meanwhile; then it
// reports that nothing was done.
func (f *Firewall) mend(ctx context.Context) (bool, error) {
	f.work.Lock()
	defer f.work.Unlock()
	f.state.Lock()
	r, keep := f.wish.clone(), f.applied && !f.released
	f.state.Unlock()
	if !keep {
		return false, nil
	}
	f.members.Lock()
	err := f.makeSets(ctx, r)
	f.members.Unlock()
	if err == nil {
		err = f.makeRules(ctx, r)
	}
	return err == nil, err
}

// A keeper is Keep with its acts as fields.
type keeper struct {
	check func(context.Context) ([]string, error)
	mend  func(context.Context) (bool, error)
	count *atomic.Uint64
	log   *slog.Logger
}

func (k keeper) run(ctx context.Context, every time.Duration, repaired func()) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	complaint := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := k.once(ctx, repaired)
		switch {
		case err == nil:
			complaint = ""
		case ctx.Err() != nil:
			return nil
		case err.Error() != complaint:
			complaint = err.Error()
			k.log.Error("the firewall cannot be kept", "err", err)
		}
	}
}

func (k keeper) once(ctx context.Context, repaired func()) error {
	differences, err := k.check(ctx)
	if err != nil || len(differences) == 0 {
		return err
	}
	mended, err := k.mend(ctx)
	if err != nil || !mended {
		return err
	}
	k.log.Warn("the firewall was changed by another program and is repaired",
		"repairs", k.count.Add(1), "first", differences[0], "differences", len(differences))
	if repaired != nil {
		repaired()
	}
	return nil
}
