package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/backup"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/sqlite"
)

const (
	backupHelp = `
It writes one file with all that this router cannot get back from elsewhere: the
record with its ledger, leads and marks, the router's own key, the brand key,
and the configuration with its passwords. The file is sealed to option
backup_key: nobody opens it without the private half, the router included. The
daemon may run meanwhile. Without -o it goes to standard output; a file is there
whole or not at all. docs/backup.md says how often, and how it is put back.

Examples:
    hien backup -o /mnt/usb/hien.backup
    ssh root@router hien backup > hien.backup
`
	backupKeyHelp = `
It makes the pair of keys for backups. The public half goes into the
configuration; the private half is shown once and written nowhere: keep it on
paper, away from the router. Without it no backup can be put back. In the place
of such a pair the brand's seal key can be used, if its holder holds the backups
too.

Example:
    hien backup key
`
)

// makeBackupKey is `hien backup key`.
func makeBackupKey(_ context.Context, c *call) error {
	if err := c.parse(0); err != nil {
		return err
	}
	id, err := backup.NewIdentity()
	if err != nil {
		return fmt.Errorf("make backup key: %w", err)
	}
	if c.json {
		return json.NewEncoder(c.out).Encode(map[string]string{"backup_key": id.Recipient().String(), "private_key": id.Reveal()})
	}
	fmt.Fprintf(c.out, `Put this line into section 'main' of %s:

    option backup_key '%s'

Keep this key away from the router, on paper and in a second place. Whoever
holds it and a backup holds all that the router holds; without it no backup can
be put back. It is shown once and written nowhere:

    %s
`, c.config, id.Recipient(), id.Reveal())
	return nil
}

// makeBackup is `hien backup`.
func makeBackup(ctx context.Context, c *call) error {
	path := c.flags.String("o", "", "the `FILE` to write (default: standard output)")
	spool := c.flags.String("spool", "", "the `DIR` for a copy of the record meanwhile (default: option run_dir)")
	if err := c.parse(0); err != nil {
		return err
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	if *spool != "" && !filepath.IsAbs(*spool) {
		return c.misused("--spool %q: want an absolute path, as the daemon writes there", *spool)
	}
	if *path == "" {
		if terminal(c.out) {
			return c.misused("a backup is no text: say -o FILE, or send it somewhere")
		}
		return c.writeBackup(ctx, cfg, *spool, &progress{Writer: c.out, to: c.err})
	}
	size := int64(0)
	err = writeAside(*path, func(f *os.File) error {
		p := &progress{Writer: f, to: c.err}
		err := c.writeBackup(ctx, cfg, *spool, p)
		size = p.total
		return err
	})
	if err != nil {
		return fmt.Errorf("back up to %s: %w", *path, err)
	}
	fmt.Fprintf(c.out, "The backup was written to %s: %d KiB, for the holder of the private half of option backup_key.\n", *path, (size+1023)>>10)
	return nil
}

// writeAside has a file written, readable by its owner only: it is there whole
// or not at all.
func writeAside(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // of one that failed
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// progressEvery is after how many bytes a line says how far it is.
const progressEvery = 8 << 20

// progress counts what is written, and says so for long work.
type progress struct {
	io.Writer
	to    io.Writer
	total int64
	of    int64 // 0: not known
}

func (p *progress) Write(b []byte) (int, error) {
	n, err := p.Writer.Write(b)
	before := p.total / progressEvery
	if p.total += int64(n); p.total/progressEvery > before {
		if p.of > 0 {
			fmt.Fprintf(p.to, "%d of %d MiB\n", p.total>>20, p.of>>20)
		} else {
			fmt.Fprintf(p.to, "%d MiB\n", p.total>>20)
		}
	}
	return n, err
}

// writeBackup asks the daemon for a backup, and makes it itself when none
// runs.
func (c *call) writeBackup(ctx context.Context, cfg *config.Config, spool string, w io.Writer) error {
	return askOrRead(ctx, cfg,
		func(c *control.Client) error { return c.Backup(ctx, w, spool) },
		func(l *sqlite.Ledger, key hien.RouterKey) error {
			clock, err := newClock()
			if err != nil {
				return err
			}
			return backUp(ctx, w, l, key, cfg, c.config, spool, clock.now())
		})
}

// backup is the daemon's answer.
func (d *daemon) backup(ctx context.Context, w io.Writer, spool string) error {
	if d.record == nil {
		return d.closed
	}
	d.copying.Lock()
	defer d.copying.Unlock()
	return backUp(ctx, w, &d.record.Ledger, d.key, d.config(), d.path, spool, d.clock.now())
}

// spoolName is the copy of the record while a backup is written. It has no
// name any more when the first byte is sent.
const spoolName = "backup.db"

// backUp writes a backup of a record: its copy lies in memory meanwhile, so
// that neither flash is written nor guests wait for whoever reads slowly.
func backUp(ctx context.Context, w io.Writer, l *sqlite.Ledger, key hien.RouterKey, cfg *config.Config, path, spool string, now hien.Moment) error {
	if cfg.BackupKey.IsZero() {
		return control.Refusal("there is no option backup_key in %s: `hien backup key` makes a pair, and says where the public half goes", path)
	}
	if spool == "" {
		spool = cfg.RunDir
	}
	if err := os.MkdirAll(spool, 0o700); err != nil {
		return fmt.Errorf("make a place for the copy: %w", err)
	}
	need, err := l.Size(ctx)
	if err != nil {
		return err
	}
	if err := roomFor(spool, need); err != nil {
		return err
	}
	c := backup.Contents{RouterKey: []byte(key.Reveal() + "\n")}
	if c.Config, err = os.ReadFile(path); err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if c.BrandKey, err = os.ReadFile(cfg.BrandKeyFile); unlessMissing(err) != nil {
		return fmt.Errorf("read brand key: %w", err)
	}
	copied, head, err := copyRecord(ctx, l, filepath.Join(spool, spoolName))
	if err != nil {
		return err
	}
	defer copied.Close()
	info, err := copied.Stat()
	if err != nil {
		return fmt.Errorf("measure the copy of the record: %w", err)
	}
	c.Record = copied
	c.Manifest = backup.Manifest{Version: hien.Version, Store: cfg.StoreID, Made: now.Wall.UTC(), InStep: now.InStep,
		Key: consent.KeyID(key.Signer().Public()), Seq: head.Seq, Hash: head.Hash, Record: info.Size()}
	return backup.Write(w, cfg.BackupKey, c)
}

// copyRecord makes a copy that has no name any more, and the end of its
// ledger. One that a killed daemon has left behind is replaced.
func copyRecord(ctx context.Context, l *sqlite.Ledger, path string) (*os.File, consent.Head, error) {
	if err := unlessMissing(os.Remove(path)); err != nil {
		return nil, consent.Head{}, fmt.Errorf("remove an old copy: %w", err)
	}
	if err := l.CopyTo(ctx, path); err != nil {
		return nil, consent.Head{}, err
	}
	defer os.Remove(path)
	opened, err := sqlite.OpenLedger(ctx, path)
	if err != nil {
		return nil, consent.Head{}, err
	}
	head, err := opened.Head(ctx)
	if err = errors.Join(err, opened.Close()); err != nil {
		return nil, consent.Head{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, consent.Head{}, fmt.Errorf("read the copy of the record: %w", err)
	}
	return f, head, nil
}

// spareMemory is what a copy in memory leaves to the rest of the router.
const spareMemory = 8 << 20

// roomFor holds that a copy of so many bytes has room in a directory, and, if
// that is in memory, that the router has the memory.
func roomFor(dir string, need int64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look for room at %s: %w", dir, err)
	}
	room := int64(fs.Bavail) * int64(fs.Bsize)
	if fs.Type == unix.TMPFS_MAGIC {
		if text, err := os.ReadFile("/proc/meminfo"); err == nil {
			if free, ok := memoryAvailable(string(text)); ok {
				room = min(room, max(0, free-spareMemory))
			}
		}
	}
	if need > room {
		return control.Refusal("the record has %d KiB, and there is room for %d at %s: `hien backup --spool DIR` takes another place for its copy, a USB stick for one", (need+1023)>>10, room>>10, dir)
	}
	return nil
}

// memoryAvailable reads the kernel's account (proc(5), meminfo: MemAvailable).
func memoryAvailable(meminfo string) (int64, bool) {
	for line := range strings.Lines(meminfo) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
			return kib << 10, true
		}
	}
	return 0, false
}
