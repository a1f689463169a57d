package consent

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// Format names the layout of an entry's body and the way it is chained and
// signed. It is part of what is signed.
const Format = "hien-ledger-1"

// The kinds of ledger entries.
const (
	KindConsent    = "consent"
	KindWithdrawal = "withdrawal"
	KindErasure    = "erasure"
	KindCorrection = "correction"
)

// A Statement is what an entry states, before it is chained.
type Statement struct {
	Kind        string
	ID          ID // the consent's, the withdrawal's, the erasure's or the correction's
	Subject     ID
	Answers     []Answer // a consent's answers; of a correction, as they stand; else each purpose that ends, not agreed
	Notice      Hash     // of a consent; else zero
	Language    string
	Store, Zone string
	Channel     string // where the person answered: "portal", "control"
	Build       string // of the software that asked
	At          Moment
	Commitments map[string]Hash // what stands beside the ledger, see Commit

	From *Origin           // of KindContinued
	Next ed25519.PublicKey // of KindContinued: of the entries after it; nil: no other
}

// Bind has the statement bind what stands beside the ledger.
func (s *Statement) Bind(named map[string]Commitment) {
	s.Commitments = make(map[string]Hash, len(named))
	for name, c := range named {
		s.Commitments[name] = c.Hash()
	}
}

// StateConsent is the statement of a consent just given.
func StateConsent(c Consent) Statement {
	return Statement{Kind: KindConsent, ID: c.id, Subject: c.subject, Answers: c.Answers(),
		Notice: c.notice, Language: c.language, At: c.at}
}

// StateWithdrawal is the statement that a person took back the purposes.
func StateWithdrawal(id ID, subject ID, purposes []Purpose, at Moment) Statement {
	return stateEnd(KindWithdrawal, id, subject, purposes, at)
}

// StateErasure is the statement that everything kept of a person was erased,
// who had once answered for those purposes. What is left of the person is this
// entry and those before it, which name nobody.
func StateErasure(id ID, subject ID, purposes []Purpose, at Moment) Statement {
	return stateEnd(KindErasure, id, subject, purposes, at)
}

// StateCorrection is the statement that another number has taken the place of
// the one that the person of c gave. The answers stand as they stood, and what
// the entry binds is of the new number.
func StateCorrection(id ID, c Consent, at Moment) Statement {
	return Statement{Kind: KindCorrection, ID: id, Subject: c.subject, Answers: c.Answers(), At: at}
}

func stateEnd(kind string, id, subject ID, purposes []Purpose, at Moment) Statement {
	s := Statement{Kind: kind, ID: id, Subject: subject, Answers: []Answer{}, At: at}
	for _, p := range purposes {
		s.Answers = append(s.Answers, Answer{Purpose: p})
	}
	sortAnswers(s.Answers)
	return s
}

// An Entry is one link of the ledger. Body is the exact JSON that was signed:
// it is kept and checked as bytes and never made again.
type Entry struct {
	Seq       uint64 // from 1, without gaps
	Body      []byte
	Hash      Hash   // SHA-256(Format ‖ 0x00 ‖ previous hash ‖ body)
	Signature []byte // Ed25519 over Hash
}

// A Head is the end of a ledger: what the next entry is chained to. The zero
// Head is that of an empty ledger.
type Head struct {
	Seq  uint64
	Hash Hash
}

// body is the JSON layout of an entry. The order of the fields is the order
// in the text; nothing is ever removed from it, only added with omitzero.
type body struct {
	Format      string            `json:"format"`
	Seq         uint64            `json:"seq"`
	Prev        Hash              `json:"prev"`
	Kind        string            `json:"kind"`
	ID          ID                `json:"id"`
	Subject     ID                `json:"subject"`
	Answers     []Answer          `json:"answers"`
	Notice      *Hash             `json:"notice,omitempty"`
	Language    string            `json:"language,omitempty"`
	Store       string            `json:"store"`
	Zone        string            `json:"zone,omitempty"`
	Channel     string            `json:"channel"`
	Build       string            `json:"build"`
	Time        string            `json:"time"`
	Boot        string            `json:"boot"`
	UpNS        int64             `json:"up_ns"`
	Clock       string            `json:"clock"` // "synced" or "unsynced" (R-CON-10)
	Commitments map[string]string `json:"commitments,omitempty"`
	Key         string            `json:"key"`
	From        *originBody       `json:"from,omitempty"`
	NextKey     string            `json:"next_key,omitempty"` // of the entries after it, hex
}

// A Signer signs a router's ledger.
type Signer struct {
	key ed25519.PrivateKey
}

// NewSigner signs with the router's key.
func NewSigner(key ed25519.PrivateKey) Signer { return Signer{key} }

// Public is the key with which the entries are verified.
func (s Signer) Public() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

// KeyID is the short name of a public key: the first 8 bytes of its SHA-256.
func KeyID(pub ed25519.PublicKey) string {
	h := sha256.Sum256(pub)
	return hex.EncodeToString(h[:8])
}

// Append chains and signs the next entry after head.
func Append(head Head, s Statement, by Signer) (Entry, error) {
	b := body{
		Format: Format, Seq: head.Seq + 1, Prev: head.Hash, Kind: s.Kind, ID: s.ID, Subject: s.Subject,
		Answers: slices.Clone(s.Answers), Language: s.Language, Store: s.Store, Zone: s.Zone,
		Channel: s.Channel, Build: s.Build, Time: s.At.Wall.UTC().Format(time.RFC3339Nano),
		Boot: s.At.Boot, UpNS: int64(s.At.Up), Clock: "unsynced", Key: KeyID(by.Public()),
		From: s.originBody(), NextKey: hex.EncodeToString(s.Next),
	}
	if s.At.InStep {
		b.Clock = "synced"
	}
	if s.Notice != (Hash{}) {
		b.Notice = &s.Notice
	}
	for name, h := range s.Commitments {
		if b.Commitments == nil {
			b.Commitments = make(map[string]string, len(s.Commitments))
		}
		b.Commitments[name] = h.String()
	}
	text, err := json.Marshal(b)
	if err != nil {
		return Entry{}, fmt.Errorf("write ledger entry %d: %w", b.Seq, err)
	}
	h := chain(head.Hash, text)
	return Entry{Seq: b.Seq, Body: text, Hash: h, Signature: ed25519.Sign(by.key, h[:])}, nil
}

func chain(prev Hash, text []byte) Hash {
	h := sha256.New()
	h.Write([]byte(Format))
	h.Write([]byte{0})
	h.Write(prev[:])
	h.Write(text)
	return Hash(h.Sum(nil))
}

// Head is the end of a ledger whose last entry is e.
func (e Entry) Head() Head { return Head{e.Seq, e.Hash} }

// Statement reads back what the entry states.
func (e Entry) Statement() (Statement, error) {
	b, err := e.parse()
	if err != nil {
		return Statement{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, b.Time)
	if err != nil {
		return Statement{}, fmt.Errorf("ledger entry %d: time: %w", e.Seq, err)
	}
	s := Statement{Kind: b.Kind, ID: b.ID, Subject: b.Subject, Answers: b.Answers, Language: b.Language,
		Store: b.Store, Zone: b.Zone, Channel: b.Channel, Build: b.Build,
		At: Moment{Wall: at, Boot: b.Boot, Up: time.Duration(b.UpNS), InStep: b.Clock == "synced"}}
	if b.Notice != nil {
		s.Notice = *b.Notice
	}
	if s.From, err = b.From.origin(); err == nil && b.NextKey != "" {
		s.Next, err = b.nextKey(nil)
	}
	if err != nil {
		return Statement{}, fmt.Errorf("ledger entry %d: %w", e.Seq, err)
	}
	for name, text := range b.Commitments {
		var h Hash
		if err := h.UnmarshalText([]byte(text)); err != nil {
			return Statement{}, fmt.Errorf("ledger entry %d: commitment %s: %w", e.Seq, name, err)
		}
		if s.Commitments == nil {
			s.Commitments = make(map[string]Hash)
		}
		s.Commitments[name] = h
	}
	return s, nil
}

func (e Entry) parse() (body, error) {
	var b body
	dec := json.NewDecoder(bytes.NewReader(e.Body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		return body{}, fmt.Errorf("ledger entry %d: body: %w", e.Seq, err)
	}
	return b, nil
}

// ErrBroken is wrapped by what Verify returns for a ledger that does not
// hold.
var ErrBroken = errors.New("the ledger is broken")

// Verify checks a ledger from its first entry on, and that it ends at head,
// which is kept apart so that entries cut from the end are missed. pub is the
// key of the first entry; an entry may name the key of those after it. It
// stops at the first entry that does not hold and says which and why, wrapping
// ErrBroken; any other error came from reading.
func Verify(pub ed25519.PublicKey, entries iter.Seq2[Entry, error], head Head) error {
	_, err := VerifyKeys(pub, entries, head)
	return err
}

// VerifyKeys is Verify, and answers the key of the last entry; of an empty
// ledger it is pub. A ledger that went over to another key holds for that key
// only when this is the one: whoever has neither key could cut it off behind
// the entry that names the new one.
func VerifyKeys(pub ed25519.PublicKey, entries iter.Seq2[Entry, error], head Head) (last ed25519.PublicKey, err error) {
	var at Head
	last, turn := pub, pub
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		last = turn
		if turn, err = e.follows(at, turn); err != nil {
			return nil, fmt.Errorf("%w at entry %d: %v", ErrBroken, at.Seq+1, err)
		}
		at = e.Head()
	}
	if at != head {
		return nil, fmt.Errorf("%w: it ends at entry %d (%.8s…), and %d (%.8s…) was the last that was written",
			ErrBroken, at.Seq, at.Hash, head.Seq, head.Hash)
	}
	return last, nil
}

// follows checks that the entry stands behind at and is pub's, and answers
// whose turn is next.
func (e Entry) follows(at Head, pub ed25519.PublicKey) (next ed25519.PublicKey, err error) {
	if e.Seq != at.Seq+1 {
		return nil, fmt.Errorf("its number is %d", e.Seq)
	}
	if chain(at.Hash, e.Body) != e.Hash {
		return nil, errors.New("its text or its predecessor was changed")
	}
	if !ed25519.Verify(pub, e.Hash[:], e.Signature) {
		return nil, fmt.Errorf("its signature is not that of key %s", KeyID(pub))
	}
	b, err := e.parse()
	switch {
	case err != nil:
		return nil, err
	case b.Format != Format:
		return nil, fmt.Errorf("its format is %q", b.Format)
	case b.Seq != e.Seq || b.Prev != at.Hash:
		return nil, errors.New("it says another place in the chain")
	case b.Key != KeyID(pub):
		return nil, fmt.Errorf("it names key %q", b.Key)
	}
	return b.nextKey(pub)
}

// A Commitment binds a ledger entry to a value that stands beside it and can
// be erased.
type Commitment struct {
	Salt  []byte // 16 random bytes
	Value string
}

// Commit draws a salt for value.
func Commit(value string) Commitment {
	salt := make([]byte, 16)
	rand.Read(salt)
	return Commitment{Salt: salt, Value: value}
}

// Hash is what enters the ledger: SHA-256(salt ‖ value).
func (c Commitment) Hash() Hash {
	return sha256.Sum256(append(slices.Clone(c.Salt), c.Value...))
}
