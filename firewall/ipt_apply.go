package firewall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// apply makes the sets and then the rules that look at them.
func (b *iptablesBackend) apply(ctx context.Context, r Ruleset, ready func(anew bool)) error {
	anew, err := b.makeSets(ctx, r)
	if err != nil {
		return err
	}
	ready(anew)
	for _, t := range b.families {
		if err := b.makeTables(ctx, t, r.tables(t.family, b.k)); err != nil {
			return fmt.Errorf("%w%s", err, r.needs())
		}
	}
	return b.dropSets(r)
}

// needs names the packages that have what the rules ask of the kernel, for
// the one whose kernel has refused them.
func (r Ruleset) needs() string {
	text := " (the kernel needs MARK, REJECT, REDIRECT and the matches mark, set, conntrack and addrtype; on OpenWrt: kmod-ipt-nat, kmod-ipt-nat6, kmod-ipt-conntrack, kmod-ipt-ipset, kmod-ipt-extra, iptables-mod-extra"
	if slices.ContainsFunc(r.Zones, func(z Zone) bool { return z.Speed != Speed{} || z.AllSpeed != Speed{} }) {
		text += "; for limits of speed the match hashlimit: kmod-ipt-hashlimit and iptables-mod-hashlimit"
	}
	return text + ")"
}

// makeSets creates the sets that are missing and replaces those that are
// different. It reports whether one was missing that guests with a pass are
// members of.
func (b *iptablesBackend) makeSets(ctx context.Context, r Ruleset) (anew bool, err error) {
	have, err := b.sets.ours()
	if err != nil {
		return false, err
	}
	var missing []setDef
	var different [][2]setDef // as it shall be, and under its passing name
	for _, d := range r.sets(b.k) {
		set, ok := have[d.name]
		switch {
		case !ok:
			missing = append(missing, d)
			anew = anew || d.counters
		case !set.is(d):
			passing := d
			passing.name += "-new"
			if err := b.sets.destroy(passing.name); err != nil { // of a run that was killed
				return false, err
			}
			missing = append(missing, passing)
			different = append(different, [2]setDef{d, passing})
		}
	}
	if len(missing) > 0 {
		if _, err := run(ctx, setsText(missing), b.ipset, "restore", "-exist"); err != nil {
			return false, err
		}
	}
	for _, pair := range different {
		if err := b.replaceSet(pair[0], pair[1]); err != nil {
			return false, err
		}
	}
	return anew, nil
}

// replaceSet carries the members over to the new set, with their time and
// counts, and lets the two change names, which is one step for every packet.
func (b *iptablesBackend) replaceSet(d, passing setDef) error {
	old, err := b.sets.list(d.name)
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
		if err := b.sets.put(passing, m); err != nil {
			return err
		}
	}
	if err := b.sets.swap(passing.name, d.name); err != nil {
		return err
	}
	return b.sets.destroy(passing.name)
}

// dropSets removes the sets of zones that are gone.
func (b *iptablesBackend) dropSets(r Ruleset) error {
	have, err := b.sets.ours()
	if err != nil {
		return err
	}
	want := r.sets(b.k)
	for _, name := range sortedKeys(have) {
		if slices.ContainsFunc(want, func(d setDef) bool { return d.name == name }) {
			continue
		}
		if err := b.sets.destroy(name); err != nil {
			return err
		}
	}
	return nil
}

// makeTables fills the chains and sets the jumps of one family. Tables that
// are as they shall be are left alone.
func (b *iptablesBackend) makeTables(ctx context.Context, t tools, want []tableDef) error {
	have, err := t.saved(ctx)
	if err != nil {
		return err
	}
	different := map[string]bool{}
	for _, d := range have.differences(t.family, want) {
		different[d.table] = true
	}
	if len(different) == 0 {
		return nil
	}
	var tables []tableDef
	for _, table := range want {
		if different[table.name] {
			tables = append(tables, table)
			delete(different, table.name)
		}
	}
	stale := have.stale(want)
	for _, name := range sortedKeys(different) { // where there is nothing but what is stale
		tables = append(tables, tableDef{name: name})
	}
	input := restoreText(tables, stale, have)
	if _, err := run(ctx, input, t.restore, "-w", fmt.Sprint(lockSeconds), "--noflush"); err != nil {
		return fmt.Errorf("put the %s rules in place: %w", t.name, err)
	}
	if have, err = t.saved(ctx); err != nil {
		return err
	}
	if left := have.differences(t.family, want); len(left) > 0 {
		return fmt.Errorf("the kernel does not hold what it was given: %s", left[0].text)
	}
	return nil
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

func (b *iptablesBackend) differences(ctx context.Context, r Ruleset) (differences []string, err error) {
	have, err := b.sets.ours()
	if err != nil {
		return nil, err
	}
	want := r.sets(b.k)
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
	for _, t := range b.families {
		s, err := t.saved(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range s.differences(t.family, r.tables(t.family, b.k)) {
			differences = append(differences, d.text)
		}
	}
	return differences, nil
}

// cleanup: jumps before chains before sets. A built-in table that iptables
// had to make stays behind, empty.
func (b *iptablesBackend) cleanup(ctx context.Context) error {
	var errs []error
	for _, t := range b.families {
		errs = append(errs, t.cleanup(ctx))
	}
	have, err := b.sets.ours()
	errs = append(errs, err)
	for _, name := range sortedKeys(have) {
		errs = append(errs, b.sets.destroy(name))
	}
	return errors.Join(errs...)
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
