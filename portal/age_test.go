package portal_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/consent"
)

// TestTheQuestionOfAge is R-CHILD-1 at the door: what each answer does, and
// what none does.
func TestTheQuestionOfAge(t *testing.T) {
	const missing = "Please say whether you are 16 or older, or go online without signing up."
	for _, c := range []struct {
		name   string
		age    string
		number string
		ticked []consent.Purpose
		calls  string // of the house beside Greet
		says   string
	}{
		{"old enough", "yes", "0987654321", asked[1:], "Ask", "ending in 21"},
		{"too young, whatever else was typed and ticked", "no", "0987654321", asked, "AdmitYoung Admit", "You are online"},
		{"too young, and what was typed is no number", "no", "not a number", asked, "AdmitYoung Admit", "You are online"},
		{"no answer, and something ticked", "", "0987654321", asked[1:], "", missing},
		{"an answer that there is not", "maybe", "0987654321", asked[1:], "", missing},
		{"no answer, and nothing ticked, is a no", "", "0987654321", nil, "Admit", "You are online"},
		{"old enough, and nothing ticked, is a no", "yes", "", nil, "Admit", "You are online"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, newHouse())
			form := d.filled(c.number, c.ticked...)
			if form.Set("age", c.age); c.age == "" {
				form.Del("age")
			}
			r := d.post(t, "/join", form)
			r.wants(t, c.says)
			var calls []string
			for _, method := range []string{"Ask", "AdmitYoung", "Admit"} {
				if d.count(method) > 0 {
					calls = append(calls, method)
				}
			}
			if got := strings.Join(calls, " "); got != c.calls {
				t.Errorf("the house was asked for %q, want %q", got, c.calls)
			}
			if c.says == missing {
				r.wants(t, `value="0987654321"`, `value="contact_zalo" checked`, `aria-describedby="when"`, "<title>"+missing)
				if strings.Contains(r.body, `value="yes" aria-labelledby="age of" aria-invalid="true" aria-describedby="when" checked`) {
					t.Error("an answer is chosen that nobody gave")
				}
			}
		})
	}
}

// TestTheAgeIsCarriedThroughTheNotice: there and back, nothing is asked twice.
func TestTheAgeIsCarriedThroughTheNotice(t *testing.T) {
	d := open(t, newHouse())
	const chosen = `id="yes" name="age" value="yes" aria-labelledby="age of" checked`
	there := d.post(t, "/notice", d.filled("0987", consent.ContactZalo))
	there.wants(t, `name="age" value="yes"`)
	d.post(t, "/", d.filled("0987", consent.ContactZalo)).wants(t, chosen)
	form := d.filled("0987", consent.ContactZalo)
	form.Set("age", "no")
	if r := d.post(t, "/notice", form); strings.Contains(r.body, `name="age"`) {
		t.Error("the notice carries along that somebody is young")
	}
	if r := d.get(t, "/"); strings.Contains(r.body, "checked>") {
		t.Error("a fresh page has chosen something")
	}
}

// TestTicksAreCarriedThroughTheNotice: its page has them in one field, however
// many there are.
func TestTicksAreCarriedThroughTheNotice(t *testing.T) {
	d := open(t, newHouse())
	d.post(t, "/notice", d.filled("0987", consent.VisitFrequency, consent.ContactZalo)).wants(t, `name="purpose" value="visit_frequency contact_zalo"`)
	back := d.filled("0987")
	back.Set("purpose", "visit_frequency contact_zalo no_purpose contact_zalo")
	d.post(t, "/", back).wants(t, `value="visit_frequency" checked`, `value="contact_zalo" checked`)
}

func TestAPlayAreaAsksNothing(t *testing.T) {
	h := newHouse()
	h.zone.Children = true
	d := open(t, h)
	if r := d.get(t, "/"); strings.Contains(r.body, `type="radio"`) || strings.Contains(r.body, `type="checkbox"`) || strings.Contains(r.body, `type="tel"`) {
		t.Errorf("something is asked:\n%s", r.body)
	}
	d.post(t, "/skip", nil).wants(t, "You are online")
}

// TestANoIsNotAskedAgain is R-CON-3 at the door: what was shown and not ticked
// is told to the house, is not asked again, and can be asked for by whoever
// changes their mind.
func TestANoIsNotAskedAgain(t *testing.T) {
	const again = "I have changed my mind"
	d := open(t, newHouse())
	first := d.get(t, "/")
	if strings.Contains(first.body, again) {
		t.Error("somebody who said nothing is asked to change their mind")
	}
	d.post(t, "/skip", url.Values{"lang": {"en"}, "asked": {"visit_frequency contact_zalo"}}).wants(t, isOnline)
	if got := d.count("Refuse"); got != 1 {
		t.Fatalf("the house was told %d times of a no", got)
	}
	d.set(phoneA, guest{}) // another stay
	later := d.get(t, "/")
	later.wants(t, again, "/?lang=en&amp;again=1")
	if strings.Contains(later.body, `type="checkbox"`) {
		t.Error("it is asked again")
	}
	asks := d.get(t, "/?again=1")
	asks.wants(t, `value="visit_frequency"`, `value="contact_zalo"`, "/?again=1&amp;lang=vi")
	if strings.Contains(asks.body, again) || strings.Contains(asks.body, "checked>") {
		t.Error("the page that asks again has chosen something, or links to itself")
	}
	form := d.filled("0987654321", consent.ContactZalo)
	d.post(t, "/notice", form).wants(t, `name="asked" value="visit_frequency contact_zalo"`, "Công ty TNHH Hiên Mẫu")
	d.post(t, "/", form).wants(t, `value="contact_zalo" checked`)
	d.post(t, "/join", form).wants(t, "ending in 21")

	other := open(t, newHouse()) // who goes on from a page that asked nothing says no to nothing
	other.post(t, "/skip", url.Values{"lang": {"en"}}).wants(t, isOnline)
	if other.count("Refuse") != 0 || other.count("Admit") != 1 {
		t.Error("going on was taken for a no")
	}
}
