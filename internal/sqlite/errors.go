package sqlite

import (
	"errors"
	"fmt"

	"github.com/hien-wifi/hien"
)

// ErrInUse is wrapped, beside hien.ErrStorage, by what Open and OpenLedger
// return when another process has the record open.
var ErrInUse = errors.New("another process has the record open")

// A NewerError says that the record was written by a later release. The file
// was not changed.
type NewerError struct {
	Path  string
	Has   int // the schema of the file
	Knows int // the newest schema of this program
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("record %s has schema %d and this hien knows schemas up to %d: install the release that wrote it, or a later one; the file was not changed",
		e.Path, e.Has, e.Knows)
}

// Unwrap makes a NewerError a hien.ErrStorage.
func (e *NewerError) Unwrap() error { return hien.ErrStorage }

// A DamagedError says that the file cannot be read as a record. Nothing was
// deleted.
type DamagedError struct {
	Path  string
	Cause error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("record %s is damaged (%v): stop hien, keep a copy of the file, and put a backup in its place or move it away to begin an empty record; nothing was deleted",
		e.Path, e.Cause)
}

// Unwrap makes a DamagedError a hien.ErrStorage.
func (e *DamagedError) Unwrap() []error { return []error{hien.ErrStorage, e.Cause} }

// A condition is what an error of the driver means to a caller.
type condition int

const (
	foreign    condition = iota // not of the driver
	misuse                      // a mistake of ours: bad SQL, a broken constraint
	busy                        // another process holds the file
	unwritable                  // disk full, read-only, input or output error
	damaged                     // not a database, or a broken one
)

// fault names the deed in an error of the driver and says what it means. Any
// other error, which a caller's own function returned, stays as it is.
func fault(path, deed string, err error) error {
	var known *DamagedError
	if err == nil || errors.As(err, &known) {
		return err
	}
	switch conditionOf(err) {
	case foreign:
		return err
	case busy:
		return fmt.Errorf("%s: %w: %w: %s (%w)", deed, hien.ErrStorage, ErrInUse, path, err)
	case unwritable:
		return fmt.Errorf("%s: %w: %s: %w", deed, hien.ErrStorage, path, err)
	case damaged:
		return fmt.Errorf("%s: %w", deed, &DamagedError{Path: path, Cause: err})
	}
	return fmt.Errorf("%s: %w", deed, err)
}
