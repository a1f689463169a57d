package commandline_test

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/commandline"
)

func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, c := range []struct {
		args  string
		most  int
		words []string
		json  bool
		err   string
	}{
		{"--json a b", 2, []string{"a", "b"}, true, ""},
		{"a --json b", 2, []string{"a", "b"}, true, ""},
		{"a b --json", -1, []string{"a", "b"}, true, ""},
		{"", 0, nil, false, ""},
		{"a b", 1, nil, false, `"b" is one word too many`},
		{"a --jsn", 1, nil, false, "flag provided but not defined: -jsn"},
		{"a -h", 1, nil, false, flag.ErrHelp.Error()},
	} {
		flags := flag.NewFlagSet("hien try", flag.ContinueOnError)
		json := flags.Bool("json", false, "for machines")
		words, err := commandline.Parse(flags, strings.Fields(c.args), c.most)
		switch {
		case c.err != "":
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: got the error %v, want %q", c.args, err, c.err)
			}
		case err != nil || !slices.Equal(words, c.words) || *json != c.json:
			t.Errorf("%q: got %q, %v, %v; want %q, %v", c.args, words, *json, err, c.words, c.json)
		}
		if c.err == flag.ErrHelp.Error() && !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: got %v, want flag.ErrHelp", c.args, err)
		}
	}
}
