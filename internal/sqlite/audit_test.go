package sqlite

import (
	"testing"
	"time"

	"github.com/hien-wifi/hien"
)

func note(t *testing.T, s *Store, d hien.Deed) {
	t.Helper()
	if err := s.Note(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func TestTheAuditIsReadLatestFirst(t *testing.T) {
	s := begin(t)
	note(t, s, hien.Deed{At: at(1), Who: "lan", What: hien.DidOpen, About: "2h"})
	note(t, s, hien.Deed{At: guess(9), Who: "root", What: hien.DidAdmit, About: "02:00:5e:··:··:·· in zone guest"})
	reopened := reopen(t, closed(t, s))
	got, err := reopened.Audit(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "audit", got,
		AuditRow{When{guess(9).Wall, false}, "root", hien.DidAdmit, "02:00:5e:··:··:·· in zone guest"},
		AuditRow{When{at(1).Wall, true}, "lan", hien.DidOpen, "2h"})
	if got, err = reopened.Audit(t.Context(), 1); err != nil || len(got) != 1 || got[0].Who != "root" {
		t.Errorf("with a limit of 1: got %+v, %v", got, err)
	}
	if c, err := reopened.Counts(t.Context()); err != nil || c.Audit != 2 {
		t.Errorf("counted %d, %v; want 2", c.Audit, err)
	}
}

// closed closes a store and answers where it is.
func closed(t *testing.T, s *Store) string {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s.path
}

func TestTheAuditIsBounded(t *testing.T) {
	s := begin(t)
	_, err := s.db.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO audit (wall, boot, up, in_step, who, what, about) SELECT ?, 'boot-1', i, 1, 'lan', 'admit', '' FROM n`,
		MaxDeeds, at(0).Wall.UnixNano())
	if err != nil {
		t.Fatal(err)
	}
	note(t, s, hien.Deed{At: at(1), Who: "lan", What: hien.DidOpen})
	want(t, "rows", number(t, s, "SELECT count(*) FROM audit"), MaxDeeds)
	want(t, "the oldest", number(t, s, "SELECT min(up) FROM audit"), 2)

	late := at(1)
	late.Wall = late.Wall.Add(MaxDeedAge)
	note(t, s, hien.Deed{At: guess(2), Who: "lan", What: hien.DidOpen})
	late.InStep = false
	note(t, s, hien.Deed{At: late, Who: "lan", What: hien.DidOpen}) // a clock that is a guess drops nothing
	want(t, "rows while the clock is a guess", number(t, s, "SELECT count(*) FROM audit"), MaxDeeds)
	late.InStep = true
	note(t, s, hien.Deed{At: late, Who: "lan", What: hien.DidOpen})
	want(t, "rows after two years", number(t, s, "SELECT count(*) FROM audit"), 4)
	late.Wall = late.Wall.Add(time.Nanosecond)
	note(t, s, hien.Deed{At: late, Who: "lan", What: hien.DidOpen})
	want(t, "rows after a moment more", number(t, s, "SELECT count(*) FROM audit"), 4)
}

func TestADeedBeforeTheClockWasSetIsStampedAgain(t *testing.T) {
	s := begin(t)
	note(t, s, hien.Deed{At: guess(5), Who: "lan", What: hien.DidOpen})
	batch(t, s, at(70))
	got, err := s.Audit(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "audit", got, AuditRow{At: When{at(5).Wall, true}, Who: "lan", What: hien.DidOpen})
}

func TestAClosedRecordNotesNothing(t *testing.T) {
	s := begin(t)
	closed(t, s)
	if err := s.Note(t.Context(), hien.Deed{At: at(1), Who: "lan", What: hien.DidOpen}); err == nil {
		t.Error("got nil, want an error")
	}
}
