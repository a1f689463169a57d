package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A House is what the daemon can be asked. Each act is a function of its own,
// wired where the daemon is built; all are needed. A limit is how many of the
// newest are wanted, from 1 to MaxItems. The functions are called from
// several goroutines, each with a context that ends when the daemon stops or
// the one who asked is gone.
type House struct {
	Status       func(context.Context) (Status, error)
	Guests       func(ctx context.Context, limit int) (List[Guest], error)
	Visits       func(ctx context.Context, limit int) (List[Visit], error)
	Leads        func(ctx context.Context, limit int) (List[Lead], error)
	Consents     func(ctx context.Context, limit int) (List[Consent], error)
	Queue        func(ctx context.Context, limit int) (List[QueueItem], error)
	VerifyLedger func(context.Context) (Ledger, error)

	// Withdraw takes back a subject's purposes; none named means all.
	// Nobody of that name is hien.ErrNoReceipt.
	Withdraw func(ctx context.Context, subject consent.ID, purposes []consent.Purpose) error

	// Release ends the repairing of the kernel's rules until the daemon is
	// started again, so that `hien cleanup` can take them out.
	Release func(context.Context) error
}

// How many items a list has.
const (
	DefaultItems = 100
	MaxItems     = 10000
)

// The limits of the server. Who may open the socket may do anything anyway:
// they keep a mistake small, not an attacker out.
const (
	maxRequests = 8
	maxBody     = 64 << 10
	maxHeader   = 8 << 10
	readTime    = 5 * time.Second
	answerTime  = 2 * time.Minute // a long ledger on a slow flash
	idleTime    = 30 * time.Second
	stopTime    = 5 * time.Second
)

// A Server answers on the socket.
type Server struct {
	house House
	log   *slog.Logger
	busy  chan struct{}
}

// NewServer makes a server; it starts nothing.
func NewServer(h House, log *slog.Logger) *Server {
	return &Server{house: h, log: log, busy: make(chan struct{}, maxRequests)}
}

// Serve answers on l until ctx ends, then returns nil. Every answer under way
// has ended and l is closed when it returns.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readTime, ReadTimeout: readTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:    func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan error, 1)
	end := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err := srv.Shutdown(last)
		if err != nil {
			err = srv.Close() // whoever does not stop is cut off
		}
		stopped <- err
	})
	err := srv.Serve(l)
	if end() { // Serve failed by itself
		srv.Close()
		return fmt.Errorf("serve control socket: %w", err)
	}
	return <-stopped
}

// Handler is the table of routes, for Serve and for tests. The methods are
// declared on the one router: a wrong one is answered 405.
func (s *Server) Handler() http.Handler {
	r := mux.NewRouter()
	get := func(path string, h func(*http.Request) (any, error)) {
		r.Handle(path, s.answer(h)).Methods(http.MethodGet)
	}
	post := func(path string, h func(*http.Request) (any, error)) {
		r.Handle(path, s.answer(h)).Methods(http.MethodPost)
	}

	get("/v1/status", func(r *http.Request) (any, error) { return s.house.Status(r.Context()) })
	get("/v1/guests", list(s.house.Guests))
	get("/v1/visits", list(s.house.Visits))
	get("/v1/leads", list(s.house.Leads))
	get("/v1/consents", list(s.house.Consents))
	get("/v1/queue", list(s.house.Queue))
	get("/v1/ledger/verify", func(r *http.Request) (any, error) { return s.house.VerifyLedger(r.Context()) })
	post("/v1/withdraw", s.withdraw)
	post("/v1/release", s.release)
	return r
}

// list answers the newest of a kind; ?limit= says how many.
func list[T any](of func(context.Context, int) (List[T], error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		limit := DefaultItems
		if text := r.URL.Query().Get("limit"); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > MaxItems {
				return nil, badRequest(fmt.Sprintf("limit %q: want a number from 1 to %d", text, MaxItems))
			}
			limit = n
		}
		l, err := of(r.Context(), limit)
		if l.Items == nil {
			l.Items = []T{} // for machines an empty list is a list
		}
		return l, err
	}
}

func (s *Server) withdraw(r *http.Request) (any, error) {
	var w Withdrawal
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return nil, badRequest("the request is no withdrawal: " + err.Error())
	}
	if w.Subject == "" {
		return nil, badRequest("no subject: want the one that `hien leads` shows")
	}
	for _, p := range w.Purposes {
		if _, err := consent.ParsePurpose(string(p)); err != nil {
			return nil, badRequest(err.Error())
		}
	}
	return w, s.house.Withdraw(r.Context(), w.Subject, w.Purposes)
}

func (s *Server) release(r *http.Request) (any, error) {
	return Released{true}, s.house.Release(r.Context())
}

// badRequest is the fault of the one who asks.
type badRequest string

func (b badRequest) Error() string { return string(b) }

// problem is an error on the wire.
type problem struct {
	Error string `json:"error"`
}

// answer makes HTTP of what a handler answers.
func (s *Server) answer(h func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.busy <- struct{}{}:
			defer func() { <-s.busy }()
		default:
			s.write(w, http.StatusServiceUnavailable, problem{"too many questions at once: ask again"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v, err := h(r)
		if err != nil {
			status := statusOf(err)
			if status == http.StatusInternalServerError {
				s.log.Warn("a question over the control socket was not answered", "path", r.URL.Path, "err", err)
			}
			s.write(w, status, problem{err.Error()})
			return
		}
		s.write(w, http.StatusOK, v)
	})
}

func statusOf(err error) int {
	var bad badRequest
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest
	case errors.Is(err, hien.ErrNoReceipt):
		return http.StatusNotFound
	case errors.Is(err, hien.ErrStorage):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func (s *Server) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("an answer over the control socket was not read", "err", err)
	}
}
