package hien

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// A Gateway is the house: the rules by which a guest comes in, whatever is
// asked or answered on the way. It is safe for concurrent use.
//
// Three rules hold in every method. Access never depends on consent, nor on
// the record: where that fails, nothing is asked and the door still opens
// (I8). What is acknowledged is durable first: record, door, queue, in this
// order (I1). And a purpose is looked at when an event is made and again when
// it is sent (R-CON-7).
type Gateway struct {
	parts      Parts
	memory     memoryKey
	settings   atomic.Pointer[Settings]
	owners     owners
	complained atomic.Int64 // Moment.Up of the last complaint
	resumed    atomic.Bool  // the visits of an earlier boot were closed
}

// Parts are what the gateway works with. Record is nil when the record could
// not be opened: then nothing is asked.
type Parts struct {
	Record Record
	Book   Livebook
	Door   Door
	Router RouterKey
	Within func(zone string, addr netip.Addr) bool // a guest of the zone can have the address; nil: any can
	Wake   func()                                  // tells the courier that an event was queued
	Log    *slog.Logger
}

// Settings are what the owner sets; Reload changes them.
type Settings struct {
	StoreID   string
	StoreName string
	Zones     []Zone
	Brand     BrandKey // none: no number is asked
	Seal      SealKey  // none: no purpose that reaches the person
	Sender    Sender   // nil: no number is asked
}

// How finely a guest's presence is written down. A sighting sooner after the
// last one than this tells nothing new.
const sightGrain = 10 * time.Second

// maxEnded is how many stays of one guest wait for a record that cannot be
// written.
const maxEnded = 16

// NewGateway makes the house of its parts.
func NewGateway(p Parts, s Settings) *Gateway {
	g := &Gateway{parts: p, memory: newMemoryKey()}
	if g.parts.Wake == nil {
		g.parts.Wake = func() {}
	}
	g.Reload(s)
	if err := g.owners.load(p.Book); err != nil {
		p.Log.Warn("the livebook cannot be read", "err", err)
	}
	return g
}

// Reload puts other settings in force. Passes and forms stay as they are.
func (g *Gateway) Reload(s Settings) { g.settings.Store(&s) }

func (s *Settings) zone(name string) (Zone, bool) {
	i := slices.IndexFunc(s.Zones, func(z Zone) bool { return z.Name == name })
	if i < 0 {
		return Zone{}, false
	}
	return s.Zones[i], true
}

func (g *Gateway) zone(name string) (Zone, error) {
	z, ok := g.settings.Load().zone(name)
	if !ok {
		return Zone{}, fmt.Errorf("%w: %q", ErrNoZone, name)
	}
	return z, nil
}

// Saw takes in a sighting: the stay goes on or begins, and a guest with a
// pass that shows itself at another address is let through there too.
func (g *Gateway) Saw(ctx context.Context, s Sighting, now Moment) error {
	zone, err := g.zone(s.Guest.Zone)
	if err != nil {
		return err
	}
	addr := s.Addr
	if !g.reachable(s.Guest.Zone, addr) {
		addr = netip.Addr{}
	}
	guest, known, err := g.parts.Book.Guest(s.Guest)
	if err != nil {
		return err
	}
	owner, owned := g.owners.get(s.Guest.Zone, addr)
	moved := addr.IsValid() && (!owned || owner != s.Guest.MAC || !slices.Contains(guest.Addrs, addr))
	if !moved && known && guest.here(zone, now) && now.Up-guest.Stay.Last.Up < min(sightGrain, zone.VisitGap/4) {
		return nil
	}
	if moved && owned && owner != s.Guest.MAC {
		if err := g.takeAway(ctx, GuestID{s.Guest.Zone, owner}, addr, now); err != nil {
			return err
		}
	}
	err = g.parts.Book.Change(s.Guest, func(guest *Guest) error {
		guest.see(zone, now)
		if !moved || len(guest.Addrs) == MaxAddrs && !slices.Contains(guest.Addrs, addr) && !g.owners.mayEvict(now) {
			moved = false
			return nil
		}
		return g.extend(ctx, guest, addr, now)
	})
	if err == nil && moved && g.owners.set(s.Guest, addr) {
		err = g.owners.load(g.parts.Book)
	}
	return err
}

// Owns reports whether an address is known to be the guest's.
func (g *Gateway) Owns(id GuestID, addr netip.Addr) bool {
	mac, ok := g.owners.get(id.Zone, addr)
	return ok && mac == id.MAC
}

// extend gives a guest one more address, and lets it through there while it
// has a pass. The door first: an address that is remembered is not new any
// more, and would stay outside.
func (g *Gateway) extend(ctx context.Context, guest *Guest, addr netip.Addr, now Moment) error {
	if left := guest.Pass.Left(now); left > 0 {
		if err := g.parts.Door.Admit(ctx, guest.ID, []netip.Addr{addr}, left); err != nil {
			return err
		}
	}
	dropped := guest.Remember(addr)
	if !dropped.IsValid() {
		return nil
	}
	g.owners.drop(guest.ID, dropped)
	if guest.Pass.Left(now) == 0 {
		return nil
	}
	return g.parts.Door.Remove(ctx, guest.ID, []netip.Addr{dropped})
}

// takeAway takes an address from the guest that had it.
func (g *Gateway) takeAway(ctx context.Context, from GuestID, addr netip.Addr, now Moment) error {
	g.owners.drop(from, addr)
	return g.parts.Book.Change(from, func(guest *Guest) error {
		i := slices.Index(guest.Addrs, addr)
		if i < 0 {
			return ErrUnchanged
		}
		if guest.Pass.Left(now) > 0 {
			if err := g.parts.Door.Remove(ctx, from, []netip.Addr{addr}); err != nil {
				return err
			}
		}
		guest.Addrs = slices.Delete(guest.Addrs, i, i+1)
		return nil
	})
}

// reachable reports whether a guest of the zone can reach the internet from
// addr: an address of the zone's own networks and nobody else's.
func (g *Gateway) reachable(zone string, addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsUnspecified() && !addr.IsMulticast() &&
		!addr.IsLinkLocalUnicast() && !addr.IsLoopback() &&
		(g.parts.Within == nil || g.parts.Within(zone, addr))
}

// here reports whether the guest's stay goes on.
func (gu *Guest) here(z Zone, now Moment) bool {
	return gu.Stay.Start.Boot != "" && now.Up-gu.Stay.Last.Up <= z.VisitGap
}

// see extends the guest's stay, or ends it and begins another.
func (gu *Guest) see(z Zone, now Moment) {
	if !gu.here(z, now) {
		gu.leave()
		gu.Stay.Start = now
	}
	gu.Stay.Last = now
}

// leave ends the guest's stay, if there is one. What was shown or half
// finished in it is forgotten; the pass is not.
func (gu *Guest) leave() {
	if gu.Stay.Start.Boot != "" {
		gu.Ended = append(gu.Ended, gu.Stay)
		gu.Ended = gu.Ended[max(0, len(gu.Ended)-maxEnded):]
	}
	gu.Stay, gu.Form, gu.Receipt, gu.Asked, gu.Gave = Stay{}, nil, "", false, false
}

// Greet tells the portal how to speak to the guest at the door. It is a
// sighting too.
func (g *Gateway) Greet(ctx context.Context, d Device, now Moment) (Greeting, error) {
	zone, err := g.zone(d.Guest.Zone)
	if err != nil {
		return Greeting{}, err
	}
	gr := Greeting{StoreName: g.settings.Load().StoreName, Zone: zone}
	err = g.Saw(ctx, Sighting{Guest: d.Guest, Addr: d.Addr, Source: "portal"}, now)
	var guest Guest
	if err == nil {
		guest, _, err = g.parts.Book.Guest(d.Guest)
	}
	if err != nil {
		// Without the book a form could not wait for its code: nothing is
		// asked, and the door opens all the same (I8).
		g.complain(now, "the livebook fails; nothing is asked, and guests come in all the same", err)
		return gr, nil
	}
	gr.Receipt = guest.Receipt
	member := g.member(ctx, d.Guest)
	if member.Known() {
		gr.Visit = member.Visits
		if guest.Stay.Visit == "" {
			gr.Visit++ // this stay is not in the record yet
			gr.SinceLast = between(member.LastVisit, now)
		}
	}
	gr.PassLeft = guest.Pass.Left(now)
	switch {
	case gr.PassLeft > 0:
		gr.Step = Inside
		// The guest asks for the portal, so perhaps the kernel lost it.
		err = g.parts.Door.Admit(ctx, d.Guest, []netip.Addr{d.Addr}, gr.PassLeft)
	case guest.Form != nil && g.opens(guest.Form):
		gr.Step = AtCode
		gr.LastTwo = guest.Form.LastTwo
		gr.TriesLeft = max(0, CodeTries-guest.Form.Challenge.Tries)
		if gr.TriesLeft > 0 {
			gr.CodeLeft = guest.Form.Challenge.Left(now)
		}
	case g.asking() && !guest.Asked && !guest.Gave && !member.Known():
		gr.Ask = slices.Clone(zone.Purposes)
	}
	return gr, err
}

// Inside reports whether the guest has a pass. It is for a probe that reaches
// the portal all the same: then the kernel lost the pass, or never had it for
// that address, and gets it again. Of a guest without a pass nothing is
// written and nothing looked up.
func (g *Gateway) Inside(ctx context.Context, d Device, now Moment) (bool, error) {
	guest, _, err := g.parts.Book.Guest(d.Guest)
	if err != nil {
		return false, err
	}
	left := guest.Pass.Left(now)
	if left == 0 {
		return false, nil
	}
	if err := g.Saw(ctx, Sighting{Guest: d.Guest, Addr: d.Addr, Source: "portal"}, now); err != nil {
		return false, err
	}
	return true, g.parts.Door.Admit(ctx, d.Guest, []netip.Addr{d.Addr}, left)
}

// complain logs a trouble that every guest would meet, once a minute: a
// router's log is small.
func (g *Gateway) complain(now Moment, what string, err error) {
	last := g.complained.Load()
	if (last == 0 || now.Up-time.Duration(last) >= time.Minute) && g.complained.CompareAndSwap(last, int64(max(now.Up, 1))) {
		g.parts.Log.Error(what, "err", err)
	}
}

// between is the time from one moment to another, 0 when no clock can tell.
func between(from, to Moment) time.Duration {
	switch {
	case from.Boot == "":
		return 0
	case from.Boot == to.Boot:
		return to.Up - from.Up
	case from.InStep && to.InStep:
		return max(0, to.Wall.Sub(from.Wall))
	}
	return 0
}

// asking reports whether an answer could be kept.
func (g *Gateway) asking() bool {
	s := g.settings.Load()
	return g.parts.Record != nil && s.Sender != nil && !s.Brand.IsZero()
}

// member is the person behind a device, if it is a member's. A record that
// cannot be read makes a stranger of everybody.
func (g *Gateway) member(ctx context.Context, id GuestID) Member {
	if g.parts.Record == nil {
		return Member{}
	}
	m, err := g.parts.Record.Member(ctx, g.parts.Router.MemberMark(id.MAC))
	if err != nil {
		g.parts.Log.Warn("a returning guest could not be looked up", "err", err)
		return Member{}
	}
	return m
}

// opens reports whether the number of a form can still be read: after a
// restart it cannot, and is asked for again.
func (g *Gateway) opens(f *Form) bool {
	_, err := g.memory.open(f.Sealed, f.Consent)
	return err == nil
}

// Admit gives the guest a pass and asks for nothing in return. A pass that
// still holds is not made longer.
func (g *Gateway) Admit(ctx context.Context, d Device, now Moment) error {
	return g.open(ctx, d, now, func(guest *Guest) { guest.Asked = true })
}

// open is the door: the kernel's set first, then the livebook. Once the guest
// is in the kernel's set it is in, whatever becomes of the book: a book that
// fails is for the log (I8).
func (g *Gateway) open(ctx context.Context, d Device, now Moment, then func(*Guest)) error {
	zone, err := g.zone(d.Guest.Zone)
	if err != nil {
		return err
	}
	tried := false
	var doorErr error
	admit := func(guest *Guest) error {
		tried = true
		if guest.Pass.Left(now) == 0 {
			guest.Pass = Pass{Until: now.Up + zone.Pass}
		}
		doorErr = g.parts.Door.Admit(ctx, d.Guest, guest.Addrs, guest.Pass.Left(now))
		if doorErr == nil && g.reachable(d.Guest.Zone, d.Addr) && !slices.Contains(guest.Addrs, d.Addr) {
			doorErr = g.extend(ctx, guest, d.Addr, now) // a page is asked for at the same moment as the address is new
			g.owners.set(d.Guest, d.Addr)
		}
		return doorErr
	}
	// Within the change, so that no sighting of another address slips in
	// between the door and the book.
	bookErr := g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		guest.see(zone, now)
		if err := admit(guest); err != nil {
			return err
		}
		guest.Form = nil
		then(guest)
		return nil
	})
	if !tried { // the book could not even be read
		admit(&Guest{ID: d.Guest})
	}
	if doorErr != nil {
		return doorErr
	}
	if bookErr != nil {
		g.complain(now, "the livebook fails; a guest was let in and could not be written down", bookErr)
	}
	return nil
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
	var form consent.ID
	var language string
	err := g.parts.Book.Change(d.Guest, func(guest *Guest) error {
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
	// No code is on its way: the form would wait for nothing.
	return errors.Join(err, g.parts.Book.Change(d.Guest, func(guest *Guest) error {
		if guest.Form == nil || guest.Form.Consent != form {
			return ErrUnchanged
		}
		guest.Form = nil
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

// Withdraw takes back the purposes, or all of them with none named: the
// ledger entry, the deletion of what was queued and the event that tells of
// it are one transaction, in force when Withdraw returns (R-RGT-2). It is the
// only way in for a withdrawal. channel says where it was asked for. To take
// back what was not agreed to changes nothing.
func (g *Gateway) Withdraw(ctx context.Context, who Who, purposes []consent.Purpose, channel string, now Moment) error {
	if g.parts.Record == nil {
		return ErrStorage
	}
	s := g.settings.Load()
	err := g.parts.Record.Withdraw(ctx, who, func(m Member) (Withdrawal, error) {
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
		w.Event, err = NewWithdrawal(w.After, back, m.Key, now, Facts{Store: s.StoreID})
		return w, err
	})
	if errors.Is(err, ErrUnchanged) {
		return nil
	}
	if err == nil {
		g.parts.Wake()
	}
	return err
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
