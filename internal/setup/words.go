package setup

import (
	"fmt"
	"strings"
)

// A Language is one in which setup speaks.
type Language string

// The languages.
const (
	English    Language = "en"
	Vietnamese Language = "vi"
)

// ParseLanguage reads a language as --lang and LANG name it: en, vi_VN.UTF-8.
func ParseLanguage(s string) (Language, bool) {
	code, _, _ := strings.Cut(strings.ToLower(s), "_")
	code, _, _ = strings.Cut(code, "-")
	switch l := Language(code); l {
	case English, Vietnamese:
		return l, true
	}
	return "", false
}

// A Phrase is a sentence in every language. The same arguments go into each:
// %[1]v is the first.
type Phrase int

// say puts a Phrase into words.
func (l Language) say(p Phrase, args ...any) string {
	text, ok := phrases[p][l]
	if !ok {
		text = phrases[p][English]
	}
	return fmt.Sprintf(text, args...)
}

// A Note is something that the owner should know.
type Note struct {
	phrase Phrase
	args   []any
}

// In is the note in a language.
func (n Note) In(l Language) string { return l.say(n.phrase, n.args...) }

// A Refusal says why something cannot be done, and what can be.
type Refusal struct{ Note }

// Error is the refusal in English.
func (r *Refusal) Error() string { return r.In(English) }

// Unwrap is the cause, where there is one.
func (r *Refusal) Unwrap() error {
	for _, a := range r.args {
		if err, ok := a.(error); ok {
			return err
		}
	}
	return nil
}

func refuse(p Phrase, args ...any) *Refusal { return &Refusal{Note{p, args}} }

// SmallRouter refuses a machine of which the kernel has less memory than is
// needed; both are in MiB.
func SmallRouter(has, needs uint64) error { return refuse(smallRouter, has, needs) }

// The refusals.
const (
	unreadable Phrase = iota
	unsaved
	manyZones
	shopsOwn
	isUplink
	sharedZone
	noNetwork
	badNetwork
	takenNetwork
	badSSID
	takenSSID
	badName
	badID
	badFact
	badSealKey
	noSealKey
	noInterface
	noRouter
	smallRouter
	noWAN
	takenBridge
	takenZone
	takenPool
	takenName
	noSuchNetwork
	noRadio
	whichRadio
	badRadio
	cannotOWE
	badYes
	badPurpose
	manyPartners
	badSender
	staffReaches
	needAnswer
	notHere
	noEar
	busy
	waiting
	nothingWaits
	returned

	// Notes.
	otherID
	noSuchLink
	plainNeeds
	zoneOpen
	noPool
	notIsolated
	noWiFi
	radioOff
	incomplete
	unnamedCarrier
	noSender
	trialSender
	tillsCode

	// Questions; fields.go.
	askName
	askID
	askInterface
	askLink
	askNetwork
	askSSID
	askRadios
	askOWE
	askPurposes
	askController
	askAddress
	askTaxID
	askContact
	askSealKey
	askSender
	askMasquerade
	ownChoice
	existingChoice
	purposeVisits
	purposeZalo
	purposeSMS
	purposeAds
	purposeProfile
	yesWord
	noWord

	// What the owner is told; owner.go.
	goAhead
	goPlain
	goUndo
	sealMade
	sealKept
	served
	notServed
	unproven
	keepIt

	// What a command says at its end.
	Working // the changes are being made
	Kept
	Nothing
	Untouched
	Undone
	Recovered
	Written
	Enable
	StartBy

	lastPhrase
)

// Words are an error in a language: what of it is a refusal. Other errors are
// as they are.
func (l Language) Words(err error) string {
	text := err.Error()
	var each func(err error)
	each = func(err error) {
		switch e := err.(type) {
		case *Refusal:
			text = strings.Replace(text, e.Error(), e.In(l), 1)
		case interface{ Unwrap() error }:
			each(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, one := range e.Unwrap() {
				each(one)
			}
		}
	}
	each(err)
	return text
}
