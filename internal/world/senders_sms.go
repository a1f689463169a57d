package world

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
)

// ESMS is a stand-in for eSMS. Its fields may be set before the first request.
type ESMS struct {
	carrier
	APIKey    string
	SecretKey string
	Brandname string
	// Wording, when it is set, is what the brandname's messages must be.
	Wording *regexp.Regexp
}

// NewESMS makes a stand-in with an account and a brandname.
func NewESMS() *ESMS {
	return &ESMS{APIKey: "ESMS-API-KEY-OF-THE-WORLD", SecretKey: "ESMS-SECRET-OF-THE-WORLD", Brandname: "QuanHien"}
}

var (
	nationalNumber = regexp.MustCompile(`^0[1-9][0-9]{8}$`)
	plainSMS       = regexp.MustCompile(`^[\n -~]*$`)
)

// ServeHTTP takes POST /MainService.svc/json/SendMultipleMessage_V4_post_json/.
func (e *ESMS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/MainService.svc/json/SendMultipleMessage_V4_post_json/" {
		http.NotFound(w, r)
		return
	}
	if e.begin(w) {
		return
	}
	var m struct {
		APIKey      string `json:"ApiKey"`
		SecretKey   string `json:"SecretKey"`
		Phone       string `json:"Phone"`
		Content     string `json:"Content"`
		Brandname   string `json:"Brandname"`
		Type        string `json:"SmsType"`
		Unicode     string `json:"IsUnicode"`
		RequestID   string `json:"RequestId"`
		CallbackURL string `json:"CallbackUrl"`
		Sandbox     string `json:"Sandbox"`
	}
	err := readJSON(r, &m)
	no := func(code, text string) {
		writeJSON(w, map[string]any{"CodeResult": code, "CountRegenerate": 0, "ErrorMessage": text})
	}
	switch refusal := e.refusal(m.Phone); {
	case err != nil:
		writeJSON(w, map[string]any{"error": "Invalid request"})
	case m.APIKey != e.APIKey || m.SecretKey != e.SecretKey:
		no("101", "Authorize Failed")
	case m.Type == "":
		no("300", "SmsType is missing")
	case m.Type == "2" && m.Brandname != e.Brandname:
		no("104", "Brand name code is not exist")
	case !nationalNumber.MatchString(m.Phone):
		no("108", "Phone "+m.Phone+" is not in correct format")
	case refusal != "":
		no(refusal, "Refused to "+m.Phone) // words that no log should have
	case m.RequestID != "" && e.seen(m.RequestID):
		no("124", "Request exist 1")
	case m.Unicode != "0" || !plainSMS.MatchString(m.Content), e.Wording != nil && !e.Wording.MatchString(m.Content):
		no("146", "Sai template Brandname CSKH")
	default:
		e.take(CodeMessage{To: m.Phone, Text: m.Content, Sender: m.Brandname, ID: m.RequestID})
		writeJSON(w, map[string]any{"CodeResult": "100", "CountRegenerate": 0, "SMSID": "d533459ee42b2b9525ba9eabf6a8156"})
	}
}

// SpeedSMS is a stand-in for SpeedSMS. Its fields may be set before the first
// request.
type SpeedSMS struct {
	carrier
	Token string
}

// NewSpeedSMS makes a stand-in with an account.
func NewSpeedSMS() *SpeedSMS { return &SpeedSMS{Token: "speedsms-token-of-the-world"} }

// ServeHTTP takes POST /index.php/sms/send.
func (s *SpeedSMS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/index.php/sms/send" {
		http.NotFound(w, r)
		return
	}
	if s.begin(w) {
		return
	}
	if user, password, _ := r.BasicAuth(); user != s.Token || password != "x" {
		StatusAnswer(http.StatusUnauthorized, `{"name":"Unauthorized","message":"You are requesting with an invalid credential.","code":0,"status":401}`)(w)
		return
	}
	var m struct {
		To      []string    `json:"to"`
		Content string      `json:"content"`
		Type    json.Number `json:"sms_type"`
		Sender  string      `json:"sender"`
	}
	err := readJSON(r, &m)
	no := func(code, text string) {
		writeJSON(w, map[string]any{"status": "error", "code": code, "message": text, "invalidPhone": m.To})
	}
	kind, notNumber := strconv.Atoi(m.Type.String())
	switch {
	case err != nil || notNumber != nil || kind < 2 || kind > 5 || len(m.To) != 1 || m.Content == "":
		no("101", "Invalid or missing parameters")
	case kind == 3 && m.Sender == "":
		no("101", "Invalid or missing parameters")
	case s.refusal(m.To[0]) != "":
		no(s.refusal(m.To[0]), "Refused to "+m.To[0]) // words that no log should have
	case !zaloNumber.MatchString(m.To[0]):
		no("105", "Phone number invalid")
	case !plainSMS.MatchString(m.Content):
		no("110", "Not support sms content encoding")
	case len(m.Content) > 160:
		no("113", "Sms content too long")
	default:
		s.take(CodeMessage{To: m.To[0], Text: m.Content, Sender: m.Sender})
		writeJSON(w, map[string]any{"status": "success", "code": "00", "data": map[string]any{
			"tranId": 123456, "totalSMS": 1, "totalPrice": 250, "invalidPhone": []string{}}})
	}
}
