package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/consent"
)

func signer(b byte) consent.Signer {
	return consent.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize)))
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// exported is a ledger of n entries as the gateway writes it.
func exported(t testing.TB, n int, by consent.Signer) []byte {
	t.Helper()
	return exportedOver(t, n, -1, by, by)
}

// exportedOver is a ledger that goes over to another key with the entries
// after the first so many; -1: it does not.
func exportedOver(t testing.TB, n, over int, by, next consent.Signer) []byte {
	t.Helper()
	first := by.Public()
	var head consent.Head
	var all []consent.Entry
	for i := range n {
		at := consent.Moment{Wall: noon.Add(time.Duration(i) * time.Minute), Boot: "boot-1", Up: time.Duration(i) * time.Minute, InStep: true}
		notice := consent.Notice{Version: "test-1", Language: "vi", Title: "Quán Hiên", Asks: []consent.Ask{{Purpose: consent.VisitFrequency, Line: "đếm lượt ghé", Detail: "không gửi gì"}}}
		c, err := consent.Give(consent.NewID(), "", notice, []consent.Purpose{consent.VisitFrequency}, at)
		if err != nil {
			t.Fatal(err)
		}
		s, with := consent.StateConsent(c), by
		switch {
		case i%8 == 7:
			s = consent.StateErasure(consent.NewID(), c.Subject(), []consent.Purpose{consent.VisitFrequency}, at)
		case i%8 == 5:
			s = consent.StateCorrection(consent.NewID(), c, at)
		case i%4 == 3:
			s = consent.StateWithdrawal(consent.NewID(), c.Subject(), []consent.Purpose{consent.VisitFrequency}, at)
		}
		s.Store, s.Zone, s.Channel, s.Build = "hcm-q1-01", "guest", "portal", "test"
		s.Commitments = map[string]consent.Hash{"address": consent.Commit("10.77.0.9").Hash()}
		switch i {
		case over:
			s, by = consent.StateContinued(consent.NewID(), consent.Origin{Key: first, Head: head}, next.Public(), at), next
		case over + 1:
			if over >= 0 {
				s = consent.StateContinued(consent.NewID(), consent.Origin{Key: first, Head: head}, nil, at)
			}
		}
		e, err := consent.Append(head, s, with)
		if err != nil {
			t.Fatal(err)
		}
		all, head = append(all, e), e.Head()
	}
	var b bytes.Buffer
	seq := func(yield func(consent.Entry, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
	if err := consent.WriteExport(&b, first, seq, head, by, noon); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestALedgerThatHolds(t *testing.T) {
	for _, n := range []int{0, 1, 40} {
		r, err := verify(bytes.NewReader(exported(t, n, signer(1))), consent.KeyID(signer(1).Public()))
		if err != nil || r.Entries != uint64(n) || r.Kinds["withdrawal"] != n/8 || r.Kinds["erasure"] != n/8 {
			t.Errorf("%d entries: got %+v, %v", n, r, err)
		}
	}
}

func TestALedgerThatGoesOn(t *testing.T) {
	r, err := verify(bytes.NewReader(exportedOver(t, 12, 5, signer(1), signer(2))), consent.KeyID(signer(1).Public()))
	if err != nil || r.Kinds["continued"] != 2 || len(r.Continued) != 2 || !strings.HasPrefix(r.Continued[0], "At entry 6 ") {
		t.Errorf("got %+v, %v; want that it goes over at entry 6", r, err)
	}
	for seq, want := range map[uint64]string{8: "At entry 9 the ledger was put back from a backup, or", 11: "3 entries that stood there are lost"} {
		if says, err := (from{strings.Repeat("ab", 32), seq}).says(8); err != nil || !strings.Contains(says, want) {
			t.Errorf("from entry %d: %q, %v; want %q", seq, says, err, want)
		}
	}
	if says, err := (from{strings.Repeat("ab", 32), 8}).says(0); err != nil || !strings.Contains(says, "another ledger") {
		t.Errorf("a first entry: %q, %v; want that it names another ledger", says, err)
	}
	if _, err := (from{"AB", 8}).says(8); err == nil {
		t.Error("a key that is none was taken")
	}
}

// TestAThousandForgeries edits, cuts and swaps, in a ledger of one key and in
// one that went over to another. Each is found, and named by the entry where it
// shows.
func TestAThousandForgeries(t *testing.T) {
	t.Run("of one key", func(t *testing.T) { forge(t, exported(t, 40, signer(1))) })
	t.Run("of two keys", func(t *testing.T) { forge(t, exportedOver(t, 40, 20, signer(1), signer(3))) })
}

func forge(t *testing.T, text []byte) {
	clean := bytes.SplitAfter(text, []byte("\n"))
	clean = clean[:len(clean)-1] // what follows the last newline
	foreign := bytes.SplitAfter(exported(t, 40, signer(2)), []byte("\n"))
	r := rand.New(rand.NewPCG(20, 26))
	kinds := map[string]int{}
	for i := range 1000 {
		lines := slices.Clone(clean)
		at := 1 + r.IntN(40) // the entry's number is its line's
		var what, want string
		switch i % 8 {
		case 0, 1:
			what, want = "a flipped bit", fmt.Sprintf("entry %d", at)
			l := slices.Clone(lines[at])
			l[r.IntN(len(l)-1)] ^= 1 << r.IntN(8)
			lines[at] = l
		case 2:
			what, want = "an entry cut out", fmt.Sprintf("entry %d", at)
			lines = slices.Delete(lines, at, at+1)
		case 3:
			other := 1 + r.IntN(40)
			if other == at {
				other = at%40 + 1
			}
			what, want = "two entries that changed places", fmt.Sprintf("entry %d", min(at, other))
			lines[at], lines[other] = lines[other], lines[at]
		case 4:
			what, want = "the end cut off", fmt.Sprintf("entry %d", at)
			lines = lines[:at]
		case 5:
			what, want = "an entry of another router's", fmt.Sprintf("entry %d", at)
			lines[at] = foreign[at]
		case 6:
			what, want = "an entry twice", fmt.Sprintf("entry %d", at+1)
			lines = slices.Insert(lines, at, lines[at])
		case 7:
			what, want = "a changed head", "head"
			l := slices.Clone(lines[0])
			l[r.IntN(len(l)-1)] ^= 1 << r.IntN(8)
			lines[0] = l
		}
		kinds[what]++
		_, err := verify(bytes.NewReader(bytes.Join(lines, nil)), "")
		if err == nil {
			t.Fatalf("forgery %d, %s at entry %d: not found", i, what, at)
		}
		if !strings.Contains(err.Error(), want) && !(want == "head" && strings.Contains(err.Error(), "entry ")) {
			t.Errorf("forgery %d, %s at entry %d: %v; want it to name %s", i, what, at, err, want)
		}
	}
	t.Logf("1000 forgeries found and named: %v", kinds)
}

func TestWhatAnAuditorSees(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	bad := filepath.Join(dir, "bad")
	text := exported(t, 8, signer(1))
	for name, b := range map[string][]byte{good: text, bad: bytes.Replace(text, []byte(`agreed\":true`), []byte(`agreed\":false`), 1)} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		args []string
		exit int
		want string
	}{
		"a ledger that holds":         {[]string{good}, 0, "The ledger holds: 8 entries (5 consents, 1 withdrawal, 1 erasure, 1 correction).\nThe last is of "},
		"one that was changed":        {[]string{bad}, 1, "does not hold: entry 1: its text"},
		"the key of another router":   {[]string{"--key", "0011223344556677", good}, 1, "and not of 0011223344556677"},
		"no file":                     {nil, 2, "usage"},
		"a file that is not there":    {[]string{filepath.Join(dir, "none")}, 1, "no such file"},
		"a flag that is not known":    {[]string{"--fast", good}, 2, "not defined"},
		"for machines":                {[]string{"--json", good}, 0, `"entries":8`},
		"for machines, broken":        {[]string{"--json", bad}, 1, `"broken":"entry 1`},
		"something that is no ledger": {[]string{os.Args[0]}, 1, "does not hold: its head"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			if got := run(c.args, nil, &out, &errOut); got != c.exit {
				t.Errorf("exit status: got %d, want %d", got, c.exit)
			}
			if said := out.String() + errOut.String(); !strings.Contains(said, c.want) {
				t.Errorf("it says %q, want %q in it", said, c.want)
			}
		})
	}
}

// TestTheVerifierIsShort holds what the documents promise: one file of under
// 300 lines that an auditor can read, and nothing of ours in it.
func TestTheVerifierIsShort(t *testing.T) {
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n >= 300 {
		t.Errorf("main.go has %d lines, want fewer than 300", n)
	}
	if bytes.Contains(text, []byte("hien-wifi")) {
		t.Error("main.go imports something of ours: then it shares our mistakes")
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(exported(f, 3, signer(1)))
	f.Add([]byte("{}\n"))
	good, _ := json.Marshal(header{Format: exportFormat})
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := verify(bytes.NewReader(b), "")
		if err == nil && r.Exported == "" {
			t.Error("it holds, and has no time")
		}
	})
}
