package livebook_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/livebook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const boot = "5a1c0de0-0000-4000-8000-000000000001"

func open(t testing.TB, path string) *livebook.Book {
	t.Helper()
	b, err := livebook.Open(path, livebook.Options{Boot: boot})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func newBook(t testing.TB) *livebook.Book { return open(t, filepath.Join(t.TempDir(), "live")) }

func guestID(n int) hien.GuestID {
	return hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}}
}

func at(up time.Duration) hien.Moment {
	return hien.Moment{Wall: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Add(up), Boot: boot, Up: up, InStep: true}
}

// seen is a change that does what a sighting does.
func seen(up time.Duration) func(*hien.Guest) error {
	return func(g *hien.Guest) error {
		if g.Stay.Start.Boot == "" {
			g.Stay.Start = at(up)
		}
		g.Stay.Last = at(up)
		return nil
	}
}

func change(t testing.TB, b *livebook.Book, id hien.GuestID, f func(*hien.Guest) error) {
	t.Helper()
	if err := b.Change(id, f); err != nil {
		t.Fatal(err)
	}
}

func notice(version string) consent.Notice {
	return consent.Notice{
		Version: version, Language: "vi", Title: "Quán Hiên hỏi bạn",
		Asks: []consent.Ask{{Purpose: consent.ContactZalo, Line: "Nhắn qua Zalo", Detail: "tối đa 2 tin mỗi tháng"}},
		Body: []string{strings.Repeat("Bạn có thể rút lại bất cứ lúc nào. ", 60)},
	}
}

// whole is a guest of whom everything is known.
func whole(id hien.GuestID) hien.Guest {
	return hien.Guest{
		ID:      id,
		Addrs:   []netip.Addr{netip.MustParseAddr("10.20.0.7"), netip.MustParseAddr("2001:db8::7")},
		Stay:    hien.Stay{Start: at(time.Minute), Last: at(time.Hour), Visit: "00112233445566778899aabbccddeeff"},
		Ended:   []hien.Stay{{Start: at(time.Second), Last: at(2 * time.Second)}},
		Pass:    hien.Pass{Until: 4 * time.Hour, Bytes: 1 << 40, Moved: 2 * time.Hour, Spent: true, Open: true, Grace: true},
		Codes:   []time.Duration{time.Minute, 2 * time.Minute},
		Receipt: "receipt-one",
		Asked:   true,
		Given:   3 * time.Minute,
		Gave:    true,
		Form: &hien.Form{
			Consent: "ffeeddccbbaa99887766554433221100", Agreed: []consent.Purpose{consent.ContactZalo},
			Notice: notice("vn-2026.1"), Browser: "Mozilla/5.0 (iPhone)", Sealed: []byte{1, 2, 3}, LastTwo: "21",
			Challenge: hien.Challenge{Hash: []byte{4, 5, 6}, Expires: time.Hour + 5*time.Minute, Tries: 2},
			Receipt:   "receipt-two", Proven: true, Waiting: true, NoGrace: true,
		},
	}
}

var same = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

func read(t testing.TB, b *livebook.Book, id hien.GuestID) hien.Guest {
	t.Helper()
	g, known, err := b.Guest(id)
	if err != nil || !known {
		t.Fatalf("guest %v: known %v, error %v", id, known, err)
	}
	return g
}

func TestAGuestComesBackAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	b := open(t, path)
	want := whole(guestID(1))
	change(t, b, want.ID, func(g *hien.Guest) error { *g = want; return nil })
	if diff := cmp.Diff(want, read(t, b, want.ID), same); diff != "" {
		t.Errorf("at once (-want +got):\n%s", diff)
	}
	b.Close()
	b = open(t, path)
	if diff := cmp.Diff(want, read(t, b, want.ID), same); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	all := 0
	err := b.Guests(func(g hien.Guest) error {
		all++
		if diff := cmp.Diff(want, g, same); diff != "" {
			t.Errorf("by Guests (-want +got):\n%s", diff)
		}
		return nil
	})
	if err != nil || all != 1 {
		t.Errorf("Guests: %d guests, error %v; want 1", all, err)
	}
}

func TestAFreshGuestHasItsNameAndNothingElse(t *testing.T) {
	b := newBook(t)
	change(t, b, guestID(1), func(g *hien.Guest) error {
		if diff := cmp.Diff(hien.Guest{ID: guestID(1)}, *g, same); diff != "" {
			t.Errorf("fresh guest (-want +got):\n%s", diff)
		}
		g.ID = guestID(2) // a change cannot move a guest
		return nil
	})
	if _, known, _ := b.Guest(guestID(2)); known {
		t.Error("the guest was written under another name")
	}
	read(t, b, guestID(1))
}

func TestAChangeThatFailsWritesNothing(t *testing.T) {
	b := newBook(t)
	boom := errors.New("boom")
	for _, test := range []struct{ give, want error }{
		{boom, boom}, {hien.ErrUnchanged, nil}, {fmt.Errorf("seen: %w", hien.ErrUnchanged), nil},
	} {
		err := b.Change(guestID(1), func(g *hien.Guest) error { g.Asked = true; return test.give })
		if err != test.want {
			t.Errorf("Change: got error %v, want %v", err, test.want)
		}
	}
	if _, known, err := b.Guest(guestID(1)); known || err != nil {
		t.Errorf("known %v, error %v; want an empty book", known, err)
	}
	if b.Len() != 0 {
		t.Errorf("%d guests, want 0", b.Len())
	}
}

func TestAChangeThatPanicsLeavesTheBookUsable(t *testing.T) {
	b := newBook(t)
	func() {
		defer func() { recover() }()
		b.Change(guestID(1), func(*hien.Guest) error { panic("boom") })
	}()
	change(t, b, guestID(1), seen(time.Second))
}

func TestChangesExcludeEachOther(t *testing.T) {
	b := newBook(t)
	const each, hands = 1250, 8
	var wg sync.WaitGroup
	for range hands {
		wg.Go(func() {
			for range each {
				err := b.Change(guestID(1), func(g *hien.Guest) error { g.Pass.Until++; return nil })
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := read(t, b, guestID(1)).Pass.Until; got != each*hands {
		t.Errorf("10,000 changes counted %d", got)
	}
}

func TestAForgottenGuestIsGone(t *testing.T) {
	b := newBook(t)
	change(t, b, guestID(1), seen(time.Second))
	change(t, b, guestID(2), seen(time.Second))
	for range 2 {
		if err := forget(b, guestID(1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, known, _ := b.Guest(guestID(1)); known || b.Len() != 1 {
		t.Errorf("known %v, %d guests; want it gone and 1 left", known, b.Len())
	}
}

func TestZonesAreApart(t *testing.T) {
	b := newBook(t)
	mac := hien.MAC{2, 0, 0, 0, 0, 0}
	ids := []hien.GuestID{{Zone: "guest", MAC: mac}, {Zone: "vip", MAC: mac}, {Zone: "guest\x00", MAC: mac}, {Zone: "", MAC: mac}}
	for i, id := range ids {
		change(t, b, id, func(g *hien.Guest) error { g.Pass.Until = time.Duration(i + 1); return nil })
	}
	for i, id := range ids {
		if got := read(t, b, id).Pass.Until; got != time.Duration(i+1) {
			t.Errorf("zone %q: got %d, want %d", id.Zone, got, i+1)
		}
	}
}

func TestTheWordingOfANoticeIsKeptOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	b := open(t, path)
	for n := range 200 {
		change(t, b, guestID(n), func(g *hien.Guest) error {
			g.Form = &hien.Form{Notice: notice("vn-2026.1")}
			return nil
		})
	}
	b.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// bbolt leaves copies behind in pages that are free again.
	if n := bytes.Count(text, []byte("Quán Hiên hỏi bạn")); n == 0 || n > 20 {
		t.Errorf("the notice of 200 forms stands in the file %d times", n)
	}
	b = open(t, path)
	want := notice("vn-2026.1")
	if diff := cmp.Diff(want, read(t, b, guestID(7)).Form.Notice); diff != "" {
		t.Errorf("notice (-want +got):\n%s", diff)
	}
}

func TestOneNumberGetsThreeCodesInAQuarterAndSixInADay(t *testing.T) {
	number := []byte("keyed hash of a number")
	for _, test := range []struct {
		name string
		at   []time.Duration
		want []bool
	}{
		{"three at once and no fourth", []time.Duration{0, 0, 0, 0}, []bool{true, true, true, false}},
		{"a fourth when the first is a quarter old", []time.Duration{0, 5 * time.Minute, 6 * time.Minute, 15*time.Minute - 1, 15 * time.Minute}, []bool{true, true, true, false, true}},
		{"six in a day, whatever the pace", []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 5 * time.Hour, 6 * time.Hour, 24*time.Hour - 1, 24 * time.Hour}, []bool{true, true, true, true, true, true, false, false, true}},
		{"what was refused does not count", []time.Duration{0, 0, 0, 1, 2, 3, 4, 15 * time.Minute}, []bool{true, true, true, false, false, false, false, true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "live")
			b := open(t, path)
			for i, now := range test.at {
				b.Close() // a restart does not forget
				b = open(t, path)
				got, err := b.CountCode(number, now+time.Hour)
				if err != nil || got != test.want[i] {
					t.Errorf("code %d at %v: allowed %v, error %v; want %v", i, now, got, err, test.want[i])
				}
				if ok, err := b.CountCode(fmt.Appendf(nil, "another number %d", i), now+time.Hour); !ok || err != nil {
					t.Errorf("another number at %v: allowed %v, error %v", now, ok, err)
				}
			}
		})
	}
	if _, err := newBook(t).CountCode(nil, 0); err == nil {
		t.Error("no number: want an error")
	}
}

func TestTheCountsOfCodesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	b := open(t, path)
	number := func(n int) []byte { return fmt.Appendf(nil, "%064d", n) }
	count := func(n int, now time.Duration) bool {
		t.Helper()
		ok, err := b.CountCode(number(n), now)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for range hien.CodesPerQuarter {
		count(0, 0)
	}
	for n := 1; n < 6000; n++ {
		count(n, time.Duration(n)*time.Millisecond)
	}
	if size := fileSize(t, path); size > 2<<20 {
		t.Errorf("%d numbers take %d bytes, want at most 2 MiB", livebook.MaxNumbers, size)
	}
	if !count(0, 6*time.Second) {
		t.Error("the number that was quiet for the longest is still counted beyond the bound")
	}
	for range hien.CodesPerQuarter - 1 {
		count(5999, 6*time.Second)
	}
	if count(5999, 6*time.Second) {
		t.Error("a young number was dropped")
	}
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestTheFileIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v; want 0600", info.Mode(), err)
	}
}

func TestABookThatIsOpenIsBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	b := open(t, path)
	change(t, b, guestID(1), seen(time.Second))
	for _, wait := range []time.Duration{0, 50 * time.Millisecond} {
		if _, err := livebook.Open(path, livebook.Options{Boot: boot, Wait: wait}); !errors.Is(err, livebook.ErrBusy) {
			t.Errorf("second Open: got %v, want ErrBusy", err)
		}
	}
	opened := make(chan error)
	go func() {
		second, err := livebook.Open(path, livebook.Options{Boot: boot, Wait: time.Minute})
		if err == nil {
			_, known, _ := second.Guest(guestID(1))
			err = second.Close()
			if !known {
				err = errors.New("the guest is gone")
			}
		}
		opened <- err
	}()
	b.Close()
	if err := <-opened; err != nil {
		t.Errorf("Open after the other has closed: %v", err)
	}
}

func TestABookOfAnotherBootIsBegunAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	b := open(t, path)
	change(t, b, guestID(1), seen(time.Hour))
	b.CountCode([]byte("n"), time.Hour)
	b.Close()
	var log bytes.Buffer
	b, err := livebook.Open(path, livebook.Options{Boot: "another", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Len() != 0 {
		t.Errorf("%d guests of another boot", b.Len())
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "boot") {
		t.Errorf("%d warnings, want one that tells of the boot:\n%s", n, log.String())
	}
}

func TestANewBookWarnsOfNothing(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "live")
	for range 2 {
		b, err := livebook.Open(path, livebook.Options{Boot: boot, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
	if log.Len() > 0 {
		t.Errorf("got a warning:\n%s", log.String())
	}
}

func TestTheDirectoryMustExist(t *testing.T) {
	if _, err := livebook.Open(filepath.Join(t.TempDir(), "none", "live"), livebook.Options{Boot: boot}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the directory does not exist", err)
	}
}

// forget takes a guest out of the book.
func forget(b *livebook.Book, id hien.GuestID) error {
	return b.Change(id, func(*hien.Guest) error { return hien.ErrForget })
}
