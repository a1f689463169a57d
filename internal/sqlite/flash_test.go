package sqlite

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// written is how many bytes this process has handed to the kernel to write:
// what SQLite issues, before the file system adds its own.
func written(t testing.TB) int {
	t.Helper()
	f, err := os.Open("/proc/self/io")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "wchar: "); ok {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("/proc/self/io has no wchar")
	return 0
}

func TestWithNothingToWriteNothingIsWritten(t *testing.T) {
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			s := begin(t, with(j))
			a := application{id: "c1", person: 1, device: 1, agreed: all, at: at(0)}
			optIn(t, s, a)
			subject := subjectOf(t, s, 1)
			for name, deed := range map[string]func() error{
				"looking up a member":    func() error { _, err := s.Member(t.Context(), mark(1)); return err },
				"looking up a stranger":  func() error { _, err := s.Member(t.Context(), mark(2)); return err },
				"looking up a receipt":   func() error { _, err := s.Receipt(t.Context(), receipt("c1")); return err },
				"a stay of a stranger":   func() error { return s.EndStays(t.Context(), []hien.EndedStay{stay(2, 0, 30, "")}, at(60), visited) },
				"no stay at all":         func() error { return s.EndStays(t.Context(), nil, at(60), visited) },
				"the same opt-in again":  func() error { return s.OptIn(t.Context(), lead(1), a.record) },
				"building a batch":       func() error { _, err := s.Batch(t.Context(), 100, at(60)); return err },
				"delivering nothing":     func() error { return s.Delivered(t.Context(), nil) },
				"delivering what is not": func() error { return s.Delivered(t.Context(), []consent.ID{"none"}) },
				"counting":               func() error { _, err := s.Counts(t.Context()); return err },
				"showing the queue":      func() error { _, err := s.Queue(t.Context(), 10); return err },
				"what stands":            func() error { _, err := s.Standing(t.Context(), subject); return err },
				"listing leads":          func() error { _, err := s.Leads(t.Context(), 10); return err },
				"verifying the ledger":   func() error { _, err := s.Verify(t.Context(), signer.Public()); return err },
			} {
				// The runtime wakes its own poller by writing 8 bytes now and
				// then; what the deed writes, it writes each time.
				least := math.MaxInt
				for range 3 {
					before := written(t)
					if err := deed(); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					least = min(least, written(t)-before)
				}
				if least != 0 {
					t.Errorf("%s wrote %d bytes, want 0", name, least)
				}
			}
		})
	}
}

// The flash budget: 1,000 visitors of whom 200 give, each leads to a visit,
// and everything is delivered: at most 8 MiB issued by SQLite, with the rollback
// journal too, which is for file systems where the log does not work and writes
// each page twice at once.
func TestADayOf200OptInsStaysWithinTheFlashBudget(t *testing.T) {
	const budget = 8 << 20
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			s := begin(t, with(j))
			before := written(t)
			for i := range 200 {
				optIn(t, s, application{id: consent.NewID(), person: i, device: i, agreed: all, at: at(i), tells: true})
			}
			optIns := written(t) - before
			for i := 0; i < 200; i += 5 { // a tick finds a few stays over, and some of strangers
				var over []hien.EndedStay
				for device := i; device < i+5; device++ {
					over = append(over, stay(device, device, device+30, ""), stay(10_000+device, device, device+30, ""))
				}
				endStays(t, s, at(300+i), over...)
			}
			for {
				b, err := s.Batch(t.Context(), 100, at(600))
				if err != nil {
					t.Fatal(err)
				}
				if len(b) == 0 {
					break
				}
				if err := s.Delivered(t.Context(), ids(b)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			total := written(t) - before
			t.Logf("opt-ins %.1f KiB each, the whole day %.2f MiB", float64(optIns)/200/1024, float64(total)/(1<<20))
			if total > budget {
				t.Errorf("the day wrote %d bytes, want at most %d", total, budget)
			}
		})
	}
}

func BenchmarkOptIn(b *testing.B) {
	for _, j := range journals {
		b.Run(string(j), func(b *testing.B) {
			s := begin(b, with(j))
			b.ReportAllocs()
			before := written(b)
			n := 0
			for b.Loop() {
				optIn(b, s, application{id: consent.NewID(), person: n, device: n, agreed: all, at: at(n), tells: true})
				n++
			}
			b.ReportMetric(float64(written(b)-before)/float64(n), "bytes/optin")
		})
	}
}

func BenchmarkMember(b *testing.B) {
	s := begin(b)
	for i := range 100 {
		optIn(b, s, application{id: consentID(i), person: i, device: i, agreed: all, at: at(i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Member(b.Context(), mark(50)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBatch(b *testing.B) {
	s := begin(b)
	for i := range 200 {
		optIn(b, s, application{id: consentID(i), person: i, device: i, agreed: all, at: at(i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Batch(b.Context(), 100, at(300)); err != nil {
			b.Fatal(err)
		}
	}
}
