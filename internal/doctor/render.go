package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// screen is how many columns of a terminal are used.
const screen = 80

// Write prints a report for people: a sentence, which phones open the portal,
// what was looked at, then the findings, the worst first, each with its
// command on a line of its own.
func Write(w io.Writer, r *Report, l Language) error {
	var b strings.Builder
	b.WriteString(wrap("", r.Summary))
	if len(r.Phones) > 0 {
		rows := [][]string{{l.say("ZONE"), l.say("PHONES"), l.say("PORTAL"), l.say("PROBES"), l.say("WITHIN")}}
		for _, v := range r.Phones {
			opens, within := l.say(v.Opens), "-"
			if v.Unproven {
				opens = l.say("asked only", opens)
			}
			if v.Redirected > 0 {
				within = fmt.Sprintf("%d ms", v.Slowest)
			}
			rows = append(rows, []string{v.Zone, v.OS, opens, l.say("of", v.Redirected, v.Probes), within})
		}
		b.WriteString("\n" + table(rows))
	}
	b.WriteByte('\n')
	filters := strings.Join(r.Firewall, "; ")
	if filters == "" {
		filters = l.say("no filter")
	}
	if r.Backend != "" {
		filters += l.say("ours", r.Backend)
	}
	head := func(key string) string { return pad(l.say(key), 11) }
	b.WriteString(wrap(head("firewall"), filters))
	for _, k := range r.Looks {
		b.WriteString(wrap(head("played"), look(k, l)))
	}
	b.WriteByte('\n')
	if len(r.Findings) == 0 {
		b.WriteString(wrap("", l.say("nothing")))
	}
	for _, f := range r.Findings {
		text := f.Text
		if f.Zone != "" {
			text = l.say("in zone", f.Zone) + text
		}
		if len(f.Phones) > 0 {
			text += l.say("felt by", strings.Join(f.Phones, ", "))
		}
		if f.Unproven {
			text += l.say("by settings")
		}
		b.WriteString(wrap(pad(l.say(f.Severity.String()), 9), text))
		if f.Command != "" {
			// Never broken: it is to be copied.
			b.WriteString(strings.Repeat(" ", 9) + clean(f.Command) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func look(k Look, l Language) string {
	switch k.Played {
	case AsGuest:
		var with []string
		for _, a := range []string{k.Address, k.IPv6} {
			if a != "" {
				with = append(with, a)
			}
		}
		text := l.say("guest", k.Zone, strings.Join(with, ", "))
		if k.PageMS > 0 {
			text += l.say("page", k.PageMS)
		}
		return text
	case AtListener:
		return l.say("asked", k.Zone)
	}
	return l.say("not", k.Zone)
}

// table lays out rows, two spaces between columns; the last column stands at
// the right.
func table(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		cells := slices.Clone(row)
		for i := range cells {
			if cells[i] = pad(cells[i], widths[i]); i == len(cells)-1 {
				cells[i] = strings.Repeat(" ", widths[i]-width(row[i])) + row[i]
			}
		}
		b.WriteString(strings.TrimRight(strings.Join(cells, "  "), " ") + "\n")
	}
	return b.String()
}

// wrap breaks a text into lines of the screen's width, all but the first
// indented by the head's.
func wrap(head, text string) string {
	var b strings.Builder
	indent := width(head)
	b.WriteString(head)
	at := indent
	for i, word := range strings.Fields(clean(text)) {
		if i > 0 {
			if at+1+width(word) > screen {
				b.WriteString("\n" + strings.Repeat(" ", indent))
				at = indent
			} else {
				b.WriteByte(' ')
				at++
			}
		}
		b.WriteString(word)
		at += width(word)
	}
	b.WriteByte('\n')
	return b.String()
}

// width is how many columns a text takes. (Scripts of double width do not
// occur in what we print.)
func width(s string) (n int) {
	for _, r := range s {
		if !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
			n++
		}
	}
	return n
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// clean takes away what would steer a terminal: some texts are a stranger's.
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
