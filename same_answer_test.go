package hien_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/portal"
)

// loopback are the neighbours on this machine: 127.0.0.7 is device(7).
type loopback struct{}

func (loopback) MAC(addr netip.Addr) (hien.MAC, error) {
	b := addr.As4()
	if b[0] != 127 {
		return hien.MAC{}, errors.New("no neighbour")
	}
	return device(int(b[2])<<8 | int(b[3])).Guest.MAC, nil
}

// opened serves the porch's portal, and answers its address.
func (p *porch) opened() string {
	p.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	server := portal.New(portal.Options{Zone: "guest", House: p.Gateway, Own: p.Gateway, Neighbours: loopback{},
		Now: func() hien.Moment { return p.now }, Log: slog.New(slog.DiscardHandler), Location: time.UTC})
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- server.Serve(ctx, l) }()
	p.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			p.Errorf("the portal: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

// browser is a phone's: from its own address, one connection, no redirects.
func browser(d hien.Device) *http.Client {
	b := d.Addr.As4()
	from := &net.TCPAddr{IP: net.IPv4(127, 0, b[2], b[3])}
	return &http.Client{
		Transport:     &http.Transport{DialContext: (&net.Dialer{LocalAddr: from}).DialContext, MaxConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is all of an answer but its date.
func answer(t testing.TB, r *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var b bytes.Buffer
	fmt.Fprintln(&b, r.Status)
	r.Header.Del("Date")
	r.Header.Write(&b)
	if _, err := io.Copy(&b, r.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A busyBook counts what the livebook is asked.
type busyBook struct {
	hien.Livebook
	mu    sync.Mutex
	calls []string
}

func (b *busyBook) called(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, what)
}

func (b *busyBook) Guest(id hien.GuestID) (hien.Guest, bool, error) {
	b.called("Guest")
	return b.Livebook.Guest(id)
}

func (b *busyBook) Change(id hien.GuestID, change func(*hien.Guest) error) error {
	b.called("Change")
	return b.Livebook.Change(id, change)
}

func (b *busyBook) CountCode(number []byte, now time.Duration) (bool, error) {
	b.called("CountCode")
	return b.Livebook.CountCode(number, now)
}

// joining is the first page's form, filled in: the first answer to a question
// of two, the number, and what is ticked.
func joining(t testing.TB, page, number string, ticked ...consent.Purpose) url.Values {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	form := make(url.Values)
	for n := range doc.Descendants() {
		if n.DataAtom != atom.Input {
			continue
		}
		is := make(map[string]string)
		for _, a := range n.Attr {
			is[a.Key] = a.Val
		}
		switch name := is["name"]; is["type"] {
		case "hidden":
			form.Set(name, is["value"])
		case "radio":
			if !form.Has(name) {
				form.Set(name, is["value"])
			}
		case "tel":
			form.Set(name, number)
		case "checkbox":
			if slices.Contains(ticked, consent.Purpose(is["value"])) {
				form.Add(name, is["value"])
			}
		}
	}
	return form
}

// A busyDoor counts what the door is told.
type busyDoor struct {
	hien.Door
	book *busyBook
}

func (d busyDoor) Admit(ctx context.Context, id hien.GuestID, addrs []netip.Addr, left time.Duration) error {
	d.book.called(fmt.Sprintf("Admit for %v", left))
	return d.Door.Admit(ctx, id, addrs, left)
}

// A way is what a stranger with a number of somebody's got and caused.
type way struct {
	answers, record, steps []string
	sent                   int
}

// TestAKnownNumberAndAnUnknownOneGetTheSameAnswer types a number of somebody
// the shop knows into one shop, and into another that knows somebody else,
// from a device that is new to both. Until the number is proved, every answer
// of the portal is the same byte for byte, but for its date, and what was done
// for it is the same step for step: nothing asks the record for the number. So
// no answer comes later than the other either.
func TestAKnownNumberAndAnUnknownOneGetTheSameAnswer(t *testing.T) {
	for _, c := range []struct {
		name, typed, known string
		foreign            bool // whether codes go abroad
		withdrawn          bool // all that the known person had agreed to
		sent               int
		says               string
	}{
		{"a mobile number", "0987 654 321", "0987654321", false, false, 4, "21"},
		{"written as abroad", "+84 987.654.321", "0987654321", false, false, 4, "21"},
		{"of somebody who took everything back", "0987654321", "0987654321", false, true, 4, "21"},
		{"as it was before 2018", "0128 765 4321", "0787654321", false, false, 0, "0787"},
		{"a landline", "028 3812 3456", "0987654321", false, false, 0, "Số cố định"},
		{"of another country, where none is sent", "+1 415 555 0100", "+14155550100", false, false, 0, "số Việt Nam"},
		{"of another country", "+1 415 555 0100", "+14155550100", true, false, 4, "00"},
		{"no number at all", "không", "0987654321", false, false, 0, "chưa đúng"},
	} {
		t.Run(c.name, func(t *testing.T) {
			try := func(known bool) way {
				p := newPorch(t)
				p.zone(func(z *hien.Zone) { z.Grace, z.CodeGarden = grace, []string{"zalo.me"} })
				busy := &busyBook{Livebook: p.parts.Book}
				p.parts.Book, p.parts.Door = busy, busyDoor{p.door, busy}
				s := p.spied()
				number := someone(1)
				if known {
					number = c.known
				}
				p.settings.ForeignNumbers = true
				p.Reload(p.settings)
				p.give(device(1), number, consent.VisitFrequency, consent.ContactZalo) // in every way in which a shop can know a number
				if c.withdrawn {
					who := hien.Who{Receipt: hien.ReceiptHash(p.greet(device(1)).Receipt)}
					if err := p.Withdraw(t.Context(), who, nil, "portal", p.now); err != nil {
						t.Fatal(err)
					}
				}
				p.settings.ForeignNumbers = c.foreign
				p.Reload(p.settings)
				p.later(5 * time.Hour)
				p.tick()
				s.calls, busy.calls, p.codes.sent = nil, nil, 0
				w := p.wayOf(device(7), c.typed)
				w.record, w.steps, w.sent = s.calls, busy.calls, p.codes.sent
				return w
			}
			known, unknown := try(true), try(false)
			for i := range known.answers {
				if known.answers[i] != unknown.answers[i] {
					t.Errorf("answer %d differs: of a known number\n%s\nof an unknown one\n%s", i, known.answers[i], unknown.answers[i])
				}
			}
			if !slices.Equal(known.record, unknown.record) || !slices.Equal(known.steps, unknown.steps) || known.sent != unknown.sent {
				t.Errorf("what was done differs: of a known number\n%v\n%v\n%d codes\nof an unknown one\n%v\n%v\n%d codes",
					known.record, known.steps, known.sent, unknown.record, unknown.steps, unknown.sent)
			}
			for _, call := range known.record {
				if call != "Member" { // by the mark of the device that asks
					t.Errorf("the record was asked for %s before the number was proved", call)
				}
			}
			all := strings.Join(known.answers, "")
			if known.sent != c.sent || !strings.Contains(all, c.says) || c.sent > 0 != strings.Contains(all, "Location: /code?lang=vi&word=bad") ||
				c.sent > 0 != slices.Contains(known.steps, "Admit for 5m0s") || c.sent > 0 != strings.Contains(all, "Location: /trouble?lang=vi&why=many") ||
				c.sent > 0 != strings.Contains(all, "Location: /mine?lang=vi&word=bad") {
				t.Errorf("the control: %d codes; the answers do not hold what they should:\n%s\n%v", known.sent, all, known.steps)
			}
		})
	}
}

// wayOf goes every way through the portal but the one with the right code.
func (p *porch) wayOf(stranger hien.Device, typed string) (w way) {
	p.Helper()
	shop, phone := p.opened(), browser(stranger)
	get := func(path string) string {
		r, err := phone.Get(shop + path)
		w.answers = append(w.answers, "GET "+path+": "+answer(p, r, err))
		return w.answers[len(w.answers)-1]
	}
	post := func(path string, form url.Values) {
		r, err := phone.PostForm(shop+path, form)
		w.answers = append(w.answers, "POST "+path+": "+answer(p, r, err))
	}
	join := func(purposes ...consent.Purpose) { post("/join", joining(p, get("/?lang=vi"), typed, purposes...)) }
	guess := func(times int) {
		for range times {
			post("/code", url.Values{"code": {p.codes.wrong(stranger).Reveal()}, "lang": {"vi"}})
			get("/code?lang=vi&word=bad")
		}
	}
	join(consent.VisitFrequency, consent.ContactZalo)
	get("/?lang=en")
	guess(2)
	p.later(30 * time.Second)
	post("/code/again", url.Values{"lang": {"en"}})
	get("/code?lang=en")
	guess(hien.CodeTries)
	post("/code/other", url.Values{"lang": {"vi"}})
	p.later(30 * time.Second)
	join(consent.VisitFrequency)
	get("/?lang=en")
	post("/code/other", url.Values{"lang": {"vi"}})
	join(consent.ContactZalo) // one too many
	get("/trouble?lang=vi&why=many")
	p.later(grace)
	p.tick()
	get("/?lang=vi")

	// The way to one's own data, which a code to the number opens.
	p.later(16 * time.Minute)
	get("/mine?lang=vi")
	post("/mine", url.Values{"phone": {typed}, "lang": {"vi"}})
	get("/mine?lang=vi")
	for range hien.CodeTries + 1 {
		post("/mine/code", url.Values{"code": {p.codes.wrong(stranger).Reveal()}, "lang": {"vi"}})
		get("/mine?lang=vi&word=bad")
	}
	post("/mine/other", url.Values{"lang": {"vi"}})
	get("/mine?lang=vi")
	return w
}

// BenchmarkKnownAndUnknownNumbers types numbers of both kinds by turns, each
// from a device of its own, and prints the middle of the times that the portal
// took to answer, and how many times as long the known one took. That nothing
// else is done for the one than for the other is held by
// TestAKnownNumberAndAnUnknownOneGetTheSameAnswer.
func BenchmarkKnownAndUnknownNumbers(b *testing.B) {
	const each = 20 // fewer codes than the brake looks at
	times := make(map[bool][]time.Duration)
	for b.Loop() {
		b.StopTimer()
		p := newPorch(b)
		for i := range each {
			p.give(device(1000+i), someone(i), consent.VisitFrequency, consent.ContactZalo)
		}
		p.later(5 * time.Hour)
		p.tick()
		shop := p.opened()
		for i := range 2 * each {
			known := i%2 == 0
			number := someone(i / 2)
			if !known {
				number = someone(500 + i)
			}
			phone := browser(device(1 + i))
			r, err := phone.Get(shop + "/?lang=vi")
			form := joining(b, answer(b, r, err), number, consent.VisitFrequency)
			b.StartTimer()
			began := time.Now()
			r, err = phone.PostForm(shop+"/join", form)
			times[known] = append(times[known], time.Since(began))
			b.StopTimer()
			if answer(b, r, err); r.Header.Get("Location") != "/code?lang=vi" {
				b.Fatalf("guest %d was led to %s", i, r.Header.Get("Location"))
			}
			phone.CloseIdleConnections()
		}
		b.StartTimer()
	}
	middle := func(of []time.Duration) float64 { slices.Sort(of); return float64(of[len(of)/2]) }
	known, unknown := middle(times[true]), middle(times[false])
	b.ReportMetric(known, "ns/known")
	b.ReportMetric(unknown, "ns/unknown")
	b.ReportMetric(known/unknown, "known/unknown")
}
