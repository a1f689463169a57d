package control

import (
	"slices"
	"strings"
	"testing"
)

func TestTheSummaryIsTheMostUrgentTrouble(t *testing.T) {
	change := func(do func(*Status)) Status {
		s := good()
		do(&s)
		return s
	}
	for _, c := range []struct {
		name    string
		status  Status
		summary string
		todo    []string
	}{
		{"all is well", good(), "All is well.", nil},
		{"the CDP is down: nothing is to be done", down(),
			"Nothing has been delivered to cdp since 14:02; 3 events wait and are tried again: the sink does not take events now: dial tcp 192.0.2.9:443: connect: connection refused.", nil},
		{"the CDP is down and nothing waits", change(func(s *Status) { *s = down(); s.Couriers[0].Waiting = 0 }), "All is well.", nil},
		{"a try is under way while the CDP is down", change(func(s *Status) {
			*s = down()
			s.Couriers[0].State, s.Couriers[0].Detail, s.Couriers[0].Waiting = CourierDelivering, "503", 1
		}), "Nothing has been delivered to cdp since 14:02; 1 event waits and is tried again: 503.", nil},
		{"many wait and are being delivered", change(func(s *Status) {
			s.Couriers[0] = Courier{Sink: "cdp", State: CourierDelivering, Waiting: 500}
		}), "All is well.", nil},
		{"the courier has stopped", change(func(s *Status) {
			s.Couriers[0] = Courier{Sink: "cdp", State: CourierStopped, Detail: "the sink's section has a mistake"}
		}), "Nothing is delivered to cdp; 0 events wait: the sink's section has a mistake.", []string{"Mend that and send Hiên SIGHUP."}},
		{"an event is parked", change(func(s *Status) { s.Couriers[0].Parked = 1 }),
			"cdp refused 1 event for good.", []string{"`hien queue` shows why."}},
		{"the record is closed", change(func(s *Status) { s.Record = Record{State: RecordClosed, Detail: "no space left"} }),
			"Nothing is asked, and guests come in all the same, because the record is closed: no space left.", []string{"Mend that and restart Hiên."}},
		{"the record fails", change(func(s *Status) { s.Record = Record{State: RecordUnreadable, Detail: "input/output error"} }),
			"The record cannot be read: input/output error.", []string{"Guests come in all the same. If it stays, look after the disk and restart Hiên."}},
		{"the notice is not complete", change(func(s *Status) {
			s.Unasked = &Unasked{"the notice of policy vn-2026 is not complete", []string{"write option controller_name", "write option controller_contact"}}
		}), "Nothing is asked, and guests come in all the same: the notice of policy vn-2026 is not complete.",
			[]string{"Write option controller_name.", "Write option controller_contact.", "Then run `hien reload`."}},
		{"a zone waits", change(func(s *Status) { s.Zones[0].State = ZoneWaiting }),
			"Zone guest has no portal, as it waits for interface br-guest.", []string{"If that is not to come, correct `option interface` in the configuration."}},
		{"a zone is shut for another reason", change(func(s *Status) { s.Zones[0].State = "its port is in use" }),
			"Zone guest has no portal: its port is in use.", nil},
		{"the rules do not hold", change(func(s *Status) { s.Firewall.Broken = "chain FORWARD: no jump" }),
			"The rules of the firewall are not as they should be: chain FORWARD: no jump.", []string{"Hiên tries every few seconds to mend that. If it stays, look into the log."}},
		{"hien cleanup is told in one sentence", cleaned(),
			"Guests have not been stopped since `hien cleanup` took the rules out: SIGHUP, or a restart, shuts the door again.", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := concluded(c.status)
			if s.Summary != c.summary || !slices.Equal(s.Todo, c.todo) {
				t.Errorf("got  %q %q\nwant %q %q", s.Summary, s.Todo, c.summary, c.todo)
			}
			if again := concluded(s); again.Summary != s.Summary || !slices.Equal(again.Todo, s.Todo) {
				t.Errorf("concluded twice: %q %q", again.Summary, again.Todo)
			}
		})
	}
}

func TestTheOtherTroublesFollowByUrgency(t *testing.T) {
	s := bad()
	s.Couriers = append(s.Couriers, down().Couriers...)
	s.Conclude(now)
	var at []int
	all := strings.Join(append([]string{s.Summary}, s.Todo...), "\n")
	for _, word := range []string{"firewall", "terrace_garden_2", "record is closed", "the write key was refused", "`hien queue`", "connection refused"} {
		at = append(at, strings.Index(all, word))
	}
	if !slices.IsSorted(at) || at[0] < 0 || strings.Contains(all, "All is well") {
		t.Errorf("places %v in\n%s", at, all)
	}
}
