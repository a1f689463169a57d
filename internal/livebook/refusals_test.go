package livebook_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/livebook"
)

func TestRefusalsWaitUntilTheyAreTaken(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "livebook"))
	say := func(mark hien.Mark, purposes ...consent.Purpose) {
		t.Helper()
		if err := b.Refuse(hien.Refusal{Mark: mark, Purposes: purposes}); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(mark hien.Mark, want ...consent.Purpose) {
		t.Helper()
		if got, err := b.Refused(mark); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", mark, got, err, want)
		}
	}
	wait("aa")
	say("aa", consent.ContactZalo)
	say("aa", consent.ContactZalo, consent.ContactSMS)
	say("bb", "share_partner:x")
	wait("aa", consent.ContactZalo, consent.ContactSMS)
	all, err := b.RefusalsWaiting()
	if err != nil || len(all) != 2 {
		t.Fatalf("waiting: %v, %v", all, err)
	}
	say("bb", consent.ProfileExtra) // while they are recorded
	if err := b.RefusalsTaken(all); err != nil {
		t.Fatal(err)
	}
	wait("aa")
	wait("bb", "share_partner:x", consent.ProfileExtra)
}

func TestOnlySoManyRefusalsWait(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "livebook"))
	for i := range livebook.MaxRefusals {
		if err := b.Refuse(hien.Refusal{Mark: hien.Mark(fmt.Sprintf("%04x", i)), Purposes: []consent.Purpose{consent.ContactZalo}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Refuse(hien.Refusal{Mark: "more", Purposes: []consent.Purpose{consent.ContactZalo}}); !errors.Is(err, livebook.ErrFull) {
		t.Errorf("one more: %v, want ErrFull", err)
	}
	if err := b.Refuse(hien.Refusal{Mark: "0001", Purposes: []consent.Purpose{consent.ContactSMS}}); err != nil {
		t.Errorf("a device that is there says no again: %v", err)
	}
}
