package otp

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/hien-wifi/hien"
)

// The wording of an SMS, when the owner has set none. A brandname's wording is
// registered with the networks beforehand and must be sent as it is there.
const (
	DefaultText   = "{code} la ma xac minh WiFi cua {shop}. Ma co hieu luc 5 phut. Khong dua ma nay cho ai."
	DefaultTextEN = "{code} is your WiFi code at {shop}. It is valid for 5 minutes. Do not share it."
)

// maxSMS is one SMS in the alphabet of GSM 03.38; a second costs as much
// again.
const maxSMS = 160

// maxShop is how much of a shop's name stands in a message.
const maxShop = 24

const (
	codeHere = "{code}"
	shopHere = "{shop}"
)

// words are the wordings of one sender.
type words struct {
	vi, en string
	shop   string
	origin string
}

func newWords(o Options) (words, error) {
	for _, w := range []struct{ option, text string }{{"text", o.Text}, {"text_en", o.TextEN}} {
		if w.text == "" {
			continue
		}
		if err := LintText(w.text, o.Origin); err != nil {
			return words{}, fmt.Errorf("%s: %w", w.option, err)
		}
	}
	w := words{vi: o.Text, en: o.TextEN, origin: o.Origin, shop: shopName(o.Shop)}
	switch { // one wording may be all that is registered
	case w.vi == "" && w.en == "":
		w.vi, w.en = DefaultText, DefaultTextEN
	case w.vi == "":
		w.vi = w.en
	case w.en == "":
		w.en = w.vi
	}
	return w, nil
}

// of is the message for a guest. With an origin its last line binds the code to
// the portal's page, so that phones offer it there and nowhere else
// (wicg.github.io/sms-one-time-codes).
func (w words) of(m hien.Message) string {
	text := w.vi
	if m.Language == "en" {
		text = w.en
	}
	shop := w.shop
	switch {
	case shop == "" && m.Language == "en":
		shop = "the shop"
	case shop == "":
		shop = "quan"
	}
	text = strings.NewReplacer(codeHere, m.Code.Reveal(), shopHere, shop).Replace(text)
	if w.origin != "" {
		text += "\n\n@" + w.origin + " #" + m.Code.Reveal()
	}
	return text
}

// shopName is a shop's name without Vietnamese signs, as much of it as fits. Of
// a name that cannot be written, or that advertises, nothing is left: then the
// message speaks of the shop.
func shopName(name string) string {
	var b strings.Builder
	for _, r := range plainText(name) {
		if plainSign(r) && b.Len() < maxShop {
			b.WriteRune(r)
		}
	}
	short := strings.TrimSpace(b.String())
	if advertises(short) != "" {
		return ""
	}
	return short
}

// LintText says what is wrong with the wording of a code's message: it holds
// the code once, fits into one SMS of plain signs, and has no advertising and
// no link in it (R-MKT-5).
func LintText(text, origin string) error {
	rest := strings.NewReplacer(codeHere, "", shopHere, "").Replace(text)
	long := len(text) - len(codeHere) + 6 + strings.Count(text, shopHere)*(maxShop-len(shopHere))
	if origin != "" {
		long += len("\n\n@ #") + len(origin) + 6
	}
	switch {
	case strings.Count(text, codeHere) != 1:
		return errors.New("want {code} in it, once")
	case strings.ContainsAny(rest, "{}"):
		return errors.New("want no other {…} than {code} and {shop}")
	case strings.ContainsFunc(rest, func(r rune) bool { return !plainSign(r) }):
		return errors.New("want plain letters without Vietnamese signs, digits and common signs: others make two messages of one, and networks may refuse them")
	case long > maxSMS:
		return fmt.Errorf("want at most %d signs with the code, the shop's name and the last line; these are up to %d", maxSMS, long)
	}
	if word := advertises(rest); word != "" {
		return fmt.Errorf("want the code and nothing that advertises (R-MKT-5): %q", word)
	}
	return nil
}

// plainSign reports whether a sign is one septet in GSM 03.38 and the same in
// ASCII.
func plainSign(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" .,:;!?'\"()/&+*=<>@#$%_-", r)
}

// advertising are words that a message with a code has no use for, in plain
// letters. They are looked for as whole words.
var advertising = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:^|[^a-z0-9])(` + strings.Join([]string{
		"khuyen mai", "giam gia", "giam [0-9]+", "uu dai", "mien phi", "qua tang", "tang ban", "tang qua", "trung thuong", "hoan tien",
		"tich diem", "ma giam", "dat hang", "mua ngay", "mua [0-9]+", "gia re", "gia tot", "dong gia", "khai truong", "quang cao", "qc", "chi tu", "chi con",
		"sale", "sales", "deal", "deals", "voucher", "vouchers", "coupon", "coupons", "discount", "discounts", "offer", "offers", "promo", "promotion",
		"promotions", "gift", "gifts", "free", "freeship", "bonus", "cashback", "buy", "order now", "[0-9]+ ?%",
	}, "|") + `)(?:[^a-z0-9]|$)`)
})

// links are addresses of the web, also without http.
var links = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(https?:|://|www\.|[a-z0-9-]+\.(?:vn|com|net|org|info|asia|shop|store|io|me|ly|link|app|page|top|xyz|biz|online|site|gl|gg|to)(?:[^a-z0-9.-]|$|/))`)
})

// advertises is the word for which a text is taken for advertising.
func advertises(text string) string {
	if m := advertising().FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return strings.TrimSpace(links().FindString(text))
}

// plainText writes Vietnamese without its signs.
func plainText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.Is(unicode.Mn, r) {
			continue // a sign that stands behind its letter
		}
		b.WriteRune(plainLetter(r))
	}
	return b.String()
}

// vietnamese are the letters with signs, by the letter without.
var vietnamese = map[rune]string{
	'a': "àáảãạăằắẳẵặâầấẩẫậ", 'd': "đ", 'e': "èéẻẽẹêềếểễệ", 'i': "ìíỉĩị",
	'o': "òóỏõọôồốổỗộơờớởỡợ", 'u': "ùúủũụưừứửữự", 'y': "ỳýỷỹỵ",
}

func plainLetter(r rune) rune {
	small := unicode.ToLower(r)
	for plain, signed := range vietnamese {
		if strings.ContainsRune(signed, small) {
			if small != r {
				return unicode.ToUpper(plain)
			}
			return plain
		}
	}
	return r
}
