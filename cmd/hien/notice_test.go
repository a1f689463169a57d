package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
)

// TestADamagedPolicyStopsTheAskingNeverTheAccess damages the owner's policy,
// looks at the shop, and mends it.
func TestADamagedPolicyStopsTheAskingNeverTheAccess(t *testing.T) {
	terms := everyday
	terms.Main = "\toption policy_file '/nowhere.json'\n"
	s := newShop(t, world.Options{}, terms)
	good, err := os.ReadFile("../../consent/policies/vn-2026.json")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Dir, "policy.json")
	write(t, file, string(good[:len(good)/2]))
	terms.Main = "\toption policy_file '" + file + "'\n"
	if err := s.Configure(terms); err != nil {
		t.Fatal(err)
	}
	s.hien("config", "check") // it is a warning, and no more
	s.start()

	st := ask[control.Status](s, "status")
	if !strings.HasPrefix(st.Summary, "Nothing is asked, and guests come in all the same: policy_file "+file) || len(st.Todo) != 2 {
		t.Errorf("status: %s\n%s", st.Summary, strings.Join(st.Todo, "\n"))
	}
	p := s.join("p")
	page, err := p.NewBrowser("vi").Open(s.patient(), "http://example.vn/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := page.Form("/join"); err == nil {
		t.Error("half a policy asks for something")
	}
	if _, err := page.Skip(s.patient()); err != nil || !s.online(p) {
		t.Fatalf("a guest does not come in: %v", err)
	}

	write(t, file, string(good))
	s.hien("reload")
	if st := ask[control.Status](s, "status"); st.Summary != "All is well." {
		t.Errorf("with the policy mended: %s", st.Summary)
	}
	q := s.join("q")
	if page := s.give(q, "0987654321"); page.Receipt() == "" || !s.online(q) {
		t.Errorf("with the policy mended nothing can be given: %s", page.Text())
	}
}
