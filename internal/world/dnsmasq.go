package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// startDnsmasq runs the real dnsmasq on a node with the given configuration
// and waits until it serves. It reads no file of the machine.
func startDnsmasq(ctx context.Context, n *Node, config string) (*Daemon, error) {
	common := strings.Join([]string{
		"no-resolv", "no-hosts", "no-poll",
		"user=root", "group=root",
		"dhcp-leasefile=" + filepath.Join(n.dir, "dnsmasq.leases"),
		"pid-file=" + filepath.Join(n.dir, "dnsmasq.pid"),
		"",
	}, "\n")
	path := filepath.Join(n.dir, "dnsmasq.conf")
	if err := os.WriteFile(path, []byte(common+config), 0o644); err != nil {
		return nil, err
	}
	stay := "--keep-in-foreground"
	if groups, err := os.ReadFile("/proc/self/setgroups"); err == nil && strings.TrimSpace(string(groups)) == "deny" {
		// In a user namespace without root there is no group to change to,
		// and only the debug mode does not try.
		stay = "--no-daemon"
	}
	d, err := n.Start([]string{"dnsmasq", stay, "--log-facility=-", "--conf-file=" + path})
	if err != nil {
		return nil, err
	}
	if _, err := d.Line(ctx, "started, version"); err != nil {
		d.Kill()
		return nil, fmt.Errorf("dnsmasq on %s: %w", n.Name, err)
	}
	return d, nil
}
