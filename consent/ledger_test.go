package consent_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/consent"
)

func signer(b byte) consent.Signer {
	return consent.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize)))
}

// ledger makes n entries, every third a withdrawal.
func ledger(t *testing.T, n int, by consent.Signer) []consent.Entry {
	t.Helper()
	var head consent.Head
	var all []consent.Entry
	for i := range n {
		subject := consent.ID(fmt.Sprintf("subject-%d", i/3))
		s := consent.StateWithdrawal(consent.ID(fmt.Sprintf("w%d", i)), subject, []consent.Purpose{consent.VisitFrequency}, moment(i))
		if i%3 != 2 {
			c, err := consent.Give(consent.ID(fmt.Sprintf("c%d", i)), subject, notice(consent.VisitFrequency, consent.ContactZalo),
				[]consent.Purpose{consent.VisitFrequency}, moment(i))
			if err != nil {
				t.Fatal(err)
			}
			s = consent.StateConsent(c)
			s.Commitments = map[string]consent.Hash{"address": consent.Commit("10.77.0.9").Hash()}
		}
		s.Store, s.Channel, s.Build = "hcm-q1-01", "portal", "test"
		e, err := consent.Append(head, s, by)
		if err != nil {
			t.Fatal(err)
		}
		all, head = append(all, e), e.Head()
	}
	return all
}

func seq(entries []consent.Entry) iter.Seq2[consent.Entry, error] {
	return func(yield func(consent.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func TestLedgerHolds(t *testing.T) {
	by := signer(1)
	all := ledger(t, 12, by)
	if err := consent.Verify(by.Public(), seq(all), all[11].Head()); err != nil {
		t.Errorf("a ledger nobody touched: %v", err)
	}
	if err := consent.Verify(by.Public(), seq(nil), consent.Head{}); err != nil {
		t.Errorf("an empty ledger: %v", err)
	}
	s, err := all[0].Statement()
	if err != nil {
		t.Fatal(err)
	}
	if s.Subject != "subject-0" || s.Kind != consent.KindConsent || !s.At.InStep || s.At.Up != moment(0).Up ||
		s.Notice == (consent.Hash{}) || len(s.Commitments) != 1 {
		t.Errorf("statement read back as %+v", s)
	}
}

func TestLedgerCannotBeChanged(t *testing.T) {
	by := signer(1)
	tamper := map[string]func([]consent.Entry) []consent.Entry{
		"an answer was changed": func(e []consent.Entry) []consent.Entry {
			e[4].Body = bytes.Replace(e[4].Body, []byte(`"agreed":false`), []byte(`"agreed":true`), 1)
			return e
		},
		"an entry was cut out":            func(e []consent.Entry) []consent.Entry { return slices.Delete(e, 4, 5) },
		"the last entries were cut":       func(e []consent.Entry) []consent.Entry { return e[:9] },
		"the first entry was cut":         func(e []consent.Entry) []consent.Entry { return e[1:] },
		"two entries changed places":      func(e []consent.Entry) []consent.Entry { e[3], e[4] = e[4], e[3]; return e },
		"an entry was put in twice":       func(e []consent.Entry) []consent.Entry { return slices.Insert(e, 5, e[4]) },
		"a signature was taken over":      func(e []consent.Entry) []consent.Entry { e[4].Signature = e[3].Signature; return e },
		"the whole was signed by another": func([]consent.Entry) []consent.Entry { return ledger(t, 12, signer(2)) },
		"an entry was added by another": func(e []consent.Entry) []consent.Entry {
			more, err := consent.Append(e[11].Head(), consent.StateWithdrawal("w", "subject-0", nil, moment(99)), signer(2))
			if err != nil {
				t.Fatal(err)
			}
			return append(e, more)
		},
	}
	for name, change := range tamper {
		t.Run(name, func(t *testing.T) {
			all := ledger(t, 12, by)
			head := all[11].Head()
			if err := consent.Verify(by.Public(), seq(change(all)), head); !errors.Is(err, consent.ErrBroken) {
				t.Errorf("Verify = %v; want ErrBroken", err)
			}
		})
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	by := signer(1)
	clean := ledger(t, 6, by)
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		all := slices.Clone(clean)
		i := r.IntN(len(all))
		e := all[i]
		e.Body, e.Signature = slices.Clone(e.Body), slices.Clone(e.Signature)
		var where []byte
		switch r.IntN(3) {
		case 0:
			where = e.Body
		case 1:
			where = e.Signature
		case 2:
			where = e.Hash[:]
		}
		at, bit := r.IntN(len(where)), r.IntN(8)
		where[at] ^= 1 << bit
		all[i] = e
		err := consent.Verify(by.Public(), seq(all), clean[5].Head())
		if !errors.Is(err, consent.ErrBroken) {
			t.Fatalf("entry %d, byte %d, bit %d flipped: Verify = %v; want ErrBroken", i+1, at, bit, err)
		}
		if want := fmt.Sprintf("entry %d", i+1); !strings.Contains(err.Error(), want) {
			t.Errorf("entry %d was changed, and the error says: %v", i+1, err)
		}
	}
}

func TestErasureLeavesTheChainWhole(t *testing.T) {
	c := consent.Commit("10.77.0.9")
	if c.Hash() != (consent.Commitment{Salt: c.Salt, Value: "10.77.0.9"}).Hash() {
		t.Error("the value beside the ledger no longer proves its hash")
	}
	if c.Hash() == consent.Commit("10.77.0.9").Hash() {
		t.Error("two commitments to one value are equal: the value could be guessed from the hash")
	}
}

func FuzzStatement(f *testing.F) {
	f.Add([]byte(`{"format":"hien-ledger-1","seq":1,"time":"2026-11-23T07:00:00Z"}`))
	f.Add([]byte(`{"answers":[{"purpose":"contact_zalo","agreed":true}],"time":"","commitments":{"a":"zz"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := consent.Entry{Seq: 1, Body: body}
		if _, err := e.Statement(); err == nil && len(body) == 0 {
			t.Error("an empty body was read as a statement")
		}
		if err := consent.Verify(signer(1).Public(), seq([]consent.Entry{e}), e.Head()); err == nil {
			t.Errorf("an entry nobody signed was taken: %q", body)
		}
	})
}
