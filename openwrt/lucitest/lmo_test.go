package lucitest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A message is one entry of a catalogue.
type message struct {
	id, str string
	refs    []string // files in which it stands
}

// readPO reads a catalogue of one-line messages, as these are. Escapes are
// refused: LuCI's own compiler does not resolve them.
func readPO(t testing.TB, text string) (head string, all []message) {
	t.Helper()
	var m message
	var to *string
	flush := func() {
		switch {
		case m.id != "":
			all = append(all, m)
		case m.str != "":
			head = m.str
		}
		m, to = message{}, nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		keyword, quoted, _ := strings.Cut(line, " ")
		switch {
		case line == "":
			flush()
			continue
		case strings.HasPrefix(line, "#: "):
			m.refs = append(m.refs, line[3:])
			continue
		case strings.HasPrefix(line, "#"):
			continue
		case keyword == "msgid":
			to = &m.id
		case keyword == "msgstr":
			to = &m.str
		default:
			quoted = line // goes on
		}
		s, err := strconv.Unquote(quoted)
		if err != nil || to == nil {
			t.Fatalf("this is no line of a catalogue: %s", line)
		}
		*to += s
	}
	flush()
	return head, all
}

// hash is SuperFastHash (Paul Hsieh), by which LuCI finds translations.
func hash(s string) uint32 {
	h := uint32(len(s))
	u16 := func(i int) uint32 { return uint32(s[i]) | uint32(s[i+1])<<8 }
	signed := func(i int) uint32 { return uint32(int32(int8(s[i]))) }
	i := 0
	for ; len(s)-i >= 4; i += 4 {
		h += u16(i)
		h = h<<16 ^ (u16(i+2)<<11 ^ h)
		h += h >> 11
	}
	switch len(s) - i {
	case 3:
		h += u16(i)
		h ^= h << 16
		h ^= signed(i+2) << 18
		h += h >> 11
	case 2:
		h += u16(i)
		h ^= h << 11
		h += h >> 17
	case 1:
		h += signed(i)
		h ^= h << 10
		h += h >> 1
	}
	h ^= h << 3
	h += h >> 5
	h ^= h << 4
	h += h >> 17
	h ^= h << 25
	h += h >> 6
	return h
}

// compile makes what LuCI reads of a catalogue: the texts, each filled up to
// four bytes; an index of key, plural forms, offset and length, sorted by key;
// and the index's offset. All numbers are big-endian.
func compile(all []message) []byte {
	type entry struct{ key, plural, offset, length uint32 }
	var texts []byte
	var index []entry
	for _, m := range all {
		if m.id == m.str {
			continue // LuCI shows the key itself
		}
		index = append(index, entry{hash(m.id), 1, uint32(len(texts)), uint32(len(m.str))})
		texts = append(texts, m.str...)
		texts = append(texts, make([]byte, (4-len(m.str)%4)%4)...)
	}
	slices.SortFunc(index, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	out := slices.Clone(texts)
	for _, e := range index {
		for _, n := range []uint32{e.key, e.plural, e.offset, e.length} {
			out = binary.BigEndian.AppendUint32(out, n)
		}
	}
	return binary.BigEndian.AppendUint32(out, uint32(len(texts)))
}

// translationsOf is a compiled catalogue as LuCI hands it to a page: an
// object in JavaScript, by the keys' hashes.
func translationsOf(t testing.TB, lmo []byte) string {
	t.Helper()
	if len(lmo) < 4 {
		t.Fatal("the compiled catalogue is empty")
	}
	at := binary.BigEndian.Uint32(lmo[len(lmo)-4:])
	index := lmo[at : len(lmo)-4]
	if len(index)%16 != 0 {
		t.Fatalf("the index has %d bytes: want 16 for each entry", len(index))
	}
	var b strings.Builder
	b.WriteByte('{')
	for e := range slices.Chunk(index, 16) {
		offset, length := binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
		fmt.Fprintf(&b, "\"%08x\":%s,", binary.BigEndian.Uint32(e), strconv.QuoteToGraphic(string(lmo[offset:offset+length])))
	}
	b.WriteByte('}')
	return b.String()
}

// TestHashIsLuCIs holds the hash to values that are known of it: by LuCI's own
// keys, and of the bytes 0, 1, 2 and so on, whose tails are negative as signed
// bytes.
func TestHashIsLuCIs(t *testing.T) {
	var bytes []byte
	for i := range 256 {
		bytes = append(bytes, byte(i))
	}
	for _, c := range []struct {
		text string
		want uint32
	}{
		{"Menu\x01Status", 0x0607f8cc}, {"%d station\x021", 0x015f3e71},
		{string(bytes), 3840866583}, {string(bytes[:255]), 325350515}, {string(bytes[:254]), 2920741773}, {string(bytes[:253]), 3586628615},
	} {
		if got := hash(c.text); got != c.want {
			t.Errorf("hash(%q): got %08x, want %08x", c.text, got, c.want)
		}
	}
}
