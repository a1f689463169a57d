package consent_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/hien-wifi/hien/consent"
)

// continued is a ledger of three entries by one key, the two that hand it
// over, and three by the other.
func continued(t *testing.T) []consent.Entry {
	t.Helper()
	all := ledger(t, 3, signer(1))
	add := func(s consent.Statement, by consent.Signer) {
		t.Helper()
		e, err := consent.Append(all[len(all)-1].Head(), s, by)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	first := signer(1).Public()
	add(consent.StateContinued("h1", consent.Origin{Key: first, Head: all[2].Head()}, signer(2).Public(), moment(10)), signer(1))
	add(consent.StateContinued("h2", consent.Origin{Key: first, Head: all[3].Head()}, nil, moment(10)), signer(2))
	for i := range 3 {
		add(consent.StateWithdrawal("w", "subject-0", []consent.Purpose{consent.VisitFrequency}, moment(20+i)), signer(2))
	}
	return all
}

func TestALedgerGoesOnWithAnotherKey(t *testing.T) {
	all := continued(t)
	last, err := consent.VerifyKeys(signer(1).Public(), seq(all), all[7].Head())
	if err != nil || !last.Equal(signer(2).Public()) {
		t.Errorf("VerifyKeys = %x, %v; want the second key", last, err)
	}
	s, err := all[3].Statement()
	if err != nil || s.Kind != consent.KindContinued || !s.Next.Equal(signer(2).Public()) || s.From.Head != all[2].Head() || !s.From.Key.Equal(signer(1).Public()) {
		t.Errorf("the entry that hands over was read back as %+v, %v", s, err)
	}
	// Cut off behind the entry that names the new key, it is of the old one.
	last, err = consent.VerifyKeys(signer(1).Public(), seq(all[:4]), all[3].Head())
	if err != nil || !last.Equal(signer(1).Public()) {
		t.Errorf("cut behind the hand-over: %x, %v; want the first key", last, err)
	}
}

func TestAHandOverCannotBeForged(t *testing.T) {
	add := func(all []consent.Entry, s consent.Statement, by consent.Signer) []consent.Entry {
		e, err := consent.Append(all[len(all)-1].Head(), s, by)
		if err != nil {
			t.Fatal(err)
		}
		return append(all, e)
	}
	for name, change := range map[string]func([]consent.Entry) []consent.Entry{
		"the old key goes on": func(e []consent.Entry) []consent.Entry {
			return add(e[:4], consent.StateWithdrawal("w", "subject-0", nil, moment(30)), signer(1))
		},
		"a third key goes on": func(e []consent.Entry) []consent.Entry {
			return add(e[:4], consent.StateWithdrawal("w", "subject-0", nil, moment(30)), signer(3))
		},
		"the new key hands it over to itself": func(e []consent.Entry) []consent.Entry {
			return add(e[:3], consent.StateContinued("h", consent.Origin{Key: signer(1).Public()}, signer(2).Public(), moment(10)), signer(2))
		},
		"another key is named": func(e []consent.Entry) []consent.Entry {
			was, is := hex.EncodeToString(signer(2).Public()), hex.EncodeToString(signer(3).Public())
			e[3].Body = bytes.Replace(e[3].Body, []byte(was), []byte(is), 1)
			return e
		},
		"a key that is none": func(e []consent.Entry) []consent.Entry {
			return add(e[:3], consent.StateContinued("h", consent.Origin{Key: signer(1).Public()}, []byte("short"), moment(10)), signer(1))
		},
		"the hand-over was cut out": func(e []consent.Entry) []consent.Entry { return slices.Delete(e, 3, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			all := change(continued(t))
			if err := consent.Verify(signer(1).Public(), seq(all), all[len(all)-1].Head()); !errors.Is(err, consent.ErrBroken) {
				t.Errorf("Verify = %v; want ErrBroken", err)
			}
		})
	}
}
