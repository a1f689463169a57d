package world

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// CodeService is a stand-in for a brand's own service that sends codes: it
// takes a request that is signed after Standard Webhooks and no other.
type CodeService struct {
	carrier
	Secret string // whsec_ and the key in base64
	// Now, when it is set, is held against the request's time: five minutes
	// either way, as Standard Webhooks has it.
	Now func() time.Time
}

// NewCodeService makes a service with a secret.
func NewCodeService() *CodeService {
	return &CodeService{Secret: "whsec_" + base64.StdEncoding.EncodeToString([]byte("a made-up key of thirty-two bytes"))}
}

// ServeHTTP takes POST at any path.
func (s *CodeService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.begin(w) {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	var sent struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      struct {
			To       string `json:"to"`
			Code     string `json:"code"`
			Language string `json:"language"`
			Store    string `json:"store"`
			Zone     string `json:"zone"`
		} `json:"data"`
	}
	switch bad := json.Unmarshal(body, &sent); {
	case !s.signed(r.Header.Get("webhook-signature"), id+"."+at+"."+string(body)), s.late(sent.Timestamp):
		http.Error(w, "", http.StatusUnauthorized)
	case bad != nil || sent.Type != "code.requested" || s.seen(id):
		http.Error(w, "", http.StatusBadRequest)
	case s.refusal(sent.Data.To) != "":
		writeJSON(w, map[string]string{"result": s.refusal(sent.Data.To)})
	default:
		s.take(CodeMessage{To: sent.Data.To, Text: sent.Data.Code, Language: sent.Data.Language, Sender: sent.Data.Store, ID: id})
		w.WriteHeader(http.StatusAccepted)
	}
}

// signed holds a signature against what was sent.
func (s *CodeService) signed(header, content string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Secret, "whsec_"))
	sum, ok := strings.CutPrefix(header, "v1,")
	got, bad := base64.StdEncoding.DecodeString(sum)
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, content)
	return err == nil && ok && bad == nil && hmac.Equal(got, mac.Sum(nil))
}

func (s *CodeService) late(at time.Time) bool {
	return s.Now != nil && s.Now().Sub(at).Abs() > 5*time.Minute
}
