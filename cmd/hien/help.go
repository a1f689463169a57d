package main

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/config"
)

// menu prints what can be asked of hien.
func menu(w io.Writer) {
	fmt.Fprintf(w, "Hiên %s greets the guests of a shop's WiFi, asks before it takes anything,\nand lets them in whether or not they give something.\n\n", hien.Version)
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  hien %-16s %s\n", cmd.name, cmd.about)
	}
	fmt.Fprintf(w, "  hien %-16s %s\n", "--version", "which release this is")
	fmt.Fprintf(w, "\n`hien COMMAND -h` says more of each. All take --config FILE (default\n%s); those that show something take --json.\n", config.DefaultFile)
}

// help prints what the command does and takes.
func (c *call) help(w io.Writer) {
	usage := strings.TrimSpace("usage: " + c.flags.Name() + " [flags] " + c.command.args)
	fmt.Fprintf(w, "%s: %s\n\n%s\n\n", c.flags.Name(), c.command.about, usage)
	c.flags.VisitAll(func(f *flag.Flag) {
		value, about := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" {
			about += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  %s\n        %s\n", strings.TrimSpace("--"+f.Name+" "+value), about)
	})
	fmt.Fprintf(w, "\n%s", strings.TrimPrefix(c.command.help, "\n"))
}

// What each command's help says, at most 80 columns wide.
const (
	runHelp = `
It shuts the door to guests without a pass, serves the portal on each guest
interface, and carries what people agreed to the CDP. It stays in the
foreground and logs to standard error. SIGHUP reads the configuration again;
SIGTERM stops it, and the door stays shut.

Example:
    hien run --config /etc/config/hien
`
	checkHelp = `
It reads the configuration and the files that it names, and says all that is
wrong at once, by file and line. Nothing is changed. Its exit status is 1 when
hien would not run with it; warnings alone leave it at 0.

Example:
    hien config check && kill -HUP "$(pidof hien)"
`
	keygenHelp = `
The brand key turns a number into a name that all shops of the brand share; it
is written to a file. The seal key pair seals the numbers themselves: its public
half goes into the configuration, its private half is shown once and belongs on
no router. A brand key that exists is kept; the pair is a new one each time.

Example:
    hien keygen --brand-key-file /etc/hien/brand.key
`
	statusHelp = `
It says in one sentence how the gateway is, then how each part of it is, then
what you should do, the most urgent first.

Example, for a program that watches:
    hien status --json
`
	guestsHelp = `
It shows the devices that are in the shop now, those seen last first: whether
they are online and for how long, and whether they are known. A device's address
is masked, and no number is shown.

Example:
    hien guests --limit 20
`
	visitsHelp = `
It shows the visits of the people who agreed to have them counted, and of nobody
else, the latest first. A person is the beginning of a random name.

Example:
    hien visits --limit 500 --json
`
	leadsHelp = `
It shows the people who allow at least one purpose, the newest first. Numbers
are not shown: where one is kept it is sealed, and the key is not on this
router.

Example:
    hien leads --json
`
	consentsHelp = `
It shows each person's answers as they stand, the latest first: yes or no to
each purpose. SUBJECT is the person's random name, which hien withdraw takes.

Example:
    hien consents --limit 10
`
	withdrawHelp = `
For a person who asks at the counter. Without a PURPOSE everything is taken
back. What was taken back is in the ledger, events of it that still wait are
deleted, and the CDP is told before anything else. hien consents shows SUBJECT
and the purposes.

Examples:
    hien withdraw 5f0c2a9e4b7d41c38a6e0d9b1f2e3c4d
    hien withdraw 5f0c2a9e4b7d41c38a6e0d9b1f2e3c4d contact_zalo
`
	queueHelp = `
It shows the events that have not reached the CDP: first those that it refused
for good, with its answer, then those that wait, in the order in which they go.

Example:
    hien queue --limit 1000 --json
`
	ledgerHelp = `
It checks each entry of the ledger: that it is the one that was signed here, and
that none is missing. A daemon that runs is asked; else the record is read. Its
exit status is 1 when the ledger does not hold.

Example:
    hien ledger verify --json
`
	cleanupHelp = `
It takes every rule and set of Hiên out of the kernel, as it was before, with
the daemon alive or dead: guests are no longer stopped. A daemon that runs is
told to leave it so; SIGHUP or a restart shuts the door again.

Example:
    hien cleanup
`
)
