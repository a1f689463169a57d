package consent

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// A Clock is a controller's legal clock for one request of a person's: by
// when it must be acknowledged and carried out (R-RGT-3; Decree
// 356/2025/ND-CP Art. 5).
type Clock struct {
	Received time.Time
	AckDue   time.Time // the zero Time where there is no such duty
	Due      time.Time
	Extended time.Time // the latest by which it may be carried out once it was extended, with a reason told
}

// vietnam is the shop's time zone, which has no summer time.
var vietnam = time.FixedZone("UTC+7", 7*60*60)

// NewClock counts from when a request was received. others says that a
// processor or third party must act too. Days to carry out are calendar days,
// as the Decree does not say otherwise and they end sooner; each ends with
// its day in Vietnam.
func (d Deadline) NewClock(received time.Time, others bool) Clock {
	days := d.Days
	if others {
		days = d.WithOthersDays
	}
	c := Clock{Received: received, Due: endOfDay(received, days), Extended: endOfDay(received, days+d.ExtensionDays)}
	if d.AckWorkingDays > 0 {
		c.AckDue = endOfDay(workingDay(received, d.AckWorkingDays), 0)
	}
	return c
}

// endOfDay is the last second of the day that is so many days later.
func endOfDay(t time.Time, days int) time.Time {
	y, m, d := t.In(vietnam).Date()
	return time.Date(y, m, d+days, 23, 59, 59, 0, vietnam)
}

// workingDay is the nth working day after t.
func workingDay(t time.Time, n int) time.Time {
	t = t.In(vietnam)
	for n > 0 {
		t = t.AddDate(0, 0, 1)
		if !dayOff(t) {
			n--
		}
	}
	return t
}

// dayOff reports whether t is a Saturday, a Sunday or a public holiday in
// Vietnam. Of years beyond the table only the weekends are known, which makes
// deadlines earlier and never later.
func dayOff(t time.Time) bool {
	t = t.In(vietnam)
	if t.Weekday() == time.Saturday || t.Weekday() == time.Sunday {
		return true
	}
	_, off := holidays().Days[t.Format(time.DateOnly)]
	return off
}

type holidayTable struct {
	Source  string            `json:"source"`
	Checked string            `json:"checked"`
	Until   string            `json:"until"` // the last day that the table knows
	Days    map[string]string `json:"days"`
}

//go:embed holidays-vn.json
var holidayFile []byte

var holidays = sync.OnceValue(func() (t holidayTable) {
	if err := json.Unmarshal(holidayFile, &t); err != nil {
		panic(fmt.Sprintf("holidays-vn.json: %v", err)) // a test reads it
	}
	return t
})
