package firewall

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A step is a part of a rule: what it looks at, or what it does.
type step []expr.Any

// The registers in which a rule keeps what it has loaded. A concatenated key
// lies in one behind the other, each part filled up to four bytes.
const (
	register       = unix.NFT_REG_1
	registerBehind = unix.NFT_REG32_01 // behind an IPv4 address in register
)

func ends(kind expr.VerdictKind) step { return step{&expr.Verdict{Kind: kind}} }

var (
	returns = ends(expr.VerdictReturn)
	drops   = ends(expr.VerdictDrop)
	counts  = step{&expr.Counter{}}
)

func jumpTo(chain string) step { return step{&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}} }
func goTo(chain string) step   { return step{&expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}} }

func isEqual(load expr.Any, value []byte) step {
	return step{load, &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: value}}
}

func meta(key expr.MetaKey) expr.Any { return &expr.Meta{Key: key, Register: register} }

// interfaceName is a name as the kernel compares it: all of it, with zeros
// behind.
func interfaceName(name string) []byte {
	var full [unix.IFNAMSIZ]byte
	copy(full[:], name)
	return full[:]
}

func from(name string) step    { return isEqual(meta(expr.MetaKeyIIFNAME), interfaceName(name)) }
func towards(name string) step { return isEqual(meta(expr.MetaKeyOIFNAME), interfaceName(name)) }

// of is the packet's family.
func of(six bool) step {
	family := byte(unix.NFPROTO_IPV4)
	if six {
		family = unix.NFPROTO_IPV6
	}
	return isEqual(meta(expr.MetaKeyNFPROTO), []byte{family})
}

func proto(number byte) step { return isEqual(meta(expr.MetaKeyL4PROTO), []byte{number}) }

// to is a packet of tcp or udp to a port.
func to(protocol byte, port uint16) step {
	load := &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
	return append(proto(protocol), isEqual(load, binary.BigEndian.AppendUint16(nil, port))...)
}

// icmpType is a message's type; the protocol must have been looked at.
func icmpType(kind byte) step {
	return isEqual(&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Len: 1}, []byte{kind})
}

// A side is one end of a packet.
type side uint32

// The sides, as offsets of their address in the headers of IPv4 and IPv6.
const (
	sender   side = 0
	receiver side = 1
)

func address(s side, six bool) expr.Any {
	load := &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: 12 + 4*uint32(s), Len: 4}
	if six {
		load.Offset, load.Len = 8+16*uint32(s), 16
	}
	return load
}

// byEthernet is a packet that came in on a link whose header is Ethernet's:
// destination, source, type. Without it nft does not list a hardware address
// as such, and could not read its own list.
func byEthernet() step {
	return isEqual(meta(expr.MetaKeyIIFTYPE), binary.NativeEndian.AppendUint16(nil, unix.ARPHRD_ETHER))
}

// hardware loads the sender's hardware address.
func hardware(into uint32) expr.Any {
	return &expr.Payload{DestRegister: into, Base: expr.PayloadBaseLLHeader, Offset: 6, Len: 6}
}

func in(set string) expr.Any { return &expr.Lookup{SourceRegister: register, SetName: set} }

// isHost is a packet whose one side is in a set of addresses.
func isHost(s side, six bool, set string) step { return step{address(s, six), in(set)} }

// fromLinkLocal is a packet of IPv6 from an address of fe80::/10.
func fromLinkLocal() step {
	mask, net := make([]byte, 16), make([]byte, 16)
	mask[0], mask[1], net[0], net[1] = 0xff, 0xc0, 0xfe, 0x80
	return append(of(true), address(sender, true),
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 16, Mask: mask, Xor: make([]byte, 16)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: net})
}

// isGuest is a packet whose sender is in a set of guests.
func isGuest(six bool, set string) step {
	if six {
		return append(byEthernet(), hardware(register), in(set))
	}
	return append(byEthernet(), address(sender, false), hardware(registerBehind), in(set))
}

func native(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

// marks gives the packet the bit, and unmarks takes it away; the other bits
// stay.
func marks(bit uint32) step { return setMark(^bit, bit) }

func unmarks(bit uint32) step { return setMark(^bit, 0) }

func setMark(mask, xor uint32) step {
	return step{
		meta(expr.MetaKeyMARK),
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 4, Mask: native(mask), Xor: native(xor)},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: register},
	}
}

// marked is a packet whose bit is as said.
func marked(bit uint32, set bool) step {
	want := native(0)
	if set {
		want = native(bit)
	}
	return step{
		meta(expr.MetaKeyMARK),
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 4, Mask: native(bit), Xor: native(0)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: want},
	}
}

// toRouter is a packet to this kind of address of the router: its own
// (unix.RTN_LOCAL), broadcast or multicast.
func toRouter(kind uint32) step {
	return isEqual(&expr.Fib{Register: register, FlagDADDR: true, ResultADDRTYPE: true}, native(kind))
}

// isReply is a packet against the direction in which its connection began.
func isReply() step {
	return isEqual(&expr.Ct{Key: expr.CtKeyDIRECTION, Register: register}, []byte{1}) // IP_CT_DIR_REPLY
}

// inState is a packet of a connection that was answered
// (expr.CtStateBitESTABLISHED), or one about a known connection, as an ICMP
// error is (expr.CtStateBitRELATED).
func inState(bit uint32) step {
	return step{
		&expr.Ct{Key: expr.CtKeySTATE, Register: register},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 4, Mask: native(bit), Xor: native(0)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: native(0)},
	}
}

// redirects sends the packet to a port of the router itself.
func redirects(port uint16) step {
	return step{
		&expr.Immediate{Register: register, Data: binary.BigEndian.AppendUint16(nil, port)},
		&expr.Redir{RegisterProtoMin: register, RegisterProtoMax: register, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED},
	}
}

func rejects(kind uint32, code uint8) step { return step{&expr.Reject{Type: kind, Code: code}} }

// exceeds is a packet that is too much: the kernel's bucket holds what may
// come in a second and burst bytes more (nft_limit_init).
func exceeds(rate uint64) step {
	return step{&expr.Limit{Type: expr.LimitTypePktBytes, Rate: min(rate, maxRate), Over: true, Unit: expr.LimitTimeSecond, Burst: burst}}
}

// eachExceeds is the same for each key by itself. The kernel keeps its bucket
// in the set for as long as packets come, and idle longer.
func eachExceeds(key expr.Any, set string, rate uint64) step {
	return step{key, &expr.Dynset{
		SrcRegKey: register, SetName: set, Operation: unix.NFT_DYNSET_OP_UPDATE,
		Timeout: idleBucket, Exprs: exceeds(rate),
	}}
}

const (
	burst      = 128 << 10 // bytes; the kernel joins packets into ones of 64 KiB
	idleBucket = time.Minute
	maxBuckets = 8192
	maxRate    = 10_000_000_000 // bytes per second; nanoseconds times bytes must fit 64 bits
)

// prefixRange are the first address of networks that lie together and the one
// behind the last, which is the zero Addr at the end of all addresses.
type prefixRange struct{ first, behind netip.Addr }
