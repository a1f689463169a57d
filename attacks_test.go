package hien_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// joins opens the first page and gives a number there. It answers where that
// leads.
func (p *porch) joins(shop string, d hien.Device, number string) (location string) {
	p.Helper()
	phone := browser(d)
	defer phone.CloseIdleConnections()
	r, err := phone.Get(shop + "/?lang=vi")
	page := answer(p, r, err)
	r, err = phone.PostForm(shop+"/join", joining(p, page, number, consent.VisitFrequency))
	answer(p, r, err)
	return r.Header.Get("Location")
}

// enters goes on without, by the button of the page that the guest was shown.
func (p *porch) enters(shop string, d hien.Device, page string) {
	p.Helper()
	phone := browser(d)
	defer phone.CloseIdleConnections()
	r, err := phone.Get(shop + page)
	if shown := answer(p, r, err); !strings.Contains(shown, `action="/skip"`) {
		p.Fatalf("%s offers no way in:\n%s", page, shown)
	}
	r, err = phone.PostForm(shop+"/skip", url.Values{"lang": {"vi"}})
	if answer(p, r, err); r.Header.Get("Location") != "/online?lang=vi" || p.pass(d).Left(p.now) != 4*time.Hour {
		p.Errorf("going on without led to %s, with a pass of %v", r.Header.Get("Location"), p.pass(d).Left(p.now))
	}
}

// guesses makes ten guesses on each of a thousand connections, eight at a time,
// from the devices by turns, and none of them right. It answers how often they
// led where. at is where a code is typed.
func (p *porch) guesses(at string, devices []hien.Device) map[string]int {
	p.Helper()
	right := make(map[string]bool)
	for _, d := range devices {
		right[p.codes.of(d).Reveal()] = true
	}
	var mu sync.Mutex
	led := make(map[string]int)
	var all sync.WaitGroup
	work := make(chan int)
	for range 8 {
		all.Go(func() {
			for c := range work {
				phone := browser(devices[c%len(devices)])
				for g := range 10 {
					guess := fmt.Sprintf("%06d", c*10+g)
					if right[guess] {
						guess = "999999"
					}
					r, err := phone.PostForm(at, url.Values{"code": {guess}, "lang": {"vi"}})
					if err != nil {
						p.Errorf("connection %d, guess %d: %v", c, g, err)
						continue
					}
					io.Copy(io.Discard, r.Body)
					r.Body.Close()
					mu.Lock()
					led[r.Header.Get("Location")]++
					mu.Unlock()
				}
				phone.CloseIdleConnections()
			}
		})
	}
	for c := range 1000 {
		work <- c
	}
	close(work)
	all.Wait()
	return led
}

// TestTenThousandGuessesOverAThousandConnections guesses through the portal
// itself, with the real livebook: at most five guesses are looked at for each
// code that was sent, whoever guesses and however many at once, and a number
// has three codes at most, however many devices ask.
func TestTenThousandGuessesOverAThousandConnections(t *testing.T) {
	const victim = "0987654321"
	for _, c := range []struct{ devices, codes int }{{1, 1}, {50, hien.CodesPerQuarter}} {
		t.Run(fmt.Sprintf("from %d devices", c.devices), func(t *testing.T) {
			p := newPorch(t)
			shop := p.opened()
			var devices []hien.Device
			for i := range c.devices {
				d := device(1 + i)
				devices = append(devices, d)
				want := "/code?lang=vi"
				if i >= c.codes {
					want = "/trouble?lang=vi&why=many"
				}
				if got := p.joins(shop, d, victim); got != want {
					t.Fatalf("device %d was led to %s; want %s", i, got, want)
				}
			}
			led := p.guesses(shop+"/code", devices)
			bad, dead, none := led["/code?lang=vi&word=bad"], led["/code?lang=vi"], led["/?lang=vi"]
			t.Logf("%d codes for one number, 10,000 guesses: %d were looked at, %d told that the code is dead, %d that there is none", p.codes.sent, bad, dead, none)
			if p.codes.sent != c.codes || bad != c.codes*hien.CodeTries || bad+dead+none != 10_000 {
				t.Errorf("%d codes sent, led to %v; want %d guesses looked at for each of %d codes", p.codes.sent, led, hien.CodeTries, c.codes)
			}
			for _, d := range devices {
				if p.pass(d).Left(p.now) != 0 {
					t.Errorf("%v is in", d)
				}
			}
			for _, d := range devices[:c.codes] {
				r, err := browser(d).PostForm(shop+"/code", url.Values{"code": {p.codes.of(d).Reveal()}, "lang": {"vi"}})
				if got := answer(t, r, err); p.ledger() != 0 || p.pass(d).Left(p.now) != 0 {
					t.Errorf("the right code, too late: %s", got)
				}
			}
		})
	}
}

// TestTenThousandGuessesAtSomebodysData guesses the code that opens what is kept
// of a person.
func TestTenThousandGuessesAtSomebodysData(t *testing.T) {
	const victim = "0987654321"
	p := newPorch(t)
	p.give(device(1), victim, consent.VisitFrequency, consent.ContactZalo)
	p.later(5 * time.Hour)
	shop, d := p.opened(), device(2)
	inquire := func() string {
		r, err := browser(d).PostForm(shop+"/mine", url.Values{"phone": {victim}, "lang": {"vi"}})
		answer(t, r, err)
		return r.Header.Get("Location")
	}
	if got := inquire(); got != "/mine?lang=vi" {
		t.Fatalf("led to %s", got)
	}
	led := p.guesses(shop+"/mine/code", []hien.Device{d})
	bad, dead := led["/mine?lang=vi&word=bad"], led["/mine?lang=vi"]
	t.Logf("10,000 guesses: %d were looked at, %d told that the code is dead", bad, dead)
	if bad != hien.CodeTries || dead != 10_000-hien.CodeTries {
		t.Errorf("led to %v; want %d guesses looked at", led, hien.CodeTries)
	}
	r, err := browser(d).PostForm(shop+"/mine/code", url.Values{"code": {p.codes.of(d).Reveal()}, "lang": {"vi"}})
	if answer(t, r, err); r.Header.Get("Location") != "/mine?lang=vi" {
		t.Errorf("the right code, too late, led to %s", r.Header.Get("Location"))
	}
}

// TestTheLimitsOverThePortal: whichever limit a guest meets, the page that says
// so offers to go on without, and that works.
func TestTheLimitsOverThePortal(t *testing.T) {
	const many, closed = "/trouble?lang=vi&why=many", "/"
	t.Run("of a number", func(t *testing.T) {
		p := newPorch(t)
		shop := p.opened()
		for i := range hien.CodesPerQuarter {
			p.joins(shop, device(i), "0987654321")
		}
		if got := p.joins(shop, device(9), "0987654321"); got != many {
			t.Errorf("led to %s; want %s", got, many)
		}
		p.enters(shop, device(9), many)
	})
	t.Run("of a device", func(t *testing.T) {
		p := newPorch(t)
		shop := p.opened()
		for i := range hien.CodesPerQuarter {
			p.joins(shop, device(1), someone(i))
			if r, err := browser(device(1)).PostForm(shop+"/code/other", nil); answer(t, r, err) == "" {
				t.Fatal(err)
			}
		}
		if got := p.joins(shop, device(1), someone(9)); got != many {
			t.Errorf("led to %s; want %s", got, many)
		}
		p.enters(shop, device(1), many)
	})
	for _, c := range []struct {
		name   string
		perDay int
		asks   int
	}{{"of the shop's day", 10, 10}, {"of the brake", 0, 50}} {
		t.Run(c.name, func(t *testing.T) {
			p := newPorch(t)
			p.settings.CodesPerDay = c.perDay
			p.Reload(p.settings)
			shop := p.opened()
			for i := range c.asks {
				if got := p.joins(shop, device(i), someone(i)); got != "/code?lang=vi" {
					t.Fatalf("guest %d was led to %s", i, got)
				}
			}
			late := device(1000)
			r, err := browser(late).Get(shop + closed)
			if page := answer(t, r, err); strings.Contains(page, `name="phone"`) || p.codes.sent != c.asks {
				t.Errorf("%d codes were sent, and the page asks for a number still:\n%s", p.codes.sent, page)
			}
			p.enters(shop, late, closed)
			// Whoever was sent a code before types it still.
			r, err = browser(device(1)).PostForm(shop+"/code", url.Values{"code": {p.codes.of(device(1)).Reveal()}, "lang": {"vi"}})
			if answer(t, r, err); r.StatusCode != http.StatusSeeOther || p.pass(device(1)).Left(p.now) != 4*time.Hour {
				t.Errorf("a code that was sent before led to %s", r.Header.Get("Location"))
			}
		})
	}
}
