package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/livebook"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/internal/world"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// said runs a command line in this process.
func said(t *testing.T, args ...string) (status int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	status = run(t.Context(), args, &o, &e)
	return status, o.String(), e.String()
}

func TestUsageOfEveryCommand(t *testing.T) {
	var b strings.Builder
	asks := [][]string{{"-h"}}
	for _, cmd := range commands() {
		asks = append(asks, append(strings.Fields(cmd.name), "-h"))
	}
	for _, args := range asks {
		status, out, errOut := said(t, args...)
		if status != 0 || errOut != "" {
			t.Errorf("hien %s: status %d, and on standard error %q; want 0 and nothing", strings.Join(args, " "), status, errOut)
		}
		if len(args) > 1 && !strings.Contains(out, "\nExample") {
			t.Errorf("hien %s shows no example", strings.Join(args, " "))
		}
		fmt.Fprintf(&b, "$ hien %s\n%s\n", strings.Join(args, " "), out)
	}
	got := strings.Replace(b.String(), "Hiên "+hien.Version, "Hiên VERSION", 1)
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(line) - 1; n > 80 || strings.Contains(line, "!") {
			t.Errorf("a line of %d columns, want at most 80 and no exclamation mark: %s", n, line)
		}
	}
	path := filepath.Join("testdata", "help.golden")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got), rewrite with -update:\n%s", path, d)
	}
}

func TestUsageErrorsSayWhatIsAllowed(t *testing.T) {
	for args, says := range map[string]string{
		"guests --limit 0":       "--limit 0: want a number from 1 to 1000",
		"visits --limit 1001":    "--limit 1001: want a number from 1 to 1000",
		"queue --limit many":     "invalid value \"many\"",
		"cleanup --json":         "not defined: -json",
		"withdraw":               "whose consent? `hien consents` shows each person's subject",
		"status more":            "\"more\" is one word too many",
		"ledger verify --limit1": "`hien ledger verify -h` says how it is used",
	} {
		status, out, errOut := said(t, strings.Fields(args)...)
		if status != 2 || out != "" || !strings.Contains(errOut, says) {
			t.Errorf("hien %s: status %d, out %q, saying %q; want 2, nothing and %q", args, status, out, errOut, says)
		}
	}
	if status, _, errOut := said(t, "withdraw", "someone", "spam"); status != 1 || !strings.Contains(errOut, "want visit_frequency") {
		t.Errorf("a purpose that there is not: status %d, saying %q", status, errOut)
	}
}

// write writes a file of a test.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeygenWritesWhereTheConfigurationSays(t *testing.T) {
	dir := t.TempDir()
	configured := func(name, text string) string { return write(t, filepath.Join(dir, name), text) }
	here := filepath.Join(dir, "keys", "brand.key")
	for name, text := range map[string]string{
		"whole": "config hien 'main'\n\toption store_id 'a'\n\toption store_name 'A'\n\toption brand_key_file '" + here + "'\nconfig zone 'guest'\n\toption interface 'br-guest'\n",
		// As it is when keygen is run first: what keygen makes is lacking.
		"without a seal key": "config hien 'main'\n\toption brand_key_file '" + here + "'\nconfig zone 'guest'\n\tlist purpose 'contact_zalo'\n",
	} {
		os.RemoveAll(filepath.Dir(here))
		path := configured("config", text)
		status, out, errOut := said(t, "keygen", "--config", path)
		if status != 0 || !strings.Contains(out, "The brand key was written to "+here) || !strings.Contains(out, "section 'main' of "+path) {
			t.Fatalf("%s: status %d, saying %q %q", name, status, out, errOut)
		}
		first, err := os.ReadFile(here)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hien.ParseBrandKey(string(first)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, out, _ := said(t, "keygen", "--config", path); !strings.Contains(out, "was kept as it is") {
			t.Errorf("%s, again: %q; want that the key was kept", name, out)
		}
		if again, err := os.ReadFile(here); err != nil || string(again) != string(first) {
			t.Errorf("%s: the key was exchanged: %v", name, err)
		}
	}

	elsewhere := filepath.Join(dir, "other.key")
	var told struct {
		File string `json:"brand_key_file"`
		Made bool   `json:"brand_key_made"`
	}
	_, out, _ := said(t, "keygen", "--json", "--brand-key-file", elsewhere, "--config", filepath.Join(dir, "config"))
	if err := json.Unmarshal([]byte(out), &told); err != nil || told.File != elsewhere || !told.Made {
		t.Errorf("the flag goes first: got %+v, %v", told, err)
	}

	for name, text := range map[string]string{
		"a mistake in the syntax": "config hien 'main\n",
		"a relative path":         "config hien 'main'\n\toption brand_key_file 'brand.key'\n",
	} {
		status, out, errOut := said(t, "keygen", "--config", configured("broken", text))
		if status != 1 || out != "" || !strings.Contains(errOut, "--brand-key-file") {
			t.Errorf("%s: status %d, saying %q %q; want that nothing is made", name, status, out, errOut)
		}
	}
}

// Without a configuration the key goes where a configuration without the
// option would look for it.
func TestKeygenDefaultIsTheConfigurations(t *testing.T) {
	cfg, err := config.Parse("config", strings.NewReader("config hien 'main'\n\toption store_id 'a'\n\toption store_name 'A'\nconfig zone 'guest'\n\toption interface 'br-guest'\n"))
	if err != nil {
		t.Fatal(err)
	}
	empty := write(t, filepath.Join(t.TempDir(), "config"), "config hien 'main'\n")
	for _, path := range []string{"/nowhere/hien", empty} {
		if got, err := configuredKeyFile(path); err != nil || got != cfg.BrandKeyFile {
			t.Errorf("%s: got %s, %v, want %s", path, got, err, cfg.BrandKeyFile)
		}
	}
}

func TestKeygenLeavesAWholeSecretOrNone(t *testing.T) {
	secret := func() string { return "a secret" }
	for _, c := range []struct {
		name   string
		before map[string]string // what a crash, or an owner, has left
		made   bool
		want   string
	}{
		{"nothing was there", nil, true, "a secret\n"},
		{"an empty file of a crash", map[string]string{"key": ""}, true, "a secret\n"},
		{"half a secret that never got its name", map[string]string{"key.new": "a sec"}, true, "a secret\n"},
		{"both", map[string]string{"key": "", "key.new": "a sec"}, true, "a secret\n"},
		{"a secret", map[string]string{"key": "the old one\n"}, false, "the old one\n"},
		{"a secret whose second name was left", map[string]string{"key": "the old one\n", "key.new": "the old one\n"}, false, "the old one\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "made")
			if c.before != nil {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for name, text := range c.before {
				write(t, filepath.Join(dir, name), text)
			}
			path := filepath.Join(dir, "key")
			made, err := writeNewSecret(path, secret)
			if err != nil || made != c.made {
				t.Errorf("got %v, %v, want %v", made, err, c.made)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != c.want {
				t.Errorf("the file: got %q, %v, want %q", got, err, c.want)
			}
			if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
				t.Errorf("mode: got %v, %v, want 0600", info.Mode(), err)
			}
			wantFiles(t, dir, "key")
		})
	}
}

func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %v, want %v", dir, got, want)
	}
}

func TestKeygenManyAtOnceMakeOneSecret(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "key"), "")
	var all sync.WaitGroup
	made := make([]bool, 16)
	for i := range made {
		all.Go(func() {
			var err error
			if made[i], err = writeNewSecret(path, func() string { return fmt.Sprint("secret ", i) }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	one := slices.Index(made, true)
	if one < 0 || slices.Contains(made[one+1:], true) {
		t.Fatalf("made: %v; want exactly one", made)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != fmt.Sprintf("secret %d\n", one) {
		t.Errorf("got %q, %v, want the one that was said to be made, %d", got, err, one)
	}
	wantFiles(t, filepath.Dir(path), "key")
}

func TestKeygenMakesNoRouterKeyForARecordOfAnother(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, sqlite.FileName), "") // begun, and nothing was recorded
	key, err := routerKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, sqlite.FileName), sqlite.Options{Signer: key.Signer()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := routerKey(dir); err != nil || again.Reveal() != key.Reveal() {
		t.Errorf("a second start: %v, want the same key", err)
	}

	file := filepath.Join(dir, routerKeyName)
	for name, lose := range map[string]func() error{
		"the key is gone":  func() error { return os.Remove(file) },
		"the key is empty": func() error { return os.WriteFile(file, nil, 0o600) },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		_, err := routerKey(dir)
		want := "there is no router key at " + file + ", and the record beside it was signed with one: put back router.key from a backup, or move record.db away (with record.db-wal, if there is one) to begin anew"
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v\nwant %s", name, err, want)
		}
		if had, err := holdsSecret(file); had || err != nil {
			t.Errorf("%s: another key was made: %v", name, err)
		}
	}

	d := &daemon{cfg: &config.Config{DataDir: dir}, log: slog.New(slog.DiscardHandler)}
	if d.openRecord(t.Context()); d.record != nil || d.closed == nil {
		t.Errorf("the daemon's record: %v, closed by %v; want it closed", d.record, d.closed)
	}
	if err := os.Rename(filepath.Join(dir, sqlite.FileName), filepath.Join(dir, "old.db")); err != nil {
		t.Fatal(err)
	}
	if _, err := routerKey(dir); err != nil {
		t.Errorf("with the record moved away: %v", err)
	}
}

// counter is a daemon with a record and a socket, and no network: what the
// questions about the record need.
func counter(t *testing.T) (d *daemon, configuration string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "hien") // short enough for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	configuration = write(t, filepath.Join(dir, "config"), fmt.Sprintf(`config hien 'main'
	option store_id 'a'
	option store_name 'A'
	option data_dir '%s/data'
	option run_dir '%[1]s/run'
config zone 'guest'
	option interface 'br-guest'
config sink 'cdp'
	option type 'segment'
	option url 'https://cdp.example'
	option write_key 'key'
`, dir))
	cfg, err := config.Load(configuration)
	if err != nil {
		t.Fatal(err)
	}
	d = &daemon{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	if d.clock, err = newClock(); err != nil {
		t.Fatal(err)
	}
	if d.openRecord(t.Context()); d.closed != nil {
		t.Fatal(d.closed)
	}
	d.book, err = livebook.Open(filepath.Join(dir, "livebook"), livebook.Options{Boot: d.clock.boot, Log: d.log})
	if err != nil {
		t.Fatal(err)
	}
	d.gateway = hien.NewGateway(d.parts(), hien.Settings{StoreID: cfg.StoreID})
	l, err := control.Listen(cfg.RunDir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- control.NewServer(d.house(), d.log).Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, d.record.Close(), d.book.Close()); err != nil {
			t.Error(err)
		}
	})
	return d, configuration
}

// optIn records that a person agreed to purposes, each with its event.
func (d *daemon) optIn(t *testing.T, person int, agreed ...consent.Purpose) (subject consent.ID) {
	t.Helper()
	return d.optInAs(t, hien.LeadKey(fmt.Sprintf("k1:%064x", person)), agreed...)
}

func (d *daemon) optInAs(t *testing.T, key hien.LeadKey, agreed ...consent.Purpose) (subject consent.ID) {
	t.Helper()
	now, id := d.clock.now(), consent.NewID()
	notice := consent.Notice{Version: "test-1", Language: "vi", Title: "A"}
	for _, p := range []consent.Purpose{consent.VisitFrequency, consent.ContactZalo, consent.ContactSMS} {
		notice.Asks = append(notice.Asks, consent.Ask{Purpose: p, Line: "line", Detail: "detail"})
	}
	err := d.record.OptIn(t.Context(), key, func(m hien.Member) (o hien.OptIn, err error) {
		subject = m.Consent.Subject()
		given, err := consent.Give(id, subject, notice, agreed, now)
		if err != nil {
			return o, err
		}
		o = hien.OptIn{Consent: given, Notice: notice, Statement: consent.StateConsent(given),
			Commitments: map[string]consent.Commitment{"number": consent.Commit(string(m.Key))}}
		o.Statement.Bind(o.Commitments)
		if given.Allows(consent.VisitFrequency) {
			o.Visit = &hien.Visit{ID: "visit of " + id, Subject: subject, Zone: "guest", Start: now, Number: 1}
		}
		for _, p := range agreed {
			e, err := hien.NewEvent(given, p, hien.LeadGiven, m.Key, now, hien.Facts{Store: "a", Zone: "guest"})
			if err != nil {
				return o, err
			}
			o.Events = append(o.Events, e)
		}
		return o, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return subject
}

func TestWithdrawSaysWhatItChanged(t *testing.T) {
	d, configuration := counter(t)
	subject := string(d.optIn(t, 1, consent.VisitFrequency, consent.ContactZalo, consent.ContactSMS))
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"nobody", 1, "there is no subject \"nobody\": `hien consents` lists them"},
		{subject + " ads_audience", 0, "Nothing was changed"},
		{subject + " contact_zalo", 0, "contact_zalo is taken back"},
		{subject + " contact_zalo", 0, "Nothing was changed"},
		{subject + " contact_sms contact_zalo", 0, "contact_sms is taken back"},
		{subject, 0, "visit_frequency is taken back"},
		{subject, 0, "Nothing was changed"},
	} {
		status, out, errOut := said(t, append([]string{"withdraw", "--config", configuration}, strings.Fields(c.args)...)...)
		if status != c.status || !strings.Contains(out+errOut, c.says) {
			t.Errorf("hien withdraw %s: status %d, saying %q; want %d and %q", c.args, status, out+errOut, c.status, c.says)
		}
	}
	_, out, _ := said(t, "withdraw", subject, "--json", "--config", configuration)
	var w control.Withdrawn
	if err := json.Unmarshal([]byte(out), &w); err != nil || string(w.Subject) != subject || w.Purposes == nil || len(w.Purposes) != 0 {
		t.Errorf("as JSON: got %s, %v; want the subject and an empty list", out, err)
	}
}

func TestCommandLineShowsParkedEventsWhateverWaits(t *testing.T) {
	d, configuration := counter(t)
	for person := range 5 {
		d.optIn(t, person, consent.VisitFrequency, consent.ContactZalo)
	}
	b, err := d.record.Batch(t.Context(), 100, d.clock.now())
	if err != nil || len(b) != 10 {
		t.Fatalf("batch: %d events, %v", len(b), err)
	}
	if err := d.record.Park(t.Context(), map[consent.ID]string{b[7].ID(): "400 Bad Request: no such event"}, d.clock.now()); err != nil {
		t.Fatal(err)
	}
	_, out, errOut := said(t, "queue", "--limit", "2", "--config", configuration)
	for _, says := range []string{"9 events wait, 1 is parked; the first 2 are shown", string(b[7].ID())[:8] + "  cdp", "400 Bad Request: no such event"} {
		if !strings.Contains(out, says) {
			t.Errorf("hien queue --limit 2 does not say %q:\n%s%s", says, out, errOut)
		}
	}
	_, out, _ = said(t, "queue", "--json", "--limit", "2", "--config", configuration)
	var q control.Queue
	if err := json.Unmarshal([]byte(out), &q); err != nil {
		t.Fatal(err)
	}
	if q.Total != 10 || q.Waiting != 9 || q.Parked != 1 || len(q.Items) != 2 ||
		q.Items[0].State != control.EventParked || q.Items[1].State != control.EventWaiting || q.Items[1].ID != b[0].ID() {
		t.Errorf("as JSON: %+v", q)
	}
}

func TestCommandLineAnswersMachinesInFull(t *testing.T) {
	d, configuration := counter(t)
	subject := d.optIn(t, 1, consent.VisitFrequency)
	d.optIn(t, 1, consent.VisitFrequency, consent.ContactZalo) // the same person, again
	var visits control.List[control.Visit]
	var consents control.List[control.Consent]
	for command, into := range map[string]any{"visits": &visits, "consents": &consents} {
		status, out, errOut := said(t, command, "--json", "--config", configuration)
		if err := json.Unmarshal([]byte(out), into); err != nil || status != 0 {
			t.Fatalf("hien %s: status %d, %v, %s", command, status, err, errOut)
		}
	}
	for _, v := range visits.Items {
		if !strings.HasPrefix(string(v.ID), "visit of ") || v.Subject != subject {
			t.Errorf("visit %+v; want its id and its person", v)
		}
	}
	if len(visits.Items) == 0 || len(consents.Items) != 1 || consents.Total != 1 || consents.Items[0].Language != "vi" || consents.Items[0].ID == "" {
		t.Errorf("visits %+v\nconsents %+v; want one person's, in the language of its notice", visits, consents)
	}
}

func TestCommandLineStatusIsHonest(t *testing.T) {
	s := openShop(t, world.Options{CDP: world.RudderStack}, everyday)
	summary := func() string {
		s.Helper()
		st := ask[control.Status](s, "status")
		if people := strings.Join(strings.Fields(s.hien("status")), " "); !strings.Contains(people, st.Summary) {
			t.Errorf("machines are told %q, people\n%s", st.Summary, people)
		}
		return strings.Join(append([]string{st.Summary}, st.Todo...), "\n")
	}
	if got := summary(); got != "All is well." {
		t.Errorf("a fresh shop: %s", got)
	}
	s.CDP.Down()
	s.give(s.join("p"), "0987654321")
	if _, err := s.Daemon.Line(s.patient(), "they are kept and tried again"); err != nil {
		t.Fatal(err)
	}
	got := summary()
	if !strings.HasPrefix(got, "Nothing has been delivered to cdp since ") || !strings.Contains(got, "; 3 events wait and are tried again: ") || strings.Contains(got, "\n") {
		t.Errorf("while the CDP is down: %s", got)
	}
	s.hien("cleanup")
	if got = summary(); !strings.HasPrefix(got, "Guests have not been stopped since `hien cleanup`") || strings.Count(got, "\n") != 1 {
		t.Errorf("after the clean-up: %s\nwant one sentence about it, and one about the CDP", got)
	}
	mark := s.Daemon.Mark()
	if err := s.Daemon.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Daemon.LineAfter(s.patient(), mark, "the configuration was read again"); err != nil {
		t.Fatal(err)
	}
	if got = summary(); strings.Contains(got, "cleanup") {
		t.Errorf("after SIGHUP: %s", got)
	}
}
