package consent

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Policy is what a law asks of those who ask people, as data: the wording
// of a notice, what it must contain, deadlines, retention and age. It is known
// by its hash, and a changed policy makes other notices (R-LAW: the law's
// numbers and words never stand in code).
type Policy struct {
	ID           string              `json:"id"`      // "vn-2026"
	Version      string              `json:"version"` // "vn-2026.1"
	Law          Words               `json:"law"`
	Jurisdiction string              `json:"jurisdiction"` // whose law it is: a country of ISO 3166-1, or EU
	Source       string              `json:"source"`       // where the numbers and words are from
	Needs        []Fact              `json:"needs"`        // of the controller, without which nobody is asked
	Age          int                 `json:"age"`          // in years; younger people are not asked (R-CHILD-1)
	AskAgainDays int                 `json:"ask_again_days"`
	MaxAgeMonths int                 `json:"max_age_months"` // of a consent; older ones are asked for anew (R-CON-9)
	Deadlines    map[string]Deadline `json:"deadlines"`      // by request: "withdraw", "access", "correct", "erase"
	Retention    Retention           `json:"retention"`
	Sending      Sending             `json:"sending,omitzero"`
	Purposes     map[string]Use      `json:"purposes"` // by Purpose; all partners share "share_partner"
	Title        Words               `json:"title"`
	Body         []Paragraph         `json:"body"`

	hash Hash
}

// Words are one text in each language, Vietnamese and English.
type Words struct {
	VI string `json:"vi"`
	EN string `json:"en"`
}

func (w Words) in(language string) string {
	if language == "en" {
		return w.EN
	}
	return w.VI
}

// A Deadline is how long a controller has, in days from the request.
type Deadline struct {
	AckWorkingDays int `json:"ack_working_days"` // to acknowledge; 0: no such duty
	Days           int `json:"days"`             // to carry it out
	WithOthersDays int `json:"with_others_days"` // where a processor or third party must act too
	ExtensionDays  int `json:"extension_days"`   // once, with a reason told
}

// Retention is how long data is kept.
type Retention struct {
	UnprovenHours   int `json:"unproven_hours"` // a number that no code has proven (R-CON-11)
	VisitMonths     int `json:"visit_months"`
	IdleMonths      int `json:"idle_months"`     // a lead, since the person's last visit
	EvidenceMonths  int `json:"evidence_months"` // proof, since the consent ended
	RequestMonths   int `json:"request_months"`  // the file of a person's request
	AccessLogMonths int `json:"access_log_months"`
}

// Sending bounds whoever sends people what they agreed to: it goes with every
// export of leads, as a router itself sends none of it (R-MKT-2). The zero
// Sending is of a law that has no such bounds.
type Sending struct {
	From      string `json:"from"` // "07:00", in the shop's time
	Until     string `json:"until"`
	MaxPerDay int    `json:"max_per_day"` // to one number, by one sender
	Label     string `json:"label"`       // which an advertisement begins with
}

// A Use is one purpose as the policy words and bounds it (R-MKT-1).
type Use struct {
	Channels    []string `json:"channels"`
	MaxPerMonth int      `json:"max_per_month"`
	Sensitive   bool     `json:"sensitive,omitempty"`
	VI          Wording  `json:"vi"`
	EN          Wording  `json:"en"`
}

// A Wording is what stands beside a purpose's box.
type Wording struct {
	Line   string `json:"line"`
	Detail string `json:"detail"`
}

// A Paragraph of a notice. When says for which notices it is: "" for all,
// "number", "no_number", "reaches", "recipients", "no_recipients", "carriers",
// "operator", "transfer", "access_log", or a purpose's name.
type Paragraph struct {
	When string `json:"when,omitempty"`
	VI   string `json:"vi"`
	EN   string `json:"en"`
}

// A Fact is something about the controller that only the owner knows. It is
// named as the configuration names it.
type Fact string

// The facts.
const (
	FactName    Fact = "controller_name"
	FactAddress Fact = "controller_address"
	FactTaxID   Fact = "controller_tax_id"
	FactContact Fact = "controller_contact"

	// FactRecipient is needed by every policy as soon as data is delivered
	// to anybody.
	FactRecipient Fact = "recipient"

	// FactCarrier is needed by every policy as soon as somebody carries codes
	// who is not named: the readable number is given to them.
	FactCarrier Fact = "carrier"
)

// A Controller is who decides about the data, as a notice must name it.
type Controller struct {
	Name       string   // the company or person
	Address    string   // postal
	TaxID      string   // mã số thuế
	Contact    string   // of the data protection officer or whoever answers
	Delivers   bool     // data is delivered to somebody: the recipients must be named
	Recipients []string // who receives data, by name
	Carriers   []string // who is given a number to send it a code, by name; "": somebody who is not named yet
	Operator   string   // who runs the brand's central service for it; may be empty
	Transfer   string   // countries outside of the law's own to which data goes; may be empty
	AccessLog  bool     // the shop keeps an access log (R-LOG-3)
}

func (c Controller) fact(f Fact) string {
	switch f {
	case FactName:
		return c.Name
	case FactAddress:
		return c.Address
	case FactTaxID:
		return c.TaxID
	case FactContact:
		return c.Contact
	}
	return ""
}

// Hash is the SHA-256 of the policy's file.
func (p *Policy) Hash() Hash { return p.hash }

// Lacks are the facts that a notice under the policy still needs, in the
// policy's order; FactRecipient and FactCarrier come last. While there is one,
// nobody is asked (R-CON-4).
func (p *Policy) Lacks(c Controller) (missing []Fact) {
	for _, f := range p.Needs {
		if strings.TrimSpace(c.fact(f)) == "" {
			missing = append(missing, f)
		}
	}
	if c.Delivers && len(c.Recipients) == 0 {
		missing = append(missing, FactRecipient)
	}
	if slices.ContainsFunc(c.Carriers, func(name string) bool { return strings.TrimSpace(name) == "" }) {
		missing = append(missing, FactCarrier)
	}
	return missing
}

// ErrIncomplete says that a notice lacks something of the controller's.
var ErrIncomplete = errors.New("the notice is not complete")

// Notice makes the notice that is put before a person who gives a number: in
// one language, for these purposes in this order. The same arguments make the
// same notice (R-CON-4, R-CON-6). A fact that is missing is ErrIncomplete.
func (p *Policy) Notice(language, store string, c Controller, purposes []Purpose) (Notice, error) {
	return p.notice(language, store, c, purposes, false)
}

// notice is Notice, also for a person of whom no number is asked.
func (p *Policy) notice(language, store string, c Controller, purposes []Purpose, noNumber bool) (Notice, error) {
	if missing := p.Lacks(c); len(missing) > 0 {
		return Notice{}, fmt.Errorf("%w: %v", ErrIncomplete, missing)
	}
	fill := p.filler(language, store, c)
	n := Notice{Version: p.Version + "+" + p.hash.String()[:8], Substance: p.Substance(c), Language: language, Title: fill(p.Title.in(language))}
	for _, purpose := range purposes {
		ask, ok := p.ask(language, purpose, fill)
		if !ok {
			return Notice{}, fmt.Errorf("policy %s has no words for the purpose %s", p.Version, purpose)
		}
		n.Asks = append(n.Asks, ask)
	}
	for _, para := range p.Body {
		if para.applies(c, purposes, noNumber) {
			n.Body = append(n.Body, fill(Words{para.VI, para.EN}.in(language)))
		}
	}
	return n, nil
}

// Use is how the policy words and bounds a purpose.
func (p *Policy) Use(purpose Purpose) (Use, bool) {
	family, _, _ := strings.Cut(string(purpose), ":")
	use, ok := p.Purposes[family]
	return use, ok
}

// conditions are what a paragraph's When can be beside a purpose.
var conditions = []string{"", "number", "no_number", "reaches", "recipients", "no_recipients", "carriers", "operator", "transfer", "access_log"}

func (para Paragraph) applies(c Controller, purposes []Purpose, noNumber bool) bool {
	switch para.When {
	case "":
		return true
	case "number":
		return !noNumber
	case "no_number":
		return noNumber
	case "reaches":
		return slices.ContainsFunc(purposes, Purpose.Reaches)
	case "recipients":
		return len(c.Recipients) > 0
	case "no_recipients":
		return len(c.Recipients) == 0 && c.Operator == "" && c.Transfer == "" && (noNumber || len(c.Carriers) == 0) &&
			!slices.ContainsFunc(purposes, Purpose.HandsOn)
	case "carriers":
		return !noNumber && len(c.Carriers) > 0
	case "operator":
		return c.Operator != ""
	case "transfer":
		return c.Transfer != ""
	case "access_log":
		return c.AccessLog
	}
	return slices.Contains(purposes, Purpose(para.When))
}

// filler puts the facts and numbers into a text. It goes over the text once:
// what an owner has written is not looked at for further names.
func (p *Policy) filler(language, store string, c Controller) func(string) string {
	n := strconv.Itoa
	r := strings.NewReplacer(
		"{store}", store, "{controller}", c.Name, "{address}", c.Address, "{tax_id}", c.TaxID, "{contact}", c.Contact,
		"{recipients}", strings.Join(c.Recipients, ", "), "{carriers}", strings.Join(c.Carriers, ", "), "{operator}", c.Operator, "{transfer}", c.Transfer,
		"{law}", p.Law.in(language), "{age}", n(p.Age), "{ask_again_days}", n(p.AskAgainDays),
		"{visit_months}", n(p.Retention.VisitMonths), "{idle_months}", n(p.Retention.IdleMonths),
		"{unproven_hours}", n(p.Retention.UnprovenHours), "{evidence_months}", n(p.Retention.EvidenceMonths),
		"{access_log_months}", n(p.Retention.AccessLogMonths),
		"{withdraw_days}", n(p.Deadlines["withdraw"].Days), "{erase_days}", n(p.Deadlines["erase"].Days))
	return r.Replace
}

//go:embed policies/*.json
var policyFiles embed.FS

// maxPolicy is the largest policy file that is read, in bytes.
const maxPolicy = 256 << 10

// Policies are the policies that come with Hiên, by their ids, sorted.
func Policies() []string {
	names, _ := fs.Glob(policyFiles, "policies/*.json")
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = strings.TrimSuffix(path.Base(name), ".json")
	}
	return ids
}

// LoadPolicy is one of Policies.
func LoadPolicy(id string) (*Policy, error) {
	if !slices.Contains(Policies(), id) {
		return nil, fmt.Errorf("there is no policy %q: want %s", id, strings.Join(Policies(), ", "))
	}
	text, err := policyFiles.ReadFile("policies/" + id + ".json")
	if err != nil {
		return nil, fmt.Errorf("load policy %s: %w", id, err)
	}
	return ParsePolicy(text)
}

// ParsePolicy reads a policy and checks that nothing is missing in it. An
// error says what: a damaged policy stops the asking, never the access.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > maxPolicy {
		return nil, fmt.Errorf("policy of %d bytes: want at most %d", len(text), maxPolicy)
	}
	p := &Policy{hash: sha256.Sum256(text)}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	if dec.More() {
		return nil, errors.New("read policy: something follows its end")
	}
	if faults := p.faults(); len(faults) > 0 {
		return nil, fmt.Errorf("policy %q: %s", p.ID, strings.Join(faults, "; "))
	}
	return p, nil
}

// Requests are what a person may ask for, as Deadlines names them.
var Requests = []string{"withdraw", "access", "correct", "erase"}

// faults are what a policy lacks.
func (p *Policy) faults() (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	words := func(what string, w Words) {
		if strings.TrimSpace(w.VI) == "" || strings.TrimSpace(w.EN) == "" {
			fault("%s is not worded in both languages", what)
		}
		for _, text := range []string{w.VI, w.EN} {
			if name := unknownName(text); name != "" {
				fault("%s: there is no %s", what, name)
			}
		}
	}
	if p.ID == "" || !strings.HasPrefix(p.Version, p.ID+".") {
		fault("the version %q does not begin with the id and a dot", p.Version)
	}
	words("law", p.Law)
	if len(p.Jurisdiction) != 2 || strings.Trim(p.Jurisdiction, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		fault("jurisdiction %q: want two capital letters, as in VN", p.Jurisdiction)
	}
	words("title", p.Title)
	if len(p.Body) == 0 {
		fault("there is no body")
	}
	for i, para := range p.Body {
		words(fmt.Sprintf("paragraph %d", i+1), Words{para.VI, para.EN})
		if _, err := ParsePurpose(para.When); err != nil && !slices.Contains(conditions, para.When) {
			fault("paragraph %d: there is no when %q", i+1, para.When)
		}
	}
	for _, name := range p.mustTell() {
		if !slices.ContainsFunc(p.Body, func(para Paragraph) bool { return strings.Contains(para.VI, name) && strings.Contains(para.EN, name) }) {
			fault("no paragraph tells %s", name)
		}
	}
	if !slices.ContainsFunc(p.Body, func(para Paragraph) bool { return para.When == "access_log" }) { // R-LOG-3
		fault("no paragraph is for when \"access_log\"")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Purposes)) {
		use := p.Purposes[name]
		words("purpose "+name, Words{use.VI.Line, use.EN.Line})
		words("purpose "+name+"'s detail", Words{use.VI.Detail, use.EN.Detail})
		if use.MaxPerMonth < 0 || len(use.Channels) > 0 && use.MaxPerMonth == 0 {
			fault("purpose %s has channels and no max_per_month", name)
		}
	}
	for _, name := range []Purpose{VisitFrequency, ContactZalo, ContactSMS, AdsAudience, ProfileExtra, sharePartner} {
		if _, ok := p.Use(name); !ok {
			fault("there are no words for %s", name)
		}
	}
	for _, f := range p.Needs {
		if _, ok := places[f]; !ok {
			fault("it needs %s, which no configuration has", f)
		}
	}
	for _, request := range Requests {
		if d := p.Deadlines[request]; d.Days <= 0 || d.WithOthersDays < d.Days {
			fault("the deadline of %s is missing", request)
		}
	}
	if s := p.Sending; s != (Sending{}) {
		_, fromErr := time.Parse("15:04", s.From)
		_, untilErr := time.Parse("15:04", s.Until)
		if fromErr != nil || untilErr != nil || s.From >= s.Until || s.MaxPerDay <= 0 || s.Label == "" {
			fault("sending is not whole: want from, until, max_per_day and label")
		}
	}
	r := p.Retention
	if slices.Min([]int{p.Age, p.AskAgainDays, p.MaxAgeMonths, r.UnprovenHours, r.VisitMonths, r.IdleMonths, r.EvidenceMonths, r.RequestMonths, r.AccessLogMonths}) <= 0 {
		fault("age, ask_again_days, max_age_months and each retention must be more than 0")
	}
	return faults
}

// mustTell are the names without which a body would not tell who decides, or
// who gets data and where it goes (R-CON-4).
func (p *Policy) mustTell() []string {
	names := []string{"{recipients}", "{carriers}", "{operator}", "{transfer}"}
	for _, f := range p.Needs {
		if name, ok := places[f]; ok {
			names = append(names, name)
		}
	}
	return names
}

// places are the names by which the facts that a policy can need stand in a text.
var places = map[Fact]string{FactName: "{controller}", FactAddress: "{address}", FactTaxID: "{tax_id}", FactContact: "{contact}"}

// placeholders are the names that a text may hold.
const placeholders = "{store} {controller} {address} {tax_id} {contact} {recipients} {carriers} {operator} {transfer} {law} {age} {ask_again_days} {visit_months} {idle_months} {unproven_hours} {evidence_months} {access_log_months} {withdraw_days} {erase_days} {partner} {max}"

// unknownName is a name in braces that nothing would be put in for.
func unknownName(text string) string {
	for {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			return ""
		}
		end := strings.IndexByte(text[open:], '}')
		if end < 0 {
			return text[open:]
		}
		name := text[open : open+end+1]
		if !slices.Contains(strings.Fields(placeholders), name) {
			return name
		}
		text = text[open+end+1:]
	}
}
