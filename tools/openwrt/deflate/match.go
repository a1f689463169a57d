package deflate

// matches are what each position of a chunk can be copied from: for each
// length the nearest place, as far as a longer one is not as near.
type matches struct {
	data  []byte   // the chunk, without what is before it
	begin []uint32 // of each position in found, one more at the end
	found []match
}

// A match is a length and a distance. Those of one position grow in both.
type match uint32

func newMatch(length, distance int) match { return match(length)<<16 | match(distance) }

func (m match) length() int   { return int(m >> 16) }
func (m match) distance() int { return int(m & 0xffff) }

func (m *matches) at(i int) []match { return m.found[m.begin[i]:m.begin[i+1]] }

// A finder keeps the positions of the window in binary trees, one for each
// hash of four bytes, sorted by the bytes that follow. The newest position is
// always the root, so that what is found on the way down is ever farther, and
// as the strings are sorted, ever longer matches are met soon.
type finder struct {
	b      []byte
	roots  []int32 // by hash of four bytes: a position, or -1
	threes []int32 // by hash of three bytes: the last position, or -1
	left   [window]int32
	right  [window]int32
}

const (
	hashBits = 16
	maxDepth = 200 // a tree may grow crooked
)

func hash(v uint32) uint32 { return v * 0x9e3779b1 >> (32 - hashBits) }

func findMatches(b []byte, start int) *matches {
	f := &finder{b: b, roots: make([]int32, 1<<hashBits), threes: make([]int32, 1<<hashBits)}
	for i := range f.roots {
		f.roots[i], f.threes[i] = -1, -1
	}
	m := &matches{data: b[start:], begin: make([]uint32, 0, len(b)-start+1)}
	var one []match
	skip := 0 // positions inside of a match that could not be longer
	for pos := range b {
		one = f.insert(pos, one[:0])
		if pos < start {
			continue
		}
		m.begin = append(m.begin, uint32(len(m.found)))
		if skip > 0 {
			skip--
			continue
		}
		m.found = append(m.found, one...)
		if n := len(one); n > 0 && one[n-1].length() == maxMatch {
			skip = maxMatch - 1
		}
	}
	m.begin = append(m.begin, uint32(len(m.found)))
	return m
}

// insert puts a position in and appends its matches.
func (f *finder) insert(pos int, to []match) []match {
	b := f.b
	most := min(maxMatch, len(b)-pos)
	if most < 4 {
		return to
	}
	v := uint32(b[pos]) | uint32(b[pos+1])<<8 | uint32(b[pos+2])<<16
	h3 := hash(v << 8)
	if near := int(f.threes[h3]); near >= 0 && pos-near < window && b[near] == b[pos] && b[near+1] == b[pos+1] && b[near+2] == b[pos+2] {
		to = append(to, newMatch(3, pos-near))
	}
	f.threes[h3] = int32(pos)

	h := hash(v | uint32(b[pos+3])<<24)
	at := f.roots[h]
	f.roots[h] = int32(pos)
	// The two places where the next smaller and the next greater position go.
	less, more := &f.left[pos%window], &f.right[pos%window]
	lessLen, moreLen := 0, 0
	best := 3
	for depth := 0; at >= 0 && pos-int(at) < window && depth < maxDepth; depth++ {
		n := min(lessLen, moreLen)
		for n < most && b[int(at)+n] == b[pos+n] {
			n++
		}
		if n > best {
			best = n
			to = append(to, newMatch(n, pos-int(at)))
		}
		node := int(at) % window
		if n == most { // as good as equal: the new position takes its place
			*less, *more = f.left[node], f.right[node]
			return to
		}
		if b[int(at)+n] < b[pos+n] {
			*less, less = at, &f.right[node]
			at, lessLen = *less, n
		} else {
			*more, more = at, &f.left[node]
			at, moreLen = *more, n
		}
	}
	*less, *more = -1, -1
	return to
}
