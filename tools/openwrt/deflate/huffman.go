package deflate

import (
	"cmp"
	"math/bits"
	"slices"
)

// codeLengths are the lengths of the best prefix code in which none is longer
// than limit (package-merge, Larmore and Hirschberg 1990). A symbol that does
// not occur has none. There are at least two codes: not every decoder takes a
// code that is not complete.
func codeLengths(counts []uint32, limit int) []uint8 {
	type leaf struct{ weight, symbol uint32 }
	var leaves []leaf // from the rarest on
	for i, n := range counts {
		if n > 0 {
			leaves = append(leaves, leaf{n, uint32(i)})
		}
	}
	for i := 0; len(leaves) < 2; i++ {
		if counts[i] == 0 {
			leaves = append(leaves, leaf{0, uint32(i)})
		}
	}
	slices.SortStableFunc(leaves, func(a, b leaf) int { return cmp.Compare(a.weight, b.weight) })

	// Each row holds the leaves, and pairs of what is in the row before, by
	// weight. What is taken of the last row says what is taken of the others.
	packed := make([][]bool, limit) // of each item in a row: is it a pair?
	var before []uint32             // its weights
	for i := range packed {
		pairs := len(before) / 2
		weights := make([]uint32, 0, len(leaves)+pairs)
		row := make([]bool, 0, len(leaves)+pairs)
		for l, p := 0, 0; l < len(leaves) || p < pairs; {
			if p == pairs || l < len(leaves) && leaves[l].weight <= before[2*p]+before[2*p+1] {
				weights, row = append(weights, leaves[l].weight), append(row, false)
				l++
			} else {
				weights, row = append(weights, before[2*p]+before[2*p+1]), append(row, true)
				p++
			}
		}
		before, packed[i] = weights, row
	}
	lengths := make([]uint8, len(counts))
	take := 2*len(leaves) - 2
	for _, row := range slices.Backward(packed) {
		pairs := 0
		for _, pair := range row[:take] {
			if pair {
				pairs++
			}
		}
		for _, l := range leaves[:take-pairs] {
			lengths[l.symbol]++
		}
		take = 2 * pairs
	}
	return lengths
}

// codes are the canonical codes of lengths (RFC 1951, 3.2.2), turned round as
// they are written.
func codes(lengths []uint8) []uint32 {
	var number, next [17]uint32
	for _, n := range lengths {
		if n > 0 {
			number[n]++
		}
	}
	code := uint32(0)
	for n := 1; n <= 16; n++ {
		code = (code + number[n-1]) << 1
		next[n] = code
	}
	out := make([]uint32, len(lengths))
	for i, n := range lengths {
		if n > 0 {
			out[i] = bits.Reverse32(next[n]) >> (32 - n)
			next[n]++
		}
	}
	return out
}
