package openwrttest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// TestStartGivesNothingElseAway holds that root gives the daemon's user no
// directory to which that user could have bent the way.
func TestStartGivesNothingElseAway(t *testing.T) {
	const real = "/mnt/usb/hien"
	for _, c := range []struct {
		name string
		dir  string // data_dir
		want string // what is made and given; empty: nothing
	}{
		{"a place of the owner's own", real, real},
		{"the directory itself with a slash behind it", real + "/", real},
		{"the system's own link", "/var/lib/hien", "/tmp/lib/hien"},
		{"dots lead to the system's configuration", "/etc/hien/..", ""},
		{"and in the middle", "/etc/hien/../dropbear/hien", ""},
		{"one dot and two slashes are no clear way either", "/mnt/./usb//hien", ""},
		{"a link in the middle", "/etc/hien/l/dropbear", ""},
		{"a link in the middle, and what is behind it is not there yet", "/etc/hien/l/new/more", ""},
		{"a link at the end", "/etc/hien/l", ""},
		{"a link that leads nowhere yet", "/etc/hien/nowhere/hien", ""},
		{"a link in a directory that is everybody's", "/tmp/hien/dropbear", ""},
		{"the scripts that root runs", "/usr/libexec/hien", ""},
		{"no path from the root", "mnt/usb/hien", ""},
		{"the root", "/", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			r.switchOn()
			r.write("/etc/config/hien", strings.Replace(r.read("/etc/config/hien"), "/etc/hien/record", c.dir, 1))
			r.write("/etc/dropbear/key", "the router's own")
			r.remove("/var")
			r.must(r.root.Symlink("tmp", "var")) // as OpenWrt has it
			r.must(r.root.MkdirAll("tmp/run", 0o755))
			r.must(r.root.MkdirAll("etc/hien", 0o700))
			r.must(r.root.Symlink("..", "etc/hien/l"))
			r.must(r.root.Symlink("/etc/nothing", "etc/hien/nowhere"))
			r.must(r.root.Symlink("/etc", "tmp/hien"))
			before := r.tree()
			r.mustRun(service, "start")
			notes := r.notes()

			given := map[string]bool{"/etc/hien": true, "/tmp/run/hien": true}
			made := map[string]bool{"/tmp/run/hien": true}
			if c.want != "" {
				for dir := c.want; dir != "/"; dir = filepath.Dir(dir) {
					made[dir] = true
				}
				given[c.want] = true
			}
			got := map[string]bool{}
			for line := range strings.Lines(notes) {
				if words := strings.Fields(line); words[0] == "chown" && words[2] == "hien:hien" {
					got[words[3]] = true
				}
			}
			if diff := cmp.Diff(given, got); diff != "" {
				t.Errorf("what is given to the daemon's user: -want +got\n%s", diff)
			}
			for name := range r.tree() {
				if !before[name] && !made[name] && !strings.HasPrefix(name, "/etc/passwd") && !strings.HasPrefix(name, "/etc/group") && name != "/tmp/run/hien.started-with" {
					t.Errorf("%s was made", name)
				}
			}
			if said := strings.Contains(notes, "daemon.err 'the directory "+c.dir+" is not made"); said != (c.want == "") {
				t.Errorf("the log says that it was refused: %v\n%s", said, notes)
			}
			if !strings.Contains(notes, "procd set_param command") {
				t.Errorf("the daemon was not started, and it is the one who tells the owner more:\n%s", notes)
			}
		})
	}
}

// tree is every name in the router.
func (r *router) tree() map[string]bool {
	r.t.Helper()
	all := map[string]bool{}
	r.must(fs.WalkDir(r.root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		all["/"+name] = true
		return err
	}))
	return all
}

func TestTheDaemonReadsItsConfigurationAndRootWritesIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		router func(*router)
		want   string // what is asked
		mode   os.FileMode
	}{
		{"its own user", func(*router) {}, "chown root:hien /etc/config/hien\n", 0o640},
		{"root", func(r *router) { r.remove("/sbin/ujail") }, "", 0o600},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			r.switchOn()
			r.must(r.root.Chmod("etc/config/hien", 0o666))
			c.router(r)
			r.mustRun(service, "start")
			var got string
			for line := range strings.Lines(r.notes()) {
				if strings.HasPrefix(line, "chown") && strings.Contains(line, "/etc/config") {
					got += line
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			info, err := r.root.Stat("etc/config/hien")
			r.must(err)
			if info.Mode() != c.mode {
				t.Errorf("got mode %v, want %v", info.Mode(), c.mode)
			}
		})
	}
}

func TestStartClosesWhatIsSecret(t *testing.T) {
	r := newRouter(t)
	r.switchOn()
	r.mustRun(service, "start")
	for name, want := range map[string]os.FileMode{
		"/etc/config/hien": 0o640, "/var/run/hien": 0o700 | os.ModeDir, "/etc/hien/record": 0o700 | os.ModeDir, "/etc/hien": 0o700 | os.ModeDir,
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
