package portal_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/templates"
)

// withReceipt is a house in which somebody has the receipt "s".
func withReceipt(t testing.TB) *house {
	t.Helper()
	h := newHouse()
	n := h.notice(templates.English, asked)
	c, err := consent.Give("c1", "subject", n, asked, noon)
	if err != nil {
		t.Fatal(err)
	}
	h.receipts["s"] = &hien.Receipt{Given: c, Standing: c, Notice: n.Text()}
	return h
}

var english = url.Values{"lang": {"en"}, "all": {"1"}}

func TestWhatIsKeptIsSeenAndDownloaded(t *testing.T) {
	d := open(t, withReceipt(t))
	page := d.get(t, "/receipt/s")
	page.wants(t, "See and download my data", "/receipt/s/data", d.url+"/receipt/s", "<svg viewBox")
	d.get(t, "/receipt/s/notice").wants(t, "The notice you were shown", d.receipts["s"].Given.Notice().String(), "dpo@hien.example")
	d.get(t, "/receipt/s/data").wants(t, "Your data", "k1:0a1b2c", "10.77.0.9", "/receipt/s/data.json")

	text := d.get(t, "/receipt/s/data.txt")
	if kind, as := text.header.Get("Content-Type"), text.header.Get("Content-Disposition"); kind != "text/plain; charset=utf-8" || as != `attachment; filename="hien-data.txt"` {
		t.Errorf("the text is %q, %q", kind, as)
	}
	if !strings.Contains(text.body, "  Network address at that time: 10.77.0.9 (salt 73616c74)\n") {
		t.Errorf("the text: %s", text.body)
	}
	file := d.get(t, "/receipt/s/data.json")
	var said struct {
		Format string
		Names  []struct {
			Keys     []string `json:"lead_keys"`
			Consents []struct {
				Evidence map[string]struct{ Salt, Value string }
			}
		}
	}
	if err := json.Unmarshal([]byte(file.body), &said); err != nil {
		t.Fatal(err)
	}
	if said.Format != hien.DisclosureFormat || len(said.Names) != 1 || said.Names[0].Consents[0].Evidence["address"].Salt != "73616c74" {
		t.Errorf("the JSON: %s", file.body)
	}
	if file.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the file may be kept by the browser's cache: %q", file.header.Get("Cache-Control"))
	}
}

func TestEverythingIsErasedInTwoTaps(t *testing.T) {
	d := open(t, withReceipt(t))
	d.get(t, "/receipt/s").wants(t, "Erase all my data", "It cannot be brought back.", "Erase everything")
	d.post(t, "/receipt/s/erase", url.Values{"lang": {"en"}}).wants(t, "Receipt of your consent") // without the button
	gone := d.post(t, "/receipt/s/erase", english)
	gone.wants(t, "Everything is erased", "7-"+string(erasureID), "14:30, 22/11/2026")
	if strings.Contains(gone.at+gone.body, "/receipt/") {
		t.Errorf("the page that is kept names the receipt: %s", gone.at)
	}
	d.get(t, gone.at).wants(t, "Everything is erased") // it can be opened again
	for _, wrong := range []string{"7-guessed", "8-" + string(erasureID), "-" + string(erasureID), "7", "x", "18446744073709551615-" + string(erasureID)} {
		d.get(t, "/erased/"+wrong).wants(t, "There is no receipt at this address.")
	}
	d.post(t, "/receipt/s/erase", english).wants(t, "There is no receipt at this address.")
}

// A link that was guessed, was erased, or is no link at all answers byte for
// byte the same, and the house is asked the same.
func TestALinkThatIsNoneAnswersAsAnyOther(t *testing.T) {
	d := open(t, withReceipt(t))
	d.post(t, "/receipt/s/erase", english).wants(t, "Everything is erased")
	type answer struct {
		status       int
		header, body string
		asked        map[string]int
	}
	ask := func(method, path string) answer {
		before := d.counts()
		r := d.form(t, path, english)
		if method == "GET" {
			var err error
			if r, err = http.NewRequest("GET", d.url+path, nil); err != nil {
				t.Fatal(err)
			}
		}
		got := do(t, strict, r)
		var h strings.Builder
		got.header.Del("Date")
		if err := got.header.Write(&h); err != nil {
			t.Fatal(err)
		}
		asked := d.counts()
		for what, n := range before {
			if asked[what] -= n; asked[what] == 0 {
				delete(asked, what)
			}
		}
		return answer{got.status, h.String(), got.body, asked}
	}
	for _, page := range []string{"GET ", "GET /notice", "GET /data", "GET /data.txt", "GET /data.json", "POST /withdraw", "POST /erase",
		"GET /number", "POST /number", "POST /number/code", "POST /number/other"} {
		method, path, _ := strings.Cut(page, " ")
		erased := ask(method, "/receipt/s"+path)
		for _, other := range []string{"guessed", "S", strings.Repeat("a", 26), "%00", "%3Cscript%3E", strings.Repeat("x", 2000)} {
			got := ask(method, "/receipt/"+other+path)
			if got.status != erased.status || got.header != erased.header || got.body != erased.body {
				t.Errorf("%s of %.20q: got %d %s %s\nof one that was erased: %d %s %s", page, other, got.status, got.header, got.body, erased.status, erased.header, erased.body)
			}
			if len(got.asked) != 1 || len(erased.asked) != 1 {
				t.Errorf("%s: the house was asked %v for a guessed one, %v for an erased one; want one look-up", page, got.asked, erased.asked)
			}
		}
	}
}

func TestOverTLSTheLinkHasTheName(t *testing.T) {
	h := withReceipt(t)
	d := openSecure(t, h, "127.0.0.1:0")
	res, err := d.client(true).Get(d.url + "/receipt/s?lang=en")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`href="(https?://[^"]*)"`).FindAllStringSubmatch(string(body), -1)
	if len(links) != 1 || links[0][1] != d.url+"/receipt/s" {
		t.Errorf("links %v, want %s/receipt/s", links, d.url)
	}
}

func TestWhatStandsIsTakenBackOneByOneOrAll(t *testing.T) {
	d := open(t, withReceipt(t))
	d.post(t, "/receipt/s/withdraw", url.Values{"lang": {"en"}, "purpose": {"contact_zalo"}}).wants(t, "Withdrawn, in force from now.", "Agreed, and since withdrawn", "Agreed, in force")
	d.post(t, "/receipt/s/withdraw", english).wants(t, "Nothing is in force any more.")
	if slices.ContainsFunc(d.receipts["s"].Standing.Answers(), func(a consent.Answer) bool { return a.Agreed }) {
		t.Error("something stands")
	}
}

// Whoever took everything back and agreed again has another name here. The older
// receipt shows what stands under that, and takes it back.
func TestAnOlderReceiptTakesBackWhatWasAgreedToSince(t *testing.T) {
	h := withReceipt(t)
	again := *h.receipts["s"]
	h.later["s"] = &again
	h.receipts["s"].Standing = again.Standing.Without()
	d := open(t, h)
	const nothing = "Nothing is in force any more."
	for _, step := range []struct {
		form   url.Values
		stands int
	}{{nil, 2}, {url.Values{"lang": {"en"}, "purpose": {"contact_zalo"}}, 1}, {english, 0}} {
		page := d.get(t, "/receipt/s")
		if step.form != nil {
			page = d.post(t, "/receipt/s/withdraw", step.form)
			page.wants(t, "Withdrawn, in force from now.")
		}
		if n := strings.Count(page.body, "Agreed in a later answer, in force"); n != step.stands || strings.Contains(page.body, nothing) != (n == 0) {
			t.Errorf("after %v: %d purposes stand on the page, that nothing does: %t; want %d", step.form, n, strings.Contains(page.body, nothing), step.stands)
		}
	}
	if again.Standing.AllowsAny() {
		t.Error("something stands")
	}
}

func TestTheWayToOnesDataWithoutAReceipt(t *testing.T) {
	d := open(t, withReceipt(t))
	d.get(t, "/").wants(t, "/mine?lang=en")
	d.get(t, "/mine").wants(t, "My data", "Send me a code")
	d.post(t, "/mine", url.Values{"lang": {"en"}, "phone": {"0912"}}).wants(t, "This number does not look right.", `value="0912"`)
	d.post(t, "/mine", url.Values{"lang": {"en"}, "phone": {"0912 345 678"}}).wants(t, "ending in 78", "Open my receipt")
	d.post(t, "/mine/code", url.Values{"lang": {"en"}, "code": {"12"}}).wants(t, "The code has 6 digits")
	d.post(t, "/mine/code", url.Values{"lang": {"en"}, "code": {"000000"}}).wants(t, "not right")
	d.post(t, "/mine/code", url.Values{"lang": {"en"}, "code": {rightCode}}).wants(t, "The shop keeps nothing under this number.")
	d.post(t, "/mine", url.Values{"lang": {"en"}, "phone": {"0912 345 678"}}).wants(t, "ending in 78")
	d.post(t, "/mine/other", url.Values{"lang": {"en"}}).wants(t, "Send me a code")
	d.post(t, "/mine", url.Values{"lang": {"en"}, "phone": {"0987 654 321"}}).wants(t, "ending in 21")
	r := d.post(t, "/mine/code", url.Values{"lang": {"en"}, "code": {rightCode}})
	if r.wants(t, "Receipt of your consent"); !strings.HasPrefix(r.at, "/receipt/s") {
		t.Errorf("led to %s", r.at)
	}
	d.get(t, "/mine").wants(t, "Receipt of your consent") // the stay's own from now on
}

func TestANumberIsChangedByTheReceipt(t *testing.T) {
	d := open(t, withReceipt(t))
	const number = "/receipt/s/number"
	d.get(t, "/receipt/s").wants(t, "Change my number", number+"?lang=en")
	d.get(t, number).wants(t, "Please enter the new number.", "Send me a code", "Back to the receipt")
	d.post(t, number, url.Values{"lang": {"en"}, "phone": {"0912"}}).wants(t, "This number does not look right.", `value="0912"`)
	d.post(t, number, url.Values{"lang": {"en"}, "phone": {"0912 345 678"}}).wants(t, "ending in 78", "Change to this number")
	d.get(t, "/mine").wants(t, "The number you signed up with") // which is another question
	d.post(t, number+"/code", url.Values{"lang": {"en"}, "code": {"12"}}).wants(t, "The code has 6 digits")
	d.post(t, number+"/code", url.Values{"lang": {"en"}, "code": {"000000"}}).wants(t, "not right")
	d.post(t, number+"/other", url.Values{"lang": {"en"}}).wants(t, "Send me a code")
	d.post(t, number, url.Values{"lang": {"en"}, "phone": {"0987 654 321"}}).wants(t, "ending in 21")
	d.post(t, number+"/code", url.Values{"lang": {"en"}, "code": {rightCode}}).wants(t, "This is your number already.")
	d.post(t, number, url.Values{"lang": {"en"}, "phone": {"0912 345 678"}}).wants(t, "ending in 78")
	d.post(t, number+"/code", url.Values{"lang": {"en"}, "code": {rightCode}}).wants(t, "Receipt of your consent", "Changed to the new number.")
	again := d.post(t, number+"/code", url.Values{"lang": {"en"}, "code": {rightCode}})
	again.wants(t, "Receipt of your consent")
	if strings.Contains(again.body, "Changed to") {
		t.Error("a second press says that something was changed by it")
	}
	d.receipts["s"].Standing = d.receipts["s"].Standing.Without()
	if page := d.get(t, "/receipt/s"); strings.Contains(page.body, number) {
		t.Error("where nothing stands there is a number to change")
	}
}

func TestWhatKeepsANumberFromBeingChangedIsSaid(t *testing.T) {
	for err, want := range map[error]string{hien.ErrTooMany: "Please try again in 15 minutes.", hien.ErrNotSent: "The code could not be sent.",
		hien.ErrNoNumber: "there is no number to change", hien.ErrTaken: "This number signed up here before", hien.ErrStorage: "could not save"} {
		h := withReceipt(t)
		h.breaks["ChangeNumber"] = err
		d := open(t, h)
		d.post(t, "/receipt/s/number", url.Values{"lang": {"en"}, "phone": {"0912 345 678"}}).wants(t, want)
	}
	h := withReceipt(t)
	h.closed = true
	open(t, h).get(t, "/receipt/s/number").wants(t, "the number cannot be changed")
}

func TestWhatKeepsFromSeeingOnesDataIsSaid(t *testing.T) {
	for err, want := range map[error]string{hien.ErrTooMany: "try again in 15 minutes", hien.ErrNotSent: "could not be sent", hien.ErrNoAsking: "My data", hien.ErrStorage: "could not save"} {
		h := newHouse()
		h.breaks["Inquire"] = err
		d := open(t, h)
		d.post(t, "/mine", url.Values{"lang": {"en"}, "phone": {"0912 345 678"}}).wants(t, want)
	}
	h := newHouse()
	h.down = true
	open(t, h).get(t, "/mine").wants(t, "The shop cannot send codes at present.")
}

// A device's address can be taken by another device: it shows what stands, and
// takes it back, and nothing else.
func TestAMembersDeviceTakesBackAndSeesNoMore(t *testing.T) {
	h := withReceipt(t)
	h.standing[phoneA] = h.receipts["s"].Standing
	d := open(t, h)
	page := d.get(t, "/mine")
	page.wants(t, "The shop recognises this device.", "Messages from the shop on Zalo", "Remember my visits", "/mine/withdraw")
	for _, never := range []string{"/receipt/", "Erase", "14:30", "subject"} {
		if strings.Contains(page.body, never) {
			t.Errorf("the page holds %q", never)
		}
	}
	d.post(t, "/mine/withdraw", url.Values{"lang": {"en"}, "purpose": {"contact_zalo"}}).wants(t, "Withdrawn, in force from now.", "Remember my visits")
	if h.standing[phoneA].Allows(consent.ContactZalo) || !h.standing[phoneA].Allows(consent.VisitFrequency) {
		t.Error("not what was taken back")
	}
	d.post(t, "/mine/withdraw", url.Values{"lang": {"en"}}).wants(t, "My data")
}
