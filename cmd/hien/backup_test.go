package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/backup"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/sqlite"
)

// A keptShop is a router's files without a daemon: what a backup is made of.
type keptShop struct {
	*testing.T
	dir    string // data, run and everything else
	config string
	owner  backup.Identity
	record *sqlite.Store
	key    hien.RouterKey
	brand  hien.BrandKey
}

var keptSince = hien.Moment{Wall: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), Boot: "boot-a", Up: time.Hour, InStep: true}

// newKeptShop sets up a router: with a key, a record and a brand key.
func newKeptShop(t *testing.T) *keptShop {
	t.Helper()
	s := bareShop(t)
	var err error
	if s.owner, err = backup.NewIdentity(); err != nil {
		t.Fatal(err)
	}
	if s.key, err = routerKey(s.data()); err != nil {
		t.Fatal(err)
	}
	s.brand = hien.NewBrandKey(1)
	write(t, s.brandFile(), s.brand.Reveal()+"\n")
	s.config = write(t, s.config, s.text())
	s.open()
	return s
}

// bareShop is a router as it is unpacked.
func bareShop(t *testing.T) *keptShop {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"data", "run"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return &keptShop{T: t, dir: dir, config: filepath.Join(dir, "hien.uci")}
}

func (s *keptShop) data() string      { return filepath.Join(s.dir, "data") }
func (s *keptShop) brandFile() string { return filepath.Join(s.dir, "brand.key") }

func (s *keptShop) text() string {
	return fmt.Sprintf(`config hien 'main'
	option store_id 'hcm-q1-01'
	option store_name 'Quán Hiên'
	option data_dir '%s'
	option run_dir '%s'
	option brand_key_file '%s'
	option backup_key '%s'

config zone 'guest'
	option interface 'br-guest'
`, s.data(), filepath.Join(s.dir, "run"), s.brandFile(), s.owner.Recipient())
}

func (s *keptShop) open() {
	s.Helper()
	var err error
	if s.record, err = sqlite.Open(s.Context(), filepath.Join(s.data(), sqlite.FileName), sqlite.Options{Signer: s.key.Signer(), Tombstone: s.key.Tombstone}); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { s.record.Close() })
}

func (s *keptShop) close() {
	s.Helper()
	if err := s.record.Close(); err != nil {
		s.Fatal(err)
	}
}

// gives has a made-up person consent, and answers the person's subject.
func (s *keptShop) gives(person int, purposes ...consent.Purpose) (subject consent.ID) {
	s.Helper()
	at := keptSince
	at.Wall, at.Up = at.Wall.Add(time.Duration(person)*time.Minute), at.Up+time.Duration(person)*time.Minute
	notice := consent.Notice{Version: "test-1", Language: "vi", Title: "Quán Hiên"}
	for _, p := range []consent.Purpose{consent.VisitFrequency, consent.ContactZalo} {
		notice.Asks = append(notice.Asks, consent.Ask{Purpose: p, Line: "dòng", Detail: "chi tiết"})
	}
	err := s.record.OptIn(s.Context(), s.lead(person), func(m hien.Member) (hien.OptIn, error) {
		subject = m.Consent.Subject()
		c, err := consent.Give(consent.NewID(), subject, notice, purposes, at)
		o := hien.OptIn{Consent: c, Notice: notice, Statement: consent.StateConsent(c)}
		o.Commitments = map[string]consent.Commitment{"address": consent.Commit("10.77.0.9"), "number": consent.Commit(string(s.lead(person)))}
		o.Statement.Bind(o.Commitments)
		for _, p := range purposes {
			e, eventErr := hien.NewEvent(c, p, hien.LeadGiven, s.lead(person), at, hien.Facts{Store: "hcm-q1-01"})
			err = errors.Join(err, eventErr)
			o.Events = append(o.Events, e)
		}
		if c.Allows(consent.VisitFrequency) {
			o.Mark = s.key.MemberMark(hien.MAC{2, 0, 0x5e, 0x10, 0, byte(person)})
		}
		return o, err
	})
	if err != nil {
		s.Fatal(err)
	}
	return subject
}

func (s *keptShop) lead(person int) hien.LeadKey {
	return hien.LeadKey(fmt.Sprintf("k1:%064x", person))
}

// backUp makes a backup with the command, as no daemon runs.
func (s *keptShop) backUp() string {
	s.Helper()
	path := filepath.Join(s.dir, "hien.backup")
	status, out, errOut := said(s.T, "backup", "-o", path, "--config", s.config)
	if status != 0 || !strings.Contains(out, "The backup was written to "+path) {
		s.Fatalf("hien backup: status %d, saying %q %q", status, out, errOut)
	}
	return path
}

func TestABackupHoldsWhatTheRouterHas(t *testing.T) {
	s := newKeptShop(t)
	s.gives(1, consent.VisitFrequency, consent.ContactZalo)
	s.close()
	path := s.backUp()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: %v, %v; want mode 0600", info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := backup.Open(bytes.NewReader(text), s.owner)
	if err != nil {
		t.Fatal(err)
	}
	record, err := io.ReadAll(b.Record)
	if err = errors.Join(err, b.End()); err != nil {
		t.Fatal(err)
	}
	if string(b.Config) != s.text() || string(b.BrandKey) != s.brand.Reveal()+"\n" || string(b.RouterKey) != s.key.Reveal()+"\n" ||
		!bytes.HasPrefix(record, []byte("SQLite format 3\x00")) {
		t.Errorf("it holds %q, %d bytes of record", b.Config, len(record))
	}
	if b.Manifest.Seq != 1 || b.Manifest.Store != "hcm-q1-01" || b.Manifest.Key != consent.KeyID(s.key.Signer().Public()) {
		t.Errorf("it says %+v", b.Manifest)
	}
	for _, secret := range []string{s.brand.Reveal()[3:], s.key.Reveal(), string(s.lead(1)), "10.77.0.9"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the file shows %q", secret)
		}
	}
	wantFiles(t, filepath.Join(s.dir, "run"))

	s.open() // as a daemon has it
	if status, _, errOut := said(t, "backup", "-o", path, "--config", s.config); status != 1 || !strings.Contains(errOut, "another process has the record open") {
		t.Errorf("a record that somebody has open: status %d, saying %q", status, errOut)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, text) {
		t.Errorf("a backup that failed has changed the one before: %v", err)
	}
	wantFiles(t, s.dir, "brand.key", "data", "hien.backup", "hien.uci", "run")
}

func TestABackupWhileTheDaemonRuns(t *testing.T) {
	s := newKeptShop(t)
	s.gives(1, consent.ContactZalo)
	clock, err := newClock()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(s.config)
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{path: s.config, cfg: cfg, record: s.record, key: s.key, clock: clock}
	var out bytes.Buffer
	// While the reader takes its time, people go on consenting.
	err = d.backup(t.Context(), writerFunc(func(b []byte) (int, error) {
		if out.Len() == 0 {
			s.gives(2, consent.ContactZalo)
		}
		return out.Write(b)
	}), "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := backup.Open(&out, s.owner)
	if err != nil || b.Manifest.Seq != 1 {
		t.Errorf("it ends at entry %d, %v; want the one before it was begun", b.Manifest.Seq, err)
	}
	wantFiles(t, filepath.Join(s.dir, "run"))

	failed := errors.New("the reader has gone")
	if err := d.backup(t.Context(), writerFunc(func([]byte) (int, error) { return 0, failed }), ""); !errors.Is(err, failed) {
		t.Errorf("backup = %v; want the reader's error", err)
	}
	wantFiles(t, filepath.Join(s.dir, "run"))
	write(t, filepath.Join(s.dir, "run", spoolName), "left behind by a daemon that was killed")
	if err := d.backup(t.Context(), io.Discard, ""); err != nil {
		t.Errorf("over what a killed daemon left: %v", err)
	}
	cfg.BackupKey = backup.Recipient{}
	if err := d.backup(t.Context(), io.Discard, ""); err == nil || !strings.Contains(err.Error(), "`hien backup key` makes a pair") {
		t.Errorf("without a key: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.backup(ended, io.Discard, ""); err == nil {
		t.Error("a backup that nobody waits for was made")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestABackupNeedsRoom(t *testing.T) {
	if err := roomFor(t.TempDir(), 1<<60); err == nil || !strings.Contains(err.Error(), "--spool DIR") {
		t.Errorf("a record of an exabyte: %v; want another place", err)
	}
	if err := roomFor(t.TempDir(), 1<<10); err != nil {
		t.Errorf("a small record: %v", err)
	}
	if err := roomFor(filepath.Join(t.TempDir(), "none"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such place: %v", err)
	}
	if n, ok := memoryAvailable("MemTotal: 1 kB\nMemAvailable:   2048 kB\n"); !ok || n != 2<<20 {
		t.Errorf("memory: %d, %v; want 2 MiB", n, ok)
	}
	if _, ok := memoryAvailable("MemTotal: 1 kB\n"); ok {
		t.Error("an old kernel does not say, and it was read")
	}
}

func TestTheKeyForBackupsIsShownOnce(t *testing.T) {
	_, out, _ := said(t, "backup", "key", "--config", "/etc/config/hien")
	if !strings.Contains(out, "option backup_key 'age1") || !strings.Contains(out, "AGE-SECRET-KEY-1") || !strings.Contains(out, "section 'main' of /etc/config/hien") {
		t.Errorf("hien backup key says %q", out)
	}
	var pair struct {
		Public  string `json:"backup_key"`
		Private string `json:"private_key"`
	}
	_, out, _ = said(t, "backup", "key", "--json")
	if json.Unmarshal([]byte(out), &pair) != nil {
		t.Fatalf("hien backup key --json says %q", out)
	}
	if id, err := backup.ReadIdentity(strings.NewReader(pair.Private)); err != nil || id.Recipient().String() != pair.Public {
		t.Errorf("the pair is none: %v", err)
	}
}

func TestLongWorkSaysHowFarItIs(t *testing.T) {
	var says strings.Builder
	p := &progress{Writer: io.Discard, to: &says, of: 20 << 20}
	for range 20 {
		if _, err := p.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Fields(says.String()); !slices.Equal(got, strings.Fields("8 of 20 MiB 16 of 20 MiB")) {
		t.Errorf("it says %q", says.String())
	}
}

func TestTheInventoryIsOfThisShop(t *testing.T) {
	s := newKeptShop(t)
	s.gives(1, consent.VisitFrequency, consent.ContactZalo)
	s.close()
	_, out, errOut := said(t, "inventory", "--config", s.config)
	for _, want := range []string{"Dữ liệu cá nhân tại Quán Hiên", "Hiện có dữ liệu của 1 người", "thời gian từng lần ghé", "Thông báo còn thiếu controller_name", "bản sao lưu"} {
		if !strings.Contains(out, want) {
			t.Errorf("the inventory says %s%s; want %q", out, errOut, want)
		}
	}
	if _, out, _ = said(t, "inventory", "--lang", "en", "--config", s.config); !strings.Contains(out, "People of whom there is data now: 1") {
		t.Errorf("in English it says %s", out)
	}
	var inv struct {
		Items  []struct{ ID string }
		Counts struct{ Leads int }
	}
	_, out, _ = said(t, "inventory", "--json", "--config", s.config)
	if err := json.Unmarshal([]byte(out), &inv); err != nil || inv.Counts.Leads != 1 || len(inv.Items) < 10 {
		t.Errorf("for machines: %+v, %v", inv, err)
	}
	if strings.Contains(out, string(s.lead(1))) {
		t.Error("it names somebody")
	}
	if status, _, errOut := said(t, "inventory", "--lang", "fr"); status != 2 || !strings.Contains(errOut, "want vi or en") {
		t.Errorf("another language: status %d, saying %s", status, errOut)
	}
}
