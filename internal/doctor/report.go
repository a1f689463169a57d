package doctor

import (
	"cmp"
	"slices"
	"time"
)

// A Severity is how bad a finding is.
type Severity int

// The severities.
const (
	OK   Severity = iota
	Note          // worth knowing; nothing to be done
	Warn          // guests feel it, or will
	Bad           // guests do not get to the portal, or get past it
)

var severities = []string{"ok", "note", "warn", "bad"}

func (s Severity) String() string { return severities[s] }

// MarshalText writes the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// An ID names a kind of finding. It never changes: scripts look for it.
type ID string

// A Finding is one thing that the doctor has seen.
type Finding struct {
	ID       ID       `json:"id"`
	Severity Severity `json:"severity"`
	Zone     string   `json:"zone,omitempty"`   // empty: the whole router
	Phones   []string `json:"phones,omitempty"` // the systems that feel it; none named: all of them
	Text     string   `json:"text"`
	Command  string   `json:"command,omitempty"` // the one command that mends it, or shows where to look
	// Unproven says that the finding comes of reading settings and not of
	// trying: no guest could be played, or what was tried works at present.
	Unproven bool `json:"unproven,omitempty"`

	args []any // for the words
}

// How a zone was looked at.
const (
	AsGuest    = "guest"    // from a network namespace with a port in the guest bridge
	AtListener = "listener" // from the router itself, at the portal's port
	NotPlayed  = "none"
)

// Answers of a Verdict.
const (
	Opens       = "yes"
	OpensLate   = "late"   // after the phone has waited for something that is dropped
	OpensPartly = "partly" // some of its probes are not redirected
	OpensNot    = "no"
)

// A Verdict says whether the phones of one system open the portal.
type Verdict struct {
	Zone       string `json:"zone"`
	OS         string `json:"os"`
	Opens      string `json:"opens"`
	Probes     int    `json:"probes"`     // that were played
	Redirected int    `json:"redirected"` // of them
	Slowest    int64  `json:"slowest_ms"` // milliseconds until the slowest redirect
	Unproven   bool   `json:"unproven,omitempty"`
}

// A Look says how a zone was looked at.
type Look struct {
	Zone    string `json:"zone"`
	Played  string `json:"played"`        // AsGuest, AtListener or NotPlayed
	Why     string `json:"why,omitempty"` // it was not as a guest
	Address string `json:"address,omitempty"`
	IPv6    string `json:"ipv6,omitempty"`
	PageMS  int64  `json:"page_ms,omitempty"` // until the portal's page was there
}

// A Report is what the doctor found.
type Report struct {
	Summary  string    `json:"summary"`
	Healthy  bool      `json:"healthy"`           // nothing is bad
	Firewall []string  `json:"firewall"`          // the packet filters in force
	Backend  string    `json:"backend,omitempty"` // by which Hiên keeps its own rules, as its daemon says
	Looks    []Look    `json:"zones"`
	Phones   []Verdict `json:"phones"`
	Findings []Finding `json:"findings"`           // the worst first
	Unproven []ID      `json:"unproven,omitempty"` // what could not be tried
	TookMS   int64     `json:"took_ms"`
}

// conclude sorts the findings and puts them and the summary into words.
func (r *Report) conclude(lang Language) {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Zone, b.Zone))
	})
	r.Healthy = true
	for i, f := range r.Findings {
		r.Findings[i].Text = lang.finding(f)
		if f.Severity == Bad {
			r.Healthy = false
		}
	}
	r.Summary = lang.summary(r)
}

// count is how many findings have a severity.
func (r *Report) count(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func ms(d time.Duration) int64 { return d.Milliseconds() }
