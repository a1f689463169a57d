package sqlite

import (
	"errors"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func endStays(t testing.TB, s *Store, now hien.Moment, stays ...hien.EndedStay) {
	t.Helper()
	if err := s.EndStays(t.Context(), stays, now, visited); err != nil {
		t.Fatalf("end stays: %v", err)
	}
}

// visitFacts are what the queue tells of visits.
func visitFacts(t testing.TB, s *Store, now hien.Moment) (facts []hien.VisitFacts) {
	for _, e := range batch(t, s, now) {
		if e.Kind() == hien.StoreVisited {
			facts = append(facts, *e.Facts().Visit)
		}
	}
	return facts
}

func TestTheVisitOpenedByAnOptInIsClosedByItsStay(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(5)})
	endStays(t, s, at(90), stay(1, 0, 35, "c1"))
	wantList(t, "visits told", visitFacts(t, s, at(91)), hien.VisitFacts{Number: 1, Stayed: 30 * time.Minute})
	want(t, "visits", number(t, s, "SELECT count(*) FROM visits"), 1)
}

func TestAReturningMembersStayIsAVisit(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	endStays(t, s, at(60), stay(1, 0, 30, "c1"))
	endStays(t, s, at(200), stay(1, 120, 150, ""))
	wantList(t, "visits told", visitFacts(t, s, at(201)),
		hien.VisitFacts{Number: 1, Stayed: 30 * time.Minute},
		hien.VisitFacts{Number: 2, Stayed: 30 * time.Minute, SinceLast: 2 * time.Hour})
	m, err := s.Member(t.Context(), mark(1))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "visits", m.Visits, 2)
	want(t, "last visit", m.LastVisit, at(120))
}

func TestStaysOfOthersAreForgotten(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: []consent.Purpose{zalo}, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(0)})
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c2")}, at(1), visits); err != nil {
		t.Fatal(err)
	}
	endStays(t, s, at(60), stay(1, 0, 30, "c1"), stay(2, 0, 30, "c2"), stay(3, 0, 30, ""))
	want(t, "visits", number(t, s, "SELECT count(*) FROM visits"), 0)
	wantList(t, "visits told", visitFacts(t, s, at(61)))
}

// The daemon may die after the record and before the livebook.
func TestAStayToldTwiceIsOneVisit(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(5)})
	for range 2 {
		endStays(t, s, at(60), stay(1, 0, 30, "c1"))
		endStays(t, s, at(200), stay(1, 120, 150, ""))
	}
	want(t, "visits", number(t, s, "SELECT count(*) FROM visits"), 2)
	want(t, "visits told", len(visitFacts(t, s, at(201))), 2)
}

// The code was right and the record failed: the stay names a visit that was
// never opened.
func TestAStayWhoseVisitIsNotThereMakesOne(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	endStays(t, s, at(60), stay(1, 0, 30, "c1"))
	endStays(t, s, at(200), stay(1, 120, 150, "never"))
	want(t, "visits", number(t, s, "SELECT count(*) FROM visits"), 2)
}

func TestAVisitLeftOpenByAPowerCutEndsWhereItBegan(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(5)})
	endStays(t, s, at(6)) // the same boot: the guest is still here
	want(t, "open visits", number(t, s, "SELECT count(*) FROM visits WHERE end_boot IS NULL"), 1)
	later := at(300)
	later.Boot, later.Up = "boot-2", time.Minute
	endStays(t, s, later)
	endStays(t, s, later)
	wantList(t, "visits told", visitFacts(t, s, later), hien.VisitFacts{Number: 1})
	next := hien.EndedStay{Zone: "guest", Mark: mark(1), Stay: hien.Stay{Start: later, Last: later}}
	endStays(t, s, later, next)
	wantList(t, "visits told", visitFacts(t, s, later),
		hien.VisitFacts{Number: 1}, hien.VisitFacts{Number: 2, SinceLast: 295 * time.Minute})
}

func TestAnErrorOfTheEventKeepsTheStayForLater(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	mine := errors.New("not now")
	err := s.EndStays(t.Context(), []hien.EndedStay{stay(1, 0, 30, "c1")}, at(60),
		func(hien.Member, hien.Visit, time.Duration) (hien.Event, error) { return hien.Event{}, mine })
	if err != mine {
		t.Errorf("got %v, want the caller's own error", err)
	}
	endStays(t, s, at(60), stay(1, 0, 30, "c1"))
	want(t, "visits told", len(visitFacts(t, s, at(61))), 1)
}

func TestBetweenMoments(t *testing.T) {
	next := func(m hien.Moment) hien.Moment { m.Boot = "boot-2"; return m }
	for name, c := range map[string]struct {
		from, to hien.Moment
		want     time.Duration
	}{
		"one boot counts by the boot clock":      {guess(0), at(5), 5 * time.Minute},
		"two boots count by clocks that are set": {at(0), next(at(5)), 5 * time.Minute},
		"two boots and a guess are unknown":      {guess(0), next(at(5)), 0},
		"time never runs backwards":              {at(5), next(at(0)), 0},
		"no moment is unknown":                   {hien.Moment{}, at(5), 0},
	} {
		want(t, name, between(c.from, c.to), c.want)
	}
}
