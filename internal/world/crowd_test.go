package world

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func TestAThousandGuestsDial(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true, GuestPrefix: netip.MustParsePrefix("10.77.0.1/16")})
	start := time.Now()
	crowd, err := w.AddCrowd(soon(t), 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("1,000 guests came in %v", time.Since(start).Round(time.Millisecond))
	start = time.Now()
	g, ctx := errgroup.WithContext(soon(t))
	g.SetLimit(64)
	for _, guest := range crowd.Guests {
		g.Go(func() error {
			c, err := guest.Dial(ctx, "tcp", netip.AddrPortFrom(guest.Target.V4, 7).String())
			if err != nil {
				return err
			}
			defer c.Close()
			if got := c.LocalAddr().String(); netip.MustParseAddrPort(got).Addr() != guest.IPv4 {
				return fmt.Errorf("local address = %s, want %s", got, guest.IPv4)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("and dialled in %v", time.Since(start).Round(time.Millisecond))
	if err := w.Flush(soon(t)); err != nil {
		t.Fatal(err)
	}
	for _, guest := range crowd.Guests {
		if w.Internet.SeenAt(guest.Target).TCP == 0 {
			t.Errorf("nothing of %s was counted", guest.IPv4)
		}
	}
}

func TestASmallCrowdLivesBesidePhones(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true})
	p := joinedPhone(t, w, "mot")
	if _, err := w.AddCrowd(soon(t), 49); err == nil {
		t.Error("49 guests fitted beside the DHCP range of a /24")
	}
	for _, options := range [][]CrowdOption{nil, {Learned}} {
		crowd, err := w.AddCrowd(soon(t), 24, options...)
		if err != nil {
			t.Fatal(err)
		}
		// The announcement alone has told the router who is there.
		out, err := w.Router.Run(soon(t), "ip", "-o", "neigh", "show", "dev", GuestBridge)
		if err != nil {
			t.Fatal(err)
		}
		last := crowd.Guests[len(crowd.Guests)-1]
		if want := fmt.Sprintf("%s lladdr %s", last.IPv4, last.MAC); !strings.Contains(out, want) {
			t.Errorf("the router's neighbours have no %q:\n%s", want, out)
		}
		for _, guest := range crowd.Guests {
			if !guest.Online(soon(t), ProbeByName("android")) {
				a, err := guest.Probe(context.Background(), ProbeByName("android"))
				t.Errorf("%s is not online: %v, %v", guest.IPv4, a, err)
			}
		}
	}
	if !p.Online(soon(t), ProbeByName("firefox")) {
		t.Error("the phone is not online")
	}
}
