package firewall

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// What golang.org/x/sys does not name: linux/netfilter/nf_tables.h.
const (
	nftaSetExpr           = 17
	nftaSetExpressions    = 18
	nftaSetElemExprs      = 11
	nftaSetDescConcat     = 2
	nftaSetFieldLen       = 1
	nftSetConcat          = 0x80
	nftaSetKeyByteOrder   = 0 // NFTNL_UDATA_SET_KEYBYTEORDER
	nftByteOrderBigEndian = 2
)

// The types of keys, as nft numbers them so that it can list them
// (include/datatype.h).
const (
	typeIPv4Addr  = 7
	typeIPv6Addr  = 8
	typeEtherAddr = 9
)

// A nftSetDef is a set as it shall be.
type nftSetDef struct {
	name    string
	flags   uint32
	keyType uint32
	fields  []uint32 // bytes of each part of the key
	size    uint32
	timeout time.Duration // of members that name none
	counter bool          // members count bytes
	nets    []prefixRange // the members of a constant set
}

// same reports whether two sets are of one kind. What a set is called is
// looked at elsewhere, and so are the members.
func (d nftSetDef) same(o nftSetDef) bool {
	return d.flags == o.flags && d.keyType == o.keyType && d.keyLen() == o.keyLen() &&
		d.size == o.size && d.timeout == o.timeout && d.counter == o.counter
}

// keyLen is the length of a key with its parts filled up to four bytes, but
// for a key of one part.
func (d nftSetDef) keyLen() (n uint32) {
	if len(d.fields) == 1 {
		return d.fields[0]
	}
	for _, f := range d.fields {
		n += (f + 3) &^ 3
	}
	return n
}

// constant reports whether the members belong to the ruleset.
func (d nftSetDef) constant() bool { return d.flags&unix.NFT_SET_CONSTANT != 0 }

// memberSet is a set of the zone whose members come and go.
func (z Zone) memberSet(id setID) nftSetDef {
	d := nftSetDef{name: string(id) + "_" + z.tag(), flags: unix.NFT_SET_TIMEOUT, size: maxMembers, counter: !id.hosts()}
	switch {
	case id.guests() && !id.six():
		d.flags |= nftSetConcat
		d.keyType, d.fields = typeIPv4Addr<<6|typeEtherAddr, []uint32{4, 6}
	case id.guests():
		d.keyType, d.fields = typeEtherAddr, []uint32{6}
	case id.six():
		d.keyType, d.fields = typeIPv6Addr, []uint32{16}
	default:
		d.keyType, d.fields = typeIPv4Addr, []uint32{4}
	}
	return d
}

// key is a member as the kernel writes it.
func (d nftSetDef) key(m member) (key [16]byte, length int) {
	if m.addr.IsValid() && d.keyType != typeEtherAddr {
		length = copy(key[:], m.addr.AsSlice())
	}
	if d.keyType != typeEtherAddr && len(d.fields) == 1 {
		return key, length
	}
	copy(key[length:], m.mac[:])
	return key, int(d.keyLen())
}

// member reads a key. False for one that is not of this set.
func (d nftSetDef) member(key []byte) (m member, ok bool) {
	if uint32(len(key)) != d.keyLen() {
		return m, false
	}
	if d.keyType != typeEtherAddr {
		m.addr, _ = netip.AddrFromSlice(key[:d.fields[0]])
		key = key[d.fields[0]:]
	}
	copy(m.mac[:], key)
	return m, true
}

// networks is a constant set of networks.
func networks(name string, six bool, all []netip.Prefix) nftSetDef {
	d := nftSetDef{name: name, flags: unix.NFT_SET_CONSTANT | unix.NFT_SET_INTERVAL, keyType: typeIPv4Addr, fields: []uint32{4}}
	if six {
		d.keyType, d.fields = typeIPv6Addr, []uint32{16}
	}
	d.nets = ranges(all)
	return d
}

// buckets is a set in which the kernel keeps a limit for each key.
func buckets(name string, keyType, length uint32) nftSetDef {
	return nftSetDef{
		name: name, flags: unix.NFT_SET_TIMEOUT | unix.NFT_SET_EVAL, keyType: keyType, fields: []uint32{length},
		size: maxBuckets, timeout: idleBucket,
	}
}

// ranges joins networks that overlap or lie side by side, which the kernel
// does not take one by one.
func ranges(all []netip.Prefix) (joined []prefixRange) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b netip.Prefix) int { return a.Masked().Addr().Compare(b.Masked().Addr()) })
	for _, p := range all {
		r := prefixRange{p.Masked().Addr(), behind(p)}
		if n := len(joined); n > 0 {
			last := &joined[n-1]
			if !last.behind.IsValid() {
				continue
			}
			if r.first.Compare(last.behind) <= 0 {
				if !r.behind.IsValid() || r.behind.Compare(last.behind) > 0 {
					last.behind = r.behind
				}
				continue
			}
		}
		joined = append(joined, r)
	}
	return joined
}

// behind is the address after a network's last; the zero Addr at the end.
func behind(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last.Next()
}

// elements are the members of a constant set as text, to be compared.
func (d nftSetDef) elements() (all []string) {
	for _, r := range d.nets {
		all = append(all, r.first.String())
		if r.behind.IsValid() {
			all = append(all, "behind "+r.behind.String())
		}
	}
	slices.Sort(all)
	return all
}

// newSet writes the message that makes the set.
func (m *messages) newSet(d nftSetDef) {
	at := m.nft(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE|unix.NLM_F_EXCL, "make set "+d.name)
	m.ownTable(unix.NFTA_SET_TABLE)
	m.text(unix.NFTA_SET_NAME, d.name)
	m.u32(unix.NFTA_SET_FLAGS, d.flags)
	m.u32(unix.NFTA_SET_KEY_TYPE, d.keyType)
	m.u32(unix.NFTA_SET_KEY_LEN, d.keyLen())
	m.u32(unix.NFTA_SET_ID, m.count)
	if d.timeout > 0 {
		m.u64(unix.NFTA_SET_TIMEOUT, uint64(d.timeout.Milliseconds()))
	}
	desc := m.nest(unix.NFTA_SET_DESC)
	if d.size > 0 {
		m.u32(unix.NFTA_SET_DESC_SIZE, d.size)
	}
	if d.flags&nftSetConcat != 0 {
		concat := m.nest(nftaSetDescConcat)
		for _, length := range d.fields {
			field := m.nest(unix.NFTA_LIST_ELEM)
			m.u32(nftaSetFieldLen, length)
			m.close(field)
		}
		m.close(concat)
	}
	m.close(desc)
	if d.counter {
		m.counter(nftaSetExpr, 0)
	}
	// So that nft lists addresses as such: all keys are in network byte order.
	m.raw(unix.NFTA_SET_USERDATA, append([]byte{nftaSetKeyByteOrder, 4}, native(nftByteOrderBigEndian)...))
	m.shut(at)
}

// counter writes a counter that has counted so many bytes.
func (m *messages) counter(kind uint16, bytes uint64) {
	at := m.nest(kind)
	m.text(unix.NFTA_EXPR_NAME, "counter")
	data := m.nest(unix.NFTA_EXPR_DATA)
	m.u64(unix.NFTA_COUNTER_BYTES, bytes)
	m.u64(unix.NFTA_COUNTER_PACKETS, 0)
	m.close(data)
	m.close(at)
}

// elements begins a message about members of a set; shut both places.
func (m *messages) elements(command, flags uint16, set, what string) (at, list int) {
	at = m.nft(command, flags, what)
	m.ownTable(unix.NFTA_SET_ELEM_LIST_TABLE)
	m.text(unix.NFTA_SET_ELEM_LIST_SET, set)
	return at, m.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
}

// element begins a member with its key.
func (m *messages) element(key []byte) (at int) {
	at = m.nest(unix.NFTA_LIST_ELEM)
	k := m.nest(unix.NFTA_SET_ELEM_KEY)
	m.raw(unix.NFTA_DATA_VALUE, key)
	m.close(k)
	return at
}

// timed writes a member that the kernel forgets, with what it has counted.
func (m *messages) timed(d nftSetDef, x member) {
	key, length := d.key(x)
	at := m.element(key[:length])
	limit := uint64(seconds(x.left)) * 1000
	m.u64(unix.NFTA_SET_ELEM_TIMEOUT, limit)
	m.u64(unix.NFTA_SET_ELEM_EXPIRATION, limit)
	if d.counter && x.bytes > 0 {
		m.counter(unix.NFTA_SET_ELEM_EXPR, x.bytes)
	}
	m.close(at)
}

// networks writes the members of a constant set.
func (m *messages) networks(d nftSetDef) {
	if len(d.nets) == 0 {
		return
	}
	at, list := m.elements(unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE, d.name, "fill set "+d.name)
	for _, r := range d.nets {
		m.close(m.element(r.first.AsSlice()))
		if r.behind.IsValid() {
			end := m.element(r.behind.AsSlice())
			m.u32(unix.NFTA_SET_ELEM_FLAGS, unix.NFT_SET_ELEM_INTERVAL_END)
			m.close(end)
		}
	}
	m.close(list)
	m.shut(at)
}

// readSetDef reads one message of a list of sets: the table and the set.
func readSetDef(b []byte) (table string, d nftSetDef) {
	attrs(b, func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_SET_TABLE:
			table = text(value)
		case unix.NFTA_SET_NAME:
			d.name = text(value)
		case unix.NFTA_SET_FLAGS:
			d.flags = uint32Attr(value)
		case unix.NFTA_SET_KEY_TYPE:
			d.keyType = uint32Attr(value)
		case unix.NFTA_SET_KEY_LEN:
			d.fields = []uint32{uint32Attr(value)}
		case unix.NFTA_SET_TIMEOUT:
			d.timeout = milliseconds(value)
		case unix.NFTA_SET_DESC:
			attrs(value, func(kind uint16, value []byte) {
				if kind == unix.NFTA_SET_DESC_SIZE {
					d.size = uint32Attr(value)
				}
			})
		case nftaSetExpr:
			d.counter = d.counter || exprName(value) == "counter"
		case nftaSetExpressions: // more than one, which ours never has
			d.flags |= 1 << 31
		}
	})
	return table, d
}

func exprName(b []byte) (name string) {
	attrs(b, func(kind uint16, value []byte) {
		if kind == unix.NFTA_EXPR_NAME {
			name = text(value)
		}
	})
	return name
}

// An element is a member of a set as the kernel tells it.
type element struct {
	key   []byte // a part of the message
	end   bool   // where an interval has ended
	left  time.Duration
	bytes uint64
}

// readElements hands the members in one message to each.
func readElements(b []byte, each func(element)) {
	attrs(b, func(kind uint16, value []byte) {
		if kind != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			return
		}
		attrs(value, func(_ uint16, value []byte) { each(readElement(value)) })
	})
}

func readElement(b []byte) (e element) {
	attrs(b, func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			attrs(value, func(kind uint16, value []byte) {
				if kind == unix.NFTA_DATA_VALUE {
					e.key = value
				}
			})
		case unix.NFTA_SET_ELEM_FLAGS:
			e.end = uint32Attr(value)&unix.NFT_SET_ELEM_INTERVAL_END != 0
		case unix.NFTA_SET_ELEM_EXPIRATION:
			e.left = milliseconds(value)
		case unix.NFTA_SET_ELEM_EXPR:
			e.bytes = readCounter(value)
		case nftaSetElemExprs:
			attrs(value, func(_ uint16, value []byte) { e.bytes += readCounter(value) })
		}
	})
	return e
}

// readCounter is what an expression has counted, if it is a counter.
func readCounter(b []byte) (bytes uint64) {
	if exprName(b) != "counter" {
		return 0
	}
	attrs(b, func(kind uint16, value []byte) {
		if kind == unix.NFTA_EXPR_DATA {
			attrs(value, func(kind uint16, value []byte) {
				if kind == unix.NFTA_COUNTER_BYTES {
					bytes = uint64Attr(value)
				}
			})
		}
	})
	return bytes
}

func uint64Attr(value []byte) (v uint64) {
	if len(value) != 8 {
		return 0
	}
	for _, b := range value {
		v = v<<8 | uint64(b)
	}
	return v
}

// milliseconds reads a time; at most some centuries.
func milliseconds(value []byte) time.Duration {
	return time.Duration(min(uint64Attr(value), uint64(1<<63-1)/uint64(time.Millisecond))) * time.Millisecond
}

// text of an element of a constant set, as nftSetDef.elements writes it.
func (e element) text() string {
	a, ok := netip.AddrFromSlice(bytes.Clone(e.key))
	switch {
	case !ok:
		return "?"
	case e.end:
		return "behind " + a.String()
	}
	return a.String()
}
