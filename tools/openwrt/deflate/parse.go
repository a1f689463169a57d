package deflate

import "math"

// costs are in bits, 256 parts each.
type costs struct {
	literal  [256]uint32
	length   [maxMatch + 1]uint32
	distance [distances]uint32
}

const bit = 256

// firstCosts are a guess for data of which nothing is known yet.
func firstCosts() costs {
	var c costs
	for i := range c.literal {
		c.literal[i] = 8 * bit
	}
	for n := minMatch; n <= maxMatch; n++ {
		c.length[n] = 7*bit + uint32(lengthExtra[n])*bit
	}
	for i := range c.distance {
		c.distance[i] = 5*bit + distanceExtra(i)*bit
	}
	return c
}

func distanceExtra(symbol int) uint32 { return uint32(max(0, symbol/2-1)) }

// costsOf are the costs where symbols are as often as counted. One that was
// not used costs as if it were used once.
func costsOf(n *count) costs {
	var c costs
	literal, distance := entropy(n.literal[:]), entropy(n.distance[:])
	copy(c.literal[:], literal)
	for l := minMatch; l <= maxMatch; l++ {
		c.length[l] = literal[lengthSymbol[l]] + uint32(lengthExtra[l])*bit
	}
	for i := range c.distance {
		c.distance[i] = distance[i] + distanceExtra(i)*bit
	}
	return c
}

func entropy(counts []uint32) []uint32 {
	total := uint32(0)
	for _, n := range counts {
		total += n
	}
	out := make([]uint32, len(counts))
	for i, n := range counts {
		out[i] = uint32(bit * math.Log2(float64(max(total, 1))/float64(max(n, 1))))
	}
	return out
}

// parse finds the cheapest steps from one position to another.
func parse(m *matches, from, to int, c *costs) []step {
	const far = math.MaxUint32
	cost := make([]uint32, to-from+1) // of the cheapest way to a position
	came := make([]step, to-from+1)   // its last step
	for i := range cost {
		cost[i] = far
	}
	cost[0] = 0
	for i := from; i < to; i++ {
		here := cost[i-from]
		if next := here + c.literal[m.data[i]]; next < cost[i-from+1] {
			cost[i-from+1], came[i-from+1] = next, newMatch(1, 0)
		}
		n := minMatch
		for _, one := range m.at(i) {
			symbol, _, _ := distanceSymbol(one.distance())
			with := here + c.distance[symbol]
			for ; n <= one.length() && i+n <= to; n++ {
				if next := with + c.length[n]; next < cost[i-from+n] {
					cost[i-from+n], came[i-from+n] = next, newMatch(n, one.distance())
				}
			}
		}
	}
	steps := 0
	for i := to - from; i > 0; i -= came[i].length() {
		steps++
	}
	path := make([]step, steps)
	for i := to - from; i > 0; i -= came[i].length() {
		steps--
		path[steps] = came[i]
	}
	return path
}

// tally counts the symbols of a way through the data.
func tally(data []byte, path []step) *count {
	n := &count{}
	n.literal[end] = 1
	for _, s := range path {
		n.step(data[0], s)
		data = data[s.length():]
	}
	return n
}
