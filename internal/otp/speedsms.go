package otp

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
)

// SpeedSMS, as its developers' pages have it.
const (
	speedsmsURL  = "https://api.speedsms.vn"
	speedsmsSend = "index.php/sms/send"

	speedsmsByChance    = "2" // from a number that changes
	speedsmsByBrandname = "3" // under a registered name
	speedsmsByDefault   = "4" // under SpeedSMS's own, Notify or Verify
	speedsmsByApp       = "5" // from the account's own telephone
)

// speedsmsAnswers are the values of code. What is not here is tried again
// later.
var speedsmsAnswers = map[string]verdict{
	"105": {UserUnreachable, "SpeedSMS takes it for no number", ""},

	"300": {RetryLater, "the balance is empty", "top up the account"},
	"500": {RetryLater, "an unknown trouble at SpeedSMS", ""},

	"007": {ConfigError, "SpeedSMS takes nothing from this address", "have the shop's address permitted"},
	"008": {ConfigError, "the account is blocked", "ask SpeedSMS"},
	"009": {ConfigError, "the account may not use the API", "ask SpeedSMS"},
	"101": {ConfigError, "a parameter is not right", "look at brandname and sms_type"},
	"110": {ConfigError, "the wording has signs that are not taken", "write text and text_en without Vietnamese signs"},
	"113": {ConfigError, "the wording is too long", "shorten text and text_en"},
}

type speedsms struct {
	Options
	client *client
	words  words
}

func newSpeedSMS(o Options) (way, error) {
	if o.SMSType == "" {
		o.SMSType = speedsmsByDefault
		if o.Brandname != "" {
			o.SMSType = speedsmsByBrandname
		}
	}
	switch {
	case o.Token == "":
		return nil, errors.New("speedsms needs a token")
	case !slices.Contains([]string{speedsmsByChance, speedsmsByBrandname, speedsmsByDefault, speedsmsByApp}, o.SMSType):
		return nil, errors.New("sms_type: want 2, 3, 4 or 5, see docs/senders.md")
	case o.Brandname == "" && (o.SMSType == speedsmsByBrandname || o.SMSType == speedsmsByApp):
		return nil, errors.New("sms_type " + o.SMSType + " needs a brandname")
	}
	w, err := newWords(o)
	if err != nil {
		return nil, err
	}
	c, err := newClient(o, o.URL, speedsmsURL)
	if err != nil {
		return nil, err
	}
	return &speedsms{o, c, w}, nil
}

// speedsmsMessage is the body of a request.
type speedsmsMessage struct {
	To      []string    `json:"to"` // 84…, without a plus
	Content string      `json:"content"`
	Type    json.Number `json:"sms_type"`
	Sender  string      `json:"sender"`
}

func (s *speedsms) send(ctx context.Context, m hien.Message) *Error {
	if !m.To.Vietnamese() {
		return &Error{Class: UserUnreachable, Text: "a number of another country"}
	}
	a, err := s.client.postJSON(ctx, speedsmsSend, speedsmsMessage{
		To: []string{strings.TrimPrefix(m.To.Reveal(), "+")}, Content: s.words.of(m), Type: json.Number(s.SMSType), Sender: s.Brandname,
	}, map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(s.Token+":x"))})
	if err != nil {
		return err
	}
	return readSpeedSMS(s.client, a)
}

func readSpeedSMS(c *client, a answer) *Error {
	var said struct {
		Status json.RawMessage `json:"status"` // "success" or "error"; a number where requests came too fast
		Code   codeText        `json:"code"`
		Data   struct {
			Invalid []json.RawMessage `json:"invalidPhone"`
		} `json:"data"`
	}
	bad := json.Unmarshal(a.body, &said)
	ok := string(said.Status) == `"success"`
	switch v, known := speedsmsAnswers[string(said.Code)]; {
	case a.status != 200 && !(bad == nil && known):
		return cmp.Or(c.byStatus(a), c.garbled())
	case bad != nil:
		return c.garbled()
	case ok && len(said.Data.Invalid) > 0:
		return speedsmsAnswers["105"].as("105")
	case ok:
		return nil
	case known:
		return v.as(string(said.Code))
	case string(said.Status) == "429": // 60 requests a minute
		return &Error{Class: RetryLater, Answer: "429", Text: "too many requests within a minute"}
	case said.Code == "":
		return c.garbled()
	}
	return &Error{Class: RetryLater, Answer: string(said.Code), Text: "an answer of SpeedSMS's that is not documented", Mend: "look it up at speedsms.vn/sms-api-service"}
}
