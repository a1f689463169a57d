package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hien-wifi/hien/internal/world"
)

// takenBack is the purpose that D takes back before its event is sent, and
// kept the one that stays.
const (
	takenBack = "contact_zalo"
	kept      = "visit_frequency"
)

// dTakesBack is a change of mind while the platform is out of reach: what D
// takes back is still in the queue, and must never be sent.
func (s *story) dTakesBack(ctx context.Context) error {
	d := s.d
	if err := d.arrive(ctx, s); err != nil {
		return err
	}
	s.world.CDP.Down()
	s.say("the CDP is out of reach: what is given now waits on the router")
	page, err := d.browser.Open(ctx, d.probe.URL)
	if err != nil {
		return err
	}
	if d.asked, err = asked(page); err != nil {
		return err
	}
	if page, err = d.gives(ctx, s, page); err != nil {
		return err
	}
	if err := s.queued(ctx, kept, takenBack); err != nil {
		return err
	}
	d.receipt = page.Receipt()
	if page, err = d.browser.Open(ctx, d.receipt); err != nil {
		return err
	}
	form, err := page.Form(path.Join(page.URL.Path, "withdraw"))
	if err != nil {
		return err
	}
	form.Values.Set("purpose", takenBack)
	if page, err = form.Send(ctx, path.Join(page.URL.Path, "withdraw")); err != nil {
		return err
	}
	s.say("D opens the receipt on its phone and takes %s back while its event waits; the page says “%s”", takenBack, page.Notice())
	if err := s.queued(ctx, kept); err != nil {
		return err
	}
	if err := s.world.CDP.Up(); err != nil {
		return err
	}
	told, err := s.of(ctx, d, func(e event) bool { return len(e.Properties.Withdrawn) > 0 })
	if err != nil {
		return err
	}
	// The withdrawal went first. What still allows something follows it.
	if _, err := s.of(ctx, d, func(e event) bool { return e.Type == "identify" && e.Traits.Purpose == kept }); err != nil {
		return err
	}
	if !slices.Equal(told.Properties.Withdrawn, []string{takenBack}) {
		return fmt.Errorf("the CDP heard that %v was withdrawn; want %s", told.Properties.Withdrawn, takenBack)
	}
	s.say("the CDP is back: it hears of the withdrawal, and of %s; the event of %s never came", kept, takenBack)
	return s.neverTold(d, takenBack)
}

// dIsErased is the end of everything about D, from its phone.
func (s *story) dIsErased(ctx context.Context) error {
	d := s.d
	page, err := d.browser.Open(ctx, d.receipt)
	if err != nil {
		return err
	}
	erase := path.Join(page.URL.Path, "erase")
	form, err := page.Form(erase)
	if err != nil {
		return err
	}
	form.Values.Set("all", "1") // the button
	if page, err = form.Send(ctx, erase); err != nil {
		return err
	}
	s.say("D erases everything; the page says “%s”", page.Heading())
	if _, err := s.of(ctx, d, func(e event) bool { return e.Event == "Person Erased" }); err != nil {
		return err
	}
	s.say("the CDP hears that the person was erased")
	if err := s.gone(ctx, d); err != nil {
		return err
	}
	files, err := s.scan(d.typed)
	if err != nil {
		return err
	}
	s.say("D's number is in none of the %d files of the gateway, its log and what the CDP got; a planted one is found", files)
	return s.verify(ctx)
}

// gone checks that the receipt of somebody who was erased answers as one that
// never was, word for word.
func (s *story) gone(ctx context.Context, p *shopper) error {
	was, err := p.browser.Open(ctx, p.receipt)
	if err != nil {
		return err
	}
	secret := path.Base(was.URL.Path)
	guessed := strings.Repeat("a", len(secret))
	never, err := p.browser.Open(ctx, strings.Replace(p.receipt, secret, guessed, 1))
	if err != nil {
		return err
	}
	a, b := strings.ReplaceAll(string(was.Body), secret, guessed), string(never.Body)
	if was.Status != http.StatusOK || a != b {
		return fmt.Errorf("the receipt of D answers otherwise than one that never was: %q, %q", was.Text(), never.Text())
	}
	s.say("the receipt's link answers as one that never was")
	return nil
}

// verify has the ledger checked by the program that auditors use, which knows
// nothing of the gateway.
func (s *story) verify(ctx context.Context) error {
	exported, err := s.gateway.Hien(ctx, "ledger", "export")
	if err != nil {
		return err
	}
	file := filepath.Join(s.world.Router.Dir(), "ledger.jsonl")
	if err := os.WriteFile(file, []byte(exported), 0o600); err != nil {
		return err
	}
	says, err := exec.CommandContext(ctx, s.verifier, file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("hien-verify: %w: %s", err, says)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(says)), "\n")
	s.say("hien-verify: %s", first)
	return nil
}

// queued checks that lead events of these purposes wait in the queue, and of
// no others.
func (s *story) queued(ctx context.Context, purposes ...string) error {
	text, err := s.gateway.Hien(ctx, "queue", "--json")
	if err != nil {
		return err
	}
	var queue struct {
		Items []struct {
			Kind, Purpose string
		}
	}
	if err := json.Unmarshal([]byte(text), &queue); err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	var waiting []string
	for _, q := range queue.Items {
		if q.Kind == "lead" {
			waiting = append(waiting, q.Purpose)
		}
	}
	slices.Sort(waiting)
	slices.Sort(purposes)
	if !slices.Equal(waiting, purposes) {
		return fmt.Errorf("leads of %v wait in the queue; want %v", waiting, purposes)
	}
	return nil
}

// of waits for an event of the shopper's at the platform.
func (s *story) of(ctx context.Context, p *shopper, is func(event) bool) (event, error) {
	for n := 1; ; n++ {
		raw, err := s.world.CDP.WaitEvents(ctx, n)
		if err != nil {
			return event{}, err
		}
		events, err := decode(raw)
		if err != nil {
			return event{}, err
		}
		for _, e := range events {
			if e.User == p.user && is(e) {
				return e, nil
			}
		}
		n = max(n, len(raw))
	}
}

// neverTold checks that no event of the shopper's was sent under a purpose, in
// a batch that was taken or in one that was not.
func (s *story) neverTold(p *shopper, purpose string) error {
	for _, b := range s.world.CDP.Batches() {
		events, err := eventsOf(b)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.User == p.user && (e.Traits.Purpose == purpose || e.Properties.Purpose == purpose || e.Traits.Sealed != "") {
				return errors.New("what was withdrawn before it was sent was sent all the same")
			}
		}
	}
	return nil
}

func eventsOf(b world.Batch) ([]event, error) {
	var body struct {
		Batch []event `json:"batch"`
	}
	if err := json.Unmarshal(b.Body, &body); err != nil {
		return nil, fmt.Errorf("a batch at the CDP: %w", err)
	}
	return body.Batch, nil
}
