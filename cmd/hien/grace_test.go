package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

// awaitOffline waits until a phone's pass has ended by itself.
func (s *shop) awaitOffline(p *world.Phone) {
	s.Helper()
	for ctx := s.patient(); s.echoes(p, p.Target.V4) || s.echoes(p, p.Target.V6); {
		if ctx.Err() != nil {
			s.Fatal("the phone is online for ever")
		}
	}
}

// browses opens a page as a person does who knows nothing of a portal.
func (s *shop) browses(p *world.Phone) *world.Page {
	s.Helper()
	page, err := p.NewBrowser("vi").Open(s.patient(), "http://example.vn/")
	if err != nil {
		s.Fatal(err)
	}
	return page
}

// passOf is what is left of a phone's pass, as the owner sees it.
func (s *shop) passOf(p *world.Phone) time.Duration {
	s.Helper()
	var list control.List[control.Guest]
	if err := json.Unmarshal([]byte(s.hien("guests", "--json", "--full")), &list); err != nil {
		s.Fatal(err)
	}
	for _, g := range list.Items {
		if g.MAC == p.MAC.String() {
			return time.Duration(g.PassLeft) * time.Second
		}
	}
	s.Fatalf("%s is not among the guests", p.Name)
	return 0
}

// TestAPhoneWhoseSheetWasClosedComesBackToTheCode gives a number and closes the
// sheet: the phone is online meanwhile, the portal comes back when that ends,
// and it asks for the same code.
func TestAPhoneWhoseSheetWasClosedComesBackToTheCode(t *testing.T) {
	eachBackend(t, func(t *testing.T, _ string, terms world.Terms) {
		s := openShop(t, world.Options{}, zoned(terms, "option grace '8s'"))
		p := s.join("p")
		mark := s.Daemon.Mark()
		page, err := s.browses(p).Give(s.patient(), "0987654321")
		if err != nil {
			t.Fatal(err)
		}
		s.pageSays(page, "Trong lúc chờ mã, bạn có mạng")
		if !s.online(p) {
			t.Error("the phone is not online while its code travels")
		}
		// iOS looks after a full page, and offers to close the sheet without
		// leaving the network.
		if !p.Online(s.patient(), apple) {
			t.Error("the phone's probe says that it is captive still")
		}
		code, err := s.Code(s.patient(), p.MAC, mark)
		if err != nil {
			t.Fatal(err)
		}
		// Whoever opens the portal meanwhile finds the code's page.
		s.pageSays(s.page(p), "số có đuôi 21")

		s.awaitOffline(p)
		page = s.browses(p)
		if page.URL.Path != "/" || page.Heading() != "Xin nhập mã xác nhận" {
			t.Fatalf("after the grace pass the phone is at %s: %s", page.URL, page.Text())
		}
		s.pageSays(page, "số có đuôi 21")
		if strings.Contains(string(page.Body), "98765") {
			t.Error("the page shows the number")
		}
		if page, err = page.Prove(s.patient(), code); err != nil {
			t.Fatal(err)
		}
		if page.Receipt() == "" || !s.online(p) {
			t.Errorf("after the code: %s", page.Text())
		}
		if left := s.passOf(p); left < everyday.Pass-time.Minute {
			t.Errorf("the pass lasts %v; want a whole one", left)
		}

		// The other answer makes it a whole pass just as well, while it holds.
		other := s.join("other")
		if page, err = s.browses(other).Give(s.patient(), "0987654322"); err != nil {
			t.Fatal(err)
		}
		if _, err = page.Skip(s.patient()); err != nil {
			t.Fatal(err)
		}
		if left := s.passOf(other); left < everyday.Pass-time.Minute || !s.online(other) {
			t.Errorf("gone on without, the pass lasts %v; want a whole one", left)
		}

		// Nobody needs the daemon for it to end, and a daemon that comes back
		// asks for the number again, which only its memory could read.
		third := s.join("third")
		if _, err = s.browses(third).Give(s.patient(), "0987654323"); err != nil {
			t.Fatal(err)
		}
		s.Daemon.Kill()
		if !s.online(third) {
			t.Error("the phone was cut off by the daemon's end")
		}
		s.awaitOffline(third)
		s.start()
		if page = s.page(third); !strings.Contains(string(page.Body), `name="phone"`) {
			t.Errorf("after a crash the phone is shown: %s", page.Text())
		}
		if !s.online(p) || s.online(third) {
			t.Error("a daemon that came back let in whom it should not, or not whom it should")
		}
	})
}
