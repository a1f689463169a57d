package lucitest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/setup"
)

func TestOverviewTellsHowTheShopIs(t *testing.T) {
	r := newRouter(t)
	b := openBrowser(t, r)
	for _, c := range []struct {
		language string
		width    int64
		verdict  string
		tiles    []string // in the order of the page
		row      string
	}{
		{"vi", 360, "Mọi thứ đang chạy tốt.", []string{"Đang ở quán 12", "Đang dùng mạng 9", "Lượt ghé hôm nay 3", "tổng cộng 418", "Đã đồng ý 57"}, "Trang chào guest: đang mở, 10.20.0.1:2050, 9/12 khách đang dùng mạng"},
		{"en", 1024, "All is well.", []string{"In the shop now 12", "Online 9", "Visits today 3", "418 in all", "Agreed to something 57"}, "Portal guest: open for guests, 10.20.0.1:2050, 9 of 12 guests online"},
	} {
		t.Run(c.language, func(t *testing.T) {
			b.width(c.width)
			r.shop(well())
			b.show("overview", c.language, owner)
			if got := b.text("[role=status]"); strings.TrimSpace(got) != c.verdict {
				t.Errorf("the verdict is %q: want %q", got, c.verdict)
			}
			tiles := strings.Join(strings.Fields(b.text(".hien-tiles")), " ")
			for _, want := range c.tiles {
				if !strings.Contains(tiles, want) {
					t.Errorf("the numbers are %q: want %q among them", tiles, want)
				}
			}
			if parts := strings.Join(strings.Fields(b.text(".hien-parts")), " "); !strings.Contains(parts, c.row) {
				t.Errorf("the parts are %q: want %q among them", parts, c.row)
			}
			b.picture(fmt.Sprintf("overview-%s-%d", c.language, c.width))

			r.shop(ill())
			ask[bool](b, "pollNow()")
			b.picture(fmt.Sprintf("overview-ill-%s-%d", c.language, c.width))
			if got := b.text("[role=status] strong"); got == c.verdict {
				t.Error("the page goes on to say that all is well")
			}
			if n := ask[int](b, `document.querySelectorAll(".hien-todo li").length`); n != len(ill().Todo) {
				t.Errorf("%d things to do: want %d", n, len(ill().Todo))
			}
			if ask[bool](b, `"stranger" in window || document.querySelector("#view img") != null`) {
				t.Error("a text of the router became HTML")
			}
		})
	}
	if len(r.denied) > 0 {
		t.Errorf("the page asked for what it may not: %q", r.denied)
	}
}

// TestOverviewShowsTheTillsCode holds that staff find the code, and that a
// router is not asked for one that it has not.
func TestOverviewShowsTheTillsCode(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	r.answers("staff-code", control.StaffCode{Code: "123456", SecondsLeft: 200})
	b := openBrowser(t, r)
	b.width(360)
	b.show("overview", "vi", owner)
	if slices.Contains(r.asked(), "hien.tillcode") {
		t.Error("a shop without a staff sender is asked for its till's code")
	}
	r.configure(settings + "\nconfig sender 'till'\n\toption type 'staff'\n")
	for _, c := range []struct{ language, want string }{{"vi", "Mã ở quầy 123 456 còn hiện 3 phút"}, {"en", "Code at the till 123 456 shown for 3 min more"}} {
		b.show("overview", c.language, viewer)
		b.picture("overview-till-" + c.language)
		if got := strings.Join(strings.Fields(b.text(".hien-tiles")), " "); !strings.HasPrefix(got, c.want) {
			t.Errorf("the numbers are %q: want them to begin with %q", got, c.want)
		}
	}
	r.answers("staff-code", control.StaffCode{Code: "654321", SecondsLeft: 300})
	ask[bool](b, "pollNow()")
	if got := b.text(".hien-tiles"); !strings.Contains(got, "654 321") {
		t.Errorf("the numbers are %q: want the next code", got)
	}
	r.fails("staff-code", "hien is not running")
	ask[bool](b, "pollNow()")
	if got := b.text(".hien-tiles"); strings.Contains(got, "654 321") {
		t.Errorf("the numbers are %q: want no code that nobody has given", got)
	}
}

func TestOverviewWithoutDaemon(t *testing.T) {
	r := newRouter(t)
	const why = "Hiên is not running (no socket at /var/run/hien/control.sock); start it with `hien run`"
	for _, command := range []string{"status", "leads", "visits"} {
		r.fails(command, why)
	}
	b := openBrowser(t, r)
	b.width(360)
	b.show("overview", "vi", owner)
	if got := b.text("[role=status]"); !strings.Contains(got, "Hiên chưa chạy") || strings.Contains(got, "socket") {
		t.Errorf("the page says %q", got)
	}
	b.show("overview", "en", owner)
	if got, want := b.text("[role=status]"), strings.ReplaceAll(why, "`", ""); strings.TrimSpace(got) != want {
		t.Errorf("the page says %q, want %q", got, want)
	}

	r.fails("status", "Hiên is not running. "+setup.SmallRouter(57, 96).Error())
	b.show("overview", "vi", owner)
	if got, want := strings.TrimSpace(b.text("[role=status]")), "Hiên chưa chạy. Bộ định tuyến này có 57 MiB bộ nhớ (RAM), mà Hiên cần 96: "; !strings.HasPrefix(got, want) {
		t.Errorf("with too little memory the page says %q, want %q", got, want)
	}
}

func TestOverviewInSafeMode(t *testing.T) {
	r := newRouter(t)
	s := well()
	s.SafeMode, s.Since = "since 14:30", time.Now()
	s.Record = control.Record{State: control.RecordClosed, Detail: "safe mode, after three crashes within ten minutes: look at the log"}
	s.Conclude(now)
	r.shop(s)
	b := openBrowser(t, r)
	b.width(360)
	for language, want := range map[string][2]string{
		"vi": {"Chế độ an toàn từ ", "Không hỏi gì, khách vẫn vào mạng như thường, vì Hiên đang ở chế độ an toàn."},
		"en": {"Safe mode since ", "Nothing is asked, and guests come in all the same, because the record is closed: safe mode, "},
	} {
		b.show("overview", language, owner)
		if got := b.text("[role=status] .alert-message.error"); !strings.HasPrefix(got, want[0]) || !strings.Contains(got, "/etc/init.d/hien restart") {
			t.Errorf("the banner is %q", got)
		}
		if got := b.text("[role=status] .alert-message.warning strong"); !strings.HasPrefix(got, want[1]) {
			t.Errorf("the verdict is %q, want %q", got, want[1])
		}
		b.picture("overview-safe-" + language)
	}

	// A sentence of a later Hiên, which these pages do not know.
	s.SafeMode, s.Summary = "", "The moon is full <i>."
	r.shop(s)
	ask[bool](b, "pollNow()")
	if got := b.text("[role=status] .alert-message.warning strong"); got != s.Summary {
		t.Errorf("the verdict is %q, want %q", got, s.Summary)
	}
}

func TestOverviewOfAFreshRouter(t *testing.T) {
	r := newRouter(t)
	r.configure("config hien 'main'\n\toption enabled '0'\n\toption store_id 'shop'\n")
	r.fails("status", "Hiên is not running (no socket at /var/run/hien/control.sock); start it with `hien run`")
	b := openBrowser(t, r)
	b.width(360)
	b.show("overview", "vi", owner)
	if got := strings.TrimSpace(b.text("[role=status]")); got != "Hiên đang tắt.\nLệnh hien setup tạo mạng khách và bật Hiên; nếu đã có mạng khách thì bật ở trang Cài đặt." {
		t.Errorf("the page says %q", got)
	}
	b.picture("overview-fresh")
}

func TestOverviewOpensTheDoor(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	b := openBrowser(t, r)
	b.width(360)
	b.show("overview", "vi", owner)
	r.called()
	b.press("Mở trong 2 giờ")
	if got := b.text(".modal p"); !strings.Contains(got, "3 khách đang ở đây mà chưa vào mạng") {
		t.Errorf("before the door is opened the page says %q", got)
	}
	b.picture("overview-open-ask")
	if got := r.called(); len(got) != 0 {
		t.Errorf("before it was confirmed the router did %q", got)
	}
	open := well()
	open.OpenUntil = time.Now().Add(2 * time.Hour)
	r.shop(open)
	b.press("Mở trong 2 giờ")
	b.await(`document.querySelector(".alert-message.notice")`)
	if got, want := r.called(), []string{"hien open 2h", "hien status --json"}; !slices.Equal(got, want) {
		t.Errorf("the router did %q, want %q", got, want)
	}
	b.picture("overview-open")
	r.shop(well())
	b.press("Đóng lại ngay")
	b.await(`!document.querySelector(".alert-message.notice")`)
	if got, want := r.called(), []string{"hien open --end", "hien status --json"}; !slices.Equal(got, want) {
		t.Errorf("the router did %q, want %q", got, want)
	}
	r.fails("open", "the door is not open to everybody")
	b.press("Mở trong 1 giờ")
	b.press("Mở trong 1 giờ")
	b.await(`document.querySelector(".alert-message.error")`)
	if got := b.text(".alert-message.error"); strings.TrimSpace(got) != "cửa không mở cho mọi người" {
		t.Errorf("the error is told as %q", got)
	}
	if got := r.called(); got[0] != "hien open 1h" {
		t.Errorf("the router did %q", got)
	}
}

func TestOverviewHasTheDoctorLook(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	b := openBrowser(t, r)
	for _, c := range []struct {
		language, button, opens string
		width                   int64
	}{{"vi", "Kiểm tra", "lúc được lúc không", 360}, {"en", "Check", "opens sometimes", 1024}} {
		b.width(c.width)
		b.show("overview", c.language, owner)
		r.called()
		b.press(c.button)
		b.await(`document.querySelectorAll(".hien-found li").length == 3`)
		if got := r.called(); !slices.Contains(got, "hien doctor --json --lang "+c.language) {
			t.Errorf("the router did %q", got)
		}
		said := b.text("#view")
		for _, want := range []string{sick().Summary, c.opens, "2100 ms", "hien gate shut", "<b>cho khách</b>", "mwan3"} {
			if !strings.Contains(said, want) {
				t.Errorf("the page does not say %q:\n%s", want, said)
			}
		}
		b.picture(fmt.Sprintf("overview-doctor-%s-%d", c.language, c.width))
	}
}

// TestOverviewKeepsTheFocus holds that what has not changed is not drawn anew:
// a keyboard keeps its place, and a screen reader reads nothing twice.
func TestOverviewKeepsTheFocus(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	b := openBrowser(t, r)
	b.show("overview", "en", owner)
	ask[bool](b, `(window.said = document.querySelector("[role=status]").firstElementChild, [...document.querySelectorAll("#view button")][1].focus(), pollNow())`)
	if got := ask[string](b, `document.activeElement.innerText`); got != "Open for 2 hours" {
		t.Errorf("after a look at the router the focus is on %q", got)
	}
	if !ask[bool](b, `said.isConnected`) {
		t.Error("the same verdict was drawn anew")
	}
	fewer := well()
	fewer.Zones[0].WithPass = 4
	r.shop(fewer)
	ask[bool](b, "pollNow()")
	b.press("Open for 1 hour")
	if got := b.text(".modal p"); !strings.Contains(got, "the 8 guests who are here and not online") {
		t.Errorf("before the door is opened the page says %q", got)
	}

	b.show("guests", "en", owner)
	ask[bool](b, `(document.querySelector(".hien-guests button").focus(), pollNow())`)
	if got := ask[string](b, `document.activeElement.innerText`); got != "Take offline" {
		t.Errorf("after a look at the router the focus is on %q", got)
	}
}

func TestOverviewForWhomMayOnlyLook(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	b := openBrowser(t, r)
	b.width(1024)
	b.show("overview", "en", viewer)
	if got := ask[int](b, `document.querySelectorAll("#view button").length`); got != 0 {
		t.Errorf("there are %d buttons: want none", got)
	}
	if len(r.denied) > 0 {
		t.Errorf("the page asked for what it may not: %q", r.denied)
	}
}

// TestEveryVerdictIsKnown holds the pages' words to the daemon's: each sentence
// of a status is one that is said in Vietnamese, and in English as it came.
func TestEveryVerdictIsKnown(t *testing.T) {
	b := openBrowser(t, newRouter(t))
	for _, language := range []string{"vi", "en"} {
		b.show("", language, owner)
		ask[bool](b, `L.require("hien.words").then(w => (window.words = w, true))`)
		for _, s := range append(troubles(), well()) {
			for _, line := range append([]string{s.Summary}, s.Todo...) {
				said := ask[string](b, fmt.Sprintf("words.say(%s)", jsString(line)))
				if same := said == line; same != (language == "en") {
					t.Errorf("%s: %q is said as %q", language, line, said)
				}
				if strings.Contains(said, "%s") || strings.Contains(said, "undefined") {
					t.Errorf("%q is said as %q", line, said)
				}
			}
		}
	}
}

// TestEveryVerdictIsTried holds the states of this test to the daemon's
// sentences: for each that a status can say, one says it.
func TestEveryVerdictIsTried(t *testing.T) {
	const verdicts = "../../internal/control/verdict.go"
	file, err := parser.ParseFile(token.NewFileSet(), verdicts, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, s := range troubles() {
		said = append(append(said, s.Summary), s.Todo...)
	}
	all := strings.Join(said, "\n")
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "say" {
			return true
		}
		for _, arg := range call.Args[:2] {
			text, ok := arg.(*ast.BasicLit)
			if !ok || text.Value == `""` {
				continue
			}
			sentence, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			if !regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(sentence), "%s", ".+")).MatchString(all) {
				t.Errorf("no state of this test has Hiên say %q", sentence)
			}
		}
		return true
	})
	if found < 20 {
		t.Errorf("%s has %d sentences: were they looked for?", verdicts, found)
	}
}
