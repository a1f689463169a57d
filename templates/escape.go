package templates

import (
	"bytes"
	"strings"
)

// What stands here gives, byte for byte, what html/template gives for the
// same value in the same place; the tests compare the two.

// CSS is a style of our own, which is written as it is.
type CSS string

// SVG is a drawing of our own, which is written as it is. What a person wrote
// stands in one only when it is escaped.
type SVG string

// escape writes a value into text, a title or a quoted attribute.
func escape(b *bytes.Buffer, s string) {
	written := 0
	for i := range len(s) {
		var with string
		switch s[i] {
		case 0:
			with = "\uFFFD"
		case '"':
			with = "&#34;"
		case '&':
			with = "&amp;"
		case '\'':
			with = "&#39;"
		case '+':
			with = "&#43;"
		case '<':
			with = "&lt;"
		case '>':
			with = "&gt;"
		default:
			continue
		}
		b.WriteString(s[written:i])
		b.WriteString(with)
		written = i + 1
	}
	b.WriteString(s[written:])
}

// link is an address fit for an attribute that is followed: one that a
// browser would run as a program (javascript:) becomes one that leads nowhere.
func link(address string) string {
	if scheme, _, ok := strings.Cut(address, ":"); ok && !strings.Contains(scheme, "/") &&
		!strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "mailto") {
		return "#ZgotmplZ"
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(address) {
		c := address[i]
		if inLinks[c] || c == '%' && i+2 < len(address) && isHex(address[i+1]) && isHex(address[i+2]) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// inLinks are the characters that stand in an address as they are: the
// reserved ones, without quotes and parentheses, and the unreserved ones of
// RFC 3986, section 2.
var inLinks = func() (in [256]bool) {
	const all = "!#$&*+,/:;=?@[]-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, c := range []byte(all) {
		in[c] = true
	}
	return in
}()

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
