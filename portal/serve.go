package portal

import (
	"context"
	"crypto/tls"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/templates"
)

// Serve answers on l until ctx ends, and returns when everything that it
// started has stopped. Answers under way then get Limits.Grace to finish; l
// is closed. The error is nil when ctx ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, l, nil, "portal")
}

// ServeAPI answers the same over TLS, with Options.Certificate, and there the
// API of RFC 8908 as well. l is a plain TCP listener; ctx, l and the error are
// as with Serve. While there is no certificate that can be used at all, every
// handshake fails.
func (s *Server) ServeAPI(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, l, s.Certificate.config(s.Now), "portal's API")
}

// serve answers on l, over TLS with a config for it. what is its name.
func (s *Server) serve(ctx context.Context, l net.Listener, secure *tls.Config, what string) error {
	limits := s.Limits
	if secure != nil {
		limits.Conns = limits.SecureConns
	}
	gate := newTurnstile(l, limits)
	l = gate
	if secure != nil {
		l = tls.NewListener(gate, secure) // inside of the turnstile: a handshake needs a place too
	}
	// An answer that has begun is not cut by ctx: it may be a commit.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: s.Limits.Header,
		ReadTimeout:       s.Limits.Read,
		WriteTimeout:      s.Limits.Write,
		IdleTimeout:       s.Limits.Idle,
		MaxHeaderBytes:    s.Limits.HeaderBytes,
		ErrorLog:          stdlog.New(unnamed{slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return work },
		ConnContext:       s.withSeat(gate),
		ConnState:         gate.state,
		// OPTIONS * is redirected as everything else.
		DisableGeneralOptionsHandler: true,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	var err error
	select {
	case err = <-served:
		err = fmt.Errorf("serve the %s of zone %s: %w", what, s.Zone, err)
	case <-ctx.Done():
		gate.closeIdle()
		grace, stop := context.WithTimeout(work, s.Limits.Grace)
		server.Shutdown(grace) // what does not finish in time is closed below
		stop()
		<-served
	}
	stopWork()
	server.Close()
	gate.open.Wait()
	return err
}

// unnamed passes on what the HTTP server logs, which is about connections,
// without the guest's address.
type unnamed struct{ to *stdlog.Logger }

var guestAddress = regexp.MustCompile(`\b(from|serving) \S+:\d+:`)

func (u unnamed) Write(line []byte) (int, error) {
	u.to.Print(string(guestAddress.ReplaceAll(line, []byte("$1 a guest:"))))
	return len(line), nil
}

// rescue keeps the daemon alive when a handler panics: the guest sees a page
// that still lets it in.
func (s *Server) rescue(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				s.Log.Error("the portal made a mistake on a page; please report it", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				s.afterPanic(w, r)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *Server) afterPanic(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if recover() != nil {
			s.lastResort(w)
		}
	}()
	switch {
	case s.foreign(r, nil):
		s.toDoor(w, r)
	case r.Method == http.MethodPost:
		s.see(w, r, "/trouble", "why", string(templates.TroubleOther))
	default:
		s.showTrouble(w, r, hien.Greeting{}, templates.TroubleOther)
	}
}

// lastResort is the page that needs nothing but this function: when pages
// cannot be made, the door can still be opened.
func (s *Server) lastResort(w http.ResponseWriter) {
	w.Header()["Content-Type"] = htmlType
	w.Header()["Cache-Control"] = noStore
	fmt.Fprint(w, `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>WiFi</title>`,
		`<form method="post" action="/skip"><button>Vào mạng / Go online</button></form>`, "\n")
}

// policy is the Content-Security-Policy of the pages: they carry their style
// and nothing else (R-MKT-8).
var policy = []string{"default-src 'none'; style-src " + templates.StyleHash +
	"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"}

var (
	nosniff = []string{"nosniff"}
	// same-origin and not no-referrer, under which browsers post forms with
	// "Origin: null" (Fetch standard, "append a request Origin header") and
	// the check for other origins would refuse our own.
	referrers = []string{"same-origin"}
)

func protect(h http.Header) {
	h["Cache-Control"] = noStore
	h["Content-Security-Policy"] = policy
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = referrers
}
