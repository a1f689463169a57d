package uci

import (
	"fmt"
	"io"
	"strings"
)

// Write writes the file as `uci export` does: values in single quotes, one
// command to a line. What it writes parses to an equal File but for the
// positions. A File that could not have been parsed (a bad name, a zero byte)
// is an error and nothing is written.
func (f *File) Write(w io.Writer) error {
	var b strings.Builder
	if f.Package.Text != "" {
		if !validPackage(f.Package.Text) {
			return fmt.Errorf("write %s: bad package name %q", f.Name, f.Package.Text)
		}
		fmt.Fprintf(&b, "package %s\n", f.Package.Text)
	}
	for i, s := range f.Sections {
		if err := s.write(&b); err != nil {
			return fmt.Errorf("write %s: section %d: %w", f.Name, i+1, err)
		}
	}
	if b.Len() > MaxSize {
		return fmt.Errorf("write %s: %d bytes: want at most %d", f.Name, b.Len(), MaxSize)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write %s: %w", f.Name, err)
	}
	return nil
}

func (s Section) write(b *strings.Builder) error {
	switch {
	case !validType(s.Type.Text):
		return fmt.Errorf("bad type %q", s.Type.Text)
	case s.Name.Text != "" && !validName(s.Name.Text):
		return fmt.Errorf("bad name %q", s.Name.Text)
	}
	typ := s.Type.Text
	if !validPackage(typ) {
		typ = Quote(typ)
	}
	fmt.Fprintf(b, "\nconfig %s", typ)
	if s.Name.Text != "" {
		fmt.Fprintf(b, " %s", Quote(s.Name.Text))
	}
	b.WriteByte('\n')
	for _, o := range s.Options {
		if !validName(o.Name.Text) || strings.ContainsRune(o.Value.Text, 0) {
			return fmt.Errorf("bad option %q", o.Name.Text)
		}
		command := "option"
		if o.List {
			command = "list"
		}
		fmt.Fprintf(b, "\t%s %s %s\n", command, o.Name.Text, Quote(o.Value.Text))
	}
	return nil
}

// Quote writes a value in single quotes. They know no escape: for a quote in
// the value they are closed, and opened again behind a bare \', as libuci
// does.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
