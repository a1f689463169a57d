package accesslog

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
)

var start = hien.Moment{Wall: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), Boot: "boot-a", Up: time.Hour, InStep: true}

func after(m hien.Moment, d time.Duration) hien.Moment {
	m.Wall, m.Up = m.Wall.Add(d), m.Up+d
	return m
}

func guest(i int) hien.Session {
	return hien.Session{Guest: hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0, byte(i >> 8), byte(i)}},
		Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)})}}
}

// A shop is a log with its key.
type shop struct {
	*testing.T
	*Log
	dir    string
	seal   hien.SealKey
	unseal hien.UnsealKey
	now    hien.Moment
	wan    []netip.Addr
	months int
	told   bytes.Buffer
}

func newShop(t *testing.T, mode Mode) *shop {
	t.Helper()
	s := &shop{T: t, dir: filepath.Join(t.TempDir(), "access"), now: start, wan: []netip.Addr{netip.MustParseAddr("203.0.113.7")}, months: 12}
	var err error
	if s.seal, s.unseal, err = hien.NewSealKey(); err != nil {
		t.Fatal(err)
	}
	s.restart(mode)
	return s
}

// restart is another daemon in the same place.
func (s *shop) restart(mode Mode) {
	s.Log = New(Options{Dir: s.dir, Log: slog.New(slog.NewTextHandler(&s.told, nil)), WAN: func() []netip.Addr { return s.wan },
		Keep: func(hien.Moment) (int, bool) { return s.months, s.months > 0 }})
	s.Set(mode, s.seal, s.now)
}

func (s *shop) later(d time.Duration, online ...hien.Session) {
	s.now = after(s.now, d)
	s.Here(online, s.now)
}

// entries reads a month back.
func (s *shop) entries(month string) (all []Entry, found Found) {
	s.Helper()
	found, err := Read(filepath.Join(s.dir, month+".log"), s.unseal, func(e Entry) { all = append(all, e) })
	if err != nil {
		s.Fatal(err)
	}
	return all, found
}

func kinds(all []Entry) (k []string) {
	for _, e := range all {
		k = append(k, e.Kind)
	}
	return k
}

func (s *shop) month(name string, want ...string) []Entry {
	s.Helper()
	all, found := s.entries(name)
	if !slices.Equal(kinds(all), want) || found.Foreign+found.Closed != 0 || found.Damaged != 0 {
		s.Errorf("%s: %v, %+v; want %v and no damage", name, kinds(all), found, want)
	}
	return all
}

func TestASession(t *testing.T) {
	s := newShop(t, VN333)
	s.later(0) // nobody
	phone := guest(1)
	s.later(2*time.Second, phone)
	phone.Verified = true
	phone.Addrs = append(phone.Addrs, netip.MustParseAddr("2001:db8:77::9"))
	s.later(2*time.Second, phone)
	s.wan = []netip.Addr{netip.MustParseAddr("203.0.113.8")}
	s.later(31*time.Second, phone)
	s.later(2 * time.Second)
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("within the minute the flash was written")
	}
	s.later(time.Minute)
	all := s.month("2026-11", Start, Change, Change, Stop)
	first, last := all[0], all[3]
	for _, e := range all {
		if e.Session != first.Session || e.MAC != "02:00:5e:00:00:01" || e.Zone != "guest" || e.Unsure || e.Resumed {
			t.Errorf("%+v; want one session of one device", e)
		}
	}
	if len(first.Session) != 16 || first.Verified || !last.Verified || len(first.Addrs) != 1 || len(last.Addrs) != 2 ||
		first.WAN[0].String() != "203.0.113.7" || last.WAN[0].String() != "203.0.113.8" || last.At.Sub(first.At) != 35*time.Second {
		t.Errorf("first %+v,\nlast %+v", first, last)
	}
}

func TestTheMinimalLogKnowsLess(t *testing.T) {
	s := newShop(t, Minimal)
	s.later(0)
	phone := guest(1)
	phone.Verified = true
	s.later(2*time.Second, phone)
	s.Close(s.now)
	if e := s.month("2026-11", Start)[0]; e.Verified || e.WAN != nil {
		t.Errorf("%+v; want neither whether a number was proved nor the router's addresses", e)
	}
}

// TestNothingReadableRests holds that neither the device nor its address can
// be found in the file, in the ways in which they are written.
func TestNothingReadableRests(t *testing.T) {
	s := newShop(t, VN333)
	s.later(0)
	s.later(2*time.Second, guest(1))
	s.Close(s.now)
	text, err := os.ReadFile(filepath.Join(s.dir, "2026-11.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range [][]byte{[]byte("02:00:5e"), {2, 0, 0x5e, 0, 0, 1}, []byte("10.77.0.1"), {10, 77, 0, 1}, []byte("guest"), []byte("203.0.113")} {
		if bytes.Contains(text, plain) {
			t.Errorf("%q can be read in the file", plain)
		}
	}
	if strings.Contains(s.told.String(), "02:00:5e") {
		t.Errorf("the daemon's log says: %s", s.told.String())
	}
	if info, err := os.Stat(filepath.Join(s.dir, "2026-11.log")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	// Another key, the one for numbers say, opens nothing.
	_, other, err := hien.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	found, err := Read(filepath.Join(s.dir, "2026-11.log"), other, func(Entry) { t.Error("another key has opened it") })
	if err != nil || found.Foreign != 1 {
		t.Errorf("with another key: %+v, %v; want one record of another key", found, err)
	}
}

func TestManySessionsAreWrittenTogether(t *testing.T) {
	s := newShop(t, VN333)
	s.later(0)
	var online []hien.Session
	for i := range flushAt - 1 {
		online = append(online, guest(i))
	}
	s.later(2*time.Second, online...)
	if names, _ := s.files(); len(names) != 0 {
		t.Error("fewer than a group were written at once")
	}
	online = append(online, guest(flushAt))
	s.later(2*time.Second, online...)
	all, found := s.entries("2026-11")
	if len(all) != flushAt || found.Entries != flushAt {
		t.Errorf("%d entries; want %d", len(all), flushAt)
	}
	if seen := map[string]bool{}; true {
		for _, e := range all {
			seen[e.Session] = true
		}
		if len(seen) != flushAt {
			t.Errorf("%d sessions; want %d", len(seen), flushAt)
		}
	}
}

func TestAfterARestartSessionsGoOn(t *testing.T) {
	s := newShop(t, VN333)
	s.later(0)
	s.later(2*time.Second, guest(1))
	s.Close(s.now)
	s.restart(VN333)
	s.later(2*time.Second, guest(1))
	s.later(2*time.Second, guest(1), guest(2))
	s.Close(s.now)
	all := s.month("2026-11", Start, Start, Start)
	if all[0].Resumed || !all[1].Resumed || all[2].Resumed || all[0].MAC != all[1].MAC {
		t.Errorf("%+v; want that the second goes on, and the third is new", all)
	}
}

// TestEveryCut cuts a file at each byte, as a power cut may. What was whole
// before is read, the daemon writes on behind it, and nothing is torn then.
func TestEveryCut(t *testing.T) {
	s := newShop(t, VN333)
	s.later(0)
	for i := range 3 {
		s.later(2*time.Minute, guest(i))
		s.later(2 * time.Minute)
	}
	s.Close(s.now)
	path := filepath.Join(s.dir, "2026-11.log")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for cut := 0; cut <= len(whole); cut++ {
		torn := slices.Clone(whole[:cut])
		if cut%2 == 1 {
			torn = append(torn, make([]byte, 40)...) // the file grew, and its bytes did not come
		}
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		before, _ := s.entries("2026-11")
		if n := len(before); n < last || n > last+3 && last >= 0 {
			t.Fatalf("cut at %d of %d: %d entries, and %d one byte earlier", cut, len(whole), n, last)
		}
		last = len(before)
		if cut%16 != 0 && cut%16 != 1 { // writing on is slow
			continue
		}
		again := New(s.o)
		again.Set(VN333, s.seal, s.now)
		again.Here(nil, s.now)
		again.Here([]hien.Session{guest(9)}, s.now)
		again.Close(s.now)
		all, found := s.entries("2026-11")
		if len(all) != len(before)+1 || found.Damaged != 0 || found.Closed != 0 || all[len(all)-1].MAC != "02:00:5e:00:00:09" {
			t.Fatalf("cut at %d: %d entries before and %d after writing on, %+v", cut, len(before), len(all), found)
		}
	}
}

// TestDamageInTheMiddle holds that one bad block costs what is in it and
// nothing behind it.
func TestDamageInTheMiddle(t *testing.T) {
	s := newShop(t, VN333)
	s.later(0)
	for i := range 5 {
		s.later(2*time.Minute, guest(i))
		s.later(2 * time.Minute)
	}
	s.Close(s.now)
	all, _ := s.entries("2026-11")
	path := filepath.Join(s.dir, "2026-11.log")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(text) / 2; i < len(text)/2+100; i++ {
		text[i] ^= 0x5a
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	rest, found := s.entries("2026-11")
	if len(rest) < len(all)-4 || len(rest) >= len(all) || found.Damaged == 0 || rest[len(rest)-1].Session != all[len(all)-1].Session {
		t.Errorf("of %d entries %d are left, %+v; want all but those that were hit", len(all), len(rest), found)
	}
	s.restart(VN333)
	s.later(time.Minute)
	s.later(2*time.Second, guest(9))
	s.Close(s.now)
	more, again := s.entries("2026-11")
	if len(more) != len(rest)+1 || again.Damaged != found.Damaged {
		t.Errorf("after writing on %d entries, %+v; want one more and the same damage", len(more), again)
	}
}

// TestARecordBelongsToItsPlace holds that a record that was put elsewhere, or
// into another month, does not open.
func TestARecordBelongsToItsPlace(t *testing.T) {
	s := newShop(t, VN333)
	s.later(0)
	s.later(2*time.Second, guest(1))
	s.Close(s.now)
	text, err := os.ReadFile(filepath.Join(s.dir, "2026-11.log"))
	if err != nil {
		t.Fatal(err)
	}
	for name, moved := range map[string][]byte{"2026-12": text, "2026-10": append(slices.Clone(text), text...)} {
		if err := os.WriteFile(filepath.Join(s.dir, name+".log"), moved, 0o600); err != nil {
			t.Fatal(err)
		}
		all, found := s.entries(name)
		if len(all) != 0 || found.Closed == 0 {
			t.Errorf("%s: %d entries, %+v; want none", name, len(all), found)
		}
	}
}

func TestAWrongDiskCostsNothingButTheLog(t *testing.T) {
	s := newShop(t, VN333)
	if err := os.WriteFile(s.dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	s.later(0)
	s.later(2*time.Second, guest(1))
	s.later(2 * time.Minute)
	if st := s.State(); st.Trouble == "" || st.Lost != 0 {
		t.Errorf("%+v; want the trouble, and nothing lost yet", st)
	}
	if n := strings.Count(s.told.String(), "cannot be written"); n != 1 {
		t.Errorf("it was logged %d times: %s", n, s.told.String())
	}
	if err := os.Remove(s.dir); err != nil {
		t.Fatal(err)
	}
	s.later(2 * time.Minute)
	if st := s.State(); st.Trouble != "" {
		t.Errorf("mended, and it still says %q", st.Trouble)
	}
	s.month("2026-11", Start, Stop)
}

func TestWhatWaitsIsBounded(t *testing.T) {
	s := newShop(t, Minimal)
	if err := os.WriteFile(s.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var crowd []hien.Session
	for i := range maxSessions + 10 {
		crowd = append(crowd, guest(i))
	}
	s.later(0)
	s.later(2*time.Second, crowd...)
	if st := s.State(); st.Sessions != maxSessions || st.Lost != maxSessions-maxWaiting+10 || len(s.waiting) != maxWaiting {
		t.Errorf("%+v, %d wait; want %d sessions and %d entries at most", st, len(s.waiting), maxSessions, maxWaiting)
	}
}

func TestAClockThatIsSetLater(t *testing.T) {
	s := newShop(t, Minimal)
	s.now.InStep, s.now.Wall = false, time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	s.later(0)
	s.later(2*time.Second, guest(1))
	s.later(5*time.Minute, guest(1))
	if names, _ := s.files(); len(names) != 0 {
		t.Fatalf("%v was written with a guess for a date", names)
	}
	s.now.InStep, s.now.Wall = true, start.Wall
	s.later(2*time.Minute, guest(1))
	e := s.month("2026-11", Start)[0]
	if want := start.Wall.Add(-5 * time.Minute); e.Unsure || !e.At.Equal(want) {
		t.Errorf("%+v; want %v, and sure", e, want)
	}
}

func TestAClockThatIsNeverSet(t *testing.T) {
	s := newShop(t, Minimal)
	s.later(0)
	s.later(2*time.Second, guest(1))
	s.Close(s.now) // 2026-11
	s.now = hien.Moment{Wall: time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC), Boot: "boot-b", Up: time.Minute}
	s.restart(Minimal)
	s.later(0)
	s.later(2*time.Second, guest(2))
	s.later(16*time.Minute, guest(2))
	all := s.month("2026-11", Start, Start)
	if !all[1].Unsure {
		t.Errorf("%+v; want that it says that its date is a guess", all[1])
	}
}

func TestOldMonthsAreDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		now    time.Time
		months int
		want   []string
	}{
		"the month of a year ago is kept": {time.Date(2027, 11, 23, 1, 0, 0, 0, time.UTC), 12, []string{"2026-11.log", "2026-12.log"}},
		"until all of it is a year old":   {time.Date(2027, 12, 1, 1, 0, 0, 0, time.UTC), 12, []string{"2026-12.log"}},
		"a date that is not believed":     {time.Date(2036, 1, 1, 1, 0, 0, 0, time.UTC), 0, []string{"2026-10.log", "2026-11.log", "2026-12.log"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, Minimal)
			if err := os.MkdirAll(s.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, month := range []string{"2026-10", "2026-11", "2026-12"} {
				if err := os.WriteFile(filepath.Join(s.dir, month+".log"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s.months, s.now.Wall = c.months, c.now
			s.later(0)
			if got, err := s.files(); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("left: %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestALogThatIsOffKeepsNothing(t *testing.T) {
	s := newShop(t, None)
	s.later(2*time.Second, guest(1))
	s.later(2*time.Minute, guest(1))
	s.Close(s.now)
	if _, err := os.Stat(s.dir); s.On() || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("on %v, and the folder: %v", s.On(), err)
	}
	s.Set(VN333, s.seal, s.now)
	s.later(2*time.Second, guest(1))
	s.Set(None, hien.SealKey{}, s.now)
	s.month("2026-11", Start, Stop)
}

// TestALogThatWasSwitchedOffStillAges: what it had kept goes in its time.
func TestALogThatWasSwitchedOffStillAges(t *testing.T) {
	s := newShop(t, Minimal)
	s.later(0)
	s.later(2*time.Second, guest(1))
	s.Set(None, hien.SealKey{}, s.now)
	s.later(2 * time.Second)
	s.month("2026-11", Start, Stop)
	s.later(400 * 24 * time.Hour) // in December of the next year
	if left, err := s.files(); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v; want nothing", left, err)
	}
}

// TestAnotherKey changes the key while somebody is online: what was told
// before opens with the old one, what came after with the new one.
func TestAnotherKey(t *testing.T) {
	s := newShop(t, Minimal)
	s.later(0)
	s.later(2*time.Second, guest(1))
	seal2, unseal2, err := hien.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	s.Set(Minimal, seal2, s.now)
	s.later(2 * time.Second)
	s.Close(s.now)
	for want, key := range map[string]hien.UnsealKey{Start: s.unseal, Stop: unseal2} {
		s.unseal = key
		all, found := s.entries("2026-11")
		if !slices.Equal(kinds(all), []string{want}) || found.Foreign != 1 {
			t.Errorf("%v, %+v; want its own %s, and one of another key", kinds(all), found, want)
		}
	}
}

func TestAFullMonthIsTold(t *testing.T) {
	s := newShop(t, Minimal)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.later(0)
	s.later(2*time.Second, guest(1))
	s.later(2*time.Minute, guest(1))
	s.Log.end = maxMonth
	s.later(2 * time.Second)
	s.later(2 * time.Minute)
	if st := s.State(); !strings.Contains(st.Trouble, "2026-11.log has 32 MB") {
		t.Errorf("%+v; want that the month is full", st)
	}
}

// FuzzRead reads any bytes as a file: it ends, and tells no entry that was not
// sealed for it.
func FuzzRead(f *testing.F) {
	seal1, unseal, err := hien.NewSealKey()
	if err != nil {
		f.Fatal(err)
	}
	one, err := seal(seal1, "2026-11", 0, []byte(`{"kind":"start"}`+"\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one)
	f.Add(one[:len(one)-1])
	f.Add([]byte("HAL1HAL1HAL1HAL1HAL1"))
	f.Add(append([]byte("x"), one...))
	f.Fuzz(func(t *testing.T, text []byte) {
		n := 0
		found := read(bytes.NewReader(text), int64(len(text)), "2026-11", unseal, func(Entry) { n++ })
		if n != found.Entries || found.Damaged > int64(len(text)) || n > 0 && !bytes.HasPrefix(text, one) {
			t.Errorf("%d entries, %+v of %d bytes", n, found, len(text))
		}
	})
}
