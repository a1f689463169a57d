package control

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// screen is how many columns of a terminal are used.
const screen = 80

// A column of a table.
type column struct {
	head  string
	where side
}

// A side is how a column stands.
type side int

const (
	left  side = iota // at the left, and always whole: names by which things are found again, times
	right             // numbers, and always whole
	cut               // at the left, and cut when the table is too wide
)

// table lays out rows under their heads, two spaces between columns. A cell
// may have several lines. When the whole is wider than the screen, the widest
// of the columns that may be cut are; what was cut ends in "…".
func table(cols []column, rows [][]string) string {
	widths := make([]int, len(cols))
	heads := make([]string, len(cols))
	for i, c := range cols {
		heads[i], widths[i] = c.head, width(c.head)
		for _, row := range rows {
			for line := range strings.SplitSeq(row[i], "\n") {
				widths[i] = max(widths[i], width(clean(line)))
			}
		}
	}
	shrink(cols, widths, screen-2*(len(cols)-1))
	var b strings.Builder
	for _, row := range append([][]string{heads}, rows...) {
		for line := 0; writeLine(&b, cols, widths, row, line); line++ {
		}
	}
	return b.String()
}

// writeLine writes one line of a row, and reports whether there was one.
func writeLine(b *strings.Builder, cols []column, widths []int, row []string, line int) bool {
	var out strings.Builder
	more := line == 0
	for i, cell := range row {
		var text string
		if lines := strings.Split(cell, "\n"); line < len(lines) {
			text, more = fit(clean(lines[line]), widths[i]), true
		}
		pad := strings.Repeat(" ", widths[i]-width(text))
		if cols[i].where == right {
			text, pad = pad+text, ""
		}
		if i > 0 {
			out.WriteString("  ")
		}
		out.WriteString(text + pad)
	}
	if more {
		b.WriteString(strings.TrimRight(out.String(), " ") + "\n")
	}
	return more
}

// shrink takes from the widest that may be cut until the sum is at most most.
func shrink(cols []column, widths []int, most int) {
	for {
		sum, widest := 0, -1
		for i, w := range widths {
			sum += w
			if cols[i].where == cut && w > 4 && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if sum <= most || widest < 0 {
			return
		}
		widths[widest]--
	}
}

// width is how many columns of a terminal s takes: combining marks and what
// cannot be seen take none. (Scripts with double width do not occur in what
// we print.)
func width(s string) int {
	n := 0
	for _, r := range s {
		if !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
			n++
		}
	}
	return n
}

// fit cuts s to at most n columns, between letters and not between a letter
// and its mark.
func fit(s string, n int) string {
	if width(s) <= n {
		return s
	}
	cut, seen := 0, 0
	for i, r := range s {
		if !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
			if seen == n-1 {
				cut = i
				break
			}
			seen++
		}
	}
	return strings.TrimRight(s[:cut], " ") + "…"
}

// clean takes away what would steer a terminal: a sink's answer is a
// stranger's text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// paragraph breaks a text into lines of at most the screen's width. The first
// begins with head, the others are indented by as much.
func paragraph(head, text string) string {
	var b strings.Builder
	b.WriteString(head)
	indent := width(head)
	at, fresh := indent, true // fresh: the line holds no word yet
	for word := range strings.FieldsSeq(clean(text)) {
		for word != "" {
			room := screen - at
			if !fresh {
				room-- // the space
			}
			if !fresh && width(word) > room {
				b.WriteString("\n" + strings.Repeat(" ", indent))
				at, fresh = indent, true
				continue
			}
			part, rest := word, ""
			if width(word) > room { // wider than a line
				part = strings.TrimSuffix(fit(word, room+1), "…")
				rest = word[len(part):]
			}
			if !fresh {
				b.WriteByte(' ')
				at++
			}
			b.WriteString(part)
			at, fresh, word = at+width(part), false, rest
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// count writes a number with its noun: "1 guest", "1,204 guests".
func count[N int | int64 | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

func number[N int | int64 | uint64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// when writes a time as people of the shop read it: the hour today, else day
// and hour.
func when(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	t = t.In(now.Location())
	y, m, d := t.Date()
	if ny, nm, nd := now.Date(); y == ny && m == nm && d == nd {
		return t.Format("15:04")
	}
	return t.Format("02/01/2006, 15:04")
}

// span writes how long something lasts, in its two largest units.
func span(seconds int64) string {
	s := max(0, seconds)
	d, h, m := s/86400, s/3600%24, s/60%60
	two := func(a int64, unit string, b int64, below string) string {
		if b == 0 {
			return fmt.Sprintf("%d %s", a, unit)
		}
		return fmt.Sprintf("%d %s %d %s", a, unit, b, below)
	}
	switch {
	case d > 0:
		return two(d, "d", h, "h")
	case h > 0:
		return two(h, "h", m, "min")
	case m > 0:
		return fmt.Sprintf("%d min", m)
	}
	return fmt.Sprintf("%d s", s)
}
