//go:build !cgo && !hien_wasm

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
)

// Without a driver there is no SQLite: the package compiles, so that the tree can
// be checked for other machines, and refuses to open a record.
type connector struct{}

var errNoDriver = errors.New("this hien was built without SQLite: build it with CGO_ENABLED=1, or with the tag hien_wasm")

func newConnector(settings) driver.Connector { return connector{} }

func (connector) Connect(context.Context) (driver.Conn, error) { return nil, errNoDriver }
func (c connector) Driver() driver.Driver                      { return c }
func (connector) Open(string) (driver.Conn, error)             { return nil, errNoDriver }

func conditionOf(error) condition { return foreign }
