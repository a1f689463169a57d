package uci

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

const shop = `# the shop's own
package hien

config hien 'main'
	option store_id 'hcm-q1-01' # as the brand calls it

config zone 'guest'
	# under the roof
	option interface 'br-guest'
	list trusted '02:00:5e:10:00:01'	# the till

	option pass '4h'
# the terrace
config zone terrace
`

func TestAddToListTouchesNothingElse(t *testing.T) {
	for _, c := range []struct {
		name    string
		in      string
		section int
		option  string
		want    string // what is put in
		before  string // and what follows it
	}{
		{"behind the last of its kind", shop, 1, "trusted", "\tlist trusted 'x'\n", "\n\toption pass"},
		{"behind the last line of the section", shop, 1, "blocked", "\tlist blocked 'x'\n", "# the terrace"},
		{"into a section without lines", shop, 2, "trusted", "\tlist trusted 'x'\n", ""},
		{"as the others are indented", "config a\n    option b c\nconfig d\n", 0, "e", "    list e 'x'\n", "config d"},
		{"with the line ends of the others", "config a\r\n\toption b c\r\nconfig d\r\n", 0, "e", "\tlist e 'x'\r\n", "config d"},
		{"into a file without a line feed at its end", "config a", 0, "e", "\n\tlist e 'x'\n", ""},
		{"between two commands of one line", "config a n ; option b c ; config d", 0, "e", "\n\tlist e 'x'\n", " config d"},
		{"behind a value of two lines", "config a\n\toption b 'c\nd'\nconfig e\n", 0, "f", "\tlist f 'x'\n", "config e"},
		{"behind an option of the same name", "config a\n\toption e c\n\toption b c\n", 0, "e", "\tlist e 'x'\n", "\toption b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := AddToList("f", []byte(c.in), c.section, c.option, "x")
			if err != nil {
				t.Fatal(err)
			}
			if rest, _, found := strings.Cut(string(got), c.want+c.before); !found || !strings.HasPrefix(c.in, rest) {
				t.Errorf("got\n%s\nwant %q before %q", got, c.want, c.before)
			}
			if without := strings.Replace(string(got), c.want, "", 1); without != c.in {
				t.Errorf("the rest was touched: got\n%s\nwant\n%s", without, c.in)
			}
		})
	}
}

func TestDeleteFromListTouchesNothingElse(t *testing.T) {
	is := func(want string) func(string) bool { return func(v string) bool { return strings.EqualFold(v, want) } }
	for _, c := range []struct{ name, in, want string }{
		{"the line with its comment", shop, strings.Replace(shop, "\tlist trusted '02:00:5e:10:00:01'\t# the till\n", "", 1)},
		{"every one of them", "config a\nconfig a\nlist trusted 02:00:5E:10:00:01\noption b c\nlist trusted '02:00:5e:10:00:01'", "config a\nconfig a\noption b c\n"},
		{"one of several in a line", "config a n ; config b m ; list trusted 02:00:5e:10:00:01 ; option c d # e\n", "config a n ; config b m ;  option c d # e\n"},
		{"the last of a line", "config x\nconfig b m ; list trusted 02:00:5e:10:00:01 # e\n", "config x\nconfig b m ; # e\n"},
		{"the first of a line", "config x\nconfig b\n  list trusted 02:00:5e:10:00:01 ; option c d\n", "config x\nconfig b\n   option c d\n"},
		{"one of two lines", "config x\nconfig b\n list trusted \\\n02:00:5e:10:00:01\n option c d\n", "config x\nconfig b\n option c d\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := DeleteFromList("f", []byte(c.in), 1, "trusted", is("02:00:5e:10:00:01"))
			if err != nil || string(got) != c.want {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, c.want)
			}
		})
	}
	for _, option := range []string{"trusted", "blocked"} {
		if got, err := DeleteFromList("f", []byte(shop), 1, option, is("02:00:5e:10:00:02")); !errors.Is(err, ErrNotInList) {
			t.Errorf("another device in list %s: got %q, %v; want ErrNotInList", option, got, err)
		}
	}
}

func TestEditsAreRefusedWhereTheyCannotBeMade(t *testing.T) {
	var errs Errors
	if _, err := AddToList("f", []byte("conf a"), 0, "b", "c"); !errors.As(err, &errs) {
		t.Errorf("a file that is none: got %v, want its errors", err)
	}
	for _, c := range []struct {
		name, in      string
		section       int
		option, value string
	}{
		{"no such section", "config a\n", 1, "b", "c"},
		{"a section before the first", "config a\n", -1, "b", "c"},
		{"no option", "config a\n", 0, "b-c", "d"},
		{"a value that is no text", "config a\n", 0, "b", "\x00"},
		{"an empty value, which is none", "config a\n", 0, "b", ""},
		{"a backslash at the end, which would continue the line", "config a\n\toption b c\\", 0, "d", "e"},
	} {
		if got, err := AddToList("f", []byte(c.in), c.section, c.option, c.value); err == nil {
			t.Errorf("%s: got %q, want an error", c.name, got)
		}
	}
	if got, err := DeleteFromList("f", []byte("config a\n"), 1, "b", func(string) bool { return true }); err == nil {
		t.Errorf("delete in no section: got %q, want an error", got)
	}
}

func FuzzEdit(f *testing.F) {
	f.Add([]byte(shop), 1, "02:00:5e:10:00:02")
	f.Add([]byte("config a n ; option b c ; config d"), 0, "it's")
	f.Add([]byte("config a\r\n\tlist trusted 'c\r\nd' ; l trusted \"x\"\r\n"), 0, "x\ny")
	f.Add([]byte("p hien ; c a \\\n\n\no c d\\"), 0, "x")
	f.Fuzz(func(t *testing.T, in []byte, section int, value string) {
		before, err := Parse("f", bytes.NewReader(in))
		if err != nil {
			return
		}
		added, err := AddToList("f", in, section, "trusted", value)
		if err != nil {
			return // it says so rather than to change anything else
		}
		if len(added) <= len(in) {
			t.Fatalf("%q: got %q", in, added)
		}
		taken, err := DeleteFromList("f", added, section, "trusted", func(v string) bool { return v == value })
		if err != nil {
			return
		}
		after, err := Parse("f", bytes.NewReader(taken))
		if err != nil {
			t.Fatalf("%q: deleted to %q: %v", in, taken, err)
		}
		for i, s := range before.Sections {
			if i == section { // what was there before of the same value went too
				continue
			}
			if !(&File{Sections: []Section{s}}).says(&File{Sections: after.Sections[i : i+1]}) {
				t.Fatalf("%q: section %d is not as it was in %q", in, i, taken)
			}
		}
	})
}
