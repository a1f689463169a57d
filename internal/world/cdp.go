package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// Flavour is whose manners a [CDP] has.
type Flavour string

// The platforms that take the same batches and answer each in its own way.
const (
	Segment     Flavour = "segment"
	RudderStack Flavour = "rudderstack"
	Jitsu       Flavour = "jitsu"
)

// DefaultWriteKey is the key that a new [CDP] expects.
const DefaultWriteKey = "write-key-of-the-world"

// CDP is a stand-in for a customer-data platform: it takes batches at
// /v1/batch as Segment, RudderStack or Jitsu do, answers in the documented
// shapes, and remembers everything. It is an [http.Handler] and needs no
// world; its zero value is not usable, see [NewCDP].
//
// Its fields may be set before the first request.
type CDP struct {
	Flavour    Flavour
	WriteKey   string
	EraseToken string // of the deletion API
	MaxBody    int    // bytes of a batch that are too many; by the flavour

	mu         sync.Mutex
	down       bool
	scripts    []Script
	poison     map[string]bool
	batches    []Batch
	events     []json.RawMessage
	deliveries map[string]int
	refused    map[string]int
	more       chan struct{}

	regulations       []Regulation
	regulationScripts []RegulationScript
	suppressed        map[string]bool // by userId

	listen func() (net.Listener, error)
	server *http.Server
	ca     *CA
}

// Batch is one request for /v1/batch as it came.
type Batch struct {
	Header http.Header
	Key    string // of the Authorization header, else of the body
	Body   []byte // after decompression
	SentAt string
	Events []json.RawMessage
	Status int    // what was answered
	Answer string // with which body
}

// Script answers one batch in place of the platform. It returns false to let
// the platform answer as it would.
type Script func(w http.ResponseWriter, b Batch) bool

// NewCDP makes a platform that is up and has seen nothing.
func NewCDP(f Flavour) *CDP {
	c := &CDP{
		Flavour:    f,
		WriteKey:   DefaultWriteKey,
		EraseToken: DefaultEraseToken,
		suppressed: make(map[string]bool),
		poison:     make(map[string]bool),
		deliveries: make(map[string]int),
		refused:    make(map[string]int),
		more:       make(chan struct{}),
	}
	switch f {
	case Segment:
		c.MaxBody = 500 << 10
	case RudderStack:
		c.MaxBody = 4000 << 10
	default:
		c.MaxBody = 1 << 20
	}
	return c
}

// Next puts a script in line: each answers one batch, in order.
func (c *CDP) Next(scripts ...Script) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scripts = append(c.scripts, scripts...)
}

// Status is a script that answers with a status and nothing else, as a
// gateway in trouble does.
func Status(code int) Script {
	return func(w http.ResponseWriter, _ Batch) bool {
		http.Error(w, http.StatusText(code), code)
		return true
	}
}

// RetryAfter is a script that answers 429, with Retry-After when seconds is
// not negative (RudderStack sends none).
func RetryAfter(seconds int) Script {
	return func(w http.ResponseWriter, _ Batch) bool {
		if seconds >= 0 {
			w.Header().Set("Retry-After", strconv.Itoa(seconds))
		}
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return true
	}
}

// Hangup is a script that takes the batch's events and closes the connection
// without an answer, so that the sender cannot know.
func (c *CDP) Hangup() Script {
	return func(w http.ResponseWriter, b Batch) bool {
		c.mu.Lock()
		c.accept(b.Events)
		c.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
}

// Poison makes the event with this messageId one that the platform finds
// malformed: it answers a batch that holds it as its flavour does.
func (c *CDP) Poison(messageID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.poison[messageID] = true
}

// Down makes the platform unreachable: in a world its port refuses
// connections, elsewhere each connection is closed without an answer.
func (c *CDP) Down() {
	c.mu.Lock()
	c.down = true
	server := c.server
	c.server = nil
	c.mu.Unlock()
	if server != nil {
		server.Close()
	}
}

// Up makes the platform reachable again.
func (c *CDP) Up() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = false
	if c.listen == nil || c.server != nil {
		return nil
	}
	l, err := c.listen()
	if err != nil {
		return fmt.Errorf("bring the CDP up: %w", err)
	}
	c.server = &http.Server{Handler: c, Protocols: onlyHTTP1(), TLSConfig: c.ca.ServerConfig(), ErrorLog: quiet}
	go c.server.ServeTLS(l, "", "")
	return nil
}

// serve puts the platform into a world.
func (c *CDP) serve(in *Internet, ca *CA) error {
	c.ca = ca
	c.listen = func() (net.Listener, error) { return in.Listen("tcp", ":8443") }
	return c.Up()
}

// Batches are all requests so far, the refused ones too.
func (c *CDP) Batches() []Batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.batches)
}

// Events are the accepted events in the order of their first arrival, each
// messageId once.
func (c *CDP) Events() []json.RawMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// Deliveries is how often an event was accepted; more than once means that
// the platform's own deduplication was needed.
func (c *CDP) Deliveries(messageID string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deliveries[messageID]
}

// Refused is how often an event came and was not taken, also where the
// answer said 200 (Segment with a wrong key, a bad item at Segment or Jitsu).
func (c *CDP) Refused(messageID string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused[messageID]
}

// WaitEvents waits until at least n different events were accepted and
// returns all of them.
func (c *CDP) WaitEvents(ctx context.Context, n int) ([]json.RawMessage, error) {
	for {
		c.mu.Lock()
		events, more := slices.Clone(c.events), c.more
		c.mu.Unlock()
		if len(events) >= n {
			return events, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return events, fmt.Errorf("wait for %d events, have %d: %w", n, len(events), ctx.Err())
		}
	}
}

// WaitBatches waits until at least n batches came, refused ones too, and
// returns all of them.
func (c *CDP) WaitBatches(ctx context.Context, n int) ([]Batch, error) {
	for {
		c.mu.Lock()
		batches, more := slices.Clone(c.batches), c.more
		c.mu.Unlock()
		if len(batches) >= n {
			return batches, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return batches, fmt.Errorf("wait for %d batches, have %d: %w", n, len(batches), ctx.Err())
		}
	}
}

// accept notes events as taken. The caller holds the lock.
func (c *CDP) accept(events []json.RawMessage) {
	for _, e := range events {
		id := messageID(e)
		if c.deliveries[id]++; c.deliveries[id] == 1 && !c.suppressed[userID(e)] {
			c.events = append(c.events, e)
		}
	}
	c.signal()
}

func (c *CDP) refuse(events []json.RawMessage) {
	for _, e := range events {
		c.refused[messageID(e)]++
	}
}

// signal wakes who waits. The caller holds the lock.
func (c *CDP) signal() {
	close(c.more)
	c.more = make(chan struct{})
}
