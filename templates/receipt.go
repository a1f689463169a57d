package templates

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/qr"
)

// A Proven is what the pages behind a receipt's link have in common.
type Proven struct {
	Frame
	Secret  string
	Receipt hien.Receipt
	Asker   consent.Asker  // who words the purposes in the page's language
	In      *time.Location // of the hours on the page; nil is UTC
}

// At is an address behind the receipt's link.
func (p Proven) At(path string) string { return "/receipt/" + p.Secret + path }

// When is the time of the answer.
func (p Proven) When() string { return clock(p.Receipt.Given.At(), p.In) }

// Unsure reports whether the clock was not in step then (R-CON-10).
func (p Proven) Unsure() bool { return !p.Receipt.Given.At().InStep }

// clock is a moment as both languages write it here.
func clock(m hien.Moment, in *time.Location) string {
	if in == nil {
		in = time.UTC
	}
	return m.Wall.In(in).Format("15:04, 02/01/2006")
}

// Receipt is a person's proof of a consent, and the way to change it, to see
// what is kept, and to have all of it erased: each in two taps (R-RGT-2).
type Receipt struct {
	Proven
	Link string // by which the page opens, whole; may be empty
	Done bool   // something was just taken back

	Changed bool // the number was just changed

	// Names are the person under each name, where nothing stands under the
	// receipt's own: what was agreed to since then stands under another.
	Names []hien.Person
}

// Render writes the page.
func (r Receipt) Render(w io.Writer) error { return render(w, "receipt", r) }

// maxDrawn is how long a link is drawn as a QR code: beyond that the page
// would not fit its first round trip, and a camera would have its trouble.
const maxDrawn = 110

// Drawing is the link as a QR code; empty when it is too long for one.
func (r Receipt) Drawing() SVG {
	if r.Link == "" || len(r.Link) > maxDrawn {
		return ""
	}
	drawing, err := qr.SVG(r.Link, r.T("receipt.qr"))
	if err != nil {
		return "" // the link stands there as text too
	}
	return SVG(strings.Replace(drawing, ` xmlns="http://www.w3.org/2000/svg"`, "", 1)) // which a page need not say
}

// An Item is one purpose on a receipt.
type Item struct {
	Purpose      consent.Purpose
	Line, Detail string
	Stands       bool
	State        string // in words
}

// Items are the purposes that were answered, then or before, as they stand
// now; and what was agreed to later, under another name.
func (r Receipt) Items() []Item {
	items := r.own()
	for _, p := range r.Names {
		for _, purpose := range p.Consent.Agreed() {
			i := Item{Purpose: purpose, Stands: true, State: r.T("receipt.again")}
			i.Line, i.Detail = r.wordsOf(p.Given, purpose)
			own := slices.IndexFunc(items, func(i Item) bool { return i.Purpose == purpose })
			if own < 0 {
				items = append(items, i)
			} else {
				items[own] = i
			}
		}
	}
	return items
}

// own are the purposes of the receipt's own name.
func (r Receipt) own() []Item {
	var items []Item
	answers := r.Receipt.Standing.Answers()
	for _, a := range r.Receipt.Given.Answers() {
		if !slices.ContainsFunc(answers, func(b consent.Answer) bool { return b.Purpose == a.Purpose }) {
			answers = append(answers, consent.Answer{Purpose: a.Purpose})
		}
	}
	for _, a := range answers {
		i := Item{Purpose: a.Purpose, Stands: a.Agreed}
		i.Line, i.Detail = r.words(a.Purpose)
		switch {
		case a.Agreed:
			i.State = r.T("receipt.stands")
		case r.Receipt.Given.Allows(a.Purpose):
			i.State = r.T("receipt.withdrawn")
		default:
			i.State = r.T("receipt.refused")
		}
		items = append(items, i)
	}
	return items
}

// words are a purpose's as the person read them; in the page's language as the
// policy has them now, where the person read another one.
func (p Proven) words(purpose consent.Purpose) (line, detail string) {
	return p.wordsOf([]hien.Given{{Consent: p.Receipt.Given, Notice: p.Receipt.Notice}}, purpose)
}

// wordsOf are a purpose's words in the last of these answers that was given
// to it.
func (p Proven) wordsOf(all []hien.Given, purpose consent.Purpose) (line, detail string) {
	var read consent.Ask
	var language string
	for _, g := range all {
		for _, a := range consent.AsksOf(g.Notice) {
			if a.Purpose == purpose {
				read, language = a, g.Consent.Language()
			}
		}
	}
	if read.Line == "" || language != string(p.Lang) {
		if a, ok := p.Asker.Ask(string(p.Lang), p.Store, purpose); ok {
			return a.Line, a.Detail
		}
	}
	return cmp.Or(read.Line, string(purpose)), read.Detail
}

// Stands is how many purposes are in force.
func (r Receipt) Stands() int {
	n := 0
	for _, i := range r.Items() {
		if i.Stands {
			n++
		}
	}
	return n
}

// Wording is the notice that was shown, printed again from its hash (R-CON-6).
type Wording struct{ Proven }

// Render writes the page.
func (w Wording) Render(to io.Writer) error { return render(to, "wording", w) }

// Data is everything that the record holds of a person, for that person
// (R-RGT-1; Law 91/2025/QH15 Art. 4): as a page, and as text to keep.
type Data struct {
	Proven
	People []hien.Person // the person, under each name
	Now    hien.Moment   // of the page
}

// Render writes the page.
func (d Data) Render(w io.Writer) error { return render(w, "data", d) }

// Lead says what this is, and what it lacks.
func (d Data) Lead() string { return d.T("data.lead", "store", d.Store) }

// A Section is a part of what is kept.
type Section struct {
	Title string
	Rows  []Row
}

// A Row is a line of a section.
type Row struct{ Name, Value string }

// Sections are what is kept, in the order in which one would ask for it.
func (d Data) Sections() (all []Section) {
	for _, p := range d.People {
		all = append(all, d.who(p), d.standing(p))
		for _, g := range p.Given {
			all = append(all, d.given(g))
		}
		for _, c := range p.Corrected {
			all = append(all, Section{d.T("data.corrected"), append([]Row{{d.T("data.ledger"), d.T("data.entry", "number", c.Seq)}}, d.evidence(c.Commitments)...)})
		}
		all = append(all, d.visits(p), d.devices(p), d.events(p), d.ledger(p))
	}
	return slices.DeleteFunc(all, func(s Section) bool { return len(s.Rows) == 0 })
}

func (d Data) who(p hien.Person) Section {
	s := Section{Title: d.T("data.who"), Rows: []Row{{d.T("data.subject"), string(p.Consent.Subject())}}}
	for _, key := range p.Keys {
		s.Rows = append(s.Rows, Row{d.T("data.key"), string(key)})
	}
	sealed := d.T("data.sealed.none")
	if p.Sealed != "" {
		sealed = string(p.Sealed)
	}
	return Section{s.Title, append(s.Rows, Row{d.T("data.sealed"), sealed})}
}

func (d Data) standing(p hien.Person) Section {
	s := Section{Title: d.T("data.stands")}
	for _, a := range p.Consent.Answers() {
		s.Rows = append(s.Rows, Row{d.line(a.Purpose), d.answer(a.Agreed)})
	}
	return s
}

func (d Data) line(p consent.Purpose) string {
	line, _ := d.words(p)
	return line
}

func (d Data) answer(agreed bool) string {
	if agreed {
		return d.T("receipt.stands")
	}
	return d.T("receipt.refused")
}

// evidence are the names of what stands beside a ledger entry, in order; each
// has its words.
var evidence = []string{"number", "proof", "device", "address", "browser"}

func (d Data) given(g hien.Given) Section {
	s := Section{Title: d.T("receipt.given", "when", clock(g.Consent.At(), d.In))}
	for _, a := range g.Consent.Answers() {
		said := d.T("receipt.refused")
		if a.Agreed {
			said = d.T("data.agreed")
		}
		s.Rows = append(s.Rows, Row{d.line(a.Purpose), said})
	}
	s.Rows = append(s.Rows, Row{d.T("data.notice"), g.Consent.Notice().String()})
	s.Rows = append(s.Rows, d.evidence(g.Commitments)...)
	return Section{s.Title, append(s.Rows, Row{d.T("data.receipts"), fmt.Sprint(g.Receipts)})}
}

func (d Data) evidence(named map[string]consent.Commitment) (rows []Row) {
	for _, name := range evidence {
		if c, ok := named[name]; ok {
			rows = append(rows, Row{d.T("evidence." + name), d.T("data.salted", "value", c.Value, "salt", fmt.Sprintf("%x", c.Salt))})
		}
	}
	return rows
}

func (d Data) visits(p hien.Person) Section {
	s := Section{Title: d.T("data.visits")}
	for _, v := range p.Visits {
		until := "…"
		if v.End != (hien.Moment{}) {
			until = clock(v.End, d.In)
		}
		s.Rows = append(s.Rows, Row{d.T("data.visit", "nth", d.Lang.nth(v.Number)),
			d.T("data.span", "from", clock(v.Start, d.In), "until", until, "zone", v.Zone)})
	}
	return s
}

func (d Data) devices(p hien.Person) Section {
	s := Section{Title: d.T("data.marks")}
	for _, m := range p.Marks {
		s.Rows = append(s.Rows, Row{d.T("data.mark"), string(m)})
	}
	return s
}

func (d Data) events(p hien.Person) Section {
	s := Section{Title: d.T("data.events")}
	for _, e := range p.Events {
		what := d.T("event." + string(e.Kind))
		if e.Purpose != "" {
			what += ": " + d.line(e.Purpose)
		}
		if e.Answer != "" {
			what += " (" + e.Answer + ")"
		}
		s.Rows = append(s.Rows, Row{clock(e.At, d.In), what})
	}
	return s
}

func (d Data) ledger(p hien.Person) Section {
	s := Section{Title: d.T("data.ledger")}
	for _, e := range p.Entries {
		s.Rows = append(s.Rows, Row{d.T("data.entry", "number", e.Seq), e.Hash.String()})
	}
	return s
}

// Text writes the same as text: a title and an indented line for each row.
func (d Data) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s\n\n%s\n", d.T("data.heading"), d.Store, clock(d.Now, d.In), d.Lead())
	for _, s := range d.Sections() {
		fmt.Fprintf(&b, "\n%s\n", s.Title)
		for _, r := range s.Rows {
			fmt.Fprintf(&b, "  %s: %s\n", r.Name, r.Value)
		}
	}
	return b.String()
}

// Gone says that everything was erased, for the person to keep: nothing else
// is left that could.
type Gone struct {
	Frame
	Moment hien.Moment
	Proof  string         // the ledger entry's number and id
	In     *time.Location // of the hours on the page; nil is UTC
}

// Render writes the page.
func (g Gone) Render(w io.Writer) error { return render(w, "erased", g) }

// When is when it was done.
func (g Gone) When() string { return clock(g.Moment, g.In) }

// Unsure reports whether the clock was not in step then.
func (g Gone) Unsure() bool { return !g.Moment.InStep }
