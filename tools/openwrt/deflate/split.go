package deflate

// A block is a part of the chunk, and what a first way through it counts.
type block struct {
	from, to int
	count    *count
	size     int // bits, with its codes
}

// unit is the number of steps of which the smallest blocks are made.
const unit = 1024

// split cuts a way into blocks: into small ones first, of which those are
// joined that cost less together, the best pair first.
func split(m *matches, path []step) []block {
	var blocks []block
	pos := 0
	for len(path) > 0 {
		n := min(unit, len(path))
		if len(path)-n < unit/4 {
			n = len(path)
		}
		b := block{from: pos, count: tally(m.data[pos:], path[:n])}
		for _, s := range path[:n] {
			pos += s.length()
		}
		b.to = pos
		b.size = dynamicSize(b.count)
		blocks = append(blocks, b)
		path = path[n:]
	}
	type pair struct {
		joined block
		gain   int
	}
	join := func(a, b block) pair {
		both := *a.count
		both.add(b.count)
		both.literal[end] = 1
		j := block{from: a.from, to: b.to, count: &both, size: dynamicSize(&both)}
		return pair{j, a.size + b.size - j.size}
	}
	pairs := make([]pair, max(0, len(blocks)-1))
	for i := range pairs {
		pairs[i] = join(blocks[i], blocks[i+1])
	}
	for {
		best := -1
		for i, p := range pairs {
			if p.gain >= 0 && (best < 0 || p.gain > pairs[best].gain) {
				best = i
			}
		}
		if best < 0 {
			return blocks
		}
		blocks[best] = pairs[best].joined
		blocks = append(blocks[:best+1], blocks[best+2:]...)
		pairs = append(pairs[:best], pairs[best+1:]...)
		if best > 0 {
			pairs[best-1] = join(blocks[best-1], blocks[best])
		}
		if best < len(pairs) {
			pairs[best] = join(blocks[best], blocks[best+1])
		}
	}
}
