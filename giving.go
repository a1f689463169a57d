package hien

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// opens reports whether the number of a form can still be read: after a
// restart it cannot, and is asked for again.
func (g *Gateway) opens(f *Form) bool {
	_, err := g.memory.open(f.Sealed, f.Consent)
	return err == nil
}

// Ask takes an application and sends a code to its number. Posted twice, it
// sends one code. While the shop has no internet the application waits, the
// guest is let in at once, and Tick sends the code later. Where no code can be
// sent, and what was ticked reaches nobody, the staff's code is waited for, if
// the shop has one. The errors that tell the guest something are a
// *PhoneError with PhoneForeign, ErrNoAsking, ErrTooMany, ErrNotSent,
// ErrBlocked and ErrSpent. Nothing here looks into the record: whether the
// number is known is found out by whoever proves it, and by nobody else.
func (g *Gateway) Ask(ctx context.Context, d Device, a Application, now Moment) error {
	if !a.OfAge {
		return fmt.Errorf("%w: the age was not told (R-CHILD-1)", ErrNoAsking)
	}
	zone, err := g.zone(d.Guest.Zone)
	if err != nil {
		return err
	}
	if !g.sends(now) {
		if guest, _, err := g.parts.Book.Guest(d.Guest); err == nil && g.pressedAgain(guest.Form, a, now) {
			return nil // its code was the last one
		}
		a.Phone = Phone{} // nothing will prove it, so it is not taken
	}
	switch asked := g.askable(zone, now); {
	case len(asked) == 0:
		return ErrNoAsking
	case a.Phone.IsZero() && g.sends(now) || len(a.Agreed) == 0:
		return fmt.Errorf("%w: an application needs a number and a purpose", ErrNoAsking)
	case !a.Phone.IsZero() && !a.Phone.Vietnamese() && !g.settings.Load().ForeignNumbers:
		return &PhoneError{Reason: PhoneForeign}
	default:
		for _, p := range a.Agreed {
			if !slices.Contains(asked, p) || !a.Notice.Asked(p) {
				return fmt.Errorf("%w: %s was not asked here", ErrNoAsking, p)
			}
		}
	}
	form := Form{
		Consent: consent.NewID(),
		Agreed:  slices.Clone(a.Agreed),
		Notice:  a.Notice,
		Browser: fmt.Sprintf("%x", sha256.Sum256([]byte(a.Browser))),
		LastTwo: a.Phone.LastTwo(),
		NoGrace: a.Stays,
		Receipt: newSecret(),
	}
	form.Sealed, form.Challenge.Typed = g.memory.seal(a.Phone, form.Consent), now.Up
	if !g.online() && !a.Phone.IsZero() {
		return g.letIn(ctx, d, now, func(guest *Guest) {
			f := guest.Form
			stands := f != nil && g.same(f, a) && (f.Waiting || f.Proven || f.Challenge.Left(now) > 0)
			if !stands && zone.barred(guest, now) == nil {
				form.Waiting = true
				guest.Form = &form
			}
		})
	}
	return g.challenge(ctx, d, a.Phone, now, func(guest *Guest) (*Form, error) {
		if err := zone.barred(guest, now); err != nil {
			return nil, err
		}
		if g.pressedAgain(guest.Form, a, now) {
			return nil, ErrUnchanged
		}
		guest.see(zone, now)
		return &form, nil
	})
}

// resendAfter is how soon the same form, posted again, is taken for the same
// press of the button.
const resendAfter = 20 * time.Second

func (g *Gateway) pressedAgain(f *Form, a Application, now Moment) bool {
	return f != nil && f.Challenge.Left(now) > 0 && now.Up-f.Challenge.Sent < resendAfter && g.same(f, a)
}

func (g *Gateway) same(f *Form, a Application) bool {
	p, err := g.memory.open(f.Sealed, f.Consent)
	return err == nil && p.Reveal() == a.Phone.Reveal() && slices.Equal(f.Agreed, a.Agreed) &&
		f.Notice.Hash() == a.Notice.Hash()
}

// AskAgain sends another code for the form that waits, or lets the guest in
// and sends it later, as Ask does. The errors are those of Ask, and ErrNoForm.
func (g *Gateway) AskAgain(ctx context.Context, d Device, now Moment) error {
	if g.online() || !g.sends(now) {
		return g.again(ctx, d, now, func(f *Form) bool { return !f.Proven })
	}
	guest, _, err := g.parts.Book.Guest(d.Guest)
	if err != nil {
		return err
	}
	if f := guest.Form; f == nil || f.Proven || !g.opens(f) || !g.takes() {
		return ErrNoForm
	}
	return g.letIn(ctx, d, now, func(gu *Guest) {
		if gu.Form != nil && gu.Form.Consent == guest.Form.Consent {
			gu.Form.Waiting = true
		}
	})
}

// again sends another code for the form that waits, if it still is as it
// should be.
func (g *Gateway) again(ctx context.Context, d Device, now Moment, still func(*Form) bool) error {
	guest, _, err := g.parts.Book.Guest(d.Guest)
	if err != nil {
		return err
	}
	if guest.Form == nil || !g.takes() {
		return ErrNoForm
	}
	phone, err := g.memory.open(guest.Form.Sealed, guest.Form.Consent)
	if err != nil {
		return ErrNoForm
	}
	return g.challenge(ctx, d, phone, now, func(gu *Guest) (*Form, error) {
		if gu.Form == nil || gu.Form.Consent != guest.Form.Consent || !still(gu.Form) {
			return nil, ErrNoForm
		}
		return gu.Form, nil
	})
}

// Forget drops the form that waits, so that another number can be given.
func (g *Gateway) Forget(_ context.Context, d Device, _ Moment) error {
	return g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		if guest.Form == nil || guest.Form.Proven {
			return ErrUnchanged
		}
		guest.Form = nil
		return nil
	})
}

// challenge puts a fresh code on the form that pick chooses, within the
// limits, and sends it. Where it cannot be sent the staff's code may do.
func (g *Gateway) challenge(ctx context.Context, d Device, to Phone, now Moment, pick func(*Guest) (*Form, error)) error {
	m := Message{To: to, Code: NewCode(), Guest: d.Guest, At: now}
	var sent, byStaff bool
	var before *Form
	var form consent.ID
	err := g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		before = nil
		if guest.Form != nil {
			was := *guest.Form
			before = &was
		}
		f, err := pick(guest)
		if err != nil {
			return err
		}
		if err := guest.countCode(now); err != nil {
			return err
		}
		f.Challenge = Challenge{Hash: g.codeHash(f.Consent, m.Code), Expires: now.Up + CodeLife, Sent: now.Up, Typed: f.Challenge.Typed}
		f.Waiting = false
		guest.Form = f
		sent, form, byStaff, m.Language = true, f.Consent, g.byStaff(f), f.Notice.Language
		return nil
	})
	if err != nil || !sent {
		return err
	}
	by, err := g.send(ctx, m, form)
	if err != nil && byStaff {
		by, err = ProofStaff, nil
	}
	if err != nil {
		return errors.Join(err, g.takeBack(d.Guest, form, before))
	}
	ctx = context.WithoutCancel(ctx) // also when the page was closed meanwhile
	if by != ProofStaff {
		g.claim(ctx, d, now)
	}
	err = g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		f := guest.Form
		if f == nil || f.Consent != form || f.Proven {
			return ErrUnchanged
		}
		if f.Challenge.By = by; by == ProofStaff {
			f.Challenge.Hash, f.LastTwo = nil, ""
		} else {
			g.grace(ctx, d, guest, now)
		}
		return nil
	})
	if by == ProofStaff {
		return err
	}
	if err != nil { // the code is on its way all the same
		g.complain(now, "the livebook fails; a code was sent, and by which way could not be written down", err)
	}
	g.lend(ctx, d, now)
	return nil
}

// takeBack puts a form back to what it was before its code could not be sent:
// it would wait for nothing, and a code that was sent before is as good as it
// was.
func (g *Gateway) takeBack(id GuestID, form consent.ID, before *Form) error {
	return g.parts.Book.Change(id, func(guest *Guest) error {
		if guest.Form == nil || guest.Form.Consent != form || guest.Form.Proven {
			return ErrUnchanged
		}
		guest.Form = nil
		if before != nil && before.Consent == form {
			guest.Form = before
		}
		return nil
	})
}

// countCode counts one more code for the device; ErrTooMany when it has had as
// many as it may.
func (gu *Guest) countCode(now Moment) error {
	gu.Codes = slices.DeleteFunc(gu.Codes, func(at time.Duration) bool { return now.Up-at >= 24*time.Hour })
	quarter := 0
	for _, at := range gu.Codes {
		if now.Up-at < 15*time.Minute {
			quarter++
		}
	}
	if quarter >= CodesPerQuarter || len(gu.Codes) >= CodesPerDay {
		return ErrTooMany
	}
	gu.Codes = append(gu.Codes, now.Up)
	return nil
}

func (g *Gateway) codeHash(form consent.ID, c Code) []byte {
	return mac(g.memory.mac, "code:"+string(form)+":"+c.Reveal())
}

// Prove takes the code. When it is right: record, door, queue, in this order.
// Posted twice, it does everything once. The errors that tell the guest
// something are ErrNoForm, ErrBadCode, ErrCodeDead, and ErrStorage when the
// answer could not be kept: then the door is for Admit to open. With ErrBlocked
// and ErrSpent the answer was kept, and the door stays shut.
func (g *Gateway) Prove(ctx context.Context, d Device, code Code, now Moment) error {
	if !g.takes() {
		return ErrNoAsking
	}
	form, err := g.guess(d.Guest, code, now)
	if err != nil || form == nil {
		return err
	}
	phone, err := g.memory.open(form.Sealed, form.Consent)
	if err != nil {
		return ErrNoForm
	}
	s := g.settings.Load()
	key, before := s.Brand.LeadKey(phone), s.earlier(phone)
	if form.Challenge.By == ProofStaff {
		key, before, phone = s.Brand.presenceKey(form.Consent), nil, Phone{}
	} else {
		g.outgoing.cameBack(form.Consent)
	}
	receipt := form.Receipt
	err = g.parts.Record.OptIn(ctx, key, func(m Member) (OptIn, error) {
		if s.OneTime && !m.Renamed && s.nothingNew(form, m, now) {
			return OptIn{}, ErrUnchanged
		}
		return g.optIn(d, form, phone, key, m, now)
	}, before...)
	if errors.Is(err, ErrUnchanged) {
		receipt, err = "", nil // the one from the first time holds
	}
	if err != nil {
		return err
	}
	g.counting.note(d.Guest.MAC, countAgreed, now)
	g.refused(d.Guest.MAC, form.refused(), now)
	err = g.letIn(ctx, d, now, func(guest *Guest) {
		guest.Gave, guest.Form = true, nil
		guest.gets(receipt, now)
		guest.Pass.Verified = !phone.IsZero() // else the staff's code proved that somebody is here
	})
	g.parts.Wake()
	return err
}

// guess spends one try on the guest's form. It answers the form when the code
// is right, and neither form nor error when the form was finished before.
func (g *Gateway) guess(id GuestID, code Code, now Moment) (*Form, error) {
	var form *Form
	var bad bool
	err := g.parts.Book.Change(id, func(guest *Guest) error {
		f := guest.Form
		switch {
		case f == nil && guest.Gave:
			return ErrUnchanged
		case f == nil:
			return ErrNoForm
		case f.Proven && f.Challenge.matches(g.codeHash(f.Consent, code)):
			form = f // a second press of the button, or a record that failed before
			return ErrUnchanged
		case f.Challenge.Left(now) == 0 || f.Challenge.Tries >= CodeTries:
			return ErrCodeDead
		}
		f.Challenge.Tries++
		hash := g.codeHash(f.Consent, code)
		if f.Challenge.By == ProofStaff && g.parts.Router.isStaffCode(code, now) {
			f.Challenge.Hash = hash // a second press comes after the till has changed its code
		}
		if !f.Challenge.matches(hash) {
			bad = true
			return nil // the try is written down
		}
		f.Proven = true
		guest.Stay.Visit = f.Consent // so that a crash from here on counts the visit once
		form = f
		return nil
	})
	if err == nil && bad {
		return nil, ErrBadCode
	}
	return form, err
}

// optIn is what a proven form says, ready for the record.
func (g *Gateway) optIn(d Device, f *Form, phone Phone, key LeadKey, m Member, now Moment) (OptIn, error) {
	s := g.settings.Load()
	given, err := consent.Give(f.Consent, m.Consent.Subject(), f.Notice, f.Agreed, now)
	if err != nil {
		return OptIn{}, err
	}
	standing := given.Over(m.Consent)
	if given.Reaches() && phone.IsZero() {
		return OptIn{}, fmt.Errorf("consent %s: what reaches a person needs a number that was proved (R-CON-11)", f.Consent)
	}
	o := OptIn{
		Consent: given, Notice: f.Notice, Statement: consent.StateConsent(given),
		Receipt: sha256.Sum256([]byte(f.Receipt)),
		Commitments: map[string]consent.Commitment{ // R-CON-5
			"address": consent.Commit(d.Addr.String()),
			"device":  consent.Commit(g.parts.Router.evidenceMark(d.Guest.MAC)),
			"browser": consent.Commit(f.Browser),
			"proof":   consent.Commit(string(cmp.Or(f.Challenge.By, "code"))), // typed before the sender had answered
		},
	}
	if !phone.IsZero() {
		o.Commitments["number"] = consent.Commit(string(key))
	}
	o.Statement.Store, o.Statement.Zone = s.StoreID, d.Guest.Zone
	o.Statement.Channel, o.Statement.Build = "portal", Version
	o.Statement.Bind(o.Commitments)
	if given.Reaches() {
		if o.Sealed, err = s.Seal.Seal(phone, f.Consent); err != nil {
			return OptIn{}, err
		}
	}
	if given.Allows(consent.VisitFrequency) {
		o.Mark = g.parts.Router.MemberMark(d.Guest.MAC)
		o.Visit = &Visit{ID: f.Consent, Subject: given.Subject(), Zone: d.Guest.Zone, Start: now, Number: m.Visits + 1}
	}
	facts := Facts{Store: s.StoreID, Zone: d.Guest.Zone, Previous: s.stillTold(m), Anew: m.Anew}
	if facts.Previous != "" {
		renamed, err := NewEvent(standing, f.Agreed[0], Renamed, key, now, facts)
		if err != nil {
			return OptIn{}, err
		}
		o.Events = append(o.Events, renamed)
	}
	facts.Sealed, facts.SealedFor = o.Sealed, f.Consent
	told, err := tellLead(standing, f.Agreed, key, now, facts, func(p consent.Purpose) Bound { return s.bound(f.Consent, p, f.Notice.Substance) })
	o.Events = append(o.Events, told...)
	return o, err
}
