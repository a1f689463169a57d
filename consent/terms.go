package consent

import (
	"fmt"
	"time"
)

// A Rule is one of the terms for which data is kept, by the name that it has
// in the policy.
type Rule string

// The rules of a policy.
const (
	RuleUnproven Rule = "unproven_hours"
	RuleVisits   Rule = "visit_months"
	RuleIdle     Rule = "idle_months"
	RuleAge      Rule = "max_age_months"
	RuleEvidence Rule = "evidence_months"
	RuleRequests Rule = "request_months"
)

// MaxUnproven is the longest that a number is kept which no code has proven,
// whatever a policy says (R-CON-11).
const MaxUnproven = 24 * time.Hour

// Terms say what is too old to be kept at some moment. Each is the beginning
// of a day in Vietnam: what happened before it is due. So a term of months
// ends with a day, never sooner than the months are over, and at the end of a
// month up to three days later.
type Terms struct {
	Policy   string // the policy's version
	Visits   time.Time
	Idle     time.Time // a lead's last visit or consent
	Age      time.Time // a consent that stands
	Evidence time.Time // the end of a consent
	Requests time.Time // the end of a person's request

	policy *Policy
}

// Terms are what the policy lets be kept at that moment, and no longer
// (Law 91/2025/QH15: no longer than needed).
func (p *Policy) Terms(now time.Time) Terms {
	r := p.Retention
	return Terms{Policy: p.Version, policy: p,
		Visits: monthsBefore(now, r.VisitMonths), Idle: monthsBefore(now, r.IdleMonths), Age: monthsBefore(now, p.MaxAgeMonths),
		Evidence: monthsBefore(now, r.EvidenceMonths), Requests: monthsBefore(now, r.RequestMonths)}
}

// monthsBefore is the beginning of the day that is so many months before now,
// or of the last day of a month that has no such day.
func monthsBefore(now time.Time, months int) time.Time {
	y, m, d := now.In(vietnam).Date()
	first := time.Date(y, m-time.Month(months), 1, 0, 0, 0, 0, vietnam)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(d, last)-1)
}

// Unproven is how long a number is kept that no code has proven.
func (p *Policy) Unproven() time.Duration {
	return min(time.Duration(p.Retention.UnprovenHours)*time.Hour, MaxUnproven)
}

// Says is the rule with its number, as a record of deletions keeps it:
// "visit_months=12".
func (t Terms) Says(r Rule) string {
	n := 0
	if p := t.policy; p != nil {
		n = map[Rule]int{RuleUnproven: int(p.Unproven() / time.Hour), RuleVisits: p.Retention.VisitMonths, RuleIdle: p.Retention.IdleMonths,
			RuleAge: p.MaxAgeMonths, RuleEvidence: p.Retention.EvidenceMonths, RuleRequests: p.Retention.RequestMonths}[r]
	}
	return fmt.Sprintf("%s=%d", r, n)
}

// Day is the day in Vietnam, as records of what was deleted name it.
func Day(t time.Time) string { return t.In(vietnam).Format(time.DateOnly) }

// DayOf is when that day began.
func DayOf(t time.Time) time.Time { return monthsBefore(t, 0) }
