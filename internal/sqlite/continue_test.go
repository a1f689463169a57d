package sqlite

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/hien-wifi/hien/consent"
)

var second = consent.NewSigner(ed25519.NewKeyFromSeed([]byte("another seed of tests, 32 bytes.")[:32]))

// TestTheLedgerGoesOverToAnotherKey twice, and holds for the last one only.
func TestTheLedgerGoesOverToAnotherKey(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	path := s.path
	third := consent.NewSigner(ed25519.NewKeyFromSeed([]byte("the third seed of tests, 32 byte")[:32]))
	old := signer
	for n, next := range []consent.Signer{second, third} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = reopen(t, path, func(o *Options) { o.Signer = next })
		if err := s.Continue(t.Context(), Continuation{Old: &old, Store: "hcm-q1-01", At: at(10 + n)}); err != nil {
			t.Fatal(err)
		}
		optIn(t, s, application{id: consentID(n + 2), person: 1, device: 1, agreed: all, at: at(20 + n)})
		if _, err := s.Verify(t.Context(), next.Public()); err != nil {
			t.Errorf("after hand-over %d: %v", n+1, err)
		}
		if _, err := s.Verify(t.Context(), old.Public()); !errors.Is(err, consent.ErrBroken) {
			t.Errorf("after hand-over %d, with the old key: %v; want ErrBroken", n+1, err)
		}
		old = next
	}
	first, err := s.Origin(t.Context(), third.Public())
	if err != nil || !first.Equal(signer.Public()) {
		t.Errorf("the first entry's key: %x, %v; want the first router's", first, err)
	}
	for e, err := range s.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		key, err := s.KeyAt(t.Context(), e.Seq, third.Public())
		if err != nil || !ed25519.Verify(key, e.Hash[:], e.Signature) {
			t.Errorf("entry %d is said to be of key %s, %v, which did not sign it", e.Seq, consent.KeyID(key), err)
		}
	}
	want(t, "marks", number(t, s, "SELECT count(*) FROM marks"), 1) // that of the last consent
	// A history that ends where the new key is only named is not the new key's.
	if err := s.write(t.Context(), "cut", func(t *tx) error {
		_, err := t.Exec(`DROP TRIGGER ledger_is_not_cut; DELETE FROM commitments; DELETE FROM ledger WHERE seq > 2;
			UPDATE ledger_head SET seq = 2, hash = (SELECT hash FROM ledger WHERE seq = 2)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []consent.Signer{second, third} {
		if _, err := s.Verify(t.Context(), key.Public()); !errors.Is(err, consent.ErrBroken) {
			t.Errorf("cut behind the first hand-over, for key %s: %v; want ErrBroken", consent.KeyID(key.Public()), err)
		}
	}
}

func TestARestoredLedgerSaysWhatIsLost(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	lost := consent.Head{Seq: 9, Hash: consent.Hash{1, 2, 3}}
	if err := s.Continue(t.Context(), Continuation{From: lost, Store: "hcm-q1-01", At: at(5)}); err != nil {
		t.Fatal(err)
	}
	verify(t, s)
	for e, err := range s.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		st, err := e.Statement()
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq == 2 && (st.Kind != consent.KindContinued || st.From == nil || st.From.Head != lost || st.Next != nil || st.Channel != "restore") {
			t.Errorf("entry 2 states %+v; want that it goes on from entry 9", st)
		}
	}
	first, err := s.Origin(t.Context(), signer.Public())
	if err != nil || !first.Equal(signer.Public()) {
		t.Errorf("the first entry's key: %x, %v; want the router's own", first, err)
	}
}
