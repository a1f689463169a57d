package adbdump

import (
	"fmt"
	"slices"
)

// A Node is a value with what the schema calls it.
type Node struct {
	Name   string
	Tag    uint32 // the tagged word
	Bytes  []byte // of a blob
	Number uint64
	Nodes  []Node // an object's fields that are not null, or an array's items
	field  field
}

// A decoder walks the tree, and remembers which bytes belong to something.
type decoder struct {
	adb   []byte
	used  []bool
	seen  map[[2]int]bool // what was marked in used: shared values are marked once
	nodes int
	text  int
}

func (d *decoder) root(s *schema) (Node, error) {
	if len(d.adb) < 8 {
		return Node{}, fmt.Errorf("the ADB block has %d bytes and lacks its header", len(d.adb))
	}
	if !zero(d.adb[:4]) {
		return Node{}, fmt.Errorf("the ADB block's versions are % x, want zeros", d.adb[:4])
	}
	d.use(0, 8)
	n, err := d.value(word(d.adb[4:]), field{"", objectOf, s})
	if err != nil {
		return Node{}, err
	}
	return n, d.unused()
}

func (d *decoder) use(at, n int) {
	if d.seen[[2]int{at, n}] {
		return
	}
	d.seen[[2]int{at, n}] = true
	for i := at; i < at+n; i++ {
		d.used[i] = true
	}
}

// unused complains of bytes that belong to nothing, but for the zeros, three
// at most, that align what follows.
func (d *decoder) unused() error {
	for at := 0; at < len(d.used); at++ {
		if d.used[at] {
			continue
		}
		end := at
		for end < len(d.used) && !d.used[end] {
			end++
		}
		if end-at > 3 || end == len(d.used) || !zero(d.adb[at:end]) {
			return fmt.Errorf("the bytes %#x to %#x of the ADB block belong to nothing", at, end)
		}
		at = end
	}
	return nil
}

// at answers n bytes at an offset that is a multiple of align.
func (d *decoder) at(offset uint32, n, align int) ([]byte, error) {
	if offset < 8 || int(offset)%align != 0 || int(offset)+n > len(d.adb) || n < 0 {
		return nil, fmt.Errorf("%d bytes at %#x: outside of the block of %d, or not at a multiple of %d", n, offset, len(d.adb), align)
	}
	d.use(int(offset), n)
	return d.adb[offset : int(offset)+n], nil
}

func (d *decoder) value(tag uint32, f field) (Node, error) {
	if d.nodes++; d.nodes > maxNodes {
		return Node{}, fmt.Errorf("there are more than %d values", maxNodes)
	}
	n := Node{Name: f.name, Tag: tag, field: f}
	fail := func(err error) (Node, error) {
		return Node{}, fmt.Errorf("%s (%#08x): %w", f.name, tag, err)
	}
	var err error
	switch kind := tag >> 28; {
	case tag == 0 && f.kind != objectOf:
		return n, nil
	case kind >= 1 && kind <= 3 && (f.kind == number || f.kind == octal):
		n.Number, err = d.integer(tag)
	case kind >= 8 && kind <= 10 && (f.kind == text || f.kind == binary):
		n.Bytes, err = d.blob(tag)
	case kind == 0xd && f.kind == arrayOf, kind == 0xe && (f.kind == objectOf || f.kind == dependency):
		n.Nodes, err = d.slots(tag, f)
	default:
		err = fmt.Errorf("a value of type %#x has no place there", kind)
	}
	if err != nil {
		return fail(err)
	}
	return n, nil
}

func (d *decoder) integer(tag uint32) (uint64, error) {
	offset := tag & 0x0fffffff
	switch tag >> 28 {
	case 1:
		return uint64(offset), nil
	case 2:
		b, err := d.at(offset, 4, 4)
		if err != nil {
			return 0, err
		}
		return uint64(word(b)), nil
	default:
		b, err := d.at(offset, 8, 4)
		if err != nil {
			return 0, err
		}
		return uint64(word(b)) | uint64(word(b[4:]))<<32, nil
	}
}

func (d *decoder) blob(tag uint32) ([]byte, error) {
	offset, width := tag&0x0fffffff, 1<<(tag>>28-8) // 1, 2 or 4 bytes of length
	b, err := d.at(offset, width, width)
	if err != nil {
		return nil, err
	}
	size := 0
	for i, v := range b {
		size |= int(v) << (8 * i)
	}
	if size == 0 || width == 2 && size <= 0xff || width == 4 && size <= 0xffff {
		return nil, fmt.Errorf("a blob of %d bytes has a length of %d", size, width)
	}
	if d.text += size; d.text > maxText {
		return nil, fmt.Errorf("there are more than %d bytes in strings", maxText)
	}
	return d.at(offset+uint32(width), size, 1)
}

func (d *decoder) slots(tag uint32, f field) ([]Node, error) {
	offset := tag & 0x0fffffff
	b, err := d.at(offset, 4, 4)
	if err != nil {
		return nil, err
	}
	count := int(word(b))
	if count < 2 || f.kind != arrayOf && count > len(*f.schema)+1 {
		return nil, fmt.Errorf("%d slots", count)
	}
	if count > len(d.adb)/4 {
		return nil, fmt.Errorf("%d slots are more than fit", count)
	}
	if b, err = d.at(offset, 4*count, 4); err != nil {
		return nil, err
	}
	if word(b[4*count-4:]) == 0 {
		return nil, fmt.Errorf("the last of %d slots is empty", count)
	}
	var nodes []Node
	for i := 1; i < count; i++ {
		item := (*f.schema)[0]
		if f.kind != arrayOf {
			item = (*f.schema)[i-1]
		}
		tag := word(b[4*i:])
		if tag == 0 && f.kind != arrayOf {
			continue
		}
		n, err := d.value(tag, item)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// Get follows names of fields; what is not there is an empty Node.
func (n Node) Get(names ...string) Node {
	for _, name := range names {
		i := slices.IndexFunc(n.Nodes, func(n Node) bool { return n.Name == name })
		if i < 0 {
			return Node{Name: name}
		}
		n = n.Nodes[i]
	}
	return n
}

// Text is a blob as a string, or a dependency as apk writes it.
func (n Node) Text() string {
	if n.field.kind != dependency {
		return string(n.Bytes)
	}
	match := n.Get("match").Number
	if match == 0 {
		match = 1 // equal
	}
	op := ""
	for _, o := range []struct {
		bit  uint64
		sign string
	}{{4, ">"}, {2, "<"}, {8, "~"}, {1, "="}} {
		if match&o.bit != 0 {
			op += o.sign
		}
	}
	if match&16 != 0 {
		op = "!" + op
	}
	name, version := n.Get("name").Text(), n.Get("version").Text()
	if version == "" {
		return name
	}
	return name + op + version
}
