package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// chooseJournal finds how the file is to be written. A record keeps the
// journal with which it was begun; for a new one the file system is tried.
func chooseJournal(ctx context.Context, path string) (journal, error) {
	head := make([]byte, 20)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return tryJournals(ctx, filepath.Dir(path))
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	switch _, err := io.ReadFull(f, head); {
	case errors.Is(err, io.EOF): // a power cut came before the first write
		return tryJournals(ctx, filepath.Dir(path))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return truncate, nil // no database; SQLite will say so
	case err != nil:
		return "", err
	}
	// sqlite.org/fileformat2.html §1.3.3: the write version is 1 for a
	// rollback journal and 2 for a write-ahead log.
	if head[18] == 2 {
		return wal, nil
	}
	return truncate, nil
}

// tryJournals writes a small database with a write-ahead log and opens it a
// second time: on some file systems only that fails.
func tryJournals(ctx context.Context, dir string) (journal, error) {
	path := filepath.Join(dir, ".probe.db")
	clean := func() {
		for _, end := range []string{"", "-wal", "-shm", "-journal"} {
			os.Remove(path + end) // most do not exist
		}
	}
	clean()
	defer clean()
	for _, statement := range []string{"CREATE TABLE probe (n)", "INSERT INTO probe VALUES (1)"} {
		if err := tryOnce(ctx, path, statement); err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return truncate, nil
		}
	}
	return wal, nil
}

func tryOnce(ctx context.Context, path, statement string) (err error) {
	if err := create(path); err != nil {
		return err
	}
	db := openDB(settings{path: path, journal: wal})
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("try the write-ahead log: %w", err)
	}
	return nil
}

// openDB prepares the one connection; it opens with the first use.
func openDB(set settings) *sql.DB {
	db := sql.OpenDB(newConnector(set))
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(0)
	db.SetConnMaxIdleTime(0)
	return db
}

// create makes the file, readable by its owner alone, unless it is there.
// SQLite gives its journals the same mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
