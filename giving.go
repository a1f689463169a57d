package hien

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
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
// sends one code. The errors that tell the guest something are ErrNoAsking,
// ErrTooMany, ErrNotSent.
func (g *Gateway) Ask(ctx context.Context, d Device, a Application, now Moment) error {
	zone, err := g.zone(d.Guest.Zone)
	switch {
	case err != nil:
		return err
	case !g.asking():
		return ErrNoAsking
	case a.Phone.IsZero() || len(a.Agreed) == 0:
		return fmt.Errorf("%w: an application needs a number and a purpose", ErrNoAsking)
	}
	for _, p := range a.Agreed {
		if !slices.Contains(zone.Purposes, p) || !a.Notice.Asked(p) {
			return fmt.Errorf("%w: %s was not asked here", ErrNoAsking, p)
		}
	}
	form := Form{
		Consent: consent.NewID(),
		Agreed:  slices.Clone(a.Agreed),
		Notice:  a.Notice,
		Browser: fmt.Sprintf("%x", sha256.Sum256([]byte(a.Browser))),
		LastTwo: a.Phone.LastTwo(),
		Receipt: strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(randomBytes(16))),
	}
	form.Sealed = g.memory.seal(a.Phone, form.Consent)
	return g.challenge(ctx, d, a.Phone, now, func(guest *Guest) (*Form, error) {
		if f := guest.Form; f != nil && f.Challenge.Left(now) > CodeLife-resendAfter && g.same(f, a) {
			return nil, ErrUnchanged
		}
		guest.see(zone, now)
		return &form, nil
	})
}

// resendAfter is how soon the same form, posted again, is taken for the same
// press of the button.
const resendAfter = 20 * time.Second

func (g *Gateway) same(f *Form, a Application) bool {
	p, err := g.memory.open(f.Sealed, f.Consent)
	return err == nil && p.Reveal() == a.Phone.Reveal() && slices.Equal(f.Agreed, a.Agreed) &&
		f.Notice.Hash() == a.Notice.Hash()
}

// AskAgain sends another code for the form that waits. The errors are those
// of Ask, and ErrNoForm.
func (g *Gateway) AskAgain(ctx context.Context, d Device, now Moment) error {
	guest, _, err := g.parts.Book.Guest(d.Guest)
	if err != nil {
		return err
	}
	if guest.Form == nil || !g.asking() {
		return ErrNoForm
	}
	phone, err := g.memory.open(guest.Form.Sealed, guest.Form.Consent)
	if err != nil {
		return ErrNoForm
	}
	return g.challenge(ctx, d, phone, now, func(gu *Guest) (*Form, error) {
		if gu.Form == nil || gu.Form.Consent != guest.Form.Consent || gu.Form.Proven {
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
// limits, and sends it.
func (g *Gateway) challenge(ctx context.Context, d Device, to Phone, now Moment, pick func(*Guest) (*Form, error)) error {
	code := NewCode()
	var sent bool
	var before *Form
	var form consent.ID
	var language string
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
		guest.Codes = slices.DeleteFunc(guest.Codes, func(at time.Duration) bool { return now.Up-at >= 24*time.Hour })
		if !withinLimits(guest.Codes, now.Up) {
			return ErrTooMany
		}
		guest.Codes = append(guest.Codes, now.Up)
		f.Challenge = Challenge{Hash: g.codeHash(f.Consent, code), Expires: now.Up + CodeLife}
		guest.Form = f
		sent, form, language = true, f.Consent, f.Notice.Language
		return nil
	})
	if err != nil || !sent {
		return err
	}
	allowed, err := g.parts.Book.CountCode(mac(g.memory.mac, "number:"+to.Reveal()), now.Up)
	switch {
	case err != nil:
	case !allowed:
		err = ErrTooMany
	default:
		err = g.settings.Load().Sender.Send(ctx, Message{To: to, Code: code, Language: language, Guest: d.Guest})
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrNotSent, err)
		}
	}
	if err == nil {
		return nil
	}
	// No code is on its way: the form would wait for nothing, and a code that
	// was sent before is as good as it was.
	return errors.Join(err, g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		if guest.Form == nil || guest.Form.Consent != form {
			return ErrUnchanged
		}
		guest.Form = nil
		if before != nil && before.Consent == form {
			guest.Form = before
		}
		return nil
	}))
}

// withinLimits reports whether another code may follow those sent at the
// times, all within a day.
func withinLimits(sent []time.Duration, now time.Duration) bool {
	quarter := 0
	for _, at := range sent {
		if now-at < 15*time.Minute {
			quarter++
		}
	}
	return quarter < CodesPerQuarter && len(sent) < CodesPerDay
}

func (g *Gateway) codeHash(form consent.ID, c Code) []byte {
	return mac(g.memory.mac, "code:"+string(form)+":"+c.Reveal())
}

// Prove takes the code. When it is right: record, door, queue, in this order.
// Posted twice, it does everything once. The errors that tell the guest
// something are ErrNoForm, ErrBadCode, ErrCodeDead, and ErrStorage when the
// answer could not be kept: then the door is for Admit to open.
func (g *Gateway) Prove(ctx context.Context, d Device, code Code, now Moment) error {
	if !g.asking() {
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
	key := g.settings.Load().Brand.LeadKey(phone)
	err = g.parts.Record.OptIn(ctx, key, func(m Member) (OptIn, error) {
		return g.optIn(d, form, phone, key, m, now)
	})
	if err != nil {
		return err
	}
	err = g.open(ctx, d, now, func(guest *Guest) { guest.Gave, guest.Receipt = true, form.Receipt })
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
		if !f.Challenge.matches(g.codeHash(f.Consent, code)) {
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
	o := OptIn{
		Consent: given, Notice: f.Notice, Statement: consent.StateConsent(given),
		Receipt: sha256.Sum256([]byte(f.Receipt)),
		Commitments: map[string]consent.Commitment{ // R-CON-5
			"address": consent.Commit(d.Addr.String()),
			"device":  consent.Commit(g.parts.Router.evidenceMark(d.Guest.MAC)),
			"browser": consent.Commit(f.Browser),
			"number":  consent.Commit(string(key)),
		},
	}
	o.Statement.Store, o.Statement.Zone = s.StoreID, d.Guest.Zone
	o.Statement.Channel, o.Statement.Build = "portal", Version
	o.Statement.Commitments = make(map[string]consent.Hash)
	for name, c := range o.Commitments {
		o.Statement.Commitments[name] = c.Hash()
	}
	if given.Reaches() {
		if o.Sealed, err = s.Seal.Seal(phone, f.Consent); err != nil {
			return OptIn{}, err
		}
	}
	if given.Allows(consent.VisitFrequency) {
		o.Mark = g.parts.Router.MemberMark(d.Guest.MAC)
		o.Visit = &Visit{ID: f.Consent, Subject: given.Subject(), Zone: d.Guest.Zone, Start: now, Number: m.Visits + 1}
	}
	facts := Facts{Store: s.StoreID, Zone: d.Guest.Zone}
	told, err := NewEvent(standing, f.Agreed[0], ConsentChanged, key, now, facts)
	if err != nil {
		return OptIn{}, err
	}
	o.Events = append(o.Events, told)
	for _, p := range f.Agreed {
		about := facts
		if p.Reaches() {
			about.Sealed, about.SealedFor = o.Sealed, f.Consent
		}
		e, err := NewEvent(standing, p, LeadGiven, key, now, about)
		if err != nil {
			return OptIn{}, err
		}
		o.Events = append(o.Events, e)
	}
	return o, nil
}
