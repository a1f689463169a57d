package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hien-wifi/hien/internal/world"
)

// A shopper is a person with a phone.
type shopper struct {
	*world.Phone
	name    string
	probe   world.Probe
	browser world.Browser

	typed    string // the made-up number that it gives
	asked    int    // purposes on the page
	answered string // for the table
	online   time.Duration
	receipt  string // its address
	user     string // the person at the CDP
}

func (p *shopper) took() string {
	return fmt.Sprintf("%.1f ms", float64(p.online.Microseconds())/1000)
}

// arrive joins the guest network and probes as the phone's system does: the
// answer must lead to the portal.
func (p *shopper) arrive(ctx context.Context, s *story) error {
	if err := p.Join(ctx); err != nil {
		return err
	}
	answer, err := p.Probe(ctx, p.probe)
	if err != nil {
		return err
	}
	want := fmt.Sprintf("http://%s:2050/", p.Lease().Router)
	if answer.Status != http.StatusFound || !(answer.Location == want || strings.HasSuffix(answer.Location, ":2050/")) {
		return fmt.Errorf("%s's probe was answered %d %q; want a redirect to %s", p.name, answer.Status, answer.Location, want)
	}
	s.say("%s joins (DHCP: %s; IPv6: %s), probes as %s does, and is sent to the portal", p.name, p.IPv4(), p.IPv6(), p.probe.OS)
	return nil
}

// comeOnline waits for the first probe that says "online", and notes how long
// after the button that was.
func (p *shopper) comeOnline(ctx context.Context, pressed time.Time) error {
	for range 50 { // each probe takes its own time; one should be enough
		if p.Online(ctx, p.probe) {
			p.online = time.Since(pressed)
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errors.New("the pass was given, and the phone's probe still fails")
}

// gives gives the number for everything that the page asks, and proves it. It
// shows the page after that.
func (p *shopper) gives(ctx context.Context, s *story, page *world.Page) (*world.Page, error) {
	form, err := page.Form("/join")
	if err != nil {
		return nil, err
	}
	boxes := form.Choices("purpose")
	if form.Values.Has("purpose") {
		return nil, errors.New("a box is ticked that nobody has ticked")
	}
	s.say("%s sees “%s”: %d boxes, none ticked, and two equal buttons", p.name, page.Title(), len(boxes))
	p.asked = len(boxes)
	mark := s.gateway.Daemon.Mark()
	pressed := time.Now()
	if page, err = page.Give(ctx, p.typed); err != nil {
		return nil, err
	}
	if err := p.comeOnline(ctx, pressed); err != nil {
		return nil, fmt.Errorf("%w; the page says: %s", err, page.Text())
	}
	code, err := s.gateway.Code(ctx, p.MAC, mark)
	if err != nil {
		return nil, err
	}
	s.say("%s gives a number, ticks every box, and is online %s after the button, while the code travels", p.name, p.took())
	if page, err = page.Prove(ctx, code); err != nil {
		return nil, err
	}
	if !p.Online(ctx, p.probe) {
		return nil, fmt.Errorf("the code was right, and the phone's probe fails; the page says: %s", page.Text())
	}
	p.answered = "number, " + strings.Join(boxes, ", ")
	if p.receipt = page.Receipt(); p.receipt == "" {
		return nil, fmt.Errorf("the page %q has no link to a receipt", page.Title())
	}
	s.say("%s proves it and stays online; the page links the receipt", p.name)
	p.user, err = s.gateway.LeadKey(p.typed)
	return page, err
}

// reaches checks that the internet is there, in both families.
func (p *shopper) reaches(ctx context.Context, s *story) error {
	for _, attempt := range p.Attempts(ctx, p.Target) {
		if !attempt.Answered() {
			return fmt.Errorf("%s has a pass and got no answer: %s", p.name, attempt)
		}
	}
	if err := s.world.Flush(ctx); err != nil {
		return err
	}
	for _, addr := range p.Target.Addrs() {
		if seen := s.world.Internet.Seen(addr); seen.TCP == 0 || seen.UDP == 0 || seen.ICMP == 0 {
			return fmt.Errorf("what %s sent did not all reach %s: %+v", p.name, addr, seen)
		}
	}
	return nil
}

// asked is how many purposes a page asks for.
func asked(page *world.Page) (int, error) {
	form, err := page.Form("/join")
	if err != nil {
		return 0, err
	}
	if _, err := page.Form("/skip"); err != nil {
		return 0, err
	}
	return len(form.Choices("purpose")), nil
}
