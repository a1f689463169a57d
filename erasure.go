package hien

import (
	"context"
	"crypto/hmac"
	"errors"
	"slices"

	"github.com/hien-wifi/hien/consent"
)

// A Tombstone is what is left of a person who was erased: HMAC-SHA256, under a
// key made of the router's, of the lead key. It says nothing to whoever has no
// router key, and to the router only whether a lead key is the one that was
// erased (R-RGT-5).
type Tombstone [32]byte

// Tombstone is that of the person with a lead key.
func (k RouterKey) Tombstone(key LeadKey) Tombstone {
	return Tombstone(mac(k.mark, "tombstone:v1:"+string(key)))
}

// Erase forgets a person: everything that the record holds beside the ledger,
// what is on its way, and what the livebook knows. The ledger entry, the
// tombstone, the deletions and the event that has the person erased upstream
// are one transaction, in force when Erase returns. It is the only way in for
// an erasure. channel says where it was asked for. What is left is told in
// docs/privacy.md.
//
// A pass stays: access never depends on what was given.
func (g *Gateway) Erase(ctx context.Context, who Who, channel string, now Moment) (Gone, error) {
	if g.parts.Eraser == nil {
		return Gone{}, ErrStorage
	}
	s := g.settings.Load()
	gone, err := g.parts.Eraser.Erase(ctx, who, func(all []Person) (Erasure, error) {
		var e Erasure
		var asked []consent.Purpose
		for _, p := range all {
			st := consent.StateErasure(consent.NewID(), p.Consent.Subject(), p.asked(), now)
			st.Store, st.Channel, st.Build = s.StoreID, channel, Version
			e.Statements = append(e.Statements, st)
			asked = union(asked, p.asked())
			e.Keys = union(e.Keys, p.Keys)
			if len(p.Keys) == 0 && !s.Brand.IsZero() {
				// Nobody gave a number: the key was made of the consent, see
				// staff.go.
				for _, c := range p.Given {
					e.Keys = append(e.Keys, s.Brand.presenceKey(c.Consent.ID()))
				}
			}
		}
		var err error
		e.Events, err = s.erasures(asked, e.Keys, now)
		return e, err
	})
	if err != nil {
		return Gone{}, err
	}
	g.parts.Wake()
	if err := g.forgetGuests(gone); err != nil {
		// The person is erased, and this is in memory only.
		g.complain(now, "the livebook fails; what it knows of a person who was erased goes with their stay", err)
	}
	return gone, nil
}

// erasures are the events that have a person erased upstream, one for each name
// by which it is known there.
func (s *Settings) erasures(asked []consent.Purpose, keys []LeadKey, now Moment) (events []Event, err error) {
	for _, key := range keys {
		e, err := NewErasure(asked, key, now, Facts{Store: s.StoreID})
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// Person is everything that the record holds of a person, under each name; for
// the person alone, and for who answers its requests.
func (g *Gateway) Person(ctx context.Context, who Who) ([]Person, error) {
	if g.parts.Eraser == nil {
		return nil, ErrStorage
	}
	release, err := g.oneAtATime(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return g.parts.Eraser.Person(ctx, who)
}

// oneAtATime waits until nobody else has a person looked for under each name:
// that is done in whole tables, on the record's one connection. So whoever has a
// receipt and asks over and over keeps no guest at the door waiting for more than
// one of them.
func (g *Gateway) oneAtATime(ctx context.Context) (release func(), err error) {
	select {
	case g.disclosing <- struct{}{}:
		return func() { <-g.disclosing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ErasedAt is when an erasure was recorded, for the page that proves it.
func (g *Gateway) ErasedAt(ctx context.Context, seq uint64, id consent.ID) (Moment, error) {
	if g.parts.Eraser == nil {
		return Moment{}, ErrStorage
	}
	return g.parts.Eraser.ErasedAt(ctx, seq, id)
}

// forgetGuests takes out of the livebook what belongs to a person who was
// erased: the secrets of its receipts, the visits that its stays opened, and a
// half-finished form with its number, on whatever device.
func (g *Gateway) forgetGuests(gone Gone) error {
	var found []GuestID
	err := g.parts.Book.Guests(func(guest Guest) error {
		if g.forget(&guest, gone) {
			found = append(found, guest.ID)
		}
		return nil
	})
	errs := []error{err}
	for _, id := range found {
		errs = append(errs, g.parts.Book.Change(id, func(guest *Guest) error {
			if !g.forget(guest, gone) {
				return ErrUnchanged
			}
			return nil
		}))
	}
	return errors.Join(errs...)
}

// forget edits a guest, and reports whether there was something to forget.
func (g *Gateway) forget(guest *Guest, gone Gone) (did bool) {
	opens := func(secret string) bool { return secret != "" && slices.Contains(gone.Receipts, ReceiptHash(secret)) }
	if opens(guest.Receipt) {
		// It gave, and nothing is to say so; it is not asked again in this stay.
		guest.Receipt, guest.Gave, guest.Asked, did = "", false, true, true
	}
	if f := guest.Form; f != nil && (opens(f.Receipt) || g.isOf(f.Sealed, f.Consent, gone.Keys)) {
		guest.Form, did = nil, true
	}
	if q := guest.Inquiry; q != nil && g.isOf(q.Sealed, q.ID, gone.Keys) {
		guest.Inquiry, did = nil, true
	}
	visit := func(s *Stay) {
		if s.Visit != "" && slices.Contains(gone.Visits, s.Visit) {
			s.Visit, did = "", true
		}
	}
	visit(&guest.Stay)
	for i := range guest.Ended {
		visit(&guest.Ended[i])
	}
	return did
}

// isOf reports whether a number that waits in the livebook is that of somebody
// with one of these lead keys.
func (g *Gateway) isOf(sealed []byte, under consent.ID, keys []LeadKey) bool {
	s := g.settings.Load()
	phone, err := g.memory.open(sealed, under)
	if err != nil || phone.IsZero() || s.Brand.IsZero() {
		return false
	}
	return slices.ContainsFunc(s.keysOf(phone), func(own LeadKey) bool {
		return slices.ContainsFunc(keys, func(k LeadKey) bool { return hmac.Equal([]byte(k), []byte(own)) })
	})
}

// union is a with those of b that it lacks.
func union[T comparable](a, b []T) []T {
	for _, x := range b {
		if !slices.Contains(a, x) {
			a = append(a, x)
		}
	}
	return a
}
