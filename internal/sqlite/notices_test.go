package sqlite

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// TestANoticeIsFoundByItsHashAfterAnErasure: the person is gone, and what the
// ledger's entry refers to is there, word for word (R-CON-6).
func TestANoticeIsFoundByItsHashAfterAnErasure(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: []consent.Purpose{sms}, asked: []consent.Purpose{sms}, at: at(1)})
	if _, err := forgetAs(t.Context(), s, hien.Who{Subject: subjectOf(t, s, 1)}, at(2)); err != nil {
		t.Fatal(err)
	}
	shown := asking(visits, zalo, sms)
	hex := shown.Hash().String()
	for _, begin := range []string{hex, hex[:8]} {
		hash, text, err := s.KeptNotice(t.Context(), begin)
		want(t, "error", err, nil)
		want(t, "hash", hash, shown.Hash())
		want(t, "text", text, shown.Text())
	}
	for begin, why := range map[string]error{"": ErrManyNotices, "00000000": ErrNoNotice, "________": ErrNoNotice, hex + "00": ErrNoNotice} {
		if _, text, err := s.KeptNotice(t.Context(), begin); !errors.Is(err, why) || text != "" {
			t.Errorf("%q: %v, %q; want %v", begin, err, text, why)
		}
	}
	other := sha256.Sum256([]byte("what was never shown"))
	if _, err := s.db.ExecContext(t.Context(), "INSERT INTO notices (hash, text) VALUES (?, 'another text')", other[:]); err != nil {
		t.Fatal(err)
	}
	if _, text, err := s.KeptNotice(t.Context(), consent.Hash(other).String()); err == nil || text != "" {
		t.Errorf("a text that is not its hash's is printed: %q", text)
	}
}
