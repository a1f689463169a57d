package openwrttest

import (
	"os"
	"strings"
	"testing"
)

const service = "/etc/init.d/hien"

// switchOn enables Hiên, as setup does, with more lines for its section.
func (r *router) switchOn(more ...string) {
	r.t.Helper()
	text := strings.Replace(r.read("/etc/config/hien"), "option enabled '0'", "option enabled '1'", 1)
	r.write("/etc/config/hien", strings.Replace(text, "option enabled '1'", "option enabled '1'\n\t"+strings.Join(more, "\n\t"), 1))
}

// withGuests gives the router's network the guests' interface.
func (r *router) withGuests() {
	r.t.Helper()
	r.write("/etc/config/network", r.read("/etc/config/network")+"\nconfig interface 'hien_guest'\n\toption device 'br-hien'\n")
}

func TestStart(t *testing.T) {
	for _, c := range []struct {
		name   string // of the golden file
		router func(*router)
		action string
		code   int
	}{
		{"start-fw4", func(r *router) { r.switchOn() }, "start", 0},
		{"start-fw3-is-root", func(r *router) { r.switchOn(); r.remove("/sbin/fw4"); r.program("/sbin/fw3", "") }, "start", 0},
		{"start-without-ujail-is-root", func(r *router) { r.switchOn(); r.remove("/sbin/ujail") }, "start", 0},
		{"start-that-tells-dnsmasq-is-root", func(r *router) { r.switchOn("option dnsmasq_dir '/tmp/dnsmasq.d'") }, "start", 0},
		{"start-128-MB", func(r *router) { r.switchOn(); r.memory(120 << 10) }, "start", 0},
		{"start-1-GB", func(r *router) { r.switchOn(); r.memory(1000 << 10) }, "start", 0},
		{"start-64-MB-is-refused", func(r *router) { r.switchOn(); r.memory(58 << 10) }, "start", 0},
		{"start-95-MB-is-refused", func(r *router) { r.switchOn(); r.memory(96<<10 - 1) }, "start", 0},
		{"start-96-MB", func(r *router) { r.switchOn(); r.memory(96 << 10) }, "start", 0},
		{"start-switched-off", func(*router) {}, "start", 0},
		{"start-gate-fails", func(r *router) {
			r.switchOn()
			r.write("/tmp/fails.hien", "1")
			r.write("/tmp/says.hien", "hien: open gate: operation not permitted")
		}, "start", 0},
		{"start-two-zones", func(r *router) {
			r.switchOn()
			r.withGuests()
			r.write("/etc/config/hien", r.read("/etc/config/hien")+"\nconfig zone 'terrace'\n\toption interface 'br-terrace'\n\toption portal_port '2051'\n")
			r.write("/etc/config/network", r.read("/etc/config/network")+"\nconfig interface 'terrace'\n\toption type 'bridge'\n\toption ifname 'eth0.35'\n")
		}, "start", 0},
		{"start-elsewhere", func(r *router) {
			r.write("/etc/config/hien", "config hien 'main'\n\toption store_id 'shop'\n\toption data_dir '/etc'\n\toption run_dir '/tmp/own'\nconfig zone 'guest'\n\toption interface 'br-hien'\n")
		}, "start", 0},
		{"boot", func(r *router) { r.switchOn() }, "boot", 0},
		{"stop", func(r *router) { r.switchOn() }, "stop", 0},
		{"status", func(r *router) { r.write("/tmp/fails.hien", "1") }, "status", 1},
		{"doctor", func(*router) {}, "doctor", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			c.router(r)
			out, code := r.run(service, c.action)
			if out != "" || code != c.code {
				t.Errorf("got exit status %d, output %q; want %d and none", code, out, c.code)
			}
			golden(t, c.name, r.notes())
		})
	}
}

func TestStartClosesWhatIsSecret(t *testing.T) {
	r := newRouter(t)
	r.switchOn()
	r.mustRun(service, "start")
	for name, want := range map[string]os.FileMode{
		"/etc/config/hien": 0o600, "/var/run/hien": 0o700 | os.ModeDir, "/etc/hien/record": 0o700 | os.ModeDir, "/etc/hien": 0o700 | os.ModeDir,
	} {
		info, err := r.root.Stat(in(name))
		if err != nil {
			t.Error(err)
		} else if info.Mode() != want {
			t.Errorf("%s: got mode %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestStartMakesTheUserOnce(t *testing.T) {
	r := newRouter(t)
	r.switchOn()
	r.mustRun(service, "start")
	r.mustRun(service, "start")
	want := "root:x:0:0:root:/root:/bin/ash\nhien:x:4436:4436:hien:/var/run/hien:/bin/false\n"
	if got := r.read("/etc/passwd"); got != want {
		t.Errorf("got users\n%s\nwant\n%s", got, want)
	}
	if got, want := r.read("/etc/group"), "root:x:0:\nhien:x:4436:\n"; got != want {
		t.Errorf("got groups\n%s\nwant\n%s", got, want)
	}
}

// verbs are the lines of a note that tell the order of things.
func verbs(notes string) (all []string) {
	for line := range strings.Lines(notes) {
		for _, verb := range []string{"hien gate shut", "procd kill", "procd close_service", "procd set_param command", "procd set_param file"} {
			if strings.HasPrefix(line, verb) {
				all = append(all, verb)
			}
		}
	}
	return all
}

func TestReload(t *testing.T) {
	const hup = "procd set_param command, procd set_param file, procd close_service"
	const again = "procd kill, " + hup
	for _, c := range []struct {
		name   string
		change func(*router)
		want   string
	}{
		{"a text is procd's to notice, by the file", func(r *router) { r.switchOn("option store_name 'Quán Hiên'") }, hup},
		{"the record's place wants a new start", func(r *router) {
			r.write("/etc/config/hien", strings.Replace(r.read("/etc/config/hien"), "/etc/hien/record", "/mnt/usb/hien", 1))
		}, again},
		{"so does the firewall's back end", func(r *router) { r.switchOn("option firewall 'nftables'") }, again},
		{"so do the resolvers", func(r *router) { r.switchOn("list dns_upstream '127.0.0.1:53'", "list dns_upstream '[::1]:53'") }, again},
		{"and another user", func(r *router) { r.switchOn("option dnsmasq_dir '/tmp/dnsmasq.d'") }, again},
		{"switched off: the instance is gone from what procd is told", func(r *router) {
			r.write("/etc/config/hien", strings.Replace(r.read("/etc/config/hien"), "option enabled '1'", "option enabled '0'", 1))
		}, "procd close_service"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			r.switchOn()
			r.mustRun(service, "start")
			r.notes()
			c.change(r)
			r.mustRun(service, "reload")
			if got := strings.Join(verbs(r.notes()), ", "); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestReloadOfAServiceThatWasStoppedStartsIt(t *testing.T) {
	r := newRouter(t)
	r.switchOn()
	r.mustRun(service, "start")
	r.mustRun(service, "stop")
	r.notes()
	r.mustRun(service, "reload")
	if got, want := strings.Join(verbs(r.notes()), ", "), "procd set_param command, procd set_param file, procd close_service"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheFirewallsIncludeSaysOneWord(t *testing.T) {
	r := newRouter(t)
	r.mustRun("/usr/share/hien/firewall.include")
	if got, want := r.notes(), `ubus -t 2 call service signal '{"name":"hien","signal":1}'`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.write("/tmp/fails.ubus", "4") // nothing is there to hear
	r.mustRun("/usr/share/hien/firewall.include")
}
