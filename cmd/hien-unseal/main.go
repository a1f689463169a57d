// Hien-unseal is the tool of whoever holds a brand's keys. It makes them,
// opens the numbers that routers have sealed, and turns the brand's own
// customer numbers into lead keys. It is for a computer of the brand's, and
// refuses to work on a router: a router that has held an unseal key can have
// told it.
//
//	hien-unseal keygen --paper keys.html
//	hien-unseal open --key unseal.key leads.csv > numbers.csv
//
// Keys come from files or are typed without an echo, never from the command
// line, which every user of a computer can read. The exit status is 0, 1 when
// something could not be done, some rows of a file included, and 2 for a
// command line that is wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/commandline"
)

func main() {
	t := tool{in: os.Stdin, out: os.Stdout, err: os.Stderr, ask: askTerminal, now: time.Now, router: "/etc/openwrt_release"}
	os.Exit(t.run(os.Args[1:]))
}

// A tool is hien-unseal and its surroundings.
type tool struct {
	in       io.Reader
	out, err io.Writer
	ask      func(prompt string) (string, error) // types a secret in
	now      func() time.Time
	router   string // the file by which an OpenWrt router is known
}

// A command is one word on the command line.
type command struct {
	name  string
	args  string // what may follow, for the help
	about string // in the menu
	help  string // what its own help says below that
	run   func(c *call) error
}

// commands is the menu; help.go has the texts.
func commands() []command {
	return []command{
		{"keygen", "", "make a brand's keys, and print them on paper", keygenHelp, keygen},
		{"check", "FILE...", "say which keys are in which file, without showing them", checkHelp, checkKeys},
		{"open", "[FILE]", "turn sealed numbers into readable ones", openHelp, open},
		{"leadkeys", "[FILE]", "turn your own customers' numbers into lead keys", leadkeysHelp, leadkeys},
		{"rotate", "[FILE]", "list old and new lead keys after a change of key", rotateHelp, rotate},
		{"accesslog", "FOLDER|FILE...", "open the access log, for a lawful request", accessLogHelp, openAccessLog},
	}
}

// A call is one invocation of a command.
type call struct {
	tool
	command command
	args    []string // as they were given
	words   []string // what of them is no flag, after parse
	flags   *flag.FlagSet
	anyway  bool // on a router too
}

// errUsage says that the command line itself was wrong and was answered.
var errUsage = errors.New("usage")

// run is main without the process: it answers the exit status.
func (t tool) run(args []string) int {
	err := t.dispatch(args)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintf(t.err, "hien-unseal: %v\n", err)
	return 1
}

func (t tool) dispatch(args []string) error {
	if len(args) == 0 {
		menu(t.err)
		return errUsage
	}
	switch args[0] {
	case "--version", "-version", "version":
		fmt.Fprintf(t.out, "hien-unseal %s\n", hien.Version)
		return nil
	case "help", "--help", "-help", "-h":
		menu(t.out)
		return nil
	}
	for _, cmd := range commands() {
		if cmd.name == args[0] {
			return cmd.run(t.call(cmd, args[1:]))
		}
	}
	fmt.Fprintf(t.err, "hien-unseal: there is no command %q\n\n", args[0])
	menu(t.err)
	return errUsage
}

func (t tool) call(cmd command, args []string) *call {
	c := &call{tool: t, command: cmd, args: args, flags: flag.NewFlagSet("hien-unseal "+cmd.name, flag.ContinueOnError)}
	c.flags.BoolVar(&c.anyway, "even-on-a-router", false, "work on a router too: its keys must be changed after that")
	return c
}

// parse reads the flags, which may stand before and behind the words, and
// refuses a router. At most most words may be there, or any number when most
// is negative.
func (c *call) parse(most int) error {
	words, err := commandline.Parse(c.flags, c.args, most)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.help(c.out)
		return err
	case err != nil:
		return c.misused("%v", err)
	}
	c.words = words
	return c.refuseRouter()
}

// refuseRouter keeps the keys off OpenWrt, the system of shops' routers.
func (c *call) refuseRouter() error {
	if _, err := os.Stat(c.router); err != nil {
		return nil // none that we know
	}
	if c.anyway {
		fmt.Fprintln(c.err, "hien-unseal: this is a router. Whatever keys are used here count as stolen with it.")
		return nil
	}
	return fmt.Errorf("this is a router (there is %s), and the keys must never be here: use a computer of the brand's; --even-on-a-router overrides this", c.router)
}

// misused tells what is wrong with the command line.
func (c *call) misused(format string, args ...any) error {
	commandline.Misused(c.err, c.flags, fmt.Sprintf(format, args...))
	return errUsage
}

// menu prints what can be asked of hien-unseal.
func menu(w io.Writer) {
	fmt.Fprintf(w, "hien-unseal %s is for whoever holds a brand's keys. It belongs on a\ncomputer of the brand, never on a router.\n\n", hien.Version)
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  hien-unseal %-10s %s\n", cmd.name, cmd.about)
	}
	fmt.Fprintf(w, "\n`hien-unseal COMMAND -h` says more of each. docs/keys.md says who keeps which\nkey, and what to do when one is lost or stolen.\n")
}

// help prints what the command does and takes.
func (c *call) help(w io.Writer) {
	commandline.Help(w, c.flags, c.command.about, c.command.args, c.command.help)
}
