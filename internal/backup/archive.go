package backup

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"

	"github.com/hien-wifi/hien/consent"
)

// Format names the layout of the archive.
const Format = "hien-backup-1"

// The parts, in the order in which they stand. All are needed but the brand
// key, which a shop that asks for no number does not have.
const (
	ManifestName  = "manifest.json"
	ConfigName    = "config"
	BrandKeyName  = "brand.key"
	RouterKeyName = "router.key"
	RecordName    = "record.db"
)

var order = []string{ManifestName, ConfigName, BrandKeyName, RouterKeyName, RecordName}

// MaxSmall is the largest that any part but the record may be.
const MaxSmall = 1 << 20

// A Manifest says what a backup is of, so that it can be told before anything
// is taken over.
type Manifest struct {
	Format  string       `json:"format"`
	Version string       `json:"version"` // of the software that wrote it
	Store   string       `json:"store"`
	Made    time.Time    `json:"made"`
	InStep  bool         `json:"in_step"` // the clock was set then
	Key     string       `json:"key"`     // the short name of the router's key
	Seq     uint64       `json:"seq"`     // of the ledger's last entry
	Hash    consent.Hash `json:"hash"`    // its hash
	Record  int64        `json:"record"`  // bytes
}

// Head is the end of the ledger in the backup.
func (m Manifest) Head() consent.Head { return consent.Head{Seq: m.Seq, Hash: m.Hash} }

// Contents are what goes into a backup.
type Contents struct {
	Manifest  Manifest
	Config    []byte
	BrandKey  []byte // nil: there is none
	RouterKey []byte
	Record    io.Reader // of Manifest.Record bytes
}

// Write writes a backup that only the holder of the private key opens. The
// record goes through as it is read.
func Write(w io.Writer, to Recipient, c Contents) error {
	sealed, err := age.Encrypt(w, to.to)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	c.Manifest.Format = Format
	text, err := json.Marshal(c.Manifest)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	t := tar.NewWriter(sealed)
	part := func(name string, size int64, from func() error) error {
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: c.Manifest.Made, Format: tar.FormatUSTAR}); err != nil {
			return err
		}
		return from()
	}
	for _, small := range []struct {
		name string
		text []byte
	}{{ManifestName, text}, {ConfigName, c.Config}, {BrandKeyName, c.BrandKey}, {RouterKeyName, c.RouterKey}} {
		if small.text == nil {
			continue
		}
		if err := part(small.name, int64(len(small.text)), func() error { _, err := t.Write(small.text); return err }); err != nil {
			return fmt.Errorf("write backup: %s: %w", small.name, err)
		}
	}
	err = part(RecordName, c.Manifest.Record, func() error { _, err := io.CopyN(t, c.Record, c.Manifest.Record); return err })
	if err = errors.Join(err, t.Close()); err != nil {
		return fmt.Errorf("write backup: %s: %w", RecordName, err) // not closed: what there is stays a torn file
	}
	if err := sealed.Close(); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

// ErrKey says that the backup was sealed to another key.
var ErrKey = errors.New("the key does not open this backup: it was sealed to another one")

// A Backup is one that is being read.
type Backup struct {
	Contents
	rest io.Reader
	tar  *tar.Reader
}

// Open reads a backup up to its record, which the caller reads from Record and
// then calls End. What it has read so far is authentic; that the file is whole
// is known only after End.
func Open(r io.Reader, id Identity) (*Backup, error) {
	plain, err := age.Decrypt(r, id.of)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, ErrKey
	}
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	b := &Backup{rest: plain, tar: tar.NewReader(plain)}
	place := 0
	for {
		h, err := b.tar.Next()
		if err != nil {
			return nil, fmt.Errorf("open backup: %w", noEOF(err))
		}
		for place < len(order) && order[place] != h.Name {
			place++
		}
		if place == len(order) || h.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("open backup: %.40q does not belong there", h.Name)
		}
		place++
		if h.Name == RecordName {
			b.Record = b.tar
			return b, b.complete(h.Size)
		}
		if h.Size > MaxSmall {
			return nil, fmt.Errorf("open backup: %s has %d bytes, want at most %d", h.Name, h.Size, MaxSmall)
		}
		text, err := io.ReadAll(b.tar)
		if err != nil {
			return nil, fmt.Errorf("open backup: %s: %w", h.Name, err)
		}
		if err := b.take(h.Name, text); err != nil {
			return nil, err
		}
	}
}

func (b *Backup) take(name string, text []byte) error {
	switch name {
	case ConfigName:
		b.Config = text
	case BrandKeyName:
		b.BrandKey = text
	case RouterKeyName:
		b.RouterKey = text
	case ManifestName:
		if err := json.Unmarshal(text, &b.Manifest); err != nil {
			return fmt.Errorf("open backup: %s: %w", name, err)
		}
		if b.Manifest.Format != Format {
			return fmt.Errorf("open backup: its format is %.40q and this hien knows %s: install the release that wrote it, or a later one", b.Manifest.Format, Format)
		}
	}
	return nil
}

// complete holds that nothing is missing before the record.
func (b *Backup) complete(record int64) error {
	switch {
	case b.Manifest.Format == "", b.Config == nil, b.RouterKey == nil:
		return errors.New("open backup: something is missing in it")
	case b.Manifest.Record != record:
		return fmt.Errorf("open backup: its record has %d bytes, and it says %d", record, b.Manifest.Record)
	}
	return nil
}

// End reads to the end of the file, and holds that it is one.
func (b *Backup) End() error {
	if h, err := b.tar.Next(); err == nil {
		return fmt.Errorf("read backup: %.40q stands behind its end", h.Name)
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read backup: %w", err)
	}
	if _, err := io.Copy(io.Discard, b.rest); err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
