package hien

import (
	"crypto/hmac"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math/big"
	"time"
	"unicode"
)

// How long a code lives, how often it may be guessed, and how many are sent.
// With a grace pass it lives for as long after that has ended, see grace.go.
const (
	CodeLife        = 5 * time.Minute
	CodeTries       = 5
	CodesPerQuarter = 3 // for each number, and for each device, within 15 minutes
	CodesPerDay     = 6
)

// A Code is a one-time code of six digits. It cannot print itself; the sender
// reveals it.
type Code struct {
	digits *string
}

// NewCode draws a code.
func NewCode() Code {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	s := fmt.Sprintf("%06d", n)
	return Code{&s}
}

// ParseCode reads six digits as people type them; ok is false for anything
// else.
func ParseCode(typed string) (c Code, ok bool) {
	var digits []byte
	for _, r := range typed {
		switch {
		case unicode.IsDigit(r) && len(digits) < 6:
			digits = append(digits, byte('0'+digitValue(r)))
		case unicode.IsSpace(r) || r == '-' || r == '.':
		default:
			return Code{}, false
		}
	}
	if len(digits) != 6 {
		return Code{}, false
	}
	s := string(digits)
	return Code{&s}, true
}

const codeMask = "[code]"

func (Code) String() string               { return codeMask }
func (Code) GoString() string             { return codeMask }
func (Code) Format(f fmt.State, _ rune)   { fmt.Fprint(f, codeMask) }
func (Code) LogValue() slog.Value         { return slog.StringValue(codeMask) }
func (Code) MarshalText() ([]byte, error) { return []byte(codeMask), nil }

// Reveal is the six digits, for the sender.
func (c Code) Reveal() string {
	if c.digits == nil {
		return ""
	}
	return *c.digits
}

// A Proof is how a person has shown that a number is theirs: by which way the
// code went that came back. It is part of a consent's evidence (R-CON-5). A
// sender names its own; see ProofStaff for the one that needs no sender.
type Proof string

// ProofStaff is the code of the shop's till (staff.go): it shows that the
// person is here, and nothing about a number.
const ProofStaff Proof = "staff"

// A Challenge is a code that was sent, kept as a keyed hash.
type Challenge struct {
	Hash    []byte        // HMAC-SHA256 of consent id and code, under a key in the daemon's memory; none with ProofStaff
	Expires time.Duration // Moment.Up
	Tries   int           // guesses that were looked at
	By      Proof         // how it went; empty until the sender has said so
	Sent    time.Duration // Moment.Up at which it was made
	Typed   time.Duration // Moment.Up at which the number was given; see keepsUnproven
}

// Left is how long the code still lives; 0 when it is dead.
func (c Challenge) Left(now Moment) time.Duration { return max(0, c.Expires-now.Up) }

func (c Challenge) matches(hash []byte) bool { return hmac.Equal(c.Hash, hash) }

func sameDigits(a, b Code) bool { return hmac.Equal([]byte(a.Reveal()), []byte(b.Reveal())) }
