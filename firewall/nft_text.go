package firewall

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// expressions are a rule's as they go to the kernel: what is in
// NFTA_RULE_EXPRESSIONS.
func expressions(rule []expr.Any) []byte {
	var m messages
	for _, e := range rule {
		b, err := expr.Marshal(unix.NFPROTO_INET, e)
		if err != nil {
			panic("firewall: an expression of our own cannot be written: " + err.Error())
		}
		m.raw(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, b)
	}
	return m.b
}

// ruleText writes a rule's expressions so that two rules have the same text
// if, and only if, they do the same; counts are left out. It reads what we
// give to the kernel and what the kernel gives back, which differ in what
// goes without saying. What it does not know it writes in hexadecimal digits,
// so that nothing passes for ours that is not.
//
// (The library's own reading of rules leaves out expressions that it does not
// know. A rule that somebody has put before ours could hide behind that.)
func ruleText(b []byte) string {
	var all []string
	attrs(b, func(_ uint16, value []byte) {
		name, data := readExpr(value)
		all = append(all, exprText(name, data))
	})
	return strings.Join(all, ", ")
}

// readExpr is an expression's name and what belongs to it.
func readExpr(b []byte) (name string, data []byte) {
	attrs(b, func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_EXPR_NAME:
			name = text(value)
		case unix.NFTA_EXPR_DATA:
			data = value
		}
	})
	return name, data
}

// fields are attributes that were not written yet.
type fields map[uint16][]byte

func readFields(b []byte) fields {
	f := fields{}
	attrs(b, func(kind uint16, value []byte) { f[kind] = value })
	return f
}

func (f fields) take(kind uint16) []byte {
	v := f[kind]
	delete(f, kind)
	return v
}

// number writes a number of one to eight bytes; nothing where it is missing.
func (f fields) number(kind uint16) string {
	b := f.take(kind)
	if len(b) == 0 {
		return ""
	}
	if len(b) > 8 {
		return hex.EncodeToString(b)
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return strconv.FormatUint(v, 10)
}

// label writes a number behind a word; nothing where it is missing or 0.
func (f fields) label(word string, kind uint16) string {
	n := f.number(kind)
	if n == "" || n == "0" {
		return ""
	}
	return " " + word + " " + n
}

// register writes a register, of which the first of each four has two numbers.
func (f fields) register(kind uint16) string {
	b := f.take(kind)
	if len(b) != 4 {
		return ""
	}
	n := uint32Attr(b)
	if n >= unix.NFT_REG32_00 && (n-unix.NFT_REG32_00)%4 == 0 {
		n = (n-unix.NFT_REG32_00)/4 + unix.NFT_REG_1
	}
	return "r" + strconv.FormatUint(uint64(n), 10)
}

// into and by write a register to which, and from which.
func (f fields) into(kind uint16) string { return before(" → ", f.register(kind)) }
func (f fields) by(kind uint16) string   { return before(" ", f.register(kind)) }

func before(mark, s string) string {
	if s == "" {
		return ""
	}
	return mark + s
}

// data writes a value: the name of an interface as such.
func (f fields) data(kind uint16) string {
	v := readFields(f.take(kind))
	value := v.take(unix.NFTA_DATA_VALUE)
	s := "0x" + hex.EncodeToString(value)
	if name := text(value); len(value) == unix.IFNAMSIZ && name != "" && bytes.Equal(interfaceName(name), value) {
		s = strconv.Quote(name)
	}
	return s + v.rest()
}

// rest writes whatever was not taken.
func (f fields) rest() string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(&b, " %d=%x", kind, f[kind])
	}
	return b.String()
}

// word picks a word by a number, which is written where there is no word.
func (f fields) word(kind uint16, words ...string) string {
	n := f.number(kind)
	if i, err := strconv.Atoi(n); err == nil && i < len(words) && words[i] != "" {
		return words[i]
	}
	return "?" + n
}

// What packets are looked at for, by number: enum nft_meta_keys,
// nft_payload_bases, nft_cmp_ops, nft_ct_keys, nft_reject_types.
var (
	metaWords    = []string{unix.NFT_META_MARK: "mark", unix.NFT_META_IIFNAME: "iifname", unix.NFT_META_OIFNAME: "oifname", unix.NFT_META_NFPROTO: "nfproto", unix.NFT_META_L4PROTO: "l4proto", unix.NFT_META_IIFTYPE: "iiftype"}
	payloadWords = []string{"link", "network", "transport"}
	cmpWords     = []string{"=", "≠", "<", "≤", ">", "≥"}
	ctWords      = []string{unix.NFT_CT_STATE: "state", unix.NFT_CT_DIRECTION: "direction"}
	rejectWords  = []string{"icmp", "reset", "icmpx"}
	dynsetWords  = []string{"add", "update", "delete"}
	limitWords   = []string{"packets", "bytes"}
	verdictWords = map[int32]string{0: "drop", 1: "accept", -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return"}
)

// exprText writes one expression.
func exprText(name string, data []byte) string {
	f := readFields(data)
	s := name
	switch name {
	case "meta":
		s += " " + f.word(unix.NFTA_META_KEY, metaWords...) + f.into(unix.NFTA_META_DREG) + before(" ← ", f.register(unix.NFTA_META_SREG))
	case "payload":
		s += " " + f.word(unix.NFTA_PAYLOAD_BASE, payloadWords...) + " " + f.number(unix.NFTA_PAYLOAD_OFFSET) + "+" + f.number(unix.NFTA_PAYLOAD_LEN) + f.into(unix.NFTA_PAYLOAD_DREG)
	case "cmp":
		s += f.by(unix.NFTA_CMP_SREG) + " " + f.word(unix.NFTA_CMP_OP, cmpWords...) + " " + f.data(unix.NFTA_CMP_DATA)
	case "bitwise":
		s += f.by(unix.NFTA_BITWISE_SREG) + " & " + f.data(unix.NFTA_BITWISE_MASK) + " ^ " + f.data(unix.NFTA_BITWISE_XOR) +
			f.into(unix.NFTA_BITWISE_DREG) + f.label("length", unix.NFTA_BITWISE_LEN) + f.label("op", nftaBitwiseOp)
	case "lookup":
		s += f.by(unix.NFTA_LOOKUP_SREG) + setName(f.take(unix.NFTA_LOOKUP_SET)) + f.label("flags", unix.NFTA_LOOKUP_FLAGS) + f.into(unix.NFTA_LOOKUP_DREG)
		f.take(unix.NFTA_LOOKUP_SET_ID)
	case "immediate":
		s = f.immediate()
	case "ct":
		s += " " + f.word(unix.NFTA_CT_KEY, ctWords...) + f.into(unix.NFTA_CT_DREG) + f.by(unix.NFTA_CT_SREG) + f.label("direction", unix.NFTA_CT_DIRECTION)
	case "fib":
		s += " flags " + f.number(unix.NFTA_FIB_FLAGS) + " result " + f.number(nftaFibResult) + f.into(nftaFibDreg)
	case "limit":
		s += " " + f.number(unix.NFTA_LIMIT_RATE) + " " + f.word(unix.NFTA_LIMIT_TYPE, limitWords...) + f.label("in seconds", unix.NFTA_LIMIT_UNIT) +
			f.label("burst", unix.NFTA_LIMIT_BURST) + f.label("flags", unix.NFTA_LIMIT_FLAGS)
		f.take(nftaLimitPad)
	case "dynset":
		s += " " + f.word(unix.NFTA_DYNSET_OP, dynsetWords...) + f.by(unix.NFTA_DYNSET_SREG_KEY) + setName(f.take(unix.NFTA_DYNSET_SET_NAME)) +
			f.label("for ms", unix.NFTA_DYNSET_TIMEOUT) + f.label("flags", unix.NFTA_DYNSET_FLAGS)
		if inner := f.take(unix.NFTA_DYNSET_EXPR); inner != nil {
			name, data := readExpr(inner)
			s += " {" + exprText(name, data) + "}"
		}
		f.take(unix.NFTA_DYNSET_SET_ID)
		f.take(nftaDynsetPad)
	case "redir":
		s += " to" + f.by(unix.NFTA_REDIR_REG_PROTO_MIN) + "-" + strings.TrimSpace(f.by(unix.NFTA_REDIR_REG_PROTO_MAX)) + f.label("flags", unix.NFTA_REDIR_FLAGS)
	case "masq":
		s += f.label("flags", unix.NFTA_MASQ_FLAGS)
	case "reject":
		s += " " + f.word(unix.NFTA_REJECT_TYPE, rejectWords...) + f.label("code", unix.NFTA_REJECT_ICMP_CODE)
	case "counter":
		f.take(unix.NFTA_COUNTER_BYTES)
		f.take(unix.NFTA_COUNTER_PACKETS)
		f.take(unix.NFTA_COUNTER_PAD)
	}
	return s + f.rest()
}

// What golang.org/x/sys does not name, or names otherwise.
const (
	nftaBitwiseOp = 6
	nftaFibDreg   = 1
	nftaFibResult = 2
	nftaLimitPad  = 6
	nftaDynsetPad = 8
)

func setName(b []byte) string { return " @" + text(b) }

// immediate writes a verdict, or a value that is put into a register.
func (f fields) immediate() string {
	register := f.register(unix.NFTA_IMMEDIATE_DREG)
	v := readFields(f.take(unix.NFTA_IMMEDIATE_DATA))
	if value, ok := v[unix.NFTA_DATA_VALUE]; ok {
		delete(v, unix.NFTA_DATA_VALUE)
		return "immediate 0x" + hex.EncodeToString(value) + " → " + register + v.rest()
	}
	d := readFields(v.take(unix.NFTA_DATA_VERDICT))
	code := int32(uint32Attr(d.take(unix.NFTA_VERDICT_CODE)))
	s, ok := verdictWords[code]
	if !ok {
		s = fmt.Sprintf("verdict %d", code)
	}
	if chain := d.take(unix.NFTA_VERDICT_CHAIN); chain != nil {
		s += " " + text(chain)
	}
	if register != "r0" {
		s += " → " + register
	}
	return s + d.rest() + v.rest()
}

// setsOf are the sets that a rule looks at, by its text.
func setsOf(text string) (names []string) {
	for word := range strings.FieldsSeq(text) {
		if name, ok := strings.CutPrefix(word, "@"); ok {
			names = append(names, strings.TrimRight(name, ","))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
