package cdp_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/world"
	"github.com/hien-wifi/hien/sync/cdp"
)

// serve puts a handler behind TLS and makes a sink for it.
func serve(t testing.TB, h http.Handler) *cdp.Sink {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	sink, err := cdp.New(cdp.Options{URL: server.URL, WriteKey: key, CAFile: ca})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func platform(f world.Flavour) *world.CDP {
	c := world.NewCDP(f)
	c.WriteKey = key
	return c
}

// settled checks that no event has two fates, that those without one may be
// asked for again, and that answers may be kept and shown.
func settled(t testing.TB, d hien.Delivery, events []hien.Event) {
	t.Helper()
	fate := make(map[consent.ID]int)
	for _, id := range d.Accepted {
		fate[id]++
	}
	said := maps.Clone(d.Parked)
	for id := range d.Parked {
		fate[id]++
	}
	if d.Refused > 0 {
		said["together"] = d.Answer
	}
	for _, why := range said {
		if why == "" || len(why) > 520 || !utf8.ValidString(why) || strings.Contains(why, key) || strings.ContainsAny(why, "\n\r\x1b") {
			t.Errorf("parked with %q", why)
		}
	}
	waits := d.Retry != nil || d.Stop != nil || d.Refused > 0
	last := true // events that did not fit
	for _, e := range slices.Backward(events) {
		switch n := fate[e.ID()]; {
		case n > 1:
			t.Errorf("event %s has %d fates", e.ID(), n)
		case n == 0 && !waits && !last:
			t.Errorf("event %s is neither accepted nor parked nor waiting, and one behind it is", e.ID())
		case n > 0:
			last = false
		}
		delete(fate, e.ID())
	}
	if len(events) > 0 && last && !waits {
		t.Errorf("nothing is said about %d events", len(events))
	}
	if left := len(events) - len(d.Accepted) - len(d.Parked); d.Refused == 1 || d.Refused > left || d.Refused > 0 && len(d.Accepted) > 0 {
		t.Errorf("%d refused together, %d accepted, %d left", d.Refused, len(d.Accepted), left)
	}
	for id := range fate {
		t.Errorf("%q was not sent and has a fate", id)
	}
	if d.Retry != nil && d.Stop != nil || d.Refused > 0 && (d.Retry != nil || d.Stop != nil) {
		t.Errorf("not one of to retry (%v), to stop (%v), and %d refused together", d.Retry, d.Stop, d.Refused)
	}
	for _, err := range []error{d.Retry, d.Stop} {
		if err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("the key is in %q", err)
		}
	}
	if d.After < 0 || d.After > 5*time.Minute || d.After > 0 && d.Retry == nil {
		t.Errorf("after %v with retry %v", d.After, d.Retry)
	}
}

func ids(events []hien.Event) []consent.ID {
	out := make([]consent.ID, len(events))
	for i, e := range events {
		out[i] = e.ID()
	}
	return out
}

// rest is what has no fate yet.
func rest(d hien.Delivery, events []hien.Event) []hien.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e hien.Event) bool {
		_, parked := d.Parked[e.ID()]
		return parked || slices.Contains(d.Accepted, e.ID())
	})
}

func TestEveryPlatformTakesABatch(t *testing.T) {
	for _, flavour := range []world.Flavour{world.Segment, world.RudderStack, world.Jitsu} {
		t.Run(string(flavour), func(t *testing.T) {
			c := platform(flavour)
			events := visits(t, 250)
			sink := serve(t, c)
			left := events
			for n, want := range []int{100, 100, 50} {
				d := sink.Send(t.Context(), left, sending)
				settled(t, d, left)
				if !slices.Equal(d.Accepted, ids(left[:want])) || len(d.Parked) > 0 || d.Refused > 0 || d.Retry != nil || d.Stop != nil {
					t.Fatalf("batch %d: accepted %d, want the first %d; parked %v, refused %d, retry %v, stop %v", n, len(d.Accepted), want, d.Parked, d.Refused, d.Retry, d.Stop)
				}
				if got := len(c.Batches()); got != n+1 {
					t.Fatalf("%d requests after %d calls", got, n+1)
				}
				left = rest(d, left)
			}
			for i, e := range events {
				if n := c.Deliveries(string(e.ID())); n != 1 {
					t.Fatalf("event %d was delivered %d times", i, n)
				}
			}
			for _, b := range c.Batches() {
				h := b.Header
				if b.Key != key && b.Key != "" || h.Get("Content-Type") != "application/json" || h.Get("X-Ip-Policy") != "remove" || h.Get("Content-Encoding") != "" {
					t.Errorf("key %q, header %v", b.Key, h)
				}
				if len(b.Events) > cdp.MaxEvents || len(b.Body) > cdp.MaxBatchBytes {
					t.Errorf("%d events in %d bytes", len(b.Events), len(b.Body))
				}
			}
		})
	}
}

// TestEveryPlatformTakesARename sends what follows a change of the brand key:
// the alias, and a withdrawal in two calls, under the new name and the old.
func TestEveryPlatformTakesARename(t *testing.T) {
	for _, flavour := range []world.Flavour{world.Segment, world.RudderStack, world.Jitsu} {
		t.Run(string(flavour), func(t *testing.T) {
			c := platform(flavour)
			c1 := given(t, consent.ContactZalo)
			events := []hien.Event{
				event(t, 1, hien.Withdrawn, "", happened, hien.Facts{Previous: former, Withdrawn: []consent.Purpose{consent.AdsAudience}}, c1),
				event(t, 2, hien.Renamed, consent.ContactZalo, happened, hien.Facts{Previous: former}, c1),
				event(t, 3, hien.LeadGiven, consent.ContactZalo, happened, hien.Facts{Previous: former}, c1),
			}
			d := serve(t, c).Send(t.Context(), events, sending)
			settled(t, d, events)
			if !slices.Equal(d.Accepted, ids(events)) {
				t.Errorf("accepted %v, parked %v, refused %d; want all three", d.Accepted, d.Parked, d.Refused)
			}
			var users []string
			for _, text := range c.Batches()[0].Events {
				var e struct{ Type, UserID string }
				if err := json.Unmarshal(text, &e); err != nil {
					t.Fatal(err)
				}
				users = append(users, e.Type+" "+e.UserID[:2])
			}
			if want := []string{"track k1", "track k0", "alias k1", "identify k1"}; !slices.Equal(users, want) {
				t.Errorf("it got %v; want %v", users, want)
			}
		})
	}
}

func TestABatchIsBoundedInBytes(t *testing.T) {
	c := platform(world.Segment)
	var events []hien.Event
	for n := range 60 {
		size := 28 << 10
		if n == 20 {
			size = 31 << 10
		}
		f := hien.Facts{Sealed: hien.SealedPhone(strings.Repeat("x", size))}
		events = append(events, event(t, n, hien.LeadGiven, consent.ContactZalo, happened, f, given(t, consent.ContactZalo)))
	}
	sink := serve(t, c)
	accepted, parked := 0, make(map[consent.ID]string)
	left := events
	for len(left) > 0 && len(c.Batches()) < 10 {
		d := sink.Send(t.Context(), left, sending)
		settled(t, d, left)
		accepted += len(d.Accepted)
		maps.Copy(parked, d.Parked)
		left = rest(d, left)
	}
	if why := parked[events[20].ID()]; accepted != 59 || len(parked) != 1 || !strings.Contains(why, "30720") {
		t.Errorf("accepted %d, parked %v", accepted, parked)
	}
	for _, b := range c.Batches() {
		if len(b.Body) > cdp.MaxBatchBytes {
			t.Errorf("a batch of %d bytes", len(b.Body))
		}
	}
	if n := len(c.Batches()); n != 4 { // of 15 or 16 events
		t.Errorf("%d requests, want 4", n)
	}
}

func TestWhatIsRefusedTogetherHasNoFateAndOneAloneIsParked(t *testing.T) {
	c := platform(world.RudderStack)
	events := visits(t, 100)
	c.Poison(string(events[0].ID()))
	sink := serve(t, c)
	for _, n := range []int{100, 50, 2} {
		before := len(c.Batches())
		d := sink.Send(t.Context(), events[:n], sending)
		settled(t, d, events[:n])
		if d.Refused != n || !strings.Contains(d.Answer, "anonymousId") || len(d.Accepted)+len(d.Parked) > 0 || len(c.Batches()) != before+1 {
			t.Errorf("of %d: %d refused with %q, accepted %d, parked %v, %d requests", n, d.Refused, d.Answer, len(d.Accepted), d.Parked, len(c.Batches())-before)
		}
	}
	d := sink.Send(t.Context(), events[:1], sending)
	settled(t, d, events[:1])
	if why := d.Parked[events[0].ID()]; d.Refused != 0 || !strings.Contains(why, "400") || !strings.Contains(why, "anonymousId") {
		t.Errorf("alone: got %+v", d)
	}
}

func TestAWrongKeyStopsTheQueueWhereItIsTold(t *testing.T) {
	for flavour, tells := range map[world.Flavour]bool{world.Segment: false, world.RudderStack: true, world.Jitsu: true} {
		t.Run(string(flavour), func(t *testing.T) {
			c := world.NewCDP(flavour) // with another key
			events := visits(t, 5)
			d := serve(t, c).Send(t.Context(), events, sending)
			settled(t, d, events)
			if (d.Stop != nil) != tells || len(d.Parked) != 0 || (len(d.Accepted) == 5) == tells {
				t.Errorf("accepted %d, parked %v, stop %v; want that it stops: %v", len(d.Accepted), d.Parked, d.Stop, tells)
			}
			if tells && !strings.Contains(d.Stop.Error(), "write_key") {
				t.Errorf("the owner is told %q", d.Stop)
			}
		})
	}
}

func TestSegmentDoesNotConfirm(t *testing.T) {
	for url, want := range map[string]bool{
		"https://api.segment.io": false, "https://events.eu1.segmentapis.com": false,
		"https://cdp.example:8443": true, "https://notsegment.io": true,
	} {
		sink, err := cdp.New(cdp.Options{URL: url, WriteKey: key})
		if err != nil {
			t.Fatal(err)
		}
		if got := sink.Confirms(); got != want {
			t.Errorf("%s: confirms %v, want %v", url, got, want)
		}
	}
}

func TestTroubleOnTheWayIsTriedAgain(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"closed without an answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"closed within the answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"ok":`)
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			events := visits(t, 3)
			d := serve(t, handler).Send(t.Context(), events, sending)
			settled(t, d, events)
			if d.Retry == nil || len(d.Accepted)+len(d.Parked) > 0 {
				t.Errorf("got %+v", d)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		sink, err := cdp.New(cdp.Options{URL: server.URL, WriteKey: key})
		if err != nil {
			t.Fatal(err)
		}
		events := visits(t, 3)
		d := sink.Send(t.Context(), events, sending)
		settled(t, d, events)
		if d.Retry == nil {
			t.Errorf("got %+v", d)
		}
	})
	t.Run("a certificate that nobody vouches for", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = quiet
		server.StartTLS()
		defer server.Close()
		sink, err := cdp.New(cdp.Options{URL: server.URL, WriteKey: key})
		if err != nil {
			t.Fatal(err)
		}
		d := sink.Send(t.Context(), visits(t, 1), sending)
		if d.Retry == nil || !strings.Contains(d.Retry.Error(), "certificate") {
			t.Errorf("got %+v", d)
		}
	})
	t.Run("the context ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sink := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		}))
		events := visits(t, 1)
		d := sink.Send(ctx, events, sending)
		settled(t, d, events)
		if !errors.Is(d.Retry, context.Canceled) {
			t.Errorf("got %+v", d)
		}
	})
}

func TestAnEventSentTwiceHasOneEffect(t *testing.T) {
	c := platform(world.Segment)
	c.Next(c.Hangup())
	sink := serve(t, c)
	events := visits(t, 10)
	first := sink.Send(t.Context(), events, sending)
	settled(t, first, events)
	if first.Retry == nil {
		t.Fatalf("got %+v", first)
	}
	second := sink.Send(t.Context(), events, sending)
	if len(second.Accepted) != 10 {
		t.Fatalf("got %+v", second)
	}
	if n := len(c.Events()); n != 10 {
		t.Errorf("the platform has %d events, want 10", n)
	}
}

func TestWhereNothingMayBeSentNothingIsAsked(t *testing.T) {
	c := platform(world.Segment)
	sink := serve(t, c)
	if d := sink.Send(t.Context(), nil, sending); len(d.Accepted)+len(d.Parked)+d.Refused > 0 || d.Retry != nil || d.Stop != nil {
		t.Errorf("got %+v", d)
	}
	e := event(t, 2, hien.StoreVisited, consent.VisitFrequency, happened, hien.Facts{}, given(t))
	if d := sink.Send(t.Context(), []hien.Event{e}, sending); len(d.Parked) != 1 {
		t.Errorf("got %+v", d)
	}
	if n := len(c.Batches()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func TestWhatIsNotAllowedIsParkedAndNotSent(t *testing.T) {
	c := platform(world.Segment)
	events := visits(t, 3)
	events[1] = event(t, 2, hien.StoreVisited, consent.VisitFrequency, happened, hien.Facts{}, given(t))
	d := serve(t, c).Send(t.Context(), events, sending)
	settled(t, d, events)
	if _, parked := d.Parked[events[1].ID()]; !parked || c.Deliveries(string(events[1].ID())) != 0 || len(d.Accepted) != 2 {
		t.Errorf("got %+v", d)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		o    cdp.Options
		want string // in the error; "" for none
	}{
		{"https", cdp.Options{URL: "https://cdp.example:8443", WriteKey: key}, ""},
		{"https with a path", cdp.Options{URL: "https://cdp.example/in/", WriteKey: key}, ""},
		{"Jitsu's kind of key", cdp.Options{URL: "https://cdp.example", WriteKey: "id:secret"}, ""},
		{"http to loopback", cdp.Options{URL: "http://127.0.0.1:9000", WriteKey: key}, ""},
		{"http to loopback, IPv6", cdp.Options{URL: "http://[::1]:9000", WriteKey: key}, ""},
		{"http to localhost", cdp.Options{URL: "http://localhost", WriteKey: key}, ""},
		{"http elsewhere", cdp.Options{URL: "http://cdp.example", WriteKey: key}, "https"},
		{"http to what looks local", cdp.Options{URL: "http://localhost.example", WriteKey: key}, "https"},
		{"another scheme", cdp.Options{URL: "ftp://127.0.0.1", WriteKey: key}, "https"},
		{"nothing", cdp.Options{WriteKey: key}, "url"},
		{"no host", cdp.Options{URL: "https:///v1", WriteKey: key}, "url"},
		{"no scheme", cdp.Options{URL: "cdp.example", WriteKey: key}, "url"},
		{"a user", cdp.Options{URL: "https://u:p@cdp.example", WriteKey: key}, "write_key"},
		{"a query", cdp.Options{URL: "https://cdp.example?key=x", WriteKey: key}, "write_key"},
		{"the whole path", cdp.Options{URL: "https://cdp.example/v1/batch", WriteKey: key}, "/v1/batch"},
		{"no key", cdp.Options{URL: "https://cdp.example"}, "write_key"},
		{"a key with a space", cdp.Options{URL: "https://cdp.example", WriteKey: "a b"}, "write_key"},
		{"a CA file that is not there", cdp.Options{URL: "https://cdp.example", WriteKey: key, CAFile: "/nowhere/ca.pem"}, "ca_file"},
		{"a CA file without a certificate", cdp.Options{URL: "https://cdp.example", WriteKey: key, CAFile: noPEM}, "PEM"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := cdp.New(test.o)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "u:p")) {
				t.Errorf("a secret is in %q", err)
			}
		})
	}
}
