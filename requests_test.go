package hien_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// asked is a porch where requests are kept, by the policy of 2026, at an hour
// in Vietnam.
func asked(t *testing.T, year int, month time.Month, day int) *porch {
	t.Helper()
	p := newPorch(t)
	policy, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		t.Fatal(err)
	}
	p.settings.Today.Policy, p.parts.Requests = policy, p.record
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	p.now.Wall = time.Date(year, month, day, 3, 0, 0, 0, time.UTC)
	return p
}

// R-RGT-3; Decree 356/2025/ND-CP Art. 5.
func TestARequestHasItsLegalClock(t *testing.T) {
	for _, test := range []struct {
		kind     string
		y        int
		m        time.Month
		d        int
		ack, due string
	}{
		{"erase", 2026, 11, 23, "2026-11-25", "2026-12-23"},
		{"access", 2026, 11, 23, "2026-11-25", "2026-12-08"},
		{"withdraw", 2026, 11, 27, "2026-12-01", "2026-12-17"}, // a Friday
		{"correct", 2026, 2, 13, "2026-02-24", "2026-02-28"},   // the Friday before Tết
	} {
		p := asked(t, test.y, test.m, test.d)
		r, err := p.OpenRequest(t.Context(), test.kind, "phone", "lan", p.now)
		if err != nil {
			t.Fatal(err)
		}
		in := time.FixedZone("UTC+7", 7*60*60)
		if ack, due := r.AckDue.In(in).Format(time.DateOnly), r.Due.In(in).Format(time.DateOnly); ack != test.ack || due != test.due || r.Policy == "" {
			t.Errorf("%s of %d-%d-%d: tell by %s, due %s; want %s, %s", test.kind, test.y, test.m, test.d, ack, due, test.ack, test.due)
		}
	}
}

// Why nothing can be done is told as it is: it is not the record's fault.
func TestWithoutAPolicyNoRequestHasADeadline(t *testing.T) {
	p := asked(t, 2026, 11, 23)
	p.settings.Today.Policy = nil
	p.Reload(p.settings)
	if _, err := p.OpenRequest(t.Context(), "erase", "phone", "lan", p.now); !errors.Is(err, hien.ErrNoDeadline) {
		t.Errorf("%v; want ErrNoDeadline", err)
	}
}

// Where nobody else has the data there is less to do, and less time.
func TestARequestIsDueSoonerWhereNothingIsDelivered(t *testing.T) {
	p := asked(t, 2026, 11, 23)
	p.settings.Asker.Controller.Delivers = false
	p.Reload(p.settings)
	r, err := p.OpenRequest(t.Context(), "erase", "phone", "lan", p.now)
	if due := r.Due.Format(time.DateOnly); err != nil || due != "2026-12-13" {
		t.Errorf("due %s, %v; want 2026-12-13", due, err)
	}
}

func TestARequestIsAnsweredExtendedAndRefused(t *testing.T) {
	p := asked(t, 2026, 11, 23)
	ctx := t.Context()
	r, err := p.OpenRequest(ctx, "erase", "paper", "lan", p.now)
	if err != nil || r.Number != 1 || r.Urgency(p.now.Wall) != 0 {
		t.Fatalf("opened: %+v, %v", r, err)
	}
	p.later(50 * time.Hour)
	if u := r.Urgency(p.now.Wall); u < 80 || u > 100 {
		t.Errorf("two working days are nearly over: %d %%", u)
	}
	if r, err = p.AnswerRequest(ctx, 1, "acknowledge", "", p.now); err != nil || r.Urgency(p.now.Wall) > 15 {
		t.Errorf("acknowledged: %+v, %v, %d %%", r, err, r.Urgency(p.now.Wall))
	}
	if _, err := p.AnswerRequest(ctx, 1, "extend", "", p.now); !errors.Is(err, hien.ErrNoReason) {
		t.Errorf("extended without a reason: %v", err)
	}
	if r, err = p.AnswerRequest(ctx, 1, "extend", "chờ bên xử lý", p.now); err != nil || !r.Extended || !r.Due.Equal(r.Latest) {
		t.Errorf("extended: %+v, %v", r, err)
	}
	if _, err := p.AnswerRequest(ctx, 1, "extend", "again", p.now); !errors.Is(err, hien.ErrExtended) {
		t.Errorf("extended twice: %v", err)
	}
	p.later(60 * 24 * time.Hour)
	if u := r.Urgency(p.now.Wall); u <= 100 {
		t.Errorf("late, and %d %%", u)
	}
	if _, err := p.AnswerRequest(ctx, 1, "refuse", "", p.now); !errors.Is(err, hien.ErrNoReason) {
		t.Errorf("refused without a reason: %v (R-RGT-6)", err)
	}
	if r, err = p.AnswerRequest(ctx, 1, "refuse", "luật buộc giữ", p.now); err != nil || r.Outcome != hien.RequestRefused || r.Urgency(p.now.Wall) != 0 {
		t.Errorf("refused: %+v, %v", r, err)
	}
	for _, how := range []string{"acknowledge", "extend", "refuse"} {
		if _, err := p.AnswerRequest(ctx, 1, how, "x", p.now); !errors.Is(err, hien.ErrRequestClosed) {
			t.Errorf("%s one that has ended: %v", how, err)
		}
	}
	if _, err := p.AnswerRequest(ctx, 9, "acknowledge", "", p.now); !errors.Is(err, hien.ErrNoRequest) {
		t.Errorf("one that is not there: %v", err)
	}
	second, err := p.OpenRequest(ctx, "correct", "counter", "lan", p.now)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = p.AnswerRequest(ctx, second.Number, "done", "", p.now); err != nil || r.Outcome != hien.RequestDone || r.Acked.IsZero() {
		t.Errorf("done by other means: %+v, %v", r, err)
	}
	for _, wrong := range [][2]string{{"sell", "phone"}, {"erase", "dream"}} {
		if _, err := p.OpenRequest(ctx, wrong[0], wrong[1], "lan", p.now); !errors.Is(err, hien.ErrRequestKind) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	p.now.InStep = false
	if _, err := p.OpenRequest(ctx, "erase", "phone", "lan", p.now); !errors.Is(err, hien.ErrClockUnset) {
		t.Errorf("by a clock that is not set: %v", err)
	}
}

func TestNothingIsDoneForAPersonWithoutATrace(t *testing.T) {
	p := asked(t, 2026, 11, 23)
	ctx := t.Context()
	p.give(device(1), "0987654321", consent.VisitFrequency)
	who, erased, err := p.Named(ctx, phone(p, "0987 654 321"))
	if err != nil || erased != "" {
		t.Fatalf("Named: %v, %q", err, erased)
	}
	open, err := p.OpenRequest(ctx, "erase", "phone", "lan", p.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CarryOut(ctx, open.Number, "access", "", "lan", p.now, nil); !errors.Is(err, hien.ErrRequestKind) {
		t.Errorf("another kind of request: %v", err)
	}
	full := errors.New("a full disk")
	if _, err := p.CarryOut(ctx, open.Number, "erase", "", "lan", p.now, func() (string, error) { return "", full }); !errors.Is(err, full) {
		t.Errorf("what could not be done: %v", err)
	}
	erase := func() (string, error) {
		gone, err := p.Erase(ctx, who, "control", p.now)
		return string(gone.ID), err
	}
	r, err := p.CarryOut(ctx, open.Number, "erase", "", "lan", p.now, erase)
	if err != nil || r.Outcome != hien.RequestDone || r.Proof == "" || r.Closed.IsZero() || r.Acked.IsZero() {
		t.Errorf("carried out: %+v, %v", r, err)
	}
	if _, err := p.CarryOut(ctx, open.Number, "erase", "", "lan", p.now, erase); !errors.Is(err, hien.ErrRequestClosed) {
		t.Errorf("carried out twice: %v", err)
	}
	if _, day, err := p.Named(ctx, phone(p, "0987654321")); !errors.Is(err, hien.ErrNoReceipt) || day != "2026-11-23" {
		t.Errorf("afterwards: %v, erased on %q", err, day)
	}
	r, err = p.CarryOut(ctx, 0, "erase", "counter", "lan", p.now, erase)
	if err != nil || r.Outcome != hien.RequestNobody || r.Number != 2 {
		t.Errorf("of whom nothing is kept: %+v, %v", r, err)
	}
	all, err := p.record.ListRequests(ctx, 10)
	if err != nil || len(all) != 2 {
		t.Fatalf("requests: %+v, %v", all, err)
	}
	third, err := p.OpenRequest(ctx, "access", "phone", "lan", p.now)
	if err != nil {
		t.Fatal(err)
	}
	if all, err = p.record.ListRequests(ctx, 10); err != nil || all[0].Number != third.Number {
		t.Errorf("the open one is not first: %+v, %v", all, err)
	}
	p.later(10 * 366 * 24 * time.Hour) // the file of a request is kept for a term only
	if _, err := p.OpenRequest(ctx, "access", "phone", "lan", p.now); err != nil {
		t.Fatal(err)
	}
	if all, err = p.record.ListRequests(ctx, 10); err != nil || len(all) != 2 {
		t.Errorf("after ten years: %d requests, %v; want the two that are open", len(all), err)
	}
}
