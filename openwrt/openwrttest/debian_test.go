package openwrttest

import (
	"strings"
	"testing"
)

// TestDebiansScripts holds what the package for plain Linux does around its
// installation, by what it asks of the system.
func TestDebiansScripts(t *testing.T) {
	const restart = "systemctl daemon-reload\nsystemctl try-restart hien.service\n"
	for _, c := range []struct {
		name    string
		router  func(*router)
		script  string
		args    []string
		want    string // what is asked
		says    string // what is said
		without bool   // systemd
	}{
		{"a fresh installation makes the user, and starts nothing", func(r *router) { r.write("/tmp/fails.getent", "2") }, "postinst", []string{"configure", ""},
			"getent passwd hien\nuseradd --system --user-group --home-dir /var/lib/hien --no-create-home --shell /usr/sbin/nologin hien\nchown hien:hien /etc/hien\nsystemctl daemon-reload\n", "hien setup", false},
		{"in a container without systemd too", func(r *router) { r.write("/tmp/fails.getent", "2") }, "postinst", []string{"configure", ""},
			"getent passwd hien\nuseradd --system --user-group --home-dir /var/lib/hien --no-create-home --shell /usr/sbin/nologin hien\nchown hien:hien /etc/hien\n", "", true},
		{"an upgrade starts the new program where the old one ran", func(r *router) { r.must(r.root.MkdirAll("etc/hien", 0o700)) }, "postinst", []string{"configure", "0.0.9-1"}, "getent passwd hien\n" + restart, "", false},
		{"an upgrade takes nothing back", nil, "prerm", []string{"upgrade", "0.2.0-1"}, "", "", false},
		{"nor does what follows it", nil, "postrm", []string{"upgrade", "0.2.0-1"}, "", "", false},
		{"a removal stops it and cleans the kernel", nil, "prerm", []string{"remove"}, "systemctl --now disable hien.service\nhien cleanup\n", "", false},
		{"a removal goes on when that fails", func(r *router) { r.write("/tmp/fails.hien", "1") }, "prerm", []string{"remove"}, "systemctl --now disable hien.service\nhien cleanup\n", "a restart takes them out", false},
		{"after a removal what is on tmpfs is gone", func(r *router) { r.write("/run/hien/livebook", "") }, "postrm", []string{"remove"}, "systemctl daemon-reload\n", "", false},
		{"a purge leaves the record, and says where it is", func(r *router) { r.write("/var/lib/hien/record.db", "") }, "postrm", []string{"purge"}, "", "rm -r /var/lib/hien /etc/hien", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			for _, name := range []string{"getent", "useradd", "systemctl"} {
				r.must(r.root.Symlink("stub", "bin/"+name))
			}
			r.copyTree("../deb/"+c.script, "tmp/script")
			r.write(setupState+"/kept.json", "what was before the setup")
			if !c.without {
				r.must(r.root.MkdirAll("run/systemd/system", 0o755))
			}
			if c.router != nil {
				c.router(r)
			}
			out, code := r.run("/tmp/script", c.args...)
			if code != 0 || !strings.Contains(out, c.says) || c.says == "" && out != "" {
				t.Errorf("got exit status %d, output %q; want 0 and %q", code, out, c.says)
			}
			if got := r.notes(); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
			if r.there("/run/hien") {
				t.Error("/run/hien is left over")
			}
			if purged := c.args[0] == "purge"; r.there(setupState) == purged {
				t.Errorf("setup's copies of the configuration are there: %v; they go with it, by a purge", !purged)
			}
			if c.script == "postrm" && c.args[0] == "purge" && !r.there("/var/lib/hien/record.db") {
				t.Error("the record is gone: it is the owner's")
			}
		})
	}
}
