package uci

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// short writes a file's sections in a compact form for comparisons:
// type/name{option=value list+=value}.
func short(f *File) string {
	var b strings.Builder
	if f.Package.Text != "" {
		b.WriteString("package " + f.Package.Text + " ")
	}
	for i, s := range f.Sections {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.Type.Text + "/" + s.Name.Text + "{")
		for j, o := range s.Options {
			if j > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(o.Name.Text)
			if o.List {
				b.WriteByte('+')
			}
			b.WriteString("=" + o.Value.Text)
		}
		b.WriteByte('}')
	}
	return b.String()
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an empty file has no sections", "", ""},
		{"comments and empty lines are nothing", "# a\n\n  \t# b\r\n", ""},
		{"a section with options and lists",
			"config zone 'guest'\n\toption interface 'br-guest'\n\tlist purpose 'a'\n\tlist purpose 'b'\n",
			"zone/guest{interface=br-guest purpose+=a purpose+=b}"},
		{"an anonymous section", "config rule\n option x 1\n", "rule/{x=1}"},
		{"a name that is the empty quote is no name", "config rule ''\n", "rule/{}"},
		{"one letter stands for a command", "p hien\nc zone guest\no a 1\nl b 2\n", "package hien zone/guest{a=1 b+=2}"},
		{"a file without a line feed at its end", "config a b\noption c d", "a/b{c=d}"},
		{"lines that end with carriage returns", "config a 'b'\r\n\toption c 'd'\r\n\toption e f\r\n", "a/b{c=d e=f}"},
		{"double quotes keep spaces and single quotes", "config a b\noption c \"it's d\"", "a/b{c=it's d}"},
		{"a backslash in double quotes takes the next character", `config a b` + "\n" + `option c "x\"\\\n"`, `a/b{c=x"\n}`},
		{"a backslash in single quotes is a backslash", "config a b\noption c 'x\\n'", `a/b{c=x\n}`},
		{"a single quote by leaving the quotes", `config a b` + "\n" + `option c 'it'\''s'`, "a/b{c=it's}"},
		{"quoted and bare parts make one word", `config a b` + "\n" + `option c 'x'y"z"`, "a/b{c=xyz}"},
		{"a bare word with an escaped space", `config a b` + "\n" + `option c x\ y`, "a/b{c=x y}"},
		{"quotes that run over lines keep the line feed", "config a b\noption c 'x\ny'\noption d \"x\ny\"", "a/b{c=x\ny d=x\ny}"},
		{"a backslash at the end continues the line", "config a b\noption c x\\\ny\noption d \"x\\\ny\"", "a/b{c=xy d=xy}"},
		{"a backslash before CR LF continues the line", "config a b\noption c x\\\r\ny", "a/b{c=xy}"},
		{"a backslash at the end of the file is nothing", "config a b\noption c x\\", "a/b{c=x}"},
		{"a comment behind a value", "config a b # why\noption c d#e\noption f 'g#h'#i\n", "a/b{c=d f=g#h}"},
		{"an option without a value is not set", "config a b\noption c\noption d ''\n", "a/b{c= d=}"},
		{"commands with ; between them", "config a b ; option c 'd'; option e f\n", "a/b{c=d e=f}"},
		{"a package with a hyphen", "package hi-en\nconfig a b", "package hi-en a/b{}"},
		{"Vietnamese", "config hien main\noption store_name 'Quán Hiên'", "hien/main{store_name=Quán Hiên}"},
		{"a section given twice under one type", "config a b\noption c d\nconfig a b\noption c e", "a/b{c=d} a/b{c=e}"},
		{"an odd type", "config a.b-c! d", "a.b-c!/d{}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse("f", strings.NewReader(c.in))
			if err != nil {
				t.Fatalf("Parse(%q): %v", c.in, err)
			}
			if got := short(f); got != c.want {
				t.Errorf("Parse(%q)\n got %s\nwant %s", c.in, got, c.want)
			}
		})
	}
}

func TestParseTellsLines(t *testing.T) {
	f, err := Parse("f", strings.NewReader("# x\nconfig a\\\n 'b'\n\n option c 'x\ny'\n list d \"1\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Sections[0]
	got := []Pos{s.Pos, s.Type.Pos, s.Name.Pos, s.Options[0].Pos, s.Options[0].Value.Pos, s.Options[1].Pos, s.Options[1].Value.Pos}
	want := []Pos{{"f", 2}, {"f", 2}, {"f", 3}, {"f", 5}, {"f", 5}, {"f", 7}, {"f", 7}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("positions (-want +got):\n%s", d)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a word that is no command", "conf a b", `f:1: unknown command "conf": want config, option, list or package`},
		{"a command glued to a quote", "config a b\noption'c' d", `f:2: unknown command "option'c'": want config, option, list or package`},
		{"an option before any section", "option a b", "f:1: option before the first section: want a config line above it"},
		{"config without a type", "config", "f:1: config without a type: want config <type> '<name>'"},
		{"an option without a name", "config a b\n\toption", "f:2: option without a name: want option <name> '<value>'"},
		{"a name with a hyphen", "config a b-c", `f:1: section name "b-c": want letters, digits and _, at most 64`},
		{"a type with a space in it", "config 'a b' c", `f:1: section type "a b": want letters, digits and signs in ASCII, at most 64`},
		{"a value with spaces and no quotes", "config a b\noption c Quán Hiên", `f:2: unexpected "Hiên": want a text with spaces in it in quotes`},
		{"a quote that is never closed", "config a b\noption c 'd\noption e f\n", "f:2: the quote ' that begins here is never closed"},
		{"a ; that libuci would stumble over", "config a b\noption c d;option e f", "f:2: ';' right after a bare word: want a space before it, or quotes around the word"},
		{"two packages", "package a\npackage b", "f:2: a second package statement: want one package in one file"},
		{"one name for two types", "config a x\nconfig b x", `f:2: section "x" is a a in line 1: want another name`},
		{"a word behind a continuation and a space, which libuci takes for the one after next", "config a \\\n 'b'",
			`f:2: unexpected "b": want a text with spaces in it in quotes`},
		{"a zero byte", "config a b\noption c \x00d", "f:2: the file holds a byte of value zero: it is not a text"},
		{"several errors at once, in order, without what follows from them",
			"foo\nconfig\n\toption x 1\n\toption a-b 1\nconfig a b\n\tlist\n\toption c d e\n",
			"f:1: unknown command \"foo\": want config, option, list or package\n" +
				"f:2: config without a type: want config <type> '<name>'\n" +
				"f:4: name of option \"a-b\": want letters, digits and _, at most 64\n" +
				"f:6: list without a name: want list <name> '<value>'\n" +
				"f:7: unexpected \"e\": want a text with spaces in it in quotes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse("f", strings.NewReader(c.in))
			if err == nil {
				t.Fatalf("Parse(%q): got %s, want an error", c.in, short(f))
			}
			if err.Error() != c.want {
				t.Errorf("Parse(%q)\n got %v\nwant %v", c.in, err, c.want)
			}
		})
	}
}

func TestParseHasLimits(t *testing.T) {
	if _, err := Parse("f", io.LimitReader(endless('#'), MaxSize)); err != nil {
		t.Errorf("a file of MaxSize: %v", err)
	}
	_, err := Parse("f", endless('#'))
	if want := "f: the file is larger than 1048576 bytes"; err == nil || err.Error() != want {
		t.Errorf("an endless file: got %v, want %s", err, want)
	}
	_, err = Parse("f", strings.NewReader(strings.Repeat("x\n", 1000)))
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != maxErrors {
		t.Errorf("a thousand errors: got %d, want %d", len(errs), maxErrors)
	}
	broken := errors.New("broken")
	if _, err = Parse("f", iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a broken reader: got %v, want %v", err, broken)
	}
}

type endless byte

func (c endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

func TestWriteIsReadBack(t *testing.T) {
	in := "package hien\nconfig zone guest\n option a \"it's\\\\ \"\n list b 'x\ny'\nconfig rule\n option c \"\"\nconfig 'a#b;'\n"
	want := "package hien\n\nconfig zone 'guest'\n\toption a 'it'\\''s\\ '\n\tlist b 'x\ny'\n\nconfig rule\n\toption c ''\n\nconfig 'a#b;'\n"
	f, err := Parse("f", strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != want {
		t.Errorf("written\n got %q\nwant %q", got, want)
	}
	writesBack(t, f)
}

func TestWriteRefusesWhatCannotBeRead(t *testing.T) {
	for _, f := range []File{
		{Package: Word{Text: "a b"}},
		{Sections: []Section{{}}},
		{Sections: []Section{{Type: Word{Text: "a b"}}}},
		{Sections: []Section{{Type: Word{Text: "a"}, Name: Word{Text: "b\nc"}}}},
		{Sections: []Section{{Type: Word{Text: "a"}, Options: []Option{{}}}}},
		{Sections: []Section{{Type: Word{Text: "a"}, Options: []Option{{Name: Word{Text: "b"}, Value: Word{Text: "\x00"}}}}}},
	} {
		var b bytes.Buffer
		if err := f.Write(&b); err == nil || b.Len() > 0 {
			t.Errorf("%s: got %q, %v; want nothing and an error", short(&f), b.String(), err)
		}
	}
}

// writesBack holds that what f writes parses to f again.
func writesBack(t *testing.T, f *File) {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatalf("write %s: %v", short(f), err)
	}
	again, err := Parse(f.Name, bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatalf("parse %q: %v", b.String(), err)
	}
	if d := cmp.Diff(f, again, cmpopts.IgnoreTypes(Pos{}), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("%q is read back differently (-before +after):\n%s", b.String(), d)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"package hien\nconfig zone 'guest'\n\toption interface 'br-guest'\n\tlist purpose \"a\\\"b\"\n",
		"config a b ; option c 'it'\\''s' # x\n", "c a\\\r\n b\no c d\\", "config a b\noption c 'x\ny", "config 'a'\"b\" \\'",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		file, err := Parse("f", bytes.NewReader(in))
		var errs Errors
		switch {
		case err == nil:
			if len(in) < MaxSize/8 { // quoting makes a file longer
				writesBack(t, file)
			}
		case !errors.As(err, &errs) || len(errs) == 0:
			t.Fatalf("Parse(%q): %v is no Errors", in, err)
		}
		for _, e := range errs {
			if lines := 1 + bytes.Count(in, []byte("\n")); e.Pos.Line > lines {
				t.Fatalf("Parse(%q): %v is behind line %d", in, e, lines)
			}
		}
	})
}
