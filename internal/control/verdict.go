package control

import (
	"fmt"
	"strings"
	"time"
)

// A trouble is something that is not as the owner wants it.
type trouble struct {
	said string // what is so, in one sentence
	todo string // the one thing to do; empty when nothing is to be done
}

// Conclude fills Summary and Todo from the rest. Times are told in now's
// location.
func (s *Status) Conclude(now time.Time) {
	s.Summary, s.Todo = "All is well.", nil
	for i, t := range s.troubles(now) {
		line := strings.TrimSpace(t.said + " " + t.todo)
		if i == 0 {
			s.Summary, line = t.said, t.todo
		}
		if line != "" {
			s.Todo = append(s.Todo, line)
		}
	}
}

// troubles are in the order of their urgency: whom guests can pass, whom they
// cannot, what is not asked, what is not delivered.
func (s *Status) troubles(now time.Time) (all []trouble) {
	say := func(todo, said string, args ...any) {
		all = append(all, trouble{fmt.Sprintf(said, args...), todo})
	}
	switch {
	case s.Firewall.Released:
		say("", "Guests have not been stopped since `hien cleanup` took the rules out: SIGHUP, or a restart, shuts the door again.")
	case s.Firewall.Broken != "":
		say("Hiên tries every few seconds to mend that. If it stays, look into the log.",
			"The rules of the firewall are not as they should be: %s.", end(s.Firewall.Broken))
	}
	for _, z := range s.Zones {
		switch z.State {
		case ZoneOpen:
		case ZoneWaiting:
			say("If that is not to come, correct `option interface` in the configuration.",
				"Zone %s has no portal, as it waits for interface %s.", z.Name, z.Interface)
		default:
			say("", "Zone %s has no portal: %s.", z.Name, end(z.State))
		}
	}
	if s.Internet.State == InternetDown {
		say("Guests come in all the same and are told so; look after the line.",
			"The shop has no internet.")
	}
	switch s.Record.State {
	case RecordClosed:
		say("Mend that and restart Hiên.",
			"Nothing is asked, and guests come in all the same, because the record is closed: %s.", end(s.Record.Detail))
	case RecordUnreadable:
		say("Guests come in all the same. If it stays, look after the disk and restart Hiên.",
			"The record cannot be read: %s.", end(s.Record.Detail))
	}
	if r := s.Requests; r != nil && r.Late > 0 {
		say("`hien person requests` lists them: answer those first, the law counts the days.", "%s late.", count(r.Late, "request of a person is", "requests of people are"))
	} else if r != nil && r.Near > 0 {
		say("`hien person requests` lists them.", "%s soon due.", count(r.Near, "request of a person is", "requests of people are"))
	}
	if u := s.Unasked; u != nil {
		for i, todo := range u.Todo {
			todo = strings.ToUpper(todo[:1]) + end(todo[1:]) + "."
			if i == 0 {
				say(todo, "Nothing is asked, and guests come in all the same: %s.", end(u.Why))
			} else {
				say(todo, "")
			}
		}
		say("Then run `hien reload`.", "")
	}
	if a := s.AccessLog; a != nil && a.Trouble != "" {
		say("Guests come in all the same, and are not written down.", "The access log cannot be written: %s.", end(a.Trouble))
	}
	for _, c := range s.Couriers {
		if c.State == CourierStopped {
			say("Mend that and send Hiên SIGHUP.", "%s; %s: %s.", c.last(now), c.waits(), end(c.Detail))
		}
	}
	for _, c := range s.Couriers {
		if c.Parked > 0 {
			say("`hien queue` shows why.", "%s refused %s for good.", c.Sink, count(c.Parked, "event", "events"))
		}
	}
	for _, c := range s.Couriers {
		if c.State != CourierStopped && c.Detail != "" && c.Waiting > 0 {
			say("", "%s; %s and %s tried again: %s.", c.last(now), c.waits(), map[bool]string{true: "is", false: "are"}[c.Waiting == 1], end(c.Detail))
		}
	}
	return all
}

// last says since when nothing was delivered.
func (c Courier) last(now time.Time) string {
	if c.Since.IsZero() {
		return "Nothing is delivered to " + c.Sink
	}
	return fmt.Sprintf("Nothing has been delivered to %s since %s", c.Sink, when(c.Since, now))
}

func (c Courier) waits() string { return count(c.Waiting, "event waits", "events wait") }

// end makes a text ready for the full stop that follows it.
func end(text string) string { return strings.TrimRight(text, ". \n") }
