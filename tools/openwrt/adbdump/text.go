package adbdump

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// Text prints all of it: every word with its offset, every string, hash and
// block.
func (f *File) Text() string {
	var t strings.Builder
	fmt.Fprintf(&t, "compression: %s\nschema: %s\n", f.Compression, f.Schema)
	fmt.Fprintf(&t, "ADB block: %d bytes, sha256 %x\n", len(f.ADB), f.Identity())
	f.Root.print(&t, "root", "")
	for _, s := range f.Signatures {
		fmt.Fprintf(&t, "SIG block: %d bytes, version %d, hash %d, key %x\n", len(s), at(s, 0), at(s, 1), s[min(2, len(s)):min(18, len(s))])
	}
	for _, d := range f.Data {
		fmt.Fprintf(&t, "DATA block: %d/%d, %d bytes, sha256 %x\n", d.Path, d.File, len(d.Content), sha256.Sum256(d.Content))
	}
	return t.String()
}

func at(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	return int(b[i])
}

func (n Node) print(t *strings.Builder, name, indent string) {
	where := fmt.Sprintf("@%#x", n.Tag&0x0fffffff)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(t, "%s%s: %s %s\n", indent, name, what, fmt.Sprintf(format, args...))
	}
	switch tag := n.Tag >> 28; tag {
	case 0:
		line("null", "")
	case 1:
		line("int", "%s", n.figure())
	case 2, 3:
		line("int"+strconv.Itoa(int(tag-1)*32), "%s = %s", where, n.figure())
	case 8, 9, 10:
		what := "blob" + strconv.Itoa(8<<(tag-8))
		if n.field.kind == binary {
			line(what, "%s = %x", where, n.Bytes)
			return
		}
		if !strings.Contains(string(n.Bytes), "\n") {
			line(what, "%s = %q", where, n.Bytes)
			return
		}
		line(what, "%s =", where)
		for _, l := range strings.SplitAfter(string(n.Bytes), "\n") {
			if l != "" {
				fmt.Fprintf(t, "%s  | %s\n", indent, strings.TrimSuffix(l, "\n"))
			}
		}
	default:
		what := map[uint32]string{0xd: "array", 0xe: "object"}[tag]
		line(what, "%s", where)
		for i, inside := range n.Nodes {
			name := inside.Name
			if name == "" {
				name = strconv.Itoa(i + 1)
			}
			inside.print(t, name, indent+"  ")
		}
	}
}

func (n Node) figure() string {
	if n.field.kind == octal {
		return "0" + strconv.FormatUint(n.Number, 8)
	}
	return strconv.FormatUint(n.Number, 10)
}
