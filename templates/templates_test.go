package templates_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/templates"
)

// Everything is what a zone can ask for at most, and with the longest words.
var everything = func() []consent.Purpose {
	all := []consent.Purpose{consent.VisitFrequency, consent.ContactZalo, consent.ContactSMS, consent.AdsAudience, consent.ProfileExtra}
	for i := range consent.MaxPartners {
		all = append(all, consent.Purpose(fmt.Sprintf("share_partner:tra-sua-hoa-sua_quan-ben-canh-%02d", i+1)))
	}
	return all
}()

const (
	longStore = "Cà phê Sân Vườn Nguyễn Thị Phượng Vỹ, chi nhánh Đường Nguyễn Huệ"
	longOffer = "Giảm 20% cho mọi món nước trước 10 giờ sáng các ngày trong tuần; mời bạn đọc mã HIEN-2026-VUON tại quầy, áp dụng một lần cho mỗi hoá đơn từ 100.000 đồng."
)

// longTerms are as long as a zone's can be.
var longTerms = string([]rune(strings.Repeat("Xin dùng WiFi nhẹ nhàng, không tải tệp lớn. ", 10))[:400])

// shop is the made-up controller of a made-up shop.
var shop = consent.Controller{Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh",
	TaxID: "0000000001", Contact: "dpo@hien.example", Delivers: true, Recipients: []string{"Nền tảng CDP Mẫu"}}

// longShop has every fact as long as the configuration takes it, and as many
// recipients. The carriers, of whom one is the operator, have 160 characters
// together.
var longShop = consent.Controller{Name: long(120), Address: long(200), TaxID: strings.Repeat("0", 32), Contact: long(120),
	Delivers: true, Recipients: slices.Repeat([]string{long(80)}, 8), Carriers: []string{long(38), long(120)},
	Operator: long(120), Transfer: long(120), AccessLog: true}

func long(n int) string {
	return string([]rune(strings.Repeat("Nguyễn Thị Phượng Vỹ ", 10))[:n])
}

func notice(t testing.TB, lang templates.Language, store string, purposes []consent.Purpose) consent.Notice {
	t.Helper()
	return noticeOf(t, shop, lang, store, purposes)
}

func noticeOf(t testing.TB, c consent.Controller, lang templates.Language, store string, purposes []consent.Purpose) consent.Notice {
	t.Helper()
	p, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		t.Fatal(err)
	}
	n, err := p.Notice(string(lang), store, c, purposes)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

type page interface{ Render(io.Writer) error }

var (
	asked   = []consent.Purpose{consent.VisitFrequency, consent.ContactZalo}
	zone    = hien.Zone{Name: "guest", Offer: "Giảm 10% cho ly thứ hai", Purposes: asked, Pass: 4 * time.Hour}
	morning = hien.Moment{Wall: time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC), InStep: true}
	saigon  = time.FixedZone("+07", 7*3600)
)

func receipt(t testing.TB, lang templates.Language, withdrawn ...consent.Purpose) hien.Receipt {
	t.Helper()
	n := notice(t, lang, "Quán Hiên", everything[:4])
	given, err := consent.Give("11", "22", n, everything[:3], morning)
	if err != nil {
		t.Fatal(err)
	}
	standing := given
	if withdrawn != nil {
		standing = given.Without(withdrawn...)
	}
	return hien.Receipt{Given: given, Standing: standing, Notice: n.Text()}
}

// samples are every page in every state that a shopper can meet.
func samples(t testing.TB, lang templates.Language) map[string]page {
	frame := func(here string) templates.Frame {
		return templates.Frame{Lang: lang, Store: "Quán Hiên", Here: here}
	}
	n := notice(t, lang, "Quán Hiên", asked)
	_, moved := hien.ParsePhone("0162 1234567")
	long := templates.Frame{Lang: lang, Store: longStore, Here: "/"}
	longNotice := noticeOf(t, longShop, lang, longStore, everything)
	typed := templates.Given{OfAge: true, Phone: `0912 34" onfocus=alert(1) x="`, Ticked: asked[1:]}
	m := map[string]page{
		"splash":         templates.Splash{Frame: frame("/"), Age: 16, Offer: zone.Offer, Notice: n},
		"splash-moved":   templates.Splash{Frame: frame("/"), Age: 16, Notice: n, Given: typed, Err: moved},
		"splash-again":   templates.Splash{Frame: frame("/"), Age: 16, Visit: 3, Notice: n, Again: true},
		"splash-refused": templates.Splash{Frame: frame("/"), Age: 16, Offer: zone.Offer, Refused: true},
		"splash-ageless": templates.Splash{Frame: frame("/"), Age: 16, Notice: n, Given: templates.Given{Phone: "0912 345 678", Ticked: asked[1:]}, Err: moved, AgeMissing: true},
		"splash-member":  templates.Splash{Frame: frame("/"), Age: 16, Offer: zone.Offer, Visit: 3},
		"splash-nothing": templates.Splash{Frame: frame("/")},
		"splash-longest": templates.Splash{Frame: long, Age: 16, Offer: longOffer, Notice: longNotice, Terms: longTerms, NoInternet: true,
			Given: templates.Given{OfAge: true, Phone: strings.Repeat(`"`, 99), Ticked: everything}, Err: moved},
		"code":             templates.Code{Frame: frame("/code"), LastTwo: "21", Left: 5 * time.Minute, Tries: 5},
		"code-bad":         templates.Code{Frame: frame("/code"), LastTwo: "21", Left: 61 * time.Second, Tries: 2, Word: templates.CodeBad},
		"code-form":        templates.Code{Frame: frame("/code"), LastTwo: "21", Left: time.Minute, Tries: 5, Word: templates.CodeForm, Typed: "<12>"},
		"code-resent":      templates.Code{Frame: frame("/code"), LastTwo: "21", Left: 5 * time.Minute, Tries: 5, Word: templates.CodeResent},
		"code-dead":        templates.Code{Frame: frame("/code"), LastTwo: "21", Tries: 5},
		"online":           templates.Online{Frame: frame("/online"), Offer: zone.Offer, Receipt: "abcdefghijklmnop", PassLeft: 4*time.Hour - time.Second},
		"online-down":      templates.Online{Frame: frame("/online"), Offer: zone.Offer, PassLeft: 90 * time.Minute, NoInternet: true},
		"outside-blocked":  templates.Outside{Frame: frame("/"), Why: hien.WhyBlocked},
		"outside-spent":    templates.Outside{Frame: frame("/"), Why: hien.WhySpent, BackIn: 90 * time.Minute, Receipt: "abcdefghijklmnop"},
		"outside-unknown":  templates.Outside{Frame: frame("/"), Why: hien.WhySpent},
		"splash-terms":     templates.Splash{Frame: frame("/"), Age: 16, Notice: n, Terms: "Xin không tải tệp lớn, <cảm ơn> bạn."},
		"splash-down":      templates.Splash{Frame: frame("/"), Age: 16, Notice: n, NoInternet: true},
		"code-waiting":     templates.Code{Frame: frame("/code"), LastTwo: "21", Tries: 5, Waiting: true, NoInternet: true, PassLeft: time.Hour},
		"code-down":        templates.Code{Frame: frame("/code"), LastTwo: "21", Left: 5 * time.Minute, Tries: 5, NoInternet: true},
		"code-meanwhile":   templates.Code{Frame: frame("/code"), LastTwo: "21", Left: 5 * time.Minute, Tries: 5, PassLeft: 5 * time.Minute},
		"code-grace":       templates.Code{Frame: frame("/code"), LastTwo: "21", Left: 10 * time.Minute, Tries: 5, PassLeft: 5 * time.Minute, Grace: true},
		"code-till":        templates.Code{Frame: frame("/code"), Left: 5 * time.Minute, Tries: 5, Staff: true, Word: templates.CodeResent},
		"code-till-bad":    templates.Code{Frame: frame("/code"), Left: 5 * time.Minute, Tries: 2, Staff: true, Word: templates.CodeBad},
		"code-till-dead":   templates.Code{Frame: frame("/code"), Tries: 5, Staff: true},
		"splash-till":      templates.Splash{Frame: frame("/"), Age: 16, Notice: n, NoNumber: true},
		"online-skipped":   templates.Online{Frame: frame("/online")},
		"notice":           templates.NoticePage{Frame: frame("/notice"), Notice: n, Given: typed},
		"notice-longest":   templates.NoticePage{Frame: long, Notice: longNotice, Given: templates.Given{Phone: strings.Repeat(`"`, 99), Ticked: everything}},
		"receipt":          templates.Receipt{Proven: proven(lang, receipt(t, lang)), Link: link},
		"receipt-partly":   templates.Receipt{Proven: proven(lang, receipt(t, lang, consent.ContactZalo)), Link: link, Done: true},
		"receipt-nothing":  templates.Receipt{Proven: proven(lang, receipt(t, lang, everything...)), Link: link, Done: true},
		"receipt-again":    templates.Receipt{Proven: proven(lang, receipt(t, lang, everything...)), Link: link, Names: people(t, lang)},
		"mine":             templates.Mine{Frame: frame("/mine"), Mine: hien.Mine{Asked: hien.Asked{Sends: true}}},
		"mine-member":      templates.Mine{Frame: frame("/mine"), Mine: hien.Mine{Asked: hien.Asked{Sends: true}, Standing: receipt(t, lang).Given, Asker: asker(t)}, Word: templates.MineDone},
		"mine-moved":       templates.Mine{Frame: frame("/mine"), Mine: hien.Mine{Asked: hien.Asked{Sends: true}}, Typed: typed.Phone, Err: moved},
		"mine-code":        templates.Mine{Frame: frame("/mine"), Mine: hien.Mine{Asked: hien.Asked{Waits: true, LastTwo: "21", Left: 5 * time.Minute, Tries: 2}}, Word: templates.MineBad},
		"mine-dead":        templates.Mine{Frame: frame("/mine"), Mine: hien.Mine{Asked: hien.Asked{Waits: true, LastTwo: "21"}}, Word: templates.MineForm},
		"mine-closed":      templates.Mine{Frame: frame("/mine"), Word: templates.MineNothing},
		"number":           number(lang, hien.Asked{Sends: true}, "", nil),
		"number-moved":     number(lang, hien.Asked{Sends: true}, "", moved),
		"number-taken":     number(lang, hien.Asked{Sends: true}, templates.NumberTaken, nil),
		"number-same":      number(lang, hien.Asked{Sends: true}, templates.NumberSame, nil),
		"number-none":      number(lang, hien.Asked{Sends: true}, templates.NumberNone, nil),
		"number-many":      number(lang, hien.Asked{Sends: true}, templates.MineMany, nil),
		"number-code":      number(lang, hien.Asked{Waits: true, LastTwo: "78", Left: 5 * time.Minute, Tries: 2}, templates.MineBad, nil),
		"number-dead":      number(lang, hien.Asked{Waits: true, LastTwo: "78"}, "", nil),
		"number-closed":    number(lang, hien.Asked{}, "", nil),
		"receipt-changed":  templates.Receipt{Proven: proven(lang, receipt(t, lang)), Link: link, Changed: true},
		"wording":          templates.Wording{Proven: proven(lang, receipt(t, lang))},
		"receipt-no-link":  templates.Receipt{Proven: proven(lang, receipt(t, lang)), Link: "https://" + strings.Repeat("wifi.", 40) + "example/receipt/abc"},
		"data":             templates.Data{Proven: proven(lang, receipt(t, lang)), People: people(t, lang), Now: morning},
		"data-little":      templates.Data{Proven: proven(lang, receipt(t, lang)), Now: morning},
		"erased":           templates.Gone{Frame: frame("/erased/7-0123456789abcdef0123456789abcdef"), Moment: morning, Proof: "7-0123456789abcdef0123456789abcdef", In: saigon},
		"erased-unsynced":  templates.Gone{Frame: frame("/erased/7-0123456789abcdef0123456789abcdef"), Proof: "7-0123456789abcdef0123456789abcdef"},
		"trouble-storage":  templates.Trouble{Frame: frame("/trouble?why=storage"), Why: templates.TroubleStorage},
		"trouble-notsent":  templates.Trouble{Frame: frame("/trouble?why=notsent"), Why: templates.TroubleNotSent},
		"trouble-many":     templates.Trouble{Frame: frame("/trouble?why=many"), Why: templates.TroubleMany},
		"trouble-closed":   templates.Trouble{Frame: frame("/trouble?why=closed"), Why: templates.TroubleClosed},
		"trouble-other":    templates.Trouble{Frame: frame("/trouble?why=other"), Why: templates.TroubleOther},
		"trouble-device":   templates.Trouble{Frame: frame("/trouble?why=device"), Why: templates.TroubleDevice},
		"trouble-receipt":  templates.Trouble{Frame: frame("/trouble?why=receipt"), Why: templates.TroubleReceipt},
		"receipt-unsynced": templates.Receipt{Proven: proven(lang, unsynced(t, lang)), Link: link},
	}
	return m
}

func asker(t testing.TB) consent.Asker {
	t.Helper()
	p, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		t.Fatal(err)
	}
	return consent.Asker{Policy: p, Controller: shop}
}

// link is as long as a receipt's on the portal's own address.
const link = "http://10.77.0.1:2050/receipt/abcdefghijklmnopqrstuvwxyz"

func proven(lang templates.Language, r hien.Receipt) templates.Proven {
	return templates.Proven{Frame: templates.Frame{Lang: lang, Store: "Quán Hiên", Here: "/receipt/abc"}, Secret: "abc", Receipt: r, In: saigon}
}

// number is the page of a change of number.
func number(lang templates.Language, asked hien.Asked, word templates.MineWord, err error) templates.Number {
	n := templates.Number{Mine: templates.Mine{Frame: proven(lang, hien.Receipt{}).Frame, Mine: hien.Mine{Asked: asked}, Word: word, Err: err}, Secret: "abc"}
	if n.Here += "/number"; err != nil {
		n.Typed = `0162 1234567" onfocus=alert(1) x="`
	}
	return n
}

// people are a person with everything that can be kept, under two names.
func people(t testing.TB, lang templates.Language) []hien.Person {
	t.Helper()
	n := notice(t, lang, "Quán Hiên", asked)
	given, err := consent.Give("c1", "5eed", n, asked, morning)
	if err != nil {
		t.Fatal(err)
	}
	later := morning
	later.Wall = later.Wall.Add(42 * time.Minute)
	salt := []byte("sixteen bytes..!")
	p := hien.Person{Member: hien.Member{Consent: given.Without(consent.ContactZalo), Sealed: "s1:c2VhbGVk"}, Keys: []hien.LeadKey{"k1:0a1b"},
		Given: []hien.Given{{Consent: given, Seq: 1, Notice: n.Text(), Receipts: 1, Commitments: map[string]consent.Commitment{
			"number": {Salt: salt, Value: "k1:0a1b"}, "proof": {Salt: salt, Value: "zbs"}, "device": {Salt: salt, Value: "d00d"},
			"address": {Salt: salt, Value: "10.77.0.9"}, "browser": {Salt: salt, Value: "<b>"}}}},
		Corrected: []hien.Corrected{{Seq: 2, Commitments: map[string]consent.Commitment{"number": {Salt: salt, Value: "k1:0a1b"}, "proof": {Salt: salt, Value: "code"}}}},
		Visits:    []hien.Visit{{ID: "c1", Zone: "guest", Number: 1, Start: morning, End: later}, {ID: "v2", Zone: "guest", Number: 2, Start: later}},
		Marks:     []hien.Mark{"beef"}, Entries: []consent.Entry{{Seq: 1}, {Seq: 2}},
		Events: []hien.Waiting{{ID: "e1", Kind: hien.LeadGiven, Purpose: consent.VisitFrequency, At: morning},
			{ID: "e2", Kind: hien.Withdrawn, At: later}, {ID: "e3", Kind: hien.StoreVisited, Purpose: consent.VisitFrequency, At: later, Answer: "400 <no>"}}}
	return []hien.Person{p, {Member: hien.Member{Consent: given.Without()}}}
}

func unsynced(t testing.TB, lang templates.Language) hien.Receipt {
	t.Helper()
	early := morning
	early.InStep = false
	n := notice(t, lang, "Quán Hiên", asked)
	c, err := consent.Give("11", "22", n, asked, early)
	if err != nil {
		t.Fatal(err)
	}
	return hien.Receipt{Given: c, Standing: c, Notice: n.Text()}
}

// render is what a shopper gets. While the golden files are rewritten the
// compiled pages are those of before, and the sources speak.
func render(t testing.TB, p page) string {
	t.Helper()
	if *templates.Update {
		return templates.RenderSource(t, p)
	}
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *templates.Update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s has changed (-want +got; -update rewrites it):\n%s", path, diff)
	}
}

var styleElement = regexp.MustCompile(`<style>.*</style>`)

func TestPages(t *testing.T) {
	for _, lang := range templates.Languages {
		for name, p := range samples(t, lang) {
			t.Run(name+"/"+string(lang), func(t *testing.T) {
				html := render(t, p)
				if diff := cmp.Diff(templates.RenderSource(t, p), html); diff != "" {
					t.Errorf("the compiled page is not html/template's (-want +got):\n%s", diff)
				}
				// The style has its own tests; a tag on each line reads better.
				readable := strings.ReplaceAll(styleElement.ReplaceAllString(html, "<style></style>"), "><", ">\n<")
				golden(t, name+"."+string(lang)+".html", readable+"\n")
			})
		}
	}
}

func TestEveryPageHasASample(t *testing.T) {
	shown := make(map[string]bool)
	for _, p := range samples(t, templates.Vietnamese) {
		shown[templates.PageOf(t, p)] = true
	}
	for name := range templates.PageTypes {
		if !shown[name] {
			t.Errorf("no sample shows the page %s", name)
		}
	}
}

func TestAPageNeedsNothingButItself(t *testing.T) {
	// The page that waits for the internet looks again by itself.
	again := map[string]bool{"online-down": true, "code-waiting": true}
	const refresh = `<meta http-equiv="refresh" content="20">`
	forbidden := regexp.MustCompile(`(?i)<script|<link|<img|<iframe|<meta http-equiv|\bsrc=|\btarget=|url\(|@import|https?://|javascript:|\bon[a-z]+="`)
	for _, lang := range templates.Languages {
		for name, p := range samples(t, lang) {
			html := render(t, p)
			if got := strings.Contains(html, refresh); got != again[name] {
				t.Errorf("%s/%s loads itself again: %v, want %v", name, lang, got, again[name])
			}
			html = strings.Replace(html, refresh, "", 1)
			if r, ok := p.(templates.Receipt); ok { // which names its own address
				html = strings.ReplaceAll(html, r.Link, "")
			}
			if found := forbidden.FindString(html); found != "" {
				t.Errorf("%s/%s holds %q", name, lang, found)
			}
			if want := `<html lang="` + string(lang) + `">`; !strings.Contains(html, want) {
				t.Errorf("%s/%s does not say its language %s", name, lang, want)
			}
			if strings.Contains(html, "ZgotmplZ") {
				t.Errorf("%s/%s: html/template refused a value", name, lang)
			}
		}
	}
}

func TestAPageFitsTheFirstWindow(t *testing.T) {
	// 14 KB on the wire; the portal's headers take less than half a KB and are
	// counted by a test there.
	const most = 14_000 - 500
	for _, lang := range templates.Languages {
		for name, p := range samples(t, lang) {
			if got := len(render(t, p)); got > most {
				t.Errorf("%s/%s is %d bytes: want at most %d", name, lang, got, most)
			}
		}
	}
}

func TestAFreshPageTicksNothing(t *testing.T) {
	for _, lang := range templates.Languages {
		html := render(t, samples(t, lang)["splash"])
		if strings.Contains(html, " checked") {
			t.Errorf("%s: a box is ticked before the person was there", lang)
		}
		if got, want := strings.Count(html, `type="checkbox"`), len(asked); got != want {
			t.Errorf("%s: %d boxes: want one for each of %d purposes", lang, got, want)
		}
		if got := strings.Count(html, `type="radio"`); got != 2 || !strings.Contains(html, "16") {
			t.Errorf("%s: %d answers to the question of age: want two", lang, got)
		}
		// What is asked follows the two answers as their sibling: the style
		// shows it once the first is chosen.
		if yes, no, ask := strings.Index(html, `id="yes"`), strings.Index(html, `id="no"`), strings.Index(html, `<div class="ask">`); yes < 0 || no < yes || ask < no ||
			strings.Index(html, `type="checkbox"`) < ask || strings.Index(html, `type="tel"`) < ask || !strings.Contains(html, "#yes:not(:checked)~.ask,#no:checked~.two{display:none}") {
			t.Errorf("%s: what is asked can be seen before the age is told", lang)
		}
	}
}

func TestThePageComesBackAsItWasFilledIn(t *testing.T) {
	html := render(t, samples(t, templates.Vietnamese)["splash-moved"])
	for _, want := range []string{
		`value="0912 34&#34; onfocus=alert(1) x=&#34;"`,
		`value="contact_zalo" checked`,
		`aria-describedby="problem"`,
		`<title>Số 11 chữ số đã đổi đầu số. Xin nhập số mới: 0321 234 567. –`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(html, `value="visit_frequency" checked`) {
		t.Error("a box that was left empty came back ticked")
	}
}

func TestAskedIsReadBack(t *testing.T) {
	n := notice(t, templates.English, "Quán Hiên", everything)
	if diff := cmp.Diff(everything, templates.ParseAsked(templates.Asked(n))); diff != "" {
		t.Error(diff)
	}
	if got := templates.ParseAsked("<b> visit_frequency share_partner:"); !cmp.Equal(got, asked[:1]) {
		t.Errorf("got %v: want what is a purpose and nothing else", got)
	}
}

func TestReceiptItems(t *testing.T) {
	r := templates.Receipt{Proven: templates.Proven{Frame: templates.Frame{Lang: templates.English}, Receipt: receipt(t, templates.English, consent.ContactZalo)}}
	got := map[consent.Purpose]string{}
	for _, i := range r.Items() {
		got[i.Purpose] = i.State
	}
	want := map[consent.Purpose]string{
		consent.VisitFrequency: "Agreed, in force",
		consent.ContactZalo:    "Agreed, and since withdrawn",
		consent.ContactSMS:     "Agreed, in force",
		consent.AdsAudience:    "Not agreed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A receipt under whose name nothing stands shows what was agreed to since, each
// purpose once and as it was read then.
func TestAnOlderReceiptShowsWhatWasAgreedToSince(t *testing.T) {
	later := consent.Notice{Version: "test-2", Language: "en", Asks: []consent.Ask{
		{Purpose: consent.ContactZalo, Line: "a later line"}, {Purpose: "share_partner:tra-sua", Line: "a partner's"}}}
	given, err := consent.Give("12", "23", later, []consent.Purpose{consent.ContactZalo, "share_partner:tra-sua"}, morning)
	if err != nil {
		t.Fatal(err)
	}
	first := receipt(t, templates.English, everything...)
	r := templates.Receipt{Proven: templates.Proven{Frame: templates.Frame{Lang: templates.English}, Receipt: first}, Names: []hien.Person{
		{Member: hien.Member{Consent: first.Standing}, Given: []hien.Given{{Consent: first.Given, Notice: first.Notice}}},
		{Member: hien.Member{Consent: given}, Given: []hien.Given{{Consent: given, Notice: later.Text()}}}}}
	var got []string
	for _, i := range r.Items() {
		got = append(got, fmt.Sprintf("%s, %t: %s", i.Purpose, i.Stands, i.State))
		if i.Purpose == consent.ContactZalo && i.Line != "a later line" {
			t.Errorf("%s is worded %q, want as it was read last", i.Purpose, i.Line)
		}
	}
	want := []string{"ads_audience, false: Not agreed", "contact_sms, false: Agreed, and since withdrawn",
		"contact_zalo, true: Agreed in a later answer, in force", "visit_frequency, false: Agreed, and since withdrawn", "share_partner:tra-sua, true: Agreed in a later answer, in force"}
	if diff := cmp.Diff(want, got); diff != "" || r.Stands() != 2 {
		t.Errorf("%d stand; want 2\n%s", r.Stands(), diff)
	}
}

func TestRenderTellsOfAWriterThatBreaks(t *testing.T) {
	broken := errors.New("broken")
	if *templates.Update {
		t.Skip("the compiled pages are being written")
	}
	err := templates.Online{}.Render(writerFunc(func([]byte) (int, error) { return 0, broken }))
	if !errors.Is(err, broken) {
		t.Errorf("got %v: want %v", err, broken)
	}
}

func TestTheTermsAreTheZonesOwn(t *testing.T) {
	for _, test := range []struct {
		name, terms, want, never string
	}{
		{"none are not spoken of", "", "", "WiFi rules"},
		{"a line stands as it is", "No large downloads, please.", "The shop’s WiFi rules: No large downloads, please.", "<details"},
		{"more of it is behind a fold", longTerms, "<details><summary>The shop’s WiFi rules</summary><p class=\"soft\">" + longTerms, "rules: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, n := range []consent.Notice{{}, notice(t, templates.English, "Quán Hiên", asked)} {
				html := render(t, templates.Splash{Frame: templates.Frame{Lang: templates.English}, Notice: n, Terms: test.terms})
				if !strings.Contains(html, test.want) || strings.Contains(html, test.never) {
					t.Errorf("got %s\nwant %q and not %q", html, test.want, test.never)
				}
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func FuzzTyped(f *testing.F) {
	for _, s := range []string{"", "0912 345 678", `"><script>alert(1)</script>`, "\x00\xff", "{{.}}", strings.Repeat("ặ", 100)} {
		f.Add(s)
	}
	tags := regexp.MustCompile(`<[a-zA-Z/!][^>]*>`)
	shape := func(html string) string {
		value := regexp.MustCompile(` value="[^"]*"`)
		return strings.Join(tags.FindAllString(value.ReplaceAllString(html, ""), -1), "\n")
	}
	n := notice(f, templates.Vietnamese, "Quán Hiên", asked)
	_, bad := hien.ParsePhone("1")
	blank := templates.Splash{Frame: templates.Frame{Lang: templates.Vietnamese}, Notice: n, Err: bad}
	want := shape(render(f, blank))
	f.Fuzz(func(t *testing.T, typed string) {
		filled := blank
		filled.Given.Phone = typed
		if got := shape(render(t, filled)); got != want {
			t.Errorf("typing %q changes the page's tags:\n%s", typed, cmp.Diff(want, got))
		}
	})
}
