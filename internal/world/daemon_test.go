package world

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestDaemonIsBuiltStartedHeardAndStopped(t *testing.T) {
	n := loneNode(t, "host")
	program, err := Build(soon(t), "./internal/world/testdata/daemon")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Build(soon(t), "./internal/world/testdata/daemon"); err != nil || again != program {
		t.Errorf("built again = %s, %v; want the first, %s", again, err, program)
	}
	heard := make(chan string, 10)
	d, err := n.Start([]string{program}, Env("WORD=hiên"), EachLine(func(line string) { heard <- line }))
	if err != nil {
		t.Fatal(err)
	}
	if line, err := d.Line(soon(t), "word:", "hiên"); err != nil {
		t.Errorf("%q, %v", line, err)
	}
	mark := d.Mark()
	if err := d.Stop(soon(t)); err != nil {
		t.Errorf("stop: %v", err)
	}
	if line, err := d.LineAfter(soon(t), mark, "stopping"); err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if _, err := d.LineAfter(soon(t), mark, "ready"); err == nil {
		t.Error("a line before the mark was found after it")
	}
	close(heard)
	var lines []string
	for line := range heard {
		lines = append(lines, line)
	}
	if !slices.Equal(lines, d.Lines()) || len(lines) != 3 {
		t.Errorf("heard %q, kept %q; want the same three lines", lines, d.Lines())
	}
}

func TestDaemonThatEndsBadlyOrIsKilled(t *testing.T) {
	n := loneNode(t, "host")
	program, err := Build(soon(t), "./internal/world/testdata/daemon")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := n.Start([]string{program}, Env("WORD=bad"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Line(soon(t), "ready"); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := bad.Stop(soon(t)); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("stop = %v, want exit status 3", err)
	}
	killed, err := n.Start([]string{program})
	if err != nil {
		t.Fatal(err)
	}
	killed.Kill()
	if err := killed.Wait(soon(t)); err == nil {
		t.Error("a killed program ended well")
	}
	if _, err := n.Start([]string{"no-such-program"}); err == nil {
		t.Error("a program that is not there was started")
	}
}

func TestProgramsEndWithTheirNode(t *testing.T) {
	Need(t)
	n, err := newNode("shortlived")
	if err != nil {
		t.Fatal(err)
	}
	d, err := n.Start([]string{"tail", "-n", "+1", "-f", "/proc/version"})
	if err == nil {
		_, err = d.Line(soon(t), "Linux") // it runs, and is no longer on its way into the node
	}
	if err == nil {
		n.close()
		err = d.Wait(soon(t))
	}
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the program's end = %v, want that it was killed", err)
	}
	if err := n.Do(func() error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("Do on a closed node = %v, want %v", err, ErrClosed)
	}
}

// loneNode is a node without a world.
func loneNode(t *testing.T, name string) *Node {
	t.Helper()
	Need(t)
	n, err := newNode(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.close() })
	return n
}

func TestSnapshotTellsEveryChange(t *testing.T) {
	Need(t)
	run := func(argv ...string) {
		t.Helper()
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", argv, err, out)
		}
	}
	snap := func() string {
		t.Helper()
		s, err := Snapshot(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// These run in the private namespaces of the test, not on the machine.
	for _, c := range []struct{ name, do, undo, tells string }{
		{"a table of nft", "nft add table inet hien_x", "nft delete table inet hien_x", "nft list ruleset (<nil>): table inet hien_x"},
		{"a rule of iptables-legacy", "iptables-legacy -A INPUT -j ACCEPT", "iptables-legacy -D INPUT -j ACCEPT", "iptables-legacy-save (<nil>): -A INPUT -j ACCEPT"},
		{"a rule of ip6tables-nft", "ip6tables-nft -A INPUT -j ACCEPT", "ip6tables-nft -D INPUT -j ACCEPT", "ip6tables-nft-save (<nil>): -A INPUT -j ACCEPT"},
		{"a set", "ipset create hien_x hash:ip", "ipset destroy hien_x", "ipset save (<nil>): create hien_x"},
		{"a policy rule", "ip rule add fwmark 7 unreachable", "ip rule del fwmark 7 unreachable", "ip -4 rule (<nil>):"},
		{"a route", "ip route add 192.0.2.0/24 dev lo", "ip route del 192.0.2.0/24 dev lo", "192.0.2.0/24"},
		{"a link", "ip link add hien_x type bridge", "ip link del hien_x", "hien_x"},
		{"an address", "ip addr add 192.0.2.1/32 dev lo", "ip addr del 192.0.2.1/32 dev lo", "ip addr (<nil>):     inet 192.0.2.1"},
		{"a sysctl", "sysctl -q net.ipv4.ip_forward=1", "sysctl -q net.ipv4.ip_forward=0", "ipv4/ip_forward = 1"},
		{"a named namespace", "touch /run/netns/hien_x", "rm /run/netns/hien_x", "/run/netns/hien_x"},
		{"a mount", "mount --bind /etc/hosts /etc/hosts", "umount /etc/hosts", "/etc/hosts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := snap()
			run(strings.Fields(c.do)...)
			diff := SnapshotDiff(before, snap())
			run(strings.Fields(c.undo)...)
			if !strings.Contains(diff, "+ ") || !strings.Contains(diff, c.tells) {
				t.Errorf("the difference does not tell %q:\n%s", c.tells, diff)
			}
		})
	}
	if diff := SnapshotDiff(snap(), snap()); diff != "" {
		t.Errorf("nothing was changed, and the difference is\n%s", diff)
	}
}
