package firewall

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// A nftPlan is what is to be done so that the kernel has what is wanted.
type nftPlan struct {
	texts []string // the differences, for people

	anew     bool     // the table is to be made from nothing
	members  []string // sets of guests and hosts that are missing
	newSets  []nftSetDef
	dropSets []string

	newChains  []nftChain
	fill       []nftChain // to be emptied and filled
	hooked     []string   // among newChains: to be deleted before
	dropChains []string
}

// compare finds what differs between what is wanted and what is there.
func (n nftRuleset) compare(have nftState) (p nftPlan) {
	tell := func(format string, args ...any) {
		p.texts = append(p.texts, "table inet "+nftTable+fmt.Sprintf(format, args...))
	}
	switch {
	case len(n.chains) == 0:
		if have.there {
			tell(": it is left over")
		}
		return p
	case !have.there:
		tell(": it is missing")
		p.anew = true
		return p
	case have.flags != 0:
		tell(": its flags are %#x, so that it may do nothing", have.flags)
		p.anew = true
	}
	for _, other := range have.others {
		tell(", %s: it is not ours", other)
		p.anew = true
	}
	ours, replaced := map[string]bool{}, map[string]bool{}
	for _, d := range n.members {
		ours[d.name] = true
		switch has, ok := have.sets[d.name]; {
		case !ok:
			tell(", set %s: it is missing", d.name)
			p.members = append(p.members, d.name)
		case !has.same(d):
			tell(", set %s: it is another kind of set", d.name)
			p.anew = true
		}
	}
	for _, d := range n.others {
		ours[d.name] = true
		has, ok := have.sets[d.name]
		switch {
		case !ok:
			tell(", set %s: it is missing", d.name)
		case !has.same(d):
			tell(", set %s: it is another kind of set", d.name)
		case d.constant() && !slices.Equal(have.nets[d.name], d.elements()):
			tell(", set %s: its networks were changed", d.name)
		default:
			continue
		}
		p.newSets = append(p.newSets, d)
		if ok {
			p.dropSets, replaced[d.name] = append(p.dropSets, d.name), true
		}
	}
	for _, name := range sortedKeys(have.sets) {
		if !ours[name] && have.sets[name].flags&unix.NFT_SET_ANONYMOUS == 0 { // else it goes with its rule
			tell(", set %s: it is left over", name)
			p.dropSets = append(p.dropSets, name)
		}
	}
	n.compareChains(have, replaced, &p, tell)
	return p
}

func (n nftRuleset) compareChains(have nftState, replaced map[string]bool, p *nftPlan, tell func(string, ...any)) {
	ours := map[string]bool{}
	for _, c := range n.chains {
		ours[c.name] = true
		has, ok := have.chains[c.name]
		want := c.texts
		looks := slices.ContainsFunc(want, func(rule string) bool {
			return slices.ContainsFunc(setsOf(rule), func(set string) bool { return replaced[set] })
		})
		switch {
		case !ok:
			tell(", chain %s: it is missing", c.name)
			p.newChains = append(p.newChains, c)
		case !sameHook(c.hook, has.hook):
			tell(", chain %s: it looks at packets elsewhere, or decides otherwise", c.name)
			p.newChains, p.hooked = append(p.newChains, c), append(p.hooked, c.name)
		case len(has.rules) == 0 && len(want) > 0:
			tell(", chain %s: it was emptied", c.name)
		case !slices.Equal(want, has.rules):
			tell(", chain %s: its rules were changed", c.name)
		case !looks:
			continue
		}
		p.fill = append(p.fill, c)
	}
	for _, name := range sortedKeys(have.chains) {
		if !ours[name] {
			tell(", chain %s: it is left over", name)
			p.dropChains = append(p.dropChains, name)
		}
	}
}

func sameHook(a, b *nftHook) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// applyTries is how often another program may come between a reading and a
// change, or undo what was just done.
const applyTries = 5

// apply makes the sets, if any are missing, and then the rules in one
// transaction.
func (b *nftables) apply(ctx context.Context, r Ruleset, ready func(anew bool)) error {
	want := b.wish(r)
	told := false
	var failed error
	for try := range applyTries {
		if err := ctx.Err(); err != nil {
			return err
		}
		have, err := b.read()
		if err != nil {
			return err
		}
		plan := want.compare(have)
		if try > 1 && failed != nil { // what is in the way is not known: away with it
			plan.anew = plan.anew || have.there
		}
		failed = nil
		if plan.anew || len(plan.members) > 0 {
			lost, err := b.makeSets(want, have, plan)
			if err != nil {
				failed = err
				continue
			}
			ready(lost)
			told = true
			if have, err = b.read(); err != nil {
				return err
			}
			if plan = want.compare(have); plan.anew || len(plan.members) > 0 {
				failed = errors.New("another program deletes what was just made")
				continue
			}
		}
		if !told {
			ready(false)
			told = true
		}
		if len(plan.texts) == 0 {
			return nil
		}
		if failed = b.makeRules(want, plan); failed == nil {
			if have, err = b.read(); err != nil {
				return err
			}
			left := want.compare(have).texts
			if len(left) == 0 {
				return nil
			}
			failed = fmt.Errorf("the kernel does not hold what it was given: %s", left[0])
		}
	}
	return fmt.Errorf("put the rules in place: %w", failed)
}

// makeSets makes the sets of guests and hosts that are missing. A table that
// cannot be mended is deleted and made anew in the same transaction, with the
// members it had. lost says that a set of guests was missing.
func (b *nftables) makeSets(want nftRuleset, have nftState, p nftPlan) (lost bool, err error) {
	var m messages
	m.begin()
	if p.anew && have.there {
		m.dropTable()
	}
	m.newTable()
	for _, d := range want.members {
		if !p.anew && !slices.Contains(p.members, d.name) {
			continue
		}
		m.newSet(d)
		has, ok := have.sets[d.name]
		if ok && has.keyType == d.keyType && has.keyLen() == d.keyLen() {
			members, err := b.list(d)
			if err != nil {
				return false, err
			}
			m.fill(d, members)
		} else if !d.hosts() {
			lost = true
		}
	}
	return lost, b.wire.commit(&m)
}

// hosts reports whether no guests are in the set.
func (d nftSetDef) hosts() bool { return !d.counter }

// fillStep is how many members one message has: an attribute holds 64 KiB.
const fillStep = 256

// fill writes members that the kernel forgets.
func (m *messages) fill(d nftSetDef, members []member) {
	for chunk := range slices.Chunk(members, fillStep) {
		at, list := m.elements(unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE, d.name, "fill set "+d.name)
		for _, x := range chunk {
			m.timed(d, x)
		}
		m.close(list)
		m.shut(at)
	}
}

// makeRules does the rest of a plan in one transaction. Rules go before what
// they name, and come after it.
func (b *nftables) makeRules(want nftRuleset, p nftPlan) error {
	var m messages
	m.begin()
	if len(want.chains) == 0 {
		m.dropTable()
		return b.wire.commit(&m)
	}
	missing := func(name string) bool {
		return slices.ContainsFunc(p.newChains, func(c nftChain) bool { return c.name == name }) && !slices.Contains(p.hooked, name)
	}
	for _, c := range p.fill {
		if !missing(c.name) {
			m.flushChain(c.name)
		}
	}
	for _, name := range p.dropChains {
		m.flushChain(name)
	}
	for _, name := range slices.Concat(p.hooked, p.dropChains) {
		m.dropChain(name)
	}
	for _, name := range p.dropSets {
		m.dropSet(name)
	}
	for _, d := range p.newSets {
		m.newSet(d)
		m.networks(d)
	}
	for _, c := range p.newChains {
		m.newChain(c)
	}
	for _, c := range p.fill {
		for _, rule := range c.rules {
			m.newRule(c.name, rule)
		}
	}
	return b.wire.commit(&m)
}

func (b *nftables) differences(_ context.Context, r Ruleset) ([]string, error) {
	have, err := b.read()
	if err != nil {
		return nil, err
	}
	return b.wish(r).compare(have).texts, nil
}

// wish is the table for a ruleset, which is written anew only when it is
// another one than before: the same is asked for every few seconds.
func (b *nftables) wish(r Ruleset) nftRuleset {
	b.wishing.Lock()
	defer b.wishing.Unlock()
	if b.wished == nil || !b.wished.Equal(r) {
		r = r.clone()
		b.wished, b.table = &r, r.nftables()
	}
	return b.table
}
