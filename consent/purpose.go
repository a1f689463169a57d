package consent

import (
	"fmt"
	"slices"
	"strings"
)

// A Purpose is one use of a person's data that is asked for on its own
// (Law 91/2025/QH15 Art. 9: consent is given for each purpose).
type Purpose string

// The purposes that Hiên knows. Sharing with a partner is a family of
// purposes, one for each partner: "share_partner:<id>".
const (
	VisitFrequency Purpose = "visit_frequency" // how often and how recently the person comes
	ContactZalo    Purpose = "contact_zalo"    // messages through Zalo
	ContactSMS     Purpose = "contact_sms"     // messages by SMS
	AdsAudience    Purpose = "ads_audience"    // audiences on advertising platforms
	ProfileExtra   Purpose = "profile_extra"   // what the person tells beyond the number

	sharePartner = "share_partner:"
)

// ParsePurpose checks that s names a purpose.
func ParsePurpose(s string) (Purpose, error) {
	switch p := Purpose(s); p {
	case VisitFrequency, ContactZalo, ContactSMS, AdsAudience, ProfileExtra:
		return p, nil
	}
	if id, ok := strings.CutPrefix(s, sharePartner); ok && validPartner(id) {
		return Purpose(s), nil
	}
	return "", fmt.Errorf("unknown purpose %q: want visit_frequency, contact_zalo, contact_sms, ads_audience, profile_extra or share_partner:<id>", s)
}

func validPartner(id string) bool {
	return id != "" && len(id) <= 32 && !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

// Reaches reports whether the purpose must reach the person, or an audience
// the person is in, and so needs the sealed number. A purpose that only
// counts never carries it.
func (p Purpose) Reaches() bool {
	return p == ContactZalo || p == ContactSMS || p.HandsOn()
}

// HandsOn reports whether the purpose is that somebody else gets the number: an
// advertising platform, or a partner.
func (p Purpose) HandsOn() bool {
	return p == AdsAudience || p.shares()
}

func (p Purpose) shares() bool { return strings.HasPrefix(string(p), sharePartner) }

// MaxPartners is with how many partners a zone asks to share at most. Beside
// all other purposes, and with everything as long as it may be, the page of the
// whole notice has room for no more in the first window of its connection
// (RFC 6928): 14 KB.
const MaxPartners = 2

// RoomFor reports whether a page that asks for these purposes has room for
// another.
func RoomFor(another Purpose, asked []Purpose) bool {
	partners := 0
	for _, p := range append(asked[:len(asked):len(asked)], another) {
		if p.shares() {
			partners++
		}
	}
	return partners <= MaxPartners
}

// An Answer is what a person said to one purpose.
type Answer struct {
	Purpose Purpose `json:"purpose"`
	Agreed  bool    `json:"agreed"`
}

func sortAnswers(a []Answer) {
	slices.SortFunc(a, func(x, y Answer) int { return strings.Compare(string(x.Purpose), string(y.Purpose)) })
}
