package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/hien-wifi/hien/consent"
)

// What KeptNotice answers where it finds no notice, or several.
var (
	ErrNoNotice    = errors.New("there is no such notice in the record")
	ErrManyNotices = errors.New("several notices have a hash that begins so")
)

// KeptNotice is a notice that was put before somebody, by its hash or the
// beginning of it as hex. No notice is ever deleted, and none names anybody who
// read it: what the ledger's entries refer to is found after an erasure too
// (R-CON-6). The text is held against its hash.
func (l *Ledger) KeptNotice(ctx context.Context, begin string) (hash consent.Hash, text string, err error) {
	type kept struct{ hash, text string }
	found, err := collect(ctx, l.db, func(rows *sql.Rows) (k kept, err error) { return k, rows.Scan(&k.hash, &k.text) },
		"SELECT lower(hex(hash)), text FROM notices WHERE substr(lower(hex(hash)), 1, length(?1)) = ?1 LIMIT 2", strings.ToLower(begin))
	switch {
	case err != nil:
		return hash, "", fault(l.path, "read notice", err)
	case len(found) == 0:
		return hash, "", ErrNoNotice
	case len(found) > 1:
		return hash, "", ErrManyNotices
	}
	if hash = sha256.Sum256([]byte(found[0].text)); hash.String() != found[0].hash {
		return hash, "", fmt.Errorf("notice %s: the record's text has another hash, so it is not what was shown", found[0].hash)
	}
	return hash, found[0].text, nil
}
