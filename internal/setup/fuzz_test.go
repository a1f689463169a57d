package setup_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/setup"
)

// FuzzPlan is a router whose files anybody may have written: they are left as
// they are with a reason, or what was in them stays to the byte.
func FuzzPlan(f *testing.F) {
	for _, name := range routers {
		r := readRouter(f, name)
		f.Add(r.Files["network"], r.Files["wireless"], r.Files["dhcp"], r.Files["firewall"], r.Files["hien"])
	}
	f.Add([]byte("config interface 'hien_guest'\n\tlist ipaddr '10.9.0.1/33'\n\toption netmask '255.0.255.0'\nconfig route\n\toption target '0.0.0.0/0'\n"),
		[]byte("config wifi-device 'radio0' ; option hwmode 11a\nconfig wifi-iface 'hien_guest_radio0'\n"), []byte("config dhcp 'hien_guest'\n"),
		[]byte("config zone\n\toption name 'wan'\n\toption masq 1\nconfig zone 'hien_guest'\n"), []byte("config zone 'a'\n"))
	f.Fuzz(func(t *testing.T, network, wireless, dhcp, firewall, hien []byte) {
		r := &setup.Router{OpenWrt: true, FW4: true, CanOWE: true, Files: map[string][]byte{
			"network": network, "wireless": wireless, "dhcp": dhcp, "firewall": firewall, "hien": hien,
		}}
		q, err := r.Ask()
		if err != nil {
			return
		}
		o := setup.NewOwner(strings.NewReader(""), new(strings.Builder), setup.English, true)
		if err := o.Answer(t.Context(), q, map[string]string{"store-name": "Quán"}); err != nil {
			return
		}
		q.NewSeal = q.SealKey == ""
		p, err := r.Plan(q.Answers)
		if err != nil {
			return
		}
		setup.CommandLines(p.Changes)
		edited, err := setup.Edit(r.Files, p.Changes)
		if err != nil {
			return // it says so rather than to change anything else
		}
		had := false
		for file, text := range r.Files {
			had = had || file != "hien" && bytes.Contains(text, []byte("hien_"))
		}
		if had {
			return // sections of ours are changed where they stand
		}
		done := *r
		done.Files = maps.Clone(r.Files)
		maps.Copy(done.Files, edited)
		for _, file := range routerFiles {
			if !bytes.HasPrefix(done.Files[file], r.Files[file]) {
				t.Fatalf("%s was touched: %q became %q", file, r.Files[file], done.Files[file])
			}
		}
		back, err := done.Undo()
		if err != nil {
			t.Fatal(err)
		}
		undone, err := setup.Edit(done.Files, back.Changes)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range routerFiles {
			if text, changed := undone[file]; changed && !bytes.Equal(text, r.Files[file]) {
				t.Fatalf("%s after undo: %q, want %q", file, text, r.Files[file])
			}
		}
	})
}
