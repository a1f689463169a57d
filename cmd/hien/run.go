package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	runtimedebug "runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/livebook"
	"github.com/hien-wifi/hien/internal/otp"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/sync/courier"
)

// How often the daemon looks after things that no event tells of.
const (
	tickEvery  = 2 * time.Second // ends of stays and passes
	checkEvery = 5 * time.Second // the kernel's rules against the wish
)

// runDaemon is `hien run`.
func runDaemon(ctx context.Context, c *call) error {
	debug := c.flags.Bool("debug", false, "log more, for those who mend Hiên")
	if err := c.parse(0); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		runtimedebug.SetGCPercent(50) // memory is scarcer on a router than time
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if *debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))
	if !cfg.Enabled {
		log.Info("Hiên is switched off: set option enabled '1' in " + c.config)
		return nil
	}
	warnings, err := cfg.Check()
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn(w)
	}
	return serve(ctx, c.config, cfg, log)
}

// A daemon is what `hien run` has built. Wiring lives here and in the files
// beside this one, and nowhere else.
type daemon struct {
	path    string // of the configuration
	log     *slog.Logger
	clock   clock
	started hien.Moment
	key     hien.RouterKey
	door    *firewall.Firewall
	record  *sqlite.Store // nil when closed says why
	closed  error
	book    *livebook.Book
	gateway *hien.Gateway
	zones   *stage
	sinks   *stage // at most one so far

	mu       sync.Mutex
	cfg      *config.Config
	rules    firewall.Ruleset // as applied last
	released bool             // hien cleanup has asked to leave the kernel alone
	open     map[string]*openZone
	courier  *courier.Courier // nil without a sink
	repaired hien.Moment
}

// serve builds every part, in order, starts them in one group, and has
// stopped them all when it returns.
func serve(ctx context.Context, path string, cfg *config.Config, log *slog.Logger) (err error) {
	clock, err := newClock()
	if err != nil {
		return err
	}
	socket, err := control.Listen(cfg.RunDir) // makes run_dir, and holds it: a second hien is refused
	if err != nil {
		return err
	}
	defer socket.Close()

	d := &daemon{path: path, log: log, clock: clock, started: clock.now(), cfg: cfg, open: make(map[string]*openZone)}
	if d.door, err = firewall.Open(ctx, firewall.Options{Log: log}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.door.Close()) }()
	if err := d.applyRules(ctx); err != nil { // shut first, then everything else
		return err
	}
	d.book, err = livebook.Open(filepath.Join(cfg.RunDir, "livebook"), livebook.Options{Boot: clock.boot, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.book.Close()) }()
	d.openRecord(ctx)
	if d.record != nil {
		defer func() { err = errors.Join(err, d.record.Close()) }()
	}
	settings, err := d.settings(cfg)
	if err != nil {
		return err
	}
	d.gateway = hien.NewGateway(d.parts(), settings)
	if err := d.gateway.Resume(ctx, clock.now()); err != nil {
		log.Error("some guests with a pass could not be let through again", "err", err)
	}

	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	group, ctx := errgroup.WithContext(ctx)
	d.zones, d.sinks = newStage(ctx, group), newStage(ctx, group)
	group.Go(func() error { return control.NewServer(d.house(), log).Serve(ctx, socket) })
	group.Go(func() error { return d.door.Keep(ctx, checkEvery, func() { d.afterRepair(ctx) }) })
	group.Go(func() error { return d.tick(ctx) })
	group.Go(func() error { return d.reloads(ctx, hup) })
	d.setStage(cfg)
	log.Info("hien runs", "version", hien.Version, "store", cfg.StoreID)
	err = group.Wait()
	log.Info("hien has stopped; the door stays as it is: guests with a pass stay online, nobody else comes in")
	return err
}

// openRecord opens the record. Where that fails the daemon goes on without:
// nothing is asked, and guests come in all the same (I8).
func (d *daemon) openRecord(ctx context.Context) {
	d.key, d.record, d.closed = hien.NewRouterKey(), nil, nil
	err := os.MkdirAll(d.cfg.DataDir, 0o700)
	if err == nil {
		var key hien.RouterKey
		if key, err = routerKey(d.cfg.DataDir); err == nil {
			d.key = key
			d.record, err = sqlite.Open(ctx, filepath.Join(d.cfg.DataDir, sqlite.FileName), sqlite.Options{Signer: key.Signer(), Log: d.log})
		}
	}
	if err != nil {
		d.closed = err
		d.log.Error("the record is closed: nothing is asked, and guests come in all the same", "err", err)
	}
}

// parts are what the gateway works with. A nil *sqlite.Store must not become
// a Record that is not nil.
func (d *daemon) parts() hien.Parts {
	p := hien.Parts{Book: d.book, Door: d.door, Router: d.key, Wake: d.wake, Log: d.log}
	if d.record != nil {
		p.Record = d.record
	}
	return p
}

// settings are what the configuration says to the gateway.
func (d *daemon) settings(cfg *config.Config) (hien.Settings, error) {
	s := hien.Settings{StoreID: cfg.StoreID, StoreName: cfg.StoreName, Zones: cfg.Zones, Seal: cfg.SealKey}
	if !cfg.Asks() {
		return s, nil
	}
	var err error
	if s.Brand, err = cfg.BrandKey(); err != nil {
		return s, err
	}
	s.Sender, err = otp.New(cfg.Sender.Type, d.log)
	return s, err
}

// setStage starts, exchanges and stops zones and sinks as the configuration
// has them.
func (d *daemon) setStage(cfg *config.Config) {
	zones := make(map[string]part)
	for _, z := range cfg.Zones {
		type place struct {
			iface string
			port  uint16
		}
		zones[z.Name] = part{is: place{z.Interface, z.PortalPort}, run: func(ctx context.Context) error { return d.serveZone(ctx, z) }}
	}
	d.zones.set(zones)
	sinks := make(map[string]part)
	if s := cfg.Sink; s != nil && d.record != nil { // without a record nothing is queued
		type address struct{ kind, url, ca, key string }
		sinks[s.Name] = part{is: address{s.Type, s.URL, s.CAFile, s.WriteKey.Reveal()}, run: func(ctx context.Context) error { return d.serveSink(ctx, *s) }}
	}
	d.sinks.set(sinks)
}

// tick lets the gateway do what time brings.
func (d *daemon) tick(ctx context.Context) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	var last string // an error that stays is logged once
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := d.gateway.Tick(ctx, d.clock.now())
		if err != nil && ctx.Err() == nil && err.Error() != last {
			d.log.Error("not everything could be written down; it is tried again", "err", err)
		}
		last = fmt.Sprint(err)
	}
}

// reloads puts another configuration in force at each SIGHUP. A configuration
// with a mistake changes nothing.
func (d *daemon) reloads(ctx context.Context, hup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
		}
		if err := d.reload(ctx); err != nil {
			d.log.Error("the configuration was not taken over; the old one stays in force", "err", err)
			continue
		}
		d.log.Info("the configuration was read again")
	}
}

func (d *daemon) reload(ctx context.Context) error {
	cfg, err := config.Load(d.path)
	if err != nil {
		return err
	}
	if _, err := cfg.Check(); err != nil {
		return err
	}
	old := d.config()
	if cfg.DataDir != old.DataDir || cfg.RunDir != old.RunDir || !cfg.Enabled {
		return errors.New("enabled, data_dir and run_dir change only when hien is started again")
	}
	settings, err := d.settings(cfg)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.cfg = cfg
	if d.released {
		d.released, d.rules = false, firewall.Ruleset{} // they are not in the kernel any more
	}
	d.mu.Unlock()
	if err := d.applyRules(ctx); err != nil {
		return err
	}
	d.gateway.Reload(settings)
	d.setStage(cfg)
	if c := d.carrier(); c != nil {
		c.Again() // perhaps it waited for what was mended
	}
	return nil
}

func (d *daemon) config() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}

// afterRepair lets everybody through again whose pass another program has
// flushed.
func (d *daemon) afterRepair(ctx context.Context) {
	now := d.clock.now()
	d.mu.Lock()
	d.repaired = now
	d.mu.Unlock()
	if err := d.gateway.Resume(ctx, now); err != nil {
		d.log.Error("some guests with a pass could not be let through again", "err", err)
	}
}
