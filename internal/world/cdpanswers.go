package world

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
)

// ServeHTTP takes POST /v1/batch, and deletion requests at the paths of
// Segment's and RudderStack's regulations.
func (c *CDP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	down := c.down
	c.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v1/batch":
		c.serveBatch(w, r)
	case r.Method == http.MethodPost && r.URL.Path == c.regulationPath():
		c.serveRegulation(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (c *CDP) serveBatch(w http.ResponseWriter, r *http.Request) {
	kept := &keptAnswer{ResponseWriter: w, status: http.StatusOK}
	b := Batch{Header: r.Header.Clone()}
	defer func() { // also when a script hangs up
		b.Status, b.Answer = kept.status, kept.body.String()
		if r := recover(); r != nil {
			b.Status = 0
			defer panic(r)
		}
		c.mu.Lock()
		c.batches = append(c.batches, b)
		c.signal()
		c.mu.Unlock()
	}()
	tooLarge, err := c.read(r, &b)
	c.mu.Lock()
	var script Script
	if len(c.scripts) > 0 {
		script, c.scripts = c.scripts[0], c.scripts[1:]
	}
	c.mu.Unlock()
	if script != nil && script(kept, b) {
		return
	}
	c.answer(kept, b, tooLarge, err)
}

// read takes the body apart. An error is the sender's.
func (c *CDP) read(r *http.Request, b *Batch) (tooLarge bool, err error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if c.Flavour == Segment {
			return false, errors.New("content encoding not supported")
		}
		if body, err = gzip.NewReader(body); err != nil {
			return false, err
		}
	}
	if b.Body, err = io.ReadAll(io.LimitReader(body, 64<<20)); err != nil {
		return false, err
	}
	var wire struct {
		WriteKey string            `json:"writeKey"`
		SentAt   string            `json:"sentAt"`
		Batch    []json.RawMessage `json:"batch"`
	}
	err = json.Unmarshal(b.Body, &wire)
	b.SentAt, b.Events = wire.SentAt, wire.Batch
	b.Key, _, _ = r.BasicAuth()
	if b.Key == "" && c.Flavour != RudderStack { // which reads only the header
		b.Key = wire.WriteKey
	}
	return len(b.Body) > c.MaxBody, err
}

func messageID(event json.RawMessage) string {
	var e struct {
		MessageID string `json:"messageId"`
	}
	json.Unmarshal(event, &e)
	return e.MessageID
}

var goodMessageID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// flaw says what is wrong with an event, or nothing.
func (c *CDP) flaw(event json.RawMessage) string {
	var e struct {
		Type, MessageID, UserID, AnonymousID, Event string
	}
	const maxEvent = 32 << 10
	switch err := json.Unmarshal(event, &e); {
	case err != nil:
		return "not an event: " + err.Error()
	case c.poison[e.MessageID]:
		return "invalid event"
	case len(event) > maxEvent:
		return "event too large"
	case !goodMessageID.MatchString(e.MessageID):
		return "bad messageId"
	case e.UserID == "" && e.AnonymousID == "":
		return "neither userId nor anonymousId"
	case e.Type == "track" && e.Event == "":
		return "track without event"
	case !slices.Contains([]string{"identify", "track", "page", "screen", "group", "alias"}, e.Type):
		return "unknown type"
	}
	return ""
}

// answer is the platform's own answer, which differs by flavour as
// documented in docs of Segment's HTTP API, rudder-server's gateway and
// Jitsu's ingest.
func (c *CDP) answer(w http.ResponseWriter, b Batch, tooLarge bool, bad error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wrongKey := b.Key != c.WriteKey
	var good, flawed []json.RawMessage
	var complaints []string
	for _, e := range b.Events {
		if flaw := c.flaw(e); flaw != "" {
			flawed = append(flawed, e)
			complaints = append(complaints, fmt.Sprintf("Message ID: %s: %s", messageID(e), flaw))
		} else {
			good = append(good, e)
		}
	}
	reply := func(status int, kind, body string, args ...any) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprintf(w, body, args...)
	}
	const jsonType, textType = "application/json", "text/plain; charset=utf-8"
	switch c.Flavour {
	case RudderStack:
		switch {
		case wrongKey && b.Key == "":
			c.refuse(b.Events)
			reply(http.StatusUnauthorized, textType, "Failed to read writeKey from header\n")
		case wrongKey:
			c.refuse(b.Events)
			reply(http.StatusUnauthorized, textType, "Invalid write key\n")
		case tooLarge:
			c.refuse(b.Events)
			reply(http.StatusRequestEntityTooLarge, textType, "Request size exceeds max limit\n")
		case bad != nil:
			reply(http.StatusBadRequest, textType, "Invalid JSON\n")
		case len(flawed) > 0: // one spoils the batch
			c.refuse(b.Events)
			reply(http.StatusBadRequest, textType, "request neither has anonymousId nor userId\n")
		default:
			c.accept(good)
			reply(http.StatusOK, textType, "OK")
		}
	case Jitsu:
		switch {
		case wrongKey:
			c.refuse(b.Events)
			reply(http.StatusUnauthorized, jsonType, `{"ok":false,"error":"invalid write key"}`)
		case tooLarge:
			c.refuse(b.Events)
			reply(http.StatusRequestEntityTooLarge, jsonType, `{"ok":false,"error":"request body too large"}`)
		case bad != nil:
			reply(http.StatusBadRequest, jsonType, `{"ok":false,"error":"invalid JSON"}`)
		default:
			c.accept(good)
			c.refuse(flawed)
			body, _ := json.Marshal(struct {
				Ok       bool     `json:"ok"`
				Received int      `json:"receivedEvents"`
				OkEvents int      `json:"okEvents"`
				Errors   []string `json:"errors,omitempty"`
			}{len(flawed) == 0, len(b.Events), len(good), complaints})
			reply(http.StatusOK, jsonType, "%s", body)
		}
	default: // Segment
		switch {
		case tooLarge:
			c.refuse(b.Events)
			reply(http.StatusBadRequest, jsonType, `{"success":false,"message":"request too large"}`)
		case bad != nil:
			reply(http.StatusBadRequest, jsonType, `{"success":false,"message":"malformed JSON"}`)
		case wrongKey: // and does not say so
			c.refuse(b.Events)
			reply(http.StatusOK, jsonType, `{"success":true}`)
		default:
			c.accept(good)
			c.refuse(flawed)
			reply(http.StatusOK, jsonType, `{"success":true}`)
		}
	}
}

// keptAnswer remembers what is answered.
type keptAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *keptAnswer) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

func (k *keptAnswer) Write(b []byte) (int, error) {
	k.body.Write(b)
	return k.ResponseWriter.Write(b)
}
