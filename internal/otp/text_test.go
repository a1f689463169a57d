package otp

import (
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
)

func TestLintText(t *testing.T) {
	for text, want := range map[string]string{
		DefaultText:   "",
		DefaultTextEN: "",
		"{code} la ma xac minh dang ky Baotrixemay cua ban": "",
		"Ma OTP cua ban la {code}, han 5 phut":              "",
		"{code}":                                            "",
		"Tang 2, quan {shop}: ma {code}. Hotline 19001234":  "",
		"":                                   "want {code}",
		"ma cua ban":                         "want {code}",
		"{code} {code}":                      "once",
		"{code} cho {name}":                  "no other",
		"{code} { }":                         "no other",
		"{code} là mã của bạn":               "Vietnamese signs",
		"{code}\nla ma":                      "Vietnamese signs",
		"{code} [ma]":                        "Vietnamese signs",
		"{code} " + strings.Repeat("a", 154): "at most 160",
		"{code}{shop}" + strings.Repeat("a", 131): "at most 160",
		"{code} la ma. GIAM GIA hom nay":          `"GIAM GIA"`,
		"{code} la ma. Uu dai cho ban":            "advertises",
		"{code} la ma. Giam 20 cho ban":           "advertises",
		"{code} la ma. Chi hom nay -50%":          "advertises",
		"{code} is your code. Big SALE today":     "advertises",
		"{code}. Free coffee":                     "advertises",
		"Voucher: {code}":                         "advertises",
		"{code} tai quan.vn/menu":                 "advertises",
		"{code} https://x.example":                "advertises",
		"{code} www.quan":                         "advertises",
		"{code} (QC)":                             "advertises",
		"Mua 1 duoc 2, ma {code}":                 "advertises",
	} {
		err := LintText(text, "")
		if got := errorText(err); (want == "") != (err == nil) || !strings.Contains(got, want) {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
	fits := "{code} " + strings.Repeat("a", 153)
	if err := LintText(fits, ""); err != nil {
		t.Errorf("160 signs: %v", err)
	}
	if err := LintText(fits, "wifi.example.com"); err == nil {
		t.Error("the last line was not counted")
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTheDefaultTextsSayHowLongACodeLives(t *testing.T) {
	if hien.CodeLife != 5*time.Minute || !strings.Contains(DefaultText, "5 phut") || !strings.Contains(DefaultTextEN, "5 minutes") {
		t.Errorf("a code lives for %v, and the texts say %q and %q", hien.CodeLife, DefaultText, DefaultTextEN)
	}
}

func TestAMessage(t *testing.T) {
	code, _ := hien.ParseCode("042137")
	for _, c := range []struct {
		name     string
		o        Options
		language string
		want     string
	}{
		{"the shop's name without signs", Options{Text: "{shop}: {code}", Shop: "Cà Phê Sữa Đá Ở Ngõ"}, "vi", "Ca Phe Sua Da O Ngo: 042137"},
		{"as much of it as fits", Options{Text: "{shop}: {code}", Shop: strings.Repeat("Trà Đá ", 9)}, "vi", "Tra Da Tra Da Tra Da Tra: 042137"},
		{"signs behind their letters", Options{Text: "{shop}: {code}", Shop: "Qua\u0301n Hie\u0302n"}, "vi", "Quan Hien: 042137"},
		{"a name in another script", Options{Text: "{shop}: {code}", Shop: "咖啡"}, "vi", "quan: 042137"},
		{"the same in English", Options{TextEN: "{shop}: {code}", Shop: "咖啡"}, "en", "the shop: 042137"},
		{"a name that advertises", Options{Text: "{shop}: {code}", Shop: "Giảm giá 50%"}, "vi", "quan: 042137"},
		{"a name with a place for the code in it", Options{Text: "{shop}: {code}", Shop: "{code}"}, "vi", "code: 042137"},
		{"one wording for both languages", Options{Text: "ma {code}"}, "en", "ma 042137"},
		{"the other one for both", Options{TextEN: "code {code}"}, "vi", "code 042137"},
		{"a language that there is not", Options{Text: "ma {code}", TextEN: "code {code}"}, "fr", "ma 042137"},
		{"bound to the portal's page", Options{Text: "ma {code}", Origin: "wifi.example.com"}, "vi", "ma 042137\n\n@wifi.example.com #042137"},
	} {
		w, err := newWords(c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := w.of(hien.Message{Code: code, Language: c.language}); got != c.want {
			t.Errorf("%s: got %q; want %q", c.name, got, c.want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{DefaultText, "{code}", "{code}{shop}", "{cod{code}e}", "{code} sale", "ma {code}", "{shop}{shop}{shop}{code}"} {
		f.Add(s, "Quán Hiên", "wifi.example.com")
		f.Add(s, "{code}", "")
	}
	f.Fuzz(func(t *testing.T, text, shop, origin string) {
		if strings.ContainsFunc(origin, func(r rune) bool { return !plainSign(r) || r == ' ' }) {
			origin = "" // the configuration takes host names only
		}
		w, err := newWords(Options{Text: text, TextEN: text, Shop: shop, Origin: origin})
		if err != nil || text == "" {
			return
		}
		code, _ := hien.ParseCode("042137")
		for _, language := range []string{"vi", "en"} {
			got := w.of(hien.Message{Code: code, Language: language})
			first, last, bound := strings.Cut(got, "\n\n")
			if len(got) > maxSMS || strings.Count(first, "042137") < 1 || strings.ContainsFunc(first, func(r rune) bool { return !plainSign(r) }) {
				t.Errorf("%q of %q became %q", text, shop, got)
			}
			if want := "@" + origin + " #042137"; bound != (origin != "") || bound && last != want {
				t.Errorf("the last line is %q; want %q", last, want)
			}
		}
	})
}
