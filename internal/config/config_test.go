package config

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/uci"
)

var update = flag.Bool("update", false, "rewrite the golden files and docs/configuration.md")

// sealKey is a seal key whose private half nobody kept.
const sealKey = "hien-seal-1:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func shop(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/shop.uci")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(text), "SEALKEY", sealKey, 1)
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("hien.uci", strings.NewReader(text))
	if err != nil {
		t.Fatalf("parse\n%s\n%v", text, err)
	}
	return c
}

func TestParseReadsEveryOption(t *testing.T) {
	c := parse(t, shop(t))
	if got := c.SealKey.String(); got != sealKey {
		t.Errorf("seal key: got %s, want %s", got, sealKey)
	}
	if got := c.Sink.WriteKey.Reveal(); got != "wk_made_up" {
		t.Errorf("write key: got %s, want wk_made_up", got)
	}
	got := *c
	got.SealKey, got.Sink.WriteKey, got.at, got.file = hien.SealKey{}, Secret{}, nil, ""
	want := Config{
		Enabled: true, StoreID: "hcm-q1-01", StoreName: "Quán Hiên",
		DataDir: "/srv/hien", RunDir: "/var/run/hien", BrandKeyFile: "/etc/hien/brand.key",
		Zones: []hien.Zone{
			{Name: "guest", Interface: "br-guest", PortalPort: 2050, Pass: 4 * time.Hour, VisitGap: 30 * time.Minute,
				Offer:    "Cà phê thứ hai giảm một nửa.",
				Purposes: []consent.Purpose{consent.VisitFrequency, consent.ContactZalo}},
			{Name: "terrace", Interface: "br-terrace", PortalPort: 2051, Pass: 36 * time.Hour, VisitGap: 30 * time.Minute},
		},
		Sender: &Sender{Type: "log"},
		Sink:   &Sink{Name: "cdp", Type: "segment", URL: "https://cdp.example:8443", CAFile: "/etc/hien/ca.pem"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseHasDefaults(t *testing.T) {
	c := parse(t, "config hien main\n option store_id x\n option data_dir ''\nconfig zone guest\n option interface br-guest\n")
	got := *c
	got.at, got.file = nil, ""
	want := Config{
		Enabled: true, StoreID: "x", StoreName: "x",
		DataDir: "/srv/hien", RunDir: "/var/run/hien", BrandKeyFile: "/etc/hien/brand.key",
		Zones: []hien.Zone{{Name: "guest", Interface: "br-guest", PortalPort: 2050, Pass: 4 * time.Hour, VisitGap: 30 * time.Minute}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if c.Asks() {
		t.Error("without a sender: Asks() = true, want false")
	}
}

func TestAsksOnlyWithSenderAndPurpose(t *testing.T) {
	base := "config hien main\n option store_id x\nconfig zone guest\n option interface br-guest\n"
	for _, c := range []struct {
		more string
		want bool
	}{
		{"", false},
		{" list purpose visit_frequency\n", false},
		{"config sender code\n option type log\n", false},
		{" list purpose visit_frequency\nconfig sender code\n option type log\n", true},
	} {
		if got := parse(t, base+c.more).Asks(); got != c.want {
			t.Errorf("with %q: Asks() = %v, want %v", c.more, got, c.want)
		}
	}
}

// TestErrors holds the words of every error, each golden file's one beside
// its .uci file.
func TestErrors(t *testing.T) {
	for _, name := range []string{"wrong", "unsealed", "empty", "syntax"} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(filepath.Join("testdata", name+".uci"))
			var errs uci.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("got %v, want uci.Errors", err)
			}
			golden(t, filepath.Join("testdata", name+".golden"), err.Error()+"\n")
			for i := 1; i < len(errs); i++ {
				if before, line := errs[i-1].Pos.Line, errs[i].Pos.Line; line != 0 && (before > line || before == 0) {
					t.Errorf("line %d is told after line %d, want the order of lines", line, before)
				}
			}
		})
	}
	t.Run("secrets are not repeated", func(t *testing.T) {
		_, err := Load("testdata/wrong.uci")
		for _, secret := range []string{"repeated", "not:to", "who:what"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("an error holds %q", secret)
			}
		}
	})
}

func golden(t *testing.T, path, got string) {
	t.Helper()
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

// TestValues tries one value in an otherwise good file.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		option, value string
		fine          bool
	}{
		{"main.store_id", "a", true},
		{"main.store_id", strings.Repeat("a", 32), true},
		{"main.store_id", strings.Repeat("a", 33), false},
		{"main.store_id", "-a", false},
		{"main.store_id", "quán", false},
		{"main.store_name", strings.Repeat("ệ", 64), true},
		{"main.store_name", strings.Repeat("ệ", 65), false},
		{"main.store_name", "two\nlines", false},
		{"main.store_name", "turned \u202eround", false},
		{"main.store_name", "\xff", false},
		{"main.store_name", " ", false},
		{"main.run_dir", "/" + strings.Repeat("r", 89), true},
		{"main.run_dir", "/" + strings.Repeat("r", 90), false},
		{"main.data_dir", "/", false},
		{"main.data_dir", "/srv//hien", false},
		{"main.data_dir", "/var/run/hien", false},
		{"main.seal_key", "hien-seal-1:x", false},
		{"guest.interface", "eth0.10", true},
		{"guest.interface", "a-bridge-of-15b", true},
		{"guest.interface", "a-bridge-of-16by", false},
		{"guest.interface", "br/0", false},
		{"guest.interface", "br+", false},
		{"guest.interface", "..", false},
		{"guest.portal_port", "1024", true},
		{"guest.portal_port", "65535", true},
		{"guest.portal_port", "1023", false},
		{"guest.portal_port", "65536", false},
		{"guest.portal_port", "0x800", false},
		{"guest.portal_port", "18446744073709553666", false},
		{"guest.pass", "1s", true},
		{"guest.pass", "24d", true},
		{"guest.pass", "1d2h3m4s", true},
		{"guest.pass", "0s", false},
		{"guest.pass", "24d1s", false},
		{"guest.pass", "1h1h", false},
		{"guest.pass", "1.5h", false},
		{"guest.pass", "-1h", false},
		{"guest.pass", "60", false},
		{"guest.pass", "9999999999d", false},
		{"guest.visit_gap", "5s", true},
		{"guest.visit_gap", "1d", true},
		{"guest.visit_gap", "86401s", false},
		{"guest.offer", strings.Repeat("ă", 201), false},
		{"cdp.url", "https://cdp.example/v1", true},
		{"cdp.url", "https://[2001:db8::1]:8443", true},
		{"cdp.url", "http://127.0.0.1:80", true},
		{"cdp.url", "http://[::1]", true},
		{"cdp.url", "http://localhost:8080", true},
		{"cdp.url", "http://127.0.0.1.example", false},
		{"cdp.url", "http://192.0.2.1", false},
		{"cdp.url", "ftp://127.0.0.1", false},
		{"cdp.url", "https://", false},
		{"cdp.url", "https://:443", false},
		{"cdp.url", "https://cdp.example:", false},
		{"cdp.url", "https://cdp.example:70000", false},
		{"cdp.url", "https://cdp.example?", false},
		{"cdp.url", "cdp.example", false},
		{"cdp.write_key", "a:b", false},
		{"cdp.write_key", strings.Repeat("k", 129), false},
	} {
		t.Run(c.option+" "+quote(c.value), func(t *testing.T) {
			section, name, _ := strings.Cut(c.option, ".")
			f, err := uci.Parse("f", strings.NewReader(shop(t)))
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range f.Sections {
				for j, o := range s.Options {
					if s.Name.Text == section && o.Name.Text == name {
						f.Sections[i].Options[j].Value.Text = c.value
					}
				}
			}
			var b strings.Builder
			if err := f.Write(&b); err != nil {
				t.Fatal(err)
			}
			if _, err := Parse("f", strings.NewReader(b.String())); (err == nil) != c.fine {
				t.Errorf("got %v, want fine = %v", err, c.fine)
			}
		})
	}
}

func TestSecretDoesNotPrintItself(t *testing.T) {
	sink := Sink{Name: "cdp", WriteKey: NewSecret("wk_made_up")}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "sink", sink, "key", sink.WriteKey)
	text, err := sink.WriteKey.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	b.Write(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+verb, sink, &sink.WriteKey)
	}
	if got := b.String(); strings.Contains(got, "made_up") || strings.Contains(got, fmt.Sprintf("%x", "made_up")) {
		t.Errorf("printed %s", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(shop(f)))
	for _, name := range []string{"wrong", "unsealed", "syntax"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".uci"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := Parse("f", strings.NewReader(string(in)))
		var errs uci.Errors
		if err != nil {
			if !errors.As(err, &errs) || len(errs) == 0 || c != nil {
				t.Fatalf("Parse(%q) = %v, %v: want uci.Errors alone", in, c, err)
			}
			return
		}
		if c.StoreID == "" || c.StoreName == "" || len(c.Zones) == 0 || c.DataDir == c.RunDir {
			t.Fatalf("Parse(%q) let through %+v", in, c)
		}
		ports, names := map[uint16]bool{}, map[string]bool{}
		for _, z := range c.Zones {
			if ports[z.PortalPort] || names[z.Interface] || z.Name == "" || z.Interface == "" || z.PortalPort < 1024 ||
				z.Pass < minPass || z.Pass > maxPass || z.VisitGap < minGap || z.VisitGap > maxGap {
				t.Fatalf("Parse(%q) let through zone %+v", in, z)
			}
			ports[z.PortalPort], names[z.Interface] = true, true
			for _, p := range z.Purposes {
				if p.Reaches() && c.SealKey.IsZero() {
					t.Fatalf("Parse(%q) let through purpose %s without seal key", in, p)
				}
			}
		}
	})
}
