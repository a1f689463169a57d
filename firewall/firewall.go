package firewall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Options are what a Firewall is opened with.
type Options struct {
	Log     *slog.Logger // nil discards
	Backend Backend      // "" is Auto

	// Refill lets everybody through again who has a pass, by Admit. It is
	// called when sets had to be made anew, before rules are put in place that
	// look at them: a rule that refuses would else reset what guests with a
	// pass are doing. nil does nothing.
	Refill func(context.Context)
}

// A Firewall is the door of one network namespace: the one in which it was
// opened and in whose threads Apply, Check, Keep and Cleanup are called, as
// they may start programs. It may be used by many at once.
type Firewall struct {
	log    *slog.Logger
	refill func(context.Context)
	back   backend
	other  func() (backend, error) // opens the back end that was not chosen; nil when it cannot be there
	gate   *gate
	flows  conntrack

	work    sync.Mutex // held while the rules are compared or changed
	members sync.Mutex // held while members are changed or sets replaced
	repairs atomic.Uint64

	state    sync.Mutex // guards what follows
	wish     Ruleset
	applied  bool // there is a wish to keep
	released bool
}

// Open looks whether the kernel has what the door needs, and chooses the back
// end. It changes nothing. An error names what is missing and the package
// that has it.
func Open(ctx context.Context, o Options) (*Firewall, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	f := &Firewall{log: o.Log, refill: o.Refill}
	if f.refill == nil {
		f.refill = func(context.Context) {}
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	six, err := hasIPv6()
	if err != nil {
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	if err := f.choose(o.Backend, six); err != nil {
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	wire, err := openWire()
	if err != nil {
		f.back.close()
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	if f.gate, err = openGate(six); err != nil {
		wire.close()
		f.back.close()
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	f.flows = conntrack{wire}
	if !six {
		f.log.Info("this kernel has no IPv6; the firewall is for IPv4 only")
	}
	return f, nil
}

// choose opens what the machine has and keeps the one that is chosen.
func (f *Firewall) choose(want Backend, six bool) error {
	var m Machine
	var nft, ipt backend
	openNFT := func() (backend, error) { return openNFTables(six) }
	openIPT := func() (backend, error) { return openIPTables(six) }
	if want != IPTables {
		nft, m.NFTables = openNFT()
	}
	if want == IPTables || m.NFTables != nil {
		ipt, m.IPTables = openIPT()
	}
	picked, err := Choose(want, m)
	if err != nil {
		return errors.Join(err, closeAll(nft, ipt))
	}
	f.back, f.other = nft, openIPT
	if picked == IPTables {
		f.back, f.other = ipt, openNFT
	}
	return nil
}

// closeAll closes the back ends that were opened.
func closeAll(all ...backend) error {
	var errs []error
	for _, b := range all {
		if b != nil {
			errs = append(errs, b.close())
		}
	}
	return errors.Join(errs...)
}

// Close gives back the sockets. The rules and the passes stay in force.
func (f *Firewall) Close() error {
	f.flows.close()
	return errors.Join(f.gate.close(), f.back.close())
}

// Kernel is what the kernel offers.
func (f *Firewall) Kernel() Kernel { return f.back.kernel() }

// hasIPv6 asks the kernel for an IPv6 socket. That IPv6 is switched off on
// some interface does not count: it may be switched on again.
func hasIPv6() (bool, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for IPv6: %w", err)
	}
	unix.Close(fd)
	return true, nil
}

// Apply makes the kernel hold the ruleset: the second gate first, then the
// packet filter, then what an earlier run has left in the other one goes.
// Where the kernel holds it already nothing is changed, not even a counter.
// Passes of zones that stay are kept, and nobody gets in while the rules are
// being changed. An error leaves what has been done in place; Keep goes on
// towards the new ruleset.
func (f *Firewall) Apply(ctx context.Context, r Ruleset) error {
	if err := r.Validate(f.Kernel()); err != nil {
		return fmt.Errorf("apply firewall: %w", err)
	}
	f.work.Lock()
	defer f.work.Unlock()
	if err := f.hold(ctx, r, func() {
		f.state.Lock()
		f.wish, f.applied, f.released = r.clone(), true, false
		f.state.Unlock()
	}); err != nil {
		return fmt.Errorf("apply firewall: %w", err)
	}
	if err := f.leave(ctx); err != nil {
		return fmt.Errorf("apply firewall: %w", err)
	}
	return nil
}

// hold makes the kernel hold a ruleset. begun is called when guests are
// admitted to it from then on; they find the sets in place, as the members
// are locked until those are.
func (f *Firewall) hold(ctx context.Context, r Ruleset, begun func()) error {
	f.members.Lock()
	unlock := sync.OnceFunc(f.members.Unlock)
	defer unlock()
	begun()
	wrong := f.gate.shut(r) // which is no reason to leave the other one open
	return errors.Join(wrong, f.back.apply(ctx, r, func(anew bool) {
		unlock()
		if anew {
			f.refill(ctx)
		}
	}))
}

// leave takes out what an earlier run kept in the packet filter that is not
// used any more.
func (f *Firewall) leave(ctx context.Context) error {
	other, err := f.other()
	if err != nil {
		return nil // what cannot be used has nothing of ours either
	}
	defer other.close()
	return other.cleanup(ctx)
}

// Check compares the kernel with the ruleset that was applied last. It
// changes nothing and finds nothing after Release.
func (f *Firewall) Check(ctx context.Context) (differences []string, err error) {
	f.work.Lock()
	defer f.work.Unlock()
	f.state.Lock()
	r, keep := f.wish.clone(), f.applied && !f.released
	f.state.Unlock()
	if !keep {
		return nil, nil
	}
	found, err := f.gate.differences(r)
	if err != nil {
		return nil, fmt.Errorf("check firewall: %w", err)
	}
	differences, err = f.back.differences(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("check firewall: %w", err)
	}
	return append(found, differences...), nil
}

// Cleanup takes everything of ours out of the kernel, whoever has left it
// there: the packet filters first, then the second gate. Every guest is let
// through after it. It needs no Apply before it; a Firewall that is kept
// elsewhere must be released first, or it puts everything back.
func (f *Firewall) Cleanup(ctx context.Context) error {
	f.Release()
	f.work.Lock()
	defer f.work.Unlock()
	f.members.Lock()
	defer f.members.Unlock()
	errs := []error{f.back.cleanup(ctx), f.leave(ctx), f.gate.open()}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean up the firewall: %w", err)
	}
	return nil
}
