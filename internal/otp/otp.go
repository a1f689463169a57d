// Package otp carries one-time codes to people.
//
// A sender is chosen by its type in the configuration. There is one so far:
// "log" writes the code into the log instead of sending it, for the demo and
// for trying Hiên out. Whoever reads the log can then prove any number, so it
// is not for a shop.
package otp

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
)

// Log writes codes into a log, with the guest's masked MAC and never the
// number. The message is "code" and the keys are guest and code: the demo
// reads them.
type Log struct {
	Log *slog.Logger
}

var _ hien.Sender = Log{}

// Send writes the code. It does not fail.
func (l Log) Send(ctx context.Context, m hien.Message) error {
	l.Log.InfoContext(ctx, "code", "guest", m.Guest.MAC, "code", m.Code.Reveal())
	return nil
}

// A maker makes a sender of one type.
type maker struct {
	name string
	make func(*slog.Logger) hien.Sender
}

var makers = []maker{
	{"log", func(log *slog.Logger) hien.Sender { return Log{log} }},
}

// Types are the senders that there are, sorted, as the configuration names
// them.
func Types() []string {
	var names []string
	for _, m := range makers {
		names = append(names, m.name)
	}
	slices.Sort(names)
	return names
}

// New makes the sender of a type. The error names the types that there are.
func New(kind string, log *slog.Logger) (hien.Sender, error) {
	for _, m := range makers {
		if m.name == kind {
			return m.make(log), nil
		}
	}
	return nil, fmt.Errorf("unknown sender %q: want %s", kind, strings.Join(Types(), " or "))
}
