package portal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/templates"
)

// A page answers a request on the portal's own address. It writes nothing
// before it is sure; an error becomes a page in fail.
type page func(w http.ResponseWriter, r *http.Request) error

// page wraps p in what holds for all pages.
func (s *Server) page(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		if err := s.sameOrigin.Check(r); err != nil {
			s.see(w, r, "/")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, s.Limits.BodyBytes)
		if err := whileReading(r.Context(), func() error { return readForm(r) }); err != nil {
			s.see(w, r, "/") // cut off, too large or garbled: nothing is taken
			return
		}
		if err := p(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// readForm reads a request's body to its end, and the form in it if it is
// one.
func readForm(r *http.Request) error {
	if err := r.ParseForm(); err != nil && r.Method == http.MethodPost {
		return err
	}
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

// see answers with a 303 to a page of the portal, so that reloading that
// page sends nothing again. The language goes along; more are further pairs
// of the query.
func (s *Server) see(w http.ResponseWriter, r *http.Request, path string, more ...string) {
	q := url.Values{"lang": {string(language(r))}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	w.Header().Set("Location", path+"?"+q.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// language is the one that was chosen, by a link or on the page before, or
// else the one that the browser prefers.
func language(r *http.Request) templates.Language {
	if l, ok := templates.ParseLanguage(r.URL.Query().Get("lang")); ok {
		return l
	}
	if l, ok := templates.ParseLanguage(r.PostForm.Get("lang")); ok {
		return l
	}
	return templates.AcceptLanguage(r.Header.Get("Accept-Language"))
}

func frame(lang templates.Language, g hien.Greeting, here string) templates.Frame {
	return templates.Frame{Lang: lang, Store: g.StoreName, Here: here}
}

// show writes a page, whole.
func show(w http.ResponseWriter, p interface{ Render(io.Writer) error }) error {
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		return err
	}
	w.Header()["Content-Type"] = htmlType
	_, err := w.Write(b.Bytes())
	if err != nil {
		return errGone
	}
	return nil
}

// errGone says that the guest did not wait for its page.
var errGone = errors.New("the guest is gone")

func (s *Server) greet(r *http.Request) (hien.Device, hien.Greeting, error) {
	d, err := s.device(r)
	if err != nil {
		return d, hien.Greeting{}, err
	}
	g, err := s.hear(r.Context(), d)
	changedMind(r, &g)
	return d, g, err
}

// changedMind asks for what the guest said no to lately too, when it wants to
// be asked: by the link, or by a form of the page to which that led.
func changedMind(r *http.Request, g *hien.Greeting) {
	asked := templates.ParseAsked(r.PostForm.Get("asked"))
	again := slices.ContainsFunc(g.Refused, func(p consent.Purpose) bool { return slices.Contains(asked, p) })
	if len(g.Refused) == 0 || !again && !r.URL.Query().Has("again") {
		return
	}
	all := append(g.Ask, g.Refused...)
	g.Ask, g.Refused = nil, nil
	for _, p := range g.Zone.Purposes { // in their order
		if slices.Contains(all, p) {
			g.Ask = append(g.Ask, p)
		}
	}
}

// hear is what the house says of a device. The pass of a trusted one is made
// longer before it ends: nobody is told of its end.
func (s *Server) hear(ctx context.Context, d hien.Device) (hien.Greeting, error) {
	g, err := s.House.Greet(ctx, d, s.Now())
	if g.Step == hien.Inside && slices.Contains(g.Zone.Trusted, d.Guest.MAC) {
		g.PassLeft = 0
	}
	return g, err
}

// noticeFor is what the guest is asked at present: nothing when the notice is
// not complete.
func noticeFor(lang templates.Language, g hien.Greeting) consent.Notice {
	if len(g.Ask) == 0 {
		return consent.Notice{}
	}
	n, err := g.Asker.Notice(string(lang), g.StoreName, g.Ask)
	if err != nil {
		return consent.Notice{} // half a notice asks nobody (R-CON-4)
	}
	return n
}

func splash(lang templates.Language, g hien.Greeting) templates.Splash {
	age := 0
	if g.Asker.Policy != nil {
		age = g.Asker.Policy.Age
	}
	return templates.Splash{Frame: frame(lang, g, "/"), Age: age, Offer: g.Zone.Offer, Terms: g.Zone.Terms, Visit: g.Visit,
		Notice: noticeFor(lang, g), NoInternet: g.NoInternet, NoNumber: g.NoNumber, Refused: len(g.Refused) > 0, Again: g.Again}
}

func noticePage(lang templates.Language, g hien.Greeting, in templates.Given) templates.NoticePage {
	return templates.NoticePage{Frame: frame(lang, g, "/notice"), Notice: noticeFor(lang, g), Given: in}
}

// What the form says of a guest's age.
const (
	ofAge    = "yes"
	tooYoung = "no"
)

// given is what the guest has typed and ticked: a field for each purpose from
// the first page, one for all of them from the notice's.
func given(r *http.Request) templates.Given {
	in := templates.Given{Phone: r.PostForm.Get("phone"), OfAge: r.PostForm.Get("age") == ofAge}
	for _, p := range templates.ParseAsked(strings.Join(r.PostForm["purpose"], " ")) {
		if !slices.Contains(in.Ticked, p) {
			in.Ticked = append(in.Ticked, p)
		}
	}
	return in
}

func codePage(r *http.Request, g hien.Greeting) templates.Code {
	return templates.Code{Frame: frame(language(r), g, "/code"), LastTwo: g.LastTwo, Left: g.CodeLeft, Tries: g.TriesLeft,
		Word: templates.CodeWord(r.URL.Query().Get("word")), Waiting: g.Waiting, NoInternet: g.NoInternet, PassLeft: g.PassLeft, Grace: g.Grace,
		Staff: g.StaffCode}
}

func onlinePage(r *http.Request, g hien.Greeting) templates.Online {
	return templates.Online{Frame: frame(language(r), g, "/online"), Offer: g.Zone.Offer, Receipt: g.Receipt,
		PassLeft: g.PassLeft, NoInternet: g.NoInternet}
}

func outsidePage(r *http.Request, g hien.Greeting) templates.Outside {
	return templates.Outside{Frame: frame(language(r), g, "/"), Why: g.Why, BackIn: g.BackIn, Receipt: g.Receipt}
}

// home shows where the guest stands, whatever it was told before: a sheet
// that was closed opens here again.
func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	_, g, err := s.greet(r)
	switch {
	case err != nil:
		return err
	case g.Step == hien.AtCode:
		return show(w, codePage(r, g))
	case g.Step == hien.Inside:
		return show(w, onlinePage(r, g))
	case g.Step == hien.Outside:
		return show(w, outsidePage(r, g))
	}
	p := splash(language(r), g)
	if r.URL.Query().Has("again") {
		p.Here = "/?again=1" // in the other language too
	}
	return show(w, p)
}

// back shows the question again, filled in as it was.
func (s *Server) back(w http.ResponseWriter, r *http.Request) error {
	_, g, err := s.greet(r)
	if err != nil {
		return err
	}
	if g.Step != hien.AtDoor {
		s.see(w, r, "/")
		return nil
	}
	p := splash(language(r), g)
	p.Given = given(r)
	return show(w, p)
}

// skip lets in who goes on without. From the page that asks it is a no to what
// that page asked for.
func (s *Server) skip(w http.ResponseWriter, r *http.Request) error {
	d, err := s.device(r)
	if err != nil {
		return err
	}
	if shown := templates.ParseAsked(r.PostForm.Get("asked")); len(shown) > 0 {
		err = s.House.Refuse(r.Context(), d, shown, s.Now())
	} else {
		err = s.House.Admit(r.Context(), d, s.Now())
	}
	if err != nil {
		return err
	}
	s.see(w, r, "/online")
	return nil
}

// young lets in who said to be too young, and looks at nothing else that the
// form says (R-CHILD-1).
func (s *Server) young(w http.ResponseWriter, r *http.Request) error {
	d, err := s.device(r)
	if err != nil {
		return err
	}
	if err := s.House.AdmitYoung(r.Context(), d, s.Now()); err != nil {
		return err
	}
	s.see(w, r, "/online")
	return nil
}

// join takes a number and purposes. Nothing ticked is a no, and nothing is
// kept (R-CON-2). Nothing is taken before the question of age is answered.
func (s *Server) join(w http.ResponseWriter, r *http.Request) error {
	if r.PostForm.Get("age") == tooYoung {
		return s.young(w, r)
	}
	in := given(r)
	if len(in.Ticked) == 0 {
		return s.skip(w, r)
	}
	d, g, err := s.greet(r)
	if err != nil {
		return err
	}
	if g.Step == hien.Inside || g.Step == hien.Outside {
		s.see(w, r, "/")
		return nil
	}
	p := splash(language(r), g)
	p.Given = in
	shown, ok := shownNotice(r, g, in.Ticked)
	if !ok {
		// The shop's question has changed since the page was shown: an
		// answer to another question is no consent.
		return show(w, p)
	}
	p.Notice = shown
	if !in.OfAge {
		p.AgeMissing = true
		return show(w, p)
	}
	var phone hien.Phone
	if !g.NoNumber {
		if phone, err = hien.ParsePhone(in.Phone); err != nil {
			p.Err = err
			return show(w, p)
		}
	}
	err = s.House.Ask(r.Context(), d, hien.Application{
		Phone: phone, OfAge: in.OfAge, Agreed: in.Ticked, Notice: shown, Browser: r.UserAgent(), Stays: stays(r),
	}, s.Now())
	var wrong *hien.PhoneError // a number of another country, where none of those is taken
	if errors.As(err, &wrong) {
		p.Err = wrong
		return show(w, p)
	}
	if err != nil {
		return err
	}
	s.see(w, r, "/code")
	return nil
}

// stays reports whether the phone keeps the portal's page while another app is
// in front. Android does; and a second after any page of the portal it looks
// whether it is online, and closes the portal when it is (CaptivePortalLogin,
// testForCaptivePortal): then there would be no page to type the code in.
func stays(r *http.Request) bool { return strings.Contains(r.UserAgent(), "Android") }

// shownNotice makes the notice of the page that was answered once more, from
// what the form carried along, and checks that it is that one, that the zone
// asks for all of it, each once and in its order, and that it asked for what was
// ticked. So a stranger cannot make up ever other notices, each of which would
// be kept.
func shownNotice(r *http.Request, g hien.Greeting, ticked []consent.Purpose) (consent.Notice, bool) {
	asked := templates.ParseAsked(r.PostForm.Get("asked"))
	zone := g.Zone.Purposes
	for _, p := range asked {
		i := slices.Index(zone, p)
		if i < 0 {
			return consent.Notice{}, false
		}
		zone = zone[i+1:]
	}
	for _, p := range ticked {
		if !slices.Contains(asked, p) {
			return consent.Notice{}, false
		}
	}
	n, err := g.Asker.Notice(string(language(r)), g.StoreName, asked)
	return n, err == nil && n.Hash().String() == r.PostForm.Get("notice")
}

func (s *Server) code(w http.ResponseWriter, r *http.Request) error {
	_, g, err := s.greet(r)
	switch {
	case err != nil:
		return err
	case g.Step != hien.AtCode:
		s.see(w, r, "/")
		return nil
	}
	return show(w, codePage(r, g))
}

func (s *Server) prove(w http.ResponseWriter, r *http.Request) error {
	typed := r.PostForm.Get("code")
	code, ok := hien.ParseCode(typed)
	if !ok {
		// No try is spent on what cannot be a code.
		_, g, err := s.greet(r)
		switch {
		case err != nil:
			return err
		case g.Step != hien.AtCode:
			s.see(w, r, "/")
			return nil
		}
		p := codePage(r, g)
		p.Word, p.Typed = templates.CodeForm, typed
		return show(w, p)
	}
	d, err := s.device(r)
	if err != nil {
		return err
	}
	if err := s.House.Prove(r.Context(), d, code, s.Now()); err != nil {
		return err
	}
	s.see(w, r, "/online")
	return nil
}

func (s *Server) again(w http.ResponseWriter, r *http.Request) error {
	d, err := s.device(r)
	if err != nil {
		return err
	}
	if err := s.House.AskAgain(r.Context(), d, s.Now()); err != nil {
		return err
	}
	s.see(w, r, "/code", "word", string(templates.CodeResent))
	return nil
}

func (s *Server) other(w http.ResponseWriter, r *http.Request) error {
	d, err := s.device(r)
	if err != nil {
		return err
	}
	if err := s.House.Forget(r.Context(), d, s.Now()); err != nil {
		return err
	}
	s.see(w, r, "/")
	return nil
}

func (s *Server) online(w http.ResponseWriter, r *http.Request) error {
	_, g, err := s.greet(r)
	switch {
	case err != nil:
		return err
	case g.Step != hien.Inside:
		s.see(w, r, "/")
		return nil
	}
	return show(w, onlinePage(r, g))
}

// notice shows the whole notice, and carries along what was typed.
func (s *Server) notice(w http.ResponseWriter, r *http.Request) error {
	_, g, err := s.greet(r)
	switch {
	case err != nil:
		return err
	case g.Step != hien.AtDoor:
		s.see(w, r, "/")
		return nil
	}
	p := noticePage(language(r), g, given(r))
	if len(p.Notice.Asks) == 0 {
		s.see(w, r, "/")
		return nil
	}
	return show(w, p)
}
