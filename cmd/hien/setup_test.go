package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/doctor"
	"github.com/hien-wifi/hien/internal/setup"
)

// A bench is a router's files in a directory, and what is done to it.
type bench struct {
	*testing.T
	root   string
	before map[string]string
	ran    []string // the commands
}

// newBench has the files of a router that stands in internal/setup/testdata;
// "" is a machine without OpenWrt.
func newBench(t *testing.T, router string) *bench {
	t.Helper()
	b := &bench{T: t, root: t.TempDir(), before: make(map[string]string)}
	for _, dir := range []string{"etc/config", "sbin"} {
		if err := os.MkdirAll(filepath.Join(b.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if router != "" {
		write(t, filepath.Join(b.root, "etc/openwrt_release"), "")
		write(t, filepath.Join(b.root, "sbin/fw4"), "")
		for _, file := range []string{"network", "wireless", "dhcp", "firewall", "hien"} {
			text, err := os.ReadFile(filepath.Join("../../internal/setup/testdata", router, file))
			if err != nil {
				t.Fatal(err)
			}
			b.before[file] = string(text)
			if file == "hien" {
				b.before[file] = strings.Replace(b.before[file], "config hien 'main'\n", "config hien 'main'\n\toption brand_key_file '"+filepath.Join(b.root, "brand.key")+"'\n", 1)
			}
			write(t, b.config(file), b.before[file])
		}
	}
	was := thisMachine
	t.Cleanup(func() { thisMachine = was })
	thisMachine = machine{
		root: b.root,
		in:   strings.NewReader(""),
		commands: func(hien, config string) setup.Commands {
			if hien == "" || config != b.config("hien") {
				t.Errorf("commands for %q and %q", hien, config)
			}
			return setup.Commands{Reload: [][]string{{"reload"}}, Start: [][]string{{"start"}}, Stop: [][]string{{"stop"}}, Off: [][]string{{"off"}}, Clean: [][]string{{"clean"}}}
		},
		run: func(_ context.Context, argv []string) error {
			b.ran = append(b.ran, strings.Join(argv, " "))
			return nil
		},
		detach: func(_ context.Context, argv []string) error {
			if want := "/proc/self/exe setup --watch --config " + b.config("hien") + " --state " + b.state(); strings.Join(argv, " ") != want {
				t.Errorf("watched by %q, want %q", argv, want)
			}
			b.ran = append(b.ran, "watch")
			return nil
		},
		health:  func(context.Context, *call, setup.Language) (setup.Seen, error) { return setup.Seen{}, nil },
		outlive: func() {},
	}
	t.Setenv("LC_ALL", "")
	t.Setenv("LC_MESSAGES", "")
	t.Setenv("LANG", "en_US.UTF-8")
	return b
}

func (b *bench) config(file string) string { return filepath.Join(b.root, "etc/config", file) }
func (b *bench) state() string             { return filepath.Join(b.root, "state") }

// hien runs `hien setup`, at which somebody types.
func (b *bench) hien(typed string, args ...string) (status int, out, errOut string) {
	b.Helper()
	thisMachine.in = strings.NewReader(typed)
	var o, e strings.Builder
	cmd := command{"setup", "", "make this router greet guests, and take that back", setupHelp, false, setUp}
	err := setUp(b.Context(), newCall(cmd, append([]string{"--config", b.config("hien"), "--state", b.state()}, args...), &o, &e))
	switch {
	case errors.Is(err, errUsage):
		status = 2
	case err != nil:
		status = 1
		e.WriteString(err.Error())
	}
	return status, o.String(), e.String()
}

// holds compares the files with what they were.
func (b *bench) holds(changed bool) {
	b.Helper()
	for file, before := range b.before {
		text, err := os.ReadFile(b.config(file))
		if err != nil {
			b.Fatal(err)
		}
		if is := string(text) != before; is != changed {
			b.Errorf("%s was changed: %t, want %t", file, is, changed)
		}
	}
}

func (b *bench) hasRun(want ...string) {
	b.Helper()
	if d := cmp.Diff(want, b.ran); d != "" {
		b.Errorf("was run (-want +got):\n%s", d)
	}
	b.ran = nil
}

func TestSetupAndUndo(t *testing.T) {
	b := newBench(t, "22.03-two-radios")
	status, out, errOut := b.hien("", "--yes", "--store-name", "Tạp hóa", "--purposes", "visit_frequency", "--sender", "log")
	if status != 0 || !strings.Contains(out, "Guests are served") || !strings.HasSuffix(out, "Hiên is set up.\n") {
		t.Fatalf("status %d, saying %q %q", status, out, errOut)
	}
	b.holds(true)
	b.hasRun("watch", "reload", "start")
	cfg, err := config.Load(b.config("hien"))
	if err != nil || !cfg.Asks() {
		t.Fatalf("the configuration: %v", err)
	}
	if _, err := cfg.BrandKeys(); err != nil {
		t.Errorf("a number is asked, and %v", err)
	}
	if status, out, _ := b.hien("", "--yes"); status != 0 || !strings.Contains(out, "Everything is so already.") {
		t.Errorf("once more: status %d, saying %q", status, out)
	}
	b.hasRun()
	if status, out, _ := b.hien("no\n", "--undo"); status != 0 || !strings.Contains(out, "Nothing was changed.") {
		t.Errorf("an undo that is not wanted: status %d, saying %q", status, out)
	}
	b.holds(true)
	if status, out, errOut := b.hien("yes\n", "--undo"); status != 0 || !strings.Contains(out, "Hiên is out of this router's configuration.") {
		t.Errorf("undo: status %d, saying %q %q", status, out, errOut)
	}
	b.holds(false)
	b.hasRun("off", "reload", "clean")
}

func TestSetupIsPutBackWhenTheOwnerSaysNo(t *testing.T) {
	b := newBench(t, "22.03-two-radios")
	status, out, errOut := b.hien("Quán\n\n\n\n\n\n\nkhông\n", "--lang", "vi")
	if status != 1 || !strings.Contains(out, "Khách vào được") || errOut != "Mọi thứ đã trở lại như trước." {
		t.Errorf("status %d, saying %q %q; want that it was put back, in Vietnamese", status, out, errOut)
	}
	b.holds(false)
	b.hasRun("watch", "reload", "start", "stop", "reload", "clean")
}

func TestSetupDryRunTouchesNothing(t *testing.T) {
	b := newBench(t, "22.03-two-radios")
	status, out, errOut := b.hien("Quán Hiên\n\n\n\n\n2\n\n\n\n", "--dry-run")
	if status != 0 {
		t.Fatalf("status %d, saying %q", status, errOut)
	}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "uci ") {
			t.Errorf("a line that is no command: %q", line)
		}
	}
	for _, want := range []string{"uci set network.hien_guest.ipaddr='10.77.0.1'\n", "uci set hien.main.seal_key='hien-seal-1:(made when this is carried out)'\n", "uci commit hien\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not among the commands:\n%s", want, out)
		}
	}
	if !strings.Contains(errOut, "What is the shop called?") || !strings.Contains(errOut, "radio1 (5 GHz) is switched off") {
		t.Errorf("the questions and notes are not on standard error: %q", errOut)
	}
	b.holds(false)
	b.hasRun()
	if _, err := os.Stat(b.state()); err == nil {
		t.Error("there is something in the state's directory")
	}
}

func TestSetupShowsTheSealKeyOnce(t *testing.T) {
	b := newBench(t, "22.03-two-radios")
	status, out, errOut := b.hien("", "--yes", "--store-name", "Quán", "--purposes", "contact_zalo", "--sender", "none", "--seal-key", "new")
	if status != 0 {
		t.Fatalf("status %d, saying %q %q", status, out, errOut)
	}
	text, err := os.ReadFile(b.config("hien"))
	if err != nil {
		t.Fatal(err)
	}
	var unseal string
	for word := range strings.FieldsSeq(out) {
		if strings.HasPrefix(word, "hien-unseal-") {
			unseal = word
		}
	}
	key, err := hien.ParseUnsealKey(unseal)
	if err != nil {
		t.Fatalf("the private half %q: %v\n%s", unseal, err, out)
	}
	cfg, err := config.Parse("hien", strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	phone, err := hien.ParsePhone("0900 000 001")
	if err != nil {
		t.Fatal(err)
	}
	box, err := cfg.SealKey.Seal(phone, "c1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Open(box, "c1"); err != nil || got.Reveal() != phone.Reveal() {
		t.Errorf("what the configuration's key seals, the shown one does not open: %v", err)
	}
	if strings.Contains(string(text), unseal) {
		t.Error("the private half is in the configuration")
	}
}

func TestSetupRefuses(t *testing.T) {
	b := newBench(t, "25.12-own-guests")
	for args, c := range map[string]struct {
		status int
		says   string
	}{
		"--dry-run --undo": {2, "want one of --dry-run, --undo, --confirm, --watch and --recover"},
		"--lang fr":        {2, "--lang fr: want vi or en"},
		"more":             {2, `"more" is one word too many`},
		"--yes":            {1, "This needs an answer. Say it with --store-name."},
		"--yes --store-name A --interface br-lan": {1, "--interface: br-lan is the shop's own network"},
		"--confirm":           {1, "No setup waits to be confirmed."},
		"--confirm --lang vi": {1, "Không có lần cài đặt nào chờ xác nhận."},
		"--store-name A":      {1, "There is nobody to answer."},
	} {
		status, out, errOut := b.hien("", strings.Fields(args)...)
		if status != c.status || !strings.Contains(errOut, c.says) {
			t.Errorf("hien setup %s: status %d, saying %q %q; want %d and %q", args, status, out, errOut, c.status, c.says)
		}
	}
	if status, out, errOut := b.hien("", "--recover"); status != 0 || out != "" {
		t.Errorf("a start with nothing to put back: status %d, saying %q %q", status, out, errOut)
	}
	b.holds(false)
	b.hasRun()
}

func TestSetupSpeaksVietnameseUnlessToldOtherwise(t *testing.T) {
	b := newBench(t, "25.12-own-guests")
	t.Setenv("LANG", "")
	if _, _, errOut := b.hien("", "--dry-run"); !strings.Contains(errOut, "Quán tên là gì?") {
		t.Errorf("said %q, want Vietnamese", errOut)
	}
}

func TestSetupWithoutOpenWrt(t *testing.T) {
	b := newBench(t, "")
	if err := os.MkdirAll(filepath.Join(b.root, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	status, out, errOut := b.hien("Quán Hiên\n\nwlan0\n\n\nyes\n")
	if status != 0 || !strings.Contains(out, "systemctl enable --now hien") {
		t.Fatalf("status %d, saying %q %q", status, out, errOut)
	}
	b.hasRun()
	cfg, err := config.Load(b.config("hien"))
	if err != nil || cfg.Zones[0].Interface != "wlan0" || !cfg.Masquerade || cfg.StoreID != "quan-hien" {
		t.Errorf("the configuration: %+v, %v", cfg, err)
	}
	if info, err := os.Stat(b.config("hien")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it has mode %v, %v; want 0600", info.Mode(), err)
	}
	if status, out, _ := b.hien("yes\n", "--undo"); status != 0 {
		t.Errorf("undo: status %d, saying %q", status, out)
	}
	if _, err := os.Stat(b.config("hien")); err == nil {
		t.Error("after undo there is a configuration, and there was none before")
	}
}

// TestTheRoutersStartPutsBackWhatNobodyConfirmed has a setup on trial of
// another run of the machine, as a power cut leaves it.
func TestTheRoutersStartPutsBackWhatNobodyConfirmed(t *testing.T) {
	b := newBench(t, "22.03-two-radios")
	trial := setup.Setup{
		Place: setup.Place{Config: b.config(""), Hien: b.config("hien"), State: b.state()},
		Boot:  "the run before the power cut",
		Run:   func(context.Context, []string) error { return nil },
		Watch: func(context.Context) error { return nil },
	}
	after := make(map[string][]byte)
	for file, text := range b.before {
		after[file] = []byte(text + "\n# on trial\n")
	}
	if _, err := trial.Try(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	b.holds(true)
	if status, out, errOut := b.hien("", "--recover"); status != 0 || out != "A setup that nobody had confirmed was put back.\n" {
		t.Errorf("status %d, saying %q %q", status, out, errOut)
	}
	b.holds(false)
	b.hasRun() // what starts next starts with these files
	if status, out, errOut := b.hien("", "--recover"); status != 0 || out != "" {
		t.Errorf("at the next start: status %d, saying %q %q", status, out, errOut)
	}
}

func TestSetupOfASmallRouterAsksNothing(t *testing.T) {
	b := newBench(t, "22.03-two-radios")
	small(t)
	for _, args := range [][]string{{}, {"--dry-run"}, {"--yes", "--store-name", "Quán"}} {
		status, out, errOut := b.hien("Quán\n", append(args, "--lang", "vi")...)
		if status != 1 || out != "" || !strings.HasPrefix(errOut, "Bộ định tuyến này có 57 MiB bộ nhớ (RAM), mà Hiên cần 96") {
			t.Errorf("hien setup %q: status %d, saying %q %q; want that there is too little memory, and nothing else", args, status, out, errOut)
		}
	}
	b.holds(false)
	if _, err := os.Stat(b.state()); err == nil {
		t.Error("there is something in the state's directory")
	}
	// What takes it out again works: the memory may have been enough before.
	for mode, says := range map[string]string{"--recover": "", "--confirm": "No setup waits to be confirmed.", "--undo": "Everything is so already.\n"} {
		if _, out, errOut := b.hien("", mode); out+errOut != says {
			t.Errorf("hien setup %s says %q %q, want %q", mode, out, errOut, says)
		}
	}
}

// TestSetupDoesNotCallServedWhatNoGuestHasSeen has the doctor's report of a
// router without kmod-veth.
func TestSetupDoesNotCallServedWhatNoGuestHasSeen(t *testing.T) {
	b := newBench(t, "22.03-two-radios")
	report := &doctor.Report{Unproven: []doctor.ID{doctor.DoorOpen}, Findings: []doctor.Finding{
		{ID: doctor.SlowPage, Severity: doctor.Warn, Text: "The page is slow."},
		{ID: doctor.NoGuest, Severity: doctor.Note, Text: "No guest could be played.", Command: "opkg update && opkg install kmod-veth"},
	}}
	thisMachine.health = func(context.Context, *call, setup.Language) (setup.Seen, error) { return seenBy(report), nil }
	status, out, errOut := b.hien("", "--yes", "--store-name", "Quán")
	if status != 0 || strings.Contains(out, "Guests are served") || !strings.Contains(out, "portal is not proven.") ||
		!strings.Contains(out, "- No guest could be played.\n  `opkg update && opkg install kmod-veth`\n") {
		t.Errorf("status %d, saying %q %q; want that nothing is proven, and what would prove it", status, out, errOut)
	}
	b.holds(true)
	if got := seenBy(&doctor.Report{Findings: []doctor.Finding{{ID: doctor.NoPage, Severity: doctor.Bad, Text: "No page."}}}); len(got.Unproven) != 0 || !slices.Equal(got.Bad, []string{"No page."}) {
		t.Errorf("a report with something bad: got %+v", got)
	}
}

func TestSetupWatches(t *testing.T) {
	b := newBench(t, "22.03-two-radios")
	if status, out, errOut := b.hien("", "--watch"); status != 0 || out != "watching\n" {
		t.Errorf("with nothing to watch over: status %d, saying %q %q", status, out, errOut)
	}
	b.hasRun()
}
