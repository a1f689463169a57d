package world

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// awaitLink waits until a link of the node is ready. The kernel makes it so
// some time after it was asked, in work of its own; it is asked again after
// each of the kernel's messages about links.
func (n *Node) awaitLink(ctx context.Context, name string, ready func(name string) (bool, error)) error {
	ns := netns.NsHandle(n.ns)
	updates, done := make(chan netlink.LinkUpdate, 16), make(chan struct{})
	err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{Namespace: &ns})
	if err != nil {
		return fmt.Errorf("watch links: %w", err)
	}
	defer drain(updates, done)
	for {
		var is bool
		err := n.Do(func() (err error) {
			is, err = ready(name)
			return err
		})
		if is || err != nil {
			return err
		}
		select {
		case _, ok := <-updates:
			if !ok {
				return errors.New("watch links: the kernel ended it")
			}
		case <-ctx.Done():
			return fmt.Errorf("wait until %s of %s is ready: %w", name, n.Name, ctx.Err())
		}
	}
}

// drain ends a netlink subscription, whose sender may wait for a reader.
func drain[T any](updates <-chan T, done chan<- struct{}) {
	close(done)
	go func() {
		for range updates {
		}
	}()
}

// isRunning says whether a link is up at both ends, so that it takes packets.
func isRunning(name string) (bool, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return false, err
	}
	return link.Attrs().OperState == netlink.OperUp, nil
}

// forwards says whether a port of a bridge forwards. A port that is in no
// bridge is not waited for.
func forwards(name string) (bool, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return false, err
	}
	if link.Attrs().MasterIndex == 0 {
		return true, nil
	}
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfInfomsg(unix.AF_BRIDGE))
	messages, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return false, err
	}
	for _, m := range messages {
		info := nl.DeserializeIfInfomsg(m)
		if int(info.Index) != link.Attrs().Index {
			continue
		}
		attrs, err := nl.ParseRouteAttr(m[info.Len():])
		if err != nil {
			return false, err
		}
		for _, a := range attrs {
			if a.Attr.Type&^unix.NLA_F_NESTED != unix.IFLA_PROTINFO {
				continue
			}
			port, err := nl.ParseRouteAttr(a.Value)
			if err != nil {
				return false, err
			}
			for _, b := range port {
				const forwarding = 3 // BR_STATE_FORWARDING of linux/if_bridge.h
				if b.Attr.Type == nl.IFLA_BRPORT_STATE {
					return b.Value[0] == forwarding, nil
				}
			}
		}
	}
	return false, nil
}
