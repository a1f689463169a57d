package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/accesslog"
	"github.com/hien-wifi/hien/internal/world"
)

// TestTheAccessLog has guests come and go in a shop that must keep a log. What
// is in it only its key opens; who gave a number is no more than a yes in it;
// the notice says that it is kept; and a log that cannot be written costs
// nobody the way in.
func TestTheAccessLog(t *testing.T) {
	seal, unseal, err := hien.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	kept := everyday
	kept.Main = "\toption access_log 'vn_333'\n\toption access_log_key '" + seal.String() + "'\n"
	s := openShop(t, world.Options{Uncounted: true}, kept)
	gives, skips := s.join("gives"), s.join("skips")
	notice, err := skips.NewBrowser("vi").Open(s.patient(), s.Portal()+"notice")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(notice.Text(), "quán giữ nhật ký truy cập mạng trong 12 tháng") {
		t.Errorf("the notice does not say that a log is kept:\n%s", notice.Text())
	}
	s.give(gives, "0987654321")
	if _, err := s.page(skips).Skip(s.patient()); err != nil {
		t.Fatal(err)
	}
	s.awaitStatus("2 sessions are open")
	s.hien("revoke", skips.MAC.String())
	s.awaitStatus("1 session is open")
	s.stop()

	dir := filepath.Join(s.DataDir(), "access")
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files of the log: %v, %v; want one month", files, err)
	}
	var kinds []string
	verified := map[string]bool{}
	found, err := accesslog.Read(files[0], unseal, func(e accesslog.Entry) {
		kinds = append(kinds, e.Kind)
		verified[e.MAC] = verified[e.MAC] || e.Verified
		if len(e.Addrs) == 0 || len(e.WAN) == 0 || e.Zone != "guest" {
			t.Errorf("%+v; want the device's addresses, and the router's", e)
		}
	})
	if err != nil || found.Closed+found.Foreign > 0 || found.Damaged > 0 || !verified[gives.MAC.String()] || verified[skips.MAC.String()] {
		t.Errorf("%+v, %v, verified %v; want two devices, one with a number", found, err, verified)
	}
	if text := strings.Join(kinds, " "); strings.Count(text, "start") != 2 || strings.Count(text, "stop") != 1 {
		t.Errorf("entries: %s; want two beginnings and one end", text)
	}

	// The folder goes, and a file stands in its place.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "")
	s.start()
	late := s.join("late")
	if _, err := s.page(late).Skip(s.patient()); err != nil {
		t.Fatal(err)
	}
	if !s.online(late) {
		t.Error("with a log that cannot be written a guest does not come in")
	}
	s.stop()
}

// awaitStatus waits until the gateway says that of itself.
func (s *shop) awaitStatus(says string) {
	s.Helper()
	for ctx := s.patient(); !strings.Contains(s.hien("status"), says); {
		if ctx.Err() != nil {
			s.Fatalf("the status never says %q:\n%s", says, s.hien("status"))
		}
	}
}
