package setup_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/setup"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// readRouter reads a router of testdata, in which everything is as on a fresh one.
func readRouter(t testing.TB, name string) *setup.Router {
	t.Helper()
	r := &setup.Router{OpenWrt: true, FW4: !strings.Contains(name, "fw3"), CanOWE: true, Files: make(map[string][]byte)}
	for _, file := range []string{"network", "wireless", "dhcp", "firewall", "hien"} {
		text, err := os.ReadFile(filepath.Join("testdata", name, file))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Files[file] = text
	}
	return r
}

var routers = []string{"19.07-fw3", "22.03-two-radios", "23.05-switch-one-radio", "24.10-x86-no-wifi", "25.12-own-guests"}

// answers are those of an owner who answers what is given and otherwise takes
// what is proposed.
func answers(t testing.TB, r *setup.Router, given map[string]string) setup.Answers {
	t.Helper()
	q, err := r.Ask()
	if err != nil {
		t.Fatal(err)
	}
	o := setup.NewOwner(strings.NewReader(""), new(strings.Builder), setup.English, true)
	if err := o.Answer(context.Background(), q, given); err != nil {
		t.Fatal(err)
	}
	return q.Answers
}

// sealed are answers with a key in the place of one that is to be made.
func sealed(a setup.Answers) setup.Answers {
	if a.NewSeal {
		a.SealKey = "hien-seal-1:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	}
	return a
}

// after are all files of a router, with changes made.
func after(t testing.TB, r *setup.Router, changes []setup.Change) *setup.Router {
	t.Helper()
	edited, err := setup.Edit(r.Files, changes)
	if err != nil {
		t.Fatal(err)
	}
	changed := *r
	changed.Files = maps.Clone(r.Files)
	maps.Copy(changed.Files, edited)
	return &changed
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got), rewrite with -update:\n%s", path, d)
	}
}

// stories are what owners of the routers in testdata want.
var stories = []struct {
	name, router string
	given        map[string]string
}{
	{"19.07-fw3", "19.07-fw3", map[string]string{"store-name": "Quán Bảy"}},
	{"22.03-two-radios", "22.03-two-radios", map[string]string{"store-name": "Tạp hóa Ba Mươi", "radios": "all", "owe": "no"}},
	{"22.03-one-of-two-radios-owe", "22.03-two-radios", map[string]string{"store-name": "Tạp hóa Ba Mươi", "radios": "radio0", "owe": "có", "network": "192.168.70.1/24"}},
	{"23.05-switch-one-radio", "23.05-switch-one-radio", map[string]string{"store-name": "Sạp Cô Tư", "purposes": "1,4", "seal-key": "new", "sender": "log"}},
	{"24.10-x86-asks", "24.10-x86-no-wifi", map[string]string{"store-name": "Khách sạn", "purposes": "1", "sender": "staff", "controller-name": "Công ty Mẫu", "controller-address": "1 Đường Mẫu", "controller-tax-id": "0000000001", "controller-contact": "dpo@shop.example"}},
	{"24.10-x86-no-wifi", "24.10-x86-no-wifi", map[string]string{"store-name": "Khách sạn", "store-id": "ks-01"}},
	{"25.12-own-guests-kept", "25.12-own-guests", map[string]string{"store-name": "Quan", "interface": "br-guest"}},
	{"25.12-own-guests-beside", "25.12-own-guests", map[string]string{"store-name": "Quan"}},
	{"25.12-without-zone", "25.12-own-guests", map[string]string{"store-name": "Quan", "interface": "staff", "ssid": "Quan 2", "radios": "radio1"}},
}

func TestDryRun(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			r := readRouter(t, s.router)
			p, err := r.Plan(answers(t, r, s.given))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, line := range setup.CommandLines(p.Changes) {
				fmt.Fprintln(&b, line)
			}
			for _, l := range []setup.Language{setup.English, setup.Vietnamese} {
				for _, n := range p.Notes {
					fmt.Fprintf(&b, "# %s\n", n.In(l))
				}
			}
			golden(t, s.name, b.String())
		})
	}
}

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	for _, s := range stories {
		r := readRouter(t, s.router)
		a := sealed(answers(t, r, s.given))
		p, err := r.Plan(a)
		if err != nil {
			t.Fatal(err)
		}
		text := after(t, r, p.Changes).Files["hien"]
		cfg, err := config.Parse("hien", strings.NewReader(string(text)))
		if err != nil {
			t.Fatalf("%s: %v\n%s", s.name, err, text)
		}
		if !cfg.Enabled || cfg.Zones[0].Interface != p.Device || cfg.StoreID != a.StoreID || !slices.Equal(cfg.Zones[0].Purposes, a.Purposes) {
			t.Errorf("%s: got %+v, want what was answered: %+v", s.name, cfg, a)
		}
	}
}

func TestTheSameAgainChangesNothing(t *testing.T) {
	for _, s := range stories {
		r := readRouter(t, s.router)
		p, err := r.Plan(sealed(answers(t, r, s.given)))
		if err != nil {
			t.Fatal(err)
		}
		done := after(t, r, p.Changes)
		// What was answered is what is proposed now.
		again, err := done.Plan(answers(t, done, nil))
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if len(again.Changes) > 0 {
			t.Errorf("%s: a second setup would change %v", s.name, setup.CommandLines(again.Changes))
		}
	}
}

// TestWhoCarriesCodesIsNamedFirst has the brand's service configured: without
// a name for it nothing is asked (R-CON-4).
func TestWhoCarriesCodesIsNamedFirst(t *testing.T) {
	for more, want := range map[string]bool{"": true, "\toption carrier 'Bên Gửi Mẫu'\n": false} {
		r := readRouter(t, "25.12-own-guests")
		r.Files["hien"] = append(r.Files["hien"], "\nconfig sender 'brand'\n\toption type 'webhook'\n"+more...)
		p, err := r.Plan(answers(t, r, map[string]string{"store-name": "Quan", "purposes": "1"}))
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(p.Notes, func(n setup.Note) bool { return strings.Contains(n.In(setup.English), "option carrier") }); got != want {
			t.Errorf("with %q it is said that the carrier has no name: %v, want %v", more, got, want)
		}
	}
}

func TestUndoLeavesTheFilesAsTheyWere(t *testing.T) {
	for _, s := range stories {
		r := readRouter(t, s.router)
		p, err := r.Plan(sealed(answers(t, r, s.given)))
		if err != nil {
			t.Fatal(err)
		}
		done := after(t, r, p.Changes)
		back, err := done.Undo()
		if err != nil {
			t.Fatal(err)
		}
		undone := after(t, done, back.Changes)
		for _, file := range []string{"network", "wireless", "dhcp", "firewall"} {
			if d := cmp.Diff(string(r.Files[file]), string(undone.Files[file])); d != "" {
				t.Errorf("%s: %s is not as it was (-was +is):\n%s", s.name, file, d)
			}
		}
		if cfg, err := config.Parse("hien", strings.NewReader(string(undone.Files["hien"]))); err != nil || cfg.Enabled {
			t.Errorf("%s: Hiên is not switched off: %v", s.name, err)
		}
		if again, err := undone.Undo(); err != nil || len(again.Changes) > 0 {
			t.Errorf("%s: a second undo would change %v, %v", s.name, again, err)
		}
	}
}

func TestAnotherAnswerChangesOnlyThat(t *testing.T) {
	r := readRouter(t, "22.03-two-radios")
	first := map[string]string{"store-name": "Ba Mươi", "radios": "all", "owe": "yes"}
	p, err := r.Plan(answers(t, r, first))
	if err != nil {
		t.Fatal(err)
	}
	done := after(t, r, p.Changes)
	p, err = done.Plan(answers(t, done, map[string]string{"ssid": "Khách", "radios": "radio1", "owe": "no", "purposes": "visit_frequency"}))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(setup.CommandLines(p.Changes), "\n")
	want := strings.Join([]string{
		"uci delete wireless.hien_owe_radio1",
		"uci delete wireless.hien_owe_radio0",
		"uci delete wireless.hien_guest_radio0",
		"uci set wireless.hien_guest_radio1.ssid='Khách'",
		"uci delete wireless.hien_guest_radio1.ifname",
		"uci delete wireless.hien_guest_radio1.owe_transition_ifname",
		"uci commit wireless",
		"uci add_list hien.guest.purpose='visit_frequency'",
		"uci commit hien",
	}, "\n")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
}

func TestRefusals(t *testing.T) {
	section := func(file, text string) func(r *setup.Router) {
		return func(r *setup.Router) { r.Files[file] = append(slices.Clone(r.Files[file]), text...) }
	}
	for _, c := range []struct {
		name   string
		router string
		change func(r *setup.Router)
		want   func(a *setup.Answers)
		says   string
	}{
		{"a file that cannot be read", "22.03-two-radios", section("network", "conf x\n"), nil, "/etc/config/network:37: unknown command"},
		{"changes that were not saved", "22.03-two-radios", func(r *setup.Router) { r.Unsaved = []string{"wireless"} }, nil, "uci commit wireless"},
		{"a router without a firewall", "22.03-two-radios", func(r *setup.Router) { delete(r.Files, "firewall") }, nil, "it is not the shop's router"},
		{"an access point behind the router", "22.03-two-radios", func(r *setup.Router) {
			r.Files["firewall"] = []byte("config zone\n\toption name 'lan'\n\tlist network 'lan'\n")
		}, nil, "no zone wan"},
		{"the shop's own network", "25.12-own-guests", nil, func(a *setup.Answers) { a.Interface = "br-lan" }, "br-lan is the shop's own network"},
		{"the way to the internet", "25.12-own-guests", nil, func(a *setup.Answers) { a.Interface = "eth1" }, "eth1 is how the shop reaches the internet"},
		{"a network that shares its zone", "25.12-own-guests", func(r *setup.Router) {
			r.Files["firewall"] = []byte(strings.Replace(string(r.Files["firewall"]), "list network 'guest'", "list network 'guest'\n\tlist network 'staff'", 1))
		}, func(a *setup.Answers) { a.Interface = "br-guest" }, "shares the firewall zone guest with other networks (guest, staff)"},
		{"a network that is none", "25.12-own-guests", nil, func(a *setup.Answers) { a.Interface = "br-x" }, "want new for one of their own, or one of these: br-guest, br-staff"},
		{"an address of the shop's own network", "22.03-two-radios", nil, func(a *setup.Answers) { a.Network = netip.MustParsePrefix("192.168.0.1/16") }, "192.168.0.0/16 overlaps with 192.168.1.0/24"},
		{"an address of the provider's", "22.03-two-radios", func(r *setup.Router) { r.Networks = []netip.Prefix{netip.MustParsePrefix("100.72.1.9/20")} },
			func(a *setup.Answers) { a.Network = netip.MustParsePrefix("100.72.0.1/22") }, "overlaps with 100.72.0.0/20"},
		{"an address of the internet", "22.03-two-radios", nil, func(a *setup.Answers) { a.Network = netip.MustParsePrefix("203.0.113.1/24") }, "203.0.113.1/24 does not do"},
		{"the network's own address", "22.03-two-radios", nil, func(a *setup.Answers) { a.Network = netip.MustParsePrefix("10.9.0.0/24") }, "10.9.0.0/24 does not do"},
		{"the network's last address", "22.03-two-radios", nil, func(a *setup.Answers) { a.Network = netip.MustParsePrefix("10.9.0.255/24") }, "10.9.0.255/24 does not do"},
		{"a network for three", "22.03-two-radios", nil, func(a *setup.Answers) { a.Network = netip.MustParsePrefix("10.9.0.1/29") }, "10.9.0.1/29 does not do"},
		{"an address of IPv6", "22.03-two-radios", nil, func(a *setup.Answers) { a.Network = netip.MustParsePrefix("fd00::1/64") }, "does not do"},
		{"no address", "22.03-two-radios", nil, func(a *setup.Answers) { a.Network = netip.Prefix{} }, "Say one with --network"},
		{"a bridge of our name", "22.03-two-radios", section("network", "config device\n\toption name 'br-hien'\n\toption type 'bridge'\n"), nil, "another network interface called br-hien"},
		{"an interface on it", "22.03-two-radios", section("network", "config interface 'x'\n\toption proto 'static'\n\toption device 'br-hien'\n"), nil, "another network interface called br-hien"},
		{"one that somebody has made by hand", "22.03-two-radios", func(r *setup.Router) { r.Links = []string{"br-hien"} }, nil, "another network interface called br-hien"},
		{"a section of our name and another type", "22.03-two-radios", section("firewall", "config rule 'hien_include'\n"), nil, "/etc/config/firewall has a section called hien_include of another type (rule)"},
		{"a zone of our name", "22.03-two-radios", section("firewall", "config zone\n\toption name 'hien'\n"), nil, "another zone called hien"},
		{"a pool for our network", "22.03-two-radios", section("dhcp", "config dhcp\n\toption interface 'hien_guest'\n"), nil, "another section for the network hien_guest"},
		{"the name of the shop's own WiFi", "22.03-two-radios", nil, func(a *setup.Answers) { a.SSID = "Tap Hoa Ba Muoi" }, "The shop's own WiFi is called \"Tap Hoa Ba Muoi\" already"},
		{"a WiFi's name that is too long", "22.03-two-radios", nil, func(a *setup.Answers) { a.SSID = "Tạp hóa nhà ông Ba Mươi Hai" }, "1 to 32 bytes"},
		{"a radio that there is not", "22.03-two-radios", nil, func(a *setup.Answers) { a.Radios = []string{"radio2"} }, "no WiFi device radio2"},
		{"a radio twice", "22.03-two-radios", nil, func(a *setup.Answers) { a.Radios = []string{"radio0", "radio0"} }, "no WiFi device radio0, or it was named twice"},
		{"no radio", "22.03-two-radios", nil, func(a *setup.Answers) { a.Radios = nil }, "On which WiFi device? There are radio0, radio1"},
		{"a WiFi without radios", "24.10-x86-no-wifi", nil, func(a *setup.Answers) { a.SSID = "x" }, "This router has no WiFi"},
		{"encryption that the router cannot do", "22.03-two-radios", func(r *setup.Router) { r.CanOWE = false }, func(a *setup.Answers) { a.OWE = true }, "it needs the whole wpad"},
		{"no name", "22.03-two-radios", nil, func(a *setup.Answers) { a.StoreName = " " }, "1 to 64 characters"},
		{"an id that is none", "22.03-two-radios", nil, func(a *setup.Answers) { a.StoreID = "Quán" }, "The short name has 1 to 32"},
		{"a purpose without the key that it needs", "22.03-two-radios", nil, func(a *setup.Answers) { a.Purposes = []consent.Purpose{consent.ContactZalo} }, "--seal-key new for a new pair"},
		{"a key that is none", "22.03-two-radios", nil, func(a *setup.Answers) { a.SealKey = "x" }, "A seal key is hien-seal-1:"},
		{"a configuration of several zones", "22.03-two-radios", func(r *setup.Router) {
			r.Files["hien"] = []byte("config hien 'main'\nconfig zone 'a'\n\toption interface 'x'\nconfig zone 'b'\n\toption interface 'y'\n")
		}, nil, "several zones already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := readRouter(t, c.router)
			a := answers(t, r, map[string]string{"store-name": "Quán"})
			if c.change != nil {
				c.change(r)
			}
			if c.want != nil {
				c.want(&a)
			}
			p, err := r.Plan(a)
			if err == nil {
				t.Fatalf("got %v, want an error", setup.CommandLines(p.Changes))
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want %q in it", err, c.says)
			}
			if vi := setup.Vietnamese.Words(err); vi == err.Error() {
				t.Errorf("not said in Vietnamese: %s", vi)
			}
		})
	}
}

func TestNotes(t *testing.T) {
	for _, c := range []struct {
		name, router string
		file         string
		old, new     string // what of the file becomes what
		given        map[string]string
		says         string
	}{
		{"a network without addresses", "25.12-own-guests", "dhcp", "leasetime '2h'", "ignore '1'", map[string]string{"interface": "br-guest"}, "gives no addresses on br-guest"},
		{"a WiFi in which guests reach each other", "25.12-own-guests", "", "", "", map[string]string{"interface": "br-guest"}, `On the WiFi "Quan - khach"`},
		{"a zone that is open", "25.12-own-guests", "", "", "", map[string]string{"interface": "br-guest"}, "The firewall zone guest lets guests reach this router itself"},
		{"a radio that is off", "22.03-two-radios", "", "", "", nil, "radio1 (5 GHz) is switched off"},
		{"no WiFi", "22.03-two-radios", "", "", "", map[string]string{"ssid": "none"}, "No WiFi is made for guests"},
		{"nobody who answers for the data", "22.03-two-radios", "", "", "", map[string]string{"purposes": "1"}, "until the settings have: controller_name, controller_address, controller_tax_id, controller_contact."},
		{"data that goes to nobody by name", "22.03-two-radios", "hien", "config hien 'main'", "config sink 'cdp'\n\toption type 'segment'\n\toption url 'https://cdp.example'\n\toption write_key 'k'\n\nconfig hien 'main'",
			map[string]string{"purposes": "1", "controller-name": "Công ty Mẫu", "controller-address": "1 Đường Mẫu", "controller-tax-id": "0000000001", "controller-contact": "dpo@shop.example"}, "until the settings have: recipient."},
		{"another name for machines", "22.03-two-radios", "hien", "store_id 'shop'", "store_id 'b'", map[string]string{"store-id": "c"}, "The shop's short name was b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := readRouter(t, c.router)
			if c.file != "" {
				r.Files[c.file] = []byte(strings.Replace(string(r.Files[c.file]), c.old, c.new, 1))
			}
			given := map[string]string{"store-name": "Quán"}
			maps.Copy(given, c.given)
			p, err := r.Plan(answers(t, r, given))
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, n := range p.Notes {
				said = append(said, n.In(setup.English))
			}
			if !strings.Contains(strings.Join(said, "\n"), c.says) {
				t.Errorf("got %q, want %q in it", said, c.says)
			}
			for _, change := range p.Changes {
				if c.given["interface"] != "" && change.File == "dhcp" {
					t.Errorf("the network has its addresses, and %v", change)
				}
			}
		})
	}
}
