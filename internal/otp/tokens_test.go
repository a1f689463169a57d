package otp_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/otp"
	"github.com/hien-wifi/hien/internal/world"
)

// inFile is what a token file holds.
func inFile(t testing.TB, file string) (access, refresh string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatalf("%s holds %q: %v", file, text, err)
	}
	return p.Access, p.Refresh
}

// written holds, for every message that is asked for, that the token it comes
// with is in the file by then, with the one that renews it.
func written(t testing.TB, z *world.ZBS, file string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/message/template" {
			// One that is over may still be on its way when the next is written.
			if used := r.Header.Get("access_token"); used == z.AccessToken() {
				if access, refresh := inFile(t, file); used != access || refresh != z.RefreshToken() {
					t.Errorf("a token is used that is not in the file, with the one that renews it")
				}
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the token file: %v, %v; want mode 0600", info.Mode(), err)
			}
		}
		z.ServeHTTP(w, r)
	})
}

func TestTokensAreWrittenBeforeTheyAreUsed(t *testing.T) {
	z := world.NewZBS()
	o := zbsSender(t, z)
	o.URL = serve(t, written(t, z, o.TokenFile))
	chain, j := newChain(t, o)
	for i := range 3 {
		if by, class := send(t, chain, message(t, number, "vi")); by != "zbs" {
			t.Fatalf("%s; want ok\n%s", class, j)
		}
		if got := z.Renewals(); got != i+1 {
			t.Errorf("%d renewals; want %d: one when the file has no token for requests yet, and one whenever Zalo says that it is over", got, i+1)
		}
		z.Expire()
	}
	if n := len(z.Messages()); n != 3 {
		t.Errorf("%d messages; want 3", n)
	}
	if left, err := filepath.Glob(filepath.Dir(o.TokenFile) + "/*"); err != nil || len(left) != 1 {
		t.Errorf("in the directory of the token file: %v, %v; want it alone", left, err)
	}
	if len(j.lines("ERROR"))+len(j.lines("WARN")) != 0 {
		t.Errorf("a token that is over is nobody's trouble:\n%s", j)
	}
	again, _ := newChain(t, o) // the daemon is started again
	z.Expire()
	if by, _ := send(t, again, message(t, number, "vi")); by != "zbs" || z.Renewals() != 4 {
		t.Errorf("started again: by %q, %d renewals; want by zbs and 4", by, z.Renewals())
	}
	third, _ := newChain(t, o)
	if by, _ := send(t, third, message(t, number, "vi")); by != "zbs" || z.Renewals() != 4 {
		t.Errorf("started again with a good token in the file: by %q, %d renewals; want by zbs and 4", by, z.Renewals())
	}
}

func TestManyGuestsRenewATokenOnce(t *testing.T) {
	z := world.NewZBS()
	o := zbsSender(t, z)
	o.URL = serve(t, written(t, z, o.TokenFile))
	chain, _ := newChain(t, o)
	for round := 1; round <= 3; round++ {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if by, class := send(t, chain, message(t, number, "vi")); by != "zbs" {
					t.Errorf("round %d: %s; want ok", round, class)
				}
			})
		}
		all.Wait()
		if z.Renewals() != round || z.RefreshToken() == "" {
			t.Fatalf("round %d: %d renewals, locked out %v; want one in each round", round, z.Renewals(), z.RefreshToken() == "")
		}
		z.Expire()
	}
}

// TestTwoOfOneRouterDoNotLockEachOtherOut is a configuration that is read again
// while codes go out: for a moment there are two of everything.
func TestTwoOfOneRouterDoNotLockEachOtherOut(t *testing.T) {
	z := world.NewZBS()
	o := zbsSender(t, z)
	old, _ := newChain(t, o)
	young, _ := newChain(t, o)
	for range 5 {
		var all sync.WaitGroup
		for _, c := range []*otp.Chain{old, young} {
			for range 5 {
				all.Go(func() {
					if _, class := send(t, c, message(t, number, "vi")); class != otp.OK && class != otp.RetryLater {
						t.Errorf("%s; want ok, or to try again later", class)
					}
				})
			}
		}
		all.Wait()
		for _, c := range []*otp.Chain{old, young} {
			if _, class := send(t, c, message(t, number, "vi")); class != otp.OK {
				t.Errorf("afterwards: %s; want ok", class)
			}
		}
		if z.RefreshToken() == "" {
			t.Fatal("the account is locked out")
		}
		z.Expire()
	}
	if z.Renewals() != 5 {
		t.Errorf("%d renewals; want 5", z.Renewals())
	}
}

func TestATokenThatIsRefusedTwiceIsTheOwnersTrouble(t *testing.T) {
	z := world.NewZBS()
	chain, j := newChain(t, zbsSender(t, z))
	send(t, chain, message(t, number, "vi"))
	for range 2 {
		z.Next(world.StatusAnswer(200, `{"error":-124,"message":"Access token is invalid"}`))
	}
	if _, class := send(t, chain, message(t, number, "vi")); class != otp.ConfigError {
		t.Errorf("%s; want config_error", class)
	}
	if z.Renewals() != 2 || z.Requests() != 3 || len(j.lines("ERROR")) != 1 {
		t.Errorf("%d renewals, %d requests; want that it was renewed once and asked once more\n%s", z.Renewals(), z.Requests(), j)
	}
}

func TestARefreshTokenThatIsGoodNoMoreIsNotTriedForEachGuest(t *testing.T) {
	z := world.NewZBS()
	o := zbsSender(t, z)
	renewals := 0
	o.TokenURL = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		renewals++
		z.ServeHTTP(w, r)
	}))
	if err := os.WriteFile(o.TokenFile, []byte("refresh-of-another-router"), 0o600); err != nil {
		t.Fatal(err)
	}
	chain, j := newChain(t, o)
	m := message(t, number, "vi")
	for range 5 {
		if _, class := send(t, chain, m); class != otp.ConfigError {
			t.Errorf("%s; want config_error", class)
		}
		m.At.Up += time.Minute
	}
	if renewals != 1 || len(j.lines("ERROR")) != 1 {
		t.Errorf("%d renewals were tried, the owner was told %d times; want 1 and 1", renewals, len(j.lines("ERROR")))
	}
	m.At.Up += 10 * time.Minute
	if send(t, chain, m); renewals != 2 {
		t.Errorf("%d renewals were tried ten minutes later; want 2", renewals)
	}
	// The owner puts a good one there, in the way it came.
	if err := os.WriteFile(o.TokenFile, []byte(" "+z.RefreshToken()+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if by, class := send(t, chain, m); by != "zbs" || len(j.lines("INFO")) != 1 {
		t.Errorf("with a good token: %s; want ok, and the log told\n%s", class, j)
	}
	if s := chain.State()[0]; s.Class != otp.OK || s.Detail != "" {
		t.Errorf("state = %+v; want ok", s)
	}
}

func TestTokensThatCannotBeWrittenAreNotUsed(t *testing.T) {
	z := world.NewZBS()
	o := zbsSender(t, z)
	o.URL = serve(t, written(t, z, o.TokenFile))
	if err := os.Mkdir(o.TokenFile+".new", 0o700); err != nil { // in the way of the new file
		t.Fatal(err)
	}
	chain, j := newChain(t, o)
	for range 3 {
		if _, class := send(t, chain, message(t, number, "vi")); class != otp.ConfigError {
			t.Errorf("%s; want config_error", class)
		}
	}
	if z.Requests() != 0 || z.Renewals() != 1 || len(j.lines("ERROR")) != 1 {
		t.Errorf("%d messages asked for, %d renewals; want none and one\n%s", z.Requests(), z.Renewals(), j)
	}
	if err := os.Remove(o.TokenFile + ".new"); err != nil {
		t.Fatal(err)
	}
	if by, class := send(t, chain, message(t, number, "vi")); by != "zbs" || z.Renewals() != 1 {
		t.Errorf("%s, %d renewals; want that what Zalo gave was kept and is used", class, z.Renewals())
	}
}

func TestAPowerCutInTheMiddleOfWritingLeavesAGoodToken(t *testing.T) {
	for name, left := range map[string]struct {
		text func(z *world.ZBS) string // in the file that was to take the place
		good bool                      // whether it is what counts
	}{
		"written and not put in its place": {func(z *world.ZBS) string {
			return `{"access_token":"` + z.AccessToken() + `","refresh_token":"` + z.RefreshToken() + `"}`
		}, true},
		"half of it":     {func(z *world.ZBS) string { return `{"access_token":"` + z.AccessToken() + `","refre` }, false},
		"nothing of it":  {func(*world.ZBS) string { return "" }, false},
		"blank in place": {func(*world.ZBS) string { return strings.Repeat("\x00", 100) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			z := world.NewZBS()
			o := zbsSender(t, z)
			if left.good { // the old one was used up before the cut
				if err := os.WriteFile(o.TokenFile, []byte("refresh-that-was-used"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(o.TokenFile+".new", []byte(left.text(z)), 0o600); err != nil {
				t.Fatal(err)
			}
			chain, _ := newChain(t, o)
			if by, class := send(t, chain, message(t, number, "vi")); by != "zbs" {
				t.Errorf("%s; want ok", class)
			}
			z.Expire()
			if by, class := send(t, chain, message(t, number, "vi")); by != "zbs" {
				t.Errorf("the next renewal: %s; want ok", class)
			}
		})
	}
}

func TestWithoutAUsableTokenFileTheOwnerIsToldWhatToDo(t *testing.T) {
	for name, text := range map[string]string{"none": "", "of two words": "one two", "of other JSON": `{"token":"x"}`, "too long": strings.Repeat("x", 20<<10)} {
		t.Run(name, func(t *testing.T) {
			z := world.NewZBS()
			o := zbsSender(t, z)
			os.Remove(o.TokenFile)
			if text != "" {
				if err := os.WriteFile(o.TokenFile, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			chain, j := newChain(t, o)
			if _, class := send(t, chain, message(t, number, "vi")); class != otp.ConfigError || z.Renewals() != 0 {
				t.Errorf("%s; want config_error", class)
			}
			if got := j.lines("ERROR"); len(got) != 1 || !strings.Contains(got[0], o.TokenFile) || !strings.Contains(got[0], "put the official account's refresh token there") {
				t.Errorf("told %q; want the file and what to do", got)
			}
		})
	}
}

func TestARenewalThatFindsNobodyIsTriedAgain(t *testing.T) {
	z := world.NewZBS()
	o := zbsSender(t, z)
	down := true
	o.TokenURL = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down {
			http.Error(w, "", http.StatusBadGateway)
			return
		}
		z.ServeHTTP(w, r)
	}))
	chain, _ := newChain(t, o)
	if _, class := send(t, chain, message(t, number, "vi")); class != otp.RetryLater {
		t.Errorf("%s; want retry_later", class)
	}
	down = false
	if by, class := send(t, chain, message(t, number, "vi")); by != "zbs" {
		t.Errorf("%s; want ok", class)
	}
}

func TestTheQuotaIsReadFromTheAnswer(t *testing.T) {
	z := world.NewZBS()
	z.Quota = 2
	chain, _ := newChain(t, zbsSender(t, z))
	if got := chain.State()[0].Quota; got != -1 {
		t.Errorf("before the first answer: %d; want -1", got)
	}
	for _, want := range []int{1, 0} {
		if send(t, chain, message(t, number, "vi")); chain.State()[0].Quota != want {
			t.Errorf("quota = %d; want %d", chain.State()[0].Quota, want)
		}
	}
	if _, class := send(t, chain, message(t, number, "vi")); class != otp.RetryLater {
		t.Errorf("%s; want retry_later", class)
	}
}

func TestATrialGoesToTheAccountsOwnPeople(t *testing.T) {
	z := world.NewZBS()
	o := zbsSender(t, z)
	o.Trial, o.Parameter = true, "ma"
	z.Templates = map[string]string{"310001": "ma"}
	var mode string
	o.URL = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct{ Mode string }
		body := new(strings.Builder)
		json.NewDecoder(teeBody(r, body)).Decode(&m)
		mode = m.Mode
		z.ServeHTTP(w, withBody(r, body.String()))
	}))
	chain, _ := newChain(t, o)
	if by, class := send(t, chain, message(t, number, "en")); by != "" || class != otp.ConfigError {
		t.Errorf("a template that there is not: %s; want config_error", class)
	}
	o.TemplateEN = ""
	chain, _ = newChain(t, o)
	if by, class := send(t, chain, message(t, number, "en")); by != "zbs" || mode != "development" {
		t.Errorf("%s in mode %q; want ok, in Vietnamese, in mode development", class, mode)
	}
}
