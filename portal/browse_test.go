package portal_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/templates"
)

// A reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	at     string // path and query of the page, after redirects
}

// browser follows redirects.
var browser = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// strict follows nothing.
var strict = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func do(t testing.TB, c *http.Client, req *http.Request) reply {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(body), res.Request.URL.RequestURI()}
}

// get opens a page in English and follows redirects.
func (d door) get(t testing.TB, path string) reply {
	t.Helper()
	req, err := http.NewRequest("GET", d.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Language", "en")
	return do(t, browser, req)
}

// post sends a form as a page of the portal does, and follows redirects.
func (d door) post(t testing.TB, path string, form url.Values) reply {
	t.Helper()
	return do(t, browser, d.form(t, path, form))
}

func (d door) form(t testing.TB, path string, form url.Values) *http.Request {
	t.Helper()
	req, err := http.NewRequest("POST", d.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("Origin", d.url)
	return req
}

// filled is what the first page's form sends, in English.
func (d door) filled(number string, ticked ...consent.Purpose) url.Values {
	n := d.notice(templates.English, d.zone.Purposes)
	form := url.Values{
		"lang": {"en"}, "age": {"yes"}, "asked": {templates.Asked(n)}, "notice": {n.Hash().String()}, "phone": {number},
	}
	for _, p := range ticked {
		form.Add("purpose", string(p))
	}
	return form
}

var titleElement = regexp.MustCompile(`<title>([^<]*)</title>`)

func (r reply) title() string {
	if m := titleElement.FindStringSubmatch(r.body); m != nil {
		return m[1]
	}
	return ""
}

func (r reply) wants(t testing.TB, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(r.body, p) {
			t.Errorf("the page at %s (%q) lacks %q", r.at, r.title(), p)
		}
	}
}
