package livebook

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hien-wifi/hien"
)

// The bounds of a book.
const (
	DefaultMaxGuests = 8192
	MaxNumbers       = 4096 // numbers whose codes are counted; the longest quiet one makes room
)

// The errors on which a caller may branch.
var (
	// ErrFull says that a new guest finds no place: every guest in the book
	// has a pass, a form or a visit that must not be lost.
	ErrFull = errors.New("the livebook is full")

	// ErrBusy says that another process has the book open.
	ErrBusy = errors.New("another hien has it open")
)

// Options are what [Open] needs to know.
type Options struct {
	// Boot is the kernel's boot id now (/proc/sys/kernel/random/boot_id). A
	// book of another boot is begun anew, since its times are of another
	// clock.
	Boot string

	// MaxGuests bounds the book; 0 is DefaultMaxGuests. When it is full, a
	// new guest takes the place of the one who was not seen for the longest,
	// among those who have no pass left, no form, no open visit and no ended
	// stay that waits for the record.
	MaxGuests int

	// Wait is how long to wait for another process to let go of the file; 0
	// does not wait.
	Wait time.Duration

	// Log gets one warning when a book was begun anew. It may be nil.
	Log *slog.Logger
}

// A Book is an open livebook. Its methods may be called from any goroutine.
type Book struct {
	db  *bbolt.DB
	max int

	mu    sync.Mutex // held by whoever changes the book
	index index
	sent  map[string]time.Duration // by number: when its last code was counted
}

var _ hien.Livebook = (*Book)(nil)

// The buckets. Keys of guests are the zone's name, a zero byte and the six
// bytes of the MAC.
var (
	guestsBucket  = []byte("guests")
	noticesBucket = []byte("notices") // by hash, as many forms have one notice
	codesBucket   = []byte("codes")   // by the number's keyed hash
	aboutBucket   = []byte("about")

	bootKey   = []byte("boot")
	layoutKey = []byte("layout")
	openKey   = []byte("open") // until when everybody is let in: 8 bytes, as Moment.Up
)

// Close closes the file. It waits for calls that are under way.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.db.Close(); err != nil {
		return fmt.Errorf("close livebook: %w", err)
	}
	return nil
}

// Guest is what the book holds of a guest; false when it holds nothing.
func (b *Book) Guest(id hien.GuestID) (g hien.Guest, known bool, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket(guestsBucket).Get(guestKey(id))
		if value == nil {
			return nil
		}
		known = true
		g, err = decode(tx, id, value)
		return err
	})
	if err != nil {
		return hien.Guest{}, false, fmt.Errorf("read livebook: %w", err)
	}
	return g, known, nil
}

// Change reads a guest (a fresh one when there is none), lets change edit it,
// and writes it back; no other change happens meanwhile. When change returns
// an error nothing is written and Change returns that error as it is, but
// for hien.ErrUnchanged, which is nil, and hien.ErrForget, which removes the
// guest. A new guest for whom there is no place is ErrFull.
func (b *Book) Change(id hien.GuestID, change func(*hien.Guest) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	g, known, err := b.Guest(id)
	if err != nil {
		return err
	}
	g.ID = id
	switch err := change(&g); {
	case errors.Is(err, hien.ErrUnchanged):
		return nil
	case errors.Is(err, hien.ErrForget):
		return b.forget(id)
	case err != nil:
		return err
	}
	g.ID = id

	var leaves hien.GuestID
	full := !known && b.index.len() >= b.max
	if full {
		var ok bool
		if leaves, ok = b.index.longestUnseen(g.Stay.Last.Up); !ok {
			return fmt.Errorf("%w: %d guests, and none that may be forgotten", ErrFull, b.max)
		}
	}
	err = b.db.Update(func(tx *bbolt.Tx) error {
		guests := tx.Bucket(guestsBucket)
		if full {
			if err := guests.Delete(guestKey(leaves)); err != nil {
				return err
			}
		}
		value, err := encode(tx, g)
		if err != nil {
			return err
		}
		return guests.Put(guestKey(id), value)
	})
	if err != nil {
		return fmt.Errorf("write livebook: %w", err)
	}
	if full {
		b.index.forget(leaves)
	}
	b.index.note(g)
	return nil
}

// Guests hands every guest to visit, in no order, until visit returns an
// error, which Guests returns. visit must not call the book: a change would
// wait for Guests to end.
func (b *Book) Guests(visit func(hien.Guest) error) error {
	return b.db.View(func(tx *bbolt.Tx) error { return eachGuest(tx, visit) })
}

// forget removes a guest. One that is not in the book is no error.
func (b *Book) forget(id hien.GuestID) error {
	if !b.index.has(id) {
		return nil
	}
	err := b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(guestsBucket).Delete(guestKey(id)) })
	if err != nil {
		return fmt.Errorf("write livebook: %w", err)
	}
	b.index.forget(id)
	return nil
}

// Open is until when the owner lets everybody in, as Moment.Up; 0 when not.
func (b *Book) Open() (until time.Duration, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		until, err = decodeOpen(tx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read livebook: %w", err)
	}
	return until, nil
}

// SetOpen keeps until when the owner lets everybody in; 0 is not at all.
func (b *Book) SetOpen(until time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(aboutBucket).Put(openKey, encodeTimes([]time.Duration{until}))
	})
	if err != nil {
		return fmt.Errorf("write livebook: %w", err)
	}
	return nil
}

func decodeOpen(tx *bbolt.Tx) (time.Duration, error) {
	value := tx.Bucket(aboutBucket).Get(openKey)
	if value == nil {
		return 0, nil
	}
	times := decodeTimes(value)
	if len(value) != 8 || times[0] < 0 {
		return 0, errDamaged
	}
	return times[0], nil
}

// Len is how many guests the book holds.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.index.len()
}
