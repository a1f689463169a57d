package deflate

import "encoding/binary"

// rounds is how often a block's way is looked for at most.
const rounds = 8

// A plan is how a block will be written: as steps, or stored where nothing is
// won by them. Where a stored one begins depends on what is before it, so
// nothing is written before all is planned.
type plan struct {
	data  []byte
	path  []step
	count *count
}

// planBlock looks for the best way.
func planBlock(m *matches, b block) plan {
	data := m.data[b.from:b.to]
	best := plan{data: data}
	bestSize := storedSize(len(data))
	n := b.count
	for i := range rounds {
		c := costsOf(n)
		path := parse(m, b.from, b.to, &c)
		n = tally(data, path)
		size := dynamicSize(n)
		if i > 0 && size >= bestSize {
			break
		}
		if size < bestSize {
			best, bestSize = plan{data, path, n}, size
		}
	}
	return best
}

func (p plan) write(out *writer) {
	if p.path == nil {
		writeStored(out, p.data)
	} else {
		writeDynamic(out, p.data, p.path, p.count)
	}
}

const mostStored = 0xffff

func storedSize(n int) int { return 8*n + (n/mostStored+1)*(3+7+32) }

func writeStored(out *writer, b []byte) {
	for len(b) > 0 {
		n := min(len(b), mostStored)
		out.add(0, 3)
		out.flush()
		out.buf = binary.LittleEndian.AppendUint16(out.buf, uint16(n))
		out.buf = binary.LittleEndian.AppendUint16(out.buf, ^uint16(n))
		out.buf = append(out.buf, b[:n]...)
		b = b[n:]
	}
}

// A header is the two codes' lengths as they are written (RFC 1951, 3.2.7):
// in runs, which have a code of their own.
type header struct {
	literal, distance []uint8
	used              [2]int // how many of each are written
	runs              []run
	runLengths        []uint8
	runsUsed          int
}

// A run is a symbol of the third alphabet and the bits after it.
type run struct {
	symbol uint8
	extra  uint8
	value  uint8
}

var runOrder = [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func newHeader(n *count) header {
	h := header{literal: codeLengths(n.literal[:], 15), distance: codeLengths(n.distance[:], 15)}
	used := func(lengths []uint8, least int) int {
		n := len(lengths)
		for n > least && lengths[n-1] == 0 {
			n--
		}
		return n
	}
	h.used = [2]int{used(h.literal, 257), used(h.distance, 1)}
	all := append(append([]uint8{}, h.literal[:h.used[0]]...), h.distance[:h.used[1]]...)
	h.runs = runsOf(all)
	var often [19]uint32
	for _, r := range h.runs {
		often[r.symbol]++
	}
	h.runLengths = codeLengths(often[:], 7)
	h.runsUsed = len(runOrder)
	for h.runsUsed > 4 && h.runLengths[runOrder[h.runsUsed-1]] == 0 {
		h.runsUsed--
	}
	return h
}

func runsOf(lengths []uint8) []run {
	var runs []run
	for i := 0; i < len(lengths); {
		v, n := lengths[i], 1
		for i+n < len(lengths) && lengths[i+n] == v {
			n++
		}
		i += n
		if v != 0 {
			runs = append(runs, run{symbol: v})
			n--
		}
		for n >= 3 {
			var r run
			var took int
			switch {
			case v != 0:
				took = min(n, 6)
				r = run{16, 2, uint8(took - 3)}
			case n <= 10:
				took = n
				r = run{17, 3, uint8(took - 3)}
			default:
				took = min(n, 138)
				r = run{18, 7, uint8(took - 11)}
			}
			runs = append(runs, r)
			n -= took
		}
		for range n {
			runs = append(runs, run{symbol: v})
		}
	}
	return runs
}

// dynamicSize is the size in bits of a block with these counts and codes of
// its own.
func dynamicSize(n *count) int {
	h := newHeader(n)
	size := 3 + 5 + 5 + 4 + 3*h.runsUsed
	for _, r := range h.runs {
		size += int(h.runLengths[r.symbol]) + int(r.extra)
	}
	for i, often := range n.literal {
		extra := 0
		if i > end {
			extra = lengthExtraOf(i)
		}
		size += int(often) * (int(h.literal[i]) + extra)
	}
	for i, often := range n.distance {
		size += int(often) * (int(h.distance[i]) + int(distanceExtra(i)))
	}
	return size
}

func lengthExtraOf(symbol int) int {
	if symbol == 285 {
		return 0
	}
	return max(0, (symbol-261)/4)
}

func writeDynamic(out *writer, data []byte, path []step, n *count) {
	h := newHeader(n)
	out.add(0, 1)
	out.add(2, 2)
	out.add(uint32(h.used[0]-257), 5)
	out.add(uint32(h.used[1]-1), 5)
	out.add(uint32(h.runsUsed-4), 4)
	for _, i := range runOrder[:h.runsUsed] {
		out.add(uint32(h.runLengths[i]), 3)
	}
	runCodes, literal, distance := codes(h.runLengths), codes(h.literal), codes(h.distance)
	for _, r := range h.runs {
		out.add(runCodes[r.symbol], uint(h.runLengths[r.symbol]))
		out.add(uint32(r.value), uint(r.extra))
	}
	for _, s := range path {
		if s.length() == 1 {
			b := data[0]
			out.add(literal[b], uint(h.literal[b]))
		} else {
			l := s.length()
			symbol := lengthSymbol[l]
			out.add(literal[symbol], uint(h.literal[symbol]))
			out.add(uint32(l)-uint32(lengthBase[l]), uint(lengthExtra[l]))
			place, rest, extra := distanceSymbol(s.distance())
			out.add(distance[place], uint(h.distance[place]))
			out.add(rest, extra)
		}
		data = data[s.length():]
	}
	out.add(literal[end], uint(h.literal[end]))
}
