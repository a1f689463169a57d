package lucitest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// jsString is a text as JavaScript writes it.
func jsString(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}

func TestGuestsAreShownMasked(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	b := openBrowser(t, r)
	for _, c := range []struct {
		language string
		width    int64
		want     []string
	}{
		{"vi", 360, []string{"Có 6 khách trong quán, 3 đang dùng mạng.", "đang dùng mạng, còn 3 giờ 30 phút, khách quen", "đang ở trang chào, mã chờ có internet", "bị chặn", "tin cậy", "chưa có địa chỉ"}},
		{"en", 1024, []string{"6 guests are in the shop, 3 of them online.", "online, 3 h 30 min left, known from before", "at the door, its code waits for the internet", "blocked", "trusted", "no address yet"}},
	} {
		b.width(c.width)
		b.show("guests", c.language, owner)
		said := b.text("#view")
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("the page does not say %q:\n%s", want, said)
			}
		}
		if strings.Contains(said, "02:00:5e:10") {
			t.Errorf("the page shows a whole address:\n%s", said)
		}
		b.picture("guests-" + c.language)
	}
	for _, call := range r.called() {
		if strings.Contains(call, "--full") {
			t.Errorf("to show guests the router was asked for whole addresses: %s", call)
		}
	}
}

func TestGuestsButtons(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	b := openBrowser(t, r)
	b.width(360)
	b.show("guests", "vi", owner)
	for _, c := range []struct {
		row, button int
		title       string
		asks        bool
		want        string
		says        string
	}{
		{1, 1, "Ngắt mạng", true, "hien revoke --zone guest 02:00:5e:10:00:01", "02:00:5e:··:··:·· đã bị ngắt mạng và thấy lại trang chào."},
		{2, 2, "Tin cậy", true, "hien trust 02:00:5e:10:00:02", "02:00:5e:··:··:·· đã là thiết bị tin cậy: được vào không qua trang chào."},
		{3, 1, "Cho vào", false, "hien admit --zone guest 02:00:5e:10:00:03", "02:00:5e:··:··:·· đã vào mạng."},
		{3, 3, "Chặn", true, "hien block 02:00:5e:10:00:03", "Đã chặn 02:00:5e:··:··:··."},
		{4, 1, "Bỏ chặn", false, "hien block --undo 02:00:5e:10:00:04", "Đã bỏ chặn 02:00:5e:··:··:··."},
		{5, 1, "Bỏ tin cậy", false, "hien trust --undo 02:00:5e:10:00:05", "02:00:5e:··:··:·· không còn là thiết bị tin cậy."},
	} {
		t.Run(c.title, func(t *testing.T) {
			b := &browser{t: t, ctx: b.ctx, router: r}
			r.called()
			r.asked()
			ask[bool](b, `(document.querySelectorAll(".alert-message").forEach(e => e.remove()), true)`)
			at := ask[string](b, jsFind(c.row, c.button))
			if at != c.title {
				t.Fatalf("button %d of guest %d is %q, want %q", c.button, c.row, at, c.title)
			}
			ask[bool](b, `(window.found.click(), true)`)
			if c.asks {
				if got := r.called(); len(got) > 0 {
					t.Errorf("before it was confirmed the router did %q", got)
				}
				b.picture("guests-ask-" + strings.Fields(c.want)[1])
				b.press(c.title)
			}
			b.await(`document.querySelector(".alert-message.success")`)
			if got := strings.TrimSpace(b.text(".alert-message.success")); got != c.says {
				t.Errorf("the page says %q, want %q", got, c.says)
			}
			b.await(`!document.querySelector(".spinning")`)
			got := r.called()
			if want := []string{"hien guests --full --limit 1000 --json", c.want, "hien guests --limit 200 --json"}; !slices.Equal(got, want) {
				t.Errorf("the router did\n%q, want\n%q", got, want)
			}
			for _, call := range r.asked() {
				if strings.Contains(call, "02:00:5e:10") {
					t.Errorf("a whole address went over the wire: %s", call)
				}
			}
		})
	}
	if len(r.denied) > 0 {
		t.Errorf("the page asked for what it may not: %q", r.denied)
	}
}

// jsFind finds a guest's button, counted from 1, and answers its title.
func jsFind(row, button int) string {
	return `(window.found = document.querySelectorAll(".hien-guests tr")[` + string(rune('0'+row)) + `].querySelectorAll("button")[` + string(rune('0'+button-1)) + `]).innerText`
}

func TestGuestsErrors(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	b := openBrowser(t, r)
	b.show("guests", "vi", owner)
	r.fails("admit", "it would be let in again at once")
	ask[string](b, jsFind(3, 1))
	ask[bool](b, `(window.found.click(), true)`)
	b.await(`document.querySelector(".alert-message.error")`)
	if got := strings.TrimSpace(b.text(".alert-message.error")); !strings.HasPrefix(got, "thiết bị sẽ được vào lại ngay") {
		t.Errorf("the error is told as %q", got)
	}
	b.await(`!document.querySelector(".spinning")`)

	// Whoever has left in the meantime, or has another's address now, is not meant.
	r.answers("guests-full", map[string]any{"items": []map[string]any{{"mac": "06:00:5e:10:00:03", "zone": "guest", "addrs": []string{"10.20.0.19"}}}})
	os := ask[string](b, jsFind(3, 1))
	r.called()
	ask[bool](b, `(window.found.click(), true)`)
	b.await(`document.querySelectorAll(".alert-message.error").length == 2`)
	if got := b.text(".alert-message.error"); !strings.Contains(got, "Thiết bị này không còn ở đây") {
		t.Errorf("for %s the error is told as %q", os, got)
	}
	for _, call := range r.called() {
		if strings.Contains(call, "admit") {
			t.Errorf("the router did %s", call)
		}
	}

	r.fails("guests", "Hiên is not running (no socket at /var/run/hien); start it with `hien run`")
	ask[bool](b, "pollNow()")
	if got := b.text("#view .alert-message"); !strings.Contains(got, "Hiên chưa chạy") {
		t.Errorf("without the daemon the page says %q", got)
	}
}

func TestGuestsForWhomMayOnlyLook(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	b := openBrowser(t, r)
	b.show("guests", "en", viewer)
	if got := ask[int](b, `document.querySelectorAll("#view button").length`); got != 0 {
		t.Errorf("there are %d buttons: want none", got)
	}
}
