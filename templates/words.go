package templates

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Language is one in which the pages speak, as a BCP 47 tag.
type Language string

// The languages.
const (
	Vietnamese Language = "vi"
	English    Language = "en"
)

// Languages are all of them, the first being the one spoken to somebody of
// whom nothing is known.
var Languages = []Language{Vietnamese, English}

// ParseLanguage finds the language with that tag, or for want of it the one
// of its primary subtag ("en-GB" is English); false if there is none.
func ParseLanguage(tag string) (Language, bool) {
	primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	i := slices.Index(Languages, Language(primary))
	if i < 0 {
		return "", false
	}
	return Languages[i], true
}

// AcceptLanguage picks the language that a browser prefers (RFC 9110, section
// 12.5.4): the one with the highest weight, the earlier of two with the same.
// Where none is known it is Vietnamese.
func AcceptLanguage(header string) Language {
	best, weight := Languages[0], 0.0
	for i, item := range strings.Split(header, ",") {
		if i == maxAccepted {
			break
		}
		tag, parameters, _ := strings.Cut(item, ";")
		q := 1.0
		if s, ok := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(s, 64); err != nil || !(q <= 1) {
				continue
			}
		}
		if l, ok := ParseLanguage(tag); ok && q > weight {
			best, weight = l, q
		}
	}
	return best
}

// maxAccepted bounds what is read of an Accept-Language header.
const maxAccepted = 32

// Other is the language to which the pages' link leads.
func (l Language) Other() Language {
	if l == Vietnamese {
		return English
	}
	return Vietnamese
}

// say is the sentence of a key, with the names in braces filled in from
// pairs of name and value. A key that is not there is said itself: a page
// with an odd word is better than none. A test holds that it does not happen.
func (l Language) say(key string, pairs ...any) string {
	text, ok := catalogues[l][key]
	if !ok {
		return key
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{"+fmt.Sprint(pairs[i])+"}", fmt.Sprint(pairs[i+1]))
	}
	return text
}

// nth is a number as the language counts visits with it.
func (l Language) nth(n int) string {
	if l != English {
		return strconv.Itoa(n)
	}
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// lasting is a duration in words, in minutes that are rounded up; empty when
// there is nothing of it.
func (l Language) lasting(d time.Duration) string {
	minutes := int((d + time.Minute - 1) / time.Minute)
	switch hours := minutes / 60; {
	case minutes <= 0:
		return ""
	case hours == 0:
		return l.say("time.minutes", "minutes", minutes)
	case minutes%60 == 0:
		return l.say("time.hours", "hours", hours)
	default:
		return l.say("time.both", "hours", hours, "minutes", minutes%60)
	}
}

//go:embed words/*.txt
var wordFiles embed.FS

var catalogues = mustCatalogues()

// mustCatalogues reads what was embedded; only a build with a broken
// catalogue can panic here.
func mustCatalogues() map[Language]map[string]string {
	all := make(map[Language]map[string]string)
	for _, l := range Languages {
		text, err := wordFiles.ReadFile("words/" + string(l) + ".txt")
		if err != nil {
			panic(err)
		}
		if all[l], err = parseCatalogue(string(text)); err != nil {
			panic(fmt.Errorf("words/%s.txt: %w", l, err))
		}
	}
	return all
}

// parseCatalogue reads lines of the form "key = text"; an empty line and one
// that begins with # say nothing.
func parseCatalogue(text string) (map[string]string, error) {
	words := make(map[string]string)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, text, found := strings.Cut(line, " = ")
		switch _, twice := words[key]; {
		case !found || text == "":
			return nil, fmt.Errorf("line %d: want key = text", n)
		case twice:
			return nil, fmt.Errorf("line %d: %s stands here twice", n, key)
		}
		words[key] = text
	}
	return words, nil
}
