package hien_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
)

func phone(t testing.TB, typed string) hien.Phone {
	t.Helper()
	p, err := hien.ParsePhone(typed)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLeadKeyIsTheSamePersonInEveryShop(t *testing.T) {
	const text = "k3:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	brand, err := hien.ParseBrandKey(" " + text + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if brand.Reveal() != text {
		t.Errorf("the key reads back as another")
	}
	// Computed with: printf 'phone:v1:+84987654321' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001…1f
	const want = "k3:29c54aad1570f9df9dee893fb05d1a055f0948a6519fe6d005eb8e978b0eb544"
	if got := brand.LeadKey(phone(t, "0987654321")); string(got) != want {
		t.Errorf("lead key = %s; want %s", got, want)
	}
	if brand.LeadKey(phone(t, "+84 98 765 43 21")) != brand.LeadKey(phone(t, "0987654321")) {
		t.Error("one number written in two ways gives two people")
	}
	if hien.NewBrandKey(3).LeadKey(phone(t, "0987654321")) == want {
		t.Error("another brand gives the same key")
	}
	for _, bad := range []string{"", "k1", "k1:", "k0:" + text[3:], "x1:" + text[3:], text + "00", "k1:zz" + text[5:]} {
		if _, err := hien.ParseBrandKey(bad); err == nil {
			t.Errorf("ParseBrandKey(%q): no error", bad)
		}
	}
}

func TestSealedPhoneOpensOnlyForTheOwner(t *testing.T) {
	seal, unseal, err := hien.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	seal, err = hien.ParseSealKey(seal.String())
	if err != nil {
		t.Fatal(err)
	}
	unseal, err = hien.ParseUnsealKey(unseal.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	p := phone(t, "0987654321")
	sealed, err := seal.Seal(p, "consent-1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unseal.Open(sealed, "consent-1"); err != nil || got.Reveal() != p.Reveal() {
		t.Errorf("opened as %q, %v", got.Reveal(), err)
	}
	if again, _ := seal.Seal(p, "consent-1"); again == sealed {
		t.Error("sealed twice, the number looks the same: it could be found by trying")
	}
	if _, err := unseal.Open(sealed, "consent-2"); err == nil {
		t.Error("a number sealed under one consent opened under another")
	}
	_, other, _ := hien.NewSealKey()
	if _, err := other.Open(sealed, "consent-1"); err == nil {
		t.Error("another key opened it")
	}
	for _, bad := range []hien.SealedPhone{"", "s1:", "s1:AAAA", sealed[:len(sealed)-4], "s2" + sealed[2:]} {
		if _, err := unseal.Open(bad, "consent-1"); err == nil {
			t.Errorf("Open(%q): no error", bad)
		}
	}
	for _, bad := range []string{"", "hien-seal-1:", unseal.Reveal(), seal.String() + "A"} {
		if _, err := hien.ParseSealKey(bad); err == nil {
			t.Errorf("ParseSealKey(%q): no error", bad)
		}
	}
}

func TestMemberMark(t *testing.T) {
	key := hien.NewRouterKey()
	again, err := hien.ParseRouterKey(key.Reveal() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	mac, _ := hien.ParseMAC("02:11:22:33:44:55")
	other, _ := hien.ParseMAC("02:11:22:33:44:56")
	if key.MemberMark(mac) != again.MemberMark(mac) {
		t.Error("a device is not known again after a restart")
	}
	if key.MemberMark(mac) == key.MemberMark(other) || key.MemberMark(mac) == hien.NewRouterKey().MemberMark(mac) {
		t.Error("two devices, or two routers, share a mark")
	}
	if strings.Contains(string(key.MemberMark(mac)), "334455") {
		t.Error("the mark shows the address")
	}
}

func TestParseCode(t *testing.T) {
	for typed, want := range map[string]string{"483920": "483920", " 483 920 ": "483920", "４８３９２０": "483920", "48-39-20": "483920"} {
		if c, ok := hien.ParseCode(typed); !ok || c.Reveal() != want {
			t.Errorf("ParseCode(%q) = %q, %v; want %q", typed, c.Reveal(), ok, want)
		}
	}
	for _, typed := range []string{"", "48392", "4839201", "48392x", "483920a"} {
		if _, ok := hien.ParseCode(typed); ok {
			t.Errorf("ParseCode(%q) was taken", typed)
		}
	}
	seen := make(map[string]bool)
	for range 200 {
		c := hien.NewCode().Reveal()
		if len(c) != 6 {
			t.Fatalf("a code of %d digits", len(c))
		}
		seen[c] = true
	}
	if len(seen) < 190 {
		t.Errorf("200 codes, %d different", len(seen))
	}
}

func TestTheFileOfBrandKeys(t *testing.T) {
	one, two, three := "k1:"+strings.Repeat("01", 32), "k2:"+strings.Repeat("02", 32), "k3:"+strings.Repeat("03", 32)
	for name, c := range map[string]struct{ text, current, says string }{
		"one key":                     {one + "\n", one, ""},
		"the old one behind":          {" " + two + "\r\n\n" + one, two, ""},
		"versions that skip":          {three + "\n" + one, three, ""},
		"none":                        {" \n", "", "there is no brand key"},
		"the old one in front":        {one + "\n" + two, "", "k2 stands behind k1"},
		"one version twice":           {one + "\nk1:" + strings.Repeat("02", 32), "", "k1 stands behind k1"},
		"one secret for two versions": {"k2:" + strings.Repeat("01", 32) + "\n" + one, "", "the same secret"},
		"too many":                    {"k9" + one[2:] + "\nk8" + two[2:] + "\nk7" + three[2:] + "\nk6:" + strings.Repeat("04", 32) + "\nk5:" + strings.Repeat("05", 32), "", "more than 4"},
		"a line that is no key":       {two + "\nold", "", "not a brand key"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := hien.ParseBrandKeys(c.text)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || !keys.IsZero() {
					t.Fatalf("got %v, %v; want an error with %q", keys, err, c.says)
				}
				return
			}
			if err != nil || keys.Current().Reveal() != c.current {
				t.Fatalf("got %v, %v; want the current key to be the first", keys, err)
			}
			if again, err := hien.ParseBrandKeys(keys.Reveal()); err != nil || again.Reveal() != keys.Reveal() {
				t.Errorf("its text comes back as %v", err)
			}
			if said := fmt.Sprintf("%v %+v %#v %s", keys, keys, keys, keys); strings.Contains(said, "01") || !strings.Contains(said, "[brand keys]") {
				t.Errorf("it prints itself as %s", said)
			}
		})
	}
	if !(hien.BrandKeys{}).IsZero() || !(hien.BrandKeys{}).Current().IsZero() || (hien.BrandKeys{}).Previous() != nil {
		t.Error("the zero BrandKeys hold something")
	}
}

func TestTheNextBrandKeyStandsInFront(t *testing.T) {
	keys, err := hien.NewBrandKeys(hien.NewBrandKey(1))
	for n := 2; n <= hien.MaxBrandKeys; n++ {
		before := keys
		if err == nil {
			keys, err = keys.Next()
		}
		if err != nil || keys.Current().Version() != n || len(keys.Previous()) != n-1 || keys.Previous()[0].Reveal() != before.Current().Reveal() {
			t.Fatalf("key %d: %v, with k%d in front of %d others", n, err, keys.Current().Version(), len(keys.Previous()))
		}
	}
	if _, err := keys.Next(); err == nil {
		t.Error("there is no end to the keys in a file")
	}
}
