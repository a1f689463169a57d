package hien_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	"github.com/hien-wifi/hien"
)

// The oracle is libphonenumber in its Go translation. It is far too large for a
// router, so it is for tests alone.

// ours is what ParsePhone makes of what was typed: a kind, and the number if
// there is one.
func ours(typed string) (kind, number string) {
	p, err := hien.ParsePhone(typed)
	var why *hien.PhoneError
	switch {
	case errors.As(err, &why):
		return string(why.Reason), ""
	case err != nil:
		return err.Error(), ""
	case p.Vietnamese():
		return "mobile", p.Reveal()
	}
	return "abroad", p.Reveal()
}

// theirs is what the oracle makes of it, in the same words.
func theirs(typed string) (kind, number string) {
	n, err := phonenumbers.Parse(typed, "VN")
	switch {
	case err != nil && typed == "":
		return "missing", ""
	case err != nil || !phonenumbers.IsValidNumber(n):
		return "invalid", ""
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	switch kind := phonenumbers.GetNumberType(n); {
	case n.GetCountryCode() != 84:
		return "abroad", e164
	case kind == phonenumbers.MOBILE:
		return "mobile", e164
	case kind == phonenumbers.FIXED_LINE:
		return "landline", ""
	}
	return "invalid", ""
}

// plain is what was typed without what the oracle cannot read, digit for digit:
// signs that cannot be seen, other scripts, what stands behind a link's number, a
// national 0 in brackets.
func plain(typed string) string {
	if len(typed) > 4 && strings.EqualFold(typed[:4], "tel:") {
		typed, _, _ = strings.Cut(typed[4:], ";")
	}
	typed = strings.NewReplacer("(0)", "").Replace(typed)
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && r != '\t' && r != '\n' {
			return r
		}
		if n, ok := digits[r]; ok {
			return n
		}
		return -1
	}, typed))
}

// digits are those of other scripts that the typist has.
var digits = func() map[rune]rune {
	m := make(map[rune]rune)
	for _, script := range []string{"０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"} {
		for i, r := range []rune(script) {
			m[r] = rune('0' + i)
		}
	}
	return m
}()

// An exception is a way in which we do not agree, and why that is so. Where
// theirs is "plain", the oracle agrees once what was typed is written plainly.
type exception struct {
	line   int
	typed  *regexp.Regexp
	ours   string
	theirs string
	reason string
	met    int
}

// exceptions reads testdata/phone-exceptions.txt.
func exceptions(t *testing.T) []*exception {
	t.Helper()
	f, err := os.Open("testdata/phone-exceptions.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []*exception
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		fields := strings.SplitN(text, " | ", 4)
		if len(fields) != 4 || len(fields[3]) < 20 {
			t.Fatalf("phone-exceptions.txt:%d: %q: want typed | ours | theirs | reason", n, text)
		}
		typed, err := regexp.Compile(`^(?:` + fields[0] + `)$`)
		if err != nil {
			t.Fatalf("phone-exceptions.txt:%d: %v", n, err)
		}
		all = append(all, &exception{line: n, typed: typed, ours: fields[1], theirs: fields[2], reason: fields[3]})
	}
	return all
}

var notDialled = regexp.MustCompile(`[^0-9+]`)

// compared holds ParsePhone to the oracle, and every exception to being met.
type compared struct {
	*testing.T
	exceptions []*exception
	counts     map[string]int
	strange    int
}

func (c *compared) look(typed string) {
	ourKind, ourNumber := ours(typed)
	theirKind, theirNumber := theirs(typed)
	c.counts[ourKind]++
	if ourKind == theirKind && ourNumber == theirNumber {
		return
	}
	plainKind, plainNumber := theirs(plain(typed))
	agreed := plainKind == ourKind && plainNumber == ourNumber
	bare := notDialled.ReplaceAllString(plain(typed), "")
	for _, e := range c.exceptions {
		fits := e.ours == ourKind && (e.theirs == theirKind || e.theirs == "any") || e.theirs == "plain" && agreed
		if fits && (e.typed.MatchString(typed) || e.typed.MatchString(bare)) {
			e.met++
			return
		}
	}
	if c.strange++; c.strange <= 25 {
		c.Errorf("%+q: we say %s %s, the oracle says %s %s", typed, ourKind, ourNumber, theirKind, theirNumber)
	}
}

// TestEveryVietnamesePrefixIsReadAsTheOracleReadsIt goes through every prefix
// of four digits in each length that a number may have, and through each way of
// writing what stands in front.
func TestEveryVietnamesePrefixIsReadAsTheOracleReadsIt(t *testing.T) {
	c := &compared{T: t, exceptions: exceptions(t), counts: map[string]int{}}
	r := rand.New(rand.NewPCG(84, 2018))
	for prefix := range 10_000 {
		for _, length := range []int{8, 9, 10, 11} {
			national := fmt.Sprintf("%04d%0*d", prefix, length-4, r.IntN(pow10[length-4]))
			c.look("0" + national)
			if prefix%10 == length%10 { // each prefix of three digits
				for _, front := range []string{"+84", "84", "0084", "(+84)0", ""} {
					c.look(front + national)
				}
			}
		}
	}
	if c.counts["mobile"] < 5_000 || c.counts["landline"] < 1_000 || c.counts["moved"] < 200 {
		t.Errorf("seen: %v; want thousands of each kind", c.counts)
	}
}

var pow10 = []int{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7}

// TestWhatPeopleTypeIsReadAsTheOracleReadsIt makes 100,000 inputs.
func TestWhatPeopleTypeIsReadAsTheOracleReadsIt(t *testing.T) {
	c := &compared{T: t, exceptions: exceptions(t), counts: map[string]int{}}
	g := typist{rand.New(rand.NewPCG(1, 2))}
	for range 100_000 {
		c.look(g.types())
	}
	c.look("8400317957430") // which the typist seldom types
	for _, kind := range []string{"mobile", "abroad", "landline", "moved", "invalid"} {
		if c.counts[kind] < 1000 {
			t.Errorf("seen: %v; want a thousand of %s at least", c.counts, kind)
		}
	}
	for _, e := range c.exceptions {
		if e.met == 0 {
			t.Errorf("phone-exceptions.txt:%d: nothing is read like this any more: %s", e.line, e.reason)
		}
	}
}

// A typist types numbers as people do, and worse.
type typist struct{ *rand.Rand }

func (g typist) one(of ...string) string { return of[g.IntN(len(of))] }

func (g typist) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + g.IntN(10))
	}
	return string(b)
}

func (g typist) types() string {
	vietnam := []string{"0", "0", "+84", "84", "0084", "+84 (0)", "(+84)", "(+84)0", "+840", "840", ""}
	switch g.IntN(12) {
	case 0, 1, 2, 3: // a Vietnamese number of today, or nearly
		return g.pasted(g.one(vietnam...), g.one("3", "5", "7", "8", "9")+g.digits(8))
	case 4: // a digit too few or too many
		return g.pasted(g.one(vietnam...), g.one("3", "5", "7", "8", "9")+g.digits(6+g.IntN(5)))
	case 5: // from before 2018
		return g.pasted(g.one(vietnam...), g.one("12", "16", "18", "19")+g.digits(8))
	case 6: // a landline, a service
		return g.pasted(g.one(vietnam...), g.one("2", "2", "1800", "1900", "1")+g.digits(3+g.IntN(7)))
	case 7, 8: // a tourist's
		if n := g.abroad(); strings.Contains(n, "(") {
			return n
		} else {
			return g.pasted("", n)
		}
	case 9: // any country code, any digits
		return g.pasted(g.one("+", "00"), g.digits(4+g.IntN(13)))
	case 10: // a link
		return g.one("tel:", "TEL:", "Tel:") + g.one("+84-9"+g.digits(2)+"-"+g.digits(3)+"-"+g.digits(3), "0"+g.digits(9), g.abroad()) +
			g.one("", "", ";phone-context=+84", ";ext=12", ";isub=1;phone-context=+84")
	}
	b := make([]rune, g.IntN(20)) // anything
	keys := []rune("0123456789+-.() ٠١٩０９abx;,*#/\u00a0\u200b")
	for i := range b {
		b[i] = keys[g.IntN(len(keys))]
	}
	return string(b)
}

// abroad is a number of another country, as its people write it for strangers.
func (g typist) abroad() string {
	regions := abroadRegions()
	for {
		n := phonenumbers.GetExampleNumberForType(regions[g.IntN(len(regions))], phonenumbers.MOBILE)
		if n == nil {
			continue
		}
		digits := []byte(phonenumbers.Format(n, phonenumbers.E164))
		for i := len(digits) - 3; i < len(digits) && g.IntN(2) == 0; i++ {
			digits[i] = byte('0' + g.IntN(10))
		}
		text := string(digits)
		if g.IntN(3) == 0 {
			text = phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
		}
		switch code := fmt.Sprintf("+%d", n.GetCountryCode()); g.IntN(8) {
		case 0:
			text = strings.Replace(text, code, code+" (0)", 1)
		case 1:
			text = strings.Replace(text, "+", "00", 1)
		}
		return text
	}
}

var abroadRegions = sync.OnceValue(func() (regions []string) {
	for r := range phonenumbers.GetSupportedRegions() {
		if r != "VN" {
			regions = append(regions, r)
		}
	}
	slices.Sort(regions)
	return regions
})

// pasted puts signs between the digits, and writes them in another script at
// times.
func (g typist) pasted(front, digits string) string {
	between := g.one("", "", " ", ".", "-", "\u00a0", "  ", " - ", "/", "\u2011", "\u200b", "\u2060")
	var b strings.Builder
	b.WriteString(g.one("", "", "", " ", "\u202a", "\t"))
	b.WriteString(front)
	every := 2 + g.IntN(3)
	for i, r := range digits {
		if i > 0 && i%every == 0 && r != '+' {
			b.WriteString(between)
		}
		b.WriteRune(r)
	}
	b.WriteString(g.one("", "", "", " ", "\u202c", "\n", "."))
	text := b.String()
	if zero := []rune{'０', '٠', '۰', '०', '𝟎'}; g.IntN(6) == 0 {
		script := zero[g.IntN(len(zero))]
		text = strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return script + r - '0'
			}
			return r
		}, text)
	}
	return text
}

// TestTheCountryCodesAreThoseOfTheOracle holds our table to its metadata.
func TestTheCountryCodesAreThoseOfTheOracle(t *testing.T) {
	for code := 100; code <= 999; code++ {
		theirs := false // whether a country's code begins so
		for n := code; n > 0; n /= 10 {
			regions := phonenumbers.GetRegionCodesForCountryCode(n)
			theirs = theirs || len(regions) > 0 && !slices.Contains(regions, "001") // 001: of no country
		}
		typed := "+" + strconv.Itoa(code) + "7012345"
		if _, number := ours(typed); (number != "") != theirs && code/10 != 84 {
			t.Errorf("%s: we take it %v, the oracle knows its country %v", typed, number != "", theirs)
		}
	}
}
