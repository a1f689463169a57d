package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/accesslog"
	"github.com/hien-wifi/hien/internal/qr"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hien-unseal": main})
}

// TestStories are what people do with the tool, as they type it.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", UpdateScripts: *update, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"lead": sealLead, "log": writeLog,
	}})
}

// sealLead is the story's `lead FILE BRANDKEY NUMBER CONSENT`: it seals as a
// router does, with the keys that stand in the story's folder, and appends the
// lead to a file of CSV or, by its name, of JSON objects.
func sealLead(ts *testscript.TestScript, _ bool, args []string) {
	unseal, err := hien.ParseUnsealKey(ts.ReadFile("unseal.key"))
	ts.Check(err)
	brand, err := hien.ParseBrandKeys(ts.ReadFile(args[1]))
	ts.Check(err)
	phone, err := hien.ParsePhone(args[2])
	ts.Check(err)
	sealed, err := unseal.SealKey().Seal(phone, consent.ID(args[3]))
	ts.Check(err)
	key := brand.Current().LeadKey(phone)
	path := ts.MkAbs(args[0])
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	ts.Check(err)
	if strings.HasSuffix(path, ".json") {
		_, err = fmt.Fprintf(f, `{"type":"identify","userId":%q,"traits":{"store_id":"hcm-1","sealed_phone":%q,"sealed_for":%q,"purposes":["contact_zalo","contact_sms"],"visits":3}}`+"\n", key, sealed, args[3])
	} else {
		if info, e := f.Stat(); e == nil && info.Size() == 0 {
			fmt.Fprintln(f, "lead_key,sealed_phone,sealed_for,purposes")
		}
		_, err = fmt.Fprintf(f, "%s,%s,%s,contact_zalo contact_sms\n", key, sealed, args[3])
	}
	ts.Check(errors.Join(err, f.Close()))
}

// writeLog is the story's `log FOLDER`: a shop's evening as a router logs it,
// sealed to the key in the story's folder. Two phones were online, one of them
// with a number that was proved; the second one's end was never told.
func writeLog(ts *testscript.TestScript, _ bool, args []string) {
	unseal, err := hien.ParseUnsealKey(ts.ReadFile("access-log-unseal.key"))
	ts.Check(err)
	l := accesslog.New(accesslog.Options{Dir: ts.MkAbs(args[0]), Log: slog.New(slog.DiscardHandler),
		WAN: func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("203.0.113.7")} }})
	now := hien.Moment{Wall: time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC), Boot: "boot", Up: time.Hour, InStep: true} // 14:00 in Vietnam
	l.Set(accesslog.VN333, unseal.SealKey(), now)
	first := hien.Session{Guest: hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0, 0, 1}}, Addrs: []netip.Addr{netip.MustParseAddr("10.77.0.1")}, Verified: true}
	second := hien.Session{Guest: hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0, 0, 2}}, Addrs: []netip.Addr{netip.MustParseAddr("10.77.0.2")}}
	for _, online := range [][]hien.Session{nil, {first}, {first}, {second}, {second}} {
		l.Here(online, now)
		now.Wall, now.Up = now.Wall.Add(30*time.Minute), now.Up+30*time.Minute
	}
	l.Close(now)
}

// played is the tool without a process.
func played(t *testing.T, release string, args ...string) (status int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	status = tool{in: strings.NewReader(""), out: &o, err: &e, router: release,
		ask: func(string) (string, error) { return "", errors.New("nobody is there to be asked") },
		now: func() time.Time { return time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC) },
	}.run(args)
	return status, o.String(), e.String()
}

func TestNothingIsDoneOnARouter(t *testing.T) {
	dir := t.TempDir()
	release := filepath.Join(dir, "openwrt_release")
	if err := os.WriteFile(release, []byte("DISTRIB_ID='OpenWrt'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range commands() {
		status, out, errOut := played(t, release, cmd.name)
		if status != 1 || out != "" || !strings.Contains(errOut, "this is a router") {
			t.Errorf("%s on a router: status %d, out %q, saying %q; want 1, nothing, and that it is a router", cmd.name, status, out, errOut)
		}
	}
	status, _, errOut := played(t, release, "keygen", "--dir", filepath.Join(dir, "keys"), "--even-on-a-router")
	if status != 0 || !strings.Contains(errOut, "count as stolen") {
		t.Errorf("overridden: status %d, saying %q; want 0 and what it means", status, errOut)
	}
}

func TestUsageOfEveryCommand(t *testing.T) {
	var b strings.Builder
	asks := [][]string{{"-h"}}
	for _, cmd := range commands() {
		asks = append(asks, []string{cmd.name, "-h"})
	}
	for _, args := range asks {
		status, out, errOut := played(t, "", args...)
		if status != 0 || errOut != "" {
			t.Errorf("hien-unseal %v: status %d, saying %q; want 0 and nothing", args, status, errOut)
		}
		fmt.Fprintf(&b, "$ hien-unseal %s\n%s\n", strings.Join(args, " "), out)
	}
	got := strings.Replace(b.String(), "hien-unseal "+hien.Version, "hien-unseal VERSION", 1)
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(line) - 1; n > 80 {
			t.Errorf("a line of %d columns, want at most 80: %s", n, line)
		}
	}
	golden(t, "help.golden", got)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
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

// TestThePaper is the printed page of made-up keys: both secrets stand on it
// as text and as code, each on a sheet of its own, and it loads nothing.
func TestThePaper(t *testing.T) {
	brand, err := hien.ParseBrandKeys("k2:" + strings.Repeat("ab", 32) + "\nk1:" + strings.Repeat("01", 32))
	if err != nil {
		t.Fatal(err)
	}
	unseal, err := hien.ParseUnsealKey("hien-unseal-1:" + strings.Repeat("A", 42) + "E")
	if err != nil {
		t.Fatal(err)
	}
	page, err := paper([]sheet{brandSheet(brand), unsealSheet(unseal), accessLogSheet(unseal)}, "22/11/2026")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []struct{ text, print string }{{brand.Reveal(), brand.Current().Print()}, {unseal.Reveal(), unseal.SealKey().Print()}} {
		svg, err := qr.SVG(key.text, "QR: "+key.print)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page, svg) || !strings.Contains(page, "<code>"+key.text+"</code>") {
			t.Errorf("the key with print %s is not on the paper as text and code", key.print)
		}
		page = strings.ReplaceAll(page, svg, "<svg>QR: "+key.print+"</svg>")
	}
	for _, loads := range []string{"http:", "https:", "src=", "@import", "<script"} {
		if strings.Contains(page, loads) {
			t.Errorf("the page has %q in it, and may load something", loads)
		}
	}
	golden(t, "paper.golden.html", page)
}

// FuzzTable reads whatever a CDP or a person may hand over. What was read is
// written as CSV and as JSON, and both are read again as as many rows.
func FuzzTable(f *testing.F) {
	for _, seed := range []string{
		"lead_key,sealed_phone,sealed_for\nk1:00,s1:AAAA,c1\nk1:01,s1:BBBB\n",
		"\ufeffa;b\r\n\"x\n", "a,a\n1,2\n", "\n\n", "\"", "a\n\n\"b\nc",
		`{"userId":"k1:00","traits":{"sealed_phone":"s1:A","sealed_for":"c"}}` + "\n" + `{"leads":[{"a":1},2,null]}`,
		`[[{"batch":[ {"x":{"y":{"z":[1,2]}}} ]}]]`, `{"a":[{}]}`, `{"":{}}`, `[1`, `{"sealed_phone":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := readTable(bytes.NewReader(text))
		if err != nil {
			return
		}
		c := tool{err: &strings.Builder{}}.call(command{}, nil)
		c.each(&table, func(r *row) (bool, error) { r.name(); r.get("sealed_phone"); return true, nil })
		var asCSV, asJSON bytes.Buffer
		if err := errors.Join(table.write(&asCSV, false), table.write(&asJSON, true)); err != nil {
			t.Fatal(err)
		}
		var rows []map[string]any
		if err := json.Unmarshal(asJSON.Bytes(), &rows); err != nil || len(rows) != len(table.rows) {
			t.Errorf("%d rows came back as %d: %v\n%s", len(table.rows), len(rows), err, asJSON.Bytes())
		}
		r := csv.NewReader(&asCSV)
		if _, err := r.ReadAll(); err != nil {
			t.Errorf("the CSV cannot be read back: %v", err)
		}
	})
}

// TestAFileThatIsTooLong holds that nothing is done by half in silence.
func TestAFileThatIsTooLong(t *testing.T) {
	if _, err := readTable(strings.NewReader("a\n" + strings.Repeat("1\n", maxRows+1))); err == nil || !strings.Contains(err.Error(), "more than 500000 rows") {
		t.Errorf("too many rows: got %v, want an error that says so", err)
	}
	if _, err := readTable(strings.NewReader("[" + strings.Repeat("1,", maxRows) + "1]")); err == nil || !strings.Contains(err.Error(), "more than 500000 rows") {
		t.Errorf("too many values: got %v, want an error that says so", err)
	}
}
