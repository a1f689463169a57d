package hien

import (
	"context"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// An Inquiry is a number that waits for its code, so that whoever holds it may
// see what is kept of them, without a receipt (R-RGT-1). It asks for nothing
// and gives no pass. Until the code is right the answers, and what they take,
// are the same for a number that is known and one that is not.
type Inquiry struct {
	ID        consent.ID
	Sealed    []byte    // the number, under a key that lives in the daemon's memory only
	LastTwo   string    // of the number
	Challenge Challenge // the code

	// Corrects is the hash of the receipt whose person's number this is to
	// become, see correction.go; zero for who wants to see what is kept.
	Corrects consent.Hash
}

// stale reports whether the number has gone unproved for as long as one is
// kept (R-CON-11).
func (q *Inquiry) stale(keep time.Duration, now Moment) bool {
	return now.Up-q.Challenge.Typed >= keep
}

// Mine is what a device is shown of its own person's data without a receipt.
// A device's address proves little, as another can take it: so it shows what
// stands, which the device can take back, and for ReceiptShown after a code was
// typed on it the receipt. Everything else is for a receipt, or whoever proves
// the number.
type Mine struct {
	Receipt  string          // of this stay, see ReceiptShown; else empty
	Standing consent.Consent // of the member whose device it is; allows nothing for any other
	Asker    consent.Asker   // who words the purposes, also where nobody is asked any more
	Asked
}

// Asked is how it stands with a number that is to be proved.
type Asked struct {
	Sends   bool          // whether a code can be sent now
	Waits   bool          // a number waits for its code
	LastTwo string        // of the number
	Left    time.Duration // how long its code lives; 0 when it is dead
	Tries   int           // how many guesses are left
}

// Mine tells what a device may see of its own person's data.
func (g *Gateway) Mine(ctx context.Context, d Device, now Moment) (Mine, error) {
	guest, _, err := g.parts.Book.Guest(d.Guest)
	if err != nil {
		return Mine{}, err
	}
	return Mine{Receipt: guest.shownReceipt(now), Standing: g.member(ctx, d.Guest).Consent, Asker: g.settings.Load().today(),
		Asked: g.asked(guest.Inquiry, consent.Hash{}, now)}, nil
}

// asked tells how it stands with an inquiry, if it is one for that receipt.
func (g *Gateway) asked(q *Inquiry, corrects consent.Hash, now Moment) Asked {
	a := Asked{Sends: g.inquires(now)}
	if q != nil && q.Corrects == corrects && g.reads(q) {
		a.Waits, a.LastTwo = true, q.LastTwo
		if a.Tries = max(0, CodeTries-q.Challenge.Tries); a.Tries > 0 {
			a.Left = q.Challenge.Left(now)
		}
	}
	return a
}

// inquires reports whether a number can be proved now by who wants to see what
// is kept of it.
func (g *Gateway) inquires(now Moment) bool {
	return g.keeps() && g.parts.Reissuer != nil && g.online() && g.sends(now)
}

// reads reports whether an inquiry's number can still be read: after a restart
// it cannot.
func (g *Gateway) reads(q *Inquiry) bool {
	_, err := g.memory.open(q.Sealed, q.ID)
	return err == nil
}

// Inquire sends a code to a number, within the limits of any code, for whoever
// wants to see what is kept of it. Asked twice at once, it sends one. The
// errors that tell the guest something are a *PhoneError with PhoneForeign,
// ErrNoAsking, ErrTooMany and ErrNotSent. Nothing here looks into the record.
func (g *Gateway) Inquire(ctx context.Context, d Device, to Phone, language string, now Moment) error {
	return g.inquire(ctx, d, to, language, consent.Hash{}, now)
}

func (g *Gateway) inquire(ctx context.Context, d Device, to Phone, language string, corrects consent.Hash, now Moment) error {
	if _, err := g.zone(d.Guest.Zone); err != nil {
		return err
	}
	switch {
	case !to.Vietnamese() && !g.settings.Load().ForeignNumbers:
		return &PhoneError{Reason: PhoneForeign}
	case !g.inquires(now):
		return ErrNoAsking
	}
	m := Message{To: to, Code: NewCode(), Language: language, Guest: d.Guest, At: now}
	q := Inquiry{ID: consent.NewID(), LastTwo: to.LastTwo(), Corrects: corrects}
	q.Sealed = g.memory.seal(to, q.ID)
	q.Challenge = Challenge{Hash: g.codeHash(q.ID, m.Code), Expires: now.Up + CodeLife, Sent: now.Up, Typed: now.Up}
	err := g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		if was := guest.Inquiry; was != nil && was.Corrects == corrects && now.Up-was.Challenge.Sent < resendAfter {
			if before, err := g.memory.open(was.Sealed, was.ID); err == nil && before.Reveal() == to.Reveal() {
				return ErrUnchanged
			}
		}
		if err := guest.countCode(now); err != nil {
			return err
		}
		guest.Inquiry = &q
		return nil
	})
	if err != nil {
		return err
	}
	if guest, _, err := g.parts.Book.Guest(d.Guest); err != nil || guest.Inquiry == nil || guest.Inquiry.ID != q.ID {
		return err // its code is on its way already
	}
	if _, err := g.send(ctx, m, q.ID); err != nil {
		return errors.Join(err, g.dropInquiry(d.Guest, q.ID))
	}
	g.lend(context.WithoutCancel(ctx), d, now)
	return nil
}

// dropInquiry drops an inquiry, any with no id named.
func (g *Gateway) dropInquiry(id GuestID, which consent.ID) error {
	return g.parts.Book.Change(id, func(guest *Guest) error {
		if guest.Inquiry == nil || which != "" && guest.Inquiry.ID != which {
			return ErrUnchanged
		}
		guest.Inquiry = nil
		return nil
	})
}

// DropInquiry drops the inquiry that waits, so that another number can be
// asked about.
func (g *Gateway) DropInquiry(_ context.Context, d Device, _ Moment) error {
	return g.dropInquiry(d.Guest, "")
}

// Confirm takes the code of an inquiry. When it is right the person gets a
// fresh receipt, for its latest consent, whose secret is the answer. The errors
// that tell the guest something are ErrNoForm, ErrBadCode, ErrCodeDead, and
// ErrNoReceipt when nothing is kept of the number.
func (g *Gateway) Confirm(ctx context.Context, d Device, code Code, now Moment) (secret string, err error) {
	if !g.keeps() || g.parts.Reissuer == nil {
		return "", ErrNoAsking
	}
	q, phone, err := g.provenInquiry(d.Guest, consent.Hash{}, code, now)
	if errors.Is(err, ErrNoForm) {
		if guest, _, bookErr := g.parts.Book.Guest(d.Guest); bookErr == nil && guest.Inquiry == nil && guest.shownReceipt(now) != "" {
			return guest.Receipt, nil // a second press of the button
		}
	}
	if err != nil {
		return "", err
	}
	s := g.settings.Load()
	fresh := newSecret()
	err = g.parts.Reissuer.Reissue(ctx, s.keysOf(phone), ReceiptHash(fresh))
	if err != nil && !errors.Is(err, ErrNoReceipt) {
		return "", err // the same code is good again when the record can be written
	}
	return fresh, errors.Join(err, g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		if guest.Inquiry != nil && guest.Inquiry.ID == q.ID {
			guest.Inquiry = nil
		}
		if err == nil {
			guest.gets(fresh, now)
		}
		return nil
	}))
}

// provenInquiry spends one try on the guest's inquiry, if it is one for that
// receipt. It answers the inquiry and its number when the code is right.
func (g *Gateway) provenInquiry(id GuestID, corrects consent.Hash, code Code, now Moment) (q *Inquiry, phone Phone, err error) {
	var bad bool
	err = g.parts.Book.Change(id, func(guest *Guest) error {
		switch q = guest.Inquiry; {
		case q == nil || q.Corrects != corrects:
			return ErrNoForm
		case q.Challenge.Left(now) == 0 || q.Challenge.Tries >= CodeTries:
			return ErrCodeDead
		}
		q.Challenge.Tries++
		bad = !q.Challenge.matches(g.codeHash(q.ID, code))
		return nil // the try is written down
	})
	switch {
	case err != nil:
		return nil, Phone{}, err
	case bad:
		return nil, Phone{}, ErrBadCode
	}
	if phone, err = g.memory.open(q.Sealed, q.ID); err != nil {
		return nil, Phone{}, ErrNoForm
	}
	g.outgoing.cameBack(q.ID)
	return q, phone, nil
}

// TakeBack takes back purposes of the member whose device it is, all of them
// with none named. A device that is nobody's changes nothing.
func (g *Gateway) TakeBack(ctx context.Context, d Device, purposes []consent.Purpose, now Moment) error {
	err := g.Withdraw(ctx, Who{Mark: g.parts.Router.MemberMark(d.Guest.MAC)}, purposes, "portal", now)
	if errors.Is(err, ErrNoReceipt) {
		return nil
	}
	return err
}

// newSecret draws the secret of a receipt: 128 bits.
func newSecret() string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(randomBytes(16)))
}
