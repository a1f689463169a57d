package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

// TestADamagedPolicyStopsTheAskingNeverTheAccess damages the owner's policy,
// looks at the shop, and mends it.
func TestADamagedPolicyStopsTheAskingNeverTheAccess(t *testing.T) {
	terms := everyday
	terms.Main = "\toption policy_file '/nowhere.json'\n"
	s := newShop(t, world.Options{}, terms)
	good, err := os.ReadFile("../../consent/policies/vn-2026.json")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Dir, "policy.json")
	write(t, file, string(good[:len(good)/2]))
	terms.Main = "\toption policy_file '" + file + "'\n"
	if err := s.Configure(terms); err != nil {
		t.Fatal(err)
	}
	s.hien("config", "check") // it is a warning, and no more
	s.start()

	st := ask[control.Status](s, "status")
	if !strings.HasPrefix(st.Summary, "Nothing is asked, and guests come in all the same: policy_file "+file) || len(st.Todo) != 2 {
		t.Errorf("status: %s\n%s", st.Summary, strings.Join(st.Todo, "\n"))
	}
	p := s.join("p")
	page, err := p.NewBrowser("vi").Open(s.patient(), "http://example.vn/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := page.Form("/join"); err == nil {
		t.Error("half a policy asks for something")
	}
	if _, err := page.Skip(s.patient()); err != nil || !s.online(p) {
		t.Fatalf("a guest does not come in: %v", err)
	}

	write(t, file, string(good))
	s.hien("reload")
	if st := ask[control.Status](s, "status"); st.Summary != "All is well." {
		t.Errorf("with the policy mended: %s", st.Summary)
	}
	q := s.join("q")
	if page := s.give(q, "0987654321"); page.Receipt() == "" || !s.online(q) {
		t.Errorf("with the policy mended nothing can be given: %s", page.Text())
	}
}

// asks is a configuration with two guest networks that ask.
const asks = `config hien 'main'
	option store_id 'hcm-q1-01'
	option store_name 'Quán Hiên'
` + world.Controller + `config zone 'guest'
	option interface 'br-guest'
	list purpose 'visit_frequency'
	list purpose 'profile_extra'
config zone 'terrace'
	option interface 'br-terrace'
	option portal_port '2051'
	option dns_port '2054'
	list purpose 'profile_extra'
config zone 'kitchen'
	option interface 'br-kitchen'
	option portal_port '2052'
	option dns_port '2055'
`

func TestNoticeShowPrintsWhatIsKeptAsProof(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "config"), asks)
	status, out, errOut := said(t, "notice", "show", "--zone", "guest", "--lang", "en", "--config", file)
	if status != 0 || !strings.HasPrefix(out, "notice vn-2026.1+") || !strings.Contains(out, "\n[ ] visit_frequency: Remember my visits\n") ||
		!strings.Contains(out, "Công ty TNHH Hiên Mẫu") || !strings.Contains(out, "Privacy notice of Quán Hiên") {
		t.Errorf("status %d, %s\n%s", status, errOut, out)
	}
	write(t, file, asks+"config sender 'till'\n\toption type 'staff'\n")
	if _, out, errOut := said(t, "notice", "show", "--zone", "guest", "--lang", "en", "--config", file); !strings.Contains(out, "does not ask for your phone number") {
		t.Errorf("where the staff tells the code: %s\n%s\nwant that it asks for no number", errOut, out)
	}
	for name, c := range map[string]struct {
		args, text, want string
	}{
		"several zones ask":     {"", asks, "want --zone and one of guest, terrace"},
		"a zone asks nothing":   {"--zone kitchen", asks, "want a zone with a list purpose"},
		"there is no such zone": {"--zone attic", asks, "want a zone with a list purpose"},
		"another language":      {"--lang fr", asks, "want vi or en"},
		"half a notice": {"--zone guest", strings.Replace(asks, "option controller_contact", "# ", 1),
			"the notice is not complete\n  write option controller_contact with how to reach"},
		"a policy that is not there": {"--zone guest", strings.Replace(asks, "option store_name", "option policy_file '/nowhere.json'\n\toption store_name", 1),
			"read policy_file: open /nowhere.json"},
	} {
		write(t, file, c.text)
		status, out, errOut := said(t, append(strings.Fields("notice show "+c.args), "--config", file)...)
		if status == 0 || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: status %d, %q\n%s\nwant %q", name, status, out, errOut, c.want)
		}
	}
}

// TestWhatWasShownIsPrintedFromItsHash: the notice of today is another one, and
// the person is erased; what was shown is printed all the same, word for word and
// in its language, by a living daemon and from the record of a dead one (R-CON-6).
func TestWhatWasShownIsPrintedFromItsHash(t *testing.T) {
	s := openShop(t, world.Options{Uncounted: true}, everyday)
	shown := s.hien("notice", "show", "--lang", "vi")
	p := s.join("p")
	receipt := s.give(p, "0987654321").Receipt()
	var people control.List[control.Consent]
	if err := json.Unmarshal([]byte(s.hien("consents", "--json")), &people); err != nil || len(people.Items) != 1 {
		t.Fatalf("%v: %+v", err, people)
	}
	hash := people.Items[0].Notice.String()
	terms := everyday
	terms.Main = "\tlist recipient 'Bên Nhận Mới'\n"
	if err := s.Configure(terms); err != nil {
		t.Fatal(err)
	}
	s.hien("reload")
	if s.hien("notice", "show") == shown {
		t.Fatal("the notice of today is the same: change this test")
	}
	page, err := p.NewBrowser("vi").Open(s.patient(), receipt)
	if err != nil {
		t.Fatal(err)
	}
	erase := path.Join(page.URL.Path, "erase")
	form, err := page.Form(erase)
	if err != nil {
		t.Fatal(err)
	}
	form.Values.Set("all", "1") // the button
	if _, err := form.Send(s.patient(), erase); err != nil {
		t.Fatal(err)
	}
	if left := ask[control.List[control.Consent]](s, "consents"); left.Total != 0 {
		t.Fatalf("%d people are left; want nobody", left.Total)
	}

	prints := func(when string) {
		t.Helper()
		for _, begin := range []string{hash, strings.ToUpper(hash[:8])} {
			if out := s.hien("notice", "show", "--hash", begin); out != shown || fmt.Sprintf("%x", sha256.Sum256([]byte(out))) != hash {
				t.Errorf("%s, by %s:\n%s\nwant what was shown:\n%s", when, begin, out, shown)
			}
		}
		if status, out, errOut := said(t, "notice", "show", "--config", s.Config, "--hash", "0123456789"); status != 1 || out != "" || !strings.Contains(errOut, "no notice with the hash 0123456789 was agreed to here") {
			t.Errorf("%s, one that never was: status %d, %q, %q", when, status, out, errOut)
		}
	}
	prints("by a living daemon")
	s.stop()
	prints("from the record")

	for args, want := range map[string]string{
		"--hash 0123456":            "want its first 8 to 64 digits",
		"--hash 0123456g":           "want its first 8 to 64 digits",
		"--hash 01234567 --lang en": "without --lang and --zone",
	} {
		if status, out, errOut := said(t, append([]string{"notice", "show", "--config", s.Config}, strings.Fields(args)...)...); status != 2 || out != "" || !strings.Contains(errOut, want) {
			t.Errorf("%s: status %d, %q, %q; want %q", args, status, out, errOut, want)
		}
	}
}

func TestNoticePreviewWritesEachPage(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "config"), asks)
	status, out, errOut := said(t, "notice", "preview", filepath.Join(dir, "pages"), "--config", file)
	if status != 0 {
		t.Fatalf("status %d: %s", status, errOut)
	}
	for name, want := range map[string]string{
		"guest-first.vi.html":    "Cho quán nhớ những lần tôi ghé",
		"guest-notice.en.html":   "Công ty TNHH Hiên Mẫu",
		"terrace-first.en.html":  "Keep what I tell the shop about me",
		"terrace-notice.vi.html": "Công ty TNHH Hiên Mẫu",
	} {
		html, err := os.ReadFile(filepath.Join(dir, "pages", name))
		if err != nil || !strings.Contains(string(html), want) || !strings.Contains(out, name) {
			t.Errorf("%s: %v; want it told, and %q in it", name, err, want)
		}
	}
	if files, err := os.ReadDir(filepath.Join(dir, "pages")); err != nil || len(files) != 8 {
		t.Errorf("%d files, %v; want first page and notice of two zones in two languages", len(files), err)
	}
	if status, _, errOut := said(t, "notice", "preview", "--config", file); status != 2 || !strings.Contains(errOut, "want a directory") {
		t.Errorf("without a directory: status %d, %s", status, errOut)
	}
}

// TestAgeAtTheDoor: who says to be too young comes in, and leaves a count.
func TestAgeAtTheDoor(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	p := s.join("young")
	page, err := p.NewBrowser("vi").Open(s.patient(), "http://example.vn/")
	if err != nil {
		t.Fatal(err)
	}
	form, err := page.Form("/join")
	if err != nil {
		t.Fatal(err)
	}
	if form.Values.Has("age") || len(form.Choices("age")) != 2 {
		t.Errorf("the question of age has %v, and %v is chosen", form.Choices("age"), form.Values["age"])
	}
	form.Values.Set("phone", "0987654321")
	form.Values.Set("age", "no")
	for _, purpose := range form.Choices("purpose") {
		if err := form.Tick("purpose", purpose); err != nil {
			t.Fatal(err)
		}
	}
	if page, err = form.Send(s.patient(), "/join"); err != nil || !s.online(p) {
		t.Fatalf("not online: %v, %s", err, page.Text())
	}
	if st := ask[control.Status](s, "status"); st.Young != 1 {
		t.Errorf("%d were too young, want 1", st.Young)
	}
	if leads := ask[control.List[control.Lead]](s, "leads"); leads.Total != 0 {
		t.Errorf("a child is a lead: %+v", leads)
	}
	if strings.Contains(strings.Join(s.Daemon.Lines(), "\n"), "msg=code") {
		t.Error("a code was sent to a child")
	}
}

// TestANoIsKeptThroughARestart: a guest goes on without, the daemon is started
// anew, and on the next visit nothing is asked, unless the guest wants to be.
func TestANoIsKeptThroughARestart(t *testing.T) {
	terms := everyday
	terms.Pass, terms.VisitGap = 5*time.Second, 5*time.Second
	s := openShop(t, world.Options{}, terms)
	p := s.join("p")
	page := s.browses(p)
	if _, err := page.Form("/join"); err != nil {
		t.Fatal(err)
	}
	if page, err := page.Skip(s.patient()); err != nil || !s.online(p) {
		t.Fatalf("not online: %v, %s", err, page.Text())
	}
	s.stop()
	s.start()
	// The stay is over when neither pass nor gap is left: the page asks
	// nothing, and says where it can be asked for. A request on whose way the
	// pass ends is cut, as it must be.
	var link string
	for deadline := time.Now().Add(30 * time.Second); link == "" && time.Now().Before(deadline); {
		var err error
		if page, err = p.NewBrowser("vi").Open(s.patient(), "http://example.vn/"); errors.Is(err, unix.ECONNRESET) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Links() {
			if strings.Contains(l, "again=1") {
				link = l
			}
		}
		if _, err := page.Form("/join"); err == nil {
			t.Fatal("what was refused is asked again")
		}
	}
	if link == "" {
		t.Fatalf("there is no way to change one's mind: %s", page.Text())
	}
}
