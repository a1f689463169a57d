package uci

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNotInList says that DeleteFromList found nothing to delete.
var ErrNotInList = errors.New("not in the list")

// AddToList adds "list option 'value'" to the text of a file and leaves every
// other byte as its owner wrote it: comments, order, layout. It stands behind
// the last line of that option in the section, else behind the section's last
// line. section counts from 0, as in File.Sections; name is what errors call
// the file. A text that cannot be parsed is an error.
func AddToList(name string, text []byte, section int, option, value string) ([]byte, error) {
	p, spans, err := parseFor(name, text, section)
	if err != nil {
		return nil, err
	}
	if !validName(option) || value == "" || strings.ContainsRune(value, 0) {
		return nil, fmt.Errorf("edit %s: bad option %q", name, option)
	}
	s := p.file.Sections[section]
	last := len(s.Options) // of its commands; 0 is the config line
	for i, o := range slices.Backward(s.Options) {
		if o.Name.Text == option {
			last = i + 1
			break
		}
	}
	indent := "\t"
	if last > 0 {
		indent = p.indent(spans[last].from)
	}
	feed := p.feed(spans[last].to)
	at, fresh := p.behind(spans[last].to)
	line := indent + "list " + option + " " + Quote(value) + feed
	if !fresh {
		line = feed + line
	}
	s.Options = slices.Insert(slices.Clone(s.Options), last, Option{List: true, Name: Word{Text: option}, Value: Word{Text: value}})
	p.file.Sections[section] = s
	return checked(&p.file, slices.Concat(text[:at], []byte(line), text[at:]))
}

// DeleteFromList takes every line of an option of a section whose value match
// accepts out of the text of a file, with the comment behind it, and leaves
// every other byte as it was. ErrNotInList says that there is none.
func DeleteFromList(name string, text []byte, section int, option string, match func(value string) bool) ([]byte, error) {
	p, spans, err := parseFor(name, text, section)
	if err != nil {
		return nil, err
	}
	s := p.file.Sections[section]
	var stays []Option
	edited := text
	for i, o := range slices.Backward(s.Options) { // from the end, so that the places before it hold
		if o.Name.Text != option || !match(o.Value.Text) {
			stays = append(stays, o)
			continue
		}
		from, to := p.whole(spans[i+1])
		edited = slices.Concat(edited[:from], edited[to:])
	}
	if len(stays) == len(s.Options) {
		return nil, ErrNotInList
	}
	slices.Reverse(stays)
	s.Options = stays
	p.file.Sections[section] = s
	return checked(&p.file, edited)
}

// parseFor parses a text and finds where the commands of a section stand: the
// config line, then each option.
func parseFor(name string, text []byte, section int) (p *parser, spans []span, err error) {
	if p, err = parse(name, text); err != nil {
		return nil, nil, err
	}
	if section < 0 || section >= len(p.file.Sections) {
		return nil, nil, fmt.Errorf("edit %s: there is no section %d", name, section)
	}
	at := -1
	for _, c := range p.commands {
		switch text[c.from] {
		case 'c':
			at++
		case 'p':
			continue
		}
		if at == section {
			spans = append(spans, c)
		}
	}
	return p, spans, nil
}

// lineOf is where the line begins in which at is, and where the text of a line
// ends from at on: before its line feed, or at the end of all.
func (p *parser) lineOf(at int) (begin, end int) {
	begin = bytes.LastIndexByte(p.text[:at], '\n') + 1
	if i := bytes.IndexByte(p.text[at:], '\n'); i >= 0 {
		return begin, at + i
	}
	return begin, len(p.text)
}

// shared reports whether another command stands behind at in its line.
func (p *parser) shared(at int) bool {
	_, end := p.lineOf(at)
	return slices.ContainsFunc(p.commands, func(c span) bool { return c.from >= at && c.from < end })
}

// behind is where a line may be put after a command that ends at at; fresh
// says that a line begins there.
func (p *parser) behind(at int) (place int, fresh bool) {
	_, end := p.lineOf(at)
	switch {
	case p.shared(at):
		return at, false
	case end == len(p.text):
		return end, false
	}
	return end + 1, true
}

// feed is how lines end where a command ends.
func (p *parser) feed(at int) string {
	if _, end := p.lineOf(at); end > 0 && end < len(p.text) && p.text[end-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// indent is the blank before a command that begins its line.
func (p *parser) indent(at int) string {
	begin, _ := p.lineOf(at)
	if blank := p.text[begin:at]; len(bytes.TrimSpace(blank)) == 0 {
		return string(blank)
	}
	return "\t"
}

// whole is what is cut out with a command: its lines, when it has them to
// itself.
func (p *parser) whole(c span) (from, to int) {
	begin, _ := p.lineOf(c.from)
	_, end := p.lineOf(c.to)
	if len(bytes.TrimSpace(p.text[begin:c.from])) > 0 || p.shared(c.to) {
		return c.from, c.to
	}
	return begin, min(end+1, len(p.text))
}

// checked holds that an edited text says what it should and nothing else.
func checked(want *File, edited []byte) ([]byte, error) {
	p, err := parse(want.Name, edited)
	if err == nil && !p.file.says(want) {
		err = errors.New("its layout is one that cannot be changed line by line")
	}
	if err != nil {
		return nil, fmt.Errorf("edit %s: change it by hand: %w", want.Name, err)
	}
	return edited, nil
}

// says reports whether two files say the same, wherever it stands in them.
func (f *File) says(o *File) bool {
	return f.Package.Text == o.Package.Text && slices.EqualFunc(f.Sections, o.Sections, func(a, b Section) bool {
		return a.Type.Text == b.Type.Text && a.Name.Text == b.Name.Text && slices.EqualFunc(a.Options, b.Options, func(a, b Option) bool {
			return a.List == b.List && a.Name.Text == b.Name.Text && a.Value.Text == b.Value.Text
		})
	})
}
