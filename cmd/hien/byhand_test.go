package main

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

const twoZones = `# Quán Hiên, by hand
config hien 'main'
	option store_id 'a'   # as the brand calls it
	option store_name 'A'
	option run_dir '/nonexistent/hien'

config zone 'guest'
	option interface 'br-guest'
	# the shop's own
	list trusted '02:00:5E:10:00:09'

config zone 'terrace'
	option interface 'br-terrace'
	option portal_port '2052'
	option dns_port '2054'
	option api_port '2444'
`

func TestListsAreWrittenIntoTheFile(t *testing.T) {
	const till, guest = "02:00:5e:10:00:09", "02:00:5e:10:00:01"
	lists := func(zone config.Config) (all []string) {
		for _, z := range zone.Zones {
			var macs []string
			for _, m := range z.Trusted {
				macs = append(macs, "trusts "+m.Reveal().String())
			}
			for _, m := range z.Blocked {
				macs = append(macs, "blocks "+m.Reveal().String())
			}
			all = append(all, z.Name+": "+strings.Join(macs, ", "))
		}
		return all
	}
	for _, c := range []struct {
		name   string
		args   []string // one command line after the other, before the last
		last   string
		status int
		says   string
		guest  string
		there  string // the terrace
	}{
		{"every zone", nil, "block " + guest, 0, guest + " is blocked in zone guest, terrace.", "trusts " + till + ", blocks " + guest, "blocks " + guest},
		{"one zone", nil, "trust --zone terrace " + guest, 0, guest + " is trusted in zone terrace.", "trusts " + till, "trusts " + guest},
		{"only where it is not yet", nil, "trust " + till, 0, till + " is trusted in zone terrace.", "trusts " + till, "trusts " + till},
		{"twice", []string{"block " + guest}, "block " + strings.ToUpper(guest), 1, guest + " is blocked already: nothing was changed", "trusts " + till + ", blocks " + guest, "blocks " + guest},
		{"out again", []string{"block " + guest}, "block --undo " + guest, 0, guest + " is no longer blocked in zone guest, terrace.", "trusts " + till, ""},
		{"out of one", []string{"block " + guest}, "block --undo --zone guest " + guest, 0, guest + " is no longer blocked in zone guest.", "trusts " + till, "blocks " + guest},
		{"however it was written", nil, "trust --undo " + till, 0, till + " is no longer trusted in zone guest.", "", ""},
		{"out of where it is not", nil, "trust --undo " + guest, 1, guest + " is not trusted: nothing was changed", "trusts " + till, ""},
		{"one of the two only", nil, "block " + till, 1, till + " is trusted in zone guest: `hien trust --undo " + till + "` first", "trusts " + till, ""},
		{"no such zone", nil, "block --zone attic " + guest, 1, `has no zone "attic": want one of guest, terrace`, "trusts " + till, ""},
		{"no device", nil, "block", 2, "which device? `hien guests --full` shows them", "trusts " + till, ""},
		{"no hardware address", nil, "block 10.0.0.1", 2, "not a hardware address", "trusts " + till, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, filepath.Join(t.TempDir(), "config"), twoZones)
			do := func(line string) (int, string) {
				status, out, errOut := said(t, append(strings.Fields(line), "--config", path)...)
				return status, out + errOut
			}
			for _, line := range c.args {
				if status, says := do(line); status != 0 {
					t.Fatalf("hien %s: %s", line, says)
				}
			}
			status, says := do(c.last)
			if status != c.status || !strings.Contains(says, c.says) {
				t.Errorf("hien %s: status %d, saying %q; want %d and %q", c.last, status, says, c.status, c.says)
			}
			if c.status == 0 && !strings.Contains(says, "Hiên is not running: it holds from its next start.") {
				t.Errorf("saying %q; want that no daemon was told", says)
			}
			cfg, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := lists(*cfg); got[0] != "guest: "+c.guest || got[1] != "terrace: "+c.there {
				t.Errorf("lists %q; want %q and %q", got, c.guest, c.there)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rest := string(text)
			for line := range strings.Lines(twoZones) {
				if !strings.Contains(line, "list ") && !strings.Contains(rest, line) {
					t.Errorf("the line %q is gone:\n%s", line, text)
				}
			}
		})
	}
}

func TestAFileIsReplacedAsItWas(t *testing.T) {
	dir := t.TempDir()
	real := write(t, filepath.Join(dir, "real"), twoZones)
	if err := os.Chmod(real, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(real, 1234, 4321); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "config")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	if status, _, errOut := said(t, "block", "02:00:5e:10:00:01", "--config", link); status != 0 {
		t.Fatal(errOut)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v; want a link still", info.Mode(), err)
	}
	if info, err = os.Stat(real); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v; want 0640", info.Mode(), err)
	}
	if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 1234 || owner.Gid != 4321 {
		t.Errorf("owner %d and %d; want 1234 and 4321", owner.Uid, owner.Gid)
	}
	wantFiles(t, dir, "config", "real")
}

func TestABrokenFileIsNotTouched(t *testing.T) {
	for name, text := range map[string]string{
		"no UCI":          "config zone 'guest\n",
		"a wrong option":  twoZones + "\toption colour 'red'\n",
		"no file at all ": "",
	} {
		path := filepath.Join(t.TempDir(), "config")
		if text != "" {
			write(t, path, text)
		}
		status, out, errOut := said(t, "block", "02:00:5e:10:00:01", "--config", path)
		if status != 1 || out != "" || errOut == "" {
			t.Errorf("%s: status %d, saying %q %q; want an error", name, status, out, errOut)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("%s: the file was changed to\n%s", name, got)
		}
	}
}

// A turnstile is a door that knows who is in.
type turnstile struct {
	mu sync.Mutex
	in map[hien.GuestID]bool
}

func (d *turnstile) Admit(_ context.Context, id hien.GuestID, _ []netip.Addr, _ time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.in[id] = true
	return nil
}

func (d *turnstile) Remove(_ context.Context, id hien.GuestID, _ []netip.Addr) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.in, id)
	return nil
}

func (d *turnstile) has(id hien.GuestID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.in[id]
}

// attended is a daemon with a record, a socket, a door and one guest.
func attended(t *testing.T) (d *daemon, door *turnstile, guest hien.GuestID, configuration string) {
	t.Helper()
	d, configuration = counter(t)
	door = &turnstile{in: make(map[hien.GuestID]bool)}
	parts := d.parts()
	parts.Door, parts.Meter, parts.Lender, parts.Online, parts.Within = door, nil, nil, nil, nil
	d.gateway = hien.NewGateway(parts, hien.Settings{StoreID: "a", Zones: d.cfg.Zones})
	guest = hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0x10, 0, 1}}
	if err := d.gateway.Saw(t.Context(), hien.Sighting{Guest: guest, Addr: netip.MustParseAddr("10.20.0.17")}, d.clock.now()); err != nil {
		t.Fatal(err)
	}
	return d, door, guest, configuration
}

func TestTheOwnerAsksAndIsAnswered(t *testing.T) {
	d, door, guest, configuration := attended(t)
	t.Setenv("SUDO_USER", "lan")
	unseen := hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0x10, 0, 2}}
	for _, c := range []struct {
		line   string
		status int
		says   string
		in     bool // the guest, after it
	}{
		{"admit 02:00:5e:10:00:01", 0, "02:00:5e:··:··:·· is online in zone guest for", true},
		{"admit --zone attic 02:00:5e:10:00:02", 1, "there is no such zone: `hien status` shows them", true},
		{"admit 10.20.0.17", 1, "only a hardware address can be admitted", true},
		{"admit 02:00:5e:10:00:02", 0, "was not seen in zone guest yet", true},
		{"revoke 10.20.0.17", 0, "is no longer online in zone guest, and sees the portal again", false},
		{"revoke 02:00:5e:10:00:01", 1, "the device has no pass", false},
		{"revoke 10.20.0.99", 1, "no guest of that address is known here", false},
		{"revoke till", 1, "neither a hardware address nor an IP address", false},
		{"open --end", 1, "the door is not open to everybody", false},
		{"open 2h", 0, "The door is open to everybody until", true},
		{"revoke 02:00:5e:10:00:01", 1, "it would be let in again at once: the door is open to everybody: `hien block MAC` keeps it out", true},
		{"open 30s", 2, "want a time from 1m to 24h", true},
		{"open 25h", 2, "want a time from 1m to 24h", true},
		{"open", 2, "for how long?", true},
		{"open --end 2h", 2, "--end takes no time", true},
		{"open --end", 0, "The door is no longer open to everybody", false},
	} {
		status, out, errOut := said(t, append(strings.Fields(c.line), "--config", configuration)...)
		words := strings.Join(strings.Fields(out+errOut), " ")
		if status != c.status || !strings.Contains(words, c.says) || door.has(guest) != c.in {
			t.Errorf("hien %s: status %d, saying %q, in %v; want %d, %q, %v", c.line, status, words, door.has(guest), c.status, c.says, c.in)
		}
	}
	if g, _, err := d.book.Guest(unseen); err != nil || g.Pass.Left(d.clock.now()) == 0 {
		t.Errorf("the device that was not seen: %+v, %v; want a pass", g.Pass, err)
	}

	_, out, errOut := said(t, "audit", "--json", "--config", configuration)
	var deeds control.List[control.Deed]
	if err := json.Unmarshal([]byte(out), &deeds); err != nil {
		t.Fatalf("%v: %s", err, errOut)
	}
	var got []string
	for _, one := range deeds.Items {
		got = append(got, one.What+" by "+one.Who+": "+one.About)
	}
	want := "open ended by lan:  | open by lan: 2h | revoke by lan: 02:00:5e:··:··:·· in zone guest | " +
		"admit by lan: 02:00:5e:··:··:·· in zone guest | admit by lan: 02:00:5e:··:··:·· in zone guest"
	if strings.Join(got, " | ") != want {
		t.Errorf("audit\n got %s\nwant %s", strings.Join(got, " | "), want)
	}
	if _, out, _ := said(t, "audit", "--limit", "1", "--config", configuration); !strings.Contains(out, "5 things were done by hand; the newest 1 is shown") {
		t.Errorf("audit --limit 1: %s", out)
	}
}

func TestWholeAddressesAreShownOnRequestAlone(t *testing.T) {
	_, _, _, configuration := attended(t)
	for _, c := range []struct {
		args  []string
		whole bool
	}{
		{[]string{"guests"}, false}, {[]string{"guests", "--json"}, false},
		{[]string{"admit", "02:00:5e:10:00:01"}, false}, {[]string{"audit", "--json"}, false},
		{[]string{"guests", "--full"}, true}, {[]string{"guests", "--full", "--json"}, true},
	} {
		status, out, errOut := said(t, append(c.args, "--config", configuration)...)
		if status != 0 || strings.Contains(out, "02:00:5e:10:00:01") != c.whole {
			t.Errorf("hien %s: status %d, whole %v, saying %s%s", strings.Join(c.args, " "), status, !c.whole, out, errOut)
		}
	}
	if _, out, _ := said(t, "guests", "--full", "--config", configuration); !strings.Contains(out, "10.20.0.17") {
		t.Errorf("hien guests --full shows no address:\n%s", out)
	}
}

func TestWhoAsksIsNamed(t *testing.T) {
	t.Setenv("SUDO_USER", "lan")
	if got := who(); got != "lan" {
		t.Errorf("with sudo: got %q, want lan", got)
	}
	t.Setenv("SUDO_USER", "")
	if got := who(); got == "" {
		t.Error("without sudo: got nobody")
	}
}

// The owner's whole day, with the real gateway.
func TestTheOwnerRulesTheDoor(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	p, late := s.join("p"), s.join("late")
	step := func(what string, phone *world.Phone, want bool) {
		s.Helper()
		if got := s.online(phone); got != want {
			s.Errorf("%s: online %v; want %v", what, got, want)
		}
	}
	step("before anything", p, false)
	s.hien("admit", p.MAC.String())
	step("admitted", p, true)
	s.hien("revoke", p.IPv4().String())
	step("revoked", p, false)
	s.hien("trust", p.MAC.String())
	step("trusted", p, true)
	s.hien("trust", "--undo", p.MAC.String())
	step("a pass that was given stays", p, true)
	s.hien("block", p.MAC.String())
	step("blocked", p, false)
	s.hien("open", "2h")
	step("open to everybody", late, true)
	step("but for who is blocked", p, false)
	if st := ask[control.Status](s, "status"); st.OpenUntil.IsZero() || st.Zones[0].Blocked != 1 || st.Zones[0].Trusted != 0 {
		s.Errorf("status %+v; want the door open, and one device blocked", st)
	}
	s.hien("open", "--end")
	step("shut again", late, false)
	s.hien("block", "--undo", p.MAC.String())
	s.hien("admit", p.MAC.String())
	step("no longer blocked, and admitted", p, true)

	deeds := ask[control.List[control.Deed]](s, "audit")
	var said []string
	for _, d := range deeds.Items {
		said = append([]string{d.What}, said...)
	}
	if got, want := strings.Join(said, ", "), "admit, revoke, trust, trust no more, block, open, open ended, block no more, admit"; got != want {
		s.Errorf("audit %s; want %s", got, want)
	}

	text, err := os.ReadFile(s.Config)
	if err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(s.Config, append(text, "config nonsense\n"...), 0o600); err != nil {
		s.Fatal(err)
	}
	if _, err := s.Hien(s.patient(), "reload"); err == nil || !strings.Contains(err.Error(), "nothing was taken over") || !strings.Contains(err.Error(), "nonsense") {
		s.Errorf("reload with a mistake: %v; want what is wrong", err)
	}
	elsewhere := strings.Replace(string(text), s.DataDir(), s.DataDir()+"2", 1)
	if err := os.WriteFile(s.Config, []byte(elsewhere), 0o600); err != nil {
		s.Fatal(err)
	}
	if _, err := s.Hien(s.patient(), "reload"); err == nil || !strings.Contains(err.Error(), "the old one stays in force: enabled, data_dir") {
		s.Errorf("reload with what cannot change: %v; want what the daemon says", err)
	}
	if err := os.WriteFile(s.Config, text, 0o600); err != nil {
		s.Fatal(err)
	}
	s.hien("reload")
	step("after both reloads", p, true)
}
