package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// FileName is the record's name in the data directory.
const FileName = "record.db"

// Options are what a store is opened with.
type Options struct {
	Signer    consent.Signer                    // signs the ledger
	Tombstone func(hien.LeadKey) hien.Tombstone // of the router's key; nil, in tests: of none
	Log       *slog.Logger                      // nil: nothing is logged

	// Restored says that the file is a copy (CopyTo): it is to be written the
	// way that its file system bears best, as a new one is.
	Restored bool

	set   settings // tests: another journal, another patience
	limit int      // tests: another MaxWaiting
}

// A Store is the record. It is safe for concurrent use; its one connection
// lets one caller in at a time.
type Store struct {
	Ledger
	signer    consent.Signer
	tombstone func(hien.LeadKey) hien.Tombstone
	log       *slog.Logger
	limit     int

	waiting atomic.Int64           // events in the queue
	stale   atomic.Bool            // a commit failed, so waiting is to be counted again
	rests   atomic.Bool            // what was deleted may still rest in the log
	places  atomic.Pointer[places] // of the last batch
}

var _ hien.Record = (*Store)(nil)

// checkedWhole is how large a file is checked page by page when it is opened.
// Of a larger one damage is found when it is read.
const checkedWhole = 16 << 20

// Open opens the record at path, and begins it when there is none: the
// directory is made, the journal chosen, the schema brought to the newest.
// The errors that a caller may tell apart, all of them hien.ErrStorage:
// *NewerError, *DamagedError, ErrInUse; and else a disk that cannot be
// written. The caller closes the store.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	s := &Store{signer: opts.Signer, tombstone: opts.Tombstone, log: opts.Log, limit: opts.limit}
	if s.tombstone == nil {
		s.tombstone = hien.RouterKey{}.Tombstone
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.limit == 0 {
		s.limit = MaxWaiting
	}
	if opts.Restored && opts.set.journal == "" {
		var err error
		if opts.set.journal, err = tryJournals(ctx, filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("open record: %w: %w", hien.ErrStorage, err)
		}
	}
	set, err := prepare(ctx, path, opts.set)
	if err != nil {
		return nil, fmt.Errorf("open record: %w: %w", hien.ErrStorage, err)
	}
	// A log that is there was left by a power cut: nobody knows what rests in it.
	left := full(set.path + "-wal")
	s.path, s.db = set.path, openDB(set)
	from, to, err := s.begin(ctx)
	if err != nil {
		err = fault(s.path, "open record", err)
		if !errors.Is(err, hien.ErrStorage) {
			err = fmt.Errorf("open record %s: %w: %w", s.path, hien.ErrStorage, err)
		}
		return nil, errors.Join(err, s.db.Close())
	}
	if left {
		s.emptyLog(ctx)
	}
	s.log.Info("the record is open", "path", s.path, "journal", string(set.journal),
		"schema", to, "was", from, "queued", s.waiting.Load())
	return s, nil
}

// full reports whether there is such a file with something in it.
func full(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// prepare makes directory and file and completes the settings.
func prepare(ctx context.Context, path string, set settings) (settings, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return settings{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return settings{}, err
	}
	set.path = path
	if set.journal == "" {
		if set.journal, err = chooseJournal(ctx, path); err != nil {
			return settings{}, err
		}
	}
	if set.wait == 0 {
		set.wait = busyTimeout
	}
	return set, create(path)
}

func (s *Store) begin(ctx context.Context) (from, to int, err error) {
	if err := checkFile(ctx, s.db, s.path); err != nil {
		return 0, 0, err
	}
	if from, to, err = migrate(ctx, s.db, s.path); err != nil {
		return 0, 0, err
	}
	return from, to, s.write(ctx, "count the queue", func(t *tx) error {
		return s.count(ctx, t)
	})
}

// checkFile looks for damage. The first statement finds what is no database
// at all; in a file that is not large every page is looked at.
func checkFile(ctx context.Context, db *sql.DB, path string) error {
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > checkedWhole {
		return nil
	}
	var answer string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return &DamagedError{Path: path, Cause: errors.New(answer)}
	}
	return nil
}

// A reader asks what the record holds, in a transaction or without one.
type reader struct{ querier }

// read lets do look at the record as it stands: while it does, it has the one
// connection, so nobody changes anything. There is no transaction, which
// would take the lock of a writer. Errors are those of write.
func (s *Store) read(ctx context.Context, deed string, do func(reader) error) error {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return fault(s.path, deed, err)
	}
	defer c.Close()
	return fault(s.path, deed, do(reader{c}))
}

// A tx is one transaction, and what it changes of the store's counts when it
// is committed.
type tx struct {
	*sql.Tx
	reader
	waiting int64 // events that came into the queue, less those that left
}

// write runs do in a transaction and commits it, unless do returns an error:
// then nothing happened. A transaction in which nothing was changed writes
// nothing. Errors of the database name the deed; any other is returned as it
// is.
func (s *Store) write(ctx context.Context, deed string, do func(*tx) error) error {
	inner, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fault(s.path, deed, err)
	}
	t := &tx{Tx: inner, reader: reader{inner}}
	defer inner.Rollback() // after a commit it does nothing
	if s.stale.Load() {
		if err := s.count(ctx, t); err != nil {
			return fault(s.path, deed, err)
		}
	}
	if err := do(t); err != nil {
		return fault(s.path, deed, err)
	}
	if err := inner.Commit(); err != nil {
		s.stale.Store(true) // it may have reached the disk all the same
		s.rests.Store(true)
		return fault(s.path, deed, err)
	}
	s.waiting.Add(t.waiting)
	return nil
}

// count counts the queue anew.
func (s *Store) count(ctx context.Context, t *tx) error {
	var n int64
	if err := t.QueryRowContext(ctx, "SELECT count(*) FROM events").Scan(&n); err != nil {
		return err
	}
	s.waiting.Store(n)
	s.stale.Store(false)
	return nil
}

// exec runs a statement and answers how many rows it changed.
func (t *tx) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	r, err := t.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// emptying is how long it may take to empty the log, the wait for the one
// connection included.
const emptying = 30 * time.Second

// emptyLog empties the write-ahead log, so that what was erased does not rest
// in it. With a truncated journal there is none, and the statement does nothing.
// The erasure is done whether or not this works, and also when whoever asked for
// it has hung up meanwhile, so this does not end with their request. What could
// not be emptied is tried again by the next deletion and the next sweep.
func (s *Store) emptyLog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), emptying)
	defer cancel()
	s.rests.Store(false) // before: what is deleted meanwhile may come too late for this
	var busy, frames, moved int
	err := s.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = errors.New("somebody else reads it")
	}
	if err != nil {
		s.rests.Store(true)
		s.log.Warn("the record's log still holds what was erased; the next deletion tries again", "path", s.path, "err", err)
	}
}
