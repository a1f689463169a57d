package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/world"
	"github.com/hien-wifi/hien/internal/world/chromium"
)

// inPhone makes the test binary the browser's side of a test: its value is
// the language that the phone prefers.
const inPhone = "HIEN_TEST_IN_PHONE"

// probeAt is the address of the probe's host, as told to the browser.
const probeAt = "HIEN_TEST_PROBE_AT"

// TestChromiumInThePhone goes through the form with a real browser in the
// phone's own namespace, with the real gateway behind a real redirect. The
// browser is driven by this same test in a process of the phone's.
func TestChromiumInThePhone(t *testing.T) {
	if language := os.Getenv(inPhone); language != "" {
		browse(t, language)
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
	for _, language := range []string{"vi", "en"} {
		t.Run(language, func(t *testing.T) {
			s := &shop{T: t, World: s.World, Gateway: s.Gateway}
			p := s.join("phone-" + language)
			browser := p.Command(s.long(), program, "-test.run=^TestChromiumInThePhone$", "-test.v")
			browser.Env = append(os.Environ(), inPhone+"="+language, probeAt+"="+s.Internet.Host("captive.apple.com").V4.String(), "HIEN_ARTIFACTS="+artifacts)
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
			for _, name := range []string{"1-question", "2-code", "3-online", "4-receipt"} {
				picture := filepath.Join(artifacts, "phone-"+language+"-"+name+".png")
				if info, err := os.Stat(picture); err != nil || info.Size() == 0 {
					t.Errorf("no picture: %v", err)
				}
			}
		})
	}
	if l := s.hien("leads"); !strings.Contains(l, "2 people") {
		t.Errorf("leads says: %s", l)
	}
}

// long is patience for a whole way with a browser.
func (s *shop) long() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	s.T.Cleanup(cancel)
	return ctx
}

const waiting = "the page waits for the code"

// browse is what happens in the phone.
func browse(t *testing.T, language string) {
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
	p.Touch("[for=yes]")
	p.Touch("[value=visit_frequency]")
	p.Touch("[value=contact_zalo]")
	p.Enter("#phone", map[string]string{"vi": "0987 654 301", "en": "0987 654 302"}[language])
	show("2-code")
	fmt.Println(waiting)
	code, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.Enter("[name=code]", strings.TrimSpace(code))
	show("3-online")
	if got := chromium.Ask[string](p, `location.pathname`); got != "/online" {
		t.Errorf("after the code the phone is at %s; want /online", got)
	}
	p.Tap(`a[href^="/receipt/"]`)
	show("4-receipt")
	p.Open("http://captive.apple.com/hotspot-detect.html")
	if got := chromium.Ask[string](p, `document.body.innerText`); !strings.Contains(got, "Success") {
		t.Errorf("the phone's probe gets %q; want the internet's answer", got)
	}
}
