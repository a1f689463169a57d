package consent

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An Asker is who asks, and by which policy: all that a notice is made of
// beside the shop's name and the purposes. The zero Asker asks nobody.
type Asker struct {
	Policy     *Policy
	Controller Controller
	NoNumber   bool // no number is asked for: the code of the shop's till does
}

// Lacks are the facts that its notices still need. While there is one, nobody
// is asked (R-CON-4).
func (a Asker) Lacks() []Fact {
	if a.Policy == nil {
		return nil
	}
	return a.Policy.Lacks(a.Controller)
}

// Ready reports whether its notices are complete.
func (a Asker) Ready() bool { return a.Policy != nil && len(a.Lacks()) == 0 }

// Notice makes the notice for these purposes, as Policy.Notice does. Without a
// policy it is ErrIncomplete too.
func (a Asker) Notice(language, store string, purposes []Purpose) (Notice, error) {
	if a.Policy == nil {
		return Notice{}, ErrIncomplete
	}
	return a.Policy.notice(language, store, a.Controller, purposes, a.NoNumber)
}

// Ask is how one purpose is put to a person; false without a policy, or when
// the policy has no words for it.
func (a Asker) Ask(language, store string, purpose Purpose) (Ask, bool) {
	if a.Policy == nil {
		return Ask{}, false
	}
	return a.Policy.ask(language, purpose, a.Policy.filler(language, store, a.Controller))
}

// ask words one purpose; fill puts the facts in.
func (p *Policy) ask(language string, purpose Purpose, fill func(string) string) (Ask, bool) {
	use, ok := p.Use(purpose)
	if !ok {
		return Ask{}, false
	}
	words := use.VI
	if language == "en" {
		words = use.EN
	}
	_, partner, _ := strings.Cut(string(purpose), ":")
	own := strings.NewReplacer("{partner}", partner, "{max}", strconv.Itoa(use.MaxPerMonth))
	return Ask{Purpose: purpose, Line: fill(own.Replace(words.Line)), Detail: fill(own.Replace(words.Detail))}, true
}

// Substance is what matters in the policy's notices for a controller, whatever
// their language, the shop's name and the purposes: the policy's version, by
// which channels and at most how often people are reached, who decides, who
// receives and works for it, and where data goes. What was agreed to under
// another substance is asked for again (R-CON-9). An address or a telephone number
// that changes is none; nor is who carries codes: they are given a number when it
// is typed, below the notice that names them, and nothing of who gave it before.
func (p *Policy) Substance(c Controller) Hash {
	var b strings.Builder
	fmt.Fprintf(&b, "hien substance 1\n%q %q %q %q %q\n", p.Version, c.Name, c.TaxID, c.Operator, c.Transfer)
	for _, name := range slices.Sorted(slices.Values(c.Recipients)) {
		fmt.Fprintf(&b, "recipient %q\n", name)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Purposes)) {
		use := p.Purposes[name]
		fmt.Fprintf(&b, "purpose %q %q %d %t\n", name, use.Channels, use.MaxPerMonth, use.Sensitive)
	}
	return sha256.Sum256([]byte(b.String()))
}

// Substance is that of the asker's notices; zero without a policy.
func (a Asker) Substance() Hash {
	if a.Policy == nil {
		return Hash{}
	}
	return a.Policy.Substance(a.Controller)
}
