package main

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/doctor"
	"github.com/hien-wifi/hien/internal/world"
)

// A doctorReport is a report of `hien doctor --json`, and the exit status.
type doctorReport struct {
	Healthy bool
	Summary string
	Phones  []struct{ OS, Opens string }
	Zones   []struct{ Played, Why string }
	// The names of the findings, but for those that are the test machine's
	// own: a kernel that filters bridges, a clock that nobody sets.
	Findings []struct{ ID, Severity, Text, Command string }
	TookMS   int64 `json:"took_ms"`
	status   int
}

// doctor examines the shop.
func (s *shop) doctor(args ...string) (r doctorReport) {
	s.Helper()
	out, err := s.Hien(s.patient(), append([]string{"doctor", "--json",
		"--leases", filepath.Join(s.Router.Dir(), "dnsmasq.leases"), "--dnsmasq-conf", filepath.Join(s.Router.Dir(), "dnsmasq.conf")}, args...)...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		r.status = exit.ExitCode()
	} else if err != nil {
		s.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		s.Fatalf("the doctor said %q: %v", out, err)
	}
	for _, f := range r.Findings {
		s.Logf("%s %s: %s | %s", f.Severity, f.ID, f.Text, f.Command)
	}
	s.Logf("%s (%d ms)", r.Summary, r.TookMS)
	return r
}

func (r doctorReport) bad() (ids []string) {
	for _, f := range r.Findings {
		if f.Severity == "bad" {
			ids = append(ids, f.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// expect compares a report with what should be bad and how phones fare.
func (s *shop) expect(r doctorReport, opens string, bad ...string) {
	s.Helper()
	if got := r.bad(); !slices.Equal(got, bad) {
		s.Errorf("bad: %q, want %q", got, bad)
	}
	for _, p := range r.Phones {
		if p.Opens != opens {
			s.Errorf("the portal opens on %s: %s, want %s", p.OS, p.Opens, opens)
		}
	}
	if want := min(1, len(bad)); r.status != want || r.Healthy != (want == 0) {
		s.Errorf("exit status %d, healthy %v; want %d", r.status, r.Healthy, want)
	}
}

// runIn runs a program in the router that must succeed.
func (s *shop) runIn(line string) {
	s.Helper()
	argv := strings.Fields(line)
	if _, err := s.Router.Run(s.patient(), argv[0], argv[1:]...); err != nil {
		s.Fatal(err)
	}
}

// portTimers run by themselves in a bridge.
var portTimers = regexp.MustCompile(`(hold|message_age|forward_delay)_timer +[0-9.]+`)

func (s *shop) routerSnapshot() (text string) {
	s.Helper()
	ctx := s.patient()
	err := s.Router.Do(func() (err error) {
		text, err = world.Snapshot(ctx)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return portTimers.ReplaceAllString(text, "")
}

func TestTheDoctorFindsAHealthyShopHealthy(t *testing.T) {
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			terms := everyday
			terms.Main = "\toption firewall '" + backend + "'\n"
			s := openShop(t, world.Options{LAN: true, NoCDP: true}, terms)
			s.doctor()
			before := s.routerSnapshot()
			r := s.doctor()
			s.expect(r, doctor.Opens)
			for _, f := range r.Findings {
				if f.Severity == "warn" && f.ID != string(doctor.ClockWrong) {
					t.Errorf("%s: %s", f.ID, f.Text)
				}
			}
			if diff := world.SnapshotDiff(before, s.routerSnapshot()); diff != "" {
				t.Errorf("the doctor left behind:\n%s", diff)
			}
			if len(r.Zones) != 1 || r.Zones[0].Played != doctor.AsGuest {
				t.Errorf("zones %+v, want one that was played as a guest", r.Zones)
			}
			if r.TookMS > 20_000 {
				t.Errorf("it took %d ms, want less than 20 s", r.TookMS)
			}
			said := s.hien("doctor", "--lang", "vi")
			if !strings.Contains(said, "trang chào") || !strings.Contains(said, "Android") {
				t.Errorf("in Vietnamese it says:\n%s", said)
			}
			t.Log("\n" + said)
		})
	}
}

func TestTheDoctorSaysWhatOtherProgramsDoToTheDoor(t *testing.T) {
	s := openShop(t, world.Options{NoCDP: true}, everyday)
	s.runIn("nft add table inet foreign")
	s.runIn("nft add chain inet foreign c { type filter hook input priority 0 ; }")
	s.runIn("nft add rule inet foreign c iifname br-guest tcp dport 2050 drop")
	r := s.doctor()
	s.expect(r, doctor.OpensNot, "no-redirect")
	for _, f := range r.Findings {
		if f.ID == "no-redirect" {
			s.runIn(f.Command)
		}
	}
	s.expect(s.doctor(), doctor.Opens)
	s.runIn("nft add rule inet foreign c iifname br-guest udp dport { 53, 2053 } drop")
	s.expect(s.doctor(), doctor.OpensNot, "no-dns")
}

func TestTheDoctorSaysThatTheDaemonIsDead(t *testing.T) {
	s := openShop(t, world.Options{NoCDP: true}, everyday)
	s.Daemon.Kill()
	s.expect(s.doctor(), doctor.OpensNot, "not-running")
}

func TestTheDoctorSaysThatTheDoorWasTakenAway(t *testing.T) {
	s := openShop(t, world.Options{NoCDP: true}, everyday)
	s.hien("cleanup")
	r := s.doctor()
	if got := r.bad(); !slices.Contains(got, "released") || !slices.Contains(got, "door-open") || r.status != 1 {
		t.Errorf("bad: %q, exit status %d; want released and door-open, and 1", got, r.status)
	}
}

func TestTheDoctorRefusesALanguageThatItDoesNotSpeak(t *testing.T) {
	s := newShop(t, world.Options{NoCDP: true}, everyday)
	_, err := s.Hien(s.patient(), "doctor", "--lang", "fr")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("error %v, want exit status 2", err)
	}
}
