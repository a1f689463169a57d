package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A bell is rung when something may have changed. It stays rung until it is
// heard, however often it is rung meanwhile.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// A source is a kind of news of the kernel: netlink multicast groups, and
// which of their messages matter.
type source struct {
	protocol int
	groups   []int
	matters  func(kind uint16) bool
}

// The changes after which the door is looked at.
var (
	// A packet filter of nf_tables, which is that of iptables-nft as well:
	// tables, chains, rules and sets. The members of sets come and go with
	// the guests, and with every transaction comes a new generation: neither
	// is a reason to look (linux/netfilter/nf_tables.h).
	filterNews = source{unix.NETLINK_NETFILTER, []int{unix.NFNLGRP_NFTABLES}, func(kind uint16) bool {
		if kind>>8 != unix.NFNL_SUBSYS_NFTABLES {
			return false
		}
		switch kind & 0xff {
		case unix.NFT_MSG_NEWSETELEM, unix.NFT_MSG_DELSETELEM, unix.NFT_MSG_NEWGEN, unix.NFT_MSG_TRACE, nftDestroySetElem:
			return false
		}
		return true
	}}
	gateNews = source{unix.NETLINK_ROUTE, []int{unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE}, func(kind uint16) bool {
		return kind == unix.RTM_NEWRULE || kind == unix.RTM_DELRULE
	}}
	routeNews = source{unix.NETLINK_ROUTE, []int{unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE}, func(kind uint16) bool {
		return kind == unix.RTM_NEWROUTE || kind == unix.RTM_DELROUTE
	}}
)

// nftDestroySetElem is NFT_MSG_DESTROYSETELEM, Linux 6.3.
const nftDestroySetElem = 0x1e

// listen opens a socket to a source in the calling thread's network namespace.
func (s source) listen() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, s.protocol)
	if err != nil {
		return nil, fmt.Errorf("listen to the kernel's news: %w", err)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	for _, group := range s.groups {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group))
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen to the kernel's news: %w", err)
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// hear rings whenever there is news that matters, until the socket is closed.
func (s source) hear(socket *os.File, b bell) error {
	buf := make([]byte, 32<<10) // the kernel sends at most 8 KiB at once (NLMSG_GOODSIZE)
	for {
		n, err := socket.Read(buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case errors.Is(err, unix.ENOBUFS): // news was lost
			b.ring()
		case err != nil:
			return fmt.Errorf("listen to the kernel's news: %w", err)
		case s.anyMatters(buf[:n]):
			b.ring()
		}
	}
}

// anyMatters looks at the messages that came together.
func (s source) anyMatters(b []byte) bool {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if s.matters(binary.NativeEndian.Uint16(b[4:])) {
			return true
		}
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return false
		}
		b = b[min((size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(b)):]
	}
	return false
}

// heed rings for news of the sources until stop is called, which returns when
// nothing of it runs any more. What has happened before it returned is not
// told. troubled is called when a source gives out.
func heed(b bell, troubled func(error), sources ...source) (stop func(), err error) {
	var sockets []*os.File
	var running sync.WaitGroup
	stop = func() {
		for _, s := range sockets {
			s.Close()
		}
		running.Wait()
	}
	for _, s := range sources {
		socket, err := s.listen()
		if err != nil {
			stop()
			return nil, err
		}
		sockets = append(sockets, socket)
		running.Go(func() {
			if err := s.hear(socket, b); err != nil {
				troubled(err)
			}
		})
	}
	return stop, nil
}

// settle is how long is waited after news: what another program does in
// several steps is looked at once.
const settle = 5 * time.Millisecond

// onNews calls run at once, whenever the bell was rung, and when nothing was
// heard for every, until ctx ends. Between two calls it waits for as long as
// the former has asked for.
func onNews(ctx context.Context, b bell, every time.Duration, run func() (rest time.Duration)) {
	b.ring()
	for {
		select {
		case <-b:
			if !pause(ctx, settle) {
				return
			}
		case <-time.After(every):
		case <-ctx.Done():
			return
		}
		if rest := run(); !pause(ctx, rest) {
			return
		}
	}
}

// pause waits; false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// onChange rings when what is asked every so often is another answer than the
// last time, until ctx ends.
func onChange(ctx context.Context, b bell, every time.Duration, ask func() uint64) {
	last := ask()
	for pause(ctx, every) {
		if now := ask(); now != last {
			last = now
			b.ring()
		}
	}
}
