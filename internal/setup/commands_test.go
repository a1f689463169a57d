package setup_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/internal/setup"
)

func TestCommandsAreTheMachines(t *testing.T) {
	clean := [][]string{{"/opt/hien", "cleanup", "--config", "/etc/hien.conf"}}
	off := [][]string{{"systemctl", "disable", "--now", "hien.service"}}
	stop := [][]string{{"/etc/init.d/hien", "stop"}}
	for _, c := range []struct {
		name  string
		files []string
		want  setup.Commands
	}{
		{"OpenWrt", []string{"/etc/init.d/network", "/sbin/wifi", "/etc/init.d/dnsmasq", "/etc/init.d/odhcpd", "/etc/init.d/firewall", "/etc/init.d/hien"},
			setup.Commands{
				Reload: [][]string{{"/etc/init.d/network", "reload"}, {"/sbin/wifi", "reload"}, {"/etc/init.d/dnsmasq", "reload"}, {"/etc/init.d/odhcpd", "reload"}, {"/etc/init.d/firewall", "reload"}},
				Start:  [][]string{{"/etc/init.d/hien", "enable"}, {"/etc/init.d/hien", "restart"}},
				Stop:   stop, Off: stop, Clean: clean,
			}},
		{"OpenWrt without radio, odhcpd and the package", []string{"/etc/init.d/network", "/etc/init.d/dnsmasq", "/etc/init.d/firewall"},
			setup.Commands{Reload: [][]string{{"/etc/init.d/network", "reload"}, {"/etc/init.d/dnsmasq", "reload"}, {"/etc/init.d/firewall", "reload"}}, Clean: clean}},
		{"systemd, with the package", []string{"/run/systemd/system", "/usr/lib/systemd/system/hien.service"}, setup.Commands{Off: off, Clean: clean}},
		{"systemd, with an older system's package", []string{"/run/systemd/system", "/lib/systemd/system/hien.service"}, setup.Commands{Off: off, Clean: clean}},
		{"systemd, with a unit of the owner's", []string{"/run/systemd/system", "/etc/systemd/system/hien.service"}, setup.Commands{Off: off, Clean: clean}},
		{"systemd, without a unit", []string{"/run/systemd/system"}, setup.Commands{Clean: clean}},
		{"a container in which systemd does not run", []string{"/usr/lib/systemd/system/hien.service"}, setup.Commands{Clean: clean}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, setup.CommandsWhere("/opt/hien", "/etc/hien.conf", c.files...)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}
