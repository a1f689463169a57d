package livebook

import (
	"container/list"
	"time"

	"github.com/hien-wifi/hien"
)

// An index knows in memory who may be forgotten to make room, so that a
// stranger who draws a new address for each frame costs no walk through the
// file. It is bounded by the book.
type index struct {
	byGuest map[hien.GuestID]*list.Element
	order   *list.List    // of *place, the longest unseen first
	latest  time.Duration // the latest sighting that the book holds: at most now
}

type place struct {
	id   hien.GuestID
	last time.Duration // Moment.Up of the last sighting
	pass time.Duration // Moment.Up of the pass's end
	kept bool          // something of this guest must not be lost
}

func newIndex() index {
	return index{byGuest: make(map[hien.GuestID]*list.Element), order: list.New()}
}

func (x *index) len() int                 { return len(x.byGuest) }
func (x *index) has(id hien.GuestID) bool { return x.byGuest[id] != nil }
func (x *index) forget(id hien.GuestID) {
	if e := x.byGuest[id]; e != nil {
		x.order.Remove(e)
		delete(x.byGuest, id)
	}
}

// note keeps the order. Sightings come in the order of time, so a guest
// belongs at the end or near it.
func (x *index) note(g hien.Guest) {
	p := &place{
		id: g.ID, last: g.Stay.Last.Up, pass: g.Pass.Until,
		kept: g.Form != nil || len(g.Ended) > 0 || g.Stay.Visit != "",
	}
	x.latest = max(x.latest, p.last)
	e := x.byGuest[g.ID]
	if e == nil {
		e = x.order.PushBack(p)
		x.byGuest[g.ID] = e
	} else {
		e.Value = p
		x.order.MoveToBack(e)
	}
	before := e.Prev()
	for before != nil && before.Value.(*place).last > p.last {
		before = before.Prev()
	}
	switch {
	case before == nil:
		x.order.MoveToFront(e)
	case before != e.Prev():
		x.order.MoveAfter(e, before)
	}
}

// longestUnseen is the guest that goes first. now is the sighting of the one
// who comes; a pass that ends after the latest sighting may be alive.
func (x *index) longestUnseen(now time.Duration) (hien.GuestID, bool) {
	now = max(now, x.latest)
	for e := x.order.Front(); e != nil; e = e.Next() {
		if p := e.Value.(*place); !p.kept && p.pass <= now {
			return p.id, true
		}
	}
	return hien.GuestID{}, false
}
