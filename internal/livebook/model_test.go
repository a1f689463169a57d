package livebook_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/livebook"
)

// TestTheBookIsAMap does to a book and to a map what a gateway may do, with
// restarts between, and compares.
func TestTheBookIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(tempDir(t), "live")
		var b *livebook.Book
		reopen := func() {
			var err error
			if b, err = livebook.Open(path, livebook.Options{Boot: boot}); err != nil {
				t.Fatal(err)
			}
		}
		reopen()
		defer func() { b.Close() }()
		model := make(map[hien.GuestID]hien.Guest)
		sent := make(map[string][]time.Duration)
		now, door := time.Duration(0), time.Duration(0)
		anyGuest := func(t *rapid.T) hien.GuestID { return guestID(rapid.IntRange(0, 12).Draw(t, "guest")) }
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				id, edit := anyGuest(t), anyChange(t)
				now += time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "later"))
				want := model[id]
				want.ID = id
				edit(&want, now)
				model[id] = want
				if err := b.Change(id, func(g *hien.Guest) error { edit(g, now); return nil }); err != nil {
					t.Fatal(err)
				}
			},
			"fail": func(t *rapid.T) {
				boom := errors.New("boom")
				if err := b.Change(anyGuest(t), func(g *hien.Guest) error { g.Asked = !g.Asked; return boom }); err != boom {
					t.Fatalf("got %v", err)
				}
			},
			"forget": func(t *rapid.T) {
				id := anyGuest(t)
				delete(model, id)
				if err := forget(b, id); err != nil {
					t.Fatal(err)
				}
			},
			"code": func(t *rapid.T) {
				number := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "number")
				now += time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(t, "later"))
				quarter, day := 0, 0
				for _, s := range sent[number] {
					if now-s < 15*time.Minute {
						quarter++
					}
					if now-s < 24*time.Hour {
						day++
					}
				}
				want := quarter < hien.CodesPerQuarter && day < hien.CodesPerDay
				if want {
					sent[number] = append(sent[number], now)
				}
				if got, err := b.CountCode([]byte(number), now); err != nil || got != want {
					t.Fatalf("code: allowed %v, error %v; want %v", got, err, want)
				}
			},
			"open the door": func(t *rapid.T) {
				door = time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "until"))
				if err := b.SetOpen(door); err != nil {
					t.Fatal(err)
				}
			},
			"restart": func(t *rapid.T) { b.Close(); reopen() },
			"": func(t *rapid.T) {
				got := make(map[hien.GuestID]hien.Guest)
				if err := b.Guests(func(g hien.Guest) error { got[g.ID] = g; return nil }); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(model, got, same); diff != "" {
					t.Fatalf("guests (-want +got):\n%s", diff)
				}
				if until, err := b.Open(); err != nil || until != door {
					t.Fatalf("open until %v, %v; want %v", until, err, door)
				}
				if b.Len() != len(model) {
					t.Fatalf("%d guests, want %d", b.Len(), len(model))
				}
			},
		})
	})
}

// anyChange draws an edit that is made in the same way each time.
func anyChange(t *rapid.T) func(*hien.Guest, time.Duration) {
	filled := whole(hien.GuestID{})
	version := rapid.StringMatching(`v[0-9]`).Draw(t, "notice")
	sealed := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "sealed")
	bits := rapid.Uint16().Draw(t, "fields")
	return func(g *hien.Guest, now time.Duration) {
		for bit, set := range []func(){
			func() { g.Stay.Last = at(now) },
			func() { g.Stay = hien.Stay{Start: at(now), Last: at(now)} },
			func() { g.Pass.Until = now + time.Hour },
			func() { g.Pass.Bytes, g.Pass.Moved, g.Pass.Spent = 7, now, true },
			func() { g.Addrs = filled.Addrs },
			func() { g.Ended = append(g.Ended[:len(g.Ended):len(g.Ended)], g.Stay) },
			func() { g.Ended = nil },
			func() { g.Codes = append(g.Codes[:len(g.Codes):len(g.Codes)], now) },
			func() { g.Form = &hien.Form{Notice: notice(version), Sealed: sealed, LastTwo: "21"} },
			func() { g.Form = nil },
			func() { g.Receipt, g.Given, g.Asked, g.Gave = "r", time.Duration(bits), true, bits&1 == 0 },
		} {
			if bits>>bit&1 == 1 {
				set()
			}
		}
	}
}

func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "livebook")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
