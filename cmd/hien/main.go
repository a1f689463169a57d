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
	"github.com/hien-wifi/hien/internal/commandline"
	"github.com/hien-wifi/hien/internal/config"
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
	about string // in the menu
	help  string // what its own help says below that
	json  bool   // it can answer machines
	run   func(ctx context.Context, c *call) error
}

// commands is the menu, in the order in which the help prints it. help.go
// has the texts.
func commands() []command {
	return []command{
		{"run", "", "run the gateway until it is told to stop", runHelp, false, runDaemon},
		{"config check", "", "say everything that is wrong with the configuration", checkHelp, false, checkConfig},
		{"notice show", "", "print what a guest reads before it answers", noticeShowHelp, false, showNotice},
		{"notice preview", "DIR", "write the pages that ask, as guests see them", noticePreviewHelp, false, previewNotice},
		{"keygen", "", "make the brand key and the seal key pair", keygenHelp, true, keygen},
		{"status", "", "is everything running", statusHelp, true, showStatus},
		{"guests", "", "who is in the shop now", guestsHelp, true, showGuests},
		{"visits", "", "the latest visits of those who agreed to it", visitsHelp, true, showVisits},
		{"leads export", "", "what they allow, with sealed numbers, as a file", leadsExportHelp, false, exportLeads},
		{"leads", "", "the people who agreed to something", leadsHelp, true, showLeads},
		{"consents", "", "what each of them agreed to, as it stands", consentsHelp, true, showConsents},
		{"withdraw", "SUBJECT [PURPOSE...]", "take back a person's purposes", withdrawHelp, true, withdraw},
		{"person locate", "[SUBJECT]", "what is kept of a person who asks", personLocateHelp, true, person("locate")},
		{"person export", "[SUBJECT]", "write all of it down for the person", personExportHelp, false, person("export")},
		{"person withdraw", "[SUBJECT]", "take back what a person who asks agreed to", personWithdrawHelp, true, person("withdraw")},
		{"person erase", "[SUBJECT]", "erase everything that is kept of a person", personEraseHelp, true, person("erase")},
		{"person requests", "", "what people asked for, and by when it is due", personRequestsHelp, true, showRequests},
		{"person request", "KIND", "take a request, and start its legal clock", personRequestHelp, true, openRequest},
		{"person answer", "NUMBER acknowledge|extend|refuse|done [REASON]", "note what a person was told", personAnswerHelp, true, answerRequest},
		{"receipt export", "[SUBJECT]", "a consent as a receipt for other programs", receiptExportHelp, false, person("receipt")},
		{"queue", "", "what waits for the CDP, and what it refused", queueHelp, true, showQueue},
		{"ledger verify", "", "check that no consent was changed, dropped or added", ledgerHelp, true, verifyLedger},
		{"ledger export", "", "write the ledger for an auditor", ledgerExportHelp, false, exportLedger},
		{"retention", "", "how long things are kept, and what was deleted", retentionHelp, true, showRetention},
		{"inventory", "", "what is kept of people, where, until when, and why", inventoryHelp, true, showInventory},
		{"backup key", "", "make the pair of keys for backups", backupKeyHelp, true, makeBackupKey},
		{"backup", "", "write all that this router has into one sealed file", backupHelp, false, makeBackup},
		{"restore", "FILE", "put a backup back, on this router or a new one", restoreHelp, false, restore},
		{"gate", "shut|open|status", "the second gate, without daemon and packet filter", gateHelp, true, gate},
		{"admit", "MAC", "give a device a pass", admitHelp, true, admit},
		{"revoke", "MAC|IP", "take a device's pass away", revokeHelp, true, revoke},
		{"block", "MAC", "never let a device in", blockHelp, false, block},
		{"trust", "MAC", "always let a device in, without the portal", trustHelp, false, trust},
		{"staff-code", "", "the code that the shop's till shows", staffCodeHelp, true, showStaffCode},
		{"open", "[TIME]", "let everybody in for a while", openHelp, true, openDoor},
		{"audit", "", "what was done by hand", auditHelp, true, showAudit},
		{"reload", "", "read the configuration again", reloadHelp, false, reload},
		{"setup", "", "make this router greet guests, and take that back", setupHelp, true, setUp},
		{"doctor", "", "play every phone's probe, and say what is in the way", doctorHelp, true, examine},
		{"cleanup", "", "take Hiên out of the kernel; it stops guests no more", cleanupHelp, false, cleanup},
	}
}

// A call is one invocation of a command.
type call struct {
	command command
	config  string
	json    bool
	args    []string // as they were given
	words   []string // what of them is no flag, after parse
	flags   *flag.FlagSet
	out     io.Writer
	err     io.Writer
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
		menu(errOut)
		return errUsage
	}
	switch args[0] {
	case "--version", "-version", "version":
		fmt.Fprintf(out, "hien %s\n", hien.Version)
		return nil
	case "help", "--help", "-help", "-h":
		menu(out)
		return nil
	}
	for _, cmd := range commands() {
		words := strings.Fields(cmd.name)
		if len(args) < len(words) || strings.Join(args[:len(words)], " ") != cmd.name {
			continue
		}
		return cmd.run(ctx, newCall(cmd, args[len(words):], out, errOut))
	}
	fmt.Fprintf(errOut, "hien: there is no command %q\n\n", strings.Join(args[:min(2, len(args))], " "))
	if !menuOf(errOut, args[0]) {
		menu(errOut)
	}
	return errUsage
}

func newCall(cmd command, args []string, out, errOut io.Writer) *call {
	c := &call{command: cmd, args: args, out: out, err: errOut, flags: flag.NewFlagSet("hien "+cmd.name, flag.ContinueOnError)}
	c.flags.StringVar(&c.config, "config", config.DefaultFile, "the configuration `FILE`")
	if cmd.json {
		c.flags.BoolVar(&c.json, "json", false, "answer as JSON, for machines")
	}
	return c
}

// parse reads the flags, which may stand before and behind the words; at most
// most words may be there, or any number when most is negative.
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
	return nil
}

// misused tells what is wrong with the command line.
func (c *call) misused(format string, args ...any) error {
	commandline.Misused(c.err, c.flags, fmt.Sprintf(format, args...))
	return errUsage
}
