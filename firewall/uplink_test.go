package firewall_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
	"golang.org/x/sys/unix"
)

// An island is a network namespace with interfaces that lead nowhere.
type island struct {
	t  *testing.T
	ns *os.File
}

func newIsland(t *testing.T, interfaces ...string) island {
	t.Helper()
	world.Need(t)
	made, left := make(chan error), make(chan bool)
	i := island{t: t}
	go func() {
		runtime.LockOSThread() // for good: the thread ends here
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			i.ns, err = os.Open("/proc/thread-self/ns/net")
		}
		made <- err
		<-left
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(left); i.ns.Close() })
	i.ip("link set lo up")
	for n, name := range interfaces {
		i.ip("link add " + name + " type veth peer name far-" + name)
		i.ip("link set far-" + name + " up")
		i.ip("link set " + name + " up")
		i.ip(fmt.Sprintf("-4 addr add 192.0.2.%d/28 dev %s", 16*n+1, name))
		i.ip(fmt.Sprintf("-6 addr add 2001:db8:%d::1/64 dev %s nodad", n, name))
	}
	return i
}

// begin runs f in a goroutine whose thread is in the namespace.
func (i island) begin(f func() error) <-chan error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := unix.Setns(int(i.ns.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		ended <- err
	}()
	return ended
}

func (i island) do(f func() error) {
	i.t.Helper()
	if err := <-i.begin(f); err != nil {
		i.t.Fatal(err)
	}
}

// ip runs ip(8).
func (i island) ip(words string) {
	i.t.Helper()
	i.do(func() error {
		if out, err := exec.CommandContext(i.t.Context(), "ip", strings.Fields(words)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", words, err, out)
		}
		return nil
	})
}

func TestUplinks(t *testing.T) {
	i := newIsland(t, "wan", "wan2", "wg0", "lan")
	for _, c := range []struct {
		name   string
		change string
		want   []string
	}{
		{"without a route", "", nil},
		{"a network's route is none", "-4 route add 203.0.113.0/24 via 192.0.2.34 dev wg0", nil},
		{"half of the internet is none", "-4 route add 0.0.0.0/1 dev wg0", nil},
		{"nor are both halves", "-4 route add 128.0.0.0/1 dev wg0", nil},
		{"nowhere is no uplink", "-4 route add unreachable default metric 9000", nil},
		{"nor is a black hole", "-6 route add blackhole default metric 9000 table 7", nil},
		{"nor is the loopback", "-4 route add default dev lo table 8", nil},
		{"IPv4", "-4 route add default via 192.0.2.2 dev wan", []string{"wan"}},
		{"IPv6 by another", "-6 route add default via 2001:db8:1::9 dev wan2", []string{"wan", "wan2"}},
		{"in a table of its own", "-4 route add default dev wg0 table 1234", []string{"wan", "wan2", "wg0"}},
		{"gone from it", "-4 route del default table 1234", []string{"wan", "wan2"}},
		{"by two interfaces", "-4 route add default table 5 nexthop via 192.0.2.34 dev wg0 nexthop via 192.0.2.50 dev lan", []string{"lan", "wan", "wan2", "wg0"}},
		{"the table flushed", "-4 route flush table 5", []string{"wan", "wan2"}},
		{"IPv6 by two interfaces", "-6 route add default table 6 nexthop via 2001:db8:2::9 dev wg0 nexthop via 2001:db8:3::9 dev lan", []string{"lan", "wan", "wan2", "wg0"}},
		{"that table flushed too", "-6 route flush table 6", []string{"wan", "wan2"}},
		{"an uplink down", "link set wan2 down", []string{"wan"}},
	} {
		if c.change != "" {
			i.ip(c.change)
		}
		i.do(func() error {
			got, err := firewall.Uplinks(t.Context())
			if err == nil && !slices.Equal(got, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
			return err
		})
	}
}

func TestWatchUplinks(t *testing.T) {
	i := newIsland(t, "wan", "wan2")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := make(chan []string, 10)
	ended := i.begin(func() error {
		return firewall.WatchUplinks(ctx, time.Hour, func(names []string) { told <- names })
	})
	expect := func(want ...string) {
		t.Helper()
		select {
		case got := <-told:
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		case <-soon(t).Done():
			t.Fatalf("nothing was told, want %v", want)
		}
	}
	expect()
	i.ip("-4 route add default via 192.0.2.2 dev wan")
	expect("wan")
	i.ip("-6 route add default via 2001:db8:1::9 dev wan2")
	expect("wan", "wan2")
	for range 50 { // none of which changes the answer
		i.ip("-4 route add 203.0.113.0/24 dev wan")
		i.ip("-4 route del 203.0.113.0/24 dev wan")
	}
	i.ip("link set wan down")
	expect("wan2")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("got %v, want nil when its context ends", err)
	}
	select {
	case got := <-told:
		t.Errorf("told %v, which is no change", got)
	default:
	}
}

func BenchmarkUplinks(b *testing.B) {
	world.Need(b)
	for b.Loop() {
		if _, err := firewall.Uplinks(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
