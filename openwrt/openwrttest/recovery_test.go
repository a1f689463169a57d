package openwrttest

import (
	"os"
	"slices"
	"testing"
)

const recovery = "/etc/init.d/hien-setup"

// TestBootPutsBackASetupThatNobodyConfirmed holds that the router's start does
// so, whatever becomes of Hiên itself, and that nothing is run where no setup
// waits.
func TestBootPutsBackASetupThatNobodyConfirmed(t *testing.T) {
	const recovers = "hien setup --recover --lang en\nlogger -t hien -p daemon.notice 'A setup was put back.'\n"
	for _, c := range []struct {
		name   string
		router func(*router)
		action string
		want   string
	}{
		{"nothing waits", func(r *router) { r.switchOn() }, "boot", ""},
		{"one waits", func(r *router) { r.write("/etc/hien-setup/pending.json", "{}") }, "boot", recovers},
		{"one was being put back", func(r *router) { r.write("/etc/hien-setup/returning.json", "{}") }, "boot", recovers},
		{"where Hiên is switched off", func(r *router) { r.write("/etc/hien-setup/pending.json", "{}"); r.remove("/etc/rc.d/S95hien") }, "boot", recovers},
		{"where there is too little memory", func(r *router) { r.write("/etc/hien-setup/pending.json", "{}"); r.switchOn(); r.memory(58 << 10) }, "boot", recovers},
		{"one that was confirmed stays", func(r *router) { r.write("/etc/hien-setup/kept.json", "{}") }, "boot", ""},
		{"a package manager's start is none of the router", func(r *router) { r.write("/etc/hien-setup/pending.json", "{}") }, "start", ""},
		{"one that cannot be put back is told of", func(r *router) {
			r.write("/etc/hien-setup/pending.json", "{}")
			r.write("/tmp/fails.hien", "1")
			r.write("/tmp/says.hien", "no space")
		}, "boot", "hien setup --recover --lang en\nlogger -t hien -p daemon.err 'the setup that nobody had confirmed could not be put back, and its network comes up: no space. hien setup --undo takes it out.'\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			r.write("/tmp/says.hien", "A setup was put back.")
			c.router(r)
			r.mustRun(recovery, c.action)
			if got := r.notes(); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// TestTheReturnComesBeforeTheNetwork holds the order of a boot: the router's
// start takes the names in the order of their letters, and OpenWrt's dnsmasq
// and firewall are S19, its network is S20, and its log S12.
func TestTheReturnComesBeforeTheNetwork(t *testing.T) {
	r := newRouter(t)
	r.mustRun(recovery, "enable")
	r.mustRun(service, "enable")
	entries, err := os.ReadDir(r.path("/etc/rc.d"))
	r.must(err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if want := []string{"S14hien-setup", "S95hien"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
