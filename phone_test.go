package hien_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
)

func TestParsePhone(t *testing.T) {
	for typed, want := range map[string]string{
		"0987654321":               "+84987654321",
		"098 765 43 21":            "+84987654321",
		"098.765.4321":             "+84987654321",
		"(098) 765-4321":           "+84987654321",
		"+84987654321":             "+84987654321",
		"+84 (0)98 765 4321":       "+84987654321",
		"84987654321":              "+84987654321",
		"0084987654321":            "+84987654321",
		"840987654321":             "+84987654321",
		"987654321":                "+84987654321",
		"０９８７６５４３２１":               "+84987654321",
		"٠٩٨٧٦٥٤٣٢١":               "+84987654321",
		"\u202a098 765 4321\u202c": "+84987654321",
		"842345678":                "+84842345678", // bare nine digits that begin with 84
		"0842345678":               "+84842345678",
		"0522345678":               "+84522345678",
		"0559345678":               "+84559345678",
		"+447700900123":            "+447700900123",
		"0044 7700 900123":         "+447700900123",
		"+1 (202) 555-0143":        "+12025550143",

		"0987/654/321":                              "+84987654321",
		"0987[654]321":                              "+84987654321",
		"098\u00a0765\u202f43\u200b21":              "+84987654321",
		"\u2066098\u2011765\u20134321\u2069\n":      "+84987654321",
		"０９８－７６５－４３２１":                              "+84987654321",
		"＋８４ ９８７６５４３２１":                             "+84987654321",
		"(+84)0987 654 321":                         "+84987654321",
		"(+84) (0) 987.654.321":                     "+84987654321",
		"०९८७६५४३२१":                                "+84987654321",
		"𝟎𝟗𝟖𝟕𝟔𝟓𝟒𝟑𝟐𝟏":                                "+84987654321",
		"tel:+84-98-765-4321":                       "+84987654321",
		"TEL:0987654321":                            "+84987654321",
		"tel:0987654321;phone-context=+84":          "+84987654321",
		"tel:98-765-4321;ext=7":                     "+84987654321",
		"tel:+84987654321;phone-context=+1":         "+84987654321",
		"tel:7700900123;phone-context=+44":          "+447700900123",
		"tel:0987654321;phone-context=shop.example": "+84987654321",
		"+44 (0)20 7946 0958":                       "+442079460958",
		"0044 (0) 7700 900123":                      "+447700900123",
		"+44（0）7700900123":                          "+447700900123",
		"00 1 202 555 0143":                         "+12025550143",
		"+81 90-1234-5678":                          "+819012345678",
		"+82-10-1234-5678":                          "+821012345678",
		"+7 912 345-67-89":                          "+79123456789",
		"+86 131 2345 6789":                         "+8613123456789",
	} {
		got, err := hien.ParsePhone(typed)
		if err != nil || got.Reveal() != want {
			t.Errorf("ParsePhone(%q) = %q, %v; want %q", typed, got.Reveal(), err, want)
		}
	}
}

func TestParsePhoneSaysWhyNot(t *testing.T) {
	for typed, want := range map[string]hien.PhoneReason{
		"":                                     hien.PhoneMissing,
		"  - ":                                 hien.PhoneMissing,
		"098765432":                            hien.PhoneInvalid,
		"09876543210":                          hien.PhoneInvalid,
		"0521345678":                           hien.PhoneInvalid, // a block nobody holds
		"0551345678":                           hien.PhoneInvalid,
		"abc":                                  hien.PhoneInvalid,
		"098765432l":                           hien.PhoneInvalid,
		"0987654321 0987654322":                hien.PhoneInvalid,
		"098+7654321":                          hien.PhoneInvalid,
		"++84987654321":                        hien.PhoneInvalid,
		"+0123456789":                          hien.PhoneInvalid,
		"+1234":                                hien.PhoneInvalid,
		"113":                                  hien.PhoneInvalid,
		"02838221234":                          hien.PhoneLandline,
		"+84 28 3822 1234":                     hien.PhoneLandline,
		"2838221234":                           hien.PhoneLandline,
		"84 (0)28 3822 1234":                   hien.PhoneLandline,
		"18001234":                             hien.PhoneInvalid,
		"1900 123456":                          hien.PhoneInvalid,
		"+84 +84 987654321":                    hien.PhoneInvalid,
		"0987654321;ext=7":                     hien.PhoneInvalid,
		"mailto:0987654321":                    hien.PhoneInvalid,
		"tel:":                                 hien.PhoneMissing,
		"tel:;phone-context=+84":               hien.PhoneMissing,
		"+999 1234567":                         hien.PhoneInvalid, // a code that no country has
		"+881 612345678":                       hien.PhoneInvalid, // a satellite
		"+979 123456789":                       hien.PhoneInvalid, // a premium number
		"+4477009001234567":                    hien.PhoneInvalid, // 16 digits; E.164 has 15
		"+1(0)":                                hien.PhoneInvalid,
		"1621234567":                           hien.PhoneMoved,
		"+84 162 123 4567":                     hien.PhoneMoved,
		"01621234567":                          hien.PhoneMoved,
		strings.Repeat(" ", 90) + "0987654321": hien.PhoneInvalid,
	} {
		_, err := hien.ParsePhone(typed)
		var why *hien.PhoneError
		if !errors.As(err, &why) || why.Reason != want {
			t.Errorf("ParsePhone(%q): %v; want reason %q", typed, err, want)
		}
	}
	var moved *hien.PhoneError
	if _, err := hien.ParsePhone("0162 123 4567"); !errors.As(err, &moved) || moved.New.Reveal() != "+84321234567" {
		t.Errorf("0162 123 4567: %v; want the number of today, +84321234567", err)
	}
}

func FuzzParsePhone(f *testing.F) {
	for _, s := range []string{"0987654321", "+84 98", "００８４９", "0162 123 4567", "+", "\xff", "٠٩", "tel:1;phone-context=+4", "TEL:", "+44 (0)20", "(0)", "0000000000"} {
		f.Add(s)
	}
	e164 := regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)
	vietnamese := regexp.MustCompile(`^\+84[35789][0-9]{8}$`)
	f.Fuzz(func(t *testing.T, typed string) {
		p, err := hien.ParsePhone(typed)
		if err != nil {
			var why *hien.PhoneError
			if !errors.As(err, &why) || why.Reason == "" {
				t.Fatalf("ParsePhone(%q): %v; want a *PhoneError", typed, err)
			}
			if new := why.New.Reveal(); (new != "") != (why.Reason == hien.PhoneMoved) || new != "" && !vietnamese.MatchString(new) {
				t.Errorf("ParsePhone(%q): %v with the new number %q", typed, err, new)
			}
			return
		}
		if n := p.Reveal(); !e164.MatchString(n) || p.Vietnamese() && !vietnamese.MatchString(n) {
			t.Errorf("ParsePhone(%q) = %q, which is no number", typed, n)
		}
		spaced := strings.Join(strings.Split(p.Reveal(), ""), " ")
		if again, err := hien.ParsePhone(spaced); err != nil || again.Reveal() != p.Reveal() {
			t.Errorf("ParsePhone(%q) = %q, %v; want it as without spaces", spaced, again.Reveal(), err)
		}
		again, err := hien.ParsePhone(p.Reveal())
		if err != nil || again.Reveal() != p.Reveal() {
			t.Errorf("ParsePhone(%q) = %q, which reads as %q, %v", typed, p.Reveal(), again.Reveal(), err)
		}
	})
}

// TestPersonalDataDoesNotPrint tries every way in which a value of these
// types gets into a log, an error or a file by accident.
func TestPersonalDataDoesNotPrint(t *testing.T) {
	phone, err := hien.ParsePhone("0987654321")
	if err != nil {
		t.Fatal(err)
	}
	code, _ := hien.ParseCode("483920")
	mac, err := hien.ParseMAC("02:11:22:33:44:55")
	if err != nil {
		t.Fatal(err)
	}
	brand, router := hien.NewBrandKey(1), hien.NewRouterKey()
	type hidden struct { // fmt does not call methods on unexported fields
		phone hien.Phone
		code  hien.Code
	}
	message := hien.Message{To: phone, Code: code, Guest: hien.GuestID{Zone: "guest", MAC: mac}}
	secrets := []string{"987654321", "483920", "33:44:55", "334455", brand.Reveal(), router.Reveal()}

	var out strings.Builder
	for _, v := range []any{phone, &phone, code, mac, message, &message, hidden{phone, code}, &hidden{phone, code},
		[]hien.Phone{phone}, map[string]hien.Code{"c": code}, hien.Application{Phone: phone}, brand, router} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		b, _ := json.Marshal(v)
		out.Write(b)
	}
	for _, s := range secrets {
		if i := strings.Index(out.String(), s); i >= 0 {
			t.Errorf("%q was printed: …%s…", s, out.String()[max(0, i-80):i+len(s)])
		}
	}
	// The control: the scan does find what is printed on purpose.
	if !strings.Contains(phone.Reveal(), secrets[0]) || !strings.Contains(code.Reveal(), secrets[1]) {
		t.Error("Reveal does not reveal, so the scan above proves nothing")
	}
}
