package consent

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
)

// An ID is 128 random bits as hex: a consent's, a withdrawal's, an event's or
// a subject's name. It says nothing about whom it names.
type ID string

// NewID draws an id from the system's random source.
func NewID() ID {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return ID(hex.EncodeToString(b[:]))
}

// A Consent is a person's standing answer, purpose by purpose. It can be made
// only by Give, by Over and Without from another, and by FromRecord, so that
// whoever holds one that allows a purpose holds an answer that was given.
// The zero Consent allows nothing.
type Consent struct {
	id       ID
	subject  ID
	notice   Hash
	language string
	at       Moment
	answers  []Answer // sorted by purpose, one each
}

// Give makes the consent of subject to a notice. Agreed are the purposes that
// the person ticked; every other purpose of the notice is a no. To agree to
// what the notice did not ask is an error.
func Give(id, subject ID, n Notice, agreed []Purpose, at Moment) (Consent, error) {
	c := Consent{id: id, subject: subject, notice: n.Hash(), language: n.Language, at: at}
	for _, p := range agreed {
		if !n.Asked(p) {
			return Consent{}, fmt.Errorf("purpose %q was not asked in notice %s", p, n.Version)
		}
	}
	for _, a := range n.Asks {
		if _, ok := c.answer(a.Purpose); ok {
			return Consent{}, fmt.Errorf("notice %s asks for %q twice", n.Version, a.Purpose)
		}
		c.answers = append(c.answers, Answer{a.Purpose, slices.Contains(agreed, a.Purpose)})
	}
	sortAnswers(c.answers)
	return c, nil
}

// FromRecord makes a consent of what the record holds. Only internal/sqlite
// calls it; a test holds that.
func FromRecord(id, subject ID, notice Hash, language string, at Moment, answers []Answer) Consent {
	answers = slices.Clone(answers)
	sortAnswers(answers)
	return Consent{id: id, subject: subject, notice: notice, language: language, at: at, answers: answers}
}

// ID names the consent.
func (c Consent) ID() ID { return c.id }

// Subject is the random name of the person.
func (c Consent) Subject() ID { return c.subject }

// Notice is the hash of what the person was shown.
func (c Consent) Notice() Hash { return c.notice }

// Language is the language in which it was shown.
func (c Consent) Language() string { return c.language }

// At is when the person answered.
func (c Consent) At() Moment { return c.at }

// Answers are the answers sorted by purpose; the caller may keep the slice.
func (c Consent) Answers() []Answer { return slices.Clone(c.answers) }

// Allows reports whether the person agreed to p.
func (c Consent) Allows(p Purpose) bool {
	agreed, _ := c.answer(p)
	return agreed
}

// Agreed are the purposes that the person agreed to, sorted.
func (c Consent) Agreed() (agreed []Purpose) {
	for _, a := range c.answers {
		if a.Agreed {
			agreed = append(agreed, a.Purpose)
		}
	}
	return agreed
}

// AllowsAny reports whether the person agreed to anything at all.
func (c Consent) AllowsAny() bool {
	return slices.ContainsFunc(c.answers, func(a Answer) bool { return a.Agreed })
}

// Reaches reports whether the person agreed to a purpose that needs the
// sealed number.
func (c Consent) Reaches() bool {
	return slices.ContainsFunc(c.answers, func(a Answer) bool { return a.Agreed && a.Purpose.Reaches() })
}

func (c Consent) answer(p Purpose) (agreed, asked bool) {
	for _, a := range c.answers {
		if a.Purpose == p {
			return a.Agreed, true
		}
	}
	return false, false
}

// Over is c laid over what the same person had answered before: a purpose
// that c answers stands as c has it, any other as it stood. A consent of
// another subject is ignored.
func (c Consent) Over(before Consent) Consent {
	if before.subject != c.subject {
		return c
	}
	answers := slices.Clone(c.answers)
	for _, a := range before.answers {
		if _, ok := c.answer(a.Purpose); !ok {
			answers = append(answers, a)
		}
	}
	sortAnswers(answers)
	c.answers = answers
	return c
}

// Without is c after a withdrawal of the purposes; with none named, of all.
func (c Consent) Without(purposes ...Purpose) Consent {
	answers := slices.Clone(c.answers)
	for i, a := range answers {
		if len(purposes) == 0 || slices.Contains(purposes, a.Purpose) {
			answers[i].Agreed = false
		}
	}
	c.answers = answers
	return c
}
