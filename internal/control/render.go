package control

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// What the Write functions print is for people: a sentence first, then a
// table of at most 80 columns, then what can be done next. Times are told in
// now's location.

// WriteStatus prints how the house is, after Conclude.
func WriteStatus(w io.Writer, s Status, now time.Time) error {
	var b strings.Builder
	b.WriteString(paragraph("", fmt.Sprintf("Hiên %s has been running for %s at %s (%s).", s.Version, span(s.UpSeconds), s.StoreName, s.StoreID)))
	b.WriteString(paragraph("", s.Summary))
	rows := make([][]string, len(s.Zones))
	for i, z := range s.Zones {
		rows[i] = []string{z.Name, z.Interface, z.State, number(z.Guests), number(z.WithPass)}
	}
	b.WriteString("\n" + table([]column{{"ZONE", left}, {"INTERFACE", left}, {"STATE", cut}, {"GUESTS", right}, {"ONLINE", right}}, rows))

	b.WriteByte('\n')
	if !s.OpenUntil.IsZero() {
		b.WriteString(paragraph("", "The door is open to everybody until "+when(s.OpenUntil, now)+": `hien open --end` shuts it."))
		b.WriteByte('\n')
	}
	part := func(name string, words ...string) {
		b.WriteString(paragraph(fmt.Sprintf("%-10s", name), sentence(words)))
	}
	devices := count(s.Today.Devices, "device", "devices")
	if s.Today.Full {
		devices = "more than " + devices
	}
	began := ""
	if !s.Today.Since.IsZero() {
		began = "counted since " + when(s.Today.Since, now)
	}
	part("today", devices, number(s.Today.Agreed)+" agreed", number(s.Today.Returning)+" returning", began)
	for _, z := range s.Zones {
		if len(z.Portal) > 0 {
			part("portal", z.Name+" at "+strings.Join(z.Portal, ", "))
		}
	}
	part("record", s.Record.State, s.Record.Journal)
	if a := s.AccessLog; a != nil {
		lost := ""
		if a.Lost > 0 {
			lost = count(a.Lost, "entry was lost", "entries were lost")
		}
		part("access", a.Mode, count(a.Sessions, "session is open", "sessions are open"), lost)
	}
	for _, k := range s.OldKeys {
		known := count(k.People, "person is known by it alone", "people are known by it alone")
		if k.People == 0 {
			known = "nobody is known by it alone: its line can be taken out of the file"
		}
		part("brand key", k.Key+" still stands behind the current one", known)
	}
	repairs := count(s.Firewall.Repairs, "repair", "repairs")
	if !s.Firewall.LastRepair.IsZero() {
		repairs += ", the last at " + when(s.Firewall.LastRepair, now)
	}
	rules := ""
	switch {
	case s.Firewall.Released:
		rules = "taken out by `hien cleanup`"
	case s.Firewall.Broken != "":
		rules = "not as it should be"
	}
	part("firewall", s.Firewall.Backend, repairs, rules)
	for _, n := range s.Sniffer {
		part("sniffer", n.Interface+" "+n.State, count(n.Frames, "frame", "frames"), number(n.Bad)+" not understood")
	}
	for _, c := range s.Couriers {
		last := ""
		if !c.LastSuccess.IsZero() {
			last = "last delivery at " + when(c.LastSuccess, now)
		}
		part("courier", c.Sink+" "+c.State, count(c.Waiting, "event waits", "events wait"), number(c.Parked)+" parked", last)
	}
	if s.Internet.State != "" {
		codes := ""
		if s.Internet.Waiting > 0 {
			codes = count(s.Internet.Waiting, "code waits for it", "codes wait for it")
		}
		part("internet", s.Internet.State, codes)
	}
	for _, z := range s.Zones {
		if z.Trusted+z.Blocked > 0 {
			part("lists", z.Name+" trusts "+count(z.Trusted, "device", "devices"), "blocks "+number(z.Blocked))
		}
	}
	if s.Young > 0 {
		part("age", count(s.Young, "guest was", "guests were")+" too young to be asked")
	}
	clock := "in step"
	if !s.Clock.InStep {
		clock = "not set yet; what is recorded now is stamped again when it is"
	}
	part("clock", clock)
	if s.Memory > 0 {
		part("memory", fmt.Sprintf("%.1f MiB", float64(s.Memory)/(1<<20)))
	}

	b.WriteByte('\n')
	for _, t := range s.Todo {
		b.WriteString(paragraph("- ", t))
	}
	if len(s.Todo) == 0 {
		b.WriteString("`hien guests` shows who is here.\n")
	}
	return write(w, &b)
}

// sentence joins what there is to say.
func sentence(words []string) string {
	var said []string
	for _, w := range words {
		if w != "" {
			said = append(said, w)
		}
	}
	return strings.Join(said, ", ")
}

// WriteGuests prints who is in the shop.
func WriteGuests(w io.Writer, l List[Guest], now time.Time) error {
	var b strings.Builder
	if writeCrowd(&b, l) {
		rows := make([][]string, len(l.Items))
		for i, g := range l.Items {
			pass := "-"
			if g.PassLeft > 0 {
				pass = span(g.PassLeft)
			}
			rows[i] = []string{g.MAC, g.Zone, since(g.Since, now), seen(g.LastSeen, now), pass, g.stands()}
		}
		b.WriteString("\n" + table([]column{{"GUEST", left}, {"ZONE", cut}, {"HERE FOR", right}, {"LAST SEEN", right}, {"PASS LEFT", right}, {"STANDS", left}}, rows))
	}
	return write(w, &b)
}

// WriteGuestsInFull prints who is in the shop by whole addresses, as the
// commands take them that let a device in or keep it out.
func WriteGuestsInFull(w io.Writer, l List[Guest], _ time.Time) error {
	var b strings.Builder
	if writeCrowd(&b, l) {
		rows := make([][]string, len(l.Items))
		for i, g := range l.Items {
			rows[i] = []string{g.MAC, g.Zone, cmp.Or(strings.Join(g.Addrs, "\n"), "-"), strings.ReplaceAll(g.stands(), ", ", "\n")}
		}
		b.WriteString("\n" + table([]column{{"GUEST", left}, {"ZONE", cut}, {"ADDRESSES", left}, {"STANDS", cut}}, rows))
	}
	return write(w, &b)
}

// writeCrowd says how many are in the shop; false when nobody is.
func writeCrowd(b *strings.Builder, l List[Guest]) bool {
	if l.Total == 0 {
		b.WriteString("Nobody is in the shop.\n")
		return false
	}
	online := 0
	for _, g := range l.Items {
		if g.PassLeft > 0 {
			online++
		}
	}
	b.WriteString(paragraph("", fmt.Sprintf("%s in the shop%s.", count(l.Total, "guest is", "guests are"), of(l, fmt.Sprintf("; %s online", number(online))))))
	return true
}

// stands says in some words where a guest stands.
func (g Guest) stands() string {
	stands := "at the door"
	switch {
	case g.Blocked:
		return "blocked"
	case g.Spent:
		return "volume used up"
	case g.Grace && g.PassLeft > 0:
		stands = "grace" // as option grace
	case g.PassLeft > 0:
		stands = "online"
	}
	switch {
	case g.Trusted:
		stands += ", trusted"
	case g.Waiting:
		stands += ", code waits"
	case g.AtCode:
		stands += ", code sent"
	case g.Member:
		stands += ", member"
	case g.Gave:
		stands += ", agreed"
	}
	return stands
}

// seen is how long ago somebody was seen.
func seen(t, now time.Time) string {
	if now.Sub(t) < 10*time.Second {
		return "now"
	}
	return since(t, now) + " ago"
}

// since is how long ago t was.
func since(t, now time.Time) string { return span(int64(now.Sub(t) / time.Second)) }

// of says that a list shows the newest only; else what was to be said of all.
func of[T any](l List[T], all string) string {
	if len(l.Items) < l.Total {
		return "; the newest " + some(len(l.Items))
	}
	return all
}

// some says how many are shown, and how to see more.
func some(shown int) string {
	more := ""
	if shown < MaxItems {
		more = fmt.Sprintf(", --limit shows up to %s", number(MaxItems))
	}
	return count(shown, "is shown", "are shown") + more
}

// WriteVisits prints the latest visits.
func WriteVisits(w io.Writer, l List[Visit], now time.Time) error {
	var b strings.Builder
	if l.Total == 0 {
		b.WriteString(paragraph("", "No visit is recorded. Visits are counted for those who agree to it, and nobody else."))
		return write(w, &b)
	}
	rows := make([][]string, len(l.Items))
	for i, v := range l.Items {
		stayed := "still here"
		switch {
		case v.End.Equal(v.Start):
			stayed = "not known" // the power went before the end was seen
		case !v.End.IsZero():
			stayed = span(int64(v.End.Sub(v.Start) / time.Second))
		}
		rows[i] = []string{short(v.Subject), number(v.Number), v.Zone, when(v.Start, now), stayed}
	}
	b.WriteString(paragraph("", fmt.Sprintf("%s of those who agreed to have them counted%s.", count(l.Total, "visit", "visits"), of(l, ""))))
	b.WriteString("\n" + table([]column{{"PERSON", left}, {"VISIT", right}, {"ZONE", cut}, {"BEGAN", left}, {"STAYED", right}}, rows))
	return write(w, &b)
}

// WriteLeads prints the people who agreed to something.
func WriteLeads(w io.Writer, l List[Lead], now time.Time) error {
	var b strings.Builder
	if l.Total == 0 {
		b.WriteString(paragraph("", "Nobody has agreed to anything yet. Guests come in all the same: `hien guests`."))
		return write(w, &b)
	}
	rows := make([][]string, len(l.Items))
	for i, one := range l.Items {
		sealed := "-"
		if one.Sealed {
			sealed = "sealed"
		}
		rows[i] = []string{short(one.Subject), one.Key, sealed, lines(one.Purposes), number(one.Visits), when(one.LastVisit, now)}
	}
	b.WriteString(paragraph("", fmt.Sprintf("%s agreed to something%s.", count(l.Total, "person has", "people have"), of(l, ""))))
	b.WriteString("\n" + table([]column{{"PERSON", left}, {"KEY", left}, {"NUMBER", left}, {"ALLOWS", cut}, {"VISITS", right}, {"LAST VISIT", left}}, rows))
	b.WriteString("\n" + paragraph("", "A sealed number opens only with the brand's private key, which is not on this router. `hien consents` shows what each of them agreed to."))
	return write(w, &b)
}

func lines(purposes []consent.Purpose) string {
	if len(purposes) == 0 {
		return "-"
	}
	text := make([]string, len(purposes))
	for i, p := range purposes {
		text[i] = string(p)
	}
	return strings.Join(text, "\n")
}

// WriteConsents prints what each person agreed to, as it stands. The subject
// is written out: it is what `hien withdraw` takes.
func WriteConsents(w io.Writer, l List[Consent], now time.Time) error {
	var b strings.Builder
	if l.Total == 0 {
		b.WriteString("Nobody has agreed to anything yet.\n")
		return write(w, &b)
	}
	var rows [][]string
	for _, c := range l.Items {
		purposes, answers := make([]string, len(c.Answers)), make([]string, len(c.Answers))
		for i, a := range c.Answers {
			purposes[i], answers[i] = string(a.Purpose), "no"
			if a.Agreed {
				answers[i] = "yes"
			}
		}
		rows = append(rows, []string{string(c.Subject), strings.Join(purposes, "\n"), strings.Join(answers, "\n"), when(c.Since, now), c.Language})
	}
	b.WriteString(paragraph("", fmt.Sprintf("%s%s. This is what stands now.", count(l.Total, "person has answered", "people have answered"), of(l, ""))))
	b.WriteString("\n" + table([]column{{"SUBJECT", left}, {"PURPOSE", cut}, {"", left}, {"SINCE", left}, {"IN", left}}, rows))
	b.WriteString("\n" + paragraph("", "`hien withdraw SUBJECT` takes all of it back for a person who asks, and `hien withdraw SUBJECT PURPOSE` a part."))
	return write(w, &b)
}

// WriteWithdrawn prints what a withdrawal has changed.
func WriteWithdrawn(w io.Writer, d Withdrawn) error {
	var b strings.Builder
	switch words := strings.Split(lines(d.Purposes), "\n"); len(d.Purposes) {
	case 0:
		b.WriteString(paragraph("", "Nothing was changed: that person allows none of it. `hien consents` shows what stands."))
	case 1:
		b.WriteString(paragraph("", words[0]+" is taken back: nothing more is sent for it, and the CDP is told before anything else."))
	default:
		last := len(words) - 1
		b.WriteString(paragraph("", strings.Join(words[:last], ", ")+" and "+words[last]+" are taken back: nothing more is sent for them, and the CDP is told before anything else."))
	}
	return write(w, &b)
}

// WriteQueue prints the events that have not reached the sink, and why some
// are parked.
func WriteQueue(w io.Writer, q Queue, now time.Time) error {
	var b strings.Builder
	dropped := ""
	if q.Dropped > 0 {
		dropped = count(q.Dropped, "event was", "events were") + " dropped unsent since the record began, too old or too many."
	}
	if q.Total == 0 {
		empty := "The queue is empty: everything was delivered."
		if dropped != "" {
			empty = "The queue is empty. " + dropped
		}
		b.WriteString(paragraph("", empty))
		return write(w, &b)
	}
	parked := false
	rows := make([][]string, len(q.Items))
	for i, e := range q.Items {
		purpose := string(e.Purpose)
		if purpose == "" {
			purpose = "-"
		}
		if e.State == EventParked {
			parked = true
		}
		rows[i] = []string{short(e.ID), e.Sink, e.Kind, purpose, when(e.At, now), e.State}
	}
	shown := ""
	if len(q.Items) < q.Total {
		shown = "; the first " + some(len(q.Items))
	}
	b.WriteString(paragraph("", fmt.Sprintf("%s, %s%s. %s", count(q.Waiting, "event waits", "events wait"), count(q.Parked, "is parked", "are parked"), shown, dropped)))
	b.WriteString("\n" + table([]column{{"EVENT", left}, {"SINK", cut}, {"TELLS OF", left}, {"FOR", cut}, {"SINCE", left}, {"STATE", cut}}, rows))
	if parked {
		b.WriteString("\nThe sink refused these for good, with these words:\n")
		for _, e := range q.Items {
			if e.State == EventParked {
				b.WriteString(paragraph(short(e.ID)+"  ", e.Answer))
			}
		}
	}
	return write(w, &b)
}

// WriteLedger prints whether the ledger holds.
func WriteLedger(w io.Writer, l Ledger) error {
	var b strings.Builder
	if l.Holds {
		b.WriteString(paragraph("", fmt.Sprintf("The ledger holds: %s, each chained to the one before and signed by this router's key %s.", count(l.Entries, "entry", "entries"), l.Key)))
		if l.Head != "" {
			b.WriteString(paragraph("", "Its end is "+l.Head+"."))
		}
		return write(w, &b)
	}
	why := strings.TrimLeft(strings.TrimPrefix(l.Broken, consent.ErrBroken.Error()), ": ")
	b.WriteString(paragraph("", "The ledger does not hold: "+why+"."))
	b.WriteString(paragraph("", count(l.Entries, "entry before that holds", "entries before that hold")+". Keep the record as it is, do not start over, and find out who could write to this router."))
	return write(w, &b)
}

// short is enough of an id to tell two apart.
func short(id consent.ID) string { return string(id[:min(8, len(id))]) }

func write(w io.Writer, b *strings.Builder) error {
	_, err := io.WriteString(w, b.String())
	return err
}
