package uci

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

const network = `# the shop's own router
config interface 'loopback'
	option device 'lo'

config interface 'lan'	# tills and printers
	option proto "static"
	list dns 192.0.2.1
	list dns '192.0.2.2' # the second

config rule
	option in 'lan'
`

func TestAddSectionStandsBehindTheRest(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"with an empty line before it", "config a\n", "config a\n\nconfig b 'c'\n"},
		{"in an empty file", "", "\nconfig b 'c'\n"},
		{"in a file without a line feed at its end", "config a", "config a\nconfig b 'c'\n"},
		{"behind a comment", "# x", "# x\nconfig b 'c'\n"},
		{"with the line ends of the others", "config a\r\n", "config a\r\n\r\nconfig b 'c'\r\n"},
		{"behind empty lines", "config a\n\n\n", "config a\n\n\n\nconfig b 'c'\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := AddSection("f", []byte(c.in), "b", "c")
			if err != nil || string(got) != c.want {
				t.Errorf("got %v, %q; want %q", err, got, c.want)
			}
			if again, err := DeleteSection("f", got, "c"); err != nil || string(again) != c.in {
				t.Errorf("deleted again: got %v, %q; want %q", err, again, c.in)
			}
		})
	}
}

func TestDeleteSectionTouchesNothingElse(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"as uci writes a file", "\nconfig a 'x'\n\toption b 'c'\n\nconfig a 'y'\n\toption b 'c'\n\nconfig a 'z'\n", "\nconfig a 'x'\n\toption b 'c'\n\nconfig a 'z'\n"},
		{"the first", "config a 'y'\n\toption b 'c'\n\nconfig a 'z'\n", "\nconfig a 'z'\n"},
		{"the last", "config a 'x'\n\nconfig a 'y'\n\toption b 'c'\n", "config a 'x'\n"},
		{"with a comment in it and none of those around it", "config a x\n# of y\nconfig a 'y' # y\n# in y\n\toption b 'c'\n# of z\nconfig a 'z'\n", "config a x\n# of y\n# of z\nconfig a 'z'\n"},
		{"in several parts", "config a y\n\toption b c\n\nconfig a x\n\nconfig a y\n\toption d e\n\nconfig a y\n", "config a x\n"},
		{"that shares its line", "config a x ; config a y ; option b c ; config a z\n", "config a x ;  config a z\n"},
		{"no other of its type", "config a\n\nconfig a y\n\nconfig a\n", "config a\n\nconfig a\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := DeleteSection("f", []byte(c.in), "y")
			if err != nil || strings.TrimLeft(string(got), "\n") != strings.TrimLeft(c.want, "\n") {
				t.Errorf("got %v\n%q\nwant\n%q", err, got, c.want)
			}
		})
	}
	if _, err := DeleteSection("f", []byte(network), "wan"); !errors.Is(err, ErrNoSection) {
		t.Errorf("a section that is not there: got %v, want ErrNoSection", err)
	}
}

func TestSetTouchesNothingElse(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new string // what of network becomes what
		section  string
		option   string
		list     bool
		values   []string
	}{
		{"a value that it has", "", "", "lan", "proto", false, []string{"static"}},
		{"a list that it is", "", "", "lan", "dns", true, []string{"192.0.2.1", "192.0.2.2"}},
		{"another value", `option proto "static"`, `option proto 'dhcp'`, "lan", "proto", false, []string{"dhcp"}},
		{"a new option behind the last", "# the second\n", "# the second\n\toption mtu '1400'\n", "lan", "mtu", false, []string{"1400"}},
		{"no value, which deletes", "\toption proto \"static\"\n", "", "lan", "proto", false, []string{""}},
		{"an option that is not there deleted", "", "", "lan", "mtu", false, []string{""}},
		{"a list that grows at its end", "# the second\n", "# the second\n\tlist dns '192.0.2.3'\n", "lan", "dns", true, []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}},
		{"a list that loses its end", "\tlist dns '192.0.2.2' # the second\n", "", "lan", "dns", true, []string{"192.0.2.1"}},
		{"a list with another end", "list dns '192.0.2.2' # the", "list dns '192.0.2.3' # the", "lan", "dns", true, []string{"192.0.2.1", "192.0.2.3"}},
		{"a list that becomes an option", "list dns 192.0.2.1\n\tlist dns '192.0.2.2' # the second\n", "option dns '192.0.2.2'\n", "lan", "dns", false, []string{"192.0.2.2"}},
		{"an option that becomes a list of two", `option proto "static"`, "list proto 'a'\n\tlist proto 'b'", "lan", "proto", true, []string{"a", "b"}},
		{"no list, which deletes", "\tlist dns 192.0.2.1\n\tlist dns '192.0.2.2' # the second\n", "", "lan", "dns", true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := func(text []byte) ([]byte, error) {
				if c.list {
					return SetList("f", text, c.section, c.option, c.values)
				}
				return Set("f", text, c.section, c.option, c.values[0])
			}
			got, err := set([]byte(network))
			want := strings.Replace(network, c.old, c.new, 1)
			if err != nil || string(got) != want {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
			}
			if again, err := set(got); err != nil || !bytes.Equal(again, got) {
				t.Errorf("set again: got %v\n%s\nwant no change", err, again)
			}
		})
	}
}

func TestSetInFilesOfOddLayout(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"in a section without lines", "config a y\nconfig b\n", "config a y\n\toption o 'v'\nconfig b\n"},
		{"given twice", "config a y\n option o a # one\n option p q\n option o b\n", "config a y\n option o 'v' # one\n option p q\n"},
		{"in the last of several parts", "config a y\n\toption p q\nconfig b\nconfig a y\n", "config a y\n\toption p q\nconfig b\nconfig a y\n\toption o 'v'\n"},
		{"that is in the first of several parts", "config a y\n\toption o w\nconfig a y\n\toption p q\n", "config a y\n\toption o 'v'\nconfig a y\n\toption p q\n"},
		{"in one line", "config a y ; option o 'w'; option p q\n", "config a y ; option o 'v' ; option p q\n"},
		{"over two lines", "config a y\n\toption o \\\nw # x\n", "config a y\n\toption o 'v' # x\n"},
		{"with quotes over two lines", "config a y\n\toption o 'w\nw'\n\toption p q\n", "config a y\n\toption o 'v'\n\toption p q\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Set("f", []byte(c.in), "y", "o", "v")
			if err != nil || string(got) != c.want {
				t.Errorf("got %v\n%q\nwant\n%q", err, got, c.want)
			}
		})
	}
}

func TestChangesAreRefusedWhereTheyCannotBeMade(t *testing.T) {
	set := func(section, option, value string) func(text []byte) ([]byte, error) {
		return func(text []byte) ([]byte, error) { return Set("f", text, section, option, value) }
	}
	add := func(typ, section string) func(text []byte) ([]byte, error) {
		return func(text []byte) ([]byte, error) { return AddSection("f", text, typ, section) }
	}
	for _, c := range []struct {
		name, in string
		do       func(text []byte) ([]byte, error)
	}{
		{"an option of no section", "config a\n", set("x", "b", "c")},
		{"an option of the sections without a name", "config a\n", set("", "b", "c")},
		{"no option", "config a x\n", set("x", "b-c", "d")},
		{"a value that is no text", "config a x\n", set("x", "b", "\x00")},
		{"a file that is none", "conf a\n", set("x", "b", "c")},
		{"a section that is there", "config a x\n", add("a", "x")},
		{"a section of another type that is there", "config a x\n", add("b", "x")},
		{"a name that is none", "config a x\n", add("b", "y-z")},
		{"a type that is none", "config a x\n", add("b c", "y")},
		{"a backslash at the end, which would continue the line", "config a\n\toption b c\\", add("b", "y")},
	} {
		if got, err := c.do([]byte(c.in)); err == nil {
			t.Errorf("%s: got %q, want an error", c.name, got)
		}
	}
}

func FuzzChange(f *testing.F) {
	f.Add([]byte(network), "lan", "dns", "x", true)
	f.Add([]byte("config a n ; option b c ; config d n\n option b e"), "n", "b", "it's", false)
	f.Add([]byte("config a x\r\n\tlist b 'c\r\nd' ; l b \"x\"\r\n"), "x", "b", "x\ny", true)
	f.Add([]byte("p hien ; c a y\\\n\n\no c d\\"), "y", "c", "x", false)
	f.Add([]byte("config a y\n\nconfig b\n\nconfig a y"), "y", "c", "", false)
	f.Fuzz(func(t *testing.T, in []byte, section, option, value string, list bool) {
		before, err := Parse("f", bytes.NewReader(in))
		if err != nil {
			return
		}
		others := func(f *File) (all []Section) {
			for _, s := range f.Sections {
				if s.Name.Text != section {
					all = append(all, s)
				}
			}
			return all
		}
		holds := func(text []byte, deed string) *File {
			after, err := Parse("f", bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %q became %q: %v", deed, in, text, err)
			}
			if !(&File{Sections: others(before)}).says(&File{Sections: others(after)}) {
				t.Fatalf("%s: %q became %q: another section was touched", deed, in, text)
			}
			return after
		}
		if added, err := AddSection("f", in, "new", section); err == nil {
			holds(added, "add")
			if again, err := DeleteSection("f", added, section); err != nil || !bytes.Equal(again, in) {
				t.Fatalf("%q: added to %q, deleted to %q, %v", in, added, again, err)
			}
		}
		if gone, err := DeleteSection("f", in, section); err == nil {
			for _, s := range holds(gone, "delete").Sections {
				if s.Name.Text == section {
					t.Fatalf("delete: %q became %q: it is there still", in, gone)
				}
			}
		}
		values := []string{value}
		if list {
			values = []string{value, "b", value}
		}
		edited, err := put("f", in, section, option, list, values)
		if err != nil {
			return // it says so rather than to change anything else
		}
		var got []string
		for _, s := range holds(edited, "set").Sections {
			for _, o := range s.Options {
				if s.Name.Text == section && o.Name.Text == option {
					if o.List != list {
						t.Fatalf("%q became %q: list %t", in, edited, o.List)
					}
					got = append(got, o.Value.Text)
				}
			}
		}
		if want := slices.DeleteFunc(values, func(v string) bool { return v == "" }); !slices.Equal(got, want) {
			t.Fatalf("%q became %q: got %q, want %q", in, edited, got, want)
		}
		if again, err := put("f", edited, section, option, list, values); err != nil || !bytes.Equal(again, edited) {
			t.Fatalf("%q: set again it became %q, %v", edited, again, err)
		}
	})
}
