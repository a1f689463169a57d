package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/sqlite"
)

// checkConfig is `hien config check`.
func checkConfig(_ context.Context, c *call) error {
	if err := c.parse(0); err != nil {
		return err
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	clock, err := newClock()
	if err != nil {
		return err
	}
	warnings, err := cfg.Check()
	for _, w := range append(warnings, cfg.CheckDates(clock.now())...) {
		fmt.Fprintf(c.err, "warning: %s\n", w)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s is in order.\n", c.config)
	return nil
}

// dial finds the living daemon of the configuration.
func (c *call) dial() (*control.Client, error) {
	cfg, err := config.Load(c.config)
	if err != nil {
		return nil, err
	}
	return control.Dial(cfg.RunDir)
}

// answer writes what the daemon said: as JSON, or as write has it for people.
func answer[T any](c *call, v T, write func(io.Writer, T) error) error {
	if c.json {
		enc := json.NewEncoder(c.out)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	return write(c.out, v)
}

func showStatus(ctx context.Context, c *call) error {
	if err := c.parse(0); err != nil {
		return err
	}
	client, err := c.dial()
	if err != nil {
		return whyNotRunning(err)
	}
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	return answer(c, s, func(w io.Writer, s control.Status) error { return control.WriteStatus(w, s, time.Now()) })
}

// list is a command that shows what there is of a kind.
func list[L any](ctx context.Context, c *call, ask func(*control.Client, context.Context, int) (L, error),
	write func(io.Writer, L, time.Time) error) error {
	limit := c.flags.Int("limit", control.DefaultItems, fmt.Sprintf("show at most this `NUMBER`, 1 to %d", control.MaxItems))
	if err := c.parse(0); err != nil {
		return err
	}
	if *limit < 1 || *limit > control.MaxItems {
		return c.misused("--limit %d: want a number from 1 to %d", *limit, control.MaxItems)
	}
	client, err := c.dial()
	if err != nil {
		return err
	}
	l, err := ask(client, ctx, *limit)
	if err != nil {
		return err
	}
	return answer(c, l, func(w io.Writer, l L) error { return write(w, l, time.Now()) })
}

func showGuests(ctx context.Context, c *call) error {
	full := c.flags.Bool("full", false, "show whole addresses, as the other commands take them")
	return list(ctx, c,
		func(client *control.Client, ctx context.Context, limit int) (control.List[control.Guest], error) {
			if *full {
				return client.GuestsInFull(ctx, limit)
			}
			return client.Guests(ctx, limit)
		},
		func(w io.Writer, l control.List[control.Guest], now time.Time) error {
			if *full {
				return control.WriteGuestsInFull(w, l, now)
			}
			return control.WriteGuests(w, l, now)
		})
}

func showVisits(ctx context.Context, c *call) error {
	return list(ctx, c, (*control.Client).Visits, control.WriteVisits)
}

func showLeads(ctx context.Context, c *call) error {
	return list(ctx, c, (*control.Client).Leads, control.WriteLeads)
}

func showConsents(ctx context.Context, c *call) error {
	return list(ctx, c, (*control.Client).Consents, control.WriteConsents)
}

func showAudit(ctx context.Context, c *call) error {
	return list(ctx, c, (*control.Client).Audit, control.WriteAudit)
}

func showQueue(ctx context.Context, c *call) error {
	return list(ctx, c, (*control.Client).Queue, control.WriteQueue)
}

// withdraw is `hien withdraw SUBJECT [PURPOSE...]`, for a person who asks at
// the counter.
func withdraw(ctx context.Context, c *call) error {
	if err := c.parse(-1); err != nil {
		return err
	}
	if len(c.words) == 0 {
		return c.misused("whose consent? `hien consents` shows each person's subject")
	}
	var purposes []consent.Purpose
	for _, arg := range c.words[1:] {
		p, err := consent.ParsePurpose(arg)
		if err != nil {
			return err
		}
		purposes = append(purposes, p)
	}
	client, err := c.dial()
	if err != nil {
		return err
	}
	done, err := client.Withdraw(ctx, consent.ID(c.words[0]), purposes)
	if err != nil {
		return err
	}
	return answer(c, done, control.WriteWithdrawn)
}

// errBroken is the exit status of a ledger that does not hold.
var errBroken = errors.New("the ledger does not hold")

// verifyLedger is `hien ledger verify`: by the daemon while it lives, else by
// reading the record itself.
func verifyLedger(ctx context.Context, c *call) error {
	if err := c.parse(0); err != nil {
		return err
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	v, err := askLedger(ctx, cfg)
	if err != nil {
		return err
	}
	if err := answer(c, v, control.WriteLedger); err != nil {
		return err
	}
	if !v.Holds {
		return errBroken
	}
	return nil
}

func askLedger(ctx context.Context, cfg *config.Config) (v control.Ledger, err error) {
	err = askOrRead(ctx, cfg,
		func(c *control.Client) (err error) { v, err = c.VerifyLedger(ctx); return err },
		func(l *sqlite.Ledger, key hien.RouterKey) (err error) { v, err = verdict(ctx, l, key); return err })
	return v, err
}

// askOrRead has the living daemon asked, and the ledger read, with the router's
// key, when none runs.
func askOrRead(ctx context.Context, cfg *config.Config, ask func(*control.Client) error, read func(*sqlite.Ledger, hien.RouterKey) error) error {
	client, err := control.Dial(cfg.RunDir)
	if err == nil {
		return ask(client)
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	key, err := readRouterKey(cfg.DataDir)
	if err != nil {
		return err
	}
	l, err := sqlite.OpenLedger(ctx, filepath.Join(cfg.DataDir, sqlite.FileName))
	if err != nil {
		return err
	}
	return errors.Join(read(l, key), l.Close())
}

// cleanup is `hien cleanup`. It works with the daemon dead and with a broken
// configuration; a living daemon is told to stop repairing first.
func cleanup(ctx context.Context, c *call) error {
	if err := c.parse(0); err != nil {
		return err
	}
	running := false
	cfg, err := config.Load(c.config)
	if err != nil {
		fmt.Fprintf(c.err, "warning: a daemon that runs cannot be told, as the configuration is not readable: %v\n", err)
	} else if client, err := control.Dial(cfg.RunDir); err == nil {
		if err := client.Release(ctx); err != nil {
			return fmt.Errorf("tell the daemon to leave the kernel alone: %w", err)
		}
		running = true
	} else if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	door, err := firewall.Open(ctx, firewall.Options{})
	if err != nil {
		return err
	}
	if err := errors.Join(door.Cleanup(ctx), door.Close()); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "Everything of Hiên is out of the kernel: guests are no longer stopped.")
	if running {
		fmt.Fprintln(c.out, "Hiên still runs, and shuts the door again when it is started anew or gets SIGHUP.")
	}
	return nil
}
