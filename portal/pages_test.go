package portal_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func TestAGuestWhoMayNotComeIn(t *testing.T) {
	const blocked, ask = "This device cannot go online here at present.", "Please ask the staff at the counter."
	for _, test := range []struct {
		name  string
		guest guest
		says  []string
	}{
		{"the owner has blocked it", guest{step: hien.Outside, why: hien.WhyBlocked}, []string{blocked, ask}},
		{"its volume is used up", guest{step: hien.Outside, why: hien.WhySpent, back: 89*time.Minute + time.Second},
			[]string{"You have used all the data of this pass.", "You can come in again in 1 h 30 min."}},
		{"its volume is used up and nobody knows for how long", guest{step: hien.Outside, why: hien.WhySpent},
			[]string{"You have used all the data of this pass.", "ask at the counter when"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := open(t, newHouse())
			d.set(phoneA, test.guest)
			for _, path := range []string{"/", "/online", "/code", "/notice", "/trouble?why=other"} {
				r := d.get(t, path)
				r.wants(t, test.says...)
				if strings.Contains(r.body, "<button") || strings.Contains(r.body, "checkbox") {
					t.Errorf("GET %s: the page offers a way in", path)
				}
			}
			code := url.Values{"lang": {"en"}, "code": {rightCode}}
			for path, form := range map[string]url.Values{
				"/skip": nil, "/join": d.filled("0987654321", consent.ContactZalo), "/": nil, "/notice": nil, "/code": code, "/code/again": code,
			} {
				d.post(t, path, form).wants(t, test.says...)
			}
			if logged := d.log.String(); logged != "" {
				t.Errorf("it was logged: %s", logged)
			}
		})
	}
}

// TestABlockThatComesWhileThePageIsOpen: the page was shown, then the owner
// blocks the device.
func TestABlockThatComesWhileThePageIsOpen(t *testing.T) {
	d := open(t, newHouse())
	form := d.filled("0987654321", consent.ContactZalo)
	d.get(t, "/").wants(t, hello)
	d.set(phoneA, guest{step: hien.Outside, why: hien.WhyBlocked})
	r := do(t, strict, d.form(t, "/skip", nil))
	if r.status != 303 || r.header.Get("Location") != "/?lang=en" {
		t.Errorf("got %d %s, want 303 to the first page", r.status, r.header.Get("Location"))
	}
	d.post(t, "/join", form).wants(t, "This device cannot go online here at present.")
	if logged := d.log.String(); logged != "" {
		t.Errorf("it was logged: %s", logged)
	}
}

const (
	isDown  = "The shop’s internet is down at the moment."
	refresh = `<meta http-equiv="refresh" content="20">`
)

func TestTheShopHasNoInternet(t *testing.T) {
	down := func(t *testing.T) door {
		h := newHouse()
		h.down = true
		return open(t, h)
	}
	back := func(d door) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.down = false
		for _, g := range d.guests {
			g.waiting = false
		}
	}
	t.Run("the question says so, and asks as ever", func(t *testing.T) {
		r := down(t).get(t, "/")
		r.wants(t, isDown, "Send and go online", "Go online without signing up", `type="checkbox"`)
		if strings.Contains(r.body, refresh) {
			t.Error("a page that is being filled in loads itself again")
		}
		down(t).get(t, "/?lang=vi").wants(t, "Internet của quán đang gián đoạn.")
	})
	t.Run("a no is in as soon as the internet is back", func(t *testing.T) {
		d := down(t)
		r := d.post(t, "/skip", nil)
		r.wants(t, "Thank you. You are online as soon as the internet is back.", refresh)
		if strings.Contains(r.body, isOnline) {
			t.Error("the page says that the guest is online")
		}
		d.get(t, "/").wants(t, refresh)
		back(d)
		r = d.get(t, r.at) // what the page does by itself
		r.wants(t, isOnline, "You can stay online for 4 h.")
		if strings.Contains(r.body, refresh) {
			t.Error("the page still loads itself again")
		}
	})
	t.Run("a yes waits for its code, and none is promised", func(t *testing.T) {
		d := down(t)
		r := d.post(t, "/join", d.filled("0987 654 321", consent.ContactZalo))
		r.wants(t, "Your code will be sent when the internet is back", "ending in 21", refresh, "Go online without signing up")
		if strings.Contains(r.body, `name="code"`) || strings.Contains(r.body, "A code of 6 digits went") {
			t.Error("the page asks for a code that was not sent")
		}
		d.get(t, "/").wants(t, "Your code will be sent when")
		back(d)
		r = d.get(t, r.at)
		r.wants(t, askCode, "A code of 6 digits went to the number ending in 21.", `name="code"`)
		if strings.Contains(r.body, refresh) {
			t.Error("a page that is being filled in loads itself again")
		}
	})
	t.Run("whoever waits may go on without", func(t *testing.T) {
		d := down(t)
		d.post(t, "/join", d.filled("0987654321", consent.ContactZalo))
		d.post(t, "/skip", nil).wants(t, "You are online as soon as the internet is back.")
	})
	t.Run("it goes after the code was sent", func(t *testing.T) {
		d := open(t, newHouse())
		d.post(t, "/join", d.filled("0987654321", consent.ContactZalo))
		d.mu.Lock()
		d.down = true
		d.mu.Unlock()
		d.get(t, "/code").wants(t, isDown, `name="code"`)
	})
}

func TestAGuestWithAPassWaitsForItsCode(t *testing.T) {
	d := open(t, newHouse())
	d.post(t, "/join", d.filled("0987654321", consent.ContactZalo))
	d.set(phoneA, guest{step: hien.AtCode, form: d.formOf(phoneA), tries: 5, left: hien.CodeLife, pass: 5 * time.Minute})
	d.get(t, "/").wants(t, askCode, "While you wait for the code, you are online for 5 min.")
}

func TestTheLastPageSaysHowLongThePassLasts(t *testing.T) {
	d := open(t, newHouse())
	d.post(t, "/skip", nil).wants(t, isOnline, "You can stay online for 4 h.")
	d.set(phoneA, guest{step: hien.Inside}) // a trusted device
	if r := d.get(t, "/"); strings.Contains(r.body, "stay online") {
		t.Error("a pass without an end is said to have one")
	}
}

// TestOpenHours: the owner lets everybody in, and nobody is asked.
func TestOpenHours(t *testing.T) {
	d := open(t, newHouse())
	d.set(phoneA, guest{step: hien.Inside, pass: 2 * time.Hour})
	r := d.get(t, "/")
	r.wants(t, isOnline, "You can stay online for 2 h.")
	if strings.Contains(r.body, "checkbox") {
		t.Error("somebody is asked")
	}
}

func TestEachZoneShowsItsTerms(t *testing.T) {
	for _, terms := range []string{"No large downloads, please.", strings.Repeat("Please be kind to others. ", 8)} {
		h := newHouse()
		h.zone.Terms = terms
		d := open(t, h)
		d.get(t, "/").wants(t, "The shop’s WiFi rules", strings.TrimSpace(terms))
		// The page comes back with them.
		d.post(t, "/join", d.filled("1", consent.ContactZalo)).wants(t, "The shop’s WiFi rules")
	}
}

// A grace pass would close an Android's portal before the code can be typed.
func TestOnlyAnAndroidKeepsThePageBesideItsApps(t *testing.T) {
	for agent, want := range map[string]bool{
		"Mozilla/5.0 (Linux; Android 14; SM-A155F; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0 Mobile Safari/537.36": true,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148":                      false,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)": false,
		"": false,
	} {
		d := open(t, newHouse())
		form := d.form(t, "/join", d.filled("0987654321", consent.ContactZalo))
		form.Header.Set("User-Agent", agent)
		do(t, browser, form)
		if a := d.formOf(phoneA); a == nil || a.Stays != want {
			t.Errorf("%q: application %+v; want stays %v", agent, a, want)
		}
	}
}

// TestATillsCodeNeedsNoNumber also sends a number that nobody asked for, and
// what a page of before had asked for: that page's notice spoke of a number.
func TestATillsCodeNeedsNoNumber(t *testing.T) {
	h := newHouse()
	d := open(t, h)
	before := d.filled("0987654321", consent.VisitFrequency)
	h.till = true
	if r := d.post(t, "/join", before); !strings.Contains(r.body, "No phone number is needed.") || !strings.Contains(r.body, `value="visit_frequency" checked`) {
		t.Errorf("an answer to another notice is not asked for anew: %s", r.body)
	}
	notice := d.post(t, "/notice", d.filled("", consent.VisitFrequency))
	if notice.wants(t, "The shop does not ask for your phone number."); strings.Contains(notice.body, "number that is not confirmed") {
		t.Errorf("the notice speaks of a number: %s", notice.body)
	}
	if r := d.get(t, "/"); strings.Contains(r.body, `name="phone"`) || !strings.Contains(r.body, "No phone number is needed.") {
		t.Errorf("the page asks for a number: %s", r.body)
	}
	for _, number := range []string{"", "0987654321", "nobody's"} {
		for range 2 { // the button twice
			r := d.post(t, "/join", d.filled(number, consent.VisitFrequency))
			r.wants(t, "Please ask for the 6-digit code at the counter.", `name="code"`)
			if strings.Contains(r.body, `form="again"`) {
				t.Error("the page offers to send what is not sent")
			}
		}
	}
	d.post(t, "/code", url.Values{"lang": {"en"}, "code": {"000000"}}).wants(t, "4 tries left. Please ask for it again at the counter.")
	d.post(t, "/code", url.Values{"lang": {"en"}, "code": {rightCode}}).wants(t, isOnline)
}
