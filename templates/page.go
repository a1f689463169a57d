package templates

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"
)

// A Frame is what every page has: its language, whose page it is, and where
// it stands.
type Frame struct {
	Lang  Language
	Store string // the shop's name; may be empty when it is not known
	Here  string // where a GET shows the page again, for the link to the other language
}

// T says a sentence of the page's language, see the catalogues. The pages
// call it.
func (f Frame) T(key string, pairs ...any) string { return f.Lang.say(key, pairs...) }

// OtherHref is the address of the same page in the other language.
func (f Frame) OtherHref() string {
	and := "?"
	if strings.Contains(f.Here, "?") {
		and = "&"
	}
	return f.Here + and + "lang=" + string(f.Lang.Other())
}

// Path is an address on the portal that keeps the page's language.
func (f Frame) Path(path string) string {
	return path + "?" + url.Values{"lang": {string(f.Lang)}}.Encode()
}

// Style is the pages' style.
func (Frame) Style() CSS { return style }

// compiled are the pages as pages_gen.go writes them.
var compiled map[string]func(*bytes.Buffer, any)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// render writes a page in one piece, or an error and nothing of the page.
func render(w io.Writer, name string, data any) error {
	write, ok := compiled[name]
	if !ok {
		return fmt.Errorf("page %s is not compiled: go test ./templates -update", name)
	}
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	write(b, data)
	_, err := w.Write(b.Bytes())
	return err
}

// MaxTyped is how many characters of what a person typed are shown again.
// Nothing that is asked for is longer.
const MaxTyped = 64

// shown is what a person typed, fit to be shown again.
func shown(typed string) string {
	typed = strings.ToValidUTF8(typed, "\ufffd")
	if utf8.RuneCountInString(typed) > MaxTyped {
		typed = string([]rune(typed)[:MaxTyped])
	}
	return typed
}
