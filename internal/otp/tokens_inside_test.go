package otp

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hien-wifi/hien"
)

func TestARenewalIsNotCutShortWhenTheGuestLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "zbs.token")
		if err := os.WriteFile(file, []byte("one"), 0o600); err != nil {
			t.Fatal(err)
		}
		release, asked := make(chan struct{}), 0
		tk := &tokens{file: file, ask: func(ctx context.Context, refresh string) (pair, *Error) {
			asked++
			select {
			case <-release:
			case <-ctx.Done():
				t.Errorf("the renewal was cut short: %v", ctx.Err())
			}
			return pair{Access: "a-" + refresh, Refresh: "two"}, nil
		}}
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan *Error)
		go func() {
			_, err := tk.get(ctx, hien.Moment{})
			left <- err
		}()
		synctest.Wait()
		leave()
		if err := <-left; err == nil || err.Class != RetryLater {
			t.Errorf("who left: %v; want retry_later", err)
		}
		go func() {
			_, err := tk.get(t.Context(), hien.Moment{})
			left <- err
		}()
		synctest.Wait()
		close(release)
		if err := <-left; err != nil || asked != 1 {
			t.Errorf("who came meanwhile: %v, asked %d times; want the token of the one renewal", err, asked)
		}
		tk.running.Wait()
		if access, err := tk.get(t.Context(), hien.Moment{}); err != nil || access != "a-one" {
			t.Errorf("afterwards: %q, %v; want a-one", access, err)
		}
		if p, err := readPair(file); err != nil || p != (pair{"a-one", "two"}) {
			t.Errorf("in the file: %v, %v", p, err)
		}
	})
}

func TestARenewalThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "zbs.token")
		if err := os.WriteFile(file, []byte("one"), 0o600); err != nil {
			t.Fatal(err)
		}
		tk := &tokens{file: file, ask: func(ctx context.Context, _ string) (pair, *Error) {
			<-ctx.Done()
			return pair{}, &Error{Class: RetryLater, Text: "hangs"}
		}}
		begun := time.Now()
		if _, err := tk.get(t.Context(), hien.Moment{}); err == nil || err.Class != RetryLater {
			t.Errorf("got %v; want retry_later", err)
		}
		if took := time.Since(begun); took != renewTimeout {
			t.Errorf("it took %v; want %v", took, renewTimeout)
		}
	})
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"refresh", " refresh\n", `{"access_token":"a","refresh_token":"r"}`, `{"refresh_token":"r"}`, "{", "", "a b", "{}", "\x00", `{"refresh_token":"a b"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, ok := parseTokens(text)
		if !ok {
			return
		}
		if !goodToken(p.Refresh) || p.Access != "" && !goodToken(p.Access) {
			t.Fatalf("%q gave tokens that no header can carry: %q", text, p)
		}
		file := filepath.Join(t.TempDir(), "f")
		if err := writeTokens(file, p); err != nil {
			t.Fatal(err)
		}
		if again, err := readTokens(file); err != nil || again != p {
			t.Errorf("%q was written and read as %q, %v", p, again, err)
		}
	})
}

// FuzzAnswers gives each provider's reader what a stranger may answer in its
// place: there is a class, and nothing of the answer's words in the error.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		`{"error":0,"data":{"quota":{"remainingQuota":"7"}}}`, `{"error":-118,"message":"no 0987654321"}`, `{"access_token":"a","refresh_token":"b"}`,
		`{"CodeResult":"100"}`, `{"CodeResult":146}`, `{"status":"success","code":"00","data":{"invalidPhone":[]}}`, `{"status":429,"code":0}`,
		`{"result":"retry_later"}`, "", "null", "[]", "<html>", `{"error":{}}`, `{"code":"0987654321"}`,
	} {
		f.Add(200, []byte(s))
	}
	f.Add(503, []byte("x"))
	f.Add(301, []byte(""))
	c, err := newClient(Options{}, "https://codes.example", "")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a := answer{status, append([]byte(nil), body...)}
		_, zbs := readZBS(c, a)
		p, renewal := readRenewal(c, a)
		if renewal == nil && !p.good() {
			t.Errorf("%d %q: tokens %q are taken", status, body, p)
		}
		for name, err := range map[string]*Error{"zbs": zbs, "renewal": renewal, "esms": readESMS(c, a), "speedsms": readSpeedSMS(c, a), "webhook": readHook(c, a)} {
			if err == nil {
				if status < 200 || status > 299 {
					t.Errorf("%s took HTTP %d for a yes: %q", name, status, body)
				}
				continue
			}
			if err.Class != UserUnreachable && err.Class != RetryLater && err.Class != ConfigError {
				t.Errorf("%s: %d %q: class %q", name, status, body, err.Class)
			}
			if err.Class == ConfigError && err.Mend == "" {
				t.Errorf("%s: %d %q: the owner is not told what to do", name, status, body)
			}
			if len(err.Answer) > len("HTTP -9223372036854775808") || len(err.Error()) > 400 {
				t.Errorf("%s: %d %q: the error repeats it: %v", name, status, body, err)
			}
		}
	})
}
