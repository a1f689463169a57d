package livebook_test

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/livebook"
)

func TestTwentyThousandStrangersDoNotGrowTheBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	b := open(t, path)
	const withPass = 1000
	for n := range withPass {
		change(t, b, guestID(n), func(g *hien.Guest) error {
			g.Pass.Until = 4 * time.Hour
			return seen(time.Duration(n) * time.Millisecond)(g)
		})
	}
	strangers := func(from, to int) (heap uint64, size int64) {
		for n := from; n < to; n++ {
			change(t, b, guestID(1_000_000+n), seen(time.Second+time.Duration(n)*time.Millisecond))
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, fileSize(t, path)
	}
	heap1, size1 := strangers(0, 10_000)
	heap2, size2 := strangers(10_000, 20_000)
	t.Logf("10,000 strangers: file %d KiB, heap %d KiB; 20,000: file %d KiB, heap %d KiB", size1>>10, heap1>>10, size2>>10, heap2>>10)
	if b.Len() != livebook.DefaultMaxGuests {
		t.Errorf("%d guests, want %d", b.Len(), livebook.DefaultMaxGuests)
	}
	if size2 > size1+size1/4 || heap2 > heap1+1<<20 {
		t.Errorf("the second 10,000 strangers grew the file from %d to %d bytes, the heap from %d to %d", size1, size2, heap1, heap2)
	}
	for n := range withPass {
		if _, known, err := b.Guest(guestID(n)); !known || err != nil {
			t.Fatalf("guest %d has a pass and is gone (error %v)", n, err)
		}
	}
	if _, known, _ := b.Guest(guestID(1_000_000 + 19_999)); !known {
		t.Error("the newest stranger is not in the book")
	}
}

func TestWhoMakesRoomInAFullBook(t *testing.T) {
	form := func(g *hien.Guest) { g.Form = &hien.Form{Notice: notice("1")} }
	pass := func(until time.Duration) func(*hien.Guest) {
		return func(g *hien.Guest) { g.Pass.Until = until }
	}
	nothing := func(*hien.Guest) {}
	ended := func(g *hien.Guest) { g.Ended = []hien.Stay{g.Stay} }
	visit := func(g *hien.Guest) { g.Stay.Visit = "00112233445566778899aabbccddeeff" }
	type guest struct {
		last time.Duration
		has  func(*hien.Guest)
	}
	for _, test := range []struct {
		name   string
		guests []guest
		leaves int // -1: nobody
	}{
		{"the one not seen for the longest", []guest{{3, nothing}, {1, nothing}, {2, nothing}}, 1},
		{"not one with a pass", []guest{{1, pass(200)}, {2, nothing}, {3, nothing}}, 1},
		{"one whose pass has ended", []guest{{1, pass(50)}, {2, nothing}, {3, nothing}}, 0},
		{"not one who waits for a code", []guest{{1, form}, {2, nothing}, {3, pass(200)}}, 1},
		{"not one whose stay waits for the record", []guest{{1, ended}, {2, visit}, {3, nothing}}, 2},
		{"nobody when all must be kept", []guest{{1, form}, {2, ended}, {3, pass(101)}}, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "live")
			o := livebook.Options{Boot: boot, MaxGuests: len(test.guests)}
			b, err := livebook.Open(path, o)
			if err != nil {
				t.Fatal(err)
			}
			for n, g := range test.guests {
				change(t, b, guestID(n), seen(g.last+10))
				change(t, b, guestID(n), func(to *hien.Guest) error { g.has(to); return seen(g.last)(to) })
			}
			b.Close() // a restart knows the same
			if b, err = livebook.Open(path, o); err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			err = b.Change(guestID(99), seen(100))
			if full := errors.Is(err, livebook.ErrFull); full != (test.leaves < 0) || err != nil && !full {
				t.Errorf("a new guest: error %v", err)
			}
			for n := range test.guests {
				if _, known, _ := b.Guest(guestID(n)); known != (n != test.leaves) {
					t.Errorf("guest %d: in the book %v", n, known)
				}
			}
			change(t, b, guestID(0), func(g *hien.Guest) error { g.Form = nil; return nil })
		})
	}
}

func BenchmarkChange(b *testing.B) {
	for _, bench := range []struct {
		name  string
		setup int // guests in the book
		run   func(book *livebook.Book, n int) error
	}{
		{"seen again, 10 guests", 10, func(book *livebook.Book, n int) error { return book.Change(guestID(n%10), seen(time.Duration(n))) }},
		{"seen again, 1,000 guests", 1000, func(book *livebook.Book, n int) error { return book.Change(guestID(n%1000), seen(time.Duration(n))) }},
		{"nothing new, 1,000 guests", 1000, func(book *livebook.Book, n int) error {
			return book.Change(guestID(n%1000), func(*hien.Guest) error { return hien.ErrUnchanged })
		}},
		{"a stranger, full book", livebook.DefaultMaxGuests, func(book *livebook.Book, n int) error {
			return book.Change(guestID(1_000_000+n), seen(time.Duration(n)))
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			book := newBook(b)
			for n := range bench.setup {
				change(b, book, guestID(n), seen(time.Duration(n)))
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if err := bench.run(book, n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
