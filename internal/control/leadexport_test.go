package control

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

var leadsHead = LeadsHead{Format: LeadsFormat, Store: "hcm-q1-01", Made: now, Policy: "vn-2026.1",
	Sending: consent.Sending{From: "07:00", Until: "22:00", MaxPerDay: 3, Label: "[QC]"}}

// lessHead is of an export that leaves something out.
var lessHead = LeadsHead{Format: LeadsFormat, Store: "hcm-q1-01", Made: now, Policy: "vn-2026.1", Sending: leadsHead.Sending,
	LeftOut: LeftOut{People: 1, Permissions: 2, Why: AnotherNotice}}

// permitted is one lead that allows two things and one that allows one.
func permitted() []LeadPermission {
	first, second := hien.LeadKey("k2:"+strings.Repeat("1", 64)), hien.LeadKey("k2:"+strings.Repeat("2", 64))
	return []LeadPermission{
		{LeadKey: first, PreviousKey: "k1:" + hien.LeadKey(strings.Repeat("3", 64)), Purpose: consent.ContactZalo, Since: ago(48 * time.Hour),
			Proof: "c1", Notice: "vn-2026.1+01234567", Channels: []string{"zalo"}, MaxPerMonth: 2, Sealed: "s1:sealed", SealedFor: "c1"},
		{LeadKey: first, Purpose: consent.VisitFrequency, Since: ago(time.Hour), Proof: "c2", Notice: "vn-2026.1+89abcdef",
			Channels: []string{}, Visits: 7, LastVisit: ago(time.Hour)},
		{LeadKey: second, Purpose: consent.VisitFrequency, Proof: "c3", Notice: "vn-2026.1+89abcdef", Channels: []string{}},
	}
}

func each[T any](all []T, last error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
		if last != nil {
			var none T
			yield(none, last)
		}
	}
}

func TestLeadsAsTheyAreExported(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		head   LeadsHead
		rows   []LeadPermission
	}{
		"leads-export.csv":       {"csv", leadsHead, permitted()},
		"leads-export.json":      {"json", leadsHead, permitted()},
		"leads-export-less.json": {"json", lessHead, permitted()[:1]},
		"leads-export-none.csv":  {"csv", leadsHead, nil},
		"leads-export-none.json": {"json", LeadsHead{Format: LeadsFormat, Store: "hcm-q1-01", Made: now, Policy: "eu-gdpr.1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := WriteLeadExport(&b, c.format, c.head, each(c.rows, nil)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), b.String()); d != "" {
				t.Errorf("%s (-want +got), rewrite with -update:\n%s", path, d)
			}
		})
	}
}

func TestLeadsLeaveOverTheSocket(t *testing.T) {
	h := new(wired).house()
	var asked []LeadExport
	fails := errors.New("the flash is gone")
	h.ExportLeads = func(_ context.Context, e LeadExport) (LeadsHead, iter.Seq2[LeadPermission, error], error) {
		asked = append(asked, e)
		switch e.Purpose {
		case consent.ContactSMS:
			return LeadsHead{}, nil, fails
		case consent.AdsAudience:
			return leadsHead, each(permitted(), fails), nil
		}
		return lessHead, each(permitted(), nil), nil
	}
	runDir, _ := serve(t, h)
	c, err := Dial(runDir)
	if err != nil {
		t.Fatal(err)
	}
	good := LeadExport{Who: "lan", Format: "json", Purpose: consent.ContactZalo}
	var b strings.Builder
	if left, err := c.ExportLeads(t.Context(), &b, good); err != nil || !strings.HasSuffix(b.String(), "\n]}\n") || left != lessHead.LeftOut {
		t.Errorf("got %v, left out %+v, and %q", err, left, b.String())
	}
	for name, e := range map[string]LeadExport{
		"another format":             {Who: "lan", Format: "xml"},
		"a purpose that there isn't": {Who: "lan", Format: "csv", Purpose: "spam"},
		"nobody asks":                {Format: "csv"},
		"a record that fails":        {Who: "lan", Format: "csv", Purpose: consent.ContactSMS},
		"one that fails half way":    {Who: "lan", Format: "json", Purpose: consent.AdsAudience},
	} {
		if _, err := c.ExportLeads(t.Context(), io.Discard, e); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if len(asked) != 3 || asked[0] != good {
		t.Errorf("the house was asked for %v; want the good one and the two that fail", asked)
	}
}
