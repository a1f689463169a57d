package sqlite

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func TestRefusalsAreKeptForTheirDays(t *testing.T) {
	s := begin(t)
	keep := func(day, since string, all ...hien.Refusal) {
		t.Helper()
		if err := s.KeepRefusals(t.Context(), day, all, since); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(mark hien.Mark, since string, want ...consent.Purpose) {
		t.Helper()
		if got, err := s.Refused(t.Context(), mark, since); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s since %s: got %v, %v; want %v", mark, since, got, err, want)
		}
	}
	keep("2026-11-01", "2026-10-02", hien.Refusal{Mark: "aa", Purposes: []consent.Purpose{zalo}}, hien.Refusal{Mark: "bb", Purposes: []consent.Purpose{sms}})
	keep("2026-11-20", "2026-10-21", hien.Refusal{Mark: "aa", Purposes: []consent.Purpose{sms}})
	refused("aa", "2026-11-01", zalo, sms)
	refused("aa", "2026-11-02", sms)
	refused("bb", "", sms)
	keep("2026-12-02", "2026-11-02")
	refused("aa", "", sms)
	refused("bb", "")
	if _, err := s.Refused(t.Context(), "no mark", ""); err == nil {
		t.Error("something was looked up under what is no mark")
	}
}

func TestTheOldestRefusalsMakeRoom(t *testing.T) {
	s := begin(t)
	for day, n := range map[string]int{"2026-11-01": 10, "2026-11-02": MaxRefusals} {
		var all []hien.Refusal
		for i := range n {
			all = append(all, hien.Refusal{Mark: hien.Mark(fmt.Sprintf("%s%06x", day[8:], i)), Purposes: []consent.Purpose{zalo}})
		}
		if err := s.KeepRefusals(t.Context(), day, all, ""); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "refusals", number(t, s, "SELECT count(*) FROM refusals"), MaxRefusals)
	want(t, "of the first day", number(t, s, "SELECT count(*) FROM refusals WHERE day = '2026-11-01'"), 0)
}
