package templates

import (
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// Splash is the first page: the greeting, the offer, and the question with
// its two equal answers. Where the notice asks for nothing there is only the
// way in.
type Splash struct {
	Frame
	Offer  string
	Terms  string         // the rules of the house for its WiFi; may be empty
	Visit  int            // for a member: this is the nth visit; else 0
	Age    int            // from which on people are asked
	Notice consent.Notice // what is asked
	Given  Given
	Err    error // what ParsePhone said of the number; nil on a fresh page

	Again      bool // some of it was agreed to before, and is to be answered anew
	Refused    bool // something is not asked for, as the device said no to it lately
	AgeMissing bool // something was ticked, and the question of age not answered
	NoInternet bool // the shop has none at present
	NoNumber   bool // what is asked for needs none: the shop's till shows the code
}

// Short reports whether the terms are shown as they are, and not behind a
// fold: two lines of a small phone.
func (s Splash) Short() bool { return utf8.RuneCountInString(s.Terms) <= 90 }

// Given is what a person has typed and ticked so far.
type Given struct {
	OfAge  bool // the person said so
	Phone  string
	Ticked []consent.Purpose
}

// Render writes the page.
func (s Splash) Render(w io.Writer) error { return render(w, "splash", s) }

// Greeting is the sentence at the top.
func (s Splash) Greeting() string {
	if s.Visit > 0 {
		return s.T("splash.back", "nth", s.Lang.nth(s.Visit))
	}
	return s.T("splash.greeting")
}

// Problem says under the field what is wrong with the number; empty if
// nothing is.
func (s Splash) Problem() string {
	if s.AgeMissing {
		return "" // one thing at a time
	}
	var e *hien.PhoneError
	if !errors.As(s.Err, &e) {
		return ""
	}
	return s.T("phone."+string(e.Reason), "number", national(e.New))
}

// AgeProblem is what to do about the question of age; empty when nothing is
// wrong.
func (s Splash) AgeProblem() string {
	if !s.AgeMissing {
		return ""
	}
	return s.T("age.missing", "age", s.Age)
}

// Typed is the number as it was typed.
func (s Splash) Typed() string { return shown(s.Given.Phone) }

// A Box is one purpose on the page.
type Box struct {
	consent.Ask
	Ticked bool // by the person, on a page that comes back
}

// Boxes are the purposes asked for.
func (s Splash) Boxes() []Box {
	var boxes []Box
	for _, a := range s.Notice.Asks {
		boxes = append(boxes, Box{a, slices.Contains(s.Given.Ticked, a.Purpose)})
	}
	return boxes
}

// Asked lists the purposes on the page, for the form to carry.
func (s Splash) Asked() string { return Asked(s.Notice) }

// Asked lists the purposes of a notice in the form that ParseAsked reads.
func Asked(n consent.Notice) string {
	var purposes []consent.Purpose
	for _, a := range n.Asks {
		purposes = append(purposes, a.Purpose)
	}
	return list(purposes)
}

// list writes purposes in the form that ParseAsked reads.
func list(purposes []consent.Purpose) string {
	var names []string
	for _, p := range purposes {
		names = append(names, string(p))
	}
	return strings.Join(names, " ")
}

// ParseAsked reads what Asked wrote. What is no purpose is left out.
func ParseAsked(text string) []consent.Purpose {
	var asked []consent.Purpose
	for name := range strings.FieldsSeq(text) {
		if p, err := consent.ParsePurpose(name); err == nil {
			asked = append(asked, p)
		}
	}
	return asked
}

// national is a Vietnamese number as it is written at home, 0328 345 678, and
// not broken at a line's end.
func national(p hien.Phone) string {
	const space = "\u00a0"
	n, ok := strings.CutPrefix(p.Reveal(), "+84")
	if !ok || len(n) != 9 {
		return p.Reveal()
	}
	return "0" + n[:3] + space + n[3:6] + space + n[6:]
}
