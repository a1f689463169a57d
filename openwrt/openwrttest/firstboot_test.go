package openwrttest

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	network = "/usr/libexec/hien/network"
	wishes  = "/usr/share/hien/first-boot"
	done    = "/etc/hien.first-boot"
)

// firstBoot is what a flashed image does: uci-defaults before the network is
// up, then the services.
func (r *router) firstBoot(lines ...string) {
	r.t.Helper()
	r.write(wishes, strings.Join(lines, "\n")+"\n")
	r.mustRun("/bin/apply-uci-defaults")
}

// others are the sections of a file that are not Hiên's.
func others(all map[string]string) map[string]string {
	rest := map[string]string{}
	for name, text := range all {
		if !strings.HasPrefix(name, "hien_") {
			rest[name] = text
		}
	}
	return rest
}

// untouched holds that a router's own sections are as they are on another.
func (r *router) untouched(before *router) {
	r.t.Helper()
	for _, name := range configs {
		if !r.there("/etc/config/" + name) {
			continue
		}
		if diff := cmp.Diff(others(before.config(name)), others(r.config(name))); diff != "" {
			r.t.Errorf("sections of /etc/config/%s that are not Hiên's: -before +after\n%s", name, diff)
		}
	}
}

func TestFirstBoot(t *testing.T) {
	for _, c := range []struct {
		name   string
		router func(*router)
		wishes []string
	}{
		{"first-boot", func(*router) {}, []string{"ssid=Quán 'Hiên' \\ \"số 1\" #", "store_id=hcm-q1-01", "store_name=Quán 'Hiên'"}},
		{"first-boot-fw3", func(r *router) { r.remove("/sbin/fw4"); r.program("/sbin/fw3", "") }, nil},
		{"first-boot-owe", func(*router) {}, []string{"ssid=Hien", "owe=on"}},
		{"first-boot-no-radio", func(r *router) { r.write("/etc/config/wireless", "") }, nil},
		{"first-boot-no-wifi-at-all", func(r *router) { r.remove("/etc/config/wireless") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, r := newRouter(t), newRouter(t)
			c.router(before)
			c.router(r)
			r.firstBoot(c.wishes...)
			r.untouched(before)
			golden(t, c.name, r.snapshot())

			if r.there("/etc/uci-defaults/90-hien") {
				t.Error("uci-defaults would run again at each boot")
			}
			again := r.snapshot()
			r.copyTree("../hien/root/etc/uci-defaults", "etc/uci-defaults") // as an upgrade of the system brings it back
			r.mustRun("/bin/apply-uci-defaults")
			if diff := cmp.Diff(again, r.snapshot()); diff != "" {
				t.Errorf("a second run changes something: -once +twice\n%s", diff)
			}
		})
	}
}

func TestFirstBootIsForImagesThatAskForIt(t *testing.T) {
	before, r := newRouter(t), newRouter(t)
	r.mustRun("/bin/apply-uci-defaults")
	if diff := cmp.Diff(before.snapshot(), r.snapshot()); diff != "" {
		t.Errorf("a package on a router that is there already: -before +after\n%s", diff)
	}

	r = newRouter(t)
	r.write(done, "")
	r.firstBoot("ssid=Hien")
	if diff := cmp.Diff(before.snapshot(), r.snapshot()); diff != "" {
		t.Errorf("a router that had its first boot, and whose owner undid it: -before +after\n%s", diff)
	}
}

func TestTheOwnersChangesStay(t *testing.T) {
	r := newRouter(t)
	r.firstBoot("ssid=Hien", "store_id=first")
	for _, set := range []string{"network.hien_guest.ipaddr=10.99.0.1", "wireless.hien_guest_radio0.ssid=Ours", "hien.main.enabled=0", "hien.main.store_id=second"} {
		r.mustRun("/sbin/uci", "set", set)
	}
	r.mustRun("/sbin/uci", "commit")
	want := r.snapshot()
	r.mustRun(network, "first-boot")
	if diff := cmp.Diff(want, r.snapshot()); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
}

var ipaddr = regexp.MustCompile(`config interface 'hien_guest'\n(?:\t.*\n)*\toption ipaddr '([^']*)'`)

func TestTheGuestNetworkTouchesNoOther(t *testing.T) {
	lan := func(text string) func(*router) {
		return func(r *router) {
			r.write("/etc/config/network", r.read("/etc/config/network")+"\n"+text)
		}
	}
	for _, c := range []struct {
		name   string
		router func(*router)
		want   string // empty: none is made
	}{
		{"a fresh router", func(*router) {}, "10.77.0.1"},
		{"the first network is the LAN's", lan("config interface 'x'\n\toption ipaddr '10.77.0.254'\n\toption netmask '255.255.255.0'\n"), "10.78.0.1"},
		{"with the mask behind a slash", lan("config interface 'x'\n\tlist ipaddr '10.77.15.1/24'\n\tlist ipaddr '10.78.1.1/32'\n"), "10.79.0.1"},
		{"beside it", lan("config interface 'x'\n\toption ipaddr '10.77.16.1/24'\n"), "10.77.0.1"},
		{"a company's /8", lan("config interface 'x'\n\toption ipaddr '10.0.0.1'\n\toption netmask '255.0.0.0'\n"), "172.29.0.1"},
		{"a route to a company's /8, and a tunnel", lan("config route 'x'\n\toption target '10.0.0.0/8'\nconfig wireguard_wg0\n\tlist allowed_ips '172.16.0.0/12'\n"), "192.168.208.1"},
		{"an anonymous route with a mask of its own", lan("config route\n\toption interface 'lan'\n\toption target '10.77.0.0'\n\toption netmask '255.255.0.0'\n"), "10.78.0.1"},
		{"all that are tried first", lan("config route 'x'\n\toption target '10.76.0.0/14'\nconfig route 'y'\n\toption target '10.177.0.0/16'\nconfig route 'z'\n\toption target '172.16.0.0/12'\nconfig route 'v'\n\toption target '192.168.0.0/16'\n"), "10.80.0.1"},
		{"a tunnel for everything is no network", lan("config wireguard_wg0\n\tlist allowed_ips '0.0.0.0/0'\n\tlist allowed_ips '::/0'\n"), "10.77.0.1"},
		{"an address without a mask is of a /24", lan("config interface 'x'\n\toption ipaddr '10.77.1.1'\n"), "10.78.0.1"},
		{"words that are no addresses", lan("config interface 'x'\n\toption ipaddr 'dhcp 010.077.0.1 10.77.0 10.77.0.1.1'\n\toption netmask '08'\n"), "10.77.0.1"},
		{"nothing is free", lan("config route 'x'\n\toption target '10.0.0.0/8'\nconfig route 'y'\n\toption target '172.16.0.0/12'\nconfig route 'z'\n\toption target '192.168.0.0/16'\n"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			c.router(r)
			r.firstBoot("ssid=Hien")
			got := ""
			if m := ipaddr.FindStringSubmatch(r.read("/etc/config/network")); m != nil {
				got = m[1]
				at := netip.MustParsePrefix(got + "/20")
				if !at.Addr().IsPrivate() {
					t.Errorf("%s is no private address", got)
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if told := strings.Contains(r.notes(), "is in use: the guest network was not made"); told != (c.want == "") {
				t.Errorf("told that none is free: got %v, want %v", told, c.want == "")
			}
		})
	}
}

func TestTheZoneOfTheInternet(t *testing.T) {
	for _, c := range []struct{ name, change, to, want string }{
		{"is called wan", "", "", "wan"},
		{"has another name, and hides others", "option name 'wan'", "option name 'internet'", "internet"},
		{"is none", "option masq '1'", "option masq '0'", "wan"},
		{"is not known", "option name 'wan'\n\tlist network 'wan'\n\tlist network 'wan6'\n\toption input 'REJECT'\n\toption output 'ACCEPT'\n\toption forward 'REJECT'\n\toption masq '1'", "option name 'x'", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			r.write("/etc/config/firewall", strings.Replace(r.read("/etc/config/firewall"), c.change, c.to, 1))
			r.firstBoot("ssid=Hien")
			forwarding := r.config("firewall")["hien_guest_wan"]
			if c.want == "" {
				if forwarding != "" || !strings.Contains(r.notes(), "guests are forwarded nowhere") {
					t.Errorf("got %q; want none, and a word about it", forwarding)
				}
				return
			}
			if want := "option dest '" + c.want + "'"; !strings.Contains(forwarding, want) {
				t.Errorf("got %q, want %s", forwarding, want)
			}
		})
	}
}

func TestRadiosThatComeLate(t *testing.T) {
	r := newRouter(t)
	late := r.read("/etc/config/wireless")
	one, _, _ := strings.Cut(late, "\nconfig wifi-device 'radio1'")
	r.write("/etc/config/wireless", one)
	r.firstBoot("ssid=Hien")
	r.write("/etc/config/wireless", r.read("/etc/config/wireless")+strings.TrimPrefix(late, one))
	r.switchOn()
	r.notes()

	r.mustRun(service, "boot")
	if all := r.config("wireless"); all["hien_guest_radio0"] == "" || all["hien_guest_radio1"] == "" {
		t.Errorf("got %v, want both radios' networks", all)
	}
	notes := r.notes()
	if i, j := strings.Index(notes, "wifi reload"), strings.Index(notes, "hien gate shut"); i < 0 || j < i {
		t.Errorf("got %s\nwant the radios loaded anew, and then the gate shut", notes)
	}
	if !r.there(done) {
		t.Error("the first boot does not end")
	}
	r.mustRun(service, "boot")
	if notes := r.notes(); strings.Contains(notes, "wifi") {
		t.Errorf("the next boot: got %s", notes)
	}
}

// TestRadiosThatComeAfterTheFirstBoot holds that a boot without a radio does
// not end the search for them, and what does.
func TestRadiosThatComeAfterTheFirstBoot(t *testing.T) {
	boot := func(r *router) { r.mustRun(service, "boot") }
	for _, c := range []struct {
		name      string
		meanwhile func(*router) // behind the first boot, without a radio
		want      bool          // the radio gets the guests' network
	}{
		{"on the second boot", func(*router) {}, true},
		{"on the tenth", func(r *router) {
			for range 8 {
				boot(r)
			}
		}, true},
		{"on the eleventh nobody looks any more", func(r *router) {
			for range 9 {
				boot(r)
			}
		}, false},
		{"behind an upgrade of the system, which runs the first boot's part again", func(r *router) {
			r.mustRun("/sbin/uci", "delete", "firewall.hien_ping")
			r.mustRun("/sbin/uci", "commit", "firewall")
			r.mustRun(network, "first-boot")
			if r.config("firewall")["hien_ping"] != "" {
				r.t.Error("what the owner has deleted was made again")
			}
		}, true},
		{"where all was undone", func(r *router) { r.mustRun(network, "take-back") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			radios := r.read("/etc/config/wireless")
			r.write("/etc/config/wireless", "")
			r.firstBoot("ssid=Hien")
			r.switchOn()
			boot(r)
			c.meanwhile(r)
			r.write("/etc/config/wireless", radios)
			r.notes()

			boot(r)
			if got := r.config("wireless")["hien_guest_radio0"] != "" && r.config("wireless")["hien_guest_radio1"] != ""; got != c.want {
				t.Errorf("the radios have the guests' network: %v, want %v", got, c.want)
			}
			if got := strings.Contains(r.notes(), "wifi reload"); got != c.want {
				t.Errorf("the radios were loaded anew: %v, want %v", got, c.want)
			}

			// It is made once.
			if c.want {
				r.mustRun("/sbin/uci", "delete", "wireless.hien_guest_radio0")
				r.mustRun("/sbin/uci", "commit", "wireless")
			}
			want := r.snapshot()
			boot(r)
			if diff := cmp.Diff(want, r.snapshot()); diff != "" {
				t.Errorf("the boot after it: -before +after\n%s", diff)
			}
			if got := r.read(done); got != "" {
				t.Errorf("the search goes on: %q", got)
			}
		})
	}
}

// TestRadiosAreSwitchedOnAsTheyCame holds that wifi=on brings up no other
// network than the guests', and touches no radio that somebody has set.
func TestRadiosAreSwitchedOnAsTheyCame(t *testing.T) {
	replace := func(old, new string) func(*router) {
		return func(r *router) {
			text := r.read("/etc/config/wireless")
			if !strings.Contains(text, old) {
				r.t.Fatalf("no %q in the wireless configuration", old)
			}
			r.write("/etc/config/wireless", strings.Replace(text, old, new, 1))
		}
	}
	radio0 := "config wifi-device 'radio0'"
	for _, c := range []struct {
		name   string
		router func(*router)
		wishes []string
		on     []string // radios that are on, by us
		lanOff []string
	}{
		{"without the wish nothing is touched", func(*router) {}, nil, nil, nil},
		{"as they came", func(*router) {}, []string{"wifi=on", "country=VN"}, []string{"radio0", "radio1"}, []string{"radio0", "radio1"}},
		{"with a LAN network of the owner's", replace("option ssid 'OpenWrt'", "option ssid 'Quán'"), []string{"wifi=on", "country=VN"}, []string{"radio1"}, []string{"radio1"}},
		{"with a password that the owner has set", replace("option encryption 'none'", "option encryption 'sae'"), []string{"wifi=on", "country=VN"}, []string{"radio1"}, []string{"radio1"}},
		{"with a second network", replace(radio0, "config wifi-iface 'mesh'\n\toption device 'radio0'\n\n"+radio0), []string{"wifi=on", "country=VN"}, []string{"radio1"}, []string{"radio1"}},
		{"with a second network that is off", replace(radio0, "config wifi-iface 'mesh'\n\toption device 'radio0'\n\toption disabled '1'\n\n"+radio0), []string{"wifi=on", "country=VN"}, []string{"radio0", "radio1"}, []string{"radio0", "radio1"}},
		{"one that is on already", replace("option disabled '1'", "option disabled '0'"), []string{"wifi=on", "country=VN"}, []string{"radio1"}, []string{"radio1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, r := newRouter(t), newRouter(t)
			c.router(before)
			c.router(r)
			r.firstBoot(append([]string{"ssid=Hien"}, c.wishes...)...)
			want, got := others(before.config("wireless")), others(r.config("wireless"))
			for _, radio := range c.on {
				want[radio] = strings.Replace(want[radio], "option disabled '1'", "option disabled '0'\n\toption country 'VN'", 1)
			}
			for _, radio := range c.lanOff {
				want["default_"+radio] += "\n\toption disabled '1'"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for _, radio := range []string{"radio0", "radio1"} {
				if r.config("wireless")["hien_guest_"+radio] == "" {
					t.Errorf("%s has no network of the guests", radio)
				}
			}
		})
	}
}

func TestTakeBack(t *testing.T) {
	before, r := newRouter(t), newRouter(t)
	// A file as uci writes it is compared by its bytes.
	before.mustRun("/sbin/uci", "set", "firewall.hien_guestbook=rule")
	before.mustRun("/sbin/uci", "set", "network.hien_guest_x=interface")
	before.mustRun("/sbin/uci", "set", "dhcp.hien_x=dhcp")
	before.mustRun("/sbin/uci", "commit")
	for _, name := range configs {
		r.write("/etc/config/"+name, before.read("/etc/config/"+name))
	}
	r.firstBoot("ssid=Hien", "owe=on")
	r.notes()
	if before.read("/etc/config/firewall") == r.read("/etc/config/firewall") {
		t.Fatal("the first boot made nothing")
	}
	r.mustRun(network, "take-back")
	for _, name := range configs {
		if diff := cmp.Diff(before.read("/etc/config/"+name), r.read("/etc/config/"+name)); diff != "" {
			t.Errorf("/etc/config/%s: -before +after\n%s", name, diff)
		}
	}
	if got, want := r.notes(), "reload_config\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.mustRun(network, "take-back")
	if got := r.notes(); got != "" {
		t.Errorf("with nothing to take back: got %q", got)
	}
}

func TestTakeBackLeavesAnothersSection(t *testing.T) {
	r := newRouter(t)
	r.mustRun("/sbin/uci", "set", "network.hien_gate=route")
	r.mustRun("/sbin/uci", "commit", "network")
	want := r.snapshot()
	r.mustRun(network, "take-back")
	if diff := cmp.Diff(want, r.snapshot()); diff != "" {
		t.Errorf("a section of our name and another type: -before +after\n%s", diff)
	}
}

func TestNetworkSaysHowItIsUsed(t *testing.T) {
	r := newRouter(t)
	for _, args := range [][]string{nil, {"remove"}} {
		if out, code := r.run(network, args...); code != 2 || !strings.HasPrefix(out, "usage:") {
			t.Errorf("%v: got exit status %d, output %q", args, code, out)
		}
	}
}

// TestOneListOfNames holds that the page that names Hiên's sections names
// those that are made.
func TestOneListOfNames(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	r := newRouter(t)
	r.firstBoot("ssid=Hien", "owe=on")
	var made []string
	for _, name := range configs {
		for section := range r.config(name) {
			if strings.HasPrefix(section, "hien_") {
				section = strings.NewReplacer("radio0", "<radio>", "radio1", "<radio>").Replace(section)
				made = append(made, "`"+section+"`")
			}
		}
	}
	slices.Sort(made)
	listed := regexp.MustCompile("`hien_[a-z0-9_]+(<radio>)?`").FindAllString(string(page), -1)
	slices.Sort(listed)
	if got, want := slices.Compact(listed), slices.Compact(made); !slices.Equal(got, want) {
		t.Errorf("README.md lists %v\nmade are %v", got, want)
	}
}
