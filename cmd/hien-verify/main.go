// Hien-verify checks a ledger of consents that `hien ledger export` has
// written, without trust in Hiên: it uses the standard library alone, reads
// what docs/ledger-format.md describes, and shares no line with the gateway.
//
//	hien-verify [--key ID] [--json] FILE
//
// It says whether every entry is the one that was signed, in its place, with
// none missing. Its exit status is 0 when the ledger holds, 1 when it does
// not or cannot be read, and 2 for a command line that is wrong.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// The formats that are understood.
const (
	exportFormat = "hien-ledger-export-1"
	entryFormat  = "hien-ledger-1"
)

// maxLine bounds a line of an export, in bytes. An entry has a kilobyte or
// two.
const maxLine = 1 << 20

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("hien-verify", flag.ContinueOnError)
	flags.SetOutput(errOut)
	key := flags.String("key", "", "the `ID` of the router's key, as its receipts name it")
	asJSON := flags.Bool("json", false, "answer as JSON, for machines")
	flags.Usage = func() {
		fmt.Fprint(errOut, "usage: hien-verify [--key ID] [--json] FILE\n\nIt checks a ledger that `hien ledger export` has written; FILE may be - for\nstandard input. With --key the ledger must begin with that router's key.\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return 2
	}
	in := stdin
	if name := flags.Arg(0); name != "-" {
		file, err := os.Open(name)
		if err != nil {
			fmt.Fprintf(errOut, "hien-verify: %v\n", err)
			return 1
		}
		defer file.Close()
		in = file
	}
	report, err := verify(in, *key)
	if *asJSON {
		if err != nil {
			report.Broken = err.Error()
		}
		json.NewEncoder(out).Encode(report)
	} else if err == nil {
		fmt.Fprintf(out, "The ledger holds: %s (%s, %s, %s, %s).\nThe last is of %s.\nIt was exported at %s; entries written later are not in it.\nIts key is %s: compare that with the key on a receipt of the shop.\n",
			count(report.Entries, "entry", "entries"), count(report.Kinds["consent"], "consent", "consents"), count(report.Kinds["withdrawal"], "withdrawal", "withdrawals"),
			count(report.Kinds["erasure"], "erasure", "erasures"), count(report.Kinds["correction"], "correction", "corrections"), orNone(report.Last), report.Exported, report.Key)
		for _, where := range report.Continued {
			fmt.Fprintf(out, "%s.\n", where)
		}
	}
	if err != nil {
		fmt.Fprintf(errOut, "hien-verify: the ledger does not hold: %v\n", err)
		return 1
	}
	return 0
}

func count[N int | uint64](n N, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func orNone(s string) string {
	if s == "" {
		return "nobody"
	}
	return s
}

// A result is what was found.
type result struct {
	Entries  uint64         `json:"entries"` // that hold, from the first on
	Kinds    map[string]int `json:"kinds"`
	Key      string         `json:"key"` // of the first entry
	Last     string         `json:"last,omitempty"`
	Exported string         `json:"exported,omitempty"`

	// Continued says where the ledger was put back from a backup or went over
	// to another key, and what is lost.
	Continued []string `json:"continued,omitempty"`

	Broken string `json:"broken,omitempty"`
}

// A header is the first line of an export.
type header struct {
	Format    string `json:"format"`
	Key       string `json:"key"`
	Seq       uint64 `json:"seq"`
	Hash      string `json:"hash"`
	Time      string `json:"time"`
	Signature string `json:"signature"`
}

// A line is one entry of an export. Body is the text that was signed.
type line struct {
	Seq       uint64 `json:"seq"`
	Body      string `json:"body"`
	Hash      string `json:"hash"`
	Signature string `json:"signature"`
}

// A body is what of an entry's text the chain needs. Everything else in it is
// covered by the hash, whatever it says.
type body struct {
	Format  string `json:"format"`
	Seq     uint64 `json:"seq"`
	Prev    string `json:"prev"`
	Kind    string `json:"kind"`
	Time    string `json:"time"`
	Key     string `json:"key"`
	NextKey string `json:"next_key"` // the ledger goes on with this key, hex
	From    *from  `json:"from"`     // where a ledger that was put back goes on from
}

// A from names another ledger's, or this one's, first key and last entry.
type from struct {
	Key string `json:"key"`
	Seq uint64 `json:"seq"`
}

// says tells where an entry, the first after so many, goes on from.
func (f from) says(before uint64) (string, error) {
	key, err := publicKey(f.Key)
	switch {
	case err != nil:
		return "", fmt.Errorf("where it goes on from: %w", err)
	case before == 0:
		return fmt.Sprintf("Entry 1 goes on from entry %d of another ledger, of key %s: check that one too", f.Seq, keyID(key)), nil
	case f.Seq > before:
		return fmt.Sprintf("At entry %d the ledger was put back from a backup; %d entries that stood there are lost", before+1, f.Seq-before), nil
	}
	return fmt.Sprintf("At entry %d the ledger was put back from a backup, or went over to another key", before+1), nil
}

// verify reads an export to its end. Its error says what does not hold, and
// where; the result tells of what came before it.
func verify(in io.Reader, wantKey string) (result, error) {
	r := result{Kinds: map[string]int{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	var h header
	if err := next(lines, &h); err != nil {
		return r, fmt.Errorf("its head: %w", err)
	}
	if h.Format != exportFormat {
		return r, fmt.Errorf("its head: the format is %q, want %q", h.Format, exportFormat)
	}
	key, err := publicKey(h.Key)
	if err != nil {
		return r, fmt.Errorf("its head: %w", err)
	}
	r.Key, r.Exported = keyID(key), h.Time
	if _, err := time.Parse(time.RFC3339, h.Time); err != nil {
		return r, fmt.Errorf("its head: %q is no time", h.Time)
	}
	if wantKey != "" && wantKey != r.Key {
		return r, fmt.Errorf("its head: it is of key %s, and not of %s", r.Key, wantKey)
	}
	var prev [sha256.Size]byte
	for {
		var l line
		if err := next(lines, &l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return r, fmt.Errorf("entry %d: %w", r.Entries+1, err)
		}
		b, hash, err := l.follows(r.Entries, prev, key)
		if err != nil {
			return r, fmt.Errorf("entry %d: %w", r.Entries+1, err)
		}
		if b.From != nil {
			where, err := b.From.says(r.Entries)
			if err != nil {
				return r, fmt.Errorf("entry %d: %w", r.Entries+1, err)
			}
			r.Continued = append(r.Continued, where)
		}
		if b.NextKey != "" {
			if key, err = publicKey(b.NextKey); err != nil {
				return r, fmt.Errorf("entry %d: the key with which the ledger goes on: %w", r.Entries+1, err)
			}
		}
		prev, r.Last = hash, b.Time
		r.Entries++
		r.Kinds[b.Kind]++
	}
	switch {
	case h.Seq != r.Entries:
		return r, fmt.Errorf("entry %d: the head names %d entries, and %d are there", r.Entries+1, h.Seq, r.Entries)
	case h.Hash != hex.EncodeToString(prev[:]):
		return r, fmt.Errorf("entry %d: it is not the last that the head names", r.Entries)
	case !signed(key, fmt.Appendf(nil, "%s\x00%d\x00%s\x00%s", exportFormat, h.Seq, h.Hash, h.Time), h.Signature):
		return r, errors.New("its head: the signature is not the router's")
	}
	return r, nil
}

// next reads one line. It must be written exactly as an export is, byte for
// byte: a name that stands there twice, or in another case, could hide from
// one reader what another one sees.
func next(lines *bufio.Scanner, into any) error {
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return fmt.Errorf("it cannot be read: %w", err)
		}
		return io.EOF
	}
	if err := json.Unmarshal(lines.Bytes(), into); err != nil {
		return fmt.Errorf("it is no JSON of this format: %w", err)
	}
	if again, err := json.Marshal(into); err != nil || !bytes.Equal(again, lines.Bytes()) {
		return errors.New("it is not written as an export is")
	}
	return nil
}

// follows checks that the entry is the one that was signed in this place.
func (l line) follows(before uint64, prev [sha256.Size]byte, key ed25519.PublicKey) (b body, hash [sha256.Size]byte, err error) {
	if l.Seq != before+1 {
		return b, hash, fmt.Errorf("its number is %d", l.Seq)
	}
	hash = sha256.Sum256(append(append([]byte(entryFormat+"\x00"), prev[:]...), l.Body...))
	switch {
	case l.Hash != hex.EncodeToString(hash[:]):
		return b, hash, errors.New("its text or its predecessor was changed")
	case !signed(key, hash[:], l.Signature):
		return b, hash, fmt.Errorf("its signature is not that of key %s", keyID(key))
	}
	if err := json.Unmarshal([]byte(l.Body), &b); err != nil {
		return b, hash, fmt.Errorf("its text is no JSON of this format: %w", err)
	}
	switch {
	case b.Format != entryFormat:
		return b, hash, fmt.Errorf("its format is %q, want %q", b.Format, entryFormat)
	case b.Seq != l.Seq || b.Prev != hex.EncodeToString(prev[:]):
		return b, hash, errors.New("it says another place in the chain")
	case b.Key != keyID(key):
		return b, hash, fmt.Errorf("it names key %s, and it is the turn of %s", strconv.Quote(b.Key), keyID(key))
	}
	return b, hash, nil
}

func signed(key ed25519.PublicKey, text []byte, signature string) bool {
	raw, err := hex.DecodeString(signature)
	return err == nil && signature == hex.EncodeToString(raw) && ed25519.Verify(key, text, raw)
}

func publicKey(text string) (ed25519.PublicKey, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != ed25519.PublicKeySize || text != hex.EncodeToString(raw) {
		return nil, fmt.Errorf("%q is no public key: want %d hex digits in lower case", text, 2*ed25519.PublicKeySize)
	}
	return raw, nil
}

// keyID is the short name of a key: the first 8 bytes of its SHA-256, hex.
func keyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}
