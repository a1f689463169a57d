package sqlite

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A journal is one of the two ways to write that survive a power cut. Both
// are SQLite's name for a journal mode.
type journal string

const (
	wal      journal = "wal"      // with locking_mode=EXCLUSIVE and synchronous=FULL
	truncate journal = "truncate" // with locking_mode=EXCLUSIVE and synchronous=EXTRA
)

// What a connection costs and keeps. An opt-in changes some two dozen pages,
// most of them by a few bytes, and each is written whole, twice: so pages are
// the smallest that there are. A record that was begun with larger ones keeps
// them.
const (
	pageSize       = 512
	cacheKiB       = 1024
	walPages       = 2000 // the log is folded into the file after so many pages
	journalBytes   = walPages * pageSize
	keptStatements = 96
	busyTimeout    = 5 * time.Second // for a daemon that is just stopping
)

// settings are how a connection is opened.
type settings struct {
	path    string
	journal journal // empty: as the file has it, for reading only
	wait    time.Duration
}

func (s settings) synchronous() string {
	if s.journal == truncate {
		return "EXTRA"
	}
	return "FULL"
}

// A pragma is a statement for a fresh connection and the answer that must
// come; empty when any will do.
type pragma struct{ set, answer string }

func (s settings) pragmas() []pragma {
	common := []pragma{
		{"PRAGMA cache_size = -" + strconv.Itoa(cacheKiB), ""},
		{"PRAGMA foreign_keys = ON", ""},
		{"PRAGMA temp_store = MEMORY", ""}, // no temporary files on flash
		{"PRAGMA trusted_schema = OFF", ""},
	}
	if s.journal == "" {
		return common
	}
	return append([]pragma{
		{"PRAGMA page_size = " + strconv.Itoa(pageSize), ""},
		{"PRAGMA journal_mode = " + string(s.journal), string(s.journal)},
		{"PRAGMA wal_autocheckpoint = " + strconv.Itoa(walPages), ""},
		{"PRAGMA journal_size_limit = " + strconv.Itoa(journalBytes), ""},
		{"PRAGMA secure_delete = ON", "1"},
		// Take the lock now, in both modes, and keep it.
		{"BEGIN EXCLUSIVE", ""},
		{"COMMIT", ""},
	}, common...)
}

// apply sets what the settings ask for, in order, by a driver's ask: it runs
// one statement and answers the first column of its first row.
func (s settings) apply(ask func(statement string) (string, error)) error {
	for _, p := range s.pragmas() {
		got, err := ask(p.set)
		if err != nil {
			return fmt.Errorf("%s: %w", p.set, err)
		}
		if p.answer != "" && !strings.EqualFold(got, p.answer) {
			return fmt.Errorf("%s: the answer is %q", p.set, got)
		}
	}
	return nil
}
