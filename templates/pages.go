package templates

import (
	"io"
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
	switch {
	case c.Waiting:
		return c.T("code.waiting")
	case c.Dead():
		return c.T("code.over")
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

// Asked is what the notice asks for, for the form to carry along.
func (n NoticePage) Asked() string { return Asked(n.Notice) }

// Ticked lists the purposes that the person has ticked, as Asked does: one
// field is shorter than one for each.
func (n NoticePage) Ticked() string { return list(n.Given.Ticked) }

// Typed is the number as it was typed.
func (n NoticePage) Typed() string { return shown(n.Given.Phone) }

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
