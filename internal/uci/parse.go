package uci

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Parse reads a file; name is what errors call it. It goes on after a line
// that is wrong and returns all that is wrong as [Errors]; any other error
// came from reading.
//
// It refuses what libuci refuses, and besides: a ';' that follows a bare word
// without a space (libuci drops the rest of the line), bytes of value zero,
// a second package statement, a file larger than [MaxSize], and names longer
// than 64 bytes.
func Parse(name string, r io.Reader) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	p, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	return &p.file, nil
}

// parse reads a text; the parser has the file and where its commands stand.
func parse(name string, text []byte) (*parser, error) {
	if len(text) > MaxSize {
		return nil, Errors{{Pos{File: name}, fmt.Sprintf("the file is larger than %d bytes", MaxSize)}}
	}
	p := &parser{file: File{Name: name}, text: text, line: 1}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		line := 1 + bytes.Count(text[:i], []byte("\n"))
		return nil, Errors{{Pos{name, line}, "the file holds a byte of value zero: it is not a text"}}
	}
	for p.pos < len(p.text) && len(p.errs) < maxErrors {
		p.errs.add(p.parseLine())
		p.endLine()
	}
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	return p, nil
}

// add keeps an error; parsing returns no other kind.
func (e *Errors) add(err error) {
	var one *Error
	if errors.As(err, &one) {
		*e = append(*e, one)
	}
}

// A parser stands at pos, which is in line. The end of the text and a line
// feed outside of quotes both end a line; a carriage return is white space.
type parser struct {
	file    File
	text    []byte
	pos     int
	line    int
	errs    Errors
	lost    bool // the section that we are in was not understood
	started bool // a config statement was met

	commands []span // in a file without errors: where each stands
}

// A span is where a command stands in the text: from its first letter to
// behind its last word, and behind the ';' that ends it.
type span struct{ from, to int }

// cur is the character at pos; 0 at the end of the line.
func (p *parser) cur() byte {
	if p.pos >= len(p.text) || p.text[p.pos] == '\n' {
		return 0
	}
	return p.text[p.pos]
}

// endLine skips the rest of the line.
func (p *parser) endLine() {
	for p.cur() != 0 {
		p.pos++
	}
	p.newLine()
}

// newLine steps over a line feed; false at the end of the text.
func (p *parser) newLine() bool {
	if p.pos >= len(p.text) {
		return false
	}
	p.pos++
	p.line++
	return true
}

func (p *parser) here() Pos { return Pos{p.file.Name, p.line} }

func (p *parser) errorf(at Pos, format string, args ...any) error {
	return &Error{at, fmt.Sprintf(format, args...)}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func (p *parser) skipSpace() {
	for c := p.cur(); c != 0 && isSpace(c); c = p.cur() {
		p.pos++
	}
}

// parseLine reads the commands of a line; ';' stands between them.
func (p *parser) parseLine() error {
	for {
		p.skipSpace()
		at, start := p.here(), p.pos
		if c := p.cur(); c == 0 || c == '#' {
			return nil
		}
		// A command is bare: libuci cuts it at a blank or tabulator.
		for c := p.cur(); c != 0 && c != ' ' && c != '\t' && c != '\r'; c = p.cur() {
			p.pos++
		}
		var err error
		switch word := string(p.text[start:p.pos]); word {
		case "p", "package":
			err = p.parsePackage(at)
		case "c", "config":
			err = p.parseConfig(at)
		case "o", "option":
			err = p.parseOption(at, false)
		case "l", "list":
			err = p.parseOption(at, true)
		default:
			err = p.errorf(at, "unknown command %s: want config, option, list or package", quoteShort(word))
		}
		if err != nil {
			return err
		}
		p.commands = append(p.commands, span{start, p.pos})
	}
}

func (p *parser) parsePackage(at Pos) error {
	name, err := p.word()
	switch {
	case err != nil:
		return err
	case !validPackage(name.Text):
		return p.errorf(at, "package %s: want a name of letters, digits, _ and -", quoteShort(name.Text))
	case p.file.Package.Text != "":
		return p.errorf(at, "a second package statement: want one package in one file")
	}
	p.file.Package = name
	return p.end()
}

func (p *parser) parseConfig(at Pos) error {
	p.started, p.lost = true, true
	typ, err := p.word()
	if err != nil {
		return err
	}
	name, err := p.word()
	if err != nil {
		return err
	}
	switch {
	case typ.Text == "":
		return p.errorf(at, "config without a type: want config <type> '<name>'")
	case !validType(typ.Text):
		return p.errorf(at, "section type %s: want letters, digits and signs in ASCII, at most %d", quoteShort(typ.Text), maxName)
	case name.Text != "" && !validName(name.Text):
		return p.errorf(at, "section name %s: want letters, digits and _, at most %d", quoteShort(name.Text), maxName)
	}
	for _, s := range p.file.Sections {
		if name.Text != "" && s.Name.Text == name.Text && s.Type.Text != typ.Text {
			return p.errorf(at, "section %q is a %s in line %d: want another name", name.Text, s.Type.Text, s.Pos.Line)
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	p.file.Sections = append(p.file.Sections, Section{Pos: at, Type: typ, Name: name})
	p.lost = false
	return nil
}

func (p *parser) parseOption(at Pos, list bool) error {
	command := "option"
	if list {
		command = "list"
	}
	name, err := p.word()
	if err != nil {
		return err
	}
	value, err := p.word()
	if err != nil {
		return err
	}
	switch {
	case !p.started:
		return p.errorf(at, "%s before the first section: want a config line above it", command)
	case name.Text == "":
		return p.errorf(at, "%s without a name: want %s <name> '<value>'", command, command)
	case !validName(name.Text):
		return p.errorf(at, "name of %s %s: want letters, digits and _, at most %d", command, quoteShort(name.Text), maxName)
	}
	if err := p.end(); err != nil {
		return err
	}
	if p.lost {
		return nil // its section was not understood and is told already
	}
	s := &p.file.Sections[len(p.file.Sections)-1]
	s.Options = append(s.Options, Option{Pos: at, List: list, Name: name, Value: value})
	return nil
}

// end holds that the command has no further word. It steps over a ';'.
func (p *parser) end() error {
	extra, err := p.word()
	if err == nil && extra.Text != "" {
		return p.errorf(extra.Pos, "unexpected %s: want a text with spaces in it in quotes", quoteShort(extra.Text))
	}
	return err
}

// word reads the next word of the command; empty at its end. As in libuci a
// ';' counts as an empty word.
func (p *parser) word() (Word, error) {
	p.skipSpace()
	w := Word{Pos: p.here()}
	if p.cur() == ';' {
		p.pos++
		return w, nil
	}
	var b strings.Builder
	bare := false // the character before was outside of quotes
	for c := p.cur(); c != 0 && !isSpace(c) && c != '#'; c = p.cur() {
		switch c {
		case '\'', '"':
			bare = false
			if err := p.quoted(&b, c); err != nil {
				return w, err
			}
		case ';':
			if bare {
				return w, p.errorf(p.here(), "';' right after a bare word: want a space before it, or quotes around the word")
			}
			w.Text = b.String()
			return w, nil
		case '\\':
			p.pos++
			if p.continued() {
				continue
			}
			if p.cur() == 0 {
				continue // a backslash at the end of the text
			}
			fallthrough
		default:
			bare = true
			b.WriteByte(p.cur())
			p.pos++
		}
	}
	w.Text = b.String()
	return w, nil
}

// continued steps over the end of the line behind a backslash, and reports
// whether there was one.
func (p *parser) continued() bool {
	rest := p.text[p.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("\r\n")):
		p.pos++
		return p.newLine()
	case bytes.HasPrefix(rest, []byte("\n")):
		return p.newLine()
	}
	return false
}

// quoted reads up to the closing quote. A backslash means something in double
// quotes only.
func (p *parser) quoted(b *strings.Builder, quote byte) error {
	open := p.here()
	p.pos++
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		if c == '\\' && quote == '"' {
			p.pos++
			if p.continued() || p.pos >= len(p.text) {
				continue
			}
			c = p.text[p.pos]
		} else if c == quote {
			p.pos++
			return nil
		}
		if c == '\n' {
			p.line++
		}
		b.WriteByte(c)
		p.pos++
	}
	return p.errorf(open, "the quote %c that begins here is never closed", quote)
}

// quoteShort quotes what stands in a file for an error, not too much of it.
func quoteShort(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
