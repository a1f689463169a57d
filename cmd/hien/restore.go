package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/backup"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/livebook"
	"github.com/hien-wifi/hien/internal/sqlite"
)

const restoreHelp = `
It puts a backup back, on this router or a new one, while Hiên is stopped. FILE
is what hien backup wrote, - for standard input; --key is the file with the
private half of option backup_key. The ledger is verified first, and nothing is
changed before all is known to be whole. It refuses to go over a record that has
something newer, unless --over says so.

Whoever took something back or was erased here since the backup is not brought
back: that is carried out again before anything can be sent. Where this router
has no record any more, --since names a file with such people, one in a line: a
subject or a lead key, and behind it the purposes that were taken back; none for
a person who was erased. The ledger says that it was put back, and what is lost.

--new-key gives the router another key, after the old router was stolen:
returning guests see the form once more. A configuration or brand key that is
here stays, unless --with-config says otherwise.

Examples:
    hien restore --key /tmp/backup.key --dry-run hien.backup
    hien restore --key /tmp/backup.key hien.backup
`

// restoring is one restore.
type restoring struct {
	c          *call
	key        string
	since      string
	dry        bool
	over       bool
	newKey     bool
	withConfig bool

	now     hien.Moment
	b       *backup.Backup
	cfg     *config.Config // that will be in force
	takes   bool           // the configuration is the backup's
	stage   string         // where everything lies until it is whole
	router  hien.RouterKey // of the backup
	here    replaced
	whole   bool     // and is taken over, now or at the next start
	replays []replay // from the record here
	listed  []replay // from the list, or of which nobody knows whether the CDP was told
	refused []replay // what people said no to since; most of it never stood
}

// restore is `hien restore`.
func restore(ctx context.Context, c *call) error {
	r := &restoring{c: c}
	c.flags.StringVar(&r.key, "key", "", "the `FILE` with the private key, - for standard input")
	c.flags.StringVar(&r.since, "since", "", "the `FILE` with people who withdrew or were erased since")
	c.flags.BoolVar(&r.dry, "dry-run", false, "say what would happen, and change nothing")
	c.flags.BoolVar(&r.over, "over", false, "go over a record that has something newer, or is another")
	c.flags.BoolVar(&r.newKey, "new-key", false, "give the router another key")
	c.flags.BoolVar(&r.withConfig, "with-config", false, "take configuration and brand key over too")
	if err := c.parse(1); err != nil {
		return err
	}
	switch {
	case len(c.words) == 0:
		return c.misused("which file? `hien backup` writes one")
	case r.key == "":
		return c.misused("which key? --key names the file with the private half of option backup_key")
	case r.key == "-" && c.words[0] == "-":
		return c.misused("the key and the backup cannot both come from standard input")
	}
	alone, err := standAlone()
	if err != nil {
		return errors.New("Hiên is running: stop it first (`/etc/init.d/hien stop`), so that nothing is asked or sent meanwhile")
	}
	defer alone.Close()
	clock, err := newClock()
	if err != nil {
		return err
	}
	r.now = clock.now()
	return r.run(ctx)
}

// run does it, step by step; up to the last one nothing is changed but the
// stage, which is gone when it fails.
func (r *restoring) run(ctx context.Context) (err error) {
	in, closeIn, err := openInput(r.c.words[0])
	if err != nil {
		return err
	}
	defer closeIn()
	if err := r.open(in); err != nil {
		return err
	}
	if err := r.makeStage(); err != nil {
		return err
	}
	defer func() {
		if !r.whole && (err != nil || r.dry) {
			err = errors.Join(err, os.RemoveAll(r.stage))
		}
	}()
	if err := r.unpack(); err != nil {
		return err
	}
	if err := r.verify(ctx); err != nil {
		return err
	}
	if err := r.look(ctx); err != nil {
		return err
	}
	if err := r.rebuild(ctx); err != nil {
		return err
	}
	if r.dry {
		r.say("Nothing was changed.")
		return nil
	}
	if err := r.commit(); err != nil {
		return err
	}
	r.say("It is put back. `hien config check`, then start Hiên.")
	return nil
}

func (r *restoring) say(format string, args ...any) { fmt.Fprintf(r.c.out, format+"\n", args...) }

// openInput opens a file, or standard input.
func openInput(path string) (io.Reader, func() error, error) {
	if path == "-" {
		return os.Stdin, func() error { return nil }, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}

// open reads what stands before the record, and finds out where things go.
func (r *restoring) open(in io.Reader) error {
	keys, closeKeys, err := openInput(r.key)
	if err != nil {
		return err
	}
	id, err := backup.ReadIdentity(keys)
	if err = errors.Join(err, closeKeys()); err != nil {
		return err
	}
	if r.b, err = backup.Open(in, id); err != nil {
		return err
	}
	m := r.b.Manifest
	made := m.Made.Local().Format("02/01/2006, 15:04")
	if !m.InStep {
		made += " by a clock that was not set"
	}
	r.say("A backup of shop %s, of %s: a ledger of %d entries, %d KiB.", m.Store, made, m.Seq, (m.Record+1023)>>10)
	if r.router, err = hien.ParseRouterKey(string(r.b.RouterKey)); err != nil {
		return fmt.Errorf("the router's key in the backup: %w", err)
	}
	if consent.KeyID(r.router.Signer().Public()) != m.Key {
		return errors.New("the router's key in the backup is not the one that it names")
	}
	theirs, err := config.Parse("the backup's configuration", bytes.NewReader(r.b.Config))
	if err != nil {
		return fmt.Errorf("the configuration in the backup cannot be read: %w", err)
	}
	ours, err := config.Load(r.c.config)
	switch {
	case errors.Is(err, os.ErrNotExist):
		r.cfg, r.takes = theirs, true
		r.say("There is no configuration at %s: the backup's is taken.", r.c.config)
	case r.withConfig:
		r.cfg, r.takes = theirs, true
		r.say("The configuration at %s is replaced by the backup's.", r.c.config)
	case err != nil:
		return fmt.Errorf("%w\nmend it, or say --with-config to take the backup's", err)
	default:
		r.cfg = ours
		r.say("The configuration at %s stays as it is.", r.c.config)
	}
	if r.cfg.StoreID != m.Store {
		return fmt.Errorf("the configuration is of shop %s, and the backup of %s: mend store_id, or say --with-config", r.cfg.StoreID, m.Store)
	}
	return nil
}

// makeStage makes the place where everything lies until it is whole: beside
// its own, so that it is taken over by a change of names.
func (r *restoring) makeStage() (err error) {
	if r.dry {
		r.stage, err = os.MkdirTemp("", "hien-restore-*")
		return err
	}
	r.stage = filepath.Join(r.cfg.DataDir, stageName)
	if err := finishRestore(r.cfg); err != nil { // of one that was killed
		return err
	}
	if err := os.MkdirAll(r.stage, 0o700); err != nil {
		return fmt.Errorf("make a place for the restore: %w", err)
	}
	return nil
}

// unpack writes the record into the stage, and then knows that the file is
// whole.
func (r *restoring) unpack() error {
	if err := roomFor(r.stage, r.b.Manifest.Record); err != nil {
		return fmt.Errorf("there is too little room at %s for the record: free some", r.stage)
	}
	f, err := os.OpenFile(r.record(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	p := &progress{Writer: f, to: r.c.err, of: r.b.Manifest.Record}
	_, err = io.Copy(p, r.b.Record)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return r.b.End()
}

func (r *restoring) record() string { return filepath.Join(r.stage, sqlite.FileName) }

// verify checks every entry of the ledger that is put back.
func (r *restoring) verify(ctx context.Context) error {
	l, err := sqlite.OpenLedger(ctx, r.record())
	if err != nil {
		return err
	}
	head, err := l.Verify(ctx, r.router.Signer().Public())
	if err = errors.Join(err, l.Close()); err != nil {
		return fmt.Errorf("the record in the backup: %w", err)
	}
	if head != r.b.Manifest.Head() {
		return errors.New("the record in the backup is not the one that it names")
	}
	r.say("Its ledger holds.")
	return nil
}

// rebuild makes the staged record the one that goes on: what was ended since
// is ended again, and the ledger says that it was put back.
func (r *restoring) rebuild(ctx context.Context) error {
	key := r.router
	if r.newKey {
		key = hien.NewRouterKey()
	}
	store, err := sqlite.Open(ctx, r.record(), sqlite.Options{Signer: key.Signer(), Tombstone: key.Tombstone, Restored: true})
	if err != nil {
		return err
	}
	err = r.goOn(ctx, store, key)
	if err = errors.Join(err, store.Close()); err != nil { // which folds the log into the file
		return err
	}
	return errors.Join(
		writeWhole(filepath.Join(r.stage, routerKeyName), key.Reveal()+"\n"),
		syncDir(r.stage))
}

func (r *restoring) goOn(ctx context.Context, store *sqlite.Store, key hien.RouterKey) error {
	c := sqlite.Continuation{From: r.here.head, Store: r.cfg.StoreID, At: r.now}
	if r.newKey {
		old := r.router.Signer()
		c.Old = &old
		r.say("The router gets another key; returning guests see the form once more.")
	}
	if err := store.Continue(ctx, c); err != nil {
		return err
	}
	if lost := int64(r.here.head.Seq) - int64(r.b.Manifest.Seq); lost > 0 {
		r.say("%d entries of the ledger that stood here are lost, and the ledger says so.", lost)
	}
	if err := store.Carry(ctx, r.here.beside, !r.newKey); err != nil {
		return err
	}
	graves := r.here.graves
	if r.newKey {
		graves = nil // they are the old key's
	}
	buried, err := store.Bury(ctx, graves)
	if err != nil {
		return err
	}
	for _, subject := range buried {
		if !slices.ContainsFunc(r.replays, func(p replay) bool { return p.who.Subject == subject && len(p.purposes) == 0 }) {
			r.replays = append(r.replays, replay{who: hien.Who{Subject: subject}})
		}
	}
	return r.replay(ctx, store, key)
}

// replay ends again what was ended since the backup, as it was ended then. Of
// what the record here knows, the CDP is told only what it was not told yet; of
// the list nobody knows that, and it is told once more.
func (r *restoring) replay(ctx context.Context, store *sqlite.Store, key hien.RouterKey) error {
	for _, p := range r.refused {
		stood, err := store.Standing(ctx, p.who.Subject)
		if err != nil && !errors.Is(err, hien.ErrNoReceipt) {
			return err
		}
		if slices.ContainsFunc(p.purposes, stood.Allows) {
			r.listed = append(r.listed, p)
		}
	}
	if len(r.replays)+len(r.listed) == 0 {
		return nil
	}
	before, err := store.Ends(ctx)
	if err != nil {
		return err
	}
	settings := hien.Settings{StoreID: r.cfg.StoreID}
	if keys, err := r.brandKeys(); err == nil { // a shop that asks for no number has none
		settings.Brand, settings.Earlier = keys.Current(), keys.Previous()
	}
	house, done, err := endingHouse(store, key, settings, r.now)
	if err != nil {
		return err
	}
	defer done()
	erased, withdrawn := 0, 0
	carryOut := func(p replay) error {
		did, err := p.carryOut(ctx, house, r.now)
		switch {
		case errors.Is(err, hien.ErrNoReceipt): // came only after the backup, or is erased already
		case err != nil:
			return err
		case did && len(p.purposes) == 0:
			erased++
		case did:
			withdrawn++
		}
		return nil
	}
	for _, p := range r.replays {
		if err := carryOut(p); err != nil {
			return err
		}
	}
	after, err := store.Ends(ctx)
	if err == nil {
		err = store.Delivered(ctx, r.here.told(before, after))
	}
	if err != nil {
		return err
	}
	for _, p := range r.listed {
		if err := carryOut(p); err != nil {
			return err
		}
	}
	r.say("%d people were erased again and %d withdrawals carried out again, of %d since the backup.", erased, withdrawn, len(r.replays)+len(r.listed))
	return nil
}

// endingHouse is a gateway that only ends things: the one way in for a
// withdrawal or an erasure leads through it here too.
func endingHouse(store *sqlite.Store, key hien.RouterKey, s hien.Settings, now hien.Moment) (*hien.Gateway, func(), error) {
	dir, err := os.MkdirTemp("", "hien-restore-*") // in memory: a livebook does not open everywhere
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(slog.DiscardHandler)
	book, err := livebook.Open(filepath.Join(dir, "livebook"), livebook.Options{Boot: now.Boot, Log: log})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	g := hien.NewGateway(hien.Parts{Record: store, Eraser: store, Book: book, Router: key, Log: log}, s)
	return g, func() {
		book.Close()
		os.RemoveAll(dir)
	}, nil
}

// brandKeys are those that will be in force.
func (r *restoring) brandKeys() (hien.BrandKeys, error) {
	if r.b.BrandKey != nil {
		return hien.ParseBrandKeys(string(r.b.BrandKey))
	}
	return r.cfg.BrandKeys()
}
