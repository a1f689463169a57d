package cdp_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
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

// settled checks that each event has one fate, and that parked answers may be
// kept and shown.
func settled(t testing.TB, d hien.Delivery, events []hien.Event) {
	t.Helper()
	fate := make(map[consent.ID]int)
	for _, id := range d.Accepted {
		fate[id]++
	}
	for id, why := range d.Parked {
		fate[id]++
		if why == "" || len(why) > 520 || !utf8.ValidString(why) || strings.Contains(why, key) || strings.ContainsAny(why, "\n\r\x1b") {
			t.Errorf("parked with %q", why)
		}
	}
	waits := d.Retry != nil || d.Stop != nil
	for _, e := range events {
		switch n := fate[e.ID()]; {
		case n > 1:
			t.Errorf("event %s has %d fates", e.ID(), n)
		case n == 0 && !waits:
			t.Errorf("event %s is neither accepted nor parked nor waiting", e.ID())
		}
		delete(fate, e.ID())
	}
	for id := range fate {
		t.Errorf("%q was not sent and has a fate", id)
	}
	if d.Retry != nil && d.Stop != nil {
		t.Errorf("both to retry (%v) and to stop (%v)", d.Retry, d.Stop)
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

func TestEveryPlatformTakesABatch(t *testing.T) {
	for _, flavour := range []world.Flavour{world.Segment, world.RudderStack, world.Jitsu} {
		t.Run(string(flavour), func(t *testing.T) {
			c := platform(flavour)
			events := visits(t, 250)
			d := serve(t, c).Send(t.Context(), events, sending)
			settled(t, d, events)
			if len(d.Accepted) != 250 || d.Retry != nil || d.Stop != nil {
				t.Fatalf("accepted %d, parked %v, retry %v, stop %v", len(d.Accepted), d.Parked, d.Retry, d.Stop)
			}
			for i, e := range events {
				if n := c.Deliveries(string(e.ID())); n != 1 || d.Accepted[i] != e.ID() {
					t.Fatalf("event %d was delivered %d times, accepted as %s", i, n, d.Accepted[i])
				}
			}
			batches := c.Batches()
			if len(batches) != 3 {
				t.Errorf("%d batches, want 3", len(batches))
			}
			for _, b := range batches {
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
	d := serve(t, c).Send(t.Context(), events, sending)
	settled(t, d, events)
	if why := d.Parked[events[20].ID()]; len(d.Accepted) != 59 || len(d.Parked) != 1 || !strings.Contains(why, "30720") {
		t.Errorf("accepted %d, parked %v", len(d.Accepted), d.Parked)
	}
	for _, b := range c.Batches() {
		if len(b.Body) > cdp.MaxBatchBytes {
			t.Errorf("a batch of %d bytes", len(b.Body))
		}
	}
}

func TestAPoisonEventIsParkedAloneAndTheRestGoesOn(t *testing.T) {
	for _, flavour := range []world.Flavour{world.RudderStack, world.Jitsu} {
		for _, poisoned := range [][]int{{0}, {99}, {42}, {3, 4, 77}} {
			t.Run(fmt.Sprint(flavour, poisoned), func(t *testing.T) {
				c := platform(flavour)
				events := visits(t, 100)
				for _, n := range poisoned {
					c.Poison(string(events[n].ID()))
				}
				d := serve(t, c).Send(t.Context(), events, sending)
				settled(t, d, events)
				if len(d.Parked) != len(poisoned) || len(d.Accepted) != 100-len(poisoned) {
					t.Errorf("accepted %d, parked %v", len(d.Accepted), d.Parked)
				}
				for _, n := range poisoned {
					if why := d.Parked[events[n].ID()]; !strings.Contains(why, "anonymousId") && !strings.Contains(why, "invalid event") {
						t.Errorf("event %d is parked with %q", n, why)
					}
				}
				for _, id := range d.Accepted {
					if c.Deliveries(string(id)) != 1 {
						t.Errorf("event %s was delivered %d times", id, c.Deliveries(string(id)))
					}
				}
				if n := len(c.Batches()); n > 1+2*7*len(poisoned) {
					t.Errorf("%d requests to find %d events", n, len(poisoned))
				}
				if !slices.IsSorted(d.Accepted) {
					t.Error("the order was not kept")
				}
			})
		}
	}
}

func TestAPlatformThatRefusesEverythingIsNotTheEventsFault(t *testing.T) {
	no := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "unknown workspace", http.StatusBadRequest)
	})
	d := serve(t, no).Send(t.Context(), visits(t, 30), sending)
	if d.Stop == nil || !strings.Contains(d.Stop.Error(), "unknown workspace") || len(d.Parked)+len(d.Accepted) != 0 {
		t.Errorf("stop %v, parked %d, accepted %d; want the owner told and every event kept", d.Stop, len(d.Parked), len(d.Accepted))
	}
	few := visits(t, 3)
	if d := serve(t, no).Send(t.Context(), few, sending); len(d.Parked) != len(few) {
		t.Errorf("parked %d of %d events that were refused one by one", len(d.Parked), len(few))
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

func TestWhatWasAcceptedBeforeTroubleIsAccepted(t *testing.T) {
	c := platform(world.RudderStack)
	events := visits(t, 300)
	c.Poison(string(events[0].ID()))
	pass := func(http.ResponseWriter, world.Batch) bool { return false }
	// The first hundred is halved down to its first event; then trouble.
	c.Next(pass, pass, pass, world.Status(503))
	d := serve(t, c).Send(t.Context(), events, sending)
	settled(t, d, events)
	if d.Retry == nil || len(d.Accepted) != 0 || len(d.Parked) != 0 || len(c.Batches()) != 4 {
		t.Errorf("after %d requests: accepted %d, parked %v, retry %v", len(c.Batches()), len(d.Accepted), d.Parked, d.Retry)
	}
	c.Next(pass, pass, pass, pass, pass, pass, pass, pass, pass, world.Status(429))
	d = serve(t, c).Send(t.Context(), events, sending)
	settled(t, d, events)
	if d.Retry == nil || len(d.Accepted) == 0 || len(d.Parked) != 1 {
		t.Errorf("accepted %d, parked %v, retry %v", len(d.Accepted), d.Parked, d.Retry)
	}
	for _, id := range d.Accepted {
		if c.Deliveries(string(id)) == 0 {
			t.Errorf("event %s counts as accepted and was not", id)
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
