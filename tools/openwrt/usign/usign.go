// Package usign signs as usign and signify do: Ed25519 over a whole file.
// opkg verifies a feed's Packages with usign. A file of either kind is a line
// of comment and a line of base64; the formats are those of signify(1).
package usign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// A Key signs. Its number only helps to find it among others.
type Key struct {
	number [8]byte
	key    ed25519.PrivateKey
}

const comment = "untrusted comment: "

// NewKey makes a key, by chance.
func NewKey() (Key, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("make signing key: %w", err)
	}
	k := Key{key: key}
	rand.Read(k.number[:]) // never fails
	return k, nil
}

// Fingerprint is the key's number, as the name of its file in /etc/opkg/keys.
func (k Key) Fingerprint() string { return hex.EncodeToString(k.number[:]) }

// A secret key, without a password, is: "Ed", "BK", four bytes of rounds and
// sixteen of salt that are not used, the first eight bytes of the key's
// SHA-512, the number, the key.
const (
	prefix = 2 + 2 + 4 + 16
	secret = prefix + 8 + 8 + ed25519.PrivateKeySize
)

// Secret is the key's file. It is not encrypted.
func (k Key) Secret() []byte {
	b := make([]byte, prefix, secret)
	copy(b, "EdBK")
	sum := sha512.Sum512(k.key)
	b = append(b, sum[:8]...)
	b = append(b, k.number[:]...)
	return lines("private key "+k.Fingerprint(), append(b, k.key...))
}

// Public is the public key's file.
func (k Key) Public() []byte {
	return lines("public key "+k.Fingerprint(), k.signed(k.key.Public().(ed25519.PublicKey)))
}

// Sign is the signature's file. The same message has the same signature.
func (k Key) Sign(message []byte) []byte {
	return lines("signed by key "+k.Fingerprint(), k.signed(ed25519.Sign(k.key, message)))
}

func (k Key) signed(b []byte) []byte {
	return append(append([]byte("Ed"), k.number[:]...), b...)
}

func lines(what string, b []byte) []byte {
	return []byte(comment + what + "\n" + base64.StdEncoding.EncodeToString(b) + "\n")
}

// ParseSecret reads a secret key's file, of usign's or signify's making. One
// with a password is refused.
func ParseSecret(file []byte) (Key, error) {
	head, body, _ := strings.Cut(string(file), "\n")
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(body))
	switch {
	case !strings.HasPrefix(head, comment) || err != nil || len(b) != secret || string(b[:4]) != "EdBK":
		return Key{}, errors.New("read signing key: this is no secret key of usign or signify")
	case !bytes.Equal(b[4:8], make([]byte, 4)):
		return Key{}, errors.New("read signing key: it has a password; give one without (signify -n, or usign)")
	}
	k := Key{key: ed25519.NewKeyFromSeed(b[prefix+16 : prefix+16+ed25519.SeedSize])}
	copy(k.number[:], b[prefix+8:])
	if sum := sha512.Sum512(k.key); !bytes.Equal(b[prefix:prefix+8], sum[:8]) || !bytes.Equal(k.key, b[prefix+16:]) {
		return Key{}, errors.New("read signing key: its check does not fit, the file is damaged")
	}
	return k, nil
}
