//go:build cgo && !hien_wasm

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/mattn/go-sqlite3"
)

// A connector opens connections on one file with everything set that the
// settings of a record ask for. Its file is the only place which knows the
// driver: SQLite in C.
type connector struct {
	dsn string
	drv *sqlite3.SQLiteDriver
}

func newConnector(set settings) driver.Connector {
	return connector{dsn(set), &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return set.apply(func(statement string) (string, error) { return ask(c, statement) })
	}}}
}

// dsn asks the driver for what must be set before anything else touches the
// file. The driver sets journal_mode before locking_mode whenever it finds
// both here, and then the second opening of a record fails on JFFS2: so
// journal_mode stands in pragmas, which run last.
func dsn(s settings) string {
	q := url.Values{
		"_busy_timeout":    {strconv.FormatInt(s.wait.Milliseconds(), 10)},
		"_txlock":          {"immediate"},
		"_locking_mode":    {"EXCLUSIVE"},
		"_synchronous":     {s.synchronous()},
		"_stmt_cache_size": {strconv.Itoa(keptStatements)},
		"mode":             {"rw"},
	}
	if s.journal == "" {
		q.Set("_query_only", "1")
	}
	return (&url.URL{Scheme: "file", Path: s.path, RawQuery: q.Encode()}).String()
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.drv.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.drv }

// ask runs one statement and answers the first column of its first row.
func ask(c *sqlite3.SQLiteConn, statement string) (string, error) {
	rows, err := c.Query(statement, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	switch err := rows.Next(row); {
	case errors.Is(err, io.EOF):
		return "", nil
	case err != nil || len(row) == 0:
		return "", err
	}
	return fmt.Sprint(row[0]), nil
}

// conditionOf reads SQLite's result code (sqlite.org/rescode.html).
func conditionOf(err error) condition {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return foreign
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrProtocol:
		return busy
	case sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrReadonly, sqlite3.ErrCantOpen, sqlite3.ErrPerm:
		return unwritable
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return damaged
	}
	return misuse
}
