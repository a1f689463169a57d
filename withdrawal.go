package hien

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/hien-wifi/hien/consent"
)

// Withdraw takes back the purposes, or all of them with none named: the
// ledger entry, the deletion of what was queued and the event that tells of
// it are one transaction, in force when Withdraw returns (R-RGT-2). It is the
// only way in for a withdrawal. channel says where it was asked for. To take
// back what was not agreed to changes nothing.
//
// It reaches the person under each name: who took everything back, or let it
// lapse, and came again has another one, and an older receipt must not leave
// standing what was agreed to since.
func (g *Gateway) Withdraw(ctx context.Context, who Who, purposes []consent.Purpose, channel string, now Moment) error {
	if g.parts.Record == nil {
		return ErrStorage
	}
	// The other names are looked for in whole tables, as in Person.
	release, err := g.oneAtATime(ctx)
	if err != nil {
		return err
	}
	defer release()
	err = g.parts.Record.Withdraw(ctx, who, func(m Member) (Withdrawal, error) {
		return g.withdrawal(m, purposes, channel, now)
	})
	if errors.Is(err, ErrUnchanged) {
		return nil
	}
	if err == nil {
		g.parts.Wake()
	}
	return err
}

// withdrawal is what is recorded when a person's purposes end, all of them with
// none named. Where none of them stood it is ErrUnchanged.
func (g *Gateway) withdrawal(m Member, purposes []consent.Purpose, channel string, now Moment) (Withdrawal, error) {
	s := g.settings.Load()
	var back []consent.Purpose
	for _, a := range m.Consent.Answers() {
		if a.Agreed && (len(purposes) == 0 || slices.Contains(purposes, a.Purpose)) {
			back = append(back, a.Purpose)
		}
	}
	if len(back) == 0 {
		return Withdrawal{}, ErrUnchanged
	}
	w := Withdrawal{After: m.Consent.Without(back...), Purposes: back}
	w.Statement = consent.StateWithdrawal(consent.NewID(), m.Consent.Subject(), back, now)
	w.Statement.Store, w.Statement.Channel, w.Statement.Build = s.StoreID, channel, Version
	var err error
	w.Event, err = NewWithdrawal(w.After, back, m.Key, now, Facts{Store: s.StoreID, Previous: m.Previous, Anew: m.Anew})
	return w, err
}

// Receipt finds what a receipt's secret proves.
func (g *Gateway) Receipt(ctx context.Context, secret string) (Receipt, error) {
	if g.parts.Record == nil {
		return Receipt{}, ErrStorage
	}
	return g.parts.Record.Receipt(ctx, ReceiptHash(secret))
}

// ReceiptHash is what the record keeps of a receipt's secret.
func ReceiptHash(secret string) consent.Hash { return sha256.Sum256([]byte(secret)) }
