package portal

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hien-wifi/hien"
)

// APIPath is where the captive portal API of RFC 8908 answers, over TLS alone.
const APIPath = "/captive-portal/api"

// APIURL is the address of the API as it is announced to phones: with a host
// name, which a certificate can have.
func APIURL(name string, port uint16) string { return origin(name, port) + APIPath }

// origin is an https address without a path.
func origin(name string, port uint16) string {
	if port == 443 {
		return "https://" + name
	}
	return "https://" + name + ":" + strconv.Itoa(int(port))
}

// secure is a row of the route table: requests that came over TLS.
func secure(r *http.Request, _ *mux.RouteMatch) bool { return r.TLS != nil }

// named reports whether a request over TLS names the portal by its name and
// port.
func (s *Server) named(r *http.Request) bool {
	name, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		name, port = r.Host, "443"
	}
	return strings.EqualFold(strings.TrimSuffix(name, "."), s.Certificate.Name()) &&
		port == strconv.Itoa(int(local(r).Port()))
}

// secureDoor is where the portal can be opened over TLS.
func (s *Server) secureDoor(r *http.Request) string {
	return origin(s.Certificate.Name(), local(r).Port()) + "/"
}

// A state is what the API tells of a guest (RFC 8908, section 5).
type state struct {
	Captive   bool   `json:"captive"`
	Portal    string `json:"user-portal-url"`
	Seconds   *int64 `json:"seconds-remaining,omitempty"`
	Bytes     *int64 `json:"bytes-remaining,omitempty"`
	CanExtend *bool  `json:"can-extend-session,omitempty"`
}

var captiveJSON = []string{"application/captive+json"}

// api tells a phone how it stands, whatever media types it accepts. Anything
// but 200 would make it look no further.
func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"] = noStore
	h["Connection"] = closing // one question at a time, and a connection over TLS is dear
	h["X-Content-Type-Options"] = nosniff
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := json.Marshal(s.state(r))
	if err != nil {
		s.Log.Error("the API's answer could not be made; please report it", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h["Content-Type"] = captiveJSON
	w.Write(body)
}

// state is what the house says of whoever asks. Whoever cannot be told is
// captive, and nothing else is said of it.
func (s *Server) state(r *http.Request) state {
	captive := state{Captive: true, Portal: s.secureDoor(r)}
	d, err := s.device(r)
	if err != nil {
		return captive
	}
	inside, err := s.House.Inside(r.Context(), d, s.Now())
	if err != nil || !inside {
		return captive
	}
	g, err := s.hear(r.Context(), d)
	switch {
	case err != nil:
		return state{Portal: captive.Portal} // inside all the same
	case g.Step == hien.Outside, g.Step != hien.Inside && g.PassLeft == 0:
		return captive // the pass has ended between the two questions
	}
	return session(g, captive.Portal)
}

// session is the state of a guest who is inside. One with a grace pass is not
// captive: a phone that hears that it is gives its apps no way through this
// network (Android), or leaves it with the portal's sheet (iOS), and the code
// would not come.
func session(g hien.Greeting, portal string) state {
	st := state{Portal: portal}
	if left := int64(g.PassLeft / time.Second); g.PassLeft > 0 { // else it is without an end
		st.Seconds = &left
	}
	if g.BytesLeft > 0 {
		st.Bytes = &g.BytesLeft
	}
	if st.Seconds != nil || st.Bytes != nil {
		// A pass that holds is not made longer: the way in is offered anew
		// when it has ended. A grace pass becomes a whole one on the portal,
		// and a phone can say so before it ends (RFC 8952, section 4.2).
		st.CanExtend = &g.Grace
	}
	return st
}
