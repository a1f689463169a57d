// Command hien-demo makes a small world in network namespaces (an internet, a
// router, four phones, a customer-data platform), runs the real hien in its
// router and lets the phones live. It tells each step in one line and ends
// with what the platform received. Any step that does not happen ends it with
// status 1.
//
// Nothing of the machine is touched: see package world.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hien-wifi/hien/internal/world"
)

func main() {
	flags := flag.NewFlagSet("hien-demo", flag.ContinueOnError)
	program := flags.String("hien", "bin/hien", "the gateway's `program`, as make builds it")
	verifier := flags.String("verify", "", "the auditors' `program`; hien-verify beside -hien when empty")
	stay := flags.Bool("stay", false, "leave the world up afterwards, for a browser on this machine, until Ctrl-C")
	listen := flags.String("listen", "127.0.0.1:2061,127.0.0.1:2062", "with -stay: where on this machine two phones' views of the portal are opened")
	own := flags.String("like", "", "with -stay: give the shop the texts of this `file`, an owner's own configuration, with the notice that it makes")
	keep := flags.String("artifacts", "", "copy the gateway's log and the platform's JSON into this `folder`")
	if err := flags.Parse(os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(0)
		}
		os.Exit(2)
	}
	for _, name := range []*string{program, verifier, own} {
		if *name == "" {
			continue
		}
		// The world has another current directory.
		if path, err := filepath.Abs(*name); err == nil {
			*name = path
		}
	}
	var entry world.Entry
	if *stay {
		entry.Listen = splitComma(*listen)
	}
	inside, err := world.Enter(entry)
	if err != nil {
		fmt.Fprintf(os.Stderr, "hien-demo: %v\n", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, story{program: *program, verifier: *verifier, like: *own}, *keep, inside.Listeners); err != nil {
		fmt.Fprintf(os.Stderr, "hien-demo: %v\n", err)
		os.Exit(1)
	}
}

// patience is how long the whole story may take; a step that hangs fails.
const patience = 3 * time.Minute

func run(ctx context.Context, out io.Writer, of story, artifacts string, views []net.Listener) error {
	s := &of
	s.out, s.started = out, time.Now()
	if s.verifier == "" {
		s.verifier = filepath.Join(filepath.Dir(s.program), "hien-verify")
	}
	telling, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it took longer than %v", patience))
	defer cancel()
	defer s.close()
	err := s.tell(telling)
	if artifacts != "" {
		err = errors.Join(err, s.keep(artifacts))
	}
	if err != nil {
		if cause := context.Cause(telling); cause != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w (%v)", err, cause)
		}
		s.explain()
		return err
	}
	if len(views) > 0 {
		return s.stay(ctx, views)
	}
	return nil
}
