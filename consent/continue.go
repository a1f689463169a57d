package consent

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
)

// KindContinued is the kind of an entry with which a ledger goes on after it
// was put back from a backup, or with which it goes over to another key.
const KindContinued = "continued"

// An Origin says from which ledger one goes on: the key of that one's first
// entry, and its end as it was last known. Where that end is later than the
// entry before, the entries between are lost, and it is said.
type Origin struct {
	Key  ed25519.PublicKey
	Head Head
}

// StateContinued is the statement that a ledger goes on. from is where it goes
// on from; next is the key of all entries after this one, nil for no change. A
// change is stated twice: by the old key, which names the new one, and by the
// new key, which thereby stands for what was before it. The new key alone
// could have been given a history; the old one alone could be cut off and
// followed by another.
func StateContinued(id ID, from Origin, next ed25519.PublicKey, at Moment) Statement {
	return Statement{Kind: KindContinued, ID: id, Answers: []Answer{}, From: &from, Next: next, At: at}
}

// originBody is an Origin in an entry's text.
type originBody struct {
	Key  string `json:"key"` // hex
	Seq  uint64 `json:"seq"`
	Hash Hash   `json:"hash"`
}

func (s Statement) originBody() *originBody {
	if s.From == nil {
		return nil
	}
	return &originBody{hex.EncodeToString(s.From.Key), s.From.Head.Seq, s.From.Head.Hash}
}

func (b *originBody) origin() (*Origin, error) {
	if b == nil {
		return nil, nil
	}
	key, err := ParsePublicKey(b.Key)
	return &Origin{key, Head{b.Seq, b.Hash}}, err
}

// ParsePublicKey reads a public key as the ledger writes it: 64 hex digits in
// lower case.
func ParsePublicKey(text string) (ed25519.PublicKey, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != ed25519.PublicKeySize || text != hex.EncodeToString(raw) {
		return nil, fmt.Errorf("%.80q is no public key: want %d hex digits in lower case", text, 2*ed25519.PublicKeySize)
	}
	return raw, nil
}

// nextKey is the key of the entry after this one, where it is by, unless the
// entry names another.
func (b body) nextKey(by ed25519.PublicKey) (ed25519.PublicKey, error) {
	if b.NextKey == "" {
		return by, nil
	}
	key, err := ParsePublicKey(b.NextKey)
	if err != nil {
		return nil, fmt.Errorf("the key with which the ledger goes on: %w", err)
	}
	return key, nil
}
