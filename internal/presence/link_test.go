package presence_test

import (
	"context"
	"errors"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/hien-wifi/hien/internal/presence"
	"github.com/hien-wifi/hien/internal/world"
)

func TestWaitingForAnInterface(t *testing.T) {
	w := newWorld(t, world.Options{NoGuestBridge: true})
	indexes := make(chan int, 1)
	waitLink := func(ctx context.Context) <-chan error {
		return on(w.Router.Node, func() error {
			index, err := presence.WaitLink(ctx, world.GuestBridge)
			indexes <- index
			return err
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(t, waitLink(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context ended", err)
	}
	<-indexes

	found := waitLink(t.Context())
	if err := w.Router.AddGuestBridge(); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, found); err != nil {
		t.Fatal(err)
	}
	index := <-indexes
	if err := wait(t, waitLink(t.Context())); err != nil || <-indexes != index {
		t.Errorf("a second wait: error %v, or another index than %d", err, index)
	}

	for _, test := range []struct {
		name   string
		change func() error
	}{
		{"taken down", func() error { return setLink(w, netlink.LinkSetDown) }},
		{"given another hardware address", func() error {
			return setLink(w, func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, other) })
		}},
		{"deleted", w.Router.RemoveGuestBridge},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			gone := on(w.Router.Node, func() error { return presence.LinkGone(ctx, world.GuestBridge, index) })
			cancel()
			if err := wait(t, gone); !errors.Is(err, context.Canceled) && err != nil {
				t.Errorf("got %v, want that the context ended", err)
			}
			watching := make(chan struct{})
			gone = on(w.Router.Node, func() error {
				return presence.LinkGoneTold(t.Context(), world.GuestBridge, index, watching)
			})
			<-watching
			if err := test.change(); err != nil {
				t.Fatal(err)
			}
			if err := wait(t, gone); err != nil {
				t.Errorf("got %v, want nil", err)
			}
			if test.name == "taken down" {
				if err := setLink(w, netlink.LinkSetUp); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	// Made anew, it is another.
	if err := w.Router.AddGuestBridge(); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, on(w.Router.Node, func() error { return presence.LinkGone(t.Context(), world.GuestBridge, index) })); err != nil {
		t.Errorf("made anew: got %v, want nil", err)
	}
}
