package firewall

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hien-wifi/hien"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// attr builds an attribute as the kernel does.
func attr(kind int, value ...byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, uint16(kind))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// listMessage is a message of a list, laid out as the kernel sends a bitmap.
func listMessage() []byte {
	nested, order := unix.NLA_F_NESTED, unix.NLA_F_NET_BYTEORDER
	ip := func(kind int, a ...byte) []byte { return attr(kind|nested, attr(1|order, a...)...) }
	return join([]byte{0, 0, 0, 0},
		attr(nl.IPSET_ATTR_PROTOCOL, 7),
		attr(nl.IPSET_ATTR_SETNAME, []byte("HIEN-4b-guest\x00")...),
		attr(nl.IPSET_ATTR_TYPENAME, []byte("bitmap:ip,mac\x00")...),
		attr(nl.IPSET_ATTR_FAMILY, unix.AF_INET),
		attr(nl.IPSET_ATTR_DATA|nested, join(
			ip(nl.IPSET_ATTR_IP, 10, 77, 0, 0), ip(nl.IPSET_ATTR_IP_TO, 10, 77, 0, 255),
			attr(nl.IPSET_ATTR_REFERENCES|order, 0, 0, 0, 2),
			attr(nl.IPSET_ATTR_TIMEOUT|order, 0, 0, 0, 0),
			attr(nl.IPSET_ATTR_CADT_FLAGS|order, 0, 0, 0, nl.IPSET_FLAG_WITH_COUNTERS))...),
		attr(nl.IPSET_ATTR_ADT|nested, attr(nl.IPSET_ATTR_DATA|nested, join(
			ip(nl.IPSET_ATTR_IP, 10, 77, 0, 50),
			attr(nl.IPSET_ATTR_ETHER, 2, 0, 0x5e, 0x10, 0, 1),
			attr(nl.IPSET_ATTR_TIMEOUT|order, 0, 0, 0x38, 0x40),
			attr(nl.IPSET_ATTR_BYTES|order, 0, 0, 0, 0, 0, 0, 1, 2))...)...))
}

func TestReadSet(t *testing.T) {
	all := readSet(nil, listMessage())
	all = readSet(all, listMessage()) // its second part
	if len(all) != 1 || len(all[0].members) != 2 {
		t.Fatalf("got %d sets, want one with two members: %v", len(all), all)
	}
	d := Zone{Name: "guest", Prefix: netip.MustParsePrefix("10.77.0.1/24")}.set(passes4, kernelPlain)
	if !all[0].is(d) {
		t.Errorf("%+v is not %+v", all[0], d)
	}
	d.last = d.last.Next()
	if all[0].is(d) {
		t.Error("a set of another range passes for ours")
	}
	d.last, d.counters = d.last.Prev(), false
	if all[0].is(d) {
		t.Error("a set with counters passes for one without")
	}
	if got := all[0].references; got != 2 {
		t.Errorf("got %d references, want 2", got)
	}
	want := member{addr: netip.MustParseAddr("10.77.0.50"), mac: hien.MAC{2, 0, 0x5e, 0x10, 0, 1}, left: 4 * time.Hour, bytes: 258}
	if got := all[0].members[0]; got != want {
		t.Errorf("got %+v left %s, want %+v", got, got.left, want)
	}
}

// flowMessage is a message of a dump of connections.
func flowMessage() []byte {
	nested := unix.NLA_F_NESTED
	tup := func(kind int, src, dst []byte, sport, dport uint16) []byte {
		return attr(kind|nested, join(
			attr(nl.CTA_TUPLE_IP|nested, join(attr(nl.CTA_IP_V4_SRC, src...), attr(nl.CTA_IP_V4_DST, dst...))...),
			attr(nl.CTA_TUPLE_PROTO|nested, join(
				attr(nl.CTA_PROTO_NUM, unix.IPPROTO_TCP),
				attr(nl.CTA_PROTO_SRC_PORT, binary.BigEndian.AppendUint16(nil, sport)...),
				attr(nl.CTA_PROTO_DST_PORT, binary.BigEndian.AppendUint16(nil, dport)...))...))...)
	}
	guest, host, router := []byte{10, 77, 0, 50}, []byte{203, 0, 113, 9}, []byte{10, 77, 0, 1}
	return join([]byte{unix.AF_INET, 0, 0, 0},
		tup(nl.CTA_TUPLE_ORIG, guest, host, 40000, 80),
		tup(nl.CTA_TUPLE_REPLY, router, guest, 2050, 40000),
		attr(nl.CTA_STATUS, 0, 0, 1, 0x8e))
}

func TestReadFlow(t *testing.T) {
	msg := flowMessage()
	got := readFlow(msg)
	if want := netip.MustParseAddr("10.77.0.50"); got.src != want || got.family != unix.AF_INET {
		t.Errorf("got %s of family %d, want %s of IPv4", got.src, got.family, want)
	}
	if diff := cmp.Diff(msg[4:], got.raw); diff != "" {
		t.Errorf("raw: -want +got:\n%s", diff)
	}
}

// The kernel is no stranger, but what reads its answers must not fall over a
// version of it that nobody here has seen.
func FuzzNetlink(f *testing.F) {
	f.Add(listMessage())
	f.Add(flowMessage())
	f.Add([]byte{0, 0, 0, 0, 3, 0, 1, 0})
	f.Fuzz(func(t *testing.T, msg []byte) {
		readFlow(msg)
		readSet(readSet(nil, msg), msg)
	})
}
