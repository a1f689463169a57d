//go:build cgo

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// A connector opens connections on one file with everything set that the
// settings of a record ask for. It is the only place which knows the driver.
type connector struct {
	dsn string
	drv *sqlite3.SQLiteDriver
}

func newConnector(set settings) driver.Connector {
	return connector{set.dsn(), &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		for _, p := range set.pragmas() {
			got, err := ask(c, p.set)
			if err != nil {
				return fmt.Errorf("%s: %w", p.set, err)
			}
			if p.answer != "" && !strings.EqualFold(got, p.answer) {
				return fmt.Errorf("%s: the answer is %q", p.set, got)
			}
		}
		return nil
	}}}
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
