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
	server := portal.New(portal.Options{Zone: "guest", House: p.Gateway, Neighbours: loopback{},
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

// TestAKnownNumberAndAnUnknownOneGetTheSameAnswer types a number of somebody
// the shop knows into one shop, and into another that has never met anybody,
// from a device that is new to both. Until the number is proved, every answer
// is the same byte for byte, and what was done for it is the same step for
// step: nothing asks the record for the number.
func TestAKnownNumberAndAnUnknownOneGetTheSameAnswer(t *testing.T) {
	const number = "0987654321"
	stranger := device(7)
	ask := func(known bool) (answers, record, book []string, sent int) {
		p := newPorch(t)
		busy := &busyBook{Livebook: p.parts.Book}
		p.parts.Book = busy
		s := p.spied()
		if known { // in every way in which the shop can know a number
			p.give(device(1), number, consent.VisitFrequency, consent.ContactZalo)
			p.later(time.Hour)
			p.tick()
		} else {
			p.later(time.Hour)
		}
		s.calls, busy.calls, p.codes.sent = nil, nil, 0
		shop, phone := p.opened(), browser(stranger)
		get := func(path string) {
			r, err := phone.Get(shop + path)
			answers = append(answers, "GET "+path+": "+answer(t, r, err))
		}
		post := func(path string, form url.Values) {
			r, err := phone.PostForm(shop+path, form)
			answers = append(answers, "POST "+path+": "+answer(t, r, err))
		}
		get("/?lang=vi")
		answers = append(answers, fmt.Sprint("Ask: ", p.Ask(t.Context(), stranger, p.application(number, consent.VisitFrequency, consent.ContactZalo), p.now)))
		get("/?lang=en")
		get("/code?lang=vi")
		for range 2 {
			post("/code", url.Values{"code": {p.codes.wrong(stranger).Reveal()}, "lang": {"vi"}})
			get("/code?lang=vi&word=bad")
		}
		p.later(30 * time.Second)
		post("/code/again", url.Values{"lang": {"en"}})
		get("/code?lang=en")
		for range hien.CodeTries {
			post("/code", url.Values{"code": {p.codes.wrong(stranger).Reveal()}})
		}
		get("/?lang=vi")
		post("/code/other", url.Values{"lang": {"vi"}})
		get("/?lang=vi")
		p.later(30 * time.Second)
		answers = append(answers, fmt.Sprint("Ask again: ", p.Ask(t.Context(), stranger, p.application(number, consent.VisitFrequency), p.now)))
		answers = append(answers, fmt.Sprint("Ask too often: ", p.Ask(t.Context(), stranger, p.application(number, consent.ContactZalo), p.now)))
		get("/?lang=vi")
		return answers, s.calls, busy.calls, p.codes.sent
	}
	known, knownRecord, knownBook, knownSent := ask(true)
	unknown, unknownRecord, unknownBook, unknownSent := ask(false)
	// The codes of before are within the limits of the number: an hour has
	// passed, and the day has room.
	for i := range known {
		if known[i] != unknown[i] {
			t.Errorf("answer %d differs: of a known number\n%s\nof an unknown one\n%s", i, known[i], unknown[i])
		}
	}
	if !slices.Equal(knownRecord, unknownRecord) || !slices.Equal(knownBook, unknownBook) || knownSent != unknownSent || knownSent == 0 {
		t.Errorf("what was done differs: of a known number\n%v\n%v\n%d codes\nof an unknown one\n%v\n%v\n%d codes",
			knownRecord, knownBook, knownSent, unknownRecord, unknownBook, unknownSent)
	}
	for _, call := range slices.Concat(knownRecord, unknownRecord) {
		if call != "Member" { // by the mark of the device that asks
			t.Errorf("the record was asked for %s before the number was proved", call)
		}
	}
	if all := strings.Join(known, ""); !strings.Contains(all, "word=bad") || !strings.Contains(all, "21") || !strings.Contains(all, hien.ErrTooMany.Error()) {
		t.Errorf("the control: the answers do not hold what they should:\n%s", all)
	}
}

// TestAThousandConnectionsGuessOverThePortal is TestTenThousandGuesses through
// the portal itself: ten guesses on each connection, as many connections at
// once as it takes.
func TestAThousandConnectionsGuessOverThePortal(t *testing.T) {
	p := newPorch(t)
	d := device(7)
	p.ask(d, "0987654321")
	right, shop := p.codes.of(d).Reveal(), p.opened()
	var mu sync.Mutex
	answers := make(map[string]int)
	var all sync.WaitGroup
	work := make(chan int)
	for range 8 {
		all.Go(func() {
			for c := range work {
				phone := browser(d)
				for g := range 10 {
					guess := fmt.Sprintf("%06d", c*10+g)
					if guess == right {
						guess = "999999"
					}
					r, err := phone.PostForm(shop+"/code", url.Values{"code": {guess}, "lang": {"vi"}})
					if err != nil {
						t.Errorf("connection %d, guess %d: %v", c, g, err)
						continue
					}
					io.Copy(io.Discard, r.Body)
					r.Body.Close()
					mu.Lock()
					answers[r.Header.Get("Location")]++
					mu.Unlock()
				}
				phone.CloseIdleConnections()
			}
		})
	}
	for c := range 1000 {
		work <- c
	}
	close(work)
	all.Wait()
	bad, dead := answers["/code?lang=vi&word=bad"], answers["/code?lang=vi"]
	if bad != hien.CodeTries || dead != 10_000-hien.CodeTries {
		t.Errorf("answers: %v; want %d guesses looked at, and the others told that the code is dead", answers, hien.CodeTries)
	}
	r, err := browser(d).PostForm(shop+"/code", url.Values{"code": {right}, "lang": {"vi"}})
	if got := answer(t, r, err); p.ledger() != 0 || p.door.left(d) != 0 {
		t.Errorf("the right code, too late: %s", got)
	}
}
