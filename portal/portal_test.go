package portal_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/portal"
	"github.com/hien-wifi/hien/templates"
)

const (
	hello    = "Welcome to our WiFi."
	askCode  = "Please type your code"
	isOnline = "You are online. Thank you."
	sorry    = "Sorry, something went wrong"
)

func TestAGuestGoesOnWithout(t *testing.T) {
	d := open(t, newHouse())
	d.get(t, "/").wants(t, hello, `action="/skip"`, "Giảm 10% cho ly thứ hai")
	r := d.post(t, "/skip", nil)
	r.wants(t, isOnline)
	if r.at != "/online?lang=en" {
		t.Errorf("after going on without, the guest is at %s", r.at)
	}
	if diff := cmp.Diff(map[string]int{"Greet": 2, "Admit": 1}, d.counts()); diff != "" {
		t.Errorf("what the house was asked (-want +got):\n%s", diff)
	}
	// The next visit to the first page, a reload or the sheet opened again.
	d.get(t, "/").wants(t, isOnline)
}

func TestAGuestGivesANumber(t *testing.T) {
	d := open(t, newHouse())
	r := d.post(t, "/join", d.filled("0987 654 321", consent.ContactZalo))
	r.wants(t, askCode, "ending in 21", "Valid for another 5 min.")
	if r.at != "/code?lang=en" {
		t.Errorf("after the number, the guest is at %s", r.at)
	}
	f := d.formOf(phoneA)
	if f.Phone.Reveal() != "+84987654321" || !cmp.Equal(f.Agreed, asked[1:]) {
		t.Errorf("the house got %v for %v", f.Phone.Reveal(), f.Agreed)
	}
	if want := d.notice(templates.English, asked); f.Notice.Hash() != want.Hash() {
		t.Error("the house got another notice than the one on the page")
	}
	// The sheet was closed for the message and opens again.
	d.get(t, "/").wants(t, askCode)

	r = d.post(t, "/code", url.Values{"lang": {"en"}, "code": {"123 456"}})
	r.wants(t, isOnline, "See your receipt")
	link := regexp.MustCompile(`href="(/receipt/[^"]*)"`).FindStringSubmatch(r.body)
	if link == nil {
		t.Fatal("the page has no link to the receipt")
	}
	d.get(t, link[1]).wants(t, "You answered at 14:30, 22/11/2026.", "Agreed, in force", "Not agreed", "/notice?lang=en")
	path, _, _ := strings.Cut(link[1], "?")
	d.get(t, path+"/notice").wants(t, "You answered at 14:30, 22/11/2026.", "[ ] contact_zalo: Messages from the shop on Zalo")
}

func TestAMemberComesBack(t *testing.T) {
	h := newHouse()
	h.visits[phoneA] = 3
	d := open(t, h)
	r := d.get(t, "/")
	r.wants(t, "Welcome back, this is your 3rd visit.", "Go online")
	if strings.Contains(r.body, "checkbox") {
		t.Error("a member is asked again")
	}
	// A member whose page was from before posts it all the same.
	d.post(t, "/join", d.filled("", asked...)).wants(t, "Please type your phone number")
	d.post(t, "/join", d.filled("")).wants(t, isOnline)
}

func TestNothingIsAsked(t *testing.T) {
	h := newHouse()
	h.closed = true
	d := open(t, h)
	r := d.get(t, "/")
	r.wants(t, hello, "Go online")
	if n := strings.Count(r.body, "<button"); n != 1 {
		t.Errorf("the page has %d buttons: want one", n)
	}
}

func TestNothingTickedIsANo(t *testing.T) {
	d := open(t, newHouse())
	d.post(t, "/join", d.filled("0987654321")).wants(t, isOnline)
	if got := d.count("Ask"); got != 0 {
		t.Errorf("a number for nothing was handed to the house %d times (R-CON-2)", got)
	}
}

func TestABadNumberIsAnsweredBesideItsField(t *testing.T) {
	for typed, want := range map[string]string{
		"":              "Please type your phone number",
		"12345":         "This number does not look right",
		"abc <b>\"":     "This number does not look right",
		"024 3825 1234": "A landline cannot receive the code",
		"0162 123 4567": "Numbers of 11 digits have changed. Please type the new one: 0321 234 567.",
	} {
		d := open(t, newHouse())
		r := d.post(t, "/join", d.filled(typed, consent.ContactZalo))
		r.wants(t, `<p class="bad" id="problem">`+want[:8], want, `aria-describedby="problem"`, `value="contact_zalo" checked`,
			`value="`+htmlText(typed)+`"`)
		if !strings.HasPrefix(r.title(), want[:8]) {
			t.Errorf("%q: the title is %q: want it to begin with the error", typed, r.title())
		}
		if strings.Contains(r.body, `value="visit_frequency" checked`) {
			t.Errorf("%q: a box came back ticked that was not", typed)
		}
		if r.status != http.StatusOK || d.count("Ask") != 0 {
			t.Errorf("%q: status %d, Ask called %d times", typed, r.status, d.count("Ask"))
		}
	}
}

func htmlText(s string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", `"`, "&#34;", "+", "&#43;").Replace(s)
}

// asks makes the form one of a page that asked for these purposes.
func (h *house) asks(f url.Values, purposes []consent.Purpose) {
	n := h.notice(templates.English, purposes)
	f.Set("asked", templates.Asked(n))
	f.Set("notice", n.Hash().String())
}

func TestAnAnswerToAnotherQuestionIsNoConsent(t *testing.T) {
	for name, change := range map[string]func(url.Values, *house){
		"the shop asks for something else now": func(_ url.Values, h *house) { h.zone.Purposes = asked[:1] },
		"the shop has another name":            func(_ url.Values, h *house) { h.store = "Quán Khác" },
		"a box that was not on the page":       func(f url.Values, _ *house) { f.Set("asked", "visit_frequency") },
		"no notice was shown":                  func(f url.Values, _ *house) { f.Del("notice") },
		"the page was in another language":     func(f url.Values, _ *house) { f.Set("lang", "vi") },
		"a page that names a purpose many times": func(f url.Values, h *house) {
			h.asks(f, append(slices.Repeat(asked[:1], 20), asked...))
		},
		"a page in another order":            func(f url.Values, h *house) { h.asks(f, []consent.Purpose{asked[1], asked[0]}) },
		"a purpose that the zone never asks": func(f url.Values, _ *house) { f.Set("asked", f.Get("asked")+" contact_sms") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse()
			d := open(t, h)
			form := d.filled("0987654321", consent.ContactZalo)
			h.mu.Lock()
			change(form, h)
			h.mu.Unlock()
			d.post(t, "/join", form).wants(t, `action="/join"`, `value="0987654321"`)
			if got := d.count("Ask"); got != 0 {
				t.Errorf("the house was told %d times", got)
			}
		})
	}
}

func TestTheNoticeComesBackWithEverythingFilledIn(t *testing.T) {
	d := open(t, newHouse())
	form := d.filled("0912 34", consent.ContactZalo)
	r := d.post(t, "/notice", form)
	r.wants(t, "Privacy notice of Quán Hiên", "may be sensitive", `<form method="post" action="/">`,
		`name="phone" value="0912 34"`, `name="purpose" value="contact_zalo"`, `name="lang" value="en"`)
	r = d.post(t, "/", url.Values{"lang": {"en"}, "phone": {"0912 34"}, "purpose": {"contact_zalo"}})
	r.wants(t, hello, `value="0912 34"`, `value="contact_zalo" checked`)
	d.get(t, "/notice").wants(t, "Privacy notice of Quán Hiên")
}

func TestTheCode(t *testing.T) {
	atCode := func(t *testing.T) door {
		d := open(t, newHouse())
		d.post(t, "/join", d.filled("0987654321", consent.ContactZalo))
		return d
	}
	code := func(s string) url.Values { return url.Values{"lang": {"en"}, "code": {s}} }

	t.Run("a wrong code costs a try", func(t *testing.T) {
		d := atCode(t)
		r := d.post(t, "/code", code("000000"))
		r.wants(t, askCode, "Tries left: 4.")
		if r.title() != "That code is not right. Please check the message. Tries left: 4. – "+askCode {
			t.Errorf("the title is %q", r.title())
		}
		// Reloading the page that came is no second guess.
		d.get(t, r.at).wants(t, "Tries left: 4.")
	})
	t.Run("what cannot be a code costs none", func(t *testing.T) {
		d := atCode(t)
		r := d.post(t, "/code", code("12<45"))
		r.wants(t, "The code has 6 digits", `value="12&lt;45"`)
		if got := d.count("Prove"); got != 0 {
			t.Errorf("the house was asked %d times", got)
		}
	})
	t.Run("guessed too often it is dead", func(t *testing.T) {
		d := atCode(t)
		for range hien.CodeTries - 1 {
			d.post(t, "/code", code("000000"))
		}
		r := d.post(t, "/code", code("000000"))
		r.wants(t, "This code no longer works")
		if strings.Contains(r.body, `name="code"`) {
			t.Error("a dead code is still asked for")
		}
		d.post(t, "/code", code(rightCode)).wants(t, "This code no longer works")
		d.post(t, "/code/again", nil).wants(t, askCode, "A new code is on its way.")
		d.post(t, "/code", code(rightCode)).wants(t, isOnline)
	})
	t.Run("late it is dead", func(t *testing.T) {
		d := atCode(t)
		d.set(phoneA, guest{step: hien.AtCode, form: d.formOf(phoneA), tries: 5})
		d.get(t, "/").wants(t, "This code no longer works")
	})
	t.Run("another number", func(t *testing.T) {
		d := atCode(t)
		d.post(t, "/code/other", nil).wants(t, hello, `type="checkbox"`)
	})
	t.Run("going on without is offered here too", func(t *testing.T) {
		d := atCode(t)
		d.post(t, "/skip", nil).wants(t, isOnline)
	})
	t.Run("posted twice it gives the same page", func(t *testing.T) {
		d := atCode(t)
		first := d.post(t, "/code", code(rightCode))
		second := d.post(t, "/code", code(rightCode))
		if first.body != second.body || first.at != second.at {
			t.Errorf("first %s, then %s:\n%s", first.at, second.at, cmp.Diff(first.body, second.body))
		}
	})
	t.Run("without a form it leads to where the guest stands", func(t *testing.T) {
		d := open(t, newHouse())
		d.post(t, "/code", code(rightCode)).wants(t, hello)
		d.post(t, "/code", code("x")).wants(t, hello)
		d.post(t, "/code/again", nil).wants(t, hello)
		d.get(t, "/code").wants(t, hello)
		d.get(t, "/online").wants(t, hello)
	})
}

func TestAFormPostedTwiceGivesTheSamePage(t *testing.T) {
	d := open(t, newHouse())
	form := d.filled("0987654321", asked...)
	first, second := d.post(t, "/join", form), d.post(t, "/join", form)
	if first.body != second.body || first.at != second.at {
		t.Errorf("first %s, then %s", first.at, second.at)
	}
	first, second = d.post(t, "/skip", nil), d.post(t, "/skip", nil)
	if first.body != second.body {
		t.Error("going on without twice gives two pages")
	}
	// The first page, still open in another tab, after all is done.
	d.post(t, "/join", form).wants(t, isOnline)
}

func TestEveryFormIsAnsweredWithA303(t *testing.T) {
	d := open(t, newHouse())
	for _, step := range []struct {
		path string
		form url.Values
		to   string
	}{
		{"/join", d.filled("0987654321", asked...), "/code?lang=en"},
		{"/code", url.Values{"lang": {"en"}, "code": {"000000"}}, "/code?lang=en&word=bad"},
		{"/code/again", url.Values{"lang": {"en"}}, "/code?lang=en&word=resent"},
		{"/code/other", url.Values{"lang": {"en"}}, "/?lang=en"},
		{"/join", d.filled("0987654321", asked...), "/code?lang=en"},
		{"/code", url.Values{"lang": {"en"}, "code": {rightCode}}, "/online?lang=en"},
		{"/skip", url.Values{"lang": {"vi"}}, "/online?lang=vi"},
	} {
		r := do(t, strict, d.form(t, step.path, step.form))
		if r.status != http.StatusSeeOther || r.header.Get("Location") != step.to {
			t.Errorf("POST %s: got %d %s, want 303 %s", step.path, r.status, r.header.Get("Location"), step.to)
		}
	}
}

func TestTheReceipt(t *testing.T) {
	join := func(t *testing.T) (door, string) {
		d := open(t, newHouse())
		d.post(t, "/join", d.filled("0987654321", asked...))
		d.post(t, "/code", url.Values{"code": {rightCode}})
		for secret := range d.receipts {
			return d, "/receipt/" + secret
		}
		t.Fatal("no receipt was made")
		return d, ""
	}
	form := func(key, value string) url.Values { return url.Values{"lang": {"en"}, key: {value}} }

	t.Run("one purpose is taken back", func(t *testing.T) {
		d, path := join(t)
		r := d.post(t, path+"/withdraw", form("purpose", "contact_zalo"))
		r.wants(t, "Withdrawn, in force from now.", "Agreed, and since withdrawn", "Agreed, in force")
		d.post(t, path+"/withdraw", form("purpose", "contact_zalo")).wants(t, "Agreed, and since withdrawn")
	})
	t.Run("all are taken back", func(t *testing.T) {
		d, path := join(t)
		d.post(t, path+"/withdraw", form("all", "1")).wants(t, "Nothing is in force any more.")
	})
	t.Run("what names no purpose takes nothing back", func(t *testing.T) {
		d, path := join(t)
		for _, f := range []url.Values{nil, form("purpose", ""), form("purpose", "everything")} {
			d.post(t, path+"/withdraw", f).wants(t, "Receipt of your consent")
		}
		if got := d.count("Withdraw"); got != 0 {
			t.Errorf("Withdraw was called %d times", got)
		}
	})
	t.Run("it opens from any device", func(t *testing.T) {
		h := newHouse()
		d := open(t, h, func(o *portal.Options) { o.Neighbours = neighbours{} })
		n := h.notice(templates.English, asked)
		c, err := consent.Give("1", "2", n, asked, noon)
		if err != nil {
			t.Fatal(err)
		}
		h.receipts["s"] = &hien.Receipt{Given: c, Standing: c, Notice: n.Text()}
		d.get(t, "/receipt/s").wants(t, "Receipt of your consent", "Agreed, in force")
	})
	t.Run("a guess is answered as one that never was", func(t *testing.T) {
		d, _ := join(t)
		d.get(t, "/receipt/guessed").wants(t, "There is no receipt at this address.")
		d.post(t, "/receipt/guessed/withdraw", form("all", "1")).wants(t, "There is no receipt at this address.")
	})
}

func TestPagesSpeakTheLanguageThatWasChosen(t *testing.T) {
	d := open(t, newHouse())
	req, _ := http.NewRequest("GET", d.url+"/", nil)
	do(t, browser, req).wants(t, `<html lang="vi">`, `href="/?lang=en"`)
	d.get(t, "/?lang=vi").wants(t, `<html lang="vi">`, `name="lang" value="vi"`)
	d.get(t, "/?lang=xx").wants(t, `<html lang="en">`)
	d.post(t, "/skip", url.Values{"lang": {"vi"}}).wants(t, `<html lang="vi">`)
}

func TestEveryPageIsProtected(t *testing.T) {
	d := open(t, newHouse())
	for _, path := range []string{"/", "/notice", "/trouble?why=many", "/receipt/x"} {
		r := d.get(t, path)
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Content-Security-Policy": "default-src 'none'; style-src " + templates.StyleHash +
				"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Set-Cookie": "",
		} {
			if got := r.header.Get(header); got != want {
				t.Errorf("GET %s: %s is %q: want %q", path, header, got, want)
			}
		}
	}
}

// TestAPreviewIsWhatIsServed holds `hien notice preview` to the pages.
func TestAPreviewIsWhatIsServed(t *testing.T) {
	d := open(t, newHouse())
	for _, lang := range templates.Languages {
		g, err := d.Greet(t.Context(), hien.Device{Guest: hien.GuestID{Zone: "guest", MAC: phoneB}}, noon)
		if err != nil {
			t.Fatal(err)
		}
		first, notice, err := portal.Preview(lang, g)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string][]byte{"/": first, "/notice": notice} {
			if got := d.get(t, path+"?lang="+string(lang)).body; got != string(want) {
				t.Errorf("%s %s is served otherwise than it is previewed:\n%s", path, lang, cmp.Diff(string(want), got))
			}
		}
	}
}
