// Command hien is the gateway: the daemon on the router, and its own command
// line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/hien-wifi/hien"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// A command is one word, or two, on the command line.
type command struct {
	name  string // "config check"
	args  string // what may follow, for the help
	about string
	run   func(ctx context.Context, c *call) error
}

// commands is the menu, in the order in which the help prints it.
func commands() []command {
	return []command{
		{"run", "", "run the gateway until it is told to stop", runDaemon},
		{"config check", "", "say everything that is wrong with the configuration", checkConfig},
		{"keygen", "", "make the brand key and the seal key pair", keygen},
		{"status", "", "is everything running", showStatus},
		{"guests", "", "who is in the shop now", showGuests},
		{"visits", "", "the latest visits of those who agreed to have them counted", showVisits},
		{"leads", "", "the people who agreed to something", showLeads},
		{"consents", "", "what each of them agreed to, as it stands", showConsents},
		{"withdraw", "SUBJECT [PURPOSE...]", "take back a person's purposes, or all of them", withdraw},
		{"queue", "", "what waits for the CDP, and what it refused", showQueue},
		{"ledger verify", "", "check that no consent was changed, dropped or added", verifyLedger},
		{"cleanup", "", "take Hiên out of the kernel; guests are no longer stopped", cleanup},
	}
}

// A call is one invocation of a command.
type call struct {
	config string
	json   bool
	args   []string // as they were given
	words  []string // what of them is no flag, after parse
	flags  *flag.FlagSet
	out    io.Writer
	err    io.Writer
}

// errUsage says that the command line itself was wrong and was answered.
var errUsage = errors.New("usage")

// run is main without the process: it answers the exit status.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	err := dispatch(ctx, args, out, errOut)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintf(errOut, "hien: %v\n", err)
	return 1
}

func dispatch(ctx context.Context, args []string, out, errOut io.Writer) error {
	if len(args) == 0 {
		help(errOut)
		return errUsage
	}
	switch args[0] {
	case "--version", "-version", "version":
		fmt.Fprintf(out, "hien %s\n", hien.Version)
		return nil
	case "help", "--help", "-help", "-h":
		help(out)
		return nil
	}
	for _, cmd := range commands() {
		words := strings.Fields(cmd.name)
		if len(args) < len(words) || strings.Join(args[:len(words)], " ") != cmd.name {
			continue
		}
		c := &call{out: out, err: errOut, flags: flag.NewFlagSet("hien "+cmd.name, flag.ContinueOnError)}
		c.flags.SetOutput(errOut)
		c.flags.StringVar(&c.config, "config", "/etc/config/hien", "the configuration `file`")
		c.flags.BoolVar(&c.json, "json", false, "answer as JSON, for machines")
		c.flags.Usage = func() {
			fmt.Fprintf(errOut, "hien %s: %s\n\nusage: hien %s [flags] %s\n", cmd.name, cmd.about, cmd.name, cmd.args)
			c.flags.PrintDefaults()
		}
		c.args = args[len(words):]
		return cmd.run(ctx, c)
	}
	fmt.Fprintf(errOut, "hien: there is no command %q\n\n", strings.Join(args[:min(2, len(args))], " "))
	help(errOut)
	return errUsage
}

// parse reads the flags, which may stand before and behind the words; at most
// most words may be there, or any number when most is negative.
func (c *call) parse(most int) error {
	for rest := c.args; ; {
		if err := c.flags.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return errUsage // flag has said what is wrong
		}
		if c.flags.NArg() == 0 {
			break
		}
		c.words = append(c.words, c.flags.Arg(0))
		rest = c.flags.Args()[1:]
	}
	if most >= 0 && len(c.words) > most {
		fmt.Fprintf(c.err, "%s: %q is one word too many\n", c.flags.Name(), c.words[most])
		c.flags.Usage()
		return errUsage
	}
	return nil
}

func help(w io.Writer) {
	fmt.Fprintf(w, "Hiên %s greets the guests of a shop's WiFi, asks before it takes anything,\nand lets them in whether or not they give something.\n\n", hien.Version)
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  hien %-30s %s\n", strings.TrimSpace(cmd.name+" "+cmd.args), cmd.about)
	}
	fmt.Fprint(w, "\nEach command takes --config FILE (default /etc/config/hien) and -h; those that\nshow something take --json. More: docs/ in the source.\n")
}
