package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/world"
	"github.com/hien-wifi/hien/internal/world/chromium"
)

// inPhone makes the test binary the browser's side of a test: its value is
// the language that the phone prefers, and what its owner does: "vi gives".
const inPhone = "HIEN_TEST_IN_PHONE"

// probeAt is the address of the probe's host, as told to the browser.
const probeAt = "HIEN_TEST_PROBE_AT"

// TestChromiumInThePhone goes through the form with a real browser in the
// phone's own namespace, with the real gateway behind a real redirect. The
// browser is driven by this same test in a process of the phone's. One person
// gives, takes back and is erased, one is under the age, one goes on without.
func TestChromiumInThePhone(t *testing.T) {
	if does := os.Getenv(inPhone); does != "" {
		browse(t, does[:2], does[3:])
		return
	}
	artifacts := os.Getenv("HIEN_ARTIFACTS")
	if artifacts == "" {
		artifacts = t.ArtifactDir()
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := openShop(t, world.Options{}, everyday)
	for _, does := range []string{"vi gives", "en gives", "vi young", "en young", "vi skips", "en skips"} {
		t.Run(does, func(t *testing.T) {
			s := &shop{T: t, World: s.World, Gateway: s.Gateway}
			p := s.join(strings.ReplaceAll(does, " ", "-"))
			browser := p.Command(s.long(), program, "-test.run=^TestChromiumInThePhone$", "-test.v")
			browser.Env = append(os.Environ(), inPhone+"="+does, probeAt+"="+s.Internet.Host("captive.apple.com").V4.String(), "HIEN_ARTIFACTS="+artifacts)
			answers, err := browser.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			browser.Stderr = os.Stderr
			said, err := browser.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			mark := s.Daemon.Mark()
			if err := browser.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(said)
			for lines.Scan() {
				t.Log(lines.Text())
				if lines.Text() != waiting {
					continue
				}
				code, err := s.Code(s.patient(), p.MAC, mark)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(answers, code)
			}
			if err := browser.Wait(); err != nil {
				t.Errorf("the browser's side: %v", err)
			}
			if !s.online(p) {
				t.Error("the phone is not online")
			}
			if _, person := s.stands(); person != 0 {
				t.Errorf("%d people are in the record after all", person)
			}
			for _, name := range pictures[does[3:]] {
				picture := filepath.Join(artifacts, "phone-"+does[:2]+"-"+name+".png")
				if info, err := os.Stat(picture); err != nil || info.Size() == 0 {
					t.Errorf("no picture: %v", err)
				}
			}
		})
	}
	// Each of those who gave has three entries: the consent, a withdrawal, and
	// the erasure. Of the others there is none.
	if entries, _ := s.stands(); entries != 6 {
		t.Errorf("the ledger has %d entries; want 6", entries)
	}
}

// pictures are what is kept of each way.
var pictures = map[string][]string{
	"gives": {"1-question", "2-of-age", "3-code", "4-online", "5-receipt", "6-withdrawn", "7-erased"},
	"young": {"1-question", "2-young", "3-young-online"},
	"skips": {"1-question", "2-skipped"},
}

// stands is how many entries the ledger has, and how many people the record.
func (s *shop) stands() (entries, people int) {
	s.Helper()
	var ledger control.Ledger
	var leads control.List[control.Lead]
	for command, to := range map[string]any{"ledger verify": &ledger, "leads": &leads} {
		if err := json.Unmarshal([]byte(s.hien(append(strings.Fields(command), "--json")...)), to); err != nil {
			s.Fatal(err)
		}
	}
	if !ledger.Holds {
		s.Errorf("the ledger does not hold: %s", ledger.Broken)
	}
	return int(ledger.Entries), leads.Total
}

// long is patience for a whole way with a browser.
func (s *shop) long() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	s.T.Cleanup(cancel)
	return ctx
}

const waiting = "the page waits for the code"

// browse is what happens in the phone.
func browse(t *testing.T, language, does string) {
	p := chromium.Start(t, chromium.Look{Width: 360, Height: 640, Language: language, Scheme: "light",
		Host: "captive.apple.com", At: os.Getenv(probeAt)})
	show := func(name string) {
		t.Helper()
		if got := chromium.Ask[string](p, `document.documentElement.lang`); got != language {
			t.Errorf("%s: the page is in %q; want %q", name, got, language)
		}
		p.Picture("phone-" + language + "-" + name)
		p.LooksRight(name)
	}
	p.Open("http://captive.apple.com/hotspot-detect.html") // as the sheet does
	show("1-question")
	p.TwoEqualAnswers("1-question")
	if n := chromium.Ask[int](p, `document.querySelectorAll(":checked").length`); n != 0 {
		t.Errorf("%d boxes are ticked on a fresh page", n)
	}
	online := func() {
		t.Helper()
		if got := chromium.Ask[string](p, `location.pathname`); got != "/online" {
			t.Errorf("the phone is at %s; want /online", got)
		}
		if got := chromium.Ask[int](p, `document.querySelectorAll("main a[href^='/receipt/'], main input:not([type=hidden])").length`); does != "gives" && got != 0 {
			t.Errorf("the page has %d receipts and fields for somebody of whom nothing is kept", got)
		}
	}
	switch does {
	case "young":
		p.Touch("[for=no]")
		show("2-young")
		if n := len(p.Boxes(".b")); n != 1 {
			t.Errorf("%d buttons for somebody too young; want the one that counts and keeps nothing", n)
		}
		p.Tap(".young .b")
		show("3-young-online")
		online()
		return
	case "skips":
		p.Tap(".two [form=skip]")
		show("2-skipped")
		online()
		return
	}
	p.Touch("[for=yes]")
	show("2-of-age")
	p.TwoEqualAnswers("2-of-age")
	p.Touch("[value=visit_frequency]")
	p.Touch("[value=contact_zalo]")
	p.Enter("#phone", map[string]string{"vi": "0987 654 301", "en": "0987 654 302"}[language])
	show("3-code")
	p.TwoEqualAnswers("3-code")
	fmt.Println(waiting)
	code, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.Enter("[name=code]", strings.TrimSpace(code))
	show("4-online")
	online()
	p.Tap(`a[href^="/receipt/"]`)
	show("5-receipt")
	stands := func() int { return chromium.Ask[int](p, `document.querySelectorAll("li form").length`) }
	before := stands()
	p.Touch("li:first-of-type summary") // two taps, and no reason
	p.Tap("li:first-of-type button")
	show("6-withdrawn")
	if after := stands(); before != 2 || after != 1 {
		t.Errorf("%d purposes stood, and after one was taken back %d", before, after)
	}
	p.Touch(`details:has([action$="/erase"]) summary`)
	p.Tap(`[action$="/erase"] button`)
	show("7-erased")
	if got := chromium.Ask[string](p, `location.pathname`); !strings.HasPrefix(got, "/erased/") {
		t.Errorf("after the erasure the phone is at %s", got)
	}
	p.Open("http://captive.apple.com/hotspot-detect.html")
	if got := chromium.Ask[string](p, `document.body.innerText`); !strings.Contains(got, "Success") {
		t.Errorf("the phone's probe gets %q; want the internet's answer", got)
	}
}
