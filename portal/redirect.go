package portal

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// local is the portal's own end of the connection. The kernel has already
// undone its redirection there: it is the zone's address and the portal's
// port.
func local(r *http.Request) netip.AddrPort {
	a, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if a == nil {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(plain(ap.Addr()), ap.Port())
}

// foreign reports whether a request names another host than the portal: by
// its address, or over TLS by the name in its certificate. It is a row of the
// route table.
func (s *Server) foreign(r *http.Request, _ *mux.RouteMatch) bool {
	if r.TLS != nil {
		return !s.named(r)
	}
	host, ok := parseHost(r.Host)
	here := local(r)
	return !ok || host.Port() != here.Port() ||
		host.Addr() != here.Addr() && !slices.Contains(s.Addrs, host.Addr())
}

// parseHost reads a Host that is an address, with port 80 when none is
// named.
func parseHost(host string) (netip.AddrPort, bool) {
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return netip.AddrPortFrom(plain(ap.Addr()), ap.Port()), true
	}
	if h, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(h, "]"); !ok {
			return netip.AddrPort{}, false
		}
	}
	a, err := netip.ParseAddr(host)
	return netip.AddrPortFrom(plain(a), 80), err == nil
}

// door is where the portal can be opened by whoever sent the request.
func (s *Server) door(r *http.Request) netip.AddrPort {
	here := local(r)
	if !here.Addr().IsLinkLocalUnicast() || !here.Addr().Is6() {
		return here
	}
	// A URL cannot name the interface that a link-local address needs
	// (RFC 9844): the zone's other addresses can be opened.
	for _, wantV6 := range []bool{true, false} {
		for _, a := range s.Addrs {
			if a.Is6() == wantV6 && !a.IsLinkLocalUnicast() {
				return netip.AddrPortFrom(a, here.Port())
			}
		}
	}
	return here
}

// redirect sends whoever asks to the portal's first page, which says where
// it stands. It looks nothing up, but for a known probe: when that comes
// from a guest who is inside, it gets what the real server would have said,
// or its system would think itself captive again.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request) {
	if p, ok := probeOf(r); ok && s.inside(r) {
		w.Header()["Cache-Control"] = noStore
		w.Header()["Connection"] = closing
		answerAsFree(w, p)
		return
	}
	s.toDoor(w, r)
}

func (s *Server) toDoor(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"] = noStore
	// The phone's next probe must take a connection of its own, which the
	// kernel looks at anew.
	h["Connection"] = closing
	to := "http://" + s.door(r).String() + "/"
	if r.TLS != nil {
		to = s.secureDoor(r)
	}
	h["Location"] = []string{to}
	h["Content-Type"] = htmlType
	w.WriteHeader(http.StatusFound)
	w.Write([]byte(`<!doctype html><title>WiFi</title><a href="` + to + `">WiFi</a>` + "\n"))
}

// Header values that never change.
var (
	noStore  = []string{"no-store"}
	closing  = []string{"close"}
	htmlType = []string{"text/html; charset=utf-8"}
)

// inside reports whether the request comes from a guest with a pass. Whoever
// cannot be told is not.
func (s *Server) inside(r *http.Request) bool {
	d, err := s.device(r)
	if err != nil {
		return false
	}
	inside, err := s.House.Inside(r.Context(), d, s.Now())
	return err == nil && inside
}
