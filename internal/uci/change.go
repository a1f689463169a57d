package uci

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNoSection says that a file has no section of a name.
var ErrNoSection = errors.New("there is no such section")

// AddSection puts "config typ 'section'" behind the end of the text of a file,
// with an empty line before it, and leaves every other byte as it was. name is
// what errors call the file. A section of that name that is there already, or
// a text that cannot be parsed, is an error.
func AddSection(name string, text []byte, typ, section string) ([]byte, error) {
	p, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	switch {
	case !validType(typ) || !validName(section):
		return nil, fmt.Errorf("edit %s: bad section %q of type %q", name, section, typ)
	case len(p.named(section)) > 0:
		return nil, fmt.Errorf("edit %s: there is a section %q already", name, section)
	}
	word := typ
	if !validPackage(word) {
		word = Quote(word)
	}
	// A text without a line feed at its end gets no empty line: so
	// DeleteSection knows how it ended.
	feed := p.feed(max(0, len(text)-2))
	p.file.Sections = append(p.file.Sections, Section{Type: Word{Text: typ}, Name: Word{Text: section}})
	added, err := checked(&p.file, slices.Concat(text, []byte(feed+"config "+word+" "+Quote(section)+feed)))
	if err != nil {
		return nil, err
	}
	if again, err := DeleteSection(name, added, section); err != nil || !bytes.Equal(again, text) {
		return nil, fmt.Errorf("edit %s: change it by hand: the end of the file is one behind which nothing can be put and taken away again", name)
	}
	return added, nil
}

// DeleteSection takes a section out of the text of a file: from its config
// line to its last option, whatever stands between, in each place where it
// has a part, and the empty line before it. Every other byte stays. What
// AddSection has made of a text becomes that text again, to the byte.
// ErrNoSection says that there is none.
func DeleteSection(name string, text []byte, section string) ([]byte, error) {
	for found := false; ; found = true {
		p, err := parse(name, text)
		if err != nil {
			return nil, err
		}
		parts := p.named(section)
		switch {
		case len(parts) == 0 && found:
			return text, nil
		case len(parts) == 0:
			return nil, fmt.Errorf("edit %s: section %q: %w", name, section, ErrNoSection)
		}
		last := parts[len(parts)-1]
		spans := p.section(last)
		from, to := p.wholly(span{spans[0].from, spans[len(spans)-1].to})
		p.file.Sections = slices.Delete(p.file.Sections, last, last+1)
		if text, err = checked(&p.file, slices.Concat(text[:from], text[to:])); err != nil {
			return nil, err
		}
	}
}

// Set makes an option of a section have a value, and no other, and leaves
// every other byte of the file's text as it was. Where it has the value
// already nothing changes. An empty value is none: the option goes.
// ErrNoSection says that there is no such section.
func Set(name string, text []byte, section, option, value string) ([]byte, error) {
	return put(name, text, section, option, false, []string{value})
}

// SetList is Set for a list. No values: the list goes.
func SetList(name string, text []byte, section, option string, values []string) ([]byte, error) {
	return put(name, text, section, option, true, values)
}

// A command is an option of a section where it stands in a text.
type command struct {
	part, at int // of file.Sections, and of their Options
	span
}

func put(name string, text []byte, section, option string, list bool, values []string) ([]byte, error) {
	p, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	if !validName(option) || slices.ContainsFunc(values, func(v string) bool { return strings.ContainsRune(v, 0) }) {
		return nil, fmt.Errorf("edit %s: bad option %q", name, option)
	}
	parts := p.named(section)
	if len(parts) == 0 {
		return nil, fmt.Errorf("edit %s: section %q: %w", name, section, ErrNoSection)
	}
	var now []command
	var wanted []Option
	for _, v := range values {
		wanted = append(wanted, Option{List: list, Name: Word{Text: option}, Value: Word{Text: v}})
	}
	for _, i := range parts {
		spans := p.section(i)
		for at, o := range p.file.Sections[i].Options {
			if o.Name.Text == option {
				now = append(now, command{i, at, spans[at+1]})
			}
		}
	}
	// What is as it shall be stays, with its quotes and its comment.
	same := 0
	for same < min(len(now), len(wanted)) && p.option(now[same]).says(wanted[same]) {
		same++
	}
	stale, fresh := now[same:], wanted[same:]
	if len(stale) == 0 && len(fresh) == 0 {
		return text, nil
	}
	var edits []edit
	last := parts[len(parts)-1]
	place := command{last, len(p.file.Sections[last].Options) - 1, p.section(last)[len(p.section(last))-1]}
	if same > 0 {
		place = now[same-1]
	}
	var first []Option // takes the place of the first that goes
	if len(stale) > 0 && len(fresh) > 0 {
		first, fresh = fresh[:1], fresh[1:]
		place = stale[0]
	}
	for i, c := range stale {
		from, to := p.whole(c.span)
		if i == 0 && len(first) > 0 {
			edits = append(edits, edit{c.from, c.to, line(first[0]) + p.tail(c.span)})
			continue
		}
		edits = append(edits, edit{from, to, ""})
	}
	if len(fresh) > 0 {
		edits = append(edits, p.insertion(place, fresh))
	}
	p.change(now, place, stale, first, fresh)
	return checked(&p.file, apply(text, edits))
}

// change does to the parsed file what the edits do to the text.
func (p *parser) change(now []command, place command, stale []command, first, fresh []Option) {
	options := slices.Clone(p.file.Sections[place.part].Options)
	p.file.Sections[place.part].Options = slices.Insert(options, place.at+1, fresh...)
	for i, c := range slices.Backward(stale) {
		s := &p.file.Sections[c.part]
		at := c.at
		if c.part == place.part && c.at > place.at {
			at += len(fresh)
		}
		if i == 0 && len(first) > 0 {
			s.Options[at] = first[0]
			continue
		}
		s.Options = slices.Delete(slices.Clone(s.Options), at, at+1)
	}
}

// insertion puts options into lines of their own behind a command.
func (p *parser) insertion(behind command, options []Option) edit {
	indent := "\t"
	if behind.at >= 0 { // it is no config line
		indent = p.indent(behind.from)
	}
	feed := p.feed(behind.to)
	place, begins := p.behind(behind.to)
	var b strings.Builder
	if !begins {
		b.WriteString(feed)
	}
	for _, o := range options {
		b.WriteString(indent + line(o) + feed)
	}
	return edit{place, place, b.String()}
}

// line is an option as it is written.
func line(o Option) string {
	word := "option "
	if o.List {
		word = "list "
	}
	return word + o.Name.Text + " " + Quote(o.Value.Text)
}

// tail is what stands in the place of a command behind its last word: a ';'
// and blanks before a comment.
func (p *parser) tail(c span) string {
	whole := p.text[c.from:c.to]
	bare := bytes.TrimRight(whole, " \t\r\v\f")
	blanks := string(whole[len(bare):])
	if bytes.HasSuffix(bare, []byte(";")) {
		return " ;" + blanks
	}
	return blanks
}

// says reports whether two options say the same.
func (o Option) says(other Option) bool {
	return o.List == other.List && o.Name.Text == other.Name.Text && o.Value.Text == other.Value.Text
}

func (p *parser) option(c command) Option { return p.file.Sections[c.part].Options[c.at] }

// named are the sections of a name, which are parts of one.
func (p *parser) named(section string) (parts []int) {
	for i, s := range p.file.Sections {
		if s.Name.Text == section && section != "" {
			parts = append(parts, i)
		}
	}
	return parts
}

// section is where the commands of a section stand: the config line, then
// each option.
func (p *parser) section(i int) (spans []span) {
	at := -1
	for _, c := range p.commands {
		switch p.text[c.from] {
		case 'c':
			at++
		case 'p':
			continue
		}
		if at == i {
			spans = append(spans, c)
		}
	}
	return spans
}

// wholly is what is cut out with a section: its lines, and the line feed that
// parts it from what is before.
func (p *parser) wholly(c span) (from, to int) {
	from, to = p.whole(c)
	if begin, _ := p.lineOf(c.from); len(bytes.TrimSpace(p.text[begin:c.from])) > 0 || p.shared(c.to) {
		return from, to
	}
	feed := func(at int) int { // the length of the line feed that ends at
		switch {
		case bytes.HasSuffix(p.text[:at], []byte("\r\n")):
			return 2
		case bytes.HasSuffix(p.text[:at], []byte("\n")):
			return 1
		}
		return 0
	}
	before := feed(from)
	switch above := from - before; {
	case before == 0: // it begins the file
	case above == 0 || feed(above) > 0, to == len(p.text): // an empty line, or nothing behind it
		return above, to
	}
	// The line above it is not empty: then one below it goes.
	if rest := p.text[to:]; before > 0 && bytes.HasPrefix(rest, p.text[from-before:from]) {
		to += before
	}
	return from, to
}

// An edit puts a text in the place of another.
type edit struct {
	from, to int
	text     string
}

// apply makes edits that do not overlap.
func apply(text []byte, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, text[at:e.from]...), e.text...)
		at = e.to
	}
	return append(out, text[at:]...)
}
