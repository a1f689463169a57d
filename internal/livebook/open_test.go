package livebook_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/livebook"
)

func TestTheOpenDoorOutlivesTheDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	b := open(t, path)
	wantOpen := func(want time.Duration) {
		t.Helper()
		if got, err := b.Open(); err != nil || got != want {
			t.Errorf("open until %v, %v; want %v", got, err, want)
		}
	}
	wantOpen(0)
	if err := b.SetOpen(5 * time.Hour); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b = open(t, path)
	wantOpen(5 * time.Hour)
	b.Close()
	b, err := livebook.Open(path, livebook.Options{Boot: "another"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	wantOpen(0) // its time is of another clock
}

func TestADamagedOpenDoorMeansANewBook(t *testing.T) {
	for _, raw := range []string{"", "short", "far too long", "\xff\xff\xff\xff\xff\xff\xff\xff"} {
		path := filepath.Join(t.TempDir(), "live")
		b := open(t, path)
		change(t, b, guestID(1), seen(time.Minute))
		if err := b.PutRawOpen([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		if until, err := b.Open(); err == nil {
			t.Errorf("%q: open until %v; want an error", raw, until)
		}
		b.Close()
		b = open(t, path)
		if until, err := b.Open(); err != nil || until != 0 || b.Len() != 0 {
			t.Errorf("%q, opened again: until %v, %v, %d guests; want a fresh book", raw, until, err, b.Len())
		}
	}
}

// A field that was added means nothing where it is missing: an upgrade of the
// daemon costs nobody a pass.
func TestAPageOfAnEarlierReleaseIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	b := open(t, path)
	change(t, b, guestID(1), seen(time.Minute))
	if err := b.PutRaw(guestID(1), []byte(`{"addrs":["10.20.0.7"],"stay":{},"pass":14400000000000}`)); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if got := read(t, open(t, path), guestID(1)).Pass; got != (hien.Pass{Until: 4 * time.Hour}) {
		t.Errorf("got %+v, want a pass until 4h and nothing else", got)
	}
}
