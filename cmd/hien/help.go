package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/commandline"
	"github.com/hien-wifi/hien/internal/config"
)

// menu prints what can be asked of hien.
func menu(w io.Writer) {
	fmt.Fprintf(w, "Hiên %s greets the guests of a shop's WiFi, asks before it takes\nanything, and lets them in whether or not they give something.\n\n", hien.Version)
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  hien %-16s %s\n", cmd.name, cmd.about)
	}
	fmt.Fprintf(w, "  hien %-16s %s\n", "--version", "which release this is")
	fmt.Fprintf(w, "\n`hien COMMAND -h` says more of each. All take --config FILE (default\n%s); those that show something take --json.\n", config.DefaultFile)
}

// menuOf prints the commands of two words that begin with this one, and reports
// whether there are any.
func menuOf(w io.Writer, word string) (any bool) {
	for _, cmd := range commands() {
		if strings.HasPrefix(cmd.name, word+" ") {
			fmt.Fprintf(w, "  hien %-16s %s\n", cmd.name, cmd.about)
			any = true
		}
	}
	return any
}

// help prints what the command does and takes.
func (c *call) help(w io.Writer) {
	commandline.Help(w, c.flags, c.command.about, c.command.args, c.command.help)
}

// What each command's help says, at most 80 columns wide.
const (
	runHelp = `
It shuts the door to guests without a pass, serves the portal on each guest
interface, and carries what people agreed to the CDP. It stays in the
foreground and logs to standard error. SIGHUP reads the configuration again, as
hien reload does; SIGTERM stops it, and the door stays shut.

Example:
    hien run --config /etc/config/hien
`
	checkHelp = `
It reads the configuration and the files that it names, and says all that is
wrong at once, by file and line. Nothing is changed. Its exit status is 1 when
hien would not run with it; warnings alone leave it at 0.

Example:
    hien config check && hien reload
`
	noticeShowHelp = `
It prints the notice word for word, as it is put before a guest and kept as
proof: who asks, for what, how long data is kept. It is made of the policy and
of what the configuration says of the shop. What is still missing is told.

With --hash it prints a notice that was shown, also an earlier one: as it was
read, in the language in which it was read. The hash stands in the ledger, in
hien consents --json and in what a person is given; its first digits are enough.
It is there after the person was erased too. A daemon that runs is asked; else
the record is read.

Examples:
    hien notice show --lang en
    hien notice show --hash 5a0c91d2
`
	noticePreviewHelp = `
It writes the first page and the whole notice as files into DIR, in both
languages, byte for byte as a phone is served them. Open them in a browser;
their buttons lead nowhere.

Example:
    hien notice preview /tmp/pages
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
is masked, and no number is shown. With --full the addresses are whole, as hien
admit, revoke, block and trust take them.

Examples:
    hien guests --limit 20
    hien guests --full
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
	admitHelp = `
It gives the device a whole pass, whatever it had before, as if it had gone
through the portal. A device that was not seen yet comes in as soon as it is;
--zone says where, when there are several. hien guests --full shows devices.

Example:
    hien admit 02:00:5e:10:00:01
`
	revokeHelp = `
It takes the pass of a device away, in every zone unless --zone names one: its
connections end, and it sees the portal again. It may come in again; hien block
keeps it out.

Examples:
    hien revoke 02:00:5e:10:00:01
    hien revoke 10.20.0.17
`
	blockHelp = `
It writes the device into the list blocked of every zone of the configuration,
or of the one that --zone names, and has a daemon that runs take that over: a
pass that the device has ends, and it gets no other. The rest of the file stays
as it is. Phones may draw another address for a network that they are told to
forget.

Examples:
    hien block 02:00:5e:10:00:01
    hien block --undo 02:00:5e:10:00:01
`
	trustHelp = `
It writes the device into the list trusted of every zone of the configuration,
or of the one that --zone names, and has a daemon that runs take that over: the
device is let in when it is seen, without the portal and without limits. It is
for the shop's own devices that show no page. The rest of the file stays as it
is.

Examples:
    hien trust --zone guest 02:00:5e:10:00:01
    hien trust --undo 02:00:5e:10:00:01
`
	openHelp = `
It lets everybody in without the portal, but for devices that are blocked, for a
TIME from 1m to 24h: 90m, 2h, 1h30m. It ends by itself, also when hien does not
run then. Asked again it is another time from now. Who did it, and when it
ended, is in hien audit; hien status shows that it is open.

Examples:
    hien open 2h
    hien open --end
`
	staffCodeHelp = `
It shows the six digits for guests who sign up where no code is sent: the shop
has a sender of type staff. They change every five minutes, and each is taken
for five minutes more. With --watch they stay on the screen and are drawn anew:
leave it open on the till.

Example:
    hien staff-code --watch
`
	auditHelp = `
It shows what was done by hand, the latest first: the door opened to everybody
and shut again, devices admitted, revoked, trusted, blocked, and by whom. A
device's address is masked. Two years are kept, and at most 10,000 lines.

Example:
    hien audit --limit 20
`
	reloadHelp = `
It has the daemon read the configuration again, as SIGHUP does, and says what is
wrong with it: then the old one stays in force. Guests notice nothing.

Example:
    hien reload
`
	cleanupHelp = `
It takes every rule and set of Hiên out of the kernel, as it was before, with
the daemon alive or dead: guests are no longer stopped. A daemon that runs is
told to leave it so; SIGHUP or a restart shuts the door again. On OpenWrt the
second gate that hien setup has given to netifd stays: hien setup --undo takes
it out.

Example:
    hien cleanup
`
)
