// Package commandline reads what stands behind a command on the command line,
// and prints the command's help. The programs that have several commands share
// it, so that they are used alike.
package commandline

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// Parse reads a command's flags, which may stand before and behind its words,
// and answers the words. At most most of them may be there, or any number when
// most is negative. The error is flag.ErrHelp where help was asked for, and else
// says what is wrong.
func Parse(flags *flag.FlagSet, args []string, most int) (words []string, err error) {
	flags.SetOutput(io.Discard) // the error says it
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			break
		}
		words = append(words, flags.Arg(0))
		args = flags.Args()[1:]
	}
	if most >= 0 && len(words) > most {
		return nil, fmt.Errorf("%q is one word too many", words[most])
	}
	return words, nil
}

// Misused tells what is wrong with a command line, and where to read on.
func Misused(w io.Writer, flags *flag.FlagSet, wrong string) {
	fmt.Fprintf(w, "%s: %s\n`%[1]s -h` says how it is used.\n", flags.Name(), wrong)
}

// Help prints what a command is about and what it takes: args are the words that
// may follow, and text says more.
func Help(w io.Writer, flags *flag.FlagSet, about, args, text string) {
	fmt.Fprintf(w, "%s: %s\n\n%s\n\n", flags.Name(), about, strings.TrimSpace("usage: "+flags.Name()+" [flags] "+args))
	flags.VisitAll(func(f *flag.Flag) {
		value, about := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			about += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  %s\n        %s\n", strings.TrimSpace("--"+f.Name+" "+value), about)
	})
	fmt.Fprintf(w, "\n%s", strings.TrimPrefix(text, "\n"))
}
