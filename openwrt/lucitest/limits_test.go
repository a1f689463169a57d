package lucitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/config"
)

// A bound is one row of the pages' table.
type bound struct {
	Text         int
	Time, Amount []float64
	Shown        []string
	List, Place  bool
}

// where says in which section an option stands.
func where(option string) string {
	switch option {
	case "store_name", "policy", "mode", "recipient", "operator", "transfer":
		return "hien"
	}
	if strings.HasPrefix(option, "controller_") {
		return "hien"
	}
	return "zone"
}

// accepts asks Hiên's own reader whether a value may stand in an option.
func accepts(option string, list bool, value string) bool {
	command := "option"
	if list {
		command = "list"
	}
	line := fmt.Sprintf("\t%s %s '%s'\n", command, option, strings.ReplaceAll(value, "'", `'\''`))
	lines := map[string]string{where(option): line}
	text := "config hien 'main'\n\toption store_id 'hcm'\n\toption seal_key 'hien-seal-1:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'\n" + lines["hien"] +
		"config zone 'guest'\n\toption interface 'br-hien'\n" + lines["zone"]
	_, err := config.Parse("hien", strings.NewReader(text))
	return err == nil
}

// values are what is tried: at the bounds, on both sides of them, and nonsense.
func values(b bound) []string {
	all := []string{"x", "-1", "0", "1", "00", " ", "4h ", "4H", "1h1h", "1m1h", "1d12h", "24d", "24d1s", "1h30m", "90s", "59s", "60s", "1m", "0s", "0m", "23h59m60s", "86400s", "86401s",
		"10000001s", "99999999999s", "h", "4", "1.5h", "1e3", "+4h", "４h",
		"63999", "64000", "63k", "64k", "64K", "0064k", "999k", "999999", "1000000", "1M", "1m", "10G", "11G", "10000M", "10001M", "10000000000", "10000000001", "99999999999", "1000G", "1001G", "1T", "k", "1kk",
		"vn-2026", "eu-gdpr", "VN-2026", "frequency", "basic", "visit_frequency", "contact_zalo", "share_partner:banh_mi", "share_partner:", "share_partner:Banh", "share_partner:" + strings.Repeat("a", 32), "share_partner:" + strings.Repeat("a", 33), "zalo", "zalo-app", "ocsp", "ntp", "ntp ",
		"02:00:5e:10:00:01", "02-00-5e-10-00-01", "0200.5e10.0001", "02:00:5E:10:00:0A", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "01:00:5e:10:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "0000.0000.0000", "02:00:5e-10:00:01", "g2:00:5e:10:00:01", "02005e100001", "02:00:5e:10:00:01 ",
		"example.com", "menu.shop.example", "example", "Example.com", "https://example.com", "*.example.com", "192.0.2.7", "192.0.2.0/24", "2001:db8::7", "2001:db8::/32", "10.0.0.0/4", "exa mple.com", "a_b.example.com", "-a.example.com",
		"Cà phê thứ hai giảm một nửa.", "hai\tba", "\u202eabc", "abc\u2066", "a\u200fb", "\u00a0", "\u2003", "\ufeff", "\u0085", "a\u0085b", "\u2028", "a\u2029b", "\u3000", "it's", `say "hi"`, `back\slash`, "<b>bold</b>", "#", "👩‍🍳 phở"}
	if b.Text > 0 {
		for _, letter := range []string{"a", "ữ", "👩"} {
			all = append(all, strings.Repeat(letter, b.Text), strings.Repeat(letter, b.Text+1))
		}
	}
	return all
}

// TestLimitsAreThoseOfTheReader holds the pages' table to Hiên's own reader of
// the file: for every option of the form, each value that the one refuses is
// refused by the other. Of a garden's places the pages see the shape alone;
// they never refuse what the reader takes.
func TestLimitsAreThoseOfTheReader(t *testing.T) {
	b := openBrowser(t, newRouter(t))
	b.show("", "en", owner)
	ask[bool](b, `L.require("hien.limits").then(l => (window.limits = l, true))`)
	var table map[string]bound
	if err := json.Unmarshal([]byte(ask[string](b, "JSON.stringify(limits.table)")), &table); err != nil {
		t.Fatal(err)
	}
	taken, refused := 0, 0
	for option, limit := range table {
		all := values(limit)
		text, _ := json.Marshal(all)
		got := ask[[]bool](b, fmt.Sprintf("%s.map(v => limits.allows(%s, v) === true)", text, jsString(option)))
		for i, value := range all {
			want := accepts(option, limit.List, value)
			if want {
				taken++
			} else {
				refused++
			}
			if got[i] != want && (!limit.Place || want) {
				t.Errorf("%s %q: the page takes it: %v, the reader: %v", option, value, got[i], want)
			}
		}
		if !slices.ContainsFunc(all, func(v string) bool { return accepts(option, limit.List, v) }) {
			t.Errorf("%s: no value was taken", option)
		}
		// The bounds that are shown are the bounds.
		for _, shown := range limit.Shown {
			if !accepts(option, limit.List, shown) {
				t.Errorf("%s: the reader does not take %s, which the page names as its bound", option, shown)
			}
		}
	}
	t.Logf("%d options; %d values were taken and %d refused", len(table), taken, refused)
}

// TestFormHasTheOptionsOfTheTable holds the form to the table, and both to the
// manual, so that an option that goes away there is seen here.
func TestFormHasTheOptionsOfTheTable(t *testing.T) {
	r := newRouter(t)
	b := openBrowser(t, r)
	b.show("settings", "en", owner)
	form := ask[[]string](b, `[...document.querySelectorAll(".cbi-value")].map(e => e.dataset.name)`)
	slices.Sort(form)
	var table map[string]bound
	if err := json.Unmarshal([]byte(ask[string](b, `L.require("hien.limits").then(l => JSON.stringify(l.table))`)), &table); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Collect(maps.Keys(table)), "enabled", "children") // a box has no bounds
	if slices.Sort(want); !slices.Equal(form, want) {
		t.Errorf("the form has %q, the table %q", form, want)
	}
	manual, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for option, limit := range table {
		command := map[bool]string{false: "option", true: "list"}[limit.List]
		row := regexp.MustCompile("(?m)^\\| `" + command + " " + option + "` \\| (.*?) \\|").FindStringSubmatch(string(manual))
		if row == nil {
			t.Errorf("the manual has no %s %s", command, option)
			continue
		}
		for _, shown := range limit.Shown {
			if !strings.Contains(row[1], shown) {
				t.Errorf("%s: the page says %s, the manual %q", option, shown, row[1])
			}
		}
	}
}
