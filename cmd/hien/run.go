package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	runtimedebug "runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/accesslog"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/dns"
	"github.com/hien-wifi/hien/internal/livebook"
	"github.com/hien-wifi/hien/internal/otp"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/sync/courier"
)

// How often the daemon looks after things that no event tells of.
const (
	tickEvery   = 2 * time.Second  // ends of stays and passes
	checkEvery  = 5 * time.Second  // the kernel's rules against the wish
	resumeEvery = 30 * time.Second // the kernel's passes against the livebook
)

// runDaemon is `hien run`.
func runDaemon(ctx context.Context, c *call) error {
	debug := c.flags.Bool("debug", false, "log more, for those who mend Hiên")
	if err := c.parse(0); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		runtimedebug.SetGCPercent(30) // memory is scarcer on a router than time: 2 MiB less with 1,000 guests, for 5 % more CPU
	}
	if err := enoughMemory(); err != nil {
		return err
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
		log.Info("Hiên is switched off by option enabled in " + c.config + "; rules of an earlier run still stop guests: `hien cleanup` takes them out")
		return nil
	}
	warnings, err := cfg.Check()
	if err != nil {
		return err
	}
	clock, err := newClock()
	if err != nil {
		return err
	}
	for _, w := range append(warnings, cfg.CheckDates(clock.now())...) {
		log.Warn(w)
	}
	return serve(ctx, c.config, cfg, clock, log)
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
	access  *accesslog.Log
	record  *sqlite.Store // nil when closed says why
	closed  error
	safe    bool // after too many crashes, see safe.go
	book    *livebook.Book
	gateway *hien.Gateway
	zones   *stage
	sinks   *stage       // at most one so far
	uplink  *dns.Watcher // whether the shop has internet
	program *program     // its code in memory

	copying   sync.Mutex // held while a backup is made
	reloading sync.Mutex // held while a configuration is put in force

	applying sync.Mutex        // held while the kernel is changed
	rules    *firewall.Ruleset // as applied last; nil: none yet

	mu        sync.Mutex // never held while anything waits
	cfg       *config.Config
	unasked   *control.Unasked // why nothing is asked; nil when all is there
	released  bool             // hien cleanup has asked to leave the kernel alone
	open      map[string]*openZone
	trouble   map[string]string // by zone: why its portal is not open
	courier   *courier.Courier  // nil without a sink
	sinkWrong string            // why the sink cannot be made
	repaired  hien.Moment
	uplinks   []string // interfaces with a default route, now
	waysOut   []string // those that had one at any time: a line that is dialled anew is one still
}

// serve builds every part, in order, starts them in one group, and has
// stopped them all when it returns.
func serve(ctx context.Context, path string, cfg *config.Config, clock clock, log *slog.Logger) (err error) {
	socket, err := control.Listen(cfg.RunDir) // makes run_dir, and holds it: a second hien is refused
	if err != nil {
		return err
	}
	defer socket.Close()
	alone, err := standAlone()
	if err != nil {
		return err
	}
	defer alone.Close()

	starts := startsOf(cfg.RunDir)
	safe := starts.begin(clock.now()) && cfg.SafeMode
	defer starts.end()
	d := &daemon{path: path, log: log, clock: clock, started: clock.now(), cfg: cfg, safe: safe, program: ownProgram(),
		open: make(map[string]*openZone), trouble: make(map[string]string)}
	if d.door, err = firewall.Open(ctx, firewall.Options{Log: log, Backend: firewall.Backend(cfg.Firewall), Refill: d.resume}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.door.Close()) }()
	// Shut first, then everything else. The rules follow when somebody knows
	// who has a pass: rules over empty sets would cut them.
	if err := firewall.ShutGate(ctx, interfaces(cfg), cfg.Mark); err != nil {
		return err
	}
	if d.uplink, err = d.newUplink(ctx, cfg); err != nil {
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
	d.access = d.newAccessLog(ctx, cfg.DataDir)
	defer func() { d.access.Close(d.clock.now()) }()
	settings, err := d.settings(cfg)
	if err != nil {
		return err
	}
	d.setAccessLog(cfg)
	d.unasked = unasked(cfg)
	d.gateway = hien.NewGateway(d.parts(), settings)
	if err := d.applyRules(ctx, cfg); err != nil {
		return err
	}
	d.resume(ctx)
	if left := d.gateway.OpenLeft(d.clock.now()); left > 0 {
		log.Warn("the door is open to everybody", "left", left.Round(time.Minute))
	}

	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	group, ctx := errgroup.WithContext(ctx)
	d.zones, d.sinks = newStage(ctx, group), newStage(ctx, group)
	group.Go(func() error { return control.NewServer(d.house(), log).Serve(ctx, socket) })
	group.Go(func() error { return d.door.Keep(ctx, checkEvery, func() { d.afterRepair(ctx) }) })
	group.Go(func() error { return d.watchUplinks(ctx) })
	group.Go(func() error { return d.uplink.Run(ctx) })
	group.Go(func() error { return d.tick(ctx) })
	group.Go(func() error { d.program.keepSmall(ctx); return nil })
	group.Go(func() error { return d.reloads(ctx, hup) })
	d.setStage(cfg, true)
	log.Info("hien runs", "version", hien.Version, "store", cfg.StoreID)
	err = group.Wait()
	log.Info("hien has stopped; the door stays as it is: guests with a pass stay online, nobody else comes in")
	return err
}

// standAlone holds the name by which one gateway of a network namespace keeps
// another out, whatever configuration that has: both would keep the same
// chains and sets, and undo each other's. The name is the kernel's (an
// abstract socket, unix(7)) and goes with the process, however it ends.
func standAlone() (io.Closer, error) {
	l, err := net.Listen("unix", "@hien-gateway")
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, errors.New("another hien is running on this gateway, with another run_dir: end that one first, and give every guest network a zone section of one configuration")
	}
	if err != nil {
		return nil, fmt.Errorf("keep another hien out: %w", err)
	}
	return l, nil
}

// openRecord opens the record. Where that fails the daemon goes on without:
// nothing is asked, and guests come in all the same.
func (d *daemon) openRecord(ctx context.Context) {
	d.key, d.record, d.closed = hien.NewRouterKey(), nil, nil
	if d.safe {
		d.closed = errSafe
		d.log.Error("safe mode: guests are greeted and let in, and nothing is asked", "err", errSafe)
		return
	}
	err := os.MkdirAll(d.cfg.DataDir, 0o700)
	if err == nil {
		err = finishRestore(d.cfg) // one that a power cut has stopped
	}
	if err == nil {
		var key hien.RouterKey
		if key, err = routerKey(d.cfg.DataDir); err == nil {
			d.key = key
			d.record, err = sqlite.Open(ctx, filepath.Join(d.cfg.DataDir, sqlite.FileName), sqlite.Options{Signer: key.Signer(), Tombstone: key.Tombstone, Log: d.log})
		}
	}
	if err != nil {
		d.closed = err
		d.log.Error("the record is closed: nothing is asked, and guests come in all the same", "err", err)
	}
}

// parts are what the gateway works with. A nil *sqlite.Store must not become
// a Record that is not nil, nor a nil *accesslog.Log Sessions.
func (d *daemon) parts() hien.Parts {
	p := hien.Parts{Book: d.book, Shelf: d.book, Door: d.door, Meter: d.door, Lender: d.door, Router: d.key,
		Online: d.uplink.Online, Within: d.within, Wake: d.wake, Log: d.log}
	if d.access != nil {
		p.Sessions = d.access
	}
	if d.record != nil {
		p.Record, p.Eraser, p.Reissuer, p.Requests, p.Audit, p.Keeper, p.Refusals = d.record, d.record, d.record, d.record, d.record, d.record, d.record
	}
	return p
}

// settings are what the configuration says to the gateway.
func (d *daemon) settings(cfg *config.Config) (hien.Settings, error) {
	s := hien.Settings{StoreID: cfg.StoreID, StoreName: cfg.StoreName, Zones: cfg.Zones, Seal: cfg.SealKey, OneTime: cfg.OneTime()}
	asker, err := cfg.Asker()
	if err == nil {
		s.Today = asker // of what was asked for before too
	}
	// A shop that asks nobody any more finds people by their numbers all the
	// same, who want what is theirs.
	brand, brandErr := cfg.BrandKeys()
	s.Brand, s.Earlier = brand.Current(), brand.Previous()
	if !cfg.Asks() {
		return s, nil
	}
	if err == nil { // else nothing is asked, and guests come in: cfg.Unasked tells the owner
		s.Asker = asker
	}
	if brandErr != nil {
		return s, brandErr
	}
	s.StaffCode, s.CodesPerDay, s.ForeignNumbers = cfg.StaffCode(), cfg.CodesPerDay, cfg.ForeignNumbers
	codes := cfg.Codes()
	if len(codes) == 0 {
		return s, nil
	}
	chain, err := otp.New(codes, d.log)
	if err != nil {
		return s, err
	}
	s.Sender = chain
	return s, nil
}

// unasked is what the owner must mend before anything is asked.
func unasked(cfg *config.Config) *control.Unasked {
	if why, todo := cfg.Unasked(); len(todo) > 0 {
		return &control.Unasked{Why: why, Todo: todo}
	}
	return nil
}

// setStage starts, exchanges and stops zones and sinks as the configuration
// has them.
func (d *daemon) setStage(cfg *config.Config, atStart bool) {
	d.withdrawOthers(cfg)
	zones := make(map[string]part)
	for _, z := range cfg.Zones {
		type place struct {
			iface    string
			port     uint16
			services config.Services
		}
		zones[z.Name] = part{is: place{z.Interface, z.PortalPort, cfg.Services[z.Name]}, run: func(ctx context.Context) error { return d.serveZone(ctx, z, atStart) }}
	}
	d.zones.set(zones)
	sinks := make(map[string]part)
	if s := cfg.Sink; s != nil && d.record != nil { // without a record nothing is queued
		type address struct {
			kind, url, key                 string
			eraseAPI, eraseURL, eraseToken string
			ca                             [sha256.Size]byte
		}
		ca, _ := os.ReadFile(s.CAFile) // one that cannot be read is told by the sink
		sinks[s.Name] = part{is: address{s.Type, s.URL, s.WriteKey.Reveal(), s.EraseAPI, s.EraseURL, s.EraseToken.Reveal(), sha256.Sum256(ca)},
			run: func(ctx context.Context) error { return d.serveSink(ctx, *s) }}
	}
	d.sinks.set(sinks)
}

// tick lets the gateway do what time brings.
func (d *daemon) tick(ctx context.Context) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	resumed := d.clock.now().Up
	var last string // an error that stays is logged once
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if up := d.clock.now().Up; up-resumed >= resumeEvery {
			d.resume(ctx)
			resumed = up
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

// reload is called for SIGHUP and by the owner's commands, one at a time.
func (d *daemon) reload(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	cfg, err := config.Load(d.path)
	if err != nil {
		return err
	}
	if _, err := cfg.Check(); err != nil {
		return err
	}
	old := d.config()
	if cfg.DataDir != old.DataDir || cfg.RunDir != old.RunDir || !cfg.Enabled || cfg.Firewall != old.Firewall || !slices.Equal(cfg.DNSUpstream, old.DNSUpstream) {
		return errors.New("enabled, data_dir, run_dir, firewall and dns_upstream change only when hien is started again")
	}
	settings, err := d.settings(cfg)
	if err != nil {
		return err
	}
	d.mu.Lock()
	released := d.released
	d.released = false
	d.mu.Unlock()
	if released {
		d.applying.Lock()
		d.rules = nil // they are not in the kernel any more
		d.applying.Unlock()
	}
	if err := d.applyRules(ctx, cfg); err != nil {
		return err
	}
	u := unasked(cfg)
	if u != nil {
		d.log.Warn("nothing is asked, and guests come in all the same; `hien status` says what to do", "why", u.Why)
	}
	d.mu.Lock()
	d.cfg, d.unasked = cfg, u
	d.mu.Unlock()
	d.setAccessLog(cfg)
	d.gateway.Reload(settings)
	d.renameGardens(cfg)
	d.setStage(cfg, false)
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
	d.mu.Lock()
	d.repaired = d.clock.now()
	d.mu.Unlock()
	d.resume(ctx)
}

// resume lets everybody through who has a pass in the livebook.
func (d *daemon) resume(ctx context.Context) {
	if d.gateway == nil {
		return // the daemon is starting
	}
	if err := d.gateway.Resume(ctx, d.clock.now()); err != nil && ctx.Err() == nil {
		d.log.Error("some guests with a pass could not be let through again", "err", err)
	}
}
