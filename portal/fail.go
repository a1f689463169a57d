package portal

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/templates"
)

// fail makes a page of an error: the one place where errors become HTTP. A
// form is answered with a 303, as ever. No answer is a 4xx or 5xx, which
// phones' sheets do not show.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	why := templates.TroubleOther
	switch {
	case errors.Is(err, errGone), errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return // nobody is there to read
	case errors.Is(err, hien.ErrNoForm):
		s.see(w, r, "/") // finished already, or forgotten: the first page knows
		return
	case errors.Is(err, hien.ErrBlocked), errors.Is(err, hien.ErrSpent):
		s.see(w, r, "/") // which says why
		return
	case errors.Is(err, hien.ErrBadCode):
		s.see(w, r, "/code", "word", string(templates.CodeBad))
		return
	case errors.Is(err, hien.ErrCodeDead):
		s.see(w, r, "/code")
		return
	case errors.Is(err, errUnknownDevice):
		why = templates.TroubleDevice
	case errors.Is(err, hien.ErrNoReceipt):
		why = templates.TroubleReceipt
	case errors.Is(err, hien.ErrTooMany):
		why = templates.TroubleMany
	case errors.Is(err, hien.ErrNoAsking):
		why = templates.TroubleClosed
	case errors.Is(err, hien.ErrNotSent):
		why = templates.TroubleNotSent
		s.Log.Warn("a code could not be sent; guests can still go on without", "zone", s.Zone, "err", err)
	case errors.Is(err, hien.ErrStorage):
		why = templates.TroubleStorage
		s.Log.Error("an answer could not be kept; guests can still go on without", "zone", s.Zone, "err", err)
	default:
		s.Log.Error("a guest's request could not be done", "zone", s.Zone, "page", template(r), "err", err)
	}
	if r.Method == http.MethodPost {
		s.see(w, r, "/trouble", "why", string(why))
		return
	}
	s.showTrouble(w, r, hien.Greeting{}, why)
}

// trouble is where a form that failed leads.
func (s *Server) trouble(w http.ResponseWriter, r *http.Request) error {
	why := templates.ParseTroubleWhy(r.URL.Query().Get("why"))
	_, g, err := s.greet(r)
	switch {
	case errors.Is(err, errUnknownDevice):
		why = templates.TroubleDevice
	case err == nil && why == templates.TroubleDevice,
		err == nil && (g.Step == hien.Inside || g.Step == hien.Outside) && why != templates.TroubleReceipt:
		s.see(w, r, "/") // it has passed
		return nil
	}
	s.showTrouble(w, r, g, why)
	return nil
}

// showTrouble shows a page of trouble. The house is not asked for it.
func (s *Server) showTrouble(w http.ResponseWriter, r *http.Request, g hien.Greeting, why templates.TroubleWhy) {
	if err := show(w, templates.Trouble{Frame: frame(language(r), g, "/trouble?why="+string(why)), Why: why}); err != nil && !errors.Is(err, errGone) {
		s.Log.Error("a page could not be made; please report it", "err", err)
		s.lastResort(w)
	}
}

// template is the row of the table that answers, "/receipt/{secret}": what
// stands in its place in the request is the guest's.
func template(r *http.Request) string {
	if route := mux.CurrentRoute(r); route != nil {
		if t, err := route.GetPathTemplate(); err == nil {
			return t
		}
	}
	return "unknown"
}
