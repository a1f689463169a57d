package inventory

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hien-wifi/hien/consent"
)

// screen is how many columns a line has at most.
const screen = 80

// Write prints the inventory in a language, "vi" or "en".
func Write(w io.Writer, inv Inventory, language string) error {
	in := func(t consent.Words) string {
		if language == "en" {
			return t.EN
		}
		return t.VI
	}
	word := func(vi, en string) string { return in(consent.Words{VI: vi, EN: en}) }
	var b strings.Builder
	line := func(head, text string) {
		if text != "" {
			b.WriteString(wrapped(head, text))
		}
	}
	name := inv.Name
	if name == "" {
		name = inv.Store
	}
	line("", word("Dữ liệu cá nhân tại "+name, "Personal data at "+name))
	b.WriteString("\n")
	c := inv.Controller
	line(word("Bên kiểm soát: ", "Controller: "), strings.Join(slices.DeleteFunc([]string{c.Name, c.Address, c.TaxID, c.Contact}, func(s string) bool { return s == "" }), ", "))
	line(word("Bên xử lý: ", "Processor: "), c.Operator)
	line(word("Bên nhận: ", "Recipients: "), strings.Join(c.Recipients, ", "))
	line(word("Bên gửi mã: ", "Carriers of codes: "), strings.Join(c.Carriers, ", "))
	line(word("Chuyển ra nước ngoài: ", "Transfer abroad: "), c.Transfer)
	line(word("Theo: ", "Under: "), in(inv.Law)+" ("+inv.Policy+")")
	b.WriteString("\n")
	line("", fmt.Sprintf(word("Hiện có dữ liệu của %d người, trong đó %d người đang đồng ý ít nhất một mục.", "People of whom there is data now: %d; who agree to at least one purpose: %d."), inv.Counts.People, inv.Counts.Leads))
	for _, p := range slices.Sorted(maps.Keys(inv.Counts.ByUse)) {
		line("  ", fmt.Sprintf("%s: %d", p, inv.Counts.ByUse[p]))
	}
	for n, i := range inv.Items {
		b.WriteString("\n")
		what := in(i.What)
		if i.Sensitive {
			what += word(" (có thể là dữ liệu nhạy cảm)", " (may be sensitive data)")
		}
		line(fmt.Sprintf("%d. ", n+1), what)
		line(word("   của:       ", "   of:         "), in(i.Of))
		line(word("   ở đâu:     ", "   where:      "), in(i.Where))
		line(word("   đến khi:   ", "   until:      "), in(i.Until))
		line(word("   căn cứ:    ", "   basis:      "), in(i.Basis))
		line(word("   bên nhận:  ", "   recipients: "), strings.Join(i.Recipients, ", "))
		if i.Count != nil {
			line(word("   hiện có:   ", "   now:        "), fmt.Sprint(*i.Count))
		}
	}
	if len(inv.Notes) > 0 {
		b.WriteString("\n")
		line("", word("Cần lưu ý:", "To look at:"))
		for _, n := range inv.Notes {
			line("- ", in(n))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrapped breaks a text into lines. The first begins with head, the others are
// indented by as much.
func wrapped(head, text string) string {
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	var b strings.Builder
	at := 0
	for n, word := range strings.Fields(text) {
		width := utf8.RuneCountInString(word)
		switch {
		case n == 0:
			b.WriteString(head)
			at = len(indent)
		case at+1+width > screen:
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += width
	}
	b.WriteByte('\n')
	return b.String()
}
