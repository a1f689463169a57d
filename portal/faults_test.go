package portal_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/portal"
)

func TestErrorsBecomePages(t *testing.T) {
	storage := fmt.Errorf("commit: %w", hien.ErrStorage)
	for _, test := range []struct {
		name   string
		breaks string
		err    error
		do     string // path; of a POST where there is a form, else of a GET
		want   string
		logged string // level; empty: nothing is logged
	}{
		{"the disk is full when a code is right", "Prove", storage, "/code", "The shop could not save your answer", "ERROR"},
		{"the disk is full when a number comes", "Ask", storage, "/join", "The shop could not save your answer", "ERROR"},
		{"the sender is down", "Ask", fmt.Errorf("%w: %w", hien.ErrNotSent, errors.New("timeout")), "/join", "The code could not be sent", "WARN"},
		{"the sender is down the second time", "AskAgain", hien.ErrNotSent, "/code/again", "The code could not be sent", "WARN"},
		{"too many codes", "Ask", hien.ErrTooMany, "/join", "Too many codes were sent", ""},
		{"too many codes again", "AskAgain", hien.ErrTooMany, "/code/again", "Too many codes were sent", ""},
		{"asking was closed meanwhile", "Ask", hien.ErrNoAsking, "/join", "not taking sign-ups", ""},
		{"something new goes wrong", "Ask", errors.New("gremlins"), "/join", "That did not work", "ERROR"},
		{"the door is stuck", "Admit", errors.New("gremlins"), "/skip", "That did not work", "ERROR"},
		{"the receipt cannot be read", "Receipt", storage, "GET /receipt/x", "The shop could not save", "ERROR"},
		{"nobody greets", "Greet", errors.New("gremlins"), "GET /", "That did not work", "ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse()
			h.breaks[test.breaks] = test.err
			d := open(t, h)
			if test.do == "/code" || test.do == "/code/again" {
				phone, _ := hien.ParsePhone("0987654321")
				d.set(phoneA, guest{step: hien.AtCode, form: &hien.Application{Phone: phone}, tries: 5, left: hien.CodeLife})
			}
			var r reply
			if path, ok := strings.CutPrefix(test.do, "GET "); ok {
				r = d.get(t, path)
			} else {
				form := d.filled("0987654321", consent.ContactZalo)
				form.Set("code", rightCode)
				r = d.post(t, test.do, form)
			}
			r.wants(t, sorry, test.want, `action="/skip"`, "Go online without signing up")
			if r.status != http.StatusOK {
				t.Errorf("status %d: a phone's sheet shows no other than 200", r.status)
			}
			if logged := d.log.String(); test.logged == "" && logged != "" || !strings.Contains(logged, test.logged) {
				t.Errorf("logged %q: want level %q", logged, test.logged)
			}
			if test.breaks != "Admit" {
				delete(h.breaks, "Greet")
				d.post(t, "/skip", nil).wants(t, isOnline)
			}
		})
	}
}

func TestADeviceThatIsNotInTheNeighbourTable(t *testing.T) {
	d := open(t, newHouse(), func(o *portal.Options) { o.Neighbours = neighbours{} })
	const want = "turn WiFi off and on again"
	d.get(t, "/").wants(t, want)
	d.post(t, "/skip", nil).wants(t, want)
	d.post(t, "/join", d.filled("0987654321", asked...)).wants(t, want)
	d.post(t, "/code", url.Values{"code": {rightCode}}).wants(t, want)
	if got := d.counts(); len(got) != 0 {
		t.Errorf("the house was asked about nobody: %v", got)
	}
	req, _ := http.NewRequest("GET", d.url, nil)
	req.Host = "captive.apple.com"
	if r := do(t, strict, req); r.status != http.StatusFound {
		t.Errorf("its probe got %d: want the redirect all the same", r.status)
	}
	// Known meanwhile: the page's link leads on.
	d = open(t, newHouse())
	d.get(t, "/trouble?why=device").wants(t, hello)
}

func TestWhoAsksIsToldByTheSocketAlone(t *testing.T) {
	h := newHouse()
	h.set(phoneB, guest{step: hien.Inside})
	d := open(t, h, func(o *portal.Options) {
		o.Neighbours = neighbours{netip.MustParseAddr("127.0.0.1"): phoneA, netip.MustParseAddr("192.0.2.7"): phoneB}
	})
	req, _ := http.NewRequest("GET", d.url+"/?mac=02:00:5e:10:00:0b&clientip=192.0.2.7", nil)
	for _, header := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded"} {
		req.Header.Set(header, "192.0.2.7")
	}
	req.Header.Set("Accept-Language", "en")
	do(t, browser, req).wants(t, hello)
}

func TestFormsOfOtherOriginsAreRefused(t *testing.T) {
	for name, header := range map[string][2]string{
		"another origin":             {"Origin", "http://evil.example"},
		"no origin to speak of":      {"Origin", "null"},
		"a browser that says so":     {"Sec-Fetch-Site", "cross-site"},
		"another port of the router": {"Origin", "http://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, newHouse())
			req := d.form(t, "/skip", nil)
			req.Header.Del("Origin")
			req.Header.Set(header[0], header[1])
			r := do(t, strict, req)
			if r.status != http.StatusSeeOther || r.header.Get("Location") != "/?lang=en" {
				t.Errorf("got %d %s, want 303 /", r.status, r.header.Get("Location"))
			}
			if got := d.count("Admit"); got != 0 {
				t.Error("it was done all the same")
			}
		})
	}
}

func TestAPanicIsAPageAndOneLineInTheLog(t *testing.T) {
	h := newHouse()
	h.panics["Ask"] = true
	d := open(t, h)
	d.post(t, "/join", d.filled("0987654321", asked...)).wants(t, sorry, `action="/skip"`)
	if got := strings.Count(d.log.String(), "level=ERROR"); got != 1 {
		t.Errorf("it is in the log %d times:\n%s", got, d.log)
	}
	d.post(t, "/skip", nil).wants(t, isOnline)

	h = newHouse()
	h.panics["Greet"] = true
	d = open(t, h)
	d.get(t, "/").wants(t, sorry, `action="/skip"`)
	req, _ := http.NewRequest("GET", d.url+"/hotspot-detect.html", nil)
	req.Host = "captive.apple.com"
	if r := do(t, strict, req); r.status != http.StatusFound {
		t.Errorf("a probe got %d: want 302", r.status)
	}
}

func TestAnAnswerUnderWayIsFinishedWhenThePortalStops(t *testing.T) {
	h := newHouse()
	entered, leave := make(chan struct{}), make(chan struct{})
	var cut error
	h.entry = func(ctx context.Context) {
		close(entered)
		<-leave
		cut = ctx.Err()
	}
	served := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	l, base := listen(t)
	go func() { served <- portal.New(options(h)).Serve(ctx, l) }()

	d := door{house: h, url: base}
	got := make(chan reply, 1)
	go func() {
		defer close(got) // also when do gives up
		got <- do(t, strict, d.form(t, "/skip", nil))
	}()
	<-entered
	stop()
	close(leave)
	if r := <-got; r.status != http.StatusSeeOther {
		t.Errorf("the guest got %d: want 303", r.status)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if cut != nil {
		t.Errorf("the house was cut off: %v", cut)
	}
}

func TestAListenerThatBreaksIsAnError(t *testing.T) {
	l, _ := listen(t)
	l.Close()
	if err := portal.New(options(newHouse())).Serve(t.Context(), l); err == nil {
		t.Error("Serve returned nil on a closed listener")
	}
}
