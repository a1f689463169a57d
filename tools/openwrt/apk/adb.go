package apk

import (
	"encoding/binary"
	"strings"
)

// A value is a tagged word (apk-v3(5), WIRE FORMAT): the type in the high four
// bits; in the low 28 the value itself or the offset at which it stands.
type value uint32

const (
	null value = 0 // special

	tagInt    value = 0x1 << 28 // direct
	tagInt32  value = 0x2 << 28
	tagInt64  value = 0x3 << 28
	tagBlob8  value = 0x8 << 28
	tagBlob16 value = 0x9 << 28
	tagBlob32 value = 0xa << 28
	tagArray  value = 0xd << 28
	tagObject value = 0xe << 28
)

// An adb is the ADB block of a file while it is written: eight bytes of
// header, then values. A value stands before whatever refers to it, so that
// the root comes last; its word is in the header.
//
// The order in which values are written, what is written once, and the
// alignment are those of apk mkpkg: there the format is entangled with the
// layout of structs in C (apk-v3(5), NOTES).
type adb struct {
	data []byte
	seen map[string]int // what stands where: equal bytes are written once
}

func newADB() *adb {
	return &adb{data: make([]byte, 8), seen: map[string]int{}}
}

// put writes bytes at a multiple of align, or finds them where they stand.
func (w *adb) put(b []byte, align int) value {
	if at, there := w.seen[string(b)]; there && at%align == 0 {
		return value(at)
	}
	at := w.append(b, align)
	w.seen[string(b)] = int(at)
	return at
}

func (w *adb) append(b []byte, align int) value {
	for len(w.data)%align != 0 {
		w.data = append(w.data, 0)
	}
	at := len(w.data)
	w.data = append(w.data, b...)
	return value(at)
}

// frame puts a blob's length before it: the fewest bytes that hold it.
func frame(b []byte) (framed []byte, tag value, align int) {
	switch n := len(b); {
	case n <= 0xff:
		return append([]byte{byte(n)}, b...), tagBlob8, 1
	case n <= 0xffff:
		return append(binary.LittleEndian.AppendUint16(nil, uint16(n)), b...), tagBlob16, 2
	default:
		return append(binary.LittleEndian.AppendUint32(nil, uint32(n)), b...), tagBlob32, 4
	}
}

// blob writes bytes; none are null.
func (w *adb) blob(b []byte) value {
	if len(b) == 0 {
		return null
	}
	framed, tag, align := frame(b)
	return tag | w.put(framed, align)
}

func (w *adb) text(s string) value { return w.blob([]byte(s)) }

// hole writes zeros that will be filled later, so never shared. It answers
// where they begin.
func (w *adb) hole(size int) (v value, at int) {
	framed, tag, align := frame(make([]byte, size))
	v = w.append(framed, align)
	return tag | v, int(v) + align
}

func (w *adb) int(n uint64) value {
	switch {
	case n < 1<<28:
		return tagInt | value(n)
	case n < 1<<32:
		return tagInt32 | w.put(binary.LittleEndian.AppendUint32(nil, uint32(n)), 4)
	default:
		return tagInt64 | w.put(binary.LittleEndian.AppendUint64(nil, n), 4)
	}
}

// An object has numbered slots of different kinds. Slot 0 counts the slots,
// so the first is 1.
type object map[int]value

func (w *adb) object(o object) value {
	last := 0
	for slot, v := range o {
		if v != null {
			last = max(last, slot)
		}
	}
	values := make([]value, last)
	for i := range values {
		values[i] = o[i+1]
	}
	return w.slots(tagObject, values)
}

// array has slots of one kind. The caller has sorted them.
func (w *adb) array(values []value) value { return w.slots(tagArray, values) }

func (w *adb) slots(tag value, values []value) value {
	if len(values) == 0 {
		return null
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(values)+1))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return tag | w.put(b, 4)
}

// root ends the block: the header's first four bytes are the versions of the
// format, both 0, and two reserved bytes.
func (w *adb) root(v value) {
	binary.LittleEndian.PutUint32(w.data[4:], uint32(v))
}

// compare is the order of strings in sorted arrays: byte by byte, and a
// string before those that it begins.
func compare(a, b string) int { return strings.Compare(a, b) }

// Kinds of blocks (apk-v3(5), BLOCKS).
const (
	blockADB  = 0
	blockSig  = 1
	blockData = 2
)

// appendBlock writes a block: a word with its kind in the high two bits and
// its length, this word included, in the others; what it holds; zeros up to a
// multiple of eight.
func appendBlock(to []byte, kind uint32, parts ...[]byte) []byte {
	n := 4
	for _, part := range parts {
		n += len(part)
	}
	to = binary.LittleEndian.AppendUint32(to, kind<<30|uint32(n))
	for _, part := range parts {
		to = append(to, part...)
	}
	return append(to, make([]byte, (8-n%8)%8)...)
}
