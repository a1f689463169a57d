package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/world"
)

// The terms of the demo's zone: short, so that a whole visit fits into it.
// The pass is shorter than the gap, so that who comes back sees the portal.
const (
	pass     = 5 * time.Second
	visitGap = 6 * time.Second
)

// A story is one run of the demo.
type story struct {
	out      io.Writer
	program  string
	verifier string // the auditors' program
	like     string // an owner's configuration, whose texts the shop wears; may be empty
	started  time.Time

	world      *world.World
	gateway    *world.Gateway
	a, b, c, d *shopper
}

// say tells one line.
func (s *story) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%6.2fs  %s\n", time.Since(s.started).Seconds(), fmt.Sprintf(format, args...))
}

// tell is the whole story, step by step. The first step that does not happen
// ends it.
func (s *story) tell(ctx context.Context) error {
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"the world is made", s.makeWorld},
		{"the gateway starts", s.startGateway},
		{"phone A is sent to the portal", s.aArrives},
		{"phone A gives its number", s.aGives},
		{"phone B goes on without giving anything", s.bGoesOn},
		{"phone C closes the sheet and stays out", s.cStaysOut},
		{"phone A leaves and its visit is told", s.aLeaves},
		{"phone A comes back and is known", s.aReturns},
		{"the books agree", s.audit},
		{"phone D takes an answer back before it was sent", s.dTakesBack},
		{"phone D is erased", s.dIsErased},
		{"everything was received", s.report},
		{"the kernel is as it was before", s.cleanUp},
	} {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("this did not happen: %s: %w", step.name, err)
		}
	}
	return nil
}

func (s *story) makeWorld(ctx context.Context) error {
	w, err := world.New(ctx, world.Options{})
	if err != nil {
		return err
	}
	s.world = w
	for _, p := range []struct {
		shopper **shopper
		name    string
		os      string // whose probe the phone sends
		typed   string
	}{
		{&s.a, "A", "apple", "098 765 43 21"}, {&s.b, "B", "android", ""},
		{&s.c, "C", "windows", ""}, {&s.d, "D", "xiaomi", "+84 912 345 670"},
	} {
		phone, err := w.AddPhone("phone-" + strings.ToLower(p.name))
		if err != nil {
			return err
		}
		*p.shopper = &shopper{Phone: phone, name: p.name, typed: p.typed, probe: world.ProbeByName(p.os), browser: phone.NewBrowser("vi")}
	}
	s.say("a world stands: an internet, a router with a guest network, four phones, a CDP")
	return nil
}

// startGateway installs the gateway as an owner does, and runs it in the
// router.
func (s *story) startGateway(ctx context.Context) (err error) {
	if s.gateway, err = s.world.Install(ctx, s.program, world.Terms{Pass: pass, VisitGap: visitGap}); err != nil {
		return err
	}
	if _, err := s.gateway.Hien(ctx, "config", "check"); err != nil {
		return err
	}
	if err := s.gateway.Start(ctx); err != nil {
		return err
	}
	s.say("hien runs in the router: nobody without a pass gets any further")
	return nil
}

func (s *story) aArrives(ctx context.Context) error { return s.a.arrive(ctx, s) }

func (s *story) aGives(ctx context.Context) error {
	a := s.a
	page, err := a.browser.Open(ctx, a.probe.URL)
	if err != nil {
		return err
	}
	if _, err := a.gives(ctx, s, page); err != nil {
		return err
	}
	return a.reaches(ctx, s)
}

func (s *story) bGoesOn(ctx context.Context) error {
	b := s.b
	if err := b.arrive(ctx, s); err != nil {
		return err
	}
	page, err := b.browser.Open(ctx, b.probe.URL)
	if err != nil {
		return err
	}
	if b.asked, err = asked(page); err != nil {
		return err
	}
	pressed := time.Now()
	if _, err := page.Skip(ctx); err != nil {
		return err
	}
	if err := b.comeOnline(ctx, pressed); err != nil {
		return err
	}
	b.answered = "nothing"
	s.say("B goes on without giving anything and is online %s after the button", b.took())
	return b.reaches(ctx, s)
}

func (s *story) cStaysOut(ctx context.Context) error {
	c := s.c
	if err := c.arrive(ctx, s); err != nil {
		return err
	}
	page, err := c.browser.Open(ctx, c.probe.URL)
	if err != nil {
		return err
	}
	if c.asked, err = asked(page); err != nil {
		return err
	}
	c.answered = "closed the sheet"
	attempts := c.Attempts(ctx, c.Target)
	var slowest time.Duration
	for _, attempt := range attempts {
		if attempt.Answered() && attempt.Name != "tcp/80" { // there the portal answers in the host's place
			return fmt.Errorf("C got through: %s", attempt)
		}
		slowest = max(slowest, attempt.Took)
	}
	if err := s.world.Flush(ctx); err != nil {
		return err
	}
	if seen := s.world.Internet.SeenAt(c.Target); seen.Total() != 0 {
		return fmt.Errorf("packets of C reached the internet: %+v", seen)
	}
	s.say("C closes the sheet: %d ways to the internet tried, IPv4 and IPv6, 0 packets got there; the slowest refusal took %s",
		len(attempts), slowest.Round(time.Microsecond))
	return nil
}

func (s *story) aLeaves(ctx context.Context) error {
	if err := s.a.Leave(ctx); err != nil {
		return err
	}
	s.say("A leaves; %s later its visit is over", visitGap)
	_, err := s.visits(ctx, 1)
	return err
}

// visits waits until the platform has n visits.
func (s *story) visits(ctx context.Context, n int) ([]event, error) {
	for want := 1; ; want++ {
		raw, err := s.world.CDP.WaitEvents(ctx, want)
		if err != nil {
			return nil, err
		}
		events, err := decode(raw)
		if err != nil {
			return nil, err
		}
		var visits []event
		for _, e := range events {
			if e.Event == "Store Visited" {
				visits = append(visits, e)
			}
		}
		if len(visits) >= n {
			return visits, nil
		}
		want = max(want, len(raw))
	}
}

func (s *story) aReturns(ctx context.Context) error {
	a := s.a
	if err := a.arrive(ctx, s); err != nil {
		return err
	}
	page, err := a.browser.Open(ctx, a.probe.URL)
	if err != nil {
		return err
	}
	if _, err := page.Form("/join"); err == nil || !strings.Contains(page.Text(), "lần ghé thứ 2") {
		return fmt.Errorf("A is not greeted as returning: %s", page.Text())
	}
	pressed := time.Now()
	if _, err := page.Skip(ctx); err != nil {
		return err
	}
	again := *a
	if err := again.comeOnline(ctx, pressed); err != nil {
		return err
	}
	s.say("A comes back and reads “%s”; one tap, online after %s", page.Heading(), again.took())
	if err := a.Leave(ctx); err != nil {
		return err
	}
	s.say("A leaves again")
	_, err = s.visits(ctx, 2)
	return err
}

// audit checks what a data-protection officer would.
func (s *story) audit(ctx context.Context) error {
	verdict, err := s.gateway.Hien(ctx, "ledger", "verify")
	if err != nil {
		return err
	}
	sentence, _, _ := strings.Cut(strings.Join(strings.Fields(verdict), " "), ". ")
	s.say("%s", sentence)
	events, err := s.received()
	if err != nil {
		return err
	}
	if err := s.opens(events); err != nil {
		return err
	}
	files, err := s.scan(s.a.typed)
	if err != nil {
		return err
	}
	s.say("A's number is in none of the %d files of the gateway, its log and what the CDP got; a planted one is found", files)
	return nil
}

// opens checks that the owner of the unseal key, and nobody else, can read
// the number that A gave.
func (s *story) opens(events []event) error {
	for _, e := range events {
		if e.Traits.Sealed == "" {
			continue
		}
		phone, err := s.gateway.Unseal.Open(e.Traits.Sealed, e.Traits.SealedFor)
		if err != nil {
			return err
		}
		if want, _ := hien.ParsePhone(s.a.typed); phone.Reveal() != want.Reveal() {
			return errors.New("the sealed number is not the one that A gave")
		}
		s.say("with the brand's private key, the sealed number that the CDP holds opens to the one that A gave")
		return nil
	}
	return errors.New("no sealed number reached the CDP")
}

func (s *story) report(context.Context) error {
	events, err := s.received()
	if err != nil {
		return err
	}
	fmt.Fprint(s.out, "\nWhat the CDP received:\n\n")
	for _, raw := range s.world.CDP.Events() {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s\n", text)
	}
	told, visits := make(map[string]int), make(map[string]int)
	for _, e := range events {
		told[e.User]++
		if e.Event == "Store Visited" {
			visits[e.User]++
		}
	}
	fmt.Fprintln(s.out)
	t := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "guest\tasked\tanswered\tonline after\tvisits\tevents")
	for _, p := range []*shopper{s.a, s.b, s.c, s.d} {
		n, v, took := told[p.user], "–", "–"
		if p.user != "" {
			v = fmt.Sprint(visits[p.user])
		}
		if p.online > 0 {
			took = p.took()
		}
		fmt.Fprintf(t, "%s\t%d purposes\t%s\t%s\t%s\t%d\n", p.name, p.asked, p.answered, took, v, n)
	}
	t.Flush()
	fmt.Fprintln(s.out)
	return nil
}

func (s *story) cleanUp(ctx context.Context) error {
	if _, err := s.gateway.Hien(ctx, "cleanup"); err != nil {
		return err
	}
	if err := s.gateway.Daemon.Stop(ctx); err != nil {
		return err
	}
	for _, program := range []string{"iptables-save", "ip6tables-save"} {
		rules, err := s.world.Router.Run(ctx, program)
		if err != nil {
			return err
		}
		if strings.Contains(rules, "HIEN") {
			return fmt.Errorf("%s still shows rules of ours:\n%s", program, rules)
		}
	}
	for _, attempt := range s.c.Attempts(ctx, s.c.Target) {
		if !attempt.Answered() {
			return fmt.Errorf("after the clean-up C is still shut out: %s", attempt)
		}
	}
	s.say("hien cleanup took everything of ours out of the kernel, and the gateway stopped; done")
	return nil
}

// explain prints the end of the gateway's log after a step that failed.
func (s *story) explain() {
	if s.gateway == nil || s.gateway.Daemon == nil {
		return
	}
	lines := s.gateway.Daemon.Lines()
	fmt.Fprintln(s.out, "\nthe gateway's last words:")
	for _, line := range lines[max(0, len(lines)-20):] {
		fmt.Fprintln(s.out, " ", line)
	}
}

func (s *story) close() {
	if s.world != nil {
		s.world.Close()
	}
}
