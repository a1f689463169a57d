package consent_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/consent"
)

func notice(purposes ...consent.Purpose) consent.Notice {
	n := consent.Notice{Version: "test-1", Language: "vi", Title: "Quán Hiên xin hỏi", Body: []string{"Một đoạn."}}
	for _, p := range purposes {
		n.Asks = append(n.Asks, consent.Ask{Purpose: p, Line: "dòng", Detail: "chi tiết"})
	}
	return n
}

func moment(minutes int) consent.Moment {
	d := time.Duration(minutes) * time.Minute
	return consent.Moment{Wall: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC).Add(d), Boot: "boot-a", Up: time.Hour + d, InStep: true}
}

func TestParsePurpose(t *testing.T) {
	for _, s := range []string{"visit_frequency", "contact_zalo", "contact_sms", "ads_audience", "profile_extra", "share_partner:mall-1"} {
		if p, err := consent.ParsePurpose(s); err != nil || string(p) != s {
			t.Errorf("ParsePurpose(%q) = %q, %v; want it back", s, p, err)
		}
	}
	for _, s := range []string{"", "visits", "share_partner:", "share_partner:Mall", "share_partner:a b", "VISIT_FREQUENCY"} {
		if p, err := consent.ParsePurpose(s); err == nil {
			t.Errorf("ParsePurpose(%q) = %q; want an error", s, p)
		}
	}
}

func TestAPageHasRoomForTwoPartners(t *testing.T) {
	asked := []consent.Purpose{consent.VisitFrequency, "share_partner:a", consent.ContactSMS, consent.AdsAudience, consent.ProfileExtra}
	if !consent.RoomFor("share_partner:b", asked) || !consent.RoomFor(consent.ContactZalo, asked) {
		t.Error("a page with one partner has no room for another, or for a purpose of the shop's own")
	}
	asked = append(asked, "share_partner:b")
	if consent.RoomFor("share_partner:c", asked) || !consent.RoomFor(consent.ContactZalo, asked) {
		t.Error("a page with two partners has room for a third, or none for a purpose of the shop's own")
	}
}

func TestOnlyCountingPurposesKeepTheNumberHome(t *testing.T) {
	for p, want := range map[consent.Purpose]bool{
		consent.VisitFrequency: false, consent.ProfileExtra: false,
		consent.ContactZalo: true, consent.ContactSMS: true, consent.AdsAudience: true, "share_partner:x": true,
	} {
		if got := p.Reaches(); got != want {
			t.Errorf("%s.Reaches() = %v; want %v", p, got, want)
		}
	}
}

func TestConsent(t *testing.T) {
	n := notice(consent.VisitFrequency, consent.ContactZalo)
	c, err := consent.Give("c1", "s1", n, []consent.Purpose{consent.VisitFrequency}, moment(0))
	if err != nil {
		t.Fatal(err)
	}
	if !c.Allows(consent.VisitFrequency) || c.Allows(consent.ContactZalo) || c.Allows(consent.AdsAudience) {
		t.Errorf("answers = %v; want yes to visit_frequency and to nothing else", c.Answers())
	}
	if c.Reaches() {
		t.Error("a consent to be counted asks for the sealed number")
	}
	if (consent.Consent{}).AllowsAny() {
		t.Error("the zero consent allows something")
	}

	t.Run("to agree to what was not asked is an error", func(t *testing.T) {
		if _, err := consent.Give("c2", "s1", n, []consent.Purpose{consent.AdsAudience}, moment(0)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a later answer stands over an earlier one, purpose by purpose", func(t *testing.T) {
		later, err := consent.Give("c3", "s1", notice(consent.ContactZalo), []consent.Purpose{consent.ContactZalo}, moment(5))
		if err != nil {
			t.Fatal(err)
		}
		both := later.Over(c)
		if !both.Allows(consent.VisitFrequency) || !both.Allows(consent.ContactZalo) || both.ID() != "c3" {
			t.Errorf("standing = %s %v; want c3 with both", both.ID(), both.Answers())
		}
		no, _ := consent.Give("c4", "s1", n, nil, moment(6))
		if got := no.Over(both); got.AllowsAny() {
			t.Errorf("standing = %v; want a no to all", got.Answers())
		}
		if got := later.Over(consent.FromRecord("x", "s2", consent.Hash{}, "vi", moment(0), c.Answers())); got.Allows(consent.VisitFrequency) {
			t.Error("another person's answer was taken over")
		}
	})
	t.Run("a withdrawal ends what it names, and without a name everything", func(t *testing.T) {
		if got := c.Without(consent.ContactZalo); !got.Allows(consent.VisitFrequency) {
			t.Error("another purpose's withdrawal ended visit_frequency")
		}
		if got := c.Without(); got.AllowsAny() {
			t.Errorf("answers = %v; want none agreed", got.Answers())
		}
		if !c.Allows(consent.VisitFrequency) {
			t.Error("Without changed the consent it was called on")
		}
	})
}

func TestNoticeIsKnownByItsWording(t *testing.T) {
	n := notice(consent.VisitFrequency)
	text := n.Text()
	for _, want := range []string{"test-1", "Quán Hiên", "visit_frequency", "dòng", "chi tiết", "Một đoạn."} {
		if !strings.Contains(text, want) {
			t.Errorf("text lacks %q:\n%s", want, text)
		}
	}
	changed := n
	changed.Asks = slices.Clone(n.Asks)
	changed.Asks[0].Detail += "."
	if n.Hash() == changed.Hash() {
		t.Error("one more full stop left the hash as it was")
	}
	var back consent.Hash
	if err := back.UnmarshalText([]byte(n.Hash().String())); err != nil || back != n.Hash() {
		t.Errorf("hash read back as %v, %v", back, err)
	}
}

func TestRestamp(t *testing.T) {
	guess := consent.Moment{Wall: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Boot: "a", Up: 10 * time.Minute}
	inStep := consent.Moment{Wall: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), Boot: "a", Up: time.Hour, InStep: true}

	got := guess.Restamp(inStep)
	if want := inStep.Wall.Add(-50 * time.Minute); !got.Wall.Equal(want) || !got.InStep {
		t.Errorf("restamped to %v (in step %v); want %v", got.Wall, got.InStep, want)
	}
	other := inStep
	other.Boot = "b"
	if got := guess.Restamp(other); got != guess {
		t.Error("a moment of another boot was corrected")
	}
	sure := guess
	sure.InStep = true
	if got := sure.Restamp(inStep); got != sure {
		t.Error("a moment that was in step was corrected")
	}
}
