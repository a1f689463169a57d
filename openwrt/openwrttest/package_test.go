package openwrttest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/internal/setup"
)

// setupState is where hien setup keeps what was before.
const setupState = setup.DefaultState

// installed is a router on which the package is, with a guest network, as the
// package manager finds it when it runs the maintainer's own parts.
func installed(t *testing.T) (before string, r *router) {
	t.Helper()
	r = newRouter(t)
	before = r.snapshot()
	_, before, _ = strings.Cut(before, "# network")
	r.firstBoot("ssid=Hien")
	r.copyTree("../hien/prerm", "tmp/prerm-pkg")
	r.copyTree("../hien/postinst", "tmp/postinst-pkg")
	r.mustRun(service, "start")
	r.write("/etc/hien/record/record.db", "what guests agreed to")
	r.write(setupState+"/kept.json", "what was before the setup")
	r.write("/tmp/running.hien", "")
	r.notes()
	return before, r
}

func TestRemovalTakesBackWhatIsHiens(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		// The package managers stop the service after and before the
		// maintainer's part.
		{"opkg", []string{"/bin/opkg-prerm", "remove"}, `
procd kill hien
pidof hien
hien cleanup
reload_config
procd kill hien`},
		{"apk", []string{"/bin/apk-script", "pre-deinstall"}, `
procd kill hien
procd kill hien
pidof hien
hien cleanup
reload_config`},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, r := installed(t)
			out, code := r.run(c.args[0], c.args[1:]...)
			if code != 0 {
				t.Errorf("got exit status %d, output %q", code, out)
			}
			if !strings.Contains(out, "rm -r /etc/hien") {
				t.Errorf("got output %q, want it to say where the record is", out)
			}
			var notes []string
			for line := range strings.Lines(r.notes()) {
				if !strings.HasPrefix(line, "logger ") {
					notes = append(notes, strings.TrimSpace(line))
				}
			}
			if got, want := strings.Join(notes, "\n"), strings.TrimSpace(c.want); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			_, after, _ := strings.Cut(r.snapshot(), "# network")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the router's own configuration: -before +after\n%s", diff)
			}
			if !r.there("/etc/hien/record/record.db") {
				t.Error("the record is gone: it is the owner's")
			}
			for _, gone := range []string{"/var/run/hien", setupState} {
				if r.there(gone) {
					t.Errorf("%s is left over", gone)
				}
			}
			hien := r.config("hien")
			if !strings.Contains(hien["main"], "option enabled '0'") {
				t.Errorf("the next installation would start it at once:\n%s", hien["main"])
			}
			if !strings.Contains(hien["main"], "option store_id 'shop-0f1e2d3c'") {
				t.Errorf("the owner's configuration is gone:\n%s", hien["main"])
			}
			for _, link := range []string{"/etc/rc.d/S95hien", "/etc/rc.d/S14hien-setup"} {
				if r.there(link) {
					t.Errorf("%s: the service is still enabled", link)
				}
			}
		})
	}
}

func TestRemovalWhereTheConfigurationIsGone(t *testing.T) {
	_, r := installed(t)
	r.remove("/etc/config/hien")
	if out, code := r.run("/bin/apk-script", "pre-deinstall"); code != 0 || strings.Contains(out, "uci") {
		t.Errorf("got exit status %d, output %q", code, out)
	}
	if r.there("/etc/config/hien") || strings.Contains(r.read("/etc/config/network"), "hien_") {
		t.Error("a configuration was made, or the sections are still there")
	}
}

// TestRemovalCommitsNothingOfTheOwners holds that what the owner has begun and
// not committed is in force after a removal no more than before it.
func TestRemovalCommitsNothingOfTheOwners(t *testing.T) {
	uci := func(r *router, args ...string) string {
		t.Helper()
		out, code := r.run("/sbin/uci", args...)
		if code != 0 {
			t.Errorf("uci %q: got exit status %d, output %q", args, code, out)
		}
		return out
	}
	for _, c := range []struct {
		name  string
		begun []string        // files in which the owner has begun something
		first func(r *router) // before that
		still map[string]bool // files with sections of ours in them
		loads int             // how often the router is told to load its files
	}{
		{"a file of ours", []string{"network"}, nil,
			map[string]bool{"network": true}, 1},
		{"all of them", []string{"network", "wireless", "dhcp", "firewall"}, nil,
			map[string]bool{"network": true, "wireless": true, "dhcp": true, "firewall": true}, 0},
		{"a router without anything of ours", []string{"network"},
			func(r *router) { r.run(network, "take-back"); r.notes() },
			map[string]bool{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, r := installed(t)
			if c.first != nil {
				c.first(r)
			}
			for _, file := range c.begun {
				uci(r, "set", map[string]string{
					"network": "network.lan.ipaddr=192.168.77.1", "wireless": "wireless.radio0.channel=11",
					"dhcp": "dhcp.lan.limit=7", "firewall": "firewall.half=rule",
				}[file])
			}
			before := map[string]string{}
			for _, file := range configs {
				before[file] = r.read("/etc/config/" + file)
			}
			out, code := r.run("/bin/apk-script", "pre-deinstall")
			if code != 0 {
				t.Errorf("got exit status %d, output %q", code, out)
			}
			for _, file := range configs {
				if got := strings.Contains(r.read("/etc/config/"+file), "hien_"); got != c.still[file] {
					t.Errorf("%s has sections of ours: %v, want %v", file, got, c.still[file])
				}
				if slices.Contains(c.begun, file) && r.read("/etc/config/"+file) != before[file] {
					t.Errorf("%s was written, and the owner is not ready:\n%s", file, r.read("/etc/config/"+file))
				}
				if said := strings.Contains(out, "/etc/config/"+file+" has changes that nobody has committed"); said != c.still[file] {
					t.Errorf("that %s waits for the owner is said: %v, want %v; output %q", file, said, c.still[file], out)
				}
			}
			if got, want := uci(r, "get", "network.lan.ipaddr"), "192.168.77.1\n"; got != want {
				t.Errorf("what the owner is in the middle of: got %q, want %q", got, want)
			}
			if got := strings.Count(r.notes(), "reload_config\n"); got != c.loads {
				t.Errorf("the router is told %d times to load its files, want %d", got, c.loads)
			}
			// The owner's commit takes ours out too.
			for _, file := range configs {
				uci(r, "commit", file)
				if strings.Contains(r.read("/etc/config/"+file), "hien_") {
					t.Errorf("%s has sections of ours after the owner's commit", file)
				}
			}
		})
	}
}

func TestRemovalWaitsForTheDaemonsEnd(t *testing.T) {
	_, r := installed(t)
	r.remove("/tmp/fails.pidof") // it takes its time
	if out, code := r.run("/bin/apk-script", "pre-deinstall"); code != 0 {
		t.Errorf("got exit status %d, output %q", code, out)
	}
	notes := r.notes()
	if got := strings.Count(notes, "sleep 1\n"); got != 15 {
		t.Errorf("got %d seconds of waiting, want 15, procd's patience", got)
	}
	if strings.LastIndex(notes, "sleep 1") > strings.Index(notes, "hien cleanup") {
		t.Errorf("the kernel is cleaned while the daemon may still repair it:\n%s", notes)
	}
}

func TestRemovalGoesOnWhenTheKernelDoesNot(t *testing.T) {
	_, r := installed(t)
	r.write("/tmp/fails.hien", "1")
	out, _ := r.run("/bin/apk-script", "pre-deinstall")
	if !strings.Contains(out, "a restart of the router takes them out") {
		t.Errorf("got output %q", out)
	}
	if strings.Contains(r.read("/etc/config/network"), "hien_") {
		t.Error("the sections are still there")
	}
}

func TestUpgradesTakeNothingBack(t *testing.T) {
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want string // the verbs, in order
	}{
		{"opkg before", nil, []string{"/bin/opkg-prerm", "upgrade", "0.2.0-r1"}, "procd kill"},
		{"opkg before, told by the environment", []string{"PKG_UPGRADE=1"}, []string{"/bin/opkg-prerm", "remove"}, "procd kill"},
		{"opkg after, where the old program was stopped", []string{"PKG_UPGRADE=1"}, []string{"/bin/opkg-postinst", "configure"}, "hien gate shut, procd set_param command, procd set_param file, procd close_service"},
		{"apk after, where it still runs", nil, []string{"/bin/apk-script", "post-upgrade"},
			"hien gate shut, procd set_param command, procd set_param file, procd close_service, " +
				"procd kill, hien gate shut, procd set_param command, procd set_param file, procd close_service"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, r := installed(t)
			if strings.Contains(c.name, "was stopped") {
				r.remove("/tmp/running.hien")
			}
			want := r.snapshot()
			out, code := r.runWith(c.env, c.args[0], c.args[1:]...)
			if code != 0 || out != "" {
				t.Errorf("got exit status %d, output %q", code, out)
			}
			if diff := cmp.Diff(want, r.snapshot()); diff != "" {
				t.Errorf("-before +after\n%s", diff)
			}
			if !r.there(setupState + "/kept.json") {
				t.Error("what was before the setup is gone: hien setup --undo wants it")
			}
			notes := r.notes()
			if strings.Contains(notes, "cleanup") {
				t.Errorf("the kernel was cleaned:\n%s", notes)
			}
			if got := strings.Join(verbs(notes), ", "); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestInstallationSaysWhatIsNext(t *testing.T) {
	for _, how := range [][]string{{"/bin/opkg-postinst", "configure"}, {"/bin/apk-script", "post-install"}} {
		r := newRouter(t)
		r.copyTree("../hien/postinst", "tmp/postinst-pkg")
		if out, code := r.run(how[0], how[1:]...); code != 0 || !strings.Contains(out, "hien setup") {
			t.Errorf("%v: got exit status %d, output %q; want 0 and a word about hien setup", how, code, out)
		}
		if notes := r.notes(); strings.Contains(notes, "open_instance") {
			t.Errorf("%v: it runs before it is set up:\n%s", how, notes)
		}
	}
	// Where an image is built nothing runs and nobody reads.
	_, r := installed(t)
	want := r.snapshot()
	for _, part := range []string{"/tmp/postinst-pkg", "/tmp/prerm-pkg"} {
		r.must(r.root.Chmod(in(part), 0o755))
		if out, code := r.runWith([]string{"IPKG_INSTROOT=/build"}, part); code != 0 || out != "" || r.notes() != "" {
			t.Errorf("%s in an image: got exit status %d, output %q", part, code, out)
		}
	}
	if diff := cmp.Diff(want, r.snapshot()); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
}

func TestSysupgradeCopiesARecordAtRest(t *testing.T) {
	const stop = "pidof hien\nlogger\nprocd kill hien\npidof hien\n"
	for _, c := range []struct {
		name string
		args []string
		runs int // how often pidof finds it
		want string
	}{
		{"an upgrade", []string{"good.bin"}, 1, stop + "sysupgrade lists /tmp/conffiles\nsysupgrade copies\nsysupgrade writes good.bin\n"},
		{"an upgrade where it does not run", []string{"good.bin"}, 0, "pidof hien\nsysupgrade lists /tmp/conffiles\nsysupgrade copies\nsysupgrade writes good.bin\n"},
		{"a list", []string{"-l"}, 1, "sysupgrade lists /tmp/conffiles\nsysupgrade copies\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, r := installed(t)
			r.pidofFinds(c.runs)
			r.mustRun("/bin/sysupgrade", c.args...)
			var got strings.Builder
			for line := range strings.Lines(r.notes()) {
				switch {
				case line == "sleep 1\n":
					continue // who waits for sysupgrade's end
				case strings.HasPrefix(line, "logger "):
					line = "logger\n"
				}
				got.WriteString(line)
			}
			if got.String() != c.want {
				t.Errorf("got\n%swant\n%s", got.String(), c.want)
			}
		})
	}
}

// pidofFinds has pidof find the daemon so often.
func (r *router) pidofFinds(n int) {
	r.t.Helper()
	r.program("/bin/pidof", `#!/bin/sh
note pidof "$@"
n=$(cat /tmp/pidof)
[ "$n" -gt 0 ] || exit 1
echo $((n - 1)) >/tmp/pidof
echo 4711
`)
	r.write("/tmp/pidof", string(rune('0'+n))+"\n")
}

func TestARouterThatGoesOnHasItsDaemon(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"after a backup", []string{"-b", "/tmp/backup.tar.gz"}},
		{"after an upgrade that failed", []string{"bad.bin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, r := installed(t)
			r.pidofFinds(1)
			// The start is in the background, behind the end of sysupgrade itself.
			r.mustRun("/bin/sysupgrade-and-wait", c.args...)
			got := strings.Join(verbs(r.notes()), ", ")
			if want := "procd kill, hien gate shut, procd set_param command, procd set_param file, procd close_service"; got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// A label is package.json.
type label struct {
	Depends   []string
	Conffiles []string
	User      string
	Modes     map[string]string
}

func packageLabel(t *testing.T) (l label) {
	t.Helper()
	text, err := os.ReadFile("../hien/package.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestThePackageAgreesWithItself(t *testing.T) {
	l := packageLabel(t)
	script, err := os.ReadFile("../hien/root/etc/init.d/hien")
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`(?m)^USER_ID=(\d+)`).FindSubmatch(script)
	if id == nil {
		t.Fatal("the init script names no USER_ID")
	}
	if want := "hien=" + string(id[1]) + ":hien=" + string(id[1]); l.User != want {
		t.Errorf("user: got %q, want %q as in the init script", l.User, want)
	}
	for _, c := range l.Conffiles {
		if l.Modes[c] != "0600" {
			t.Errorf("%s: got mode %q, want 0600: it can hold secrets", c, l.Modes[c])
		}
	}
	var caps map[string][]string
	text, err := os.ReadFile("../hien/root/etc/capabilities/hien.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &caps); err != nil {
		t.Fatal(err)
	}
	want := []string{"CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW"}
	for _, set := range []string{"bounding", "effective", "ambient", "permitted", "inheritable"} {
		if !slices.Equal(caps[set], want) {
			t.Errorf("capabilities, %s: got %v, want %v", set, caps[set], want)
		}
	}
	// What an upgrade of the system keeps: the record, and that the first boot
	// was.
	keep, err := os.ReadFile("../hien/root/lib/upgrade/keep.d/hien")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(keep), "/etc/hien/\n"+done+"\n"; got != want {
		t.Errorf("keep list: got %q, want %q", got, want)
	}
	for _, program := range []string{"etc/init.d/hien", "etc/init.d/hien-setup", "etc/uci-defaults/90-hien", "usr/libexec/hien/network", "usr/share/hien/firewall.include"} {
		info, err := os.Stat(filepath.Join("../hien/root", program))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o755 {
			t.Errorf("%s: got mode %v, want 0755", program, info.Mode())
		}
	}
}
