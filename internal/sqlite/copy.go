package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/hien-wifi/hien/consent"
)

// CopyTo writes the record as it stands into a new file at path, which is to
// be in memory: it takes as much room as the record. Nobody changes anything
// meanwhile, as the record has one connection, so the copy is of one moment; a
// megabyte takes some hundredths of a second. The file itself is only read,
// and no flash is written.
func (l *Ledger) CopyTo(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copy record: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("copy record: %w", err)
	}
	if err := l.vacuumInto(ctx, path); err != nil {
		return errors.Join(fault(l.path, "copy record", err), os.Remove(path))
	}
	return nil
}

// vacuumInto takes an empty file (sqlite.org/lang_vacuum.html). A connection
// for reading refuses the statement, though it does not write the record.
func (l *Ledger) vacuumInto(ctx context.Context, path string) (err error) {
	c, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var reads int
	if err := c.QueryRowContext(ctx, "PRAGMA query_only").Scan(&reads); err != nil {
		return err
	}
	if reads != 0 {
		if _, err := c.ExecContext(ctx, "PRAGMA query_only = OFF"); err != nil {
			return err
		}
		defer func() {
			_, back := c.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = ON")
			err = errors.Join(err, back)
		}()
	}
	_, err = c.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

// Size is how large a copy would be, in bytes.
func (l *Ledger) Size(ctx context.Context) (int64, error) {
	var pages, size int64
	err := l.db.QueryRowContext(ctx, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size").Scan(&pages, &size)
	return pages * size, fault(l.path, "measure record", err)
}

// Entry is the entry with that number; false when there is none.
func (l *Ledger) Entry(ctx context.Context, seq uint64) (consent.Entry, bool, error) {
	e := consent.Entry{Seq: seq}
	var hash []byte
	err := l.db.QueryRowContext(ctx, "SELECT body, hash, signature FROM ledger WHERE seq = ?", seq).Scan(&e.Body, &hash, &e.Signature)
	if errors.Is(err, sql.ErrNoRows) {
		return consent.Entry{}, false, nil
	}
	copy(e.Hash[:], hash)
	return e, err == nil, fault(l.path, "read ledger", err)
}
