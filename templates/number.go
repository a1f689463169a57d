package templates

import "io"

// The words of the page on which a number is changed, beside those of Mine: a
// number was proved, and nothing was changed.
const (
	NumberTaken MineWord = "taken" // it is another person's here
	NumberSame  MineWord = "same"  // it is the person's already
	NumberNone  MineWord = "none"  // there is no number to be changed
)

// Number is where the receipt's person changes the number: a new one that is
// proved by a code, as on the way to one's own data.
type Number struct {
	Mine
	Secret string // of the receipt
}

// Render writes the page.
func (n Number) Render(w io.Writer) error { return render(w, "number", n) }

// At is an address behind the receipt's link.
func (n Number) At(path string) string { return Proven{Secret: n.Secret}.At(path) }

// Says is a word beside the question; empty when there is none.
func (n Number) Says() string {
	switch n.Word {
	case NumberTaken, NumberSame, NumberNone:
		return n.T("number." + string(n.Word))
	case MineMany, MineNotSent:
		return n.Mine.Says()
	}
	return ""
}
