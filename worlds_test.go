package hien_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/hien-wifi/hien"
)

// What the gateway's newer rules meet in tests: a kernel that counts, a garden
// that is lent, an audit, and some shorter words for the porch.

// A meter is the kernel's counts.
type meter struct {
	mu    sync.Mutex
	usage []hien.Usage
	asked int
	fail  error
}

func (m *meter) Usage(context.Context) ([]hien.Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return append([]hien.Usage(nil), m.usage...), m.fail
}

// shows makes the kernel show these counts and no others.
func (m *meter) shows(usage ...hien.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usage = usage
}

// carried is what a device's own counter shows.
func carried(d hien.Device, bytes uint64) hien.Usage {
	return hien.Usage{Zone: d.Guest.Zone, MAC: d.Guest.MAC, Addr: d.Addr, Bytes: bytes}
}

// A lender knows to whom the garden for codes is lent.
type lender struct {
	mu   sync.Mutex
	lent map[hien.GuestID]map[netip.Addr]time.Duration
	fail error
}

func (l *lender) Lend(_ context.Context, id hien.GuestID, addrs []netip.Addr, left time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	for _, a := range addrs {
		if left == 0 {
			delete(l.lent[id], a)
			continue
		}
		if l.lent[id] == nil {
			l.lent[id] = make(map[netip.Addr]time.Duration)
		}
		l.lent[id][a] = left
	}
	return nil
}

func (l *lender) left(d hien.Device) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lent[d.Guest][d.Addr]
}

// An audit keeps what was noted, unless it is told to fail.
type audit struct {
	mu    sync.Mutex
	deeds []hien.Deed
	fail  bool
}

func (a *audit) Note(_ context.Context, d hien.Deed) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail {
		return errors.New("a full disk")
	}
	a.deeds = append(a.deeds, d)
	return nil
}

// says is the audit in some words: "open by lan: 2h".
func (a *audit) says() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.deeds {
		all = append(all, d.What+" by "+d.Who+": "+d.About)
	}
	return all
}

// zone changes the porch's one zone.
func (p *porch) zone(edit func(*hien.Zone)) {
	p.Helper()
	z := p.settings.Zones[0]
	edit(&z)
	p.settings.Zones = []hien.Zone{z}
	p.Reload(p.settings)
}

func (p *porch) saw(d hien.Device) {
	p.Helper()
	if err := p.Saw(p.Context(), hien.Sighting{Guest: d.Guest, Addr: d.Addr, Source: "neighbour"}, p.now); err != nil {
		p.Fatalf("Saw: %v", err)
	}
}

// admit lets a guest in that presses the button.
func (p *porch) admit(d hien.Device) {
	p.Helper()
	p.greet(d)
	if err := p.Admit(p.Context(), d, p.now); err != nil {
		p.Fatalf("Admit: %v", err)
	}
}

// wantIn holds for how long the door lets a device through.
func (p *porch) wantIn(what string, d hien.Device, want time.Duration) {
	p.Helper()
	if got := p.door.left(d); got != want {
		p.Errorf("%s: in for %v; want %v", what, got, want)
	}
}

// wantOutside holds what a guest is told who may not come in, and that it
// does not.
func (p *porch) wantOutside(what string, d hien.Device, why hien.Why, back time.Duration) {
	p.Helper()
	if g := p.greet(d); g.Step != hien.Outside || g.Why != why || g.BackIn != back || g.PassLeft != 0 {
		p.Errorf("%s: greeting %+v; want outside, %s, back in %v", what, g, why, back)
	}
	if inside, err := p.Inside(p.Context(), d, p.now); err != nil || inside {
		p.Errorf("%s: a probe hears inside %v, %v", what, inside, err)
	}
	want := map[hien.Why]error{hien.WhyBlocked: hien.ErrBlocked, hien.WhySpent: hien.ErrSpent}[why]
	if err := p.Admit(p.Context(), d, p.now); !errors.Is(err, want) {
		p.Errorf("%s: Admit = %v; want %v", what, err, want)
	}
	p.wantIn(what, d, 0)
}

func (p *porch) pass(d hien.Device) hien.Pass {
	p.Helper()
	guest, _, err := p.book.Guest(d.Guest)
	if err != nil {
		p.Fatal(err)
	}
	return guest.Pass
}

// restart begins with a new daemon and what the old one has left.
func (p *porch) restart() {
	p.Helper()
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	if err := p.Resume(p.Context(), p.now); err != nil {
		p.Fatal(err)
	}
}
