package templates

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
)

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func TestNoLanguageLacksASentence(t *testing.T) {
	first := catalogues[Languages[0]]
	for _, l := range Languages[1:] {
		for key, text := range first {
			other, ok := catalogues[l][key]
			if !ok {
				t.Errorf("words/%s.txt lacks %s", l, key)
				continue
			}
			want, got := placeholder.FindAllString(text, -1), placeholder.FindAllString(other, -1)
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(slices.Compact(want), slices.Compact(got)); diff != "" {
				t.Errorf("words/%s.txt: %s has other names in braces:\n%s", l, key, diff)
			}
		}
		for key := range catalogues[l] {
			if _, ok := first[key]; !ok {
				t.Errorf("words/%s.txt has %s, which words/%s.txt lacks", l, key, Languages[0])
			}
		}
	}
}

// keysInUse are the keys that the pages and the code name, and those that
// are put together of a word that a type enumerates.
func keysInUse(t *testing.T) map[string]bool {
	t.Helper()
	used := make(map[string]bool)
	html, _ := filepath.Glob("html/*.html")
	code, _ := filepath.Glob("*.go")
	literal := regexp.MustCompile(`"([a-z]+(?:\.[a-z_]+)+)"`)
	for _, file := range append(html, code...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
		}
	}
	for _, r := range []hien.PhoneReason{hien.PhoneMissing, hien.PhoneInvalid, hien.PhoneLandline, hien.PhoneMoved, hien.PhoneForeign} {
		used["phone."+string(r)] = true
	}
	for _, w := range []TroubleWhy{TroubleStorage, TroubleNotSent, TroubleMany, TroubleClosed, TroubleDevice, TroubleOther} {
		used["trouble."+string(w)] = true
	}
	for _, w := range []MineWord{MineNothing, MineMany, MineNotSent} {
		used["mine."+string(w)] = true
	}
	for _, w := range []MineWord{NumberTaken, NumberSame, NumberNone} {
		used["number."+string(w)] = true
	}
	for _, name := range evidence {
		used["evidence."+name] = true
	}
	for _, k := range []hien.EventKind{hien.LeadGiven, hien.ConsentChanged, hien.StoreVisited, hien.Withdrawn, hien.Erased, hien.Renamed} {
		used["event."+string(k)] = true
	}
	return used
}

func TestEverySentenceIsSaidAndEveryKeyHasOne(t *testing.T) {
	used := keysInUse(t)
	for key := range catalogues[Vietnamese] {
		if !used[key] {
			t.Errorf("nothing says %s", key)
		}
	}
	for key := range used {
		if _, ok := catalogues[Vietnamese][key]; !ok {
			t.Errorf("no catalogue has %s", key)
		}
	}
}

func TestTheWordsKeepTheHouseRules(t *testing.T) {
	for l, words := range catalogues {
		for key, text := range words {
			for _, never := range []string{"!", "ẩn danh", "anonymous", "click", "quý khách", "  "} {
				if strings.Contains(strings.ToLower(text), never) {
					t.Errorf("words/%s.txt: %s holds %q", l, key, never)
				}
			}
		}
	}
}

func TestACatalogueIsReadStrictly(t *testing.T) {
	for text, want := range map[string]string{
		"a.b = c\na.b = d\n":  "line 2: a.b stands here twice",
		"# fine\n\na.b c\n":   "line 3: want key = text",
		"a.b = \n":            "line 1: want key = text",
		"a.b = x = y\n#z = 1": "",
	} {
		_, err := parseCatalogue(text)
		if got := errText(err); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAcceptLanguage(t *testing.T) {
	for _, test := range []struct {
		name, header string
		want         Language
	}{
		{"no header is Vietnamese", "", Vietnamese},
		{"a phone set to Vietnamese", "vi-VN,vi;q=0.9,en-US;q=0.8", Vietnamese},
		{"a phone set to English", "en-US,en;q=0.9", English},
		{"a tourist who reads English too", "ko-KR,ko;q=0.9,en-US;q=0.8,vi;q=0.1", English},
		{"a weight puts the second first", "en;q=0.3, vi;q=0.7", Vietnamese},
		{"the same weight goes to the first", "en;q=0.5,vi;q=0.5", English},
		{"a weight of zero is a no", "en;q=0", Vietnamese},
		{"a language that nobody here speaks", "fr-FR,fr", Vietnamese},
		{"capitals do not matter", "EN-gb", English},
		{"a weight that is none is passed over", "en;q=x, en;q=2, en;q=NaN", Vietnamese},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := AcceptLanguage(test.header); got != test.want {
				t.Errorf("AcceptLanguage(%q) = %s, want %s", test.header, got, test.want)
			}
		})
	}
}

func FuzzAcceptLanguage(f *testing.F) {
	for _, s := range []string{"", "vi", "en;q=0.1,vi;q=", ";;;,,,", "en;q=1e309"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if got := AcceptLanguage(header); !slices.Contains(Languages, got) {
			t.Errorf("AcceptLanguage(%q) = %q, which is no language of the pages", header, got)
		}
	})
}

func TestDurationsInWords(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		-time.Second:              {"", ""},
		0:                         {"", ""},
		time.Nanosecond:           {"1 phút", "1 min"},
		59*time.Minute + 1:        {"1 giờ", "1 h"},
		4*time.Hour - time.Second: {"4 giờ", "4 h"},
		90 * time.Minute:          {"1 giờ 30 phút", "1 h 30 min"},
		48 * time.Hour:            {"48 giờ", "48 h"},
	} {
		for i, l := range []Language{Vietnamese, English} {
			if got := l.lasting(d); got != want[i] {
				t.Errorf("%s, %v: got %q, want %q", l, d, got, want[i])
			}
		}
	}
}

func TestOrdinals(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 102: "102nd", 111: "111th"} {
		if got := English.nth(n); got != want {
			t.Errorf("English.nth(%d) = %s, want %s", n, got, want)
		}
		if got, want := Vietnamese.nth(n), strings.TrimRight(want, "stndrh"); got != want {
			t.Errorf("Vietnamese.nth(%d) = %s, want %s", n, got, want)
		}
	}
}
