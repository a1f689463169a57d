package hien_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func (p *porch) inquire(d hien.Device, number string) error {
	p.Helper()
	return p.Inquire(p.Context(), d, phone(p, number), "vi", p.now)
}

func (p *porch) mine(d hien.Device) hien.Mine {
	p.Helper()
	m, err := p.Mine(p.Context(), d, p.now)
	if err != nil {
		p.Fatal(err)
	}
	return m
}

func TestWhoProvesANumberGetsAFreshReceipt(t *testing.T) {
	p := newPorch(t)
	p.give(device(1), "0987654321", consent.VisitFrequency, consent.ContactZalo)
	first := p.greet(device(1)).Receipt
	if err := p.Withdraw(t.Context(), hien.Who{Receipt: hien.ReceiptHash(first)}, nil, "portal", p.now); err != nil {
		t.Fatal(err) // and with it goes the lead key: the person is found all the same
	}
	d := device(2)
	p.greet(d)
	if err := p.inquire(d, "0987 654 321"); err != nil {
		t.Fatal(err)
	}
	sent := p.codes.of(d)
	if err := p.inquire(d, "0987 654 321"); err != nil || p.codes.of(d).Reveal() != sent.Reveal() {
		t.Errorf("asked twice at once: %v, and another code", err)
	}
	if m := p.mine(d); !m.Waits || m.LastTwo != "21" || m.Left != hien.CodeLife || m.Tries != hien.CodeTries || m.Receipt != "" {
		t.Errorf("the page is told %+v", m)
	}
	wrong, _ := hien.ParseCode("000000")
	if sent.Reveal() == "000000" {
		wrong, _ = hien.ParseCode("000001")
	}
	if _, err := p.Confirm(t.Context(), d, wrong, p.now); !errors.Is(err, hien.ErrBadCode) {
		t.Errorf("a wrong code: %v", err)
	}
	secret, err := p.Confirm(t.Context(), d, sent, p.now)
	if err != nil || secret == first {
		t.Fatalf("Confirm: %v", err)
	}
	for _, s := range []string{first, secret} { // several open one consent
		if r, err := p.Receipt(t.Context(), s); err != nil || !r.Given.Allows(consent.ContactZalo) || r.Standing.AllowsAny() {
			t.Errorf("receipt: %v", err)
		}
	}
	if again, err := p.Confirm(t.Context(), d, sent, p.now); err != nil || again != secret {
		t.Errorf("pressed twice: %v, the same secret: %t", err, again == secret)
	}
	if m := p.mine(d); m.Receipt != secret || m.Waits {
		t.Errorf("afterwards the page is told %+v", m)
	}
	if g := p.greet(d); g.Step != hien.AtDoor || p.ledger() != 2 {
		t.Errorf("an inquiry let somebody in, or entered the ledger: %+v, %d", g, p.ledger())
	}
	if _, err := p.Erase(t.Context(), hien.Who{Receipt: hien.ReceiptHash(secret)}, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{first, secret} {
		if _, err := p.Receipt(t.Context(), s); !errors.Is(err, hien.ErrNoReceipt) {
			t.Errorf("a receipt outlives its person: %v", err)
		}
	}
	if m := p.mine(d); m.Receipt != "" {
		t.Error("the livebook still has the secret")
	}
}

// Until the code is right a number that is known and one that is not have the
// same answers, and nothing looks into the record.
func TestAnInquiryTellsNothingBeforeItIsProved(t *testing.T) {
	p := newPorch(t)
	p.give(device(1), "0987654321", consent.VisitFrequency)
	spy := p.spied()
	known, unknown := device(2), device(3)
	for d, number := range map[hien.Device]string{known: "0987654321", unknown: "0912345678"} {
		if err := p.inquire(d, number); err != nil {
			t.Fatalf("%s: %v", number, err)
		}
		m := p.mine(d)
		if m.LastTwo = ""; !m.Waits || m.Left != hien.CodeLife || m.Tries != hien.CodeTries || m.Standing.AllowsAny() {
			t.Errorf("%s: told %+v", number, m)
		}
	}
	for _, call := range spy.calls {
		if call != "Member" { // of the device itself
			t.Errorf("the record was asked %s", call)
		}
	}
	if _, err := p.Confirm(t.Context(), unknown, p.codes.of(unknown), p.now); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("nothing is kept: %v", err)
	}
	if m := p.mine(unknown); m.Waits || m.Receipt != "" {
		t.Errorf("afterwards: %+v", m)
	}
}

func TestAnInquiryKeepsTheLimitsOfCodes(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	for range hien.CodesPerQuarter {
		if err := p.inquire(d, "0987654321"); err != nil {
			t.Fatal(err)
		}
		p.later(time.Minute)
	}
	if err := p.inquire(d, "0987654321"); !errors.Is(err, hien.ErrTooMany) {
		t.Errorf("by this device: %v; want ErrTooMany", err)
	}
	if err := p.inquire(device(2), "0987654321"); !errors.Is(err, hien.ErrTooMany) {
		t.Errorf("for this number: %v; want ErrTooMany", err)
	}
	if m := p.mine(device(2)); m.Waits {
		t.Error("an inquiry waits for a code that was not sent")
	}
	for range hien.CodeTries {
		wrong, _ := hien.ParseCode("111111")
		if p.codes.of(d).Reveal() == "111111" {
			wrong, _ = hien.ParseCode("222222")
		}
		if _, err := p.Confirm(t.Context(), d, wrong, p.now); !errors.Is(err, hien.ErrBadCode) {
			t.Fatalf("a guess: %v", err)
		}
	}
	if _, err := p.Confirm(t.Context(), d, p.codes.of(d), p.now); !errors.Is(err, hien.ErrCodeDead) {
		t.Errorf("the right code after too many guesses: %v; want ErrCodeDead", err)
	}
	p.later(time.Hour)
	if err := p.inquire(d, "0987654321"); err != nil {
		t.Fatal(err)
	}
	p.later(hien.CodeLife)
	if _, err := p.Confirm(t.Context(), d, p.codes.of(d), p.now); !errors.Is(err, hien.ErrCodeDead) {
		t.Errorf("an old code: %v; want ErrCodeDead", err)
	}
	if err := p.DropInquiry(t.Context(), d, p.now); err != nil || p.mine(d).Waits {
		t.Errorf("dropped: %v", err)
	}
	if _, err := p.Confirm(t.Context(), d, p.codes.of(d), p.now); !errors.Is(err, hien.ErrNoForm) {
		t.Errorf("with nothing asked: %v; want ErrNoForm", err)
	}
}

func TestAMembersDeviceTakesBack(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency, consent.ContactZalo)
	p.later(5 * time.Hour)
	p.tick() // the stay is over, and with it the receipt's secret
	p.greet(d)
	if m := p.mine(d); !m.Standing.Allows(consent.ContactZalo) || m.Receipt != "" {
		t.Errorf("a member's device is told %+v", m)
	}
	if m := p.mine(device(2)); m.Standing.AllowsAny() {
		t.Errorf("a stranger's device is told %+v", m)
	}
	if err := p.TakeBack(t.Context(), device(2), nil, p.now); err != nil {
		t.Errorf("a stranger's device takes back: %v; want nothing", err)
	}
	if err := p.TakeBack(t.Context(), d, []consent.Purpose{consent.ContactZalo}, p.now); err != nil {
		t.Fatal(err)
	}
	if m := p.mine(d); m.Standing.Allows(consent.ContactZalo) || !m.Standing.Allows(consent.VisitFrequency) {
		t.Errorf("afterwards %+v", m)
	}
}

func TestWhereNoCodeCanBeSentNobodyInquires(t *testing.T) {
	p := newPorch(t)
	p.offline.Store(true)
	if err := p.inquire(device(1), "0987654321"); !errors.Is(err, hien.ErrNoAsking) || p.mine(device(1)).Sends {
		t.Errorf("without internet: %v", err)
	}
	p.offline.Store(false)
	var foreign *hien.PhoneError
	if err := p.inquire(device(1), "+81 90 1234 5678"); !errors.As(err, &foreign) {
		t.Errorf("a foreign number: %v", err)
	}
	p.parts.Reissuer = nil
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	if err := p.inquire(device(1), "0987654321"); !errors.Is(err, hien.ErrNoAsking) {
		t.Errorf("without a record: %v", err)
	}
}

func TestANumberThatNobodyProvesIsForgotten(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.admit(d)
	if err := p.inquire(d, "0987654321"); err != nil {
		t.Fatal(err)
	}
	for range 26 { // the guest stays on
		p.later(time.Hour)
		p.saw(d)
		p.tick()
	}
	if guest, _, err := p.book.Guest(d.Guest); err != nil || guest.Inquiry != nil {
		t.Errorf("after a day: %+v, %v", guest.Inquiry, err)
	}
}

// A device's address can be taken by a neighbour who waits until its person
// has gone: what it is shown of a receipt ends long before the stay does.
func TestADeviceIsShownItsReceiptForAWhileOnly(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.give(d, "0987654321", consent.VisitFrequency)
	secret := p.greet(d).Receipt
	shown := func() []bool {
		own, err := p.Confirm(t.Context(), d, hien.NewCode(), p.now) // as when its button is pressed twice
		if err != nil && !errors.Is(err, hien.ErrNoForm) {
			t.Fatal(err)
		}
		return []bool{p.greet(d).Receipt == secret, p.mine(d).Receipt == secret, own == secret}
	}
	p.later(hien.ReceiptShown - time.Second)
	if got := shown(); slices.Contains(got, false) {
		t.Errorf("while its person is likely to be there the device is shown its receipt: %v", got)
	}
	p.later(time.Second)
	if got := shown(); slices.Contains(got, true) {
		t.Errorf("whoever has the device's address later is shown the receipt: %v", got)
	}
	if _, err := p.Receipt(t.Context(), secret); err != nil {
		t.Errorf("the link that the person kept: %v", err)
	}
	if m := p.mine(d); !m.Standing.Allows(consent.VisitFrequency) {
		t.Error("the member's device cannot take anything back")
	}
	if err := p.inquire(d, "0987654321"); err != nil {
		t.Fatal(err)
	}
	fresh, err := p.Confirm(t.Context(), d, p.codes.of(d), p.now)
	if err != nil || p.mine(d).Receipt != fresh {
		t.Errorf("whoever proves the number sees the receipt again: %v", err)
	}
}
