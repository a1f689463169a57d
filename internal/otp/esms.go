package otp

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
)

// eSMS (ViHAT), as its developers' pages have it.
const (
	esmsURL  = "https://rest.esms.vn"
	esmsSend = "MainService.svc/json/SendMultipleMessage_V4_post_json/"

	esmsByBrandname = "2" // customer care under a registered name
	esmsByNumber    = "8" // from a fixed number, without a name
)

// esmsAnswers are the values of CodeResult. What is not here is tried again
// later.
var esmsAnswers = map[string]verdict{
	"99":  {UserUnreachable, "the number is blocked at eSMS", ""},
	"108": {UserUnreachable, "eSMS takes it for no number", ""},
	"177": {UserUnreachable, "the brandname is not registered with this number's network", "have it registered with every network"},

	"103": {RetryLater, "the balance is empty", "top up the account"},
	"120": {RetryLater, "too many numbers", ""},

	"101": {ConfigError, "the keys are not right", "look at api_key and secret_key"},
	"102": {ConfigError, "the account has no prices", "ask eSMS"},
	"104": {ConfigError, "the brandname is not known", "look at brandname: it must be registered"},
	"110": {ConfigError, "the request does not fit", "look at sms_type"},
	"140": {ConfigError, "eSMS takes nothing from this address", "have the shop's address permitted, or the check of addresses switched off"},
	"146": {ConfigError, "the wording is not the registered one", "put the wording that is registered for the brandname into text and text_en, letter for letter"},
	"300": {ConfigError, "the kind of message is missing", "look at sms_type"},
}

// esmsTwice says that this very request came before: then it is under way.
const esmsTwice = "124"

type esms struct {
	Options
	client *client
	words  words
}

func newESMS(o Options) (way, error) {
	o.SMSType = cmp.Or(o.SMSType, esmsByBrandname)
	switch {
	case o.APIKey == "" || o.SecretKey == "":
		return nil, errors.New("esms needs api_key and secret_key")
	case !slices.Contains([]string{esmsByBrandname, esmsByNumber}, o.SMSType):
		return nil, errors.New("sms_type: want 2, by brandname, or 8, from a fixed number")
	case o.SMSType == esmsByBrandname && o.Brandname == "":
		return nil, errors.New("esms needs a brandname, or sms_type 8")
	}
	w, err := newWords(o)
	if err != nil {
		return nil, err
	}
	c, err := newClient(o, o.URL, esmsURL)
	if err != nil {
		return nil, err
	}
	return &esms{o, c, w}, nil
}

// esmsMessage is the body of a request.
type esmsMessage struct {
	APIKey    string `json:"ApiKey"`
	SecretKey string
	Phone     string // 09…
	Content   string
	Brandname string `json:",omitempty"`
	SmsType   string
	IsUnicode string // "0": without Vietnamese signs
	RequestID string `json:"RequestId"` // a second one is refused
}

func (e *esms) send(ctx context.Context, m hien.Message) *Error {
	if !m.To.Vietnamese() {
		return &Error{Class: UserUnreachable, Text: "a number of another country"}
	}
	message := esmsMessage{APIKey: e.APIKey, SecretKey: e.SecretKey, Phone: "0" + strings.TrimPrefix(m.To.Reveal(), "+84"),
		Content: e.words.of(m), SmsType: e.SMSType, IsUnicode: "0", RequestID: "hien-" + rand.Text()}
	if e.SMSType == esmsByBrandname {
		message.Brandname = e.Brandname
	}
	a, err := e.client.postJSON(ctx, esmsSend, message, nil)
	if err != nil {
		return err
	}
	return readESMS(e.client, a)
}

func readESMS(c *client, a answer) *Error {
	var said struct {
		Result codeText `json:"CodeResult"`
	}
	bad := json.Unmarshal(a.body, &said)
	switch v, known := esmsAnswers[string(said.Result)]; {
	case bad == nil && known:
		return v.as(string(said.Result))
	case a.status != 200:
		return cmp.Or(c.byStatus(a), c.garbled())
	case bad != nil || said.Result == "":
		return c.garbled()
	case said.Result == "100" || said.Result == esmsTwice:
		return nil
	}
	return &Error{Class: RetryLater, Answer: string(said.Result), Text: "an answer of eSMS's that is not documented", Mend: "look it up at developers.esms.vn"}
}
