package lucitest

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A browser shows LuCI's pages: Debian's real Chromium, with scripts. Its
// methods fail the test.
type browser struct {
	t      testing.TB
	ctx    context.Context
	router *router
}

// openBrowser starts a browser that reaches the router and nothing else.
func openBrowser(t testing.TB, r *router) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("/usr/bin/chromium"),
		chromedp.NoSandbox, // Chromium's own sandbox refuses root
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil { // it starts; it would end with a step's patience
		t.Fatal(err)
	}
	return &browser{t: t, ctx: ctx, router: r}
}

// patience bounds one step.
func (b *browser) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, 20*time.Second)
}

func (b *browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, stop := b.patience()
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// width is a phone's 360 or a desk's 1024 CSS pixels.
func (b *browser) width(pixels int64) {
	b.t.Helper()
	b.do("resize", chromedp.EmulateViewport(pixels, 800))
}

// show opens a view and waits until it is drawn.
func (b *browser) show(view, language string, who session) {
	b.t.Helper()
	q := url.Values{"view": {view}, "lang": {language}, "session": {string(who)}}
	b.do("open "+view, chromedp.Navigate(b.router.url+"/page?"+q.Encode()))
	if view != "" {
		b.await("window.rendered")
	}
	if broken := ask[string](b, `[...document.querySelectorAll(".broken")].map(e => e.innerText).join("\n")`); broken != "" {
		b.t.Fatalf("the view %s broke: %s", view, broken)
	}
}

// await waits until an expression holds.
func (b *browser) await(expression string) {
	b.t.Helper()
	ctx, stop := b.patience()
	defer stop()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("Boolean("+expression+")")); err != nil {
		b.t.Fatalf("wait for %s: %v\nthe page says: %s", expression, err, ask[string](b, "document.body.innerText"))
	}
}

// ask evaluates an expression in the page; a promise is waited for.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, stop := b.patience()
	defer stop()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// text is what can be read in an element.
func (b *browser) text(selector string) string {
	b.t.Helper()
	quoted, _ := json.Marshal(selector)
	return ask[string](b, `[...document.querySelectorAll(`+string(quoted)+`)].map(e => e.innerText).join("\n")`)
}

// press clicks the one button with that text that can be seen.
func (b *browser) press(title string) {
	b.t.Helper()
	quoted, _ := json.Marshal(title)
	found := ask[int](b, `(() => {
		const over = document.body.classList.contains("modal-overlay-active") ? document.querySelector(".modal") : document;
		const all = [...over.querySelectorAll("button")].filter(e => e.checkVisibility() && e.innerText.trim() == `+string(quoted)+`);
		document.querySelectorAll("#pressed").forEach(e => e.removeAttribute("id"));
		if (all.length == 1)
			all[0].id = "pressed";
		return all.length;
	})()`)
	if found != 1 {
		b.t.Fatalf("there are %d buttons %q: want one\nthe page says: %s", found, title, b.text("body"))
	}
	b.do("press "+title, chromedp.Click(chromedp.CSS("#pressed")))
}

// fill types into a field, in place of what stands there, and leaves it.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.do("fill "+selector, chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text+"\t"))
}

// picture keeps a picture of the whole page, and holds that it does not stick
// out to the side.
func (b *browser) picture(name string) {
	b.t.Helper()
	ctx, stop := b.patience()
	defer stop()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	dir := os.Getenv("HIEN_ARTIFACTS")
	if dir == "" {
		dir = b.t.(*testing.T).ArtifactDir()
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "luci-"+name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	wide := ask[float64](b, `Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll("#view *")].map(e => e.getBoundingClientRect().right))`)
	if has := ask[float64](b, "innerWidth"); wide > has {
		b.t.Errorf("%s: the page is %.0f pixels wide in a window of %.0f", name, wide, has)
	}
}
