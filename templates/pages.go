package templates

import (
	"cmp"
	"io"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A CodeWord is what the code's page has to say beside its question.
type CodeWord string

// The words; any other says nothing.
const (
	CodeBad    CodeWord = "bad"    // the code was not right
	CodeForm   CodeWord = "form"   // what was typed is no code
	CodeResent CodeWord = "resent" // another one is on its way
)

// Code is the page that asks for the code.
type Code struct {
	Frame
	LastTwo string        // of the number to which it went
	Left    time.Duration // how long it lives; 0 when it is dead
	Tries   int           // how many guesses are left
	Word    CodeWord
	Typed   string // what was typed, with CodeForm
	Staff   bool   // it is the code that the shop's till shows: none was sent

	Waiting    bool          // it was not sent yet: the shop has no internet
	NoInternet bool          // the shop has none at present
	PassLeft   time.Duration // of a pass that the guest has meanwhile; 0 without
	Grace      bool          // that is a grace pass
}

// Render writes the page.
func (c Code) Render(w io.Writer) error { return render(w, "code", c) }

// Heading is the page's first line.
func (c Code) Heading() string {
	if c.Waiting {
		return c.T("code.waiting")
	}
	return c.T("code.heading")
}

// Meanwhile says that the guest is online while it waits; empty when it is
// not.
func (c Code) Meanwhile() string {
	switch {
	case c.PassLeft <= 0:
		return ""
	case c.NoInternet || c.Waiting:
		return c.T("code.letin")
	case c.Grace:
		return c.T("code.grace", "time", c.Lang.lasting(c.PassLeft))
	}
	return c.T("code.meanwhile", "time", c.Lang.lasting(c.PassLeft))
}

// Dead reports whether the code cannot be used any more.
func (c Code) Dead() bool { return c.Left <= 0 || c.Tries <= 0 }

// Minutes is how long the code lives, rounded up.
func (c Code) Minutes() int { return int((c.Left + time.Minute - 1) / time.Minute) }

// Problem says what is wrong; empty if nothing is.
func (c Code) Problem() string {
	switch {
	case c.Waiting:
		return ""
	case c.Dead() && c.Staff:
		return c.T("code.till.dead")
	case c.Dead():
		return c.T("code.dead")
	case c.Word == CodeBad && c.Staff:
		return c.T("code.till.bad", "tries", c.Tries)
	case c.Word == CodeBad:
		return c.T("code.bad", "tries", c.Tries)
	case c.Word == CodeForm:
		return c.T("code.form")
	}
	return ""
}

// Resent reports whether the page says that another code was sent.
func (c Code) Resent() bool { return c.Word == CodeResent && !c.Dead() && !c.Staff }

// Anew is the button for another code, or for another try at the till's.
func (c Code) Anew() string {
	if c.Staff {
		return c.T("trouble.retry")
	}
	return c.T("code.again")
}

// Else is the button that drops the answer and leads back to the question.
func (c Code) Else() string {
	if c.Staff {
		return c.T("code.till.other")
	}
	return c.T("code.other")
}

// Again is what was typed.
func (c Code) Again() string { return shown(c.Typed) }

// Online is the last page: the guest is in. Nothing essential comes after
// it. While the shop has no internet it says so, and loads itself again every
// 20 seconds.
type Online struct {
	Frame
	Offer      string
	Receipt    string        // the receipt's secret; empty when there is none
	PassLeft   time.Duration // of the pass; 0 when it has no end
	NoInternet bool          // the shop has none at present
}

// Render writes the page.
func (o Online) Render(w io.Writer) error { return render(w, "online", o) }

// Heading is the page's first line.
func (o Online) Heading() string {
	if o.NoInternet {
		return o.T("online.waiting")
	}
	return o.T("online.heading")
}

// Lasts is how long the pass lasts, in words; empty when it has no end.
func (o Online) Lasts() string { return o.Lang.lasting(o.PassLeft) }

// Outside says kindly that the guest cannot come in now, and who can help.
type Outside struct {
	Frame
	Why     hien.Why
	BackIn  time.Duration // until it may come in again; 0 when that is not known
	Receipt string        // the receipt's secret; empty when there is none
}

// Render writes the page.
func (o Outside) Render(w io.Writer) error { return render(w, "outside", o) }

// Heading is the page's first line.
func (o Outside) Heading() string {
	if o.Why == hien.WhySpent {
		return o.T("outside.spent")
	}
	return o.T("outside.blocked")
}

// Says is what to do.
func (o Outside) Says() string {
	switch {
	case o.Why != hien.WhySpent:
		return o.T("outside.ask")
	case o.BackIn <= 0:
		return o.T("outside.again")
	}
	return o.T("outside.back", "time", o.Lang.lasting(o.BackIn))
}

// NoticePage is the whole notice. Its one button goes back to the question
// with everything still filled in.
type NoticePage struct {
	Frame
	Notice consent.Notice
	Given  Given
}

// Render writes the page.
func (n NoticePage) Render(w io.Writer) error { return render(w, "notice", n) }

// Typed is the number as it was typed.
func (n NoticePage) Typed() string { return shown(n.Given.Phone) }

// Receipt is a person's proof of a consent, and the way to take it back.
type Receipt struct {
	Frame
	Secret  string
	Receipt hien.Receipt
	Asker   consent.Asker  // who words the purposes in the page's language
	In      *time.Location // of the hours on the page; nil is UTC
	Done    bool           // something was just taken back
}

// Render writes the page.
func (r Receipt) Render(w io.Writer) error { return render(w, "receipt", r) }

// When is the time of the answer, as both languages write it here.
func (r Receipt) When() string {
	in := r.In
	if in == nil {
		in = time.UTC
	}
	return r.Receipt.Given.At().Wall.In(in).Format("15:04, 02/01/2006")
}

// Unsure reports whether the clock was not in step then (R-CON-10).
func (r Receipt) Unsure() bool { return !r.Receipt.Given.At().InStep }

// An Item is one purpose on a receipt.
type Item struct {
	Purpose      consent.Purpose
	Line, Detail string
	Stands       bool
	State        string // in words
}

// Items are the purposes that were answered, then or before, as they stand
// now.
func (r Receipt) Items() []Item {
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
func (r Receipt) words(p consent.Purpose) (line, detail string) {
	var read consent.Ask
	for _, a := range consent.AsksOf(r.Receipt.Notice) {
		if a.Purpose == p {
			read = a
		}
	}
	if read.Line == "" || r.Receipt.Given.Language() != string(r.Lang) {
		if a, ok := r.Asker.Ask(string(r.Lang), r.Store, p); ok {
			return a.Line, a.Detail
		}
	}
	return cmp.Or(read.Line, string(p)), read.Detail
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

// Withdraw is where the receipt's forms go.
func (r Receipt) Withdraw() string { return "/receipt/" + r.Secret + "/withdraw" }

// A TroubleWhy says why a page could not be what was asked for.
type TroubleWhy string

// The reasons, each with a sentence in the catalogues.
const (
	TroubleStorage TroubleWhy = "storage" // the answer could not be kept
	TroubleNotSent TroubleWhy = "notsent" // the code could not be sent
	TroubleMany    TroubleWhy = "many"    // too many codes
	TroubleClosed  TroubleWhy = "closed"  // nothing is asked for at present
	TroubleDevice  TroubleWhy = "device"  // the device is not known
	TroubleReceipt TroubleWhy = "receipt" // there is no such receipt
	TroubleOther   TroubleWhy = "other"
)

// ParseTroubleWhy reads a reason; what is none is TroubleOther.
func ParseTroubleWhy(s string) TroubleWhy {
	switch w := TroubleWhy(s); w {
	case TroubleStorage, TroubleNotSent, TroubleMany, TroubleClosed, TroubleDevice, TroubleReceipt:
		return w
	}
	return TroubleOther
}

// Trouble says kindly that something did not work, and offers the way in
// without giving anything: access never hangs on what failed.
type Trouble struct {
	Frame
	Why TroubleWhy
}

// Render writes the page.
func (t Trouble) Render(w io.Writer) error { return render(w, "trouble", t) }

// Says is what happened and what to do.
func (t Trouble) Says() string {
	if t.Why == TroubleReceipt {
		return t.T("receipt.unknown")
	}
	return t.T("trouble." + string(t.Why))
}

// MayEnter reports whether the page offers to go on without.
func (t Trouble) MayEnter() bool { return t.Why != TroubleDevice && t.Why != TroubleReceipt }

// MayRetry reports whether trying again can help.
func (t Trouble) MayRetry() bool {
	return t.Why != TroubleStorage && t.Why != TroubleClosed && t.Why != TroubleReceipt
}
