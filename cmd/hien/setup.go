package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/doctor"
	"github.com/hien-wifi/hien/internal/setup"
)

const setupHelp = `
It asks for the shop's name and a few things more, in Vietnamese or English, and
then makes a guest network beside the shop's own: a bridge, a WiFi, addresses, a
zone of the firewall, and the second gate. All of it is in sections of Hiên's
own, which begin with hien_; the shop's network, its internet and LuCI are never
touched. A guest is played, and unless you confirm within two minutes everything
is put back as it was, also when your connection is gone. --undo takes all of it
out again. Without OpenWrt only Hiên's own configuration is written.

Each answer can be given by a flag; --yes takes what is proposed for the others,
and keeps the setup unless something is bad for guests.

Examples:
    hien setup
    hien setup --dry-run --yes --store-name 'Quán Hiên'
    hien setup --confirm
    hien setup --undo
`

// A machine is what `hien setup` works on, which tests replace.
type machine struct {
	root     string // under which the router's files are; empty for its own
	in       io.Reader
	commands func(hien, config string) setup.Commands
	run      func(ctx context.Context, argv []string) error
	detach   func(ctx context.Context, argv []string) error
	health   func(ctx context.Context, c *call, l setup.Language) (setup.Seen, error)
	outlive  func() // the terminal
}

var thisMachine = machine{
	in: os.Stdin, commands: setup.RouterCommands, run: setup.RunCommand, detach: setup.Detach, health: guestsSide,
	outlive: outliveTerminal,
}

// A setupCall is one invocation of `hien setup`.
type setupCall struct {
	*call
	machine
	state    string
	language setup.Language
	owner    *setup.Owner
	setup    *setup.Setup
}

// setUp is `hien setup`.
func setUp(ctx context.Context, c *call) error {
	s := &setupCall{call: c, machine: thisMachine}
	lang := c.flags.String("lang", "", "the `LANGUAGE`, vi or en (default that of the terminal, else vi)")
	yes := c.flags.Bool("yes", false, "ask nothing")
	dryRun := c.flags.Bool("dry-run", false, "show what would be changed, as uci commands, and change nothing")
	undo := c.flags.Bool("undo", false, "take Hiên out of the router's configuration")
	confirm := c.flags.Bool("confirm", false, "keep a setup that waits, from another terminal")
	watch := c.flags.Bool("watch", false, "put back a setup that nobody confirms; setup itself starts this")
	atBoot := c.flags.Bool("recover", false, "put back a setup that a power cut has ended; for the start of the router")
	c.flags.StringVar(&s.state, "state", setup.DefaultState, "the `DIRECTORY` for what was before")
	for _, f := range setup.Fields() {
		c.flags.String(f.Flag, "", f.About)
	}
	if err := c.parse(0); err != nil {
		return err
	}
	modes := 0
	for _, on := range []bool{*dryRun, *undo, *confirm, *watch, *atBoot} {
		if on {
			modes++
		}
	}
	if modes > 1 {
		return c.misused("want one of --dry-run, --undo, --confirm, --watch and --recover")
	}
	if err := s.open(*lang, *yes, *dryRun); err != nil {
		return err
	}
	do := s.setUp
	switch {
	case *dryRun:
		do = s.dryRun
	case *undo:
		do = s.undo
	case *confirm:
		do = s.confirm
	case *watch:
		do = s.watch
	case *atBoot:
		do = s.recover
	}
	if err := do(ctx); err != nil {
		return errors.New(s.owner.Words(err))
	}
	return nil
}

// open makes what every mode needs.
func (s *setupCall) open(lang string, yes, dryRun bool) error {
	language, ok := setup.ParseLanguage(cmp.Or(lang, os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")))
	if !ok && lang != "" {
		return s.misused("--lang %s: want vi or en", lang)
	}
	if !ok {
		language = setup.Vietnamese
	}
	s.language = language
	for _, path := range []*string{&s.config, &s.state} { // the watchdog is in another directory
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return fmt.Errorf("where is %s: %w", *path, err)
		}
	}
	out := s.out
	if dryRun {
		out = s.err // what is said is not among the commands
	}
	s.owner = setup.NewOwner(s.in, out, language, yes)
	boot, err := setup.BootID()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("which program is this: %w", err)
	}
	s.setup = &setup.Setup{
		Place:    setup.Place{Config: filepath.Join("/", s.root, "etc/config"), Hien: s.config, State: s.state},
		Commands: s.commands(self, s.config),
		Boot:     boot,
		Log:      slog.New(slog.NewTextHandler(s.err, nil)),
		Run:      s.run,
		Watch: func(ctx context.Context) error {
			return s.detach(ctx, []string{"/proc/self/exe", "setup", "--watch", "--config", s.config, "--state", s.state})
		},
		Health: func(ctx context.Context) (setup.Seen, error) { return s.health(ctx, s.call, language) },
	}
	return nil
}

// answers are the flags that were given, by name.
func (s *setupCall) answers() map[string]string {
	given := make(map[string]string)
	for _, f := range setup.Fields() {
		if value := s.flags.Lookup(f.Flag).Value.String(); value != "" {
			given[f.Flag] = value
		}
	}
	return given
}

// router looks at the machine, and gets the owner's answers about it.
func (s *setupCall) router(ctx context.Context) (*setup.Router, *setup.Questions, error) {
	r, err := setup.ReadRouter(s.root, s.config)
	if err != nil {
		return nil, nil, err
	}
	r.CanOWE = s.root == "" && r.OpenWrt && setup.CanOWE(ctx)
	q, err := r.Ask()
	if err != nil {
		return nil, nil, err
	}
	return r, q, s.owner.Answer(ctx, q, s.answers())
}

func (s *setupCall) dryRun(ctx context.Context) error {
	if err := enoughMemory(); err != nil {
		return err
	}
	r, q, err := s.router(ctx)
	if err != nil {
		return err
	}
	p, err := r.Plan(q.Answers)
	if err != nil {
		return err
	}
	s.owner.Notes(p)
	if len(p.Changes) == 0 {
		s.owner.Say(setup.Nothing)
	}
	for _, line := range setup.CommandLines(p.Changes) {
		fmt.Fprintln(s.out, line)
	}
	return nil
}

func (s *setupCall) setUp(ctx context.Context) error {
	if err := enoughMemory(); err != nil {
		return err // before anything is asked or made: the daemon would not run
	}
	unlock, err := s.setup.One(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, q, err := s.router(ctx)
	if err != nil {
		return err
	}
	var unseal hien.UnsealKey
	if q.NewSeal {
		var seal hien.SealKey
		if seal, unseal, err = hien.NewSealKey(); err != nil {
			return err
		}
		q.SealKey = seal.String()
	}
	p, err := r.Plan(q.Answers)
	if err != nil {
		return err
	}
	after, err := setup.Edit(r.Files, p.Changes)
	if err != nil {
		return err
	}
	text := r.Files["hien"]
	if changed, ok := after["hien"]; ok {
		text = changed
	}
	cfg, err := config.Parse(s.config, strings.NewReader(string(text)))
	if err != nil {
		return fmt.Errorf("nothing was changed, as the configuration would be wrong:\n%w", err)
	}
	if len(p.Changes) == 0 {
		s.owner.Say(setup.Nothing)
		return nil
	}
	if ok, err := s.owner.GoAhead(ctx, p, q); err != nil || !ok {
		if err == nil {
			s.owner.Say(setup.Untouched)
		}
		return err
	}
	if q.NewSeal {
		if err := s.owner.KeepSeal(ctx, unseal.Reveal()); err != nil {
			return err
		}
	}
	if cfg.Asks() {
		if _, err := writeNewSecret(cfg.BrandKeyFile, func() string { return hien.NewBrandKey(1).Reveal() }); err != nil {
			return err
		}
	}
	if !r.OpenWrt {
		return s.write(r, after)
	}
	return s.try(ctx, after)
}

// try makes the changes, on trial.
func (s *setupCall) try(ctx context.Context, after map[string][]byte) error {
	s.outlive()
	s.owner.Say(setup.Working)
	trial, err := s.setup.Try(ctx, after)
	if err == nil {
		err = s.owner.Decide(ctx, trial)
	}
	if err == nil {
		s.owner.Say(setup.Kept)
	}
	return err
}

// outliveTerminal keeps this process running when its terminal hangs up: the
// owner may come back by another and confirm.
func outliveTerminal() {
	signal.Ignore(syscall.SIGHUP)
	// A write that nobody reads would end it too (os/signal, SIGPIPE).
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// write is for a machine whose network is its owner's: there is nothing to
// try.
func (s *setupCall) write(r *setup.Router, after map[string][]byte) error {
	if err := os.MkdirAll(filepath.Dir(s.config), 0o755); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	if err := s.setup.Write(after); err != nil {
		return err
	}
	s.owner.Say(setup.Written, s.config)
	if r.Systemd {
		s.owner.Say(setup.Enable)
	} else {
		s.owner.Say(setup.StartBy)
	}
	return nil
}

func (s *setupCall) undo(ctx context.Context) error {
	unlock, err := s.setup.One(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, err := setup.ReadRouter(s.root, s.config)
	if err != nil {
		return err
	}
	p, err := r.Undo()
	if err != nil {
		return err
	}
	if len(p.Changes) == 0 {
		s.owner.Say(setup.Nothing)
		return nil
	}
	if ok, err := s.owner.GoUndo(ctx, p); err != nil || !ok {
		if err == nil {
			s.owner.Say(setup.Untouched)
		}
		return err
	}
	s.outlive()
	if err := s.setup.Undo(ctx, r.Files, p.Changes); err != nil {
		return err
	}
	s.owner.Say(setup.Undone)
	return nil
}

func (s *setupCall) confirm(context.Context) error {
	err := s.setup.Place.Confirm()
	if err == nil {
		s.owner.Say(setup.Kept)
	}
	return err
}

// recover is what the machine's start calls, before its network comes up.
func (s *setupCall) recover(ctx context.Context) error {
	did, err := s.setup.Recover(ctx)
	if did && err == nil {
		s.owner.Say(setup.Recovered)
	}
	return err
}

// watch is the process that puts everything back when nobody confirms. It was
// detached: nobody reads what it says but the system's log.
func (s *setupCall) watch(ctx context.Context) error {
	s.outlive()
	if w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "hien"); err == nil {
		defer w.Close()
		s.setup.Log = slog.New(slog.NewTextHandler(w, nil))
	}
	return s.setup.Guard(ctx, func() {
		if err := setup.Ready(s.out); err != nil {
			s.setup.Log.Warn("nobody waits for the watchdog", "err", err)
		}
	})
}

// guestsSide plays a guest, and says what is bad for it.
func guestsSide(ctx context.Context, c *call, l setup.Language) (setup.Seen, error) {
	cfg, err := config.Load(c.config)
	if err != nil {
		return setup.Seen{}, err
	}
	house, err := askHouse(ctx, cfg)
	if err != nil {
		return setup.Seen{}, err
	}
	language, _ := doctor.ParseLanguage(string(l))
	report, err := doctor.Examine(ctx, doctor.Options{House: house, Language: language}, time.Now())
	if err != nil {
		return setup.Seen{}, err
	}
	return seenBy(report), nil
}

// seenBy is what setup tells of the doctor's report: what is bad, and where no
// guest was played, with what lets one be played.
func seenBy(r *doctor.Report) (seen setup.Seen) {
	for _, f := range r.Findings {
		switch {
		case f.Severity == doctor.Bad:
			seen.Bad = append(seen.Bad, f.Text)
		case f.ID == doctor.NoGuest:
			seen.Unproven = append(seen.Unproven, f.Text+"\n`"+f.Command+"`")
		}
	}
	return seen
}
