package setup

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hien-wifi/hien/internal/uci"
)

// A Change is one step of what is done to a file of /etc/config. With a Type
// it makes a section; with an Option it gives that its values, or takes it
// out when there are none; with neither it takes the section out.
type Change struct {
	File    string // "network"
	Section string // its name
	Type    string
	Option  string
	List    bool
	Values  []string
	Over    bool // the option has a value already
}

// Commands are the change as one types it on a router.
func (c Change) Commands() []string {
	at := c.File + "." + c.Section
	switch {
	case c.Type != "":
		return []string{"uci set " + at + "=" + uci.Quote(c.Type)}
	case c.Option == "":
		return []string{"uci delete " + at}
	}
	at += "." + c.Option
	switch {
	case len(c.Values) == 0:
		return []string{"uci delete " + at}
	case !c.List:
		return []string{"uci set " + at + "=" + uci.Quote(c.Values[0])}
	}
	var lines []string
	if c.Over {
		lines = append(lines, "uci delete "+at)
	}
	for _, v := range c.Values {
		lines = append(lines, "uci add_list "+at+"="+uci.Quote(v))
	}
	return lines
}

// CommandLines are all changes as one types them, each file's committed behind
// the last of its changes.
func CommandLines(changes []Change) (lines []string) {
	for i, c := range changes {
		lines = append(lines, c.Commands()...)
		if i == len(changes)-1 || changes[i+1].File != c.File {
			lines = append(lines, "uci commit "+c.File)
		}
	}
	return lines
}

// edit makes the change in the text of its file.
func (c Change) edit(text []byte) ([]byte, error) {
	switch {
	case c.Type != "":
		return uci.AddSection(c.File, text, c.Type, c.Section)
	case c.Option == "":
		return uci.DeleteSection(c.File, text, c.Section)
	case c.List || len(c.Values) == 0:
		return uci.SetList(c.File, text, c.Section, c.Option, c.Values)
	}
	return uci.Set(c.File, text, c.Section, c.Option, c.Values[0])
}

// Edit makes changes in the texts of files, which stay as they are, and
// answers those of the files that are changed.
func Edit(texts map[string][]byte, changes []Change) (map[string][]byte, error) {
	edited := make(map[string][]byte)
	for _, c := range changes {
		text, begun := edited[c.File]
		if !begun {
			text = texts[c.File]
		}
		var err error
		if edited[c.File], err = c.edit(text); err != nil {
			return nil, err
		}
	}
	return edited, nil
}

// A wish is what a section shall be.
type wish struct {
	file, section, typ string
	options            []wished
}

// A wished option has these values; without any it is not there.
type wished struct {
	name   string
	list   bool
	values []string
}

func is(name, value string) wished        { return wished{name, false, some(value)} }
func are(name string, v ...string) wished { return wished{name, true, v} }
func (w wished) as(have *section) (is bool) {
	return slices.EqualFunc(w.values, have.lines(w.name), w.line)
}

func (w wished) line(value string, have uci.Option) bool {
	return have.List == w.list && have.Value.Text == value
}

func some(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// errTaken says that a section of our name is another's.
var errTaken = errors.New("taken")

// changes are what makes a file say what is wished.
func (w wish) changes(have tree) (all []Change, err error) {
	s := have.named(w.section)
	if s != nil && s.typ != w.typ {
		return nil, fmt.Errorf("%w: config %s '%s'", errTaken, s.typ, s.name)
	}
	if s == nil {
		all = append(all, Change{File: w.file, Section: w.section, Type: w.typ})
	}
	for _, o := range w.options {
		if !o.as(s) {
			all = append(all, Change{File: w.file, Section: w.section, Option: o.name, List: o.list, Values: o.values, Over: len(s.lines(o.name)) > 0})
		}
	}
	return all, nil
}

// ours are the sections of a file that setup makes, by name.
func (t tree) ours(file string) (names []string) {
	for _, s := range t {
		if ours(file, s.name, s.typ) {
			names = append(names, s.name)
		}
	}
	return names
}

// stale are the changes that take out our sections which are not wished.
func stale(file string, have tree, wishes []wish) (all []Change) {
	for _, name := range have.ours(file) {
		if !slices.ContainsFunc(wishes, func(w wish) bool { return w.file == file && w.section == name }) {
			all = append(all, Change{File: file, Section: name})
		}
	}
	slices.Reverse(all) // the last first, as they were added
	return all
}
