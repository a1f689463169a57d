package world

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// NumberScan finds one telephone number in bytes, however it is written:
// in digits with or without country code and separators, in UTF-16, hex,
// base64, percent-encoding, backwards, as a binary or packed-decimal integer,
// inside gzip, and as a plain digest, which whoever tries all numbers reads as
// the number itself.
type NumberScan struct {
	spaced *regexp.Regexp
	forms  []numberForm
}

type numberForm struct {
	name  string
	bytes []byte
}

// NewNumberScan makes a scan for a number in E.164 with the country code 84.
func NewNumberScan(e164 string) *NumberScan {
	digits := strings.TrimPrefix(e164, "+")
	national := strings.TrimPrefix(digits, "84")
	s := &NumberScan{spaced: regexp.MustCompile(strings.Join(strings.Split(national, ""), `[ .\-()/]{0,3}`))}
	add := func(name string, b []byte) { s.forms = append(s.forms, numberForm{name, b}) }

	add("digits backwards", reversed(national))
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		var wide []byte
		for _, unit := range utf16.Encode([]rune(national)) {
			wide = order.AppendUint16(wide, unit)
		}
		add("UTF-16", wide)
	}
	for _, text := range []string{e164, digits, "0" + national, national} {
		add("hex", []byte(hex.EncodeToString([]byte(text))))
		add("HEX", []byte(strings.ToUpper(hex.EncodeToString([]byte(text)))))
		add("percent-encoding", []byte(url.QueryEscape(text)))
		for shift := range 3 { // where it stands among the three bytes of a base64 group
			b := append(bytes.Repeat([]byte{0}, shift), text...)
			enc := base64.StdEncoding.EncodeToString(b)
			whole := enc[(shift*8+5)/6 : len(b)*8/6] // the characters that hold nothing but the text
			add("base64", []byte(whole))
		}
		n, _ := new(big.Int).SetString(strings.TrimPrefix(text, "+"), 10)
		add("a binary integer", n.FillBytes(make([]byte, 5)))
		add("a binary integer", reversed(string(n.FillBytes(make([]byte, 5)))))
		add("packed decimals", packed(strings.TrimPrefix(text, "+"), false))
		add("packed decimals", packed(strings.TrimPrefix(text, "+"), true))
		s256, s1, m, s512 := sha256.Sum256([]byte(text)), sha1.Sum([]byte(text)), md5.Sum([]byte(text)), sha512.Sum512([]byte(text))
		for name, sum := range map[string][]byte{"SHA-256": s256[:], "SHA-1": s1[:], "MD5": m[:], "SHA-512": s512[:]} {
			add("a plain "+name, sum)
			add("a plain "+name, []byte(hex.EncodeToString(sum)))
			add("a plain "+name, []byte(strings.ToUpper(hex.EncodeToString(sum))))
			add("a plain "+name, []byte(base64.RawStdEncoding.EncodeToString(sum)))
			add("a plain "+name, []byte(base64.RawURLEncoding.EncodeToString(sum)))
		}
	}
	return s
}

// Find says in which form the number stands in b; empty when it does not.
func (s *NumberScan) Find(b []byte) string {
	if s.spaced.Match(b) {
		return "digits"
	}
	for _, f := range s.forms {
		if bytes.Contains(b, f.bytes) {
			return f.name
		}
	}
	for rest := b; ; {
		i := bytes.Index(rest, []byte{0x1f, 0x8b, 8}) // RFC 1952 §2.3.1
		if i < 0 {
			return ""
		}
		rest = rest[i:]
		if r, err := gzip.NewReader(bytes.NewReader(rest)); err == nil {
			plain, _ := io.ReadAll(io.LimitReader(r, 16<<20)) // what could be read before it broke off counts
			if as := s.Find(plain); as != "" {
				return as + " inside gzip"
			}
		}
		rest = rest[1:]
	}
}

// Dir searches every file below a folder. It says in which the number stands,
// and as what, and how many files it has read.
func (s *NumberScan) Dir(folder string) (found []string, files int, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if as := s.Find(content); as != "" {
			found = append(found, path+" (as "+as+")")
		}
		return nil
	})
	return found, files, err
}

func reversed(s string) []byte {
	b := []byte(s)
	slices.Reverse(b)
	return b
}

// packed writes two digits to a byte, as SIM cards and SMS do with the
// nibbles swapped (3GPP TS 23.040 §9.1.2.3).
func packed(digits string, swapped bool) []byte {
	var b []byte
	for i := 0; i < len(digits); i += 2 {
		high, low := digits[i]-'0', byte(0xf)
		if i+1 < len(digits) {
			low = digits[i+1] - '0'
		}
		if swapped {
			high, low = low, high
		}
		b = append(b, high<<4|low)
	}
	return b
}
