package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"
)

// How long things may take.
const (
	Patience  = 2 * time.Minute        // until the owner has confirmed
	Hurry     = 5 * time.Minute        // until the owner is asked
	HealthFor = 45 * time.Second       // until a guest is served
	healthGap = 3 * time.Second        // between two looks at that
	lookEvery = 500 * time.Millisecond // at what another process has decided
)

// Commands are what is run around a change, each an argument vector. A command
// that fails is an error but where the comment says otherwise.
type Commands struct {
	Reload [][]string // the router takes its files over; so it does where they were put back, as far as it can
	Start  [][]string // Hiên, with its configuration
	Stop   [][]string // Hiên, before everything is put back; it may not run
	Off    [][]string // Hiên, for good, before an undo; it may not run
	Clean  [][]string // takes what Hiên has left in the kernel out
}

// Seen is what was seen from the guests' side.
type Seen struct {
	Bad      []string
	Unproven []string // why no guest could be played: whether guests are served is not known then
}

// A Setup makes changes, on trial. Its functions are called by several
// processes; only State stands between them.
type Setup struct {
	Place    Place
	Commands Commands
	Boot     string // the run of the machine, as /proc/sys/kernel/random/boot_id calls it
	Log      *slog.Logger

	// Run runs a command to its end.
	Run func(ctx context.Context, argv []string) error
	// Watch starts a process of its own that runs Guard, and returns when it
	// watches.
	Watch func(ctx context.Context) error
	// Health looks from the guests' side.
	Health func(ctx context.Context) (Seen, error)

	patience, hurry time.Duration // other than Patience and Hurry, for tests
}

func (s *Setup) limits() (patience, hurry time.Duration) {
	return cmp.Or(s.patience, Patience), cmp.Or(s.hurry, Hurry)
}

// The errors of what is asked at the wrong moment. Each is a [Refusal].
var (
	ErrBusy     error = refuse(busy)
	ErrWaiting  error = refuse(waiting)
	ErrNothing  error = refuse(nothingWaits)
	ErrReturned error = refuse(returned) // everything was put back
)

// One makes this the only setup at work until unlock is called. What an
// earlier one has left behind, that ended before its time, is put back first.
// ErrBusy and ErrWaiting say that there is another.
func (s *Setup) One(ctx context.Context) (unlock func(), err error) {
	unlock, alone, err := s.Place.lock(oneName)
	if err != nil {
		return nil, fmt.Errorf("look for another setup: %w", err)
	}
	if !alone {
		return nil, ErrBusy
	}
	if err := s.heal(ctx); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// heal puts back what waits and is watched by nobody.
func (s *Setup) heal(ctx context.Context) error {
	if !s.Place.has(pendingName) && !s.Place.has(returningName) {
		return nil
	}
	unlock, free, err := s.Place.lock(watchedName)
	if err != nil {
		return err
	}
	if !free {
		return ErrWaiting
	}
	defer unlock()
	_, err = s.PutBack(ctx)
	return err
}

// A Trial is a setup that is in force and waits for the owner's word.
type Trial struct {
	Seen   Seen
	setup  *Setup
	record *record
}

// Try makes changes: it keeps the files as they are, has them watched, writes
// the new ones, and has the router and Hiên take them over. With an error
// everything is as it was before, or the error says what is not.
func (s *Setup) Try(ctx context.Context, after map[string][]byte) (*Trial, error) {
	r, err := s.Place.keep(s.Boot, after)
	if err != nil {
		return nil, err
	}
	undo := func(err error) (*Trial, error) {
		did, again := s.PutBack(context.WithoutCancel(ctx))
		if did && again == nil {
			again = ErrReturned
		}
		return nil, errors.Join(err, again)
	}
	if err := s.Watch(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("watch over the setup: %w", err), s.drop())
	}
	if err := s.Place.write(r, after); err != nil {
		return undo(err)
	}
	for _, argv := range slices.Concat(s.Commands.Reload, s.Commands.Start) {
		if err := s.Run(ctx, argv); err != nil {
			return undo(err)
		}
		if !s.Place.has(pendingName) && !s.Place.kept(r) {
			return nil, ErrReturned // by the watchdog: it took too long
		}
	}
	t := &Trial{setup: s, record: r}
	if t.Seen, err = s.health(ctx); err != nil {
		return undo(err)
	}
	if err := writeFile(s.Place.state(askedName), nil); err != nil {
		return undo(err)
	}
	return t, nil
}

// drop forgets a setup that has not changed anything yet.
func (s *Setup) drop() error {
	return errors.Join(s.Place.remove(pendingName), s.Place.forget())
}

// health looks until nothing is bad any more, for a while: a network needs
// some seconds to come up.
func (s *Setup) health(ctx context.Context) (seen Seen, err error) {
	if s.Health == nil {
		return Seen{}, nil
	}
	deadline := time.After(HealthFor)
	for {
		seen, err = s.Health(ctx)
		if err == nil && len(seen.Bad) == 0 {
			return seen, nil
		}
		if err != nil && ctx.Err() == nil {
			seen = Seen{Bad: []string{err.Error()}}
		}
		select {
		case <-ctx.Done():
			return Seen{}, ctx.Err()
		case <-deadline:
			return seen, nil
		case <-time.After(healthGap):
		}
	}
}

// Await waits for the owner's word: true keeps the changes, false puts
// everything back. answers may be closed when he cannot be heard any more;
// another process may still call Confirm. After Patience, and when ctx ends,
// everything is put back. The error is ErrReturned then.
func (t *Trial) Await(ctx context.Context, answers <-chan bool) error {
	p := t.setup.Place
	patience, _ := t.setup.limits()
	deadline := time.After(patience)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case keep, heard := <-answers:
			if !heard {
				answers = nil
				continue
			}
			if keep {
				if err := p.Confirm(); !errors.Is(err, ErrNothing) {
					return err
				}
			}
		case <-look.C:
			if p.has(pendingName) {
				continue
			}
		case <-deadline:
		case <-ctx.Done():
		}
		_, err := t.setup.PutBack(context.WithoutCancel(ctx))
		switch {
		case err != nil:
			return err
		case p.kept(t.record):
			return nil // it was confirmed elsewhere
		}
		return ErrReturned
	}
}

// Confirm keeps what was changed. ErrNothing says that nothing waits, and
// ErrReturned that it came too late.
func (p Place) Confirm() error {
	if p.has(returningName) {
		return ErrReturned
	}
	confirmed, err := p.turn(pendingName, keptName)
	if err != nil {
		return fmt.Errorf("confirm the setup: %w", err)
	}
	if !confirmed {
		return ErrNothing
	}
	return p.forget()
}

// PutBack makes everything what it was before the setup that waits, or waits
// until another process has done so. did is false when none waits.
func (s *Setup) PutBack(ctx context.Context) (did bool, err error) {
	return s.putBack(ctx, s.Commands)
}

// putBack is PutBack by these commands.
func (s *Setup) putBack(ctx context.Context, commands Commands) (did bool, err error) {
	if _, err := s.Place.turn(pendingName, returningName); err != nil {
		return false, fmt.Errorf("put everything back: %w", err)
	}
	if !s.Place.has(returningName) {
		return false, nil
	}
	unlock, err := s.Place.waitFor(ctx, backName)
	if err != nil {
		return false, fmt.Errorf("put everything back: %w", err)
	}
	defer unlock()
	r, err := s.Place.load(returningName)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // another has done so
	}
	if err != nil {
		return false, fmt.Errorf("put everything back: %w", err)
	}
	s.try(ctx, commands.Stop)
	if err := s.Place.putBack(r); err != nil {
		return false, err // a reboot tries again
	}
	s.try(ctx, commands.Reload)
	if s.enabled() {
		s.try(ctx, commands.Start)
	} else {
		s.try(ctx, commands.Clean)
	}
	return true, errors.Join(s.Place.remove(returningName), s.Place.forget())
}

// enabled reports whether Hiên's own file has it run.
func (s *Setup) enabled() bool {
	text, err := readFile(s.Place.Hien)
	if err != nil {
		return false
	}
	t, err := parse(hienFile, text)
	return err == nil && shop(t) != nil && shop(t).get("enabled") != "0"
}

// try runs commands of which one may fail and the others are worth running.
func (s *Setup) try(ctx context.Context, commands [][]string) {
	for _, argv := range commands {
		if err := s.Run(ctx, argv); err != nil {
			s.Log.Warn("a command failed while everything was put back", "err", err)
		}
	}
}

// Guard watches over a setup that another process tries, and puts everything
// back unless the owner confirms in time. ready is called when it watches. It
// ends when there is nothing to watch over any more, and when ctx ends: then
// the next start of the machine puts everything back.
func (s *Setup) Guard(ctx context.Context, ready func()) error {
	unlock, free, err := s.Place.lock(watchedName)
	if err != nil {
		return fmt.Errorf("watch over the setup: %w", err)
	}
	if !free {
		return ErrBusy
	}
	defer unlock()
	ready()
	patience, hurry := s.limits()
	deadline, asked := time.After(hurry), false
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-deadline:
			s.Log.Warn("nobody confirmed the setup: everything is put back")
			_, err := s.PutBack(ctx)
			return err
		case <-look.C:
		}
		if !s.Place.has(pendingName) {
			return nil
		}
		if !asked && s.Place.has(askedName) {
			asked, deadline = true, time.After(patience)
		}
	}
}

// Recover is for the start of the machine, before its network and Hiên: it
// makes the files what they were before a setup that waited, or was being put
// back, when the machine went down. Nothing has taken the files over yet, so
// that no command is run. did is false when there was nothing.
func (s *Setup) Recover(ctx context.Context) (did bool, err error) {
	for _, name := range []string{returningName, pendingName} {
		r, err := s.Place.load(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if r.Boot == s.Boot {
			return false, nil // it is being tried, or put back, by another process
		}
		return s.putBack(ctx, Commands{})
	}
	return false, nil
}

// Undo takes out what setups have made: changes are those of [Router.Undo] and
// texts the files as they are. What waits to be confirmed must have been put
// back before.
func (s *Setup) Undo(ctx context.Context, texts map[string][]byte, changes []Change) error {
	after, err := Edit(texts, changes)
	if err != nil {
		return err
	}
	gone := false
	original, ok, err := s.Place.original(texts[hienFile])
	switch {
	case err != nil:
		return err
	case ok && original == nil:
		gone = true
		delete(after, hienFile)
	case ok:
		after[hienFile] = original
	}
	s.try(ctx, s.Commands.Off)
	// Nothing may name a network that is gone: the network goes last.
	for _, file := range []string{hienFile, firewallFile, dhcpFile, wirelessFile, networkFile} {
		if text, changed := after[file]; changed {
			if err := writeFile(s.Place.path(file), text); err != nil {
				return err
			}
		}
	}
	s.try(ctx, s.Commands.Reload)
	s.try(ctx, s.Commands.Clean)
	if gone { // by the configuration a daemon is found that still runs
		if err := unlessMissing(os.Remove(s.Place.Hien)); err != nil {
			return fmt.Errorf("remove the configuration: %w", err)
		}
	}
	err = s.Place.remove(keptName, originalName, noneName, watchedName, backName, oneName)
	_ = os.Remove(s.Place.State) // unless there is something of another's in it
	return err
}

// Write changes the files of a machine where nothing has to be tried.
func (s *Setup) Write(after map[string][]byte) error {
	r, err := s.Place.keep(s.Boot, after)
	if err != nil {
		return err
	}
	if err := s.Place.write(r, after); err != nil {
		_, again := s.PutBack(context.Background())
		return errors.Join(err, again)
	}
	return s.Place.Confirm()
}
