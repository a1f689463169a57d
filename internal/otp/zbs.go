package otp

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/hien-wifi/hien"
)

// Zalo's template messages (ZBS Template Message, until 2026 ZNS), sent to a
// telephone number, and the renewal of the official account's tokens.
const (
	zbsURL      = "https://business.openapi.zalo.me"
	zbsSend     = "message/template"
	zbsTokenURL = "https://oauth.zaloapp.com"
	zbsRenew    = "v4/oa/access_token"

	zbsTokenDead = "-124" // the access token is over, or was never one
)

// zbsAnswers are the error codes of template messages, as Zalo's documentation
// has them. What is not here is tried again later.
var zbsAnswers = map[string]verdict{
	// About this person.
	"-108": {UserUnreachable, "Zalo takes it for no number", ""},
	"-110": {UserUnreachable, "an old Zalo app", ""},
	"-114": {UserUnreachable, "the Zalo account is not active, or refuses", ""},
	"-118": {UserUnreachable, "no Zalo account", ""},
	"-119": {UserUnreachable, "the Zalo account cannot receive it", ""},
	"-139": {UserUnreachable, "the person refuses messages of this kind", ""},
	"-140": {UserUnreachable, "the Zalo account is not eligible", ""},
	"-141": {UserUnreachable, "the person refuses messages of this official account", ""},

	// Not now.
	"-100":  {RetryLater, "an unknown trouble at Zalo", ""},
	"-115":  {RetryLater, "the wallet is empty", "top up the wallet of the Zalo business account"},
	"-126":  {RetryLater, "the wallet for trials is empty", "top up the wallet, or have the template approved"},
	"-133":  {RetryLater, "Zalo sends none at night, from 22:00 to 6:00", ""},
	"-144":  {RetryLater, "the day's messages are used up", "Zalo grants more as the account's quality grows; put an SMS sender behind this one"},
	"-147":  {RetryLater, "the template's messages of the day are used up", "put an SMS sender behind this one"},
	"-1471": {RetryLater, "the template's messages are used up", "put an SMS sender behind this one"},
	"-1472": {RetryLater, "the template's messages are used up", "put an SMS sender behind this one"},

	// Until the owner has mended something.
	"-101":       {ConfigError, "the application is not known", "look at app_id"},
	"-102":       {ConfigError, "the application is not there", "look at app_id"},
	"-103":       {ConfigError, "the application is not active", "activate it at developers.zalo.me"},
	"-104":       {ConfigError, "the application's secret is not right", "look at app_secret"},
	"-105":       {ConfigError, "the application is not linked with the official account", "link them at developers.zalo.me"},
	"-109":       {ConfigError, "the template is not known", "look at template_id"},
	"-111":       {ConfigError, "the template does not fit", "look at template_id and template_param"},
	"-1121":      {ConfigError, "the template's data does not fit", "look at template_param"},
	"-1122":      {ConfigError, "the template's data lacks something", "look at template_param: the template may have the code alone in it"},
	"-117":       {ConfigError, "the official account may not use the template", "look at template_id"},
	"-120":       {ConfigError, "the official account may not send this", "look at its package and its rights"},
	zbsTokenDead: {ConfigError, "the access token is not taken, and was renewed", "see whether app_id is linked with the official account"},
	"-125":       {ConfigError, "the official account's id is not right", "look at the account's page"},
	"-131":       {ConfigError, "the template is not approved", "wait for Zalo's approval"},
	"-135":       {ConfigError, "the official account may not send template messages", "have it verified, and buy the package"},
	"-1351":      {ConfigError, "the official account is blocked from sending", "look at the account's page"},
	"-136":       {ConfigError, "the official account is linked with no business account", "link it with one (ZCA) at account.zalo.cloud"},
	"-137":       {ConfigError, "the business account cannot be charged", "look at it (ZCA) at account.zalo.cloud"},
	"-146":       {ConfigError, "the template is switched off", "look at the template's page"},
	"-1241":      {ConfigError, "the proof of the application's secret is not right", "look at app_secret"},
}

// zbs sends a template message. The code is all that goes into the template,
// so that its content is what Zalo has approved as authentication.
type zbs struct {
	Options
	client *client
	tokens *tokens
	quota  atomic.Int64 // messages left today; -1: not known
}

func newZBS(o Options) (way, error) {
	if o.AppID == "" || o.AppSecret == "" || o.Template == "" || o.TokenFile == "" {
		return nil, errors.New("zbs needs app_id, app_secret, template_id and token_file")
	}
	o.Parameter = cmp.Or(o.Parameter, "otp")
	send, err := newClient(o, o.URL, zbsURL)
	if err != nil {
		return nil, err
	}
	renew, err := newClient(o, o.TokenURL, zbsTokenURL)
	if err != nil {
		return nil, fmt.Errorf("token_%w", err)
	}
	z := &zbs{Options: o, client: send}
	z.quota.Store(-1)
	z.tokens = &tokens{file: o.TokenFile, ask: func(ctx context.Context, refresh string) (pair, *Error) { return z.renew(ctx, renew, refresh) }}
	return z, nil
}

// zbsMessage is the body of a request.
type zbsMessage struct {
	Phone        string            `json:"phone"` // 84…, without a plus
	TemplateID   string            `json:"template_id"`
	TemplateData map[string]string `json:"template_data"`
	TrackingID   string            `json:"tracking_id"` // at most 48 characters
	Mode         string            `json:"mode,omitempty"`
}

// zbsAnswer is Zalo's answer, which comes with HTTP 200 also when it is a no.
type zbsAnswer struct {
	Error codeText `json:"error"`
	Data  struct {
		Quota struct {
			Left codeText `json:"remainingQuota"`
		} `json:"quota"`
	} `json:"data"`
}

func (z *zbs) send(ctx context.Context, m hien.Message) *Error {
	if !m.To.Vietnamese() {
		return &Error{Class: UserUnreachable, Text: "a number of another country"}
	}
	message := zbsMessage{
		Phone:        strings.TrimPrefix(m.To.Reveal(), "+"),
		TemplateID:   z.Template,
		TemplateData: map[string]string{z.Parameter: m.Code.Reveal()},
		TrackingID:   "hien-" + rand.Text(),
	}
	if m.Language == "en" {
		message.TemplateID = cmp.Or(z.TemplateEN, z.Template)
	}
	if z.Trial {
		message.Mode = "development"
	}
	access, err := z.tokens.get(ctx, m.At)
	if err != nil {
		return err
	}
	if err = z.post(ctx, access, message); err == nil || err.Answer != zbsTokenDead {
		return err
	}
	if access, err = z.tokens.renew(ctx, access, m.At); err != nil {
		return err
	}
	return z.post(ctx, access, message)
}

func (z *zbs) post(ctx context.Context, access string, message zbsMessage) *Error {
	a, err := z.client.postJSON(ctx, zbsSend, message, map[string]string{"access_token": access})
	if err != nil {
		return err
	}
	said, err := readZBS(z.client, a)
	if n, bad := strconv.Atoi(string(said.Data.Quota.Left)); bad == nil && n >= 0 {
		z.quota.Store(int64(n))
	}
	return err
}

func readZBS(c *client, a answer) (said zbsAnswer, _ *Error) {
	bad := json.Unmarshal(a.body, &said)
	switch v, known := zbsAnswers[string(said.Error)]; {
	case bad == nil && known:
		return said, v.as(string(said.Error))
	case a.status != 200:
		return said, cmp.Or(c.byStatus(a), c.garbled())
	case bad != nil || said.Error == "":
		return said, c.garbled()
	case said.Error == "0":
		return said, nil
	}
	return said, &Error{Class: RetryLater, Answer: string(said.Error), Text: "an answer of Zalo's that is not documented", Mend: "look it up at developers.zalo.me"}
}

// renew asks Zalo for new tokens. The refresh token is good once.
func (z *zbs) renew(ctx context.Context, c *client, refresh string) (pair, *Error) {
	body := url.Values{"refresh_token": {refresh}, "app_id": {z.AppID}, "grant_type": {"refresh_token"}}
	a, err := c.post(ctx, zbsRenew, "application/x-www-form-urlencoded", []byte(body.Encode()), map[string]string{"secret_key": z.AppSecret})
	if err != nil {
		return pair{}, err
	}
	return readRenewal(c, a)
}

func readRenewal(c *client, a answer) (pair, *Error) {
	var said struct {
		pair
		Error codeText `json:"error"`
	}
	bad := json.Unmarshal(a.body, &said)
	switch {
	case bad == nil && a.status == 200 && said.good():
		return said.pair, nil
	case bad == nil && said.Error != "" && said.Error != "0":
		return pair{}, &Error{Class: ConfigError, Answer: string(said.Error), Text: "Zalo does not renew the token",
			Mend: "let the official account permit the application anew, and put its refresh token into token_file; one that another router or program has used is good no more"}
	case a.status != 200:
		return pair{}, cmp.Or(c.byStatus(a), c.garbled())
	}
	return pair{}, c.garbled()
}
