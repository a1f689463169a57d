package firewall_test

import (
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// A used is what the door has counted of a guest.
type used struct{ passes, lent uint64 }

func (h *house) usage(p *world.Phone) (sum used) {
	h.t.Helper()
	all, err := h.door.Usage(soon(h.t))
	if err != nil {
		h.t.Fatal(err)
	}
	id, addrs := guest(p)
	for _, u := range all {
		own := u.MAC == id.MAC
		for _, a := range addrs {
			own = own || u.Addr == a
		}
		switch {
		case !own:
		case u.Lent:
			sum.lent += u.Bytes
		default:
			sum.passes += u.Bytes
		}
	}
	return sum
}

// fetch downloads n bytes.
func fetch(p *world.Phone, from netip.Addr, n int) error {
	resp, err := p.HTTPClient().Get(fmt.Sprintf("http://%s/bytes?n=%d", netip.AddrPortFrom(from, 80), n))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.Copy(io.Discard, resp.Body)
	if err == nil && got != int64(n) {
		err = fmt.Errorf("got %d bytes, want %d", got, n)
	}
	return err
}

// TestWhatAPassCarriesIsCounted also admits the guest again and again during
// the download: nothing of it is cut and nothing of the count is lost.
func TestWhatAPassCarriesIsCounted(t *testing.T) {
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		p := h.join("phone")
		h.apply()
		h.admit(p, time.Hour)
		const size = 8 << 20
		for i, from := range p.Target.Addrs() {
			before := h.usage(p).passes
			done := make(chan error, 1)
			go func() { done <- fetch(p, from, size) }()
			again := 0
			for over := false; !over; again++ {
				h.admit(p, time.Hour+time.Duration(again+i)*time.Second)
				select {
				case err := <-done:
					if err != nil {
						t.Fatalf("%s: %v, after %d times admitted again", from, err, again)
					}
					over = true
				default:
				}
			}
			got := h.usage(p).passes - before
			t.Logf("%s: %d bytes counted of %d, admitted %d times meanwhile", from, got, size, again)
			if got < size*99/100 || got > size*110/100 {
				t.Errorf("%s: %d bytes were counted, %d were carried", from, got, size)
			}
		}
	})
}

func TestSpeeds(t *testing.T) {
	const (
		rate   = 1 << 20 // bytes per second
		during = 1200 * time.Millisecond
	)
	backends(t, func(t *testing.T, e backEnd) {
		h := newHouse(t, e, world.Options{})
		sink, err := h.Internet.Listen("tcp", ":9009")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sink.Close() })
		var up atomic.Int64
		go func() {
			for {
				c, err := sink.Accept()
				if err != nil {
					return
				}
				go io.Copy(counting{&up}, c)
			}
		}()
		p, q := h.join("one"), h.join("another")
		measure := func(phones ...*world.Phone) (down, sent float64) {
			t.Helper()
			var got atomic.Int64
			up.Store(0)
			var all sync.WaitGroup
			for i, p := range phones {
				to := p.Target.Addrs()[i%2]
				out, err := p.Dial(soon(t), "tcp", netip.AddrPortFrom(to, 9009).String())
				if err != nil {
					t.Fatal(err)
				}
				in, err := p.HTTPClient().Get("http://" + netip.AddrPortFrom(to, 80).String() + "/bytes?n=1000000000000")
				if err != nil {
					t.Fatal(err)
				}
				end := time.AfterFunc(during, func() { in.Body.Close() })
				defer end.Stop()
				out.SetDeadline(time.Now().Add(during))
				all.Go(func() { io.Copy(counting{&got}, in.Body) })
				all.Go(func() {
					for b := make([]byte, 16<<10); err == nil; {
						_, err = out.Write(b)
					}
					out.Close()
				})
			}
			all.Wait()
			return float64(got.Load()) / during.Seconds(), float64(up.Load()) / during.Seconds()
		}
		check := func(what string, got float64, low, high float64) {
			t.Helper()
			t.Logf("%s: %.2f MiB/s", what, got/(1<<20))
			if got < low || got > high {
				t.Errorf("%s: got %.0f bytes per second, want %.0f to %.0f", what, got, low, high)
			}
		}
		h.apply()
		h.admit(p, time.Hour)
		h.admit(q, time.Hour)
		down, sent := measure(p)
		check("without a limit, down", down, 8*rate, 1e12)
		check("without a limit, up", sent, 8*rate, 1e12)
		// There comes what the time allows, and what a full bucket holds: one
		// second's and a little.
		most := rate * (1.25 + float64(time.Second)/float64(during))
		h.rules.Zones[0].Speed = firewall.Speed{Down: rate, Up: rate}
		h.apply()
		down, sent = measure(p, q)
		check("each its own, down", down, 1.0*rate, 2*most)
		check("each its own, up", sent, 1.0*rate, 2*most)
		h.rules.Zones[0].Speed, h.rules.Zones[0].AllSpeed = firewall.Speed{}, firewall.Speed{Down: rate, Up: rate}
		h.apply()
		down, sent = measure(p, q)
		check("all together, down", down, 0.5*rate, most*e.families())
		check("all together, up", sent, 0.5*rate, most*e.families())
	})
}

// families is in how many families the zone's limit is kept by itself.
func (e backEnd) families() float64 {
	if e.Backend == firewall.NFTables {
		return 1
	}
	return 2
}

// counting counts what is written to it.
type counting struct{ n *atomic.Int64 }

func (c counting) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}
