package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/inventory"
)

// wired is a house that answers made-up lists and keeps what it was told.
type wired struct {
	limits    []int
	full      int
	asked     []string // of the owner's acts: what, and by whom
	withdrawn []withdrawal
	released  int
	err       error
	noTill    bool
}

func (w *wired) house() House {
	return House{
		Status: func(context.Context) (Status, error) { return good(), w.err },
		Guests: func(_ context.Context, n int, full bool) (List[Guest], error) {
			w.limits = append(w.limits, n)
			if full {
				w.full++
				return guestsInFull(), w.err
			}
			return guests(), w.err
		},
		Audit:     func(context.Context, int) (List[Deed], error) { return audit(), w.err },
		StaffCode: func() (StaffCode, bool) { return StaffCode{"012345", 65}, !w.noTill },
		Owner: Owner{
			Admit: func(_ context.Context, o Order) (Done, error) {
				w.asked = append(w.asked, "admit "+o.Device+" in "+o.Zone+" by "+o.Who)
				return admitted(), w.err
			},
			Revoke: func(_ context.Context, o Order) (Done, error) {
				w.asked = append(w.asked, "revoke "+o.Device+" in "+o.Zone+" by "+o.Who)
				return revoked(), w.err
			},
			Open: func(_ context.Context, who string, d time.Duration) (Opened, error) {
				w.asked = append(w.asked, "open for "+d.String()+" by "+who)
				if d == 0 {
					return Opened{}, w.err
				}
				return Opened{now.Add(d)}, w.err
			},
			Reload: func(_ context.Context, who string, did Deed) error {
				w.asked = append(w.asked, "reload by "+who+": "+did.What+" "+did.About)
				return w.err
			},
		},
		Inventory: func(context.Context) (inventory.Inventory, error) { return taken(), w.err },
		Notice: func(_ context.Context, begin string) (Notice, error) {
			w.asked = append(w.asked, "notice "+begin)
			return Notice{Text: "notice\n"}, w.err
		},
		Retention: func(_ context.Context, _, days int) (Retention, error) {
			if days > 0 {
				return retentionDue(), w.err
			}
			return retention(), w.err
		},
		Retain: func(_ context.Context, who string) (Retained, error) {
			w.asked = append(w.asked, "retain by "+who)
			return Retained{Deleted: retention().Deleted}, w.err
		},
		Visits:   func(context.Context, int) (List[Visit], error) { return visits(), w.err },
		Leads:    func(context.Context, int) (List[Lead], error) { return leads(), w.err },
		Consents: func(context.Context, int) (List[Consent], error) { return consents(), w.err },
		Queue:    func(context.Context, int) (Queue, error) { return queue(), w.err },
		VerifyLedger: func(context.Context) (Ledger, error) {
			return Ledger{Holds: true, Entries: 3, Key: "0a1b2c3d4e5f6071"}, w.err
		},
		Withdraw: func(_ context.Context, s consent.ID, p []consent.Purpose) ([]consent.Purpose, error) {
			if s != subject {
				return nil, hien.ErrNoReceipt
			}
			w.withdrawn = append(w.withdrawn, withdrawal{s, p})
			return p, w.err // all that was named stood
		},
		Release: func(context.Context) error { w.released++; return w.err },
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// shortDir is a directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hien")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serve runs a server on a real socket until the test ends.
func serve(t *testing.T, h House) (runDir string, stop func()) {
	t.Helper()
	runDir = shortDir(t)
	l, err := Listen(runDir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- NewServer(h, quiet()).Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve after the end of its context: %v, want nil", err)
		}
	})
	t.Cleanup(stop)
	return runDir, stop
}

func TestEveryQuestionIsAnsweredOverTheSocket(t *testing.T) {
	w := new(wired)
	runDir, _ := serve(t, w.house())
	c, err := Dial(runDir)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, q := range []struct {
		name string
		ask  func() (any, error)
		want any
	}{
		{"status", func() (any, error) { return c.Status(ctx) }, good()},
		{"guests", func() (any, error) { return c.Guests(ctx, 0) }, guests()},
		{"guests with a limit", func() (any, error) { return c.Guests(ctx, 7) }, guests()},
		{"guests in full", func() (any, error) { return c.GuestsInFull(ctx, 0) }, guestsInFull()},
		{"guests in full with a limit", func() (any, error) { return c.GuestsInFull(ctx, 9) }, guestsInFull()},
		{"audit", func() (any, error) { return c.Audit(ctx, 0) }, audit()},
		{"admit", func() (any, error) {
			return c.Admit(ctx, Order{Who: "lan", Device: "02:00:5e:10:00:01", Zone: "guest"})
		}, admitted()},
		{"revoke", func() (any, error) { return c.Revoke(ctx, Order{Who: "lan", Device: "10.20.0.17"}) }, revoked()},
		{"open", func() (any, error) { return c.Open(ctx, "lan", 2*time.Hour) }, Opened{now.Add(2 * time.Hour)}},
		{"end open", func() (any, error) { return nil, c.EndOpen(ctx, "lan") }, nil},
		{"reload", func() (any, error) { return nil, c.Reload(ctx, "lan", Deed{}) }, nil},
		{"reload after a change", func() (any, error) {
			return nil, c.Reload(ctx, "lan", Deed{What: hien.DidTrust, About: "02:00:5e:··:··:·· in zone guest"})
		}, nil},
		{"visits", func() (any, error) { return c.Visits(ctx, 0) }, visits()},
		{"leads", func() (any, error) { return c.Leads(ctx, 0) }, leads()},
		{"consents", func() (any, error) { return c.Consents(ctx, 0) }, consents()},
		{"inventory", func() (any, error) { return c.Inventory(ctx) }, taken()},
		{"retention", func() (any, error) { return c.Retention(ctx, 10, 0) }, retention()},
		{"what is due", func() (any, error) { return c.Retention(ctx, 10, 30) }, retentionDue()},
		{"retain", func() (any, error) { return c.Retain(ctx, "lan") }, Retained{retention().Deleted}},
		{"queue", func() (any, error) { return c.Queue(ctx, 0) }, queue()},
		{"ledger verify", func() (any, error) { return c.VerifyLedger(ctx) }, Ledger{Holds: true, Entries: 3, Key: "0a1b2c3d4e5f6071"}},
		{"withdraw", func() (any, error) { return c.Withdraw(ctx, subject, []consent.Purpose{consent.ContactZalo}) },
			Withdrawn{subject, []consent.Purpose{consent.ContactZalo}}},
		{"withdraw what does not stand", func() (any, error) { return c.Withdraw(ctx, subject, nil) }, Withdrawn{subject, []consent.Purpose{}}},
		{"staff code", func() (any, error) { return c.StaffCode(ctx) }, StaffCode{"012345", 65}},
		{"release", func() (any, error) { return nil, c.Release(ctx) }, nil},
	} {
		got, err := q.ask()
		if err != nil {
			t.Errorf("%s: %v", q.name, err)
		}
		if d := cmp.Diff(q.want, got); d != "" { // compares times by Equal
			t.Errorf("%s (-want +got):\n%s", q.name, d)
		}
	}
	if want := []int{DefaultItems, 7, DefaultItems, 9}; !slices.Equal(w.limits, want) || w.full != 2 {
		t.Errorf("limits: got %v, %d in full, want %v, 2", w.limits, w.full, want)
	}
	asked := []string{"admit 02:00:5e:10:00:01 in guest by lan", "revoke 10.20.0.17 in  by lan", "open for 2h0m0s by lan", "open for 0s by lan",
		"reload by lan:  ", "reload by lan: trust 02:00:5e:··:··:·· in zone guest", "retain by lan"}
	if d := cmp.Diff(asked, w.asked); d != "" {
		t.Errorf("asked by hand (-want +got):\n%s", d)
	}
	want := []withdrawal{{subject, []consent.Purpose{consent.ContactZalo}}, {subject, nil}}
	if d := cmp.Diff(want, w.withdrawn); d != "" || w.released != 1 {
		t.Errorf("withdrawn (-want +got), released %d times, want 1:\n%s", w.released, d)
	}
}

func taken() inventory.Inventory {
	n := 12
	return inventory.Inventory{Store: "hcm-q1-01", Name: "Quán Hiên", Policy: "vn-2026.1", Law: consent.Words{VI: "Luật", EN: "Law"},
		Items: []inventory.Item{{ID: "lead", What: consent.Words{VI: "mã", EN: "key"}, Recipients: []string{"CDP"}, Count: &n}},
		Notes: []consent.Words{{VI: "lưu ý", EN: "note"}}, Counts: inventory.Counts{Leads: n}}
}

func TestABackupIsAStream(t *testing.T) {
	part := strings.Repeat("x", 100_000)
	for _, c := range []struct {
		name  string
		sent  int // parts
		err   error
		fails string // empty: it arrives
	}{
		{"whole", 3, nil, ""},
		{"refused", 0, Refusal("there is no option backup_key"), "the daemon: there is no option backup_key"},
		{"cut off", 2, errors.New("the disk is full"), "read the daemon's answer"},
	} {
		w := new(wired)
		h, place := w.house(), ""
		h.Backup = func(_ context.Context, to io.Writer, spool string) error {
			place = spool
			for range c.sent {
				if _, err := io.WriteString(to, part); err != nil {
					return err
				}
			}
			return c.err
		}
		runDir, _ := serve(t, h)
		client, err := Dial(runDir)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		err = client.Backup(t.Context(), &got, "/mnt/usb stick")
		if c.fails == "" && (err != nil || got.String() != strings.Repeat(part, c.sent)) {
			t.Errorf("%s: %d bytes, %v; want %d", c.name, got.Len(), err, c.sent*len(part))
		}
		if c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%s: %v; want %q", c.name, err, c.fails)
		}
		if place != "/mnt/usb stick" {
			t.Errorf("%s: spooled at %q", c.name, place)
		}
		if err := client.Backup(t.Context(), io.Discard, "usb"); err == nil || !strings.Contains(err.Error(), "want an absolute path") {
			t.Errorf("%s: spooled at a relative path: %v", c.name, err)
		}
	}
}

func TestErrorsComeBackInWords(t *testing.T) {
	w := new(wired)
	runDir, _ := serve(t, w.house())
	c, err := Dial(runDir)
	if err != nil {
		t.Fatal(err)
	}
	fails := func(name string, err error, want string) {
		t.Helper()
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	ctx := t.Context()
	_, err = c.Withdraw(ctx, "nobody", nil)
	fails("nobody of that name", err, "the daemon: there is no subject \"nobody\": `hien consents` lists them")
	_, err = c.Withdraw(ctx, "", nil)
	fails("no subject", err, "the daemon: no subject: want one of those that `hien consents` lists")
	_, err = c.Withdraw(ctx, subject, []consent.Purpose{"spam"})
	fails("no purpose of that name", err,
		`the daemon: unknown purpose "spam": want visit_frequency, contact_zalo, contact_sms, ads_audience, profile_extra or share_partner:<id>`)
	_, err = c.Guests(ctx, -1)
	fails("a limit that is none", err, `the daemon: limit "-1": want a number from 1 to 1000`)
	_, err = c.Queue(ctx, MaxItems+1)
	fails("a limit beyond the bound", err, `the daemon: limit "1001": want a number from 1 to 1000`)
	for _, o := range []struct {
		err   error
		wants string
	}{
		{hien.ErrNoGuest, "no guest of that address is known here: `hien guests --full` shows them"},
		{hien.ErrNoPass, "the device has no pass that could be taken away: `hien block MAC` keeps it out"},
		{fmt.Errorf("admit: %w", hien.ErrBlocked), "the device is blocked: `hien block --undo MAC` lifts that"},
		{hien.ErrNoZone, "there is no such zone: `hien status` shows them"},
		{fmt.Errorf("%w: the device is trusted", hien.ErrComesBack), "it would be let in again at once: the device is trusted: `hien block MAC` keeps it out"},
		{Refusal("neither"), "neither"},
	} {
		w.err = o.err
		_, err = c.Revoke(ctx, Order{Who: "lan", Device: "x"})
		fails("revoke", err, "the daemon: "+o.wants)
		_, err = c.Admit(ctx, Order{Who: "lan", Device: "x"})
		fails("admit", err, "the daemon: "+o.wants)
	}
	w.err = hien.ErrNotOpen
	fails("end what is not open", c.EndOpen(ctx, "lan"), "the daemon: the door is not open to everybody: there is nothing to end")
	w.err = errors.New("hien:3: unknown option")
	fails("a configuration with a mistake", c.Reload(ctx, "lan", Deed{}),
		"the daemon: the configuration was not taken over; the old one stays in force: hien:3: unknown option")
	w.err = nil
	_, err = c.Open(ctx, "lan", 24*time.Hour+time.Second)
	fails("too long", err, "the daemon: the door is opened to everybody for 1 minute to 24 hours, as in `hien open 2h`")
	_, err = c.Admit(ctx, Order{Device: "x"})
	fails("nobody asks", err, `the daemon: user "": want a short name`)
	_, err = c.Admit(ctx, Order{Who: "lan\nroot", Device: "x"})
	fails("a name that is two lines", err, `the daemon: user "lan\nroot": want a short name`)
	_, err = c.Admit(ctx, Order{Who: "lan", Device: strings.Repeat("x", maxWord+1)})
	fails("a device that is none", err, `the daemon: device "`+strings.Repeat("x", 40)+`": want a short name`)
	fails("a deed that is none", c.Reload(ctx, "lan", Deed{What: "burnt"}), `the daemon: "burnt" is not done to a configuration`)
	_, err = c.Retention(ctx, 10, maxDueDays+1)
	fails("days beyond the bound", err, `the daemon: due "367": want a number of days from 1 to 366`)
	_, err = c.Notice(ctx, "0123456")
	fails("too little of a hash", err, `the daemon: hash "0123456": want its first 8 to 64 digits, as hex`)
	_, err = c.Notice(ctx, "../status")
	fails("what is no hash", err, `the daemon: hash "../status": want its first 8 to 64 digits, as hex`)
	_, err = c.Retain(ctx, "")
	fails("nobody asks", err, `the daemon: user "": want a short name`)
	w.err = hien.ErrClockUnset
	_, err = c.Retain(ctx, "lan")
	fails("a clock that is a guess", err, "the daemon: the clock is not set: by a date that is a guess nothing is deleted and no legal clock begun; set it, or wait for the internet")
	w.noTill = true
	_, err = c.StaffCode(ctx)
	fails("a shop without a till", err, "the daemon: the shop takes no code of the till's: `option type 'staff'` in a config sender changes that")
	w.err = fmt.Errorf("list leads: %w", hien.ErrStorage)
	_, err = c.Leads(ctx, 0)
	fails("a closed record", err, "the daemon: list leads: the record cannot be written")
}

// TestMethodsAndRoutes holds the table: each path answers its own method and
// says 405 to the other, anything else is 404.
func TestMethodsAndRoutes(t *testing.T) {
	h := NewServer(new(wired).house(), quiet()).handler()
	bodies := map[string]string{"/v1/withdraw": `{"subject":"` + string(subject) + `"}`, "/v1/admit": `{"who":"lan","device":"x"}`,
		"/v1/revoke": `{"who":"lan","device":"x"}`, "/v1/open": `{"who":"lan","seconds":60}`, "/v1/reload": `{"who":"lan"}`}
	for path, own := range map[string]string{
		"/v1/status": "GET", "/v1/guests": "GET", "/v1/visits": "GET", "/v1/leads": "GET", "/v1/consents": "GET",
		"/v1/audit": "GET", "/v1/queue": "GET", "/v1/staff-code": "GET", "/v1/notice?hash=01234567": "GET", "/v1/inventory": "GET", "/v1/ledger/verify": "GET", "/v1/withdraw": "POST", "/v1/release": "POST",
		"/v1/admit": "POST", "/v1/revoke": "POST", "/v1/open": "POST", "/v1/reload": "POST",
		"/": "", "/v1": "", "/v1/ledger": "", "/v2/status": "",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			want := http.StatusMethodNotAllowed
			switch own {
			case "":
				want = http.StatusNotFound
			case method:
				want = http.StatusOK
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(bodies[path])))
			if w.Code != want {
				t.Errorf("%s %s: got %d, want %d", method, path, w.Code, want)
			}
		}
	}
}

func TestBadBodiesAreRefused(t *testing.T) {
	w := new(wired)
	h := NewServer(w.house(), quiet()).handler()
	for _, body := range []string{
		"", "x", "[]", `{"subject":"x","who":"y"}`, `{"subject":` + strings.Repeat(" ", maxBody) + `"x"}`,
	} {
		r := httptest.NewRecorder()
		h.ServeHTTP(r, httptest.NewRequest("POST", "/v1/withdraw", strings.NewReader(body)))
		if r.Code != http.StatusBadRequest || len(w.withdrawn) > 0 {
			t.Errorf("body %.40q: got %d and %d withdrawals, want 400 and none", body, r.Code, len(w.withdrawn))
		}
	}
}

func FuzzWithdraw(f *testing.F) {
	f.Add([]byte(`{"subject":"x","purposes":["contact_zalo"]}`))
	f.Add([]byte(`{"subject":"x","purposes":["share_partner:\u0000"]}{`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := House{Withdraw: func(_ context.Context, s consent.ID, purposes []consent.Purpose) ([]consent.Purpose, error) {
			for _, p := range purposes {
				if _, err := consent.ParsePurpose(string(p)); err != nil || s == "" {
					t.Errorf("body %q: withdraws %q of %q", body, p, s)
				}
			}
			return purposes, nil
		}}
		w := httptest.NewRecorder()
		NewServer(h, quiet()).handler().ServeHTTP(w, httptest.NewRequest("POST", "/v1/withdraw", strings.NewReader(string(body))))
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("body %q: got %d, want 200 or 400", body, w.Code)
		}
	})
}

// FuzzOrders: whatever is posted, nobody is let in by an order whose words may
// not stand in the audit.
func FuzzOrders(f *testing.F) {
	f.Add([]byte(`{"who":"lan","device":"02:00:5e:10:00:01","zone":"guest"}`))
	f.Add([]byte(`{"who":"lan\u0000","device":"10.20.0.17"}`))
	f.Add([]byte(`{"who":"lan","seconds":9223372036854775807}`))
	f.Add([]byte(`{"who":"lan","did":"trust","about":"x"}{`))
	f.Fuzz(func(t *testing.T, posted []byte) {
		check := func(words ...string) {
			for _, text := range words {
				if len(text) > maxWord || strings.ContainsFunc(text, unicode.IsControl) {
					t.Errorf("%q: %q came through", posted, text)
				}
			}
			if words[0] == "" {
				t.Errorf("%q: nobody asked", posted)
			}
		}
		order := func(_ context.Context, o Order) (Done, error) { check(o.Who, o.Device, o.Zone); return Done{}, nil }
		h := NewServer(House{Owner: Owner{Admit: order, Revoke: order,
			Open: func(_ context.Context, who string, d time.Duration) (Opened, error) {
				if check(who); d < 0 || d > hien.OpenMax {
					t.Errorf("%q opens for %v", posted, d)
				}
				return Opened{}, nil
			},
			Reload: func(_ context.Context, who string, did Deed) error { check(who, did.What, did.About); return nil },
		}}, quiet()).handler()
		for _, path := range []string{"admit", "revoke", "open", "reload"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("POST", "/v1/"+path, strings.NewReader(string(posted))))
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusConflict {
				t.Errorf("%s %q: got %d", path, posted, w.Code)
			}
		}
	})
}

func TestTooManyQuestionsAtOnce(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	h := NewServer(House{Status: func(context.Context) (Status, error) {
		entered <- struct{}{}
		<-release
		return Status{}, nil
	}}, quiet()).handler()
	ask := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/v1/status", nil))
		return w.Code
	}
	codes := make(chan int)
	for range maxRequests {
		go func() { codes <- ask() }()
		<-entered
	}
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("one too many: got %d, want 503", got)
	}
	close(release)
	for range maxRequests {
		if got := <-codes; got != http.StatusOK {
			t.Errorf("one of the first: got %d, want 200", got)
		}
	}
}

func TestSocketIsForItsOwnerOnly(t *testing.T) {
	runDir, _ := serve(t, new(wired).house())
	info, err := os.Stat(socketPath(runDir))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode(), os.ModeSocket|0o600; got != want {
		t.Errorf("mode of the socket: got %v, want %v", got, want)
	}
	made := filepath.Join(runDir, "made")
	l, err := Listen(made)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err = os.Stat(made); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("run_dir that was made: got %v, %v, want mode 0700", info.Mode(), err)
	}
}

func TestASecondDaemonIsRefused(t *testing.T) {
	runDir, stop := serve(t, new(wired).house())
	_, err := Listen(runDir)
	want := "another hien is running with run_dir " + runDir + ": `hien status` shows it; stop it first, or give this one another run_dir"
	if !errors.Is(err, errRunning) || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	if c, err := Dial(runDir); err != nil {
		t.Errorf("the first one does not answer any more: %v", err)
	} else if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the first one does not answer any more: %v", err)
	}
	stop()
	l, err := Listen(runDir)
	if err != nil {
		t.Fatalf("after the first one's end: %v", err)
	}
	defer l.Close()
	entries, err := os.ReadDir(runDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{lockName, socketName}; !slices.Equal(names, want) {
		t.Errorf("run_dir holds %v, want %v", names, want)
	}
}

func TestADeadDaemonsSocketIsReplaced(t *testing.T) {
	runDir := shortDir(t)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketPath(runDir), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as a daemon that was killed
	dead.Close()

	_, err = Dial(runDir)
	want := "Hiên is not running (nobody answers at " + socketPath(runDir) + ": it was killed); start it with `hien run`"
	if !errors.Is(err, ErrNotRunning) || err.Error() != want {
		t.Errorf("Dial: got %v, want %s", err, want)
	}
	l, err := Listen(runDir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Dial(runDir); err != nil {
		t.Errorf("Dial: %v", err)
	}
}

func TestDialWithoutADaemon(t *testing.T) {
	runDir, stop := serve(t, new(wired).house())
	stop()
	_, err := Dial(runDir)
	want := "Hiên is not running (no socket at " + socketPath(runDir) + "); start it with `hien run`"
	if !errors.Is(err, ErrNotRunning) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestListenWhereItCannot(t *testing.T) {
	file := filepath.Join(shortDir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("got %v, want %v", err, syscall.ENOTDIR)
	}
	deep := filepath.Join(shortDir(t), strings.Repeat("d", 120))
	if _, err := Listen(deep); err == nil {
		t.Error("a path longer than a socket's name may be: got nil, want an error")
	}
	if l, err := Listen(deep); err == nil || errors.Is(err, errRunning) {
		t.Errorf("again: got %v, %v, want the same error: the lock was let go", l, err)
	}
}

// TestStopEndsWhatIsUnderWay: a question that takes its time is ended with
// the daemon, and one whose connection never comes to a question is cut off
// after stopTime.
func TestStopEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := House{VerifyLedger: func(ctx context.Context) (Ledger, error) {
			<-ctx.Done()
			return Ledger{}, ctx.Err()
		}}
		l := newPipe()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- NewServer(h, quiet()).Serve(ctx, l) }()
		slow, silent := l.dial(), l.dial()
		defer slow.Close()
		defer silent.Close()
		if _, err := io.WriteString(slow, "GET /v1/ledger/verify HTTP/1.1\r\nHost: hien\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		answer := make(chan string)
		go func() {
			text, _ := io.ReadAll(slow)
			answer <- string(text)
		}()
		began := time.Now()
		cancel()
		if got := <-answer; !strings.HasPrefix(got, "HTTP/1.1 500 ") {
			t.Errorf("the slow question: got %q, want 500", got)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
		if took := time.Since(began); took > stopTime {
			t.Errorf("stopping took %s, want at most %s", took, stopTime)
		}
	})
}

func TestServeSaysWhyItEnded(t *testing.T) {
	broken := errors.New("broken")
	l := newPipe()
	l.fail(broken)
	if err := NewServer(House{}, quiet()).Serve(t.Context(), l); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

// A pipe is a listener whose connections live in memory.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	err    error
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipe) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func (p *pipe) fail(err error) { p.err = err; close(p.closed) }

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		if p.err != nil {
			return nil, p.err
		}
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	if p.err == nil {
		close(p.closed)
	}
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
