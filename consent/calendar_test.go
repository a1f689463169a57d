package consent_test

import (
	"testing"
	"time"
)

func TestTheLegalClock(t *testing.T) {
	vn := time.FixedZone("UTC+7", 7*3600)
	at := func(text string) time.Time {
		when, err := time.ParseInLocation("2006-01-02 15:04", text, vn)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for name, c := range map[string]struct {
		policy, request    string
		received           string
		others             bool
		ack, due, extended string // days
	}{
		"a Monday":                                {"vn-2026", "withdraw", "2026-11-23 09:00", false, "2026-11-25", "2026-12-08", "2026-12-23"},
		"a Thursday: over the weekend":            {"vn-2026", "erase", "2026-11-26 09:00", false, "2026-11-30", "2026-12-16", "2027-01-05"},
		"a Saturday":                              {"vn-2026", "access", "2026-11-28 09:00", false, "2026-12-01", "2026-12-08", "2026-12-18"},
		"somebody else must act too":              {"vn-2026", "erase", "2026-11-23 09:00", true, "2026-11-25", "2026-12-23", "2027-01-12"},
		"before Tết Bính Ngọ":                     {"vn-2026", "erase", "2026-02-13 09:00", false, "2026-02-24", "2026-03-05", "2026-03-25"},
		"within Tết Đinh Mùi":                     {"vn-2026", "correct", "2027-02-06 09:00", false, "2027-02-11", "2027-02-16", "2027-02-26"},
		"before 30 April and a day in lieu":       {"vn-2026", "access", "2027-04-29 09:00", false, "2027-05-05", "2027-05-09", "2027-05-19"},
		"late in the evening in Vietnam":          {"vn-2026", "access", "2026-11-23 23:59", false, "2026-11-25", "2026-12-03", "2026-12-13"},
		"the older decree: 72 hours, no more":     {"vn-2023", "erase", "2026-11-23 09:00", false, "", "2026-11-26", "2026-11-26"},
		"Europe: a month, and two more":           {"eu-gdpr", "access", "2026-11-23 09:00", false, "", "2026-12-21", "2027-02-19"},
		"a year that the table does not know yet": {"vn-2026", "access", "2031-01-20 09:00", false, "2031-01-22", "2031-01-30", "2031-02-09"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := policy(t, c.policy).Deadlines[c.request].NewClock(at(c.received), c.others)
			day := func(t time.Time) string {
				if t.IsZero() {
					return ""
				}
				return t.In(vn).Format("2006-01-02")
			}
			if got := day(clock.AckDue); got != c.ack {
				t.Errorf("to acknowledge by: got %s, want %s", got, c.ack)
			}
			if got := day(clock.Due); got != c.due {
				t.Errorf("to carry out by: got %s, want %s", got, c.due)
			}
			if got := day(clock.Extended); got != c.extended {
				t.Errorf("extended until: got %s, want %s", got, c.extended)
			}
			if clock.Due.In(vn).Format("15:04:05") != "23:59:59" {
				t.Errorf("due at %s, want the end of the day in Vietnam", clock.Due)
			}
		})
	}
}
