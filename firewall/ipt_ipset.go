package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ipset is the kernel's ipset over netlink (linux/netfilter/ipset/ip_set.h).
//
// The netlink library's own calls are not used, for three reasons seen in
// version 1.3.1: it writes to the standard logger what it does not know (every
// hash set of ipset 7 has such attributes), it panics on an error that is no
// errno (a timeout, an interrupted dump), and it cannot ask for a set type.
type ipset struct{ *wire }

// listHeader asks for sets without their members (IPSET_FLAG_LIST_HEADER).
const listHeader = 1 << 2

func (s ipset) request(command, flags int) *nl.NetlinkRequest {
	req := s.wire.request(unix.NFNL_SUBSYS_IPSET, command, flags, unix.AF_UNSPEC)
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_PROTOCOL, nl.Uint8Attr(nl.IPSET_PROTOCOL)))
	return req
}

func (s ipset) do(req *nl.NetlinkRequest) error {
	_, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	return ipsetError(err)
}

// ipsetError gives the kernel's private error numbers their names.
func ipsetError(err error) error {
	var errno unix.Errno
	switch {
	case errors.Is(err, unix.ENOENT):
		return errNoSet
	case errors.As(err, &errno) && errno >= nl.IPSET_ERR_PRIVATE:
		return nl.IPSetError(errno)
	}
	return err
}

// has asks whether the kernel has a set type, which may load a module.
func (s ipset) has(kind SetType, family uint8) (bool, error) {
	req := s.request(nl.IPSET_CMD_TYPE, 0)
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_TYPENAME, nl.ZeroTerminated(string(kind))))
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_FAMILY, nl.Uint8Attr(family)))
	err := s.do(req)
	switch {
	case errors.Is(err, nl.IPSetError(nl.IPSET_ERR_FIND_TYPE)), errors.Is(err, unix.EEXIST), errors.Is(err, errNoSet):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask for set type %s: %w", kind, err)
	}
	return true, nil
}

// A setState is a set as the kernel has it.
type setState struct {
	name        string
	kind        SetType
	family      uint8
	first, last netip.Addr
	maxMembers  uint32
	timeouts    bool
	counters    bool
	references  uint32 // by rules
	members     []member
}

// is reports whether the set is as it shall be.
func (s setState) is(d setDef) bool {
	if s.kind != d.kind || !s.timeouts || s.counters != d.counters {
		return false
	}
	switch d.kind {
	case BitmapIPMAC:
		return s.first == d.first && s.last == d.last
	case HashIP:
		if d.inet6 != (s.family == unix.AF_INET6) {
			return false
		}
	}
	return s.maxMembers == maxMembers
}

// list reads one set with its members.
func (s ipset) list(name string) (setState, error) {
	req := s.request(nl.IPSET_CMD_LIST, unix.NLM_F_ACK|unix.NLM_F_DUMP)
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_SETNAME, nl.ZeroTerminated(name)))
	all, err := s.dump(req)
	if err != nil {
		return setState{}, fmt.Errorf("list set %s: %w", name, err)
	}
	if len(all) != 1 {
		return setState{}, fmt.Errorf("list set %s: %w", name, errNoSet)
	}
	return all[0], nil
}

// ours lists our sets without their members.
func (s ipset) ours() (map[string]setState, error) {
	req := s.request(nl.IPSET_CMD_LIST, unix.NLM_F_ACK|unix.NLM_F_DUMP)
	req.AddData(&nl.Uint32Attribute{Type: nl.IPSET_ATTR_FLAGS | nl.NLA_F_NET_BYTEORDER, Value: listHeader})
	all, err := s.dump(req)
	if err != nil {
		return nil, fmt.Errorf("list sets: %w", err)
	}
	found := map[string]setState{}
	for _, set := range all {
		if strings.HasPrefix(set.name, prefix) {
			found[set.name] = set
		}
	}
	return found, nil
}

func (s ipset) dump(req *nl.NetlinkRequest) ([]setState, error) {
	var all []setState
	err := req.ExecuteIter(unix.NETLINK_NETFILTER, 0, func(msg []byte) bool {
		all = readSet(all, msg)
		return true
	})
	if errors.Is(err, unix.ENOENT) && len(all) == 0 {
		return nil, errNoSet
	}
	return all, ipsetError(err)
}

// readSet reads one message of a list. A large set comes in several; they
// follow one another and repeat its name.
func readSet(all []setState, msg []byte) []setState {
	var set setState
	attrs(msg[min(nl.SizeofNfgenmsg, len(msg)):], func(kind uint16, value []byte) {
		switch kind {
		case nl.IPSET_ATTR_SETNAME:
			set.name = text(value)
		case nl.IPSET_ATTR_TYPENAME:
			set.kind = SetType(text(value))
		case nl.IPSET_ATTR_FAMILY:
			if len(value) > 0 {
				set.family = value[0]
			}
		case nl.IPSET_ATTR_DATA:
			readHeader(&set, value)
		case nl.IPSET_ATTR_ADT:
			attrs(value, func(kind uint16, value []byte) {
				if kind == nl.IPSET_ATTR_DATA {
					set.members = append(set.members, readMember(value))
				}
			})
		}
	})
	if n := len(all); n > 0 && all[n-1].name == set.name {
		all[n-1].members = append(all[n-1].members, set.members...)
		return all
	}
	return append(all, set)
}

func readHeader(set *setState, b []byte) {
	attrs(b, func(kind uint16, value []byte) {
		switch kind {
		case nl.IPSET_ATTR_IP:
			set.first = nestedAddr(value)
		case nl.IPSET_ATTR_IP_TO:
			set.last = nestedAddr(value)
		case nl.IPSET_ATTR_TIMEOUT:
			set.timeouts = true
		case nl.IPSET_ATTR_MAXELEM:
			set.maxMembers = uint32Attr(value)
		case nl.IPSET_ATTR_REFERENCES:
			set.references = uint32Attr(value)
		case nl.IPSET_ATTR_CADT_FLAGS:
			set.counters = uint32Attr(value)&nl.IPSET_FLAG_WITH_COUNTERS != 0
		}
	})
}

func readMember(b []byte) (m member) {
	attrs(b, func(kind uint16, value []byte) {
		switch kind {
		case nl.IPSET_ATTR_IP:
			m.addr = nestedAddr(value)
		case nl.IPSET_ATTR_ETHER:
			m.mac, _ = hien.MACFrom(slices.Clone(value))
		case nl.IPSET_ATTR_TIMEOUT:
			m.left = time.Duration(uint32Attr(value)) * time.Second
		case nl.IPSET_ATTR_BYTES:
			if len(value) == 8 {
				m.bytes = binary.BigEndian.Uint64(value)
			}
		}
	})
	return m
}

// nestedAddr reads an address, which is an attribute of its own inside.
func nestedAddr(b []byte) (a netip.Addr) {
	attrs(b, func(_ uint16, value []byte) { a = addrAttr(value) })
	return a
}

func uint32Attr(value []byte) uint32 {
	if len(value) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(value)
}

// put puts a member into a set, or gives one that is there the new time; then
// it keeps its count.
//
// The kernel is told a count only for a member that is new. A place that was
// used before still has its former member's count (seen in Linux 6.18), so 0
// is said aloud.
func (s ipset) put(d setDef, m member) error {
	err := s.add(d, m, unix.NLM_F_EXCL, d.counters)
	if errors.Is(err, errIsThere) {
		anew := false
		if d.kind == BitmapIPMAC { // a place may have another device's hardware address
			in, err := s.test(d.name, m)
			if err != nil {
				return err
			}
			anew = !in
		}
		err = s.add(d, m, 0, d.counters && anew)
	}
	return err
}

// errIsThere is ipset's answer when a member that is added is there, or one
// that is looked for is not.
var errIsThere = nl.IPSetError(nl.IPSET_ERR_EXIST)

// add adds a member, with its count or without one.
func (s ipset) add(d setDef, m member, flags int, count bool) error {
	req := s.request(nl.IPSET_CMD_ADD, unix.NLM_F_ACK|flags)
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_SETNAME, nl.ZeroTerminated(d.name)))
	data := m.data()
	data.AddChild(&nl.Uint32Attribute{Type: nl.IPSET_ATTR_TIMEOUT | nl.NLA_F_NET_BYTEORDER, Value: seconds(m.left)})
	if count {
		data.AddRtAttr(nl.IPSET_ATTR_BYTES|int(nl.NLA_F_NET_BYTEORDER), binary.BigEndian.AppendUint64(nil, m.bytes))
		data.AddRtAttr(nl.IPSET_ATTR_PACKETS|int(nl.NLA_F_NET_BYTEORDER), make([]byte, 8))
	}
	req.AddData(data)
	if err := s.do(req); err != nil {
		return fmt.Errorf("add to set %s: %w", d.name, err)
	}
	return nil
}

// del takes a member out of a set. One that is not there is no error.
func (s ipset) del(set string, m member) error {
	req := s.request(nl.IPSET_CMD_DEL, unix.NLM_F_ACK)
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_SETNAME, nl.ZeroTerminated(set)))
	req.AddData(m.data())
	err := s.do(req)
	if err != nil && !errors.Is(err, nl.IPSetError(nl.IPSET_ERR_EXIST)) {
		return fmt.Errorf("delete from set %s: %w", set, err)
	}
	return nil
}

// test reports whether a member is in a set.
func (s ipset) test(set string, m member) (bool, error) {
	req := s.request(nl.IPSET_CMD_TEST, unix.NLM_F_ACK)
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_SETNAME, nl.ZeroTerminated(set)))
	req.AddData(m.data())
	err := s.do(req)
	switch {
	case errors.Is(err, nl.IPSetError(nl.IPSET_ERR_EXIST)):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("test set %s: %w", set, err)
	}
	return true, nil
}

func (m member) data() *nl.RtAttr {
	data := nl.NewRtAttr(nl.IPSET_ATTR_DATA|unix.NLA_F_NESTED, nil)
	if m.addr.IsValid() {
		kind := nl.IPSET_ATTR_IPADDR_IPV4
		if m.addr.Is6() {
			kind = nl.IPSET_ATTR_IPADDR_IPV6
		}
		ip := nl.NewRtAttr(nl.IPSET_ATTR_IP|unix.NLA_F_NESTED, nil)
		ip.AddChild(nl.NewRtAttr(kind|unix.NLA_F_NET_BYTEORDER, m.addr.AsSlice()))
		data.AddChild(ip)
	}
	if !m.mac.IsZero() {
		data.AddChild(nl.NewRtAttr(nl.IPSET_ATTR_ETHER, m.mac.Reveal()))
	}
	return data
}

// swap makes two sets change names; rules follow the name.
func (s ipset) swap(a, b string) error {
	req := s.request(nl.IPSET_CMD_SWAP, unix.NLM_F_ACK)
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_SETNAME, nl.ZeroTerminated(a)))
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_SETNAME2, nl.ZeroTerminated(b)))
	if err := s.do(req); err != nil {
		return fmt.Errorf("swap sets %s and %s: %w", a, b, err)
	}
	return nil
}

// destroy removes a set. One that is not there is no error; one that a rule
// names is.
func (s ipset) destroy(set string) error {
	req := s.request(nl.IPSET_CMD_DESTROY, unix.NLM_F_ACK)
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_SETNAME, nl.ZeroTerminated(set)))
	if err := s.do(req); err != nil && !errors.Is(err, errNoSet) {
		return fmt.Errorf("remove set %s: %w", set, err)
	}
	return nil
}
