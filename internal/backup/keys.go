package backup

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/hien-wifi/hien"
)

// A Recipient is the owner's public key, to which backups are sealed: an age
// key of its own, or the brand's seal key.
type Recipient struct {
	to   *age.X25519Recipient
	text string
}

// wantRecipient completes an error.
const wantRecipient = "want age1 and 58 characters, as `hien backup key` prints it, or a seal key (hien-seal-1:…)"

// ParseRecipient reads a public key.
func ParseRecipient(text string) (Recipient, error) {
	text = strings.TrimSpace(text)
	native := text
	if strings.HasPrefix(text, "hien-seal-1:") {
		seal, err := hien.ParseSealKey(text)
		if err != nil {
			return Recipient{}, err
		}
		native = bech32("age", seal.Bytes())
	}
	to, err := age.ParseX25519Recipient(native)
	if err != nil {
		return Recipient{}, errors.New("not a key for backups: " + wantRecipient)
	}
	return Recipient{to, text}, nil
}

// IsZero reports whether there is no key.
func (r Recipient) IsZero() bool { return r.to == nil }

func (r Recipient) String() string { return r.text }

// An Identity is the private half. It belongs on no router but for the minutes
// of a restore, and cannot print itself.
type Identity struct {
	of *age.X25519Identity
}

// NewIdentity draws a key.
func NewIdentity() (Identity, error) {
	id, err := age.GenerateX25519Identity()
	return Identity{id}, err
}

// maxKeyFile is how much of a file is looked at for a key.
const maxKeyFile = 64 << 10

// ReadIdentity finds the private key in a file of age-keygen's, in one of
// hien-unseal's, or in what `hien backup key` has printed: the first line that
// is one.
func ReadIdentity(r io.Reader) (Identity, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeyFile))
	if err != nil {
		return Identity{}, fmt.Errorf("read the key of the backup: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "hien-unseal-1:") {
			unseal, err := hien.ParseUnsealKey(line)
			if err != nil {
				return Identity{}, err
			}
			line = strings.ToUpper(bech32("age-secret-key-", unseal.Bytes()))
		}
		if id, err := age.ParseX25519Identity(line); err == nil {
			return Identity{id}, nil
		}
	}
	return Identity{}, errors.New("the file holds no key that opens backups: want a line AGE-SECRET-KEY-1…, as `hien backup key` has shown it, or an unseal key (hien-unseal-1:…)")
}

// Recipient is the public half.
func (id Identity) Recipient() Recipient {
	to := id.of.Recipient()
	return Recipient{to, to.String()}
}

// Reveal is the key's text, for the owner to keep away from any router.
func (id Identity) Reveal() string { return id.of.String() }

func (Identity) String() string             { return "[backup key]" }
func (Identity) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[backup key]") }

// bech32 writes bytes as age writes its keys (BIP 173, without its limit of
// length): words of five bits and a checksum, under a name in lower case.
func bech32(name string, data []byte) string {
	const letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	var words []byte
	bits, have := 0, 0
	for _, b := range data {
		bits, have = bits<<8|int(b), have+8
		for have >= 5 {
			have -= 5
			words = append(words, byte(bits>>have)&31)
		}
	}
	if have > 0 {
		words = append(words, byte(bits<<(5-have))&31)
	}
	var check []byte
	for _, c := range []byte(name) {
		check = append(check, c>>5)
	}
	check = append(check, 0)
	for _, c := range []byte(name) {
		check = append(check, c&31)
	}
	sum := bech32Sum(append(append(check, words...), 0, 0, 0, 0, 0, 0)) ^ 1
	for i := range 6 {
		words = append(words, byte(sum>>(5*(5-i)))&31)
	}
	var s strings.Builder
	s.WriteString(name + "1")
	for _, w := range words {
		s.WriteByte(letters[w])
	}
	return s.String()
}

func bech32Sum(words []byte) uint32 {
	generator := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	sum := uint32(1)
	for _, w := range words {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(w)
		for i, g := range generator {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	return sum
}
