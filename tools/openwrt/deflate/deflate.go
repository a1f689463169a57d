// Package deflate compresses as small as the format (RFC 1951) lets it, and
// takes its time: a package is made once and fetched by every router. What it
// writes is some 7 % smaller than the standard library's, about what zopfli
// and libdeflate reach, and always the same for the same input.
//
// For each position all useful matches are looked up (match.go). The cheapest
// way through them is found again and again, each time with the costs that
// the way before had (parse.go). Blocks begin where the statistics change
// (split.go).
package deflate

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"sync"
)

const (
	window    = 1 << 15
	minMatch  = 3
	maxMatch  = 258
	chunkSize = 1 << 20 // compressed on its own, with what is before as a window
)

// Compress writes a stream. One that is not final ends at a whole byte and is
// to be followed by another, which does not look back into it.
func Compress(b []byte, final bool) []byte {
	chunks := (len(b) + chunkSize - 1) / chunkSize
	done := make([][]plan, chunks)
	var wait sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range done {
		from, to := i*chunkSize, min((i+1)*chunkSize, len(b))
		free <- struct{}{}
		wait.Go(func() {
			done[i] = planChunk(b[max(0, from-window):to], min(from, window))
			<-free
		})
	}
	wait.Wait()
	var out writer
	for _, chunk := range done {
		for _, p := range chunk {
			p.write(&out)
		}
	}
	// The last block holds nothing: with fixed codes, or stored, which is how
	// a stream comes to a whole byte.
	if final {
		out.add(1, 1)
		out.add(1, 2)
		out.add(0, 7) // end of block
	} else {
		out.add(0, 3)
		out.flush()
		out.buf = append(out.buf, 0, 0, 0xff, 0xff)
	}
	out.flush()
	return out.buf
}

// A Compressor remembers what it has compressed: one program goes into many
// packages. The zero Compressor is ready, and may be used by many at once.
type Compressor struct {
	mu   sync.Mutex
	done map[stream]func() []byte
}

type stream struct {
	sum   [sha256.Size]byte
	final bool
}

// Compress is the function of that name.
func (c *Compressor) Compress(b []byte, final bool) []byte {
	key := stream{sha256.Sum256(b), final}
	c.mu.Lock()
	if c.done == nil {
		c.done = map[stream]func() []byte{}
	}
	once, there := c.done[key]
	if !there {
		once = sync.OnceValue(func() []byte { return Compress(b, final) })
		c.done[key] = once
	}
	c.mu.Unlock()
	return once()
}

// Gzip is a gzip file (RFC 1952) without name and time.
func (c *Compressor) Gzip(b []byte) []byte {
	const deflated, slowest, unknown = 8, 2, 255
	out := []byte{0x1f, 0x8b, deflated, 0, 0, 0, 0, 0, slowest, unknown}
	out = append(out, c.Compress(b, true)...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(b))
	return binary.LittleEndian.AppendUint32(out, uint32(len(b)))
}

// A writer writes bits, from the lowest of each byte on.
type writer struct {
	buf  []byte
	hold uint64
	n    uint // bits in hold, fewer than 8 between calls
}

func (w *writer) add(v uint32, n uint) {
	w.hold |= uint64(v) << w.n
	w.n += n
	for w.n >= 8 {
		w.buf = append(w.buf, byte(w.hold))
		w.hold >>= 8
		w.n -= 8
	}
}

// flush fills the last byte up with zeros.
func (w *writer) flush() {
	if w.n > 0 {
		w.add(0, 8-w.n)
	}
}

// planChunk plans the blocks of b[start:]; what is before may be referred to.
func planChunk(b []byte, start int) []plan {
	m := findMatches(b, start)
	first := firstCosts()
	path := parse(m, 0, len(m.data), &first)
	var plans []plan
	for _, block := range split(m, path) {
		plans = append(plans, planBlock(m, block))
	}
	return plans
}
