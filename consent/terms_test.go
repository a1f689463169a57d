package consent_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hien-wifi/hien/consent"
)

var hanoi = time.FixedZone("UTC+7", 7*60*60)

func TestTermsEndWithTheirDay(t *testing.T) {
	p, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, now, visits, idle string
	}{
		{"in the middle of a month", "2027-11-23T07:00:00+07:00", "2026-11-23", "2025-11-23"},
		{"a minute before midnight in Vietnam", "2027-11-23T23:59:00+07:00", "2026-11-23", "2025-11-23"},
		{"midnight is the next day", "2027-11-24T00:00:00+07:00", "2026-11-24", "2025-11-24"},
		{"by the clock of another zone", "2027-11-23T17:30:00Z", "2026-11-24", "2025-11-24"},
		{"a day that last year had not", "2028-02-29T12:00:00+07:00", "2027-02-28", "2026-02-28"},
		{"new year", "2028-01-01T00:30:00+07:00", "2027-01-01", "2026-01-01"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		terms := p.Terms(now)
		if got := terms.Visits.In(hanoi).Format(time.DateTime); got != c.visits+" 00:00:00" {
			t.Errorf("%s: visits before %s are due; want %s", c.name, got, c.visits)
		}
		if got := terms.Idle.In(hanoi).Format(time.DateTime); got != c.idle+" 00:00:00" {
			t.Errorf("%s: leads idle since before %s are due; want %s", c.name, got, c.idle)
		}
	}
	if got := p.Terms(time.Now()).Says(consent.RuleVisits); got != "visit_months=12" {
		t.Errorf("the rule says %q", got)
	}
}

// TestNoTermEndsEarly holds, for any moments and months: what is due has
// been kept for its months, what has been kept for them and four days more is
// due, and what is due stays due.
func TestNoTermEndsEarly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		months := rapid.IntRange(1, 120).Draw(t, "months")
		p := &consent.Policy{Retention: consent.Retention{VisitMonths: months}}
		began := time.Unix(rapid.Int64Range(1_500_000_000, 3_000_000_000).Draw(t, "began"), 0)
		now := began.Add(time.Duration(rapid.Int64Range(0, 125*31*24*3600).Draw(t, "seconds later")) * time.Second)
		due := began.Before(p.Terms(now).Visits)
		// By the calendar: the day so many months later, counted by hand.
		y, m, d := began.In(hanoi).Date()
		end := time.Date(y, m+time.Month(months), d, 0, 0, 0, 0, hanoi)
		if end.Day() != d { // there is no such day: the month's last
			end = time.Date(y, m+time.Month(months)+1, 0, 0, 0, 0, 0, hanoi)
		}
		if due && now.Before(end) {
			t.Fatalf("%v is due at %v, and its %d months end on %v", began, now, months, end)
		}
		if !due && now.After(end.AddDate(0, 0, 4)) {
			t.Fatalf("%v is not due at %v, and its %d months ended on %v", began, now, months, end)
		}
		if due && !began.Before(p.Terms(now.Add(time.Duration(rapid.Int64Range(0, 1e8).Draw(t, "later"))*time.Second)).Visits) {
			t.Fatalf("%v was due at %v, and is not any more", began, now)
		}
	})
}

func TestAnUnprovenNumberIsKeptADayAtMost(t *testing.T) {
	for hours, want := range map[int]time.Duration{1: time.Hour, 24: 24 * time.Hour, 500: 24 * time.Hour} {
		p := &consent.Policy{Retention: consent.Retention{UnprovenHours: hours}}
		if got := p.Unproven(); got != want {
			t.Errorf("unproven_hours %d: kept %v; want %v", hours, got, want)
		}
	}
}
