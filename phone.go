package hien

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// A Phone is a telephone number in E.164. It cannot print itself: whatever
// prints, logs or encodes one writes [phone]. The digits stand behind a
// pointer, so that reflection over a struct that holds one shows an address.
// The zero Phone is no number.
type Phone struct {
	e164 *string
}

const phoneMask = "[phone]"

func (Phone) String() string                 { return phoneMask }
func (Phone) GoString() string               { return phoneMask }
func (Phone) Format(f fmt.State, _ rune)     { fmt.Fprint(f, phoneMask) }
func (Phone) LogValue() slog.Value           { return slog.StringValue(phoneMask) }
func (Phone) MarshalText() ([]byte, error)   { return []byte(phoneMask), nil }
func (Phone) MarshalBinary() ([]byte, error) { return nil, errors.New("a phone number is not written") }

// IsZero reports whether there is no number.
func (p Phone) IsZero() bool { return p.e164 == nil }

// Reveal is the number, "+84…". Its callers are the ones who key, seal or
// send it.
func (p Phone) Reveal() string {
	if p.e164 == nil {
		return ""
	}
	return *p.e164
}

// Vietnamese reports whether the number is one of Vietnam's.
func (p Phone) Vietnamese() bool { return strings.HasPrefix(p.Reveal(), "+84") }

// LastTwo are the last two digits, which the code's page shows.
func (p Phone) LastTwo() string {
	s := p.Reveal()
	return s[max(0, len(s)-2):]
}

// A PhoneError says why what was typed is no number to which a code can go.
type PhoneError struct {
	Reason PhoneReason
	New    Phone // with PhoneMoved: the number as it is since 2018
}

// PhoneReason is the reason of a PhoneError; each has a sentence in the
// catalogues.
type PhoneReason string

// The reasons. None of them repeats what was typed.
const (
	PhoneMissing  PhoneReason = "missing"  // nothing was typed
	PhoneInvalid  PhoneReason = "invalid"  // no number of a known length or prefix
	PhoneLandline PhoneReason = "landline" // a Vietnamese number that takes no message
	PhoneMoved    PhoneReason = "moved"    // an 11-digit number from before 2018
	PhoneForeign  PhoneReason = "foreign"  // a number of another country, where codes go to Vietnamese ones only; from Gateway.Ask
)

func (e *PhoneError) Error() string { return "phone number: " + string(e.Reason) }

// vnMobile are the national prefixes of Vietnamese mobile numbers, as
// libphonenumber's metadata has them (checked against nyaruka/phonenumbers
// v1.8.1): two digits for a whole block, three for a tenth of one. Numbers are
// carried along to other operators since 2018, so a prefix says nothing of
// who carries one.
var vnMobile = prefixes(
	"30 31 32 33 34 35 36 37 38 39 51 56 58 59 70 76 77 78 79 81 82 83 84 85 86 87 88 90 91 92 93 94 95 96 97 98",
	"522 523 528 559 896 897 898 899 990 991 993 994 995 996 997 998 999")

// vnMoved are the 4-digit prefixes of 11-digit numbers that became 10-digit
// ones between 15 September 2018 and 30 June 2019; the last seven digits
// stayed.
var vnMoved = map[string]string{
	"120": "70", "121": "79", "122": "77", "126": "76", "128": "78",
	"123": "83", "124": "84", "125": "85", "127": "81", "129": "82",
	"162": "32", "163": "33", "164": "34", "165": "35", "166": "36", "167": "37", "168": "38", "169": "39",
	"186": "56", "188": "58", "199": "59",
}

func prefixes(lists ...string) map[string]bool {
	m := make(map[string]bool)
	for _, l := range lists {
		for p := range strings.FieldsSeq(l) {
			m[p] = true
		}
	}
	return m
}

// callingCodes are the country codes that are in use (ITU-T E.164 list of
// assigned codes), as libphonenumber's metadata has them. Not among them are
// the codes that belong to no country (800, 808, 870, 878, 881, 882, 883, 888,
// 979): nobody's phone in a shop has such a number, and a message to one costs
// as much as its operator likes.
var callingCodes = prefixes(
	"1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58",
	"60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98",
	"211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239",
	"240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269",
	"290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 383 385 386 387 389",
	"420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599",
	"670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692",
	"850 852 853 855 856 880 886 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 992 993 994 995 996 998")

// maxTyped bounds what is looked at; no way to write a number is longer.
const maxTyped = 96

// ParsePhone reads a number as people type and paste it: with spaces, dots,
// hyphens and brackets, full-width or other decimal digits, 0, 84, +84, 0084
// or the bare nine digits in front of it, or as a link (RFC 3966). Without a
// plus or 00 the number is Vietnamese. A foreign number needs its plus or 00;
// its country code must be in use, the rest is checked for E.164's form only
// (ITU-T E.164: at most 15 digits). Every error is a *PhoneError.
func ParsePhone(typed string) (Phone, error) {
	digits, plus, err := phoneDigits(typed)
	if err != nil {
		return Phone{}, err
	}
	if !plus {
		digits, plus = strings.CutPrefix(digits, "00")
	}
	national, vietnamese := strings.CutPrefix(digits, "84")
	switch {
	case plus && !vietnamese:
		if len(digits) < 8 || len(digits) > 15 || !callingCodes[digits[:1]] && !callingCodes[digits[:2]] && !callingCodes[digits[:3]] {
			return Phone{}, &PhoneError{Reason: PhoneInvalid}
		}
		return phoneOf("+" + digits), nil
	case !plus && (!vietnamese || len(national) < 9):
		national = digits // 84… may be the start of a bare national number
	}
	return parseVietnamese(strings.TrimPrefix(national, "0"))
}

// parseVietnamese checks a national significant number.
func parseVietnamese(n string) (Phone, error) {
	if len(n) == 10 && n[0] == '1' {
		if to, ok := vnMoved[n[:3]]; ok {
			return Phone{}, &PhoneError{Reason: PhoneMoved, New: phoneOf("+84" + to + n[3:])}
		}
	}
	if len(n) == 9 && (vnMobile[n[:2]] || vnMobile[n[:3]]) {
		return phoneOf("+84" + n), nil
	}
	if strings.HasPrefix(n, "2") && (len(n) == 9 || len(n) == 10) {
		return Phone{}, &PhoneError{Reason: PhoneLandline}
	}
	return Phone{}, &PhoneError{Reason: PhoneInvalid}
}

// noise are the signs that stand between digits and mean nothing, those that
// cannot be seen among them. White space is another.
const noise = ".-()/[]~·" +
	"\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff" +
	"\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\u2053\u223c" +
	"．－（）／［］～"

// trunkZero is the national 0 in brackets behind a country code, as in
// +44 (0)20: it is not dialled from abroad.
var trunkZero = strings.NewReplacer("(0)", "", "（0）", "", "[0]", "")

func phoneDigits(typed string) (digits string, plus bool, err error) {
	if len(typed) > maxTyped {
		return "", false, &PhoneError{Reason: PhoneInvalid}
	}
	typed = linked(strings.TrimSpace(typed))
	if strings.ContainsAny(typed, "+＋") || strings.HasPrefix(typed, "00") {
		typed = trunkZero.Replace(typed)
	}
	var b strings.Builder
	for _, r := range typed {
		switch {
		case unicode.IsDigit(r): // category Nd: blocks of ten, zero first
			b.WriteByte(byte('0' + digitValue(r)))
		case r == '+' || r == '＋':
			if b.Len() > 0 || plus {
				return "", false, &PhoneError{Reason: PhoneInvalid}
			}
			plus = true
		case unicode.IsSpace(r) || strings.ContainsRune(noise, r):
		default:
			return "", false, &PhoneError{Reason: PhoneInvalid}
		}
	}
	if b.Len() == 0 {
		return "", false, &PhoneError{Reason: PhoneMissing}
	}
	return b.String(), plus, nil
}

// linked takes the number out of a link, tel:+84-98-765-4321;ext=2. A number
// that is not global stands under a context, which may be the country code
// (RFC 3966 §5.1.5); other parameters name something behind the number.
func linked(typed string) string {
	const scheme = "tel:"
	if len(typed) < len(scheme) || !strings.EqualFold(typed[:len(scheme)], scheme) {
		return typed
	}
	number, parameters, _ := strings.Cut(typed[len(scheme):], ";")
	if strings.HasPrefix(number, "+") {
		return number
	}
	for p := range strings.SplitSeq(parameters, ";") {
		if context, ok := strings.CutPrefix(p, "phone-context="); ok && strings.HasPrefix(context, "+") && context != "+84" {
			return context + number
		}
	}
	return number
}

// digitValue is the value of a decimal digit of any script. Unicode lays
// them out in runs of ten, zero first (Unicode Standard, section 4.6); a run
// may follow another without a gap, so the distance from the run's start is
// taken modulo ten.
func digitValue(r rune) int {
	if r <= '9' {
		return int(r - '0')
	}
	first := r
	for unicode.IsDigit(first - 1) {
		first--
	}
	return int(r-first) % 10
}

func phoneOf(e164 string) Phone { return Phone{e164: &e164} }
