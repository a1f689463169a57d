package world_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"unicode/utf16"

	"github.com/hien-wifi/hien/internal/world"
)

func TestNumberScanFindsEveryForm(t *testing.T) {
	scan := world.NewNumberScan("+84987654321")
	var wide []byte
	for _, u := range utf16.Encode([]rune("0987654321")) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(`{"phone":"+84987654321"}`))
	z.Close()
	sum := sha256.Sum256([]byte("84987654321"))
	for name, text := range map[string][]byte{
		"international":   []byte("to +84987654321;"),
		"national":        []byte("0987654321"),
		"spaced":          []byte("098 765 43 21"),
		"dotted":          []byte("(098) 765.4321"),
		"UTF-16":          wide,
		"hex":             []byte(hex.EncodeToString([]byte("+84987654321"))),
		"base64":          []byte(base64.StdEncoding.EncodeToString([]byte(`{"phone":"+84987654321"}`))),
		"base64, shifted": []byte(base64.StdEncoding.EncodeToString([]byte(`{"phone2":"+84987654321"}`))),
		"base64, again":   []byte(base64.URLEncoding.EncodeToString([]byte(`{"phone22":"+84987654321"}`))),
		"backwards":       []byte("1234567890"),
		"binary":          {0xb1, 0x68, 0xde, 0x3a, 0x00}, // 987654321, little end first
		"packed":          {0x84, 0x98, 0x76, 0x54, 0x32, 0x1f},
		"SMS address":     {0x48, 0x89, 0x67, 0x45, 0x23, 0xf1},
		"digest":          []byte(hex.EncodeToString(sum[:])),
		"raw digest":      sum[:],
		"gzip":            zipped.Bytes(),
	} {
		if scan.Find(append([]byte("before "), append(text, " after"...)...)) == "" {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
}

func TestNumberScanFindsNothingWhereNothingIs(t *testing.T) {
	scan := world.NewNumberScan("+84987654321")
	r := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 4<<20)
	r.Read(noise)
	if as := scan.Find(noise); as != "" {
		t.Errorf("found in noise as %s", as)
	}
	if as := scan.Find([]byte("0987654322 +84987654320 k1:ab12")); as != "" {
		t.Errorf("another number was taken for it, as %s", as)
	}
}
