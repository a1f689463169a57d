//go:build !cgo

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
)

// Without cgo there is no SQLite: the package compiles, so that the tree can
// be checked for other machines, and refuses to open a record.
type connector struct{}

var errNoCgo = errors.New("this hien was built without SQLite: build it with CGO_ENABLED=1")

func newConnector(settings) driver.Connector { return connector{} }

func (connector) Connect(context.Context) (driver.Conn, error) { return nil, errNoCgo }
func (c connector) Driver() driver.Driver                      { return c }
func (connector) Open(string) (driver.Conn, error)             { return nil, errNoCgo }

func conditionOf(error) condition { return foreign }
