package firewall

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How soon the rules are looked at.
const (
	checkRest   = 200 * time.Millisecond // between two comparisons
	restAtMost  = 500 * time.Millisecond // at most, while every comparison finds something, or fails
	glanceEvery = 500 * time.Millisecond // at what the kernel sends no news of
)

// Keep compares the kernel with the ruleset and repairs what differs, until
// ctx ends; then it returns nil. After each repair it calls repaired, which
// may be nil: a set that another program has destroyed has lost its members,
// and somebody who knows the passes should admit the guests again.
//
// It compares within milliseconds after the kernel has told that rules of
// nf_tables (those of iptables-nft too) or policy rules were changed, though
// not while it rests, for a fifth of a second after each comparison and up to
// half a second while another program undoes every repair. Of iptables-legacy and
// ipset the kernel tells nothing; there it looks twice a second whether they
// have changed. And it compares every so often, whatever it was told.
//
// A comparison or a repair that fails is logged once and tried again after
// half a second.
func (f *Firewall) Keep(ctx context.Context, every time.Duration, repaired func()) error {
	return f.keep(ctx, every, f.Check, repaired)
}

func (f *Firewall) keep(ctx context.Context, every time.Duration, check func(context.Context) ([]string, error), repaired func()) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	k := keeper{
		check: check,
		mend:  f.mend,
		count: &f.repairs,
		log:   f.log,
		bell:  newBell(),
	}
	deaf := func(err error) {
		f.log.Warn("the kernel does not tell when the firewall is changed; it is only looked at from time to time", "every", every, "err", err)
	}
	stop, err := heed(k.bell, deaf, filterNews, gateNews)
	if err != nil {
		deaf(err)
	} else {
		defer stop()
	}
	if back, ok := f.back.(fingerprinter); ok {
		running.Go(func() { onChange(ctx, k.bell, glanceEvery, f.glance(back)) })
	}
	return k.run(ctx, every, repaired)
}

// A fingerprinter is a back end of whose changes the kernel sends no news. It
// tells cheaply, without starting a program, a number that is most likely
// another one when somebody has changed rules or sets; the members of sets do
// not change it.
type fingerprinter interface {
	fingerprint() (uint64, error)
}

// glance asks for a fingerprint while the rules are not being changed. One
// that cannot be had is 0.
func (f *Firewall) glance(back fingerprinter) func() uint64 {
	return func() uint64 {
		f.work.Lock()
		defer f.work.Unlock()
		print, err := back.fingerprint()
		if err != nil {
			return 0
		}
		return print
	}
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
	err := f.hold(ctx, r, func() {})
	return err == nil, err
}

// A keeper is Keep with its acts as fields.
type keeper struct {
	check func(context.Context) ([]string, error)
	mend  func(context.Context) (bool, error)
	count *atomic.Uint64
	log   *slog.Logger
	bell  bell
}

func (k keeper) run(ctx context.Context, every time.Duration, repaired func()) error {
	complaint := ""
	rest := checkRest
	onNews(ctx, k.bell, every, func() time.Duration {
		mended, err := k.once(ctx, repaired)
		switch {
		case err != nil:
			if ctx.Err() == nil && err.Error() != complaint {
				complaint = err.Error()
				k.log.Error("the firewall cannot be kept", "err", err)
			}
			k.bell.ring()
			return restAtMost
		case mended: // again and again: somebody undoes it
			rest = min(2*rest, restAtMost)
		default:
			rest = checkRest
		}
		complaint = ""
		return rest
	})
	return nil
}

// once compares and repairs; true when there was something to repair.
func (k keeper) once(ctx context.Context, repaired func()) (bool, error) {
	differences, err := k.check(ctx)
	if err != nil || len(differences) == 0 {
		return false, err
	}
	mended, err := k.mend(ctx)
	if err != nil || !mended {
		return false, err
	}
	k.log.Warn("the firewall was changed by another program and is repaired",
		"repairs", k.count.Add(1), "first", differences[0], "differences", len(differences))
	if repaired != nil {
		repaired()
	}
	return true, nil
}
