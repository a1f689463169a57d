package portal_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/probes"
	"github.com/hien-wifi/hien/internal/world"
)

// families are where a portal is opened: IPv4 and IPv6.
var families = map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"}

// steps are where a guest can stand who must be redirected.
var steps = map[string]guest{
	"before login":           {},
	"with a code on its way": {step: hien.AtCode, form: &hien.Application{}},
	"outside":                {step: hien.Outside, why: hien.WhyBlocked},
}

// request is a probe's request as the phone sends it.
func request(p world.Probe) string {
	path := strings.SplitN(p.URL, p.Host(), 2)[1]
	return "GET " + path + " HTTP/1.1\r\nHost: " + p.Host() + "\r\nUser-Agent: " + p.UserAgent + "\r\n\r\n"
}

// TestEveryProbe plays the probes of the systems, as the kernel would lead
// them here, in both families.
func TestEveryProbe(t *testing.T) {
	for family, addr := range families {
		d := openOn(t, newHouse(), addr)
		for _, p := range world.Probes {
			for step, g := range steps {
				t.Run(p.Name+"/"+step+"/"+family, func(t *testing.T) {
					d.set(phoneA, g)
					res, body, _ := raw(t, d, "GET", request(p))
					isRedirect(t, d, step, res, body)
				})
			}
			t.Run(p.Name+"/inside/"+family, func(t *testing.T) {
				d.set(phoneA, guest{step: hien.Inside})
				res, body, _ := raw(t, d, "GET", request(p))
				if !p.Free(res.StatusCode, body) {
					t.Errorf("it gets %d %q, which does not say online", res.StatusCode, body)
				}
				if res.Header.Get("Cache-Control") != "no-store" || !res.Close {
					t.Error("the answer may be kept, or the connection stays open")
				}
				asRealServer(t, p, res)
			})
		}
	}
}

// asRealServer compares the headers by which systems tell answers apart.
func asRealServer(t *testing.T, p world.Probe, res *http.Response) {
	t.Helper()
	kind, online := "text/plain", ""
	switch {
	case p.Body == "":
		kind = ""
	case strings.HasPrefix(p.Body, "<"):
		kind = "text/html"
	}
	if p.OS == "Linux" {
		online = "online"
	}
	if got := res.Header.Get("Content-Type"); got != kind {
		t.Errorf("Content-Type %q, want %q", got, kind)
	}
	if got := res.Header.Get("X-NetworkManager-Status"); got != online {
		t.Errorf("X-NetworkManager-Status %q, want %q", got, online)
	}
}

// TestTheTwoListsAgree: what the gateway knows of the probes and what the
// world's phones do were written down apart.
func TestTheTwoListsAgree(t *testing.T) {
	theirs := make(map[string]probes.Probe)
	for _, p := range world.Probes {
		theirs[p.Name] = probes.Probe(p)
	}
	ours := make(map[string]probes.Probe)
	for _, p := range probes.List {
		ours[p.Name] = p
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("the world's probes and the gateway's differ (-world +gateway):\n%s", diff)
	}
	if len(ours) != len(probes.List) {
		t.Errorf("%d probes have %d names", len(probes.List), len(ours))
	}
}

// TestHostsThatAreOnNoList asks for names that nobody has written down. They
// are the same on each run.
func TestHostsThatAreOnNoList(t *testing.T) {
	// A Host beyond ASCII is malformed (RFC 9112, section 3.2), and no system
	// sends one; a path is not.
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_+~ơữ"
	draw := rand.New(rand.NewPCG(7, 11))
	word := func(most int) string {
		var b strings.Builder
		for range 1 + draw.IntN(most) {
			b.WriteRune([]rune(letters)[draw.IntN(len([]rune(letters)))])
		}
		return b.String()
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH", "x"}
	agents := []string{"", "CaptiveNetworkSupport-481.100.6 wispr", "curl/8.5", "Dalvik/2.1.0 (Linux; Android 16)", strings.Repeat("x", 3000)}
	for family, addr := range families {
		for step, g := range map[string]guest{"before login": {}, "inside": {step: hien.Inside}} {
			t.Run(step+"/"+family, func(t *testing.T) {
				d := openOn(t, newHouse(), addr)
				d.set(phoneA, g)
				for range 150 {
					method := methods[draw.IntN(len(methods))]
					host := strings.Map(nameOnly, word(60)+"."+word(20))
					path := "/" + word(80)
					if draw.IntN(3) == 0 {
						path += "?" + word(40)
					}
					target, version := path, "HTTP/1.1"
					switch draw.IntN(5) {
					case 0:
						target = "http://" + host + path // absolute-form, RFC 9112 §3.2.2
					case 1:
						version = "HTTP/1.0"
					}
					ask := fmt.Sprintf("%s %s %s\r\nHost: %s\r\nUser-Agent: %s\r\n\r\n", method, target, version, host, agents[draw.IntN(len(agents))])
					res, body, _ := raw(t, d, method, ask)
					isRedirect(t, d, fmt.Sprintf("%.200q", ask), res, body)
				}
			})
		}
	}
}

func nameOnly(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
		return r
	}
	return 'x'
}
