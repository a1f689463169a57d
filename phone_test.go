package hien_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	} {
		got, err := hien.ParsePhone(typed)
		if err != nil || got.Reveal() != want {
			t.Errorf("ParsePhone(%q) = %q, %v; want %q", typed, got.Reveal(), err, want)
		}
	}
}

func TestParsePhoneSaysWhyNot(t *testing.T) {
	for typed, want := range map[string]hien.PhoneReason{
		"":                              hien.PhoneMissing,
		"  - ":                          hien.PhoneMissing,
		"098765432":                     hien.PhoneInvalid,
		"09876543210":                   hien.PhoneInvalid,
		"0521345678":                    hien.PhoneInvalid, // a block nobody holds
		"0551345678":                    hien.PhoneInvalid,
		"abc":                           hien.PhoneInvalid,
		"098765432l":                    hien.PhoneInvalid,
		"0987654321 0987654322":         hien.PhoneInvalid,
		"098+7654321":                   hien.PhoneInvalid,
		"++84987654321":                 hien.PhoneInvalid,
		"+0123456789":                   hien.PhoneInvalid,
		"+1234":                         hien.PhoneInvalid,
		"113":                           hien.PhoneInvalid,
		"02838221234":                   hien.PhoneLandline,
		"01621234567":                   hien.PhoneMoved,
		strings.Repeat("0987654321", 7): hien.PhoneInvalid,
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
	for _, s := range []string{"0987654321", "+84 98", "００８４９", "0162 123 4567", "+", "\xff", "٠٩"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		p, err := hien.ParsePhone(typed)
		if err != nil {
			var why *hien.PhoneError
			if !errors.As(err, &why) || why.Reason == "" {
				t.Fatalf("ParsePhone(%q): %v; want a *PhoneError", typed, err)
			}
			return
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
