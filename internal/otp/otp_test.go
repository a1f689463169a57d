package otp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/otp"
	"github.com/hien-wifi/hien/internal/world"
)

// now is a moment of the tests.
var now = hien.Moment{Wall: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), Boot: "boot-a", Up: time.Hour, InStep: true}

const (
	number = "0987654321"
	code   = "042137"
)

func message(t testing.TB, to, language string) hien.Message {
	t.Helper()
	p, err := hien.ParsePhone(to)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := hien.ParseCode(code)
	return hien.Message{To: p, Code: c, Language: language, At: now, Guest: hien.GuestID{Zone: "guest", MAC: hien.MAC{0x02, 0xf0, 0x01, 0x5a, 0x10, 0x01}}}
}

// serve serves a stand-in on this machine.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// A journal is a log that many may write. What it must not hold is looked for
// when the test ends.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// lines are those of a level, without their time.
func (j *journal) lines(level string) (found []string) {
	for line := range strings.Lines(j.String()) {
		if _, rest, ok := strings.Cut(strings.TrimSpace(line), "level="+level+" "); ok {
			found = append(found, rest)
		}
	}
	return found
}

// secrets are what no log and no error may hold: numbers in each way of writing
// them, and the keys of the stand-ins' accounts.
func secrets() []string {
	return []string{"987654321", "987 654 321", code, "zalo-app-secret", "access-", "refresh-", "ESMS-API-KEY", "ESMS-SECRET", "speedsms-token", "whsec_", "5a:10:01"}
}

func wantQuiet(t testing.TB, where, text string) {
	t.Helper()
	for _, s := range secrets() {
		if strings.Contains(text, s) {
			t.Errorf("%s has %q in it:\n%s", where, s, text)
		}
	}
}

func newChain(t testing.TB, senders ...otp.Options) (*otp.Chain, *journal) {
	t.Helper()
	j := new(journal)
	c, err := otp.New(senders, slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); wantQuiet(t, "the log", j.String()) })
	return c, j
}

// send sends a code and answers the class of what became of it.
func send(t testing.TB, c *otp.Chain, m hien.Message) (hien.Proof, otp.Class) {
	t.Helper()
	by, err := c.Send(t.Context(), m)
	if err == nil {
		return by, otp.OK
	}
	wantQuiet(t, "the error", err.Error())
	if by != "" {
		t.Errorf("with the error %v a proof: %q", err, by)
	}
	var e *otp.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v; want an *otp.Error", err)
	}
	return "", e.Class
}

// The four stand-ins with a sender for each.

func zbsSender(t testing.TB, z *world.ZBS) otp.Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "zbs.token")
	if err := os.WriteFile(file, []byte(z.RefreshToken()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := serve(t, z)
	return otp.Options{Name: "zalo", Type: "zbs", URL: url, TokenURL: url, TokenFile: file,
		AppID: z.AppID, AppSecret: z.AppSecret, Template: "310001", TemplateEN: "310002"}
}

func esmsSender(t testing.TB, e *world.ESMS) otp.Options {
	return otp.Options{Name: "sms", Type: "esms", URL: serve(t, e), APIKey: e.APIKey, SecretKey: e.SecretKey, Brandname: e.Brandname, Shop: "Quán Hiên"}
}

func speedsmsSender(t testing.TB, s *world.SpeedSMS) otp.Options {
	return otp.Options{Name: "speed", Type: "speedsms", URL: serve(t, s), Token: s.Token, Shop: "Quán Hiên"}
}

func hookSender(t testing.TB, s *world.CodeService) otp.Options {
	return otp.Options{Name: "brand", Type: "webhook", URL: serve(t, s) + "/codes", Secret: s.Secret, Store: "hcm-q1-01"}
}

func TestACodeGoesByEachProvider(t *testing.T) {
	zbs, esms, speed, hook := world.NewZBS(), world.NewESMS(), world.NewSpeedSMS(), world.NewCodeService()
	hook.Now = func() time.Time { return now.Wall.Add(4 * time.Minute) }
	for _, c := range []struct {
		sender   otp.Options
		messages func() []world.CodeMessage
		vi, en   world.CodeMessage
	}{
		{zbsSender(t, zbs), zbs.Messages,
			world.CodeMessage{To: "84987654321", Text: "otp=042137", Template: "310001"}, world.CodeMessage{To: "84987654321", Text: "otp=042137", Template: "310002"}},
		{esmsSender(t, esms), esms.Messages,
			world.CodeMessage{To: "0987654321", Sender: "QuanHien", Text: "042137 la ma xac minh WiFi cua Quan Hien. Ma co hieu luc 5 phut. Khong dua ma nay cho ai."},
			world.CodeMessage{To: "0987654321", Sender: "QuanHien", Text: "042137 is your WiFi code at Quan Hien. It is valid for 5 minutes. Do not share it."}},
		{speedsmsSender(t, speed), speed.Messages,
			world.CodeMessage{To: "84987654321", Text: "042137 la ma xac minh WiFi cua Quan Hien. Ma co hieu luc 5 phut. Khong dua ma nay cho ai."},
			world.CodeMessage{To: "84987654321", Text: "042137 is your WiFi code at Quan Hien. It is valid for 5 minutes. Do not share it."}},
		{hookSender(t, hook), hook.Messages,
			world.CodeMessage{To: "+84987654321", Text: "042137", Sender: "hcm-q1-01", Language: "vi"}, world.CodeMessage{To: "+84987654321", Text: "042137", Sender: "hcm-q1-01", Language: "en"}},
	} {
		t.Run(c.sender.Type, func(t *testing.T) {
			chain, j := newChain(t, c.sender)
			for _, language := range []string{"vi", "en"} {
				if by, class := send(t, chain, message(t, number, language)); class != otp.OK || by != hien.Proof(c.sender.Type) {
					t.Errorf("%s: %s by %q; want ok by %s\n%s", language, class, by, c.sender.Type, j)
				}
			}
			got := c.messages()
			ids := map[string]bool{}
			for i := range got {
				ids[got[i].ID] = true
				got[i].ID = ""
			}
			if want := []world.CodeMessage{c.vi, c.en}; !slices.Equal(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
			if len(ids) != 2 && c.sender.Type != "speedsms" { // which has none
				t.Errorf("the messages' ids: %v; want two", ids)
			}
			if s := chain.State()[0]; s.Name != c.sender.Name || s.Type != c.sender.Type || s.Class != otp.OK || s.Detail != "" {
				t.Errorf("state = %+v; want ok", s)
			}
		})
	}
}

func TestANumberOfAnotherCountryGoesToTheBrandsServiceAlone(t *testing.T) {
	zbs, esms, speed, hook := world.NewZBS(), world.NewESMS(), world.NewSpeedSMS(), world.NewCodeService()
	chain, _ := newChain(t, zbsSender(t, zbs), esmsSender(t, esms), speedsmsSender(t, speed), hookSender(t, hook))
	if by, class := send(t, chain, message(t, "+447700900123", "en")); by != "webhook" {
		t.Errorf("%s by %q; want by webhook", class, by)
	}
	if n := zbs.Requests() + esms.Requests() + speed.Requests(); n != 0 {
		t.Errorf("the providers of Vietnam were asked %d times; want that the number is not shown to them", n)
	}
}

func TestTheLogSenderWritesTheCodeAndNoNumber(t *testing.T) {
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			chain, err := otp.New([]otp.Options{{Name: "code", Type: "log"}}, slog.New(handler(&out)))
			if err != nil {
				t.Fatal(err)
			}
			if by, err := chain.Send(t.Context(), message(t, number, "vi")); err != nil || by != "log" {
				t.Fatalf("by %q, %v; want by log", by, err)
			}
			for _, want := range []string{"INFO", "code", code, "guest", "02:f0:01:··:··:··"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("want %q in\n%s", want, out.String())
				}
			}
			for _, secret := range []string{"987654321", "987 654 321", "5a:10:01", "5a1001"} {
				if strings.Contains(out.String(), secret) {
					t.Errorf("%q is in\n%s", secret, out.String())
				}
			}
		})
	}
}

func TestTheLineOfTheLogSenderIsFixed(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	one, _ := hien.ParseCode("000001")
	if _, err := (otp.Log{Log: log}).Send(t.Context(), hien.Message{Code: one, Guest: hien.GuestID{MAC: hien.MAC{2}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "level=INFO msg=code guest=02:00:00:··:··:·· code=000001\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestASenderThatLacksSomethingIsNotMade(t *testing.T) {
	whole := otp.Options{Name: "s", AppID: "1", AppSecret: "s", Template: "2", TokenFile: "/etc/hien/t", APIKey: "k", SecretKey: "s", Brandname: "B",
		Token: "t", URL: "https://codes.example", Secret: world.NewCodeService().Secret}
	for name, c := range map[string]struct {
		change func(o *otp.Options)
		want   string
	}{
		"a type that there is not":    {func(o *otp.Options) { o.Type = "pigeon" }, `unknown type "pigeon": want esms or log or speedsms or webhook or zbs`},
		"zbs without its app":         {func(o *otp.Options) { o.Type, o.AppID = "zbs", "" }, "zbs needs app_id"},
		"zbs without its secret":      {func(o *otp.Options) { o.Type, o.AppSecret = "zbs", "" }, "app_secret"},
		"zbs without a template":      {func(o *otp.Options) { o.Type, o.Template = "zbs", "" }, "template_id"},
		"zbs without a token's file":  {func(o *otp.Options) { o.Type, o.TokenFile = "zbs", "" }, "token_file"},
		"esms without a key":          {func(o *otp.Options) { o.Type, o.APIKey = "esms", "" }, "api_key"},
		"esms without a secret":       {func(o *otp.Options) { o.Type, o.SecretKey = "esms", "" }, "secret_key"},
		"esms without a brandname":    {func(o *otp.Options) { o.Type, o.Brandname = "esms", "" }, "brandname"},
		"esms with an ad's type":      {func(o *otp.Options) { o.Type, o.SMSType = "esms", "1" }, "sms_type"},
		"speedsms without a token":    {func(o *otp.Options) { o.Type, o.Token = "speedsms", "" }, "token"},
		"speedsms with another type":  {func(o *otp.Options) { o.Type, o.SMSType = "speedsms", "1" }, "sms_type"},
		"speedsms by no brandname":    {func(o *otp.Options) { o.Type, o.SMSType, o.Brandname = "speedsms", "3", "" }, "brandname"},
		"webhook without an address":  {func(o *otp.Options) { o.Type, o.URL = "webhook", "" }, "url"},
		"webhook in the clear":        {func(o *otp.Options) { o.Type, o.URL = "webhook", "http://codes.example" }, "https"},
		"webhook with a password":     {func(o *otp.Options) { o.Type, o.URL = "webhook", "https://a:b@codes.example" }, "user"},
		"webhook without a secret":    {func(o *otp.Options) { o.Type, o.Secret = "webhook", "" }, "whsec_"},
		"webhook with a short secret": {func(o *otp.Options) { o.Type, o.Secret = "webhook", "whsec_c2hvcnQ=" }, "24"},
		"certificates that are none":  {func(o *otp.Options) { o.Type, o.CAFile = "webhook", "otp_test.go" }, "no certificate"},
		"certificates not there":      {func(o *otp.Options) { o.Type, o.CAFile = "webhook", "/nowhere" }, "ca_file"},
		"a message that advertises":   {func(o *otp.Options) { o.Type, o.Text = "esms", "{code} giam gia" }, "R-MKT-5"},
		"another that does":           {func(o *otp.Options) { o.Type, o.TextEN = "speedsms", "{code} big sale" }, "text_en"},
	} {
		t.Run(name, func(t *testing.T) {
			o := whole
			c.change(&o)
			_, err := otp.New([]otp.Options{o}, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "sender s: ") {
				t.Errorf("got %v; want an error about sender s with %q", err, c.want)
			}
		})
	}
	for _, kind := range otp.Types() {
		o := whole
		o.Type = kind
		if _, err := otp.New([]otp.Options{o}, slog.New(slog.DiscardHandler)); err != nil {
			t.Errorf("a whole %s: %v", kind, err)
		}
	}
	if _, err := otp.New(nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a chain of no sender was made")
	}
}

func TestOptionsDoNotPrintTheirSecrets(t *testing.T) {
	o := otp.Options{Name: "n", Type: "t", AppSecret: "s3cret", APIKey: "s3cret", SecretKey: "s3cret", Token: "s3cret", Secret: "s3cret"}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "o", o)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "o", o, "many", []otp.Options{o})
	fmt.Fprintf(&out, "%v %+v %#v %s %q %v", o, o, o, o, o, []*otp.Options{&o})
	if strings.Contains(out.String(), "s3cret") || !strings.Contains(out.String(), "[sender t n]") {
		t.Errorf("got %s", out.String())
	}
}

// teeBody reads a request's body into a second place.
func teeBody(r *http.Request, to io.Writer) io.Reader { return io.TeeReader(r.Body, to) }

// withBody is the request with another body.
func withBody(r *http.Request, body string) *http.Request {
	r.Body = io.NopCloser(strings.NewReader(body))
	return r
}
