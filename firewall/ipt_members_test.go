package firewall_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// usage sums what has been counted of a guest's address in one direction:
// what is known by hardware address, or IPv6, is what was sent.
func (h *tabled) usage(addr netip.Addr) (each []uint64) {
	h.t.Helper()
	all, err := h.door.Usage(soonest(h.t))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, u := range all {
		if u.Addr == addr && !u.Lent {
			each = append(each, u.Bytes)
		}
	}
	return each
}

var timeLeft = regexp.MustCompile(` timeout (\d+)`)

// left is a member's time in seconds, of a line of ipset save; -1 without it.
func (h *tabled) left(set, member string) int {
	h.t.Helper()
	for line := range strings.Lines(h.run("ipset save " + set)) {
		if strings.HasPrefix(line, "add "+set+" "+member+" ") {
			n, err := strconv.Atoi(timeLeft.FindStringSubmatch(line)[1])
			if err != nil {
				h.t.Fatal(err)
			}
			return n
		}
	}
	return -1
}

func TestIPSetsAreReplacedWithTimeAndCounts(t *testing.T) {
	h := newTabled(t, world.Options{})
	p, id, addrs := h.phone("phone")
	// As a version without counts has left it.
	h.run("ipset create HIEN-4b-guest bitmap:ip,mac range 10.77.0.0-10.77.0.255 timeout 0")
	h.run(fmt.Sprintf("ipset add HIEN-4b-guest %s,%s timeout 1000", addrs[0], p.MAC))
	var refilled []string
	h.door.Close()
	h.open(func(context.Context) { refilled = append(refilled, "once") })
	h.apply()
	h.check("sets without counts")
	if left := h.left("HIEN-4b-guest", fmt.Sprintf("%s,%s", addrs[0], strings.ToUpper(p.MAC.String()))); left < 900 || left > 1000 {
		t.Errorf("the pass has %d s, want a little less than 1000", left)
	}
	if len(refilled) != 1 { // the other sets of guests were missing
		t.Errorf("refilled %d times, want once", len(refilled))
	}
	h.admit(id, addrs)
	if v4, v6 := h.answered(p); len(v4) != 10 || len(v6) != 10 {
		t.Fatalf("answered %q and %q, want all", v4, v6)
	}
	before := [][]uint64{h.usage(addrs[0]), h.usage(addrs[1])}
	for i, each := range before {
		if len(each) != 2 || each[0] < 500 || each[1] < 500 {
			t.Errorf("%s: counted %d, want what was sent and what came", addrs[i], each)
		}
	}
	// Another pass for the same guest, then a wider network: a new set.
	h.admit(id, addrs)
	h.rules.Zones[0].Prefix = netip.MustParsePrefix("10.77.0.1/20")
	h.apply()
	h.check("a wider network")
	for i, addr := range addrs {
		after := h.usage(addr)
		if len(after) != 2 || after[0] < before[i][0] || after[1] < before[i][1] {
			t.Errorf("%s: counted %d after its set was replaced, %d before", addr, after, before[i])
		}
	}
	if len(refilled) != 1 {
		t.Errorf("refilled %d times, want once: no set was missing", len(refilled))
	}
	if left := h.left("HIEN-4b-guest", fmt.Sprintf("%s,%s", addrs[0], strings.ToUpper(p.MAC.String()))); left < 3500 || left > 3600 {
		t.Errorf("the pass has %d s, want a little less than an hour", left)
	}
	// The next owner of the address begins at 0, by the side or after it.
	other := hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0x10, 0, 9}}
	h.admit(other, addrs[:1])
	if got := h.usage(addrs[0]); len(got) == 0 || got[0] != 0 {
		t.Errorf("another device at the address begins with %d, want 0", got)
	}
	for _, remove := range []hien.GuestID{other, id} {
		if err := h.door.Remove(soonest(t), remove, addrs); err != nil {
			t.Fatal(err)
		}
	}
	h.admit(id, addrs)
	for _, addr := range addrs {
		if got := h.usage(addr); len(got) != 2 || got[0] != 0 || got[1] != 0 {
			t.Errorf("%s: a new pass begins with %d, want 0", addr, got)
		}
	}
}

func TestASetThatIsGoneIsRefilledBeforeTheRulesStand(t *testing.T) {
	eachIPTables(t, func(t *testing.T) {
		h := newTabled(t, world.Options{})
		p, id, addrs := h.phone("phone")
		h.door.Close()
		refilled, rules := 0, ""
		h.open(func(ctx context.Context) {
			refilled++
			// On the router's thread, as Apply is.
			out, err := exec.CommandContext(ctx, "iptables-save").Output()
			if err != nil {
				t.Error(err)
			}
			rules = string(out)
			h.admit(id, addrs)
		})
		h.apply()
		c, err := p.Dial(soonest(t), "tcp", netip.AddrPortFrom(p.Target.V6, 7).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		echoes := func(when string) {
			t.Helper()
			_, err := c.Write([]byte("hello"))
			if err == nil {
				_, err = io.ReadFull(c, make([]byte, 5))
			}
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		echoes("with a pass")
		for _, t := range []string{"iptables", "ip6tables"} {
			for _, table := range []string{"mangle", "filter", "nat"} {
				h.run(t + " -t " + table + " -F")
				h.run(t + " -t " + table + " -X")
			}
		}
		h.run("ipset destroy")
		h.apply()
		if refilled != 2 || strings.Contains(rules, "HIEN-") {
			t.Errorf("refilled %d times, the last time with the rules %s; want twice, and before the rules", refilled, rules)
		}
		echoes("after everything was flushed and repaired")
		h.check("repaired")
	})
}

func TestGardensAreReachedAndKeepTheLongerTime(t *testing.T) {
	eachIPTables(t, func(t *testing.T) {
		h := newTabled(t, world.Options{LAN: true})
		h.rules.Zones[0].Garden = []netip.Prefix{netip.PrefixFrom(h.Internet.Target(300).V6, 128), netip.MustParsePrefix("192.168.1.10/32")}
		p, id, addrs := h.phone("phone")
		h.apply()
		garden, codes := h.Internet.Target(100), h.Internet.Target(200)
		plant := func(left time.Duration, forCode bool, hosts ...netip.Addr) {
			t.Helper()
			if err := h.door.Plant(soonest(t), "guest", hosts, left, forCode); err != nil {
				t.Fatal(err)
			}
		}
		plant(10*time.Minute, false, append(garden.Addrs(), netip.MustParseAddr("192.168.1.1"))...)
		plant(10*time.Minute, true, codes.Addrs()...)
		reached := func(when string, want map[netip.Addr]bool) {
			t.Helper()
			for to, want := range want {
				for _, port := range []uint16{80, 443} {
					c, err := p.Dial(soonest(t), "tcp", netip.AddrPortFrom(to, port).String())
					if err == nil {
						c.Close()
					}
					if got := err == nil; got != want && (port == 80 || to != netip.MustParseAddr("192.168.1.10")) {
						t.Errorf("%s: %s port %d reached: %v (%v), want %v", when, to, port, got, err, want)
					}
				}
			}
		}
		reached("without a pass", map[netip.Addr]bool{
			garden.V4: true, garden.V6: true, codes.V4: false, codes.V6: false,
			h.Internet.Target(300).V6: true, h.Internet.Target(300).V4: false,
			netip.MustParseAddr("192.168.1.10"): true, p.Target.V4: false, p.Target.V6: false,
		})
		if err := h.door.Lend(soonest(t), id, addrs, time.Minute); err != nil {
			t.Fatal(err)
		}
		reached("with the garden lent", map[netip.Addr]bool{codes.V4: true, codes.V6: true, p.Target.V4: false})
		all, err := h.door.Usage(soonest(t))
		if err != nil {
			t.Fatal(err)
		}
		lent := 0
		for _, u := range all {
			if u.Lent && u.Bytes > 0 {
				lent++
			}
		}
		if lent != 2 {
			t.Errorf("got %v, want the bytes of what was lent on both families", all)
		}
		if err := h.door.Lend(soonest(t), id, addrs, 0); err != nil {
			t.Fatal(err)
		}
		reached("when it is lent no more", map[netip.Addr]bool{codes.V4: false, codes.V6: false, garden.V4: true})

		for _, c := range []struct {
			left      time.Duration
			low, high int
		}{{time.Minute, 500, 600}, {20 * time.Minute, 1100, 1200}} {
			plant(c.left, false, garden.V4)
			if got := h.left("HIEN-g4-guest", garden.V4.String()); got < c.low || got > c.high {
				t.Errorf("planted for %s: %d s are left, want %d to %d", c.left, got, c.low, c.high)
			}
		}
	})
}

func TestASpeedHolds(t *testing.T) {
	eachIPTables(t, func(t *testing.T) {
		h := newTabled(t, world.Options{})
		h.rules.Zones[0].Speed = firewall.Speed{Down: 500_000, Up: 500_000}
		p, id, addrs := h.phone("phone")
		h.apply()
		h.admit(id, addrs)
		for _, to := range p.Target.Addrs() {
			// A second's worth at once, the rest as the bucket fills.
			start := time.Now()
			resp, err := p.HTTPClient().Get("http://" + netip.AddrPortFrom(to, 80).String() + "/bytes?n=1200000")
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if took := time.Since(start); err != nil || n != 1_200_000 || took < time.Second {
				t.Errorf("%s: %d bytes in %s (%v), want 1200000 in more than 1 s", to, n, took, err)
			}
			c, err := p.Dial(soonest(t), "udp", netip.AddrPortFrom(to, 9).String())
			if err != nil {
				t.Fatal(err)
			}
			before := h.Internet.Seen(to).UDP
			begin := time.Now()
			for range 2000 {
				c.Write(make([]byte, 960))
			}
			took := time.Since(begin)
			if err := h.Flush(soonest(t)); err != nil {
				t.Fatal(err)
			}
			c.Close()
			most := int((time.Second + took + time.Second).Seconds() * 510) // a packet is some 1000 bytes
			if got := h.Internet.Seen(to).UDP - before; got < 300 || got > most || most > 1900 {
				t.Errorf("%s: of 2000 packets in %s %d have passed, want 300 to %d", to, took, got, most)
			}
		}
	})
}

func TestAKernelWithoutHashlimitIsNamed(t *testing.T) {
	eachIPTables(t, func(t *testing.T) {
		h := newTabled(t, world.Options{})
		dir := t.TempDir() // all extensions but this one
		found, err := filepath.Glob("/usr/lib/*/xtables/*.so")
		if err != nil || len(found) == 0 {
			t.Fatal(found, err)
		}
		for _, path := range found {
			if name := filepath.Base(path); name != "libxt_hashlimit.so" {
				if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Setenv("XTABLES_LIBDIR", dir)
		h.apply() // without a speed nothing is missing
		h.rules.Zones[0].AllSpeed.Down = 1_000_000
		err = h.Router.Do(func() error { return h.door.Apply(soonest(t), h.rules) })
		if err == nil || !strings.Contains(err.Error(), "kmod-ipt-hashlimit and iptables-mod-hashlimit") {
			t.Errorf("got %v, want an error that names the package", err)
		}
	})
}

func TestTheFingerprintTellsAChangeAndNoMember(t *testing.T) {
	for variant, deeds := range map[string][]string{
		"nft": {"iptables -t mangle -F HIEN-M-guest", "ipset create HIEN-x hash:ip", "iptables -t nat -F HIEN-N-guest"},
		"legacy": {"iptables -t mangle -F HIEN-M-guest", "ipset create HIEN-x hash:ip", "iptables -t nat -F HIEN-N-guest",
			"iptables -D FORWARD -j HIEN-FORWARD", "ip6tables -t mangle -D POSTROUTING -j HIEN-POSTROUTING", "ip6tables -I INPUT -j ACCEPT"},
	} {
		t.Run(variant, func(t *testing.T) {
			useVariant(t, variant)
			h := newTabled(t, world.Options{})
			h.apply()
			print := func() uint64 {
				t.Helper()
				n, err := h.door.Fingerprint()
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			last := print()
			h.admit(hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0x10, 0, 1}}, []netip.Addr{netip.MustParseAddr("10.77.0.9"), netip.MustParseAddr("2001:db8:77::9")})
			h.apply()
			if now := print(); now != last {
				t.Error("it is another one after a guest was admitted")
			}
			for _, deed := range deeds {
				h.run(deed)
				now := print()
				if now == last {
					t.Errorf("%s: it is the same", deed)
				}
				last = now
			}
			h.apply()
			h.check("mended")
		})
	}
}
