package world

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// DefaultEraseToken is the token that a new [CDP]'s deletion API expects.
const DefaultEraseToken = "erase-token-of-the-world"

// A Regulation is a request for the deletion API that was taken.
type Regulation struct {
	Type  string // as it was asked for
	Users []string
	Body  json.RawMessage
}

// RegulationScript answers one request for the deletion API in place of the
// platform. It returns false to let the platform answer as it would.
type RegulationScript func(w http.ResponseWriter, body []byte) bool

// NextRegulation puts a script in line: each answers one request, in order.
func (c *CDP) NextRegulation(scripts ...RegulationScript) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.regulationScripts = append(c.regulationScripts, scripts...)
}

// Regulations are the requests of the deletion API that were taken.
func (c *CDP) Regulations() []Regulation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.regulations)
}

// Suppressed reports whether nothing of a user is taken any more.
func (c *CDP) Suppressed(user string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.suppressed[user]
}

// regulationPath is where the platform's deletion API is.
func (c *CDP) regulationPath() string {
	if c.Flavour == RudderStack {
		return "/v2/regulations"
	}
	return "/regulations"
}

// serveRegulation answers as Segment's Public API does (200, 403, 422 and
// errors[] with type and message), or RudderStack's User Suppression API (200
// with the regulations that were made, 400, 401 and a message).
func (c *CDP) serveRegulation(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	c.mu.Lock()
	var script RegulationScript
	if len(c.regulationScripts) > 0 {
		script, c.regulationScripts = c.regulationScripts[0], c.regulationScripts[1:]
	}
	c.mu.Unlock()
	if script != nil && script(w, body) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	allowed := r.Header.Get("Authorization") == "Bearer "+c.EraseToken
	if c.Flavour == RudderStack {
		c.answerRudderStack(w, body, allowed)
	} else {
		c.answerSegment(w, body, allowed)
	}
}

func (c *CDP) answerSegment(w http.ResponseWriter, body []byte, allowed bool) {
	refuse := func(status int, kind, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errors":[{"type":%q,"message":%q}]}`, kind, message)
	}
	var asked struct {
		Type    string   `json:"regulationType"`
		Subject string   `json:"subjectType"`
		IDs     []string `json:"subjectIds"`
	}
	switch err := json.Unmarshal(body, &asked); {
	case !allowed:
		refuse(http.StatusForbidden, "forbidden", "You don't have the correct permissions for this resource.")
	case err != nil:
		refuse(http.StatusBadRequest, "bad-request", "The request body is not JSON.")
	case !slices.Contains([]string{"DELETE_INTERNAL", "DELETE_ONLY", "SUPPRESS_ONLY", "SUPPRESS_WITH_DELETE", "SUPPRESS_WITH_DELETE_INTERNAL", "UNSUPPRESS"}, asked.Type):
		refuse(http.StatusUnprocessableEntity, "validation-failure", "regulationType is not one of the allowed values.")
	case asked.Subject != "USER_ID", len(asked.IDs) == 0, len(asked.IDs) > 5000:
		refuse(http.StatusUnprocessableEntity, "validation-failure", "subjectIds must hold 1 to 5000 ids.")
	default:
		n := c.regulate(Regulation{asked.Type, asked.IDs, body}, asked.Type == "UNSUPPRESS")
		fmt.Fprintf(w, `{"data":{"regulateId":"reg_%d"}}`, n)
	}
}

func (c *CDP) answerRudderStack(w http.ResponseWriter, body []byte, allowed bool) {
	refuse := func(status int, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"message":%q}`, message)
	}
	var asked struct {
		Type         string   `json:"regulationType"`
		Sources      []string `json:"sourceIds"`
		Destinations []string `json:"destinationIds"`
		Users        []struct {
			ID string `json:"userId"`
		} `json:"users"`
	}
	switch err := json.Unmarshal(body, &asked); {
	case !allowed:
		refuse(http.StatusUnauthorized, "Unauthorized")
	case err != nil, asked.Type != "suppress" && asked.Type != "suppress_with_delete":
		refuse(http.StatusBadRequest, "regulationType must be one of suppress, suppress_with_delete")
	case len(asked.Users) == 0, slices.ContainsFunc(asked.Users, func(u struct {
		ID string `json:"userId"`
	}) bool {
		return u.ID == ""
	}):
		refuse(http.StatusBadRequest, "users[].userId is required")
	default:
		var users []string
		for _, u := range asked.Users {
			users = append(users, u.ID)
		}
		n := c.regulate(Regulation{asked.Type, users, body}, false)
		fmt.Fprintf(w, `[{"id":"regulation-%d","workspaceId":"workspace-of-the-world","canceled":false,"regulationType":%q}]`, n, asked.Type)
	}
}

// regulate carries a regulation out, and counts it.
func (c *CDP) regulate(r Regulation, lifts bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.regulations = append(c.regulations, r)
	for _, u := range r.Users {
		c.suppressed[u] = !lifts
	}
	if !lifts {
		c.events = slices.DeleteFunc(c.events, func(e json.RawMessage) bool { return slices.Contains(r.Users, userID(e)) })
	}
	c.signal()
	return len(c.regulations)
}

func userID(event json.RawMessage) string {
	var e struct {
		UserID string `json:"userId"`
	}
	json.Unmarshal(event, &e)
	return e.UserID
}
