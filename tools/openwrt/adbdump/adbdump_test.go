package adbdump_test

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/tools/openwrt/adbdump"
)

// words are little-endian.
func words(w ...uint32) []byte {
	var b []byte
	for _, w := range w {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

func block(kind uint32, inside []byte) []byte {
	b := append(words(kind<<30|uint32(len(inside)+4)), inside...)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// An index with one package that has a name alone, by hand:
//
//	0  versions, root
//	8  "ab"
//	12 object: 2 slots, name
//	20 array: 2 slots, the object
//	28 object: 3 slots, no description, packages
func handmade() []byte {
	return slices.Concat(words(0, 0xe000001c), []byte("\x02ab\x00"), words(2, 0x80000008), words(2, 0xe000000c), words(3, 0, 0xd0000014))
}

func file(adb []byte) []byte { return slices.Concat([]byte("ADB.indx"), block(0, adb)) }

func TestReadsWhatIsSpelledOutByHand(t *testing.T) {
	f, err := adbdump.Read(file(handmade()))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Root.Get("packages").Nodes[0].Get("name").Text(); got != "ab" {
		t.Errorf("got the name %q, want ab", got)
	}
	want := `compression: none
schema: indx
ADB block: 40 bytes, sha256 ` + hex(handmade()) + `
root: object @0x1c
  packages: array @0x14
    1: object @0xc
      name: blob8 @0x8 = "ab"
`
	if got := f.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func hex(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, b := range sha256.Sum256(b) {
		out.WriteByte(digits[b>>4])
		out.WriteByte(digits[b&15])
	}
	return out.String()
}

func TestReadRefuses(t *testing.T) {
	change := func(at int, w uint32) []byte {
		b := handmade()
		binary.LittleEndian.PutUint32(b[at:], w)
		return file(b)
	}
	deflated := func(b []byte) []byte {
		out := bytes.NewBufferString("ADBd")
		w, _ := flate.NewWriter(out, 9)
		w.Write(b)
		w.Close()
		return out.Bytes()
	}
	whole := file(handmade())
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, "does not begin"},
		{"another format", []byte("\x1f\x8b\x08"), "does not begin"},
		{"zstd", []byte("ADBc\x02\x03"), "does not begin"},
		{"a header alone", []byte("ADB."), "header"},
		{"a schema that is not known", []byte("ADB.idb\x00"), "schema"},
		{"a broken stream", []byte("ADBd\xff\xff\xff"), "inflate"},
		{"a stream and more", append(deflated(whole), 'x'), "follow"},
		{"a stream in a stream", deflated(deflated(whole)), "header"},
		{"no block", []byte("ADB.indx"), "no ADB block"},
		{"half a block's word", []byte("ADB.indx\x08"), "cut off"},
		{"a block that is cut off", whole[:len(whole)-8], "says it has"},
		{"a block shorter than its word", slices.Concat([]byte("ADB.indx"), words(3, 0)), "says it has"},
		{"a filling that is not zero", slices.Concat(whole[:len(whole)-1], []byte{1}), "filled up"},
		{"a second ADB block", append(bytes.Clone(whole), block(0, handmade())...), "one ADB block"},
		{"data first", slices.Concat([]byte("ADB.indx"), block(2, make([]byte, 8))), "one ADB block"},
		{"a block of the fourth kind", append(bytes.Clone(whole), block(3, make([]byte, 8))...), "no place"},
		{"data without a place", append(bytes.Clone(whole), block(2, make([]byte, 7))...), "no place"},
		{"a signature after data", slices.Concat(whole, block(2, make([]byte, 8)), block(1, nil)), "no place"},
		{"data in an index", slices.Concat(whole, block(2, make([]byte, 8))), "no DATA"},
		{"a block without a header", file([]byte("abc")), "lacks its header"},
		{"another version", change(0, 1), "versions"},
		{"no root", change(4, 0), "no place"},
		{"a root that is an array", change(4, 0xd0000014), "no place"},
		{"a root outside", change(4, 0xe0001000), "outside"},
		{"a root in the header", change(4, 0xe0000004), "outside"},
		{"a root that is not aligned", change(4, 0xe000001d), "multiple"},
		{"a blob where an array belongs", change(36, 0x80000008), "no place"},
		{"an unknown type", change(16, 0xf0000008), "no place"},
		{"an object without slots", change(12, 1), "slots"},
		{"more slots than the schema has", change(28, 5), "slots"},
		{"more slots than fit", change(20, 1000), "more than fit"},
		{"slots beyond the end", change(20, 6), "outside"},
		{"an empty last slot", change(36, 0), "last"},
		{"an object in itself", change(24, 0xe000001c), "no place"},
		{"bytes that belong to nothing", change(4, 0xe000000c), ""},
		{"a long length for a short blob", change(16, 0x90000008), ""},
		{"an empty blob", change(8, 0), "a blob of 0 bytes"},
		{"zeros at the end", file(append(handmade(), 0, 0, 0, 0)), "belong to nothing"},
		{"more than three zeros between", file(slices.Concat(words(0, 0xe0000020), []byte("\x02ab\x00"), words(0), words(2, 0x80000008), words(2, 0xe0000010), words(3, 0, 0xd0000018))), "belong to nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := adbdump.Read(c.in)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v and %v, want an error with %q", f, err, c.want)
			}
		})
	}
}

// Two packages in an index must be in order, and not the same.
func TestIndexIsInOrder(t *testing.T) {
	two := func(a, b string) []byte {
		adb := slices.Concat(words(0, 0xe0000028), []byte("\x01"+a+"\x01"+b), words(2, 0x80000008, 2, 0x8000000a), words(3, 0xe000000c, 0xe0000014), words(3, 0, 0xd000001c))
		return file(adb)
	}
	if _, err := adbdump.Read(two("a", "b")); err != nil {
		t.Errorf("a, b: %v", err)
	}
	for _, bad := range []string{"ba", "aa"} {
		if _, err := adbdump.Read(two(bad[:1], bad[1:])); err == nil || !strings.Contains(err.Error(), "comes after") {
			t.Errorf("%s, %s: got %v, want that they are out of order", bad[:1], bad[1:], err)
		}
	}
}

// A few words can say that there are more values than anybody could print.
func TestReadGivesUpOnEndlessTrees(t *testing.T) {
	const n = 2000 // arrays of 2000 objects that hold the same array of 2000
	adb := words(0, 0)
	adb = append(adb, "\x01a\x00\x00"...)
	dependency := uint32(len(adb))
	adb = append(adb, words(2, 0x80000008)...)
	array := func(item uint32) uint32 {
		at := uint32(len(adb))
		adb = append(adb, words(n+1)...)
		for range n {
			adb = append(adb, words(item)...)
		}
		return at
	}
	deps := array(0xe0000000 | dependency)
	info := uint32(len(adb))
	adb = append(adb, words(16, 0x80000008, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xd0000000|deps)...)
	infos := array(0xe0000000 | info)
	binary.LittleEndian.PutUint32(adb[4:], 0xe0000000|uint32(len(adb)))
	adb = append(adb, words(3, 0, 0xd0000000|infos)...)
	if _, err := adbdump.Read(file(adb)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v, want that there are too many values", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(handmade()))
	for _, name := range []string{"testdata/package.adb", "testdata/packages.adb"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := adbdump.Read(b)
		if err != nil {
			return
		}
		if got.Text() == "" {
			t.Error("it was read and has no text")
		}
		for _, s := range got.Signatures {
			got.Signed(s)
		}
	})
}
