package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A policy is a policy rule (ip-rule(8), linux/fib_rules.h) as far as the
// gate cares. Two that are equal do the same.
type policy struct {
	pref    uint32
	action  uint8  // nl.FR_ACT_TO_TBL, nl.FR_ACT_UNREACHABLE, …
	table   uint32 // of FR_ACT_TO_TBL
	iif     string // "" is any
	mark    uint32
	mask    uint32 // 0: the mark is not looked at
	ipproto uint8  // 0 is any
	dport   uint16 // 0 is any
	proto   uint8  // who has made it: FRA_PROTOCOL, Linux 4.17
	told    bool   // the kernel told who has made it
	more    bool   // it looks at something else as well, or is inverted
}

// gateProto marks the gate's rules as ours. Nobody else is known to use the
// number (linux/rtnetlink.h, /etc/iproute2/rt_protos).
const gateProto = 104

// local is the rule by which everything finds the router's own addresses, as
// the kernel makes it at its start.
var local = policy{action: nl.FR_ACT_TO_TBL, table: unix.RT_TABLE_LOCAL, proto: unix.RTPROT_KERNEL, told: true}

// isLocal reports whether a rule finds the router's own addresses for every
// packet, wherever it stands and whoever has made it.
func (p policy) isLocal() bool {
	p.pref, p.proto, p.told = 0, local.proto, local.told
	return p == local
}

// fits reports whether RTM_DELRULE with this rule would take r: the kernel
// compares only what a request gives (rule_find in net/core/fib_rules.c).
func (p policy) fits(r policy) bool {
	return p.pref == r.pref && p.action == r.action &&
		(p.table == 0 || p.table == r.table) &&
		(p.iif == "" || p.iif == r.iif) &&
		(p.mark == 0 || p.mark == r.mark) &&
		(p.mask == 0 || p.mask == r.mask) &&
		(p.ipproto == 0 || p.ipproto == r.ipproto) &&
		(p.dport == 0 || p.dport == r.dport) &&
		(p.proto == 0 || p.proto == r.proto)
}

// The bits of a rule's flags that change what it does.
const fibRuleInvert = 0x2

// Attributes of Linux 6.15, the last ones known here.
const (
	fraDportMask = 29
	fraDscpMask  = 30
)

// sizeofRuleHeader is that of struct fib_rule_hdr.
const sizeofRuleHeader = 12

// readPolicy reads one message of a dump. What is no rule is the zero policy
// with more set.
func readPolicy(msg []byte) (p policy) {
	if len(msg) < sizeofRuleHeader {
		return policy{more: true}
	}
	p.action, p.table = msg[7], uint32(msg[4])
	flags := binary.NativeEndian.Uint32(msg[8:])
	p.more = msg[1] != 0 || msg[2] != 0 || msg[3] != 0 || flags&fibRuleInvert != 0 // dst, src, tos
	unknown := false
	attrs(msg[sizeofRuleHeader:], func(kind uint16, value []byte) {
		number := func() uint32 {
			if len(value) < 4 {
				p.more = true
				return 0
			}
			return binary.NativeEndian.Uint32(value)
		}
		short := func() uint8 {
			if len(value) < 1 {
				p.more = true
				return 0
			}
			return value[0]
		}
		switch kind {
		case nl.FRA_PRIORITY:
			p.pref = number()
		case nl.FRA_TABLE:
			p.table = number()
		case nl.FRA_IIFNAME:
			p.iif = text(value)
		case nl.FRA_FWMARK:
			p.mark = number()
		case nl.FRA_FWMASK:
			p.mask = number()
		case nl.FRA_IP_PROTO:
			p.ipproto = short()
		case nl.FRA_PROTOCOL:
			p.proto, p.told = short(), true
		case nl.FRA_DPORT_RANGE:
			ports := number()
			var b [4]byte
			binary.NativeEndian.PutUint32(b[:], ports)
			p.dport = binary.NativeEndian.Uint16(b[:])
			p.more = p.more || p.dport != binary.NativeEndian.Uint16(b[2:])
		case nl.FRA_SUPPRESS_IFGROUP, nl.FRA_SUPPRESS_PREFIXLEN:
			p.more = p.more || number() != 1<<32-1 // which is none
		case nl.FRA_PAD:
		case fraDportMask:
			p.more = p.more || len(value) != 2 || binary.NativeEndian.Uint16(value) != 1<<16-1
		default: // addresses, tunnels, users, a jump: whatever there is
			p.more = p.more || kind <= fraDscpMask
			unknown = unknown || kind > fraDscpMask
		}
	})
	// What a newer kernel tells of a rule that we have made ourselves was not
	// asked for by us, and changes nothing.
	p.more = p.more || unknown && p.proto != gateProto
	return p
}

// attributes are the rule behind its header, for a request.
func (p policy) attributes() (all []*nl.RtAttr) {
	all = append(all, nl.NewRtAttr(nl.FRA_PRIORITY, nl.Uint32Attr(p.pref)))
	if p.iif != "" {
		all = append(all, nl.NewRtAttr(nl.FRA_IIFNAME, nl.ZeroTerminated(p.iif)))
	}
	if p.mask != 0 {
		all = append(all, nl.NewRtAttr(nl.FRA_FWMARK, nl.Uint32Attr(p.mark)), nl.NewRtAttr(nl.FRA_FWMASK, nl.Uint32Attr(p.mask)))
	}
	if p.ipproto != 0 {
		all = append(all, nl.NewRtAttr(nl.FRA_IP_PROTO, nl.Uint8Attr(p.ipproto)))
	}
	if p.dport != 0 {
		ports := binary.NativeEndian.AppendUint16(nil, p.dport)
		all = append(all, nl.NewRtAttr(nl.FRA_DPORT_RANGE, binary.NativeEndian.AppendUint16(ports, p.dport)))
	}
	if p.told {
		all = append(all, nl.NewRtAttr(nl.FRA_PROTOCOL, nl.Uint8Attr(p.proto)))
	}
	return all
}

// rules are the policy rules of one family, over netlink.
type rules struct {
	*wire
	family uint8 // unix.AF_INET or unix.AF_INET6
}

func (r rules) name() string {
	if r.family == unix.AF_INET6 {
		return "IPv6"
	}
	return "IPv4"
}

// dumpTries is how often a dump is begun again because something changed
// meanwhile.
const dumpTries = 8

// list are all rules in the order in which packets meet them.
func (r rules) list() (all []policy, err error) {
	for range dumpTries {
		all = nil
		req := r.plain(unix.RTM_GETRULE, unix.NLM_F_DUMP)
		req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: r.family}})
		err = req.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWRULE, func(msg []byte) bool {
			if len(msg) > 0 && msg[0] == r.family {
				all = append(all, readPolicy(msg))
			}
			return true
		})
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			break
		}
	}
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, fmt.Errorf("this kernel has no policy rules for %s, and the gate is made of them: it needs CONFIG_IP_MULTIPLE_TABLES and CONFIG_IPV6_MULTIPLE_TABLES: %w", r.name(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("list the %s policy rules: %w", r.name(), err)
	}
	return all, nil
}

// add puts a rule behind those of the same preference. One that is there
// already is put there once more: NLM_F_EXCL is not asked for.
func (r rules) add(p policy) error {
	if err := r.send(unix.RTM_NEWRULE, unix.NLM_F_CREATE, p); err != nil {
		return fmt.Errorf("add an %s policy rule: %w", r.name(), err)
	}
	return nil
}

// del takes out the first rule that fits. That there is none is no error.
func (r rules) del(p policy) error {
	if err := r.send(unix.RTM_DELRULE, 0, p); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete an %s policy rule: %w", r.name(), err)
	}
	return nil
}

func (r rules) send(command, flags int, p policy) error {
	req := r.plain(command, flags|unix.NLM_F_ACK)
	header := &nl.RtMsg{RtMsg: unix.RtMsg{Family: r.family, Type: p.action}}
	if p.action == nl.FR_ACT_TO_TBL {
		header.Table = uint8(p.table) // the gate looks up no other than local's 255
	}
	req.AddData(header)
	for _, a := range p.attributes() {
		req.AddData(a)
	}
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}
