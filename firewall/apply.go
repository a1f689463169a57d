package firewall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Apply makes the kernel hold the ruleset. Where it does already nothing is
// changed, not even a counter. Passes of zones that stay are kept, and nobody
// gets in while the rules are being changed. An error leaves what has been
// done in place; Keep goes on towards the new ruleset.
func (f *Firewall) Apply(ctx context.Context, r Ruleset) error {
	if err := r.Validate(f.kernel); err != nil {
		return fmt.Errorf("apply firewall: %w", err)
	}
	f.work.Lock()
	defer f.work.Unlock()
	// Guests are admitted to the new sets from here on, and find them in
	// place: the lock is held until they are.
	f.members.Lock()
	f.state.Lock()
	f.wish, f.applied, f.released = r.clone(), true, false
	f.state.Unlock()
	err := f.makeSets(ctx, r)
	f.members.Unlock()
	if err == nil {
		err = f.makeRules(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("apply firewall: %w", err)
	}
	return nil
}

// makeRules makes everything but the sets that are needed.
func (f *Firewall) makeRules(ctx context.Context, r Ruleset) error {
	for _, t := range f.families {
		if err := f.makeTables(ctx, t, r.tables(t.family, f.kernel)); err != nil {
			return err
		}
	}
	return f.dropSets(r)
}

// makeSets creates the sets that are missing and replaces those that are
// different.
func (f *Firewall) makeSets(ctx context.Context, r Ruleset) error {
	have, err := f.sets.ours()
	if err != nil {
		return err
	}
	var missing []setDef
	var different [][2]setDef // as it shall be, and under its passing name
	for _, d := range r.sets(f.kernel) {
		set, ok := have[d.name]
		switch {
		case !ok:
			missing = append(missing, d)
		case !set.is(d):
			passing := d
			passing.name += "-new"
			if err := f.sets.destroy(passing.name); err != nil { // of a run that was killed
				return err
			}
			missing = append(missing, passing)
			different = append(different, [2]setDef{d, passing})
		}
	}
	if len(missing) > 0 {
		if _, err := run(ctx, setsText(missing), f.ipset, "restore", "-exist"); err != nil {
			return err
		}
	}
	for _, pair := range different {
		if err := f.replaceSet(pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// replaceSet carries the members over to the new set and lets the two change
// names, which is one step for every packet.
func (f *Firewall) replaceSet(d, passing setDef) error {
	old, err := f.sets.list(d.name)
	if err != nil {
		return err
	}
	if old.kind != d.kind {
		return fmt.Errorf("set %s is a %s and not a %s, which is not our doing: run hien cleanup", d.name, old.kind, d.kind)
	}
	for _, m := range old.members {
		if m.left == 0 || !d.holds(m.addr) { // a stranger's, or of another network
			continue
		}
		if err := f.sets.add(passing.name, m); err != nil {
			return err
		}
	}
	if err := f.sets.swap(passing.name, d.name); err != nil {
		return err
	}
	return f.sets.destroy(passing.name)
}

// dropSets removes the sets of zones that are gone.
func (f *Firewall) dropSets(r Ruleset) error {
	have, err := f.sets.ours()
	if err != nil {
		return err
	}
	want := r.sets(f.kernel)
	for _, name := range sortedKeys(have) {
		if slices.ContainsFunc(want, func(d setDef) bool { return d.name == name }) {
			continue
		}
		if err := f.sets.destroy(name); err != nil {
			return err
		}
	}
	return nil
}

// makeTables fills the chains and sets the jumps of one family.
func (f *Firewall) makeTables(ctx context.Context, t tools, want []tableDef) error {
	have, err := t.saved(ctx)
	if err != nil {
		return err
	}
	found := have.differences(t.family, want)
	if len(found) == 0 {
		return nil
	}
	if slices.ContainsFunc(found, func(d difference) bool { return !d.jump }) {
		input := restoreText(want, have.stale(want))
		if _, err := run(ctx, input, t.restore, "-w", fmt.Sprint(lockSeconds), "--noflush"); err != nil {
			return fmt.Errorf("put the %s rules in place: %w (the kernel needs REJECT, REDIRECT and the matches set and conntrack; on OpenWrt: kmod-ipt-nat, kmod-ipt-nat6, kmod-ipt-conntrack, kmod-ipt-ipset)", t.name, err)
		}
	}
	for _, table := range want {
		for _, c := range table.chains {
			if c.hook == "" {
				continue
			}
			if err := t.hook(ctx, table.name, c, have[table.name][c.hook]); err != nil {
				return err
			}
		}
	}
	if have, err = t.saved(ctx); err != nil {
		return err
	}
	if left := have.differences(t.family, want); len(left) > 0 {
		return fmt.Errorf("the kernel does not hold what it was given: %s", left[0].text)
	}
	return nil
}

// hook sets the jump to a chain at the top of a built-in chain that has these
// rules. A jump that is not in its place is moved in one transaction: between
// taking it out and putting it in somebody would get through.
func (t tools) hook(ctx context.Context, table string, c chainDef, rules []string) error {
	at := jumps(rules, c.name)
	switch {
	case len(at) == 0:
		return t.ipt.Insert(table, c.hook, 1, "-j", c.name)
	case len(at) == 1 && at[0] == 0:
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n", table)
	for range at {
		fmt.Fprintf(&b, "-D %s -j %s\n", c.hook, c.name)
	}
	fmt.Fprintf(&b, "-I %s 1 -j %s\nCOMMIT\n", c.hook, c.name)
	_, err := run(ctx, b.String(), t.restore, "-w", fmt.Sprint(lockSeconds), "--noflush")
	return err
}

// saved is what the kernel has.
func (t tools) saved(ctx context.Context) (saved, error) {
	text, err := run(ctx, "", t.save)
	if err != nil {
		return nil, err
	}
	s, err := parseSaved(text)
	if err != nil {
		return nil, fmt.Errorf("read the output of %s: %w", t.save, err)
	}
	return s, nil
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
	have, err := f.sets.ours()
	if err != nil {
		return nil, fmt.Errorf("check firewall: %w", err)
	}
	want := r.sets(f.kernel)
	for _, d := range want {
		set, ok := have[d.name]
		switch {
		case !ok:
			differences = append(differences, "set "+d.name+": it is missing")
		case !set.is(d):
			differences = append(differences, "set "+d.name+": it is another kind of set")
		}
		delete(have, d.name)
	}
	for _, name := range sortedKeys(have) {
		differences = append(differences, "set "+name+": it is left over")
	}
	for _, t := range f.families {
		s, err := t.saved(ctx)
		if err != nil {
			return nil, fmt.Errorf("check firewall: %w", err)
		}
		for _, d := range s.differences(t.family, r.tables(t.family, f.kernel)) {
			differences = append(differences, d.text)
		}
	}
	return differences, nil
}

// Cleanup takes everything of ours out of the kernel, whoever has left it
// there: jumps before chains before sets. Every guest is let through after
// it. It needs no Apply before it; a Firewall that is kept elsewhere must be
// released first, or it puts everything back.
func (f *Firewall) Cleanup(ctx context.Context) error {
	f.Release()
	f.work.Lock()
	defer f.work.Unlock()
	var errs []error
	for _, t := range f.families {
		errs = append(errs, t.cleanup(ctx))
	}
	f.members.Lock()
	defer f.members.Unlock()
	have, err := f.sets.ours()
	errs = append(errs, err)
	for _, name := range sortedKeys(have) {
		errs = append(errs, f.sets.destroy(name))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean up the firewall: %w", err)
	}
	return nil
}

func (t tools) cleanup(ctx context.Context) error {
	have, err := t.saved(ctx)
	if err != nil {
		return err
	}
	for _, table := range sortedKeys(have) {
		for _, chain := range sortedKeys(have[table]) {
			if strings.HasPrefix(chain, prefix) {
				continue
			}
			for _, rule := range have[table][chain] {
				if !strings.HasPrefix(target(rule), prefix) {
					continue
				}
				if err := t.ipt.Delete(table, chain, splitRule(rule)...); err != nil {
					return err
				}
			}
		}
	}
	chains := have.ours()
	if len(chains) == 0 {
		return nil
	}
	_, err = run(ctx, dropText(chains), t.restore, "-w", fmt.Sprint(lockSeconds), "--noflush")
	return err
}
