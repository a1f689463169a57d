package portal_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/portal"
	"github.com/hien-wifi/hien/templates"
)

// stands are the places on the way in at which a guest can stand, by name. Each
// puts the house's phone A there; the receipt's secret is always aReceipt.
func stands(h *house) map[string]func() guest {
	application := func() *hien.Application {
		p, err := hien.ParsePhone("0987654321")
		if err != nil {
			panic(err)
		}
		return &hien.Application{Phone: p, Agreed: h.zone.Purposes, Notice: h.notice(templates.Vietnamese, h.zone.Purposes)}
	}
	return map[string]func() guest{
		"door": func() guest { return guest{} },
		"code": func() guest { return guest{step: hien.AtCode, form: application(), tries: 3, left: 4 * time.Minute} },
		"dead": func() guest { return guest{step: hien.AtCode, form: application()} },
		"till": func() guest {
			return guest{step: hien.AtCode, form: application(), tries: 3, left: time.Minute, till: true}
		},
		"waiting": func() guest { return guest{step: hien.AtCode, form: application(), waiting: true, pass: time.Hour} },
		"asking":  func() guest { return guest{inquiry: "+84987654321"} },
		"inside":  func() guest { return guest{step: hien.Inside, receipt: aReceipt, pass: time.Hour} },
		"changes": func() guest { return guest{change: "+84912345678"} },
		"asks":    func() guest { return guest{inquiry: "+84987654321"} },
		"spent":   func() guest { return guest{step: hien.Outside, why: hien.WhySpent, receipt: aReceipt} },
	}
}

// plainly follows redirects and takes nothing compressed.
var plainly = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

const aReceipt = "areceiptssecret"

// stand puts phone A somewhere, with a receipt of which all stands.
func (d door) stand(t testing.TB, where func() guest) {
	t.Helper()
	n := d.notice(templates.Vietnamese, d.zone.Purposes)
	given, err := consent.Give("1", "2", n, d.zone.Purposes, noon)
	if err != nil {
		t.Fatal(err)
	}
	d.set(phoneA, where())
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.receipts)
	d.standing[phoneA] = given
	d.receipts[aReceipt] = &hien.Receipt{Given: given, Standing: given, Notice: n.Text()}
}

// A field of a form is what a person, or the page, can put into it.
type field struct {
	kind    string   // its type: "tel", "hidden", "checkbox", …
	choices []string // the values that the page gives it
}

// A site is what the portal shows, found by following every link and sending
// every form from every place at which a guest can stand.
type site struct {
	home  string                      // the portal's own address
	forms map[string]map[string]field // by where they are sent
	paths []string                    // of pages
	made  map[string]bool             // elements, and elements with an attribute, that pages are made of
}

// crawl finds the site, and shows each page that it meets to the watchers.
func crawl(t testing.TB, d door, watch ...func(req *http.Request, page reply)) *site {
	t.Helper()
	s := &site{home: d.url, forms: make(map[string]map[string]field), made: make(map[string]bool)}
	seen := make(map[string]bool)
	for name, where := range stands(d.house) {
		look := func(req *http.Request) []string {
			d.stand(t, where)
			r := do(t, plainly, req)
			if !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
				return nil
			}
			for _, w := range watch {
				w(req, r)
			}
			return s.learn(r.body)
		}
		todo := []string{"/", "/code", "/online", "/notice", "/trouble?why=notsent"}
		for len(todo) > 0 {
			path := todo[0]
			if todo = todo[1:]; seen[name+path] {
				continue
			}
			seen[name+path] = true
			s.paths = append(s.paths, path)
			req, err := http.NewRequest("GET", d.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			todo = append(todo, look(req)...)
		}
		for _, to := range slices.Sorted(maps.Keys(s.forms)) {
			for _, typed := range []string{"", "x", "0987654321", "123456"} {
				req := d.form(t, to, s.filled(to, typed))
				req.Header.Del("Accept-Language")
				todo = append(todo, look(req)...)
			}
		}
	}
	slices.Sort(s.paths)
	s.paths = slices.Compact(s.paths)
	return s
}

// learn takes a page in, and answers where it links to.
func (s *site) learn(page string) (links []string) {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		panic(err) // of a strings.Reader
	}
	byID := make(map[string]map[string]field)
	var buttons [][2]string // a form's id and where a button outside of it sends that
	add := func(to string, fields map[string]field) {
		if s.forms[to] == nil {
			s.forms[to] = make(map[string]field)
		}
		for name, f := range fields {
			f.choices = slices.Compact(slices.Sorted(slices.Values(append(f.choices, s.forms[to][name].choices...))))
			s.forms[to][name] = f
		}
	}
	vietnamese := true // else its forms are those of the Vietnamese page, with values that do not fit these
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		s.made[n.Data] = true
		for _, a := range n.Attr {
			s.made[n.Data+" "+a.Key] = true
		}
		switch is := attributes(n); {
		case n.DataAtom == atom.Html:
			vietnamese = is["lang"] == "vi"
		case n.DataAtom == atom.A && strings.HasPrefix(is["href"], "/"):
			links = append(links, is["href"])
		case n.DataAtom == atom.Button && vietnamese && is["form"] != "" && is["formaction"] != "":
			buttons = append(buttons, [2]string{is["form"], is["formaction"]})
		case n.DataAtom == atom.Form && vietnamese:
			fields := fieldsOf(n)
			byID[is["id"]] = fields
			add(is["action"], fields)
			for b := range n.Descendants() {
				if to := attributes(b)["formaction"]; to != "" {
					add(to, fields)
				}
			}
		}
	}
	for _, b := range buttons {
		add(b[1], byID[b[0]])
	}
	return links
}

func attributes(n *html.Node) map[string]string {
	is := make(map[string]string)
	for _, a := range n.Attr {
		is[a.Key] = a.Val
	}
	return is
}

// fieldsOf are a form's, its buttons with a name too.
func fieldsOf(form *html.Node) map[string]field {
	fields := make(map[string]field)
	for n := range form.Descendants() {
		is := attributes(n)
		if is["name"] == "" || n.DataAtom != atom.Input && n.DataAtom != atom.Button && n.DataAtom != atom.Select && n.DataAtom != atom.Textarea {
			continue
		}
		f := fields[is["name"]]
		if f.kind = is["type"]; f.kind == "" && n.DataAtom == atom.Input {
			f.kind = "text"
		}
		f.choices = append(f.choices, is["value"])
		fields[is["name"]] = f
	}
	return fields
}

// long is a text of an owner's, as long as it may be.
func long(runes int) string {
	return string([]rune(strings.Repeat("Cà phê Sân Vườn Nguyễn Thị Phượng Vỹ, chi nhánh Đường Nguyễn Huệ. ", 10))[:runes])
}

// TestEveryPageFitsTheFirstWindow meets every page with each policy, every
// purpose and all texts as long as the configuration lets them be. The whole
// notice is a page of its own.
func TestEveryPageFitsTheFirstWindow(t *testing.T) {
	for _, policy := range consent.Policies() {
		t.Run(policy, func(t *testing.T) {
			h := newHouse()
			var err error
			if h.asker.Policy, err = consent.LoadPolicy(policy); err != nil {
				t.Fatal(err)
			}
			h.store, h.zone.Offer, h.zone.Terms = long(64), long(200), long(400)
			h.asker.Controller = consent.Controller{Name: long(120), Address: long(200), TaxID: long(32), Contact: long(120),
				Delivers: true, Operator: long(120), Transfer: long(120), AccessLog: true}
			for i := range 8 { // the configuration takes no more
				h.asker.Controller.Recipients = append(h.asker.Controller.Recipients, string('A'+rune(i))+long(79))
			}
			h.asker.Controller.Carriers = []string{long(38), long(120)} // 160 characters, and no more either
			h.zone.Purposes = append(asked[:2:2], "contact_sms", "ads_audience", "profile_extra")
			for i := range consent.MaxPartners {
				h.zone.Purposes = append(h.zone.Purposes, consent.Purpose(fmt.Sprintf("share_partner:quan-ben-canh-duong-nguyen-hue%02d", i)))
			}
			d := open(t, h)
			longest := make(map[string]int)
			s := crawl(t, d, func(req *http.Request, page reply) {
				wire := len("HTTP/1.1 200 OK\r\n\r\n") + len(page.body) + 2*len("4000\r\n\r\n") // in chunks
				for name, values := range page.header {
					for _, v := range values {
						wire += len(name + ": " + v + "\r\n")
					}
				}
				at, _, _ := strings.Cut(page.at, "?")
				if longest[at] = max(longest[at], wire); wire > 14_000 {
					t.Errorf("%s %s: %d bytes on the wire; want at most 14,000 (RFC 6928: a first window)", req.Method, page.at, wire)
				}
			})
			for at, wire := range longest {
				t.Logf("%s: at most %d bytes on the wire", at, wire)
			}
			if len(longest) < 8 || s.forms["/join"]["purpose"].choices == nil || len(s.forms["/join"]["purpose"].choices) != len(h.zone.Purposes) {
				t.Errorf("the crawl has met %d pages and %d purposes", len(longest), len(s.forms["/join"]["purpose"].choices))
			}
		})
	}
}

// isTyped reports whether a person writes into the field.
func (f field) isTyped() bool { return f.kind == "tel" || f.kind == "text" }

// plain is what a form sends that nobody has tampered with: each box ticked,
// and typed what the crawl has typed that leads on.
func (f field) plain() []string {
	const number = "0987654321"
	switch {
	case f.kind == "tel", f.kind == "hidden" && slices.Contains(f.choices, number):
		return []string{number}
	case f.kind == "text":
		return []string{rightCode}
	case f.kind == "checkbox":
		return f.choices
	}
	return f.choices[len(f.choices)-1:]
}

// filled is a form with typed in each field that a person writes into, and else
// what the page gives it.
func (s *site) filled(to, typed string) url.Values {
	form := make(url.Values)
	for name, f := range s.forms[to] {
		if form[name] = f.plain(); f.isTyped() {
			form.Set(name, typed)
		}
	}
	return form
}

// kept is what a page shows again of what a person typed (see
// templates.MaxTyped), as a browser reads it.
func kept(typed string) string {
	typed = strings.ToValidUTF8(typed, "\ufffd")
	if r := []rune(typed); len(r) > templates.MaxTyped {
		typed = string(r[:templates.MaxTyped])
	}
	return strings.NewReplacer("\x00", "\ufffd", "\r\n", "\n", "\r", "\n").Replace(typed)
}

// planted is markup that no page has.
const planted = `"'><x-planted onload='`

// FuzzEveryForm sends anything in any field of any form of the portal, found by
// crawling it, by any method, to the form's address or any other, from any place
// at which a guest can stand. Whatever it is, the portal does not fall down, the
// answer is a page or leads to one, nothing that was typed becomes markup, and
// a page that comes back at once has kept it.
//
// typed are the fields' values in the order of their names, with 0x1f between
// them; the bits of plain say which of them are sent as the page gives them, and
// the bits of plants before which markup is put.
func FuzzEveryForm(f *testing.F) {
	d := open(f, newHouse(), func(o *portal.Options) { o.Limits.Conns = 1024; o.Limits.PerSource = 1024 })
	s := crawl(f, d)
	where := slices.Sorted(maps.Keys(stands(d.house)))
	forms := slices.Sorted(maps.Keys(s.forms))
	for _, must := range []string{"/join", "/skip", "/code", "/code/again", "/code/other", "/notice", "/", "/receipt/" + aReceipt + "/withdraw",
		"/receipt/" + aReceipt + "/erase", "/receipt/" + aReceipt + "/number", "/receipt/" + aReceipt + "/number/code", "/receipt/" + aReceipt + "/number/other",
		"/mine", "/mine/code", "/mine/other", "/mine/withdraw"} {
		if s.forms[must] == nil {
			f.Fatalf("the crawl has not found the form for %s, but %q", must, forms)
		}
	}
	for i, to := range forms {
		for state := range where {
			f.Add(uint8(state), uint8(0), to, "", uint16(0xffff), uint16(0), "vi")
			for field := range s.forms[to] { // one is tampered with, and all others are as they should be
				bit := uint16(1) << slices.Index(slices.Sorted(maps.Keys(s.forms[to])), field)
				f.Add(uint8(state), uint8(0), to, "<script>alert(1)</script>\xff\x00\"", ^bit, uint16(0), "vi")
				f.Add(uint8(state), uint8(0), to, strings.Repeat("\"", 100), ^bit, bit, "en;q=\"")
			}
		}
		f.Add(uint8(i), uint8(0), to, "<script>alert(1)</script>\x1f\"onfocus=\x1f\r\n", uint16(0), uint16(0xffff), "xx, en-GB;q=0.1")
		f.Add(uint8(i), uint8(1), to, "0987654321\x1f123456", uint16(0), uint16(0), "")
	}
	for i, path := range s.paths {
		f.Add(uint8(i), uint8(i), path, "x", uint16(0), uint16(0), "")
	}
	for _, path := range []string{"/receipt/<script>/withdraw", "/receipt/\x00\xff/erase", "/receipt/a%2Fb/data.json", "/erased/7-<script>", "/erased/99999999999999999999-"} {
		f.Add(uint8(0), uint8(0), path, "1", uint16(0), uint16(0), "")
		f.Add(uint8(0), uint8(1), path, "1", uint16(0), uint16(0), "")
	}
	f.Add(uint8(0), uint8(0), "/trouble?why=<script>&lang=\"", "a=%zz", uint16(0), uint16(0), "")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, CheckRedirect: strict.CheckRedirect}
	methods := []string{"POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"}
	f.Fuzz(func(t *testing.T, state, method uint8, to, typed string, plain, plants uint16, accept string) {
		target, err := url.Parse(d.url + "/" + strings.TrimLeft(to, "/"))
		if err != nil || strings.ContainsAny(target.RequestURI(), " \t") {
			return // no address; a blank would end the request line's target (RFC 9112 §3), and net/http refuses that
		}
		d.stand(t, stands(d.house)[where[int(state)%len(where)]])
		form := make(url.Values)
		values := strings.Split(typed, "\x1f")
		for i, name := range slices.Sorted(maps.Keys(s.forms[to])) {
			if plain>>(i%16)&1 == 1 {
				form[name] = s.forms[to][name].plain()
				continue
			}
			v := values[i%len(values)]
			if plants>>(i%16)&1 == 1 {
				v = planted + v
			}
			form.Set(name, v)
		}
		if len(form) == 0 { // an address without a form
			form.Set("phone", typed)
		}
		req, err := http.NewRequest(methods[int(method)%len(methods)], target.String(), strings.NewReader(form.Encode()))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept-Language", strings.Map(func(r rune) rune { // what can be in a header (RFC 9110 §5.5)
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, accept))
		req.Header.Set("Origin", d.url)
		for hop := range 6 {
			res, err := client.Do(req)
			if err != nil {
				t.Fatalf("%s %s %q: %v", req.Method, req.URL, form, err)
			}
			body, err := io.ReadAll(res.Body)
			if res.Body.Close(); err != nil {
				t.Fatal(err)
			}
			fail := func(format string, args ...any) {
				t.Errorf("%s %s %q: "+format+"\n%s\n%s", append([]any{req.Method, req.URL, form}, append(args, body, d.log)...)...)
			}
			if log := d.log.String(); strings.Contains(log, "level=ERROR") {
				fail("an error was logged")
			}
			switch res.StatusCode {
			case http.StatusOK:
				if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") && req.Method != "HEAD" {
					s.holds(body, fail)
					if hop == 0 && req.Method == "POST" {
						s.keeps(body, form, fail)
					}
				}
				return
			case http.StatusFound, http.StatusSeeOther:
				next, err := req.URL.Parse(res.Header.Get("Location"))
				if err != nil || next.Host != req.URL.Host {
					fail("leads to %q", res.Header.Get("Location"))
					return
				}
				if req, err = http.NewRequest("GET", next.String(), nil); err != nil {
					t.Fatal(err)
				}
			default:
				fail("status %d", res.StatusCode)
				return
			}
		}
		t.Errorf("%s %q: it leads on and on", to, form)
	})
}

// holds checks that a page is made of what the portal's pages are made of, and
// leads nowhere else.
func (s *site) holds(page []byte, fail func(string, ...any)) {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		fail("the page cannot be read: %v", err)
		return
	}
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode {
			fail("the page has a comment: %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !s.made[n.Data] {
			fail("the page has an element <%s>", n.Data)
		}
		for _, a := range n.Attr {
			switch is := n.Data + " " + a.Key; {
			case !s.made[is] && !strings.HasPrefix(a.Key, "aria-") && a.Key != "checked":
				fail("the page has an element <%s %s=%q>", n.Data, a.Key, a.Val)
			case (a.Key == "href" || a.Key == "action" || a.Key == "formaction") &&
				(!strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, s.home+"/") || strings.HasPrefix(a.Val, "//")):
				fail("the page leads to %q", a.Val)
			}
		}
	}
}

// keeps checks that a page that comes back at once has in its fields what was
// typed there, and ticked.
func (s *site) keeps(page []byte, sent url.Values, fail func(string, ...any)) {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return // holds has said so
	}
	for n := range doc.Descendants() {
		is := attributes(n)
		if n.DataAtom != atom.Input || !sent.Has(is["name"]) {
			continue
		}
		typed := sent[is["name"]]
		_, ticked := is["checked"]
		switch is["type"] {
		case "checkbox":
			if ticked != slices.Contains(strings.Fields(strings.Join(typed, " ")), is["value"]) { // the notice's page has all in one field
				fail("the box %s=%s is ticked: %t, after %q", is["name"], is["value"], ticked, typed)
			}
		case "tel", "text", "": // a button is no input
			if is["value"] != kept(typed[0]) {
				fail("the field %s holds %q, after %q", is["name"], is["value"], typed)
			}
		}
	}
}
