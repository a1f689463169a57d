package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A model is the record as one would explain it on paper: what each person
// last said to each purpose, and the events that wait.
type model struct {
	t       *rapid.T
	ctx     context.Context
	store   *Store
	minute  int
	answers map[int]map[consent.Purpose]bool // of each living lead
	owner   map[int]int                      // device → person
	visits  map[int]int                      // person → how many
	stays   map[int]consent.ID               // device → the visit that its stay opened
	queue   []modelEvent
	entries int
	rows    map[int]int  // person → under how many names the record knows it: a lead that comes back has another
	buried  map[int]bool // erased, and has not agreed to anything since
}

type modelEvent struct {
	person     int
	purpose    consent.Purpose // empty: a withdrawal, or an erasure
	visit      bool
	withdrawal int // entries in the ledger when it was told
	erasure    int // the same
}

// turn is when an event goes: erasures, withdrawals, everything else.
func (e modelEvent) turn() int {
	switch {
	case e.erasure > 0:
		return 0
	case e.withdrawal > 0:
		return 1
	}
	return 2
}

var asked = []consent.Purpose{visits, zalo, sms}

func (m *model) forget(person int, gone []consent.Purpose) {
	m.queue = slices.DeleteFunc(m.queue, func(e modelEvent) bool {
		return e.person == person && slices.Contains(gone, e.purpose)
	})
	if slices.Contains(gone, visits) {
		delete(m.visits, person)
		maps.DeleteFunc(m.owner, func(_, p int) bool { return p == person })
	}
	if !slices.Contains(slices.Collect(maps.Values(m.answers[person])), true) {
		delete(m.answers, person)
	}
}

func (m *model) OptIn(t *rapid.T) {
	m.minute++
	a := application{id: consent.NewID(), at: at(m.minute),
		person: rapid.IntRange(1, 4).Draw(t, "person"), device: rapid.IntRange(1, 4).Draw(t, "device")}
	a.asked = rapid.SliceOfNDistinct(rapid.SampledFrom(asked), 1, 3, rapid.ID[consent.Purpose]).Draw(t, "asked")
	for _, p := range a.asked {
		if rapid.Bool().Draw(t, "agrees to "+string(p)) {
			a.agreed = append(a.agreed, p)
		}
	}
	for range rapid.IntRange(1, 2).Draw(t, "times") { // twice is once
		if err := m.store.OptIn(m.ctx, lead(a.person), a.record); err != nil {
			t.Fatal(err)
		}
	}
	m.entries++
	if m.answers[a.person] == nil {
		m.rows[a.person]++
		m.answers[a.person] = make(map[consent.Purpose]bool)
	}
	var gone []consent.Purpose
	for _, p := range a.asked {
		agreed := slices.Contains(a.agreed, p)
		if m.answers[a.person][p] && !agreed {
			gone = append(gone, p)
		}
		m.answers[a.person][p] = agreed
	}
	if slices.Contains(a.agreed, visits) {
		m.owner[a.device] = a.person
		m.visits[a.person]++
		m.stays[a.device] = a.id
	}
	m.forget(a.person, gone)
	if len(a.agreed) > 0 {
		delete(m.buried, a.person)
	}
	for _, p := range a.agreed {
		m.queue = append(m.queue, modelEvent{person: a.person, purpose: p})
	}
}

func (m *model) Withdraw(t *rapid.T) {
	person := rapid.IntRange(1, 4).Draw(t, "person")
	answers := m.answers[person]
	if answers == nil {
		return
	}
	m.minute++
	named := rapid.SliceOfNDistinct(rapid.SampledFrom(asked), 0, 3, rapid.ID[consent.Purpose]).Draw(t, "purposes")
	var gone []consent.Purpose
	for p, agreed := range answers {
		if agreed && (len(named) == 0 || slices.Contains(named, p)) {
			gone = append(gone, p)
			answers[p] = false
		}
	}
	var subject consent.ID
	if err := m.store.db.QueryRow("SELECT subject FROM people WHERE lead_key = ?", lead(person)).Scan(&subject); err != nil {
		t.Fatal(err)
	}
	err := takeBack(m.ctx, m.store, hien.Who{Subject: subject}, at(m.minute), named...)
	if len(gone) == 0 {
		if !errors.Is(err, hien.ErrUnchanged) {
			t.Fatalf("nothing to withdraw: got %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.entries++
	m.forget(person, gone)
	m.queue = append(m.queue, modelEvent{person: person, withdrawal: m.entries})
}

func (m *model) Erase(t *rapid.T) {
	person := rapid.IntRange(1, 4).Draw(t, "person")
	m.minute++
	_, err := forgetAs(m.ctx, m.store, hien.Who{Key: lead(person)}, at(m.minute))
	if m.rows[person] == 0 {
		if !errors.Is(err, hien.ErrNoReceipt) {
			t.Fatalf("erase nobody: got %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.entries += m.rows[person]
	m.buried[person] = true
	delete(m.rows, person)
	delete(m.answers, person)
	delete(m.visits, person)
	maps.DeleteFunc(m.owner, func(_, p int) bool { return p == person })
	// What was withdrawn before need not be told any more; what was erased
	// before must.
	m.queue = slices.DeleteFunc(m.queue, func(e modelEvent) bool { return e.person == person && e.erasure == 0 })
	m.queue = append(m.queue, modelEvent{person: person, erasure: m.entries})
}

func (m *model) ChangeNumber(t *rapid.T) {
	from, to := rapid.IntRange(1, 4).Draw(t, "person"), rapid.IntRange(1, 4).Draw(t, "new number")
	m.minute++
	err := correctTo(m.ctx, m.store, hien.Who{Key: lead(from)}, to, at(m.minute))
	var refusal error
	switch {
	case m.rows[from] == 0:
		refusal = hien.ErrNoReceipt
	case m.answers[to] != nil && from == to:
		refusal = hien.ErrUnchanged
	case m.answers[to] != nil:
		refusal = hien.ErrTaken
	case m.answers[from] == nil:
		refusal = hien.ErrNoNumber
	}
	if !errors.Is(err, refusal) {
		t.Fatalf("change the number of %d to that of %d: got %v, want %v", from, to, err, refusal)
	}
	if err != nil {
		return
	}
	m.entries += m.rows[from]
	m.rows[to] += m.rows[from] // who had the number before, and took back everything, is the same person now
	m.answers[to], m.visits[to] = m.answers[from], m.visits[from]
	for device, owner := range m.owner {
		if owner == from {
			m.owner[device] = to
		}
	}
	delete(m.rows, from)
	delete(m.answers, from)
	delete(m.visits, from)
	delete(m.buried, to)
	m.buried[from] = true
	m.queue = slices.DeleteFunc(m.queue, func(e modelEvent) bool { return e.person == from && e.erasure == 0 })
	m.queue = append(m.queue, modelEvent{person: from, erasure: m.entries})
	for _, p := range slices.Sorted(maps.Keys(m.answers[to])) {
		if m.answers[to][p] {
			m.queue = append(m.queue, modelEvent{person: to, purpose: p})
		}
	}
}

func (m *model) EndStays(t *rapid.T) {
	device := rapid.IntRange(1, 5).Draw(t, "device")
	m.minute += 2
	s := stay(device, m.minute-1, m.minute, m.stays[device])
	opened := m.stays[device] != ""
	for range rapid.IntRange(1, 2).Draw(t, "times") { // twice is once
		if err := m.store.EndStays(m.ctx, []hien.EndedStay{s}, at(m.minute), visited); err != nil {
			t.Fatal(err)
		}
	}
	delete(m.stays, device)
	person, member := m.owner[device]
	if !member {
		return
	}
	if !opened || !m.exists(s.Stay.Visit, person) {
		m.visits[person]++
	}
	m.queue = append(m.queue, modelEvent{person: person, purpose: visits, visit: true})
}

// exists asks the store whether a stay's visit is one of the person's: after
// a withdrawal, or on a device that changed hands, it is not. The store made
// one more then, which has the stay's start.
func (m *model) exists(id consent.ID, person int) bool {
	var n int
	err := m.store.db.QueryRow(`SELECT count(*) FROM visits JOIN people USING (person) WHERE id = ? AND lead_key = ?`, id, lead(person)).Scan(&n)
	if err != nil {
		m.t.Fatal(err)
	}
	return n > 0
}

func (m *model) Deliver(t *rapid.T) {
	limit := rapid.IntRange(1, 5).Draw(t, "limit")
	b, err := m.store.Batch(m.ctx, limit, at(m.minute))
	if err != nil {
		t.Fatal(err)
	}
	want := m.expected()
	want = want[:min(limit, len(want))]
	m.compare(b, want)
	done := rapid.IntRange(0, len(b)).Draw(t, "delivered")
	if err := m.store.Delivered(m.ctx, ids(b[:done])); err != nil {
		t.Fatal(err)
	}
	for _, e := range want[:done] {
		i := slices.Index(m.queue, e)
		m.queue = slices.Delete(m.queue, i, i+1)
	}
}

func (m *model) Restart(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "is up") > 0 {
		return // it takes longer than all the others
	}
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t, m.store.path)
}

// open opens the record without waiting for the disk: power cuts are not what
// this test is about.
func (m *model) open(t *rapid.T, path string) {
	var err error
	if m.store, err = Open(m.ctx, path, Options{Signer: signer}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.store.db.Exec("PRAGMA synchronous = OFF"); err != nil {
		t.Fatal(err)
	}
}

// expected is the queue as it must be sent: withdrawals first.
func (m *model) expected() []modelEvent {
	want := slices.Clone(m.queue)
	slices.SortStableFunc(want, func(a, b modelEvent) int { return a.turn() - b.turn() })
	return want
}

func (m *model) compare(got []hien.Event, want []modelEvent) {
	line := func(person hien.LeadKey, p consent.Purpose, visit, withdrawal, erasure bool) string {
		return fmt.Sprintf("%.11s %s visit=%t withdrawal=%t erasure=%t", person, p, visit, withdrawal, erasure)
	}
	var a, b []string
	for _, e := range got {
		a = append(a, line(e.User(), e.Purpose(), e.Kind() == hien.StoreVisited, e.Kind() == hien.Withdrawn, e.Kind() == hien.Erased))
		if !e.Allowed() {
			m.t.Fatalf("event %s is in a batch and not allowed", e.ID())
		}
	}
	for _, e := range want {
		b = append(b, line(lead(e.person), e.purpose, e.visit, e.withdrawal > 0, e.erasure > 0))
	}
	if !slices.Equal(a, b) {
		m.t.Fatalf("batch:\n got %q\nwant %q", a, b)
	}
}

// Check is what holds after every step.
func (m *model) Check(t *rapid.T) {
	b, err := m.store.Batch(m.ctx, 1000, at(m.minute))
	if err != nil {
		t.Fatal(err)
	}
	m.compare(b, m.expected())
	if c, err := m.store.Counts(m.ctx); err != nil || c.Waiting != len(m.queue) || int(m.store.waiting.Load()) != c.Waiting {
		t.Fatalf("waiting: got %d, %v, and %d that the limit counts; want %d", c.Waiting, err, m.store.waiting.Load(), len(m.queue))
	}
	end, err := m.store.Verify(m.ctx, signer.Public())
	if err != nil || end.Seq != uint64(m.entries) {
		t.Fatalf("ledger: got %d entries, %v, want %d", end.Seq, err, m.entries)
	}
	for person := 1; person <= 4; person++ {
		if _, buried, err := m.store.Buried(m.ctx, lead(person)); err != nil || buried != m.buried[person] {
			t.Fatalf("person %d is buried: got %t, %v, want %t", person, buried, err, m.buried[person])
		}
	}
	for device := 1; device <= 4; device++ {
		got, err := m.store.Member(m.ctx, mark(device))
		if err != nil {
			t.Fatal(err)
		}
		person, known := m.owner[device]
		if got.Known() != known {
			t.Fatalf("device %d: got known=%t, want %t", device, got.Known(), known)
		}
		if !known {
			continue
		}
		if got.Key != lead(person) || got.Visits != m.visits[person] {
			t.Fatalf("device %d: got %.11s with %d visits, want person %d with %d", device, got.Key, got.Visits, person, m.visits[person])
		}
		for _, p := range asked {
			if got.Consent.Allows(p) != m.answers[person][p] {
				t.Fatalf("person %d allows %s: got %t, want %t", person, p, got.Consent.Allows(p), m.answers[person][p])
			}
		}
		if sealed := m.answers[person][zalo] || m.answers[person][sms]; (got.Sealed != "") != sealed {
			t.Fatalf("person %d: sealed number kept: got %t, want %t", person, got.Sealed != "", sealed)
		}
	}
}

// Whatever people answer, take back and do, no batch holds an event of a
// purpose that does not stand, and the ledger verifies.
func TestTheRecordBehavesAsItsModel(t *testing.T) {
	empty := begin(t)
	empty.Close()
	template, err := os.ReadFile(empty.path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), FileName)
	rapid.Check(t, func(rt *rapid.T) {
		if err := os.WriteFile(path, template, 0o600); err != nil {
			rt.Fatal(err)
		}
		m := &model{t: rt, ctx: t.Context(), answers: make(map[int]map[consent.Purpose]bool),
			owner: make(map[int]int), visits: make(map[int]int), stays: make(map[int]consent.ID), rows: make(map[int]int), buried: make(map[int]bool)}
		m.open(rt, path)
		defer func() { m.store.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"": m.Check, "opt in": m.OptIn, "withdraw": m.Withdraw, "erase": m.Erase, "change number": m.ChangeNumber, "end stays": m.EndStays, "deliver": m.Deliver, "restart": m.Restart,
		})
	})
}
