package hien_test

import (
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func given(t *testing.T, agreed ...consent.Purpose) consent.Consent {
	t.Helper()
	n := consent.Notice{Version: "test-1", Language: "vi", Asks: []consent.Ask{
		{Purpose: consent.VisitFrequency}, {Purpose: consent.ContactZalo}}}
	c, err := consent.Give("c1", "s1", n, agreed, hien.Moment{Wall: time.Unix(0, 0), Boot: "b"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNoConsentNoEvent(t *testing.T) {
	now := hien.Moment{Wall: time.Unix(0, 0), Boot: "b"}
	counted := given(t, consent.VisitFrequency)
	sealed := hien.Facts{Sealed: "s1:x"}
	for name, try := range map[string]func() (hien.Event, error){
		"the zero consent": func() (hien.Event, error) {
			return hien.NewEvent(consent.Consent{}, consent.VisitFrequency, hien.StoreVisited, "k1:a", now, hien.Facts{})
		},
		"a purpose that was refused": func() (hien.Event, error) {
			return hien.NewEvent(counted, consent.ContactZalo, hien.LeadGiven, "k1:a", now, hien.Facts{})
		},
		"a number under a purpose that only counts": func() (hien.Event, error) {
			return hien.NewEvent(counted, consent.VisitFrequency, hien.LeadGiven, "k1:a", now, sealed)
		},
		"a bound under a purpose that only counts": func() (hien.Event, error) {
			return hien.NewEvent(counted, consent.VisitFrequency, hien.LeadGiven, "k1:a", now, hien.Facts{Bound: &hien.Bound{Proof: "c1"}})
		},
		"a withdrawal by the wrong door": func() (hien.Event, error) {
			return hien.NewEvent(counted, consent.VisitFrequency, hien.Withdrawn, "k1:a", now, hien.Facts{})
		},
		"nobody": func() (hien.Event, error) {
			return hien.NewEvent(counted, consent.VisitFrequency, hien.StoreVisited, "", now, hien.Facts{})
		},
		"a withdrawal of what still stands": func() (hien.Event, error) {
			return hien.NewWithdrawal(counted, []consent.Purpose{consent.VisitFrequency}, "k1:a", now, hien.Facts{})
		},
		"a withdrawal of nothing": func() (hien.Event, error) {
			return hien.NewWithdrawal(counted.Without(), nil, "k1:a", now, hien.Facts{})
		},
	} {
		if e, err := try(); err == nil {
			t.Errorf("%s: made event %+v; want an error", name, e.Facts())
		}
	}
	e, err := hien.NewEvent(given(t, consent.ContactZalo), consent.ContactZalo, hien.LeadGiven, "k1:a", now, sealed)
	if err != nil || !e.Allowed() || e.ID() == "" {
		t.Errorf("an event with its consent: %v, allowed %v", err, e.Allowed())
	}
	w, err := hien.NewWithdrawal(counted.Without(), []consent.Purpose{consent.VisitFrequency}, "k1:a", now, hien.Facts{})
	if err != nil || !w.Allowed() {
		t.Errorf("a withdrawal: %v, allowed %v; want it sent always", err, w.Allowed())
	}
}
