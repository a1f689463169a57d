package templates

import (
	"errors"
	"io"
	"time"

	"github.com/hien-wifi/hien"
)

// A MineWord is what the page of somebody without a receipt has to say.
type MineWord string

// The words; any other says nothing.
const (
	MineBad     MineWord = "bad"     // the code was not right
	MineForm    MineWord = "form"    // what was typed is no code
	MineNothing MineWord = "nothing" // the number is proved, and nothing is kept of it
	MineMany    MineWord = "many"    // too many codes
	MineNotSent MineWord = "notsent" // the code could not be sent
	MineDone    MineWord = "done"    // something was taken back
)

// Mine is the way to one's own data without a receipt: what the device may
// take back, and a number that is proved by a code for everything else.
type Mine struct {
	Frame
	Mine  hien.Mine
	Word  MineWord
	Typed string // the number, with Err
	Err   error  // what ParsePhone said of the number
}

// Render writes the page.
func (m Mine) Render(w io.Writer) error { return render(w, "mine", m) }

// Says is a word beside the question; empty when there is none.
func (m Mine) Says() string {
	switch m.Word {
	case MineNothing, MineMany, MineNotSent:
		return m.T("mine." + string(m.Word))
	case MineDone:
		return m.T("receipt.done")
	}
	return ""
}

// Problem says under the field what is wrong; empty if nothing is.
func (m Mine) Problem() string {
	var e *hien.PhoneError
	switch {
	case errors.As(m.Err, &e):
		return m.T("phone."+string(e.Reason), "number", national(e.New))
	case m.Mine.Waits && !m.Dead() && m.Word == MineBad:
		return m.T("code.bad", "tries", m.Mine.Tries)
	case m.Mine.Waits && !m.Dead() && m.Word == MineForm:
		return m.T("code.form")
	}
	return ""
}

// Again is the number as it was typed.
func (m Mine) Again() string { return shown(m.Typed) }

// Waits reports whether a code was sent and not typed yet.
func (m Mine) Waits() bool { return m.Mine.Waits }

// Sends reports whether a code can be sent.
func (m Mine) Sends() bool { return m.Mine.Sends }

// LastTwo are the number's last digits.
func (m Mine) LastTwo() string { return m.Mine.LastTwo }

// Dead reports whether the code cannot be used any more.
func (m Mine) Dead() bool { return m.Mine.Left <= 0 || m.Mine.Tries <= 0 }

// Minutes is how long the code lives, rounded up.
func (m Mine) Minutes() int { return int((m.Mine.Left + time.Minute - 1) / time.Minute) }

// Stands are the purposes that the device's own person agreed to.
func (m Mine) Stands() (items []Item) {
	for _, a := range m.Mine.Standing.Answers() {
		if !a.Agreed {
			continue
		}
		i := Item{Purpose: a.Purpose, Line: string(a.Purpose), Stands: true, State: m.T("receipt.stands")}
		if ask, ok := m.Mine.Asker.Ask(string(m.Lang), m.Store, a.Purpose); ok {
			i.Line = ask.Line
		}
		items = append(items, i)
	}
	return items
}
