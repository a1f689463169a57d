package world

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
)

// The stand-ins for those who carry one-time codes: [ZBS], [ESMS], [SpeedSMS]
// and [CodeService], the brand's own. Each is an [http.Handler] that answers in
// the shapes of the provider's public documentation, the refusals too, and
// remembers what it took. They need no world; in one they are served with
// Internet.Listen and Internet.ServeHTTP.

// A CodeMessage is a message that a stand-in has taken.
type CodeMessage struct {
	To       string // as it was written in the request
	Text     string // the SMS; of a template its data, "otp=123456"
	Template string // ZBS
	Sender   string // the brandname; of CodeService the store
	Language string // CodeService
	ID       string // by which the request can be told from another
}

// carrier is what the stand-ins have in common.
type carrier struct {
	mu       sync.Mutex
	messages []CodeMessage
	requests int
	next     []func(http.ResponseWriter) // each answers one request in place of the provider
	about    map[string]string           // number -> the code that is answered for it
}

// Messages are those that were taken, in order.
func (c *carrier) Messages() []CodeMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.messages)
}

// Requests is how many messages were asked for, the refused ones too.
func (c *carrier) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// Next puts an answer in line: it is given to one request for a message in
// place of the provider's own.
func (c *carrier) Next(answer func(http.ResponseWriter)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = append(c.next, answer)
}

// Refuse makes the provider answer with that code of its own whenever a message
// to the number is asked for; an empty code takes it back. The number is as the
// provider writes it.
func (c *carrier) Refuse(number, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.about == nil {
		c.about = make(map[string]string)
	}
	c.about[number] = code
}

// begin counts a request, and answers it if an answer is in line.
func (c *carrier) begin(w http.ResponseWriter) (answered bool) {
	c.mu.Lock()
	c.requests++
	var next func(http.ResponseWriter)
	if len(c.next) > 0 {
		next, c.next = c.next[0], c.next[1:]
	}
	c.mu.Unlock()
	if next != nil {
		next(w)
	}
	return next != nil
}

func (c *carrier) take(m CodeMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, m)
}

func (c *carrier) refusal(number string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.about[number]
}

// seen reports whether a message with that id was taken.
func (c *carrier) seen(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.messages, func(m CodeMessage) bool { return m.ID == id })
}

// StatusAnswer answers with a status and a body.
func StatusAnswer(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// HangUpAnswer closes the connection without an answer.
func HangUpAnswer(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// readJSON reads a request's body strictly: what the documentation does not
// have is refused.
func readJSON(r *http.Request, v any) error {
	if kind := r.Header.Get("Content-Type"); kind != "application/json" {
		return fmt.Errorf("content type %q", kind)
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<16))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
