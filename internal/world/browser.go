package world

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Browser is a small browser without scripts or cookies: it opens pages and
// sends forms as a person without JavaScript does.
type Browser struct {
	Client    *http.Client // follows redirects
	Language  string       // of Accept-Language; "vi" when empty
	UserAgent string
}

// NewBrowser is the phone's browser.
func (p *Phone) NewBrowser(language string) Browser {
	return Browser{Client: p.Browse(), Language: language, UserAgent: appleUA}
}

// Page is what the browser shows.
type Page struct {
	URL    *url.URL // where the redirects ended
	Status int
	Header http.Header
	Body   []byte
	doc    *html.Node
	from   Browser
}

// maxPage is how much of a page is read.
const maxPage = 1 << 20

// Open fetches a page.
func (b Browser) Open(ctx context.Context, address string) (*Page, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return b.do(r)
}

func (b Browser) do(r *http.Request) (*Page, error) {
	r.Header.Set("Accept-Language", b.Language)
	if b.Language == "" {
		r.Header.Set("Accept-Language", "vi")
	}
	r.Header.Set("User-Agent", b.UserAgent)
	answer, err := b.Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxPage))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.URL, err)
	}
	doc, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", r.URL, err)
	}
	return &Page{URL: answer.Request.URL, Status: answer.StatusCode, Header: answer.Header, Body: body, doc: doc, from: b}, nil
}

// Text is the page's text, white space folded.
func (p *Page) Text() string {
	var b strings.Builder
	for n := range p.doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.DataAtom != atom.Style && n.Parent.DataAtom != atom.Script {
			b.WriteString(n.Data)
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Title is the page's title.
func (p *Page) Title() string {
	for n := range p.doc.Descendants() {
		if n.DataAtom == atom.Title && n.FirstChild != nil {
			return strings.TrimSpace(n.FirstChild.Data)
		}
	}
	return ""
}

// Heading is the text of the page's first heading.
func (p *Page) Heading() string {
	for n := range p.doc.Descendants() {
		if n.DataAtom == atom.H1 {
			return text(n)
		}
	}
	return ""
}

// text is the text in an element, white space folded.
func text(n *html.Node) string {
	var b strings.Builder
	for t := range n.Descendants() {
		if t.Type == html.TextNode {
			b.WriteString(t.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Notice is what the page says has just been done (role="status"); empty when
// it says nothing.
func (p *Page) Notice() string {
	for n := range p.doc.Descendants() {
		if attr(n, "role") == "status" {
			return text(n)
		}
	}
	return ""
}

// Links are the addresses of the page's links, absolute.
func (p *Page) Links() []string {
	var all []string
	for n := range p.doc.Descendants() {
		if n.DataAtom == atom.A {
			if u, err := p.URL.Parse(attr(n, "href")); err == nil {
				all = append(all, u.String())
			}
		}
	}
	return all
}

// Form is one form of a page, filled in as the page filled it.
type Form struct {
	Values url.Values
	page   *Page
	node   *html.Node
}

// Form finds the form that can be sent to the path: by its own action or by
// one of its buttons.
func (p *Page) Form(path string) (*Form, error) {
	for n := range p.doc.Descendants() {
		if n.DataAtom != atom.Form {
			continue
		}
		f := &Form{Values: make(url.Values), page: p, node: n}
		if f.leadsTo(path) {
			f.fill()
			return f, nil
		}
	}
	return nil, fmt.Errorf("the page %s (%q) has no form for %s", p.URL, p.Title(), path)
}

func (f *Form) leadsTo(path string) bool {
	to := func(s string) bool {
		u, err := f.page.URL.Parse(s)
		return err == nil && u.Path == path
	}
	if to(attr(f.node, "action")) {
		return true
	}
	for n := range f.node.Descendants() {
		if a := attr(n, "formaction"); a != "" && to(a) {
			return true
		}
	}
	return false
}

func (f *Form) fill() {
	for n := range f.node.Descendants() {
		name := attr(n, "name")
		if n.DataAtom != atom.Input || name == "" {
			continue
		}
		switch attr(n, "type") {
		case "checkbox", "radio":
			if hasAttr(n, "checked") {
				f.Values.Add(name, attr(n, "value"))
			}
		case "submit", "button":
		default:
			f.Values.Set(name, attr(n, "value"))
		}
	}
}

// Choices are the values of the boxes of that name, ticked or not.
func (f *Form) Choices(name string) []string {
	var all []string
	for n := range f.node.Descendants() {
		if n.DataAtom == atom.Input && attr(n, "name") == name {
			all = append(all, attr(n, "value"))
		}
	}
	return all
}

// Field is the name of the form's first field of a type (tel, checkbox, …).
func (f *Form) Field(kind string) (string, error) {
	for n := range f.node.Descendants() {
		if n.DataAtom == atom.Input && attr(n, "type") == kind {
			return attr(n, "name"), nil
		}
	}
	return "", fmt.Errorf("the form on %s has no %s field", f.page.URL, kind)
}

// Tick ticks the box with a value. It is an error when there is none.
func (f *Form) Tick(name, value string) error {
	if !slices.Contains(f.Choices(name), value) {
		return fmt.Errorf("the form on %s has no box %s=%s", f.page.URL, name, value)
	}
	f.Values.Add(name, value)
	return nil
}

// Send presses the button that leads to the path, and shows where that ends.
func (f *Form) Send(ctx context.Context, path string) (*Page, error) {
	to, err := f.page.URL.Parse(path)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(f.Values.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", f.page.URL.Scheme+"://"+f.page.URL.Host) // as browsers do
	return f.page.from.do(r)
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}
