package otp_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/otp"
	"github.com/hien-wifi/hien/internal/world"
)

func TestTheNextSenderIsTriedWhateverTheFirstOneSays(t *testing.T) {
	for _, first := range []struct{ answer, class string }{{"-118", "user_unreachable"}, {"-144", "retry_later"}, {"-131", "config_error"}} {
		t.Run(first.class, func(t *testing.T) {
			z, e, s := world.NewZBS(), world.NewESMS(), world.NewSpeedSMS()
			chain, _ := newChain(t, zbsSender(t, z), esmsSender(t, e), speedsmsSender(t, s))
			if by, _ := send(t, chain, message(t, number, "vi")); by != "zbs" || e.Requests()+s.Requests() != 0 {
				t.Errorf("by %q; want by the first alone", by)
			}
			z.Refuse("84987654321", first.answer)
			if by, _ := send(t, chain, message(t, number, "vi")); by != "esms" || s.Requests() != 0 {
				t.Errorf("by %q; want by the second", by)
			}
			e.Refuse("0987654321", "108")
			if by, _ := send(t, chain, message(t, number, "vi")); by != "speedsms" {
				t.Errorf("by %q; want by the third", by)
			}
			s.Refuse("84987654321", "105")
			_, err := chain.Send(t.Context(), message(t, number, "vi"))
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v; want an error of one line", err)
			}
			for _, name := range []string{"sender zalo: ", "sender sms: ", "sender speed: "} {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%v does not speak of %q", err, name)
				}
			}
			var e1 *otp.Error
			if !errors.As(err, &e1) || string(e1.Class) != first.class || e1.Answer != first.answer || e1.Sender != "zalo" {
				t.Errorf("the first error is %+v; want %s of zalo", e1, first.class)
			}
			wantQuiet(t, "the error", err.Error())
		})
	}
}

// TestTheOwnerIsToldOnce follows a sender through trouble and out of it.
func TestTheOwnerIsToldOnce(t *testing.T) {
	e := world.NewESMS()
	chain, j := newChain(t, esmsSender(t, e))
	m := message(t, number, "vi")
	times := func(n int, answer string) {
		t.Helper()
		e.Refuse("0987654321", answer)
		for range n {
			send(t, chain, m)
		}
	}
	want := func(what string, errs, warns, infos int) {
		t.Helper()
		if a, b, c := len(j.lines("ERROR")), len(j.lines("WARN")), len(j.lines("INFO")); a != errs || b != warns || c != infos {
			t.Errorf("%s: %d errors, %d warnings, %d infos; want %d, %d, %d\n%s", what, a, b, c, errs, warns, infos, j)
		}
	}
	times(5, "146")
	want("the wording is not registered, five times", 1, 0, 0)
	times(5, "101")
	want("then the keys are wrong too", 2, 0, 0)
	times(5, "146")
	want("then the wording again", 2, 0, 0)
	times(5, "108")
	want("a number that is none is nobody's trouble", 2, 0, 0)
	if s := chain.State()[0]; s.Class != otp.ConfigError || !strings.Contains(s.Detail, "146") || !strings.Contains(s.Detail, "text") {
		t.Errorf("state = %+v; want the wording's trouble and what to do", s)
	}
	times(1, "")
	want("it works again", 2, 0, 1)
	times(3, "")
	want("and goes on", 2, 0, 1)
	times(2, "146")
	want("and fails again", 3, 0, 1)
	for range 3 {
		e.Next(world.StatusAnswer(503, ""))
		send(t, chain, m)
	}
	want("and does not answer", 3, 1, 1)
}

func TestAProviderCannotFillTheLog(t *testing.T) {
	e := world.NewESMS()
	chain, j := newChain(t, esmsSender(t, e))
	for i := range 60 {
		e.Refuse("0987654321", string(rune('2'+i/10))+string(rune('0'+i%10))+"77")
		send(t, chain, message(t, number, "vi"))
	}
	if n := len(j.lines("ERROR")); n > 17 {
		t.Errorf("%d lines; want no more than 16 before it works again, and one", n)
	}
}

// hangs is a provider that never answers.
type hangs struct{ asked *int }

func (h hangs) RoundTrip(r *http.Request) (*http.Response, error) {
	*h.asked++
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestAGuestDoesNotWaitLongForProvidersThatHang(t *testing.T) {
	esms := func(name string, asked *int) otp.Options {
		return otp.Options{Name: name, Type: "esms", URL: "https://" + name + ".example", APIKey: "k", SecretKey: "s", Brandname: "B", Transport: hangs{asked}}
	}
	for _, c := range []struct {
		hanging int
		last    bool // one that works comes behind
		took    time.Duration
		asked   int
	}{
		{1, true, 3500 * time.Millisecond, 1},
		{1, false, 3500 * time.Millisecond, 1},
		{2, true, 7 * time.Second, 2},
		{3, false, 8 * time.Second, 3},
		{4, false, 8 * time.Second, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			var senders []otp.Options
			for i := range c.hanging {
				senders = append(senders, esms(string(rune('a'+i)), &asked))
			}
			if c.last {
				senders = append(senders, otp.Options{Name: "code", Type: "log"})
			}
			chain, err := otp.New(senders, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			_, err = chain.Send(t.Context(), message(t, number, "vi"))
			if took := time.Since(begun); took != c.took || (err == nil) != c.last || asked != c.asked {
				t.Errorf("%d that hang: %v after %v, %d asked; want %v and %d", c.hanging, err, took, asked, c.took, c.asked)
			}
			if err != nil && !strings.Contains(err.Error(), "did not answer in time") {
				t.Errorf("got %v; want that it did not answer in time", err)
			}
		})
	}
}

func TestACodeGoesOutWhenThePhoneHasClosedThePage(t *testing.T) {
	e := world.NewESMS()
	chain, _ := newChain(t, esmsSender(t, e))
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if by, err := chain.Send(ctx, message(t, number, "vi")); by != "esms" {
		t.Errorf("by %q, %v; want by esms", by, err)
	}
}

func TestProvidersAreHeldToTheirCertificates(t *testing.T) {
	hook := world.NewCodeService()
	var agent string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		hook.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer server.Close()
	o := otp.Options{Name: "brand", Type: "webhook", URL: server.URL, Secret: hook.Secret}
	chain, j := newChain(t, o)
	if _, class := send(t, chain, message(t, number, "vi")); class != otp.ConfigError || hook.Requests() != 0 || !strings.Contains(strings.Join(j.lines("ERROR"), ""), "ca_file") {
		t.Errorf("a certificate that nobody vouches for: %s, %d requests; want config_error, and what to do\n%s", class, hook.Requests(), j)
	}
	o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(o.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	chain, _ = newChain(t, o)
	if by, class := send(t, chain, message(t, number, "vi")); by != "webhook" {
		t.Errorf("with ca_file: %s; want ok", class)
	}
	if agent != "hien/"+hien.Version {
		t.Errorf("it calls itself %q", agent)
	}
	o.URL = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	chain, _ = newChain(t, o)
	if _, class := send(t, chain, message(t, number, "vi")); class != otp.ConfigError {
		t.Errorf("another name's certificate: %s; want config_error", class)
	}
}

func TestACodeIsNotCarriedOnToAnotherAddress(t *testing.T) {
	elsewhere := 0
	other := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	for _, status := range []int{301, 302, 303, 307, 308} {
		o := otp.Options{Name: "brand", Type: "webhook", Secret: world.NewCodeService().Secret,
			URL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, status) }))}
		chain, _ := newChain(t, o)
		if _, class := send(t, chain, message(t, number, "vi")); class != otp.ConfigError {
			t.Errorf("HTTP %d: %s; want config_error", status, class)
		}
	}
	if elsewhere != 0 {
		t.Errorf("the other address was asked %d times", elsewhere)
	}
}

func TestAProviderThatCannotBeReachedIsTriedLater(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	chain, _ := newChain(t, otp.Options{Name: "brand", Type: "webhook", Secret: world.NewCodeService().Secret, URL: server.URL})
	if _, class := send(t, chain, message(t, number, "vi")); class != otp.RetryLater {
		t.Errorf("%s; want retry_later", class)
	}
}

func TestTheServiceKnowsTheRouterByItsSignature(t *testing.T) {
	hook := world.NewCodeService()
	o := hookSender(t, hook)
	o.Secret = "whsec_" + strings.Repeat("QUFB", 10)
	chain, _ := newChain(t, o)
	if _, class := send(t, chain, message(t, number, "vi")); class != otp.ConfigError || len(hook.Messages()) != 0 {
		t.Errorf("another secret: %s; want config_error and no code", class)
	}
	hook.Now = func() time.Time { return now.Wall.Add(6 * time.Minute) }
	chain, _ = newChain(t, hookSender(t, hook))
	if _, class := send(t, chain, message(t, number, "vi")); class != otp.ConfigError {
		t.Errorf("an hour that is not the service's: %s; want config_error", class)
	}
}

// TestTheSignatureIsThatOfStandardWebhooks is the example of Svix's
// documentation, which Standard Webhooks began with.
func TestTheSignatureIsThatOfStandardWebhooks(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := otp.SignHook(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}
