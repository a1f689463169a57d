package hien

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hien-wifi/hien/consent"
)

// A Correction is what is recorded in one transaction when a person's number is
// changed (R-RGT-1). What the person answered stands as it stood; the old number
// is erased, here and upstream.
type Correction struct {
	Names    []CorrectedName // one for each Person, in the same order
	Key      LeadKey         // of the new number
	Sealed   SealedPhone     // the new number, bound to Person.SealedFor; empty unless a purpose reaches the person
	Old      []LeadKey       // each of which stays away, as after an erasure
	Erasures []Event         // for each old key one
	Events   []Event         // what stands, under the new key
}

// A CorrectedName is the entry for a person under one name, and what it binds.
type CorrectedName struct {
	Statement   consent.Statement
	Commitments map[string]consent.Commitment
}

// NumberAsked tells what a device may see of the change of number that waits
// for its code, for whoever has the receipt's secret.
func (g *Gateway) NumberAsked(_ context.Context, d Device, secret string, now Moment) (Asked, error) {
	guest, _, err := g.parts.Book.Guest(d.Guest)
	if err != nil {
		return Asked{}, err
	}
	return g.asked(guest.Inquiry, ReceiptHash(secret), now), nil
}

// ChangeNumber sends a code to the number that is to take the place of the one
// that the receipt's person gave, as Inquire does and within the same limits.
// Nothing here looks into the record for that number: one that is known has the
// answers of one that is not. The errors that tell the guest something are those
// of Inquire, ErrNoReceipt, and ErrNoNumber.
func (g *Gateway) ChangeNumber(ctx context.Context, d Device, secret string, to Phone, language string, now Moment) error {
	people, err := g.Person(ctx, Who{Receipt: ReceiptHash(secret)})
	if err != nil {
		return err
	}
	if _, err := withNumber(people); err != nil {
		return err
	}
	return g.inquire(ctx, d, to, language, ReceiptHash(secret), now)
}

// ConfirmNumber takes the code of a change of number. When it is right the new
// number stands, and the old one is erased, in one transaction that is in force
// when ConfirmNumber returns. The errors that tell the guest something are
// ErrNoForm, ErrBadCode, ErrCodeDead, ErrNoReceipt, ErrNoNumber, and of a number
// that was proved ErrTaken and ErrUnchanged: then nothing has changed.
func (g *Gateway) ConfirmNumber(ctx context.Context, d Device, secret string, code Code, now Moment) error {
	if !g.keeps() || g.parts.Eraser == nil {
		return ErrNoAsking
	}
	receipt := ReceiptHash(secret)
	q, phone, err := g.provenInquiry(d.Guest, receipt, code, now)
	if err != nil {
		return err
	}
	s := g.settings.Load()
	var old []LeadKey
	err = g.parts.Eraser.Correct(ctx, Who{Receipt: receipt}, s.keysOf(phone), func(people []Person) (Correction, error) {
		c, err := g.correction(d, people, phone, now)
		old = c.Old
		return c, err
	})
	if err != nil && !slices.ContainsFunc([]error{ErrTaken, ErrUnchanged, ErrNoNumber, ErrNoReceipt}, func(told error) bool { return errors.Is(err, told) }) {
		return err // the same code is good again when the record can be written
	}
	if err == nil {
		g.parts.Wake()
		if err := g.forgetGuests(Gone{Keys: old}); err != nil {
			// The number is erased, and this is in memory only.
			g.complain(now, "the livebook fails; what it knows of a number that was changed goes with the stay", err)
		}
	}
	return errors.Join(err, g.dropInquiry(d.Guest, q.ID))
}

// withNumber is the one of a person's names for which something stands. It is
// ErrNoNumber when nothing does, or was agreed to without a number.
func withNumber(people []Person) (*Person, error) {
	var standing *Person
	for i, p := range people {
		if !p.Consent.AllowsAny() {
			continue
		}
		if standing != nil {
			return nil, fmt.Errorf("%w: it stands under two names", ErrNoNumber)
		}
		standing = &people[i]
	}
	if standing == nil || !standing.gaveNumber() {
		return nil, ErrNoNumber
	}
	return standing, nil
}

// gaveNumber reports whether the person proved a number, and not only that it
// is here (see ProofStaff).
func (p Person) gaveNumber() bool {
	return slices.ContainsFunc(p.Given, func(g Given) bool { return g.Commitments["number"].Value != "" }) ||
		slices.ContainsFunc(p.Corrected, func(c Corrected) bool { return c.Commitments["number"].Value != "" })
}

// correction is what a new number that was proved changes.
func (g *Gateway) correction(d Device, people []Person, phone Phone, now Moment) (Correction, error) {
	s := g.settings.Load()
	c := Correction{Key: s.Brand.LeadKey(phone)}
	p, err := withNumber(people)
	if err != nil {
		return Correction{}, err
	}
	var asked []consent.Purpose
	for _, name := range people {
		n := CorrectedName{Statement: consent.StateCorrection(consent.NewID(), name.Consent, now),
			Commitments: map[string]consent.Commitment{"number": consent.Commit(string(c.Key)), "proof": consent.Commit("code")}}
		n.Statement.Store, n.Statement.Zone, n.Statement.Channel, n.Statement.Build = s.StoreID, d.Guest.Zone, "portal", Version
		n.Statement.Bind(n.Commitments)
		c.Names = append(c.Names, n)
		asked, c.Old = union(asked, name.asked()), union(c.Old, name.Keys)
	}
	if c.Erasures, err = s.erasures(asked, c.Old, now); err != nil {
		return Correction{}, err
	}
	if p.Consent.Reaches() {
		if s.Seal.IsZero() || p.SealedFor == "" {
			return Correction{}, fmt.Errorf("%w: the new number cannot be sealed", ErrNoAsking)
		}
		if c.Sealed, err = s.Seal.Seal(phone, p.SealedFor); err != nil {
			return Correction{}, err
		}
	}
	c.Events, err = tellLead(p.Consent, p.Consent.Agreed(), c.Key, now,
		Facts{Store: s.StoreID, Zone: d.Guest.Zone, Anew: p.Anew, Sealed: c.Sealed, SealedFor: p.SealedFor},
		func(purpose consent.Purpose) Bound {
			return s.bound(p.proofOf(purpose), purpose, p.Answered[purpose].Substance)
		})
	return c, err
}

// proofOf is the latest consent by which a person agreed to a purpose.
func (p Person) proofOf(purpose consent.Purpose) (proof consent.ID) {
	for _, g := range p.Given {
		if g.Consent.Allows(purpose) {
			proof = g.Consent.ID()
		}
	}
	return proof
}
