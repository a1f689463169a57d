package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func post(t *testing.T, h House, path, text string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	NewServer(h, quiet()).handler().ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(text)))
	return w.Code, w.Body.String()
}

func TestWhatIsAskedForAPerson(t *testing.T) {
	var asked PersonOrder
	var fail error
	h := House{People: People{Person: func(_ context.Context, o PersonOrder) (PersonDone, error) {
		asked = o
		return PersonDone{Do: o.Do, Found: true}, fail
	}}}
	for _, test := range []struct {
		text string
		fail error
		want int
	}{
		{`{"do":"erase","number":"0912 345 678","who":"lan"}`, nil, 200},
		{`{"do":"withdraw","subject":"s","purposes":["contact_sms"],"request":3,"who":"lan"}`, nil, 200},
		{`{"do":"locate","receipt":"r","who":"lan"}`, nil, 200},
		{`{"do":"sell","number":"0912 345 678","who":"lan"}`, nil, 400},
		{`{"do":"erase","who":"lan"}`, nil, 400},
		{`{"do":"erase","subject":"s","who":"lan\u0000"}`, nil, 400},
		{`{"do":"withdraw","subject":"s","purposes":["everything"],"who":"lan"}`, nil, 400},
		{`{"do":"erase","number":"12","who":"lan"}`, &hien.PhoneError{Reason: hien.PhoneInvalid}, 400},
		{`{"do":"erase","subject":"s","request":9,"who":"lan"}`, hien.ErrNoRequest, 404},
		{`{"do":"erase","subject":"s","request":9,"who":"lan"}`, hien.ErrRequestClosed, 409},
		{`{"do":"erase","subject":"s","who":"lan"}`, hien.ErrClockUnset, 409},
		{`{"do":"erase","subject":"s","who":"lan"}`, errors.New("a full disk"), 500},
	} {
		fail = test.fail
		code, said := post(t, h, "/v1/person", test.text)
		if code != test.want || strings.Contains(said, "0912") {
			t.Errorf("%s: got %d %s, want %d", test.text, code, said, test.want)
		}
	}
	if asked.Who != "lan" || asked.Do != "erase" {
		t.Errorf("asked %+v", asked)
	}
}

func TestHowARequestIsAnswered(t *testing.T) {
	h := House{People: People{Request: func(_ context.Context, o RequestOrder) (Request, error) { return Request{Number: 7, Kind: o.Kind}, nil }}}
	for text, want := range map[string]int{
		`{"kind":"erase","channel":"phone","who":"lan"}`:                                              200,
		`{"number":7,"how":"extend","reason":"chờ bên xử lý","who":"lan"}`:                            200,
		`{"number":7,"how":"extend","reason":"a\nb","who":"lan"}`:                                     400,
		`{"number":7,"how":"refuse","reason":"` + strings.Repeat("x", maxReason+1) + `","who":"lan"}`: 400,
		`{"number":7}`: 400,
	} {
		if code, said := post(t, h, "/v1/request", text); code != want {
			t.Errorf("%.80s: got %d %s, want %d", text, code, said, want)
		}
	}
}

func TestHowPeopleAndRequestsArePrinted(t *testing.T) {
	at := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	open := Request{Number: 7, Kind: "erase", Channel: "phone", Who: "lan", Received: at, AckDue: at.Add(48 * time.Hour), Due: at.Add(20 * 24 * time.Hour), Gone: 85}
	late := open
	late.Number, late.Gone = 6, 120
	done := open
	done.Number, done.Closed, done.Outcome, done.Proof = 5, at.Add(time.Hour), hien.RequestDone, "9-0123"
	extended := open
	extended.Number, extended.Extended, extended.Acked = 4, true, at
	name := PersonName{Subject: "5f0c2a9e4b7d41c38a6e0d9b1f2e3c4d", Stands: []consent.Purpose{"visit_frequency", "contact_zalo"}, Since: at, Visits: 3, Sealed: true}
	var b strings.Builder
	for _, print := range []func() error{
		func() error {
			return WriteRequests(&b, List[Request]{Items: []Request{late, open, extended, done}, Total: 4}, at)
		},
		func() error { return WriteRequests(&b, List[Request]{}, at) },
		func() error { return WriteRequest(&b, open, at) },
		func() error {
			return WritePerson(&b, PersonDone{Do: "locate", Found: true, Names: []PersonName{name}}, at)
		},
		func() error { return WritePerson(&b, PersonDone{Do: "locate", Erased: "2026-11-20"}, at) },
		func() error { return WritePerson(&b, PersonDone{Do: "erase", Found: true, Request: &done}, at) },
		func() error { return WritePerson(&b, PersonDone{Do: "erase", Request: &done}, at) },
		func() error {
			return WritePerson(&b, PersonDone{Do: "withdraw", Found: true, Back: []consent.Purpose{"contact_zalo"}, Request: &done}, at)
		},
		func() error { return WritePerson(&b, PersonDone{Do: "withdraw", Found: true, Request: &done}, at) },
	} {
		if err := print(); err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
	}
	path := filepath.Join("testdata", "person.golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestRequestsThatAreDueAreToldOf(t *testing.T) {
	for gone, want := range map[int]string{10: "All is well.", 80: "soon due", 101: "late"} {
		s := good()
		s.Requests = new(Requests)
		s.Requests.Count(gone)
		s.Conclude(now)
		if !strings.Contains(s.Summary, want) {
			t.Errorf("%d %%: %q, want %q", gone, s.Summary, want)
		}
		if _, err := json.Marshal(s); err != nil {
			t.Error(err)
		}
	}
}
