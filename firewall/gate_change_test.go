package firewall_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ruleNews subscribes to the router's policy rules and returns what tells the
// messages since the last call.
func ruleNews(t *testing.T, h *house) func() []string {
	t.Helper()
	var fd int
	h.do(func() (err error) {
		if fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1<<(unix.RTNLGRP_IPV4_RULE-1) | 1<<(unix.RTNLGRP_IPV6_RULE-1)})
	})
	t.Cleanup(func() { unix.Close(fd) })
	return func() (said []string) {
		buf := make([]byte, 8192)
		for {
			n, err := unix.Read(fd, buf)
			if err != nil {
				return said
			}
			all, err := syscall.ParseNetlinkMessage(buf[:n])
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range all {
				name := ""
				attrs, _ := syscall.ParseNetlinkRouteAttr(&syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: syscall.RTM_NEWROUTE}, Data: m.Data})
				for _, a := range attrs {
					if a.Attr.Type == 3 { // FRA_IIFNAME
						name = strings.TrimRight(string(a.Value), "\x00")
					}
				}
				said = append(said, fmt.Sprintf("%d %s", m.Header.Type, name))
			}
		}
	}
}

func TestTheGateAgainChangesNothing(t *testing.T) {
	h := bareHouse(t, world.Options{})
	news := ruleNews(t, h)
	h.shutGate(world.GuestBridge, "br-two")
	if got := news(); len(got) == 0 {
		t.Fatal("no news of the gate: the test proves nothing")
	}
	h.shutGate("br-two", world.GuestBridge)
	if got := news(); len(got) > 0 {
		t.Errorf("the same again: %q, want no change", got)
	}
	h.shutGate(world.GuestBridge, "br-two", "br-three")
	if got := news(); contains(got, "br-two") || contains(got, world.GuestBridge) || !contains(got, "br-three") {
		t.Errorf("a zone that comes: %q, want br-three's rules alone", got)
	}
	h.shutGate(world.GuestBridge, "br-three")
	if got := news(); contains(got, "br-three") || contains(got, world.GuestBridge) || !contains(got, "br-two") {
		t.Errorf("a zone that goes: %q, want br-two's rules alone", got)
	}
	if g := h.gateState(); !g.Complete || !slices.Equal(g.Interfaces, []string{world.GuestBridge, "br-three"}) {
		t.Errorf("got %+v", g)
	}
}

// TestTheGateKilled cuts its making and its taking out off after each step.
func TestTheGateKilled(t *testing.T) {
	h := bareHouse(t, world.Options{})
	var g firewall.TestGate
	h.do(func() (err error) { g, err = firewall.OpenTestGate(); return err })
	t.Cleanup(func() { g.Close() })
	hasLocal := func(when string) {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			all, err := netlink.RuleList(family)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(all, func(r netlink.Rule) bool {
				return r.Table == unix.RT_TABLE_LOCAL && r.IifName == "" && r.IPProto == 0 && r.Mask == nil
			}) {
				t.Errorf("%s: no rule finds the router's own addresses", when)
			}
		}
	}
	cuts := 0
	for _, c := range []struct {
		name     string
		from, to []string
	}{
		{"shut", nil, []string{world.GuestBridge}},
		{"open", []string{world.GuestBridge}, nil},
		{"a zone comes", []string{world.GuestBridge}, []string{world.GuestBridge, "br-two"}},
		{"a zone goes", []string{world.GuestBridge, "br-two"}, []string{world.GuestBridge}},
		{"another zone instead", []string{"br-two"}, []string{world.GuestBridge}},
	} {
		for n, whole := 0, false; !whole; n++ {
			h.do(func() error {
				if _, err := g.Hold(c.from, func() bool { return true }); err != nil {
					return err
				}
				step := 0
				var err error
				whole, err = g.Hold(c.to, func() bool {
					step++
					hasLocal(fmt.Sprintf("%s, after step %d", c.name, step))
					return step <= n
				})
				if err != nil {
					return err
				}
				cuts++
				if _, err = g.Hold(c.to, func() bool { return true }); err != nil {
					return err
				}
				left, err := g.Differences(c.to...)
				if len(left) > 0 {
					t.Errorf("%s, killed after step %d and done again: %q", c.name, n+1, left)
				}
				return err
			})
		}
	}
	if cuts < 40 {
		t.Errorf("killed at %d places, want more", cuts)
	}
}

// TestManyGatesAtOnce lets several processes' worth of gates be shut and
// opened at the same time.
func TestManyGatesAtOnce(t *testing.T) {
	h := bareHouse(t, world.Options{})
	var ended []<-chan error
	for i := range 4 {
		ended = append(ended, h.inRouter(func() error {
			for range 25 {
				if err := firewall.ShutGate(t.Context(), []string{world.GuestBridge, fmt.Sprint("br-", i)}, 0); err != nil {
					return err
				}
				if err := firewall.OpenGate(t.Context()); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for _, e := range ended {
		if err := <-e; err != nil {
			t.Error(err)
		}
	}
	want := "0:\tfrom all lookup local proto kernel"
	if got := h.policyRules(); strings.Count(got, want) != 2 || strings.Count(got, "\n0:") != 0 && strings.Contains(got, "104") {
		t.Errorf("got\n%s", got)
	}
	if g := h.gateState(); len(g.Faults) > 0 {
		t.Errorf("got %+v", g)
	}
}

// TestTheGateIsQuick holds that shutting takes milliseconds.
func TestTheGateIsQuick(t *testing.T) {
	h := bareHouse(t, world.Options{})
	best := [2]time.Duration{time.Hour, time.Hour}
	for range 20 {
		for i, do := range []func() error{
			func() error { return firewall.ShutGate(t.Context(), []string{world.GuestBridge}, 0) },
			func() error { return firewall.OpenGate(t.Context()) },
		} {
			h.do(func() error {
				start := time.Now()
				err := do()
				best[i] = min(best[i], time.Since(start))
				return err
			})
		}
	}
	t.Logf("at best: shut in %s, opened in %s", best[0], best[1])
	if max(best[0], best[1]) > 20*time.Millisecond {
		t.Errorf("got %v, want milliseconds", best)
	}
}

func TestShutGateRefusesNonsense(t *testing.T) {
	h := bareHouse(t, world.Options{NoIPv6: true})
	for _, c := range []struct {
		iface string
		mark  uint32
		want  string
	}{
		{"br guest", 0, `"br guest" is no interface name`},
		{world.GuestBridge, 3, "mark 0x3: want one bit"},
	} {
		h.do(func() error {
			err := firewall.ShutGate(soon(t), []string{c.iface}, c.mark)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s %#x: got %v, want %q", c.iface, c.mark, err, c.want)
			}
			return nil
		})
	}
}
