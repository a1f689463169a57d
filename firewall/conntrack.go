package firewall

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// conntrack is the kernel's table of connections over netlink
// (linux/netfilter/nfnetlink_conntrack.h).
//
// To find the connections of a guest the kernel walks its whole table, and
// that is what deleting them costs: some nanoseconds for each bucket
// (net.netfilter.nf_conntrack_buckets), empty ones too. So both families and
// all addresses are done in one walk. The kernel could filter (CTA_FILTER,
// Linux 5.8), but not both families at once, and for IPv6 its filter finds
// every address but the one that was asked for (seen in Linux 6.18).
type conntrack struct{ *wire }

// A flow is a connection as far as the door cares.
type flow struct {
	family uint8
	src    netip.Addr // where it began
	raw    []byte     // as the kernel told it, to name it when it is deleted
}

// delete removes the connections that began at one of the addresses.
func (c conntrack) delete(addrs []netip.Addr) error {
	if len(addrs) == 0 {
		return nil
	}
	req := c.request(unix.NFNL_SUBSYS_CTNETLINK, nl.IPCTNL_MSG_CT_GET, unix.NLM_F_DUMP, unix.AF_UNSPEC)
	var found []flow
	err := req.ExecuteIter(unix.NETLINK_NETFILTER, 0, func(msg []byte) bool {
		if f := readFlow(msg); slices.Contains(addrs, f.src) {
			f.raw = slices.Clone(f.raw)
			found = append(found, f)
		}
		return true
	})
	errs := []error{err}
	for _, f := range found {
		req := c.request(unix.NFNL_SUBSYS_CTNETLINK, nl.IPCTNL_MSG_CT_DELETE, unix.NLM_F_ACK, f.family)
		req.AddRawData(f.raw)
		_, err := req.Execute(unix.NETLINK_NETFILTER, 0)
		if !errors.Is(err, unix.ENOENT) { // it may have ended by itself
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("delete connections: %w", err)
	}
	return nil
}

// readFlow reads one message of a dump. Its raw is a part of msg.
func readFlow(msg []byte) (f flow) {
	if len(msg) < nl.SizeofNfgenmsg {
		return f
	}
	f.family, f.raw = msg[0], msg[nl.SizeofNfgenmsg:]
	attrs(f.raw, func(kind uint16, value []byte) {
		if kind != nl.CTA_TUPLE_ORIG {
			return
		}
		attrs(value, func(kind uint16, value []byte) {
			if kind != nl.CTA_TUPLE_IP {
				return
			}
			attrs(value, func(kind uint16, value []byte) {
				if kind == nl.CTA_IP_V4_SRC || kind == nl.CTA_IP_V6_SRC {
					f.src = addrAttr(value)
				}
			})
		})
	})
	return f
}
