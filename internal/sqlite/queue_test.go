package sqlite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func ids(events []hien.Event) (list []consent.ID) {
	for _, e := range events {
		list = append(list, e.ID())
	}
	return list
}

func waiting(t testing.TB, s *Store) int {
	t.Helper()
	c, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "events that the limit counts", int(s.waiting.Load()), c.Waiting)
	return c.Waiting
}

func TestABatchIsOldestFirstAndWithdrawalsBeforeEverything(t *testing.T) {
	s := begin(t)
	for i := 1; i <= 4; i++ {
		optIn(t, s, application{id: consentID(i), person: i, device: i, agreed: []consent.Purpose{zalo}, at: at(i)})
	}
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt(consentID(4))}, at(5)); err != nil {
		t.Fatal(err)
	}
	b, err := s.Batch(t.Context(), 3, at(6))
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "batch", told(b), "withdrawal", "lead contact_zalo", "lead contact_zalo")
	want(t, "first lead", b[1].User(), lead(1))
	want(t, "second lead", b[2].User(), lead(2))
	want(t, "of the withdrawal", b[0].User(), lead(4))
	want(t, "waiting", waiting(t, s), 4)

	if err := s.Delivered(t.Context(), ids(b)); err != nil {
		t.Fatal(err)
	}
	if err := s.Delivered(t.Context(), ids(b)); err != nil { // told twice
		t.Fatal(err)
	}
	want(t, "waiting", waiting(t, s), 1)
	s = func() *Store { s.Close(); return reopen(t, s.path) }()
	want(t, "waiting after a restart", waiting(t, s), 1)
	want(t, "the rest", batch(t, s, at(7))[0].User(), lead(3))
	if b, err := s.Batch(t.Context(), 0, at(7)); err != nil || len(b) != 0 {
		t.Errorf("a batch of none: got %d, %v", len(b), err)
	}
}

func TestAnEventComesBackAsItWasWithTheConsentAsItStands(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: []consent.Purpose{zalo}, at: at(1)})
	before := batch(t, s, at(2))[0]
	optIn(t, s, application{id: "c2", person: 1, device: 1, asked: []consent.Purpose{visits}, agreed: []consent.Purpose{visits}, at: at(2)})
	after := batch(t, s, at(3))[0]
	want(t, "id", after.ID(), before.ID())
	want(t, "at", after.At(), at(1))
	want(t, "sealed", after.Facts().Sealed, sealed("c1"))
	want(t, "sealed for", after.Facts().SealedFor, "c1")
	want(t, "allowed visits before", before.Consent().Allows(visits), false)
	want(t, "allows visits now", after.Consent().Allows(visits), true)
}

// Every path that ends a purpose deletes its events. If one ever forgets,
// the purpose is asked for again when the batch is built (R-CON-7).
func TestAPurposeIsLookedAtAgainWhenTheBatchIsBuilt(t *testing.T) {
	s := begin(t)
	for i := range 5 {
		optIn(t, s, application{id: consentID(i), person: i, device: i, agreed: all, at: at(i)})
	}
	if _, err := s.db.Exec("UPDATE standing SET agreed = 0 WHERE purpose = ? AND consent < 5", zalo); err != nil {
		t.Fatal(err)
	}
	b, err := s.Batch(t.Context(), 3, at(9))
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "batch", told(b), "lead visit_frequency", "lead visit_frequency", "lead visit_frequency")
	wantList(t, "whole queue", told(batch(t, s, at(9))), "lead visit_frequency", "lead visit_frequency",
		"lead visit_frequency", "lead visit_frequency", "lead visit_frequency", "lead contact_zalo")
	want(t, "rows", number(t, s, "SELECT count(*) FROM events"), 6)
	want(t, "waiting", waiting(t, s), 6)
}

func TestMomentsAreRestampedOnceTheClockIsInStep(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: guess(5)})
	early := hien.EndedStay{Zone: "guest", Mark: mark(1), Stay: hien.Stay{Start: guess(5), Last: guess(30), Visit: "c1"}}
	endStays(t, s, guess(60), early)
	other := guess(2)
	other.Boot = "boot-0"
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: []consent.Purpose{zalo}, at: other})

	for _, e := range batch(t, s, guess(61)) {
		want(t, "in step before the clock is", e.At().InStep, false)
	}
	for range 2 {
		b := batch(t, s, at(70))
		wantMoments := []hien.Moment{guess(5).Restamp(at(70)), guess(5).Restamp(at(70)), guess(30).Restamp(at(70)), other}
		for i, e := range b {
			want(t, fmt.Sprintf("moment of %s %s", e.Kind(), e.Purpose()), e.At(), wantMoments[i])
		}
		want(t, "as if the clock had been set", b[0].At(), at(5))
	}
	m, err := s.Member(t.Context(), mark(1))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "visit", m.LastVisit, at(5))
	want(t, "consent", m.Consent.At(), at(5))
	want(t, "visits of this boot that are not in step",
		number(t, s, "SELECT count(*) FROM visits WHERE (start_in_step = 0 OR end_in_step = 0) AND start_boot = 'boot-1'"), 0)
	verify(t, s) // the ledger keeps what was signed
}

func TestAParkedEventStandsAsideWithItsAnswer(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(1)})
	b := batch(t, s, at(2))
	answers := map[consent.ID]string{b[0].ID(): "400 " + strings.Repeat("x", 2*maxAnswer), "never heard of": "400"}
	if err := s.Park(t.Context(), answers, at(3)); err != nil {
		t.Fatal(err)
	}
	want(t, "waiting", waiting(t, s), 1)
	wantList(t, "batch", ids(batch(t, s, at(4))), b[1].ID())
	q, err := s.Queue(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "rows", len(q), 2)
	want(t, "parked", q[0].Parked, true)
	want(t, "answer", q[0].Answer, answers[b[0].ID()][:maxAnswer])
	want(t, "parked at", number(t, s, "SELECT parked_wall = ? FROM parked", at(3).Wall.UnixNano()), 1)
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c1")}, at(5)); err != nil {
		t.Fatal(err)
	}
	want(t, "parked after a withdrawal", number(t, s, "SELECT count(*) FROM parked"), 0)
}

func TestAnEventThatCannotBeReadIsParkedAndHoldsUpNobody(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: all, at: at(1)})
	if _, err := s.db.Exec("UPDATE events SET facts = '{' WHERE purpose = ?", visits); err != nil {
		t.Fatal(err)
	}
	wantList(t, "batch", told(batch(t, s, at(2))), "lead contact_zalo")
	want(t, "parked", number(t, s, "SELECT count(*) FROM parked"), 1)
	want(t, "waiting", waiting(t, s), 1)
}

func TestTheQueueDropsTheOldestBeyondItsLimitAndNeverAWithdrawal(t *testing.T) {
	s := begin(t, func(o *Options) { o.limit = 4 })
	optIn(t, s, application{id: "c0", person: 0, device: 0, agreed: all, at: at(0)})
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c0")}, at(0)); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 6; i++ {
		optIn(t, s, application{id: consentID(i), person: i, device: i, agreed: []consent.Purpose{zalo}, at: at(i)})
	}
	b := batch(t, s, at(9))
	wantList(t, "queue", told(b), "withdrawal", "lead contact_zalo", "lead contact_zalo", "lead contact_zalo")
	want(t, "oldest kept", b[1].User(), lead(4))
	want(t, "waiting", waiting(t, s), 4)
	c, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "dropped", c.Dropped, 3)
}

func TestTheQueueDropsWhatIsOlderThanItsAge(t *testing.T) {
	days := func(n int) hien.Moment { return at(n * 24 * 60) }
	fill := func(t *testing.T, moments ...hien.Moment) *Store {
		s := begin(t)
		for i, m := range moments {
			optIn(t, s, application{id: consentID(i), person: i, device: i, agreed: []consent.Purpose{zalo}, at: m})
		}
		return s
	}
	old := guess(0)
	old.Boot = "boot-0"
	wrong := days(400) // as a time server says that is wrong, after a start
	wrong.Boot, wrong.Up = "boot-2", time.Hour
	for name, c := range map[string]struct {
		queued []hien.Moment
		now    hien.Moment
		want   int
	}{
		"nothing is old":  {[]hien.Moment{days(0), days(1)}, days(90), 2},
		"one is too old":  {[]hien.Moment{days(0), days(1)}, days(91), 1},
		"all are too old": {[]hien.Moment{days(0), days(1)}, days(200), 0},
		"one of an unknown age before an old one":  {[]hien.Moment{old, days(1), days(100)}, days(101), 1},
		"one of an unknown age before a young one": {[]hien.Moment{old, days(100)}, days(101), 2},
		"a date that is far ahead is doubted":      {[]hien.Moment{days(0), days(1)}, wrong, 2},
		"a clock that is not in step says nothing": {[]hien.Moment{days(0)}, guess(200 * 24 * 60), 1},
		"a queue whose clock was never set stays":  {[]hien.Moment{old, old}, days(400), 2},
		"an empty queue": {nil, days(400), 0},
		"one after the last old one whose age is open": {[]hien.Moment{days(0), old}, days(400), 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := fill(t, c.queued...)
			want(t, "batch", len(batch(t, s, c.now)), c.want)
			want(t, "waiting", waiting(t, s), c.want)
			want(t, "dropped", number(t, s, "SELECT events FROM dropped"), len(c.queued)-c.want)
		})
	}
	t.Run("a withdrawal is never too old", func(t *testing.T) {
		s := fill(t, days(0))
		if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt(consentID(0))}, days(0)); err != nil {
			t.Fatal(err)
		}
		wantList(t, "batch", told(batch(t, s, days(400))), "withdrawal")
	})
}

func TestTheParkedAreLimitedToo(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: []consent.Purpose{zalo}, at: at(1)})
	if _, err := s.db.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO parked SELECT NULL, 'p' || i, kind, purpose, person, user_key, wall, boot, up, in_step, facts, '400', 0, 'boot-0', 0, 0
		FROM n, events`, MaxParked); err != nil {
		t.Fatal(err)
	}
	if err := s.Park(t.Context(), map[consent.ID]string{batch(t, s, at(2))[0].ID(): "400"}, at(2)); err != nil {
		t.Fatal(err)
	}
	want(t, "parked", number(t, s, "SELECT count(*) FROM parked"), MaxParked)
	want(t, "the oldest", number(t, s, "SELECT count(*) FROM parked WHERE id = 'p1'"), 0)
	want(t, "dropped", number(t, s, "SELECT events FROM dropped"), 1)

	batch(t, s, at(89*24*60))
	want(t, "parked after 89 days", number(t, s, "SELECT count(*) FROM parked WHERE parked_in_step = 1"), 1)
	batch(t, s, at(91*24*60))
	want(t, "parked after 91 days", number(t, s, "SELECT count(*) FROM parked WHERE parked_in_step = 1"), 0)
}

// With 50,000 events waiting none of the statements that run often may read
// the whole queue, or all visits, or all consents.
func TestNothingThatRunsOftenReadsAWholeTable(t *testing.T) {
	s := begin(t)
	for _, c := range []struct {
		statement string
		args      int
	}{
		{"SELECT seq FROM events WHERE " + erasures + " AND seq > ? ORDER BY seq LIMIT ?", 2},
		{"SELECT seq FROM events WHERE " + withdrawals + " AND seq > ? ORDER BY seq LIMIT ?", 2},
		{"SELECT seq FROM events WHERE " + endsNothing + " AND seq > ? ORDER BY seq LIMIT ?", 2},
		{"SELECT day FROM tombstones WHERE mark = ?", 1},
		{"DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?)) AND id IN (SELECT value FROM json_each(?))", 2},
		{"DELETE FROM events WHERE person = ? AND purpose = ? AND " + endsNothing, 2},
		{"UPDATE events SET wall = ? + (up - ?), in_step = 1 WHERE in_step = 0 AND boot = ?", 3},
		{"UPDATE consents SET wall = ? + (up - ?), in_step = 1 WHERE in_step = 0 AND boot = ?", 3},
		{"UPDATE audit SET wall = ? + (up - ?), in_step = 1 WHERE in_step = 0 AND boot = ?", 3},
		{"UPDATE visits SET start_wall = ? + (start_up - ?), start_in_step = 1 WHERE start_in_step = 0 AND start_boot = ?", 3},
		{"UPDATE visits SET end_wall = ? + (end_up - ?), end_in_step = 1 WHERE end_in_step = 0 AND end_boot = ?", 3},
		{"SELECT " + visitColumns + " FROM visits JOIN people USING (person) WHERE end_boot IS NULL AND start_boot <> ? ORDER BY +person, number", 1},
		{"SELECT " + visitColumns + " FROM visits JOIN people USING (person) WHERE person = ? AND (id = ? OR start_boot = ? AND start_up = ?) ORDER BY +person, number", 4},
		{"SELECT number FROM visits WHERE person = ? ORDER BY number DESC LIMIT 1", 1},
		{"SELECT person FROM marks WHERE mark = ?", 1},
		{"SELECT purposes FROM refusals WHERE mark = ? AND day >= ?", 2},
		{"SELECT subject FROM people WHERE lead_key = ?", 1},
		{"SELECT person FROM receipts JOIN consents ON seq = consent WHERE secret = ?", 1},
		{"SELECT seq FROM ledger WHERE seq > ? ORDER BY seq LIMIT ?", 2},
	} {
		args := make([]any, c.args)
		for i := range args {
			args[i] = i
		}
		rows, err := s.db.Query("EXPLAIN QUERY PLAN "+c.statement, args...)
		if err != nil {
			t.Fatalf("%s: %v", c.statement, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			// An index of its own over few rows, and the argument, may be read whole.
			if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "visits_open") && !strings.Contains(detail, "events_erasures") && !strings.Contains(detail, "events_withdrawals") && !strings.Contains(detail, "json_each") {
				t.Errorf("%s:\n%s", c.statement, detail)
			}
		}
		rows.Close()
	}
}

func TestTheRealLimitsAreCarriedOutInOneOptIn(t *testing.T) {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: []consent.Purpose{zalo}, at: at(1)})
	if _, err := s.db.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO events SELECT NULL, 'e' || i, kind, purpose, person, user_key, wall, boot, up, in_step, facts
		FROM n, events`, MaxWaiting-1); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = reopen(t, s.path)
	want(t, "waiting", waiting(t, s), MaxWaiting)
	start := time.Now()
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: []consent.Purpose{zalo}, at: at(2)})
	t.Logf("an opt-in with a full queue: %v", time.Since(start))
	want(t, "waiting", waiting(t, s), MaxWaiting)
	want(t, "dropped", number(t, s, "SELECT events FROM dropped"), 1)
	start = time.Now()
	if _, err := s.Batch(t.Context(), 100, at(3)); err != nil {
		t.Fatal(err)
	}
	t.Logf("a batch of 100 from a full queue: %v", time.Since(start))
	start = time.Now()
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c2")}, at(4)); err != nil {
		t.Fatal(err)
	}
	t.Logf("a withdrawal with a full queue: %v", time.Since(start))
}
