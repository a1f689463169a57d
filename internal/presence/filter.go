package presence

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// How much of a frame is read. A DHCP message fits into 576 bytes (RFC 2131
// §2); the options that are looked for stand early in it.
const (
	dhcpSnap  = 704
	shortSnap = 128 // ARP is 42 bytes; neighbour discovery with its options less than 120
)

// Offsets in an Ethernet frame without a tag: the kernel takes tags off
// before a packet socket sees the frame.
const (
	offType       = 12
	offNet        = 14
	offIP4Frag    = offNet + 6
	offIP4Proto   = offNet + 9
	offIP6Next    = offNet + 6
	offICMP6Type  = offNet + 40
	protoUDP      = 17
	protoTCP      = 6
	protoICMP6    = 58
	offIP6TCPFlag = offNet + 40 + 13
	tcpSYN        = 0x02 // RFC 9293 §3.1
	tcpSYNACK     = 0x12 // the bits of both
	portDHCP      = 67   // the server's
	typeRS        = 133
	typeNS        = 135
	typeNA        = 136
	laterFragment = 0x1fff // bits of the offset, in 8 bytes
)

// dropAll lets nothing through.
var dropAll = []bpf.Instruction{bpf.RetConstant{Val: 0}}

// filter lets DHCPv4 to and from a server, ARP, router solicitations and
// neighbour solicitations and advertisements through. Neighbour discovery
// behind extension headers is not looked for: no host sends it so.
//
// A jump's skip is counted from the instruction after it, so instruction 3
// goes on at 3+1+9 = 13.
var filter = []bpf.Instruction{
	0: bpf.LoadAbsolute{Off: offType, Size: 2},
	1: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_ARP, SkipTrue: 1},
	2: bpf.RetConstant{Val: shortSnap},
	3: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IPV6, SkipTrue: 9},

	4:  bpf.LoadAbsolute{Off: offIP6Next, Size: 1},
	5:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoICMP6, SkipTrue: 1},
	6:  bpf.RetConstant{Val: 0},
	7:  bpf.LoadAbsolute{Off: offICMP6Type, Size: 1},
	8:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeRS, SkipTrue: 2},
	9:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeNS, SkipTrue: 1},
	10: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: typeNA, SkipTrue: 1},
	11: bpf.RetConstant{Val: shortSnap},
	12: bpf.RetConstant{Val: 0},

	13: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IP, SkipTrue: 10},
	14: bpf.LoadAbsolute{Off: offIP4Proto, Size: 1},
	15: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoUDP, SkipTrue: 8},
	16: bpf.LoadAbsolute{Off: offIP4Frag, Size: 2},
	17: bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: laterFragment, SkipTrue: 6},
	18: bpf.LoadMemShift{Off: offNet},              // X = length of the IPv4 header
	19: bpf.LoadIndirect{Off: offNet + 0, Size: 2}, // from port
	20: bpf.JumpIf{Cond: bpf.JumpEqual, Val: portDHCP, SkipTrue: 2},
	21: bpf.LoadIndirect{Off: offNet + 2, Size: 2}, // to port
	22: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: portDHCP, SkipTrue: 1},
	23: bpf.RetConstant{Val: dhcpSnap},
	24: bpf.RetConstant{Val: 0},
}

// filterSYN lets through what filter does and, of IPv6, the first packet of
// each TCP connection as well. It makes a copy in which the answer "no" of
// instruction 6 goes on behind the end.
func filterSYN() []bpf.Instruction {
	end := uint32(len(filter))
	program := append([]bpf.Instruction{}, filter...)
	program[6] = bpf.Jump{Skip: end - 7}
	return append(program,
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoTCP, SkipTrue: 4},
		bpf.LoadAbsolute{Off: offIP6TCPFlag, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: tcpSYNACK},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: tcpSYN, SkipTrue: 1},
		bpf.RetConstant{Val: shortSnap},
		bpf.RetConstant{Val: 0},
	)
}
