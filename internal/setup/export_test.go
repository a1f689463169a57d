package setup

import (
	"slices"
	"time"
)

// Quick gives the owner less time: for tests with processes, in which time is
// the real one.
func (s *Setup) Quick(patience, hurry time.Duration) { s.patience, s.hurry = patience, hurry }

// Keep and WriteSome are the steps of Try, between which the power may fail.
func (s *Setup) Keep(after map[string][]byte) error {
	_, err := s.Place.keep(s.Boot, after)
	return err
}

func (s *Setup) WriteSome(after map[string][]byte, files int) error {
	r, err := s.Place.load(pendingName)
	if err != nil {
		return err
	}
	r.Files = r.Files[:files]
	return s.Place.write(r, after)
}

// Return is the first step of PutBack.
func (s *Setup) Return() error {
	_, err := s.Place.turn(pendingName, returningName)
	return err
}

// Phrases are all of them, with how many arguments each takes in a language.
func Phrases() int { return int(lastPhrase) }

func PhraseIn(p int, l Language) string { return phrases[Phrase(p)][l] }

// CommandsWhere are RouterCommands on a machine that has these files.
func CommandsWhere(hien, config string, files ...string) Commands {
	return commandsWhere(func(name string) bool { return slices.Contains(files, name) }, hien, config)
}
