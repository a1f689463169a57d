package consent

import (
	"bufio"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"
)

// ExportFormat names the layout of an exported ledger: docs/ledger-format.md
// says it in full, so that anybody can check one without this package.
const ExportFormat = "hien-ledger-export-1"

// exportHead is the first line of an export.
type exportHead struct {
	Format    string `json:"format"`
	Key       string `json:"key"` // the public key of the first entry, hex
	Seq       uint64 `json:"seq"` // of the last entry
	Hash      Hash   `json:"hash"`
	Time      string `json:"time"`      // of the export, RFC 3339
	Signature string `json:"signature"` // of the last entry's key over headText, hex
}

// exportEntry is each further line.
type exportEntry struct {
	Seq       uint64 `json:"seq"`
	Body      string `json:"body"`
	Hash      Hash   `json:"hash"`
	Signature string `json:"signature"`
}

// headText is what the head's signature signs: it binds the end of the ledger
// to a time, so that entries cut from the end are missed.
func headText(seq uint64, hash Hash, at string) []byte {
	return fmt.Appendf(nil, "%s\x00%d\x00%s\x00%s", ExportFormat, seq, hash, at)
}

// WriteExport writes a ledger for an auditor: a head that the router signs
// now, and each entry with the exact bytes that were signed, one JSON object
// a line. pub is the key of the first entry.
func WriteExport(w io.Writer, pub ed25519.PublicKey, entries iter.Seq2[Entry, error], head Head, by Signer, at time.Time) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	when := at.UTC().Format(time.RFC3339)
	err := enc.Encode(exportHead{Format: ExportFormat, Key: hex.EncodeToString(pub), Seq: head.Seq, Hash: head.Hash, Time: when,
		Signature: hex.EncodeToString(ed25519.Sign(by.key, headText(head.Seq, head.Hash, when)))})
	for e, entryErr := range entries {
		if err == nil {
			err = entryErr
		}
		if err == nil {
			err = enc.Encode(exportEntry{e.Seq, string(e.Body), e.Hash, hex.EncodeToString(e.Signature)})
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = b.Flush()
	}
	if err != nil {
		return fmt.Errorf("export ledger: %w", err)
	}
	return nil
}
