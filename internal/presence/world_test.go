package presence_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/world"
)

func TestMain(m *testing.M) { world.Main(m) }

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func newWorld(t *testing.T, o world.Options) *world.World {
	t.Helper()
	world.Need(t)
	o.NoCDP, o.Uncounted = true, true
	w, err := world.New(soon(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func newPhone(t *testing.T, w *world.World, name string, join bool) *world.Phone {
	t.Helper()
	p, err := w.AddPhone(name)
	if err != nil {
		t.Fatal(err)
	}
	if join {
		if err := p.Join(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// on runs f, which may block, on a thread of its own in a node's namespace.
func on(n *world.Node, f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with f
		ns, err := netns.GetFromPath("/run/netns/" + n.Name)
		if err != nil {
			done <- err
			return
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return done
}

func do(t *testing.T, n *world.Node, f func() error) {
	t.Helper()
	if err := n.Do(f); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-soon(t).Done():
		t.Fatal("it does not return")
		return nil
	}
}

// seen collects sightings without holding up who sees.
type seen chan hien.Sighting

func (s seen) saw(sighting hien.Sighting) {
	select {
	case s <- sighting:
	default: // nobody reads any more
	}
}

func (s seen) await(t *testing.T, want hien.Sighting) {
	t.Helper()
	var got []hien.Sighting
	ctx := soon(t)
	for {
		select {
		case sighting := <-s:
			if sighting == want {
				return
			}
			got = append(got, sighting)
		case <-ctx.Done():
			t.Fatalf("no sighting %+v among %+v", want, got)
		}
	}
}

func sighting(p *world.Phone, addr netip.Addr, source string) hien.Sighting {
	return hien.Sighting{Guest: hien.GuestID{Zone: "guest", MAC: hien.MAC(p.MAC)}, Addr: addr, Source: source}
}

// rawFrames sends frames as they are from a phone's radio.
func rawFrames(t *testing.T, p *world.Phone, frames ...[]byte) {
	t.Helper()
	do(t, p.Node, func() error {
		link, err := net.InterfaceByName("wlan0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, f := range frames {
			for {
				err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: link.Index, Halen: 6})
				if err == unix.ENOBUFS {
					continue // the queue is full
				}
				if err != nil {
					return fmt.Errorf("send %d bytes: %w", len(f), err)
				}
				break
			}
		}
		return nil
	})
}

func setLink(w *world.World, set func(netlink.Link) error) error {
	return w.Router.Do(func() error {
		link, err := netlink.LinkByName(world.GuestBridge)
		if err != nil {
			return err
		}
		return set(link)
	})
}
