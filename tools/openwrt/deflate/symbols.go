package deflate

import "math/bits"

// The alphabets of RFC 1951, 3.2.5: literals, the end of a block and lengths
// in one, distances in the other; a length or a distance may have bits after
// its symbol.
const (
	literals  = 286
	distances = 30
	end       = 256
)

var (
	lengthSymbol [maxMatch + 1]uint16
	lengthExtra  [maxMatch + 1]uint8 // bits
	lengthBase   [maxMatch + 1]uint16
)

func init() {
	symbol, base := 257, minMatch
	for ; base < maxMatch; symbol++ {
		extra := max(0, (symbol-261)/4)
		for n := base; n < base+1<<extra && n < maxMatch; n++ {
			lengthSymbol[n], lengthExtra[n], lengthBase[n] = uint16(symbol), uint8(extra), uint16(base)
		}
		base += 1 << extra
	}
	lengthSymbol[maxMatch], lengthBase[maxMatch] = 285, maxMatch // has one of its own
}

// distanceSymbol is a distance's symbol, its bits, and how many they are.
func distanceSymbol(d int) (symbol int, rest uint32, extra uint) {
	if d <= 4 {
		return d - 1, 0, 0
	}
	log := uint(bits.Len(uint(d-1))) - 1
	extra = log - 1
	half := (d - 1) >> extra & 1
	return int(2*log) + half, uint32(d-1) & (1<<extra - 1), extra
}

// A count is how often each symbol is used.
type count struct {
	literal  [literals]uint32
	distance [distances]uint32
}

func (c *count) add(other *count) {
	for i, n := range other.literal {
		c.literal[i] += n
	}
	for i, n := range other.distance {
		c.distance[i] += n
	}
}

// A step of a way through the data: a literal where the length is 1.
type step = match

func (c *count) step(b byte, s step) {
	if s.length() == 1 {
		c.literal[b]++
		return
	}
	c.literal[lengthSymbol[s.length()]]++
	symbol, _, _ := distanceSymbol(s.distance())
	c.distance[symbol]++
}
