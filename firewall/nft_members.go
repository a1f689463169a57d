package firewall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// list reads the members of a set. Those that are for ever were put there by
// somebody else and are left out.
func (b *nftables) list(d nftSetDef) (all []member, err error) {
	err = b.eachElement(d.name, func(e element) {
		m, ok := d.member(e.key)
		if !ok || e.left <= 0 {
			return
		}
		m.left, m.bytes = (e.left + time.Second - 1).Truncate(time.Second), e.bytes
		all = append(all, m)
	})
	return all, err
}

func (b *nftables) members(_ context.Context, z Zone, id setID) ([]member, error) {
	var all []member
	var err error
	for range readTries {
		if all, err = b.list(z.memberSet(id)); !errors.Is(err, errInterrupted) {
			break
		}
	}
	if errors.Is(err, unix.ENOENT) {
		return nil, errNoSet
	}
	return all, err
}

// A nftChange is one member on its way into a set or out of it.
type nftChange struct {
	set nftSetDef
	member
	put   bool
	there bool          // in the kernel, before
	was   time.Duration // what was left of it
}

// known reports whether nothing need be asked of the kernel before.
func (b *nftables) known(c nftChange) bool { return c.put && !c.set.hosts() && b.renew == renews }

// changeStep is how many members go in one transaction, so that the answers
// fit into the socket's room.
const changeStep = 256

// A renewal is whether the kernel gives a member that is there another time
// when it is put in again. Linux does from 6.12 on; before, it says nothing
// and changes nothing.
type renewal int8

const (
	mayRenew renewal = iota // not known yet
	renews
	neverRenews
)

// change puts in and takes out in one transaction. Where the kernel does not
// renew a member, it is taken out and put in again with what it has counted;
// what comes in the microseconds between is not counted.
func (b *nftables) change(_ context.Context, z Zone, del, add []entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := changes(z, del, add)
	for chunk := range slices.Chunk(all, changeStep) {
		if err := b.changeSome(chunk); err != nil {
			return err
		}
	}
	return nil
}

// changes are the entries by set and key, each once: the last one counts.
func changes(z Zone, del, add []entry) (all []nftChange) {
	var sets [10]nftSetDef
	collect := func(entries []entry, put bool) {
		for _, e := range entries {
			n := slices.Index(setIDs, e.set)
			if n < 0 {
				continue
			}
			if sets[n].name == "" {
				sets[n] = z.memberSet(e.set)
			}
			c := nftChange{set: sets[n], member: e.member, put: put}
			if !e.set.guests() {
				c.mac = [6]byte{}
			}
			same := func(o nftChange) bool { return o.set.name == c.set.name && o.addr == c.addr && o.mac == c.mac }
			if i := slices.IndexFunc(all, same); i >= 0 {
				all[i] = c
				continue
			}
			all = append(all, c)
		}
	}
	collect(del, false)
	collect(add, true)
	return all
}

func (b *nftables) changeSome(all []nftChange) error {
	// A member's time may end between the question and the change.
	for range 3 {
		if err := b.find(all); err != nil {
			return err
		}
		err := b.commitChanges(all)
		switch {
		case err == nil:
			return b.learn(all)
		case !errors.Is(err, unix.ENOENT):
			return err
		case !slices.ContainsFunc(all, func(c nftChange) bool { return c.there }):
			return errNoSet
		}
	}
	return errors.New("the kernel's sets are being changed by another program")
}

// learn looks whether members that were put in again have got their new time.
// Those that differ too little from before tell nothing, and need nothing.
func (b *nftables) learn(all []nftChange) error {
	const apart = 5 * time.Second
	var again []nftChange
	for _, c := range all {
		if c.put && c.there && (c.left-c.was).Abs() > apart {
			again = append(again, c)
		}
	}
	if b.renew != mayRenew || len(again) == 0 {
		return nil
	}
	want := again[0].left
	if err := b.find(again); err != nil || !again[0].there {
		return err
	}
	if (again[0].was - want).Abs() < apart/2 {
		b.renew = renews
		return nil
	}
	b.renew = neverRenews
	return b.commitChanges(again)
}

// find asks for each member whether it is there, and for its count, where
// that makes a difference.
func (b *nftables) find(all []nftChange) error {
	b.ask.reset()
	var asked []*nftChange
	for i := range all {
		c := &all[i]
		c.there, c.bytes = false, 0
		if b.known(*c) {
			continue
		}
		asked = append(asked, c)
		key, length := c.set.key(c.member)
		at, list := b.ask.elements(unix.NFT_MSG_GETSETELEM, 0, c.set.name, "look into a set")
		b.ask.close(b.ask.element(key[:length]))
		b.ask.close(list)
		b.ask.shut(at)
	}
	if len(asked) == 0 {
		return nil
	}
	return b.wire.send(&b.ask, func(number uint32, body []byte) {
		if int(number) >= len(asked) {
			return
		}
		c := asked[number]
		readElements(body, func(e element) {
			c.there, c.bytes, c.was = true, e.bytes, e.left
			if c.put && c.set.hosts() { // a host keeps the longer time
				c.left = max(c.left, e.left)
			}
		})
	}, func(e nftError) bool { return e.errno == unix.ENOENT })
}

func (b *nftables) commitChanges(all []nftChange) error {
	m := &b.put
	m.reset()
	m.begin()
	for _, c := range all {
		if c.there && (!c.put || b.renew == neverRenews) {
			key, length := c.set.key(c.member)
			at, list := m.elements(unix.NFT_MSG_DELSETELEM, 0, c.set.name, "take from a set")
			m.close(m.element(key[:length]))
			m.close(list)
			m.shut(at)
		}
		if c.put {
			at, list := m.elements(unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE, c.set.name, "put into a set")
			m.timed(c.set, c.member)
			m.close(list)
			m.shut(at)
		}
	}
	if m.count == 1 {
		return nil
	}
	err := b.wire.commit(m)
	if errors.Is(err, unix.ENFILE) {
		return fmt.Errorf("%w: the set holds %d members and is full", err, maxMembers)
	}
	return err
}
