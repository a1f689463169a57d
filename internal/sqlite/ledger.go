package sqlite

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A Ledger is the read side of a record: the consents and withdrawals, and
// what proves them. A Store has one; OpenLedger opens one alone.
type Ledger struct {
	db   *sql.DB
	path string
}

// OpenLedger opens the ledger of a record while no daemon runs; while one
// does, the error wraps ErrInUse. It changes nothing that the record says and
// does not migrate it; only a log left by a crash is folded into the file, as
// the next start of the daemon would. The file and its directory must be
// writable for that.
func OpenLedger(ctx context.Context, path string) (*Ledger, error) {
	return openLedger(ctx, settings{path: path, wait: busyTimeout})
}

func openLedger(ctx context.Context, set settings) (_ *Ledger, err error) {
	if set.path, err = filepath.Abs(set.path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(set.path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no record %s, which `hien run` begins: %w", set.path, fs.ErrNotExist)
	} else if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l := &Ledger{db: openDB(set), path: set.path}
	version, err := schemaOf(ctx, l.db, l.path)
	all, listErr := migrations()
	switch {
	case err != nil:
	case listErr != nil:
		err = listErr
	case version == 0:
		err = fmt.Errorf("open ledger: %s is empty: no consent was ever recorded in it", l.path)
	case version > len(all):
		err = &NewerError{Path: l.path, Has: version, Knows: len(all)}
	}
	if err != nil {
		return nil, errors.Join(fault(l.path, "open ledger", err), l.db.Close())
	}
	return l, nil
}

// Close closes the record. A log that is left is folded into the file.
func (l *Ledger) Close() error {
	return fault(l.path, "close record", l.db.Close())
}

// Head is the end of the ledger as it was last written.
func (l *Ledger) Head(ctx context.Context) (consent.Head, error) {
	h, err := head(ctx, l.db)
	return h, fault(l.path, "read ledger", err)
}

// A querier is a database or a transaction on it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func head(ctx context.Context, q querier) (consent.Head, error) {
	var h consent.Head
	var hash []byte
	if err := q.QueryRowContext(ctx, "SELECT seq, hash FROM ledger_head").Scan(&h.Seq, &hash); err != nil {
		return consent.Head{}, err
	}
	copy(h.Hash[:], hash)
	return h, nil
}

// entryPage is how many entries are read at once. Between pages the record is
// free for others, however slow the reader is.
const entryPage = 64

// Entries are the entries of the ledger in order, those included that are
// appended while it is read.
func (l *Ledger) Entries(ctx context.Context) iter.Seq2[consent.Entry, error] {
	return l.EntriesAfter(ctx, 0)
}

// EntriesAfter are those behind the one with that number.
func (l *Ledger) EntriesAfter(ctx context.Context, after uint64) iter.Seq2[consent.Entry, error] {
	return func(yield func(consent.Entry, error) bool) {
		after := after
		for {
			page, err := l.entriesAfter(ctx, after)
			if err != nil {
				yield(consent.Entry{}, fault(l.path, "read ledger", err))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				after = e.Seq
			}
			if len(page) < entryPage {
				return
			}
		}
	}
}

func (l *Ledger) entriesAfter(ctx context.Context, after uint64) ([]consent.Entry, error) {
	rows, err := l.db.QueryContext(ctx,
		"SELECT seq, body, hash, signature FROM ledger WHERE seq > ? ORDER BY seq LIMIT ?", after, entryPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []consent.Entry
	for rows.Next() {
		var e consent.Entry
		var hash []byte
		if err := rows.Scan(&e.Seq, &e.Body, &hash, &e.Signature); err != nil {
			return nil, err
		}
		copy(e.Hash[:], hash)
		page = append(page, e)
	}
	return page, rows.Err()
}

// Origin is the key of the ledger's first entry: the router's own unless the
// ledger has gone over from another.
func (l *Ledger) Origin(ctx context.Context, own ed25519.PublicKey) (ed25519.PublicKey, error) {
	key, err := origin(ctx, l.db, own)
	return key, fault(l.path, "read ledger", err)
}

func origin(ctx context.Context, q querier, own ed25519.PublicKey) (ed25519.PublicKey, error) {
	if there, err := hasTable(ctx, q, "ledger_origin"); err != nil || !there {
		return own, err
	}
	var key []byte
	err := q.QueryRowContext(ctx, "SELECT key FROM ledger_origin").Scan(&key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return own, nil
	case err != nil:
		return nil, err
	case len(key) != ed25519.PublicKeySize:
		return nil, fmt.Errorf("%w: the key of its first entry has %d bytes", consent.ErrBroken, len(key))
	}
	return key, nil
}

// KeyAt is the key with which the entry of that number was signed, by what the
// entries before it say of going over to another; own is the router's. Whether
// it did sign is the caller's to check.
func (l *Ledger) KeyAt(ctx context.Context, seq uint64, own ed25519.PublicKey) (ed25519.PublicKey, error) {
	key, err := l.Origin(ctx, own)
	if err != nil {
		return nil, err
	}
	next, err := collect(ctx, l.db, func(rows *sql.Rows) (next ed25519.PublicKey, err error) {
		var e consent.Entry
		if err := rows.Scan(&e.Seq, &e.Body); err != nil {
			return nil, err
		}
		s, err := e.Statement()
		return s.Next, err
	}, "SELECT seq, body FROM ledger WHERE seq < ? AND instr(body, ?) > 0 ORDER BY seq", seq, []byte(`,"next_key":"`))
	if len(next) > 0 {
		key = next[len(next)-1]
	}
	return key, fault(l.path, "read ledger", err)
}

// Verify checks the ledger against the router's public key, from its first
// entry to the head that was last written, and answers that head. A ledger that
// has gone over to that key must end with an entry of it. What does
// not hold wraps consent.ErrBroken. Entries that are appended meanwhile are
// not looked at.
func (l *Ledger) Verify(ctx context.Context, pub ed25519.PublicKey) (consent.Head, error) {
	end, err := l.Head(ctx)
	if err != nil {
		return consent.Head{}, err
	}
	known := func(yield func(consent.Entry, error) bool) {
		for e, err := range l.Entries(ctx) {
			if err == nil && e.Seq > end.Seq || !yield(e, err) {
				return
			}
		}
	}
	first, err := l.Origin(ctx, pub)
	if err != nil {
		return consent.Head{}, err
	}
	last, err := consent.VerifyKeys(first, known, end)
	if err != nil {
		return consent.Head{}, err
	}
	if !last.Equal(pub) {
		return consent.Head{}, fmt.Errorf("%w: its last entry is of key %s, and this router's is %s", consent.ErrBroken, consent.KeyID(last), consent.KeyID(pub))
	}
	var beyond int
	err = l.db.QueryRowContext(ctx, "SELECT count(*) FROM ledger WHERE seq > (SELECT seq FROM ledger_head)").Scan(&beyond)
	if err != nil {
		return consent.Head{}, fault(l.path, "read ledger", err)
	}
	if beyond > 0 {
		return consent.Head{}, fmt.Errorf("%w: %d entries stand behind the last that was written", consent.ErrBroken, beyond)
	}
	return end, nil
}

// appendEntry chains the statement to the ledger's end.
func (t *tx) appendEntry(ctx context.Context, st consent.Statement, by consent.Signer) (consent.Entry, error) {
	end, err := head(ctx, t)
	if err != nil {
		return consent.Entry{}, err
	}
	e, err := consent.Append(end, st, by)
	if err != nil {
		return consent.Entry{}, err
	}
	if _, err := t.exec(ctx, "INSERT INTO ledger (seq, body, hash, signature) VALUES (?, ?, ?, ?)",
		e.Seq, e.Body, e.Hash[:], e.Signature); err != nil {
		return consent.Entry{}, err
	}
	_, err = t.exec(ctx, "UPDATE ledger_head SET seq = ?, hash = ?", e.Seq, e.Hash[:])
	return e, err
}

var _ querier = (*tx)(nil)

// noReceipt turns an empty answer into hien.ErrNoReceipt.
func noReceipt(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return hien.ErrNoReceipt
	}
	return err
}
