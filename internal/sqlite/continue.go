package sqlite

import (
	"context"
	"crypto/ed25519"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A Continuation says that the ledger goes on, from where, and with whose key.
type Continuation struct {
	// From is the end of the ledger as it was last known, where that was later
	// than this one's; the zero Head for this one's own.
	From consent.Head
	// Old is the key of the entries so far, when the store signs with another;
	// nil when it does not.
	Old   *consent.Signer
	Store string // the shop
	At    hien.Moment
}

// Continue states in the ledger that it goes on, and with another key hands it
// over. Member marks and refusals are the old key's and go then: whoever holds
// it knows them.
func (s *Store) Continue(ctx context.Context, c Continuation) error {
	return s.write(ctx, "go on with the ledger", func(t *tx) error {
		end, err := head(ctx, t)
		if err != nil {
			return err
		}
		first, err := origin(ctx, t, s.own(c))
		if err != nil {
			return err
		}
		from := consent.Origin{Key: first, Head: end}
		if c.From.Seq > end.Seq {
			from.Head = c.From
		}
		state := func(next ed25519.PublicKey, by consent.Signer) error {
			st := consent.StateContinued(consent.NewID(), from, next, c.At)
			st.Store, st.Channel, st.Build = c.Store, "restore", hien.Version
			e, err := t.appendEntry(ctx, st, by)
			from.Head = e.Head()
			return err
		}
		if c.Old != nil {
			if err := state(s.signer.Public(), *c.Old); err != nil {
				return err
			}
			if _, err := t.exec(ctx, "INSERT INTO ledger_origin VALUES (1, ?) ON CONFLICT DO NOTHING", []byte(first)); err != nil {
				return err
			}
			for _, marks := range []string{"DELETE FROM marks", "DELETE FROM refusals"} {
				if _, err := t.exec(ctx, marks); err != nil {
					return err
				}
			}
		}
		return state(nil, s.signer)
	})
}

// own is the key of the entries so far.
func (s *Store) own(c Continuation) ed25519.PublicKey {
	if c.Old != nil {
		return c.Old.Public()
	}
	return s.signer.Public()
}
