package sqlite

import (
	"net/url"
	"strconv"
	"time"
)

// A journal is one of the two ways to write that survive a power cut. Both
// are SQLite's name for a journal mode.
type journal string

const (
	wal      journal = "wal"      // with locking_mode=EXCLUSIVE and synchronous=FULL
	truncate journal = "truncate" // with locking_mode=EXCLUSIVE and synchronous=EXTRA
)

// What a connection costs and keeps. A page of 1024 bytes makes an opt-in a
// third smaller on flash than the usual 4096.
const (
	pageSize       = 1024
	cacheKiB       = 1024
	walPages       = 1000 // the log is folded into the file after so many pages
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

// dsn asks the driver for what must be set before anything else touches the
// file. The driver sets journal_mode before locking_mode whenever it finds
// both here, and then the second opening of a record fails on JFFS2: so
// journal_mode stands in pragmas, which run last.
func (s settings) dsn() string {
	q := url.Values{
		"_busy_timeout":    {strconv.FormatInt(s.wait.Milliseconds(), 10)},
		"_txlock":          {"immediate"},
		"_locking_mode":    {"EXCLUSIVE"},
		"_synchronous":     {"FULL"},
		"_stmt_cache_size": {strconv.Itoa(keptStatements)},
		"mode":             {"rw"},
	}
	switch s.journal {
	case truncate:
		q.Set("_synchronous", "EXTRA")
	case "":
		q.Set("_query_only", "1")
	}
	return (&url.URL{Scheme: "file", Path: s.path, RawQuery: q.Encode()}).String()
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
