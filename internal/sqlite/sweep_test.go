package sqlite

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func policy(t testing.TB) *consent.Policy {
	t.Helper()
	p, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// monthsLater is a moment of the same boot, so many months and days after
// at(0).
func monthsLater(months, days int) hien.Moment {
	m := at(0)
	wall := m.Wall.AddDate(0, months, days)
	m.Up, m.Wall = wall.Sub(m.Wall), wall
	return m
}

// swept is what a sweep has come to: "2 visits visit_months=12". The queue has
// tests of its own.
func swept(t testing.TB, s *Store, p *consent.Policy, now hien.Moment, dry bool) (all []string) {
	t.Helper()
	gone, _ := sweepAll(t, s, hien.Sweep{Terms: p.Terms(now.Wall), Now: now, Dry: dry, Clock: hien.WallClock{Last: now}})
	for _, d := range gone {
		if d.What != hien.GoneEvents {
			all = append(all, fmt.Sprintf("%d %s %s", d.Count, d.What, d.Rule))
		}
	}
	slices.Sort(all)
	return all
}

func sweepAll(t testing.TB, s *Store, sweep hien.Sweep) (all []hien.Deletion, parts int) {
	t.Helper()
	for {
		part, err := s.Sweep(t.Context(), sweep, lapse(sweep.Now))
		if err != nil {
			t.Fatalf("sweep from %v: %v", sweep.From, err)
		}
		parts++
		for _, d := range part.Gone {
			i := slices.IndexFunc(all, func(a hien.Deletion) bool { return a.What == d.What && a.Rule == d.Rule })
			if i < 0 {
				all = append(all, d)
			} else {
				all[i].Count += d.Count
			}
		}
		if part.Done {
			return all, parts
		}
		if part.Next == sweep.From || parts > 1000 {
			t.Fatalf("the sweep does not get on from %v", part.Next)
		}
		sweep.From = part.Next
	}
}

// lapse makes what the gateway does.
func lapse(now hien.Moment) func(hien.Member, []consent.Purpose, string) (hien.Withdrawal, error) {
	return func(m hien.Member, purposes []consent.Purpose, channel string) (hien.Withdrawal, error) {
		var back []consent.Purpose
		for _, a := range m.Consent.Answers() {
			if a.Agreed && (len(purposes) == 0 || slices.Contains(purposes, a.Purpose)) {
				back = append(back, a.Purpose)
			}
		}
		w := hien.Withdrawal{After: m.Consent.Without(back...), Purposes: back,
			Statement: consent.StateWithdrawal(consent.NewID(), m.Consent.Subject(), back, now)}
		w.Statement.Store, w.Statement.Channel = "hcm-q1-01", channel
		var err error
		w.Event, err = hien.NewWithdrawal(w.After, back, m.Key, now, hien.Facts{Store: "hcm-q1-01"})
		return w, err
	}
}

// left ends the visit that an opt-in began.
func left(t testing.TB, s *Store, device int, visit consent.ID, m hien.Moment) {
	t.Helper()
	e := hien.EndedStay{Zone: "guest", Mark: mark(device), Stay: hien.Stay{Start: m, Last: m, Visit: visit}}
	if err := s.EndStays(t.Context(), []hien.EndedStay{e}, m, visited); err != nil {
		t.Fatal(err)
	}
}

// came records a visit of a device at a moment.
func came(t testing.TB, s *Store, device int, m hien.Moment) {
	t.Helper()
	e := hien.EndedStay{Zone: "guest", Mark: mark(device), Stay: hien.Stay{Start: m, Last: m}}
	if err := s.EndStays(t.Context(), []hien.EndedStay{e}, m, visited); err != nil {
		t.Fatal(err)
	}
}

func TestAYearLaterVisitsGo(t *testing.T) {
	s, p := begin(t), policy(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	left(t, s, 1, "c1", at(0))
	came(t, s, 1, monthsLater(6, 0))
	wantList(t, "a year later, to the day", swept(t, s, p, monthsLater(12, 0), false))
	wantList(t, "before", swept(t, s, p, monthsLater(12, 1), true), "1 visits visit_months=12")
	wantList(t, "a day after", swept(t, s, p, monthsLater(12, 1), false), "1 visits visit_months=12")
	wantList(t, "again", swept(t, s, p, monthsLater(12, 1), false))
	want(t, "visits kept", number(t, s, "SELECT count(*) FROM visits"), 1)
	want(t, "leads kept", number(t, s, "SELECT count(lead_key) FROM people"), 1)
	kept, err := s.Deletions(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "why", kept[:1], hien.Deletion{Day: consent.Day(monthsLater(12, 1).Wall), What: "visits", Rule: "visit_months=12", Policy: "vn-2026.1", Count: 1})
}

// TestALeadLapses holds that who does not come any more is forgotten, that the
// CDP is told before anything else, and that the proof stays for its time.
func TestALeadLapses(t *testing.T) {
	s, p := begin(t), policy(t)
	p.MaxAgeMonths = 60
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: all, at: at(1)})
	left(t, s, 1, "c1", at(0))
	left(t, s, 2, "c2", at(1))
	came(t, s, 2, monthsLater(11, 0)) // its visits are all too old a year later, and it is idle only later
	subject := subjectOf(t, s, 1)
	swept(t, s, p, monthsLater(24, 0), false)
	want(t, "visits of both", number(t, s, "SELECT count(*) FROM visits"), 0)
	want(t, "leads until then", number(t, s, "SELECT count(lead_key) FROM people"), 2)

	now := monthsLater(24, 1)
	wantList(t, "two years after the last visit", swept(t, s, p, now, false), "1 leads idle_months=24")
	wantList(t, "what the CDP hears", told(batch(t, s, now)), "withdrawal")
	want(t, "marks", number(t, s, "SELECT count(*) FROM marks"), 1)
	standing, err := s.Standing(t.Context(), subject)
	if err != nil || standing.AllowsAny() {
		t.Errorf("what stands: %v, %v; want nothing", standing.Answers(), err)
	}
	var channel string
	for e, err := range s.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if st, err := e.Statement(); err != nil {
			t.Fatal(err)
		} else if st.Kind == consent.KindWithdrawal {
			channel = st.Channel
		}
	}
	want(t, "the ledger's word", channel, hien.ChannelRetention)

	wantList(t, "the other a year later", swept(t, s, p, monthsLater(35, 1), false), "1 leads idle_months=24")
	want(t, "proofs", number(t, s, "SELECT count(*) FROM commitments"), 2)
	wantList(t, "the first proof three years after its end", swept(t, s, p, monthsLater(24+36, 2), false), "1 proofs evidence_months=36")
	swept(t, s, p, monthsLater(35+36, 2), false)
	want(t, "proofs", number(t, s, "SELECT count(*) FROM commitments"), 0)
	want(t, "ends", number(t, s, "SELECT count(*) FROM ended"), 0)
	verify(t, s)
}

// TestNothingIsLeftOfWhoEndedEverything three years later, but for the ledger;
// who has a withdrawal that was not delivered waits for that.
func TestNothingIsLeftOfWhoEndedEverything(t *testing.T) {
	s, p := begin(t), policy(t)
	const many = sweepPeople + 3
	for i := range many {
		optIn(t, s, application{id: consentID(i), person: i, device: i, agreed: all, at: at(i)})
	}
	optIn(t, s, application{id: "stays", person: many, device: many, agreed: all, at: at(many)})
	stays := subjectOf(t, s, many)
	for i := range many {
		if err := takeBack(t.Context(), s, hien.Who{Subject: subjectOf(t, s, i)}, at(100)); err != nil {
			t.Fatal(err)
		}
	}
	p.MaxAgeMonths, p.Retention.IdleMonths = 120, 120
	swept(t, s, p, monthsLater(36, 0), false)
	want(t, "people until then", number(t, s, "SELECT count(*) FROM people"), many+1)
	now := monthsLater(36, 1)
	wantList(t, "before", swept(t, s, p, now, true), fmt.Sprintf("%d proofs evidence_months=36", many))
	for _, e := range batch(t, s, now)[1:] { // the first is not delivered
		if err := s.Delivered(t.Context(), []consent.ID{e.ID()}); err != nil {
			t.Fatal(err)
		}
	}
	wantList(t, "before, delivered", swept(t, s, p, now, true),
		fmt.Sprintf("%d people evidence_months=36", many-1), fmt.Sprintf("%d proofs evidence_months=36", many))
	wantList(t, "three years after the end", swept(t, s, p, now, false),
		fmt.Sprintf("%d people evidence_months=36", many-1), fmt.Sprintf("%d proofs evidence_months=36", many))
	want(t, "people", number(t, s, "SELECT count(*) FROM people"), 2)
	want(t, "consents", number(t, s, "SELECT count(*) FROM consents"), 2)
	if standing, err := s.Standing(t.Context(), stays); err != nil || !standing.AllowsAny() {
		t.Errorf("who stays: %v, %v", standing.Answers(), err)
	}
	if err := s.Delivered(t.Context(), []consent.ID{batch(t, s, now)[0].ID()}); err != nil {
		t.Fatal(err)
	}
	wantList(t, "when the last was delivered", swept(t, s, p, now, false), "1 people evidence_months=36")
	want(t, "entries of the ledger", number(t, s, "SELECT count(*) FROM ledger"), 2*many+1)
	verify(t, s)
}

// TestAnOldConsentExpires by purposes: one that was asked for again stands.
func TestAnOldConsentExpires(t *testing.T) {
	s, p := begin(t), policy(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	optIn(t, s, application{id: "c2", person: 1, device: 1, asked: []consent.Purpose{zalo}, agreed: []consent.Purpose{zalo}, at: monthsLater(12, 0)})
	came(t, s, 1, monthsLater(23, 0))
	swept(t, s, p, monthsLater(24, 0), false)
	want(t, "purposes until then", number(t, s, "SELECT count(*) FROM standing WHERE agreed = 1"), 2)
	wantList(t, "two years after the consent", swept(t, s, p, monthsLater(24, 1), false), "1 purposes max_age_months=24")
	var left consent.Purpose
	if err := s.db.QueryRow("SELECT purpose FROM standing WHERE agreed = 1").Scan(&left); err != nil || left != zalo {
		t.Errorf("what stands: %v, %v; want the one that was asked for again", left, err)
	}
	want(t, "the first consent has ended", number(t, s, "SELECT count(*) FROM ended WHERE consent = 1"), 1)
	want(t, "its visits went with it", number(t, s, "SELECT count(*) FROM visits"), 0)
	verify(t, s)
}

// TestAMomentThatNobodyKnows holds that a consent of a boot whose clock was
// never set counts from the first sweep on.
func TestAMomentThatNobodyKnows(t *testing.T) {
	s, p := begin(t), policy(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: guess(0)}) // says 2025
	next := func(months, days int) hien.Moment {
		m := monthsLater(months, days)
		m.Boot = "boot-2"
		return m
	}
	if err := s.EndStays(t.Context(), nil, next(1, 0), visited); err != nil {
		t.Fatal(err)
	}
	wantList(t, "the first sweep", swept(t, s, p, next(23, 0), false))
	want(t, "leads", number(t, s, "SELECT count(lead_key) FROM people"), 1)
	wantList(t, "a sweep two years after it", swept(t, s, p, next(47, 2), false),
		"1 leads idle_months=24", "1 visits idle_months=24")
}

// TestWhatWasParkedBeforeTheClockWasSetAges by the clock as it was set later in
// the same boot, or else from the first sweep of a later one on; and what ends
// something upstream stays for ever.
func TestWhatWasParkedBeforeTheClockWasSetAges(t *testing.T) {
	day := func(n int, boot string) hien.Moment {
		m := monthsLater(0, n)
		m.Boot = boot
		return m
	}
	for name, c := range map[string]struct {
		set  hien.Moment // when the clock is first right
		last int         // the last day on which it is kept
	}{
		"the clock was set in that boot":      {day(2, "boot-1"), 90},
		"the clock was set in the boot after": {day(2, "boot-2"), 92},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := begin(t), policy(t)
			optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: guess(0)})
			if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c1")}, guess(0), visits); err != nil {
				t.Fatal(err)
			}
			answers := map[consent.ID]string{}
			for _, e := range batch(t, s, guess(0)) {
				answers[e.ID()] = "400"
			}
			if err := s.Park(t.Context(), answers, guess(0)); err != nil || len(answers) != 2 {
				t.Fatalf("parked %d, %v; want the lead and the withdrawal", len(answers), err)
			}
			sweep := func(now hien.Moment, dry bool) (events int) {
				all, _ := sweepAll(t, s, hien.Sweep{Terms: p.Terms(now.Wall), Now: now, Dry: dry, Clock: hien.WallClock{Last: now}})
				for _, d := range all {
					if d.What == hien.GoneEvents {
						events += d.Count
					}
				}
				return events
			}
			sweep(c.set, false)
			want(t, "on the last day", sweep(day(c.last, c.set.Boot), false), 0)
			want(t, "parked then", number(t, s, "SELECT count(*) FROM parked"), 2)
			want(t, "the day after, asked", sweep(day(c.last+1, c.set.Boot), true), 1)
			want(t, "the day after", sweep(day(c.last+1, c.set.Boot), false), 1)
			want(t, "what is left", number(t, s, "SELECT count(*) FROM parked WHERE kind = 'withdrawal'"), 1)
			want(t, "and nothing else", number(t, s, "SELECT count(*) FROM parked"), 1)
		})
	}
}

// TestTheCourierAgesWhatWasParkedBeforeTheClockWasSet, in a shop whose policy
// cannot be read and that so has no sweeps; and the moments of the event are
// corrected with it.
func TestTheCourierAgesWhatWasParkedBeforeTheClockWasSet(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: []consent.Purpose{zalo}, at: guess(0)})
	if err := s.Park(t.Context(), map[consent.ID]string{batch(t, s, guess(1))[0].ID(): "400"}, guess(3)); err != nil {
		t.Fatal(err)
	}
	batch(t, s, at(10))
	people, err := s.Person(t.Context(), hien.Who{Receipt: receipt("c1")})
	if err != nil || len(people[0].Events) != 1 || people[0].Events[0].At != at(0) {
		t.Errorf("the event happened at %v, %v; want %v", people[0].Events, err, at(0))
	}
	batch(t, s, monthsLater(0, 90))
	want(t, "parked after 90 days", number(t, s, "SELECT count(*) FROM parked"), 1)
	batch(t, s, monthsLater(0, 91))
	want(t, "parked after 91 days", number(t, s, "SELECT count(*) FROM parked"), 0)
}

// TestALongSweepLetsOthersIn: a record with many visits is gone through in
// parts, and between them the connection is free.
func TestALongSweepLetsOthersIn(t *testing.T) {
	s, p := begin(t), policy(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	const many = 3*sweepRows + 7
	if err := s.write(t.Context(), "make visits", func(t *tx) error {
		_, err := t.Exec(`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO visits (person, number, id, zone, start_wall, start_boot, start_up, start_in_step, end_wall, end_boot, end_up, end_in_step)
			SELECT 1, i, hex(randomblob(16)), 'guest', ?, 'boot-1', i, 1, ?, 'boot-1', i, 1 FROM n`, many, at(0).Wall.UnixNano(), at(1).Wall.UnixNano())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	now := monthsLater(13, 0)
	terms := p.Terms(now.Wall)
	gone, parts := sweepAll(t, s, hien.Sweep{Terms: terms, Now: now, Clock: hien.WallClock{Last: now}})
	if len(gone) == 0 || gone[0].What != "visits" || gone[0].Count != many-1 {
		t.Errorf("gone: %v; want %d visits", gone, many-1) // the first goes on
	}
	if least := many/sweepRows + 4; parts < least {
		t.Errorf("%d parts; want at least %d", parts, least)
	}
}

// TestASweepOfNothingWritesNothing: it is flash.
func TestASweepOfNothingWritesNothing(t *testing.T) {
	s, p := begin(t), policy(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)})
	now := monthsLater(1, 0)
	sweep := hien.Sweep{Terms: p.Terms(now.Wall), Now: now, Clock: hien.WallClock{Last: now}}
	sweepAll(t, s, sweep)
	before := number(t, s, "SELECT total_changes()")
	sweepAll(t, s, sweep)
	want(t, "rows changed", number(t, s, "SELECT total_changes()")-before, 0)
}

// TestRequestsGoFiveYearsAfterTheirEnd, and never while they are open.
func TestRequestsGoFiveYearsAfterTheirEnd(t *testing.T) {
	s, p := begin(t), policy(t)
	open := func(closed time.Time) {
		t.Helper()
		r := hien.Request{Kind: "erase", Channel: "phone", By: "lan", Policy: "vn-2026.1", Received: at(0).Wall, Due: at(0).Wall, Latest: at(0).Wall, Closed: closed}
		if _, err := s.OpenRequest(t.Context(), r, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	open(at(1).Wall)
	open(monthsLater(1, 0).Wall)
	open(time.Time{}) // it was never answered
	wantList(t, "five years later, to the day", swept(t, s, p, monthsLater(60, 0), false))
	wantList(t, "a day later, asked", swept(t, s, p, monthsLater(60, 1), true), "1 requests request_months=60")
	wantList(t, "a day later", swept(t, s, p, monthsLater(60, 1), false), "1 requests request_months=60")
	want(t, "requests", number(t, s, "SELECT count(*) FROM requests"), 2)
	swept(t, s, p, monthsLater(90, 0), false)
	want(t, "what is open stays", number(t, s, "SELECT count(*) FROM requests"), 1)
}

func TestTheDateIsRemembered(t *testing.T) {
	s := begin(t)
	get := func() hien.WallClock {
		w, err := s.WallClock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	want(t, "of an empty record", get(), hien.WallClock{})
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(3)})
	want(t, "of the latest consent", get(), hien.WallClock{Last: at(3)})
	doubted := hien.WallClock{Last: at(5), Doubt: monthsLater(90, 0)}
	if err := s.KeepWallClock(t.Context(), doubted); err != nil {
		t.Fatal(err)
	}
	want(t, "of a doubt", get(), doubted)
}

func TestDeletionsAreBounded(t *testing.T) {
	s, p := begin(t), policy(t)
	if err := s.write(t.Context(), "make deletions", func(t *tx) error {
		_, err := t.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO deletions SELECT '2026-09-30', 'visits', 'rule ' || i, 'p', 1 FROM n`, MaxDeletions+10)
		if err == nil {
			_, err = t.Exec("INSERT INTO deletions VALUES ('2019-01-01', 'visits', 'old', 'p', 1)")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	swept(t, s, p, at(0), false)
	want(t, "lines", number(t, s, "SELECT count(*) FROM deletions"), MaxDeletions)
	want(t, "lines of 2019", number(t, s, "SELECT count(*) FROM deletions WHERE day < '2020'"), 0)
}

// TestNothingYoungGoesAndNothingOldStays lets years pass with made-up people
// who come, consent, withdraw and stay away, sweeps now and then, and holds
// what is there against a model that counts by the calendar.
func TestNothingYoungGoesAndNothingOldStays(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := begin(t)
		p := policy(t)
		p.Retention.VisitMonths = rapid.IntRange(1, 6).Draw(r, "visit_months")
		p.Retention.IdleMonths = rapid.IntRange(1, 8).Draw(r, "idle_months")
		p.Retention.EvidenceMonths = rapid.IntRange(1, 8).Draw(r, "evidence_months")
		p.MaxAgeMonths = rapid.IntRange(1, 8).Draw(r, "max_age_months")
		visitsAt := map[int][]time.Time{}                // by person, oldest first
		given := map[int]map[consent.Purpose]time.Time{} // by person: when what stands was given
		lastGiven := map[int]time.Time{}                 // whatever was answered
		proofs := map[int64]time.Time{}                  // by ledger entry: when its consent ended; zero: it has not
		seqOf := map[int]map[consent.Purpose]int64{}     // which entry a purpose stands by
		lastSeen := map[int]time.Time{}                  // the last visit, whether it is kept or not
		forget := func(person int) {
			delete(visitsAt, person)
			delete(given, person)
			delete(seqOf, person)
			delete(lastSeen, person)
		}
		end := func(person int, gone []consent.Purpose, now time.Time) {
			before := slices.Sorted(maps.Values(seqOf[person]))
			for _, q := range gone {
				delete(given[person], q)
				delete(seqOf[person], q)
			}
			after := slices.Collect(maps.Values(seqOf[person]))
			for _, seq := range before {
				if !slices.Contains(after, seq) {
					proofs[seq] = now
				}
			}
			if _, ok := given[person][visits]; !ok {
				delete(visitsAt, person)
				delete(lastSeen, person)
			}
			if len(given[person]) == 0 {
				forget(person)
			}
		}
		m, day := at(0), 0
		pass := func(d time.Duration) { m.Wall, m.Up = m.Wall.Add(d), m.Up+d }
		for i := range rapid.IntRange(5, 40).Draw(r, "deeds") {
			pass(time.Duration(rapid.IntRange(1, 40*24).Draw(r, "hours")) * time.Hour)
			person := rapid.IntRange(1, 4).Draw(r, "person")
			switch rapid.SampledFrom([]string{"visit", "visit", "visit", "give", "give", "withdraw", "sweep", "sweep"}).Draw(r, "deed") {
			case "visit":
				if _, ok := given[person][visits]; ok {
					came(t, s, person, m)
					visitsAt[person] = append(visitsAt[person], m.Wall)
					lastSeen[person] = m.Wall
				}
			case "give":
				agreed := rapid.SampledFrom([][]consent.Purpose{{visits}, {zalo}, {visits, zalo}}).Draw(r, "agreed")
				optIn(t, s, application{id: consentID(i), person: person, device: person, asked: agreed, agreed: agreed, at: m})
				left(t, s, person, consentID(i), m)
				seq := int64(number(t, s, "SELECT seq FROM ledger_head"))
				if given[person] == nil {
					given[person], seqOf[person] = map[consent.Purpose]time.Time{}, map[consent.Purpose]int64{}
				}
				before := slices.Sorted(maps.Values(seqOf[person]))
				for _, q := range agreed {
					given[person][q], seqOf[person][q] = m.Wall, seq
				}
				proofs[seq] = time.Time{}
				for _, was := range before {
					if !slices.Contains(slices.Collect(maps.Values(seqOf[person])), was) {
						proofs[was] = m.Wall
					}
				}
				lastGiven[person] = m.Wall
				if _, ok := given[person][visits]; ok {
					visitsAt[person] = append(visitsAt[person], m.Wall)
					lastSeen[person] = m.Wall
				}
			case "withdraw":
				if len(given[person]) > 0 {
					if err := takeBack(t.Context(), s, hien.Who{Subject: subjectOf(t, s, person)}, m); err != nil {
						r.Fatal(err)
					}
					end(person, []consent.Purpose{visits, zalo}, m.Wall)
				}
			case "sweep":
				day++
				swept(t, s, p, m, false)
				over := func(since time.Time, months int) bool { return pastTerm(since, months, m.Wall) }
				for person := range given {
					last := lastGiven[person]
					for _, at := range given[person] {
						if at.After(last) {
							last = at
						}
					}
					if lastSeen[person].After(last) {
						last = lastSeen[person]
					}
					switch {
					case over(last, p.Retention.IdleMonths):
						end(person, []consent.Purpose{visits, zalo}, m.Wall)
					default:
						var old []consent.Purpose
						for q, at := range given[person] {
							if over(at, p.MaxAgeMonths) {
								old = append(old, q)
							}
						}
						end(person, old, m.Wall)
					}
				}
				for person := range visitsAt {
					visitsAt[person] = slices.DeleteFunc(visitsAt[person], func(at time.Time) bool { return over(at, p.Retention.VisitMonths) })
				}
				maps.DeleteFunc(proofs, func(_ int64, ended time.Time) bool { return !ended.IsZero() && over(ended, p.Retention.EvidenceMonths) })
				// Now the record must hold what the model holds.
				var kept int
				for _, v := range visitsAt {
					kept += len(v)
				}
				if got := number(t, s, "SELECT count(*) FROM visits"); got != kept {
					r.Fatalf("after %v, sweep %d: %d visits; want %d", m.Wall, day, got, kept)
				}
				if got := number(t, s, "SELECT count(lead_key) FROM people"); got != len(given) {
					r.Fatalf("after %v, sweep %d: %d leads; want %d", m.Wall, day, got, len(given))
				}
				stands := 0
				for _, g := range given {
					stands += len(g)
				}
				if got := number(t, s, "SELECT count(*) FROM standing WHERE agreed = 1"); got != stands {
					r.Fatalf("after %v, sweep %d: %d purposes stand; want %d", m.Wall, day, got, stands)
				}
				if got := number(t, s, "SELECT count(*) FROM commitments"); got != len(proofs) {
					r.Fatalf("after %v, sweep %d: %d proofs; want %d", m.Wall, day, got, len(proofs))
				}
			}
		}
		verify(t, s)
	})
}

// pastTerm counts by the calendar, day by day, without the code's arithmetic:
// whether the day now has a day so many months before it that is later than
// the day of since.
func pastTerm(since time.Time, months int, now time.Time) bool {
	hanoi := time.FixedZone("", 7*60*60)
	date := func(t time.Time) string { return t.In(hanoi).Format("2006-01-02") }
	var y, m, d int
	fmt.Sscanf(date(now), "%d-%d-%d", &y, &m, &d)
	for m -= months; m < 1; m += 12 {
		y--
	}
	for ; d > 28; d-- { // the last day that this month has
		if _, err := time.Parse("2006-01-02", fmt.Sprintf("%04d-%02d-%02d", y, m, d)); err == nil {
			break
		}
	}
	return strings.Compare(date(since), fmt.Sprintf("%04d-%02d-%02d", y, m, d)) < 0
}
