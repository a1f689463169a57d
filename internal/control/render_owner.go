package control

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
)

// WriteAudit prints what was done by hand.
func WriteAudit(w io.Writer, l List[Deed], now time.Time) error {
	var b strings.Builder
	if l.Total == 0 {
		b.WriteString(paragraph("", "Nothing was done by hand yet."))
		return write(w, &b)
	}
	rows := make([][]string, len(l.Items))
	for i, d := range l.Items {
		about := d.About
		if about == "" {
			about = "-"
		}
		rows[i] = []string{when(d.At, now), d.Who, d.What, about}
	}
	b.WriteString(paragraph("", fmt.Sprintf("%s by hand%s.", count(l.Total, "thing was done", "things were done"), of(l, ""))))
	b.WriteString("\n" + table([]column{{"WHEN", left}, {"WHO", cut}, {"WHAT", left}, {"ABOUT", cut}}, rows))
	return write(w, &b)
}

// WriteAdmitted prints who was let in.
func WriteAdmitted(w io.Writer, d Done) error {
	var b strings.Builder
	for _, one := range d.Devices {
		says := fmt.Sprintf("%s is online in zone %s for %s.", one.MAC, one.Zone, span(one.PassLeft))
		if !one.Known {
			says = fmt.Sprintf("%s was not seen in zone %s yet: it has a pass for %s, and comes in when it is.", one.MAC, one.Zone, span(one.PassLeft))
		}
		b.WriteString(paragraph("", says))
	}
	return write(w, &b)
}

// WriteRevoked prints whose pass was taken away.
func WriteRevoked(w io.Writer, d Done) error {
	var b strings.Builder
	for _, one := range d.Devices {
		b.WriteString(paragraph("", fmt.Sprintf("%s is no longer online in zone %s, and sees the portal again.", one.MAC, one.Zone)))
	}
	return write(w, &b)
}

// WriteOpened prints until when the door is open to everybody.
func WriteOpened(w io.Writer, o Opened, now time.Time) error {
	var b strings.Builder
	if o.Until.IsZero() {
		b.WriteString(paragraph("", "The door is no longer open to everybody: guests without a pass of their own see the portal again."))
	} else {
		b.WriteString(paragraph("", "The door is open to everybody until "+when(o.Until, now)+", without the portal, and shuts by itself: `hien open --end` shuts it before."))
	}
	return write(w, &b)
}

// WriteStaffCode prints the code of the shop's till.
func WriteStaffCode(w io.Writer, c StaffCode) error {
	var b strings.Builder
	b.WriteString("\n    " + c.Spaced() + "\n\n")
	b.WriteString(paragraph("", fmt.Sprintf("For guests who ask for the code: it is shown for %s more, and taken for %s after that.",
		span(c.SecondsLeft), span(int64(hien.StaffCodeLife/time.Second)))))
	return write(w, &b)
}

// Spaced is the code as it is read out, in two groups.
func (c StaffCode) Spaced() string {
	if len(c.Code) != 6 {
		return c.Code
	}
	return c.Code[:3] + " " + c.Code[3:]
}
