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
)

func (e *PhoneError) Error() string { return "phone number: " + string(e.Reason) }

// vnMobile are the national prefixes of Vietnamese mobile numbers, as
// libphonenumber's metadata has them (checked against nyaruka/phonenumbers
// v1.8.1): two digits for a whole block, three for a tenth of one.
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

// maxTyped bounds what is looked at; no way to write a number is longer.
const maxTyped = 64

// ParsePhone reads a number as people type and paste it: with spaces, dots,
// hyphens and brackets, full-width or other decimal digits, 0, 84, +84, 0084
// or the bare nine digits in front of it. Without a plus or 00 the number is
// Vietnamese. A foreign number needs its plus or 00, and is checked for
// E.164's form only (ITU-T E.164: at most 15 digits, the first not 0). Every
// error is a *PhoneError.
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
		if len(digits) < 8 || len(digits) > 15 || digits[0] == '0' {
			return Phone{}, &PhoneError{Reason: PhoneInvalid}
		}
		return phoneOf("+" + digits), nil
	case !plus && (!vietnamese || len(national) < 9):
		national = digits // 84… may be the start of a bare national number
	}
	trunk := false
	national, trunk = strings.CutPrefix(national, "0")
	return parseVietnamese(national, trunk)
}

// parseVietnamese checks a national significant number; trunk says that the
// leading 0 was typed.
func parseVietnamese(n string, trunk bool) (Phone, error) {
	if len(n) == 10 && n[0] == '1' {
		if to, ok := vnMoved[n[:3]]; ok {
			return Phone{}, &PhoneError{Reason: PhoneMoved, New: phoneOf("+84" + to + n[3:])}
		}
	}
	if len(n) == 9 && (vnMobile[n[:2]] || vnMobile[n[:3]]) {
		return phoneOf("+84" + n), nil
	}
	if trunk && strings.HasPrefix(n, "2") && (len(n) == 9 || len(n) == 10) {
		return Phone{}, &PhoneError{Reason: PhoneLandline}
	}
	return Phone{}, &PhoneError{Reason: PhoneInvalid}
}

func phoneDigits(typed string) (digits string, plus bool, err error) {
	if len(typed) > maxTyped {
		return "", false, &PhoneError{Reason: PhoneInvalid}
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
		case unicode.IsSpace(r) || strings.ContainsRune(".-()/·–—\u200b\u200e\u200f\u202a\u202c\u2060\ufeff．－（）", r):
		default:
			return "", false, &PhoneError{Reason: PhoneInvalid}
		}
	}
	if b.Len() == 0 {
		return "", false, &PhoneError{Reason: PhoneMissing}
	}
	return b.String(), plus, nil
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
