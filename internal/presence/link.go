package presence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// WaitLink waits until an interface exists and is up, and returns its index.
// The error is that of ctx, or that the kernel could not be asked.
func WaitLink(ctx context.Context, name string) (index int, err error) {
	err = followLink(ctx, name, func(link netlink.Link) bool {
		if link == nil || link.Attrs().Flags&net.FlagUp == 0 {
			return true
		}
		index = link.Attrs().Index
		return false
	})
	if err != nil {
		return 0, fmt.Errorf("wait for interface %s: %w", name, err)
	}
	return index, nil
}

// LinkGone waits while the interface that WaitLink found stays. It returns
// nil when the interface was taken down, deleted, renamed, made anew or given
// another hardware address: whoever listens on it must do so again. An error
// is that of ctx, or that the kernel could not be asked.
func LinkGone(ctx context.Context, name string, index int) error {
	if err := followLink(ctx, name, linkStays(index)); err != nil {
		return fmt.Errorf("watch interface %s: %w", name, err)
	}
	return nil
}

// linkStays reports of a link whether it is still the one with that index,
// with the hardware address that it had at first.
func linkStays(index int) func(netlink.Link) bool {
	var hardware net.HardwareAddr
	return func(link netlink.Link) bool {
		if link == nil || link.Attrs().Index != index || link.Attrs().Flags&net.FlagUp == 0 {
			return false
		}
		if hardware == nil {
			hardware = link.Attrs().HardwareAddr
		}
		return bytes.Equal(hardware, link.Attrs().HardwareAddr)
	}
}

// followLink hands over the interface as it is (nil: it is not there) now and
// after each change of any interface, until look returns false. The news are
// subscribed to before the first look, so that none falls between.
func followLink(ctx context.Context, name string, look func(netlink.Link) bool) error {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer handle.Close()
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return err
	}
	defer socket.Close()
	stop := context.AfterFunc(ctx, socket.Close)
	defer stop()
	var failed error
	current := func() bool {
		link, err := handle.LinkByName(name)
		if err != nil && !errors.As(err, new(netlink.LinkNotFoundError)) {
			failed = err
			return false
		}
		return look(link)
	}
	if !current() {
		return failed
	}
	for {
		err := receive(ctx, socket, func(m syscall.NetlinkMessage) bool {
			return m.Header.Type != unix.RTM_NEWLINK && m.Header.Type != unix.RTM_DELLINK || current()
		})
		switch {
		case failed != nil:
			return failed
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ENOBUFS): // too many news at once: what is now counts
			if !current() {
				return failed
			}
			continue
		}
		return err
	}
}
