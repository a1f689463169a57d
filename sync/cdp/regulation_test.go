package cdp_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/world"
	"github.com/hien-wifi/hien/sync/cdp"
)

// eraser makes a sink for a platform and its deletion API.
func eraser(t testing.TB, c *world.CDP) *cdp.Sink {
	t.Helper()
	server := httptest.NewTLSServer(c)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	sink, err := cdp.New(cdp.Options{URL: server.URL, WriteKey: key, CAFile: ca,
		Regulator: cdp.Regulator(c.Flavour), RegulatorURL: server.URL, RegulatorToken: world.DefaultEraseToken})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func erasure(t testing.TB, n int) hien.Event {
	t.Helper()
	return event(t, n, hien.Erased, "", happened, hien.Facts{Erased: []consent.Purpose{consent.VisitFrequency, consent.ContactZalo}}, consent.Consent{})
}

func TestAnErasureIsToldAndCarriedOut(t *testing.T) {
	for _, flavour := range []world.Flavour{world.Segment, world.RudderStack} {
		t.Run(string(flavour), func(t *testing.T) {
			c := platform(flavour)
			sink := eraser(t, c)
			before := visits(t, 3)
			if d := sink.Send(t.Context(), before, sending); len(d.Accepted) != 3 {
				t.Fatalf("got %+v", d)
			}
			events := append([]hien.Event{erasure(t, 50)}, event(t, 60, hien.StoreVisited, consent.VisitFrequency, happened, hien.Facts{}, given(t, consent.VisitFrequency)))
			told := sink.Send(t.Context(), events, sending)
			if len(told.Accepted)+len(told.Parked) != 0 || !told.Again || told.Retry != nil || told.Stop != nil {
				t.Fatalf("the first request: got %+v, want that there is more to ask", told)
			}
			if n := len(c.Regulations()); n != 0 {
				t.Errorf("%d regulations before it was told, want one request each time", n)
			}
			var calls []string
			for _, text := range c.Batches()[1].Events {
				var said struct {
					Type, Event, UserID string
					Context             struct {
						Consent struct {
							Categories map[string]bool `json:"categoryPreferences"`
						}
					}
				}
				if err := json.Unmarshal(text, &said); err != nil {
					t.Fatal(err)
				}
				calls = append(calls, said.Type+" "+said.Event)
				if cats := said.Context.Consent.Categories; said.UserID != string(person) || len(cats) != 2 || cats["visit_frequency"] || cats["contact_zalo"] {
					t.Errorf("got %s", text)
				}
			}
			if want := []string{"track Person Erased", "identify "}; !slices.Equal(calls, want) {
				t.Errorf("calls %q, want %q and nothing else", calls, want)
			}
			done := sink.Send(t.Context(), events, sending)
			if !slices.Equal(done.Accepted, ids(events[:1])) || done.Again || done.Retry != nil || done.Stop != nil {
				t.Errorf("the second request: got %+v, want the erasure accepted", done)
			}
			regs := c.Regulations()
			if len(regs) != 1 || !slices.Equal(regs[0].Users, []string{string(person)}) || !strings.EqualFold(regs[0].Type, "suppress_with_delete") {
				t.Errorf("regulations: %+v", regs)
			}
			if !c.Suppressed(string(person)) || len(c.Events()) != 0 {
				t.Errorf("the platform still has %d events", len(c.Events()))
			}
		})
	}
}

func TestSeveralErasuresAreOneRegulation(t *testing.T) {
	c := platform(world.Segment)
	sink := eraser(t, c)
	events := []hien.Event{erasure(t, 1), erasure(t, 2), erasure(t, 3)}
	if d := sink.Send(t.Context(), events[:1], sending); !d.Again {
		t.Fatalf("got %+v", d)
	}
	if d := sink.Send(t.Context(), events, sending); !d.Again { // two more have come meanwhile
		t.Fatalf("got %+v", d)
	}
	if d := sink.Send(t.Context(), events, sending); len(d.Accepted) != 3 {
		t.Fatalf("got %+v", d)
	}
	if n := len(c.Regulations()); n != 1 {
		t.Errorf("%d regulations, want one", n)
	}
	for _, e := range events {
		if n := c.Deliveries(string(e.ID())); n != 1 {
			t.Errorf("erasure %s was told %d times", e.ID(), n)
		}
	}
}

func TestAnErasureThatIsNotTakenStaysAtTheHead(t *testing.T) {
	says := func(status int, body string) world.RegulationScript {
		return func(w http.ResponseWriter, _ []byte) bool {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			w.Write([]byte(body))
			return true
		}
	}
	for _, test := range []struct {
		name   string
		script world.RegulationScript
		stops  bool
	}{
		{"the token is wrong", says(403, `{"errors":[{"type":"forbidden","message":"no `+world.DefaultEraseToken+`"}]}`), true},
		{"there is nothing", says(404, ""), true},
		{"the ids are refused", says(422, `{"errors":[{"type":"validation-failure"}]}`), true},
		{"it is a page and no API", says(200, "<html>welcome</html>"), true},
		{"it is another API", says(200, `{"ok":true}`), true},
		{"it is throttled", says(429, ""), false},
		{"it is in trouble", says(503, ""), false},
		{"it hangs up", func(http.ResponseWriter, []byte) bool { panic(http.ErrAbortHandler) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := platform(world.Segment)
			sink := eraser(t, c)
			events := append([]hien.Event{erasure(t, 70)}, visits(t, 2)...)
			c.NextRegulation(test.script)
			sink.Send(t.Context(), events, sending)
			d := sink.Send(t.Context(), events, sending)
			if len(d.Accepted)+len(d.Parked) != 0 || (d.Stop != nil) != test.stops || (d.Retry != nil) == test.stops {
				t.Fatalf("got %+v, want stop %t", d, test.stops)
			}
			if err := errors.Join(d.Stop, d.Retry); strings.Contains(err.Error(), world.DefaultEraseToken) {
				t.Errorf("the token is in %q", err)
			}
			if strings.Contains(test.name, "throttled") && d.After != 7*time.Second {
				t.Errorf("after %v, want 7s", d.After)
			}
			if n := len(c.Events()); n != 2 { // the two calls of the erasure
				t.Errorf("%d events went past the erasure", n-2)
			}
			if d := sink.Send(t.Context(), events, sending); len(d.Accepted) != 1 {
				t.Errorf("when it is well again: got %+v", d)
			}
		})
	}
}

func TestWhoConsentsAnewIsTakenAgain(t *testing.T) {
	c := platform(world.Segment)
	sink := eraser(t, c)
	out := []hien.Event{erasure(t, 80)}
	sink.Send(t.Context(), out, sending)
	sink.Send(t.Context(), out, sending)
	back := []hien.Event{event(t, 81, hien.ConsentChanged, consent.VisitFrequency, happened, hien.Facts{Anew: true}, given(t, consent.VisitFrequency)),
		event(t, 82, hien.LeadGiven, consent.VisitFrequency, happened, hien.Facts{}, given(t, consent.VisitFrequency))}
	if d := sink.Send(t.Context(), back, sending); !d.Again || len(d.Accepted) != 0 {
		t.Fatalf("got %+v, want that she is let in first", d)
	}
	if c.Suppressed(string(person)) {
		t.Error("she is still kept out")
	}
	if d := sink.Send(t.Context(), back, sending); len(d.Accepted) != 2 || len(c.Events()) != 2 {
		t.Errorf("got %+v, and the platform has %d events", d, len(c.Events()))
	}
	if n := len(c.Regulations()); n != 2 {
		t.Errorf("%d regulations, want two", n)
	}
}

// What is left of a consent that was in part taken back before it was sent lets
// her in all the same, and each event is told of once.
func TestWhoConsentsAnewAndTakesAPartBackIsTakenAgain(t *testing.T) {
	stands := given(t, consent.VisitFrequency, consent.ContactZalo).Without(consent.VisitFrequency)
	withdrawn := event(t, 81, hien.Withdrawn, "", happened, hien.Facts{Anew: true, Withdrawn: []consent.Purpose{consent.VisitFrequency}}, stands)
	lead := event(t, 82, hien.LeadGiven, consent.ContactZalo, happened, hien.Facts{Anew: true}, stands)
	later := event(t, 83, hien.LeadGiven, consent.ContactZalo, happened, hien.Facts{}, stands)
	for name, left := range map[string][]hien.Event{
		"with the withdrawal":          {withdrawn, lead},
		"the lead alone":               {lead},
		"all, and a consent once more": {withdrawn, later},
	} {
		t.Run(name, func(t *testing.T) {
			c := platform(world.Segment)
			sink := eraser(t, c)
			out := []hien.Event{erasure(t, 80)}
			sink.Send(t.Context(), out, sending)
			sink.Send(t.Context(), out, sending)
			if !c.Suppressed(string(person)) {
				t.Fatal("she is not kept out, so nothing is tried here")
			}
			if d := sink.Send(t.Context(), left, sending); !d.Again || len(d.Accepted) != 0 {
				t.Fatalf("got %+v, want that she is let in first", d)
			}
			if d := sink.Send(t.Context(), left, sending); len(d.Accepted) != len(left) || len(c.Events()) < len(left) {
				t.Errorf("got %+v, and the platform has %d events", d, len(c.Events()))
			}
			if n := len(c.Regulations()); n != 2 {
				t.Errorf("%d regulations, want two", n)
			}
		})
	}
}

func TestWithoutADeletionAPIAnErasureIsTwoCallsOfABatch(t *testing.T) {
	c := platform(world.Jitsu)
	events := append([]hien.Event{erasure(t, 900)}, visits(t, 99)...)
	d := serve(t, c).Send(t.Context(), events, sending)
	settled(t, d, events)
	if len(d.Accepted) != 99 || len(c.Batches()[0].Events) != 100 {
		t.Errorf("accepted %d, in a batch of %d", len(d.Accepted), len(c.Batches()[0].Events))
	}
}

func TestARefusedSecondCallIsTheErasures(t *testing.T) {
	c := platform(world.Jitsu)
	events := []hien.Event{erasure(t, 91)}
	c.Poison(string(events[0].ID()) + ".2")
	d := serve(t, c).Send(t.Context(), events, sending)
	settled(t, d, events)
	if len(d.Accepted) != 0 || d.Parked[events[0].ID()] == "" {
		t.Errorf("got %+v", d)
	}
}

func TestDeletionOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]cdp.Options{
		"an unknown API": {Regulator: "unomi", RegulatorToken: "t"},
		"no token":       {Regulator: cdp.SegmentRegulations},
		"in the clear":   {Regulator: cdp.SegmentRegulations, RegulatorToken: "t", RegulatorURL: "http://cdp.example"},
	} {
		o.URL, o.WriteKey = "https://cdp.example", key
		if _, err := cdp.New(o); err == nil || !strings.Contains(err.Error(), "erase_") {
			t.Errorf("%s: got %v, want an error that names the option", name, err)
		}
	}
}
