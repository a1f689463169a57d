// Package chromium shows pages as a phone's sheet does, in Debian's real
// Chromium: a small window, touch, no script. It is for tests.
package chromium

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// A Phone is one browser. Its methods fail the test that started it.
type Phone struct {
	t   testing.TB
	ctx context.Context
	dir string // where its pictures go

	width float64 // of its window, in CSS pixels; innerWidth grows with a page that is too wide
}

// A Look is how a phone is set.
type Look struct {
	Width, Height int64
	Language      string // Accept-Language
	Scheme        string // "light" or "dark"
	Host, At      string // a host name and its address; with none, 127.0.0.1 alone is reached
}

// Start starts a browser for the test. Pictures go to HIEN_ARTIFACTS when
// it is set, else to the test's own directory.
func Start(t testing.TB, l Look) *Phone {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("/usr/bin/chromium"),
		chromedp.NoSandbox, // Chromium's own sandbox refuses root
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("hide-scrollbars", true),
	)
	rules := "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
	if l.Host != "" {
		rules = "MAP " + l.Host + " " + l.At
	}
	options = append(options, chromedp.Flag("host-resolver-rules", rules))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)

	p := &Phone{t: t, ctx: ctx, dir: os.Getenv("HIEN_ARTIFACTS"), width: float64(l.Width)}
	if p.dir == "" {
		p.dir = t.(*testing.T).ArtifactDir()
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p.must(nil, chromedp.Do(ctx)) // the browser starts; it would end with a step's patience
	p.do(chromedp.EmulateViewport(l.Width, l.Height, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait))
	p.must(chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	p.must(chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.Scheme}}}))
	p.must(chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
		Headers: network.Headers{"Accept-Language": l.Language}}))
	return p
}

func (p *Phone) must(_ any, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *Phone) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, stop := p.patience()
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// patience bounds one step, so that a browser that hangs fails its test and
// not the whole run.
func (p *Phone) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, 20*time.Second)
}

// Open goes to an address, as when a probe's redirect is followed.
func (p *Phone) Open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
}

// Tap presses what the selector finds, and waits for the page that comes.
func (p *Phone) Tap(selector string) {
	p.t.Helper()
	p.leads("tap "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Enter types into a field and presses the keyboard's Go key.
func (p *Phone) Enter(selector, text string) {
	p.t.Helper()
	p.leads("enter in "+selector, chromedp.SendKeys(chromedp.CSS(selector), text+"\r"))
}

// leads takes a step and waits for the page to which it leads.
func (p *Phone) leads(what string, step chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, stop := p.patience()
	defer stop()
	if _, err := chromedp.RunResponse(ctx, step); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// Touch presses what leads to no other page: a box, a fold.
func (p *Phone) Touch(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// Fill types into a field, in place of what stands there.
func (p *Phone) Fill(selector, text string) {
	p.t.Helper()
	p.do(chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Ask has the browser's own tools look at the page; the page's scripts stay
// off.
func Ask[T any](p *Phone, expression string) T {
	p.t.Helper()
	ctx, stop := p.patience()
	defer stop()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Picture keeps a picture of the whole page.
func (p *Phone) Picture(name string) {
	p.t.Helper()
	ctx, stop := p.patience()
	defer stop()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(p.dir, name+".png"), png, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// A Box is where an element stands, in CSS pixels.
type Box struct {
	Name                       string
	Left, Top, Width, Height   float64
	Ground, Ink, Weight, Style string
	Contrast                   float64 // of its text on what is drawn beneath it
}

func (b Box) String() string {
	return fmt.Sprintf("%q at %.0f,%.0f of %.0f×%.0f", b.Name, b.Left, b.Top, b.Width, b.Height)
}

// Boxes are the visible elements that the selector finds.
func (p *Phone) Boxes(selector string) []Box {
	p.t.Helper()
	quoted, _ := json.Marshal(selector)
	return Ask[[]Box](p, contrast+`[...document.querySelectorAll(`+string(quoted)+`)].filter(e => e.checkVisibility() && e.className != "go").map(e => {
		const r = e.getBoundingClientRect(), s = getComputedStyle(e)
		return {Name: e.innerText || e.name || e.tagName, Left: r.left, Top: r.top + scrollY, Width: r.width, Height: r.height,
			Ground: s.backgroundColor, Ink: s.color, Weight: s.fontWeight, Style: s.fontSize + s.border + s.textDecoration + s.opacity, Contrast: contrast(e)}
	})`)
}

// LooksRight checks what holds for every page: nothing sticks out to the
// side, whatever is tapped is large enough and apart from the next, and every
// text can be read.
func (p *Phone) LooksRight(name string) {
	p.t.Helper()
	const wide = `Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll("body *")].filter(e => e.className != "go").map(e => e.getBoundingClientRect().right))`
	if got := Ask[float64](p, wide); got > p.width {
		p.t.Errorf("%s: the page is %.0fpx wide in a window of %.0fpx", name, got, p.width)
	}
	targets := p.Boxes(`button, a, summary, .row, .type`)
	for i, b := range targets {
		if b.Height < 48 || b.Width < 48 {
			p.t.Errorf("%s: %s is smaller than a fingertip (48px)", name, b)
		}
		for _, c := range targets[i+1:] {
			across := max(b.Left, c.Left) - min(b.Left+b.Width, c.Left+c.Width)
			down := max(b.Top, c.Top) - min(b.Top+b.Height, c.Top+c.Height)
			if gap := max(across, down); gap < 7.5 {
				p.t.Errorf("%s: %s and %s are %.1fpx apart: want 8", name, b, c, gap)
			}
		}
	}
	for _, text := range Ask[[]faint](p, contrast+faintTexts) {
		p.t.Errorf("%s: %q has a contrast of %.2f: want %.1f (WCAG 2.2, 1.4.3)", name, text.Text, text.Contrast, text.Wanted)
	}
	// Twice the text size (WCAG 2.2, 1.4.4).
	if got := Ask[float64](p, `(document.documentElement.style.fontSize = "34px", document.documentElement.scrollWidth)`); got > p.width {
		p.t.Errorf("%s: with text twice as large the page is %.0fpx wide", name, got)
	}
	const out = `Math.max(...[...document.querySelectorAll("main *")].filter(e => e.className != "go").map(e => e.getBoundingClientRect().right)) - document.querySelector("main").getBoundingClientRect().right`
	if got := Ask[float64](p, out); got > 0.5 {
		p.t.Errorf("%s: with text twice as large something sticks %.0fpx out of the margin", name, got)
	}
	Ask[string](p, `document.documentElement.style.fontSize = ""`)
}

// TwoEqualAges checks that the answers to the question of age are alike, also
// with text twice as large.
func (p *Phone) TwoEqualAges(name string) {
	p.t.Helper()
	for _, size := range []string{"", "34px"} {
		Ask[string](p, `document.documentElement.style.fontSize = "`+size+`"`)
		two := p.Boxes(`[for=yes], [for=no]`)
		if len(two) != 2 || two[0].Width != two[1].Width || two[0].Height != two[1].Height || two[0].Top != two[1].Top && two[0].Left != two[1].Left {
			p.t.Errorf("%s, text of size %q: the two answers to the question of age are not alike: %v", name, size, two)
		}
		dots := p.Boxes(`#yes, #no`)
		for i, d := range dots {
			if at := two[i]; d.Left < at.Left || abs(d.Top+d.Height/2-at.Top-at.Height/2) > 1 {
				p.t.Errorf("%s, text of size %q: %s is not in the middle of %s", name, size, d, at)
			}
		}
	}
	Ask[string](p, `document.documentElement.style.fontSize = ""`)
}

func abs(x float64) float64 { return max(x, -x) }

// TwoEqualAnswers checks R-CON-3 as it is drawn, also with text twice as large.
func (p *Phone) TwoEqualAnswers(name string) {
	p.t.Helper()
	p.equal(name)
	Ask[string](p, `document.documentElement.style.fontSize = "34px"`)
	p.equal(name + ", with text twice as large")
	Ask[string](p, `document.documentElement.style.fontSize = ""`)
	// Nobody has chosen for the person: neither answer waits under the finger or
	// the keyboard, or is read in another order than it is drawn.
	const chosen = `(() => {
		const two = [...document.querySelectorAll(".two .b")]
		return document.activeElement.matches(".two .b") || two.some(e => e.autofocus || e.hasAttribute("tabindex") || e.disabled || getComputedStyle(e).order != "0")
	})()`
	if Ask[bool](p, chosen) {
		p.t.Errorf("%s: one of the answers is chosen beforehand", name)
	}
}

func (p *Phone) equal(name string) {
	p.t.Helper()
	two := p.Boxes(`.two .b`)
	if len(two) != 2 {
		p.t.Fatalf("%s: %d answers, want two", name, len(two))
	}
	a, b := two[0], two[1]
	beside, above := a.Top == b.Top && a.Left < b.Left, a.Left == b.Left && a.Top < b.Top
	if a.Width != b.Width || a.Height != b.Height || !beside && !above {
		p.t.Errorf("%s: the answers are not of one size, side by side or one above the other: %s and %s", name, a, b)
	}
	if a.Ground != b.Ground || a.Ink != b.Ink || a.Weight != b.Weight || a.Style != b.Style {
		p.t.Errorf("%s: the answers are not drawn alike: %+v and %+v", name, a, b)
	}
	if a.Contrast < 4.5 || a.Contrast != b.Contrast {
		p.t.Errorf("%s: the answers have contrasts of %.2f and %.2f: want both the same, and at least 4.5", name, a.Contrast, b.Contrast)
	}
}

// contrast is a function of the browser's: the contrast of an element's text
// on all that is drawn beneath it (WCAG 2.2, relative luminance and contrast
// ratio), from the styles as they were computed; 0 for a colour that it cannot
// read.
const contrast = `var contrast = e => {
	const read = s => {
		const n = s.startsWith("rgb") ? s.match(/[\d.]+/g).map(Number) : []
		return n.length < 3 ? null : [n[0], n[1], n[2], n[3] ?? 1]
	}
	const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1)
	const light = c => {
		const l = c.map(v => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)
		return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]
	}
	const layers = []
	let seen = 1
	for (let up = e; up; up = up.parentElement) {
		layers.unshift(read(getComputedStyle(up).backgroundColor))
		seen *= getComputedStyle(up).opacity
	}
	const ink = read(getComputedStyle(e).color)
	if (!ink || layers.includes(null)) return 0
	const ground = layers.reduce((below, layer) => over(layer, below), [255, 255, 255, 1])
	const text = over([ink[0], ink[1], ink[2], ink[3] * seen], ground)
	const [a, b] = [light(text), light(ground)]
	return Math.round((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) * 1000) / 1000
};
`

// A faint text has less contrast than it should.
type faint struct {
	Text             string
	Contrast, Wanted float64
}

// faintTexts finds them. Large text (24px, or 18.66px in bold) may have less.
const faintTexts = `(() => {
	const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
	while (walk.nextNode()) {
		const text = walk.currentNode.data.trim(), e = walk.currentNode.parentElement
		if (!text || !e.checkVisibility({visibilityProperty: true}) || e.closest(".go")) continue
		const s = getComputedStyle(e), size = parseFloat(s.fontSize)
		const wanted = size >= 24 || size >= 18.66 && s.fontWeight >= 700 ? 3 : 4.5, is = contrast(e)
		if (is < wanted) found.push({Text: text.slice(0, 40), Contrast: is, Wanted: wanted})
	}
	return found
})()`
