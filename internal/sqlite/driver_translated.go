//go:build hien_wasm

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"
	sqlite3driver "github.com/ncruces/go-sqlite3/driver"
)

// A connector opens connections on one file with everything set that the
// settings of a record ask for. Its file is the only place which knows the
// driver: SQLite translated to Go, for machines to which no C compiler leads.
type connector struct{ set settings }

func newConnector(set settings) driver.Connector { return connector{set} }

func (c connector) Driver() driver.Driver { return &sqlite3driver.SQLite{} }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	opener, err := (&sqlite3driver.SQLite{}).OpenConnector(dsn(c.set))
	if err != nil {
		return nil, err
	}
	opened, err := opener.Connect(ctx)
	if err != nil {
		return nil, err
	}
	raw := opened.(sqlite3driver.Conn).Raw()
	if err := prepareConn(raw, c.set); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}

// dsn names the file. Its journals get its own mode (modeof), as they do from
// SQLite's own files.
func dsn(s settings) string {
	q := url.Values{"mode": {"rw"}, "modeof": {s.path}, "_txlock": {"immediate"}}
	query := strings.ReplaceAll(q.Encode(), "+", "%20") // SQLite reads a plus as a plus
	return (&url.URL{Scheme: "file", Path: s.path, RawQuery: query}).String()
}

// prepareConn sets first what must be set before anything else touches the file,
// then what the settings ask for.
func prepareConn(c *sqlite3.Conn, s settings) error {
	first := []string{
		"PRAGMA busy_timeout = " + strconv.FormatInt(s.wait.Milliseconds(), 10),
		"PRAGMA locking_mode = EXCLUSIVE",
		"PRAGMA synchronous = " + s.synchronous(),
	}
	if s.journal == "" {
		first = append(first, "PRAGMA query_only = ON")
	}
	for _, statement := range first {
		if err := c.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return s.apply(func(statement string) (string, error) { return ask(c, statement) })
}

// ask runs one statement and answers the first column of its first row.
func ask(c *sqlite3.Conn, statement string) (answer string, err error) {
	s, _, err := c.Prepare(statement)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.Step() {
		answer = s.ColumnText(0)
	}
	return answer, s.Err()
}

// conditionOf reads SQLite's result code (sqlite.org/rescode.html).
func conditionOf(err error) condition {
	var code sqlite3.ErrorCode
	if !errors.As(err, &code) {
		return foreign
	}
	switch code {
	case sqlite3.BUSY, sqlite3.LOCKED, sqlite3.PROTOCOL:
		return busy
	case sqlite3.FULL, sqlite3.IOERR, sqlite3.READONLY, sqlite3.CANTOPEN, sqlite3.PERM:
		return unwritable
	case sqlite3.CORRUPT, sqlite3.NOTADB:
		return damaged
	}
	return misuse
}
