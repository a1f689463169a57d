package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Uplinks are the interfaces by which this router reaches the internet: those
// of all default routes, of IPv4 and IPv6, in all routing tables (mwan3 and
// pbr keep theirs in tables of their own), by name. None is no error. A guest
// interface may be among them, if a guest has announced itself as a router
// and the system believes that; the caller leaves it out.
//
// It asks the network namespace of the calling thread.
func Uplinks(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := openRoutes()
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.uplinks()
}

// uplinkRest is how long is waited between two looks at the routes, however
// often they change.
const uplinkRest = 500 * time.Millisecond

// WatchUplinks calls changed with what Uplinks answers, at once and whenever
// that is another answer than before, until ctx ends; then it returns nil. It
// looks as soon as the kernel tells that a route has changed, at most twice a
// second, and every so often whatever it was told.
func WatchUplinks(ctx context.Context, every time.Duration, changed func([]string)) error {
	r, err := openRoutes()
	if err != nil {
		return err
	}
	defer r.close()
	watching, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := newBell()
	stop, err := heed(b, cancel, routeNews)
	if err != nil {
		return err
	}
	defer stop()
	var last []string
	told := false
	onNews(watching, b, every, func() time.Duration {
		now, err := r.uplinks()
		switch {
		case err != nil:
			cancel(err)
		case !told || !slices.Equal(now, last):
			told, last = true, now
			changed(slices.Clone(now))
		}
		return uplinkRest
	})
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(watching)
}

// routes are the routes and interfaces of a network namespace, over netlink.
type routes struct{ *wire }

func openRoutes() (routes, error) {
	w, err := openWireTo(unix.NETLINK_ROUTE)
	return routes{w}, err
}

func (r routes) uplinks() ([]string, error) {
	outs := make(map[uint32]bool)
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		err := r.dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, &nl.RtMsg{RtMsg: unix.RtMsg{Family: family}}, func(msg []byte) {
			if len(msg) > 0 && msg[0] == family { // without IPv6 the kernel answers for all
				for _, index := range defaultOuts(msg) {
					outs[index] = true
				}
			}
		})
		if err != nil {
			return nil, fmt.Errorf("list the routes: %w", err)
		}
	}
	names := []string{}
	err := r.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC), func(msg []byte) {
		if index, name, loopback := readLink(msg); outs[index] && !loopback {
			names = append(names, name)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	slices.SortFunc(names, strings.Compare)
	return names, nil
}

// dump asks for everything of a kind, again when it changed meanwhile; what
// is met twice is no matter here, and what changes further is news.
func (r routes) dump(ask, answer int, header nl.NetlinkRequestData, each func(msg []byte)) (err error) {
	for range dumpTries {
		req := r.plain(ask, unix.NLM_F_DUMP)
		req.AddData(header)
		err = req.ExecuteIter(unix.NETLINK_ROUTE, uint16(answer), func(msg []byte) bool {
			each(msg)
			return true
		})
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			return err
		}
	}
	return nil
}

// defaultOuts are the interfaces by which a route leads everywhere; none if
// it does not, or leads nowhere (unreachable, blackhole, prohibit).
func defaultOuts(msg []byte) (indexes []uint32) {
	const dstLen, kind, flags = 1, 7, 8 // struct rtmsg, linux/rtnetlink.h
	if len(msg) < unix.SizeofRtMsg || msg[dstLen] != 0 || msg[kind] != unix.RTN_UNICAST ||
		binary.NativeEndian.Uint32(msg[flags:])&unix.RTM_F_CLONED != 0 {
		return nil
	}
	attrs(msg[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.RTA_OIF:
			if len(value) >= 4 {
				indexes = append(indexes, binary.NativeEndian.Uint32(value))
			}
		case unix.RTA_MULTIPATH: // struct rtnexthop, each with attributes behind it
			for len(value) >= unix.SizeofRtNexthop {
				size := int(binary.NativeEndian.Uint16(value))
				indexes = append(indexes, binary.NativeEndian.Uint32(value[4:]))
				if size < unix.SizeofRtNexthop || size > len(value) {
					return
				}
				value = value[min((size+3)&^3, len(value)):]
			}
		}
	})
	return indexes
}

// readLink reads an interface's number and name.
func readLink(msg []byte) (index uint32, name string, loopback bool) {
	if len(msg) < unix.SizeofIfInfomsg {
		return 0, "", false
	}
	index = binary.NativeEndian.Uint32(msg[4:])
	loopback = binary.NativeEndian.Uint32(msg[8:])&unix.IFF_LOOPBACK != 0
	attrs(msg[unix.SizeofIfInfomsg:], func(kind uint16, value []byte) {
		if kind == unix.IFLA_IFNAME {
			name = text(value)
		}
	})
	return index, name, loopback
}
