package control

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// LeadsFormat names how `hien leads export` writes leads.
const LeadsFormat = "hien-leads-1"

// LeadExport asks for the leads, for one purpose or for all.
type LeadExport struct {
	Who     string          `json:"who"`    // the user of the system who asks
	Format  string          `json:"format"` // "csv" or "json"
	Purpose consent.Purpose `json:"purpose,omitempty"`
}

// LeadsHead is what holds for every row of an export.
type LeadsHead struct {
	Format  string          `json:"format"`
	Store   string          `json:"store_id"`
	Made    time.Time       `json:"made"`
	Policy  string          `json:"policy"`  // whose bounds these are
	Sending consent.Sending `json:"sending"` // zero where the law has no such bounds
	LeftOut LeftOut         `json:"left_out,omitzero"`
}

// LeftOut is what an export does not hold although it stands: it was agreed to
// under a notice of another substance, so within other bounds than today's
// policy has (R-CON-9, R-MKT-1). It is counted when the export begins.
type LeftOut struct {
	People      int    `json:"people"` // who have at least one such permission
	Permissions int    `json:"permissions"`
	Why         string `json:"why"`
}

// AnotherNotice is why permissions are left out.
const AnotherNotice = "agreed to another notice than today's"

// LeadPermission is one purpose that one lead allows at the moment of the
// export, with the bounds within which it may be used (R-MKT-1, R-MKT-2). It
// holds no readable number.
type LeadPermission struct {
	LeadKey     hien.LeadKey     `json:"lead_key"`
	PreviousKey hien.LeadKey     `json:"previous_lead_key,omitempty"`
	Purpose     consent.Purpose  `json:"purpose"`
	Since       time.Time        `json:"since,omitzero"` // absent when the clock was not set
	Proof       consent.ID       `json:"proof"`          // the consent's id, in the ledger and on the person's receipt
	Notice      string           `json:"notice"`         // the version of the wording that was agreed to
	Channels    []string         `json:"channels"`
	MaxPerMonth int              `json:"max_per_month"`
	Sealed      hien.SealedPhone `json:"sealed_phone,omitempty"` // where the purpose reaches the person
	SealedFor   consent.ID       `json:"sealed_for,omitempty"`
	Visits      int              `json:"visits,omitempty"` // with visit_frequency
	LastVisit   time.Time        `json:"last_visit,omitzero"`
}

// WriteLeadExport writes an export row by row, however long it is.
func WriteLeadExport(w io.Writer, format string, h LeadsHead, rows iter.Seq2[LeadPermission, error]) error {
	if format == "csv" {
		return writeLeadsCSV(w, h, rows)
	}
	head, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s,\"leads\":[", strings.TrimSuffix(string(head), "}")); err != nil {
		return err
	}
	between := "\n"
	for r, err := range rows {
		if err != nil {
			return err
		}
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s%s", between, text); err != nil {
			return err
		}
		between = ",\n"
	}
	_, err = io.WriteString(w, "\n]}\n")
	return err
}

func writeLeadsCSV(w io.Writer, h LeadsHead, rows iter.Seq2[LeadPermission, error]) error {
	out := csv.NewWriter(w)
	out.Write([]string{"lead_key", "previous_lead_key", "purpose", "since", "proof", "notice", "channels", "max_per_month",
		"sealed_phone", "sealed_for", "visits", "last_visit", "send_from", "send_until", "max_per_day", "label"})
	perDay := ""
	if h.Sending.MaxPerDay > 0 {
		perDay = strconv.Itoa(h.Sending.MaxPerDay)
	}
	for r, err := range rows {
		if err != nil {
			return err
		}
		visits := ""
		if r.Purpose == consent.VisitFrequency {
			visits = strconv.Itoa(r.Visits)
		}
		err := out.Write([]string{string(r.LeadKey), string(r.PreviousKey), string(r.Purpose), rfc3339(r.Since), string(r.Proof), r.Notice,
			strings.Join(r.Channels, " "), strconv.Itoa(r.MaxPerMonth), string(r.Sealed), string(r.SealedFor), visits, rfc3339(r.LastVisit),
			h.Sending.From, h.Sending.Until, perDay, h.Sending.Label})
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// rfc3339 is a time for machines, nothing for none.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// leadExport answers the leads.
func (s *Server) leadExport(w http.ResponseWriter, r *http.Request) {
	s.stream(w, func(out io.Writer) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		e, err := body[LeadExport](r, "export of leads")
		if err == nil {
			err = word("user", e.Who, false)
		}
		if err == nil && e.Format != "csv" && e.Format != "json" {
			err = badRequest("format %.20q: want csv or json", e.Format)
		}
		if err == nil && e.Purpose != "" {
			if _, unknown := consent.ParsePurpose(string(e.Purpose)); unknown != nil {
				err = badRequest("%v", unknown)
			}
		}
		if err != nil {
			return err
		}
		head, rows, err := s.house.ExportLeads(r.Context(), e)
		if err != nil {
			return err
		}
		leftOut, err := json.Marshal(head.LeftOut)
		if err != nil {
			return err
		}
		w.Header().Set(leftOutHeader, string(leftOut))
		return WriteLeadExport(out, e.Format, head, rows)
	})
}

// leftOutHeader tells a LeftOut as JSON, beside rows of either format.
const leftOutHeader = "Hien-Left-Out"

// ExportLeads writes the leads to w, and answers what is not among them. One
// that was cut off is an error.
func (c *Client) ExportLeads(ctx context.Context, w io.Writer, e LeadExport) (left LeftOut, err error) {
	head, err := c.stream(ctx, w, http.MethodPost, "leads/export", e)
	if err != nil {
		return left, err
	}
	if err := json.Unmarshal([]byte(head.Get(leftOutHeader)), &left); err != nil {
		return left, fmt.Errorf("read what the daemon left out: %w", err)
	}
	return left, nil
}
