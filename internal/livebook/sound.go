package livebook

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// What bbolt writes (v1.5, format version 2), in the machine's own byte
// order. A page begins with its id (8 bytes), flags (2), count of elements
// (2) and how many pages it runs on (4). Elements of 16 bytes follow; what
// they point at is counted from the element's own start.
const (
	pageHeader  = 16
	elementSize = 16
	metaSize    = 64
	bucketSize  = 16 // root page (8), sequence (8)

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketLeaf   = 0x01

	magic      = 0xED0CDAED
	version    = 2
	noFreelist = ^uint64(0)
	maxDepth   = 32
)

var native = binary.NativeEndian

// sound reads a bbolt file through and says what bbolt would stumble over:
// a page that is missing, in the wrong place, in two places or out of order,
// or an element that points outside of its page. nil means that mapping the
// file is safe.
func sound(r io.ReaderAt, size int64) error {
	c := checker{r: r, size: int64(os.Getpagesize())}
	m, err := c.newest()
	if err != nil {
		return err
	}
	if m.pages < 4 || m.pages > uint64(size/c.size) {
		return fmt.Errorf("%w: %d pages in %d bytes", errDamaged, m.pages, size)
	}
	c.seen = make([]bool, m.pages)
	c.seen[0], c.seen[1] = true, true
	if m.freelist != noFreelist {
		// Only a file that was never written to has one, and it is empty.
		p, err := c.page(m.freelist)
		if err != nil {
			return err
		}
		if p.flags != freelistPage || p.count != 0 {
			return fmt.Errorf("%w: its list of free pages", errDamaged)
		}
	}
	return c.walk(m.root, nil, nil, 0)
}

type checker struct {
	r    io.ReaderAt
	size int64 // of a page
	seen []bool
}

// A meta is one of the two pages that say where everything is.
type meta struct {
	root, freelist, pages, tx uint64
}

// newest is the meta page that bbolt will choose: the valid one, or the later
// of two.
func (c *checker) newest() (meta, error) {
	var found *meta
	for i := range int64(2) {
		b := make([]byte, metaSize)
		if _, err := c.r.ReadAt(b, i*c.size+pageHeader); err != nil {
			return meta{}, fmt.Errorf("%w: it is cut short", errDamaged)
		}
		sum := fnv.New64a()
		sum.Write(b[:56])
		if native.Uint32(b) != magic || native.Uint32(b[4:]) != version || native.Uint64(b[56:]) != sum.Sum64() {
			continue
		}
		if int64(native.Uint32(b[8:])) != c.size {
			return meta{}, fmt.Errorf("%w: pages of %d bytes", errDamaged, native.Uint32(b[8:]))
		}
		m := meta{root: native.Uint64(b[16:]), freelist: native.Uint64(b[32:]), pages: native.Uint64(b[40:]), tx: native.Uint64(b[48:])}
		if m.tx > 1<<62 {
			return meta{}, fmt.Errorf("%w: its count of changes", errDamaged)
		}
		if found == nil || m.tx > found.tx {
			found = &m
		}
	}
	if found == nil {
		return meta{}, fmt.Errorf("%w: it does not begin as one of ours", errDamaged)
	}
	return *found, nil
}

// A bpage is a page with all that it runs on to.
type bpage struct {
	flags uint16
	count int
	data  []byte // header included
}

func (c *checker) page(id uint64) (bpage, error) {
	if id < 2 || id >= uint64(len(c.seen)) {
		return bpage{}, fmt.Errorf("%w: page %d is outside", errDamaged, id)
	}
	header := make([]byte, pageHeader)
	if _, err := c.r.ReadAt(header, int64(id)*c.size); err != nil {
		return bpage{}, fmt.Errorf("%w: page %d: %v", errDamaged, id, err)
	}
	more := uint64(native.Uint32(header[12:]))
	if native.Uint64(header) != id || id+more >= uint64(len(c.seen)) {
		return bpage{}, fmt.Errorf("%w: page %d is another", errDamaged, id)
	}
	for i := id; i <= id+more; i++ {
		if c.seen[i] {
			return bpage{}, fmt.Errorf("%w: page %d is in two places", errDamaged, i)
		}
		c.seen[i] = true
	}
	data := make([]byte, int64(more+1)*c.size)
	if _, err := c.r.ReadAt(data, int64(id)*c.size); err != nil && !errors.Is(err, io.EOF) {
		return bpage{}, fmt.Errorf("%w: page %d: %v", errDamaged, id, err)
	}
	return parsePage(data), nil
}

func parsePage(data []byte) bpage {
	return bpage{flags: native.Uint16(data[8:]), count: int(native.Uint16(data[10:])), data: data}
}

// part is length bytes, from counted from the start of element i.
func (p bpage) part(i int, from, length uint32) ([]byte, error) {
	start := uint64(pageHeader+i*elementSize) + uint64(from)
	end := start + uint64(length)
	if start < uint64(pageHeader+p.count*elementSize) || end > uint64(len(p.data)) {
		return nil, fmt.Errorf("%w: an element points outside of its page", errDamaged)
	}
	return p.data[start:end], nil
}

func (p bpage) element(i int) []byte { return p.data[pageHeader+i*elementSize:][:elementSize] }

func (p bpage) fits() error {
	if pageHeader+p.count*elementSize > len(p.data) {
		return fmt.Errorf("%w: %d elements in a page", errDamaged, p.count)
	}
	return nil
}

// walk checks the tree under a page, whose keys are at least from and less
// than to (nil: no limit).
func (c *checker) walk(id uint64, from, to []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: it is too deep", errDamaged)
	}
	p, err := c.page(id)
	if err != nil {
		return err
	}
	if err := p.fits(); err != nil {
		return err
	}
	switch p.flags {
	case branchPage:
		return c.branch(p, from, to, depth)
	case leafPage:
		return p.leaf(from, to, func(value []byte) error { return c.bucket(value, depth) })
	}
	return fmt.Errorf("%w: page %d is of kind %#x", errDamaged, id, p.flags)
}

func (c *checker) branch(p bpage, from, to []byte, depth int) error {
	if p.count == 0 {
		return fmt.Errorf("%w: an empty branch", errDamaged)
	}
	keys := make([][]byte, p.count)
	for i := range keys {
		e := p.element(i)
		key, err := p.part(i, native.Uint32(e), native.Uint32(e[4:]))
		if err != nil {
			return err
		}
		keys[i] = key
	}
	if err := inOrder(keys, from, to); err != nil {
		return err
	}
	for i, key := range keys {
		next := to
		if i+1 < len(keys) {
			next = keys[i+1]
		}
		if err := c.walk(native.Uint64(p.element(i)[8:]), key, next, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (p bpage) leaf(from, to []byte, bucket func(value []byte) error) error {
	keys := make([][]byte, p.count)
	for i := range keys {
		e := p.element(i)
		pos, keyLen, valueLen := native.Uint32(e[4:]), native.Uint32(e[8:]), native.Uint32(e[12:])
		if uint64(keyLen)+uint64(valueLen) > uint64(len(p.data)) {
			return fmt.Errorf("%w: an element is larger than its page", errDamaged)
		}
		both, err := p.part(i, pos, keyLen+valueLen)
		if err != nil {
			return err
		}
		keys[i] = both[:keyLen]
		switch native.Uint32(e) {
		case 0:
		case bucketLeaf:
			if err := bucket(both[keyLen:]); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: an element of kind %#x", errDamaged, native.Uint32(e))
		}
	}
	return inOrder(keys, from, to)
}

// bucket checks a bucket: a tree of its own, or a small page within the value
// that holds no further buckets.
func (c *checker) bucket(value []byte, depth int) error {
	if len(value) < bucketSize {
		return fmt.Errorf("%w: a bucket of %d bytes", errDamaged, len(value))
	}
	if root := native.Uint64(value); root != 0 {
		return c.walk(root, nil, nil, depth+1)
	}
	if len(value) < bucketSize+pageHeader {
		return fmt.Errorf("%w: a bucket of %d bytes", errDamaged, len(value))
	}
	p := parsePage(value[bucketSize:])
	if err := p.fits(); err != nil {
		return err
	}
	if p.flags != leafPage || native.Uint64(p.data) != 0 {
		return fmt.Errorf("%w: a bucket of kind %#x", errDamaged, p.flags)
	}
	return p.leaf(nil, nil, func([]byte) error { return fmt.Errorf("%w: a bucket within a small bucket", errDamaged) })
}

// inOrder checks that keys rise, from from on and below to.
func inOrder(keys [][]byte, from, to []byte) error {
	for i, key := range keys {
		if len(key) == 0 ||
			i == 0 && from != nil && bytes.Compare(key, from) < 0 ||
			i > 0 && bytes.Compare(key, keys[i-1]) <= 0 ||
			to != nil && bytes.Compare(key, to) >= 0 {
			return fmt.Errorf("%w: its keys are out of order", errDamaged)
		}
	}
	return nil
}
