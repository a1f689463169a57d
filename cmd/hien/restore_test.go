package main

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/internal/world"
	"github.com/hien-wifi/hien/sync/cdp"
)

// restored runs hien restore with the owner's key.
func (s *keptShop) restored(from *keptShop, file string, flags ...string) (status int, says string) {
	s.Helper()
	key := write(s.T, filepath.Join(s.dir, "owner.key"), from.owner.Reveal()+"\n")
	defer os.Remove(key)
	args := append([]string{"restore", "--key", key, "--config", s.config}, flags...)
	status, out, errOut := said(s.T, append(args, file)...)
	if _, err := os.Stat(filepath.Join(s.data(), stageName)); !errors.Is(err, os.ErrNotExist) {
		s.Errorf("after a restore something is left at %s: %v", stageName, err)
	}
	return status, out + errOut
}

func (s *keptShop) mustRestore(from *keptShop, file string, flags ...string) string {
	s.Helper()
	status, says := s.restored(from, file, flags...)
	if status != 0 {
		s.Fatalf("hien restore %v: status %d, saying %s", flags, status, says)
	}
	key, err := readRouterKey(s.data())
	if err != nil {
		s.Fatal(err)
	}
	s.key = key
	s.open()
	if _, err := s.record.Verify(s.Context(), s.key.Signer().Public()); err != nil {
		s.Errorf("the ledger that was put back: %v", err)
	}
	return says
}

// files are what lies in the data directory, with their contents.
func (s *keptShop) files() map[string]string {
	s.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(s.data())
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(s.data(), e.Name()))
		if err != nil {
			s.Fatal(err)
		}
		all[e.Name()] = string(text)
	}
	return all
}

// leads are the lead keys that the record knows.
func (s *keptShop) leads() int {
	s.Helper()
	c, err := s.record.Counts(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return c.Leads
}

// kinds are the ledger's entries in a word each, with the channel of those that
// a restore has written.
func (s *keptShop) kinds() (all []string) {
	s.Helper()
	for e, err := range s.record.Entries(s.Context()) {
		if err != nil {
			s.Fatal(err)
		}
		st, err := e.Statement()
		if err != nil {
			s.Fatal(err)
		}
		word := st.Kind
		if st.Channel == "restore" && st.Kind != consent.KindContinued {
			word += " again"
		}
		all = append(all, word)
	}
	return all
}

// ends is a gateway of the shop, for what its people end.
func (s *keptShop) ends() *hien.Gateway {
	s.Helper()
	g, done, err := endingHouse(s.record, s.key, hien.Settings{StoreID: "hcm-q1-01", Brand: s.brand}, keptSince)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(done)
	return g
}

func (s *keptShop) erases(subject consent.ID) {
	s.Helper()
	if _, err := s.ends().Erase(s.Context(), hien.Who{Subject: subject}, "portal", keptSince); err != nil {
		s.Fatal(err)
	}
}

func (s *keptShop) withdraws(subject consent.ID, purposes ...consent.Purpose) {
	s.Helper()
	if err := s.ends().Withdraw(s.Context(), hien.Who{Subject: subject}, purposes, "portal", keptSince); err != nil {
		s.Fatal(err)
	}
}

func TestAFreshRouterGoesOn(t *testing.T) {
	old := newKeptShop(t)
	old.gives(1, consent.VisitFrequency, consent.ContactZalo)
	old.gives(2, consent.ContactZalo)
	old.close()
	file := old.backUp()

	fresh := bareShop(t)
	// The backup's configuration names the old router's directories: in the test
	// the new one has a configuration of its own.
	fresh.owner = old.owner
	write(t, fresh.config, fresh.text())
	status, says := fresh.restored(old, file, "--dry-run")
	if status != 0 || !strings.Contains(says, "Nothing was changed.") {
		t.Errorf("a dry run: status %d, saying %s", status, says)
	}
	if got := fresh.files(); len(got) != 0 {
		t.Errorf("a dry run has left %v", slices.Collect(maps.Keys(got)))
	}
	says = fresh.mustRestore(old, file)
	for _, want := range []string{"A backup of shop hcm-q1-01", "a ledger of 2 entries", "Its ledger holds.", "There is no record at", "It is put back."} {
		if !strings.Contains(says, want) {
			t.Errorf("it says\n%s\nwant %q", says, want)
		}
	}
	if n := fresh.leads(); n != 2 {
		t.Errorf("%d leads; want 2", n)
	}
	if m, err := fresh.record.Member(t.Context(), fresh.key.MemberMark(hien.MAC{2, 0, 0x5e, 0x10, 0, 1})); err != nil || !m.Known() {
		t.Errorf("the member is not known again: %v", err)
	}
	if got := fresh.kinds(); !slices.Equal(got, []string{"consent", "consent", "continued"}) {
		t.Errorf("the ledger: %v; want that it goes on", got)
	}
	if brand, err := os.ReadFile(fresh.brandFile()); err != nil || string(brand) != old.brand.Reveal()+"\n" {
		t.Errorf("the brand key: %v", err)
	}
	for _, path := range []string{fresh.brandFile(), filepath.Join(fresh.data(), routerKeyName), filepath.Join(fresh.data(), sqlite.FileName)} {
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", path, info.Mode(), err)
		}
	}
	fresh.gives(3, consent.ContactZalo) // it goes on
	if _, err := fresh.record.Verify(t.Context(), old.key.Signer().Public()); err != nil {
		t.Errorf("with the old router's key: %v", err)
	}
}

func TestARouterWithoutAConfigurationTakesTheBackups(t *testing.T) {
	s := newKeptShop(t)
	s.gives(1, consent.ContactZalo)
	s.close()
	file := s.backUp()
	for _, path := range []string{s.config, s.brandFile(), filepath.Join(s.data(), sqlite.FileName), filepath.Join(s.data(), routerKeyName)} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if says := s.mustRestore(s, file); !strings.Contains(says, "There is no configuration at "+s.config+": the backup's is taken.") {
		t.Errorf("it says %s", says)
	}
	text, err := os.ReadFile(s.config)
	info, statErr := os.Stat(s.config)
	if err != nil || statErr != nil || string(text) != s.text() || info.Mode() != 0o600 {
		t.Errorf("the configuration: %v, mode %v; want the backup's, 0600", err, info.Mode())
	}
}

// TestARestoreRefuses what would lose something, and changes nothing then.
func TestARestoreRefuses(t *testing.T) {
	s := newKeptShop(t)
	s.gives(1, consent.ContactZalo)
	s.close()
	file := s.backUp()
	s.open()
	s.gives(2, consent.ContactZalo)
	s.close()
	before := s.files()
	other := newKeptShop(t)
	other.close()
	torn := write(t, filepath.Join(s.dir, "torn"), "")
	if text, err := os.ReadFile(file); err != nil {
		t.Fatal(err)
	} else {
		write(t, torn, string(text[:len(text)-100]))
	}
	for name, c := range map[string]struct {
		from  *keptShop
		file  string
		flags []string
		says  string
	}{
		"what is newer here":       {s, file, nil, "the record here has 1 entries that the backup has not: --over"},
		"the same in a dry run":    {s, file, []string{"--dry-run"}, "the record here has 1 entries"},
		"another key":              {other, file, nil, "the key does not open this backup"},
		"a torn file":              {s, torn, []string{"--over"}, "open backup: "},
		"no such file":             {s, filepath.Join(s.dir, "none"), nil, "no such file"},
		"a list that is not there": {s, file, []string{"--over", "--since", filepath.Join(s.dir, "none")}, "open the list of people"},
		"a list with a mistake":    {s, file, []string{"--over", "--since", write(t, filepath.Join(s.dir, "list"), "# ok\n0a1b spam\n")}, "list:2: unknown purpose"},
	} {
		status, says := s.restored(c.from, c.file, c.flags...)
		if status != 1 || !strings.Contains(says, c.says) {
			t.Errorf("%s: status %d, saying %s; want %q", name, status, says, c.says)
		}
		if !maps.Equal(s.files(), before) {
			t.Fatalf("%s: something was changed", name)
		}
	}
	// Another router's record, brand key and shop.
	status, says := other.restored(s, file)
	if status != 1 || !strings.Contains(says, "the brand key at "+other.brandFile()+" is another one") {
		t.Errorf("another brand's router: status %d, saying %s", status, says)
	}
	write(t, other.brandFile(), s.brand.Reveal())
	other.open()
	other.gives(7, consent.ContactZalo)
	other.close()
	if status, says = other.restored(s, file); status != 1 || !strings.Contains(says, "is of another ledger, of 1 entries: --over") {
		t.Errorf("another router's record: status %d, saying %s", status, says)
	}
	write(t, filepath.Join(other.data(), sqlite.FileName), "no database, but something")
	if status, says = other.restored(s, file); status != 1 || !strings.Contains(says, "the record here cannot be read") {
		t.Errorf("a damaged record: status %d, saying %s", status, says)
	}
	if says = other.mustRestore(s, file, "--over"); !strings.Contains(says, "it is gone over") {
		t.Errorf("a damaged record, told: %s", says)
	}
	text := strings.Replace(s.text(), "hcm-q1-01", "hcm-q1-02", 1)
	write(t, s.config, text)
	if status, says = s.restored(s, file, "--over"); status != 1 || !strings.Contains(says, "is of shop hcm-q1-02, and the backup of hcm-q1-01") {
		t.Errorf("another shop's configuration: status %d, saying %s", status, says)
	}
	alone, err := standAlone()
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if status, says = s.restored(s, file); status != 1 || !strings.Contains(says, "Hiên is running: stop it first") {
		t.Errorf("beside a daemon: status %d, saying %s", status, says)
	}
}

func TestRestoreAsksForWhatItNeeds(t *testing.T) {
	for args, says := range map[string]string{
		"restore":                "which file?",
		"restore f":              "which key?",
		"restore --key - -":      "cannot both come from standard input",
		"restore --key k f more": "one word too many",
	} {
		if status, _, errOut := said(t, strings.Fields(args)...); status != 2 || !strings.Contains(errOut, says) {
			t.Errorf("hien %s: status %d, saying %q; want %q", args, status, errOut, says)
		}
	}
}

// A platform is a CDP that remembers whom it heard of.
type platform struct {
	mu   sync.Mutex
	said []string // "track Lead Given k1:…1"
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Batch []struct {
			Type   string `json:"type"`
			Event  string `json:"event"`
			UserID string `json:"userId"`
		} `json:"batch"`
	}
	json.NewDecoder(r.Body).Decode(&body)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range body.Batch {
		p.said = append(p.said, strings.TrimSpace(e.Type+" "+e.Event)+" "+e.UserID)
	}
	w.Write([]byte(`{"success":true}`))
}

// of is what it heard of a person since the last time that it was asked.
func (p *platform) of(key hien.LeadKey) (said []string) {
	for _, s := range p.said {
		if what, ok := strings.CutSuffix(s, " "+string(key)); ok {
			said = append(said, what)
		}
	}
	return said
}

// delivers sends everything that waits.
func (s *keptShop) delivers(to *platform) {
	s.Helper()
	server := httptest.NewServer(to)
	defer server.Close()
	sink, err := cdp.New(cdp.Options{URL: server.URL, WriteKey: "wk_made_up"})
	if err != nil {
		s.Fatal(err)
	}
	for {
		batch, err := s.record.Batch(s.Context(), 100, keptSince)
		if err != nil {
			s.Fatal(err)
		}
		if len(batch) == 0 {
			return
		}
		d := sink.Send(s.Context(), batch, keptSince)
		if len(d.Accepted) == 0 {
			s.Fatalf("the CDP took nothing: %+v", d)
		}
		if err := s.record.Delivered(s.Context(), d.Accepted); err != nil {
			s.Fatal(err)
		}
	}
}

// TestWhoWasErasedDoesNotComeBack: three people are in the backup. Then one is
// erased, one takes a purpose back, and the CDP is told; the backup is put
// back, and the CDP never hears of the erased person again.
func TestWhoWasErasedDoesNotComeBack(t *testing.T) {
	s := newKeptShop(t)
	one, two := s.gives(1, consent.VisitFrequency, consent.ContactZalo), s.gives(2, consent.VisitFrequency, consent.ContactZalo)
	s.gives(3, consent.ContactZalo)
	s.close()
	file := s.backUp() // with everybody's events still in the queue
	s.open()
	heard := new(platform)
	s.delivers(heard)
	s.erases(one)
	s.withdraws(two, consent.ContactZalo)
	s.gives(4, consent.ContactZalo) // and is lost
	s.delivers(heard)
	if !slices.Contains(heard.of(s.lead(1)), "track Person Erased") {
		t.Fatalf("the CDP heard %v of who was erased", heard.of(s.lead(1)))
	}
	s.close()

	heard = new(platform)
	says := s.mustRestore(s, file, "--over")
	for _, want := range []string{"3 entries of the ledger that stood here are lost, and the ledger says so.", "1 people were erased again and 1 withdrawals carried out again, of 2 since the backup."} {
		if !strings.Contains(says, want) {
			t.Errorf("it says\n%s\nwant %q", says, want)
		}
	}
	if got := s.kinds(); !slices.Equal(got, []string{"consent", "consent", "consent", "continued", "erasure again", "withdrawal again"}) {
		t.Errorf("the ledger: %v", got)
	}
	if n := s.leads(); n != 2 {
		t.Errorf("%d leads; want the two who were not erased", n)
	}
	if _, buried, err := s.record.Buried(t.Context(), s.lead(1)); err != nil || !buried {
		t.Errorf("the tombstone: %v, %v; want that it lies there", buried, err)
	}
	standing, err := s.record.Standing(t.Context(), two)
	if err != nil || standing.Allows(consent.ContactZalo) || !standing.Allows(consent.VisitFrequency) {
		t.Errorf("what stands of who took one back: %v, %v", standing.Answers(), err)
	}
	s.delivers(heard)
	if got := heard.of(s.lead(1)); len(got) != 0 {
		t.Errorf("the CDP heard again of who was erased: %v", got)
	}
	for _, what := range heard.of(s.lead(2)) {
		if strings.Contains(what, "Withdrawn") {
			t.Errorf("the CDP was told twice: %v", what)
		}
	}
	if len(heard.of(s.lead(3))) == 0 {
		t.Error("the CDP heard nothing of who stands; want the events that were in the backup's queue")
	}
}

// TestWhatTheCDPWasNotToldIsToldAfterARestore: the router was put back before
// the erasure was delivered.
func TestWhatTheCDPWasNotToldIsToldAfterARestore(t *testing.T) {
	s := newKeptShop(t)
	one := s.gives(1, consent.ContactZalo)
	s.close()
	file := s.backUp()
	s.open()
	s.delivers(new(platform))
	s.erases(one)
	s.close()
	s.mustRestore(s, file, "--over")
	heard := new(platform)
	s.delivers(heard)
	if got := heard.of(s.lead(1)); !slices.Contains(got, "track Person Erased") || slices.ContainsFunc(got, func(w string) bool { return strings.Contains(w, "Lead") }) {
		t.Errorf("the CDP heard %v; want the erasure and no lead", got)
	}
}

// TestAListStandsInForALostRecord: the old router is gone, and a list says who
// was erased and who took something back.
func TestAListStandsInForALostRecord(t *testing.T) {
	old := newKeptShop(t)
	one, two := old.gives(1, consent.ContactZalo), old.gives(2, consent.VisitFrequency, consent.ContactZalo)
	old.gives(3, consent.ContactZalo)
	old.close()
	file := old.backUp()
	fresh := bareShop(t)
	fresh.owner = old.owner
	write(t, fresh.config, fresh.text())
	list := write(t, filepath.Join(fresh.dir, "since.txt"), "# erased\n"+string(one)+"\n"+string(old.lead(3))+"\n0123456789abcdef0123456789abcdef\n\n# taken back\n"+string(two)+" contact_zalo\n")
	says := fresh.mustRestore(old, file, "--since", list)
	if !strings.Contains(says, "2 people were erased again and 1 withdrawals carried out again, of 4 since the backup.") {
		t.Errorf("it says %s", says)
	}
	if n := fresh.leads(); n != 1 {
		t.Errorf("%d leads; want 1", n)
	}
	heard := new(platform)
	fresh.delivers(heard)
	for _, person := range []int{1, 3} {
		if got := heard.of(old.lead(person)); !slices.Contains(got, "track Person Erased") || slices.ContainsFunc(got, func(w string) bool { return strings.Contains(w, "Lead") }) {
			t.Errorf("of person %d the CDP heard %v; want the erasure once more, and no lead", person, got)
		}
	}
}

// TestAListBesideARecord: of whom only the list knows, the CDP is told; of whom
// the record knows, it was told.
func TestAListBesideARecord(t *testing.T) {
	s := newKeptShop(t)
	one := s.gives(1, consent.ContactZalo)
	s.gives(2, consent.ContactZalo)
	s.close()
	file := s.backUp()
	s.open()
	s.erases(one)
	s.delivers(new(platform))
	s.close()
	list := write(t, filepath.Join(s.dir, "since.txt"), string(s.lead(2))+"\n")
	s.mustRestore(s, file, "--over", "--since", list)
	heard := new(platform)
	s.delivers(heard)
	if got := heard.of(s.lead(1)); len(got) != 0 {
		t.Errorf("the CDP was told again: %v", got)
	}
	if got := heard.of(s.lead(2)); !slices.Contains(got, "track Person Erased") {
		t.Errorf("of whom only the list knows the CDP heard %v; want the erasure", got)
	}
}

// TestARestoreThatIsWholeIsNotThrownAway, whatever keeps it from its place.
func TestARestoreThatIsWholeIsNotThrownAway(t *testing.T) {
	old := newKeptShop(t)
	old.gives(1, consent.ContactZalo)
	old.close()
	file := old.backUp()
	fresh := bareShop(t)
	fresh.owner = old.owner
	write(t, fresh.config, fresh.text())
	// Something that cannot be replaced stands where the key goes.
	inTheWay := filepath.Join(fresh.data(), routerKeyName)
	if err := os.MkdirAll(filepath.Join(inTheWay, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	key := write(t, filepath.Join(fresh.dir, "owner.key"), old.owner.Reveal())
	status, out, errOut := said(t, "restore", "--key", key, "--config", fresh.config, file)
	if status != 1 || !strings.Contains(errOut, "it is whole, and carried to its end when Hiên starts") {
		t.Fatalf("status %d, saying %s%s", status, out, errOut)
	}
	if err := os.RemoveAll(inTheWay); err != nil {
		t.Fatal(err)
	}
	if err := finishRestore(&config.Config{DataDir: fresh.data(), BrandKeyFile: fresh.brandFile()}); err != nil { // as the next start does
		t.Fatal(err)
	}
	wantFiles(t, fresh.data(), sqlite.FileName, routerKeyName)
	fresh.key = old.key
	fresh.open()
	if _, err := fresh.record.Verify(t.Context(), old.key.Signer().Public()); err != nil || fresh.leads() != 1 {
		t.Errorf("the ledger: %v, %d leads", err, fresh.leads())
	}
}

// TestAStolenRoutersKeyEnds: the new router has another key, and the ledger
// goes over to it.
func TestAStolenRoutersKeyEnds(t *testing.T) {
	s := newKeptShop(t)
	s.gives(1, consent.VisitFrequency)
	s.close()
	file, old := s.backUp(), s.key
	if err := errors.Join(os.Remove(filepath.Join(s.data(), sqlite.FileName)), os.Remove(filepath.Join(s.data(), routerKeyName))); err != nil {
		t.Fatal(err)
	}
	s.mustRestore(s, file, "--new-key")
	if s.key.Reveal() == old.Reveal() {
		t.Error("the key is the old one")
	}
	if _, err := s.record.Verify(t.Context(), old.Signer().Public()); !errors.Is(err, consent.ErrBroken) {
		t.Errorf("with the stolen key: %v; want ErrBroken", err)
	}
	if m, err := s.record.Member(t.Context(), old.MemberMark(hien.MAC{2, 0, 0x5e, 0x10, 0, 1})); err != nil || m.Known() {
		t.Errorf("the stolen key still names a device: %v", err)
	}
	if got := s.kinds(); !slices.Equal(got, []string{"consent", "continued", "continued"}) {
		t.Errorf("the ledger: %v", got)
	}
	// An auditor follows it from the one key to the other.
	s.gives(2, consent.ContactZalo)
	s.close()
	verifier, err := world.Build(t.Context(), "./cmd/hien-verify")
	if err != nil {
		t.Fatal(err)
	}
	exported := filepath.Join(s.dir, "ledger.jsonl")
	if status, out, errOut := said(t, "ledger", "export", "--out", exported, "--config", s.config); status != 0 {
		t.Fatalf("hien ledger export: %s%s", out, errOut)
	}
	out, err := exec.CommandContext(t.Context(), verifier, "--key", consent.KeyID(old.Signer().Public()), exported).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "The ledger holds: 4 entries") || !strings.Contains(string(out), "At entry 2 the ledger was put back") {
		t.Errorf("hien-verify: %v, saying %s", err, out)
	}
}

// TestAPowerCutDuringARestore leaves the old record in force, or the new one,
// and never half of each.
func TestAPowerCutDuringARestore(t *testing.T) {
	prepare := func(t *testing.T, staged map[string]string) string {
		t.Helper()
		dir := t.TempDir()
		for name, text := range map[string]string{sqlite.FileName: "old record", sqlite.FileName + "-wal": "old log", routerKeyName: "old key"} {
			write(t, filepath.Join(dir, name), text)
		}
		if err := os.Mkdir(filepath.Join(dir, stageName), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range staged {
			write(t, filepath.Join(dir, stageName, name), text)
		}
		return dir
	}
	for name, c := range map[string]struct {
		staged  map[string]string
		did     []string // of the last step, before the cut: what was moved or removed
		record  string
		key     string
		withLog bool
	}{
		"while the record was written":     {map[string]string{sqlite.FileName: "half a rec"}, nil, "old record", "old key", true},
		"before it was said to be whole":   {map[string]string{sqlite.FileName: "new record", routerKeyName: "new key"}, nil, "old record", "old key", true},
		"when it was said to be whole":     {map[string]string{sqlite.FileName: "new record", routerKeyName: "new key", readyName: ""}, nil, "new record", "new key", false},
		"when the old log was gone":        {map[string]string{sqlite.FileName: "new record", routerKeyName: "new key", readyName: ""}, []string{"log"}, "new record", "new key", false},
		"when the record was in its place": {map[string]string{sqlite.FileName: "new record", routerKeyName: "new key", readyName: ""}, []string{"log", sqlite.FileName}, "new record", "new key", false},
		"when everything was":              {map[string]string{sqlite.FileName: "new record", routerKeyName: "new key", readyName: ""}, []string{"log", sqlite.FileName, routerKeyName}, "new record", "new key", false},
	} {
		t.Run(name, func(t *testing.T) {
			brand, hadBrand := filepath.Join(t.TempDir(), "brand.key"), "old brand key"
			wantBrand := hadBrand
			if name == "when everything was" {
				hadBrand = "new brand key"
			}
			write(t, brand, hadBrand)
			if _, ready := c.staged[readyName]; ready {
				c.staged[stagedBrand], wantBrand = "new brand key", "new brand key"
			}
			dir := prepare(t, c.staged)
			for _, what := range c.did {
				var err error
				if what == "log" {
					err = os.Remove(filepath.Join(dir, sqlite.FileName+"-wal"))
				} else {
					err = os.Rename(filepath.Join(dir, stageName, what), filepath.Join(dir, what))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			before, err := os.Stat(brand)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the next start, and the one after it
				if err := finishRestore(&config.Config{DataDir: dir, BrandKeyFile: brand}); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(brand); err != nil || string(got) != wantBrand {
				t.Errorf("the brand key: %q, %v; want %q", got, err, wantBrand)
			}
			if after, err := os.Stat(brand); err != nil || os.SameFile(before, after) != (wantBrand == hadBrand) {
				t.Errorf("%v; a brand key that is there already is left alone, where the daemon may not write, and another is put there", err)
			}
			want := []string{sqlite.FileName, routerKeyName}
			if c.withLog {
				want = []string{sqlite.FileName, sqlite.FileName + "-wal", routerKeyName}
			}
			wantFiles(t, dir, want...)
			for file, text := range map[string]string{sqlite.FileName: c.record, routerKeyName: c.key} {
				if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != text {
					t.Errorf("%s: %q, %v; want %q", file, got, err, text)
				}
			}
		})
	}
	if err := finishRestore(&config.Config{DataDir: t.TempDir()}); err != nil {
		t.Errorf("without a restore: %v", err)
	}
}

// TestANoSinceTheBackupIsANo, also one that was said by answering the question
// again: the CDP hears it once more, since a backup cannot know whether it has.
func TestANoSinceTheBackupIsANo(t *testing.T) {
	s := newKeptShop(t)
	one := s.gives(1, consent.VisitFrequency, consent.ContactZalo)
	s.gives(2, consent.ContactZalo)
	s.close()
	file := s.backUp()
	s.open()
	if again := s.gives(1, consent.VisitFrequency); again != one { // asked again, and Zalo was not ticked
		t.Fatal("it is another person")
	}
	s.delivers(new(platform))
	s.close()
	says := s.mustRestore(s, file, "--over")
	if !strings.Contains(says, "0 people were erased again and 1 withdrawals carried out again, of 1 since the backup.") {
		t.Errorf("it says %s", says)
	}
	standing, err := s.record.Standing(t.Context(), one)
	if err != nil || standing.Allows(consent.ContactZalo) || !standing.Allows(consent.VisitFrequency) {
		t.Errorf("what stands: %v, %v; want no Zalo", standing.Answers(), err)
	}
	heard := new(platform)
	s.delivers(heard)
	if got := heard.of(s.lead(1)); len(got) == 0 || !strings.HasPrefix(got[0], "track Segment Consent") {
		t.Errorf("the CDP heard %v; want the withdrawal first", got)
	}
}

// TestAYesThatIsLostIsTakenBackUpstream: taken back and given again since the
// backup, so the CDP takes it for given, and nothing proves that any more.
func TestAYesThatIsLostIsTakenBackUpstream(t *testing.T) {
	s := newKeptShop(t)
	one := s.gives(1, consent.VisitFrequency, consent.ContactZalo)
	s.close()
	file := s.backUp()
	s.open()
	s.withdraws(one, consent.ContactZalo)
	s.gives(1, consent.VisitFrequency, consent.ContactZalo)
	s.delivers(new(platform))
	s.close()
	s.mustRestore(s, file, "--over")
	heard := new(platform)
	s.delivers(heard)
	if got := heard.of(s.lead(1)); len(got) == 0 || !strings.HasPrefix(got[0], "track Segment Consent") {
		t.Errorf("the CDP heard %v; want the withdrawal first", got)
	}
}

// TestAnOlderRecordBuriesNobody: whoever was erased and consented anew before
// the backup was made is there, whatever an older copy of the record says.
func TestAnOlderRecordBuriesNobody(t *testing.T) {
	s := newKeptShop(t)
	s.erases(s.gives(1, consent.ContactZalo))
	s.close()
	path := filepath.Join(s.data(), sqlite.FileName)
	older, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.open()
	s.gives(1, consent.ContactZalo)
	s.close()
	file := s.backUp()
	write(t, path, string(older))
	says := s.mustRestore(s, file)
	if !strings.Contains(says, "The record here has nothing that the backup has not.") {
		t.Errorf("it says %s", says)
	}
	if n := s.leads(); n != 1 {
		t.Errorf("%d leads, and the ledger: %v; want the one who consented anew", n, s.kinds())
	}
}

// TestAnOlderRecordTakesNothingBack: whoever withdrew everything and agreed again
// before the backup was made still agrees, whatever a record says that went
// another way from the withdrawal on.
func TestAnOlderRecordTakesNothingBack(t *testing.T) {
	s := newKeptShop(t)
	s.withdraws(s.gives(1, consent.ContactZalo))
	s.close()
	path := filepath.Join(s.data(), sqlite.FileName)
	older, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.open()
	again := s.gives(1, consent.ContactZalo)
	s.close()
	file := s.backUp()
	write(t, path, string(older))
	s.open()
	s.gives(2, consent.ContactZalo)
	s.close()
	if says := s.mustRestore(s, file, "--over"); !strings.Contains(says, "of another ledger") {
		t.Errorf("it says %s", says)
	}
	if standing, err := s.record.Standing(t.Context(), again); err != nil || !standing.Allows(consent.ContactZalo) {
		t.Errorf("what stands: %v, %v; want Zalo", standing.Answers(), err)
	}
}

// TestRequestsAndRefusalsAreNotLost: what people asked for since the backup has
// a legal clock that goes on, and who said no is not asked again.
func TestRequestsAndRefusalsAreNotLost(t *testing.T) {
	for _, newKey := range []bool{false, true} {
		s := newKeptShop(t)
		s.gives(1, consent.ContactZalo)
		open := func(kind string) int64 {
			r, err := s.record.OpenRequest(t.Context(), hien.Request{Kind: kind, Channel: "phone", By: "lan", Received: keptSince.Wall, Due: keptSince.Wall.AddDate(0, 0, 30)}, keptSince.Wall.AddDate(-1, 0, 0))
			if err != nil {
				t.Fatal(err)
			}
			return r.Number
		}
		both, mark := open("access"), s.key.RefusalMark(hien.MAC{2, 0, 0x5e, 0x10, 0, 9})
		s.close()
		file := s.backUp()
		s.open()
		later := open("erase")
		_, err := s.record.EditRequest(t.Context(), both, func(r *hien.Request) error { r.Acked = keptSince.Wall; return nil })
		err = errors.Join(err, s.record.KeepRefusals(t.Context(), "2026-11-24", []hien.Refusal{{Mark: mark, Purposes: []consent.Purpose{consent.ContactZalo}}}, "2026-11-01"))
		if err != nil {
			t.Fatal(err)
		}
		s.close()
		if newKey {
			s.mustRestore(s, file, "--new-key")
		} else {
			s.mustRestore(s, file)
		}
		all, err := s.record.ListRequests(t.Context(), 10)
		if err != nil || len(all) != 2 {
			t.Fatalf("%d requests, %v; want 2", len(all), err)
		}
		for _, r := range all {
			if r.Number == both && r.Acked.IsZero() || r.Number == later && r.Kind != "erase" {
				t.Errorf("request %+v", r)
			}
		}
		no, err := s.record.Refused(t.Context(), mark, "")
		if want := !newKey; err != nil || slices.Contains(no, consent.ContactZalo) != want {
			t.Errorf("with another key %t: refused %v, %v; want it kept: %t", newKey, no, err, want)
		}
	}
}
