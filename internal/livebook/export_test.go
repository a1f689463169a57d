package livebook

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/hien-wifi/hien"
)

// Raw is how a guest stands in the file.
func (b *Book) Raw(id hien.GuestID) (raw []byte) {
	b.db.View(func(tx *bbolt.Tx) error {
		raw = bytes.Clone(tx.Bucket(guestsBucket).Get(guestKey(id)))
		return nil
	})
	return raw
}

// PutRaw puts anything in the place of a guest.
func (b *Book) PutRaw(id hien.GuestID, raw []byte) error {
	return b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(guestsBucket).Put(guestKey(id), raw) })
}

// SetLayout makes the book one of another layout.
func (b *Book) SetLayout(l string) error {
	return b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(aboutBucket).Put(layoutKey, []byte(l)) })
}

// PutRawOpen puts anything in the place of the time until which the door is
// open.
func (b *Book) PutRawOpen(raw []byte) error {
	return b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(aboutBucket).Put(openKey, raw) })
}
