package firewall_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// eachBackEnd runs a test with nftables, and with iptables in both variants.
func eachBackEnd(t *testing.T, test func(t *testing.T, back firewall.Backend)) {
	t.Run("nftables", func(t *testing.T) { test(t, firewall.NFTables) })
	t.Run("iptables", func(t *testing.T) {
		variants(t, func(t *testing.T) { test(t, firewall.IPTables) })
	})
}

// keptHouse is a house whose door is kept, by the kernel's news alone.
type keptHouse struct {
	*house
	log      *bytes.Buffer // to be read when keeping has ended
	checks   atomic.Int64
	checked  chan bool // something was compared
	repaired chan bool
	end      func()
}

func newKeptHouse(t *testing.T, back firewall.Backend, readmit func(*firewall.Firewall)) *keptHouse {
	t.Helper()
	prefix := netip.MustParsePrefix("10.77.0.1/16")
	h := &keptHouse{house: bareHouse(t, world.Options{GuestPrefix: prefix}), log: new(bytes.Buffer), checked: make(chan bool, 1), repaired: make(chan bool, 100)}
	h.rules = firewall.Ruleset{Uplinks: []string{world.WAN}, Zones: []firewall.Zone{
		{Name: "guest", Interface: world.GuestBridge, PortalPort: portalPort, Prefix: prefix},
	}}
	h.do(func() (err error) {
		h.door, err = firewall.Open(soon(t), firewall.Options{Backend: back, Log: slog.New(slog.NewTextHandler(h.log, nil))})
		return err
	})
	t.Cleanup(func() { h.door.Close() })
	h.apply()
	ctx, cancel := context.WithCancel(t.Context())
	ended := h.inRouter(func() error {
		return h.door.KeepCounting(ctx, time.Hour, func() {
			h.checks.Add(1)
			select {
			case h.checked <- true:
			default:
			}
		}, func() {
			if readmit != nil {
				readmit(h.door)
			}
			h.repaired <- true
		})
	})
	h.end = func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Keep: got %v, want nil when its context ends", err)
		}
	}
	<-h.checked
	return h
}

// awaitRepair waits for the next repair.
func (h *keptHouse) awaitRepair() {
	h.t.Helper()
	select {
	case <-h.repaired:
	case <-time.After(10 * time.Second):
		h.t.Fatal("nothing was repaired within 10 s")
	}
}

// TestForeignChangesAreRepaired lets another program change everything that
// there is to change, and holds that it is repaired within 2 s.
func TestForeignChangesAreRepaired(t *testing.T) {
	eachBackEnd(t, func(t *testing.T, back firewall.Backend) {
		h := newKeptHouse(t, back, nil)
		flushes := [][]string{{"nft", "flush", "ruleset"}}
		if back == firewall.IPTables {
			flushes = [][]string{{"iptables", "-F"}, {"ip6tables", "-F"}, {"iptables", "-t", "mangle", "-F"}, {"ip6tables", "-t", "nat", "-F"}}
		}
		flushes = append(flushes,
			[]string{"ip", "-4", "rule", "del", "pref", "0", "iif", world.GuestBridge, "protocol", "104"},
			[]string{"ip", "-6", "rule", "del", "pref", "0", "iif", world.GuestBridge, "protocol", "104"})
		rounds := 12
		if back == firewall.IPTables {
			rounds = 6 // each takes half a second
		}
		var took []time.Duration
		for i := range rounds {
			flush := flushes[i%len(flushes)]
			select { // left over
			case <-h.checked:
			default:
			}
			h.run(flush...)
			start := time.Now()
			h.awaitRepair()
			took = append(took, time.Since(start))
			if i < rounds*3/4 { // the others follow one another at once
				<-h.checked
				<-h.checked // to which the repair itself has led
			}
			if left := h.differences(); len(left) > 0 {
				t.Errorf("after %s and its repair: %q", strings.Join(flush, " "), left)
			}
		}
		h.end()
		slices.Sort(took)
		p50, p99 := took[len(took)/2], took[len(took)-1]
		t.Logf("%d changes: repaired after %s at the median, %s at most; %d comparisons", rounds, p50, p99, h.checks.Load())
		if p99 > 2*time.Second {
			t.Errorf("repaired after %s at most, want 2 s", p99)
		}
		if n, lines := h.door.Repairs(), strings.Count(h.log.String(), "is repaired"); n != uint64(rounds) || lines != rounds {
			t.Errorf("%d changes: counted %d repairs and logged %d, want each once", rounds, n, lines)
		}
	})
}

// TestWithoutThePacketFilterTheGateIsShut flushes the packet filter while
// nobody keeps it. The negative control is the same without the gate.
func TestWithoutThePacketFilterTheGateIsShut(t *testing.T) {
	eachBackEnd(t, func(t *testing.T, back firewall.Backend) {
		h := newKeptHouse(t, back, nil)
		h.end()
		p := h.join("phone")
		h.admit(p, time.Hour)
		for _, a := range p.Attempts(soon(t), p.Target) {
			if !a.Answered() {
				t.Errorf("with a pass: %s", a)
			}
		}
		h.run("nft", "flush", "ruleset")
		for _, tool := range []string{"iptables", "ip6tables"} {
			for _, table := range []string{"filter", "mangle", "nat"} {
				h.run(tool, "-t", table, "-F")
			}
		}
		if got := opened(h.house, p); len(got) > 0 {
			t.Errorf("after the flush:\n%s", strings.Join(got, "\n"))
		}
		h.do(func() error { return firewall.OpenGate(soon(t)) })
		if got := opened(h.house, p); !contains(got, "tcp to 10.77.0.1:22") || !contains(got, "the internet has seen") {
			t.Errorf("without the gate found %q, want the router's SSH and the internet", got)
		}
	})
}

// TestGuestsThatComeAreNoReasonToLook admits a thousand guests at once.
func TestGuestsThatComeAreNoReasonToLook(t *testing.T) {
	eachBackEnd(t, func(t *testing.T, back firewall.Backend) {
		h := newKeptHouse(t, back, nil)
		before := h.checks.Load()
		start := time.Now()
		for i := range 1000 {
			id, addrs := newcomer(i)
			if err := h.door.Admit(t.Context(), id, addrs, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		took := time.Since(start)
		checks := h.checks.Load() - before
		h.end()
		t.Logf("1,000 guests in %s: %d comparisons", took, checks)
		if most := 2 + int64(took/(200*time.Millisecond)); checks > most {
			t.Errorf("%d comparisons while 1,000 guests were admitted, want at most %d", checks, most)
		}
		if h.door.Repairs() > 0 {
			t.Errorf("%d repairs without a foreign change", h.door.Repairs())
		}
	})
}

// TestARepairWithAThousandGuests measures how long guests with a pass are
// kept out by a flush.
func TestARepairWithAThousandGuests(t *testing.T) {
	eachBackEnd(t, func(t *testing.T, back firewall.Backend) {
		readmit := func(f *firewall.Firewall) {
			for i := range 1000 {
				id, addrs := newcomer(i)
				if err := f.Admit(context.Background(), id, addrs, time.Hour); err != nil {
					t.Error(err)
					return
				}
			}
		}
		h := newKeptHouse(t, back, readmit)
		readmit(h.door)
		before, err := h.door.Passes(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		flush := []string{"nft", "flush", "ruleset"}
		if back == firewall.IPTables {
			flush = []string{"iptables", "-F"} // which leaves the sets
		}
		h.run(flush...)
		start := time.Now()
		h.awaitRepair()
		took := time.Since(start)
		after, err := h.door.Passes(soon(t))
		if err != nil || len(after) != len(before) || len(before) < 1000 {
			t.Errorf("%d passes after the repair, %d before it: %v", len(after), len(before), err)
		}
		h.end()
		t.Logf("%s with 1,000 guests: repaired and all admitted again after %s", strings.Join(flush, " "), took)
		if took > 2*time.Second {
			t.Errorf("it took %s, want 2 s", took)
		}
	})
}
