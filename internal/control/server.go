package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/inventory"
)

// A House is what the daemon can be asked. Each act is a function of its own,
// wired where the daemon is built; all are needed. A limit is how many of the
// newest are wanted, from 1 to MaxItems. The functions are called from
// several goroutines, each with a context that ends when the daemon stops or
// the one who asked is gone.
type House struct {
	Status       func(context.Context) (Status, error)
	Guests       func(ctx context.Context, limit int, full bool) (List[Guest], error) // full: with whole hardware addresses
	Visits       func(ctx context.Context, limit int) (List[Visit], error)
	Leads        func(ctx context.Context, limit int) (List[Lead], error)
	Consents     func(ctx context.Context, limit int) (List[Consent], error)
	Queue        func(ctx context.Context, limit int) (Queue, error)
	Audit        func(ctx context.Context, limit int) (List[Deed], error)
	VerifyLedger func(context.Context) (Ledger, error)
	ExportLedger func(context.Context, io.Writer) error // as consent.WriteExport

	// ExportLeads is what leads allow, as WriteLeadExport writes it, after it
	// has noted who asked for it.
	ExportLeads func(context.Context, LeadExport) (LeadsHead, iter.Seq2[LeadPermission, error], error)

	// Notice is the notice that was shown under a hash, of which the beginning
	// is told as hex. Its error is a Refusal where there is none, or several.
	Notice func(ctx context.Context, begin string) (Notice, error)

	// Backup writes a backup for the owner; spool is the directory of the copy
	// that it is made from, empty for the usual one.
	Backup func(ctx context.Context, w io.Writer, spool string) error

	// Inventory says what is kept of people.
	Inventory func(context.Context) (inventory.Inventory, error)

	// Retention says how long things are kept, what was deleted, and with days
	// what will be within so many. Retain deletes now what is too old.
	Retention func(ctx context.Context, limit, days int) (Retention, error)
	Retain    func(ctx context.Context, who string) (Retained, error)

	// StaffCode is the code that the shop's till shows now; false where the
	// shop takes none.
	StaffCode func() (StaffCode, bool)
	Owner
	People

	// Withdraw takes back a subject's purposes; none named means all. It
	// answers those that stood until then; none means that nothing was
	// changed. Nobody of that name is hien.ErrNoReceipt.
	Withdraw func(ctx context.Context, subject consent.ID, purposes []consent.Purpose) ([]consent.Purpose, error)

	// Release ends the repairing of the kernel's rules, so that `hien
	// cleanup` can take them out. It holds until the daemon gets SIGHUP or
	// is started again: either shuts the door.
	Release func(context.Context) error
}

// How many items a list has at most: unless another limit is asked for, and
// whatever limit is asked for.
const (
	DefaultItems = 100
	MaxItems     = 1000
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
		Handler:           s.handler(),
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

// handler is the table of routes, for Serve and for tests. The methods are
// declared on the one router: a wrong one is answered 405.
func (s *Server) handler() http.Handler {
	r := mux.NewRouter()
	get := func(path string, h func(*http.Request) (any, error)) {
		r.Handle(path, s.answer(h)).Methods(http.MethodGet)
	}
	post := func(path string, h func(*http.Request) (any, error)) {
		r.Handle(path, s.answer(h)).Methods(http.MethodPost)
	}

	get("/v1/status", func(r *http.Request) (any, error) { return s.house.Status(r.Context()) })
	get("/v1/guests", s.guests)
	get("/v1/visits", list(s.house.Visits))
	get("/v1/leads", list(s.house.Leads))
	get("/v1/consents", list(s.house.Consents))
	get("/v1/queue", list(s.house.Queue))
	get("/v1/audit", list(s.house.Audit))
	get("/v1/inventory", func(r *http.Request) (any, error) { return s.house.Inventory(r.Context()) })
	get("/v1/retention", s.retention)
	get("/v1/staff-code", s.staffCode)
	get("/v1/notice", s.notice)
	post("/v1/retain", s.retain)
	get("/v1/ledger/verify", func(r *http.Request) (any, error) { return s.house.VerifyLedger(r.Context()) })
	r.Handle("/v1/ledger/export", http.HandlerFunc(s.ledgerExport)).Methods(http.MethodGet)
	r.Handle("/v1/leads/export", http.HandlerFunc(s.leadExport)).Methods(http.MethodPost)
	r.Handle("/v1/backup", http.HandlerFunc(s.backup)).Methods(http.MethodGet)
	post("/v1/withdraw", s.withdraw)
	post("/v1/person", s.person)
	post("/v1/request", s.request)
	get("/v1/requests", list(s.house.Requests))
	post("/v1/release", s.release)
	post("/v1/admit", order(s.house.Admit))
	post("/v1/revoke", order(s.house.Revoke))
	post("/v1/open", s.open)
	post("/v1/reload", s.reload)
	return r
}

func (s *Server) staffCode(*http.Request) (any, error) {
	c, ok := s.house.StaffCode()
	if !ok {
		return nil, refusal{http.StatusConflict, "the shop takes no code of the till's: `option type 'staff'` in a config sender changes that"}
	}
	return c, nil
}

// notice answers the notice that was shown under ?hash=.
func (s *Server) notice(r *http.Request) (any, error) {
	begin := r.URL.Query().Get("hash")
	if !IsHashBegin(begin) {
		return nil, badRequest("hash %.80q: want its first %d to 64 digits, as hex", begin, MinHashDigits)
	}
	return s.house.Notice(r.Context(), begin)
}

// MinHashDigits is how much of a hash names a notice, at least.
const MinHashDigits = 8

// IsHashBegin reports whether a text may be a hash's beginning, as hex.
func IsHashBegin(text string) bool {
	return len(text) >= MinHashDigits && len(text) <= 2*len(consent.Hash{}) && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// ledgerExport answers the ledger.
func (s *Server) ledgerExport(w http.ResponseWriter, r *http.Request) {
	s.stream(w, func(out io.Writer) error { return s.house.ExportLedger(r.Context(), out) })
}

// stream answers line by line, however long that is. What fails in the middle
// is cut off, which its reader is told.
func (s *Server) stream(w http.ResponseWriter, export func(io.Writer) error) {
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	default:
		s.write(w, http.StatusServiceUnavailable, problem{"too many questions at once: ask again"})
		return
	}
	out := &started{Writer: w, more: http.NewResponseController(w)}
	err := export(out)
	switch {
	case err == nil:
	case !out.begun:
		s.write(w, statusOf(err), problem{err.Error()})
	default:
		s.log.Warn("an export did not come to its end", "err", err)
		panic(http.ErrAbortHandler)
	}
}

// started notes whether anything was written, and gives each part of a long
// answer its own time.
type started struct {
	io.Writer
	more  *http.ResponseController
	begun bool
}

func (s *started) Write(b []byte) (int, error) {
	s.begun = true
	if err := s.more.SetWriteDeadline(time.Now().Add(answerTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.Writer.Write(b)
}

// list answers what there is of a kind; ?limit= says how much.
func list[L any](of func(context.Context, int) (L, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		limit := DefaultItems
		if text := r.URL.Query().Get("limit"); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > MaxItems {
				return nil, badRequest("limit %.20q: want a number from 1 to %d", text, MaxItems)
			}
			limit = n
		}
		return of(r.Context(), limit)
	}
}

// guests answers who is in the shop; ?full=1 with whole hardware addresses.
func (s *Server) guests(r *http.Request) (any, error) {
	full := r.URL.Query().Get("full") == "1"
	return list(func(ctx context.Context, limit int) (List[Guest], error) { return s.house.Guests(ctx, limit, full) })(r)
}

// body reads the request, which is to be what.
func body[T any](r *http.Request, what string) (v T, err error) {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, badRequest("the request is no %s: %v", what, err)
	}
	return v, nil
}

func (s *Server) withdraw(r *http.Request) (any, error) {
	w, err := body[withdrawal](r, "withdrawal")
	if err != nil {
		return nil, err
	}
	if w.Subject == "" {
		return nil, badRequest("no subject: want one of those that `hien consents` lists")
	}
	for _, p := range w.Purposes {
		if _, err := consent.ParsePurpose(string(p)); err != nil {
			return nil, badRequest("%v", err)
		}
	}
	back, err := s.house.Withdraw(r.Context(), w.Subject, w.Purposes)
	if errors.Is(err, hien.ErrNoReceipt) {
		return nil, refusal{http.StatusNotFound, fmt.Sprintf("there is no subject %.40q: `hien consents` lists them", w.Subject)}
	}
	if back == nil {
		back = []consent.Purpose{}
	}
	return Withdrawn{w.Subject, back}, err
}

func (s *Server) release(r *http.Request) (any, error) {
	return released{true}, s.house.Release(r.Context())
}

// A refusal is an answer to a question that cannot be answered as it is.
type refusal struct {
	status int // of HTTP
	text   string
}

func (r refusal) Error() string { return r.text }

func badRequest(format string, args ...any) error {
	return refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

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
	var refused refusal
	switch {
	case errors.As(err, &refused):
		return refused.status
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
