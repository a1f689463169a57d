package cdp_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/sync/cdp"
)

func TestWhatEachStatusMeans(t *testing.T) {
	const accept, refuse, retry, stop = "accept", "refuse", "retry", "stop"
	for status, want := range map[int]string{
		200: accept, 201: accept, 202: accept, 204: accept, 299: accept,
		301: stop, 302: stop, 303: stop, 307: stop, 308: stop, 304: stop,
		400: refuse, 413: refuse, 422: refuse,
		401: stop, 403: stop, 404: stop, 405: stop, 407: stop, 411: stop, 415: stop,
		402: retry, 408: retry, 410: retry, 429: retry, 460: retry,
		500: retry, 502: retry, 503: retry, 504: retry, 507: retry, 520: retry,
		501: stop, 505: stop,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			requests := 0
			sink := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				w.Header().Set("Location", "https://elsewhere.example/")
				w.WriteHeader(status)
			}))
			events := visits(t, 4)
			d := sink.Send(t.Context(), events, sending)
			settled(t, d, events)
			got := retry
			switch {
			case len(d.Accepted) == 4:
				got = accept
			case d.Refused == 4:
				got = refuse
			case d.Stop != nil:
				got = stop
			case d.Retry == nil:
				got = "nothing"
			}
			if got != want {
				t.Errorf("got %s (%+v), want %s", got, d, want)
			}
			d = sink.Send(t.Context(), events[:1], sending)
			settled(t, d, events[:1])
			if parked := len(d.Parked) == 1; parked != (want == refuse) {
				t.Errorf("alone: got %+v, want that it is parked: %v", d, want == refuse)
			}
			if requests != 2 {
				t.Errorf("%d requests, want one each time", requests)
			}
		})
	}
}

func TestHowLongToWaitIsBelievedUpToFiveMinutes(t *testing.T) {
	date := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		value string
		date  bool // the receiver tells its own time
		now   hien.Moment
		want  time.Duration
	}{
		{"", true, sending, 0},
		{"7", true, sending, 7 * time.Second},
		{" 7 ", true, sending, 7 * time.Second},
		{"0", true, sending, 0},
		{"86400", true, sending, 5 * time.Minute},
		{"99999999999999999999", true, sending, 0},
		{"-5", true, sending, 0},
		{"soon", true, sending, 0},
		{date.Add(90 * time.Second).Format(http.TimeFormat), true, hien.Moment{Wall: guess}, 90 * time.Second},
		{date.Add(-time.Hour).Format(http.TimeFormat), true, sending, 0},
		{date.Add(time.Hour).Format(http.TimeFormat), true, sending, 5 * time.Minute},
		{date.Add(time.Minute).Format(http.TimeFormat), false, hien.Moment{Wall: date, InStep: true}, time.Minute},
		{date.Add(time.Minute).Format(http.TimeFormat), false, hien.Moment{Wall: date}, 0},
	} {
		sink := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Date"] = nil
			if test.date {
				w.Header().Set("Date", date.Format(http.TimeFormat))
			}
			w.Header().Set("Retry-After", test.value)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		events := visits(t, 1)
		d := sink.Send(t.Context(), events, test.now)
		settled(t, d, events)
		if d.Retry == nil || d.After != test.want {
			t.Errorf("Retry-After %q, own date %v: got %v (retry %v), want %v", test.value, test.date, d.After, d.Retry, test.want)
		}
	}
}

func TestABodyOfA200MayRefuse(t *testing.T) {
	id := func(n int) string { return string(visits(t, 3)[n].ID()) }
	for _, test := range []struct {
		name, body string
		parked     []int
		together   bool
	}{
		{"empty", "", nil, false},
		{"text", "OK", nil, false},
		{"ok", `{"ok":true}`, nil, false},
		{"Segment's", `{"success":true}`, nil, false},
		{"ok with what looks like errors", `{"ok":true,"errors":["Message ID: ` + id(0) + `: bad"]}`, nil, false},
		{"one named", `{"ok":false,"errors":["Message ID: ` + id(1) + `: bad"],"receivedEvents":3,"okEvents":2}`, []int{1}, false},
		{"the second call of one", `{"ok":false,"errors":["Message ID: ` + id(1) + `.2: bad"]}`, []int{1}, false},
		{"two named, one twice", `{"ok":false,"errors":["Message ID: ` + id(0) + `: a","Message ID: ` + id(2) + `: b: c","Message ID: ` + id(0) + `: d"]}`, []int{0, 2}, false},
		{"none named", `{"ok":false,"error":"trouble"}`, nil, true},
		{"one that was not sent", `{"ok":false,"errors":["Message ID: 0123: bad"]}`, nil, true},
		{"errors that are no text", `{"ok":false,"errors":[{"code":7},null,3]}`, nil, true},
		{"named and unnamed", `{"ok":false,"errors":["Message ID: ` + id(1) + `: bad","and more"]}`, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			sink := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, test.body) }))
			events := visits(t, 3)
			d := sink.Send(t.Context(), events, sending)
			settled(t, d, events)
			for n, e := range events {
				if _, parked := d.Parked[e.ID()]; parked != slices.Contains(test.parked, n) {
					t.Errorf("event %d: parked %v (%v)", n, parked, d.Parked)
				}
			}
			if together := d.Refused == 3; together != test.together {
				t.Errorf("refused together: %d; want all three: %v", d.Refused, test.together)
			}
		})
	}
}

func TestWhatAReceiverSaysIsCutAndCleaned(t *testing.T) {
	for name, body := range map[string]string{
		"echoes the key":     `{"error":"invalid write key ` + key + `"}`,
		"echoes the header":  `Authorization: Basic d3JpdGUta2V5LW9mLXRoZS10ZXN0Og==`,
		"escape codes":       "\x1b[31mred\x1b[0m\r\nand more",
		"not UTF-8":          "\xff\xfe" + strings.Repeat("\xc3", 600),
		"long":               strings.Repeat("dài ", 100_000),
		"the key at the cut": strings.Repeat("x", 490) + key + strings.Repeat("y", 490),
	} {
		for _, status := range []int{400, 401, 503} {
			t.Run(fmt.Sprint(name, status), func(t *testing.T) {
				sink := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.WriteHeader(status)
					io.WriteString(w, body)
				}))
				events := visits(t, 1)
				d := sink.Send(t.Context(), events, sending)
				settled(t, d, events)
				said := fmt.Sprint(d.Parked, d.Retry, d.Stop)
				if strings.Contains(said, "d3JpdGUta2V5") || len(said) > 800 || !strings.Contains(said, fmt.Sprint(status)) {
					t.Errorf("said %q", said)
				}
			})
		}
	}
}

func TestAnAnswerWithoutEndIsNotReadToItsEnd(t *testing.T) {
	sink := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat("more ", 1000))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	events := visits(t, 1)
	d := sink.Send(t.Context(), events, sending)
	settled(t, d, events)
	if len(d.Accepted) != 1 {
		t.Errorf("got %+v", d)
	}
}

var quiet = log.New(io.Discard, "", 0)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzAnswer lets a receiver say anything. Each event must have one fate.
func FuzzAnswer(f *testing.F) {
	id := string(visits(f, 3)[1].ID())
	for _, body := range []string{
		"", "OK", `{"ok":true}`, `{"ok":false}`, `{"ok":false,"errors":["Message ID: ` + id + `: bad"]}`,
		`{"ok":false,"errors":["Message ID: ` + id + `: bad","x"]}`, `{"ok":false,"errors":[{}]}`, `{"success":false}`,
		"invalid write key " + key, "\xff\x1b[1m", strings.Repeat("é", 400),
	} {
		for _, status := range []int{200, 302, 400, 401, 413, 429, 503} {
			f.Add(status, body, "120", "Sun, 01 Mar 2026 12:00:00 GMT")
		}
	}
	f.Add(429, "", "Sun, 01 Mar 2026 12:00:30 GMT", "")
	f.Fuzz(func(t *testing.T, status int, body, after, date string) {
		requests := 0
		sink, err := cdp.New(cdp.Options{URL: "https://cdp.example", WriteKey: key, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			requests++
			return &http.Response{
				StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r,
				Header: http.Header{"Retry-After": {after}, "Date": {date}, "Location": {body}},
			}, nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		events := visits(t, 3)
		settled(t, sink.Send(t.Context(), events, sending), events)
		if requests != 1 {
			t.Errorf("%d requests, want one", requests)
		}
	})
}
