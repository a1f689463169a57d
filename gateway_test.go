package hien_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/livebook"
	"github.com/hien-wifi/hien/internal/sqlite"
)

// A porch is a gateway with a real record and a real livebook; the door and
// the sender are small worlds.
type porch struct {
	testing.TB
	*hien.Gateway
	record   *sqlite.Store
	book     *livebook.Book
	door     *door
	codes    *codes
	parts    hien.Parts
	settings hien.Settings
	now      hien.Moment
	woken    atomic.Int32
	meter    *meter
	lender   *lender
	audit    *audit
	offline  atomic.Bool
}

var start = hien.Moment{Wall: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), Boot: "boot-a", Up: time.Hour, InStep: true}

func newPorch(t testing.TB) *porch {
	t.Helper()
	dir := t.TempDir()
	key := hien.NewRouterKey()
	log := slog.New(slog.DiscardHandler)
	record, err := sqlite.Open(t.Context(), filepath.Join(dir, "record.db"), sqlite.Options{Signer: key.Signer(), Tombstone: key.Tombstone, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { record.Close() })
	book, err := livebook.Open(filepath.Join(dir, "livebook"), livebook.Options{Boot: start.Boot, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	seal, _, err := hien.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	p := &porch{TB: t, record: record, book: book, now: start,
		door:  &door{in: make(map[hien.GuestID]map[netip.Addr]time.Duration)},
		codes: &codes{last: make(map[hien.GuestID]hien.Code)}, meter: new(meter), audit: new(audit),
		lender: &lender{lent: make(map[hien.GuestID]map[netip.Addr]time.Duration)}}
	p.parts = hien.Parts{Record: record, Refusals: record, Shelf: book, Eraser: record, Reissuer: record, Book: book, Door: p.door, Router: key, Log: log, Wake: func() { p.woken.Add(1) },
		Meter: p.meter, Lender: p.lender, Audit: p.audit, Online: func() bool { return !p.offline.Load() }}
	p.settings = hien.Settings{StoreID: "hcm-q1-01", StoreName: "Quán Hiên", Brand: hien.NewBrandKey(1), Seal: seal, Sender: p.codes, Asker: asker(t, "vn-2026"),
		Zones: []hien.Zone{{Name: "guest", Interface: "br-guest", PortalPort: 2050, Pass: 4 * time.Hour, VisitGap: 30 * time.Minute,
			Offer: "Trà đá", Purposes: []consent.Purpose{consent.VisitFrequency, consent.ContactZalo}}}}
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	return p
}

// later lets time pass.
func (p *porch) later(d time.Duration) {
	p.now.Wall, p.now.Up = p.now.Wall.Add(d), p.now.Up+d
}

func (p *porch) tick() {
	p.Helper()
	if err := p.Tick(p.Context(), p.now); err != nil {
		p.Fatalf("Tick: %v", err)
	}
}

func (p *porch) greet(d hien.Device) hien.Greeting {
	p.Helper()
	g, err := p.Greet(p.Context(), d, p.now)
	if err != nil {
		p.Fatalf("Greet: %v", err)
	}
	return g
}

// give lets the guest give its number and prove it.
func (p *porch) give(d hien.Device, number string, agreed ...consent.Purpose) {
	p.Helper()
	p.greet(d)
	if err := p.Ask(p.Context(), d, p.application(number, agreed...), p.now); err != nil {
		p.Fatalf("Ask: %v", err)
	}
	if err := p.Prove(p.Context(), d, p.codes.of(d), p.now); err != nil {
		p.Fatalf("Prove: %v", err)
	}
}

func (p *porch) application(number string, agreed ...consent.Purpose) hien.Application {
	p.Helper()
	n := consent.Notice{Version: "test-1", Substance: p.settings.Asker.Substance(), Language: "vi", Title: "Quán Hiên", Asks: []consent.Ask{
		{Purpose: consent.VisitFrequency, Line: "đếm lần ghé"}, {Purpose: consent.ContactZalo, Line: "nhắn Zalo"}}}
	return hien.Application{OfAge: true, Phone: phone(p, number), Agreed: agreed, Notice: n, Browser: "Mozilla/5.0 (test)"}
}

func (p *porch) ledger() (n int) {
	p.Helper()
	head, err := p.record.Head(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	if err := consent.Verify(p.parts.Router.Signer().Public(), p.record.Entries(p.Context()), head); err != nil {
		p.Errorf("ledger: %v", err)
	}
	return int(head.Seq)
}

func (p *porch) queue() []hien.Event {
	p.Helper()
	events, err := p.record.Batch(p.Context(), 1000, p.now)
	if err != nil {
		p.Fatal(err)
	}
	return events
}

func kinds(events []hien.Event) (k []hien.EventKind) {
	for _, e := range events {
		k = append(k, e.Kind())
	}
	return k
}

func device(i int) hien.Device {
	return hien.Device{
		Guest: hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0, byte(i >> 8), byte(i)}},
		Addr:  netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}),
	}
}

// A door knows who is in. It fails when told to.
type door struct {
	mu      sync.Mutex
	in      map[hien.GuestID]map[netip.Addr]time.Duration
	fail    error
	stuck   error  // of removals alone, which then do nothing
	between func() // runs before a removal, as something that happens meanwhile
}

func (d *door) Admit(_ context.Context, id hien.GuestID, addrs []netip.Addr, left time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	for _, a := range addrs {
		if d.in[id] == nil {
			d.in[id] = make(map[netip.Addr]time.Duration)
		}
		d.in[id][a] = left
	}
	return nil
}

func (d *door) Remove(_ context.Context, id hien.GuestID, addrs []netip.Addr) error {
	if d.between != nil {
		d.between()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stuck != nil {
		return d.stuck
	}
	for _, a := range addrs {
		delete(d.in[id], a)
	}
	return d.fail
}

func (d *door) left(dev hien.Device) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.in[dev.Guest][dev.Addr]
}

// codes is a telephone network that hands over every message at once.
type codes struct {
	mu   sync.Mutex
	last map[hien.GuestID]hien.Code
	sent int
	fail error
}

func (c *codes) Send(_ context.Context, m hien.Message) (hien.Proof, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return "", c.fail
	}
	c.last[m.Guest] = m.Code
	c.sent++
	return "test", nil
}

func (c *codes) of(d hien.Device) hien.Code {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[d.Guest]
}

func (c *codes) wrong(d hien.Device) hien.Code {
	right := c.of(d).Reveal()
	other := "000000"
	if right == other {
		other = "000001"
	}
	code, _ := hien.ParseCode(other)
	return code
}

func TestGoingOnWithoutKeepsNothing(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	if g := p.greet(d); g.Step != hien.AtDoor || len(g.Ask) != 2 || g.Visit != 0 {
		t.Errorf("greeting = %+v; want two purposes asked at the door", g)
	}
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	if got := p.door.left(d); got != 4*time.Hour {
		t.Errorf("the pass lasts %v; want 4h", got)
	}
	if g := p.greet(d); g.Step != hien.Inside || g.PassLeft != 4*time.Hour {
		t.Errorf("greeting = %+v; want inside for 4h", g)
	}
	p.later(time.Hour)
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	if got := p.door.left(d); got != 3*time.Hour {
		t.Errorf("pressed again after an hour, the pass lasts %v; want 3h", got)
	}
	p.later(3 * time.Hour)
	p.tick()
	if got := p.door.left(d); got != 0 {
		t.Errorf("after the pass the guest is still in for %v", got)
	}
	if p.ledger() != 0 || len(p.queue()) != 0 {
		t.Error("something of a guest who gave nothing is in the record")
	}
	if _, known, _ := p.book.Guest(d.Guest); known {
		t.Error("a guest who left is still in the livebook")
	}
}

func TestRefusalIsNotAskedAgainInTheSameStay(t *testing.T) {
	p := newPorch(t)
	p.settings.Zones[0].Pass = 10 * time.Minute
	p.Reload(p.settings)
	d := device(1)
	p.greet(d)
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	p.later(10 * time.Minute)
	p.tick()
	if g := p.greet(d); g.Step != hien.AtDoor || len(g.Ask) != 0 {
		t.Errorf("greeting = %+v; want the door, and nothing asked", g)
	}
}

func TestGiving(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency, consent.ContactZalo)

	if got := p.door.left(d); got != 4*time.Hour {
		t.Errorf("the pass lasts %v; want 4h", got)
	}
	g := p.greet(d)
	if g.Step != hien.Inside || g.Receipt == "" || g.Visit != 1 {
		t.Errorf("greeting = %+v; want inside, with a receipt, on visit 1", g)
	}
	if n := p.ledger(); n != 1 {
		t.Errorf("%d ledger entries; want 1", n)
	}
	if got, want := kinds(p.queue()), []hien.EventKind{hien.ConsentChanged, hien.LeadGiven, hien.LeadGiven}; !slices.Equal(got, want) {
		t.Errorf("queued %v; want %v", got, want)
	}
	for _, e := range p.queue() {
		if sealed := e.Facts().Sealed != ""; sealed != (e.Kind() == hien.LeadGiven && e.Purpose() == consent.ContactZalo) {
			t.Errorf("event %s for %s: sealed number %v", e.Kind(), e.Purpose(), sealed)
		}
		if want := p.settings.Brand.LeadKey(phone(t, "0987654321")); e.User() != want {
			t.Errorf("event for %s; want %s", e.User(), want)
		}
	}
	r, err := p.Receipt(t.Context(), g.Receipt)
	if err != nil || !r.Standing.Allows(consent.ContactZalo) || r.Notice == "" {
		t.Errorf("receipt = %+v, %v", r, err)
	}
	if _, err := p.Receipt(t.Context(), "guessed"); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("a guessed receipt: %v; want ErrNoReceipt", err)
	}
	if p.woken.Load() == 0 {
		t.Error("the courier was not told")
	}
}

func TestVisits(t *testing.T) {
	p := newPorch(t)
	p.settings.Zones[0].Pass = 20 * time.Minute
	p.Reload(p.settings)
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency)
	for range 4 {
		p.later(10 * time.Minute)
		if err := p.Saw(t.Context(), hien.Sighting{Guest: d.Guest, Addr: d.Addr, Source: "arp"}, p.now); err != nil {
			t.Fatal(err)
		}
		p.tick()
	}
	p.later(31 * time.Minute)
	p.tick()
	events := p.queue()
	last := events[len(events)-1]
	if v := last.Facts().Visit; last.Kind() != hien.StoreVisited || v == nil || v.Number != 1 || v.Stayed != 40*time.Minute {
		t.Errorf("last event %s, %+v; want visit 1 of 40 minutes", last.Kind(), last.Facts().Visit)
	}

	p.later(47 * time.Hour)
	g := p.greet(d)
	if g.Step != hien.AtDoor || g.Visit != 2 || len(g.Ask) != 0 || g.SinceLast.Round(time.Hour) != 48*time.Hour {
		t.Errorf("greeting = %+v; want the door, visit 2 after 48 h, nothing asked", g)
	}
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	p.later(time.Hour)
	p.tick()
	events = p.queue()
	last = events[len(events)-1]
	if v := last.Facts().Visit; v == nil || v.Number != 2 || v.SinceLast.Round(time.Hour) != 48*time.Hour {
		t.Errorf("last event %s, %+v; want visit 2, 48 h after the first", last.Kind(), last.Facts().Visit)
	}
	p.tick()
	if again := p.queue(); len(again) != len(events) {
		t.Errorf("another tick queued %d events more", len(again)-len(events))
	}
}

func TestWhoDidNotAgreeToBeCountedIsAStranger(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, "0987654321", consent.ContactZalo)
	p.later(24 * time.Hour)
	p.tick()
	if g := p.greet(d); g.Visit != 0 || len(g.Ask) == 0 {
		t.Errorf("greeting = %+v; want that of a stranger", g)
	}
	for _, e := range p.queue() {
		if e.Kind() == hien.StoreVisited {
			t.Error("a visit was told of somebody who did not agree to it")
		}
	}
}

func TestCodes(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	ask := func() error {
		return p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now)
	}
	prove := func(c hien.Code) error { return p.Prove(t.Context(), d, c, p.now) }
	p.greet(d)
	if err := prove(p.codes.wrong(d)); !errors.Is(err, hien.ErrNoForm) {
		t.Errorf("a code out of nowhere: %v; want ErrNoForm", err)
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if g := p.greet(d); g.Step != hien.AtCode || g.LastTwo != "21" || g.CodeLeft != hien.CodeLife || g.TriesLeft != hien.CodeTries {
		t.Errorf("greeting = %+v; want a fresh code for ··21", g)
	}
	for i := range hien.CodeTries {
		if err := prove(p.codes.wrong(d)); !errors.Is(err, hien.ErrBadCode) {
			t.Errorf("wrong code %d: %v; want ErrBadCode", i+1, err)
		}
	}
	if err := prove(p.codes.of(d)); !errors.Is(err, hien.ErrCodeDead) {
		t.Errorf("the right code after five wrong ones: %v; want ErrCodeDead", err)
	}
	if g := p.greet(d); g.TriesLeft != 0 || g.CodeLeft != 0 {
		t.Errorf("greeting = %+v; want a dead code", g)
	}

	if err := p.AskAgain(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	p.later(hien.CodeLife)
	if err := prove(p.codes.of(d)); !errors.Is(err, hien.ErrCodeDead) {
		t.Errorf("the right code five minutes late: %v; want ErrCodeDead", err)
	}
	if err := p.AskAgain(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	if err := p.AskAgain(t.Context(), d, p.now); !errors.Is(err, hien.ErrTooMany) {
		t.Errorf("a fourth code within the quarter: %v; want ErrTooMany", err)
	}
	if p.door.left(d) != 0 || p.ledger() != 0 {
		t.Error("the door or the record opened without a proof")
	}
	p.later(20 * time.Minute)
	if err := ask(); err != nil {
		t.Errorf("after a quarter of an hour: %v", err)
	}
	if err := prove(p.codes.of(d)); err != nil {
		t.Errorf("the right code: %v", err)
	}
}

func TestAnotherNumberCanBeGiven(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	if err := p.Forget(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	if g := p.greet(d); g.Step != hien.AtDoor || len(g.Ask) != 2 {
		t.Errorf("greeting = %+v; want the question again", g)
	}
	p.codes.fail = errors.New("no route")
	if err := p.Ask(t.Context(), d, p.application("0987654322", consent.VisitFrequency), p.now); !errors.Is(err, hien.ErrNotSent) {
		t.Errorf("Ask = %v; want ErrNotSent", err)
	}
	if g := p.greet(d); g.Step != hien.AtDoor || len(g.Ask) != 2 {
		t.Errorf("greeting after a failure = %+v; want the question again", g)
	}
}

func TestCodesOfOneNumberAreLimitedWhateverDeviceAsks(t *testing.T) {
	p := newPorch(t)
	for i := range 5 {
		err := p.Ask(t.Context(), device(i), p.application("0987654321", consent.VisitFrequency), p.now)
		if tooMany := errors.Is(err, hien.ErrTooMany); tooMany != (i >= hien.CodesPerQuarter) {
			t.Errorf("device %d: %v", i+1, err)
		}
	}
	if p.codes.sent != hien.CodesPerQuarter {
		t.Errorf("%d codes were sent; want %d", p.codes.sent, hien.CodesPerQuarter)
	}
	if g := p.greet(device(4)); g.Step != hien.AtDoor {
		t.Error("a form waits for a code that was never sent")
	}
}

func TestACodeThatWasSentStaysGoodWhenAnotherIsRefused(t *testing.T) {
	p := newPorch(t)
	for i := range hien.CodesPerQuarter {
		if err := p.Ask(t.Context(), device(i), p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
			t.Fatal(err)
		}
	}
	d := device(0)
	if err := p.AskAgain(t.Context(), d, p.now); !errors.Is(err, hien.ErrTooMany) {
		t.Fatalf("AskAgain = %v; want ErrTooMany", err)
	}
	if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); err != nil {
		t.Errorf("the code that was sent: %v", err)
	}
}

func TestAtMostFiveOfManyGuessesAreLookedAt(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var looked atomic.Int32
	for range 50 {
		wg.Go(func() {
			for range 40 {
				if err := p.Prove(context.Background(), d, p.codes.wrong(d), p.now); errors.Is(err, hien.ErrBadCode) {
					looked.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if looked.Load() != hien.CodeTries {
		t.Errorf("%d of 2,000 guesses were looked at; want %d", looked.Load(), hien.CodeTries)
	}
}

func TestPressedTwiceCountsOnce(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := p.Ask(context.Background(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
				t.Errorf("Ask: %v", err)
			}
		})
	}
	wg.Wait()
	if p.codes.sent != 1 {
		t.Errorf("%d codes were sent; want 1", p.codes.sent)
	}
	for range 8 {
		wg.Go(func() {
			if err := p.Prove(context.Background(), d, p.codes.of(d), p.now); err != nil {
				t.Errorf("Prove: %v", err)
			}
		})
	}
	wg.Wait()
	if n := p.ledger(); n != 1 {
		t.Errorf("%d ledger entries; want 1", n)
	}
	if n := len(p.queue()); n != 2 {
		t.Errorf("%d events; want 2", n)
	}
}

func TestTwoPhonesWithOneNumberAreOnePerson(t *testing.T) {
	p := newPorch(t)
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { p.give(device(i), "0987654321", consent.VisitFrequency) })
	}
	wg.Wait()
	if n := p.ledger(); n != 2 {
		t.Errorf("%d ledger entries; want one for each answer", n)
	}
	leads, err := p.record.Leads(t.Context(), 10)
	if err != nil || len(leads) != 1 {
		t.Errorf("%d leads, %v; want 1", len(leads), err)
	}
	for i := range 2 {
		if p.door.left(device(i)) == 0 || p.greet(device(i)).Visit == 0 {
			t.Errorf("phone %d is not known or not in", i+1)
		}
	}
}

func TestWhenTheSenderFailsTheFormDoesNotWait(t *testing.T) {
	p := newPorch(t)
	p.codes.fail = errors.New("no route")
	d := device(1)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); !errors.Is(err, hien.ErrNotSent) {
		t.Errorf("Ask = %v; want ErrNotSent", err)
	}
	if g := p.greet(d); g.Step != hien.AtDoor {
		t.Errorf("step %v; want the door", g.Step)
	}
	if err := p.Admit(t.Context(), d, p.now); err != nil || p.door.left(d) == 0 {
		t.Errorf("going on without: %v, in for %v", err, p.door.left(d))
	}
}

func TestRecordBeforeDoor(t *testing.T) {
	p := newPorch(t)
	full := fmt.Errorf("write: %w", hien.ErrStorage)
	broken := &brokenRecord{Record: p.record, err: full}
	p.parts.Record = broken
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	d := device(1)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); !errors.Is(err, hien.ErrStorage) {
		t.Errorf("Prove with a full disk = %v; want ErrStorage", err)
	}
	if p.door.left(d) != 0 {
		t.Error("the door opened on an answer that was not kept")
	}
	t.Run("the same code is good again once there is room", func(t *testing.T) {
		broken.err = nil
		if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); err != nil || p.door.left(d) == 0 {
			t.Errorf("Prove = %v, in for %v", err, p.door.left(d))
		}
	})
	t.Run("a door that fails is tried again, and the answer is kept once", func(t *testing.T) {
		d := device(2)
		if err := p.Ask(t.Context(), d, p.application("0987654322", consent.VisitFrequency), p.now); err != nil {
			t.Fatal(err)
		}
		p.door.fail = errors.New("netlink: no buffer")
		if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); err == nil {
			t.Error("no error from a door that failed")
		}
		p.door.fail = nil
		if err := p.Prove(t.Context(), d, p.codes.of(d), p.now); err != nil || p.door.left(d) == 0 {
			t.Errorf("Prove = %v, in for %v", err, p.door.left(d))
		}
		if n := p.ledger(); n != 2 {
			t.Errorf("%d ledger entries; want 2", n)
		}
	})
}

type brokenRecord struct {
	hien.Record
	err error
}

func (b *brokenRecord) OptIn(ctx context.Context, key hien.LeadKey, f func(hien.Member) (hien.OptIn, error), before ...hien.LeadKey) error {
	if b.err != nil {
		return b.err
	}
	return b.Record.OptIn(ctx, key, f, before...)
}

func TestWithoutARecordNothingIsAskedAndTheDoorOpens(t *testing.T) {
	p := newPorch(t)
	p.parts.Record = nil
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	d := device(1)
	if g := p.greet(d); len(g.Ask) != 0 {
		t.Errorf("asked %v with no record to keep the answer", g.Ask)
	}
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("Ask = %v; want ErrNoAsking", err)
	}
	if err := p.Admit(t.Context(), d, p.now); err != nil || p.door.left(d) == 0 {
		t.Errorf("Admit = %v, in for %v", err, p.door.left(d))
	}
	p.tick()
}

func TestWithdrawal(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency, consent.ContactZalo)
	secret := p.greet(d).Receipt
	who := hien.Who{Receipt: hien.ReceiptHash(secret)}

	if err := p.Withdraw(t.Context(), who, []consent.Purpose{consent.ContactZalo}, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	events := p.queue()
	if events[0].Kind() != hien.Withdrawn {
		t.Errorf("queue = %v; want the withdrawal before everything", kinds(events))
	}
	for _, e := range events {
		if e.Purpose() == consent.ContactZalo || e.Facts().Sealed != "" {
			t.Errorf("event %s of the withdrawn purpose would still be sent", e.Kind())
		}
		if e.Consent().Allows(consent.ContactZalo) {
			t.Errorf("event %s tells upstream that contact_zalo is allowed", e.Kind())
		}
	}
	if g := p.greet(d); g.Visit != 1 {
		t.Errorf("greeting = %+v; want a member still", g)
	}
	for range 2 { // the second changes nothing
		if err := p.Withdraw(t.Context(), who, nil, "portal", p.now); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.ledger(); n != 3 {
		t.Errorf("%d ledger entries; want 1 consent and 2 withdrawals", n)
	}
	if got, want := kinds(p.queue()), []hien.EventKind{hien.Withdrawn, hien.Withdrawn}; !slices.Equal(got, want) {
		t.Errorf("queue = %v; want %v", got, want)
	}
	if g := p.greet(d); g.Visit != 0 || g.Step != hien.Inside {
		t.Errorf("greeting = %+v; want a stranger who stays online", g)
	}
	r, err := p.Receipt(t.Context(), secret)
	if err != nil || r.Standing.AllowsAny() || !r.Given.Allows(consent.ContactZalo) {
		t.Errorf("receipt = %+v, %v; want what was given, and that nothing stands", r, err)
	}
	if err := p.Withdraw(t.Context(), hien.Who{Subject: "nobody"}, nil, "control", p.now); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("withdrawal of nobody: %v; want ErrNoReceipt", err)
	}
}

// Whoever took everything back and agrees again has another name. A withdrawal
// by the older receipt reaches it, and is told like any other.
func TestAnOlderReceiptTakesBackWhatStands(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency, consent.ContactZalo)
	older := hien.Who{Receipt: hien.ReceiptHash(p.greet(d).Receipt)}
	if err := p.Withdraw(t.Context(), older, nil, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	p.later(5 * time.Hour)
	p.tick()
	p.sent()
	p.give(d, "0987654321", consent.VisitFrequency, consent.ContactZalo)
	newer := p.greet(d).Receipt
	before, entries := p.woken.Load(), p.ledger()
	if err := p.Withdraw(t.Context(), older, nil, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	if p.woken.Load() == before || p.ledger() != entries+1 {
		t.Errorf("the courier was woken: %t, and the ledger has %d new entries; want one", p.woken.Load() != before, p.ledger()-entries)
	}
	if r, err := p.Receipt(t.Context(), newer); err != nil || r.Standing.AllowsAny() {
		t.Errorf("%v stand under the newer name, %v; want nothing", r.Standing.Agreed(), err)
	}
	if events := p.queue(); len(events) != 1 || events[0].Kind() != hien.Withdrawn || events[0].User() != p.keyOf("0987654321") || len(events[0].Facts().Withdrawn) != 2 {
		t.Errorf("queue = %v; want the withdrawal of both alone", kinds(events))
	}
	if g := p.greet(d); g.Visit != 0 {
		t.Errorf("greeting = %+v; want a stranger", g)
	}
}

func TestAnotherAddressDuringThePass(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	p.later(time.Hour)
	moved := d
	moved.Addr = netip.MustParseAddr("2001:db8:77::9")
	if err := p.Saw(t.Context(), hien.Sighting{Guest: d.Guest, Addr: moved.Addr, Source: "nd"}, p.now); err != nil {
		t.Fatal(err)
	}
	if got := p.door.left(moved); got != 3*time.Hour {
		t.Errorf("at its new address the guest is in for %v; want the 3h that are left", got)
	}
	for _, a := range []string{"0.0.0.0", "fe80::1", "ff02::1", "127.0.0.1"} {
		odd := hien.Device{Guest: d.Guest, Addr: netip.MustParseAddr(a)}
		if err := p.Saw(t.Context(), hien.Sighting{Guest: d.Guest, Addr: odd.Addr}, p.now); err != nil || p.door.left(odd) != 0 {
			t.Errorf("%s: %v, let through for %v", a, err, p.door.left(odd))
		}
	}
}

func TestAnAddressHasOneOwner(t *testing.T) {
	p := newPorch(t)
	victim, thief := device(1), device(2)
	for _, d := range []hien.Device{victim, thief} {
		p.greet(d)
	}
	if err := p.Admit(t.Context(), victim, p.now); err != nil {
		t.Fatal(err)
	}
	says := func(id hien.GuestID, addr netip.Addr) {
		t.Helper()
		if err := p.Saw(t.Context(), hien.Sighting{Guest: id, Addr: addr, Source: "neighbour"}, p.now); err != nil {
			t.Fatal(err)
		}
	}
	own := hien.Device{Guest: victim.Guest, Addr: netip.MustParseAddr("2001:db8:77::bad")}
	// The table says for a moment that the thief's address is the victim's.
	says(victim.Guest, own.Addr)
	says(thief.Guest, own.Addr)
	if p.door.left(own) != 0 || p.door.left(hien.Device{Guest: thief.Guest, Addr: own.Addr}) != 0 {
		t.Error("an address stays open that belongs to a guest without a pass")
	}
	// And that the victim's is the thief's.
	says(thief.Guest, victim.Addr)
	if p.door.left(victim) != 0 {
		t.Error("an address that went to another device stays open for the first")
	}
	says(victim.Guest, victim.Addr)
	if p.door.left(victim) == 0 {
		t.Error("the victim has its address back and not its way out")
	}
	// After a restart the owners are known again.
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	says(thief.Guest, victim.Addr)
	if p.door.left(victim) != 0 {
		t.Error("after a restart an address has two owners")
	}
}

func TestAPassThatTheKernelLostComesBackAtThePortal(t *testing.T) {
	p := newPorch(t)
	d, stranger := device(1), device(2)
	p.greet(d)
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	lose := func() { p.door.in = make(map[hien.GuestID]map[netip.Addr]time.Duration) }
	lose()
	if inside, err := p.Inside(t.Context(), d, p.now); err != nil || !inside || p.door.left(d) == 0 {
		t.Errorf("a probe: inside %v, %v, in for %v", inside, err, p.door.left(d))
	}
	lose()
	if g := p.greet(d); g.Step != hien.Inside || p.door.left(d) == 0 {
		t.Errorf("the page: %+v, in for %v", g, p.door.left(d))
	}
	if inside, err := p.Inside(t.Context(), stranger, p.now); err != nil || inside || p.door.left(stranger) != 0 {
		t.Errorf("a stranger's probe: inside %v, %v, in for %v", inside, err, p.door.left(stranger))
	}
	if _, known, _ := p.book.Guest(stranger.Guest); known {
		t.Error("a stranger's probe was written down")
	}
}

func TestManyAddressesOfOneGuestDoNotFillTheDoor(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		p.later(time.Millisecond)
		addr := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)})
		if err := p.Saw(t.Context(), hien.Sighting{Guest: d.Guest, Addr: addr, Source: "neighbour"}, p.now); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.door.in[d.Guest]); n > hien.MaxAddrs {
		t.Errorf("one guest has %d places in the kernel's sets; want at most %d", n, hien.MaxAddrs)
	}
}

func TestAddressesOfOthersAreNoGuests(t *testing.T) {
	p := newPorch(t)
	p.parts.Within = func(zone string, a netip.Addr) bool { return netip.MustParsePrefix("10.77.0.0/24").Contains(a) }
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	d := device(1)
	p.greet(d)
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	till := hien.Device{Guest: d.Guest, Addr: netip.MustParseAddr("192.168.1.10")}
	if err := p.Saw(t.Context(), hien.Sighting{Guest: d.Guest, Addr: till.Addr, Source: "neighbour"}, p.now); err != nil || p.door.left(till) != 0 {
		t.Errorf("an address of another network: %v, let through for %v", err, p.door.left(till))
	}
	p.greet(till)
	if inside, err := p.Inside(t.Context(), till, p.now); err != nil || !inside || p.door.left(till) != 0 {
		t.Errorf("an address of another network at the portal: inside %v, %v, let through for %v", inside, err, p.door.left(till))
	}
}

func TestAnAddressThatTheDoorMissedIsTriedAgain(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	moved := hien.Device{Guest: d.Guest, Addr: netip.MustParseAddr("2001:db8:77::9")}
	saw := func() error {
		return p.Saw(t.Context(), hien.Sighting{Guest: d.Guest, Addr: moved.Addr, Source: "nd"}, p.now)
	}
	p.door.fail = errors.New("netlink: no buffer")
	if err := saw(); err == nil {
		t.Error("no error from a door that failed")
	}
	p.door.fail = nil
	if err := saw(); err != nil || p.door.left(moved) == 0 {
		t.Errorf("seen again: %v, in for %v", err, p.door.left(moved))
	}
}

func TestAPassRenewedWhileItIsShut(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.greet(d)
	if err := p.Admit(t.Context(), d, p.now); err != nil {
		t.Fatal(err)
	}
	p.later(4 * time.Hour)
	p.door.between = func() {
		p.door.between = nil
		if err := p.Admit(t.Context(), d, p.now); err != nil {
			t.Error(err)
		}
	}
	p.tick()
	if got := p.door.left(d); got != 4*time.Hour {
		t.Errorf("the guest who pressed the button as its pass ended is in for %v; want 4h", got)
	}
}

// A lostBook is a livebook on a tmpfs that is full, or gone.
type lostBook struct {
	hien.Livebook
	read, write error
}

func (b lostBook) Guest(id hien.GuestID) (hien.Guest, bool, error) {
	if b.read != nil {
		return hien.Guest{}, false, b.read
	}
	return b.Livebook.Guest(id)
}

func (b lostBook) Change(id hien.GuestID, change func(*hien.Guest) error) error {
	if b.read != nil {
		return b.read
	}
	guest, _, _ := b.Livebook.Guest(id)
	guest.ID = id
	if err := change(&guest); err != nil {
		return err
	}
	return b.write
}

func TestWithoutALivebookTheDoorOpens(t *testing.T) {
	for name, lost := range map[string]lostBook{
		"that cannot be read":    {read: errors.New("input/output error")},
		"that cannot be written": {write: errors.New("no space left on device")},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPorch(t)
			lost.Livebook = p.book
			p.parts.Book = lost
			p.Gateway = hien.NewGateway(p.parts, p.settings)
			d := device(1)
			if g := p.greet(d); g.Step != hien.AtDoor || len(g.Ask) != 0 {
				t.Errorf("greeting = %+v; want the door, and nothing asked", g)
			}
			if err := p.Admit(t.Context(), d, p.now); err != nil || p.door.left(d) == 0 {
				t.Errorf("Admit = %v, in for %v", err, p.door.left(d))
			}
		})
	}
}

func TestSixCodesADay(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	sent := 0
	for i := range 12 {
		err := p.Ask(t.Context(), d, p.application(fmt.Sprintf("098765%04d", i), consent.VisitFrequency), p.now)
		switch {
		case err == nil:
			sent++
		case !errors.Is(err, hien.ErrTooMany):
			t.Fatal(err)
		}
		p.later(16 * time.Minute)
	}
	if sent != hien.CodesPerDay {
		t.Errorf("%d codes were sent to one device within a day; want %d", sent, hien.CodesPerDay)
	}
}

func TestWhatTheRecordCannotTakeWaits(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency)
	full := &fullRecord{Record: p.record, full: true}
	p.parts.Record = full
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	p.later(5 * time.Hour)
	if err := p.Tick(t.Context(), p.now); !errors.Is(err, hien.ErrStorage) {
		t.Errorf("Tick with a full disk = %v; want ErrStorage", err)
	}
	full.full = false
	p.tick()
	events := p.queue()
	if last := events[len(events)-1]; last.Kind() != hien.StoreVisited {
		t.Errorf("events = %v; the visit that ended while the disk was full is lost", kinds(events))
	}
}

type fullRecord struct {
	hien.Record
	full bool
}

func (r *fullRecord) EndStays(ctx context.Context, stays []hien.EndedStay, now hien.Moment, f func(hien.Member, hien.Visit, time.Duration) (hien.Event, error)) error {
	if r.full {
		return fmt.Errorf("write: %w", hien.ErrStorage)
	}
	return r.Record.EndStays(ctx, stays, now, f)
}

func TestRestartOfTheDaemon(t *testing.T) {
	p := newPorch(t)
	inside, waiting := device(1), device(2)
	p.give(inside, "0987654321", consent.VisitFrequency)
	if err := p.Ask(t.Context(), waiting, p.application("0987654322", consent.VisitFrequency), p.now); err != nil {
		t.Fatal(err)
	}
	code := p.codes.of(waiting)
	p.door.in = make(map[hien.GuestID]map[netip.Addr]time.Duration)
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	p.later(time.Minute)
	if err := p.Resume(t.Context(), p.now); err != nil {
		t.Fatal(err)
	}
	if got := p.door.left(inside); got != 4*time.Hour-time.Minute {
		t.Errorf("after a restart the guest is in for %v; want what was left", got)
	}
	if g := p.greet(waiting); g.Step != hien.AtDoor || len(g.Ask) != 2 {
		t.Errorf("greeting = %+v; the number cannot be read any more and is to be asked again", g)
	}
	if err := p.Prove(t.Context(), waiting, code, p.now); err == nil {
		t.Error("a code of before the restart opened the door")
	}
}

func TestUnknownZoneOrPurpose(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	d.Guest.Zone = "nowhere"
	if err := p.Admit(t.Context(), d, p.now); !errors.Is(err, hien.ErrNoZone) {
		t.Errorf("Admit = %v; want ErrNoZone", err)
	}
	a := p.application("0987654321", consent.AdsAudience)
	if err := p.Ask(t.Context(), device(1), a, p.now); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("Ask for a purpose that was not asked = %v; want ErrNoAsking", err)
	}
}
