package portal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/world/chromium"
)

// TestOnAPhone goes the whole way with a real browser whose scripts are off.
func TestOnAPhone(t *testing.T) {
	for _, l := range []chromium.Look{
		{Width: 360, Height: 640, Language: "vi-VN,vi;q=0.9,en;q=0.5", Scheme: "light"},
		{Width: 360, Height: 640, Language: "en-US,en;q=0.9", Scheme: "dark"},
		{Width: 320, Height: 568, Language: "vi-VN,vi;q=0.9,en;q=0.5", Scheme: "dark"},
		{Width: 320, Height: 568, Language: "en-US,en;q=0.9", Scheme: "light"},
	} {
		name := fmt.Sprintf("%.2s-%d-%s", l.Language, l.Width, l.Scheme)
		t.Run(name, func(t *testing.T) {
			theWholeWay(t, chromium.Start(t, l), l, name)
		})
	}
}

func theWholeWay(t *testing.T, p *chromium.Phone, l chromium.Look, name string) {
	d := open(t, newHouse())
	step := 0
	see := func(what, path string) {
		t.Helper()
		step++
		if got := chromium.Ask[string](p, `location.pathname`); got != path && !strings.HasPrefix(got, path+"/") {
			p.Picture(name + "-astray")
			t.Fatalf("%s: the phone is at %s, want %s", what, got, path)
		}
		if got := chromium.Ask[string](p, `document.documentElement.lang`); got != l.Language[:2] {
			t.Errorf("%s: the page is in %q", what, got)
		}
		p.Picture(fmt.Sprintf("%s-%02d-%s", name, step, what))
		p.LooksRight(what)
	}
	value := func(selector string) string {
		return chromium.Ask[string](p, `document.querySelector("`+selector+`").value`)
	}
	ticked := func() string {
		return chromium.Ask[string](p, `[...document.querySelectorAll(":checked")].map(e => e.value).join(" ")`)
	}

	p.Open(d.url)
	see("splash", "/")
	p.TwoEqualAnswers("splash")
	if got := ticked(); got != "" {
		t.Errorf("the fresh page has ticked %s", got)
	}
	theFold := func(what string) {
		t.Helper()
		if two := p.Boxes(".two"); l.Height == 640 && two[0].Top+two[0].Height > float64(l.Height) {
			t.Errorf("%s: the answers end at %.0fpx, under the fold of %d×%d", what, two[0].Top+two[0].Height, l.Width, l.Height)
		}
	}
	theFold("fresh")
	p.TwoEqualAges("fresh")
	if n := len(p.Boxes(".ask, .young")); n != 0 {
		t.Errorf("%d parts are seen before the age is told", n)
	}

	p.Touch("[for=no]")
	see("splash-young", "/")
	if bs := p.Boxes(".b"); len(bs) != 1 {
		t.Errorf("%d buttons for somebody too young; want one", len(bs))
	}
	p.Touch("[for=yes]")
	see("splash-of-age", "/")
	p.TwoEqualAnswers("splash-of-age")
	theFold("of-age")
	p.Touch("[value=contact_zalo]")
	p.Enter("#phone", "0912 34")
	see("splash-error", "/join")
	if got := value("#phone"); got != "0912 34" {
		t.Errorf("the field came back with %q", got)
	}
	if got := chromium.Ask[string](p, `document.getElementById(document.querySelector("#phone").getAttribute("aria-describedby")).innerText`); !strings.HasPrefix(chromium.Ask[string](p, `document.title`), got) {
		t.Errorf("the title does not begin with the field's error %q", got)
	}
	p.Tap("[formaction='/notice']")
	see("notice", "/notice")
	p.Tap("main button")
	see("splash-back", "/")
	if value("#phone") != "0912 34" || ticked() != "yes contact_zalo" {
		t.Errorf("after the notice the page holds %q and %q", value("#phone"), ticked())
	}

	p.Fill("#phone", "0912 345 678")
	p.Touch("[value=visit_frequency]")
	p.Tap(".two [form=give]")
	see("code", "/code")
	p.TwoEqualAnswers("code")
	p.Fill("#code", "000000")
	p.Tap(".two [form=give]")
	see("code-bad", "/code")
	h := d.house
	d.set(phoneA, guest{step: hien.AtCode, form: d.formOf(phoneA)})
	p.Open(d.url)
	see("code-dead", "/")
	p.TwoEqualAnswers("code-dead")
	form := d.formOf(phoneA)
	d.set(phoneA, guest{step: hien.AtCode, form: form, tries: 5, left: 10 * time.Minute, pass: 5 * time.Minute, grace: true})
	p.Open(d.url)
	see("code-grace", "/")
	p.TwoEqualAnswers("code-grace")
	theFold("code-grace")
	d.set(phoneA, guest{step: hien.AtCode, form: form, tries: 5, left: 5 * time.Minute, till: true})
	p.Open(d.url)
	see("code-till", "/")
	p.TwoEqualAnswers("code-till")
	d.set(phoneA, guest{step: hien.AtCode, form: form, till: true})
	p.Open(d.url)
	see("code-till-dead", "/")
	p.TwoEqualAnswers("code-till-dead")
	p.Tap(".side [form=other]")
	see("splash-again", "/")
	h.mu.Lock()
	h.till = true
	h.mu.Unlock()
	p.Open(d.url)
	p.Touch("[for=yes]")
	see("splash-till", "/")
	p.TwoEqualAnswers("splash-till")
	theFold("splash-till")
	h.mu.Lock()
	h.till = false
	h.mu.Unlock()
	d.set(phoneA, guest{step: hien.AtCode, form: form})
	p.Open(d.url)
	p.Tap(".two [form=again]")
	see("code-resent", "/code")
	p.Enter("#code", rightCode)
	see("online", "/online")

	p.Tap("main a")
	see("receipt", "/receipt")
	p.Touch("li:first-of-type summary")
	see("receipt-open", "/receipt")
	p.Tap("li:first-of-type button")
	see("receipt-withdrawn", "/receipt")
	p.Tap("nav a:first-of-type")
	see("receipt-wording", "/receipt")
	p.Tap("main .b")
	see("receipt-back", "/receipt")
	p.Tap("nav a:last-of-type")
	see("number", "/receipt")
	p.Enter("#phone", "0912 34")
	see("number-error", "/receipt")
	p.Fill("#phone", "0912 345 678")
	p.Tap("main .b")
	see("number-code", "/receipt")
	p.Enter("#code", rightCode)
	see("number-changed", "/receipt")
	p.Tap("nav a:nth-of-type(2)")
	see("data", "/receipt")
	p.Tap("main .b")
	p.Touch("main > details:last-of-type summary")
	see("receipt-erase", "/receipt")
	p.Tap("main > details:last-of-type button")
	see("erased", "/erased")

	h.mu.Lock()
	h.visits[phoneA], h.guests[phoneA] = 3, &guest{}
	h.mu.Unlock()
	p.Open(d.url)
	see("member", "/")
	p.Tap("main button")
	see("online-member", "/online")

	p.Open(d.url + "/mine")
	see("mine", "/mine")
	p.Enter("#phone", "0912 34")
	see("mine-error", "/mine")
	p.Fill("#phone", "0912 345 678")
	p.Tap("main .b")
	see("mine-code", "/mine")
	p.Enter("#code", rightCode)
	see("mine-nothing", "/mine")

	d.set(phoneA, guest{})
	h.mu.Lock()
	h.visits[phoneA], h.refused[phoneA] = 0, asked
	h.mu.Unlock()
	p.Open(d.url)
	see("after-a-no", "/")
	p.Tap("a[href*='again=1']")
	see("asked-again", "/")
	p.TwoEqualAnswers("asked-again")
	h.mu.Lock()
	delete(h.refused, phoneA)
	h.mu.Unlock()

	p.Open(d.url + "/receipt/guessed")
	see("receipt-unknown", "/receipt")
	d.set(phoneA, guest{})
	h.mu.Lock()
	h.breaks["Admit"], h.visits[phoneA] = hien.ErrStorage, 0
	h.mu.Unlock()
	p.Open(d.url)
	p.Tap(".two [form=skip]")
	see("trouble", "/trouble")
	if got := chromium.Ask[int](p, `document.cookie.length + localStorage.length`); got != 0 {
		t.Error("the pages have stored something")
	}
}

func TestTheLongestPageOnASmallPhone(t *testing.T) {
	h := newHouse()
	h.store = "Cà phê Sân Vườn Nguyễn Thị Phượng Vỹ, chi nhánh Đường Nguyễn Huệ"
	h.zone.Offer = "Giảm 20% cho mọi món nước trước 10 giờ sáng; đọc mã HIENKHAITRUONG2026CHAOHETHANGMUOIMOT tại quầy."
	h.zone.Purposes = append(asked[:2:2], "contact_sms", "ads_audience", "profile_extra", "share_partner:quan-ben-canh-duong-nguyen-hue-1")
	d := open(t, h)
	p := chromium.Start(t, chromium.Look{Width: 320, Height: 568, Language: "vi", Scheme: "light"})
	p.Open(d.url)
	p.Picture("vi-320-longest")
	p.LooksRight("longest")
	p.TwoEqualAnswers("longest")
	p.Touch("[for=yes]")
	p.Picture("vi-320-longest-of-age")
	p.LooksRight("longest-of-age")
	p.Tap(".two [form=skip]")
	p.Picture("vi-320-longest-online")
	p.LooksRight("longest-online")
}
