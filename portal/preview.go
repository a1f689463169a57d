package portal

import (
	"bytes"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/templates"
)

// Preview is the first page and the page of the whole notice, byte for byte as
// a guest who is greeted so is served them.
func Preview(lang templates.Language, g hien.Greeting) (first, notice []byte, err error) {
	var a, b bytes.Buffer
	if err := splash(lang, g).Render(&a); err != nil {
		return nil, nil, err
	}
	if err := noticePage(lang, g, templates.Given{}).Render(&b); err != nil {
		return nil, nil, err
	}
	return a.Bytes(), b.Bytes(), nil
}
