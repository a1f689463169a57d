package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
)

// Retention is how long things are kept, and what was deleted for its age.
type Retention struct {
	Policy  string     `json:"policy"`
	Terms   []Term     `json:"terms"`
	Deleted []Deletion `json:"deleted"` // the latest first
	// Doubted is the date that is not believed, as it is far from Believed:
	// nothing is deleted meanwhile. Both are absent when it is believed.
	Doubted  string `json:"doubted,omitempty"`
	Believed string `json:"believed,omitempty"`
	// Due is what will be deleted within so many days; only where it was asked.
	DueWithinDays int        `json:"due_within_days,omitempty"`
	Due           []Deletion `json:"due,omitempty"`
}

// Term is one rule of the policy.
type Term struct {
	Rule string `json:"rule"` // "visit_months=12"
	Of   string `json:"of"`   // in words
}

// Deletion is a number of things that were deleted, or will be, and why.
type Deletion struct {
	Day    string `json:"day,omitempty"` // absent of what is only due
	What   string `json:"what"`
	Count  int    `json:"count"`
	Rule   string `json:"rule"`
	Policy string `json:"policy"`
}

// Retained is what was deleted at the owner's word.
type Retained struct {
	Deleted []Deletion `json:"deleted"`
}

// retaining asks for what is too old to be deleted now.
type retaining struct {
	Who string `json:"who"`
}

// maxDueDays is how far ahead it can be asked what is due.
const maxDueDays = 366

// Deletions makes views of what was deleted or is due.
func Deletions(all []hien.Deletion, due bool) []Deletion {
	views := []Deletion{}
	for _, d := range all {
		v := Deletion{Day: d.Day, What: d.What, Count: d.Count, Rule: d.Rule, Policy: d.Policy}
		if due {
			v.Day = ""
		}
		views = append(views, v)
	}
	slices.SortStableFunc(views, func(a, b Deletion) int { return strings.Compare(b.Day, a.Day) })
	return views
}

// retention answers how long things are kept; ?due= says within how many days
// it is asked what will go.
func (s *Server) retention(r *http.Request) (any, error) {
	days := 0
	if text := r.URL.Query().Get("due"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxDueDays {
			return nil, badRequest("due %.20q: want a number of days from 1 to %d", text, maxDueDays)
		}
		days = n
	}
	v, err := list(func(ctx context.Context, limit int) (Retention, error) { return s.house.Retention(ctx, limit, days) })(r)
	return v, retentionInWords(err)
}

// retain has deleted now what is too old.
func (s *Server) retain(r *http.Request) (any, error) {
	o, err := body[retaining](r, "order")
	if err == nil {
		err = word("user", o.Who, false)
	}
	if err != nil {
		return nil, err
	}
	v, err := s.house.Retain(r.Context(), o.Who)
	return v, retentionInWords(err)
}

// Retention asks how long things are kept, and with days what will be deleted
// within so many.
func (c *Client) Retention(ctx context.Context, limit, days int) (Retention, error) {
	q := "?limit=" + strconv.Itoa(max(limit, 1))
	if days > 0 {
		q += "&due=" + strconv.Itoa(days)
	}
	return ask[Retention](ctx, c, http.MethodGet, "retention"+q, nil)
}

// Retain has deleted now what is too old, by the date as it is.
func (c *Client) Retain(ctx context.Context, who string) (Retained, error) {
	return ask[Retained](ctx, c, http.MethodPost, "retain", retaining{who})
}

// WriteRetention prints the terms, what was deleted, and what is due.
func WriteRetention(w io.Writer, r Retention) error {
	var b strings.Builder
	b.WriteString(paragraph("", "Kept and deleted by policy "+r.Policy+":"))
	rows := make([][]string, len(r.Terms))
	for i, t := range r.Terms {
		rows[i] = []string{t.Rule, t.Of}
	}
	b.WriteString("\n" + table([]column{{"RULE", left}, {"OF", cut}}, rows))
	if r.Doubted != "" {
		b.WriteString("\n" + paragraph("", fmt.Sprintf("The clock says %s, and %s was the last date that is sure: nothing is deleted until the date has held for three days. If it is wrong, mend the clock; if it is right, `hien retention --now` deletes at once.", r.Doubted, r.Believed)))
	}
	if r.DueWithinDays > 0 {
		b.WriteString("\n")
		if len(r.Due) == 0 {
			b.WriteString(paragraph("", fmt.Sprintf("Nothing will be deleted within %s.", count(r.DueWithinDays, "day", "days"))))
		} else {
			b.WriteString(paragraph("", fmt.Sprintf("Will be deleted within %s, as far as people do not come, consent or withdraw meanwhile:", count(r.DueWithinDays, "day", "days"))) + "\n" + deletions(r.Due))
		}
		return write(w, &b)
	}
	b.WriteString("\n")
	if len(r.Deleted) == 0 {
		b.WriteString(paragraph("", "Nothing was deleted for its age yet."))
	} else {
		b.WriteString(paragraph("", "Deleted for its age, the latest first:") + "\n" + deletions(r.Deleted))
	}
	return write(w, &b)
}

// WriteRetained prints what was deleted now.
func WriteRetained(w io.Writer, r Retained) error {
	var b strings.Builder
	if len(r.Deleted) == 0 {
		b.WriteString(paragraph("", "Nothing was too old to be kept."))
	} else {
		b.WriteString(paragraph("", "Deleted now:") + "\n" + deletions(r.Deleted))
	}
	return write(w, &b)
}

func deletions(all []Deletion) string {
	cols := []column{{"WHAT", left}, {"HOW MANY", right}, {"RULE", left}, {"POLICY", cut}}
	rows := make([][]string, len(all))
	for i, d := range all {
		rows[i] = []string{d.What, number(d.Count), d.Rule, d.Policy}
	}
	if len(all) > 0 && all[0].Day != "" { // what is only due has none
		cols = append([]column{{"DAY", left}}, cols...)
		for i, d := range all {
			rows[i] = append([]string{day(d.Day)}, rows[i]...)
		}
	}
	return table(cols, rows)
}

// day writes a day as people of the shop read it.
func day(iso string) string {
	t, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return "-"
	}
	return t.Format("02/01/2006")
}

// retentionInWords tells the owner why nothing can be said or deleted.
func retentionInWords(err error) error {
	if errors.Is(err, hien.ErrNoRetention) || errors.Is(err, hien.ErrClockUnset) {
		return refusal{http.StatusConflict, err.Error()}
	}
	return err
}
