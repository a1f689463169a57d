package control

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/consent"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	saigon = time.FixedZone("+07", 7*3600)
	now    = time.Date(2026, 11, 22, 14, 30, 0, 0, saigon)
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// decomposed is a name with combining marks, as macOS writes it.
const decomposed = "Quán Hie\u0302n"

func good() Status {
	return Status{
		Version: "0.1.0", Since: ago(26 * time.Hour), UpSeconds: 26 * 3600, StoreID: "hcm-q1-01", StoreName: "Quán Hiên",
		Zones: []Zone{{Name: "guest", Interface: "br-guest", State: ZoneOpen, Guests: 12, WithPass: 9,
			Portal: []string{"192.0.2.1:2050", "[2001:db8::1]:2050"}}},
		Record:   Record{State: RecordOpen, Journal: "wal"},
		Firewall: Firewall{Backend: "iptables (nf_tables)"},
		Sniffer:  []Sniffer{{Interface: "br-guest", State: "listening", Frames: 120_345, Bad: 2}},
		Couriers: []Courier{{Sink: "cdp", State: CourierIdle, LastSuccess: ago(2 * time.Minute)}},
		Clock:    Clock{InStep: true}, Memory: 15 << 20,
		Today: Today{Devices: 41, Agreed: 7, Returning: 5, Since: ago(6 * time.Hour)},
	}
}

// concluded is a status as the daemon answers it.
func concluded(s Status) Status {
	s.Conclude(now)
	return s
}

func bad() Status {
	s := good()
	s.StoreName = decomposed
	s.Zones = append(s.Zones, Zone{Name: "terrace_garden_2", Interface: "br-terrace-2.10", State: ZoneWaiting})
	s.Record = Record{State: RecordClosed, Detail: "open record /srv/hien/hien.db: the database is newer (7) than this program (3); install the newer program again"}
	s.Firewall = Firewall{Backend: "iptables (legacy)", Repairs: 1, LastRepair: ago(30 * time.Hour), Broken: "chain FORWARD: no jump"}
	s.Sniffer[0].State = "waiting for the interface"
	s.Couriers = []Courier{{Sink: "cdp", State: CourierStopped, Detail: "401 Unauthorized: the write key was refused.", Since: ago(15 * time.Hour), Waiting: 1204, Parked: 1}}
	s.Clock.InStep = false
	s.Today = Today{Devices: 10_000, Full: true}
	s.AccessLog = &AccessLog{Mode: "vn_333", Sessions: 3, Trouble: "write 2026-11.log: no space left on device", Lost: 2}
	s.Memory = 0
	return s
}

// down is a status while the CDP is not there.
func down() Status {
	s := good()
	s.Couriers[0] = Courier{Sink: "cdp", State: CourierRetrying, Waiting: 3, Since: ago(28 * time.Minute), LastSuccess: ago(time.Hour),
		Detail: "the sink does not take events now: dial tcp 192.0.2.9:443: connect: connection refused"}
	return s
}

// cleaned is a status after hien cleanup.
func cleaned() Status {
	s := good()
	s.Firewall.Released, s.Firewall.Broken = true, "hien cleanup took the rules out"
	return s
}

// known is a status while the door is open to everybody and the line is down.
func known() Status {
	s := good()
	s.Internet = Internet{State: InternetDown, Waiting: 2}
	s.OpenUntil = now.Add(80 * time.Minute)
	s.Zones[0].Trusted, s.Zones[0].Blocked = 1, 3
	s.AccessLog = &AccessLog{Mode: "minimal", Sessions: 9}
	s.OldKeys = []OldKey{{Key: "k2", People: 40}, {Key: "k1"}}
	return s
}

const subject = consent.ID("5f0c2a9e4b7d41c38a6e0d9b1f2e3c4d")

func guests() List[Guest] {
	return List[Guest]{Total: 4, Items: []Guest{
		{MAC: "02:00:5e:··:··:··", Zone: "guest", Addrs: []string{"192.0.2.17", "2001:db8::17"}, Since: ago(30 * time.Minute), LastSeen: ago(time.Minute), PassLeft: 3*3600 + 1800, Member: true},
		{MAC: "02:00:5e:··:··:··", Zone: "guest", Addrs: []string{"2001:db8:1234:5678:9abc:def0:1234:5678"}, Since: ago(20 * time.Hour), LastSeen: now, PassLeft: 59, Gave: true},
		{MAC: "02:00:5e:··:··:··", Zone: "terrace_garden_2", Since: ago(time.Minute), LastSeen: now, PassLeft: 290, AtCode: true, Grace: true},
		{MAC: "02:00:5e:··:··:··", Zone: "guest", Since: now, LastSeen: now},
	}}
}

// guestsInFull are guests by whole addresses, in every state.
func guestsInFull() List[Guest] {
	l := guests()
	for i, mac := range []string{"02:00:5e:10:00:01", "02:00:5e:10:00:02", "02:00:5e:10:00:03", "02:00:5e:10:00:04"} {
		l.Items[i].MAC = mac
	}
	l.Items[0].Trusted = true
	l.Items[1].Waiting = true
	l.Items[2].Blocked = true
	l.Items[3].Spent = true
	return l
}

func audit() List[Deed] {
	return List[Deed]{Total: 240, Items: []Deed{
		{At: ago(10 * time.Minute), Who: "lan", What: "open", About: "1h30m"},
		{At: ago(time.Hour), Who: "root", What: "block no more", About: "02:00:5e:··:··:·· in zone guest, terrace_garden_2"},
		{At: ago(27 * time.Hour), Who: "hien", What: "open ended"},
	}}
}

func admitted() Done {
	return Done{[]Device{{MAC: "02:00:5e:··:··:··", Zone: "guest", PassLeft: 4 * 3600, Known: true},
		{MAC: "02:00:5e:··:··:··", Zone: "terrace_garden_2", PassLeft: 7200}}}
}

func revoked() Done {
	return Done{[]Device{{MAC: "02:00:5e:··:··:··", Zone: "guest", Known: true}}}
}

func visits() List[Visit] {
	return List[Visit]{Total: 1240, Items: []Visit{
		{ID: "aa", Subject: subject, Zone: "guest", Start: ago(30 * time.Minute), Number: 3},
		{ID: "bb", Subject: subject, Zone: "guest", Start: ago(26 * time.Hour), End: ago(25 * time.Hour), Number: 2},
		{ID: "cc", Subject: subject, Zone: "guest", Start: ago(50 * time.Hour), End: ago(50 * time.Hour), Number: 1},
	}}
}

func leads() List[Lead] {
	return List[Lead]{Total: 2, Items: []Lead{
		{Subject: subject, Key: "k1:9f8e7d6c", Sealed: true, Purposes: []consent.Purpose{"visit_frequency", "contact_zalo", "share_partner:the_tea_house_beside_the_market"}, Visits: 3, LastVisit: ago(30 * time.Minute)},
		{Subject: "00112233445566778899aabbccddeeff", Key: "k1:01234567", Purposes: []consent.Purpose{"profile_extra"}},
	}}
}

func consents() List[Consent] {
	return List[Consent]{Total: 2, Items: []Consent{
		{ID: "dd", Subject: subject, Since: ago(26 * time.Hour), Language: "vi", Answers: []consent.Answer{{Purpose: "contact_zalo", Agreed: false}, {Purpose: "visit_frequency", Agreed: true}}},
		{ID: "ee", Subject: "00112233445566778899aabbccddeeff", Since: now, Language: "en", Answers: []consent.Answer{{Purpose: "share_partner:the_tea_house_beside_the_market", Agreed: true}}},
	}}
}

func queue() Queue {
	return Queue{Waiting: 1, Parked: 1, List: List[QueueItem]{Total: 2, Items: []QueueItem{
		{ID: subject, Sink: "cdp", Kind: "lead", Purpose: "contact_zalo", At: ago(time.Hour), State: EventParked,
			Answer: "400 Bad Request: {\"error\":\"timestamp is in the future\x1b[31m\",\"where\":\"batch[17].timestamp\",\"see\":\"https://cdp.example/docs/errors#timestamp-is-in-the-future-by-more-than-five-minutes\"}"},
		{ID: "00112233445566778899aabbccddeeff", Sink: "cdp", Kind: "withdrawal", At: now, State: EventWaiting},
	}}}
}

// longQueue has more than is shown, and has dropped some.
func longQueue() Queue {
	q := queue()
	q.Items, q.Total, q.Waiting, q.Parked, q.Dropped = q.Items[:1], 1240, 1203, 37, 12
	return q
}

func retention() Retention {
	return Retention{Policy: "vn-2026.1",
		Terms: []Term{{"visit_months=12", "each visit, since its end"}, {"evidence_months=36", "address, device, browser and number as proof, since the consent ended"}},
		Deleted: []Deletion{{"2026-11-21", "visits", 1204, "visit_months=12", "vn-2026.1"},
			{"2026-11-20", "leads", 1, "idle_months=24", "vn-2026.1"}}}
}

func retentionDue() Retention {
	r := retention()
	r.DueWithinDays, r.Due = 30, []Deletion{{"", "leads", 3, "idle_months=24", "vn-2026.1"}}
	return r
}

func TestRender(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"status-good", func(w io.Writer) error { return WriteStatus(w, concluded(good()), now) }},
		{"status-bad", func(w io.Writer) error { return WriteStatus(w, concluded(bad()), now) }},
		{"status-down", func(w io.Writer) error { return WriteStatus(w, concluded(down()), now) }},
		{"status-cleaned", func(w io.Writer) error { return WriteStatus(w, concluded(cleaned()), now) }},
		{"status-known", func(w io.Writer) error { return WriteStatus(w, concluded(known()), now) }},
		{"guests-full", func(w io.Writer) error { return WriteGuestsInFull(w, guestsInFull(), now) }},
		{"guests-full-none", func(w io.Writer) error { return WriteGuestsInFull(w, List[Guest]{}, now) }},
		{"audit", func(w io.Writer) error { return WriteAudit(w, audit(), now) }},
		{"audit-none", func(w io.Writer) error { return WriteAudit(w, List[Deed]{}, now) }},
		{"admitted", func(w io.Writer) error { return WriteAdmitted(w, admitted()) }},
		{"revoked", func(w io.Writer) error { return WriteRevoked(w, revoked()) }},
		{"staff-code", func(w io.Writer) error { return WriteStaffCode(w, StaffCode{"012345", 185}) }},
		{"opened", func(w io.Writer) error { return WriteOpened(w, Opened{now.Add(2 * time.Hour)}, now) }},
		{"opened-ended", func(w io.Writer) error { return WriteOpened(w, Opened{}, now) }},
		{"guests", func(w io.Writer) error { return WriteGuests(w, guests(), now) }},
		{"guests-none", func(w io.Writer) error { return WriteGuests(w, List[Guest]{}, now) }},
		{"visits", func(w io.Writer) error { return WriteVisits(w, visits(), now) }},
		{"visits-none", func(w io.Writer) error { return WriteVisits(w, List[Visit]{}, now) }},
		{"leads", func(w io.Writer) error { return WriteLeads(w, leads(), now) }},
		{"leads-none", func(w io.Writer) error { return WriteLeads(w, List[Lead]{}, now) }},
		{"consents", func(w io.Writer) error { return WriteConsents(w, consents(), now) }},
		{"consents-none", func(w io.Writer) error { return WriteConsents(w, List[Consent]{}, now) }},
		{"queue", func(w io.Writer) error { return WriteQueue(w, queue(), now) }},
		{"queue-none", func(w io.Writer) error { return WriteQueue(w, Queue{}, now) }},
		{"queue-long", func(w io.Writer) error { return WriteQueue(w, longQueue(), now) }},
		{"queue-dropped", func(w io.Writer) error { return WriteQueue(w, Queue{Dropped: 1}, now) }},
		{"retention", func(w io.Writer) error { return WriteRetention(w, retention()) }},
		{"retention-none", func(w io.Writer) error {
			return WriteRetention(w, Retention{Policy: "vn-2026.1", Terms: retention().Terms})
		}},
		{"retention-due", func(w io.Writer) error { return WriteRetention(w, retentionDue()) }},
		{"retention-nothing-due", func(w io.Writer) error {
			return WriteRetention(w, Retention{Policy: "vn-2026.1", Terms: retention().Terms, DueWithinDays: 30})
		}},
		{"retention-doubted", func(w io.Writer) error {
			r := retention()
			r.Doubted, r.Believed = "2031-11-22", "2026-11-21"
			return WriteRetention(w, r)
		}},
		{"retained", func(w io.Writer) error { return WriteRetained(w, Retained{retention().Deleted}) }},
		{"retained-nothing", func(w io.Writer) error { return WriteRetained(w, Retained{}) }},
		{"withdrawn", func(w io.Writer) error {
			return WriteWithdrawn(w, Withdrawn{subject, []consent.Purpose{"contact_zalo"}})
		}},
		{"withdrawn-more", func(w io.Writer) error {
			return WriteWithdrawn(w, Withdrawn{subject, []consent.Purpose{"contact_sms", "contact_zalo", "visit_frequency"}})
		}},
		{"withdrawn-nothing", func(w io.Writer) error { return WriteWithdrawn(w, Withdrawn{Subject: subject}) }},
		{"ledger", func(w io.Writer) error {
			return WriteLedger(w, Ledger{Holds: true, Entries: 1204, Key: "0a1b2c3d4e5f6071", Head: strings.Repeat("ab", 32)})
		}},
		{"ledger-broken", func(w io.Writer) error {
			return WriteLedger(w, Ledger{Entries: 1, Key: "0a1b2c3d4e5f6071", Broken: "the ledger is broken at entry 2: its text or its predecessor was changed"})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.write(&b); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), b.String()); d != "" {
				t.Errorf("%s (-want +got), rewrite with -update:\n%s", path, d)
			}
			for line := range strings.Lines(b.String()) {
				if line = strings.TrimSuffix(line, "\n"); width(line) > screen || strings.ContainsAny(line, "\x1b\t") || strings.HasSuffix(line, " ") {
					t.Errorf("a line of %d columns, want at most %d and nothing that steers a terminal: %q", width(line), screen, line)
				}
			}
			if err := c.write(full{}); !errors.Is(err, errFull) {
				t.Errorf("to a full disk: got %v, want %v", err, errFull)
			}
		})
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWidthCountsLettersNotMarks(t *testing.T) {
	for _, c := range []struct {
		s    string
		want int
	}{
		{"", 0}, {"Quán Hiên", 9}, {decomposed, 9}, {"e\u0302\u0309", 1}, {"a\u200bb", 2},
	} {
		if got := width(c.s); got != c.want {
			t.Errorf("width(%q) = %d, want %d", c.s, got, c.want)
		}
	}
	if got, want := fit(decomposed, 8), "Quán Hi…"; got != want {
		t.Errorf("fit(%q, 8) = %q, want %q", decomposed, got, want)
	}
	if got, want := fit("e\u0302\u0309ab", 2), "e\u0302\u0309…"; got != want {
		t.Errorf("fit keeps the marks of a letter: got %q, want %q", got, want)
	}
}

func TestTableAlignsMarks(t *testing.T) {
	got := table([]column{{"NAME", left}, {"N", right}}, [][]string{{"Quán Hiên", "1"}, {decomposed, "12"}, {"two\nlines", "3"}})
	want := "NAME        N\nQuán Hiên   1\n" + decomposed + "  12\ntwo         3\nlines\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestParagraphBreaks(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct{ head, text, want string }{
		{"", "", "\n"},
		{"", " a  b\nc ", "a b c\n"},
		{"head  ", strings.Repeat("word ", 20), "head  " + strings.Repeat("word ", 14) + "word\n      word word word word word\n"},
		{"head  ", long, "head  " + long[:74] + "\n      " + long[74:] + "\n"},
		{"", "a " + long, "a\n" + long[:80] + "\n" + long[80:] + "\n"},
	} {
		if got := paragraph(c.head, c.text); got != c.want {
			t.Errorf("paragraph(%q, %q)\n got %q\nwant %q", c.head, c.text, got, c.want)
		}
	}
}

func TestSpanAndWhen(t *testing.T) {
	for _, c := range []struct {
		seconds int64
		want    string
	}{{-1, "0 s"}, {59, "59 s"}, {60, "1 min"}, {3600, "1 h"}, {7500, "2 h 5 min"}, {86400, "1 d"}, {100000, "1 d 3 h"}} {
		if got := span(c.seconds); got != c.want {
			t.Errorf("span(%d) = %q, want %q", c.seconds, got, c.want)
		}
	}
	for _, c := range []struct {
		at   time.Time
		want string
	}{{time.Time{}, "-"}, {ago(time.Hour), "13:30"}, {ago(time.Hour).UTC(), "13:30"}, {ago(15 * time.Hour), "21/11/2026, 23:30"}} {
		if got := when(c.at, now); got != c.want {
			t.Errorf("when(%s) = %q, want %q", c.at, got, c.want)
		}
	}
	if got, want := count(uint64(1234567), "frame", "frames"), "1,234,567 frames"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
