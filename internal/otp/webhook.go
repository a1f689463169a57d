package otp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
)

// A webhook asks the brand's own service to send a code. It is the way for a
// brand with more than one shop: the provider's keys stay with the service,
// and two routers of one account cannot lock each other out. The request is
// signed after Standard Webhooks 1.0.0 (standardwebhooks.com), with the headers
// webhook-id, webhook-timestamp and webhook-signature. The service answers
// 2xx with an empty body, or with {"result": one of the classes}.
type webhook struct {
	Options
	client *client
	key    []byte
}

func newWebhook(o Options) (way, error) {
	key, err := parseHookSecret(o.Secret)
	switch {
	case err != nil:
		return nil, err
	case o.URL == "":
		return nil, errors.New("webhook needs a url")
	}
	c, err := newClient(o, o.URL, "")
	if err != nil {
		return nil, err
	}
	return &webhook{o, c, key}, nil
}

// parseHookSecret reads whsec_ and 24 to 64 bytes in base64, as Standard
// Webhooks has it.
func parseHookSecret(text string) ([]byte, error) {
	enc, ok := strings.CutPrefix(text, "whsec_")
	key, err := base64.StdEncoding.DecodeString(enc)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("secret: want whsec_ and 24 to 64 bytes in base64")
	}
	return key, nil
}

// CodeRequested is the type of a webhook's request.
const CodeRequested = "code.requested"

// A CodeRequest is a webhook's request.
type CodeRequest struct {
	Type      string    `json:"type"`      // CodeRequested
	Timestamp time.Time `json:"timestamp"` // the router's time, see ClockInStep
	Data      struct {
		To          string `json:"to"`   // E.164, with its plus
		Code        string `json:"code"` // six digits
		Language    string `json:"language"`
		Store       string `json:"store"` // store_id
		Zone        string `json:"zone"`
		ExpiresIn   int    `json:"expires_in"` // seconds
		ClockInStep bool   `json:"clock_in_step"`
	} `json:"data"`
}

func (w *webhook) send(ctx context.Context, m hien.Message) *Error {
	r := CodeRequest{Type: CodeRequested, Timestamp: m.At.Wall.UTC().Truncate(time.Second)}
	r.Data.To, r.Data.Code, r.Data.Language = m.To.Reveal(), m.Code.Reveal(), m.Language
	r.Data.Store, r.Data.Zone = w.Store, m.Guest.Zone
	r.Data.ExpiresIn, r.Data.ClockInStep = int(hien.CodeLife/time.Second), m.At.InStep
	body, bad := json.Marshal(r)
	if bad != nil {
		return &Error{Class: RetryLater, Text: "the router's time cannot be written", Mend: "look at the router's clock with `date`"}
	}
	id, at := "msg_"+rand.Text(), strconv.FormatInt(m.At.Wall.Unix(), 10)
	a, err := w.client.post(ctx, "", "application/json", body, map[string]string{
		"Webhook-Id": id, "Webhook-Timestamp": at, "Webhook-Signature": signHook(w.key, id, at, body),
	})
	if err != nil {
		return err
	}
	return readHook(w.client, a)
}

// signHook is the value of webhook-signature.
func signHook(key []byte, id, at string, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + at + "."))
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func readHook(c *client, a answer) *Error {
	if a.status == http.StatusUnprocessableEntity {
		return &Error{Class: UserUnreachable, Answer: "HTTP 422", Text: "the service cannot reach the number"}
	}
	if err := c.byStatus(a); err != nil {
		return err
	}
	var said struct {
		Result Class `json:"result"`
	}
	if len(bytes.TrimSpace(a.body)) > 0 && json.Unmarshal(a.body, &said) != nil {
		return &Error{Class: ConfigError, Text: c.base.Host + " answered something that is no JSON", Mend: "look at url: it should be the service's"}
	}
	switch said.Result {
	case "", OK:
		return nil
	case UserUnreachable:
		return &Error{Class: UserUnreachable, Text: "the service cannot reach the number"}
	case RetryLater:
		return &Error{Class: RetryLater, Text: "the service cannot at present"}
	case ConfigError:
		return &Error{Class: ConfigError, Text: "the service is not in order", Mend: "look into the service's log"}
	}
	return &Error{Class: ConfigError, Text: "the service answered a result that is none", Mend: "see docs/senders.md"}
}
