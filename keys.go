package hien

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hien-wifi/hien/consent"
)

// A LeadKey is the person across the brand's shops: "k<version>:" and the hex
// HMAC-SHA256, under the brand key, of "phone:v1:" and the number in E.164.
// It is pseudonymised, not anonymous: whoever holds the brand key can try all
// numbers.
type LeadKey string

// A BrandKey makes lead keys. It is one secret for all shops of a brand.
type BrandKey struct {
	version int
	secret  []byte
}

const brandKeySize = 32

// NewBrandKey draws a key.
func NewBrandKey(version int) BrandKey {
	k := BrandKey{version, make([]byte, brandKeySize)}
	rand.Read(k.secret)
	return k
}

// ParseBrandKey reads what Reveal wrote, surrounded by any white space.
func ParseBrandKey(text string) (BrandKey, error) {
	version, secret, ok := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.Atoi(strings.TrimPrefix(version, "k"))
	b, hexErr := hex.DecodeString(secret)
	if !ok || !strings.HasPrefix(version, "k") || err != nil || n < 1 || hexErr != nil || len(b) != brandKeySize {
		return BrandKey{}, errors.New("not a brand key: want k<version>:<64 hex digits>, as `hien keygen` makes it")
	}
	return BrandKey{n, b}, nil
}

// Reveal is the key's text, for its file.
func (k BrandKey) Reveal() string { return fmt.Sprintf("k%d:%x", k.version, k.secret) }

func (BrandKey) String() string             { return "[brand key]" }
func (BrandKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[brand key]") }

// IsZero reports whether there is no key.
func (k BrandKey) IsZero() bool { return len(k.secret) == 0 }

// Version is the key's version, 1 for a brand's first.
func (k BrandKey) Version() int { return k.version }

// Print names the key without telling it, so that a sheet of paper, a file and
// a router can be compared: the first 8 bytes of the SHA-256 of its text.
func (k BrandKey) Print() string { return printOf(k.Reveal()) }

func printOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%x-%x-%x-%x", sum[:2], sum[2:4], sum[4:6], sum[6:8])
}

// LeadKey is the person with that number.
func (k BrandKey) LeadKey(p Phone) LeadKey {
	return LeadKey(fmt.Sprintf("k%d:%x", k.version, mac(k.secret, "phone:v1:"+p.Reveal())))
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// A SealedPhone is a number that only the holder of the brand's private seal
// key can open: "s1:" and base64url of HPKE's encapsulated key and ciphertext
// (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
// ChaCha20-Poly1305, info "hien phone v1"), with the consent's id as
// associated data.
type SealedPhone string

const (
	sealedPrefix  = "s1:"
	sealPublic    = "hien-seal-1:"
	sealPrivate   = "hien-unseal-1:"
	sealInfo      = "hien phone v1"
	x25519KeySize = 32
)

// A SealKey seals numbers. It is a public key: the router cannot open what it
// sealed.
type SealKey struct {
	public *ecdh.PublicKey
}

// An UnsealKey opens what was sealed. It never rests on a router.
type UnsealKey struct {
	private *ecdh.PrivateKey
}

// NewSealKey draws a key pair.
func NewSealKey() (SealKey, UnsealKey, error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return SealKey{}, UnsealKey{}, fmt.Errorf("make seal key: %w", err)
	}
	return SealKey{private.PublicKey()}, UnsealKey{private}, nil
}

// ParseSealKey reads what String wrote.
func ParseSealKey(text string) (SealKey, error) {
	enc, ok := strings.CutPrefix(strings.TrimSpace(text), sealPublic)
	b, err := base64.RawURLEncoding.DecodeString(enc)
	if !ok || err != nil || len(b) != x25519KeySize {
		return SealKey{}, errors.New("not a seal key: want hien-seal-1:<43 characters>, as `hien keygen` prints it")
	}
	public, err := ecdh.X25519().NewPublicKey(b)
	if err != nil {
		return SealKey{}, fmt.Errorf("not a seal key: %w", err)
	}
	return SealKey{public}, nil
}

func (k SealKey) String() string {
	if k.IsZero() {
		return ""
	}
	return sealPublic + base64.RawURLEncoding.EncodeToString(k.public.Bytes())
}

// Print names the pair, as BrandKey.Print does.
func (k SealKey) Print() string { return printOf(k.String()) }

// Bytes are the public key as X25519 has it (RFC 7748).
func (k SealKey) Bytes() []byte { return k.public.Bytes() }

// IsZero reports whether there is no key.
func (k SealKey) IsZero() bool { return k.public == nil }

// Seal closes the number for the holder of the private key, bound to the
// consent under which it was given.
func (k SealKey) Seal(p Phone, under consent.ID) (SealedPhone, error) {
	sealed, err := k.SealText(sealInfo, []byte(under), []byte(p.Reveal()))
	if err != nil {
		return "", fmt.Errorf("seal number: %w", err)
	}
	return SealedPhone(sealedPrefix + base64.RawURLEncoding.EncodeToString(sealed)), nil
}

// SealText closes any text for the holder of the private key. info says what
// kind of text it is, and bound is what it belongs to: it opens under the same
// two only.
func (k SealKey) SealText(info string, bound, text []byte) ([]byte, error) {
	public, err := hpke.NewDHKEMPublicKey(k.public)
	if err != nil {
		return nil, err
	}
	enc, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info))
	if err != nil {
		return nil, err
	}
	sealed, err := sender.Seal(bound, text)
	return append(enc, sealed...), err
}

// ParseUnsealKey reads what Reveal wrote.
func ParseUnsealKey(text string) (UnsealKey, error) {
	enc, ok := strings.CutPrefix(strings.TrimSpace(text), sealPrivate)
	b, err := base64.RawURLEncoding.DecodeString(enc)
	if !ok || err != nil || len(b) != x25519KeySize {
		return UnsealKey{}, errors.New("not an unseal key: want hien-unseal-1:<43 characters>, as `hien keygen` prints it")
	}
	private, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		return UnsealKey{}, fmt.Errorf("not an unseal key: %w", err)
	}
	return UnsealKey{private}, nil
}

// Reveal is the key's text, for the owner to keep away from any router.
func (k UnsealKey) Reveal() string {
	return sealPrivate + base64.RawURLEncoding.EncodeToString(k.private.Bytes())
}

// SealKey is the public half.
func (k UnsealKey) SealKey() SealKey { return SealKey{k.private.PublicKey()} }

// Bytes are the private key as X25519 has it, for what else it opens.
func (k UnsealKey) Bytes() []byte { return k.private.Bytes() }

func (UnsealKey) String() string             { return "[unseal key]" }
func (UnsealKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[unseal key]") }

// Open opens a sealed number under the consent for which it was sealed.
func (k UnsealKey) Open(s SealedPhone, under consent.ID) (Phone, error) {
	enc, ok := strings.CutPrefix(string(s), sealedPrefix)
	b, err := base64.RawURLEncoding.DecodeString(enc)
	if !ok || err != nil || len(b) <= x25519KeySize {
		return Phone{}, errors.New("not a sealed number")
	}
	text, err := k.OpenText(sealInfo, []byte(under), b)
	if err != nil {
		return Phone{}, fmt.Errorf("open sealed number: %w", err)
	}
	return ParsePhone(string(text))
}

// OpenText opens what SealText closed.
func (k UnsealKey) OpenText(info string, bound, sealed []byte) ([]byte, error) {
	if len(sealed) < x25519KeySize {
		return nil, errors.New("it is too short")
	}
	private, err := hpke.NewDHKEMPrivateKey(k.private)
	if err != nil {
		return nil, err
	}
	r, err := hpke.NewRecipient(sealed[:x25519KeySize], private, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info))
	if err != nil {
		return nil, err
	}
	return r.Open(bound, sealed[x25519KeySize:])
}

// A RouterKey is the router's own secret: it signs the ledger and keys the
// device marks. It never leaves the router but in its owner's backup.
type RouterKey struct {
	seed    []byte
	mark    []byte
	refusal []byte // of another derivation, so that no two marks join
}

// NewRouterKey draws a key.
func NewRouterKey() RouterKey {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	return routerKey(seed)
}

// ParseRouterKey reads what Reveal wrote.
func ParseRouterKey(text string) (RouterKey, error) {
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != ed25519.SeedSize {
		return RouterKey{}, errors.New("not a router key: want 64 hex digits")
	}
	return routerKey(b), nil
}

func routerKey(seed []byte) RouterKey {
	mark, err := hkdf.Key(sha256.New, seed, nil, "hien member mark v1", sha256.Size)
	if err != nil {
		panic(err) // only an impossible length fails
	}
	refusal, err := hkdf.Key(sha256.New, seed, nil, "hien refusal mark v1", sha256.Size)
	if err != nil {
		panic(err)
	}
	return RouterKey{seed, mark, refusal}
}

// Reveal is the key's text, for its file.
func (k RouterKey) Reveal() string { return hex.EncodeToString(k.seed) }

func (RouterKey) String() string             { return "[router key]" }
func (RouterKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[router key]") }

// Signer signs the router's ledger.
func (k RouterKey) Signer() consent.Signer {
	return consent.NewSigner(ed25519.NewKeyFromSeed(k.seed))
}

// MemberMark is the mark by which a returning device of a member is known.
func (k RouterKey) MemberMark(m MAC) Mark {
	return Mark(hex.EncodeToString(mac(k.mark, "member:v1:"+string(m[:]))[:16]))
}

// RefusalMark is the mark by which a device is known that said no, and by which
// nothing else is.
func (k RouterKey) RefusalMark(m MAC) Mark {
	return Mark(hex.EncodeToString(mac(k.refusal, "refusal:v1:"+string(m[:]))[:16]))
}

// A memoryKey seals what rests in the livebook only while this process lives.
type memoryKey struct {
	aead cipher.AEAD
	mac  []byte
}

func newMemoryKey() memoryKey {
	var b [64]byte
	rand.Read(b[:])
	block, err := aes.NewCipher(b[:32])
	if err != nil {
		panic(err) // only an impossible length fails
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return memoryKey{aead, b[32:]}
}

func (k memoryKey) seal(p Phone, under consent.ID) []byte {
	return k.aead.Seal(nil, nil, []byte(p.Reveal()), []byte(under))
}

func (k memoryKey) open(sealed []byte, under consent.ID) (Phone, error) {
	b, err := k.aead.Open(nil, nil, sealed, []byte(under))
	if err != nil || len(b) == 0 { // a form can be without a number
		return Phone{}, err
	}
	return ParsePhone(string(b))
}

// evidenceMark names a device in the proof of a consent and nowhere else, so
// that it joins with no other mark.
func (k RouterKey) evidenceMark(m MAC) string {
	return hex.EncodeToString(mac(k.mark, "evidence:v1:"+string(m[:]))[:16])
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
