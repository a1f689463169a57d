package livebook_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/livebook"
)

// The layout outlives an upgrade of the daemon: whoever changes this golden
// file changes the number of the layout too.
func TestTheLayoutOfAPage(t *testing.T) {
	b := newBook(t)
	want := whole(guestID(1))
	change(t, b, want.ID, func(g *hien.Guest) error { *g = want; return nil })
	var got bytes.Buffer
	if err := json.Indent(&got, b.Raw(want.ID), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	const golden = "testdata/page.json"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), text) {
		t.Errorf("got\n%s\nwant\n%s", got.Bytes(), text)
	}
}

// filled is a book's file with enough in it to have branches, large values
// and pages that are free again.
func filled(t testing.TB, guests int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "live")
	b := open(t, path)
	for n := range guests {
		g := whole(guestID(n))
		if n%16 == 0 {
			g.Form.Sealed = bytes.Repeat([]byte{7}, 6000) // runs over a page
		}
		change(t, b, g.ID, func(to *hien.Guest) error { *to = g; return nil })
		if n%5 == 0 {
			forget(b, g.ID)
		}
		b.CountCode([]byte{byte(n), byte(n >> 8)}, time.Hour)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// reopen writes a file, opens it, uses it and says whether it was begun anew.
func reopen(t testing.TB, text []byte) (anew bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "live")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	b, err := livebook.Open(path, livebook.Options{Boot: boot, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer b.Close()
	for n := range 40 {
		change(t, b, guestID(1000+n), func(g *hien.Guest) error { *g = whole(g.ID); return nil })
	}
	if err := b.Guests(func(hien.Guest) error { return nil }); err != nil {
		t.Errorf("Guests: %v", err)
	}
	if err := forget(b, guestID(1003)); err != nil {
		t.Errorf("Forget: %v", err)
	}
	warnings := strings.Count(log.String(), "level=WARN")
	if warnings > 1 {
		t.Errorf("%d warnings:\n%s", warnings, log.String())
	}
	return warnings == 1
}

func TestASoundFileIsFoundSound(t *testing.T) {
	for _, guests := range []int{0, 1, 3, 20, 300} {
		if reopen(t, filled(t, guests)) {
			t.Errorf("a book after %d guests was begun anew", guests)
		}
	}
}

func TestADamagedFileIsBegunAnew(t *testing.T) {
	page := os.Getpagesize()
	good := filled(t, 300)
	cut := func(n int) []byte { return good[:n] }
	zeroed := func(from, to int) []byte {
		b := bytes.Clone(good)
		clear(b[from:to])
		return b
	}
	garbage := make([]byte, 64<<10)
	for i := range garbage {
		garbage[i] = byte(rand.Uint32())
	}
	for name, text := range map[string][]byte{
		"one byte":                          {0},
		"text":                              []byte("config hien 'main'\n"),
		"garbage":                           garbage,
		"zeroes":                            make([]byte, 64<<10),
		"cut within the first page":         cut(100),
		"cut after the first page":          cut(page),
		"cut after both heads":              cut(2 * page),
		"cut to four pages":                 cut(4 * page),
		"cut in the middle":                 cut(len(good) / 2),
		"heads gone":                        zeroed(0, 2*page),
		"everything but the heads is gone":  zeroed(2*page, len(good)),
		"all pages but the heads are cut":   append(bytes.Clone(cut(2*page)), make([]byte, 100)...),
		"the second half is other people's": append(bytes.Clone(cut(len(good)/2)), bytes.Repeat([]byte{0xff}, len(good)/2)...),
	} {
		t.Run(name, func(t *testing.T) {
			if !reopen(t, text) {
				t.Error("the damage was not seen")
			}
		})
	}
}

func TestAPageThatIsNoGuestMeansANewBook(t *testing.T) {
	for name, spoil := range map[string]func(*livebook.Book) error{
		"not JSON": func(b *livebook.Book) error { return b.PutRaw(guestID(1), []byte("{")) },
		"a notice that is gone": func(b *livebook.Book) error {
			return b.PutRaw(guestID(1), []byte(`{"form":{"notice":"`+strings.Repeat("00", 32)+`"}}`))
		},
		"an address that is not": func(b *livebook.Book) error { return b.PutRaw(guestID(1), []byte(`{"addrs":["10.0.0"]}`)) },
		"another layout":         func(b *livebook.Book) error { return b.SetLayout("0") },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "live")
			b := open(t, path)
			if err := spoil(b); err != nil {
				t.Fatal(err)
			}
			b.Close()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !reopen(t, text) {
				t.Error("the damage was not seen")
			}
		})
	}
}

// TestAnyFileIsOpenedWithoutHarm changes bytes at random, mostly where they
// hurt. Killing the process is the failure.
func TestAnyFileIsOpenedWithoutHarm(t *testing.T) {
	good := filled(t, 60)
	page := os.Getpagesize()
	for range 150 {
		text := bytes.Clone(good)
		for range 1 + rand.IntN(4) {
			at := rand.IntN(len(text))
			if rand.IntN(2) == 0 {
				at = at/page*page + rand.IntN(64) // a page's head
			}
			text[at] = byte(rand.Uint32())
		}
		resign(text)
		if rand.IntN(8) == 0 {
			text = text[:rand.IntN(len(text))]
		}
		reopen(t, text)
	}
}

// resign makes the heads valid again, so that what they say is believed.
func resign(text []byte) {
	for i := range 2 {
		at := i*os.Getpagesize() + 16
		if len(text) < at+64 {
			return
		}
		sum := fnv.New64a()
		sum.Write(text[at : at+56])
		binary.NativeEndian.PutUint64(text[at+56:], sum.Sum64())
	}
}

// FuzzOpen writes runs of bytes over a good file: two bytes of page, two of
// place, one of length, and the bytes.
func FuzzOpen(f *testing.F) {
	good := [][]byte{filled(f, 0), filled(f, 12), filled(f, 60)}
	f.Add(uint8(0), uint32(0), []byte(nil))
	f.Add(uint8(1), uint32(5000), []byte{0, 0, 0, 24, 2, 1, 1})
	f.Add(uint8(2), uint32(0), []byte{0, 4, 0, 8, 4, 1, 0, 3, 0, 0, 5, 0, 20, 1, 9})
	f.Fuzz(func(t *testing.T, which uint8, cut uint32, script []byte) {
		text := bytes.Clone(good[int(which)%len(good)])
		for len(script) > 5 {
			at := int(binary.BigEndian.Uint16(script))*os.Getpagesize() + int(binary.BigEndian.Uint16(script[2:]))
			n := min(int(script[4]), len(script)-5)
			copy(text[at%len(text):], script[5:5+n])
			script = script[5+n:]
		}
		resign(text)
		if cut > 0 {
			text = text[:int(cut)%len(text)]
		}
		reopen(t, text)
	})
}
