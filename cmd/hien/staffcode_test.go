package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

func TestTheTillShowsEachCode(t *testing.T) {
	gone := errors.New("Hiên is not running")
	said := []struct {
		code control.StaffCode
		err  error
	}{
		{control.StaffCode{Code: "012345", SecondsLeft: 65}, nil},
		{control.StaffCode{Code: "012345", SecondsLeft: 64}, nil},
		{control.StaffCode{}, gone},
		{control.StaffCode{}, gone},
		{control.StaffCode{Code: "678901", SecondsLeft: 300}, nil},
	}
	for _, test := range []struct {
		name string
		till till
		want string
	}{
		{"on a screen", till{screen: true}, "\r  012 345   1:05\x1b[K\r  012 345   1:04\x1b[K" +
			"\r  Hiên is not running\x1b[K\r  Hiên is not running\x1b[K\r  678 901   5:00\x1b[K"},
		{"in a file", till{}, "012 345\nHiên is not running\n678 901\n"},
		{"as JSON", till{json: true}, `{"code":"012345","seconds_left":65}` + "\nHiên is not running\n" + `{"code":"678901","seconds_left":300}` + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ticks := make(chan time.Time, len(said))
			var out strings.Builder
			test.till.out = &out
			n := 0
			err := watchStaffCode(ctx, test.till, func() (control.StaffCode, error) {
				if n == len(said) {
					stop()
					return control.StaffCode{}, ctx.Err()
				}
				n++
				ticks <- time.Time{}
				return said[n-1].code, said[n-1].err
			}, ticks)
			if err != nil || out.String() != test.want {
				t.Errorf("got %v and\n%q, want\n%q", err, out.String(), test.want)
			}
		})
	}
	err := watchStaffCode(t.Context(), till{out: new(strings.Builder)}, func() (control.StaffCode, error) { return control.StaffCode{}, gone }, nil)
	if !errors.Is(err, gone) {
		t.Errorf("without a daemon: %v; want that it is said", err)
	}
}

// till is the code that the shop's till shows.
func (s *shop) till() string {
	s.Helper()
	var code control.StaffCode
	if err := json.Unmarshal([]byte(s.hien("staff-code", "--json")), &code); err != nil {
		s.Fatal(err)
	}
	if len(code.Code) != 6 || code.SecondsLeft < 1 || code.SecondsLeft > 300 {
		s.Fatalf("the till shows %+v", code)
	}
	if shown := s.hien("staff-code"); !strings.Contains(shown, "For guests who ask for the code") {
		s.Errorf("staff-code says: %s", shown)
	}
	return code.Code
}

const staffSender = "config sender 'till'\n\toption type 'staff'\n"

// TestAShopThatSendsNothingAsksAtTheCounter goes the whole way with the till's
// code: no number is asked, and none is kept.
func TestAShopThatSendsNothingAsksAtTheCounter(t *testing.T) {
	terms := everyday
	terms.NoSender, terms.Extra, terms.Purposes = true, staffSender, []string{"visit_frequency"}
	s := openShop(t, world.Options{}, terms)
	p := s.join("p")
	page := s.browses(p)
	form, err := page.Form("/join")
	if err != nil {
		t.Fatal(err)
	}
	if field, err := form.Field("tel"); err == nil {
		t.Errorf("the page asks for a number: %s", field)
	}
	s.pageSays(page, "Mã xác nhận có ở quầy.")
	if err := errors.Join(form.Tick("age", "yes"), form.Tick("purpose", "visit_frequency")); err != nil {
		t.Fatal(err)
	}
	if page, err = form.Send(s.patient(), "/join"); err != nil {
		t.Fatal(err)
	}
	s.pageSays(page, "Xin hỏi mã 6 chữ số tại quầy.")
	if s.online(p) {
		t.Error("the phone is online before the code: nothing travels")
	}
	// The button once more, and a wrong code, change nothing.
	if page, err = form.Send(s.patient(), "/join"); err != nil {
		t.Fatal(err)
	}
	code := s.till()
	if page, err = page.Prove(s.patient(), other(code)); err != nil {
		t.Fatal(err)
	}
	s.pageSays(page, "Xin hỏi lại mã tại quầy.")
	if page, err = page.Prove(s.patient(), code[:3]+" "+code[3:]); err != nil {
		t.Fatal(err)
	}
	if page.Receipt() == "" || !s.online(p) {
		t.Errorf("after the till's code: %s", page.Text())
	}
	if l := s.hien("leads", "--json"); !strings.Contains(l, `"visit_frequency"`) || strings.Contains(l, `"sealed": true`) {
		t.Errorf("leads says: %s", l)
	}
}

// other is a code that is not that one.
func other(code string) string {
	if code == "000000" {
		return "111111"
	}
	return "000000"
}

// TestTheTillsCodeWhereTheSenderFails has a brand's service that refuses: what
// reaches nobody goes on with the till's code, and what reaches a person does
// not.
func TestTheTillsCodeWhereTheSenderFails(t *testing.T) {
	terms := everyday
	terms.NoSender = true
	terms.Extra = "config sender 'brand'\n\toption type 'webhook'\n\toption url 'https://127.0.0.1:9'\n\toption carrier 'Công ty Nhắn tin Mẫu'\n" +
		"\toption secret 'whsec_bWFkZSB1cCBrZXkgb2YgdGhpcnR5LXR3byBieXRlcyE='\n" + staffSender
	s := openShop(t, world.Options{}, terms)
	p := s.join("p")
	page, err := s.browses(p).Give(s.patient(), "0987654321", "contact_zalo", "visit_frequency")
	if err != nil {
		t.Fatal(err)
	}
	s.pageSays(page, "Chưa gửi được mã đến số của bạn.")
	if page, err = s.browses(p).Give(s.patient(), "0987654321", "visit_frequency"); err != nil {
		t.Fatal(err)
	}
	s.pageSays(page, "Xin hỏi mã 6 chữ số tại quầy.")
	if text := page.Text(); strings.Contains(text, "21") {
		t.Errorf("the page shows a part of a number that nobody proved: %s", text)
	}
	if page, err = page.Prove(s.patient(), s.till()); err != nil {
		t.Fatal(err)
	}
	if page.Receipt() == "" || !s.online(p) {
		t.Errorf("after the till's code: %s", page.Text())
	}
}

func TestAShopWithoutATill(t *testing.T) {
	s := openShop(t, world.Options{}, everyday)
	out, err := s.Hien(s.patient(), "staff-code")
	if err == nil || !strings.Contains(err.Error()+out, "option type 'staff'") {
		t.Errorf("got %q, %v; want that there is none, and how there would be", out, err)
	}
}
