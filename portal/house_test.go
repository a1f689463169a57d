package portal_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/portal"
	"github.com/hien-wifi/hien/templates"
)

// A house is a small world for the portal: one zone, its guests, what they
// gave. Fields are set before the portal opens, maps are read after.
type house struct {
	mu      sync.Mutex
	store   string
	zone    hien.Zone
	asker   consent.Asker
	refused map[hien.MAC][]consent.Purpose // what a device said no to
	visits  map[hien.MAC]int               // of members
	closed  bool                           // nothing is asked for
	down    bool                           // the shop has no internet
	till    bool                           // it sends nothing: its till shows a code
	breaks  map[string]error               // by method
	panics  map[string]bool                // by method
	entry   func(ctx context.Context)      // called by Admit, without the lock

	guests   map[hien.MAC]*guest
	receipts map[string]*hien.Receipt
	later    map[string]*hien.Receipt     // by an older receipt's secret: what was agreed to since, under another name
	standing map[hien.MAC]consent.Consent // of members
	calls    map[string]int
}

type guest struct {
	step    hien.Step
	form    *hien.Application
	tries   int
	left    time.Duration
	receipt string
	inquiry string        // the number that waits for its code
	change  string        // the number that is to be the person's, once its code is typed
	pass    time.Duration // what is left of a pass; 0 Inside: it has no end
	bytes   int64         // that the pass may still carry; 0: no limit
	grace   bool          // it is a grace pass
	till    bool          // the code is the till's
	waiting bool          // for the internet, to be sent a code
	why     hien.Why      // Outside
	back    time.Duration // Outside
}

// rightCode is the code that every guest of the house is sent.
const rightCode = "123456"

var (
	asked  = []consent.Purpose{consent.VisitFrequency, consent.ContactZalo}
	phoneA = hien.MAC{0x02, 0, 0x5e, 0x10, 0, 0x0a}
	phoneB = hien.MAC{0x02, 0, 0x5e, 0x10, 0, 0x0b}
	noon   = hien.Moment{Wall: time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC), Boot: "b", Up: time.Hour, InStep: true}
	saigon = time.FixedZone("+07", 7*3600)
)

func newHouse() *house {
	return &house{
		store:    "Quán Hiên",
		zone:     hien.Zone{Name: "guest", Offer: "Giảm 10% cho ly thứ hai", Purposes: asked, Pass: 4 * time.Hour},
		asker:    madeUp(),
		refused:  make(map[hien.MAC][]consent.Purpose),
		visits:   make(map[hien.MAC]int),
		breaks:   make(map[string]error),
		panics:   make(map[string]bool),
		guests:   make(map[hien.MAC]*guest),
		receipts: make(map[string]*hien.Receipt),
		later:    make(map[string]*hien.Receipt),
		standing: make(map[hien.MAC]consent.Consent),
		calls:    make(map[string]int),
	}
}

// madeUp is the made-up controller of a made-up shop, by the policy of 2026.
func madeUp() consent.Asker {
	p, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		panic(err)
	}
	return consent.Asker{Policy: p, Controller: consent.Controller{
		Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh", TaxID: "0000000001", Contact: "dpo@hien.example"}}
}

// notice is what the house asks for in a language.
func (h *house) notice(lang templates.Language, purposes []consent.Purpose) consent.Notice {
	a := h.asker
	a.NoNumber = h.till
	n, err := a.Notice(string(lang), h.store, purposes)
	if err != nil {
		panic(err)
	}
	return n
}

// called counts a call and breaks as it was told to. The lock is held.
func (h *house) called(method string) error {
	h.calls[method]++
	if h.panics[method] {
		panic("the house fell down in " + method)
	}
	return h.breaks[method]
}

func (h *house) guest(d hien.Device) *guest {
	g, ok := h.guests[d.Guest.MAC]
	if !ok {
		g = &guest{}
		h.guests[d.Guest.MAC] = g
	}
	return g
}

// barred is why a guest who is Outside may not come in.
func (g *guest) barred() error {
	if g.why == hien.WhySpent {
		return hien.ErrSpent
	}
	return hien.ErrBlocked
}

func (h *house) Greet(_ context.Context, d hien.Device, _ hien.Moment) (hien.Greeting, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Greet"); err != nil {
		return hien.Greeting{}, err
	}
	g := h.guest(d)
	gr := hien.Greeting{StoreName: h.store, Zone: h.zone, Asker: h.asker, Step: g.step, Visit: h.visits[d.Guest.MAC], Receipt: g.receipt,
		PassLeft: g.pass, Grace: g.grace, StaffCode: g.till, NoNumber: h.till, BytesLeft: g.bytes, Why: g.why, BackIn: g.back, NoInternet: h.down, Waiting: g.waiting}
	gr.Asker.NoNumber = h.till
	switch {
	case g.step == hien.AtCode:
		gr.LastTwo, gr.TriesLeft, gr.CodeLeft = g.form.Phone.LastTwo(), g.tries, g.left
	case g.step == hien.AtDoor && !h.closed && gr.Visit == 0:
		for _, p := range h.zone.Asks() {
			if slices.Contains(h.refused[d.Guest.MAC], p) {
				gr.Refused = append(gr.Refused, p)
			} else {
				gr.Ask = append(gr.Ask, p)
			}
		}
	}
	return gr, nil
}

func (h *house) Inside(_ context.Context, d hien.Device, _ hien.Moment) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Inside"); err != nil {
		return false, err
	}
	g := h.guest(d)
	return g.step == hien.Inside || g.step == hien.AtCode && g.pass > 0, nil
}

func (h *house) Admit(ctx context.Context, d hien.Device, _ hien.Moment) error {
	if h.entry != nil {
		h.entry(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Admit"); err != nil {
		return err
	}
	g := h.guest(d)
	if g.step == hien.Outside {
		return g.barred()
	}
	g.step, g.form, g.pass, g.waiting = hien.Inside, nil, h.zone.Pass, false
	return nil
}

func (h *house) Refuse(ctx context.Context, d hien.Device, shown []consent.Purpose, now hien.Moment) error {
	h.mu.Lock()
	err := h.called("Refuse")
	h.refused[d.Guest.MAC] = append(h.refused[d.Guest.MAC], shown...)
	h.mu.Unlock()
	if err != nil {
		return err
	}
	return h.Admit(ctx, d, now)
}

func (h *house) AdmitYoung(ctx context.Context, d hien.Device, now hien.Moment) error {
	h.mu.Lock()
	err := h.called("AdmitYoung")
	h.mu.Unlock()
	if err != nil {
		return err
	}
	return h.Admit(ctx, d, now)
}

func (h *house) Ask(_ context.Context, d hien.Device, a hien.Application, _ hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Ask"); err != nil {
		return err
	}
	if h.closed || a.Phone.IsZero() != h.till || !a.OfAge || len(a.Agreed) == 0 {
		return hien.ErrNoAsking
	}
	for _, p := range a.Agreed {
		if !a.Notice.Asked(p) {
			return hien.ErrNoAsking
		}
	}
	g := h.guest(d)
	if g.step == hien.Outside {
		return g.barred()
	}
	g.step, g.form, g.tries, g.left, g.waiting, g.till = hien.AtCode, &a, hien.CodeTries, hien.CodeLife, h.down, h.till
	return nil
}

func (h *house) AskAgain(_ context.Context, d hien.Device, _ hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("AskAgain"); err != nil {
		return err
	}
	g := h.guest(d)
	if g.form == nil {
		return hien.ErrNoForm
	}
	g.tries, g.left = hien.CodeTries, hien.CodeLife
	return nil
}

func (h *house) Forget(_ context.Context, d hien.Device, _ hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Forget"); err != nil {
		return err
	}
	if g := h.guest(d); g.step == hien.AtCode {
		g.step, g.form = hien.AtDoor, nil
	}
	return nil
}

func (h *house) Prove(_ context.Context, d hien.Device, code hien.Code, now hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Prove"); err != nil {
		return err
	}
	g := h.guest(d)
	switch {
	case g.step == hien.Inside && g.receipt != "":
		return nil
	case g.form == nil:
		return hien.ErrNoForm
	case g.tries == 0 || g.left == 0:
		return hien.ErrCodeDead
	case code.Reveal() != rightCode:
		g.tries--
		return hien.ErrBadCode
	}
	c, err := consent.Give(consent.NewID(), consent.NewID(), g.form.Notice, g.form.Agreed, now)
	if err != nil {
		return err
	}
	g.step, g.receipt = hien.Inside, "receiptof"+string(c.ID())
	h.receipts[g.receipt] = &hien.Receipt{Given: c, Standing: c, Notice: g.form.Notice.Text()}
	return nil
}

func (h *house) Receipt(_ context.Context, secret string) (hien.Receipt, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Receipt"); err != nil {
		return hien.Receipt{}, err
	}
	r, ok := h.receipts[secret]
	if !ok {
		return hien.Receipt{}, hien.ErrNoReceipt
	}
	return *r, nil
}

func (h *house) Withdraw(_ context.Context, secret string, purposes []consent.Purpose, _ hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Withdraw"); err != nil {
		return err
	}
	r, ok := h.receipts[secret]
	if !ok {
		return hien.ErrNoReceipt
	}
	r.Standing = r.Standing.Without(purposes...)
	if again, ok := h.later[secret]; ok {
		again.Standing = again.Standing.Without(purposes...)
	}
	return nil
}

// count is how often a method was called.
func (h *house) Mine(_ context.Context, d hien.Device, _ hien.Moment) (hien.Mine, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Mine"); err != nil {
		return hien.Mine{}, err
	}
	g := h.guest(d)
	return hien.Mine{Receipt: g.receipt, Asker: h.asker, Asked: h.asked(g.inquiry), Standing: h.standing[d.Guest.MAC]}, nil
}

func (h *house) asked(number string) hien.Asked {
	a := hien.Asked{Sends: !h.closed && !h.down}
	if number != "" {
		a.Waits, a.LastTwo, a.Left, a.Tries = true, number[len(number)-2:], hien.CodeLife, hien.CodeTries
	}
	return a
}

func (h *house) NumberAsked(_ context.Context, d hien.Device, _ string, _ hien.Moment) (hien.Asked, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked(h.guest(d).change), h.called("NumberAsked")
}

func (h *house) ChangeNumber(_ context.Context, d hien.Device, _ string, to hien.Phone, _ string, _ hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("ChangeNumber"); err != nil {
		return err
	}
	h.guest(d).change = to.Reveal()
	return nil
}

// ConfirmNumber knows one number, that of the receipt's person.
func (h *house) ConfirmNumber(_ context.Context, d hien.Device, _ string, code hien.Code, _ hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("ConfirmNumber"); err != nil {
		return err
	}
	g := h.guest(d)
	switch {
	case g.change == "":
		return hien.ErrNoForm
	case code.Reveal() != rightCode:
		return hien.ErrBadCode
	}
	same := g.change == "+84987654321"
	if g.change = ""; same {
		return hien.ErrUnchanged
	}
	return nil
}

func (h *house) Inquire(_ context.Context, d hien.Device, to hien.Phone, _ string, _ hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Inquire"); err != nil {
		return err
	}
	h.guest(d).inquiry = to.Reveal()
	return nil
}

// Confirm knows one number.
func (h *house) Confirm(_ context.Context, d hien.Device, code hien.Code, _ hien.Moment) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Confirm"); err != nil {
		return "", err
	}
	g := h.guest(d)
	switch {
	case g.inquiry == "":
		return "", hien.ErrNoForm
	case code.Reveal() != rightCode:
		return "", hien.ErrBadCode
	case g.inquiry != "+84987654321":
		g.inquiry = ""
		return "", hien.ErrNoReceipt
	}
	g.inquiry, g.receipt = "", "s"
	return "s", nil
}

func (h *house) DropInquiry(_ context.Context, d hien.Device, _ hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.guest(d)
	g.inquiry, g.change = "", ""
	return h.called("DropInquiry")
}

func (h *house) TakeBack(_ context.Context, d hien.Device, purposes []consent.Purpose, _ hien.Moment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.standing[d.Guest.MAC] = h.standing[d.Guest.MAC].Without(purposes...)
	return h.called("TakeBack")
}

func (h *house) Everything(_ context.Context, secret string) ([]hien.Person, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Everything"); err != nil {
		return nil, err
	}
	r, ok := h.receipts[secret]
	if !ok {
		return nil, hien.ErrNoReceipt
	}
	people := []hien.Person{{Member: hien.Member{Consent: r.Standing}, Keys: []hien.LeadKey{"k1:0a1b2c"},
		Given: []hien.Given{{Consent: r.Given, Seq: 1, Notice: r.Notice, Receipts: 1,
			Commitments: map[string]consent.Commitment{"address": {Salt: []byte("salt"), Value: "10.77.0.9"}}}}}}
	if again, ok := h.later[secret]; ok {
		people = append(people, hien.Person{Member: hien.Member{Consent: again.Standing}, Keys: []hien.LeadKey{"k1:0a1b2c"},
			Given: []hien.Given{{Consent: again.Given, Seq: 3, Notice: again.Notice}}})
	}
	return people, nil
}

func (h *house) Erase(_ context.Context, secret string, _ hien.Moment) (hien.Gone, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("Erase"); err != nil {
		return hien.Gone{}, err
	}
	if _, ok := h.receipts[secret]; !ok {
		return hien.Gone{}, hien.ErrNoReceipt
	}
	delete(h.receipts, secret)
	for _, g := range h.guests {
		if g.receipt == secret {
			g.receipt = ""
		}
	}
	return hien.Gone{Seq: 7, ID: erasureID}, nil
}

func (h *house) ErasedAt(_ context.Context, seq uint64, id consent.ID) (hien.Moment, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.called("ErasedAt"); err != nil {
		return hien.Moment{}, err
	}
	if seq != 7 || id != erasureID {
		return hien.Moment{}, hien.ErrNoReceipt
	}
	return noon, nil
}

// erasureID names the one erasure of the house.
const erasureID consent.ID = "0123456789abcdef0123456789abcdef"

func (h *house) count(method string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls[method]
}

// counts are all calls.
func (h *house) counts() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.calls)
}

func (h *house) set(mac hien.MAC, g guest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.guests[mac] = &g
}

func (h *house) formOf(mac hien.MAC) *hien.Application {
	h.mu.Lock()
	defer h.mu.Unlock()
	if g := h.guests[mac]; g != nil {
		return g.form
	}
	return nil
}

// neighbours is a neighbour table.
type neighbours map[netip.Addr]hien.MAC

func (n neighbours) MAC(a netip.Addr) (hien.MAC, error) {
	if m, ok := n[a]; ok {
		return m, nil
	}
	return hien.MAC{}, errors.New("no such neighbour")
}

// everybody has phone B but the two addresses that tests use as phone A.
type everybody struct{}

func (everybody) MAC(a netip.Addr) (hien.MAC, error) {
	if a == netip.MustParseAddr("127.0.0.1") || a == netip.IPv6Loopback() {
		return phoneA, nil
	}
	return phoneB, nil
}

// A log keeps what was logged.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A door is a portal that serves on loopback.
type door struct {
	*house
	url string // http://127.0.0.1:port
	log *log
}

// open serves a portal of h until the test ends. edit changes its options.
func open(t testing.TB, h *house, edit ...func(*portal.Options)) door {
	t.Helper()
	return openOn(t, h, "127.0.0.1:0", edit...)
}

func openOn(t testing.TB, h *house, addr string, edit ...func(*portal.Options)) door {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	d := door{house: h, url: "http://" + l.Addr().String(), log: &log{}}
	o := options(h)
	o.Log = slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	for _, e := range edit {
		e(&o)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- portal.New(o).Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return d
}

func options(h *house) portal.Options {
	return portal.Options{
		Zone: "guest", House: h, Receipts: h, Own: h, Numbers: h, Neighbours: everybody{},
		Now: func() hien.Moment { return noon }, Log: slog.New(slog.DiscardHandler), Location: saigon,
	}
}
