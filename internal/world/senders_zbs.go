package world

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ZBS is a stand-in for Zalo's template messages and for the renewal of an
// official account's tokens. A refresh token is good once; who comes with one
// that was used is locked out, as at Zalo. Its fields may be set before the
// first request.
type ZBS struct {
	carrier
	AppID     string
	AppSecret string
	Templates map[string]string // id -> what it calls the code
	Quota     int               // messages of the day

	// Renewing, when it is set, is called in the middle of a renewal: the old
	// token is used up, and the new ones have not been sent.
	Renewing func()

	tokens   sync.Mutex
	access   string
	refresh  string
	used     []string // refresh tokens
	renewals int
}

// NewZBS makes a stand-in with an application and two templates, of which no
// access token is known to anybody yet.
func NewZBS() *ZBS {
	return &ZBS{AppID: "4208675309", AppSecret: "zalo-app-secret-of-the-world", Quota: 500,
		Templates: map[string]string{"310001": "otp", "310002": "otp"},
		access:    "access-" + rand.Text(), refresh: "refresh-" + rand.Text()}
}

// RefreshToken is the one that is good now: what the owner is given by hand.
// It is empty once the account is locked out.
func (z *ZBS) RefreshToken() string {
	z.tokens.Lock()
	defer z.tokens.Unlock()
	return z.refresh
}

// AccessToken is the one that is good now.
func (z *ZBS) AccessToken() string {
	z.tokens.Lock()
	defer z.tokens.Unlock()
	return z.access
}

// Expire ends the access token, as 25 hours do.
func (z *ZBS) Expire() {
	z.tokens.Lock()
	defer z.tokens.Unlock()
	z.access = "access-" + rand.Text()
}

// Renewals is how often new tokens were given.
func (z *ZBS) Renewals() int {
	z.tokens.Lock()
	defer z.tokens.Unlock()
	return z.renewals
}

// ServeHTTP takes POST /message/template and POST /v4/oa/access_token.
func (z *ZBS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/message/template":
		z.message(w, r)
	case r.Method == http.MethodPost && r.URL.Path == "/v4/oa/access_token":
		z.renew(w, r)
	default:
		http.NotFound(w, r)
	}
}

var zaloNumber = regexp.MustCompile(`^84[1-9][0-9]{8}$`)

func (z *ZBS) message(w http.ResponseWriter, r *http.Request) {
	if z.begin(w) {
		return
	}
	var m struct {
		Phone        string            `json:"phone"`
		TemplateID   string            `json:"template_id"`
		TemplateData map[string]string `json:"template_data"`
		TrackingID   string            `json:"tracking_id"`
		Mode         string            `json:"mode"`
		SendingMode  string            `json:"sending_mode"`
	}
	err := readJSON(r, &m)
	parameter, template := z.Templates[m.TemplateID]
	refusal := z.refusal(m.Phone)
	taken := len(z.Messages())
	// Zalo answers 200 whatever it has to say.
	no := func(code int, text string) { writeJSON(w, map[string]any{"error": code, "message": text}) }
	switch {
	case r.Header.Get("access_token") != z.AccessToken():
		no(-124, "Access token is invalid")
	case err != nil, len(m.TrackingID) > 48, m.Mode != "" && m.Mode != "development":
		no(-1121, fmt.Sprint("the request does not fit: ", err))
	case refusal != "":
		code, _ := strconv.Atoi(refusal)
		no(code, "Refused to "+m.Phone) // words that no log should have
	case !zaloNumber.MatchString(m.Phone):
		no(-108, "Phone number is invalid")
	case !template:
		no(-109, "Template ID is invalid")
	case len(m.TemplateData) != 1 || m.TemplateData[parameter] == "":
		no(-1122, "Template data is missing a parameter")
	case len(m.TemplateData[parameter]) > 10:
		no(-111, "Template data is invalid")
	case taken >= z.Quota:
		no(-144, "Daily quota is exceeded")
	default:
		z.take(CodeMessage{To: m.Phone, Text: parameter + "=" + m.TemplateData[parameter], Template: m.TemplateID, ID: m.TrackingID})
		writeJSON(w, map[string]any{"error": 0, "message": "Success", "data": map[string]any{
			"msg_id": "8c8dc2d7c5ca1f7f", "sent_time": "1795392000000", "sending_mode": "1",
			"quota": map[string]any{"dailyQuota": strconv.Itoa(z.Quota), "remainingQuota": strconv.Itoa(z.Quota - taken - 1)},
		}})
	}
}

func (z *ZBS) renew(w http.ResponseWriter, r *http.Request) {
	no := func(code int, name string) {
		writeJSON(w, map[string]any{"error": code, "error_name": name, "error_description": name})
	}
	refresh := r.PostFormValue("refresh_token")
	z.tokens.Lock()
	defer z.tokens.Unlock()
	switch {
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"), r.PostFormValue("grant_type") != "refresh_token":
		no(-14001, "Invalid request")
	case r.PostFormValue("app_id") != z.AppID:
		no(-14002, "Invalid app id")
	case r.Header.Get("secret_key") != z.AppSecret:
		no(-14004, "Invalid secret key")
	case slices.Contains(z.used, refresh):
		z.access, z.refresh = "access-"+rand.Text(), ""
		no(-14014, "Invalid refresh token")
	case refresh != z.refresh || refresh == "":
		no(-14014, "Invalid refresh token")
	default:
		z.used = append(z.used, refresh)
		z.access, z.refresh = "access-"+rand.Text(), "refresh-"+rand.Text()
		z.renewals++
		if z.Renewing != nil {
			z.Renewing()
		}
		writeJSON(w, map[string]any{"access_token": z.access, "refresh_token": z.refresh, "expires_in": "90000"})
	}
}
