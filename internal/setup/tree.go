package setup

import (
	"bytes"
	"strings"

	"github.com/hien-wifi/hien/internal/uci"
)

// A tree is what a file says, with the parts of a section put together as
// libuci does.
type tree []*section

// A section is one of them.
type section struct {
	typ, name string
	options   []uci.Option // those that are set
}

// parse reads a file's text.
func parse(name string, text []byte) (tree, error) {
	f, err := uci.Parse(name, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	var t tree
	for _, s := range f.Sections {
		into := t.named(s.Name.Text)
		if into == nil {
			into = &section{typ: s.Type.Text, name: s.Name.Text}
			t = append(t, into)
		}
		for _, o := range s.Options {
			into.add(o)
		}
	}
	return t, nil
}

// add takes a line as libuci does: an option takes the place of what was set
// before, a list is added to, and an empty option is none.
func (s *section) add(o uci.Option) {
	if !o.List {
		var others []uci.Option
		for _, before := range s.options {
			if before.Name.Text != o.Name.Text {
				others = append(others, before)
			}
		}
		s.options = others
	}
	if o.Value.Text != "" {
		s.options = append(s.options, o)
	}
}

func (t tree) named(name string) *section {
	for _, s := range t {
		if s.name == name && name != "" {
			return s
		}
	}
	return nil
}

func (t tree) of(typ string) (all []*section) {
	for _, s := range t {
		if s.typ == typ {
			all = append(all, s)
		}
	}
	return all
}

// get is the value of an option; of a list, the first. A nil section has none.
func (s *section) get(option string) string {
	if all := s.lines(option); len(all) > 0 {
		return all[0].Value.Text
	}
	return ""
}

// words are the values of a list, or the words of an option: OpenWrt's own
// programs read the one as the other.
func (s *section) words(option string) (all []string) {
	for _, o := range s.lines(option) {
		all = append(all, strings.Fields(o.Value.Text)...)
	}
	return all
}

func (s *section) lines(option string) (all []uci.Option) {
	if s == nil {
		return nil
	}
	for _, o := range s.options {
		if o.Name.Text == option {
			all = append(all, o)
		}
	}
	return all
}

// on reads a boolean as OpenWrt's scripts do.
func (s *section) on(option string) bool {
	switch s.get(option) {
	case "1", "on", "true", "yes", "enabled":
		return true
	}
	return false
}
