package livebook

import (
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// MaxRefusals is how many devices' refusals wait for the record. Beyond that
// another is ErrFull, and that guest is asked again.
const MaxRefusals = 4096

// refusalsBucket holds purposes by mark, with a space between. A book of an
// earlier release has none.
var refusalsBucket = []byte("refusals")

var _ hien.Shelf = (*Book)(nil)

// Refuse adds purposes to what a mark has refused.
func (b *Book) Refuse(r hien.Refusal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(refusalsBucket)
		if err != nil {
			return err
		}
		before := bucket.Get([]byte(r.Mark))
		if before == nil && keys(bucket) >= MaxRefusals {
			return ErrFull
		}
		all := purposes(before)
		for _, p := range r.Purposes {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
		return bucket.Put([]byte(r.Mark), words(all))
	})
	if err != nil {
		return fmt.Errorf("write livebook: %w", err)
	}
	return nil
}

// Refused are the purposes that a mark has refused and that wait.
func (b *Book) Refused(mark hien.Mark) (refused []consent.Purpose, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		if bucket := tx.Bucket(refusalsBucket); bucket != nil {
			refused = purposes(bucket.Get([]byte(mark)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read livebook: %w", err)
	}
	return refused, nil
}

// RefusalsWaiting are all that wait.
func (b *Book) RefusalsWaiting() (all []hien.Refusal, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(refusalsBucket)
		if bucket == nil {
			return nil
		}
		return bucket.ForEach(func(mark, refused []byte) error {
			all = append(all, hien.Refusal{Mark: hien.Mark(mark), Purposes: purposes(refused)})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read livebook: %w", err)
	}
	return all, nil
}

// RefusalsTaken removes refusals that the record has. To which something was
// added meanwhile, that stays.
func (b *Book) RefusalsTaken(all []hien.Refusal) error {
	if len(all) == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(refusalsBucket)
		if bucket == nil {
			return nil
		}
		for _, r := range all {
			if string(bucket.Get([]byte(r.Mark))) != string(words(r.Purposes)) {
				continue
			}
			if err := bucket.Delete([]byte(r.Mark)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write livebook: %w", err)
	}
	return nil
}

func keys(bucket *bbolt.Bucket) (n int) {
	bucket.ForEach(func(_, _ []byte) error { n++; return nil })
	return n
}

func purposes(text []byte) (all []consent.Purpose) {
	for name := range strings.FieldsSeq(string(text)) {
		all = append(all, consent.Purpose(name))
	}
	return all
}

func words(all []consent.Purpose) []byte {
	var b []byte
	for i, p := range all {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, p...)
	}
	return b
}
