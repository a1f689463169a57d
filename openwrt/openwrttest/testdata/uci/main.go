// Command uci stands in for OpenWrt's uci, which no distribution of ours has. It
// reads and writes the real files: those of /etc/config, and those of changes
// that are not committed under /tmp/.uci, which hold a whole file and not the
// change. It knows what Hiên's scripts use, and answers as uci does.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hien-wifi/hien/internal/uci"
)

func main() {
	args := os.Args[1:]
	quiet := false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		quiet = quiet || args[0] == "-q"
		args = args[1:]
	}
	var err error
	if len(args) == 1 && args[0] == "batch" {
		err = batch(os.Stdin, os.Stdout)
	} else {
		err = do(args, os.Stdout)
	}
	if err != nil {
		if !quiet {
			fmt.Fprintln(os.Stderr, "uci:", err)
		}
		os.Exit(1)
	}
}

// batch does what its lines say. A line is read as one of a file is: its
// words with their quotes.
func batch(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		command, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		f, err := uci.Parse("batch", strings.NewReader("config x\n\toption x "+rest+"\n"))
		if err != nil {
			return err
		}
		if err := do([]string{command, f.Sections[0].Options[0].Value.Text}, out); err != nil {
			return err
		}
	}
	return nil
}

var errEntry = errors.New("Entry not found")

func do(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("Usage: uci COMMAND")
	}
	command, arg := args[0], strings.Join(args[1:], " ")
	at, value, _ := strings.Cut(arg, "=")
	words := strings.SplitN(at, ".", 3)
	if command == "commit" && arg == "" {
		staged, err := filepath.Glob("/tmp/.uci/*")
		for _, name := range staged {
			err = errors.Join(err, do([]string{"commit", filepath.Base(name)}, out))
		}
		return err
	}
	c, err := loadConf(words[0])
	if err != nil {
		return err
	}
	switch command {
	case "commit":
		return c.commit()
	case "changes":
		if c.staged {
			fmt.Fprintf(out, "%s='...'\n", c.name)
		}
		return nil
	case "export":
		return c.file.Write(out)
	case "show":
		c.show(out)
		return nil
	case "set":
		if len(words) == 2 && !slices.ContainsFunc(c.file.Sections, func(s uci.Section) bool { return s.Name.Text == words[1] }) {
			c.file.Sections = append(c.file.Sections, uci.Section{Type: uci.Word{Text: value}, Name: uci.Word{Text: words[1]}})
			return c.stage()
		}
	}
	i := c.find(words[1:])
	if i < 0 {
		return errEntry
	}
	s := &c.file.Sections[i]
	if len(words) == 2 {
		switch command {
		case "get":
			fmt.Fprintln(out, s.Type.Text)
			return nil
		case "delete":
			c.file.Sections = slices.Delete(c.file.Sections, i, i+1)
			return c.stage()
		}
		return errors.New("Invalid argument")
	}
	is := func(o uci.Option) bool { return o.Name.Text == words[2] }
	switch command {
	case "get":
		values := values(*s, words[2])
		if values == nil {
			return errEntry
		}
		fmt.Fprintln(out, strings.Join(values, " "))
		return nil
	case "delete":
		if !slices.ContainsFunc(s.Options, is) {
			return errEntry
		}
		s.Options = slices.DeleteFunc(s.Options, is)
	case "set":
		option := uci.Option{Name: uci.Word{Text: words[2]}, Value: uci.Word{Text: value}}
		if at := slices.IndexFunc(s.Options, is); at >= 0 {
			s.Options[at] = option // it keeps its place
		} else {
			s.Options = append(s.Options, option)
		}
	case "add_list":
		s.Options = append(s.Options, uci.Option{List: true, Name: uci.Word{Text: words[2]}, Value: uci.Word{Text: value}})
	default:
		return fmt.Errorf("the stand-in does not know %q", command)
	}
	return c.stage()
}

// A conf is one file, with what was changed in it.
type conf struct {
	name   string
	file   *uci.File
	staged bool
}

func (c *conf) path() string  { return filepath.Join("/etc/config", c.name) }
func (c *conf) draft() string { return filepath.Join("/tmp/.uci", c.name) }

func loadConf(name string) (*conf, error) {
	c := &conf{name: name}
	if _, err := os.Stat(c.path()); err != nil {
		return nil, errEntry
	}
	text, err := os.ReadFile(c.draft())
	c.staged = err == nil
	if err != nil {
		if text, err = os.ReadFile(c.path()); err != nil {
			return nil, err
		}
	}
	if c.file, err = uci.Parse(name, bytes.NewReader(text)); err != nil {
		return nil, err
	}
	c.file.Package.Text = ""
	return c, nil
}

func (c *conf) text() ([]byte, error) {
	var b bytes.Buffer
	err := c.file.Write(&b)
	return b.Bytes(), err
}

func (c *conf) stage() error {
	text, err := c.text()
	if err != nil {
		return err
	}
	if err := os.MkdirAll("/tmp/.uci", 0o700); err != nil {
		return err
	}
	return os.WriteFile(c.draft(), text, 0o600)
}

// commit puts a new file in the old one's place, with its mode.
func (c *conf) commit() error {
	if !c.staged {
		return nil
	}
	info, err := os.Stat(c.path())
	if err != nil {
		return err
	}
	text, err := c.text()
	if err != nil {
		return err
	}
	fresh := c.path() + ".uci-new"
	if err := os.WriteFile(fresh, text, info.Mode().Perm()); err != nil {
		return err
	}
	return errors.Join(os.Rename(fresh, c.path()), os.Remove(c.draft()))
}

// find is the place of a section: a name, or @type[n].
func (c *conf) find(words []string) int {
	if len(words) == 0 {
		return -1
	}
	name := words[0]
	if kind, index, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(name, "@"), "]"), "["); ok && name[0] == '@' {
		n, err := strconv.Atoi(index)
		if err != nil {
			return -1
		}
		for i, s := range c.file.Sections {
			if s.Type.Text == kind {
				if n == 0 {
					return i
				}
				n--
			}
		}
		return -1
	}
	return slices.IndexFunc(c.file.Sections, func(s uci.Section) bool { return s.Name.Text == name })
}

func (c *conf) show(out io.Writer) {
	count := map[string]int{}
	for _, s := range c.file.Sections {
		at := c.name + "." + s.Name.Text
		if s.Name.Text == "" {
			at = fmt.Sprintf("%s.@%s[%d]", c.name, s.Type.Text, count[s.Type.Text])
		}
		count[s.Type.Text]++
		fmt.Fprintf(out, "%s=%s\n", at, s.Type.Text)
		var seen []string
		for _, o := range s.Options {
			if slices.Contains(seen, o.Name.Text) {
				continue
			}
			seen = append(seen, o.Name.Text)
			var quoted []string
			for _, v := range values(s, o.Name.Text) {
				quoted = append(quoted, uci.Quote(v))
			}
			fmt.Fprintf(out, "%s.%s=%s\n", at, o.Name.Text, strings.Join(quoted, " "))
		}
	}
}

// values are those of an option or a list; nil when there are none.
func values(s uci.Section, option string) (all []string) {
	for _, o := range s.Options {
		if o.Name.Text == option && o.Value.Text != "" {
			if !o.List {
				all = nil
			}
			all = append(all, o.Value.Text)
		}
	}
	return all
}
