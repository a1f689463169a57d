package setup

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hien-wifi/hien/consent"
)

// A Field is one of the owner's answers: a question on the terminal, and a
// flag that answers it without being asked.
type Field struct {
	Flag  string
	About string // in the flag's help, with its value's name in back quotes

	asked    func(q *Questions) bool // nil: always
	known    func(q *Questions) bool // nil: never; the answer stands already, and only the flag changes it
	question func(q *Questions, l Language) string
	answer   func(q *Questions, l Language) string // that is proposed
	set      func(q *Questions, value string) error
}

// Questions are what the owner is asked about a router, and his answers.
type Questions struct {
	Answers
	router *Router
	trees  map[string]tree
}

// Ask prepares the questions about a router.
func (r *Router) Ask() (*Questions, error) {
	trees, err := r.trees()
	if err != nil {
		return nil, err
	}
	a, err := r.Propose()
	if err != nil {
		return nil, err
	}
	return &Questions{Answers: a, router: r, trees: trees}, nil
}

// applies reports whether the field is one of this router's, after the answers
// to those before it.
func (f *Field) applies(q *Questions) bool { return f.asked == nil || f.asked(q) }

// take sets an answer. A Refusal says what is allowed.
func (f *Field) take(q *Questions, value string) error {
	value = strings.TrimSpace(value)
	if value == "" {
		return refuse(needAnswer, f.Flag)
	}
	return f.set(q, value)
}

// plainly is a question without choices.
func plainly(p Phrase) func(*Questions, Language) string {
	return func(_ *Questions, l Language) string { return l.say(p) }
}

// Words that are answers in every language, and what else is understood.
const (
	wordNew  = "new"
	wordNone = "none"
	wordAll  = "all"
)

func isNew(v string) bool {
	return slices.Contains([]string{wordNew, "mới", "moi"}, strings.ToLower(v))
}
func isAll(v string) bool {
	return slices.Contains([]string{wordAll, "tất cả", "tat ca"}, strings.ToLower(v))
}

// none reports whether an answer is that there is none.
func none(v string) bool {
	return slices.Contains([]string{wordNone, "0", "-", "không", "khong"}, strings.ToLower(v))
}

// Fields are all of them, in the order in which they are asked.
func Fields() []*Field {
	return slices.Concat(beforeFacts(), factFields(), afterFacts())
}

func beforeFacts() []*Field {
	return []*Field{
		{Flag: "store-name", About: "the shop's `NAME`, as guests read it",
			question: plainly(askName),
			answer:   func(q *Questions, _ Language) string { return q.StoreName },
			set: func(q *Questions, v string) error {
				q.StoreName = v
				return checkName(v)
			}},
		{Flag: "store-id", About: "the shop's `NAME` for machines",
			question: plainly(askID),
			answer:   func(q *Questions, _ Language) string { return cmp.Or(q.StoreID, ProposeID(q.StoreName)) },
			set: func(q *Questions, v string) error {
				q.StoreID = v
				return checkID(v)
			}},
		{Flag: "interface", About: "the guests' `INTERFACE`, of a network that is there, or new",
			asked:    func(q *Questions) bool { return !q.router.OpenWrt || len(guestNetworks(q.trees)) > 0 },
			question: askWhere,
			answer: func(q *Questions, _ Language) string {
				if q.router.OpenWrt {
					return cmp.Or(q.Interface, wordNew)
				}
				return q.Interface
			},
			set: setInterface},
		{Flag: "network", About: "the router's `ADDRESS` in the guest network, as in 10.77.0.1/20",
			asked:    func(q *Questions) bool { return q.router.OpenWrt && q.Interface == "" },
			question: plainly(askNetwork),
			answer: func(q *Questions, _ Language) string {
				if !q.Network.IsValid() {
					return ""
				}
				return q.Network.String()
			},
			set: func(q *Questions, v string) error {
				p, err := netip.ParsePrefix(v)
				if err != nil {
					return refuse(badNetwork, v)
				}
				q.Network = p
				return q.router.checkNetwork(q.trees, p)
			}},
		{Flag: "ssid", About: "the `NAME` of the guests' WiFi, or none",
			asked:    func(q *Questions) bool { return q.router.OpenWrt && len(q.trees[wirelessFile].radios()) > 0 },
			question: plainly(askSSID),
			answer:   proposeSSID,
			set: func(q *Questions, v string) error {
				if q.SSID = v; none(v) {
					q.SSID = ""
					return nil
				}
				return checkSSID(q.trees, v)
			}},
		{Flag: "radios", About: "the WiFi `DEVICES` for guests, with commas between, or all",
			asked: func(q *Questions) bool { return q.SSID != "" && len(q.trees[wirelessFile].radios()) > 1 },
			question: func(q *Questions, l Language) string {
				var names []string
				for _, r := range q.trees[wirelessFile].radios() {
					names = append(names, r.String())
				}
				return l.say(askRadios, strings.Join(names, ", "))
			},
			answer: func(q *Questions, _ Language) string {
				if len(q.Radios) == len(q.trees[wirelessFile].radios()) {
					return wordAll
				}
				return strings.Join(q.Radios, ",")
			},
			set: setRadios},
		{Flag: "owe", About: "encrypt the WiFi of phones that can: `YES` or no",
			asked:    func(q *Questions) bool { return q.SSID != "" && q.router.CanOWE },
			question: plainly(askOWE),
			answer:   func(q *Questions, l Language) string { return l.yesNo(q.OWE) },
			set:      func(q *Questions, v string) error { return setYes(&q.OWE, v) }},
		{Flag: "purposes", About: "the `PURPOSES` that guests are asked for, with commas between, or none",
			question: askWhat,
			answer:   proposePurposes,
			set:      setPurposes},
	}
}

// factFields ask about the controller, when anything is asked of guests.
func factFields() (fields []*Field) {
	for _, f := range facts {
		flag := strings.ReplaceAll(string(f.Fact), "_", "-")
		fields = append(fields, &Field{Flag: flag, About: f.about,
			asked: func(q *Questions) bool {
				return len(q.Purposes) > 0 && (f.Fact == consent.FactName || q.Facts[consent.FactName] != "")
			},
			known:    func(q *Questions) bool { return q.Facts[f.Fact] != "" },
			question: plainly(f.question),
			answer:   func(*Questions, Language) string { return wordNone },
			set: func(q *Questions, v string) error {
				if none(v) {
					v = ""
				}
				q.Facts[f.Fact] = v
				return checkFact(flag, v, f.most)
			}})
	}
	return fields
}

func afterFacts() []*Field {
	return []*Field{
		{Flag: "seal-key", About: "the brand's seal `KEY`, or new for a new pair",
			asked:    func(q *Questions) bool { return slices.ContainsFunc(q.Purposes, consent.Purpose.Reaches) },
			known:    func(q *Questions) bool { return q.SealKey != "" },
			question: plainly(askSealKey),
			answer:   func(*Questions, Language) string { return wordNew },
			set: func(q *Questions, v string) error {
				if isNew(v) {
					q.SealKey, q.NewSeal = "", true
					return nil
				}
				q.SealKey, q.NewSeal = v, false
				return checkSealKey(v)
			}},
		{Flag: "sender", About: "the `WAY` of codes: staff for the till's, log for a trial, or none",
			asked:    func(q *Questions) bool { return len(q.Purposes) > 0 && len(q.trees[hienFile].of("sender")) == 0 },
			question: plainly(askSender),
			answer:   func(q *Questions, _ Language) string { return cmp.Or(q.Sender, wordNone) },
			set: func(q *Questions, v string) error {
				switch q.Sender = strings.ToLower(v); {
				case none(v):
					q.Sender = ""
				case q.Sender == "staff":
					return checkStaff(q.Answers)
				case q.Sender != "log":
					return refuse(badSender, v)
				}
				return nil
			}},
		{Flag: "masquerade", About: "let guests share this machine's address, without OpenWrt: `YES` or no",
			asked:    func(q *Questions) bool { return !q.router.OpenWrt },
			question: plainly(askMasquerade),
			answer:   func(q *Questions, l Language) string { return l.yesNo(q.Masquerade) },
			set:      func(q *Questions, v string) error { return setYes(&q.Masquerade, v) }},
	}
}

// askWhere lists the networks that guests could be in.
func askWhere(q *Questions, l Language) string {
	if !q.router.OpenWrt {
		return l.say(askLink, q.router.links())
	}
	var b strings.Builder
	b.WriteString(l.say(askInterface) + "\n  " + l.say(ownChoice))
	for _, n := range guestNetworks(q.trees) {
		b.WriteString("\n  " + l.say(existingChoice, n.device, n.name, n.address[0]))
	}
	return b.String()
}

func setInterface(q *Questions, v string) error {
	q.Interface = v
	if !q.router.OpenWrt {
		if len(v) > 15 || strings.ContainsAny(v, "/: \t") {
			return refuse(noInterface, q.router.links())
		}
		return nil
	}
	if isNew(v) {
		q.Interface = ""
		return nil
	}
	n, err := existing(q.trees, v)
	if err != nil {
		return err
	}
	q.Interface = n.device
	return nil
}

// proposeSSID is what is on the air, else the shop's name. A network that has
// a WiFi of its own needs none.
func proposeSSID(q *Questions, _ Language) string {
	if q.SSID != "" {
		return q.SSID
	}
	for _, n := range networks(q.trees) {
		onAir := func(s *section) bool { return slices.Contains(s.words("network"), n.name) && !s.on("disabled") }
		if n.device == q.Interface && slices.ContainsFunc(q.trees[wirelessFile].of("wifi-iface"), onAir) {
			return wordNone
		}
	}
	for _, ssid := range []string{q.StoreName, q.StoreName + " WiFi", q.StoreName + " Guest", "WiFi " + q.StoreID} {
		if checkSSID(q.trees, ssid) == nil {
			return ssid
		}
	}
	return ""
}

func setRadios(q *Questions, v string) error {
	radios := q.trees[wirelessFile].radios()
	q.Radios = nil
	if isAll(v) {
		for _, r := range radios {
			q.Radios = append(q.Radios, r.Name)
		}
		return nil
	}
	for name := range split(v) {
		if !slices.ContainsFunc(radios, func(r Radio) bool { return r.Name == name }) || slices.Contains(q.Radios, name) {
			return refuse(badRadio, name, radioNames(radios))
		}
		q.Radios = append(q.Radios, name)
	}
	return nil
}

// split are the words of a list.
func split(v string) func(yield func(string) bool) {
	return strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' })
}

// purposes are those that have a number in the question.
var purposes = []struct {
	purpose consent.Purpose
	is      Phrase
}{
	{consent.VisitFrequency, purposeVisits},
	{consent.ContactZalo, purposeZalo},
	{consent.ContactSMS, purposeSMS},
	{consent.AdsAudience, purposeAds},
	{consent.ProfileExtra, purposeProfile},
}

func askWhat(_ *Questions, l Language) string {
	text := l.say(askPurposes)
	for i, p := range purposes {
		text += fmt.Sprintf("\n  %d %s (%s)", i+1, l.say(p.is), p.purpose)
	}
	return text
}

func proposePurposes(q *Questions, _ Language) string {
	var names []string
	for _, p := range q.Purposes {
		names = append(names, string(p))
	}
	return cmp.Or(strings.Join(names, ","), wordNone)
}

func setPurposes(q *Questions, v string) error {
	q.Purposes = nil
	if none(v) {
		return nil
	}
	for word := range split(v) {
		p, err := consent.ParsePurpose(word)
		if n, bad := strconv.Atoi(word); bad == nil && n >= 1 && n <= len(purposes) {
			p, err = purposes[n-1].purpose, nil
		}
		if err != nil {
			return refuse(badPurpose, word)
		}
		if slices.Contains(q.Purposes, p) {
			continue
		}
		if !consent.RoomFor(p, q.Purposes) {
			return refuse(manyPartners, consent.MaxPartners)
		}
		q.Purposes = append(q.Purposes, p)
	}
	if len(q.Purposes) == 0 {
		return refuse(badPurpose, v)
	}
	return nil
}

// ParseYes reads yes or no in both languages.
func ParseYes(v string) (yes, ok bool) {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "y", "yes", "c", "có", "co", "1", "true":
		return true, true
	case "n", "no", "k", "không", "khong", "0", "false":
		return false, true
	}
	return false, false
}

func setYes(to *bool, v string) error {
	yes, ok := ParseYes(v)
	*to = yes
	if !ok {
		return refuse(badYes)
	}
	return nil
}

func (l Language) yesNo(yes bool) string {
	if yes {
		return l.say(yesWord)
	}
	return l.say(noWord)
}
