package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

func ask[T any](s *shop, args ...string) (v T) {
	s.Helper()
	out := s.hien(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.Fatalf("hien %s --json: %v\n%s", strings.Join(args, " "), err, out)
	}
	return v
}

// skip lets a phone go on without giving anything.
func (s *shop) skip(p *world.Phone) {
	s.Helper()
	page, err := p.NewBrowser("vi").Open(s.patient(), "http://example.vn/")
	if err == nil {
		_, err = page.Skip(s.patient())
	}
	if err != nil {
		s.Fatal(err)
	}
}

// ends waits for the daemon to end by itself and returns what it said.
func (s *shop) ends() (said string, err error) {
	s.Helper()
	ctx := s.patient()
	err = s.Daemon.Wait(ctx)
	if ctx.Err() != nil {
		s.Fatal("the daemon did not end")
	}
	return strings.Join(s.Daemon.Lines(), "\n"), err
}

func TestInterfaceThatComesLaterAndGoes(t *testing.T) {
	s := newShop(t, world.Options{NoGuestBridge: true}, everyday)
	if err := s.Launch(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Daemon.Line(s.patient(), "waits for the guest interface"); err != nil {
		t.Fatal(err)
	}
	if st := ask[control.Status](s, "status"); st.Zones[0].State != control.ZoneWaiting {
		t.Errorf("zone is %q; want %q", st.Zones[0].State, control.ZoneWaiting)
	}
	if err := s.Router.AddGuestBridge(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Daemon.Line(s.patient(), `msg="the portal is open"`); err != nil {
		t.Fatal(err)
	}
	p := s.join("p")
	if s.online(p) {
		t.Error("online without a pass")
	}
	s.skip(p)
	if !s.online(p) {
		t.Error("not online with a pass")
	}

	mark := s.Daemon.Mark()
	if err := s.Router.RemoveGuestBridge(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Daemon.LineAfter(s.patient(), mark, "the guest interface is gone"); err != nil {
		t.Fatal(err)
	}
	if err := s.Router.AddGuestBridge(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Daemon.LineAfter(s.patient(), mark, `msg="the portal is open"`); err != nil {
		t.Fatal(err)
	}
	if err := p.Renew(s.patient()); err != nil {
		t.Fatal(err)
	}
	if !s.online(p) {
		t.Error("after a reload of the network the guest has lost its pass")
	}
}

func TestPortInUse(t *testing.T) {
	s := newShop(t, world.Options{}, everyday)
	l, err := s.Router.Listen("tcp", ":2050")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := s.Launch(); err != nil {
		t.Fatal(err)
	}
	said, err := s.ends()
	if err == nil || !strings.Contains(said, "port 2050 is in use") || !strings.Contains(said, "portal_port") {
		t.Errorf("ended with %v, saying:\n%s", err, said)
	}
}

func TestSecondRunIsRefused(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	out, err := s.Router.Command(s.patient(), s.Program, "run", "--config", s.Config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another hien is running") {
		t.Errorf("a second run: %v, saying:\n%s", err, out)
	}
	s.skip(s.join("p")) // the first one lives on
}

func TestSecondRunWithAnotherConfigurationIsRefused(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	p, q := s.join("p"), s.join("q")
	s.skip(p)
	text, err := os.ReadFile(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "config")
	text = bytes.ReplaceAll(text, []byte(s.RunDir()), []byte(s.RunDir()+"-2"))
	text = bytes.ReplaceAll(text, []byte(s.DataDir()), []byte(s.DataDir()+"-2"))
	if err := os.WriteFile(other, bytes.ReplaceAll(text, []byte("2050"), []byte("2051")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.Router.Command(s.patient(), s.Program, "run", "--config", other).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another hien is running") {
		t.Errorf("a second run: %v, saying:\n%s", err, out)
	}
	if !s.online(p) || s.online(q) {
		t.Error("the second run has touched the first one's door")
	}
}

func TestInterfaceThatFlaps(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	p := s.join("p")
	s.skip(p)
	for range 20 {
		err := s.Router.Do(func() error {
			link, err := netlink.LinkByName(world.GuestBridge)
			if err != nil {
				return err
			}
			return errors.Join(netlink.LinkSetDown(link), netlink.LinkSetUp(link))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	mark := s.Daemon.Mark()
	if err := errors.Join(s.Router.RemoveGuestBridge(), s.Router.AddGuestBridge()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Daemon.LineAfter(s.patient(), mark, `msg="the portal is open"`); err != nil {
		t.Fatal(err)
	}
	if err := p.Renew(s.patient()); err != nil {
		t.Fatal(err)
	}
	if !soon(func() bool { return s.echoes(p, p.Target.V4) }) {
		t.Error("after the interface has flapped the guest has lost its pass")
	}
}

func TestAddressThatComesLater(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	p := s.join("p")
	address := func(do func(netlink.Link, *netlink.Addr) error) {
		t.Helper()
		err := s.Router.Do(func() error {
			link, err := netlink.LinkByName(world.GuestBridge)
			if err != nil {
				return err
			}
			addr, err := netlink.ParseAddr("10.77.0.1/24")
			if err != nil {
				return err
			}
			return do(link, addr)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	mark := s.Daemon.Mark()
	address(netlink.AddrDel)
	if _, err := s.Daemon.LineAfter(s.patient(), mark, "has other addresses"); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if err := s.Start(s.patient()); err != nil { // the interface is there, and has no address
		t.Fatal(err)
	}
	mark = s.Daemon.Mark()
	address(netlink.AddrAdd)
	if _, err := s.Daemon.LineAfter(s.patient(), mark, `msg="the portal is open"`); err != nil {
		t.Fatal(err)
	}
	s.skip(p)
	if !soon(func() bool { return s.echoes(p, p.Target.V4) }) {
		t.Error("the guest has a pass and is not online: the address that came later was not noticed")
	}
}

func TestPassesThatAreFlushedComeBack(t *testing.T) {
	flushes := map[string][][]string{
		"nftables": {{"nft", "delete", "table", "inet", "hien"}},
		"iptables": {{"iptables", "-F"}, {"ip6tables", "-F"}, {"ipset", "flush"}},
	}
	eachBackend(t, func(t *testing.T, backend string, terms world.Terms) {
		s := openShop(t, world.Options{}, terms)
		p := s.join("p")
		s.skip(p)
		mark := s.Daemon.Mark()
		for _, argv := range flushes[backend] {
			if _, err := s.Router.Run(s.patient(), argv[0], argv[1:]...); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Daemon.LineAfter(s.patient(), mark, "repaired"); err != nil {
			t.Fatal(err)
		}
		if !soon(func() bool { return s.online(p) }) {
			t.Error("after a repair the guest with a pass is shut out")
		}
		if s.online(s.join("q")) {
			t.Error("after a repair the door is open")
		}
	})
}

func TestRunDirFull(t *testing.T) {
	s := newShop(t, world.Options{}, everyday)
	if err := os.MkdirAll(s.RunDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", s.RunDir(), "tmpfs", 0, "size=512k"); err != nil {
		t.Fatal(err)
	}
	s.start()
	fill(t, filepath.Join(s.RunDir(), "junk"))
	for i := range 30 { // until the book's file would have to grow
		s.skip(s.join(fmt.Sprint("p", i)))
	}
	p := s.join("last")
	s.skip(p)
	// Without a book a pass covers the address that asked for it, and not the
	// other family's.
	if !s.echoes(p, p.Target.V4) && !s.echoes(p, p.Target.V6) {
		t.Error("with a full tmpfs a guest is not let in")
	}
	lines := 0
	for _, line := range s.Daemon.Lines() {
		if strings.Contains(line, "the livebook fails") {
			lines++
		}
	}
	if lines != 1 {
		t.Errorf("the log complains %d times; want once a minute", lines)
	}
}

func TestMissingToolsAreNamed(t *testing.T) {
	terms := everyday
	terms.Main = "\toption firewall 'iptables'\n"
	s := newShop(t, world.Options{}, terms)
	if err := s.Launch(world.Env("PATH=" + t.TempDir())); err != nil {
		t.Fatal(err)
	}
	said, err := s.ends()
	if err == nil || !strings.Contains(said, "iptables") || !strings.Contains(said, "ipset") || !strings.Contains(said, "install") {
		t.Errorf("ended with %v, saying:\n%s", err, said)
	}
}

func TestCDPDownAndOneEventItWillNotTake(t *testing.T) {
	s := openShop(t, world.Options{CDP: world.RudderStack}, everyday)
	s.CDP.Down()
	s.give(s.join("p"), "0987654321")
	q := ask[control.List[control.QueueItem]](s, "queue")
	if q.Total != 3 {
		t.Fatalf("%d events wait; want 3: %+v", q.Total, q)
	}
	s.CDP.Poison(string(q.Items[1].ID))
	if err := s.CDP.Up(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CDP.WaitEvents(s.patient(), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Daemon.Line(s.patient(), "never take some events"); err != nil {
		t.Fatal(err)
	}
	q = ask[control.List[control.QueueItem]](s, "queue")
	if len(q.Items) != 1 || q.Items[0].State != control.EventParked || !strings.Contains(q.Items[0].Answer, "400") {
		t.Errorf("queue = %+v; want the one event, parked with the answer", q.Items)
	}
}

func TestRecordThatCannotBeOpened(t *testing.T) {
	for name, content := range map[string][]byte{
		"damaged": bytes.Repeat([]byte("this is no database\n"), 500),
		"newer":   nil, // made below
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, world.Options{}, everyday)
			s.start()
			s.stop()
			file := filepath.Join(s.DataDir(), "record.db")
			if content == nil {
				var err error
				if content, err = os.ReadFile(file); err != nil {
					t.Fatal(err)
				}
				content[63] = 99 // user_version: the file format's bytes 60 to 63
			}
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s.start()
			p := s.join("p")
			page, err := p.NewBrowser("vi").Open(s.patient(), "http://example.vn/")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := page.Form("/join"); err == nil {
				t.Error("a number is asked for, and there is no record to keep the answer")
			}
			s.skip(p)
			if !s.online(p) {
				t.Error("the guest is not let in")
			}
			st := ask[control.Status](s, "status")
			if st.Record.State != control.RecordClosed || st.Record.Detail == "" {
				t.Errorf("record = %+v; want closed, with the reason", st.Record)
			}
			t.Logf("status says: %s", st.Record.Detail)
			s.stop()
			if left, _ := os.ReadFile(file); !bytes.Equal(left, content) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestDiskFull(t *testing.T) {
	s := newShop(t, world.Options{}, zoned(everyday, "option grace '0'"))
	if err := os.MkdirAll(s.DataDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", s.DataDir(), "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.give(s.join("before"), "0987654320")
	fill(t, filepath.Join(s.DataDir(), "junk"))

	p := s.join("p")
	browser := p.NewBrowser("vi")
	page, err := browser.Open(s.patient(), "http://example.vn/")
	if err != nil {
		t.Fatal(err)
	}
	mark := s.Daemon.Mark()
	if page, err = page.Give(s.patient(), "0987654321"); err != nil {
		t.Fatal(err)
	}
	code, err := s.Code(s.patient(), p.MAC, mark)
	if err != nil {
		t.Fatal(err)
	}
	if page, err = page.Prove(s.patient(), code); err != nil {
		t.Fatal(err)
	}
	if s.online(p) {
		t.Error("the door opened on an answer that was not kept")
	}
	if page, err = page.Skip(s.patient()); err != nil {
		t.Fatalf("the page does not offer to go on without: %v\n%s", err, page.Text())
	}
	if !s.online(p) {
		t.Error("the guest is not let in")
	}
	if err := os.Remove(filepath.Join(s.DataDir(), "junk")); err != nil {
		t.Fatal(err)
	}
	s.give(s.join("after"), "0987654322")
	if l := ask[control.List[control.Lead]](s, "leads"); l.Total != 2 {
		t.Errorf("%d leads; want the two who were written down", l.Total)
	}
	if v := ask[control.Ledger](s, "ledger", "verify"); !v.Holds || v.Entries != 2 {
		t.Errorf("ledger = %+v; want 2 entries that hold", v)
	}
}

// fill writes until there is no room.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

func TestReload(t *testing.T) {
	s := openShop(t, world.Options{LAN: true}, everyday)
	p := s.join("p")
	s.skip(p)
	fewer := everyday
	fewer.Purposes = []string{"visit_frequency"}
	hup := func(want string) {
		t.Helper()
		mark := s.Daemon.Mark()
		if err := s.Daemon.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Daemon.LineAfter(s.patient(), mark, want); err != nil {
			t.Fatal(err)
		}
	}
	asked := func() int {
		t.Helper()
		page, err := s.join(fmt.Sprint("p", s.Daemon.Mark())).NewBrowser("vi").Open(s.patient(), "http://example.vn/")
		if err != nil {
			t.Fatal(err)
		}
		form, err := page.Form("/join")
		if err != nil {
			t.Fatal(err)
		}
		return len(form.Choices("purpose"))
	}
	if err := s.Configure(fewer); err != nil {
		t.Fatal(err)
	}
	hup("the configuration was read again")
	if n := asked(); n != 1 {
		t.Errorf("after the reload %d purposes are asked for; want 1", n)
	}
	taken, err := s.Router.Listen("tcp", ":2099")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	other := fewer
	other.Extra = "config zone 'second'\n\toption interface 'lan'\n\toption portal_port '2099'\n"
	if err := s.Configure(other); err != nil {
		t.Fatal(err)
	}
	hup("is in use by another program")
	if n := asked(); n != 1 {
		t.Errorf("with a second zone whose port is in use, the first asks for %d purposes; want 1", n)
	}
	broken := fewer
	broken.Extra = "config zone 'second'\n\toption pass 'for ever'\n"
	if err := s.Configure(broken); err != nil {
		t.Fatal(err)
	}
	hup("the old one stays in force")
	if n := asked(); n != 1 {
		t.Errorf("after a broken reload %d purposes are asked for; want 1", n)
	}
	if !s.online(p) {
		t.Error("the reloads have cut a guest with a pass")
	}
}

func TestCleanup(t *testing.T) {
	s := newShop(t, world.Options{}, everyday)
	kernel := func() string {
		t.Helper()
		var b strings.Builder
		for _, argv := range [][]string{{"iptables-save"}, {"ip6tables-save"}, {"ipset", "save"}, {"ip", "rule"}, {"ip", "-6", "rule"}} {
			out, err := s.Router.Run(s.patient(), argv[0], argv[1:]...)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, "#") || line == "\n" {
					continue // the time at which it was saved
				}
				if chain, _, ok := strings.Cut(line, "["); ok && strings.HasPrefix(line, ":") {
					line = chain + "\n" // without counters
				}
				b.WriteString(line)
			}
		}
		return b.String()
	}
	// A built-in table that was never used does not exist, and iptables
	// cannot take one away again: use them all once.
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, chain := range [][]string{{"-t", "filter", "-N"}, {"-t", "filter", "-X"}, {"-t", "nat", "-N"}, {"-t", "nat", "-X"}} {
			if _, err := s.Router.Run(s.patient(), program, append(chain, "used-once")...); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := kernel()
	s.start()
	p := s.join("p")
	s.skip(p)
	t.Run("a living daemon leaves the kernel alone from then on", func(t *testing.T) {
		s.hien("cleanup")
		if after := kernel(); after != before {
			t.Errorf("after the clean-up the kernel has\n%s\nand had\n%s", after, before)
		}
		if st := ask[control.Status](s, "status"); st.Firewall.Broken == "" {
			t.Error("the status does not say that guests are not stopped")
		}
		if !s.online(s.join("q")) {
			t.Error("a guest is stopped after the clean-up")
		}
	})
	t.Run("SIGHUP shuts the door again", func(t *testing.T) {
		mark := s.Daemon.Mark()
		if err := s.Daemon.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Daemon.LineAfter(s.patient(), mark, "the configuration was read again"); err != nil {
			t.Fatal(err)
		}
		if s.online(s.join("r")) {
			t.Error("the door is open")
		}
		if !s.online(p) {
			t.Error("a guest with a pass was cut")
		}
	})
	t.Run("a dead daemon's rules go too", func(t *testing.T) {
		s.Daemon.Kill()
		if s.online(s.join("s")) {
			t.Error("the door opened when the daemon died")
		}
		s.hien("cleanup")
		if after := kernel(); after != before {
			t.Errorf("after the clean-up the kernel has\n%s\nand had\n%s", after, before)
		}
		s.hien("cleanup") // again changes nothing
	})
}

func TestGoingOnWithoutWritesNothing(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	s.give(s.join("first"), "0987654321")
	if _, err := s.CDP.WaitEvents(s.patient(), 3); err != nil {
		t.Fatal(err)
	}
	flash := func() string {
		t.Helper()
		var b strings.Builder
		files, err := os.ReadDir(s.DataDir())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			content, err := os.ReadFile(filepath.Join(s.DataDir(), f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %d %x\n", f.Name(), len(content), sha256.Sum256(content))
		}
		return b.String()
	}
	if !soon(func() bool { return ask[control.Queue](s, "queue").Waiting == 0 }) {
		t.Fatal("events wait")
	}
	before := flash()
	for i := range 20 {
		p := s.join(fmt.Sprint("p", i))
		s.skip(p)
		if err := p.Leave(s.patient()); err != nil {
			t.Fatal(err)
		}
	}
	if after := flash(); after != before {
		t.Errorf("20 guests who gave nothing have changed the flash from\n%s\nto\n%s", before, after)
	}
}

func TestStopLosesNothingAndKeepsTheDoorShut(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	p := s.join("p")
	page := s.give(p, "0987654321")
	s.stop()
	if !s.online(p) {
		t.Error("the guest with a pass was cut")
	}
	if q := s.join("q"); s.online(q) {
		t.Error("a guest without a pass is online while the daemon is stopped")
	}
	if _, err := s.Router.Run(s.patient(), "ipset", "flush"); err != nil {
		t.Fatal(err)
	}
	s.start()
	if !soon(func() bool { return s.online(p) }) {
		t.Error("a pass that was flushed while the daemon was stopped did not come back with it")
	}
	again, err := p.NewBrowser("vi").Open(s.patient(), page.Receipt())
	if err != nil || again.Status != 200 || !strings.Contains(again.Text(), "Zalo") {
		t.Errorf("the receipt after a restart: %v, %s", err, again.Text())
	}
	if l := ask[control.List[control.Lead]](s, "leads"); l.Total != 1 {
		t.Errorf("%d leads; want 1", l.Total)
	}
}

func TestWithdrawalReachesTheCDP(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	s.give(s.join("p"), "0987654321")
	if _, err := s.CDP.WaitEvents(s.patient(), 3); err != nil {
		t.Fatal(err)
	}
	people := ask[control.List[control.Consent]](s, "consents")
	if len(people.Items) != 1 {
		t.Fatalf("consents = %+v; want one person's", people)
	}
	s.hien("withdraw", string(people.Items[0].Subject), string(consent.ContactZalo))
	events, err := s.CDP.WaitEvents(s.patient(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if last := string(events[3]); !strings.Contains(last, "Segment Consent Preference Updated") || !strings.Contains(last, `"contact_zalo":false`) {
		t.Errorf("the CDP was told %s", last)
	}
}

func TestCommandLine(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	s.give(s.join("p"), "0987654321")
	for _, command := range []string{"status", "guests", "visits", "leads", "consents", "queue", "ledger verify", "config check"} {
		out := s.hien(strings.Fields(command)...)
		for line := range strings.Lines(out) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
				t.Errorf("hien %s: a line of %d columns: %s", command, n, line)
			}
		}
		if strings.TrimSpace(out) == "" {
			t.Errorf("hien %s says nothing", command)
		}
		t.Logf("$ hien %s\n%s", command, out)
	}
	s.stop()
	if v := ask[control.Ledger](s, "ledger", "verify"); !v.Holds || v.Entries != 1 {
		t.Errorf("with the daemon stopped: ledger = %+v", v)
	}
	if _, err := s.Hien(s.patient(), "status"); err == nil || !strings.Contains(err.Error(), "not running") {
		t.Errorf("status with the daemon stopped: %v", err)
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 2, "hien run"},
		{"help", 0, "ledger verify"},
		{"--version", 0, "hien "},
		{"nothing", 2, `no command "nothing"`},
		{"config", 2, `no command "config"`},
		{"person", 2, "no command \"person\"\n\n  hien person locate"},
		{"status --nonsense", 2, "nonsense"},
		{"status more", 2, "one word too many"},
		{"status -h", 0, "usage: hien status"},
		{"config check --config /nowhere/hien", 1, "there is no configuration /nowhere/hien: `hien setup` writes one"},
		{"withdraw", 2, "subject"},
	} {
		t.Run(test.args, func(t *testing.T) {
			var out, errOut strings.Builder
			status := run(context.Background(), strings.Fields(test.args), &out, &errOut)
			if said := out.String() + errOut.String(); status != test.status || !strings.Contains(said, test.says) {
				t.Errorf("status %d, saying %q; want %d and %q", status, said, test.status, test.says)
			}
		})
	}
}
