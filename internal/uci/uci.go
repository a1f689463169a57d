// Package uci reads and writes configuration files in OpenWrt's UCI syntax.
//
//	config zone 'guest'
//		option interface 'br-guest'
//		list purpose 'visit_frequency'
//
// What is accepted agrees with libuci, so that a file that Hiên can read can
// also be read and changed by `uci` and LuCI: words are bare, 'single' or
// "double" quoted, or several of these without a space between them; a
// backslash outside of single quotes takes the next character as it is, and
// at the end of a line continues it; quotes may run over several lines; '#'
// outside of quotes starts a comment; the first letter of a command stands
// for the command. Where libuci loses text without a word (see [Parse]),
// this package says so instead.
//
// The package knows nothing of what the sections mean: internal/config does.
package uci

import (
	"fmt"
	"strings"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 1 << 20

// maxErrors is how many errors are told at once.
const maxErrors = 50

// maxName is the longest section name, type or option name, in bytes.
const maxName = 64

// A Pos is a place in a file.
type Pos struct {
	File string
	Line int // from 1; 0 when the place is the whole file
}

func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// A Word is one argument of a command, unquoted.
type Word struct {
	Text string
	Pos  Pos // where it begins
}

// A File is a parsed file.
type File struct {
	Name     string // as it was given to Parse
	Package  Word   // of a package statement; empty without one
	Sections []Section
}

// A Section is one "config" with its options.
type Section struct {
	Pos     Pos
	Type    Word
	Name    Word // empty for an anonymous section
	Options []Option
}

// An Option is one "option" or "list" line. An option whose Value is empty
// counts as not set: libuci deletes it.
type Option struct {
	Pos   Pos
	List  bool
	Name  Word
	Value Word
}

// An Error is what is wrong at one place.
type Error struct {
	Pos  Pos
	Text string
}

func (e *Error) Error() string { return e.Pos.String() + ": " + e.Text }

// Errors are all that is wrong with a file, in the order of its lines. They
// print one to a line.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the errors one by one.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// validName is libuci's rule for names of sections and options.
func validName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return !alnum(r) && r != '_' })
}

// validType is libuci's rule for types: anything that can be seen, in ASCII.
func validType(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return r < 33 || r > 126 })
}

// validPackage is libuci's rule for packages: a name that may have hyphens.
func validPackage(s string) bool { return validName(strings.ReplaceAll(s, "-", "_")) }

func alnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
