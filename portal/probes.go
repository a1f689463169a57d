package portal

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/hien-wifi/hien/internal/probes"
)

// known are the probes of the systems that guests bring, by host and path:
// the query (Firefox's ?ipv4) and the scheme change nothing about the answer.
// The portal does not depend on the list: what is not in it is redirected,
// and it is only looked at for guests who are inside.
var known = func() map[string]probes.Probe {
	m := make(map[string]probes.Probe)
	for _, p := range probes.List {
		if u, err := url.Parse(p.URL); err == nil {
			m[u.Hostname()+u.Path] = p
		}
	}
	return m
}()

// probeOf is the known probe that a request is.
func probeOf(r *http.Request) (probes.Probe, bool) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	p, ok := known[strings.ToLower(strings.TrimSuffix(host, "."))+r.URL.Path]
	return p, ok
}

// answerAsFree says what the real server says to a device that is online.
func answerAsFree(w http.ResponseWriter, p probes.Probe) {
	if kind := p.ContentType(); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	if p.NetworkManager() {
		w.Header().Set(probes.NMStatus, "online")
	}
	w.WriteHeader(p.Status)
	io.WriteString(w, p.Body)
}
