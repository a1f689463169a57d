package consent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Hash is a SHA-256. It prints as lower-case hex.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash as hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) != 2*len(h) {
		return fmt.Errorf("hash of %d characters: want %d", len(b), 2*len(h))
	}
	_, err := hex.Decode(h[:], b)
	return err
}

// A Notice is what is put before a person, word for word, in one language.
// Two notices with the same Text are the same notice.
type Notice struct {
	Version  string // of the policy texts, e.g. "vn-2026.1"
	Language string // BCP 47: "vi", "en"
	Title    string // who asks
	Asks     []Ask  // in the order in which they stand on the page
	Body     []string

	// Substance is what matters in the notice, see Policy.Substance. It is no
	// part of the text; zero where no policy made the notice.
	Substance Hash
}

// An Ask is one purpose as it is put to the person.
type Ask struct {
	Purpose Purpose
	Line    string // what the person agrees to
	Detail  string // content, channel and at most how often (Law 91/2025/QH15 Art. 28)
}

// Text is the canonical wording, the text that is hashed, kept and printed
// again (R-CON-6).
func (n Notice) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "notice %s (%s)\n\n%s\n", n.Version, n.Language, n.Title)
	for _, a := range n.Asks {
		fmt.Fprintf(&b, "\n[ ] %s: %s\n    %s\n", a.Purpose, a.Line, a.Detail)
	}
	for _, p := range n.Body {
		fmt.Fprintf(&b, "\n%s\n", p)
	}
	return b.String()
}

// Hash is the SHA-256 of Text: the name of the notice.
func (n Notice) Hash() Hash { return sha256.Sum256([]byte(n.Text())) }

// Asked reports whether the notice asks for p.
func (n Notice) Asked(p Purpose) bool {
	for _, a := range n.Asks {
		if a.Purpose == p {
			return true
		}
	}
	return false
}

// AsksOf are the asks of a notice that was kept as its Text. A text that is
// none has none.
func AsksOf(text string) []Ask {
	var asks []Ask
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i++ {
		row, ok := strings.CutPrefix(lines[i], "[ ] ")
		name, line, cut := strings.Cut(row, ": ")
		detail, indented := strings.CutPrefix(lines[i+1], "    ")
		if p, err := ParsePurpose(name); ok && cut && indented && err == nil {
			asks = append(asks, Ask{Purpose: p, Line: line, Detail: detail})
		}
	}
	return asks
}
