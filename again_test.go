package hien_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

const month = 31 * 24 * time.Hour

// TestWhoIsAskedAgain is R-CON-9, for a member who agreed to visits and said no
// to Zalo, or agreed to both.
func TestWhoIsAskedAgain(t *testing.T) {
	const visits, zalo, sms = consent.VisitFrequency, consent.ContactZalo, consent.ContactSMS
	for _, c := range []struct {
		name    string
		agreed  []consent.Purpose
		after   time.Duration
		change  func(*porch)
		ask     []consent.Purpose
		refused []consent.Purpose // offered by the link alone
		again   bool
	}{
		{"nothing has changed", both, 24 * time.Hour, func(*porch) {}, nil, nil, false},
		{"the shop has another name, and a contact another number", both, 24 * time.Hour, func(p *porch) {
			p.settings.StoreName, p.settings.Asker.Controller.Contact, p.settings.Asker.Controller.Address = "Quán Mới", "0900 000 000", "2 Đường Mẫu"
		}, nil, nil, false},
		{"somebody else receives it too", both, 24 * time.Hour, func(p *porch) {
			p.settings.Asker.Controller.Recipients = append(p.settings.Asker.Controller.Recipients, "Bên Nhận Mới")
		}, both, nil, true},
		{"the recipients stand in another order", both, 24 * time.Hour, func(p *porch) {
			slices.Reverse(p.settings.Asker.Controller.Recipients)
		}, nil, nil, false},
		{"another company decides", both, 24 * time.Hour, func(p *porch) { p.settings.Asker.Controller.Name = "Công ty Khác" }, both, nil, true},
		{"there is an operator", both, 24 * time.Hour, func(p *porch) { p.settings.Asker.Controller.Operator = "Bên Vận hành" }, both, nil, true},
		{"data goes abroad", both, 24 * time.Hour, func(p *porch) { p.settings.Asker.Controller.Transfer = "Singapore" }, both, nil, true},
		{"another policy", both, 24 * time.Hour, func(p *porch) { p.settings.Asker = asker(p, "eu-gdpr") }, both, nil, true},
		{"a new purpose", both, 24 * time.Hour, func(p *porch) {
			p.settings.Zones[0].Purposes = append(slices.Clone(both), sms)
		}, []consent.Purpose{sms}, nil, false},
		{"a consent of 25 months ago", both, 25 * month, func(*porch) {}, both, nil, true},
		{"a consent of 23 months ago", both, 23 * 30 * 24 * time.Hour, func(*porch) {}, nil, nil, false},
		{"a no of yesterday", []consent.Purpose{visits}, 24 * time.Hour, func(*porch) {}, nil, []consent.Purpose{zalo}, false},
		{"a no of yesterday, and what was agreed to has changed", []consent.Purpose{visits}, 24 * time.Hour, func(p *porch) {
			p.settings.Asker.Controller.Operator = "Bên Vận hành"
		}, []consent.Purpose{visits}, []consent.Purpose{zalo}, true},
		{"a no of some weeks ago", []consent.Purpose{visits}, 32 * 24 * time.Hour, func(*porch) {}, []consent.Purpose{zalo}, nil, false},
		{"what was taken back", both, 60 * 24 * time.Hour, func(p *porch) {
			m, err := p.record.Member(p.Context(), p.parts.Router.MemberMark(device(1).Guest.MAC))
			if err == nil {
				err = p.Withdraw(p.Context(), hien.Who{Subject: m.Consent.Subject()}, []consent.Purpose{zalo}, "portal", p.now)
			}
			if err != nil {
				p.Fatal(err)
			}
		}, nil, []consent.Purpose{zalo}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPorch(t)
			p.settings.Asker.Controller.Recipients = []string{"Nền tảng CDP Mẫu", "Bên Nhận Mẫu"}
			p.Reload(p.settings)
			d := device(1)
			p.tick()
			p.giveAs(d, "0987654321", c.agreed...)
			p.nextStay(c.after)
			c.change(p)
			p.Reload(p.settings)
			g := p.greet(d)
			slices.Sort(g.Refused)
			g.Refused = slices.Compact(g.Refused)
			if g.Visit == 0 || !slices.Equal(g.Ask, c.ask) || !slices.Equal(g.Refused, c.refused) || g.Again != c.again {
				t.Errorf("visit %d: asked for %v, refused %v, again %v; want %v, %v, %v", g.Visit, g.Ask, g.Refused, g.Again, c.ask, c.refused, c.again)
			}
		})
	}
}

// TestANewAnswerKeepsTheOthers: who is asked for one thing more answers that
// alone, and is then asked no more.
func TestANewAnswerKeepsTheOthers(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.giveAs(d, "0987654321", both...)
	p.nextStay(24 * time.Hour)
	p.settings.Zones[0].Purposes = append(slices.Clone(both), consent.ContactSMS)
	p.Reload(p.settings)
	p.giveAs(d, "0987654321", consent.ContactSMS)
	m, err := p.record.Member(t.Context(), p.parts.Router.MemberMark(d.Guest.MAC))
	if err != nil || !m.Consent.Allows(consent.VisitFrequency) || !m.Consent.Allows(consent.ContactZalo) || !m.Consent.Allows(consent.ContactSMS) {
		t.Errorf("standing %v, %v; want all three", m.Consent.Answers(), err)
	}
	p.nextStay(24 * time.Hour)
	if g := p.greet(d); len(g.Ask) != 0 {
		t.Errorf("asked for %v after everything was answered", g.Ask)
	}
}

// TestAMembersNoHoldsToo: asked again, going on without keeps what stands.
func TestAMembersNoHoldsToo(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.giveAs(d, "0987654321", both...)
	p.nextStay(24 * time.Hour)
	p.settings.Asker.Controller.Operator = "Bên Vận hành"
	p.Reload(p.settings)
	if err := p.Refuse(t.Context(), d, p.greet(d).Ask, p.now); err != nil {
		t.Fatal(err)
	}
	p.nextStay(24 * time.Hour)
	if g := p.greet(d); len(g.Ask) != 0 || !slices.Equal(g.Refused, both) || g.Visit == 0 {
		t.Errorf("asked for %v, refused %v; want a member who is left alone", g.Ask, g.Refused)
	}
}

// TestTheSameAnswerToAnotherNoticeIsKept: mode basic keeps one time for each
// notice that differs in substance.
func TestTheSameAnswerToAnotherNoticeIsKept(t *testing.T) {
	p := newPorch(t)
	p.settings.OneTime, p.settings.Zones[0].Purposes = true, []consent.Purpose{consent.ContactZalo}
	p.Reload(p.settings)
	p.giveAs(device(1), "0987654321", consent.ContactZalo)
	entries := p.ledger()
	p.later(24 * time.Hour)
	p.settings.Asker.Controller.Operator = "Bên Vận hành"
	p.Reload(p.settings)
	p.giveAs(device(2), "0987654321", consent.ContactZalo)
	if got := p.ledger(); got != entries+1 {
		t.Errorf("%d entries, want %d: the notice is another", got, entries+1)
	}
}

// TestGoingOnIsNoYesToWhatIsNew: of a member who was asked again and went on
// without an answer the visits are counted here and told to nobody, until the
// notice of today is agreed to; nor while the policy is damaged, and the notice
// of today unknown. A shop that asks nobody any more has one all the same.
func TestGoingOnIsNoYesToWhatIsNew(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	told := func(what string, want ...int) {
		t.Helper()
		var got []int
		for _, e := range p.sent() {
			if e.Kind() == hien.StoreVisited {
				got = append(got, e.Facts().Visit.Number)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: visits %v were told, want %v", what, got, want)
		}
	}
	goesOn := func() {
		t.Helper()
		if err := p.Refuse(t.Context(), d, p.greet(d).Ask, p.now); err != nil {
			t.Fatal(err)
		}
		p.nextStay(24 * time.Hour)
	}
	p.giveAs(d, "0987654321", both...)
	p.nextStay(24 * time.Hour)
	told("the first", 1)
	goesOn()
	told("under the same notice", 2)

	p.settings.Asker.Controller.Recipients = append(p.settings.Asker.Controller.Recipients, "Bên Nhận Mới")
	p.Reload(p.settings)
	goesOn()
	told("with a recipient more")
	policy := p.settings.Asker.Policy
	p.settings.Asker.Policy = nil
	p.Reload(p.settings)
	goesOn()
	told("with a damaged policy")
	p.settings.Asker.Policy = policy
	p.Reload(p.settings)
	p.nextStay(32 * 24 * time.Hour) // until when it is left alone
	p.giveAs(d, "0987654321", both...)
	p.nextStay(24 * time.Hour)
	told("agreed to anew", 5)

	p.settings.Today, p.settings.Asker = p.settings.Asker, consent.Asker{}
	p.Reload(p.settings)
	goesOn()
	told("where nobody is asked any more", 6)
	if p.mine(d).Asker.Policy == nil {
		t.Error("the page on which it is taken back has no words for what stands")
	}
}
